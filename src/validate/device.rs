//! Devices of the node.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Scope,
    mount::{is_absolute, scratch_paths, wrong_path},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// The operations on a device, all of which ECS allows by default
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Device.html>).
const PERMISSIONS: [&str; 3] = ["mknod", "read", "write"];

/// Character devices (<https://www.kernel.org/doc/html/latest/admin-guide/devices.html>).
const CHARACTER_DEVICES: [&str; 6] = [
    "/dev/fuse",
    "/dev/kvm",
    "/dev/net/tun",
    "/dev/ppp",
    "/dev/vhost-net",
    "/dev/vhost-vsock",
];

/// The devices of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// The number of AWS Neuron devices that their device plugin allocates.
    pub neurons: Option<i64>,
    /// The numbers of other resources that device plugins allocate.
    pub resources: BTreeMap<String, i64>,
    /// Positions in `devices` of those with a path or permissions of their own, which the plugin of this resource
    /// ignores.
    pub set_by_plugin: Vec<(usize, String)>,
    /// The devices that are mounted from the node.
    pub mounts: Vec<DeviceMount>,
    /// Whether the container runs privileged only because of its devices.
    pub need_privileges: bool,
}

/// A device that is mounted from the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceMount {
    /// The path on the node.
    pub host_path: String,
    /// The path in the container.
    pub container_path: String,
    /// Its kind, if the path shows it.
    pub kind: Option<DeviceKind>,
}

/// A kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// It is read and written as a stream.
    Character,
    /// It is a disk or a part of one.
    Block,
}

/// Where a container gets a device.
enum Source {
    /// A device plugin allocates its resource.
    Plugin(String),
    /// The AWS Neuron device plugin allocates it.
    Neuron,
    /// It is one of the devices of the node that a privileged container has.
    Node,
    /// Nowhere.
    Missing,
}

impl Source {
    fn of(device: &ecs::Device, raw: &ecs::ContainerDefinition, scope: &Scope<'_>) -> Self {
        let path = device.host_path.as_deref().unwrap_or_default();
        let settings = scope.settings;
        if let Some(resource) = settings.devices.get(path) {
            Self::Plugin(resource.clone())
        } else if is_neuron(device) {
            Self::Neuron
        } else if raw.privileged == Some(true) || settings.allow_host_devices {
            Self::Node
        } else {
            Self::Missing
        }
    }
}

/// Validates `linuxParameters.devices` of a container.
///
/// Device plugins allocate Neuron devices, and those whose resource the settings name. All other devices exist only in
/// a privileged container, in Docker as in Kubernetes.
pub(crate) fn validate_devices(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Devices {
    let mut result = Devices::default();
    let devices = devices_of(raw);
    let path = path.field("linuxParameters").field("devices");
    if devices.is_empty() {
        return result;
    }
    if scope.fargate {
        let field = "devices".to_owned();
        sink.report(path, Message::FargateUnsupportedParameter { field });
        return result;
    }
    let mut taken: BTreeSet<&str> = scratch_paths(raw).into_iter().collect();
    for (index, device) in devices.iter().enumerate() {
        let path = path.index(index);
        match Source::of(device, raw, scope) {
            Source::Plugin(resource) => {
                let count = result.resources.entry(resource.clone()).or_default();
                *count = count.saturating_add(1);
                if !at_own_path(device) || has_other_permissions(device) {
                    result.set_by_plugin.push((index, resource));
                }
            }
            Source::Neuron => {
                let count = result.neurons.unwrap_or(0);
                result.neurons = Some(count.saturating_add(1));
            }
            Source::Node => {
                result.need_privileges |= raw.privileged != Some(true);
                if let Some(mount) = mount_of(device, raw) {
                    check_mount(&mount, raw, &mut taken, device, &path, sink);
                    result.mounts.push(mount);
                }
            }
            Source::Missing => {
                let device = device.host_path.clone().unwrap_or_default();
                sink.report(path, Message::HostDevicesUnsupported { device });
            }
        }
    }
    result
}

/// Returns the paths at which devices of the node are mounted.
pub(super) fn mounted_paths<'a>(
    raw: &'a ecs::ContainerDefinition,
    scope: &Scope<'_>,
) -> Vec<&'a str> {
    let devices = devices_of(raw).iter();
    let of_node = devices.filter(|device| {
        matches!(Source::of(device, raw, scope), Source::Node) && mount_of(device, raw).is_some()
    });
    of_node.map(inside).collect()
}

fn devices_of(raw: &ecs::ContainerDefinition) -> &[ecs::Device] {
    raw.linux_parameters
        .as_ref()
        .map_or(&[], |parameters| &parameters.devices)
}

/// Returns the mount of a device of the node, if it needs one.
///
/// A privileged container has all devices of its node at their own paths. If one is mounted there too, the kubelet checks
/// that it exists, as ECS does. This needs its kind: without a type, the container runtime creates a directory where a
/// device is missing. A container with `privileged: true` has had no such mounts, and its pod stays the same.
fn mount_of(device: &ecs::Device, raw: &ecs::ContainerDefinition) -> Option<DeviceMount> {
    let host_path = device.host_path.clone().unwrap_or_default();
    let kind = kind_of(&host_path);
    let checked = raw.privileged != Some(true) && kind.is_some();
    (checked || !at_own_path(device)).then(|| DeviceMount {
        container_path: inside(device).to_owned(),
        host_path,
        kind,
    })
}

fn check_mount<'a>(
    mount: &DeviceMount,
    raw: &ecs::ContainerDefinition,
    taken: &mut BTreeSet<&'a str>,
    device: &'a ecs::Device,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let host = &mount.host_path;
    if !is_absolute(host, false) || host.split('/').any(|part| part == "..") {
        let allowed = "an absolute path without '..' is needed".to_owned();
        let value = host.clone();
        sink.report(
            path.field("hostPath"),
            Message::InvalidValue { value, allowed },
        );
    }
    let path = path.field("containerPath");
    let value = mount.container_path.clone();
    if !taken.insert(inside(device).trim_end_matches('/')) {
        let name = raw.name.clone().unwrap_or_default();
        sink.report(path, Message::DuplicateMountPath { value, name });
    } else if let Some(message) = wrong_path(value, false) {
        sink.report(path, message);
    }
}

/// Returns the kind of a device that has the usual path.
fn kind_of(path: &str) -> Option<DeviceKind> {
    let numbered = |prefix: &str| {
        let rest = path.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let lettered = |prefix: &str| {
        let rest = path.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    let is_character = CHARACTER_DEVICES.contains(&path)
        || ["/dev/ttyACM", "/dev/ttyS", "/dev/ttyUSB", "/dev/video"]
            .into_iter()
            .any(numbered);
    if is_character {
        Some(DeviceKind::Character)
    } else if numbered("/dev/loop") || ["/dev/sd", "/dev/xvd"].into_iter().any(lettered) {
        Some(DeviceKind::Block)
    } else {
        None
    }
}

fn is_neuron(device: &ecs::Device) -> bool {
    let number = device
        .host_path
        .as_deref()
        .and_then(|path| path.strip_prefix("/dev/neuron"));
    at_own_path(device)
        && number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns the path in the container.
fn inside(device: &ecs::Device) -> &str {
    let path = device.container_path.as_deref();
    path.filter(|path| !path.is_empty())
        .or(device.host_path.as_deref())
        .unwrap_or_default()
}

fn at_own_path(device: &ecs::Device) -> bool {
    Some(inside(device)) == device.host_path.as_deref()
}

fn has_other_permissions(device: &ecs::Device) -> bool {
    let permissions = &device.permissions;
    !permissions.is_empty()
        && !PERMISSIONS
            .iter()
            .all(|name| permissions.iter().any(|given| given == name))
}
