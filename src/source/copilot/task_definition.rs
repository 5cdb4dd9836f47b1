//! The task definition of a service or a job.

use super::{
    super::{
        manifest::{Object, Report, Section, text},
        text::Span,
        tree::{Node, Value},
    },
    container::{Shared, main_container},
    exposure::{self, Exposure},
    logging::Logging,
    member::text_list,
    overrides::overridden,
    sidecar::{container, sidecars},
    storage::storage,
    variables::{self, Provided},
    workload::Workload,
};

/// The size of a task whose manifest has none.
const CPU: &str = "256";
const MEMORY: &str = "512";

/// Makes the task definition, and returns what reaches its containers.
pub(super) fn task_definition<'a>(
    workload: &Workload<'a>,
    top: &mut Section<'a>,
    report: &mut Report<'_>,
) -> (Node<'a>, Exposure<'a>) {
    let span = workload.span();
    let others = variables::of_manifest(workload, top);
    let provided = Provided::new(workload, &others, report);
    let logging = Logging::take(workload, top, &provided, report);
    let sidecars = sidecars(top, report);
    let own_port = top
        .peek("image")
        .and_then(|image| image.get("port"))
        .cloned();
    let mut exposure = exposure::exposure(workload, top, &sidecars, own_port.as_ref(), report);
    set_target(&mut exposure, workload, own_port.as_ref());
    let mut storage = storage(workload, top, report);
    let shared = Shared {
        workload,
        provided: &provided,
        logging: &logging,
        ports: &exposure.ports,
    };
    let mut containers = vec![main_container(&shared, top, &mut storage, report)];
    containers.extend(logging.router.clone());
    let before_sidecars = containers.len();
    for sidecar in sidecars {
        containers.push(container(&shared, sidecar, report));
    }
    let mut made = Object::new(span);
    made.put("family", workload.name_node.clone());
    made.put("networkMode", text(span, "awsvpc"));
    made.put(
        "requiresCompatibilities",
        text_list(&workload.name_node, &["FARGATE"]),
    );
    made.put("cpu", top.text("cpu").unwrap_or_else(|| text(span, CPU)));
    made.put(
        "memory",
        top.text("memory").unwrap_or_else(|| text(span, MEMORY)),
    );
    made.maybe("runtimePlatform", platform(top));
    made.maybe("ephemeralStorage", storage.ephemeral);
    let role = report.open(span, &workload.placeholder("ExecutionRole"));
    made.put("executionRoleArn", role);
    let role = report.open(span, &workload.placeholder("TaskRole"));
    made.put("taskRoleArn", role);
    made.elements("containerDefinitions", containers);
    made.elements("volumes", storage.volumes);
    let made = overridden(made.node(), &shared, top, before_sidecars, report);
    others_of_task(top, report);
    (made, exposure)
}

/// Names the port to which others connect: that of the load balancer, or the own one.
fn set_target(exposure: &mut Exposure<'_>, workload: &Workload<'_>, own_port: Option<&Node<'_>>) {
    let rule = exposure.rule.as_ref();
    let target = rule.map(|rule| (rule.container.clone(), rule.port.clone()));
    let own = own_port.and_then(Node::scalar);
    let own = own.map(|port| (workload.name.clone(), port.to_owned()));
    if let Some((container, port)) = target.or(own) {
        exposure.ports.set_target(&container, &port);
    }
}

/// Names what a task definition would have, and what Copilot makes besides.
fn others_of_task(top: &mut Section<'_>, report: &mut Report<'_>) {
    top.unread(
        &["publish"],
        "the topics stay in AWS: allow the task role to publish, and give the variable COPILOT_SNS_TOPIC_ARNS with --set",
        report,
    );
    top.unread(
        &["subscribe"],
        "the queues and subscriptions stay in AWS: allow the task role to receive messages, and give the variable COPILOT_QUEUE_URI with --set",
        report,
    );
    top.unread(
        &["observability"],
        "run a collector of OpenTelemetry in the cluster, and give its address in OTEL_EXPORTER_OTLP_ENDPOINT",
        report,
    );
}

/// Takes the platform: `linux/arm64`, or an object (<https://aws.github.io/copilot-cli/docs/manifest/lb-web-service/#platform>).
fn platform<'a>(top: &mut Section<'a>) -> Option<Node<'a>> {
    let node = top.take("platform")?;
    let span = node.span;
    let (system, architecture) = match &node.value {
        Value::Object(_) => {
            let text = |key: &str| node.get(key).and_then(Node::scalar);
            (
                text("osfamily")?.to_owned(),
                text("architecture")?.to_owned(),
            )
        }
        _ => {
            let (system, architecture) = node.scalar()?.split_once('/')?;
            (system.to_owned(), architecture.to_owned())
        }
    };
    let mut made = Object::new(span);
    made.put("operatingSystemFamily", text(span, system_of(&system)));
    made.put("cpuArchitecture", architecture_of(span, &architecture));
    Some(made.node())
}

fn system_of(name: &str) -> String {
    match name {
        "windows" => "WINDOWS_SERVER_2019_CORE".to_owned(),
        _ => name.to_ascii_uppercase(),
    }
}

fn architecture_of<'a>(span: Span, name: &str) -> Node<'a> {
    let name = match name {
        "arm64" | "arm" => "ARM64",
        "amd64" | "x86_64" => "X86_64",
        other => return text(span, other.to_owned()),
    };
    text(span, name)
}
