//! References to Secrets Manager and SSM.

use std::collections::BTreeSet;

use super::{
    Scope,
    arn::{has_placeholder, is_one_placeholder, split_colon},
    region::{Region, default_region},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Reason},
    ecs,
    settings::Addon,
};

/// A variable whose value comes from a secret store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretVariable {
    /// The variable's name.
    pub name: String,
    /// Where its value is.
    pub reference: SecretReference,
}

/// A place in Secrets Manager or the SSM parameter store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    /// The service that keeps it.
    pub service: SecretService,
    /// The AWS region of that service.
    pub region: String,
    /// Whether the region is what the rest of the task definition names, because a name alone has none.
    pub region_assumed: bool,
    /// The key in the store: an ARN, or the name of a parameter.
    pub key: String,
    /// The JSON key inside the secret, as ECS has it; the whole secret if absent.
    pub json_key: Option<String>,
    /// The version; the current one if absent.
    pub version: Option<SecretVersion>,
}

/// An AWS service that keeps secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretService {
    /// AWS Secrets Manager.
    SecretsManager,
    /// The parameter store of AWS Systems Manager.
    ParameterStore,
}

/// Which version of a secret is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretVersion {
    /// A staging label such as `AWSPREVIOUS`.
    Stage(String),
    /// A version id.
    Id(String),
}

/// Credentials for a private registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullSecret {
    /// `credentialsParameter`: the ARN or name of the secret.
    pub credentials_parameter: String,
    /// The AWS region of the secret.
    pub region: String,
    /// Whether the region is what the rest of the task definition names, because a name alone has none.
    pub region_assumed: bool,
    /// The registry of the image, as Docker's configuration names it.
    pub registry: String,
}

/// Docker's name for Docker Hub in its configuration.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Validates `secrets`.
pub(crate) fn validate_secrets(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<SecretVariable> {
    let path = path.field("secrets");
    let mut seen = BTreeSet::new();
    let mut variables = Vec::new();
    for (index, secret) in raw.secrets.iter().enumerate() {
        let path = path.index(index);
        let Some(variable) = validate_secret(secret, scope, &path, sink) else {
            continue;
        };
        let path = path.field("name");
        if !seen.insert(variable.name.clone()) {
            let allowed = "a secret with this name is there already".to_owned();
            let value = variable.name;
            sink.report(path, Message::InvalidValue { value, allowed });
            continue;
        }
        if !is_variable_name(&variable.name) {
            let value = variable.name.clone();
            sink.report(path, Message::InvalidEnvironmentName { value });
        }
        variables.push(variable);
    }
    variables
}

/// Validates one entry of `secrets` or `secretOptions`.
pub(super) fn validate_secret(
    secret: &ecs::Secret,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<SecretVariable> {
    let name = required(secret.name.as_deref(), "name", path, sink);
    let value_from = required(secret.value_from.as_deref(), "valueFrom", path, sink);
    let (name, value_from) = (name?, value_from?);
    require_external_secrets(scope, path, sink);
    let path = path.field("valueFrom");
    let (parsed, region) = match ParsedReference::parse(value_from) {
        Ok(parsed) => {
            let region = match parsed.region {
                Some(region) => Region::named(region),
                None => default_region(scope, &path, sink)?,
            };
            (parsed, region)
        }
        Err(error) => {
            sink.report(path, error.message(value_from));
            return None;
        }
    };
    let ParsedReference {
        service,
        region: _,
        key,
        json_key,
        version,
    } = parsed;
    Some(SecretVariable {
        name: name.to_owned(),
        reference: SecretReference {
            service,
            region: region.name,
            region_assumed: region.assumed,
            key: key.to_owned(),
            json_key: json_key.map(str::to_owned),
            version,
        },
    })
}

/// Validates `repositoryCredentials`.
pub(crate) fn validate_pull_secret(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<PullSecret> {
    let credentials = raw.repository_credentials.as_ref()?;
    let path = path.field("repositoryCredentials");
    let name = "credentialsParameter";
    let parameter = required(
        credentials.credentials_parameter.as_deref(),
        name,
        &path,
        sink,
    )?;
    require_external_secrets(scope, &path, sink);
    let path = path.field(name);
    let region = match ParsedReference::parse(parameter) {
        Ok(parsed)
            if parsed.service == SecretService::SecretsManager
                && parsed.json_key.is_none()
                && parsed.version.is_none() =>
        {
            parsed.region.map(str::to_owned)
        }
        // A bare name is the name of a secret here, not of a parameter.
        Ok(parsed) if parsed.region.is_none() && parsed.json_key.is_none() => None,
        Err(ReferenceError::Placeholder) => None,
        Ok(_) | Err(_) => {
            let value = parameter.to_owned();
            let allowed = "the ARN or the name of a secret in Secrets Manager is needed".to_owned();
            sink.report(path, Message::InvalidValue { value, allowed });
            return None;
        }
    };
    let region = match region {
        Some(region) => Region::named(&region),
        None => default_region(scope, &path, sink)?,
    };
    Some(PullSecret {
        credentials_parameter: parameter.to_owned(),
        region: region.name,
        region_assumed: region.assumed,
        registry: registry(raw.image.as_deref().unwrap_or_default()).to_owned(),
    })
}

/// Whether a container of the task reads something from a secret store.
pub(super) fn reads_secrets(request: &ecs::TaskDefinition) -> bool {
    request.container_definitions.iter().any(|container| {
        let log_secrets = container.log_configuration.as_ref().is_some_and(|log| {
            log.log_driver.as_deref() == Some("awsfirelens") && !log.secret_options.is_empty()
        });
        !container.secrets.is_empty() || container.repository_credentials.is_some() || log_secrets
    })
}

/// Whether Kubernetes takes `name` as the name of a variable: printable ASCII without `=`.
pub(super) fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'=')
}

fn required<'a>(
    value: Option<&'a str>,
    name: &'static str,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<&'a str> {
    let value = value.filter(|value| !value.is_empty());
    if value.is_none() {
        let message = Message::RequiredField {
            name: name.to_owned(),
        };
        sink.report(path.field(name), message);
    }
    value
}

/// Reports the missing add-on once a document: every further place would say the same.
fn require_external_secrets(scope: &Scope<'_>, path: &FieldPath, sink: &mut Diagnostics) {
    if !scope.settings.has(Addon::ExternalSecrets) {
        report_once(path, Message::ExternalSecretsUnavailable, sink);
    }
}

/// Reports what every further place would say too.
pub(super) fn report_once(path: &FieldPath, message: Message, sink: &mut Diagnostics) {
    let reason: Reason = message.reason();
    if !sink.iter().any(|finding| finding.reason() == reason) {
        sink.report(path.clone(), message);
    }
}

/// The registry of an image reference, as Docker's configuration names it.
///
/// The first part of a reference is a registry if it could be a host name: it has a dot or a port, or is `localhost`
/// (<https://pkg.go.dev/github.com/distribution/reference>).
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some(("docker.io" | "index.docker.io" | "registry-1.docker.io", _)) => DOCKER_HUB,
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        Some((host, _)) if has_placeholder(host) => host,
        _ => DOCKER_HUB,
    }
}

/// A `valueFrom` in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParsedReference<'a> {
    service: SecretService,
    /// `None` for a bare name.
    pub(super) region: Option<&'a str>,
    key: &'a str,
    json_key: Option<&'a str>,
    version: Option<SecretVersion>,
}

/// Why a `valueFrom` cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReferenceError {
    Unknown,
    /// A placeholder alone: either service could keep what will stand there.
    Placeholder,
    StageAndId,
}

impl ReferenceError {
    fn message(self, value: &str) -> Message {
        match self {
            Self::Unknown => Message::InvalidSecretReference {
                value: value.to_owned(),
            },
            Self::Placeholder => Message::SecretReferenceUnclear {
                value: value.to_owned(),
            },
            Self::StageAndId => Message::SecretVersionConflict,
        }
    }
}

impl<'a> ParsedReference<'a> {
    /// Reads the ARN of a secret with its optional JSON key, stage and version id, the ARN of a parameter, or the
    /// bare name of a parameter. What Terraform calls the resource of a placeholder tells which of them it is
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
            // Only secrets take options, so that is what the placeholder will be.
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
                })
            }
            _ => Err(ReferenceError::Unknown),
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
        // Each option stands behind a colon at the end of the text.
        let tail: usize = options.iter().map(|part| part.len() + 1).sum();
        Ok(Self {
            service: SecretService::SecretsManager,
            region,
            key: text.get(..text.len() - tail).unwrap_or(text),
            json_key: option(0),
            version,
        })
    }
}

/// Whether the parameter store could have a parameter of this name.
fn is_parameter_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    !name.is_empty() && (name.chars().all(plain) || has_placeholder(name))
}

/// The parts between colons; those inside placeholders do not count.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diagnostic::Subject, settings::Settings, validate::NetworkMode};
    use proptest::prelude::*;

    const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf";
    const PARAMETER: &str = "arn:aws:ssm:us-east-1:123456789012:parameter/prod/db";

    fn parsed(
        key: &'static str,
        json_key: Option<&'static str>,
        version: Option<SecretVersion>,
    ) -> Result<ParsedReference<'static>, ReferenceError> {
        Ok(ParsedReference {
            service: SecretService::SecretsManager,
            region: Some("us-east-1"),
            key,
            json_key,
            version,
        })
    }

    #[test]
    fn references_follow_the_grammar() {
        let parameter = |region, key| {
            Ok(ParsedReference {
                service: SecretService::ParameterStore,
                region,
                key,
                json_key: None,
                version: None,
            })
        };
        let id = "9d4cb84b-ad69-40c0-a0ab-cead36b967e8";
        let stage = Some(SecretVersion::Stage("AWSPREVIOUS".to_owned()));
        let table = [
            (SECRET.to_owned(), parsed(SECRET, None, None)),
            (
                format!("{SECRET}:password::"),
                parsed(SECRET, Some("password"), None),
            ),
            (
                format!("{SECRET}:password:AWSPREVIOUS:"),
                parsed(SECRET, Some("password"), stage.clone()),
            ),
            (
                format!("{SECRET}:password::{id}"),
                parsed(
                    SECRET,
                    Some("password"),
                    Some(SecretVersion::Id(id.to_owned())),
                ),
            ),
            (format!("{SECRET}:::"), parsed(SECRET, None, None)),
            (
                format!("{SECRET}:password"),
                parsed(SECRET, Some("password"), None),
            ),
            (
                format!("{SECRET}:password:"),
                parsed(SECRET, Some("password"), None),
            ),
            (
                format!("{SECRET}::AWSPREVIOUS"),
                parsed(SECRET, None, stage),
            ),
            (
                PARAMETER.to_owned(),
                parameter(Some("us-east-1"), PARAMETER),
            ),
            ("/prod/db".to_owned(), parameter(None, "/prod/db")),
            ("dbname".to_owned(), parameter(None, "dbname")),
            ("${DB:name}".to_owned(), Err(ReferenceError::Placeholder)),
            ("<secret arn>".to_owned(), Err(ReferenceError::Placeholder)),
            ("$$$DB$$$".to_owned(), Err(ReferenceError::Placeholder)),
            ("${env}-db".to_owned(), parameter(None, "${env}-db")),
            (
                "${env}/${name}".to_owned(),
                parameter(None, "${env}/${name}"),
            ),
            (
                "${aws_ssm_parameter.db.arn}".to_owned(),
                parameter(None, "${aws_ssm_parameter.db.arn}"),
            ),
            (
                format!("{SECRET}:password:AWSPREVIOUS:{id}"),
                Err(ReferenceError::StageAndId),
            ),
            (format!("{SECRET}::::"), Err(ReferenceError::Unknown)),
            ("arn:aws:s3:::b/x".to_owned(), Err(ReferenceError::Unknown)),
            ("a:b".to_owned(), Err(ReferenceError::Unknown)),
            ("a b".to_owned(), Err(ReferenceError::Unknown)),
            (
                "arn:aws:ssm:us-east-1:1:document/x".to_owned(),
                Err(ReferenceError::Unknown),
            ),
            (
                "arn:aws:ssm:us-east-1:1:parameter/".to_owned(),
                Err(ReferenceError::Unknown),
            ),
            (
                "arn:aws:ssm::1:parameter/x".to_owned(),
                Err(ReferenceError::Unknown),
            ),
            (
                "arn:aws:secretsmanager:us-east-1:1:secret:".to_owned(),
                Err(ReferenceError::Unknown),
            ),
            (String::new(), Err(ReferenceError::Unknown)),
        ];
        for (text, expected) in &table {
            assert_eq!(ParsedReference::parse(text), *expected, "{text}");
        }
    }

    #[test]
    fn placeholders_of_a_reference_are_whole() {
        let text = "arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:db:password::";
        let found = ParsedReference::parse(text);
        assert_eq!(
            found,
            Ok(ParsedReference {
                service: SecretService::SecretsManager,
                region: Some("${AWS::Region}"),
                key: "arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:db",
                json_key: Some("password"),
                version: None,
            })
        );
    }

    #[test]
    fn a_placeholder_with_options_is_a_secret() {
        let text = "{{ tfstate `aws_secretsmanager_secret.json.arn` }}:key::";
        let parsed = ParsedReference::parse(text).expect("a reference");
        assert_eq!(parsed.service, SecretService::SecretsManager);
        assert_eq!(parsed.region, None);
        assert_eq!(
            parsed.key,
            "{{ tfstate `aws_secretsmanager_secret.json.arn` }}"
        );
        assert_eq!(parsed.json_key, Some("key"));
        let alone = "${aws_secretsmanager_secret.json.arn}";
        let parsed = ParsedReference::parse(alone).expect("a reference");
        assert_eq!(parsed.service, SecretService::SecretsManager);
        assert_eq!((parsed.region, parsed.key), (None, alone));
    }

    #[test]
    fn the_registry_is_the_host_of_the_image() {
        for (image, expected) in [
            ("nginx", DOCKER_HUB),
            ("nginx:1.29", DOCKER_HUB),
            ("team/app:1", DOCKER_HUB),
            ("docker.io/team/app", DOCKER_HUB),
            ("ghcr.io/team/app@sha256:00", "ghcr.io"),
            ("registry.example.com:5000/app", "registry.example.com:5000"),
            ("localhost/app", "localhost"),
            ("localhost:5000/app", "localhost:5000"),
            ("<registry>/app", "<registry>"),
            ("", DOCKER_HUB),
        ] {
            assert_eq!(registry(image), expected, "{image}");
        }
    }

    fn reasons(raw: &ecs::ContainerDefinition, settings: &Settings) -> Vec<(String, Reason)> {
        let request = ecs::TaskDefinition::default();
        let scope = Scope {
            settings,
            request: &request,
            fargate: false,
            eks_fargate: false,
            windows: false,
            network_mode: NetworkMode::of(&request),
            configured_volumes: &[],
        };
        let path = FieldPath::root(Subject::TaskDefinition);
        let mut sink = Diagnostics::new();
        validate_secrets(raw, &scope, &path, &mut sink);
        validate_pull_secret(raw, &scope, &path, &mut sink);
        sink.iter()
            .map(|finding| (finding.path.to_string(), finding.reason()))
            .collect()
    }

    fn secret(name: &str, value_from: &str) -> ecs::Secret {
        ecs::Secret {
            name: Some(name.to_owned()),
            value_from: Some(value_from.to_owned()),
        }
    }

    #[test]
    fn every_wrong_secret_is_reported_and_missing_settings_once() {
        let raw = ecs::ContainerDefinition {
            secrets: vec![
                secret("A", "a"),
                secret("B", "b"),
                secret("A", PARAMETER),
                secret("A", PARAMETER),
                secret("C=", PARAMETER),
                secret("D", "arn:aws:s3:::b/x"),
                ecs::Secret::default(),
            ],
            repository_credentials: Some(ecs::RepositoryCredentials {
                credentials_parameter: Some(PARAMETER.to_owned()),
            }),
            ..ecs::ContainerDefinition::default()
        };
        let mut settings = Settings::default();
        settings.addons.clear();
        let expected = [
            ("secrets[0]", Reason::ExternalSecretsUnavailable),
            ("secrets[0].valueFrom", Reason::RegionRequired),
            ("secrets[3].name", Reason::InvalidValue),
            ("secrets[4].name", Reason::InvalidEnvironmentName),
            ("secrets[5].valueFrom", Reason::InvalidSecretReference),
            ("secrets[6].name", Reason::RequiredField),
            ("secrets[6].valueFrom", Reason::RequiredField),
            (
                "repositoryCredentials.credentialsParameter",
                Reason::InvalidValue,
            ),
        ]
        .map(|(path, reason)| (path.to_owned(), reason));
        assert_eq!(reasons(&raw, &settings), expected);
    }

    proptest! {
        #[test]
        fn any_reference_is_read_without_panic(
            text in "(arn:aws:(ssm|secretsmanager):)?[a-z:/{}<>$é]{0,30}"
        ) {
            if let Ok(parsed) = ParsedReference::parse(&text) {
                prop_assert!(text.starts_with(parsed.key));
                prop_assert!(!parsed.key.is_empty());
            }
        }
    }
}
