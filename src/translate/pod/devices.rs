//! Devices: those of the node, which are mounted, and those that device plugins allocate, which are resources.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{HostPathVolumeSource, Volume, VolumeMount};

use super::{Draft, container::path};
use crate::{
    diagnostic::{Diagnostics, Message},
    translate::Context,
    validate::{Container, DeviceKind, DeviceMount, Devices},
};

/// The resource of the NVIDIA device plugin, unless it shares or divides the GPUs under another name.
const GPU: &str = "nvidia.com/gpu";
/// The resource of the AWS Neuron device plugin.
const NEURON: &str = "aws.amazon.com/neuron";

/// Mounts devices of the node, and reports how devices differ from those of ECS.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    report_gpus(cx, notes);
    // The pod volume of each device.
    let mut volumes: BTreeMap<&str, String> = BTreeMap::new();
    for source in &cx.task_definition.containers {
        report(source, notes);
        for mount in &source.devices.mounts {
            let name = volumes
                .entry(&mount.host_path)
                .or_insert_with(|| add_volume(cx, mount, draft));
            let mount = VolumeMount {
                name: name.clone(),
                mount_path: mount.container_path.clone(),
                ..VolumeMount::default()
            };
            if let Some(container) = draft.container_mut(source.index) {
                container.volume_mounts.get_or_insert_default().push(mount);
            }
        }
    }
}

/// Adds a volume of the pod, and returns its name.
fn add_volume(cx: &Context<'_>, mount: &DeviceMount, draft: &mut Draft) -> String {
    let wanted = mount.host_path.trim_matches('/').replace('/', "-");
    let name = draft.free_volume_name(cx, &wanted, "device");
    let kind = mount.kind.map(|kind| match kind {
        DeviceKind::Character => "CharDevice",
        DeviceKind::Block => "BlockDevice",
    });
    draft.spec.volumes.get_or_insert_default().push(Volume {
        name: name.clone(),
        host_path: Some(HostPathVolumeSource {
            path: mount.host_path.clone(),
            type_: kind.map(str::to_owned),
        }),
        ..Volume::default()
    });
    name
}

/// Returns the number of GPUs and other devices of a container by resource; several settings may name the same one.
pub(super) fn of_plugins(cx: &Context<'_>, container: &Container) -> BTreeMap<String, i64> {
    let mut devices = container.devices.resources.clone();
    let counted = [
        (NEURON, container.devices.neurons),
        (gpu_resource(cx), container.resources.gpus),
    ];
    for (resource, count) in counted {
        if let Some(count) = count {
            let sum = devices.entry(resource.to_owned()).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    devices
}

/// Returns the resource by which a container gets GPUs, if it requests any, also as devices that are resources.
pub(super) fn gpu_resource_of(cx: &Context<'_>, container: &Container) -> Option<String> {
    let devices = of_plugins(cx, container);
    let resource = [gpu_resource(cx), GPU]
        .into_iter()
        .find(|resource| devices.contains_key(*resource))?;
    Some(resource.to_owned())
}

fn gpu_resource<'a>(cx: &Context<'a>) -> &'a str {
    cx.settings.gpu_resource.as_deref().unwrap_or(GPU)
}

/// Reports once that GPUs need their device plugin.
fn report_gpus(cx: &Context<'_>, notes: &mut Diagnostics) {
    let mut containers = cx.task_definition.containers.iter();
    let first = containers.find_map(|it| Some((it, gpu_resource_of(cx, it)?)));
    if let Some((first, name)) = first {
        let path = path(first.index);
        let path = if first.resources.gpus.is_some() {
            path.field("resourceRequirements")
        } else {
            path.field("linuxParameters").field("devices")
        };
        notes.report(path, Message::GpusNeedDevicePlugin { name });
    }
}

fn report(source: &Container, notes: &mut Diagnostics) {
    let Devices {
        neurons,
        // A resource of the container.
        resources: _,
        set_by_plugin,
        mounts: _,
        need_privileges,
    } = &source.devices;
    let path = path(source.index).field("linuxParameters").field("devices");
    if neurons.is_some() {
        notes.report(path.clone(), Message::NeuronDevicesByCount);
    }
    for (index, resource) in set_by_plugin {
        let resource = resource.clone();
        let message = Message::DevicePluginDecides { resource };
        notes.report(path.index(*index), message);
    }
    if *need_privileges {
        let name = source.name.clone();
        notes.report(path, Message::HostDevicePrivileged { name });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{
        settings::Settings,
        translate::testing::{Outcome, Scenario, yaml},
    };

    /// Returns a service with a container that has these members and devices.
    fn with(members: &str, devices: &str, change: impl FnOnce(&mut Settings)) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", "containerDefinitions": [{{"name": "web", "image": "nginx", "memory": 64, {members}
            "linuxParameters": {{"devices": [{devices}]}}}}]}}"#
        ))
        .settings(change)
    }

    fn plugin(settings: &mut Settings) {
        settings.devices = [
            ("/dev/fuse", "example.com/fuse"),
            ("/dev/dri/card0", "nvidia.com/gpu"),
            ("/dev/dri/card1", "nvidia.com/gpu"),
            ("/dev/neuron9", "aws.amazon.com/neuron"),
        ]
        .map(|(path, resource)| (path.to_owned(), resource.to_owned()))
        .into();
    }

    fn allowed(settings: &mut Settings) {
        settings.allow_host_devices = true;
    }

    fn volumes(outcome: &Outcome) -> (Value, Value) {
        let mounts = outcome.container("web")["volumeMounts"].clone();
        (outcome.pod_spec()["volumes"].clone(), mounts)
    }

    /// Returns the reported differences of devices.
    fn notes(outcome: &Outcome) -> Vec<String> {
        let lines = outcome.messages().into_iter();
        let at = "containerDefinitions[0].linuxParameters.devices";
        let of_devices = lines.filter_map(|line| line.strip_prefix(at).map(str::to_owned));
        of_devices
            .map(|line| line.splitn(3, ": ").take(2).collect::<Vec<_>>().join(":"))
            .collect()
    }

    #[test]
    fn a_mapped_device_is_a_resource_of_its_plugin() {
        let devices = r#"{"hostPath": "/dev/fuse"}, {"hostPath": "/dev/dri/card0"}, {"hostPath": "/dev/dri/card1"},
            {"hostPath": "/dev/neuron0"}, {"hostPath": "/dev/neuron9"}"#;
        let gpu = r#""resourceRequirements": [{"type": "GPU", "value": "1"}],"#;
        let outcome = with(gpu, devices, plugin).run();
        let expected = yaml(
            "{aws.amazon.com/neuron: '2', example.com/fuse: '1', memory: 64Mi, nvidia.com/gpu: '3'}",
        );
        let container = outcome.container("web");
        assert_eq!(container["resources"]["limits"], expected);
        assert_eq!(container["securityContext"], Value::Null);
        assert_eq!(volumes(&outcome), (Value::Null, Value::Null));
        assert_eq!(notes(&outcome), [":NeuronDevicesByCount"]);
    }

    #[test]
    fn the_plugin_decides_the_path_and_the_permissions() {
        let all = r#"{"hostPath": "/dev/fuse", "permissions": ["mknod", "write", "read"]}"#;
        let some = r#"{"hostPath": "/dev/fuse", "permissions": ["read"]}"#;
        let other = r#"{"hostPath": "/dev/fuse", "containerPath": "/dev/f"}"#;
        let outcome = with("", &[all, some, other].join(", "), plugin).run();
        assert_eq!(
            notes(&outcome),
            ["[1]:DevicePluginDecides", "[2]:DevicePluginDecides"]
        );
    }

    #[test]
    fn a_device_of_the_node_needs_a_privileged_container() {
        let devices = r#"{"hostPath": "/dev/fuse"}, {"hostPath": "/dev/xvdf", "containerPath": "/dev/disk"},
            {"hostPath": "/dev/snd"}, {"hostPath": "/dev/hidraw0", "containerPath": "/dev/key"}"#;
        let outcome = with("", devices, allowed).run();
        let context = &outcome.container("web")["securityContext"];
        assert_eq!(*context, yaml("{privileged: true}"));
        let expected = yaml(
            "
- {name: dev-fuse, hostPath: {path: /dev/fuse, type: CharDevice}}
- {name: dev-xvdf, hostPath: {path: /dev/xvdf, type: BlockDevice}}
- {name: dev-hidraw0, hostPath: {path: /dev/hidraw0}}
",
        );
        let mounts = yaml(
            "
- {name: dev-fuse, mountPath: /dev/fuse}
- {name: dev-xvdf, mountPath: /dev/disk}
- {name: dev-hidraw0, mountPath: /dev/key}
",
        );
        assert_eq!(volumes(&outcome), (expected, mounts));
        assert_eq!(notes(&outcome), [":HostDevicePrivileged"]);
    }

    #[test]
    fn a_privileged_container_has_the_devices_of_its_node() {
        let own = r#"{"hostPath": "/dev/fuse"}"#;
        let privileged = r#""privileged": true,"#;
        for change in [allowed, |_: &mut Settings| {}] {
            let outcome = with(privileged, own, change).run();
            assert_eq!(volumes(&outcome), (Value::Null, Value::Null));
            assert_eq!(notes(&outcome), [""; 0]);
        }
        let other = r#"{"hostPath": "/dev/fuse", "containerPath": "/dev/f"}"#;
        let (_, mounts) = volumes(&with(privileged, other, |_| {}).run());
        assert_eq!(mounts, yaml("[{name: dev-fuse, mountPath: /dev/f}]"));
    }

    #[test]
    fn what_cannot_be_is_rejected() {
        let at = "containerDefinitions[0]";
        for (members, devices, change, rejection) in [
            (
                "",
                r#"{"hostPath": "/dev/kvm"}"#,
                plugin as fn(&mut Settings),
                "linuxParameters.devices[0]: HostDevicesUnsupported: a pod cannot be given the host device /dev/kvm without a device plugin or a privileged container; pass --device /dev/kvm=RESOURCE with the resource of a device plugin, or --allow-host-devices, which makes the container privileged",
            ),
            (
                r#""dockerSecurityOptions": ["no-new-privileges"],"#,
                r#"{"hostPath": "/dev/kvm"}"#,
                allowed,
                "dockerSecurityOptions[0]: SecurityOptionConflict: no-new-privileges cannot be combined with privileged; remove one of them",
            ),
            (
                "",
                r#"{"hostPath": "/dev/a/../kvm", "containerPath": "/dev/kvm"}"#,
                allowed,
                "linuxParameters.devices[0].hostPath: InvalidValue: /dev/a/../kvm: an absolute path without '..' is needed",
            ),
            (
                "",
                r#"{"hostPath": "/dev/kvm"}, {"hostPath": "/dev/fuse", "containerPath": "/dev/kvm"}"#,
                allowed,
                "linuxParameters.devices[1].containerPath: DuplicateMountPath: containerPath /dev/kvm is mounted twice in container web; remove one of the mountPoints",
            ),
            (
                r#""mountPoints": [{"sourceVolume": "v", "containerPath": "/dev/kvm/"}],"#,
                r#"{"hostPath": "/dev/kvm"}"#,
                allowed,
                "mountPoints[0].containerPath: DuplicateMountPath: containerPath /dev/kvm/ is mounted twice in container web; remove one of the mountPoints",
            ),
        ] {
            let mut rejections = with(members, devices, change).rejections();
            rejections.retain(|line| !line.contains("UnknownVolume"));
            assert_eq!(rejections, [format!("{at}.{rejection}")]);
        }
    }
}
