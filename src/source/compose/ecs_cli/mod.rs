//! Reads the parameters that the Amazon ECS CLI takes beside a file of Compose
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cmd-ecs-cli-compose-ecsparams.html>).
//!
//! With them, all services of the file are containers of one task definition, which one service runs: so the tool made
//! them. Values of the parameters have the position of the services in the Compose file, because a document is in one file.

mod container;
mod projects;
mod run;
mod task;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::projects::Projects;
pub(in crate::source) use self::projects::{Candidate, is_params};
use super::{
    super::{
        expand::Expanded,
        manifest::{Object, Report, Section, list, number, text},
        syntax::parse_one,
        tree::Node,
        values::Values,
    },
    interpolation, prepared,
    project::Project,
    resource,
};
use crate::diagnostic::Message;

/// Returns what a file of Compose stands for that has parameters, or `None` if it has none.
pub(super) fn expand_project<'a>(
    root: &Node<'a>,
    name: &str,
    values: &Values,
) -> Option<Expanded<'a>> {
    if values.projects.is_held(name) {
        return Some(Expanded::nothing());
    }
    let params = values.projects.params(name)?;
    let file = params.text.name();
    let tree = parse_one(file, params.text.text()).ok()??;
    let stack = values.stack_name.clone();
    let family = stack.unwrap_or_else(|| projects::project_of(name));
    Some(expand(root, &tree, file, &family, values))
}

/// Returns what there is to say of a file of parameters, or `None` if it is none that belongs to a file of Compose.
pub(in crate::source) fn expand_params<'a>(
    root: &Node<'_>,
    name: &str,
    values: &Values,
) -> Option<Expanded<'a>> {
    let unclear = values.projects.unclear(name)?;
    let message = || Message::EcsParamsUnclear {
        files: unclear.join(", "),
    };
    Some(Expanded {
        findings: (!unclear.is_empty())
            .then(|| (root.span, message()))
            .into_iter()
            .collect(),
        is_own: true,
        ..Expanded::default()
    })
}

/// Returns what a file of Compose and its parameters stand for. `file` is the name of the parameters.
fn expand<'a>(
    root: &Node<'a>,
    params: &Node<'_>,
    file: &str,
    family: &str,
    values: &Values,
) -> Expanded<'a> {
    let mut report = Report::new(values);
    let tree = prepared(root, &mut report);
    let span = root.member("services").map_or(root.span, |it| it.key_span);
    let mut params = params.clone().into_owned().placed(span);
    interpolation::interpolate(&mut params, &mut report);
    let Ok(mut top) = Section::of(String::new(), tree) else {
        return report.finish(root.span, Vec::new());
    };
    let services = top.section("services");
    let Ok(mut params) = Section::of(String::new(), params) else {
        return report.finish(root.span, Vec::new());
    };
    params.take("version");
    let mut part = |key: &str| {
        let is_map = |node: &Node<'a>| node.members().is_some();
        let node = params.take_if(key, is_map);
        // Paths are in another file than that of the services.
        let section = node.map(|node| Section::of(format!("{file}: {key}"), node));
        section
            .and_then(Result::ok)
            .unwrap_or_else(|| Section::empty(span))
    };
    let mut definition = part("task_definition");
    let mut run = part("run_params");
    let mut project = Project::take(&mut top, &mut report);
    let family = match &project.name {
        Some(name) => name.clone(),
        None => family.to_owned(),
    };
    let family = text(span, name_of(&family));
    let named = task::volumes(&mut definition, &mut report);
    project.sources = Some(named);
    top.finish(&mut report);
    let made = task::add(&family, &project, services, definition, &mut report);
    let mut spec = Object::new(span);
    spec.put("serviceName", family.clone());
    spec.put("taskDefinition", family.clone());
    spec.maybe("cluster", project.cluster.clone());
    spec.put("desiredCount", number(span, 1));
    spec.put("launchType", text(span, made.launch_type));
    run::add(&mut spec, &mut run, made.has_own_network, &mut report);
    run.finish(&mut report);
    params.finish(&mut report);
    let name = family.text().unwrap_or_default().to_owned();
    let file = file.to_owned();
    report.say(span, Message::EcsParamsUsed { name, file });
    let resources = vec![made.node, resource(family, spec.node())];
    report.finish(root.span, resources)
}

/// Returns a name that a task definition may have.
fn name_of(project: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name = project.replace(|c: char| !allowed(c), "-");
    let name = name.trim_matches('-');
    if name.is_empty() { "compose" } else { name }.to_owned()
}

/// Returns the elements of a list of objects, each with its members renamed.
fn renamed<'a>(
    section: &mut Section<'a>,
    key: &str,
    names: &[(&str, &'static str)],
    report: &mut Report<'_>,
) -> Vec<Node<'a>> {
    let path = section.path(key);
    let elements = section.elements(key).unwrap_or_default();
    let made = elements.into_iter().map(|element| {
        let Ok(mut element) = Section::of(path.clone(), element) else {
            return None;
        };
        let mut made = Object::new(element.span);
        for (from, to) in names {
            made.maybe(to, element.text(from));
        }
        element.finish(report);
        Some(made.node())
    });
    made.flatten().collect()
}

#[cfg(test)]
mod tests;
