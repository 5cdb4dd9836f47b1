//! Names of the task and of other hosts: `hostname`, `links`, `extraHosts`.

use std::net::IpAddr;

use super::{NetworkMode, Scope, arn::has_placeholder, network::container_path};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// The address of the other containers of a pod.
const LOCALHOST: &str = "127.0.0.1";
/// The maximum length of a name with dots (`hostnameOverride`).
const MAX_HOST_NAME: usize = 64;

/// A host name and the container that sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    /// The container's index.
    pub container: usize,
    /// A DNS label, or several with dots.
    pub name: String,
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
    /// The container with the link.
    pub container: usize,
    /// The position in its `links`.
    pub index: usize,
    /// The name that the link defines.
    pub alias: String,
}

/// Validates `hostname`, of which a pod has only one.
pub(crate) fn validate_hostname(scope: &Scope<'_>, sink: &mut Diagnostics) -> Option<HostName> {
    let mut found: Option<HostName> = None;
    for (container, raw) in scope.request.container_definitions.iter().enumerate() {
        let Some(name) = raw.hostname.clone() else {
            continue;
        };
        let path = container_path(container).field("hostname");
        if scope.network_mode == NetworkMode::Awsvpc {
            sink.report(path, Message::HostnameWithAwsvpc);
        } else if !is_host_name(&name) || name.len() > MAX_HOST_NAME {
            let allowed = "must be a DNS name of lower-case letters, digits, - and ., at most 64 characters in all and 63 between dots";
            sink.report(path, invalid(name, allowed));
        } else if found.as_ref().is_some_and(|first| first.name != name) {
            sink.report(path, Message::HostnameConflict);
        } else if found.is_none() {
            found = Some(HostName { container, name });
        }
    }
    found
}

/// The pod's part of `/etc/hosts`, with the container that each line comes from.
#[derive(Default)]
struct Hosts {
    lines: Vec<Line>,
}

struct Line {
    ip: String,
    name: String,
    /// The container, and whether the line is for a link.
    origin: (usize, bool),
}

impl Hosts {
    /// Adds a line. All containers of a pod have the same file, so a name that is defined twice must have the same
    /// address; only a single list of `extraHosts` may define several addresses for a name, as in Docker.
    fn add(&mut self, line: Line, path: FieldPath, sink: &mut Diagnostics) {
        let conflicts = |other: &Line| {
            other.name == line.name && other.ip != line.ip && other.origin != line.origin
        };
        if self.lines.iter().any(conflicts) {
            let hostname = line.name;
            sink.report(path, Message::ExtraHostsConflict { hostname });
        } else {
            self.lines.push(line);
        }
    }

    /// Returns the names by address; the addresses are in the order in which they were first defined.
    fn into_aliases(self) -> Vec<HostAlias> {
        let mut aliases: Vec<HostAlias> = Vec::new();
        for Line { ip, name, .. } in self.lines {
            match aliases.iter_mut().find(|alias| alias.ip == ip) {
                Some(alias) if alias.names.contains(&name) => {}
                Some(alias) => alias.names.push(name),
                None => aliases.push(HostAlias {
                    ip,
                    names: vec![name],
                }),
            }
        }
        aliases
    }
}

/// Validates `links` and `extraHosts`, which both become lines of `/etc/hosts`.
pub(crate) fn validate_hosts(
    scope: &Scope<'_>,
    sink: &mut Diagnostics,
) -> (Vec<HostAlias>, Vec<Link>) {
    let mut hosts = Hosts::default();
    let mut links = Vec::new();
    if scope.windows {
        // Windows supports neither, which is reported with its other limitations.
        return (Vec::new(), links);
    }
    for (container, raw) in scope.request.container_definitions.iter().enumerate() {
        add_links(container, raw, scope, &mut hosts, &mut links, sink);
        add_extra_hosts(container, raw, scope, &mut hosts, sink);
    }
    (hosts.into_aliases(), links)
}

fn add_links(
    container: usize,
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    hosts: &mut Hosts,
    links: &mut Vec<Link>,
    sink: &mut Diagnostics,
) {
    let path = container_path(container).field("links");
    if !raw.links.is_empty() && scope.network_mode != NetworkMode::Bridge {
        sink.report(path, Message::LinksNeedBridge);
        return;
    }
    for (index, link) in raw.links.iter().enumerate() {
        let path = path.index(index);
        let alias = link
            .split_once(':')
            .map_or(link.as_str(), |(_, alias)| alias)
            .to_ascii_lowercase();
        if !is_host_name(&alias) {
            let allowed =
                "give a name that DNS allows, as in name:alias, with letters, digits and -";
            sink.report(path, invalid(link, allowed));
            continue;
        }
        let line = Line {
            ip: LOCALHOST.to_owned(),
            name: alias.clone(),
            origin: (container, true),
        };
        hosts.add(line, path, sink);
        links.push(Link {
            container,
            index,
            alias,
        });
    }
}

fn add_extra_hosts(
    container: usize,
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    hosts: &mut Hosts,
    sink: &mut Diagnostics,
) {
    let path = container_path(container).field("extraHosts");
    if scope.network_mode == NetworkMode::Awsvpc && !raw.extra_hosts.is_empty() {
        sink.report(path, Message::ExtraHostsWithAwsvpc);
        return;
    }
    for (index, entry) in raw.extra_hosts.iter().enumerate() {
        let path = path.index(index);
        let name = entry.hostname.as_deref().unwrap_or_default();
        let ip = entry.ip_address.as_deref().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let address = address(ip);
        if address.is_none() {
            let path = path.field("ipAddress");
            sink.report(path, invalid(ip, "must be an IP address"));
        }
        if !is_host_name(&name) {
            let path = path.field("hostname");
            let allowed = "must be a DNS name of letters, digits, - and .";
            sink.report(path, invalid(name, allowed));
        } else if let Some(ip) = address {
            let origin = (container, false);
            hosts.add(Line { ip, name, origin }, path.field("hostname"), sink);
        }
    }
}

/// Returns the normal form of an IP address; a placeholder may replace it.
pub(super) fn address(text: &str) -> Option<String> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(address.to_string()),
        Err(_) => has_placeholder(text).then(|| text.to_owned()),
    }
}

/// Whether this is a DNS name (RFC 1123), or becomes one when its placeholders are filled.
fn is_host_name(name: &str) -> bool {
    has_placeholder(name) || is_dns_name(name)
}

/// Whether a name can be a host name in a pod: an RFC 1123 subdomain
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>).
#[must_use]
pub fn is_dns_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_label)
}

fn is_dns_label(label: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(plain)
}

fn invalid(value: impl Into<String>, allowed: &str) -> Message {
    Message::InvalidValue {
        value: value.into(),
        allowed: allowed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_those_of_dns() {
        for (name, expected) in [
            ("web", true),
            ("web.example.com", true),
            ("1web", true),
            ("<HOST>", true),
            ("web_1", false),
            ("Web", false),
            ("-web", false),
            ("web-", false),
            ("web..example", false),
            ("", false),
            (&"x".repeat(64), false),
        ] {
            assert_eq!(is_host_name(name), expected, "{name}");
        }
    }

    #[test]
    fn addresses_have_a_plain_form() {
        for (text, expected) in [
            ("10.0.0.1", Some("10.0.0.1")),
            ("0:0:0:0:0:0:0:1", Some("::1")),
            ("${IP}", Some("${IP}")),
            ("host-gateway", None),
            ("10.0.0.256", None),
            ("010.0.0.1", None),
        ] {
            assert_eq!(address(text).as_deref(), expected, "{text}");
        }
    }
}
