//! Network mode, ports, links, DNS and hosts.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath},
    ecs,
};

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
pub(crate) fn validate_network(scope: &Scope<'_>, _sink: &mut Diagnostics) -> Network {
    Network {
        mode: scope.network_mode,
    }
}

/// Validates `portMappings`.
pub(crate) fn validate_ports(
    _raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Vec<Port> {
    Vec::new()
}
