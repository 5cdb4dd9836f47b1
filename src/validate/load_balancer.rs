//! Target groups, and the operator's extension to expose a service.

use std::net::IpAddr;

use super::{Container, NetworkMode, Port, Protocol, TaskDefinition, arn::may_be_filled, hosts};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    settings::{Addon, Settings},
};

/// The most characters of a host name.
const LONGEST_HOST: usize = 253;

/// One entry of `loadBalancers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// The position in `loadBalancers`.
    pub index: usize,
    /// The target group.
    pub target_group_arn: String,
    /// The port of the container that gets the traffic.
    pub port: u16,
    /// The protocol of that port.
    pub protocol: Protocol,
    /// The target group of the other color (strategy `BLUE_GREEN`).
    pub alternate_target_group_arn: Option<String>,
}

/// A load balancer that is created for a service without target groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expose {
    /// The kind of load balancer.
    pub kind: ExposeKind,
    /// The port of the container that gets the traffic.
    pub port: u16,
    /// The protocol of that port.
    pub protocol: Protocol,
    /// Whether it is reachable only within the VPC.
    pub internal: bool,
    /// ACM certificates of the secure listener.
    pub certificate_arns: Vec<String>,
    /// The host names that it answers for; empty for all.
    pub hosts: Vec<String>,
}

/// The load balancer that exposes a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExposeKind {
    /// An Application Load Balancer, or whatever the cluster's Ingress class provides.
    Application {
        /// The path of its rule.
        path: String,
    },
    /// A Network Load Balancer.
    Network,
}

/// Validates `loadBalancers`
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LoadBalancer.html>).
pub(crate) fn validate_load_balancers(
    raw: &[ecs::LoadBalancer],
    task_definition: &TaskDefinition,
    settings: &Settings,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<LoadBalancer> {
    let available =
        settings.has(Addon::AwsLoadBalancerController) || settings.has(Addon::EksAutoMode);
    let mut balancers: Vec<LoadBalancer> = Vec::new();
    for (index, entry) in raw.iter().enumerate() {
        let path = path.index(index);
        let may_be_open = !settings.in_cluster;
        let read = load_balancer((index, entry), task_definition, may_be_open, &path, sink);
        let Some(balancer) = read else {
            continue;
        };
        let at = path.field("targetGroupArn");
        if !available {
            sink.report(at.clone(), Message::TargetGroupBindingUnavailable);
        }
        let arn = &balancer.target_group_arn;
        if balancers.iter().any(|it| it.target_group_arn == *arn) {
            let message = Message::InvalidValue {
                value: arn.clone(),
                allowed: "each target group can be given once".to_owned(),
            };
            sink.report(at, message);
        }
        balancers.push(balancer);
    }
    balancers
}

/// Reads an element. Offline, an ARN may be filled in later.
fn load_balancer(
    (index, raw): (usize, &ecs::LoadBalancer),
    task_definition: &TaskDefinition,
    may_be_open: bool,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<LoadBalancer> {
    if raw.load_balancer_name.is_some() {
        sink.report(
            path.field("loadBalancerName"),
            Message::ClassicLoadBalancerUnsupported,
        );
    } else if raw.target_group_arn.is_none() {
        sink.report(path.field("targetGroupArn"), required("targetGroupArn"));
    }
    let alternate = raw
        .advanced_configuration
        .as_ref()
        .and_then(|advanced| advanced.alternate_target_group_arn.as_deref());
    for (path, arn) in [
        (
            path.field("targetGroupArn"),
            raw.target_group_arn.as_deref(),
        ),
        (
            path.field("advancedConfiguration")
                .field("alternateTargetGroupArn"),
            alternate,
        ),
    ] {
        let is_right = |arn: &str| is_target_group(arn) || may_be_open && may_be_filled(arn);
        if let Some(arn) = arn.filter(|arn| !is_right(arn)) {
            sink.report(
                path,
                Message::InvalidTargetGroupArn {
                    value: arn.to_owned(),
                },
            );
        }
    }
    let port = registered_port(
        raw.container_name.as_deref(),
        raw.container_port,
        task_definition,
        path,
        sink,
    )?;
    Some(LoadBalancer {
        index,
        target_group_arn: raw.target_group_arn.clone()?,
        port: port.container_port,
        protocol: port.protocol,
        alternate_target_group_arn: alternate.map(str::to_owned),
    })
}

/// Whether `text` is the ARN of an ELBv2 target group: `…:elasticloadbalancing:…:targetgroup/<name>/<id>`.
///
/// The region, account and names may be placeholders (`${AWS::AccountId}`, which contains colons), so the ARN is not
/// split at colons.
fn is_target_group(text: &str) -> bool {
    let Some((head, resource)) = text.split_once(":targetgroup/") else {
        return false;
    };
    let mut parts = resource.split('/');
    let named = (0..2).all(|_| parts.next().is_some_and(|part| !part.is_empty()));
    named
        && parts.next().is_none()
        && head.starts_with("arn:")
        && head.contains(":elasticloadbalancing:")
}

/// Finds the port of a container that a load balancer or a registry refers to. CreateService rejects a port that is
/// mapped for both protocols (<https://github.com/terraform-aws-modules/terraform-aws-ecs/issues/89>).
pub(super) fn registered_port<'a>(
    container_name: Option<&str>,
    container_port: Option<i64>,
    task_definition: &'a TaskDefinition,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<&'a Port> {
    let port = mapped_port(container_name, container_port, task_definition, path, sink)?;
    let container = container_name?;
    let mut containers = task_definition.containers.iter();
    let other_protocol = |other: &Port| {
        other.container_port == port.container_port && other.protocol != port.protocol
    };
    let twice =
        containers.any(|other| other.name == container && other.ports.iter().any(other_protocol));
    if twice {
        let port = port.container_port.to_string();
        sink.report(
            path.field("containerPort"),
            Message::PortMultipleProtocols { port },
        );
    }
    Some(port)
}

/// Finds the port of a container that a service refers to; if it is mapped for both protocols, that for TCP.
pub(super) fn mapped_port<'a>(
    container_name: Option<&str>,
    container_port: Option<i64>,
    task_definition: &'a TaskDefinition,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<&'a Port> {
    let Some(name) = container_name else {
        sink.report(path.field("containerName"), required("containerName"));
        return None;
    };
    let container = find_container(name, task_definition, path, sink)?;
    let Some(number) = container_port else {
        sink.report(path.field("containerPort"), required("containerPort"));
        return None;
    };
    let port = container
        .ports
        .iter()
        .filter(|port| i64::from(port.container_port) == number)
        .min_by_key(|port| port.protocol);
    if port.is_none() {
        sink.report(
            path.field("containerPort"),
            Message::LoadBalancerPortNotMapped {
                name: name.to_owned(),
                port: number.to_string(),
            },
        );
    }
    port
}

pub(super) fn find_container<'a>(
    name: &str,
    task_definition: &'a TaskDefinition,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<&'a Container> {
    let container = task_definition
        .containers
        .iter()
        .find(|container| container.name == name);
    if container.is_none() {
        sink.report(
            path.field("containerName"),
            Message::UnknownContainer {
                value: name.to_owned(),
            },
        );
    }
    container
}

pub(super) fn not_a_port(number: i64) -> Message {
    Message::InvalidValue {
        value: number.to_string(),
        allowed: "must be 1 to 65535".to_owned(),
    }
}

pub(super) fn required(name: &str) -> Message {
    Message::RequiredField {
        name: name.to_owned(),
    }
}

/// Validates `kubernetes.expose`, an extension of this operator.
pub(crate) fn validate_expose(
    raw: Option<&crd::Expose>,
    task_definition: &TaskDefinition,
    settings: &Settings,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Expose> {
    let raw = raw?;
    let crd::Expose {
        r#type,
        container_name,
        container_port,
        path: route,
        scheme,
        certificate_arns,
        hosts,
    } = raw;
    if r#type.is_none() {
        sink.report(path.field("type"), required("type"));
    }
    let network = one_of(r#type.as_deref(), ["alb", "nlb"], &path.field("type"), sink);
    let internal = one_of(
        scheme.as_deref(),
        ["internet-facing", "internal"],
        &path.field("scheme"),
        sink,
    );
    let route = checked_route(route.as_deref(), &path.field("path"), sink);
    let class = &settings.ingress_class;
    if !network && class != "alb" && !certificate_arns.is_empty() {
        sink.report(
            path.field("certificateArns"),
            Message::InvalidValue {
                value: class.clone(),
                allowed: "ACM certificates need the ingress class alb".to_owned(),
            },
        );
    }
    check_hosts(hosts, network, &path.field("hosts"), sink);
    let port = mapped_port(
        container_name.as_deref(),
        *container_port,
        task_definition,
        path,
        sink,
    )?;
    Some(Expose {
        kind: if network {
            ExposeKind::Network
        } else {
            ExposeKind::Application {
                path: route.to_owned(),
            }
        },
        port: port.container_port,
        protocol: port.protocol,
        internal,
        certificate_arns: certificate_arns.clone(),
        hosts: hosts.clone(),
    })
}

fn checked_route<'r>(route: Option<&'r str>, path: &FieldPath, sink: &mut Diagnostics) -> &'r str {
    let route = route.unwrap_or(crd::Expose::DEFAULT_PATH);
    if !route.starts_with('/') {
        let message = Message::InvalidValue {
            value: route.to_owned(),
            allowed: "must begin with /".to_owned(),
        };
        sink.report(path.clone(), message);
    }
    route
}

/// Rejects host names that an Ingress cannot have.
fn check_hosts(hosts: &[String], network: bool, path: &FieldPath, sink: &mut Diagnostics) {
    for (index, host) in hosts.iter().enumerate() {
        let is_twice = hosts.iter().take(index).any(|other| other == host);
        let allowed = if network {
            "only type alb has hosts"
        } else if !is_host(host) {
            NO_HOST
        } else if is_twice {
            "each host can be given once"
        } else {
            continue;
        };
        let message = Message::InvalidValue {
            value: host.clone(),
            allowed: allowed.to_owned(),
        };
        sink.report(path.index(index), message);
    }
}

/// What is said of text that is no host name.
pub(crate) const NO_HOST: &str =
    "must be a DNS name in lower case, such as shop.example.com or *.example.com";

/// Whether an Ingress can have a host name, which can have `*` as its first label
/// (<https://kubernetes.io/docs/concepts/services-networking/ingress/#hostname-wildcards>).
#[must_use]
pub(crate) fn is_host(name: &str) -> bool {
    let rest = name.strip_prefix("*.").unwrap_or(name);
    hosts::is_dns_name(rest) && name.len() <= LONGEST_HOST && name.parse::<IpAddr>().is_err()
}

/// Whether `value` is the second of two allowed words; the first is the default.
fn one_of(value: Option<&str>, words: [&str; 2], path: &FieldPath, sink: &mut Diagnostics) -> bool {
    let [default, other] = words;
    let value = value.unwrap_or(default);
    if !words.contains(&value) {
        sink.report(
            path.clone(),
            Message::InvalidValue {
                value: value.to_owned(),
                allowed: format!("must be {default} or {other}"),
            },
        );
    }
    value == other
}

impl NetworkMode {
    /// Whether ECS registers instances and their ports in a target group, instead of the tasks' addresses.
    #[must_use]
    pub const fn registers_instances(self) -> bool {
        matches!(self, Self::Bridge | Self::Host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_groups_are_told_by_their_arn() {
        for arn in [
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/943f017f100becff",
            "arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:targetgroup/web/943f017f100becff",
            "arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/web/1",
            "arn:aws:elasticloadbalancing:eu-west-1:{{ must_env `ACCOUNT` }}:targetgroup/<NAME>/<ID>",
        ] {
            assert!(is_target_group(arn), "{arn}");
        }
        for arn in [
            "",
            "web",
            "<tg-arn>",
            "{{ tfstate `aws_lb_target_group.web.arn` }}",
            "${TARGET_GROUP_ARN}",
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188",
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web",
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/",
            "arn:aws:vpc-lattice:us-east-1:123456789012:targetgroup/tg-0/1",
        ] {
            assert!(!is_target_group(arn), "{arn}");
        }
    }
}
