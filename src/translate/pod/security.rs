//! User, capabilities, sysctls, namespaces, and file systems in memory.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::{
    AppArmorProfile, Capabilities, EmptyDirVolumeSource, PodSecurityContext, SELinuxOptions,
    SecurityContext, Sysctl, Volume, VolumeMount,
};

use super::{Draft, container::path};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::{Context, LABEL_LENGTH, kname, quantity::mebibytes},
    validate::{AppArmor, Container, NamespaceMode, Security, Tmpfs, Ulimit},
};

/// Where the NRI plugin `ulimit-adjuster` reads the limits of a container.
const ULIMITS: &str = "ulimits.noderesource.dev/container.";

/// The kernel parameters that the kubelet allows without being told to
/// (<https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/>).
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

/// Adds security contexts, namespaces, and volumes in memory.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    namespaces(cx, draft, notes);
    sysctls(cx, draft, notes);
    for source in &cx.task_definition.containers {
        let Security {
            privileged: _,
            read_only_root: _,
            user: _,
            added_capabilities: _,
            dropped_capabilities: _,
            no_new_privileges: _,
            app_armor: _,
            se_linux: _,
            init_process: _,
            shared_memory_mib,
            tmpfs,
            max_swap_mib,
            swappiness,
            ulimits,
            sysctls: _,
        } = &source.security;
        let context = security_context(&source.security);
        if let Some(container) = draft.container_mut(source.index) {
            container.security_context = (context != SecurityContext::default()).then_some(context);
        }
        if let Some(size) = shared_memory_mib {
            memory_volume(draft, source, "shm", "/dev/shm", *size, false);
        }
        for file_system in tmpfs {
            mount_tmpfs(draft, source, file_system, notes);
        }
        report_swap(source, *max_swap_mib, *swappiness, notes);
        if !ulimits.is_empty() {
            let name = format!("{ULIMITS}{}", kname(&source.name, LABEL_LENGTH));
            draft.annotations.insert(name, ulimit_list(ulimits));
        }
    }
}

fn security_context(security: &Security) -> SecurityContext {
    let list = |names: &[String]| (!names.is_empty()).then(|| names.to_vec());
    let capabilities = Capabilities {
        add: list(&security.added_capabilities),
        drop: list(&security.dropped_capabilities),
    };
    let label = |part: &str| security.se_linux.get(part).cloned();
    SecurityContext {
        privileged: security.privileged.then_some(true),
        read_only_root_filesystem: security.read_only_root.then_some(true),
        run_as_user: security.user.map(|(user, _)| user),
        run_as_group: security.user.and_then(|(_, group)| group),
        capabilities: (capabilities != Capabilities::default()).then_some(capabilities),
        allow_privilege_escalation: security.no_new_privileges.then_some(false),
        app_armor_profile: security.app_armor.as_ref().map(|profile| match profile {
            AppArmor::Unconfined => AppArmorProfile {
                type_: "Unconfined".to_owned(),
                localhost_profile: None,
            },
            AppArmor::Localhost(name) => AppArmorProfile {
                type_: "Localhost".to_owned(),
                localhost_profile: Some(name.clone()),
            },
        }),
        se_linux_options: (!security.se_linux.is_empty()).then(|| SELinuxOptions {
            user: label("user"),
            role: label("role"),
            type_: label("type"),
            level: label("level"),
        }),
        ..SecurityContext::default()
    }
}

/// `pidMode`, `ipcMode` and `initProcessEnabled`: the pause process of a shared namespace reaps zombies.
fn namespaces(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let definition = cx.task_definition;
    let root = FieldPath::root(Subject::TaskDefinition);
    let host_pid = definition.pid_mode == Some(NamespaceMode::Host);
    draft.spec.host_pid = host_pid.then_some(true);
    draft.spec.host_ipc = (definition.ipc_mode == Some(NamespaceMode::Host)).then_some(true);
    let mut shared = definition.pid_mode == Some(NamespaceMode::Task);
    for source in definition
        .containers
        .iter()
        .filter(|source| source.security.init_process)
    {
        let path = path(source.index)
            .field("linuxParameters")
            .field("initProcessEnabled");
        if host_pid {
            notes.report(path, Message::InitProcessNotNeeded);
            continue;
        }
        if definition.containers.len() > 1 && !shared {
            notes.report(path, Message::InitProcessSharesPidNamespace);
        }
        shared = true;
    }
    draft.spec.share_process_namespace = (shared && !host_pid).then_some(true);
    if definition.ipc_mode == Some(NamespaceMode::None) {
        notes.report(root.field("ipcMode"), Message::IpcNamespaceShared);
    }
}

/// A pod has one value for each kernel parameter; the last container's wins, as in ECS.
fn sysctls(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let mut sysctls: Vec<Sysctl> = Vec::new();
    for source in &cx.task_definition.containers {
        let at = path(source.index).field("systemControls");
        for (index, (name, value)) in source.security.sysctls.iter().enumerate() {
            let path = at.index(index);
            if let Some(other) = sysctls.iter_mut().find(|sysctl| sysctl.name == *name) {
                if other.value != *value {
                    notes.report(path, Message::SysctlConflict { name: name.clone() });
                    other.value.clone_from(value);
                }
                continue;
            }
            if !SAFE_SYSCTLS.contains(&name.as_str()) {
                notes.report(path, Message::UnsafeSysctl { name: name.clone() });
            }
            sysctls.push(Sysctl {
                name: name.clone(),
                value: value.clone(),
            });
        }
    }
    if !sysctls.is_empty() {
        draft.spec.security_context = Some(PodSecurityContext {
            sysctls: Some(sysctls),
            ..draft.spec.security_context.take().unwrap_or_default()
        });
    }
}

fn mount_tmpfs(
    draft: &mut Draft,
    source: &Container,
    file_system: &Tmpfs,
    notes: &mut Diagnostics,
) {
    let Tmpfs {
        index,
        container_path,
        size_mib,
        read_only,
        other_options,
    } = file_system;
    let suffix = format!("tmpfs-{index}");
    memory_volume(
        draft,
        source,
        &suffix,
        container_path,
        *size_mib,
        *read_only,
    );
    let at = path(source.index)
        .field("linuxParameters")
        .field("tmpfs")
        .index(*index)
        .field("mountOptions");
    for (option, value) in other_options {
        let value = value.clone();
        notes.report(at.index(*option), Message::TmpfsOptionsIgnored { value });
    }
}

/// Memory counts against the container's limit here as it does in ECS.
fn memory_volume(
    draft: &mut Draft,
    source: &Container,
    suffix: &str,
    mount_path: &str,
    size_mib: i64,
    read_only: bool,
) {
    let name = kname(
        &format!("{}-{suffix}", kname(&source.name, LABEL_LENGTH)),
        LABEL_LENGTH,
    );
    draft.spec.volumes.get_or_insert_default().push(Volume {
        name: name.clone(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: Some("Memory".to_owned()),
            size_limit: Some(mebibytes(size_mib)),
        }),
        ..Volume::default()
    });
    if let Some(container) = draft.container_mut(source.index) {
        container
            .volume_mounts
            .get_or_insert_default()
            .push(VolumeMount {
                name,
                mount_path: mount_path.to_owned(),
                read_only: read_only.then_some(true),
                ..VolumeMount::default()
            });
    }
}

/// Without `maxSwap` ECS ignores `swappiness` itself.
fn report_swap(
    source: &Container,
    max_swap: Option<i64>,
    swappiness: Option<i64>,
    notes: &mut Diagnostics,
) {
    let at = path(source.index).field("linuxParameters");
    if max_swap.is_some_and(|swap| swap > 0) {
        notes.report(at.field("maxSwap"), Message::SwapNotConfigurable);
        if swappiness.is_some() {
            notes.report(at.field("swappiness"), Message::SwappinessIgnored);
        }
    } else if swappiness.is_some() {
        notes.report(at.field("swappiness"), Message::SwappinessUnused);
    }
}

fn ulimit_list(ulimits: &[Ulimit]) -> String {
    let mut list = String::new();
    for Ulimit { name, soft, hard } in ulimits {
        // Writing to a string cannot fail.
        let _ = writeln!(
            list,
            "- type: RLIMIT_{}\n  soft: {soft}\n  hard: {hard}",
            name.to_ascii_uppercase()
        );
    }
    list
}

#[cfg(test)]
mod tests {
    use crate::translate::testing::{Scenario, yaml};

    fn definition(container: &str, rest: &str) -> String {
        format!(
            r#"{{"family": "web", {rest} "containerDefinitions": [{{"name": "web", "image": "nginx", "memory": 64, {container}}}]}}"#
        )
    }

    #[test]
    fn containers_have_their_security_context() {
        for (container, context) in [
            (r#""privileged": true"#, "{privileged: true}"),
            (
                r#""privileged": false, "readonlyRootFilesystem": true"#,
                "{readOnlyRootFilesystem: true}",
            ),
            (
                r#""user": "1000:2000""#,
                "{runAsUser: 1000, runAsGroup: 2000}",
            ),
            (r#""user": "root""#, "{runAsUser: 0}"),
            (
                r#""linuxParameters": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}"#,
                "{capabilities: {add: [NET_ADMIN], drop: [ALL]}}",
            ),
            (
                r#""dockerSecurityOptions": ["no-new-privileges"]"#,
                "{allowPrivilegeEscalation: false}",
            ),
            (
                r#""dockerSecurityOptions": ["apparmor:shop", "label:level:s0:c1,c2"]"#,
                "{appArmorProfile: {type: Localhost, localhostProfile: shop}, seLinuxOptions: {level: 's0:c1,c2'}}",
            ),
            (
                r#""dockerSecurityOptions": ["apparmor:unconfined"]"#,
                "{appArmorProfile: {type: Unconfined}}",
            ),
            (r#""cpu": 1"#, "null"),
        ] {
            let outcome = Scenario::service(definition(container, "")).run();
            assert_eq!(
                outcome.container("web")["securityContext"],
                yaml(context),
                "{container}"
            );
        }
    }

    #[test]
    fn what_cannot_be_is_rejected() {
        let fargate = r#""networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512","#;
        for (container, rest, reason) in [
            (r#""user": "nginx""#, "", "NamedUserUnsupported"),
            (r#""privileged": true"#, fargate, "FargatePrivileged"),
            (
                r#""linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}}"#,
                fargate,
                "FargateCapability",
            ),
            (
                r#""linuxParameters": {"sharedMemorySize": 64}"#,
                fargate,
                "FargateUnsupportedParameter",
            ),
            (
                r#""dockerSecurityOptions": ["seccomp=x"]"#,
                "",
                "SecurityOptionUnsupported",
            ),
            (
                r#""dockerSecurityOptions": ["label:disable"]"#,
                "",
                "SecurityOptionUnsupported",
            ),
            (
                r#""dockerSecurityOptions": ["credentialspec:file://x.json"]"#,
                "",
                "GmsaUnsupported",
            ),
            (
                r#""privileged": true, "dockerSecurityOptions": ["no-new-privileges"]"#,
                "",
                "SecurityOptionConflict",
            ),
            (
                r#""ulimits": [{"name": "nofile", "softLimit": 2, "hardLimit": 1}]"#,
                "",
                "InvalidValue",
            ),
            (
                r#""systemControls": [{"namespace": "net.core.somaxconn", "value": "1"}]"#,
                r#""networkMode": "host","#,
                "SysctlWithHostNetwork",
            ),
            (
                r#""cpu": 1"#,
                &format!(r#"{fargate} "pidMode": "host","#),
                "FargatePidMode",
            ),
            (
                r#""cpu": 1"#,
                &format!(r#"{fargate} "ipcMode": "task","#),
                "FargateUnsupportedParameter",
            ),
            (
                r#""linuxParameters": {"tmpfs": [{"containerPath": "/a", "size": 1}, {"containerPath": "/a", "size": 1}]}"#,
                "",
                "DuplicateMountPath",
            ),
        ] {
            let rejections = Scenario::service(definition(container, rest)).rejections();
            assert!(
                rejections.iter().any(|line| line.contains(reason)),
                "{reason}: {rejections:?}"
            );
        }
    }

    #[test]
    fn memory_file_systems_are_volumes() {
        let outcome = Scenario::service(definition(
            r#""linuxParameters": {"sharedMemorySize": 64, "tmpfs": [{"containerPath": "/run", "size": 1024, "mountOptions": ["ro", "noexec"]}]}"#,
            "",
        ))
        .run();
        assert_eq!(
            outcome.pod_spec()["volumes"],
            yaml(
                "[{name: web-shm, emptyDir: {medium: Memory, sizeLimit: 64Mi}}, {name: web-tmpfs-0, emptyDir: {medium: Memory, sizeLimit: 1Gi}}]"
            )
        );
        assert_eq!(
            outcome.container("web")["volumeMounts"],
            yaml(
                "[{name: web-shm, mountPath: /dev/shm}, {name: web-tmpfs-0, mountPath: /run, readOnly: true}]"
            )
        );
        assert!(outcome.has("TmpfsOptionsIgnored"));
    }

    #[test]
    fn ulimits_are_an_annotation() {
        let outcome = Scenario::service(definition(
            r#""ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}]"#,
            "",
        ))
        .run();
        assert_eq!(
            outcome.pod()["metadata"]["annotations"]["ulimits.noderesource.dev/container.web"],
            "- type: RLIMIT_NOFILE\n  soft: 1024\n  hard: 4096\n"
        );
    }

    #[test]
    fn namespaces_are_shared_as_asked() {
        let init = r#""linuxParameters": {"initProcessEnabled": true}"#;
        for (container, rest, field) in [
            (init, "", "shareProcessNamespace"),
            (
                r#""cpu": 1"#,
                r#""pidMode": "task","#,
                "shareProcessNamespace",
            ),
            (r#""cpu": 1"#, r#""pidMode": "host","#, "hostPID"),
            (r#""cpu": 1"#, r#""ipcMode": "host","#, "hostIPC"),
        ] {
            let outcome = Scenario::service(definition(container, rest)).run();
            assert_eq!(
                outcome.pod_spec()[field],
                yaml("true"),
                "{container} {rest}"
            );
        }
        let host = Scenario::service(definition(init, r#""pidMode": "host","#)).run();
        assert!(
            host.has("InitProcessNotNeeded") && host.pod_spec()["shareProcessNamespace"].is_null()
        );
        assert!(
            Scenario::service(definition(r#""cpu": 1"#, r#""ipcMode": "none","#))
                .run()
                .has("IpcNamespaceShared")
        );
    }

    #[test]
    fn kernel_parameters_are_the_pods() {
        let outcome = Scenario::service(
            r#"{"family": "web", "containerDefinitions": [
                {"name": "a", "image": "i", "memory": 64, "systemControls": [
                    {"namespace": "net.ipv4.tcp_syncookies", "value": "0"}, {"namespace": "net.core.somaxconn", "value": "1024"}]},
                {"name": "b", "image": "i", "memory": 64, "systemControls": [{"namespace": "net.ipv4.tcp_syncookies", "value": "1"}]}]}"#,
        )
        .run();
        assert_eq!(
            outcome.pod_spec()["securityContext"]["sysctls"],
            yaml(
                "[{name: net.ipv4.tcp_syncookies, value: '1'}, {name: net.core.somaxconn, value: '1024'}]"
            )
        );
        assert!(outcome.has("SysctlConflict") && outcome.has("UnsafeSysctl"));
    }

    #[test]
    fn swap_is_left_to_the_node() {
        for (parameters, reason) in [
            (r#"{"maxSwap": 64}"#, "SwapNotConfigurable"),
            (r#"{"maxSwap": 64, "swappiness": 10}"#, "SwappinessIgnored"),
            (r#"{"swappiness": 10}"#, "SwappinessUnused"),
        ] {
            let container = format!(r#""linuxParameters": {parameters}"#);
            assert!(
                Scenario::service(definition(&container, ""))
                    .run()
                    .has(reason),
                "{parameters}"
            );
        }
    }
}
