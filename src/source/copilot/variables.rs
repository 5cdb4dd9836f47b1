//! The environment variables of containers.

use super::{
    super::{
        manifest::{Object, Report, Section, plain_text, text},
        text::Span,
        tree::Node,
    },
    environment::ENVIRONMENT_NAME,
    member::{export, named, secret},
    workload::{Kind, Workload},
};
use crate::diagnostic::Message;

/// Variables that Copilot gives every container
/// (<https://aws.github.io/copilot-cli/docs/developing/environment-variables/>).
const OF_ALL: &[&str] = &[
    "COPILOT_APPLICATION_NAME",
    ENVIRONMENT_NAME,
    "COPILOT_SERVICE_DISCOVERY_ENDPOINT",
];
const SERVICE_NAME: &str = "COPILOT_SERVICE_NAME";

/// The variables that Copilot sets.
#[derive(Debug)]
pub(super) struct Provided {
    variables: Vec<(&'static str, String)>,
    span: Span,
}

impl Provided {
    /// Returns the variables that are known, and says which are not. `others` are those of this manifest.
    pub(super) fn new(
        workload: &Workload<'_>,
        others: &[&'static str],
        report: &mut Report<'_>,
    ) -> Self {
        let mut variables = Vec::new();
        let mut unknown = Vec::new();
        for name in OF_ALL.iter().chain(others) {
            let chosen = report.values.environment.as_deref();
            let chosen = chosen.filter(|_| *name == ENVIRONMENT_NAME);
            match report.given(name).or(chosen) {
                Some(value) => variables.push((*name, value.to_owned())),
                None => unknown.push(*name),
            }
        }
        variables.push((SERVICE_NAME, workload.name.clone()));
        if !unknown.is_empty() {
            let names = unknown.join(", ");
            report.say(workload.span(), Message::CopilotVariablesNotSet { names });
        }
        variables.sort();
        Self {
            variables,
            span: workload.span(),
        }
    }

    /// Returns them, except those that a manifest sets itself.
    pub(super) fn nodes<'a>(&self, own: &[Node<'a>]) -> Vec<Node<'a>> {
        let name_of = |node: &Node<'a>| node.get("name").and_then(Node::text).map(str::to_owned);
        let own: Vec<_> = own.iter().filter_map(name_of).collect();
        let free = |name: &str| !own.iter().any(|own| own == name);
        let variables = self.variables.iter().filter(|(name, _)| free(name));
        let made = variables.map(|(name, value)| {
            let mut pair = Object::new(self.span);
            pair.put("name", text(self.span, *name));
            pair.put("value", text(self.span, value.clone()));
            pair.node()
        });
        made.collect()
    }

    /// Returns their names and values.
    pub(super) fn pairs(&self) -> &[(&'static str, String)] {
        &self.variables
    }
}

/// The variables that Copilot sets only for what a manifest has.
pub(super) fn of_manifest(workload: &Workload<'_>, top: &Section<'_>) -> Vec<&'static str> {
    let mut names = Vec::new();
    let has_balancer = matches!(workload.kind, Kind::LoadBalanced | Kind::Backend);
    if has_balancer && top.has("http") {
        names.push("COPILOT_LB_DNS");
    }
    if workload.kind == Kind::Worker {
        names.push("COPILOT_QUEUE_URI");
        if top.has("subscribe") {
            names.push("COPILOT_TOPIC_QUEUE_URIS");
        }
    }
    if top.has("publish") {
        names.push("COPILOT_SNS_TOPIC_ARNS");
    }
    names
}

/// Adds the variables, secrets and environment file of a container.
pub(super) fn add<'a>(
    container: &mut Object<'a>,
    section: &mut Section<'a>,
    workload: &Workload<'a>,
    provided: &Provided,
    report: &mut Report<'_>,
) {
    let own = named(section, "variables", "value", report, |member, report| {
        plain_text(&member.value).or_else(|| export(&member.value, report))
    });
    let mut all = provided.nodes(&own);
    all.extend(own);
    container.elements("environment", all);
    let secrets = named(section, "secrets", "valueFrom", report, |member, report| {
        secret(workload, &member.value, report)
    });
    container.elements("secrets", secrets);
    section.unread(
        &["env_file"],
        "write the variables of the file into variables: Copilot uploads it to a bucket of its own",
        report,
    );
}
