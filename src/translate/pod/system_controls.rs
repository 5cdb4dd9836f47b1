//! Kernel parameters of the pod.

use k8s_openapi::api::core::v1::{PodSecurityContext, Sysctl};

use super::{Draft, container::path};
use crate::{
    diagnostic::{Diagnostics, Message},
    translate::Context,
    validate::SystemControl,
};

/// The parameters that every kubelet allows by default
/// (<https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/>).
const SAFE: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// Whether every kubelet and the Pod Security Standard `baseline` allow a parameter.
pub(super) fn is_safe(name: &str) -> bool {
    SAFE.contains(&name)
}

/// Adds the kernel parameters. A pod has one value for each; the last container has precedence, as in ECS.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let mut sysctls: Vec<Sysctl> = Vec::new();
    for source in &cx.task_definition.containers {
        for control in &source.security.system_controls {
            let SystemControl { index, name, value } = control;
            let path = path(source.index).field("systemControls").index(*index);
            let (name, value) = (name.clone(), value.clone());
            if let Some(other) = sysctls.iter_mut().find(|sysctl| sysctl.name == name) {
                if other.value != value {
                    other.value = value;
                    notes.report(path.field("value"), Message::SysctlConflict { name });
                }
                continue;
            }
            if !is_safe(&name) {
                let name = name.clone();
                notes.report(path.field("namespace"), Message::UnsafeSysctl { name });
            }
            sysctls.push(Sysctl { name, value });
        }
    }
    if !sysctls.is_empty() {
        draft
            .spec
            .security_context
            .get_or_insert_with(PodSecurityContext::default)
            .sysctls = Some(sysctls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::testing::{Scenario, yaml};

    /// Returns a service whose task definition has `members` and containers with these `systemControls`.
    fn service(members: &str, controls: &[&str]) -> Scenario {
        let containers: Vec<String> = controls
            .iter()
            .enumerate()
            .map(|(index, controls)| {
                format!(
                    r#"{{"name": "c{index}", "image": "i", "memory": 64, "systemControls": [{controls}]}}"#
                )
            })
            .collect();
        let containers = containers.join(",");
        Scenario::service(format!(
            r#"{{"family": "web", {members}, "containerDefinitions": [{containers}]}}"#
        ))
    }

    fn control(name: &str, value: &str) -> String {
        format!(r#"{{"namespace": "{name}", "value": "{value}"}}"#)
    }

    #[test]
    fn the_last_value_of_a_parameter_is_the_pods() {
        let first = format!(
            "{}, {}",
            control("net.ipv4.tcp_syncookies", "0"),
            control("net.core.somaxconn", "1024")
        );
        let second = format!(
            "{}, {}",
            control("net.ipv4.tcp_syncookies", "1"),
            control("net/core/somaxconn", "1024")
        );
        let outcome = service(r#""cpu": "256""#, &[&first, &second]).run();
        assert_eq!(
            outcome.pod_spec()["securityContext"],
            yaml(
                "{seccompProfile: {type: RuntimeDefault}, sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}, {name: net.core.somaxconn, value: '1024'}]}"
            )
        );
        let sysctls: Vec<String> = outcome
            .messages()
            .into_iter()
            .filter(|line| line.contains("Sysctl"))
            .collect();
        assert_eq!(
            sysctls,
            [
                "containerDefinitions[0].systemControls[1].namespace: UnsafeSysctl: pods do not start on nodes whose kubelet does not allow net.core.somaxconn, and are replaced endlessly; set allowedUnsafeSysctls: [net.core.somaxconn] in the kubelet configuration of the nodes, or remove it",
                "containerDefinitions[1].systemControls[0].value: SysctlConflict: net.ipv4.tcp_syncookies is set by two containers, and the value of the last one is used; set it once",
            ]
        );
    }

    #[test]
    fn safe_parameters_need_no_permission() {
        for name in SAFE {
            let outcome = service(r#""cpu": "256""#, &[&control(name, "1")]).run();
            assert!(outcome.warnings().is_empty(), "{name}");
        }
        let all: Vec<String> = SAFE.iter().map(|name| control(name, "1")).collect();
        let outcome = service(r#""cpu": "256""#, &[&all.join(",")]).run();
        let sysctls = outcome.pod_spec()["securityContext"]["sysctls"].as_array();
        assert_eq!(sysctls.map(Vec::len), Some(12));
    }

    #[test]
    fn parameters_that_a_pod_cannot_have_are_rejected() {
        let at = "containerDefinitions[0].systemControls[0]";
        for (members, control, rejection) in [
            (
                r#""networkMode": "host""#,
                control("net.core.somaxconn", "1"),
                "namespace: SysctlWithHostNetwork: net.* sysctls cannot be set with the host network; set it on the nodes, or use networkMode awsvpc",
            ),
            (
                r#""ipcMode": "host""#,
                control("kernel.shmmax", "1"),
                "namespace: InvalidValue: kernel.shmmax: cannot be set with ipcMode host",
            ),
            (
                r#""cpu": "256""#,
                control("vm.max_map_count", "262144"),
                "namespace: InvalidValue: vm.max_map_count: a container has only net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm*; set it on the nodes",
            ),
            (
                r#""cpu": "256""#,
                control("net.Core somaxconn", "1"),
                "namespace: InvalidValue: net.Core somaxconn: must be a kernel parameter such as net.core.somaxconn",
            ),
            (
                r#""cpu": "256""#,
                r#"{"value": "1"}"#.to_owned(),
                "namespace: RequiredField: namespace is required",
            ),
            (
                r#""cpu": "256""#,
                r#"{"namespace": "net.core.somaxconn"}"#.to_owned(),
                "value: RequiredField: value is required",
            ),
        ] {
            assert_eq!(
                service(members, &[&control]).rejections(),
                [format!("{at}.{rejection}")]
            );
        }
        let shared = service(
            r#""networkMode": "host""#,
            &[&control("kernel.shmmax", "1")],
        )
        .run();
        assert!(shared.has("UnsafeSysctl"));
    }
}
