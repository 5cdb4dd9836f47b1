//! Checks that every reason is explained: in its texts, and in the rows of the fields that can cause it.

use std::{collections::BTreeSet, fs};

use ecs_operator::{
    diagnostic::{Reason, Severity},
    fields::{self, Api, Field, Node, Shape},
};

use crate::cases::{DIAGNOSTICS, cases};

/// The errors with the advice in their message.
const ADVICE: &[Reason] = &[
    Reason::InvalidValue,
    Reason::RequiredField,
    Reason::UnreadableFile,
];

#[test]
fn every_error_and_warning_says_what_to_do() {
    let mut problems = Vec::new();
    for reason in Reason::ALL {
        if reason.message_template().is_empty() {
            problems.push(format!("{reason} has no message"));
        }
        let has_help = !reason.help_template().is_empty();
        if reason.severity() == Severity::Error && has_help == ADVICE.contains(reason) {
            problems.push(format!("{reason} must have help or be advice, not both"));
        }
        if reason.severity() == Severity::Warning && !has_help {
            problems.push(format!(
                "{reason} does not say what to do, or that nothing is"
            ));
        }
    }
    assert_none(&problems);
}

#[test]
fn every_reason_belongs_to_a_field_or_to_documents() {
    let mut known: BTreeSet<Reason> = fields::OF_DOCUMENTS.iter().copied().collect();
    for api in Api::ALL {
        collect(api.tree(), &mut known);
    }
    let problems: Vec<String> = Reason::ALL
        .iter()
        .filter(|reason| !known.contains(reason))
        .map(|reason| format!("{reason} belongs to no field"))
        .collect();
    assert_none(&problems);
}

/// Collects the reasons of a member and of all members below it.
fn collect(node: &Node, found: &mut BTreeSet<Reason>) {
    found.extend(node.always);
    if node.needs_controller.is_some() {
        found.insert(Reason::NeedsController);
    }
    match &node.shape {
        Shape::Object(members) => members.values().for_each(|member| collect(member, found)),
        Shape::List(element) => collect(element, found),
        Shape::Leaf(field) => found.extend(field.reasons),
    }
}

#[test]
fn what_is_always_said_is_in_the_rows_below() {
    let mut problems = Vec::new();
    for api in Api::ALL {
        named_below(api.tree(), &[], api.name(), &mut problems);
    }
    assert_none(&problems);
}

/// Collects every row that lacks a reason that is always reported for a member above it.
fn named_below(node: &Node, above: &[Reason], path: &str, problems: &mut Vec<String>) {
    let mut above = above.to_vec();
    above.extend(node.always);
    match &node.shape {
        Shape::Object(members) => {
            for (name, member) in members {
                named_below(member, &above, &format!("{path}.{name}"), problems);
            }
        }
        Shape::List(element) => named_below(element, &above, &format!("{path}[]"), problems),
        Shape::Leaf(field) => {
            let missing = above
                .iter()
                .filter(|reason| !field.reasons.contains(reason));
            problems.extend(missing.map(|reason| format!("{path} does not name {reason}")));
        }
    }
}

#[test]
fn what_the_cases_say_is_in_the_rows() {
    let mut problems = BTreeSet::new();
    for case in cases() {
        let diagnostics = fs::read_to_string(case.join(DIAGNOSTICS)).unwrap_or_default();
        for (reason, path) in diagnostics.lines().filter_map(finding) {
            let of_a_row = rows(&path).any(|field| field.reasons.contains(&reason));
            if !of_a_row && !fields::OF_DOCUMENTS.contains(&reason) {
                problems.insert(format!("{path} does not name {reason}"));
            }
        }
    }
    assert_none(&problems.into_iter().collect::<Vec<_>>());
}

/// Returns the reason and the path of `file:line:column: severity[Reason]: path: message`, without indexes.
fn finding(line: &str) -> Option<(Reason, String)> {
    let (before, after) = line.split_once("]: ")?;
    let reason = before.rsplit('[').next()?.parse().ok()?;
    let path = after.split_once(": ").map_or("", |(path, _)| path);
    let mut plain = String::new();
    for part in path.split_inclusive(['[', ']']) {
        let index = part.len() > 1
            && part
                .trim_end_matches(']')
                .bytes()
                .all(|c| c.is_ascii_digit());
        plain.push_str(if index { "]" } else { part });
    }
    // A finding about a document as a whole has no path, but words of its message in this position.
    Some((
        reason,
        if plain.contains(' ') {
            String::new()
        } else {
            plain
        },
    ))
}

/// Returns the rows of a member, of all members below it and of the members that contain it.
fn rows(path: &str) -> impl Iterator<Item = &'static Field> {
    let path = path.strip_prefix("autoScaling.").unwrap_or(path);
    let prefixes = [
        ("scalableTarget", Api::ScalableTarget),
        ("scalingPolicies[]", Api::ScalingPolicy),
        ("scheduledActions[]", Api::ScheduledAction),
        ("alarms[]", Api::MetricAlarm),
        ("kubernetes", Api::Kubernetes),
        ("AutoScalingConfiguration.", Api::AutoScalingConfiguration),
    ];
    let of_one = prefixes.iter().find_map(|(name, api)| {
        let rest = path.strip_prefix(name)?;
        Some((vec![*api], rest.strip_prefix('.').unwrap_or(rest)))
    });
    let whole = path.to_owned();
    let (apis, path) = of_one.unwrap_or_else(|| (Api::ALL.to_vec(), path));
    let path = path.to_owned();
    let within = |inner: &str, outer: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| outer.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
    };
    // A capacity provider has a member `kubernetes` of its own.
    let of_provider = Api::CapacityProvider.fields();
    let of_provider =
        of_provider.filter(move |field| within(field.path, &whole) || within(&whole, field.path));
    apis.into_iter()
        .flat_map(Api::fields)
        .filter(move |field| within(field.path, &path) || within(&path, field.path))
        .chain(of_provider)
}

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
