//! Request-driven web services, which are services of App Runner
//! (<https://aws.github.io/copilot-cli/docs/manifest/rd-web-service/>).

use super::{
    super::{
        manifest::{Object, Report, Section, boolean, is_true, list, plain_text, text},
        tree::{Member, Node, Value},
    },
    container::image_of,
    member::{duration, export, secret},
    service::resource,
    variables::{self, Provided},
    workload::Workload,
};

/// The size of an instance whose manifest has none.
const CPU: &str = "1024";
const MEMORY: &str = "2048";

/// Returns the service.
pub(super) fn service<'a>(
    workload: &Workload<'a>,
    top: &mut Section<'a>,
    report: &mut Report<'_>,
) -> Node<'a> {
    let span = workload.span();
    let others = variables::of_manifest(workload, top);
    let provided = Provided::new(workload, &others, report);
    let mut spec = Object::new(span);
    spec.put("ServiceName", workload.name_node.clone());
    spec.put(
        "SourceConfiguration",
        source(workload, top, &provided, report),
    );
    let mut instance = Object::new(span);
    instance.put("Cpu", top.text("cpu").unwrap_or_else(|| text(span, CPU)));
    let memory = top.text("memory");
    instance.put("Memory", memory.unwrap_or_else(|| text(span, MEMORY)));
    let role = report.open(span, &workload.placeholder("InstanceRole"));
    instance.put("InstanceRoleArn", role);
    spec.put("InstanceConfiguration", instance.node());
    if let Some(http) = top.section("http") {
        web(http, &mut spec, report);
    }
    spec.maybe("Tags", top.section("tags").map(tags));
    others_of_service(top, report);
    resource(workload, "AppRunnerService", spec.node())
}

/// Names what an App Runner service has elsewhere.
fn others_of_service(top: &mut Section<'_>, report: &mut Report<'_>) {
    top.unread(
        &["count"],
        "give its numbers: AutoScalingConfiguration in the AppRunnerService, or the output of describe-auto-scaling-configuration",
        report,
    );
    top.unread(
        &["publish"],
        "the topics stay in AWS: allow the instance role to publish, and give the variable COPILOT_SNS_TOPIC_ARNS with --set",
        report,
    );
    top.unread(
        &["observability"],
        "run a collector of OpenTelemetry in the cluster, and give its address in OTEL_EXPORTER_OTLP_ENDPOINT",
        report,
    );
    top.unused(&["platform"], "App Runner has only linux/x86_64", report);
    top.unused(
        &["network"],
        "pods run in the subnets of their nodes",
        report,
    );
}

/// Takes the image and what runs in it.
fn source<'a>(
    workload: &Workload<'a>,
    top: &mut Section<'a>,
    provided: &Provided,
    report: &mut Report<'_>,
) -> Node<'a> {
    let span = workload.span();
    let image = top.section("image");
    let mut image = image.unwrap_or_else(|| Section::empty(span));
    let identifier = image_of(&mut image, &workload.placeholder("image"), report);
    let mut configuration = Object::new(span);
    configuration.maybe("Port", image.text("port"));
    configuration.maybe("StartCommand", top.text("command"));
    image.finish(report);
    let mut variables = Object::new(span);
    let own = map(top, "variables", report, |member, report| {
        plain_text(&member.value).or_else(|| export(&member.value, report))
    });
    for (name, value) in provided.pairs() {
        if !own.iter().any(|member| member.key == *name) {
            variables.put(name.clone(), text(span, value.clone()));
        }
    }
    // Copilot gives the ARN of a secret too.
    for (name, from) in provided.secrets() {
        let name = format!("{name}_ARN");
        if !own.iter().any(|member| member.key == name) {
            variables.put(name, text(span, from.clone()));
        }
    }
    for member in own {
        variables.put(member.key, member.value);
    }
    configuration.put("RuntimeEnvironmentVariables", variables.node());
    let secrets = map(top, "secrets", report, |member, report| {
        let value = secret(workload, &member.value, report)?;
        Some(arn_of(workload, value))
    });
    let mut all = Object::new(span);
    for (name, from) in provided.secrets() {
        if !secrets.iter().any(|member| member.key == *name) {
            all.put(name.clone(), text(span, from.clone()));
        }
    }
    for member in secrets {
        all.put(member.key, member.value);
    }
    if !all.is_empty() {
        configuration.put("RuntimeEnvironmentSecrets", all.node());
    }
    let mut repository = Object::new(span);
    let is_public = identifier
        .text()
        .is_some_and(|it| it.starts_with("public.ecr.aws/"));
    let kind = if is_public { "ECR_PUBLIC" } else { "ECR" };
    repository.put("ImageIdentifier", identifier);
    repository.put("ImageRepositoryType", text(span, kind));
    repository.put("ImageConfiguration", configuration.node());
    let mut made = Object::new(span);
    made.put("ImageRepository", repository.node());
    made.put("AutoDeploymentsEnabled", boolean(span, false));
    made.node()
}

/// Returns the ARN of a parameter of SSM, of which App Runner takes no name.
fn arn_of<'a>(workload: &Workload<'a>, value: Node<'a>) -> Node<'a> {
    let written = value.text().unwrap_or_default();
    if written.starts_with("arn:") || written.starts_with("${") {
        return value;
    }
    let resource = format!("parameter/{}", written.trim_start_matches('/'));
    text(value.span, workload.arn("ssm", &resource))
}

/// Takes a map, without what `value_of` returns nothing of.
fn map<'a>(
    top: &mut Section<'a>,
    key: &str,
    report: &mut Report<'_>,
    mut value_of: impl FnMut(&Member<'a>, &mut Report<'_>) -> Option<Node<'a>>,
) -> Vec<Member<'a>> {
    let Some(mut section) = top.section(key) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for mut member in section.take_all() {
        match value_of(&member, report) {
            Some(value) => {
                member.value = value;
                found.push(member);
            }
            None => report.unread(
                member.key_span,
                section.path(&member.key),
                "write a text, or what Copilot's documentation allows here",
            ),
        }
    }
    found
}

/// Takes how requests reach the service.
fn web<'a>(mut http: Section<'a>, spec: &mut Object<'a>, report: &mut Report<'_>) {
    let mut check = Object::new(http.span);
    check.put("Protocol", text(http.span, "HTTP"));
    if let Some(path) = http.text("healthcheck") {
        check.put("Path", path);
        spec.put("HealthCheckConfiguration", check.node());
    } else if let Some(mut section) = http.section("healthcheck") {
        check.maybe("Path", section.text("path"));
        check.maybe("Interval", section.take("interval").map(duration));
        check.maybe("Timeout", section.take("timeout").map(duration));
        check.maybe("HealthyThreshold", section.take("healthy_threshold"));
        check.maybe("UnhealthyThreshold", section.take("unhealthy_threshold"));
        section.finish(report);
        spec.put("HealthCheckConfiguration", check.node());
    }
    if let Some(alias) = http.text("alias") {
        let span = alias.span;
        let mut domain = Object::new(span);
        domain.put("DomainName", alias);
        // Copilot makes the record of the name alone.
        domain.put("EnableWWWSubdomain", boolean(span, false));
        spec.put("CustomDomains", list(span, vec![domain.node()]));
    }
    let private = http.take("private");
    let is_private = |node: &Node<'a>| node.members().is_some() || is_true(node);
    if let Some(private) = private.filter(is_private) {
        let span = private.span;
        let mut ingress = Object::new(span);
        ingress.put("IsPubliclyAccessible", boolean(span, false));
        let mut network = Object::new(span);
        network.put("IngressConfiguration", ingress.node());
        spec.put("NetworkConfiguration", network.node());
        if let Some(endpoint) = private.get("endpoint").filter(|it| it.scalar().is_some()) {
            let why = "nothing here needs a VPC endpoint";
            report.unused(endpoint.span, http.path("private.endpoint"), why);
        }
    }
    http.finish(report);
}

fn tags<'a>(mut section: Section<'a>) -> Node<'a> {
    let span = section.span;
    let one = |member: Member<'a>| {
        let mut made = Object::new(member.value.span);
        made.put("Key", text(member.key_span, member.key));
        let value = plain_text(&member.value).map(|node| node.value);
        let value = value.unwrap_or(Value::Null);
        made.put(
            "Value",
            Node {
                value,
                span: member.value.span,
            },
        );
        made.node()
    };
    list(span, section.take_all().into_iter().map(one).collect())
}
