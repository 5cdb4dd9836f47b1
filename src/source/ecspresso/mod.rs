//! Reads what ecspresso deploys (<https://github.com/kayac/ecspresso>): requests of ECS that are templates, and a
//! configuration that says which files they are and how the service is called.

mod configuration;
mod defaults;

use super::{
    expand::Expanded,
    tree::{Member, Node, Value},
    values::Values,
};
use crate::diagnostic::Message;

pub(super) use configuration::is_configuration;
pub(crate) use configuration::{Deployment, Deployments};

/// Returns what a file of ecspresso stands for, or `None` if it is none, or one that needs nothing.
pub(super) fn expand<'a>(root: &Node<'a>, name: &str, values: &Values) -> Option<Expanded<'a>> {
    let deployments = &values.deployments;
    if let Some(unread) = deployments.unread(name) {
        return Some(Expanded {
            findings: unread
                .iter()
                .map(|error| {
                    let error = error.clone();
                    (root.span, Message::UnreadableFile { error })
                })
                .collect(),
            is_own: true,
            ..Expanded::default()
        });
    }
    let deployed = deployments.of_service(name);
    if deployed.is_empty() && !defaults::has_defaults(root) {
        return None;
    }
    let mut root = root.clone();
    let mut messages = Vec::new();
    messages.extend(name_service(&mut root, deployed));
    messages.extend(defaults::fill(&mut root, values));
    let span = root.span;
    Some(Expanded {
        resources: vec![root],
        findings: messages.into_iter().map(|it| (span, it)).collect(),
        is_part: true,
        ..Expanded::default()
    })
}

/// Gives a service what its configuration says of it, as ecspresso does: the names there take the place of those in the
/// service's own file.
fn name_service(root: &mut Node<'_>, deployed: &[Deployment]) -> Option<Message> {
    let (first, others) = deployed.split_first()?;
    if others.iter().any(|other| !other.names_as(first)) {
        let files = deployed.iter().map(|it| &*it.configuration);
        return Some(Message::EcspressoNamesDiffer {
            files: files.collect::<Vec<_>>().join(", "),
        });
    }
    let span = root.span;
    let Value::Object(members) = &mut root.value else {
        return None;
    };
    let mut said = Vec::new();
    for (key, value) in [
        ("serviceName", &first.service),
        ("cluster", &first.cluster),
        ("taskDefinition", &first.family),
    ] {
        let Some(value) = value else { continue };
        let node = |span| Node {
            value: Value::String(value.clone().into()),
            span,
        };
        match members.iter_mut().find(|member| member.key == key) {
            Some(member) if member.value.text() == Some(value) => continue,
            Some(member) => member.value = node(member.value.span),
            None => members.push(Member {
                key: key.into(),
                key_span: span,
                value: node(span),
            }),
        }
        said.push(format!("{key} {value}"));
    }
    (!said.is_empty()).then(|| Message::EcspressoNamesUsed {
        values: said.join(", "),
        file: first.configuration.clone(),
    })
}
