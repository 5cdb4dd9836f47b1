//! User, privileges, security options and ulimits of a container's processes.

use std::collections::BTreeMap;

use super::{
    Devices, LinuxParameters, Scope, SystemControl, credential_spec::is_credential_spec,
    linux_parameters::validate_linux_parameters, system_control::validate_system_controls,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    settings::{Identity, is_user_name, parse_id},
};

/// The maximum length of a container name in the key of an annotation after `container.`.
const MAX_NAME_WITH_ULIMITS: usize = 53;
/// The length of the suffix for a name that is not valid in Kubernetes.
const NAME_SUFFIX: usize = 9;

/// The security settings and Linux parameters of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch of ECS of its own"
)]
pub struct Security {
    /// Whether the container runs privileged, by itself or for its devices.
    pub privileged: bool,
    /// Whether its root file system is read-only.
    pub read_only_root: bool,
    /// The user that it runs as, if it is not that of the image.
    pub user: Option<User>,
    /// Whether processes cannot gain privileges.
    pub no_new_privileges: bool,
    /// The AppArmor profile.
    pub app_armor: Option<AppArmor>,
    /// Whether system calls are not filtered.
    pub seccomp_unconfined: bool,
    /// The SELinux label: `user`, `role`, `type`, `level`.
    pub se_linux: BTreeMap<String, String>,
    /// `linuxParameters`.
    pub linux: LinuxParameters,
    /// Limits of processes.
    pub ulimits: Vec<Ulimit>,
    /// Kernel parameters, in order.
    pub system_controls: Vec<SystemControl>,
}

/// `user` as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: i64,
    /// The group, if specified.
    pub gid: Option<i64>,
}

/// An AppArmor profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppArmor {
    /// No confinement.
    Unconfined,
    /// The container runtime's own profile.
    RuntimeDefault,
    /// A profile that is loaded on the node.
    Localhost(String),
}

/// A limit of processes; -1 means no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ulimit {
    /// For instance `nofile`.
    pub name: String,
    /// The soft limit.
    pub soft: i64,
    /// The hard limit.
    pub hard: i64,
}

/// Validates `user`, `privileged`, `linuxParameters`, `ulimits`, `systemControls` and `dockerSecurityOptions`.
pub(crate) fn validate_security(
    raw: &ecs::ContainerDefinition,
    devices: &Devices,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Security {
    if scope.windows {
        reject_on_windows(raw, path, sink);
        return Security::default();
    }
    let privileged = raw.privileged.unwrap_or(false);
    if privileged && scope.fargate {
        sink.report(path.field("privileged"), Message::FargatePrivileged);
    }
    let mut security = Security {
        privileged: privileged || devices.need_privileges,
        read_only_root: raw.readonly_root_filesystem.unwrap_or(false),
        user: validate_user(raw.user.as_deref(), scope, &path.field("user"), sink),
        linux: validate_linux_parameters(raw, scope, &path.field("linuxParameters"), sink),
        ulimits: ulimits(raw, &path.field("ulimits"), sink),
        system_controls: validate_system_controls(
            &raw.system_controls,
            scope,
            &path.field("systemControls"),
            sink,
        ),
        ..Security::default()
    };
    let path = path.field("dockerSecurityOptions");
    let mut fargate = scope.fargate;
    for (index, option) in raw.docker_security_options.iter().enumerate() {
        if is_credential_spec(option) {
            // Another file validates it.
            continue;
        }
        if scope.fargate {
            // This is reported once for the whole list.
            if std::mem::take(&mut fargate) {
                let field = "dockerSecurityOptions".to_owned();
                sink.report(path.clone(), Message::FargateUnsupportedParameter { field });
            }
        } else if let Err(message) = security_option(option, &mut security) {
            sink.report(path.index(index), message);
        }
    }
    security
}

/// Rejects settings that Windows containers do not support.
fn reject_on_windows(raw: &ecs::ContainerDefinition, path: &FieldPath, sink: &mut Diagnostics) {
    for (field, given) in [
        ("disableNetworking", raw.disable_networking == Some(true)),
        ("dnsSearchDomains", !raw.dns_search_domains.is_empty()),
        ("dnsServers", !raw.dns_servers.is_empty()),
        ("extraHosts", !raw.extra_hosts.is_empty()),
        ("links", !raw.links.is_empty()),
        ("linuxParameters", raw.linux_parameters.is_some()),
        ("privileged", raw.privileged == Some(true)),
        (
            "readonlyRootFilesystem",
            raw.readonly_root_filesystem == Some(true),
        ),
        ("systemControls", !raw.system_controls.is_empty()),
        ("ulimits", !raw.ulimits.is_empty()),
        ("user", raw.user.is_some()),
    ] {
        if given {
            let path = path.field(field);
            let field = field.to_owned();
            sink.report(path, Message::WindowsUnsupportedParameter { field });
        }
    }
    for (index, option) in raw.docker_security_options.iter().enumerate() {
        if !is_credential_spec(option) {
            let path = path.field("dockerSecurityOptions").index(index);
            let field = format!("security option {option}");
            sink.report(path, Message::WindowsUnsupportedParameter { field });
        }
    }
}

fn validate_user(
    raw: Option<&str>,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<User> {
    let text = raw?;
    match user(text, &scope.settings.users) {
        Ok(user) => Some(user),
        Err(message) => {
            sink.report(path.clone(), message);
            None
        }
    }
}

/// Parses a user, and after `:` a group, each by name or ID
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>). Only `root` is 0 in every
/// image. A container runtime finds the group of a user without one in the image.
fn user(text: &str, known: &BTreeMap<String, Identity>) -> Result<User, Message> {
    let id = |name: &str, of: fn(&Identity) -> Option<i64>| match name {
        "root" => Some(0),
        _ => parse_id(name).or_else(|| known.get(name).and_then(of)),
    };
    let unknown = |name: &str, option: String| {
        let value = name.to_owned();
        if is_user_name(name) {
            return Message::NamedUserUnsupported { value, option };
        }
        let allowed = "must be uid or uid:gid, as numbers or names";
        Message::InvalidValue {
            value: text.to_owned(),
            allowed: allowed.to_owned(),
        }
    };
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let uid = id(user, |it| it.uid).ok_or_else(|| unknown(user, format!("{user}=UID[:GID]")))?;
    let gid = match group {
        Some(group) => {
            let gid = id(group, |it| it.gid);
            Some(gid.ok_or_else(|| unknown(group, format!(":{group}=GID")))?)
        }
        None => known.get(user).and_then(|it| it.gid),
    };
    Ok(User { uid, gid })
}

/// Applies one of Docker's security options, in the form `name`, `name:value` or `name=value`.
fn security_option(option: &str, security: &mut Security) -> Result<(), Message> {
    let value = option.to_owned();
    let (name, rest) = option.split_once([':', '=']).unwrap_or((option, ""));
    let label = rest.split_once([':', '=']);
    match (name, rest) {
        ("no-new-privileges", "false") => return Ok(()),
        ("no-new-privileges", "" | "true") | ("apparmor" | "label", _)
            if security.privileged && !rest.starts_with("disable") =>
        {
            return Err(Message::SecurityOptionConflict { value });
        }
        ("no-new-privileges", "" | "true") => security.no_new_privileges = true,
        ("seccomp", "unconfined") => security.seccomp_unconfined = true,
        ("apparmor", "unconfined") => security.app_armor = Some(AppArmor::Unconfined),
        // The profile that Docker loads itself; each runtime has its own.
        ("apparmor", "docker-default") => security.app_armor = Some(AppArmor::RuntimeDefault),
        ("apparmor", profile) if !profile.is_empty() => {
            security.app_armor = Some(AppArmor::Localhost(profile.to_owned()));
        }
        ("label", _) => match label {
            Some((part @ ("user" | "role" | "type" | "level"), text)) if !text.is_empty() => {
                security.se_linux.insert(part.to_owned(), text.to_owned());
            }
            _ => return Err(Message::SecurityOptionUnsupported { value }),
        },
        _ => return Err(Message::SecurityOptionUnsupported { value }),
    }
    Ok(())
}

fn ulimits(
    raw: &ecs::ContainerDefinition,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<Ulimit> {
    let name = raw.name.clone().unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let max = if name.chars().all(plain) {
        MAX_NAME_WITH_ULIMITS
    } else {
        MAX_NAME_WITH_ULIMITS - NAME_SUFFIX
    };
    if !raw.ulimits.is_empty() && name.len() > max {
        let value = name;
        let allowed =
            format!("the name of a container with ulimits must have at most {max} characters here");
        sink.report(path.clone(), Message::InvalidValue { value, allowed });
    }
    let mut ulimits = Vec::with_capacity(raw.ulimits.len());
    for (index, entry) in raw.ulimits.iter().enumerate() {
        let soft = entry.soft_limit.unwrap_or(0);
        let hard = entry.hard_limit.unwrap_or(0);
        if unlimited(soft) > unlimited(hard) {
            let value = soft.to_string();
            let allowed = format!("must not exceed the hard limit {hard}");
            let path = path.index(index).field("softLimit");
            sink.report(path, Message::InvalidValue { value, allowed });
        }
        let name = entry.name.clone().unwrap_or_default();
        ulimits.push(Ulimit { name, soft, hard });
    }
    ulimits
}

/// Returns a limit as a number that can be compared.
fn unlimited(limit: i64) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_numbers_or_names_with_known_numbers() {
        let identity = |uid, gid| Identity { uid, gid };
        let known = BTreeMap::from([
            ("nginx".to_owned(), identity(Some(101), None)),
            ("www-data".to_owned(), identity(Some(33), Some(33))),
            ("staff".to_owned(), identity(None, Some(50))),
        ]);
        let user_of = |uid, gid| Ok(User { uid, gid });
        let (named, invalid) = ("NamedUserUnsupported", "InvalidValue");
        for (text, expected) in [
            ("1000", user_of(1000, None)),
            ("1000:2000", user_of(1000, Some(2000))),
            ("root", user_of(0, None)),
            ("root:root", user_of(0, Some(0))),
            ("0:0", user_of(0, Some(0))),
            ("1000:root", user_of(1000, Some(0))),
            ("2147483647", user_of(2_147_483_647, None)),
            ("nginx", user_of(101, None)),
            ("www-data", user_of(33, Some(33))),
            ("nginx:staff", user_of(101, Some(50))),
            ("1000:staff", user_of(1000, Some(50))),
            ("www-data:0", user_of(33, Some(0))),
            ("nginx:nginx", Err(named)),
            ("staff", Err(named)),
            ("envoy", Err(named)),
            ("1000:envoy", Err(named)),
            ("envoy:1000", Err(named)),
            ("2147483648", Err(invalid)),
            ("1000:", Err(invalid)),
            (":1000", Err(invalid)),
            ("-1", Err(invalid)),
            ("+1", Err(invalid)),
            ("1:2:3", Err(invalid)),
            ("", Err(invalid)),
        ] {
            let found = user(text, &known).map_err(|message| message.reason().name());
            assert_eq!(found, expected, "{text}");
        }
    }

    /// Returns the settings of these options, or the reason of the first one that is rejected.
    fn given(options: &[&str], privileged: bool) -> Result<Security, &'static str> {
        let mut security = Security {
            privileged,
            ..Security::default()
        };
        for option in options {
            security_option(option, &mut security).map_err(|message| message.reason().name())?;
        }
        Ok(security)
    }

    #[test]
    fn security_options_are_dockers() {
        for option in [
            "no-new-privileges",
            "no-new-privileges:true",
            "no-new-privileges=true",
        ] {
            assert!(
                given(&[option], false).is_ok_and(|s| s.no_new_privileges),
                "{option}"
            );
            assert_eq!(
                given(&[option], true),
                Err("SecurityOptionConflict"),
                "{option}"
            );
        }
        assert!(given(&["no-new-privileges:false"], true).is_ok_and(|s| !s.no_new_privileges));
        for (option, profile) in [
            ("apparmor:shop", AppArmor::Localhost("shop".to_owned())),
            ("apparmor=shop", AppArmor::Localhost("shop".to_owned())),
            ("apparmor:unconfined", AppArmor::Unconfined),
            ("apparmor:docker-default", AppArmor::RuntimeDefault),
        ] {
            assert!(
                given(&[option], false).is_ok_and(|s| s.app_armor == Some(profile)),
                "{option}"
            );
            assert_eq!(
                given(&[option], true),
                Err("SecurityOptionConflict"),
                "{option}"
            );
        }
        let label = given(
            &[
                "label:user:u",
                "label:role:r",
                "label=type:t",
                "label:level:s0:c1,c2",
            ],
            false,
        );
        let label = label.map(|security| security.se_linux.into_iter().collect::<Vec<_>>());
        let expected = [
            ("level", "s0:c1,c2"),
            ("role", "r"),
            ("type", "t"),
            ("user", "u"),
        ];
        let expected = expected.map(|(part, text)| (part.to_owned(), text.to_owned()));
        assert_eq!(label, Ok(expected.to_vec()));
    }

    #[test]
    fn security_options_that_kubernetes_does_not_have_are_rejected() {
        for option in [
            "label:disable",
            "label:color:red",
            "label:type:",
            "apparmor:",
            "seccomp=",
            "seccomp:/profile.json",
            "systempaths=unconfined",
            "no-new-privileges:maybe",
            "",
        ] {
            assert_eq!(
                given(&[option], false),
                Err("SecurityOptionUnsupported"),
                "{option}"
            );
        }
    }

    #[test]
    fn minus_one_is_no_limit() {
        assert!(unlimited(-1) > unlimited(i64::MAX));
        assert!(unlimited(1) > unlimited(0));
    }
}
