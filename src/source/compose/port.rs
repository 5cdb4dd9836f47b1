//! The ports of a service (<https://github.com/compose-spec/compose-spec/blob/main/05-services.md#ports>).

use std::collections::BTreeMap;

use super::super::{
    manifest::{Object, Report, Section, boolean, list, text, whole},
    text::Span,
    tree::Node,
};

/// What to do about a port that is published, and of which no load balancer is made.
const PUBLISHED: &str = "other services reach the port in the cluster: for a load balancer, set spec.kubernetes.expose of the EcsService to type nlb";
const UNCLEAR: &str = "write a port as TARGET or PUBLISHED:TARGET, or as an object with target";
const DIFFERENT: &str =
    "within the cluster, a service is reached at the port that its container listens on";

/// A port on which a container listens.
#[derive(Debug)]
struct Port {
    number: String,
    protocol: String,
    /// The port of the machine.
    published: Option<String>,
    span: Span,
    /// Whether requests of browsers arrive there.
    is_web: bool,
}

/// The ports of a container.
#[derive(Debug, Default)]
pub(super) struct Ports {
    all: Vec<Port>,
    /// The place of each number and protocol.
    places: BTreeMap<(String, String), usize>,
}

impl Ports {
    /// Takes the ports that a service publishes, and those that only others reach.
    pub(super) fn take(section: &mut Section<'_>, report: &mut Report<'_>) -> Self {
        let mut made = Self::take_all(section, report);
        let path = section.path("ports");
        for port in &made.all {
            port.explain(&path, report);
        }
        for element in section.elements("expose").unwrap_or_default() {
            let written = element.scalar().unwrap_or_default();
            let (number, protocol) = written.split_once('/').unwrap_or((written, "tcp"));
            made.add(number, protocol, None, element.span, false);
        }
        made
    }

    /// Takes the ports that a service publishes.
    pub(super) fn take_all(section: &mut Section<'_>, report: &mut Report<'_>) -> Self {
        let mut made = Self::default();
        let path = section.path("ports");
        for element in section.elements("ports").unwrap_or_default() {
            let span = element.span;
            let read = match Section::of(path.clone(), element) {
                Ok(mut long) => {
                    let read = long_form(&mut long, report);
                    long.finish(report);
                    read
                }
                Err(short) => short.scalar().and_then(short_form),
            };
            match read {
                Some(read) => {
                    let is_web = read.is_web();
                    made.add(&read.target, &read.protocol, read.published, span, is_web);
                }
                None => report.unread(span, path.clone(), UNCLEAR),
            }
        }
        made
    }

    fn add(
        &mut self,
        number: &str,
        protocol: &str,
        published: Option<String>,
        span: Span,
        is_web: bool,
    ) {
        let key = (number.to_owned(), protocol.to_owned());
        let place = *self.places.entry(key).or_insert(self.all.len());
        match self.all.get_mut(place) {
            Some(port) => port.is_web |= is_web,
            None => self.all.push(Port {
                number: number.to_owned(),
                protocol: protocol.to_owned(),
                published,
                span,
                is_web,
            }),
        }
    }

    /// Returns the port mappings of a container that is one of several of a task, as its machine has them.
    pub(super) fn published<'a>(&self, has_own_network: bool) -> Option<Node<'a>> {
        let span = self.all.first()?.span;
        let made = self.all.iter().map(|port| {
            let mut made = Object::new(port.span);
            let is_range = port.number.contains('-');
            let key = if is_range {
                "containerPortRange"
            } else {
                "containerPort"
            };
            made.put(key, whole(port.span, &port.number));
            let published = port.published.as_deref().filter(|it| *it != "0");
            if let Some(published) = published.filter(|_| !has_own_network && !is_range) {
                made.put("hostPort", whole(port.span, published));
            }
            made.put("protocol", text(port.span, port.protocol.clone()));
            made.node()
        });
        Some(list(span, made.collect()))
    }

    /// Returns the port mappings; each of TCP has a name, for Service Connect.
    pub(super) fn mappings<'a>(&self) -> Vec<Node<'a>> {
        let made = self.all.iter().map(|port| {
            let span = port.span;
            let mut made = Object::new(span);
            let range = port.number.contains('-');
            let key = if range {
                "containerPortRange"
            } else {
                "containerPort"
            };
            made.put(key, whole(span, &port.number));
            made.put("protocol", text(span, port.protocol.clone()));
            if port.has_name() {
                made.put("name", text(span, port.name()));
            }
            made.node()
        });
        made.collect()
    }

    /// Whether others can reach the service by its name.
    pub(super) fn is_reached(&self) -> bool {
        self.all.iter().any(Port::has_name)
    }

    /// Returns the configuration of Service Connect, by which other services find this one by its name.
    pub(super) fn service_connect<'a>(&self, name: &Node<'a>, namespace: &str) -> Option<Node<'a>> {
        let first = self.all.iter().find(|port| port.has_name())?;
        let span = name.span;
        let mut client = Object::new(span);
        client.put("port", whole(span, &first.number));
        client.put("dnsName", name.clone());
        let mut service = Object::new(span);
        service.put("portName", text(span, first.name()));
        service.put("discoveryName", name.clone());
        service.put("clientAliases", list(span, vec![client.node()]));
        let mut made = Object::new(span);
        made.put("enabled", boolean(span, true));
        made.put("namespace", text(span, namespace.to_owned()));
        made.put("services", list(span, vec![service.node()]));
        Some(made.node())
    }

    /// Returns `spec.kubernetes.expose` of the port that browsers reach. Others of them are named.
    pub(super) fn expose<'a>(
        &self,
        container: &Node<'a>,
        path: String,
        report: &mut Report<'_>,
    ) -> Option<Node<'a>> {
        let mut web = self.all.iter().filter(|port| port.is_web);
        let port = web.next()?;
        for other in web {
            report.unread(other.span, path.clone(), "one load balancer with one port is made for a service: write an Ingress for the others");
        }
        let mut made = Object::new(port.span);
        made.put("type", text(port.span, "alb"));
        made.put("containerName", container.clone());
        made.put("containerPort", whole(port.span, &port.number));
        Some(made.node())
    }
}

impl Port {
    /// Says what becomes of a port that is published.
    fn explain(&self, path: &str, report: &mut Report<'_>) {
        if !self.is_web {
            report.unread(self.span, path.to_owned(), PUBLISHED);
        } else if self.published.as_ref().is_some_and(|it| *it != self.number) {
            report.unused(self.span, path.to_owned(), DIFFERENT);
        }
    }

    fn has_name(&self) -> bool {
        self.protocol == "tcp" && !self.number.contains('-')
    }

    fn name(&self) -> String {
        format!("p{}", self.number)
    }
}

/// A port as a file writes it.
#[derive(Debug, PartialEq)]
struct Read {
    target: String,
    published: Option<String>,
    protocol: String,
    application: Option<String>,
}

impl Read {
    fn is_web(&self) -> bool {
        matches!(self.application.as_deref(), Some("http" | "https"))
            || matches!(self.published.as_deref(), Some("80" | "443"))
    }
}

/// Reads `[[HOST:]PUBLISHED:]TARGET[/PROTOCOL]`.
fn short_form(written: &str) -> Option<Read> {
    let (ports, protocol) = written.split_once('/').unwrap_or((written, "tcp"));
    let mut parts = ports.rsplit(':');
    let target = parts.next()?;
    let is_port = |text: &str| {
        let mut ends = text.split('-');
        // What stands for a number is rejected in its place, and the message says how to fill it.
        ends.all(|end| end.parse::<u16>().is_ok()) || text.starts_with("${")
    };
    let published = parts.next().filter(|it| !it.is_empty());
    is_port(target).then(|| Read {
        target: target.to_owned(),
        published: Some(published.unwrap_or("0").to_owned()),
        protocol: protocol.to_owned(),
        application: None,
    })
}

fn long_form(long: &mut Section<'_>, report: &mut Report<'_>) -> Option<Read> {
    let own = |node: Option<Node<'_>>| node.and_then(|node| node.text().map(str::to_owned));
    let target = own(long.text("target"))?;
    let read = Read {
        target,
        published: own(long.text("published")),
        protocol: own(long.text("protocol")).unwrap_or_else(|| "tcp".to_owned()),
        application: own(long.text("x-aws-protocol")).or_else(|| own(long.text("app_protocol"))),
    };
    let why = "a pod has an address of its own";
    long.unused(&["mode", "host_ip", "name"], why, report);
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_read() {
        let table = [
            ("80", Some(("80", "0", "tcp"))),
            ("8080:80", Some(("80", "8080", "tcp"))),
            ("127.0.0.1:8080:80", Some(("80", "8080", "tcp"))),
            ("127.0.0.1::80", Some(("80", "0", "tcp"))),
            ("53:53/udp", Some(("53", "53", "udp"))),
            (
                "3000-3005:3000-3005",
                Some(("3000-3005", "3000-3005", "tcp")),
            ),
            ("${PORT}", Some(("${PORT}", "0", "tcp"))),
            ("", None),
            ("web", None),
        ];
        for (written, expected) in table {
            let read = short_form(written);
            let read = read.as_ref().map(|it| {
                let published = it.published.as_deref().unwrap_or_default();
                (&*it.target, published, &*it.protocol)
            });
            assert_eq!(read, expected, "{written}");
        }
    }
}
