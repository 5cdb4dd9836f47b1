//! IAM roles.

use std::borrow::Cow;

use super::{
    Arn, Scope,
    arn::{has_placeholder, may_be_filled},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    settings::{Iam, SecretStore, Settings},
};

/// An IAM role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role {
    /// The full ARN, with the placeholders of the input.
    pub arn: String,
    /// The last part of its name: `web` for `arn:aws:iam::123456789012:role/teams/web`.
    pub name: String,
    /// Whether it was given by name and a placeholder stands for its account.
    pub is_account_open: bool,
}

impl Role {
    fn of(arn: String) -> Self {
        let name = last_part(&arn);
        Self {
            arn,
            name,
            is_account_open: false,
        }
    }
}

/// Returns the settings, with the account of the definition's other role if they have none: in ECS, both roles are in
/// the account of the task.
pub(crate) fn with_account_of_roles<'s>(
    request: &ecs::TaskDefinition,
    settings: &'s Settings,
) -> Cow<'s, Settings> {
    if settings.aws_account_id.is_some() {
        return Cow::Borrowed(settings);
    }
    let roles = [&request.task_role_arn, &request.execution_role_arn];
    let known = roles.into_iter().flatten().find_map(|role| {
        Arn::parse(role).filter(|arn| arn.service == "iam" && !arn.account.is_empty())
    });
    let named = |role: &&Option<String>| {
        let role = role.as_deref().unwrap_or_default();
        !role.is_empty() && Arn::parse(role).is_none()
    };
    match known {
        Some(arn) if roles.iter().any(named) => {
            let mut settings = settings.clone();
            settings.aws_account_id = Some(arn.account.to_owned());
            settings.aws_partition = arn.partition.to_owned();
            Cow::Owned(settings)
        }
        _ => Cow::Borrowed(settings),
    }
}

/// Validates a role that is specified by an ARN or a name; a name needs the account of the settings.
pub(crate) fn validate_role(
    raw: Option<&str>,
    settings: &Settings,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Role> {
    let raw = raw.filter(|raw| !raw.is_empty())?;
    if settings.iam == Iam::None {
        sink.report(path.clone(), disabled(raw, "remove the role"));
        return None;
    }
    role_of(raw, settings, path, sink)
}

fn disabled(raw: &str, or: &str) -> Message {
    Message::RolesDisabled {
        value: raw.to_owned(),
        or: or.to_owned(),
    }
}

fn role_of(
    raw: &str,
    settings: &Settings,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Role> {
    match read_role(raw, settings) {
        Ok(role) => Some(role),
        Err(Message::RoleNameNeedsAccountId { value }) if !settings.in_cluster => {
            // The translation says so, where the role is used.
            Some(Role {
                is_account_open: true,
                ..in_account(&value, ACCOUNT, settings)
            })
        }
        Err(message) => {
            sink.report(path.clone(), message);
            None
        }
    }
}

/// What stands for the account of a role as long as it is not known.
const ACCOUNT: &str = "<ACCOUNT_ID>";

/// Returns the role of a name in an account.
fn in_account(name: &str, account: &str, settings: &Settings) -> Role {
    let name = name.trim_start_matches('/');
    let partition = &settings.aws_partition;
    Role::of(format!("arn:{partition}:iam::{account}:role/{name}"))
}

/// Validates `executionRoleArn`. Only reading secrets needs it here: the node pulls images. So if it is not used for
/// secrets, neither a missing account nor disabled roles are an error.
pub(crate) fn validate_execution_role(
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Role> {
    let raw = scope.request.execution_role_arn.as_deref();
    let settings = scope.settings;
    let raw = raw.filter(|raw| !raw.is_empty())?;
    if settings.secret_store == SecretStore::PerExecutionRole && super::reads_secrets(scope.request)
    {
        if settings.iam == Iam::None {
            // ECS takes no secrets without this role, so that it cannot be removed.
            let or = "read the secrets with --secret-store cluster";
            sink.report(path.clone(), disabled(raw, or));
            return None;
        }
        return role_of(raw, settings, path, sink);
    }
    match read_role(raw, settings) {
        Ok(role) => Some(role),
        Err(Message::RoleNameNeedsAccountId { value }) => Some(Role::of(value)),
        Err(message) => {
            sink.report(path.clone(), message);
            None
        }
    }
}

fn read_role(raw: &str, settings: &Settings) -> Result<Role, Message> {
    let invalid = || Message::InvalidValue {
        value: raw.to_owned(),
        allowed: "the ARN or the name of an IAM role is needed".to_owned(),
    };
    if let Some(arn) = Arn::parse(raw) {
        let path = arn.resource.strip_prefix("role/");
        return match path {
            Some(path) if arn.service == "iam" && !path.is_empty() && !path.ends_with('/') => {
                Ok(Role::of(raw.to_owned()))
            }
            _ if has_placeholder(raw) => Ok(Role::of(raw.to_owned())),
            _ => Err(invalid()),
        };
    }
    // Whatever replaces the placeholder is an ARN or a name; either way it identifies one role.
    if has_placeholder(raw) || !settings.in_cluster && may_be_filled(raw) {
        return Ok(Role::of(raw.to_owned()));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
    if raw.ends_with('/') || !raw.chars().all(plain) {
        return Err(invalid());
    }
    let account =
        settings
            .aws_account_id
            .as_ref()
            .ok_or_else(|| Message::RoleNameNeedsAccountId {
                value: raw.to_owned(),
            })?;
    Ok(in_account(raw, account, settings))
}

/// Returns the text after the last slash, or the whole text if that is empty.
fn last_part(arn: &str) -> String {
    arn.rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or(arn)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnostic::{Reason, Subject},
        ecs,
        validate::NetworkMode,
    };
    use proptest::prelude::*;

    fn read(raw: &str, settings: &Settings) -> Result<(String, String), Vec<Reason>> {
        let mut sink = Diagnostics::new();
        let path = FieldPath::root(Subject::TaskDefinition).field("taskRoleArn");
        let role = validate_role(Some(raw), settings, &path, &mut sink);
        let reasons: Vec<_> = sink
            .iter()
            .map(crate::diagnostic::Diagnostic::reason)
            .collect();
        match role {
            Some(role) if reasons.is_empty() => Ok((role.arn, role.name)),
            _ => Err(reasons),
        }
    }

    #[test]
    fn roles_are_arns_names_or_placeholders() {
        let with_account = Settings {
            aws_account_id: Some("123456789012".to_owned()),
            ..Settings::default()
        };
        let table = [
            (
                "arn:aws:iam::123456789012:role/web",
                Ok(("arn:aws:iam::123456789012:role/web", "web")),
            ),
            (
                "arn:aws:iam::123456789012:role/service-role/teams/web",
                Ok((
                    "arn:aws:iam::123456789012:role/service-role/teams/web",
                    "web",
                )),
            ),
            ("web", Ok(("arn:aws:iam::123456789012:role/web", "web"))),
            (
                "service-role/web",
                Ok(("arn:aws:iam::123456789012:role/service-role/web", "web")),
            ),
            ("<role_arn>", Ok(("<role_arn>", "<role_arn>"))),
            ("${ROLE}", Ok(("${ROLE}", "${ROLE}"))),
            (
                "{{tfstate `aws_iam_role.web.arn`}}",
                Ok((
                    "{{tfstate `aws_iam_role.web.arn`}}",
                    "{{tfstate `aws_iam_role.web.arn`}}",
                )),
            ),
            (
                "arn:aws:iam::{{must_env `ID`}}:role/web",
                Ok(("arn:aws:iam::{{must_env `ID`}}:role/web", "web")),
            ),
            (
                "arn:aws:iam::123456789012:user/web",
                Err(Reason::InvalidValue),
            ),
            ("arn:aws:s3:::role/web", Err(Reason::InvalidValue)),
            ("arn:aws:iam::123456789012:role/", Err(Reason::InvalidValue)),
            ("web role", Err(Reason::InvalidValue)),
            ("arn:aws:iam", Err(Reason::InvalidValue)),
        ];
        for (raw, expected) in table {
            let expected = expected
                .map(|(arn, name)| (arn.to_owned(), name.to_owned()))
                .map_err(|reason| vec![reason]);
            assert_eq!(read(raw, &with_account), expected, "{raw}");
        }
    }

    #[test]
    fn a_name_needs_the_account_and_roles_must_be_on() {
        let in_cluster = Settings {
            in_cluster: true,
            ..Settings::default()
        };
        assert_eq!(
            read("web", &in_cluster),
            Err(vec![Reason::RoleNameNeedsAccountId])
        );
        assert_eq!(
            read("web", &Settings::default()),
            Ok((
                "arn:aws:iam::<ACCOUNT_ID>:role/web".to_owned(),
                "web".to_owned()
            ))
        );
        let china = Settings {
            aws_account_id: Some("1".to_owned()),
            aws_partition: "aws-cn".to_owned(),
            ..Settings::default()
        };
        assert_eq!(
            read("web", &china),
            Ok(("arn:aws-cn:iam::1:role/web".to_owned(), "web".to_owned()))
        );
        let off = Settings {
            iam: Iam::None,
            ..Settings::default()
        };
        assert_eq!(
            read("arn:aws:iam::123456789012:role/web", &off),
            Err(vec![Reason::RolesDisabled])
        );
    }

    #[test]
    fn an_execution_role_is_only_judged_where_secrets_need_it() {
        let off = Settings {
            iam: Iam::None,
            ..Settings::default()
        };
        let cluster = Settings {
            iam: Iam::None,
            secret_store: SecretStore::Cluster,
            ..Settings::default()
        };
        let secret = ecs::ContainerDefinition {
            secrets: vec![ecs::Secret {
                name: Some("A".to_owned()),
                value_from: Some("a".to_owned()),
            }],
            ..ecs::ContainerDefinition::default()
        };
        let plain = ecs::ContainerDefinition::default();
        let arn = "arn:aws:iam::123456789012:role/exec";
        let in_cluster = Settings {
            in_cluster: true,
            ..Settings::default()
        };
        for (raw, container, settings, expected) in [
            ("exec", &plain, &in_cluster, vec![]),
            (arn, &plain, &off, vec![]),
            (arn, &secret, &cluster, vec![]),
            (arn, &secret, &Settings::default(), vec![]),
            (
                "exec",
                &secret,
                &in_cluster,
                vec![Reason::RoleNameNeedsAccountId],
            ),
            (arn, &secret, &off, vec![Reason::RolesDisabled]),
            ("no role", &plain, &off, vec![Reason::InvalidValue]),
        ] {
            let request = ecs::TaskDefinition {
                execution_role_arn: Some(raw.to_owned()),
                container_definitions: vec![container.clone()],
                ..ecs::TaskDefinition::default()
            };
            let scope = Scope {
                settings,
                request: &request,
                fargate: false,
                eks_fargate: false,
                windows: false,
                network_mode: NetworkMode::of(&request),
                configured_volumes: &[],
            };
            let mut sink = Diagnostics::new();
            let path = FieldPath::root(Subject::TaskDefinition).field("executionRoleArn");
            let role = validate_execution_role(&scope, &path, &mut sink);
            let reasons: Vec<_> = sink
                .iter()
                .map(crate::diagnostic::Diagnostic::reason)
                .collect();
            assert_eq!(role.is_some(), expected.is_empty(), "{raw}");
            assert_eq!(reasons, expected, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn any_role_is_read_without_panic(raw in "(arn:aws:iam::)?[a-z:/<>{}$% ]{0,30}") {
            let _ = read(&raw, &Settings::default());
        }
    }
}
