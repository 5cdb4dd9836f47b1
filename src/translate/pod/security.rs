//! User, privileges, security options, ulimits and the namespaces of processes.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::{
    AppArmorProfile, Capabilities, SELinuxOptions, SeccompProfile, SecurityContext,
};

use super::{Draft, container::path};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::{Context, LABEL_LENGTH, kname},
    validate::{AppArmor, NamespaceMode, OperatingSystem, Security, Ulimit},
};

/// The annotation from which the NRI plugin `ulimit-adjuster` reads the limits of a container
/// (<https://github.com/containerd/nri/tree/main/plugins/ulimit-adjuster>).
const ULIMITS: &str = "ulimits.noderesource.dev/container.";

/// Adds security contexts, ulimits and namespaces.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    namespaces(cx, draft, notes);
    let seccomp = Seccomp::of(cx);
    if seccomp == Seccomp::Pod {
        let context = draft.spec.security_context.get_or_insert_default();
        context.seccomp_profile = Some(seccomp_profile("RuntimeDefault"));
    }
    let mut plugin_missing = !cx.settings.ulimit_adjuster;
    for source in &cx.task_definition.containers {
        let mut context = security_context(&source.security);
        context.seccomp_profile = seccomp.of_container(&source.security);
        if let Some(container) = draft.container_mut(source.index) {
            container.security_context = (context != SecurityContext::default()).then_some(context);
        }
        let ulimits = &source.security.ulimits;
        if !ulimits.is_empty() {
            let name = format!("{ULIMITS}{}", kname(&source.name, LABEL_LENGTH));
            draft.annotations.insert(name, ulimit_list(ulimits));
            // It is the same plugin for all containers.
            if std::mem::take(&mut plugin_missing) {
                let path = path(source.index).field("ulimits");
                notes.report(path, Message::UlimitsNeedNriPlugin);
            }
        }
    }
}

/// Where the seccomp profile is set.
///
/// Docker filters system calls unless a container is privileged or requests no filter
/// (<https://docs.docker.com/engine/security/seccomp/>); a kubelet does not filter by default, and never for a
/// privileged container (<https://kubernetes.io/docs/tutorials/security/seccomp/>).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seccomp {
    /// In the pod.
    Pod,
    /// In each container.
    Containers,
    /// Nowhere: Windows has no seccomp.
    Nowhere,
}

impl Seccomp {
    fn of(cx: &Context<'_>) -> Self {
        let definition = cx.task_definition;
        let is_other = |security: &Security| security.privileged || security.seccomp_unconfined;
        if matches!(definition.platform.os, Some(OperatingSystem::Windows(_))) {
            Self::Nowhere
        } else if definition
            .containers
            .iter()
            .any(|it| is_other(&it.security))
        {
            Self::Containers
        } else {
            Self::Pod
        }
    }

    fn of_container(self, security: &Security) -> Option<SeccompProfile> {
        if self != Self::Containers || security.privileged {
            return None;
        }
        Some(seccomp_profile(if security.seccomp_unconfined {
            "Unconfined"
        } else {
            "RuntimeDefault"
        }))
    }
}

fn seccomp_profile(kind: &str) -> SeccompProfile {
    SeccompProfile {
        type_: kind.to_owned(),
        localhost_profile: None,
    }
}

fn security_context(security: &Security) -> SecurityContext {
    let Security {
        privileged,
        read_only_root,
        user,
        no_new_privileges,
        app_armor,
        // Set later, when the profiles of all containers are known.
        seccomp_unconfined: _,
        se_linux,
        linux,
        ulimits: _,
        system_controls: _,
    } = security;
    let list = |names: &[String]| (!names.is_empty()).then(|| names.to_vec());
    let capabilities = Capabilities {
        add: list(&linux.added_capabilities),
        drop: list(&linux.dropped_capabilities),
    };
    let label = |part: &str| se_linux.get(part).cloned();
    SecurityContext {
        privileged: privileged.then_some(true),
        read_only_root_filesystem: read_only_root.then_some(true),
        run_as_user: user.map(|user| user.uid),
        run_as_group: user.and_then(|user| user.gid),
        capabilities: (capabilities != Capabilities::default()).then_some(capabilities),
        allow_privilege_escalation: no_new_privileges.then_some(false),
        app_armor_profile: app_armor.as_ref().map(app_armor_profile),
        se_linux_options: (!se_linux.is_empty()).then(|| SELinuxOptions {
            user: label("user"),
            role: label("role"),
            type_: label("type"),
            level: label("level"),
        }),
        ..SecurityContext::default()
    }
}

fn app_armor_profile(profile: &AppArmor) -> AppArmorProfile {
    let (kind, name) = match profile {
        AppArmor::Unconfined => ("Unconfined", None),
        AppArmor::RuntimeDefault => ("RuntimeDefault", None),
        AppArmor::Localhost(name) => ("Localhost", Some(name.clone())),
    };
    AppArmorProfile {
        type_: kind.to_owned(),
        localhost_profile: name,
    }
}

/// Translates `pidMode`, `ipcMode` and `initProcessEnabled`: the pause process of a shared namespace reaps zombies.
fn namespaces(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let definition = cx.task_definition;
    let several = definition.containers.len() > 1;
    let host_pid = definition.pid_mode == Some(NamespaceMode::Host);
    draft.spec.host_pid = host_pid.then_some(true);
    draft.spec.host_ipc = (definition.ipc_mode == Some(NamespaceMode::Host)).then_some(true);
    let mut shared = definition.pid_mode == Some(NamespaceMode::Task);
    for source in &definition.containers {
        if !source.security.linux.init_process {
            continue;
        }
        let path = path(source.index)
            .field("linuxParameters")
            .field("initProcessEnabled");
        if host_pid {
            notes.report(path, Message::InitProcessNotNeeded);
            continue;
        }
        // In ECS, a shared namespace also has a pause process.
        if definition.pid_mode.is_none() {
            notes.report(path.clone(), Message::ProcessOneIsThePause);
        }
        if several && !shared {
            notes.report(path, Message::InitProcessSharesPidNamespace);
        }
        shared = true;
    }
    draft.spec.share_process_namespace = (shared && !host_pid).then_some(true);
    // The only container of a pod shares nothing.
    if several && definition.ipc_mode == Some(NamespaceMode::None) {
        let path = FieldPath::root(Subject::TaskDefinition).field("ipcMode");
        notes.report(path, Message::IpcNamespaceShared);
    }
}

/// Returns the list as YAML. The plugin reads unsigned numbers, and the maximum means no limit.
fn ulimit_list(ulimits: &[Ulimit]) -> String {
    let mut list = String::new();
    for Ulimit { name, soft, hard } in ulimits {
        let number = |limit: i64| u64::try_from(limit).unwrap_or(u64::MAX);
        let (kind, soft, hard) = (name.to_ascii_uppercase(), number(*soft), number(*hard));
        // Writing to a String cannot fail.
        let _ = writeln!(
            list,
            "- type: RLIMIT_{kind}\n  soft: {soft}\n  hard: {hard}"
        );
    }
    list
}

#[cfg(test)]
mod tests {
    use crate::translate::testing::{Scenario, yaml};

    const EC2: &str = r#""cpu": "256""#;
    const FARGATE: &str = r#""networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512""#;
    const WINDOWS: &str =
        r#""runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}"#;

    /// Returns a service whose task definition has `members` and a container with these members.
    fn web(members: &str, container: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", {members}, "containerDefinitions": [{{"name": "web", "image": "nginx", "memory": 64, {container}}}]}}"#
        ))
    }

    /// Returns a service of two containers, both with these members.
    fn two(members: &str, container: &str) -> Scenario {
        let [a, b] = ["a", "b"].map(|name| {
            format!(r#"{{"name": "{name}", "image": "i", "memory": 64, {container}}}"#)
        });
        Scenario::service(format!(
            r#"{{"family": "web", {members}, "containerDefinitions": [{a}, {b}]}}"#
        ))
    }

    #[test]
    fn system_calls_are_filtered_as_docker_filters_them() {
        let found = |members: &str, more: &str| {
            let outcome = Scenario::service(format!(
                r#"{{"family": "web", {members}, "containerDefinitions": [
                {{"name": "web", "image": "nginx", "memory": 64}}, {{"name": "more", "image": "nginx", "memory": 64 {more}}}]}}"#
            ))
            .run();
            let of = |name: &str| {
                outcome.container(name)["securityContext"]["seccompProfile"]["type"].clone()
            };
            let pod = &outcome.pod_spec()["securityContext"]["seccompProfile"]["type"];
            (pod.clone(), of("web"), of("more"))
        };
        let (none, default) = (yaml("null"), yaml("RuntimeDefault"));
        assert_eq!(
            found(EC2, ""),
            (default.clone(), none.clone(), none.clone())
        );
        assert_eq!(
            found(EC2, r#", "privileged": true"#),
            (none.clone(), default.clone(), none.clone())
        );
        assert_eq!(
            found(EC2, r#", "dockerSecurityOptions": ["seccomp=unconfined"]"#),
            (none.clone(), default, yaml("Unconfined"))
        );
        assert_eq!(found(WINDOWS, ""), (none.clone(), none.clone(), none));
    }

    #[test]
    fn containers_have_their_security_context() {
        for (container, context) in [
            (r#""privileged": true"#, "{privileged: true}"),
            (
                r#""privileged": false, "readonlyRootFilesystem": true"#,
                "{readOnlyRootFilesystem: true}",
            ),
            (r#""readonlyRootFilesystem": false"#, "null"),
            (r#""user": "1000""#, "{runAsUser: 1000}"),
            (
                r#""user": "1000:2000""#,
                "{runAsUser: 1000, runAsGroup: 2000}",
            ),
            (r#""user": "root""#, "{runAsUser: 0}"),
            (
                r#""linuxParameters": {"capabilities": {"add": ["NET_ADMIN", "SYS_ADMIN"], "drop": ["ALL"]}},
                "dockerSecurityOptions": ["no-new-privileges"]"#,
                "{allowPrivilegeEscalation: false, capabilities: {add: [NET_ADMIN, SYS_ADMIN], drop: [ALL]}}",
            ),
            (
                r#""dockerSecurityOptions": ["apparmor:shop", "label:level:s0:c1,c2", "label:type:svirt_t"]"#,
                "{appArmorProfile: {type: Localhost, localhostProfile: shop}, seLinuxOptions: {level: 's0:c1,c2', type: svirt_t}}",
            ),
            (
                r#""dockerSecurityOptions": ["apparmor:unconfined"]"#,
                "{appArmorProfile: {type: Unconfined}}",
            ),
            (
                r#""dockerSecurityOptions": ["apparmor:docker-default"]"#,
                "{appArmorProfile: {type: RuntimeDefault}}",
            ),
        ] {
            let outcome = web(EC2, container).run();
            let found = &outcome.container("web")["securityContext"];
            assert_eq!(*found, yaml(context), "{container}");
        }
        let traced = r#""linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"], "drop": ["NET_RAW"]}}, "privileged": false"#;
        assert_eq!(
            web(FARGATE, traced).run().container("web")["securityContext"],
            yaml("{capabilities: {add: [SYS_PTRACE], drop: [NET_RAW]}}")
        );
    }

    #[test]
    fn what_cannot_be_is_rejected() {
        for (members, container, rejection) in [
            (
                EC2,
                r#""user": "nginx""#,
                "user: NamedUserUnsupported: Kubernetes needs numeric IDs, and the ID of nginx is not known; pass --user nginx=UID[:GID], or replace the name by its number in the image",
            ),
            (
                FARGATE,
                r#""privileged": true"#,
                "privileged: FargatePrivileged: Fargate cannot run privileged containers; remove privileged, or use EC2 capacity",
            ),
            (
                EC2,
                r#""dockerSecurityOptions": ["no-new-privileges", "seccomp=x"]"#,
                "dockerSecurityOptions[1]: SecurityOptionUnsupported: security option seccomp=x cannot be translated; remove it, or set it for the whole node",
            ),
            (
                EC2,
                r#""privileged": true, "dockerSecurityOptions": ["label:disable"]"#,
                "dockerSecurityOptions[0]: SecurityOptionUnsupported: security option label:disable cannot be translated; remove it, or set it for the whole node",
            ),
            (
                EC2,
                r#""dockerSecurityOptions": ["credentialspec:file://x.json"]"#,
                "dockerSecurityOptions[0]: GmsaUnsupported: Kubernetes has gMSA for Windows containers only; fetch the Kerberos tickets in the container or in a sidecar, such as by kinit with a keytab from a secret; for a Windows image, set runtimePlatform.operatingSystemFamily",
            ),
            (
                EC2,
                r#""privileged": true, "dockerSecurityOptions": ["no-new-privileges"]"#,
                "dockerSecurityOptions[0]: SecurityOptionConflict: no-new-privileges cannot be combined with privileged; remove one of them",
            ),
            (
                FARGATE,
                r#""dockerSecurityOptions": ["no-new-privileges", "apparmor:x"]"#,
                "dockerSecurityOptions: FargateUnsupportedParameter: dockerSecurityOptions is not supported on Fargate; remove it, or use EC2 capacity",
            ),
            (
                EC2,
                r#""ulimits": [{"name": "nofile", "softLimit": 2, "hardLimit": 1}]"#,
                "ulimits[0].softLimit: InvalidValue: 2: must not exceed the hard limit 1",
            ),
            (
                EC2,
                r#""ulimits": [{"name": "memlock", "softLimit": -1, "hardLimit": 1}]"#,
                "ulimits[0].softLimit: InvalidValue: -1: must not exceed the hard limit 1",
            ),
        ] {
            assert_eq!(
                web(members, container).rejections(),
                [format!("containerDefinitions[0].{rejection}")]
            );
        }
    }

    #[test]
    fn windows_has_none_of_dockers_security_options() {
        for (members, container, rejection) in [
            (
                WINDOWS,
                r#""dockerSecurityOptions": ["credentialspec:file://x.json"]"#,
                "dockerSecurityOptions[0]: GmsaCredentialSpecUnknown: the GMSACredentialSpec that was made from file://x.json is not known; create it from the credential spec, and pass --gmsa-credential-spec file://x.json=NAME",
            ),
            (
                WINDOWS,
                r#""dockerSecurityOptions": ["no-new-privileges"]"#,
                "dockerSecurityOptions[0]: WindowsUnsupportedParameter: security option no-new-privileges is not supported for Windows containers; remove it, or set operatingSystemFamily to LINUX if the task is for Linux",
            ),
        ] {
            assert_eq!(
                web(members, container).rejections(),
                [format!("containerDefinitions[0].{rejection}")]
            );
        }
    }

    #[test]
    fn windows_has_none_of_what_is_linux_alone() {
        let container = r#""disableNetworking": true, "dnsSearchDomains": ["a"], "dnsServers": ["not an address"],
            "extraHosts": [{"hostname": "a_b", "ipAddress": "host-gateway"}], "linuxParameters": {"initProcessEnabled": true},
            "links": ["web_1:a_b"], "privileged": true, "readonlyRootFilesystem": true,
            "systemControls": [{"namespace": "net.core.somaxconn", "value": "1"}],
            "ulimits": [{"name": "nofile", "softLimit": 2, "hardLimit": 1}], "user": "ContainerUser""#;
        let members = format!(r#"{WINDOWS}, "pidMode": "task", "ipcMode": "task""#);
        let field = |field: &str| {
            format!(
                "containerDefinitions[0].{field}: WindowsUnsupportedParameter: {field} is not supported for Windows containers; remove it, or set operatingSystemFamily to LINUX if the task is for Linux"
            )
        };
        let mut expected: Vec<String> = [
            "disableNetworking",
            "dnsSearchDomains",
            "dnsServers",
            "extraHosts",
            "links",
            "linuxParameters",
            "privileged",
            "readonlyRootFilesystem",
            "systemControls",
            "ulimits",
            "user",
        ]
        .map(field)
        .to_vec();
        expected.extend(["ipcMode", "pidMode"].map(|field| {
            format!("{field}: WindowsUnsupportedParameter: {field} is not supported for Windows containers; remove it, or set operatingSystemFamily to LINUX if the task is for Linux")
        }));
        let rejections = web(&members, container).rejections();
        let found: Vec<&String> = rejections
            .iter()
            .filter(|line| !line.contains("UnknownContainer"))
            .collect();
        assert_eq!(found, expected.iter().collect::<Vec<_>>());
        let plain = r#""disableNetworking": false, "privileged": false, "readonlyRootFilesystem": false, "interactive": true"#;
        let outcome = web(WINDOWS, plain).run();
        assert!(outcome.container("web")["securityContext"].is_null());
    }

    #[test]
    fn ulimits_are_an_annotation() {
        let outcome = web(
            EC2,
            r#""ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}, {"name": "memlock", "softLimit": -1, "hardLimit": -1}]"#,
        )
        .run();
        let annotation =
            &outcome.pod()["metadata"]["annotations"]["ulimits.noderesource.dev/container.web"];
        assert_eq!(
            annotation.as_str(),
            Some(
                "- type: RLIMIT_NOFILE\n  soft: 1024\n  hard: 4096\n- type: RLIMIT_MEMLOCK\n  soft: 18446744073709551615\n  hard: 18446744073709551615\n"
            )
        );
        for (name, max) in [("x".repeat(54), 53), ("X".repeat(45), 44)] {
            let limits = r#""ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 1}]"#;
            let text = |name: &str| {
                Scenario::service(format!(
                    r#"{{"family": "web", "containerDefinitions": [{{"name": "{name}", "image": "i", "memory": 64, {limits}}}]}}"#
                ))
            };
            assert_eq!(
                text(&name).rejections(),
                [format!(
                    "containerDefinitions[0].ulimits: InvalidValue: {name}: the name of a container with ulimits must have at most {max} characters here"
                )]
            );
            let outcome = text(&name[1..]).run();
            let annotations = outcome.pod()["metadata"]["annotations"]
                .as_object()
                .expect("one");
            let key = annotations.keys().find(|key| key.starts_with("ulimits"));
            let (_, key) = key.and_then(|key| key.split_once('/')).expect("a prefix");
            assert_eq!(key.len(), 63);
        }
    }

    #[test]
    fn the_plugin_for_ulimits_is_missed_once() {
        let limits = r#""ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 1}]"#;
        let missed = |scenario: Scenario| {
            let lines = scenario.run().notes().into_iter();
            lines
                .filter(|line| line.contains("UlimitsNeedNriPlugin"))
                .collect::<Vec<_>>()
        };
        let at = "containerDefinitions[0].ulimits: UlimitsNeedNriPlugin";
        assert_eq!(missed(two(EC2, limits)), [at]);
        let known = two(EC2, limits).settings(|settings| settings.ulimit_adjuster = true);
        assert_eq!(missed(known), [""; 0]);
    }

    /// Checks `shareProcessNamespace`, `hostPID` and `hostIPC` of the pod, and the notes about namespaces.
    #[track_caller]
    fn shares(scenario: &Scenario, fields: [&str; 3], notes: &[&str]) {
        let outcome = scenario.run();
        let spec = outcome.pod_spec();
        let found = ["shareProcessNamespace", "hostPID", "hostIPC"].map(|field| &spec[field]);
        assert_eq!(found, fields.map(yaml).each_ref());
        let found: Vec<String> = outcome
            .notes()
            .into_iter()
            .filter(|line| line.contains("InitProcess") || line.contains("IpcNamespace"))
            .collect();
        assert_eq!(found, notes);
    }

    #[test]
    fn an_init_process_is_the_pause_process_of_a_shared_namespace() {
        let init = r#""linuxParameters": {"initProcessEnabled": true}"#;
        let none = r#""linuxParameters": {"initProcessEnabled": false}"#;
        let at = "containerDefinitions[0].linuxParameters.initProcessEnabled";
        let shared = format!("{at}: InitProcessSharesPidNamespace");
        let not_needed = format!("{at}: InitProcessNotNeeded");
        let (task, host) = (r#""pidMode": "task""#, r#""pidMode": "host""#);
        shares(&web(EC2, init), ["true", "null", "null"], &[]);
        shares(&web(EC2, none), ["null", "null", "null"], &[]);
        shares(&two(EC2, init), ["true", "null", "null"], &[&shared]);
        shares(&two(task, init), ["true", "null", "null"], &[]);
        shares(&web(host, init), ["null", "true", "null"], &[&not_needed]);
    }

    #[test]
    fn namespaces_are_shared_as_asked() {
        let plain = r#""cpu": 1"#;
        let ipc = |mode: &str| format!(r#""ipcMode": "{mode}""#);
        let separate = "ipcMode: IpcNamespaceShared";
        shares(
            &two(r#""pidMode": "host""#, plain),
            ["null", "true", "null"],
            &[],
        );
        shares(&two(&ipc("host"), plain), ["null", "null", "true"], &[]);
        shares(&two(&ipc("task"), plain), ["null", "null", "null"], &[]);
        shares(
            &two(&ipc("none"), plain),
            ["null", "null", "null"],
            &[separate],
        );
        shares(&web(&ipc("none"), plain), ["null", "null", "null"], &[]);
    }

    #[test]
    fn fargate_shares_the_task_alone() {
        let plain = r#""cpu": 1"#;
        for (members, rejection) in [
            (
                r#""pidMode": "host""#,
                "pidMode: FargatePidMode: Fargate only allows pidMode task; set pidMode: task, or use EC2 capacity",
            ),
            (
                r#""ipcMode": "task""#,
                "ipcMode: FargateUnsupportedParameter: ipcMode is not supported on Fargate; remove it, or use EC2 capacity",
            ),
        ] {
            let members = format!("{FARGATE}, {members}");
            assert_eq!(web(&members, plain).rejections(), [rejection]);
        }
        let task = web(&format!(r#"{FARGATE}, "pidMode": "task""#), plain).run();
        assert_eq!(task.pod_spec()["shareProcessNamespace"], yaml("true"));
    }
}
