//! Merges the members of an environment into those of a manifest
//! (<https://aws.github.io/copilot-cli/docs/manifest/lb-web-service/#environments>).

use std::collections::BTreeMap;

use super::super::{
    manifest::Report,
    placeholder::{Fill, filled},
    tree::{Member, Node, Value},
};
use crate::diagnostic::Message;

/// The variable that stands for the name of the environment.
pub(super) const ENVIRONMENT_NAME: &str = "COPILOT_ENVIRONMENT_NAME";

/// Members of one object of which the later one replaces the earlier one.
const EITHER: &[&[&str]] = &[
    &["build", "location"],
    &["from_cfn", "secretsmanager"],
    &["spot", "range"],
];

/// What has no effect beside `spot`: the count is fixed.
const SCALING: &[&str] = &[
    "range",
    "cooldown",
    "cpu_percentage",
    "memory_percentage",
    "requests",
    "response_time",
    "queue_delay",
];

/// Returns the manifest for the environment that is chosen, with its placeholders filled.
pub(super) fn chosen<'a>(root: &Node<'a>, report: &mut Report<'_>) -> Node<'a> {
    let mut base = root.clone();
    let environments = base.take("environments");
    let sections = environments.as_ref().and_then(|it| it.value.members());
    let sections = sections.unwrap_or_default();
    let names: Vec<&str> = sections.iter().map(|member| &*member.key).collect();
    let names = names.join(", ");
    let span = environments
        .as_ref()
        .map_or(root.span, |member| member.key_span);
    let chosen = report.values.environment.as_deref();
    let section = sections.iter().find(|it| Some(&*it.key) == chosen);
    match (chosen, section) {
        // It replaces nothing.
        (_, Some(section)) if matches!(section.value.value, Value::Null) => {}
        (_, Some(section)) => merge(&mut base, &section.value),
        (Some(name), None) if !sections.is_empty() => {
            let name = name.to_owned();
            report.say(span, Message::EnvironmentNotInManifest { name, names });
        }
        (None, None) if !sections.is_empty() => {
            report.say(span, Message::EnvironmentNotChosen { names });
        }
        _ => {}
    }
    let mut fill = report.values.fill.clone();
    if let Some(name) = chosen {
        fill.insert(ENVIRONMENT_NAME.to_owned(), name.to_owned());
    }
    fill_all(&mut base, &fill);
    base
}

/// Merges an object into another, as deep as both have objects. The parser limits the depth. A list replaces a list.
fn merge<'a>(base: &mut Node<'a>, overlay: &Node<'a>) {
    if let (Value::Object(members), Value::Object(others)) = (&mut base.value, &overlay.value) {
        let is_set = |it: &&Member<'a>| !matches!(it.value.value, Value::Null);
        let replacing = others.iter().filter(|it| replaces(&it.key));
        for other in replacing.filter(is_set) {
            members.retain(|member| !is_replaced(&member.key, &other.key));
        }
        let places = members.iter().enumerate();
        let places: BTreeMap<String, usize> = places
            .map(|(place, member)| (member.key.to_string(), place))
            .collect();
        for other in others.iter().filter(is_set) {
            let place = places.get(&*other.key);
            match place.and_then(|place| members.get_mut(*place)) {
                Some(member) => merge(&mut member.value, &other.value),
                None => members.push(Member::clone(other)),
            }
        }
    } else {
        base.clone_from(overlay);
    }
}

/// Whether a member may replace others.
fn replaces(key: &str) -> bool {
    EITHER.iter().any(|group| group.contains(&key)) || SCALING.contains(&key)
}

/// Whether a member goes when another one is set.
fn is_replaced(member: &str, by: &str) -> bool {
    let both = |group: &&[&str]| group.contains(&member) && group.contains(&by);
    let is_alternative = member != by && EITHER.iter().any(both);
    is_alternative
        || (by == "spot" && SCALING.contains(&member))
        || (member == "spot" && SCALING.contains(&by))
}

/// Fills the placeholders of all texts.
fn fill_all(node: &mut Node<'_>, fill: &Fill) {
    match &mut node.value {
        Value::String(text) => {
            let old = std::mem::take(text);
            *text = filled(old, fill);
        }
        Value::List(elements) => elements.iter_mut().for_each(|it| fill_all(it, fill)),
        Value::Object(members) => {
            for member in members {
                if member.key.contains('$') {
                    let key = std::mem::take(&mut member.key);
                    member.key = filled(key, fill);
                }
                fill_all(&mut member.value, fill);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{syntax::parse_one, tree::print},
        *,
    };

    #[test]
    fn environments_are_merged_as_copilot_does() {
        let table = [
            ("{a: 1, b: 2}", "{b: 3, c: 4}", "{a:1,b:3,c:4}"),
            ("{a: {b: 1, c: 2}}", "{a: {c: 3}}", "{a:{b:1,c:3}}"),
            ("{a: [1, 2]}", "{a: [3]}", "{a:[3]}"),
            ("{a: 1}", "{a: {b: 1}}", "{a:{b:1}}"),
            ("{a: {b: 1}}", "{a: false}", "{a:false}"),
            ("{a: 1}", "{a: null}", "{a:1}"),
            (
                "{image: {build: ., port: 80}}",
                "{image: {location: nginx}}",
                r#"{image:{port:80,location:"nginx"}}"#,
            ),
            (
                "{count: {range: 1-4, cpu_percentage: 70}}",
                "{count: {spot: 2}}",
                "{count:{spot:2}}",
            ),
            (
                "{count: {spot: 2}}",
                "{count: {range: 1-4}}",
                r#"{count:{range:"1-4"}}"#,
            ),
        ];
        for (base, overlay, expected) in table {
            let mut base = parse_one("a.yaml", base).unwrap().unwrap();
            let overlay = parse_one("a.yaml", overlay).unwrap().unwrap();
            merge(&mut base, &overlay);
            assert_eq!(print(&base), expected);
        }
    }
}
