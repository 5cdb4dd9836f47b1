//! The service of a manifest.

use super::{
    super::{
        manifest::{Object, Report, Section, boolean, is_true, list, number, text, whole},
        text::Span,
        tree::{Node, Value},
    },
    exposure::{Exposure, TARGET},
    member::texts,
    scaling::count,
    task_definition::task_definition,
    workload::{Kind, Workload},
};

/// How long the checks of a load balancer are not counted against a new task, in seconds.
const GRACE_PERIOD: u32 = 60;

/// Returns the task definition and the service.
pub(super) fn requests<'a>(
    workload: &Workload<'a>,
    top: &mut Section<'a>,
    report: &mut Report<'_>,
) -> Vec<Node<'a>> {
    let (task_definition, exposure) = task_definition(workload, top, report);
    let service = service(workload, top, exposure, report);
    vec![task_definition, service]
}

/// Returns the service as an `EcsService`, which has its scaling and its load balancer with it.
fn service<'a>(
    workload: &Workload<'a>,
    top: &mut Section<'a>,
    exposure: Exposure<'a>,
    report: &mut Report<'_>,
) -> Node<'a> {
    let span = workload.span();
    let mut spec = Object::new(span);
    spec.put("serviceName", workload.name_node.clone());
    spec.put("taskDefinition", workload.name_node.clone());
    let count = count(workload, top, report);
    spec.maybe("desiredCount", count.desired);
    if count.strategy.is_empty() {
        spec.put("launchType", text(span, "FARGATE"));
    }
    spec.elements("capacityProviderStrategy", count.strategy);
    spec.put("deploymentConfiguration", deployment(span, top, report));
    if top.take("exec").is_some_and(|exec| is_on(&exec)) {
        spec.put("enableExecuteCommand", boolean(span, true));
    }
    let port = exposure.rule.as_ref().map(|rule| rule.port.clone());
    let own_port = exposure.ports.of(&workload.name).map(str::to_owned);
    network(
        workload,
        top,
        port.as_deref().or(own_port.as_deref()),
        &mut spec,
        report,
    );
    if let Some(rule) = exposure.rule {
        let grace = exposure.grace_period;
        let grace = grace.unwrap_or_else(|| number(span, GRACE_PERIOD));
        spec.put("healthCheckGracePeriodSeconds", grace);
        // A target group that is there can be kept.
        match report.given(&workload.placeholder("TargetGroup")) {
            Some(arn) => spec.put("loadBalancers", rule.target_group(arn)),
            None => {
                let mut kubernetes = Object::new(span);
                kubernetes.put("expose", rule.expose(workload));
                spec.put("kubernetes", kubernetes.node());
            }
        }
    }
    spec.maybe("autoScaling", count.auto_scaling);
    resource(workload, "EcsService", spec.node())
}

/// Returns a custom resource of this operator.
pub(super) fn resource<'a>(
    workload: &Workload<'a>,
    kind: &'static str,
    spec: Node<'a>,
) -> Node<'a> {
    let span = workload.span();
    let mut metadata = Object::new(span);
    metadata.put("name", workload.name_node.clone());
    let mut made = Object::new(span);
    made.put("apiVersion", text(span, "ecs-operator.dev/v1alpha1"));
    made.put("kind", text(span, kind));
    made.put("metadata", metadata.node());
    made.put("spec", spec);
    made.node()
}

/// Whether `exec` or `connect` is on: `true`, or an object that does not switch it off.
fn is_on(node: &Node<'_>) -> bool {
    match &node.value {
        Value::Object(_) => node.get("enable").is_none_or(is_true),
        _ => is_true(node),
    }
}

/// Takes how a deployment replaces tasks (<https://aws.github.io/copilot-cli/docs/manifest/lb-web-service/#deployment>).
fn deployment<'a>(span: Span, top: &mut Section<'a>, report: &mut Report<'_>) -> Node<'a> {
    let mut made = Object::new(span);
    let (mut least, mut most) = (100, 200);
    if let Some(mut section) = top.section("deployment") {
        let recreates = |node: &Node<'a>| node.scalar() == Some("recreate");
        let is_rolling = |node: &Node<'a>| recreates(node) || node.scalar() == Some("default");
        if section
            .take_if("rolling", is_rolling)
            .is_some_and(|node| recreates(&node))
        {
            (least, most) = (0, 100);
        }
        if let Some(names) = section.elements("rollback_alarms")
            && let Some(first) = names.first()
        {
            let at = first.span;
            let mut alarms = Object::new(at);
            alarms.put("alarmNames", list(at, names));
            alarms.put("enable", boolean(at, true));
            alarms.put("rollback", boolean(at, true));
            made.put("alarms", alarms.node());
        }
        let advice = "watch the metric from the pipeline that deploys: no alarm is made";
        section.unread(&["rollback_alarms"], advice, report);
        section.finish(report);
    }
    made.put("minimumHealthyPercent", number(span, least));
    made.put("maximumPercent", number(span, most));
    let mut breaker = Object::new(span);
    breaker.put("enable", boolean(span, true));
    breaker.put("rollback", boolean(span, true));
    made.put("deploymentCircuitBreaker", breaker.node());
    made.node()
}

/// Takes the network of a service, and how others find it by name.
fn network<'a>(
    workload: &Workload<'a>,
    top: &mut Section<'a>,
    port: Option<&str>,
    spec: &mut Object<'a>,
    report: &mut Report<'_>,
) {
    let section = top.section("network");
    let mut section = section.unwrap_or_else(|| Section::empty(workload.span()));
    let connect = section.take("connect");
    if let Some(connect) = connect.filter(is_on) {
        let alias = connect.get("alias").cloned();
        spec.put(
            "serviceConnectConfiguration",
            service_connect(workload, connect.span, alias, port),
        );
    }
    if let Some(port) = port
        && workload.kind != Kind::Worker
    {
        spec.put("serviceRegistries", registry(workload, port));
    }
    if let Some(vpc) = section.section("vpc") {
        spec.maybe("networkConfiguration", subnets(vpc, report));
    }
    section.finish(report);
}

/// Takes the subnets and security groups; the pods run where their nodes do.
pub(super) fn subnets<'a>(mut vpc: Section<'a>, report: &mut Report<'_>) -> Option<Node<'a>> {
    let nodes = "pods run in the subnets of their nodes";
    vpc.unused_if("placement", |node| node.text().is_some(), nodes, report);
    let mut found = None;
    if let Some(mut placement) = vpc.section("placement") {
        found = placement.elements("subnets");
        placement.unused(&["subnets"], nodes, report);
        placement.finish(report);
    }
    let span = vpc.span;
    let groups = match vpc.section("security_groups") {
        Some(mut section) => {
            let why = "Copilot's own security group is not used here";
            section.unused(&["deny_default"], why, report);
            let groups = section.elements("groups");
            section.finish(report);
            groups
        }
        None => texts(&mut vpc, "security_groups"),
    };
    let groups = groups.unwrap_or_default();
    let groups: Vec<_> = groups
        .into_iter()
        .map(|group| super::member::export(&group, report).unwrap_or(group))
        .collect();
    let mut made = Object::new(span);
    if let Some(subnets) = found {
        made.elements("subnets", subnets);
        made.elements("securityGroups", groups);
    } else if let Some(first) = groups.first() {
        // AWS takes no security groups without subnets, and Copilot's environment has these.
        report.unread(
            first.span,
            vpc.path("security_groups"),
            "give network.vpc.placement.subnets too, or a SecurityGroupPolicy or a NetworkPolicy",
        );
    }
    vpc.finish(report);
    if made.is_empty() {
        return None;
    }
    let mut configuration = Object::new(span);
    configuration.put("awsvpcConfiguration", made.node());
    Some(configuration.node())
}

/// Returns the configuration of Service Connect; a service without a port is only a client.
fn service_connect<'a>(
    workload: &Workload<'a>,
    span: Span,
    alias: Option<Node<'a>>,
    port: Option<&str>,
) -> Node<'a> {
    let mut made = Object::new(span);
    made.put("enabled", boolean(span, true));
    made.put("namespace", text(span, workload.namespace()));
    if let Some(port) = port {
        let mut client = Object::new(span);
        client.put("port", whole(span, port));
        let name = alias.unwrap_or_else(|| text(span, workload.name.clone()));
        client.put("dnsName", name);
        let mut service = Object::new(span);
        service.put("portName", text(span, TARGET));
        let discovery = format!("{}-sc", workload.name);
        service.put("discoveryName", text(span, discovery));
        service.put("clientAliases", list(span, vec![client.node()]));
        made.put("services", list(span, vec![service.node()]));
    }
    made.node()
}

/// Returns the entry of Cloud Map by which Copilot's services find each other.
fn registry<'a>(workload: &Workload<'a>, port: &str) -> Node<'a> {
    let span = workload.span();
    let mut made = Object::new(span);
    let arn = workload.arn("servicediscovery", &format!("service/{}", workload.name));
    made.put("registryArn", text(span, arn));
    made.put("port", whole(span, port));
    list(span, vec![made.node()])
}
