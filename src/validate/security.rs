//! User, capabilities, ulimits, sysctls and the other limits of a container's processes.

use std::collections::BTreeMap;

use super::{NetworkMode, Scope};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// The security settings and Linux parameters of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Whether the container runs privileged.
    pub privileged: bool,
    /// Whether its root file system is read-only.
    pub read_only_root: bool,
    /// User id, and group id if given.
    pub user: Option<(i64, Option<i64>)>,
    /// Capabilities that are added.
    pub added_capabilities: Vec<String>,
    /// Capabilities that are dropped.
    pub dropped_capabilities: Vec<String>,
    /// Whether processes can't gain privileges.
    pub no_new_privileges: bool,
    /// The AppArmor profile.
    pub app_armor: Option<AppArmor>,
    /// The SELinux label: `user`, `role`, `type`, `level`.
    pub se_linux: BTreeMap<String, String>,
    /// Whether something reaps zombies.
    pub init_process: bool,
    /// The size of `/dev/shm` in MiB.
    pub shared_memory_mib: Option<i64>,
    /// File systems in memory.
    pub tmpfs: Vec<Tmpfs>,
    /// Swap in MiB.
    pub max_swap_mib: Option<i64>,
    /// 0 to 100.
    pub swappiness: Option<i64>,
    /// Limits of processes.
    pub ulimits: Vec<Ulimit>,
    /// Kernel parameters: name and value, in order.
    pub sysctls: Vec<(String, String)>,
}

/// An AppArmor profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppArmor {
    /// No confinement.
    Unconfined,
    /// A profile that is loaded on the node.
    Localhost(String),
}

/// A file system in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmpfs {
    /// The position in `tmpfs`.
    pub index: usize,
    /// Where it is mounted.
    pub container_path: String,
    /// Its size in MiB.
    pub size_mib: i64,
    /// Whether it is read-only.
    pub read_only: bool,
    /// Positions and texts of mount options that Kubernetes does not have.
    pub other_options: Vec<(usize, String)>,
}

/// One limit of processes.
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
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Security {
    let mut security = Security {
        privileged: raw.privileged.unwrap_or(false),
        read_only_root: raw.readonly_root_filesystem.unwrap_or(false),
        ..Security::default()
    };
    if scope.windows {
        windows(raw, path, sink);
        return security;
    }
    if security.privileged && scope.fargate {
        sink.report(path.field("privileged"), Message::FargatePrivileged);
    }
    if let Some(text) = raw.user.as_deref() {
        security.user = user(text);
        if security.user.is_none() {
            sink.report(
                path.field("user"),
                Message::NamedUserUnsupported {
                    value: text.to_owned(),
                },
            );
        }
    }
    if let Some(parameters) = &raw.linux_parameters {
        linux_parameters(
            parameters,
            raw,
            scope,
            &mut security,
            &path.field("linuxParameters"),
            sink,
        );
    }
    docker_options(raw, scope, &mut security, path, sink);
    security.ulimits = ulimits(raw, path, sink);
    security.sysctls = sysctls(raw, scope, path, sink);
    security
}

/// What Windows containers do not have.
fn windows(raw: &ecs::ContainerDefinition, path: &FieldPath, sink: &mut Diagnostics) {
    for (field, given) in [
        ("privileged", raw.privileged == Some(true)),
        (
            "readonlyRootFilesystem",
            raw.readonly_root_filesystem == Some(true),
        ),
        ("user", raw.user.is_some()),
        ("linuxParameters", raw.linux_parameters.is_some()),
        ("dnsServers", !raw.dns_servers.is_empty()),
        ("dnsSearchDomains", !raw.dns_search_domains.is_empty()),
        ("extraHosts", !raw.extra_hosts.is_empty()),
        ("links", !raw.links.is_empty()),
        ("ulimits", !raw.ulimits.is_empty()),
        ("systemControls", !raw.system_controls.is_empty()),
        ("disableNetworking", raw.disable_networking == Some(true)),
    ] {
        if given {
            let message = Message::WindowsUnsupportedParameter {
                field: field.to_owned(),
            };
            sink.report(path.field(field), message);
        }
    }
    for (index, option) in raw.docker_security_options.iter().enumerate() {
        let path = path.field("dockerSecurityOptions").index(index);
        let message = if option.starts_with("credentialspec:") {
            Message::GmsaUnsupported
        } else {
            Message::WindowsUnsupportedParameter {
                field: option.clone(),
            }
        };
        sink.report(path, message);
    }
}

/// `uid[:gid]`, where `root` stands for 0.
fn user(text: &str) -> Option<(i64, Option<i64>)> {
    let id = |text: &str| match text {
        "root" => Some(0),
        _ => text
            .parse()
            .ok()
            .filter(|id| (0..=i64::from(i32::MAX)).contains(id)),
    };
    match text.split_once(':') {
        Some((user, group)) => Some((id(user)?, Some(id(group)?))),
        None => Some((id(text)?, None)),
    }
}

fn linux_parameters(
    raw: &ecs::LinuxParameters,
    container: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    security: &mut Security,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    if let Some(capabilities) = &raw.capabilities {
        security.added_capabilities.clone_from(&capabilities.add);
        security.dropped_capabilities.clone_from(&capabilities.drop);
        for (index, value) in capabilities.add.iter().enumerate() {
            if scope.fargate && value != "SYS_PTRACE" {
                let path = path.field("capabilities").field("add").index(index);
                sink.report(
                    path,
                    Message::FargateCapability {
                        value: value.clone(),
                    },
                );
            }
        }
    }
    for (field, given) in [
        ("sharedMemorySize", raw.shared_memory_size.is_some()),
        ("maxSwap", raw.max_swap.is_some()),
        ("swappiness", raw.swappiness.is_some()),
    ] {
        if given && scope.fargate {
            let message = Message::FargateUnsupportedParameter {
                field: field.to_owned(),
            };
            sink.report(path.field(field), message);
        }
    }
    security.init_process = raw.init_process_enabled.unwrap_or(false);
    security.shared_memory_mib = raw.shared_memory_size.filter(|size| *size > 0);
    security.max_swap_mib = raw.max_swap;
    security.swappiness = raw.swappiness;
    let at = path.field("tmpfs");
    for (index, entry) in raw.tmpfs.iter().enumerate() {
        let file_system = tmpfs(index, entry, container, &at.index(index), sink);
        let again = security
            .tmpfs
            .iter()
            .any(|other| other.container_path == file_system.container_path);
        if again {
            sink.report(
                at.index(index).field("containerPath"),
                Message::DuplicateMountPath {
                    value: file_system.container_path.clone(),
                    name: container.name.clone().unwrap_or_default(),
                },
            );
        }
        security.tmpfs.push(file_system);
    }
}

fn tmpfs(
    index: usize,
    raw: &ecs::Tmpfs,
    container: &ecs::ContainerDefinition,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Tmpfs {
    let container_path = raw.container_path.clone().unwrap_or_default();
    if !container_path.starts_with('/') || container_path.contains(':') {
        let allowed = "an absolute path without :".to_owned();
        let value = container_path.clone();
        sink.report(
            path.field("containerPath"),
            Message::InvalidValue { value, allowed },
        );
    }
    if container
        .mount_points
        .iter()
        .any(|mount| mount.container_path.as_ref() == Some(&container_path))
    {
        sink.report(
            path.field("containerPath"),
            Message::DuplicateMountPath {
                value: container_path.clone(),
                name: container.name.clone().unwrap_or_default(),
            },
        );
    }
    let known = |option: &str| matches!(option, "ro" | "rw" | "defaults");
    Tmpfs {
        index,
        container_path,
        size_mib: raw.size.unwrap_or(1).max(1),
        read_only: raw.mount_options.iter().any(|option| option == "ro"),
        other_options: raw
            .mount_options
            .iter()
            .enumerate()
            .filter(|(_, option)| !known(option))
            .map(|(index, option)| (index, option.clone()))
            .collect(),
    }
}

fn docker_options(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    security: &mut Security,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let path = path.field("dockerSecurityOptions");
    if scope.fargate && !raw.docker_security_options.is_empty() {
        let field = "dockerSecurityOptions".to_owned();
        sink.report(path, Message::FargateUnsupportedParameter { field });
        return;
    }
    for (index, option) in raw.docker_security_options.iter().enumerate() {
        let at = path.index(index);
        let value = option.clone();
        if security.privileged && !option.starts_with("credentialspec:") {
            sink.report(at, Message::SecurityOptionConflict { value });
            continue;
        }
        let (name, rest) = option.split_once([':', '=']).unwrap_or((option, ""));
        match (name, rest) {
            ("no-new-privileges", "" | "true") => {
                // The API server refuses this together with a capability that allows everything.
                if security
                    .added_capabilities
                    .iter()
                    .any(|added| matches!(added.as_str(), "SYS_ADMIN" | "ALL"))
                {
                    sink.report(at, Message::SecurityOptionUnsupported { value });
                } else {
                    security.no_new_privileges = true;
                }
            }
            ("no-new-privileges", "false") => {}
            ("apparmor", "unconfined") => security.app_armor = Some(AppArmor::Unconfined),
            ("apparmor", profile) if !profile.is_empty() => {
                security.app_armor = Some(AppArmor::Localhost(profile.to_owned()));
            }
            ("label", label) => match label.split_once(':') {
                Some((part @ ("user" | "role" | "type" | "level"), value)) => {
                    security.se_linux.insert(part.to_owned(), value.to_owned());
                }
                _ => sink.report(at, Message::SecurityOptionUnsupported { value }),
            },
            ("credentialspec", _) => sink.report(at, Message::GmsaUnsupported),
            _ => sink.report(at, Message::SecurityOptionUnsupported { value }),
        }
    }
}

fn ulimits(
    raw: &ecs::ContainerDefinition,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<Ulimit> {
    let path = path.field("ulimits");
    let mut ulimits = Vec::new();
    for (index, entry) in raw.ulimits.iter().enumerate() {
        let (soft, hard) = (entry.soft_limit.unwrap_or(0), entry.hard_limit.unwrap_or(0));
        // -1 stands for no limit.
        if hard >= 0 && (soft > hard || soft < 0) {
            sink.report(
                path.index(index).field("softLimit"),
                Message::InvalidValue {
                    value: soft.to_string(),
                    allowed: format!("at most the hard limit {hard}"),
                },
            );
        }
        let name = entry.name.clone().unwrap_or_default();
        ulimits.push(Ulimit { name, soft, hard });
    }
    ulimits
}

fn sysctls(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<(String, String)> {
    let path = path.field("systemControls");
    let mut sysctls = Vec::new();
    for (index, entry) in raw.system_controls.iter().enumerate() {
        let name = entry.namespace.clone().unwrap_or_default();
        let at = path.index(index).field("namespace");
        let plain = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '/')
        };
        if name.is_empty() || !name.chars().all(plain) {
            let allowed = "a kernel parameter such as net.core.somaxconn".to_owned();
            sink.report(
                at,
                Message::InvalidValue {
                    value: name,
                    allowed,
                },
            );
            continue;
        }
        if scope.network_mode == NetworkMode::Host && name.starts_with("net.") {
            sink.report(at, Message::SysctlWithHostNetwork);
        }
        sysctls.push((name, entry.value.clone().unwrap_or_default()));
    }
    sysctls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_numbers_or_root() {
        for (text, expected) in [
            ("1000", Some((1000, None))),
            ("1000:2000", Some((1000, Some(2000)))),
            ("root", Some((0, None))),
            ("root:root", Some((0, Some(0)))),
            ("0:0", Some((0, Some(0)))),
            ("nginx", None),
            ("1000:nginx", None),
            ("nginx:1000", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(user(text), expected, "{text}");
        }
    }
}
