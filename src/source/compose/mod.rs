//! Reads files of Docker Compose (<https://github.com/compose-spec/compose-spec/blob/main/spec.md>).
//!
//! Each service becomes a task definition and a service, much as the integration of Docker with ECS made them until it was
//! retired (<https://github.com/docker-archive/compose-cli/blob/main/docs/ecs-compose-features.md>). Services find each
//! other by their names, as Compose has it.

mod container;
mod deployment;
mod ecs_cli;
mod environment;
mod extension;
mod file_mount;
mod health_check;
mod host_name;
mod interpolation;
mod linux;
mod pairs;
mod port;
mod project;
mod service;
mod size;
mod volume;

use std::{borrow::Cow, path::Path};

pub(crate) use self::ecs_cli::Projects;
pub(super) use self::ecs_cli::{Candidate, expand_params, is_params};
use self::{project::Project, service::resource};
use super::{
    expand::Expanded,
    manifest::{Report, Section, text},
    text::Span,
    tree::{Member, Node, Value},
    values::Values,
};

/// Whether this is a file of Compose: it has services, each of which is an object, and one that has an image or is built.
pub(super) fn is_file(root: &Node<'_>) -> bool {
    let services = root.get("services").and_then(Node::members);
    if services.is_none() && root.get("include").is_some_and(names_files) {
        return true;
    }
    let services = services.unwrap_or_default();
    let runs = |member: &Member<'_>| {
        let keys = ["image", "build", "extends"];
        keys.iter().any(|key| member.value.get(key).is_some())
    };
    services.iter().all(|it| it.value.members().is_some()) && services.iter().any(runs)
}

/// Whether a list has the files that a file of Compose consists of
/// (<https://github.com/compose-spec/compose-spec/blob/main/14-include.md>).
fn names_files(include: &Node<'_>) -> bool {
    let is_file = |text: &str| {
        let extension = Path::new(text).extension();
        extension
            .is_some_and(|it| it.eq_ignore_ascii_case("yml") || it.eq_ignore_ascii_case("yaml"))
    };
    let names_file = |node: &Node<'_>| {
        let path = node.get("path").unwrap_or(node);
        path.elements().is_some() || path.text().is_some_and(is_file)
    };
    let files = include.elements().unwrap_or_default();
    !files.is_empty() && files.iter().all(names_file)
}

/// Returns the requests that a file stands for.
pub(super) fn expand<'a>(root: &Node<'a>, name: &str, values: &Values) -> Expanded<'a> {
    if let Some(expanded) = ecs_cli::expand_project(root, name, values) {
        return expanded;
    }
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
                let name = service_name(member.key_span, member.key, &path, &mut report);
                if let Ok(section) = Section::of(path, member.value) {
                    resources.extend(service::requests(&mut project, name, section, &mut report));
                }
            }
        }
        project.finish(&mut report);
    }
    report.finish(root.span, resources)
}

/// Returns the name of a service, as ECS and DNS may have it: Compose allows dots and capitals.
fn service_name<'a>(
    span: Span,
    name: Cow<'a, str>,
    path: &str,
    report: &mut Report<'_>,
) -> Node<'a> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.chars().all(fits) {
        return text(span, name);
    }
    let advice = "ECS and DNS have no such name: it is in lower case, with - for each dot, also where others call the service";
    report.unread(span, path.to_owned(), advice);
    text(span, name.to_ascii_lowercase().replace('.', "-"))
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
