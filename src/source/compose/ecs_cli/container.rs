//! What the members of a service that only one machine has, and the parameters, make of its container.

use super::{
    super::{
        super::{
            manifest::{is_true, seconds, words},
            tree::Value,
        },
        host_name::extra_hosts,
    },
    Node, Object, Report, Section, list, number, renamed,
    task::memory,
    text,
};

/// What the tool does not read either.
const NOT_READ: &[&str] = &[
    "build",
    "container_name",
    "depends_on",
    "deploy",
    "develop",
    "expose",
    "networks",
    "pull_policy",
    "restart",
    "scale",
    "stop_signal",
];

/// Adds the members that a container of a task on one machine has, beside those of every other file of Compose.
pub(super) fn own<'a>(
    made: &mut Object<'a>,
    service: &mut Section<'a>,
    has_own_network: bool,
    report: &mut Report<'_>,
) {
    made.maybe("cpu", service.take("cpu_shares"));
    made.maybe("memory", memory(service, "mem_limit"));
    made.maybe("memoryReservation", memory(service, "mem_reservation"));
    made.elements("extraHosts", extra_hosts(service, report));
    if has_own_network {
        let why = "the containers of a task reach each other at localhost";
        service.unused(&["links", "external_links", "hostname"], why, report);
    } else {
        made.elements("links", service.elements("links").unwrap_or_default());
        made.maybe("hostname", service.text("hostname"));
    }
    let why = "the Amazon ECS CLI does not read it either";
    service.unused(NOT_READ, why, report);
}

/// Puts what the parameters say of a service in the place of what it says itself. Returns whether it needs a node.
pub(super) fn overriding<'a>(
    made: &mut Object<'a>,
    mut params: Section<'a>,
    report: &mut Report<'_>,
) -> bool {
    let span = params.span;
    made.replace("essential", params.take("essential"));
    made.replace("cpu", params.take("cpu_shares"));
    made.replace("memory", memory(&mut params, "mem_limit"));
    made.replace("memoryReservation", memory(&mut params, "mem_reservation"));
    if let Some(init) = params.take("init_process_enabled").filter(is_true) {
        made.within("linuxParameters", span, |linux| {
            linux.replace("initProcessEnabled", Some(init));
        });
    }
    if let Some(mut credentials) = params.section("repository_credentials") {
        let mut made_of = Object::new(span);
        made_of.maybe(
            "credentialsParameter",
            credentials.text("credentials_parameter"),
        );
        credentials.finish(report);
        made.replace("repositoryCredentials", Some(made_of.node()));
    }
    secrets_and_logs(made, &mut params, report);
    if let Some(mut firelens) = params.section("firelens_configuration") {
        let mut router = Object::new(span);
        router.maybe("type", firelens.text("type"));
        router.maybe("options", firelens.take("options"));
        firelens.finish(report);
        made.put("firelensConfiguration", router.node());
    }
    let names = [
        ("container_name", "containerName"),
        ("condition", "condition"),
    ];
    made.elements(
        "dependsOn",
        renamed(&mut params, "depends_on", &names, report),
    );
    if let Some(check) = params.section("healthcheck") {
        health_check(made, check, report);
    }
    let gpu = params.text("gpu");
    let needs_node = gpu.is_some();
    if let Some(gpu) = gpu {
        let mut one = Object::new(span);
        one.put("type", text(span, "GPU"));
        one.put("value", gpu);
        made.replace("resourceRequirements", Some(list(span, vec![one.node()])));
    }
    params.finish(report);
    needs_node
}

/// Adds the secrets of a container, and what its log has beside the options in the Compose file.
fn secrets_and_logs<'a>(made: &mut Object<'a>, params: &mut Section<'a>, report: &mut Report<'_>) {
    let span = params.span;
    let names = [("name", "name"), ("value_from", "valueFrom")];
    let secrets = renamed(params, "secrets", &names, report);
    made.elements("secrets", secrets);
    if let Some(mut logging) = params.section("logging") {
        let options = renamed(&mut logging, "secret_options", &names, report);
        logging.finish(report);
        made.within("logConfiguration", span, |log| {
            log.elements("secretOptions", options);
        });
    }
}

/// Puts a health check in the place of the one of the Compose file, member by member.
fn health_check<'a>(made: &mut Object<'a>, mut check: Section<'a>, report: &mut Report<'_>) {
    let span = check.span;
    let test = check.take("test");
    let command = check.take("command").or(test);
    let times = [
        ("interval", "interval"),
        ("timeout", "timeout"),
        ("start_period", "startPeriod"),
    ];
    let times = times.map(|(from, to)| {
        let time = check
            .take(from)
            .map(|node| match node.scalar().and_then(seconds) {
                Some(seconds) => number(node.span, seconds),
                None => node,
            });
        (to, time)
    });
    let retries = check.take("retries");
    check.finish(report);
    made.within("healthCheck", span, |own| {
        own.replace("command", command.map(shell));
        own.replace("retries", retries);
        for (name, time) in times {
            own.replace(name, time);
        }
    });
}

/// Returns the command of a health check; a single text is for the shell.
fn shell(command: Node<'_>) -> Node<'_> {
    let span = command.span;
    let shell = || text(span, "CMD-SHELL");
    match command.value {
        Value::String(_) => list(span, vec![shell(), command]),
        Value::List(mut elements) if elements.len() == 1 => {
            elements.insert(0, shell());
            list(span, elements)
        }
        value => {
            let node = Node { value, span };
            words(node.clone()).unwrap_or(node)
        }
    }
}
