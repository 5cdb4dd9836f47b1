//! Reads the manifests of services and jobs that AWS Copilot deploys
//! (<https://aws.github.io/copilot-cli/docs/manifest/overview/>).
//!
//! A manifest becomes the task definition and the service, schedule or App Runner service that Copilot makes of it, in the
//! spelling of the API. What Copilot's stack makes besides stays in AWS: roles, queues, file systems. Placeholders stand
//! for it.

mod app_runner;
mod container;
mod environment;
mod exposure;
mod health_check;
mod job;
mod logging;
mod member;
mod scaling;
mod service;
mod sidecar;
mod storage;
mod task_definition;
mod variables;
mod workload;

use self::workload::{Kind, Workload};
use super::{
    expand::Expanded,
    manifest::{Report, Section},
    tree::Node,
    values::Values,
};
use crate::diagnostic::Message;

/// Whether this is a manifest: it has a name, and one of Copilot's types.
pub(super) fn is_manifest(root: &Node<'_>) -> bool {
    let text = |key: &str| root.get(key).and_then(Node::text);
    text("name").is_some() && text("type").and_then(Kind::of).is_some()
}

/// Returns the requests that a manifest stands for, in the environment that the values name.
pub(super) fn expand<'a>(root: &Node<'a>, values: &Values) -> Expanded<'a> {
    let mut report = Report::new(values);
    let resources = resources(root, &mut report).unwrap_or_default();
    report.finish(root.span, resources)
}

fn resources<'a>(root: &Node<'a>, report: &mut Report<'_>) -> Option<Vec<Node<'a>>> {
    let chosen = environment::chosen(root, report);
    let mut top = Section::of(String::new(), chosen).ok()?;
    let type_ = top.take("type")?;
    let kind = Kind::of(type_.text()?)?;
    if let Kind::StaticSite | Kind::Environment = kind {
        let message = Message::ManifestWithoutTasks {
            kind: kind.name().to_owned(),
        };
        report.say(type_.span, message);
        return None;
    }
    let workload = Workload::new(kind, top.text("name")?, report.values)?;
    let resources = match kind {
        Kind::RequestDriven => vec![app_runner::service(&workload, &mut top, report)],
        Kind::ScheduledJob => job::requests(&workload, &mut top, report),
        _ => service::requests(&workload, &mut top, report),
    };
    top.finish(report);
    Some(resources)
}

#[cfg(test)]
mod tests;
