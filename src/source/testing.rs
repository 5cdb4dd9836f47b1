//! Shared helpers for the tests of this folder.

use super::{
    catalog::Catalog,
    expand::Expanded,
    placeholder::Fill,
    text::SourceText,
    tree::print,
    unit::{Content, Unit},
};
use crate::{diagnostic::Message, input::TaskDefinitionInput};

/// Returns the units of files, and `file: Reason: message` for each problem.
pub(super) fn units(files: &[(&str, &str)], fill: &[(&str, &str)]) -> (Vec<Unit>, Vec<String>) {
    let texts = files
        .iter()
        .map(|(name, text)| SourceText::new(*name, text))
        .collect::<Vec<_>>();
    let fill: Fill = fill
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let mut problems = Vec::new();
    let catalog = Catalog::of_texts(texts, fill, &mut |problem| {
        let span = problem.span.unwrap_or_default();
        assert!(
            problem.source.text().get(span.range()).is_some(),
            "{problem:?}"
        );
        problems.push(format!(
            "{}: {}: {}",
            problem.source.name(),
            problem.message.reason(),
            problem.message
        ));
    });
    let units = catalog.into_units().map(Result::unwrap).collect();
    (units, problems)
}

/// Returns the only unit of one file, which has no problems.
pub(super) fn unit(text: &str) -> Unit {
    let name = if text.starts_with(['{', '[']) {
        "web.json"
    } else {
        "web.yaml"
    };
    let (mut units, problems) = units(&[(name, text)], &[]);
    assert_eq!((units.len(), problems), (1, vec![]), "{text}");
    units.remove(0)
}

/// Returns `path: Reason: message` for each diagnostic of a unit.
pub(super) fn findings(unit: &Unit) -> Vec<String> {
    unit.diagnostics
        .iter()
        .map(|found| format!("{}: {}: {}", found.path, found.reason(), found.message))
        .collect()
}

/// Summarizes in one line what a unit represents, what it runs and what scales it.
pub(super) fn summary(unit: &Unit) -> String {
    match &unit.content {
        Content::Service(input) => {
            let scaling = input.extensions.auto_scaling.as_ref();
            let scaling = scaling.map_or_else(String::new, |scaling| {
                format!(
                    " scaled by {}/{}/{}",
                    usize::from(scaling.scalable_target.is_some()),
                    scaling.scaling_policies.len(),
                    scaling.scheduled_actions.len()
                )
            });
            format!(
                "service {} runs {} {}{scaling}",
                input.request.service_name.as_deref().unwrap_or("-"),
                family(&input.task_definition),
                input
                    .task_definition
                    .revision
                    .map_or_else(|| "-".to_owned(), |revision| revision.to_string()),
            )
        }
        Content::Task(input) => format!(
            "task {} runs {}",
            input.name,
            family(&input.task_definition)
        ),
        Content::Schedule(input) => format!(
            "schedule {} runs {}",
            unit.name(),
            family(&input.task_definition)
        ),
        Content::AppRunner(input) => {
            let configuration = input.auto_scaling.as_ref();
            let configuration =
                configuration.and_then(|it| it.auto_scaling_configuration_name.as_deref());
            format!(
                "App Runner service {} scales by {configuration:?}",
                unit.name()
            )
        }
        Content::Rule(input) => format!(
            "target {} of rule {} runs {}",
            input.target,
            unit.name(),
            input.task_definition.as_ref().map_or("-", family)
        ),
        Content::Pipe(_) => format!("pipe {}", unit.name()),
        Content::CapacityProvider(_) => format!("capacity provider {}", unit.name()),
        Content::Nothing => format!("nothing of {}", unit.name()),
    }
}

/// Returns the documents that a text stands for, printed, and what is said of it, at places in it.
pub(super) fn expansion(text: &str, expanded: &Expanded<'_>) -> (Vec<String>, Vec<Message>) {
    for (span, message) in &expanded.findings {
        assert!(text.get(span.range()).is_some(), "{message:?}");
    }
    let findings = expanded.findings.iter();
    (
        expanded.resources.iter().map(print).collect(),
        findings.map(|(_, message)| message.clone()).collect(),
    )
}

/// Returns the value after `key:` in printed documents; `-` if there is none.
pub(super) fn value_after(printed: &str, key: &str) -> String {
    let Some((_, after)) = printed.split_once(&format!("{key}:")) else {
        return "-".to_owned();
    };
    let mut depth = 0;
    let end = after.find(|c: char| {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ => {}
        }
        depth < 0 || (depth == 0 && c == ',')
    });
    after[..end.unwrap_or(after.len())].to_owned()
}

fn family(task_definition: &TaskDefinitionInput) -> &str {
    task_definition.request.family.as_deref().unwrap_or("-")
}
