//! How many tasks run, and how they are replaced (<https://github.com/compose-spec/compose-spec/blob/main/deploy.md>).

use super::super::{
    manifest::{Object, Report, Section, boolean, number, text},
    text::Span,
    tree::Node,
};

/// Adds the number of tasks, and what scales it.
pub(super) fn add<'a>(
    spec: &mut Object<'a>,
    section: &mut Section<'a>,
    deploy: &mut Section<'a>,
    report: &mut Report<'_>,
) {
    let span = section.span;
    let scale = section.take("scale");
    let replicas = deploy.take("replicas").or(scale);
    let tasks = replicas
        .as_ref()
        .and_then(Node::scalar)
        .and_then(|it| it.parse::<u32>().ok());
    let mode = deploy.text("mode");
    if mode.as_ref().and_then(Node::text) == Some("global") {
        spec.put("schedulingStrategy", text(span, "DAEMON"));
    } else {
        spec.put("desiredCount", replicas.unwrap_or_else(|| number(span, 1)));
    }
    let configuration = configuration(deploy, tasks.unwrap_or(1), report);
    spec.maybe("deploymentConfiguration", configuration);
    if let Some(scaling) = deploy.section("x-aws-autoscaling") {
        spec.put("autoScaling", auto_scaling(scaling, report));
    }
    deploy.unread(
        &["placement"],
        "set nodeSelector, affinity or topologySpreadConstraints in spec.kubernetes.pod of the EcsService",
        report,
    );
    let ends =
        |node: &Node<'_>| matches!(node.scalar(), Some("no" | "none" | "false" | "on-failure"));
    let ends_by_policy = |node: &Node<'_>| node.get("condition").is_some_and(ends);
    let advice =
        "a task that ends is always replaced: run what ends with RunTask or a schedule instead";
    if section.peek("restart").is_some_and(ends) {
        section.unread(&["restart"], advice, report);
    }
    if deploy.peek("restart_policy").is_some_and(ends_by_policy) {
        deploy.unread(&["restart_policy"], advice, report);
    }
    let why = "a task that ends is always replaced";
    deploy.unused(&["restart_policy"], why, report);
    section.unused(&["restart"], why, report);
    let why =
        "the operator returns to the last deployment that worked, by deploymentCircuitBreaker";
    deploy.unused(&["rollback_config"], why, report);
    let why = "a Service of Kubernetes has one address for all pods";
    deploy.unused(&["endpoint_mode"], why, report);
    deploy.unused(
        &["labels"],
        "they are of the service in Docker Swarm",
        report,
    );
}

/// Takes how many tasks are replaced at a time.
fn configuration<'a>(
    deploy: &mut Section<'a>,
    tasks: u32,
    report: &mut Report<'_>,
) -> Option<Node<'a>> {
    let mut section = deploy.section("update_config")?;
    let span = section.span;
    let least = section.take("x-aws-min_percent");
    let most = section.take("x-aws-max_percent");
    let parallelism = section.take("parallelism");
    let at_once = parallelism
        .as_ref()
        .and_then(Node::scalar)
        .and_then(|it| it.parse::<u32>().ok());
    let order = section.text("order");
    let starts_first = order.as_ref().and_then(Node::text) == Some("start-first");
    // No number, or 0, is all at once.
    let at_once = at_once.filter(|it| *it > 0).unwrap_or(tasks).min(tasks);
    let share = (at_once * 100).checked_div(tasks).unwrap_or(100);
    let (low, high) = if starts_first {
        (100, 100 + share)
    } else {
        (100 - share, 100)
    };
    let why = "a deployment waits for its tasks, and for nothing else";
    section.unused(&["delay", "monitor", "max_failure_ratio"], why, report);
    let action = section.text("failure_action");
    section.finish(report);
    let mut made = Object::new(span);
    made.put(
        "minimumHealthyPercent",
        least.unwrap_or_else(|| number(span, low)),
    );
    made.put("maximumPercent", most.unwrap_or_else(|| number(span, high)));
    if action.as_ref().and_then(Node::text) == Some("rollback") {
        let mut breaker = Object::new(span);
        breaker.put("enable", boolean(span, true));
        breaker.put("rollback", boolean(span, true));
        made.put("deploymentCircuitBreaker", breaker.node());
    }
    Some(made.node())
}

/// Takes the targets of CPU and memory, and the bounds of the number of tasks.
fn auto_scaling<'a>(mut section: Section<'a>, report: &mut Report<'_>) -> Node<'a> {
    let span = section.span;
    let mut target = Object::new(span);
    target.put(
        "MinCapacity",
        section.take("min").unwrap_or_else(|| number(span, 1)),
    );
    target.put(
        "MaxCapacity",
        section.take("max").unwrap_or_else(|| number(span, 10)),
    );
    let metrics = [
        ("cpu", "ECSServiceAverageCPUUtilization"),
        ("memory", "ECSServiceAverageMemoryUtilization"),
    ];
    let mut policies = Vec::new();
    for (key, metric) in metrics {
        if let Some(value) = section.take(key) {
            policies.push(policy(value, key, metric, span));
        }
    }
    section.finish(report);
    let mut made = Object::new(span);
    made.put("scalableTarget", target.node());
    made.elements("scalingPolicies", policies);
    made.node()
}

fn policy<'a>(value: Node<'a>, key: &'static str, metric: &'static str, span: Span) -> Node<'a> {
    let mut predefined = Object::new(span);
    predefined.put("PredefinedMetricType", text(span, metric));
    let mut tracking = Object::new(span);
    tracking.put("PredefinedMetricSpecification", predefined.node());
    tracking.put("TargetValue", value);
    let mut made = Object::new(span);
    made.put("PolicyName", text(span, key));
    made.put("PolicyType", text(span, "TargetTrackingScaling"));
    made.put("TargetTrackingScalingPolicyConfiguration", tracking.node());
    made.node()
}
