//! The network of a task: its mode, the settings that its containers share, and DNS.

use super::{
    Graph, HostAlias, HostName, Link, Scope,
    hosts::{address, validate_hostname, validate_hosts},
    port::{check_ports, unlisted_ranges},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
};

/// The maximum number of name servers of a pod.
const MAX_DNS_SERVERS: usize = 3;
/// The maximum number of search domains of a pod.
const MAX_SEARCH_DOMAINS: usize = 32;

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
    /// Returns the mode of a request; the default is `bridge`.
    pub(crate) fn of(request: &ecs::TaskDefinition) -> Self {
        match request.network_mode.as_deref() {
            Some("awsvpc") => Self::Awsvpc,
            Some("host") => Self::Host,
            Some("none") => Self::None,
            _ => Self::Bridge,
        }
    }

    /// Returns the mode whose rules apply. Fargate supports only `awsvpc`: another mode is rejected, and further errors
    /// are reported for `awsvpc`.
    pub(crate) fn in_force(request: &ecs::TaskDefinition, fargate: bool) -> Self {
        if fargate {
            Self::Awsvpc
        } else {
            Self::of(request)
        }
    }

    /// Returns the mode in the spelling of ECS.
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
    /// Whether the only container has no network (`disableNetworking`).
    pub isolated: bool,
    /// The host name, on which all containers that set it agree.
    pub hostname: Option<HostName>,
    /// Name servers instead of the cluster's.
    pub dns_servers: Option<DnsSetting>,
    /// Search domains.
    pub dns_search_domains: Option<DnsSetting>,
    /// Names in `/etc/hosts`, by address, including those of links.
    pub hosts: Vec<HostAlias>,
    /// Links between containers.
    pub links: Vec<Link>,
    /// Ranges of more than 100 ports: the container and its mapping.
    pub unlisted_ranges: Vec<(usize, usize)>,
}

/// A DNS setting and the container that sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSetting {
    /// The container's index.
    pub container: usize,
    /// The addresses or domains.
    pub values: Vec<String>,
}

/// Validates the network settings that all containers share.
pub(crate) fn validate_network(
    scope: &Scope<'_>,
    graph: &Graph,
    sink: &mut Diagnostics,
) -> Network {
    check_mode(scope, sink);
    check_ports(scope, graph, sink);
    let containers = scope.request.container_definitions.iter().enumerate();
    let (hosts, links) = validate_hosts(scope, sink);
    Network {
        mode: scope.network_mode,
        isolated: isolated(scope, sink),
        hostname: validate_hostname(scope, sink),
        dns_servers: dns_setting(&DNS_SERVERS, scope, sink),
        dns_search_domains: dns_setting(&DNS_SEARCH_DOMAINS, scope, sink),
        hosts,
        links,
        unlisted_ranges: containers
            .flat_map(|(container, raw)| {
                let ranges = unlisted_ranges(raw).into_iter();
                ranges.map(move |mapping| (container, mapping))
            })
            .collect(),
    }
}

/// Returns the path of a container of the task definition.
pub(super) fn container_path(index: usize) -> FieldPath {
    FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(index)
}

fn check_mode(scope: &Scope<'_>, sink: &mut Diagnostics) {
    let path = FieldPath::root(Subject::TaskDefinition).field("networkMode");
    let mode = NetworkMode::of(scope.request);
    if scope.eks_fargate && mode == NetworkMode::Host {
        sink.report(path, Message::HostNetworkOnFargate);
    } else if scope.fargate && mode != NetworkMode::Awsvpc {
        sink.report(path, Message::FargateNetworkMode);
    } else if scope.windows && mode == NetworkMode::Host {
        let field = "networkMode host".to_owned();
        sink.report(path, Message::WindowsUnsupportedParameter { field });
    }
}

/// Whether the only container has no network. The containers of a pod share their network, so one of several must have
/// it.
fn isolated(scope: &Scope<'_>, sink: &mut Diagnostics) -> bool {
    let containers = &scope.request.container_definitions;
    let mut isolated = false;
    for (index, container) in containers.iter().enumerate() {
        if container.disable_networking != Some(true) || scope.windows {
            continue;
        }
        let path = container_path(index).field("disableNetworking");
        if scope.fargate {
            let field = "disableNetworking".to_owned();
            sink.report(path, Message::FargateUnsupportedParameter { field });
        } else if containers.len() > 1 {
            let name = container.name.clone().unwrap_or_default();
            sink.report(path, Message::DisableNetworkingUnsupported { name });
        } else {
            isolated = true;
        }
    }
    isolated
}

/// A list of DNS settings, of which a pod has only one.
struct DnsField {
    name: &'static str,
    values: fn(&ecs::ContainerDefinition) -> &Vec<String>,
    /// Converts a value to its form in Kubernetes.
    read: fn(&str) -> Option<String>,
    /// The allowed values.
    allowed: &'static str,
    max: usize,
    /// The message for too many values.
    too_many: fn(usize) -> Message,
}

const DNS_SERVERS: DnsField = DnsField {
    name: "dnsServers",
    values: |container| &container.dns_servers,
    read: address,
    allowed: "must be an IP address",
    max: MAX_DNS_SERVERS,
    too_many: |_| Message::TooManyDnsServers,
};

const DNS_SEARCH_DOMAINS: DnsField = DnsField {
    name: "dnsSearchDomains",
    values: |container| &container.dns_search_domains,
    read: search_domain,
    allowed: "must be a DNS name",
    max: MAX_SEARCH_DOMAINS,
    too_many: |count| Message::InvalidValue {
        value: format!("{count} search domains"),
        allowed: format!("a pod takes at most {MAX_SEARCH_DOMAINS}"),
    },
};

/// Returns the setting of the containers that have it, which must agree.
fn dns_setting(field: &DnsField, scope: &Scope<'_>, sink: &mut Diagnostics) -> Option<DnsSetting> {
    let mut found: Option<DnsSetting> = None;
    for (container, raw) in scope.request.container_definitions.iter().enumerate() {
        let raw = (field.values)(raw);
        // Windows supports none of this, which is reported elsewhere.
        if raw.is_empty() || scope.windows {
            continue;
        }
        let path = container_path(container).field(field.name);
        let mut values = Vec::with_capacity(raw.len());
        for (index, value) in raw.iter().enumerate() {
            match (field.read)(value) {
                Some(value) => values.push(value),
                None => sink.report(
                    path.index(index),
                    Message::InvalidValue {
                        value: value.clone(),
                        allowed: field.allowed.to_owned(),
                    },
                ),
            }
        }
        if raw.len() > field.max {
            sink.report(path.clone(), (field.too_many)(raw.len()));
        }
        match &found {
            Some(first) if first.values != values => {
                let field = field.name.to_owned();
                sink.report(path, Message::DnsSettingsConflict { field });
            }
            Some(_) => {}
            None => found = Some(DnsSetting { container, values }),
        }
    }
    found
}

/// Returns a search domain in lowercase, as Kubernetes requires; underscores are allowed.
fn search_domain(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let placeholder = super::arn::has_placeholder(text);
    let domain = !text.is_empty() && text.len() <= 253 && text.chars().all(plain);
    if placeholder {
        Some(text.to_owned())
    } else {
        domain.then(|| text.to_ascii_lowercase())
    }
}
