//! Ports, network mode, DNS and hosts.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::{
        core::v1::{ContainerPort, HostAlias, PodDNSConfig},
        networking::v1::{NetworkPolicy, NetworkPolicySpec},
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::{Draft, container::path};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::{Context, Object},
    validate::{DnsSetting, HostName, Network, NetworkMode, Port},
};

const LOCALHOST: &str = "127.0.0.1";
/// The longest name of a port.
const PORT_NAME_LENGTH: usize = 15;

/// Adds ports, and what the containers share of the network.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let Network {
        mode,
        isolated,
        hostname,
        dns_servers,
        dns_search_domains,
        hosts: _,
        links: _,
        large_ranges,
    } = &cx.task_definition.network;
    ports(cx, draft, notes);
    for (container, mapping) in large_ranges {
        let path = path(*container)
            .field("portMappings")
            .index(*mapping)
            .field("containerPortRange");
        notes.report(path, Message::PortRangeTooLarge);
    }
    network_mode(cx, *mode, *isolated, draft, notes);
    if let Some(hostname) = hostname {
        set_hostname(cx, hostname, draft, notes);
    }
    dns(
        dns_servers.as_ref(),
        dns_search_domains.as_ref(),
        draft,
        notes,
    );
    let aliases = host_aliases(&cx.task_definition.network, notes);
    draft.spec.host_aliases = (!aliases.is_empty()).then_some(aliases);
}

fn ports(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let mut names = BTreeSet::new();
    for source in &cx.task_definition.containers {
        let mut ports = Vec::new();
        for port in &source.ports {
            let Port {
                mapping,
                container_port,
                host_port,
                protocol,
                name: _,
                app_protocol: _,
                from_range: _,
            } = port;
            if let Some(number) =
                host_port.filter(|_| cx.task_definition.network.mode == NetworkMode::Bridge)
            {
                notes.report(
                    path(source.index)
                        .field("portMappings")
                        .index(*mapping)
                        .field("hostPort"),
                    Message::StaticHostPort {
                        port: number.to_string(),
                    },
                );
            }
            let name = Some(port_name(port)).filter(|name| names.insert(name.clone()));
            ports.push(ContainerPort {
                name,
                container_port: i32::from(*container_port),
                host_port: host_port.map(i32::from),
                protocol: Some(protocol.name().to_owned()),
                host_ip: None,
            });
        }
        if let Some(container) = draft.container_mut(source.index) {
            container.ports = (!ports.is_empty()).then_some(ports);
        }
    }
}

/// The name of a port mapping where Kubernetes takes it, otherwise one made of its number.
fn port_name(port: &Port) -> String {
    match &port.name {
        Some(name) if is_port_name(name) => name.clone(),
        _ => format!(
            "p{}-{}",
            port.container_port,
            port.protocol.name().to_ascii_lowercase()
        ),
    }
}

/// Whether this is a service name as IANA has them (RFC 6335).
fn is_port_name(name: &str) -> bool {
    name.len() <= PORT_NAME_LENGTH
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && name.chars().any(|c| c.is_ascii_lowercase())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

fn network_mode(
    cx: &Context<'_>,
    mode: NetworkMode,
    isolated: bool,
    draft: &mut Draft,
    notes: &mut Diagnostics,
) {
    let root = FieldPath::root(Subject::TaskDefinition);
    match mode {
        NetworkMode::Awsvpc | NetworkMode::None => {}
        NetworkMode::Bridge => {
            if cx.task_definition.containers.len() > 1 {
                notes.report(
                    root.field("networkMode"),
                    Message::BridgeNetworkSharesPodNamespace,
                );
            }
        }
        NetworkMode::Host => {
            draft.spec.host_network = Some(true);
            draft.spec.dns_policy = Some("ClusterFirstWithHostNet".to_owned());
        }
    }
    let reason = match mode {
        NetworkMode::None => root.field("networkMode"),
        _ if isolated => path(0).field("disableNetworking"),
        _ => return,
    };
    notes.report(reason, Message::NetworkNoneIsNetworkPolicy);
    draft.objects.push(Object::NetworkPolicy(deny_all(cx)));
}

/// A policy that selects the pods and allows nothing.
fn deny_all(cx: &Context<'_>) -> NetworkPolicy {
    NetworkPolicy {
        metadata: cx.metadata(cx.name()),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(cx.selector()),
                ..LabelSelector::default()
            }),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// A host name of several labels needs `hostnameOverride`, which the host's network does not allow.
fn set_hostname(cx: &Context<'_>, hostname: &HostName, draft: &mut Draft, notes: &mut Diagnostics) {
    let HostName { container, name } = hostname;
    let first = name.split('.').next().unwrap_or(name);
    if first == name {
        draft.spec.hostname = Some(name.clone());
    } else if cx.settings.kubernetes_minor >= 35 && draft.spec.host_network.is_none() {
        draft.spec.hostname_override = Some(name.clone());
    } else {
        draft.spec.hostname = Some(first.to_owned());
        let value = first.to_owned();
        notes.report(
            path(*container).field("hostname"),
            Message::HostnameTruncated { value },
        );
    }
}

fn dns(
    servers: Option<&DnsSetting>,
    domains: Option<&DnsSetting>,
    draft: &mut Draft,
    notes: &mut Diagnostics,
) {
    if servers.is_none() && domains.is_none() {
        return;
    }
    if let Some(DnsSetting {
        container,
        values: _,
    }) = servers
    {
        draft.spec.dns_policy = Some("None".to_owned());
        notes.report(
            path(*container).field("dnsServers"),
            Message::ClusterDnsReplaced,
        );
    }
    let values = |setting: Option<&DnsSetting>| setting.map(|setting| setting.values.clone());
    draft.spec.dns_config = Some(PodDNSConfig {
        nameservers: values(servers),
        searches: values(domains),
        options: None,
    });
}

/// Containers of a pod reach each other on localhost.
fn host_aliases(network: &Network, notes: &mut Diagnostics) -> Vec<HostAlias> {
    let mut localhost: Vec<String> = Vec::new();
    for link in &network.links {
        let alias = link.alias.clone();
        let path = path(link.container).field("links").index(link.index);
        notes.report(
            path,
            Message::LinksBecomeLocalhost {
                alias: alias.clone(),
            },
        );
        // An underscore is no part of a host name for Kubernetes.
        if !localhost.contains(&alias) && !alias.contains('_') {
            localhost.push(alias);
        }
    }
    let mut aliases: Vec<HostAlias> = network
        .hosts
        .iter()
        .map(|host| HostAlias {
            ip: host.ip.clone(),
            hostnames: Some(host.names.clone()),
        })
        .collect();
    if localhost.is_empty() {
        return aliases;
    }
    if let Some(own) = aliases.iter_mut().find(|alias| alias.ip == LOCALHOST) {
        let names = own.hostnames.get_or_insert_default();
        localhost.retain(|name| !names.contains(name));
        names.extend(localhost);
    } else {
        aliases.insert(
            0,
            HostAlias {
                ip: LOCALHOST.to_owned(),
                hostnames: Some(localhost),
            },
        );
    }
    aliases
}

#[cfg(test)]
mod tests;
