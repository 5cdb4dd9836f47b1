//! What load balancers reach of a task, and by which ports containers are reached at all.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        manifest::{Object, Report, Section, list, text, whole},
        text::Span,
        tree::{Node, Value},
    },
    container::name_at,
    member::{duration, texts},
    sidecar::Sidecar,
    workload::{Kind, Workload},
};

/// The name of the port that Service Connect has.
pub(super) const TARGET: &str = "target";

/// The ports of each container, in the order in which they were found: the number and the protocol.
#[derive(Debug, Default)]
pub(super) struct Ports {
    by_container: BTreeMap<String, Vec<Port>>,
    /// The first container that has a port.
    owners: BTreeMap<String, String>,
    known: BTreeSet<(String, String)>,
    /// The container and the port that have the name [`TARGET`].
    target: Option<(String, String)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Port {
    number: String,
    protocol: String,
    span: Span,
}

impl Ports {
    fn add(&mut self, container: &str, port: &Node<'_>) {
        let Some(written) = port.scalar() else { return };
        let (number, protocol) = written.split_once('/').unwrap_or((written, "tcp"));
        let key = (container.to_owned(), number.to_owned());
        if self.known.insert(key) {
            let owner = self.owners.entry(number.to_owned());
            owner.or_insert_with(|| container.to_owned());
            let ports = self.by_container.entry(container.to_owned());
            ports.or_default().push(Port {
                number: number.to_owned(),
                // A load balancer ends TLS itself.
                protocol: protocol.to_ascii_lowercase().replace("tls", "tcp"),
                span: port.span,
            });
        }
    }

    /// Returns the number of the first port of a container.
    pub(super) fn of(&self, container: &str) -> Option<&str> {
        let ports = self.by_container.get(container)?;
        ports.first().map(|port| port.number.as_str())
    }

    /// Returns the container that has a port.
    fn container_of(&self, number: &str) -> Option<&str> {
        self.owners.get(number).map(String::as_str)
    }

    /// Names the port to which Service Connect sends.
    pub(super) fn set_target(&mut self, container: &str, number: &str) {
        self.target = Some((container.to_owned(), number.to_owned()));
    }

    /// Returns the port mappings of a container.
    pub(super) fn mappings<'a>(&self, container: &str) -> Vec<Node<'a>> {
        let ports = self.by_container.get(container);
        let ports = ports.map(Vec::as_slice).unwrap_or_default();
        let made = ports.iter().map(|port| {
            let mut made = Object::new(port.span);
            made.put("containerPort", whole(port.span, &port.number));
            made.put("protocol", text(port.span, port.protocol.clone()));
            let is_target =
                |(of, target): &(String, String)| of == container && *target == port.number;
            if self.target.as_ref().is_some_and(is_target) {
                made.put("name", text(port.span, TARGET));
            }
            made.node()
        });
        made.collect()
    }
}

/// Where requests of a load balancer go.
#[derive(Debug)]
pub(super) struct Rule<'a> {
    kind: &'static str,
    pub(super) container: String,
    pub(super) port: String,
    path: Option<Node<'a>>,
    hosts: Vec<Node<'a>>,
    span: Span,
}

/// What reaches a service.
#[derive(Debug, Default)]
pub(super) struct Exposure<'a> {
    pub(super) ports: Ports,
    /// The first rule, which an Ingress or a Service of the type LoadBalancer takes the place of.
    pub(super) rule: Option<Rule<'a>>,
    pub(super) grace_period: Option<Node<'a>>,
}

/// What to do about settings of a load balancer.
const BALANCER: &str =
    "set it with the annotations of the AWS Load Balancer Controller on the Ingress or the Service";
const MORE_RULES: &str =
    "one load balancer is made for a service: write an Ingress or a Service for the others";

const OF_HTTP: &[&str] = &[
    "alb",
    "allowed_source_ips",
    "healthcheck",
    "redirect_to_https",
    "ssl_policy",
    "stickiness",
    "version",
];
const OF_NLB: &[&str] = &["healthcheck", "ssl_policy", "stickiness"];

/// Takes `http` and `nlb`, and the ports of all containers.
pub(super) fn exposure<'a>(
    workload: &Workload<'a>,
    top: &mut Section<'a>,
    sidecars: &[Sidecar<'a>],
    own_port: Option<&Node<'a>>,
    report: &mut Report<'_>,
) -> Exposure<'a> {
    let mut made = Exposure::default();
    if let Some(port) = own_port {
        made.ports.add(&workload.name, port);
    }
    for sidecar in sidecars {
        if let Some(port) = sidecar.section.peek("port") {
            made.ports.add(&sidecar.name, port);
        }
    }
    let mut rules = Vec::new();
    if let Some(mut http) = top.section("http") {
        of_http(workload, &mut http, &mut rules, &mut made, report);
        http.finish(report);
    }
    // `http: false` switches the load balancer off.
    top.take_if("http", |node| matches!(node.value, Value::Bool(_)));
    if let Some(mut nlb) = top.section("nlb") {
        of_nlb(workload, &mut nlb, &mut rules, &mut made, report);
        nlb.finish(report);
    }
    let mut rules = rules.into_iter();
    made.rule = rules.next();
    for rule in rules {
        let key = match rule.kind {
            "alb" => "http.additional_rules",
            _ => "nlb",
        };
        report.unread(rule.span, key.to_owned(), MORE_RULES);
    }
    made
}

fn of_http<'a>(
    workload: &Workload<'a>,
    http: &mut Section<'a>,
    rules: &mut Vec<Rule<'a>>,
    made: &mut Exposure<'a>,
    report: &mut Report<'_>,
) {
    if let Some(check) = http.peek("healthcheck") {
        made.grace_period = check.get("grace_period").cloned().map(duration);
    }
    rules.extend(rule_of(workload, "alb", http, made));
    more(
        workload,
        "alb",
        http,
        "additional_rules",
        rules,
        made,
        report,
    );
    let delay = "pass it with --deregistration-delay";
    http.unread(&["deregistration_delay"], delay, report);
    let zone = "let external-dns make the record, or let one point at the address of the Ingress";
    http.unread(&["hosted_zone"], zone, report);
    http.unread(OF_HTTP, BALANCER, report);
}

fn of_nlb<'a>(
    workload: &Workload<'a>,
    nlb: &mut Section<'a>,
    rules: &mut Vec<Rule<'a>>,
    made: &mut Exposure<'a>,
    report: &mut Report<'_>,
) {
    if made.grace_period.is_none()
        && let Some(check) = nlb.peek("healthcheck")
    {
        made.grace_period = check.get("grace_period").cloned().map(duration);
    }
    let alias = "let external-dns make the record, or let one point at the address of the Service";
    nlb.unread(&["alias"], alias, report);
    rules.extend(rule_of(workload, "nlb", nlb, made));
    more(
        workload,
        "nlb",
        nlb,
        "additional_listeners",
        rules,
        made,
        report,
    );
    nlb.unread(OF_NLB, BALANCER, report);
}

/// Takes the other rules of a load balancer.
fn more<'a>(
    workload: &Workload<'a>,
    kind: &'static str,
    section: &mut Section<'a>,
    key: &str,
    rules: &mut Vec<Rule<'a>>,
    made: &mut Exposure<'a>,
    report: &mut Report<'_>,
) {
    let path = section.path(key);
    for element in section.elements(key).unwrap_or_default() {
        if let Ok(mut element) = Section::of(path.clone(), element) {
            rules.extend(rule_of(workload, kind, &mut element, made));
            element.unread(OF_HTTP, BALANCER, report);
            element.finish(report);
        }
    }
}

/// Takes where a rule sends requests: to a port of the container that it names, or of the one that has the port, or of the
/// main one. The listener of a Network Load Balancer sends to its own port if no other is named.
fn rule_of<'a>(
    workload: &Workload<'a>,
    kind: &'static str,
    section: &mut Section<'a>,
    made: &mut Exposure<'a>,
) -> Option<Rule<'a>> {
    let named = section.text("target_container");
    let named = named.or_else(|| section.text("targetContainer"));
    let listener = section.text("port");
    let target = section.text("target_port");
    let target = target.or_else(|| listener.filter(|_| kind == "nlb"));
    let number = target.as_ref().and_then(Node::text);
    let number = number.map(|written| written.split('/').next().unwrap_or(written).to_owned());
    let container = match named.as_ref().and_then(Node::text) {
        Some(named) => named.to_owned(),
        None => {
            let owner = number.as_deref().and_then(|it| made.ports.container_of(it));
            owner.unwrap_or(&workload.name).to_owned()
        }
    };
    if let Some(target) = &target {
        made.ports.add(&container, target);
    }
    let port = number.or_else(|| made.ports.of(&container).map(str::to_owned))?;
    Some(Rule {
        kind,
        container,
        port,
        path: section.text("path"),
        hosts: hosts(section),
        span: section.span,
    })
}

/// Takes the host names of a rule: a text, a list of texts, or of objects with a name.
fn hosts<'a>(section: &mut Section<'a>) -> Vec<Node<'a>> {
    let found = texts(section, "alias").unwrap_or_default();
    let one = |node: Node<'a>| match node.get("name") {
        Some(name) => name.clone(),
        None => node,
    };
    found.into_iter().map(one).collect()
}

impl<'a> Rule<'a> {
    /// Returns `spec.kubernetes.expose` of an `EcsService`.
    pub(super) fn expose(self, workload: &Workload<'a>) -> Node<'a> {
        let span = self.span;
        let mut made = Object::new(span);
        made.put("type", text(span, self.kind));
        made.put("containerName", name_at(span, &self.container));
        made.put("containerPort", whole(span, &self.port));
        if self.kind == "alb" {
            let path = self.path.map(|path| {
                let written = path.text().unwrap_or_default();
                let absolute = format!("/{}", written.trim_start_matches('/'));
                text(path.span, absolute)
            });
            made.maybe("path", path);
        }
        if workload.kind == Kind::Backend {
            made.put("scheme", text(span, "internal"));
        }
        if let Some(first) = self.hosts.first() {
            made.put("hosts", list(first.span, self.hosts));
        }
        made.node()
    }

    /// Returns `loadBalancers` of a service whose target group is there already.
    pub(super) fn target_group(self, arn: &str) -> Node<'a> {
        let span = self.span;
        let mut made = Object::new(span);
        made.put("targetGroupArn", name_at(span, arn));
        made.put("containerName", name_at(span, &self.container));
        made.put("containerPort", whole(span, &self.port));
        list(span, vec![made.node()])
    }
}
