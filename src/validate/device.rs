//! Devices of the node.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// Validates `linuxParameters.devices` of a container, and returns its number of AWS Neuron devices.
///
/// A device plugin allocates those. All other devices exist only in a privileged container, which has the node's
/// devices at their own paths, in Docker as in Kubernetes.
pub(super) fn validate_devices(
    container: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<i64> {
    let devices = &container.linux_parameters.as_ref()?.devices;
    let path = path.field("linuxParameters").field("devices");
    if devices.is_empty() {
        return None;
    }
    if scope.fargate {
        let field = "devices".to_owned();
        sink.report(path, Message::FargateUnsupportedParameter { field });
        return None;
    }
    let (neurons, others): (Vec<_>, Vec<_>) = devices.iter().partition(|device| is_neuron(device));
    let privileged = container.privileged == Some(true);
    if !others
        .iter()
        .all(|device| privileged && at_own_path(device))
    {
        sink.report(path, Message::HostDevicesUnsupported);
    }
    i64::try_from(neurons.len()).ok().filter(|count| *count > 0)
}

fn is_neuron(device: &ecs::Device) -> bool {
    let number = device
        .host_path
        .as_deref()
        .and_then(|path| path.strip_prefix("/dev/neuron"));
    at_own_path(device)
        && number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn at_own_path(device: &ecs::Device) -> bool {
    let inside = device.container_path.as_deref().unwrap_or_default();
    inside.is_empty() || device.host_path.as_deref() == Some(inside)
}
