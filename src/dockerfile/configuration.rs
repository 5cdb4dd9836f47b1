//! Reads `apprunner.yaml` (<https://docs.aws.amazon.com/apprunner/latest/dg/config-file-ref.html>).

use super::{
    Level, Plan,
    read::{PORT, Reader, is_name},
    runtime::{self, Runtime},
};
use crate::source::{Node, Value};

/// The only version of the file.
const VERSION: &[&str] = &["1.0", "1"];

/// Returns how the image is built and run.
pub(super) fn plan(root: &Node<'_>, base: Option<&str>, reader: &mut Reader<'_>) -> Option<Plan> {
    const KNOWN: &[&str] = &["version", "runtime", "build", "run"];
    reader.object(root, "apprunner.yaml", KNOWN)?;
    match root.get("version") {
        None => reader.missing(root, "version"),
        Some(node) => {
            if let Some(version) = reader.text(node, "version")
                && !VERSION.contains(&version.as_str())
            {
                reader.error(node, format!("version must be 1.0, not {version}"));
            }
        }
    }
    let language = match root.get("runtime") {
        None => {
            reader.missing(root, "runtime");
            None
        }
        Some(node) => runtime::named(node, reader),
    };
    // Another image may have what that of the runtime has not.
    let checked = language.filter(|_| base.is_none());
    let mut plan = Plan::default();
    match root.get("build") {
        None => reader.missing(root, "build"),
        Some(node) => build(node, checked, &mut plan, reader),
    }
    let run = root.get("run");
    plan.port = PORT.to_owned();
    plan.port_variable = "PORT".to_owned();
    match run {
        None => reader.missing(root, "run"),
        Some(node) => self::run(node, checked, &mut plan, reader),
    }
    let version = run.and_then(|run| run.get("runtime-version"));
    plan.base = runtime::image(language, version, base, reader);
    Some(plan)
}

fn build(node: &Node<'_>, runtime: Option<&Runtime>, plan: &mut Plan, reader: &mut Reader<'_>) {
    if reader.object(node, "build", &["commands", "env"]).is_none() {
        return;
    }
    if let Some(env) = node.get("env") {
        plan.build_variables = variables(env, "build.env", reader);
    }
    let Some(commands) = node.get("commands") else {
        return reader.missing(node, "build.commands");
    };
    let stages = ["pre-build", "build", "post-build"];
    if reader.object(commands, "build.commands", &stages).is_none() {
        return;
    }
    if commands.get("build").is_none() {
        reader.missing(commands, "build.commands.build");
    }
    for stage in stages {
        if let Some(list) = commands.get(stage) {
            let what = format!("build.commands.{stage}");
            plan.build.extend(reader.commands(list, &what, runtime));
        }
    }
}

fn run(node: &Node<'_>, runtime: Option<&Runtime>, plan: &mut Plan, reader: &mut Reader<'_>) {
    const KNOWN: &[&str] = &[
        "runtime-version",
        "pre-run",
        "command",
        "network",
        "env",
        "secrets",
    ];
    if reader.object(node, "run", KNOWN).is_none() {
        return;
    }
    match node.get("command") {
        None => reader.missing(node, "run.command"),
        Some(command) => {
            plan.command = reader.text(command, "run.command").unwrap_or_default();
        }
    }
    if let Some(list) = node.get("pre-run") {
        plan.pre_run = reader.commands(list, "run.pre-run", runtime);
    }
    if let Some(env) = node.get("env") {
        plan.variables = variables(env, "run.env", reader);
    }
    if let Some(network) = node.get("network") {
        self::network(network, plan, reader);
    }
    if let Some(secrets) = node.get("secrets") {
        self::secrets(secrets, reader);
    }
}

fn network(node: &Node<'_>, plan: &mut Plan, reader: &mut Reader<'_>) {
    if reader
        .object(node, "run.network", &["port", "env"])
        .is_none()
    {
        return;
    }
    plan.port = reader.port(node.get("port"), "run.network.port");
    if let Some(env) = node.get("env")
        && let Some(name) = reader.text(env, "run.network.env")
    {
        if !is_name(&name) {
            let text = format!("{name:?} is no name of an environment variable");
            reader.error(env, text);
        }
        plan.port_variable = name;
    }
}

fn variables(node: &Node<'_>, what: &str, reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for element in reader.list(node, what) {
        let what = format!("a variable of {what}");
        if reader.object(element, &what, &["name", "value"]).is_none() {
            continue;
        }
        let Some(name) = element.get("name") else {
            reader.missing(element, &format!("the name of {what}"));
            continue;
        };
        let Some(value) = element.get("value") else {
            reader.missing(element, &format!("the value of {what}"));
            continue;
        };
        let value = match value.value {
            Value::Null => Some(String::new()),
            _ => reader.text(value, &format!("the value of {what}")),
        };
        let name = reader.text(name, &format!("the name of {what}"));
        if let Some((name, value)) = name.zip(value) {
            variables.extend(reader.variable(element, name, value));
        }
    }
    variables
}

/// Names the secrets, which no image should have.
fn secrets(node: &Node<'_>, reader: &mut Reader<'_>) {
    for element in reader.list(node, "run.secrets") {
        const WHAT: &str = "a secret of run.secrets";
        if reader
            .object(element, WHAT, &["name", "value-from"])
            .is_none()
        {
            continue;
        }
        let Some(name) = element.get("name") else {
            reader.missing(element, "the name of a secret");
            continue;
        };
        if let Some(name) = reader.text(name, "the name of a secret") {
            let text = secret(&name);
            reader.report(element.span, Level::Note, text);
        }
    }
}

/// What is said about a secret.
pub(super) fn secret(name: &str) -> String {
    format!(
        "the secret {name} is not in the image: give it to the service, in RuntimeEnvironmentSecrets"
    )
}
