//! Network mode, ports, links, DNS and hosts.

use std::{collections::BTreeMap, net::IpAddr};

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
};

/// A pod takes no more name servers.
const MAX_DNS_SERVERS: usize = 3;
/// Ports of a range of this size or more are not listed one by one.
const MAX_RANGE: u16 = 100;

/// `networkMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    /// A network interface for the task.
    Awsvpc,
    /// Docker's bridge (the default of EC2).
    Bridge,
    /// The host's network.
    Host,
    /// No network.
    None,
}

impl NetworkMode {
    /// The mode of a request; the default is `bridge`, on Fargate alone `awsvpc`.
    pub(crate) fn of(request: &ecs::TaskDefinition) -> Self {
        match request.network_mode.as_deref() {
            Some("awsvpc") => Self::Awsvpc,
            Some("host") => Self::Host,
            Some("none") => Self::None,
            _ => Self::Bridge,
        }
    }

    /// The mode as ECS spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Awsvpc => "awsvpc",
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::None => "none",
        }
    }
}

/// The network of the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The mode.
    pub mode: NetworkMode,
    /// Whether the only container wants no network (`disableNetworking`).
    pub isolated: bool,
    /// The host name, which one container or several give alike.
    pub hostname: Option<HostName>,
    /// Name servers instead of the cluster's.
    pub dns_servers: Option<DnsSetting>,
    /// Search domains.
    pub dns_search_domains: Option<DnsSetting>,
    /// Names in `/etc/hosts`, by address, in the order of the definition.
    pub hosts: Vec<HostAlias>,
    /// Containers that others know by name.
    pub links: Vec<Link>,
    /// Ranges of more than 100 ports: the container and its mapping.
    pub large_ranges: Vec<(usize, usize)>,
}

/// A host name and the container that gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    /// The container's index.
    pub container: usize,
    /// A DNS label, or several with dots.
    pub name: String,
}

/// A DNS setting and the container that gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSetting {
    /// The container's index.
    pub container: usize,
    /// The addresses or domains.
    pub values: Vec<String>,
}

/// Names of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAlias {
    /// The address.
    pub ip: String,
    /// Its names.
    pub names: Vec<String>,
}

/// One entry of `links`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The container that knows the other one.
    pub container: usize,
    /// The position in its `links`.
    pub index: usize,
    /// The name under which it does.
    pub alias: String,
}

/// One port of a container; a range is one of these per port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The position in `portMappings`.
    pub mapping: usize,
    /// 1 to 65535.
    pub container_port: u16,
    /// A fixed port of the node (`bridge` and `host`).
    pub host_port: Option<u16>,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The name that Service Connect knows.
    pub name: Option<String>,
    /// `http`, `http2` or `grpc`.
    pub app_protocol: Option<AppProtocol>,
    /// Whether it comes out of a `containerPortRange`.
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
    /// What ECS takes `protocol` for: TCP unless it says UDP.
    fn of(raw: Option<&str>) -> Self {
        if raw.is_some_and(|raw| raw.eq_ignore_ascii_case("udp")) {
            Self::Udp
        } else {
            Self::Tcp
        }
    }

    /// The name in Kubernetes: `TCP`, `UDP`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
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

/// Validates what all containers share of the network.
pub(crate) fn validate_network(scope: &Scope<'_>, sink: &mut Diagnostics) -> Network {
    mode(scope, sink);
    port_conflicts(scope, sink);
    let containers = || scope.request.container_definitions.iter().enumerate();
    let dns_servers = dns_setting(scope, "dnsServers", |c| &c.dns_servers, sink);
    if let Some(setting) = &dns_servers
        && setting.values.len() > MAX_DNS_SERVERS
    {
        sink.report(
            container_path(setting.container).field("dnsServers"),
            Message::TooManyDnsServers,
        );
    }
    let large = |(container, raw): (usize, &ecs::ContainerDefinition)| {
        let mappings = raw.port_mappings.iter().enumerate();
        let large = mappings.filter(|(_, m)| {
            m.container_port_range
                .as_deref()
                .and_then(range)
                .is_some_and(|(a, b)| is_large(a, b))
        });
        large
            .map(|(mapping, _)| (container, mapping))
            .collect::<Vec<_>>()
    };
    Network {
        mode: scope.network_mode,
        isolated: isolated(scope, sink),
        hostname: hostname(scope, sink),
        dns_servers,
        dns_search_domains: dns_setting(scope, "dnsSearchDomains", |c| &c.dns_search_domains, sink),
        hosts: extra_hosts(scope, sink),
        links: links(scope, sink),
        large_ranges: containers().flat_map(large).collect(),
    }
}

fn container_path(index: usize) -> FieldPath {
    FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(index)
}

fn invalid(value: impl Into<String>, allowed: &str) -> Message {
    Message::InvalidValue {
        value: value.into(),
        allowed: allowed.to_owned(),
    }
}

fn mode(scope: &Scope<'_>, sink: &mut Diagnostics) {
    let path = FieldPath::root(Subject::TaskDefinition).field("networkMode");
    if scope.eks_fargate() && scope.network_mode == NetworkMode::Host {
        sink.report(path, Message::HostNetworkOnFargate);
    } else if scope.fargate && scope.network_mode != NetworkMode::Awsvpc {
        sink.report(path, Message::FargateNetworkMode);
    }
}

/// Containers of a pod share one network namespace, so that no two can listen on one port.
fn port_conflicts(scope: &Scope<'_>, sink: &mut Diagnostics) {
    let mut owners: BTreeMap<(u16, Protocol), usize> = BTreeMap::new();
    for (index, raw) in scope.request.container_definitions.iter().enumerate() {
        for (mapping, raw_mapping) in raw.port_mappings.iter().enumerate() {
            let protocol = Protocol::of(raw_mapping.protocol.as_deref());
            for port in numbers(raw_mapping) {
                let owner = *owners.entry((port, protocol)).or_insert(index);
                if owner != index {
                    let name = |index: usize| {
                        let container = scope.request.container_definitions.get(index);
                        container.and_then(|c| c.name.clone()).unwrap_or_default()
                    };
                    sink.report(
                        container_path(index).field("portMappings").index(mapping),
                        Message::ContainerPortConflict {
                            a: name(owner),
                            b: name(index),
                            port: port.to_string(),
                            proto: protocol.name().to_ascii_lowercase(),
                        },
                    );
                    break;
                }
            }
        }
    }
}

/// The container ports of a mapping; those of a large range are too many to be looked at.
fn numbers(mapping: &ecs::PortMapping) -> Vec<u16> {
    match mapping.container_port_range.as_deref().and_then(range) {
        Some((first, last)) if !is_large(first, last) => (first..=last).collect(),
        Some(_) => Vec::new(),
        None => mapping
            .container_port
            .and_then(|port| u16::try_from(port).ok())
            .into_iter()
            .collect(),
    }
}

fn isolated(scope: &Scope<'_>, sink: &mut Diagnostics) -> bool {
    let containers = &scope.request.container_definitions;
    let wants = |c: &ecs::ContainerDefinition| c.disable_networking == Some(true);
    if let [only] = containers.as_slice() {
        return wants(only);
    }
    for (index, container) in containers.iter().enumerate().filter(|(_, c)| wants(c)) {
        sink.report(
            container_path(index).field("disableNetworking"),
            Message::DisableNetworkingUnsupported {
                name: container.name.clone().unwrap_or_default(),
            },
        );
    }
    false
}

fn hostname(scope: &Scope<'_>, sink: &mut Diagnostics) -> Option<HostName> {
    let mut found: Option<HostName> = None;
    for (container, raw) in scope.request.container_definitions.iter().enumerate() {
        let Some(name) = raw.hostname.clone() else {
            continue;
        };
        let path = container_path(container).field("hostname");
        if scope.network_mode == NetworkMode::Awsvpc {
            sink.report(path, Message::HostnameWithAwsvpc);
        } else if !name.split('.').all(is_dns_label) || name.len() > 64 {
            sink.report(
                path,
                invalid(
                    name,
                    "a host name of lower-case letters, digits and -, at most 64 characters",
                ),
            );
        } else if found.as_ref().is_some_and(|first| first.name != name) {
            sink.report(path, Message::HostnameConflict);
        } else if found.is_none() {
            found = Some(HostName { container, name });
        }
    }
    found
}

fn is_dns_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// A pod has one DNS configuration: containers that give a setting must give the same.
fn dns_setting(
    scope: &Scope<'_>,
    field: &'static str,
    values: impl Fn(&ecs::ContainerDefinition) -> &Vec<String>,
    sink: &mut Diagnostics,
) -> Option<DnsSetting> {
    let mut found: Option<DnsSetting> = None;
    for (container, raw) in scope.request.container_definitions.iter().enumerate() {
        let values = values(raw);
        if values.is_empty() {
            continue;
        }
        let path = container_path(container).field(field);
        if field == "dnsServers" {
            for (index, _) in values
                .iter()
                .enumerate()
                .filter(|(_, ip)| ip.parse::<IpAddr>().is_err())
            {
                sink.report(
                    path.index(index),
                    invalid(
                        values.get(index).cloned().unwrap_or_default(),
                        "an IP address",
                    ),
                );
            }
        }
        match &found {
            Some(first) if first.values != *values => {
                sink.report(
                    path,
                    Message::DnsSettingsConflict {
                        field: field.to_owned(),
                    },
                );
            }
            Some(_) => {}
            None => {
                found = Some(DnsSetting {
                    container,
                    values: values.clone(),
                });
            }
        }
    }
    found
}

fn extra_hosts(scope: &Scope<'_>, sink: &mut Diagnostics) -> Vec<HostAlias> {
    let mut hosts: Vec<HostAlias> = Vec::new();
    for (container, raw) in scope.request.container_definitions.iter().enumerate() {
        let path = container_path(container).field("extraHosts");
        if scope.network_mode == NetworkMode::Awsvpc && !raw.extra_hosts.is_empty() {
            sink.report(path, Message::ExtraHostsWithAwsvpc);
            continue;
        }
        for (index, entry) in raw.extra_hosts.iter().enumerate() {
            let path = path.index(index);
            let (name, ip) = (
                entry.hostname.clone().unwrap_or_default(),
                entry.ip_address.clone().unwrap_or_default(),
            );
            if ip.parse::<IpAddr>().is_err() {
                sink.report(path.field("ipAddress"), invalid(ip, "an IP address"));
            } else if !name
                .split('.')
                .all(|label| is_dns_label(&label.to_ascii_lowercase()))
            {
                sink.report(path.field("hostname"), invalid(name, "a host name"));
            } else if hosts
                .iter()
                .any(|host| host.ip != ip && host.names.contains(&name))
            {
                sink.report(
                    path.field("hostname"),
                    Message::ExtraHostsConflict { hostname: name },
                );
            } else {
                let name = name.to_ascii_lowercase();
                match hosts.iter_mut().find(|host| host.ip == ip) {
                    Some(host) if host.names.contains(&name) => {}
                    Some(host) => host.names.push(name),
                    None => hosts.push(HostAlias {
                        ip,
                        names: vec![name],
                    }),
                }
            }
        }
    }
    hosts
}

fn links(scope: &Scope<'_>, sink: &mut Diagnostics) -> Vec<Link> {
    let mut links = Vec::new();
    for (container, raw) in scope.request.container_definitions.iter().enumerate() {
        let path = container_path(container).field("links");
        if !raw.links.is_empty() && scope.network_mode != NetworkMode::Bridge {
            sink.report(path.clone(), Message::LinksNeedBridge);
        }
        for (index, link) in raw.links.iter().enumerate() {
            let alias = link
                .split_once(':')
                .map_or(link.as_str(), |(_, alias)| alias)
                .to_ascii_lowercase();
            if alias.replace('_', "-").split('.').all(is_dns_label) {
                links.push(Link {
                    container,
                    index,
                    alias,
                });
            } else {
                sink.report(
                    path.index(index),
                    invalid(link.clone(), "name or name:alias"),
                );
            }
        }
    }
    links
}

/// The two ends of a `containerPortRange`.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (0 < first && first < last).then_some((first, last))
}

const fn is_large(first: u16, last: u16) -> bool {
    last - first >= MAX_RANGE
}

/// Validates `portMappings`.
pub(crate) fn validate_ports(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<Port> {
    let path = path.field("portMappings");
    if scope.network_mode == NetworkMode::None && !raw.port_mappings.is_empty() {
        sink.report(path.clone(), Message::PortMappingsWithNetworkNone);
    }
    let mut ports: Vec<Port> = Vec::new();
    for (mapping, raw) in raw.port_mappings.iter().enumerate() {
        let path = path.index(mapping);
        let found = match raw.container_port_range.as_deref() {
            Some(text) => range_ports(mapping, text, raw, scope, &path, sink),
            None => single_port(mapping, raw, scope, &path, sink)
                .into_iter()
                .collect(),
        };
        for port in found {
            let other = ports.iter().find(|other| {
                other.container_port == port.container_port && other.protocol != port.protocol
            });
            if other.is_some() {
                let message = Message::PortMultipleProtocols {
                    port: port.container_port.to_string(),
                };
                sink.report(path.field("protocol"), message);
            } else if !ports.iter().any(|other| {
                Port {
                    mapping: port.mapping,
                    ..other.clone()
                } == port
            }) {
                ports.push(port);
            }
        }
    }
    ports
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
        sink.report(
            at,
            invalid(
                text,
                "first-last, each 1 to 65535, the first below the last",
            ),
        );
        return Vec::new();
    };
    if scope.network_mode == NetworkMode::Host {
        sink.report(
            at.clone(),
            invalid(text, "a containerPort in network mode host"),
        );
    }
    if raw.container_port.is_some() || raw.host_port.is_some_and(|port| port != 0) {
        sink.report(
            at,
            invalid(text, "a range without containerPort and hostPort"),
        );
    }
    if is_large(first, last) {
        return Vec::new();
    }
    let port = |container_port| Port {
        mapping,
        container_port,
        host_port: None,
        protocol: Protocol::of(raw.protocol.as_deref()),
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
        sink.report(
            at,
            Message::RequiredField {
                name: "containerPort".to_owned(),
            },
        );
        return None;
    };
    let Some(container_port) = u16::try_from(number).ok().filter(|port| *port > 0) else {
        sink.report(at, invalid(number.to_string(), "1 to 65535"));
        return None;
    };
    Some(Port {
        mapping,
        container_port,
        host_port: host_port(raw, container_port, scope, path, sink),
        protocol: Protocol::of(raw.protocol.as_deref()),
        name: raw.name.clone(),
        app_protocol: match raw.app_protocol.as_deref() {
            Some("http") => Some(AppProtocol::Http),
            Some("http2") => Some(AppProtocol::Http2),
            Some("grpc") => Some(AppProtocol::Grpc),
            _ => None,
        },
        from_range: false,
    })
}

/// The fixed port of the node: none where the task has an address of its own.
fn host_port(
    raw: &ecs::PortMapping,
    container_port: u16,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<u16> {
    let given = raw.host_port.filter(|port| *port != 0);
    let at = path.field("hostPort");
    let same = given.is_none_or(|port| port == i64::from(container_port));
    match scope.network_mode {
        NetworkMode::Awsvpc | NetworkMode::Host if !same => {
            sink.report(
                at,
                Message::HostPortMismatch {
                    value: given.unwrap_or_default().to_string(),
                    port: container_port.to_string(),
                    mode: scope.network_mode.name().to_owned(),
                },
            );
            None
        }
        NetworkMode::Awsvpc | NetworkMode::None => None,
        NetworkMode::Host => Some(container_port),
        NetworkMode::Bridge => {
            if given.is_some() && scope.eks_fargate() {
                sink.report(at, Message::HostPortOnFargate);
            }
            given.and_then(|port| u16::try_from(port).ok())
        }
    }
}
