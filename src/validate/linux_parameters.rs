//! `linuxParameters`: capabilities, tmpfs mounts, swap, an init process.

use std::collections::BTreeSet;

use super::{Scope, Tmpfs, arn::has_placeholder, mount::is_absolute, tmpfs::tmpfs_of};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// The capabilities that ECS supports
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_KernelCapabilities.html>).
const CAPABILITIES: [&str; 38] = [
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
];
const SHARED_MEMORY: &str = "/dev/shm";

/// The `linuxParameters` of a container, except its devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinuxParameters {
    /// Capabilities that are added.
    pub added_capabilities: Vec<String>,
    /// Capabilities that are dropped.
    pub dropped_capabilities: Vec<String>,
    /// Whether an init process reaps zombies.
    pub init_process: bool,
    /// The size of `/dev/shm` in MiB.
    pub shared_memory_mib: Option<i64>,
    /// The tmpfs mounts.
    pub tmpfs: Vec<Tmpfs>,
    /// The swap in MiB.
    pub max_swap_mib: Option<i64>,
    /// The swappiness, 0 to 100.
    pub swappiness: Option<i64>,
}

/// Validates `linuxParameters`.
pub(crate) fn validate_linux_parameters(
    container: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> LinuxParameters {
    let Some(raw) = &container.linux_parameters else {
        return LinuxParameters::default();
    };
    let ecs::LinuxParameters {
        capabilities,
        // It is a resource of the container.
        devices: _,
        init_process_enabled,
        shared_memory_size,
        tmpfs,
        max_swap,
        swappiness,
    } = raw;
    for (field, given) in [
        ("maxSwap", max_swap.is_some()),
        ("sharedMemorySize", shared_memory_size.is_some()),
        ("swappiness", swappiness.is_some()),
    ] {
        if given && scope.fargate {
            let path = path.field(field);
            let field = field.to_owned();
            sink.report(path, Message::FargateUnsupportedParameter { field });
        }
    }
    let capabilities = capabilities.clone().unwrap_or_default();
    check_capabilities(&capabilities, scope, &path.field("capabilities"), sink);
    let shared_memory_mib = shared_memory_size.filter(|size| *size > 0);
    let mut taken: BTreeSet<&str> = shared_memory_mib
        .map(|_| SHARED_MEMORY)
        .into_iter()
        .collect();
    for (index, entry) in tmpfs.iter().enumerate() {
        let path = path.field("tmpfs").index(index).field("containerPath");
        let mount_path = entry.container_path.as_deref().unwrap_or_default();
        if !taken.insert(mount_path.trim_end_matches('/')) {
            let value = mount_path.to_owned();
            let name = container.name.clone().unwrap_or_default();
            sink.report(path, Message::DuplicateMountPath { value, name });
        } else if let Some(message) = wrong_path(mount_path) {
            sink.report(path, message);
        }
    }
    LinuxParameters {
        added_capabilities: capabilities.add,
        dropped_capabilities: capabilities.drop,
        init_process: init_process_enabled.unwrap_or(false),
        shared_memory_mib,
        tmpfs: tmpfs
            .iter()
            .enumerate()
            .map(|(i, raw)| tmpfs_of(i, raw))
            .collect(),
        max_swap_mib: *max_swap,
        swappiness: *swappiness,
    }
}

fn check_capabilities(
    capabilities: &ecs::KernelCapabilities,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    for (field, names) in [("add", &capabilities.add), ("drop", &capabilities.drop)] {
        for (index, name) in names.iter().enumerate() {
            let path = path.field(field).index(index);
            let value = name.clone();
            if !CAPABILITIES.contains(&name.as_str()) {
                let allowed = match name.strip_prefix("CAP_") {
                    Some(plain) if CAPABILITIES.contains(&plain) => format!("write {plain}"),
                    _ => "must be a Linux capability without CAP_, such as NET_ADMIN".to_owned(),
                };
                sink.report(path, Message::InvalidValue { value, allowed });
            } else if scope.fargate && field == "add" && name != "SYS_PTRACE" {
                sink.report(path, Message::FargateCapability { value });
            }
        }
    }
}

/// Returns the error in a mount path. Duplicate mount paths are found where mount points are validated.
fn wrong_path(path: &str) -> Option<Message> {
    let value = path.to_owned();
    if path.contains(':') && !has_placeholder(path) {
        return Some(Message::InvalidMountPath { value });
    }
    let root = path.trim_matches('/').is_empty();
    (root || !is_absolute(path, false)).then(|| Message::InvalidValue {
        value,
        allowed: "must be an absolute path below /".to_owned(),
    })
}
