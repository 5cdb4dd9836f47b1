//! The process of a container, and its requirements.

use super::Environment;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// Variables that ECS sets and Kubernetes does not; a program that needs one does not work.
const TASK_VARIABLES: [&str; 5] = [
    "ECS_CONTAINER_METADATA_URI_V4",
    "ECS_CONTAINER_METADATA_URI",
    "ECS_AGENT_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EXECUTION_ENV",
];

/// The process of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// `entryPoint`; empty for that of the image.
    pub entry_point: Vec<String>,
    /// `command`; empty for that of the image.
    pub command: Vec<String>,
    /// The working directory.
    pub working_directory: Option<String>,
    /// Whether stdin stays open.
    pub interactive: bool,
    /// Whether a terminal is allocated.
    pub pseudo_terminal: bool,
    /// Variables of ECS that the container refers to by name.
    pub task_variables: Vec<TaskVariable>,
}

/// A reference to a variable that ECS sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskVariable {
    /// The variable.
    pub name: &'static str,
    /// `entryPoint`, `command` or `environment`.
    pub field: &'static str,
    /// The position in that field.
    pub index: usize,
}

/// Validates the process. `environment` is that of the container.
pub(crate) fn validate_process(
    raw: &ecs::ContainerDefinition,
    environment: &Environment,
) -> Process {
    Process {
        entry_point: raw.entry_point.clone(),
        command: raw.command.clone(),
        working_directory: raw.working_directory.clone(),
        interactive: raw.interactive.unwrap_or(false),
        pseudo_terminal: raw.pseudo_terminal.unwrap_or(false),
        task_variables: task_variables(raw, environment),
    }
}

/// Returns the first reference to each variable of ECS in the container, except variables that the definition itself
/// sets.
fn task_variables(raw: &ecs::ContainerDefinition, environment: &Environment) -> Vec<TaskVariable> {
    let entry_point = raw.entry_point.iter().enumerate();
    let command = raw.command.iter().enumerate();
    let values = raw.environment.iter().enumerate();
    let texts: Vec<(&'static str, usize, &str)> = entry_point
        .map(|(index, word)| ("entryPoint", index, word.as_str()))
        .chain(command.map(|(index, word)| ("command", index, word.as_str())))
        .chain(values.filter_map(|(index, variable)| {
            Some(("environment", index, variable.value.as_deref()?))
        }))
        .filter(|(_, _, text)| may_mention(text))
        .collect();
    let defined = |name: &str| {
        environment.defines(name)
            || raw
                .secrets
                .iter()
                .any(|secret| secret.name.as_deref() == Some(name))
    };
    TASK_VARIABLES
        .iter()
        .filter(|name| !defined(name))
        .filter_map(|&name| {
            let (field, index, _) = texts.iter().find(|(_, _, text)| mentions(text, name))?;
            Some(TaskVariable {
                name,
                field,
                index: *index,
            })
        })
        .collect()
}

/// Whether `text` contains the common part of all names in `TASK_VARIABLES`; few texts do.
fn may_mention(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| pair == b"S_")
}

/// Whether `name` occurs in `text` as a separate word.
fn mentions(text: &str, name: &str) -> bool {
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(start, found)| {
        let (before, rest) = text.split_at(start);
        let after = rest.get(found.len()..).unwrap_or_default();
        !before.ends_with(part_of_name) && !after.starts_with(part_of_name)
    })
}

/// Checks the image reference, which is otherwise used unchanged.
pub(crate) fn validate_image(
    raw: Option<&str>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> String {
    let image = raw.unwrap_or_default();
    // Placeholders may contain blanks.
    if image.trim() != image {
        let value = format!("{image:?}");
        let allowed = "must be an image reference without blanks around it".to_owned();
        sink.report(
            path.field("image"),
            Message::InvalidValue { value, allowed },
        );
    }
    image.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_whole_words() {
        for (text, name, expected) in [
            (
                "curl ${ECS_CONTAINER_METADATA_URI_V4}/task",
                "ECS_CONTAINER_METADATA_URI_V4",
                true,
            ),
            (
                "curl ${ECS_CONTAINER_METADATA_URI_V4}/task",
                "ECS_CONTAINER_METADATA_URI",
                false,
            ),
            ("$ECS_AGENT_URI", "ECS_AGENT_URI", true),
            ("MY_ECS_AGENT_URI", "ECS_AGENT_URI", false),
            ("", "ECS_AGENT_URI", false),
        ] {
            assert_eq!(mentions(text, name), expected, "{text}");
        }
    }
}
