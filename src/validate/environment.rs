//! Environment variables and environment files.

use std::collections::BTreeMap;

use super::{Arn, Scope, arn::has_placeholder, secret::is_variable_name};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, shell_word},
    ecs,
};

/// The environment of a container, without secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Names and values in the order of the definition, without duplicate names.
    pub variables: Vec<(String, String)>,
    /// Entries that a later one with the same name replaces: their positions and names.
    pub replaced: Vec<(usize, String)>,
    /// Environment files in the order of the definition.
    pub files: Vec<EnvironmentFile>,
}

impl Environment {
    /// Whether it sets the variable `name`.
    #[must_use]
    pub fn defines(&self, name: &str) -> bool {
        self.variables.iter().any(|(other, _)| other == name)
            || self.files.iter().any(|f| f.variables.contains_key(name))
    }
}

/// An environment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// The position in `environmentFiles`.
    pub index: usize,
    /// The S3 object.
    pub arn: String,
    /// The variables in the file.
    pub variables: BTreeMap<String, String>,
}

/// Validates `environment` and `environmentFiles`.
pub(crate) fn validate_environment(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Environment {
    let mut environment = Environment::default();
    for (index, entry) in raw.environment.iter().enumerate() {
        let path = path.field("environment").index(index).field("name");
        let name = entry.name.clone().unwrap_or_default();
        let same = |other: &Option<String>| other.as_ref() == Some(&name);
        if name.is_empty() {
            let name = "name".to_owned();
            sink.report(path, Message::RequiredField { name });
        } else if !is_variable_name(&name) {
            sink.report(path, Message::InvalidEnvironmentName { value: name });
        } else if raw.secrets.iter().any(|secret| same(&secret.name)) {
            sink.report(path, Message::SecretEnvNameConflict { name });
        } else if raw
            .environment
            .iter()
            .skip(index + 1)
            .any(|later| same(&later.name))
        {
            environment.replaced.push((index, name));
        } else {
            let value = entry.value.clone().unwrap_or_default();
            environment.variables.push((name, value));
        }
    }
    for (index, entry) in raw.environment_files.iter().enumerate() {
        let path = path.field("environmentFiles").index(index).field("value");
        let file = environment_file(index, entry, scope, &path, sink);
        environment.files.extend(file);
    }
    environment
}

fn environment_file(
    index: usize,
    raw: &ecs::EnvironmentFile,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<EnvironmentFile> {
    let arn = raw.value.clone().unwrap_or_default();
    if arn.is_empty() {
        let name = "value".to_owned();
        sink.report(path.clone(), Message::RequiredField { name });
        return None;
    }
    let Some(text) = scope.settings.environment_files.get(&arn) else {
        let message = if is_env_object(&arn) {
            let option = shell_word(&format!("{arn}=FILE")).into_owned();
            Message::EnvironmentFileUnavailable { arn, option }
        } else {
            let allowed = "must be the ARN of an S3 object, arn:aws:s3:::bucket/name.env";
            let allowed = allowed.to_owned();
            Message::InvalidValue {
                value: arn,
                allowed,
            }
        };
        sink.report(path.clone(), message);
        return None;
    };
    let variables = file_variables(text);
    // The file becomes a Secret, whose keys allow fewer characters than names of variables.
    for name in variables.keys().filter(|name| !is_secret_key(name)) {
        let blank = name.contains(char::is_whitespace);
        let value = if blank {
            format!("{name:?}")
        } else {
            name.clone()
        };
        sink.report(path.clone(), Message::InvalidEnvironmentName { value });
    }
    Some(EnvironmentFile {
        index,
        arn,
        variables,
    })
}

/// Whether this is an S3 object with a name that ends in `.env`, as ECS requires.
#[allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "S3 keys are case-sensitive, and ECS asks for .env"
)]
fn is_env_object(text: &str) -> bool {
    has_placeholder(text)
        || Arn::parse(text).is_some_and(|arn| {
            arn.service == "s3"
                && arn.resource.split_once('/').is_some_and(|(bucket, key)| {
                    !bucket.is_empty() && key.strip_suffix(".env").is_some()
                })
        })
}

fn is_secret_key(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    name.len() <= 253 && name != "." && !name.starts_with("..") && name.chars().all(plain)
}

/// Parses the lines `NAME=VALUE` of a file; the last line of a name has precedence. Comments begin with `#`; lines
/// without a name or a value set nothing, as in the ECS agent, which also keeps blanks around a name
/// (<https://github.com/aws/amazon-ecs-agent/issues/3429>). There is no quoting and no expansion
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/use-environment-file.html>).
pub(crate) fn file_variables(text: &str) -> BTreeMap<String, String> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .filter(|(name, value)| !name.trim().is_empty() && !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_plain_lines() {
        for (text, expected) in [
            ("A=1\nB=2\n", vec![("A", "1"), ("B", "2")]),
            ("A=1\nA=2", vec![("A", "2")]),
            ("# A=1\n  # B=2\n#C=3", vec![]),
            (
                "A=\"quoted\"\nB='single'",
                vec![("A", "\"quoted\""), ("B", "'single'")],
            ),
            ("A=$HOME ${X} $(y) `z`", vec![("A", "$HOME ${X} $(y) `z`")]),
            (
                "URL=https://host/?a=b&c=d==",
                vec![("URL", "https://host/?a=b&c=d==")],
            ),
            ("A= spaces kept ", vec![("A", " spaces kept ")]),
            (" A =1", vec![(" A ", "1")]),
            ("A=1 # not a comment", vec![("A", "1 # not a comment")]),
            ("\u{feff}A=1\r\nB=2\r\n", vec![("A", "1"), ("B", "2")]),
            ("export\nEMPTY=\n=nameless\n\n", vec![]),
        ] {
            let found = file_variables(text);
            let found: Vec<(&str, &str)> = found
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn objects_are_named_by_their_arn() {
        for (text, expected) in [
            ("arn:aws:s3:::config/web/prod.env", true),
            ("arn:aws-cn:s3:::config/prod.env", true),
            ("arn:aws:s3:::${bucket}/prod.env", true),
            ("<ARN of the file>", true),
            ("arn:aws:s3:::config/prod.txt", false),
            ("arn:aws:s3:::prod.env", false),
            ("s3://config/prod.env", false),
            ("prod.env", false),
        ] {
            assert_eq!(is_env_object(text), expected, "{text}");
        }
    }
}
