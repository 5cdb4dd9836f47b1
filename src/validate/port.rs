//! Port mappings: the ports that containers listen on, and those that are exposed on the node.

use std::collections::BTreeSet;

use super::{Graph, NetworkMode, Scope, network::container_path};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// Larger ranges are not listed port by port.
const MAX_LISTED: u16 = 100;
/// The maximum number of `containerPortRange` in a container.
const MAX_RANGES: usize = 100;

/// One port of a container; a range becomes one of these per port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The position in `portMappings`.
    pub mapping: usize,
    /// The port number, 1 to 65535.
    pub container_port: u16,
    /// A fixed port of the node (`bridge` and `host`).
    pub host_port: Option<u16>,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The name for Service Connect.
    pub name: Option<String>,
    /// `http`, `http2` or `grpc`.
    pub app_protocol: Option<AppProtocol>,
    /// Whether it is part of a `containerPortRange`.
    pub from_range: bool,
}

/// The transport protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP, also for anything that is not UDP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Returns the protocol: TCP unless it is UDP.
    fn of(raw: &ecs::PortMapping) -> Self {
        let udp = |text: &str| text.eq_ignore_ascii_case("udp");
        if raw.protocol.as_deref().is_some_and(udp) {
            Self::Udp
        } else {
            Self::Tcp
        }
    }

    /// Returns the name in Kubernetes: `TCP`, `UDP`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }

    /// Returns the name in ECS: `tcp`, `udp`.
    #[must_use]
    pub const fn ecs_name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// The application protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppProtocol {
    /// HTTP/1.1
    Http,
    /// HTTP/2
    Http2,
    /// gRPC
    Grpc,
}

impl AppProtocol {
    fn of(raw: &ecs::PortMapping) -> Option<Self> {
        match raw.app_protocol.as_deref() {
            Some("http") => Some(Self::Http),
            Some("http2") => Some(Self::Http2),
            Some("grpc") => Some(Self::Grpc),
            _ => None,
        }
    }
}

/// Validates `portMappings` of one container.
pub(crate) fn validate_ports(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<Port> {
    let path = path.field("portMappings");
    if raw.port_mappings.is_empty() {
        return Vec::new();
    }
    let alone = scope.request.container_definitions.len() == 1;
    if scope.network_mode == NetworkMode::None {
        let setting = "networkMode none".to_owned();
        sink.report(path, Message::PortMappingsWithNetworkNone { setting });
        return Vec::new();
    } else if alone && raw.disable_networking == Some(true) {
        let setting = "disableNetworking".to_owned();
        sink.report(path, Message::PortMappingsWithNetworkNone { setting });
        return Vec::new();
    }
    let is_range = |mapping: &&ecs::PortMapping| mapping.container_port_range.is_some();
    let ranges = raw.port_mappings.iter().filter(is_range).count();
    if ranges > MAX_RANGES {
        let value = format!("{ranges} port ranges");
        let allowed = format!("a container takes at most {MAX_RANGES}");
        sink.report(path.clone(), Message::InvalidValue { value, allowed });
    }
    let mut ports: Vec<Port> = Vec::new();
    for (mapping, raw) in raw.port_mappings.iter().enumerate() {
        let path = path.index(mapping);
        let found = match raw.container_port_range.as_deref() {
            Some(text) => range_ports(mapping, text, raw, scope, &path, sink),
            None => Vec::from_iter(single_port(mapping, raw, scope, &path, sink)),
        };
        add(found, &mut ports);
    }
    ports
}

/// Adds the ports of one mapping to those of the previous mappings. A port may be mapped for both protocols, which AWS
/// accepts although its reference still forbids it (<https://github.com/awsdocs/amazon-ecs-developer-guide/pull/128>),
/// and to several ports of the host.
fn add(found: Vec<Port>, ports: &mut Vec<Port>) {
    for port in found {
        // The same port with another name is an additional name in Service Connect.
        let known = ports.iter().any(|other| {
            other.container_port == port.container_port
                && other.protocol == port.protocol
                && other.host_port == port.host_port
                && (port.name.is_none() || other.name == port.name)
        });
        if !known {
            ports.push(port);
        }
    }
}

fn range_ports(
    mapping: usize,
    text: &str,
    raw: &ecs::PortMapping,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<Port> {
    let at = path.field("containerPortRange");
    let Some((first, last)) = range(text) else {
        let allowed = "must be first-last, each 1 to 65535, the first below the last";
        sink.report(at, invalid(text, allowed));
        return Vec::new();
    };
    if scope.network_mode == NetworkMode::Host {
        let allowed = "ranges need networkMode bridge or awsvpc";
        sink.report(at.clone(), invalid(text, allowed));
    }
    if let Some(port) = raw.container_port {
        let allowed = "give containerPort or containerPortRange, not both";
        sink.report(path.field("containerPort"), invalid(port, allowed));
    }
    if let Some(port) = raw.host_port.filter(|port| *port != 0) {
        let allowed = "goes with containerPort, not with containerPortRange";
        sink.report(path.field("hostPort"), invalid(port, allowed));
    }
    if is_unlisted(first, last) {
        return Vec::new();
    }
    let port = |container_port| Port {
        mapping,
        container_port,
        host_port: None,
        protocol: Protocol::of(raw),
        name: None,
        app_protocol: None,
        from_range: true,
    };
    (first..=last).map(port).collect()
}

fn single_port(
    mapping: usize,
    raw: &ecs::PortMapping,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Port> {
    let at = path.field("containerPort");
    let Some(number) = raw.container_port else {
        let name = "containerPort".to_owned();
        sink.report(at, Message::RequiredField { name });
        return None;
    };
    let Some(container_port) = port_number(number) else {
        sink.report(at, invalid(number, "must be 1 to 65535"));
        return None;
    };
    Some(Port {
        mapping,
        container_port,
        host_port: host_port(raw, container_port, scope, path, sink),
        protocol: Protocol::of(raw),
        name: raw.name.clone(),
        app_protocol: AppProtocol::of(raw),
        from_range: false,
    })
}

/// Returns the fixed port of the node; `None` if the task has its own address.
fn host_port(
    raw: &ecs::PortMapping,
    container_port: u16,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<u16> {
    let at = path.field("hostPort");
    let given = raw.host_port.filter(|port| *port != 0);
    if scope.network_mode == NetworkMode::Bridge {
        let number = given.and_then(port_number);
        if let Some(port) = given.filter(|_| number.is_none()) {
            sink.report(at, invalid(port, "must be 0 to 65535"));
        }
        return number;
    }
    if let Some(value) = given.filter(|port| *port != i64::from(container_port)) {
        let message = if scope.eks_fargate {
            Message::HostPortOnFargate
        } else {
            Message::HostPortMismatch {
                value: value.to_string(),
                port: container_port.to_string(),
                mode: scope.network_mode.name().to_owned(),
            }
        };
        sink.report(at, message);
    }
    (scope.network_mode == NetworkMode::Host).then_some(container_port)
}

/// A port mapping of the task, as far as it can be parsed.
struct Mapping<'a> {
    container: usize,
    index: usize,
    raw: &'a ecs::PortMapping,
    first: u16,
    last: u16,
}

/// Checks ports across containers: a pod has one network, in which no two containers that run together can listen on
/// the same port.
pub(crate) fn check_ports(scope: &Scope<'_>, graph: &Graph, sink: &mut Diagnostics) {
    let mut names = BTreeSet::new();
    let mut earlier: Vec<Mapping<'_>> = Vec::new();
    for (container, definition) in scope.request.container_definitions.iter().enumerate() {
        for (index, raw) in definition.port_mappings.iter().enumerate() {
            let path = container_path(container).field("portMappings").index(index);
            if let Some(name) = raw.name.as_deref().filter(|name| !names.insert(*name)) {
                let allowed = "another port mapping has this name";
                sink.report(path.field("name"), invalid(name, allowed));
            }
            if let Some((first, last)) = interval(raw) {
                let mapping = Mapping {
                    container,
                    index,
                    raw,
                    first,
                    last,
                };
                check_conflicts(&mapping, &earlier, scope, graph, sink);
                earlier.push(mapping);
            }
        }
    }
}

fn check_conflicts(
    mapping: &Mapping<'_>,
    earlier: &[Mapping<'_>],
    scope: &Scope<'_>,
    graph: &Graph,
    sink: &mut Diagnostics,
) {
    let path = container_path(mapping.container)
        .field("portMappings")
        .index(mapping.index);
    let protocol = Protocol::of(mapping.raw);
    let mut others = earlier.iter().filter(|other| {
        Protocol::of(other.raw) == protocol && graph.overlap(other.container, mapping.container)
    });
    let clashes = |other: &&Mapping<'_>| {
        other.container != mapping.container
            && other.first <= mapping.last
            && mapping.first <= other.last
    };
    if let Some(other) = others.clone().find(clashes) {
        let field = match mapping.raw.container_port_range {
            Some(_) => "containerPortRange",
            None => "containerPort",
        };
        let message = Message::ContainerPortConflict {
            a: name_of(other.container, scope),
            b: name_of(mapping.container, scope),
            port: other.first.max(mapping.first).to_string(),
            proto: protocol.ecs_name().to_owned(),
        };
        sink.report(path.field(field), message);
        return;
    }
    let host_port = mapping.raw.host_port.filter(|port| *port != 0);
    if scope.network_mode == NetworkMode::Bridge
        && let Some(port) = host_port
        && others.any(|other| {
            // Duplicate mappings count once.
            other.raw.host_port == host_port
                && (other.container, other.first) != (mapping.container, mapping.first)
        })
    {
        let allowed = "another port mapping of the task has this host port";
        sink.report(path.field("hostPort"), invalid(port, allowed));
    }
}

fn name_of(container: usize, scope: &Scope<'_>) -> String {
    let containers = &scope.request.container_definitions;
    let name = containers.get(container).and_then(|c| c.name.clone());
    name.unwrap_or_default()
}

/// Returns the first and last port of a mapping.
fn interval(raw: &ecs::PortMapping) -> Option<(u16, u16)> {
    if let Some(text) = &raw.container_port_range {
        return range(text);
    }
    let port = port_number(raw.container_port?)?;
    Some((port, port))
}

/// Returns the mappings of a container that are ranges too large to be listed.
pub(crate) fn unlisted_ranges(raw: &ecs::ContainerDefinition) -> Vec<usize> {
    let large = |raw: &ecs::PortMapping| {
        let range = raw.container_port_range.as_deref().and_then(range);
        range.is_some_and(|(first, last)| is_unlisted(first, last))
    };
    let mappings = raw.port_mappings.iter().enumerate();
    mappings
        .filter(|(_, mapping)| large(mapping))
        .map(|(index, _)| index)
        .collect()
}

/// Parses the two ends of a `containerPortRange`.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (0 < first && first < last).then_some((first, last))
}

const fn is_unlisted(first: u16, last: u16) -> bool {
    last.saturating_sub(first) >= MAX_LISTED
}

fn port_number(number: i64) -> Option<u16> {
    u16::try_from(number).ok().filter(|port| *port > 0)
}

fn invalid(value: impl ToString, allowed: &str) -> Message {
    Message::InvalidValue {
        value: value.to_string(),
        allowed: allowed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_two_ports_in_order() {
        for (text, expected) in [
            ("8000-8010", Some((8000, 8010))),
            ("1-65535", Some((1, 65535))),
            ("80-80", None),
            ("81-80", None),
            ("0-80", None),
            ("80-65536", None),
            ("80", None),
            ("80-90-100", None),
            ("a-b", None),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
        assert!(!is_unlisted(7000, 7099));
        assert!(is_unlisted(7000, 7100));
    }
}
