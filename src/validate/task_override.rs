//! `overrides` of `RunTask`: changes to a task definition for one task.

use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Segment, Subject},
    ecs,
};

/// The maximum length of `overrides` as compact JSON, in characters
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>).
const MAX_LENGTH: usize = 8192;

/// The members of a task definition that come from `overrides`, so that findings about them point there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overridden {
    /// The member in the task definition, and its path in the override.
    moves: Vec<(FieldPath, FieldPath)>,
}

impl Overridden {
    fn add(&mut self, member: FieldPath, given: FieldPath) {
        self.moves.push((member, given));
    }

    /// Returns the same findings, with those about overridden members at the override.
    #[must_use]
    pub fn relocate(&self, findings: Diagnostics) -> Diagnostics {
        if self.moves.is_empty() {
            return findings;
        }
        let mut relocated = Diagnostics::new();
        for finding in findings.iter() {
            relocated.report(self.place_of(&finding.path), finding.message.clone());
        }
        relocated
    }

    /// Returns the path of the override. A later override of the same member has precedence, so the last entry is
    /// checked first.
    fn place_of(&self, path: &FieldPath) -> FieldPath {
        self.moves
            .iter()
            .rev()
            .filter(|(member, _)| member.subject() == path.subject())
            .find_map(|(member, given)| {
                let rest = path.segments().strip_prefix(member.segments())?;
                Some(
                    rest.iter()
                        .cloned()
                        .fold(given.clone(), |at, step: Segment| at.child(step)),
                )
            })
            .unwrap_or_else(|| path.clone())
    }
}

/// Returns the task definition with `overrides` applied, and its overridden members.
///
/// `path` is that of `overrides`.
pub(crate) fn apply_overrides(
    definition: &ecs::TaskDefinition,
    overrides: &ecs::TaskOverride,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> (ecs::TaskDefinition, Overridden) {
    // Elastic Inference no longer exists; the reader rejects its overrides.
    let ecs::TaskOverride {
        container_overrides,
        cpu,
        inference_accelerator_overrides: _,
        execution_role_arn,
        memory,
        task_role_arn,
        ephemeral_storage,
    } = overrides;
    check_length(overrides, path, sink);
    let mut definition = definition.clone();
    let mut overridden = Overridden::default();
    let root = FieldPath::root(Subject::TaskDefinition);
    let texts = [
        ("cpu", cpu, &mut definition.cpu),
        ("memory", memory, &mut definition.memory),
        ("taskRoleArn", task_role_arn, &mut definition.task_role_arn),
        (
            "executionRoleArn",
            execution_role_arn,
            &mut definition.execution_role_arn,
        ),
    ];
    for (member, given, place) in texts {
        if given.is_some() {
            place.clone_from(given);
            overridden.add(root.field(member), path.field(member));
        }
    }
    if ephemeral_storage.is_some() {
        definition.ephemeral_storage.clone_from(ephemeral_storage);
        let member = "ephemeralStorage";
        overridden.add(root.field(member), path.field(member));
    }
    for (index, raw) in container_overrides.iter().enumerate() {
        let path = path.field("containerOverrides").index(index);
        override_container(&mut definition, raw, &path, &mut overridden, sink);
    }
    (definition, overridden)
}

/// Counts characters of the JSON without blanks, as AWS does.
fn check_length(overrides: &ecs::TaskOverride, path: &FieldPath, sink: &mut Diagnostics) {
    let length = serde_json::to_string(overrides).map_or(0, |json| json.chars().count());
    if length > MAX_LENGTH {
        let n = length.to_string();
        sink.report(path.clone(), Message::OverridesTooLong { n });
    }
}

fn override_container(
    definition: &mut ecs::TaskDefinition,
    raw: &ecs::ContainerOverride,
    path: &FieldPath,
    overridden: &mut Overridden,
    sink: &mut Diagnostics,
) {
    let Some(name) = raw.name.as_deref() else {
        if *raw != ecs::ContainerOverride::default() {
            let name = "name".to_owned();
            sink.report(path.field("name"), Message::RequiredField { name });
        }
        return;
    };
    let mut containers = definition.container_definitions.iter_mut().enumerate();
    let found = containers.find(|(_, container)| container.name.as_deref() == Some(name));
    let Some((index, container)) = found else {
        let value = name.to_owned();
        sink.report(path.field("name"), Message::UnknownContainer { value });
        return;
    };
    let member = FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(index);
    let ecs::ContainerOverride {
        name: _,
        command,
        environment,
        environment_files,
        cpu,
        memory,
        memory_reservation,
        resource_requirements,
    } = raw;
    let mut moved = |name: &'static str| overridden.add(member.field(name), path.field(name));
    let numbers = [
        ("cpu", *cpu, &mut container.cpu),
        ("memory", *memory, &mut container.memory),
        (
            "memoryReservation",
            *memory_reservation,
            &mut container.memory_reservation,
        ),
    ];
    for (name, given, place) in numbers {
        if given.is_some() {
            *place = given;
            moved(name);
        }
    }
    if !command.is_empty() {
        container.command.clone_from(command);
        moved("command");
    }
    if !environment_files.is_empty() {
        container.environment_files.clone_from(environment_files);
        moved("environmentFiles");
    }
    if !resource_requirements.is_empty() {
        container
            .resource_requirements
            .clone_from(resource_requirements);
        moved("resourceRequirements");
    }
    let paths = (member.field("environment"), path.field("environment"));
    merge_environment(container, environment, &paths, overridden, sink);
}

/// Sets variables in place; new ones are appended. `paths` are those of the lists in the definition and the override.
fn merge_environment(
    container: &mut ecs::ContainerDefinition,
    given: &[ecs::KeyValuePair],
    paths: &(FieldPath, FieldPath),
    overridden: &mut Overridden,
    sink: &mut Diagnostics,
) {
    let (member, path) = paths;
    for (index, variable) in given.iter().enumerate() {
        let at = path.index(index);
        if container
            .secrets
            .iter()
            .any(|secret| secret.name == variable.name)
        {
            let name = variable.name.clone().unwrap_or_default();
            sink.report(at.field("name"), Message::SecretEnvNameConflict { name });
            continue;
        }
        let environment = &mut container.environment;
        // If the definition sets a name twice, the last one has precedence.
        let position = environment
            .iter()
            .rposition(|existing| existing.name == variable.name);
        let position = if let Some(position) = position
            && let Some(existing) = environment.get_mut(position)
        {
            existing.value.clone_from(&variable.value);
            position
        } else {
            environment.push(variable.clone());
            environment.len() - 1
        };
        overridden.add(member.index(position), at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_is_merged_in_place() {
        let definition: ecs::TaskDefinition = serde_json::from_str(
            r#"{"containerDefinitions": [{"name": "a", "environment": [
            {"name": "X", "value": "1"}, {"name": "Y", "value": "2"}, {"name": "X", "value": "3"}]}]}"#,
        )
        .expect("the shape takes it");
        let overrides: ecs::TaskOverride = serde_json::from_str(
            r#"{"containerOverrides": [{"name": "a", "environment": [
            {"name": "Z", "value": "z"}, {"name": "Y", "value": "y"}, {"name": "X", "value": "x"}]}]}"#,
        )
        .expect("the shape takes it");
        let path = FieldPath::root(Subject::Task).field("overrides");
        let mut sink = Diagnostics::new();
        let (merged, overridden) = apply_overrides(&definition, &overrides, &path, &mut sink);
        assert!(sink.is_empty());
        let variables: Vec<(&str, &str)> = merged.container_definitions[0]
            .environment
            .iter()
            .map(|variable| {
                let name = variable.name.as_deref().unwrap_or_default();
                (name, variable.value.as_deref().unwrap_or_default())
            })
            .collect();
        assert_eq!(variables, [("X", "1"), ("Y", "y"), ("X", "x"), ("Z", "z")]);
        let member = FieldPath::root(Subject::TaskDefinition)
            .field("containerDefinitions")
            .index(0)
            .field("environment");
        for (index, given) in [
            (0, "containerDefinitions[0].environment[0].name"),
            (1, "overrides.containerOverrides[0].environment[1].name"),
            (2, "overrides.containerOverrides[0].environment[2].name"),
            (3, "overrides.containerOverrides[0].environment[0].name"),
        ] {
            let path = overridden.place_of(&member.index(index).field("name"));
            assert_eq!(path.to_string(), given);
        }
    }

    #[test]
    fn roles_and_lists_are_replaced() {
        let definition: ecs::TaskDefinition = serde_json::from_str(
            r#"{"taskRoleArn": "old", "containerDefinitions": [{"name": "a", "command": ["old"],
            "environmentFiles": [{"type": "s3", "value": "old"}]}]}"#,
        )
        .expect("the shape takes it");
        let overrides: ecs::TaskOverride = serde_json::from_str(
            r#"{"taskRoleArn": "new", "executionRoleArn": "exec", "containerOverrides": [{"name": "a", "command": [],
            "environmentFiles": [{"type": "s3", "value": "new"}]}, {}]}"#,
        )
        .expect("the shape takes it");
        let path = FieldPath::root(Subject::Task).field("overrides");
        let mut sink = Diagnostics::new();
        let (merged, _) = apply_overrides(&definition, &overrides, &path, &mut sink);
        assert!(sink.is_empty());
        assert_eq!(merged.task_role_arn.as_deref(), Some("new"));
        assert_eq!(merged.execution_role_arn.as_deref(), Some("exec"));
        let container = &merged.container_definitions[0];
        assert_eq!(container.command, ["old"]);
        assert_eq!(container.environment_files[0].value.as_deref(), Some("new"));
    }
}
