//! `systemControls`: kernel parameters of the task.

use super::{NetworkMode, Scope};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// A kernel parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemControl {
    /// The position in `systemControls`.
    pub index: usize,
    /// The name, with dots.
    pub name: String,
    /// The value.
    pub value: String,
}

/// The kernel namespace that a parameter belongs to. All other parameters are those of the node, which neither Docker
/// nor the kubelet sets for a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Namespace {
    Network,
    Ipc,
}

impl Namespace {
    fn of(name: &str) -> Option<Self> {
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        if begins(&["net."]) {
            Some(Self::Network)
        } else if begins(&["fs.mqueue.", "kernel.msg", "kernel.shm"]) || name == "kernel.sem" {
            Some(Self::Ipc)
        } else {
            None
        }
    }
}

/// Validates `systemControls`.
pub(crate) fn validate_system_controls(
    raw: &[ecs::SystemControl],
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<SystemControl> {
    let mut controls = Vec::with_capacity(raw.len());
    for (index, entry) in raw.iter().enumerate() {
        let path = path.index(index);
        for (field, given) in [("namespace", &entry.namespace), ("value", &entry.value)] {
            if given.is_none() {
                let name = field.to_owned();
                sink.report(path.field(field), Message::RequiredField { name });
            }
        }
        let (Some(name), Some(value)) = (&entry.namespace, &entry.value) else {
            continue;
        };
        let name = dotted(name);
        if let Some(message) = wrong_name(&name, scope) {
            sink.report(path.field("namespace"), message);
        }
        controls.push(SystemControl {
            index,
            name,
            value: value.clone(),
        });
    }
    controls
}

/// Returns the name with dots. If the parts of a name are separated by slashes, dots are part of the name.
fn dotted(name: &str) -> String {
    match name.find(['.', '/']).map(|position| name.get(position..)) {
        Some(Some(rest)) if rest.starts_with('/') => name
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

fn wrong_name(name: &str, scope: &Scope<'_>) -> Option<Message> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
    let invalid = |allowed: &str| Message::InvalidValue {
        value: name.to_owned(),
        allowed: allowed.to_owned(),
    };
    match Namespace::of(name) {
        _ if !name.chars().all(plain) || name.ends_with('.') => Some(invalid(
            "must be a kernel parameter such as net.core.somaxconn",
        )),
        None => Some(invalid(
            "a container has only net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm*; set it on the nodes",
        )),
        Some(Namespace::Network) if scope.network_mode == NetworkMode::Host => {
            Some(Message::SysctlWithHostNetwork)
        }
        Some(Namespace::Ipc) if scope.request.ipc_mode.as_deref() == Some("host") => {
            Some(invalid("cannot be set with ipcMode host"))
        }
        Some(Namespace::Network | Namespace::Ipc) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_dots_between_their_parts() {
        for (name, expected) in [
            ("net.core.somaxconn", "net.core.somaxconn"),
            ("net/core/somaxconn", "net.core.somaxconn"),
            (
                "net/ipv4/conf/eth0.1/rp_filter",
                "net.ipv4.conf.eth0/1.rp_filter",
            ),
            (
                "net.ipv4.conf.eth0/1.rp_filter",
                "net.ipv4.conf.eth0/1.rp_filter",
            ),
            ("net", "net"),
        ] {
            assert_eq!(dotted(name), expected, "{name}");
        }
    }

    #[test]
    fn parameters_belong_to_a_namespace() {
        for (name, expected) in [
            ("net.ipv4.tcp_syncookies", Some(Namespace::Network)),
            ("kernel.shmmax", Some(Namespace::Ipc)),
            ("kernel.msgmnb", Some(Namespace::Ipc)),
            ("kernel.sem", Some(Namespace::Ipc)),
            ("fs.mqueue.msg_max", Some(Namespace::Ipc)),
            ("vm.max_map_count", None),
            ("kernel.pid_max", None),
            ("fs.file-max", None),
        ] {
            assert_eq!(Namespace::of(name), expected, "{name}");
        }
    }
}
