//! Service Connect
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-concepts.html>).

use super::{
    AppProtocol, Port, Protocol, TaskDefinition,
    load_balancer::{not_a_port, required},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    input::ConnectHosts,
};

/// `serviceConnectConfiguration`, if enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceConnect {
    /// The Cloud Map namespace's name; `None` for the cluster's default.
    pub namespace: Option<String>,
    /// The offered services; empty for a client.
    pub services: Vec<ServiceConnectService>,
    /// The names of the namespace that its tasks need in `/etc/hosts`, with their addresses.
    pub hosts: ConnectHosts,
}

/// One entry of `serviceConnectConfiguration.services`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConnectService {
    /// The position in `services`.
    pub index: usize,
    /// The name of the port mapping.
    pub port_name: String,
    /// The name in the namespace.
    pub discovery_name: String,
    /// The port that clients use.
    pub port: u16,
    /// The port of the container.
    pub container_port: u16,
    /// The protocol of that port.
    pub protocol: Protocol,
    /// The application protocol of that port.
    pub app_protocol: Option<AppProtocol>,
    /// The name that clients use, if it is not `<discovery name>.<namespace>`.
    pub dns_name: Option<String>,
}

/// Validates `serviceConnectConfiguration`; `None` where it is absent or not enabled.
pub(crate) fn validate_service_connect(
    raw: Option<&ecs::ServiceConnectConfiguration>,
    service_name: &str,
    task_definition: &TaskDefinition,
    hosts: &ConnectHosts,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<ServiceConnect> {
    let raw = raw.filter(|raw| raw.enabled == Some(true))?;
    let namespace = raw.namespace.clone();
    check_namespace(namespace.as_deref(), &path.field("namespace"), sink);
    let mut services: Vec<ServiceConnectService> = Vec::new();
    for (index, entry) in raw.services.iter().enumerate() {
        let path = path.field("services").index(index);
        let Some(service) = connect_service(index, entry, task_definition, &path, sink) else {
            continue;
        };
        let name = &service.discovery_name;
        if services.iter().any(|other| other.discovery_name == *name) {
            let member = if entry.discovery_name.is_some() {
                "discoveryName"
            } else {
                "portName"
            };
            sink.report(
                path.field(member),
                Message::ServiceConnectNameTaken {
                    name: name.clone(),
                    ns: namespace.clone().unwrap_or_else(|| "default".to_owned()),
                    other: service_name.to_owned(),
                },
            );
        }
        services.push(service);
    }
    Some(ServiceConnect {
        namespace,
        services,
        hosts: hosts.clone(),
    })
}

/// Reports an ARN: the name of a Cloud Map namespace cannot be derived from it.
pub(super) fn check_namespace(name: Option<&str>, path: &FieldPath, sink: &mut Diagnostics) {
    if let Some(arn) = name.filter(|name| name.starts_with("arn:")) {
        sink.report(
            path.clone(),
            Message::ServiceConnectNamespaceName {
                arn: arn.to_owned(),
            },
        );
    }
}

fn connect_service(
    index: usize,
    raw: &ecs::ServiceConnectService,
    task_definition: &TaskDefinition,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<ServiceConnectService> {
    let at = path.field("portName");
    let Some(port_name) = raw.port_name.as_deref() else {
        sink.report(at, required("portName"));
        return None;
    };
    let Some(port) = named_port(port_name, task_definition) else {
        sink.report(
            at,
            Message::UnknownPortName {
                value: port_name.to_owned(),
            },
        );
        return None;
    };
    let alias = raw.client_aliases.first();
    let at = path.field("clientAliases").index(0).field("port");
    let port_of_clients = match alias.map(|alias| alias.port) {
        None => port.container_port,
        Some(None) => {
            sink.report(at, required("port"));
            return None;
        }
        // The API accepts 0, but no client can connect to it, and a Service cannot have it.
        Some(Some(number)) => match u16::try_from(number) {
            Ok(number) if number > 0 => number,
            _ => {
                sink.report(at, not_a_port(number));
                return None;
            }
        },
    };
    Some(ServiceConnectService {
        index,
        port_name: port_name.to_owned(),
        discovery_name: raw
            .discovery_name
            .clone()
            .unwrap_or_else(|| port_name.to_owned()),
        port: port_of_clients,
        container_port: port.container_port,
        protocol: port.protocol,
        app_protocol: port.app_protocol,
        dns_name: alias.and_then(|alias| alias.dns_name.clone()),
    })
}

fn named_port<'a>(name: &str, task_definition: &'a TaskDefinition) -> Option<&'a Port> {
    task_definition
        .containers
        .iter()
        .flat_map(|container| &container.ports)
        .find(|port| port.name.as_deref() == Some(name))
}
