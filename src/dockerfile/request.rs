//! Reads the request of a service with source code, which says itself how to build it
//! (<https://docs.aws.amazon.com/apprunner/latest/api/API_CodeConfigurationValues.html>).

use super::{Level, Plan, configuration::secret, read::Reader, runtime};
use crate::source::{Node, Value};

/// Returns the source of a service, in whichever envelope; none if this is no document of a service.
pub(super) fn configuration<'n, 'a>(root: &'n Node<'a>) -> Option<&'n Node<'a>> {
    let inner = ["Service", "Properties", "spec"];
    let mut inner = inner.into_iter().filter_map(|key| root.get(key));
    let body = inner.next().unwrap_or(root);
    body.get("SourceConfiguration")
}

/// The members of `CodeConfigurationValues`.
const KNOWN: &[&str] = &[
    "Runtime",
    "BuildCommand",
    "StartCommand",
    "Port",
    "RuntimeEnvironmentVariables",
    "RuntimeEnvironmentSecrets",
];

/// Returns how the image is built and run.
pub(super) fn plan(source: &Node<'_>, base: Option<&str>, reader: &mut Reader<'_>) -> Option<Plan> {
    let Some(repository) = source.get("CodeRepository") else {
        let text = "the service has no CodeRepository: an image needs no Dockerfile";
        reader.error(source, text);
        return None;
    };
    if let Some(folder) = repository.get("SourceDirectory")
        && let Some(name) = reader.text(folder, "SourceDirectory")
        && name != "/"
    {
        let text = format!("build the image in the folder {name} of the repository");
        reader.report(folder.span, Level::Note, text);
    }
    let configuration = repository.get("CodeConfiguration");
    let Some(values) = configuration.and_then(|it| it.get("CodeConfigurationValues")) else {
        let text =
            "the request does not say how to build: give the apprunner.yaml of the repository";
        reader.error(repository, text);
        return None;
    };
    reader.object(values, "CodeConfigurationValues", KNOWN)?;
    let language = match values.get("Runtime") {
        None => {
            reader.missing(values, "Runtime");
            None
        }
        Some(node) => runtime::named(node, reader),
    };
    let checked = language.filter(|_| base.is_none());
    let mut plan = Plan {
        base: runtime::image(language, None, base, reader),
        port: reader.port(values.get("Port"), "Port"),
        port_variable: "PORT".to_owned(),
        ..Plan::default()
    };
    if let Some(node) = values.get("BuildCommand")
        && let Some(command) = reader.text(node, "BuildCommand")
    {
        reader.check_command(node, &command, checked);
        plan.build.push(command);
    }
    match values.get("StartCommand") {
        None => reader.missing(values, "StartCommand"),
        Some(node) => plan.command = reader.text(node, "StartCommand").unwrap_or_default(),
    }
    if let Some(node) = values.get("RuntimeEnvironmentVariables") {
        for (name, value) in pairs(node, "RuntimeEnvironmentVariables", reader) {
            if let Some(text) = reader.text(value, &format!("the value of {name}")) {
                plan.variables.extend(reader.variable(value, name, text));
            }
        }
    }
    if let Some(node) = values.get("RuntimeEnvironmentSecrets") {
        for (name, value) in pairs(node, "RuntimeEnvironmentSecrets", reader) {
            reader.report(value.span, Level::Note, secret(&name));
        }
    }
    Some(plan)
}

/// Returns the members of an object, or of the list that CloudFormation has in its place.
fn pairs<'n, 'a>(
    node: &'n Node<'a>,
    what: &str,
    reader: &mut Reader<'_>,
) -> Vec<(String, &'n Node<'a>)> {
    match &node.value {
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|member| (member.key.clone().into_owned(), &member.value))
                .collect()
        }
        _ => {
            let mut pairs = Vec::new();
            for element in reader.list(node, what) {
                match (
                    element.get("Name").and_then(Node::text),
                    element.get("Value"),
                ) {
                    (Some(name), Some(value)) => pairs.push((name.to_owned(), value)),
                    _ => reader.error(
                        element,
                        format!("{what} has Name and Value in each element"),
                    ),
                }
            }
            pairs
        }
    }
}
