//! References to Secrets Manager and SSM.

use std::collections::BTreeSet;

use super::{
    Scope,
    arn::{has_placeholder, is_one_placeholder, may_be_filled},
    region::{Region, default_region, may_be_unknown},
    secret_reference::{ParsedReference, ReferenceError, fill_option},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    image::is_registry,
    settings::Addon,
};

/// A variable with a value from a secret store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretVariable {
    /// The variable's name.
    pub name: String,
    /// The reference to its value.
    pub reference: SecretReference,
}

/// A reference to a value in Secrets Manager or the SSM parameter store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    /// The service that stores the value.
    pub service: SecretService,
    /// The AWS region of that service.
    pub region: Region,
    /// The key in the store: an ARN, or the name of a parameter.
    pub key: String,
    /// The JSON key inside the secret, as in ECS; the whole secret if absent.
    pub json_key: Option<String>,
    /// The version; the current one if absent.
    pub version: Option<SecretVersion>,
    /// The original reference, if it lacks some of the colons that the ECS agent requires for a JSON key or a version.
    pub short: Option<String>,
    /// What fills the placeholder from whose name the service is taken.
    pub assumed: Option<String>,
}

/// An AWS service that stores secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretService {
    /// AWS Secrets Manager.
    SecretsManager,
    /// The parameter store of AWS Systems Manager.
    ParameterStore,
}

impl SecretService {
    /// Returns the name of the service in a message.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SecretsManager => "Secrets Manager",
            Self::ParameterStore => "the SSM parameter store",
        }
    }
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
    pub region: Region,
    /// The registry of the image, in the spelling of Docker's configuration.
    pub registry: String,
}

/// The name of Docker Hub in Docker's configuration.
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
    let reference = validate_reference(value_from, scope, &path.field("valueFrom"), sink)?;
    Some(SecretVariable {
        name: name.to_owned(),
        reference,
    })
}

/// Validates a reference to a secret or parameter, and leaves the add-on to its caller.
pub(super) fn validate_reference(
    text: &str,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<SecretReference> {
    let may_be_open = may_be_unknown(scope.settings);
    let parsed = match ParsedReference::parse(text) {
        Err(ReferenceError::Placeholder) if may_be_open => ParsedReference::assumed(text),
        _ if may_be_open && may_be_filled(text) && !is_one_placeholder(text) => {
            ParsedReference::assumed(text)
        }
        Ok(parsed) => parsed,
        Err(error) => {
            sink.report(path.clone(), error.message(text));
            return None;
        }
    };
    let ParsedReference {
        service,
        region,
        key,
        json_key,
        version,
        short,
        assumed,
    } = parsed;
    let region = match region {
        Some(region) => Region::named(region),
        None => default_region(scope, path, sink)?,
    };
    Some(SecretReference {
        service,
        region,
        key: key.to_owned(),
        json_key: json_key.map(str::to_owned),
        version,
        short: short.then(|| text.to_owned()),
        assumed: assumed.then(|| fill_option(text)),
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
        region,
        registry: registry(raw.image.as_deref().unwrap_or_default()).to_owned(),
    })
}

/// Whether a container of the task reads from a secret store.
pub(super) fn reads_secrets(request: &ecs::TaskDefinition) -> bool {
    request.container_definitions.iter().any(|container| {
        let log_secrets = container.log_configuration.as_ref().is_some_and(|log| {
            log.log_driver.as_deref() == Some("awsfirelens") && !log.secret_options.is_empty()
        });
        !container.secrets.is_empty() || container.repository_credentials.is_some() || log_secrets
    })
}

/// Whether `name` is a valid name of a variable in Kubernetes: printable ASCII without `=`.
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

/// Reports the missing add-on once per document: it is the same for all other paths.
pub(super) fn require_external_secrets(
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    if !scope.settings.has(Addon::ExternalSecrets) {
        sink.report_once(path.clone(), Message::ExternalSecretsUnavailable);
    }
}

/// Returns the registry of an image reference, in the spelling of Docker's configuration.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some(("docker.io" | "index.docker.io" | "registry-1.docker.io", _)) => DOCKER_HUB,
        Some((host, _)) if is_registry(host) => host,
        Some((host, _)) if has_placeholder(host) => host,
        _ => DOCKER_HUB,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnostic::{Reason, Subject},
        settings::{Mode, Settings},
        validate::NetworkMode,
    };
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
            short: false,
            assumed: false,
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
                short: false,
                assumed: false,
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
            let found = ParsedReference::parse(text).map(|found| ParsedReference {
                short: false,
                ..found
            });
            assert_eq!(found, *expected, "{text}");
        }
    }

    #[test]
    fn options_need_all_of_their_colons() {
        let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf";
        for (options, short) in [
            ("", false),
            (":user", true),
            (":user:", true),
            (":user::", false),
            ("::AWSPREVIOUS:", false),
            ("::AWSPREVIOUS", true),
        ] {
            let text = format!("{arn}{options}");
            let found = ParsedReference::parse(&text).expect("a reference");
            assert_eq!(found.short, short, "{text}");
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
                short: false,
                assumed: false,
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
        let mut settings = Settings {
            in_cluster: true,
            ..Settings::default()
        };
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

    #[test]
    fn a_placeholder_alone_is_taken_for_a_secret_except_in_a_cluster() {
        use SecretService::{ParameterStore, SecretsManager};
        for (text, service) in [
            ("${DB}", SecretsManager),
            ("$$$TOKEN_PARAM$$$", ParameterStore),
            ("${stack-SSMToken}", ParameterStore),
            ("{{ ssm `token` }}", ParameterStore),
            ("{{ secretsmanager_arn `ssm/token` }}", SecretsManager),
            ("${local.classmate_arn}", SecretsManager),
            ("${ssm-token}", ParameterStore),
        ] {
            let raw = ecs::ContainerDefinition {
                secrets: vec![secret("A", text)],
                ..ecs::ContainerDefinition::default()
            };
            let offline = Settings {
                aws_region: Some("eu-west-1".to_owned()),
                ..Settings::default()
            };
            let in_cluster = Settings {
                in_cluster: true,
                ..offline.clone()
            };
            assert_eq!(ParsedReference::assumed(text).service, service, "{text}");
            assert_eq!(reasons(&raw, &offline), [], "{text}");
            let path = "secrets[0].valueFrom".to_owned();
            let unclear = (path, Reason::SecretReferenceUnclear);
            assert_eq!(reasons(&raw, &in_cluster), [unclear], "{text}");
        }
    }

    #[test]
    fn each_style_of_a_placeholder_is_taken_for_a_secret_only_where_it_may_be_filled() {
        let reasons_in = |text: &str, mode: Mode| {
            let raw = ecs::ContainerDefinition {
                secrets: vec![secret("A", text)],
                ..ecs::ContainerDefinition::default()
            };
            let settings = Settings {
                aws_region: Some("eu-west-1".to_owned()),
                mode,
                ..Settings::default()
            };
            let found = reasons(&raw, &settings);
            found
                .into_iter()
                .map(|(_, reason)| reason)
                .collect::<Vec<_>>()
        };
        for (text, as_resources) in [
            ("${DB}", vec![Reason::SecretReferenceUnclear]),
            ("$DB", vec![Reason::InvalidSecretReference]),
            ("@DB@", vec![Reason::InvalidSecretReference]),
            // This may be the name of a parameter.
            ("__DB__", vec![]),
        ] {
            assert_eq!(reasons_in(text, Mode::Convert), [], "{text}");
            assert_eq!(reasons_in(text, Mode::Controller), as_resources, "{text}");
        }
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
