//! Environment variables and environment files.

use super::{Arn, Scope};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    settings::Mode,
};

/// The environment of a container, without secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Names and values in the order of the definition, each name once.
    pub variables: Vec<(String, String)>,
    /// Entries that a later one of the same name replaces: their positions and names.
    pub replaced: Vec<(usize, String)>,
    /// Environment files in the order of the definition.
    pub files: Vec<EnvironmentFile>,
}

/// An environment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// The position in `environmentFiles`.
    pub index: usize,
    /// The S3 object.
    pub arn: String,
    /// What it holds, each name once; empty where only the operator can read it.
    pub variables: Vec<(String, String)>,
}

/// Validates `environment` and `environmentFiles`.
pub(crate) fn validate_environment(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Environment {
    let mut environment = Environment::default();
    let at = path.field("environment");
    for (index, entry) in raw.environment.iter().enumerate() {
        let name = entry.name.clone().unwrap_or_default();
        if !is_variable_name(&name) {
            sink.report(
                at.index(index).field("name"),
                Message::InvalidEnvironmentName { value: name },
            );
            continue;
        }
        if raw
            .secrets
            .iter()
            .any(|secret| secret.name.as_ref() == Some(&name))
        {
            sink.report(
                at.index(index).field("name"),
                Message::SecretEnvNameConflict { name: name.clone() },
            );
        }
        let later = raw.environment.iter().skip(index + 1);
        if later
            .clone()
            .any(|other| other.name.as_ref() == Some(&name))
        {
            environment.replaced.push((index, name));
        } else {
            environment
                .variables
                .push((name, entry.value.clone().unwrap_or_default()));
        }
    }
    let at = path.field("environmentFiles");
    for (index, entry) in raw.environment_files.iter().enumerate() {
        let file = environment_file(index, entry, scope, &at.index(index).field("value"), sink);
        environment.files.extend(file);
    }
    environment
}

/// Kubernetes takes every printable ASCII character but `=` (since 1.32).
fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| matches!(c, ' '..='~') && c != '=')
}

fn environment_file(
    index: usize,
    raw: &ecs::EnvironmentFile,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<EnvironmentFile> {
    let Some(arn) = raw.value.clone() else {
        sink.report(
            path.clone(),
            Message::RequiredField {
                name: "value".to_owned(),
            },
        );
        return None;
    };
    let text = scope.settings.environment_files.get(&arn);
    let is_object =
        Arn::parse(&arn).is_some_and(|arn| arn.service == "s3" && arn.resource.contains('/'));
    match text {
        Some(text) => Some(EnvironmentFile {
            index,
            arn,
            variables: variables(text),
        }),
        None if !is_object => {
            let allowed = "the ARN of an S3 object, arn:aws:s3:::bucket/name.env".to_owned();
            sink.report(
                path.clone(),
                Message::InvalidValue {
                    value: arn,
                    allowed,
                },
            );
            None
        }
        None if scope.settings.mode == Mode::Convert => {
            sink.report(path.clone(), Message::EnvironmentFileUnavailable { arn });
            None
        }
        None => Some(EnvironmentFile {
            index,
            arn,
            variables: Vec::new(),
        }),
    }
}

/// The lines `NAME=VALUE` of a file, the last of each name. Lines that begin with `#`, and those that assign nothing,
/// are read over; there is no quoting and no expansion
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/use-environment-file.html>).
fn variables(text: &str) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = line.trim_start();
        let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        if !is_variable_name(name.trim_end()) {
            continue;
        }
        variables.retain(|(other, _)| other != name.trim_end());
        variables.push((name.trim_end().to_owned(), value.to_owned()));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_plain_lines() {
        let text =
            "\u{feff}# comment\nA=1\n B=two words \nexport\n\nA=3\nC=\"quoted\"\nD=a=b\n=x\nE=\r\n";
        let expected = [
            ("B", "two words "),
            ("A", "3"),
            ("C", "\"quoted\""),
            ("D", "a=b"),
            ("E", ""),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        assert_eq!(variables(text), expected);
    }
}
