//! The documents of one file of a configuration.

use std::collections::BTreeMap;

use super::{
    super::{expand::Expanded, text::Span, values::Values},
    configuration::{Outcome, opened_in},
    documents,
    plan::Plan,
    say_types,
    table::Type,
};
use crate::diagnostic::Message;

/// What messages call a configuration.
const CONFIGURATION: &str = "Terraform configuration";

/// Returns what a file of a configuration stands for: its own resources, with what the other files say of them.
pub(in crate::source) fn expand_file<'a>(name: &str, values: &Values) -> Expanded<'a> {
    let mut expanded = Expanded::default();
    let outcomes = values.configurations.of_file(name, values);
    if outcomes.is_empty() {
        let error = "it is a part of no configuration: it is a link out of the folder that is given, or \
                     its module is called only by modules that it calls";
        let error = error.to_owned();
        expanded
            .findings
            .push((Span::new(0, 0), Message::UnreadableFile { error }));
        expanded.is_own = true;
    }
    if let Some(folder) = values.configurations.overridden_by(name) {
        let error = format!(
            "it overrides parts of the other files of {folder}, and has nothing of its own: convert the folder instead"
        );
        expanded
            .findings
            .push((Span::new(0, 0), Message::UnreadableFile { error }));
        expanded.is_own = true;
    }
    for outcome in outcomes {
        let part = of_outcome(outcome, name, values);
        expanded.resources.extend(part.resources);
        expanded.findings.extend(part.findings);
        expanded.names.extend(part.names);
        expanded.is_own |= part.is_own;
    }
    expanded
}

fn of_outcome<'a>(outcome: &Outcome, name: &str, values: &Values) -> Expanded<'a> {
    let is_known = |type_: &str| Type::named(type_).is_some();
    let resources = outcome.resources.iter().map(|it| it.resource());
    let mut plan = Plan::of(resources.collect(), values);
    plan.mentioned = Some(outcome.mentions.clone());
    let made = &outcome.resources;
    let is_own = |index: usize| made.get(index).is_some_and(|it| it.file == name);
    let mut unread: BTreeMap<String, usize> = BTreeMap::new();
    let documents = documents(&mut plan, &is_own, &mut unread);
    for document in &documents {
        opened_in(document, &mut |placeholder| {
            if outcome.opened.contains(placeholder) {
                plan.open(placeholder);
            }
        });
    }
    // What belongs to AWS is said once for all files.
    let is_first = outcome.is_first(name, |it| is_known(&it.type_));
    unread.retain(|type_, _| is_known(type_));
    if is_first {
        for variable in &outcome.not_given {
            plan.open(variable);
        }
        for resource in made.iter().filter(|it| !is_known(&it.type_)) {
            *unread.entry(resource.type_.clone()).or_default() += 1;
        }
    }
    let start = Span::new(0, 0);
    let findings = outcome.findings(name);
    let has_documents = made.iter().any(|it| is_known(&it.type_));
    if !has_documents && !outcome.has_errors() {
        let types = made.iter().map(|it| &it.type_);
        for type_ in types {
            *unread.entry(type_.clone()).or_default() += 1;
        }
        say_types(&mut plan, start, CONFIGURATION, &unread, true);
    } else {
        say_types(&mut plan, start, CONFIGURATION, &unread, false);
    }
    let placed = findings.iter();
    placed.for_each(|(span, message)| plan.say(*span, Message::clone(message)));
    let expanded = plan.finish(start, documents);
    let resources = expanded.resources.into_iter();
    Expanded {
        resources: resources.map(|it| it.into_owned()).collect(),
        findings: expanded.findings,
        names: expanded
            .names
            .into_iter()
            .chain(outcome.names.iter().cloned())
            .collect(),
        is_part: false,
        is_own: has_documents || outcome.has_errors(),
    }
}
