//! The parts of a reference to Secrets Manager or SSM.

use super::{
    arn::{has_placeholder, is_one_placeholder, split_colon},
    secret::{SecretService, SecretVersion},
};
use crate::diagnostic::{Message, shell_word};

/// The parts of a `valueFrom`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParsedReference<'a> {
    pub(super) service: SecretService,
    /// `None` for a bare name.
    pub(super) region: Option<&'a str>,
    pub(super) key: &'a str,
    pub(super) json_key: Option<&'a str>,
    pub(super) version: Option<SecretVersion>,
    /// Whether it has some of the three options, but not the colons of all
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>).
    pub(super) short: bool,
    /// Whether the service is taken from the name of a placeholder.
    pub(super) assumed: bool,
}

/// The reason why a `valueFrom` cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReferenceError {
    Unknown,
    /// A placeholder alone: its value may belong to either service.
    Placeholder,
    StageAndId,
}

impl ReferenceError {
    pub(super) fn message(self, value: &str) -> Message {
        match self {
            Self::Unknown => Message::InvalidSecretReference {
                value: value.to_owned(),
            },
            Self::Placeholder => Message::SecretReferenceUnclear {
                value: value.to_owned(),
                option: fill_option(value),
            },
            Self::StageAndId => Message::SecretVersionConflict,
        }
    }
}

/// Returns the value of `--set` that fills a placeholder with an ARN, as a word of a shell.
pub(super) fn fill_option(placeholder: &str) -> String {
    shell_word(&format!("{}=ARN", fill_name(placeholder))).into_owned()
}

/// Returns the name that fills a placeholder: the word between its brackets, or the argument of its function, as in
/// ``{{ must_env `NAME` }}``, if that is a word, or else the whole text.
fn fill_name(placeholder: &str) -> &str {
    let is_bracket = |c: char| "<>{}$%".contains(c) || c.is_whitespace();
    let is_word = |text: &&str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
        !text.is_empty() && text.chars().all(fits)
    };
    let inner = placeholder.trim_matches(is_bracket);
    let argument = inner.split(['`', '"', '\'']).nth(1).unwrap_or(inner);
    let name = argument.trim_start_matches('.');
    Some(name).filter(is_word).unwrap_or(placeholder)
}

impl<'a> ParsedReference<'a> {
    /// Parses the ARN of a secret with its optional JSON key, stage and version ID, the ARN of a parameter, or the bare
    /// name of a parameter. For a placeholder, its Terraform resource name determines which of them it is
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>).
    pub(super) fn parse(text: &'a str) -> Result<Self, ReferenceError> {
        let parts = split_colons(text);
        match parts.as_slice() {
            [name] if is_one_placeholder(name) && !name.contains("aws_ssm_parameter.") => {
                if name.contains("aws_secretsmanager_secret.") {
                    return Self::secret(text, None, &[]);
                }
                Err(ReferenceError::Placeholder)
            }
            [name] if is_parameter_name(name) => Ok(Self {
                service: SecretService::ParameterStore,
                region: None,
                key: text,
                json_key: None,
                version: None,
                short: false,
                assumed: false,
            }),
            [
                "arn",
                partition,
                "secretsmanager",
                region,
                account,
                "secret",
                name,
                options @ ..,
            ] if [partition, region, account, name]
                .iter()
                .all(|part| !part.is_empty()) =>
            {
                Self::secret(text, Some(region), options)
            }
            // Only secrets have options, so the placeholder refers to one.
            [name, options @ ..] if has_placeholder(name) => Self::secret(text, None, options),
            ["arn", partition, "ssm", region, account, resource, ..]
                if [partition, region, account]
                    .iter()
                    .all(|part| !part.is_empty())
                    && resource.len() > "parameter/".len()
                    && resource.starts_with("parameter/") =>
            {
                Ok(Self {
                    service: SecretService::ParameterStore,
                    region: Some(region),
                    key: text,
                    json_key: None,
                    version: None,
                    short: false,
                    assumed: false,
                })
            }
            _ => Err(ReferenceError::Unknown),
        }
    }

    /// Returns a reference that is one placeholder, for the service that its name or its function says, or else for
    /// Secrets Manager.
    pub(super) fn assumed(placeholder: &'a str) -> Self {
        let name = placeholder.to_ascii_lowercase();
        let mut parts = name.split(|c: char| !c.is_ascii_alphanumeric());
        let is_of_ssm = placeholder.contains("SSM") || parts.any(|part| part == "ssm");
        let is_secret = ["secretsmanager", "secret_arn"]
            .iter()
            .any(|word| name.contains(word));
        let service = if (is_of_ssm || name.contains("param")) && !is_secret {
            SecretService::ParameterStore
        } else {
            SecretService::SecretsManager
        };
        Self {
            service,
            region: None,
            key: placeholder,
            json_key: None,
            version: None,
            short: false,
            assumed: true,
        }
    }

    fn secret(
        text: &'a str,
        region: Option<&'a str>,
        options: &[&'a str],
    ) -> Result<Self, ReferenceError> {
        if options.len() > 3 {
            return Err(ReferenceError::Unknown);
        }
        let option = |index: usize| options.get(index).copied().filter(|part| !part.is_empty());
        let version = match (option(1), option(2)) {
            (Some(_), Some(_)) => return Err(ReferenceError::StageAndId),
            (Some(stage), None) => Some(SecretVersion::Stage(stage.to_owned())),
            (None, Some(id)) => Some(SecretVersion::Id(id.to_owned())),
            (None, None) => None,
        };
        // Each option follows a colon at the end of the text.
        let tail: usize = options.iter().map(|part| part.len() + 1).sum();
        Ok(Self {
            service: SecretService::SecretsManager,
            region,
            key: text.get(..text.len() - tail).unwrap_or(text),
            json_key: option(0),
            version,
            short: matches!(options.len(), 1 | 2),
            assumed: false,
        })
    }
}

/// Whether this is a valid name of a parameter.
fn is_parameter_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    !name.is_empty() && (name.chars().all(plain) || has_placeholder(name))
}

/// Returns the parts between colons, except colons inside placeholders.
fn split_colons(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((part, after)) = split_colon(rest) {
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}
