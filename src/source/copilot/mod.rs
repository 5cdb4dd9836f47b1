//! Reads the manifests of services and jobs that AWS Copilot deploys
//! (<https://aws.github.io/copilot-cli/docs/manifest/overview/>).
//!
//! A manifest becomes the task definition and the service, schedule or App Runner service that Copilot makes of it, in the
//! spelling of the API. What Copilot's stack makes besides stays in AWS: roles, queues, file systems. Placeholders stand
//! for it.

mod addons;
mod app_runner;
mod change;
mod container;
mod environment;
mod exposure;
mod health_check;
mod job;
mod logging;
mod member;
mod overrides;
mod scaling;
mod service;
mod sidecar;
mod storage;
mod task_definition;
mod variables;
mod workload;
mod workspace;

use self::workload::{Kind, Workload};
pub(crate) use self::workspace::Workspace;
pub(in crate::source) use self::workspace::is_manifest_file;
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

/// Returns the requests that the manifest in a file stands for, in the environment that the values name.
pub(super) fn expand<'a>(root: &Node<'a>, file: &str, values: &Values) -> Expanded<'a> {
    let mut report = Report::new(values);
    let resources = resources(root, file, &mut report).unwrap_or_default();
    report.finish(root.span, resources)
}

/// Returns what the template in a file stands for, which may be an addition: it is read with its manifest, so that nothing
/// is to be said of one that has nothing to convert.
pub(super) fn of_addon<'a>(expanded: Expanded<'a>, file: &str, values: &Values) -> Expanded<'a> {
    let is_nothing = |message: &Message| matches!(message, Message::NothingToConvert { .. });
    let mut findings = expanded.findings.iter();
    if values.workspace.has_addon(file) && findings.any(|(_, it)| is_nothing(it)) {
        return Expanded::nothing();
    }
    expanded
}

fn resources<'a>(root: &Node<'a>, file: &str, report: &mut Report<'_>) -> Option<Vec<Node<'a>>> {
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
    let workload = Workload::new(kind, top.text("name")?, file, report.values)?;
    let resources = match kind {
        Kind::RequestDriven => {
            overrides::name_all(&workload, report);
            vec![app_runner::service(&workload, &mut top, report)]
        }
        Kind::ScheduledJob => job::requests(&workload, &mut top, report),
        _ => service::requests(&workload, &mut top, report),
    };
    overrides::name_unread(&workload, report);
    top.finish(report);
    Some(resources)
}

#[cfg(test)]
mod tests;
