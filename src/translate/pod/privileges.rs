//! What of a pod the Pod Security Standard `baseline` forbids.

use k8s_openapi::api::core::v1::{PodSpec, SecurityContext};

use super::{container::path, system_controls};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::Context,
    validate::{AppArmor, Container, NamespaceMode, NetworkMode, Security, VolumeSource},
};

/// The capabilities that the standard lets containers add
/// (<https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline>).
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// The types of SELinux labels that the standard allows.
const SE_LINUX_TYPES: [&str; 4] = [
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
];

/// Names what the standard forbids, with the place of the first (same URL). The volumes of the pod are complete.
pub(super) fn report(cx: &Context<'_>, spec: &PodSpec, notes: &mut Diagnostics) {
    let mut found = of_definition(cx);
    for container in &cx.task_definition.containers {
        found.extend(of_container(container));
    }
    if let Some(path) = host_path(cx, spec) {
        found.push((path, "hostPath volumes".to_owned()));
    }
    if let Some(overlay) = cx.overlays().last() {
        as_they_are(&mut found, spec, &overlay.path);
    }
    // As in the documents: the namespaces of the host first, and each name once.
    let mut names: Vec<&str> = Vec::new();
    for (_, name) in &found {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let what = names.join(", ");
    if let Some((path, _)) = found.into_iter().next() {
        notes.report(path, Message::PrivilegedNamespaceNeeded { what });
    }
}

fn of_definition(cx: &Context<'_>) -> Vec<(FieldPath, String)> {
    let definition = cx.task_definition;
    let of_host = |mode: Option<NamespaceMode>| mode == Some(NamespaceMode::Host);
    [
        (definition.network.mode == NetworkMode::Host, "networkMode"),
        (of_host(definition.pid_mode), "pidMode"),
        (of_host(definition.ipc_mode), "ipcMode"),
    ]
    .into_iter()
    .filter(|(is_host, _)| *is_host)
    .map(|(_, field)| {
        let path = FieldPath::root(Subject::TaskDefinition).field(field);
        (path, format!("{field} host"))
    })
    .collect()
}

fn of_container(container: &Container) -> Vec<(FieldPath, String)> {
    let path = path(container.index);
    let security = &container.security;
    let mut found = Vec::new();
    if security.privileged {
        found.push((path.field("privileged"), "privileged".to_owned()));
    }
    for capability in &security.linux.added_capabilities {
        if !CAPABILITIES.contains(&capability.as_str()) {
            let add = path.field("linuxParameters").field("capabilities");
            found.push((add.field("add"), format!("capability {capability}")));
        }
    }
    for option in options(security) {
        found.push((path.field("dockerSecurityOptions"), option.to_owned()));
    }
    for control in &security.system_controls {
        if !system_controls::is_safe(&control.name) {
            let at = path.field("systemControls").index(control.index);
            found.push((at.field("namespace"), format!("sysctl {}", control.name)));
        }
    }
    if let Some(port) = container.ports.iter().find(|it| it.host_port.is_some()) {
        let at = path.field("portMappings").index(port.mapping);
        found.push((at.field("hostPort"), "hostPort".to_owned()));
    }
    found
}

/// Returns the forbidden security options of a container.
fn options(security: &Security) -> Vec<&'static str> {
    let label = |part: &str| security.se_linux.get(part);
    let is_other_type = label("type").is_some_and(|it| !SE_LINUX_TYPES.contains(&it.as_str()));
    [
        (
            security.app_armor == Some(AppArmor::Unconfined),
            "apparmor unconfined",
        ),
        // A privileged container has no profile.
        (
            security.seccomp_unconfined && !security.privileged,
            "seccomp unconfined",
        ),
        (
            is_other_type || label("user").is_some() || label("role").is_some(),
            "SELinux labels",
        ),
    ]
    .into_iter()
    .filter_map(|(is_set, name)| is_set.then_some(name))
    .collect()
}

/// Drops what something added to the pods has removed, and adds what it has brought, with its path.
fn as_they_are(found: &mut Vec<(FieldPath, String)>, spec: &PodSpec, path: &FieldPath) {
    let names = forbidden(spec);
    found.retain(|(_, name)| names.contains(name));
    for name in names {
        if found.iter().all(|(_, known)| *known != name) {
            found.push((path.clone(), name));
        }
    }
}

/// Names what the standard forbids in a pod, in the words of the fields of ECS where there are some.
fn forbidden(spec: &PodSpec) -> Vec<String> {
    let on = |flag: Option<bool>| flag == Some(true);
    let mut names: Vec<String> = [
        (on(spec.host_network), "networkMode host"),
        (on(spec.host_pid), "pidMode host"),
        (on(spec.host_ipc), "ipcMode host"),
        (
            spec.volumes
                .iter()
                .flatten()
                .any(|it| it.host_path.is_some()),
            "hostPath volumes",
        ),
    ]
    .into_iter()
    .filter(|(is_set, _)| *is_set)
    .map(|(_, name)| name.to_owned())
    .collect();
    let pod = spec.security_context.clone().unwrap_or_default();
    // What a container does not set is that of the pod.
    names.extend(of_context(&SecurityContext {
        app_armor_profile: pod.app_armor_profile,
        se_linux_options: pod.se_linux_options,
        seccomp_profile: pod.seccomp_profile,
        windows_options: pod.windows_options,
        ..SecurityContext::default()
    }));
    for control in pod.sysctls.iter().flatten() {
        if !system_controls::is_safe(&control.name) {
            names.push(format!("sysctl {}", control.name));
        }
    }
    let init = spec.init_containers.iter().flatten();
    for container in init.chain(&spec.containers) {
        names.extend(container.security_context.iter().flat_map(of_context));
        let mut ports = container.ports.iter().flatten();
        if ports.any(|port| port.host_port.is_some_and(|port| port != 0)) {
            names.push("hostPort".to_owned());
        }
    }
    names
}

/// Names what the standard forbids of a container.
fn of_context(context: &SecurityContext) -> Vec<String> {
    let capabilities = context.capabilities.as_ref();
    let added = capabilities.and_then(|it| it.add.as_ref());
    let added = added.into_iter().flatten();
    let mut names: Vec<String> = added
        .filter(|name| !CAPABILITIES.contains(&name.as_str()))
        .map(|name| format!("capability {name}"))
        .collect();
    let profile = context.app_armor_profile.as_ref();
    let seccomp = context.seccomp_profile.as_ref();
    let labels = context.se_linux_options.as_ref();
    let other_labels = labels.is_some_and(|it| {
        let is_other = |kind: &String| !kind.is_empty() && !SE_LINUX_TYPES.contains(&kind.as_str());
        it.type_.as_ref().is_some_and(is_other) || it.user.is_some() || it.role.is_some()
    });
    let of_host = context.windows_options.as_ref();
    let flags = [
        (context.privileged == Some(true), "privileged"),
        (
            profile.is_some_and(|it| it.type_ == "Unconfined"),
            "apparmor unconfined",
        ),
        (
            seccomp.is_some_and(|it| it.type_ == "Unconfined"),
            "seccomp unconfined",
        ),
        (other_labels, "SELinux labels"),
        (
            context
                .proc_mount
                .as_ref()
                .is_some_and(|it| it != "Default"),
            "procMount",
        ),
        (
            of_host.is_some_and(|it| it.host_process == Some(true)),
            "hostProcess",
        ),
    ];
    let flags = flags.into_iter().filter(|(is_set, _)| *is_set);
    names.extend(flags.map(|(_, name)| name.to_owned()));
    names
}

/// Returns what gives the pod a volume of its node.
fn host_path(cx: &Context<'_>, spec: &PodSpec) -> Option<FieldPath> {
    let mut of_pod = spec.volumes.iter().flatten();
    of_pod.find(|volume| volume.host_path.is_some())?;
    let definition = cx.task_definition;
    let of_definition = definition.volumes.iter().find_map(|volume| {
        let path = FieldPath::root(Subject::TaskDefinition)
            .field("volumes")
            .index(volume.index);
        match volume.source {
            VolumeSource::HostPath { .. } => Some(path.field("host").field("sourcePath")),
            VolumeSource::NodeDirectory { .. } => {
                Some(path.field("dockerVolumeConfiguration").field("scope"))
            }
            _ => None,
        }
    });
    of_definition.or_else(|| {
        definition.containers.iter().find_map(|container| {
            let path = path(container.index);
            if !container.devices.mounts.is_empty() {
                return Some(path.field("linuxParameters").field("devices"));
            }
            let router = container.firelens.is_some();
            router.then(|| path.field("firelensConfiguration").field("type"))
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::translate::testing::Scenario;

    /// Returns the reports about a service whose task definition and container have these members.
    fn found(members: &str, container: &str) -> Vec<String> {
        let scenario = Scenario::service(format!(
            r#"{{"family": "web", {members} "containerDefinitions": [{{"name": "web", "image": "nginx", "memory": 64 {container}}}]}}"#
        ));
        let mut found = scenario
            .settings(|settings| settings.allow_host_devices = true)
            .run()
            .messages();
        found.retain(|line| line.contains("PrivilegedNamespaceNeeded"));
        found
    }

    #[test]
    fn what_the_standard_forbids_is_named() {
        let at = "containerDefinitions[0]";
        for (members, container, place, what) in [
            (
                r#""networkMode": "host", "pidMode": "host", "ipcMode": "host","#,
                r#", "privileged": true"#,
                "networkMode",
                "networkMode host, pidMode host, ipcMode host, privileged",
            ),
            (
                r#""volumes": [{"name": "a"}, {"name": "b", "host": {"sourcePath": "/srv"}}],"#,
                "",
                "volumes[1].host.sourcePath",
                "hostPath volumes",
            ),
            (
                r#""volumes": [{"name": "b", "dockerVolumeConfiguration": {"scope": "shared"}}],"#,
                "",
                "volumes[0].dockerVolumeConfiguration.scope",
                "hostPath volumes",
            ),
            (
                "",
                r#", "portMappings": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}]"#,
                &format!("{at}.portMappings[1].hostPort"),
                "hostPort",
            ),
            (
                "",
                r#", "linuxParameters": {"capabilities": {"add": ["CHOWN", "NET_ADMIN", "SYS_PTRACE"]}}"#,
                &format!("{at}.linuxParameters.capabilities.add"),
                "capability NET_ADMIN, capability SYS_PTRACE",
            ),
            (
                "",
                r#", "dockerSecurityOptions": ["apparmor:unconfined", "seccomp:unconfined", "label:user:u"]"#,
                &format!("{at}.dockerSecurityOptions"),
                "apparmor unconfined, seccomp unconfined, SELinux labels",
            ),
            (
                "",
                r#", "systemControls": [{"namespace": "net.core.somaxconn", "value": "1024"}]"#,
                &format!("{at}.systemControls[0].namespace"),
                "sysctl net.core.somaxconn",
            ),
            (
                "",
                r#", "linuxParameters": {"devices": [{"hostPath": "/dev/fuse"}]}"#,
                &format!("{at}.privileged"),
                "privileged, hostPath volumes",
            ),
            (
                "",
                r#", "firelensConfiguration": {"type": "fluentbit"}"#,
                &format!("{at}.firelensConfiguration.type"),
                "hostPath volumes",
            ),
        ] {
            let found = found(members, container);
            let begin = format!("{place}: PrivilegedNamespaceNeeded: ");
            let middle = format!("because of {what};");
            let fits = |line: &String| line.starts_with(&begin) && line.contains(&middle);
            assert!(found.len() == 1 && found.iter().all(fits), "{found:?}");
        }
    }

    #[test]
    fn what_the_standard_allows_is_not() {
        for (members, container) in [
            (
                r#""pidMode": "task","#,
                r#", "portMappings": [{"containerPort": 80}]"#,
            ),
            (
                r#""volumes": [{"name": "a"}],"#,
                r#", "linuxParameters": {"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}}"#,
            ),
            (
                "",
                r#", "dockerSecurityOptions": ["apparmor:shop", "label:type:container_t", "no-new-privileges"]"#,
            ),
            (
                "",
                r#", "systemControls": [{"namespace": "net.ipv4.tcp_syncookies", "value": "1"}]"#,
            ),
        ] {
            assert_eq!(found(members, container), [""; 0]);
        }
    }
}
