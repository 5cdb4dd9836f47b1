//! File systems in memory and swap.

use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, Volume, VolumeMount};

use super::{Draft, container::path};
use crate::{
    diagnostic::{Diagnostics, Message},
    translate::{Context, LABEL_LENGTH, kname, mebibytes},
    validate::{Container, LinuxParameters, Security, Tmpfs},
};

/// Adds volumes in memory, and reports differences of swap.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    for source in &cx.task_definition.containers {
        let LinuxParameters {
            // Part of the security context.
            added_capabilities: _,
            dropped_capabilities: _,
            init_process: _,
            shared_memory_mib,
            tmpfs,
            max_swap_mib,
            swappiness,
        } = &source.security.linux;
        if let Some(size_mib) = *shared_memory_mib {
            let volume = MemoryVolume {
                suffix: "shm".to_owned(),
                mount_path: "/dev/shm",
                size_mib,
                read_only: false,
            };
            volume.add(cx, source, draft);
        }
        for file_system in tmpfs {
            add_tmpfs(cx, source, file_system, draft, notes);
        }
        report_swap(source, *max_swap_mib, *swappiness, notes);
    }
}

fn add_tmpfs(
    cx: &Context<'_>,
    source: &Container,
    file_system: &Tmpfs,
    draft: &mut Draft,
    notes: &mut Diagnostics,
) {
    let Tmpfs {
        index,
        container_path,
        size_mib,
        read_only,
        other_options,
    } = file_system;
    let volume = MemoryVolume {
        suffix: format!("tmpfs-{index}"),
        mount_path: container_path,
        size_mib: *size_mib,
        read_only: *read_only,
    };
    volume.add(cx, source, draft);
    let at = path(source.index)
        .field("linuxParameters")
        .field("tmpfs")
        .index(*index)
        .field("mountOptions");
    for (option, value) in other_options {
        if has_no_effect(value, &source.security) {
            continue;
        }
        let value = value.clone();
        notes.report(at.index(*option), Message::TmpfsOptionsIgnored { value });
    }
}

/// Whether something else already prevents what a mount option prevents: programs gain no privileges, or a container
/// uses no device but those that its runtime lists.
fn has_no_effect(option: &str, security: &Security) -> bool {
    match option {
        "nosuid" => security.no_new_privileges,
        "nodev" => !security.privileged,
        _ => false,
    }
}

/// A directory in memory. Its content counts against the container's memory limit, as in ECS.
struct MemoryVolume<'a> {
    suffix: String,
    mount_path: &'a str,
    size_mib: i64,
    read_only: bool,
}

impl MemoryVolume<'_> {
    fn add(self, cx: &Context<'_>, source: &Container, draft: &mut Draft) {
        let container = kname(&source.name, LABEL_LENGTH);
        let wanted = format!("{container}-{}", self.suffix);
        let name = draft.free_volume_name(cx, &wanted, "memory");
        draft.spec.volumes.get_or_insert_default().push(Volume {
            name: name.clone(),
            empty_dir: Some(EmptyDirVolumeSource {
                medium: Some("Memory".to_owned()),
                size_limit: Some(mebibytes(self.size_mib)),
            }),
            ..Volume::default()
        });
        let mount = VolumeMount {
            name,
            mount_path: self.mount_path.to_owned(),
            read_only: self.read_only.then_some(true),
            ..VolumeMount::default()
        };
        if let Some(container) = draft.container_mut(source.index) {
            container.volume_mounts.get_or_insert_default().push(mount);
        }
    }
}

/// Reports differences of swap. Without `maxSwap`, ECS also ignores `swappiness`.
fn report_swap(
    source: &Container,
    max_swap: Option<i64>,
    swappiness: Option<i64>,
    notes: &mut Diagnostics,
) {
    let at = path(source.index).field("linuxParameters");
    if max_swap.is_some_and(|swap| swap > 0) {
        notes.report(at.field("maxSwap"), Message::SwapNotConfigurable);
    }
    match (swappiness, max_swap) {
        (None, _) => {}
        (Some(_), None) => notes.report(at.field("swappiness"), Message::SwappinessUnused),
        (Some(_), Some(_)) => notes.report(at.field("swappiness"), Message::SwappinessIgnored),
    }
}

#[cfg(test)]
mod tests {
    use super::has_no_effect;
    use crate::{
        translate::testing::{Scenario, yaml},
        validate::Security,
    };

    const EC2: &str = r#""cpu": "256""#;
    const FARGATE: &str = r#""networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512""#;

    /// Returns a service whose task definition has `members` and a container with these `linuxParameters`.
    fn web(members: &str, parameters: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", {members}, "containerDefinitions": [{{"name": "web", "image": "nginx", "memory": 64,
            "linuxParameters": {{{parameters}}}}}]}}"#
        ))
    }

    #[test]
    fn memory_file_systems_are_volumes() {
        let outcome = web(
            EC2,
            r#""sharedMemorySize": 64, "tmpfs": [{"containerPath": "/run", "size": 1024, "mountOptions": ["ro", "noexec", "mode=1777", "nodev", "mode=0700"]},
            {"containerPath": "/tmp", "size": 1536, "mountOptions": ["rw", "defaults"]}]"#,
        )
        .run();
        assert_eq!(
            outcome.pod_spec()["volumes"],
            yaml(
                "[{name: web-shm, emptyDir: {medium: Memory, sizeLimit: 64Mi}},
                {name: web-tmpfs-0, emptyDir: {medium: Memory, sizeLimit: 1Gi}},
                {name: web-tmpfs-1, emptyDir: {medium: Memory, sizeLimit: 1536Mi}}]"
            )
        );
        assert_eq!(
            outcome.container("web")["volumeMounts"],
            yaml(
                "[{name: web-shm, mountPath: /dev/shm}, {name: web-tmpfs-0, mountPath: /run, readOnly: true}, {name: web-tmpfs-1, mountPath: /tmp}]"
            )
        );
        let at = "containerDefinitions[0].linuxParameters.tmpfs[0].mountOptions";
        assert_eq!(
            outcome.warnings(),
            [
                format!("{at}[1]: TmpfsOptionsIgnored"),
                format!("{at}[4]: TmpfsOptionsIgnored")
            ]
        );
        let fargate = web(
            FARGATE,
            r#""tmpfs": [{"containerPath": "/run", "size": 1}]"#,
        )
        .run();
        assert_eq!(fargate.pod_spec()["volumes"][0]["name"], "web-tmpfs-0");
    }

    #[test]
    fn options_that_something_else_enforces_are_no_difference() {
        let security = |privileged, no_new_privileges| Security {
            privileged,
            no_new_privileges,
            ..Security::default()
        };
        for (option, privileged, no_new_privileges, expected) in [
            ("nosuid", false, true, true),
            ("nosuid", false, false, false),
            ("nodev", false, false, true),
            ("nodev", true, false, false),
            ("noexec", false, true, false),
        ] {
            let security = security(privileged, no_new_privileges);
            assert_eq!(has_no_effect(option, &security), expected, "{option}");
        }
    }

    #[test]
    fn volumes_in_memory_have_names_of_their_own() {
        let volumes = r#""volumes": [{"name": "web-shm"}, {"name": "web-shm-memory"}]"#;
        let outcome = web(volumes, r#""sharedMemorySize": 64"#).run();
        let names: Vec<&str> = outcome.pod_spec()["volumes"]
            .as_array()
            .expect("volumes")
            .iter()
            .filter_map(|volume| volume["name"].as_str())
            .collect();
        assert_eq!(
            names,
            ["web-shm-memory-memory", "web-shm", "web-shm-memory"]
        );
    }

    #[test]
    fn swap_is_left_to_the_node() {
        let at = "containerDefinitions[0].linuxParameters";
        for (parameters, expected) in [
            (r#""maxSwap": 0"#, vec![]),
            (
                r#""maxSwap": 64"#,
                vec![format!("{at}.maxSwap: SwapNotConfigurable")],
            ),
            (
                r#""maxSwap": 64, "swappiness": 10"#,
                vec![
                    format!("{at}.maxSwap: SwapNotConfigurable"),
                    format!("{at}.swappiness: SwappinessIgnored"),
                ],
            ),
            (
                r#""swappiness": 10"#,
                vec![format!("{at}.swappiness: SwappinessUnused")],
            ),
        ] {
            let notes: Vec<String> = web(EC2, parameters)
                .run()
                .notes()
                .into_iter()
                .filter(|line| line.contains("Swap"))
                .collect();
            assert_eq!(notes, expected, "{parameters}");
        }
    }

    #[test]
    fn what_cannot_be_is_rejected() {
        for (members, parameters, rejection) in [
            (
                FARGATE,
                r#""capabilities": {"add": ["SYS_PTRACE", "NET_ADMIN"]}"#,
                "capabilities.add[1]: FargateCapability: Fargate only allows adding SYS_PTRACE, not NET_ADMIN; remove it, or use EC2 capacity",
            ),
            (
                FARGATE,
                r#""sharedMemorySize": 64"#,
                "sharedMemorySize: FargateUnsupportedParameter: sharedMemorySize is not supported on Fargate; remove it, or use EC2 capacity",
            ),
            (
                FARGATE,
                r#""maxSwap": 64"#,
                "maxSwap: FargateUnsupportedParameter: maxSwap is not supported on Fargate; remove it, or use EC2 capacity",
            ),
            (
                FARGATE,
                r#""swappiness": 60"#,
                "swappiness: FargateUnsupportedParameter: swappiness is not supported on Fargate; remove it, or use EC2 capacity",
            ),
            (
                EC2,
                r#""capabilities": {"add": ["CAP_NET_ADMIN"]}"#,
                "capabilities.add[0]: InvalidValue: CAP_NET_ADMIN: write NET_ADMIN",
            ),
            (
                EC2,
                r#""capabilities": {"drop": ["EVERYTHING"]}"#,
                "capabilities.drop[0]: InvalidValue: EVERYTHING: must be a Linux capability without CAP_, such as NET_ADMIN",
            ),
            (
                EC2,
                r#""tmpfs": [{"containerPath": "/a", "size": 1}, {"containerPath": "/a/", "size": 1}]"#,
                "tmpfs[1].containerPath: DuplicateMountPath: containerPath /a/ is mounted twice in container web; remove one of the mountPoints",
            ),
            (
                EC2,
                r#""sharedMemorySize": 64, "tmpfs": [{"containerPath": "/dev/shm", "size": 1}]"#,
                "tmpfs[0].containerPath: DuplicateMountPath: containerPath /dev/shm is mounted twice in container web; remove one of the mountPoints",
            ),
            (
                EC2,
                r#""tmpfs": [{"containerPath": "/a:b", "size": 1}]"#,
                "tmpfs[0].containerPath: InvalidMountPath: /a:b contains ':'; give the path alone; readOnly makes a mount read-only",
            ),
            (
                EC2,
                r#""tmpfs": [{"containerPath": "run", "size": 1}]"#,
                "tmpfs[0].containerPath: InvalidValue: run: must be an absolute path below /",
            ),
        ] {
            assert_eq!(
                web(members, parameters).rejections(),
                [format!(
                    "containerDefinitions[0].linuxParameters.{rejection}"
                )]
            );
        }
    }
}
