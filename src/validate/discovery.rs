//! `serviceRegistries`: AWS Cloud Map.

use super::{
    Protocol, TaskDefinition,
    load_balancer::{self, not_a_port},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// One entry of `serviceRegistries`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRegistry {
    /// The position in `serviceRegistries`.
    pub index: usize,
    /// The port in SRV records; `None` if there are only address records.
    pub port: Option<(u16, Protocol)>,
}

/// Validates `serviceRegistries`
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceRegistry.html>).
pub(crate) fn validate_service_registries(
    raw: &[ecs::ServiceRegistry],
    task_definition: &TaskDefinition,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<ServiceRegistry> {
    raw.iter()
        .enumerate()
        .map(|(index, registry)| ServiceRegistry {
            index,
            port: registry_port(registry, task_definition, &path.index(index), sink),
        })
        .collect()
}

fn registry_port(
    registry: &ecs::ServiceRegistry,
    task_definition: &TaskDefinition,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<(u16, Protocol)> {
    let ecs::ServiceRegistry {
        registry_arn: _,
        port,
        container_name,
        container_port,
    } = registry;
    if port.is_some() && (container_name.is_some() || container_port.is_some()) {
        sink.report(path.field("port"), Message::ServiceRegistryPortConflict);
        return None;
    }
    if let Some(number) = *port {
        // A port that no container maps is allowed here: with awsvpc, every port of the task is reachable.
        let protocol = task_definition
            .containers
            .iter()
            .flat_map(|container| &container.ports)
            .filter(|port| i64::from(port.container_port) == number)
            .map(|port| port.protocol)
            .min()
            .unwrap_or(Protocol::Tcp);
        // The API accepts 0, but no client can connect to it, and a Service cannot have it.
        let port = u16::try_from(number).ok().filter(|port| *port > 0);
        if port.is_none() {
            sink.report(path.field("port"), not_a_port(number));
        }
        return port.map(|port| (port, protocol));
    }
    match (container_name, container_port) {
        (None, None) => None,
        (Some(name), None) => {
            // ECS accepts only a name for address records; it must be valid anyway.
            load_balancer::find_container(name, task_definition, path, sink);
            None
        }
        (name, number) => {
            load_balancer::registered_port(name.as_deref(), *number, task_definition, path, sink)
                .map(|port| (port.container_port, port.protocol))
        }
    }
}
