//! Reads files of Docker Compose (<https://github.com/compose-spec/compose-spec/blob/main/spec.md>).
//!
//! Each service becomes a task definition and a service, much as the integration of Docker with ECS made them until it was
//! retired (<https://github.com/docker-archive/compose-cli/blob/main/docs/ecs-compose-features.md>). Services find each
//! other by their names, as Compose has it.

mod container;
mod deployment;
mod environment;
mod extension;
mod file_mount;
mod health_check;
mod interpolation;
mod linux;
mod pairs;
mod port;
mod project;
mod service;
mod size;
mod volume;

use self::project::Project;
use super::{
    expand::Expanded,
    manifest::{Report, Section},
    tree::{Member, Node, Value},
    values::Values,
};

/// Whether this is a file of Compose: it has services, each of which is an object, and one that has an image or is built.
pub(super) fn is_file(root: &Node<'_>) -> bool {
    let services = root.get("services").and_then(Node::members);
    let services = services.unwrap_or_default();
    let runs = |member: &Member<'_>| {
        let keys = ["image", "build", "extends"];
        keys.iter().any(|key| member.value.get(key).is_some())
    };
    services.iter().all(|it| it.value.members().is_some()) && services.iter().any(runs)
}

/// Returns the requests that a file stands for.
pub(super) fn expand<'a>(root: &Node<'a>, values: &Values) -> Expanded<'a> {
    let mut report = Report::new(values);
    let tree = prepared(root, &mut report);
    let mut resources = Vec::new();
    if let Ok(mut top) = Section::of(String::new(), tree) {
        let services = top.section("services");
        let mut project = Project::take(&mut top, &mut report);
        top.finish(&mut report);
        if let Some(mut services) = services {
            for member in services.take_all() {
                let path = services.path(&member.key);
                let name = super::manifest::text(member.key_span, member.key);
                if let Ok(section) = Section::of(path, member.value) {
                    resources.extend(service::requests(&mut project, name, section, &mut report));
                }
            }
        }
        project.finish(&mut report);
    }
    report.finish(root.span, resources)
}

/// Returns a file with its variables replaced and its services complete. What begins with `x-` only stands there to be
/// repeated, so that its variables do not matter by themselves.
fn prepared<'a>(root: &Node<'a>, report: &mut Report<'_>) -> Node<'a> {
    let mut tree = root.clone();
    if let Value::Object(members) = &mut tree.value {
        members.retain(|member| !member.key.starts_with("x-") || member.key.starts_with("x-aws-"));
    }
    extension::extend(&mut tree, report);
    interpolation::interpolate(&mut tree, report);
    tree
}

#[cfg(test)]
mod tests;
