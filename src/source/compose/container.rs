//! The container of a service.

use super::{
    super::{
        manifest::{Object, Report, Section, boolean, is_true, number, seconds, text, words},
        placeholder::filled,
        tree::Node,
    },
    environment::environment,
    health_check::health_check,
    pairs::pairs,
    port::Ports,
};

/// Log drivers that Fargate has.
const DRIVERS_OF_FARGATE: &[&str] = &["awslogs", "awsfirelens", "splunk"];

/// What is around a container.
#[derive(Debug)]
pub(super) struct Around<'s, 'a> {
    pub(super) name: &'s Node<'a>,
    pub(super) project: &'s str,
    pub(super) ports: &'s Ports,
}

/// What a container needs of its task.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Whether Fargate cannot run it.
    pub(super) node: bool,
    /// Whether ECS reads something for it.
    pub(super) execution_role: bool,
}

/// Adds the members of a container that are about its program.
pub(super) fn add<'a>(
    made: &mut Object<'a>,
    around: &Around<'_, 'a>,
    section: &mut Section<'a>,
    report: &mut Report<'_>,
) -> Needs {
    let mut needs = Needs::default();
    let open = format!("{}.image", around.name.text().unwrap_or_default());
    let image = image(section, &open, report);
    needs.execution_role = is_in_ecr(&image, report);
    made.put("image", image);
    let is_empty = |node: &Node<'_>| node.elements() == Some(&[]) || node.text() == Some("");
    if section.peek("entrypoint").is_some_and(is_empty) {
        section.unread(
            &["entrypoint"],
            "an empty entry point cannot be given: write the program into it, and its arguments into command",
            report,
        );
    }
    made.maybe("command", command(section, "command"));
    made.maybe("entryPoint", command(section, "entrypoint"));
    made.elements("environment", environment(section, report));
    made.elements("portMappings", around.ports.mappings());
    made.maybe("healthCheck", health_check(section, report));
    made.maybe("user", section.text("user"));
    made.maybe("workingDirectory", section.text("working_dir"));
    let flags = [
        ("read_only", "readonlyRootFilesystem"),
        ("tty", "pseudoTerminal"),
        ("stdin_open", "interactive"),
    ];
    for (key, name) in flags {
        if let Some(flag) = section.take(key).filter(is_true) {
            made.put(name, boolean(flag.span, true));
        }
    }
    let stop = section.take_if("stop_grace_period", |node| {
        node.scalar().and_then(seconds).is_some()
    });
    made.maybe(
        "stopTimeout",
        stop.map(|node| {
            let seconds = node.scalar().and_then(seconds).unwrap_or_default();
            number(node.span, seconds.ceil())
        }),
    );
    name_servers(made, section);
    let labels = labels(section);
    if !labels.is_empty() {
        made.put("dockerLabels", labels.node());
    }
    if let Some(arn) = section.text("x-aws-pull_credentials") {
        let mut credentials = Object::new(arn.span);
        credentials.put("credentialsParameter", arn);
        made.put("repositoryCredentials", credentials.node());
        needs.execution_role = true;
    }
    logging(made, section, around, &mut needs, report);
    needs
}

/// Adds the servers that a container asks for names.
fn name_servers<'a>(made: &mut Object<'a>, section: &mut Section<'a>) {
    for (key, name) in [("dns", "dnsServers"), ("dns_search", "dnsSearchDomains")] {
        let one = section.text(key).map(|node| vec![node]);
        let all = one.or_else(|| section.elements(key));
        made.elements(name, all.unwrap_or_default());
    }
}

/// Whether the image is in a private registry of ECR, from which Fargate pulls with the execution role.
fn is_in_ecr(image: &Node<'_>, report: &Report<'_>) -> bool {
    let written = image.text().unwrap_or_default();
    filled(written.into(), &report.values.fill).contains(".dkr.ecr.")
}

/// Takes the image: its name, or a placeholder for one that is built.
fn image<'a>(section: &mut Section<'a>, open: &str, report: &mut Report<'_>) -> Node<'a> {
    let named = section.text("image");
    let build = section.take("build");
    let span = build.map_or(section.span, |build| build.span);
    named.unwrap_or_else(|| report.open(span, open))
}

/// Takes a command; one that is empty or null is that of the image.
fn command<'a>(section: &mut Section<'a>, key: &str) -> Option<Node<'a>> {
    let node = section.take_if(key, |node| words(node.clone()).is_some())?;
    let is_empty = |node: &Node<'a>| node.elements() == Some(&[]);
    words(node).filter(|node| !is_empty(node))
}

fn labels<'a>(section: &mut Section<'a>) -> Object<'a> {
    let mut made = Object::new(section.span);
    for pair in pairs(section, "labels", &['=']) {
        let value = pair.value.unwrap_or_else(|| text(pair.span, ""));
        made.put(pair.name, value);
    }
    made
}

/// Takes where the output goes. The drivers of Docker that keep it on the machine are not needed.
fn logging<'a>(
    made: &mut Object<'a>,
    section: &mut Section<'a>,
    around: &Around<'_, 'a>,
    needs: &mut Needs,
    report: &mut Report<'_>,
) {
    let Some(mut logging) = section.section("logging") else {
        return;
    };
    let span = logging.span;
    let driver = logging.text("driver");
    let options = logging.section("options");
    let path = section.path("logging");
    logging.finish(report);
    let mut all = Object::new(span);
    let mut is_of_aws = false;
    for member in options.map(|mut it| it.take_all()).unwrap_or_default() {
        is_of_aws |= member.key.starts_with("awslogs-");
        let value = super::super::manifest::plain_text(&member.value);
        all.put(member.key, value.unwrap_or(member.value));
    }
    let named = driver.as_ref().and_then(Node::text);
    if matches!(
        named,
        None | Some("json-file" | "local" | "none" | "journald")
    ) && !is_of_aws
    {
        report.unused(
            span,
            path,
            "the kubelet keeps and rotates the output of containers",
        );
        return;
    }
    let name = named.unwrap_or("awslogs").to_owned();
    let is_of_fargate = DRIVERS_OF_FARGATE.contains(&&*name);
    needs.node |= !is_of_fargate;
    needs.execution_role |= is_of_fargate;
    if name == "awslogs" {
        let group = format!("/docker-compose/{}", around.project);
        let assumed = [
            ("awslogs-group", group),
            ("awslogs-region", report.values.region().to_owned()),
            ("awslogs-stream-prefix", around.project.to_owned()),
        ];
        for (key, value) in assumed {
            if !all.has(key) {
                all.put(key, text(span, value));
            }
        }
    }
    let mut configuration = Object::new(span);
    configuration.put("logDriver", text(span, name));
    if !all.is_empty() {
        configuration.put("options", all.node());
    }
    made.put("logConfiguration", configuration.node());
}
