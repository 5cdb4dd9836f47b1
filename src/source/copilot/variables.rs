//! The environment variables of containers.

use std::borrow::Cow;

use super::{
    super::{
        manifest::{Object, Report, Section, plain_text, text},
        text::Span,
        tree::Node,
    },
    addons::Outputs,
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
    variables: Vec<(Cow<'static, str>, String)>,
    /// The secrets of the main container.
    secrets: Vec<(String, String)>,
    /// What Copilot's template calls the outputs of additions, and their values.
    references: Vec<(String, String)>,
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
                Some(value) => variables.push(((*name).into(), value.to_owned())),
                None => unknown.push(*name),
            }
        }
        variables.push((SERVICE_NAME.into(), workload.name.clone()));
        let outputs = Outputs::new(workload, report);
        for (name, value) in outputs.variables {
            if !variables.iter().any(|(known, _)| *known == name) {
                variables.push((name.into(), value));
            }
        }
        if !unknown.is_empty() {
            let names = unknown.join(", ");
            report.say(workload.span(), Message::CopilotVariablesNotSet { names });
        }
        variables.sort();
        Self {
            variables,
            secrets: outputs.secrets,
            references: outputs.references,
            span: workload.span(),
        }
    }

    /// Returns them, except those that a manifest sets itself.
    pub(super) fn nodes<'a>(&self, own: &[Node<'a>]) -> Vec<Node<'a>> {
        let variables = self.variables.iter();
        let variables = variables.filter(|(name, _)| !has(own, name));
        let made = variables.map(|(name, value)| self.pair(name, "value", value));
        made.collect()
    }

    /// Adds the secrets that Copilot gives the main container, except those that the manifest has itself.
    pub(super) fn add_secrets(&self, own: &[Node<'_>], secrets: &mut Vec<Node<'_>>) {
        for (name, from) in &self.secrets {
            if !has(own, name) {
                secrets.push(self.pair(name, "valueFrom", from));
            }
        }
    }

    fn pair<'a>(&self, name: &str, key: &'static str, value: &str) -> Node<'a> {
        let mut pair = Object::new(self.span);
        pair.put("name", text(self.span, name.to_owned()));
        pair.put(key, text(self.span, value.to_owned()));
        pair.node()
    }

    /// Returns their names and values.
    pub(super) fn pairs(&self) -> &[(Cow<'static, str>, String)] {
        &self.variables
    }

    /// Returns what Copilot's template calls the outputs of additions, and their values.
    pub(super) fn references(&self) -> &[(String, String)] {
        &self.references
    }

    /// Returns the names of the secrets, and where they are.
    pub(super) fn secrets(&self) -> &[(String, String)] {
        &self.secrets
    }
}

/// Whether a list has an element of a name.
fn has(own: &[Node<'_>], name: &str) -> bool {
    let named = |node: &Node<'_>| node.get("name").and_then(Node::text) == Some(name);
    own.iter().any(named)
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

/// Which container variables are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Main,
    Other,
}

/// Adds the variables, secrets and environment file of a container.
pub(super) fn add<'a>(
    container: &mut Object<'a>,
    of: Part,
    section: &mut Section<'a>,
    workload: &Workload<'a>,
    provided: &Provided,
    report: &mut Report<'_>,
) {
    let own = named(section, "variables", "value", report, |member, report| {
        plain_text(&member.value).or_else(|| export(&member.value, report))
    });
    let mut secrets = named(section, "secrets", "valueFrom", report, |member, report| {
        secret(workload, &member.value, report)
    });
    let mut all = provided.nodes(&[&own[..], &secrets].concat());
    all.extend(own);
    if of == Part::Main {
        provided.add_secrets(&[&all[..], &secrets].concat(), &mut secrets);
    }
    container.elements("environment", all);
    container.elements("secrets", secrets);
    section.unread(
        &["env_file"],
        "write the variables of the file into variables: Copilot uploads it to a bucket of its own",
        report,
    );
}
