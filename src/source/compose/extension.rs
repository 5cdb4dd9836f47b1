//! Completes services that extend others of the same file
//! (<https://github.com/compose-spec/compose-spec/blob/main/05-services.md#extends>). Files beside it are not read.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    manifest::Report,
    text::Span,
    tree::{Member, Node, Value, to_json},
};

/// The most services that one may extend, one after the other.
const LONGEST: usize = 16;

/// Lists that are replaced and not added to, because their order is a meaning.
const REPLACED: &[&str] = &["command", "entrypoint", "test"];

/// Maps that may also be lists of `NAME=VALUE`.
const PAIRS: &[&str] = &[
    "annotations",
    "environment",
    "extra_hosts",
    "labels",
    "sysctls",
];

/// Lists whose elements have a place in the container, which has one of them.
const PLACED: &[&str] = &["configs", "secrets", "volumes"];

/// Members that a service does not pass on.
const OWN: &[&str] = &["depends_on", "links", "volumes_from"];

/// Merges what each service extends into it. A service of another file stays named, and so does one that is not there.
pub(super) fn extend(root: &mut Node<'_>, report: &mut Report<'_>) {
    let Some(services) = root.get("services").cloned() else {
        return;
    };
    let Value::Object(members) = &mut root.value else {
        return;
    };
    let Some(own) = members.iter_mut().find(|member| member.key == "services") else {
        return;
    };
    let Value::Object(own) = &mut own.value.value else {
        return;
    };
    for member in own {
        if base_of(&member.value).is_some() {
            let path = format!("services.{}.extends", member.key);
            match completed(&services, &member.value, 0) {
                Ok(value) => member.value = value,
                Err(span) => {
                    let advice =
                        "name a service of this file, which does not lead back to this one";
                    report.unread(span, path, advice);
                    member.value.take("extends");
                }
            }
        }
    }
}

/// Returns the name of the service of the same file that a service extends.
fn base_of<'n>(service: &'n Node<'_>) -> Option<&'n str> {
    let extends = service.get("extends")?;
    if extends.get("file").is_some() {
        return None;
    }
    extends.get("service").unwrap_or(extends).text()
}

/// Returns a service with what it extends, or where the name stands that leads nowhere.
fn completed<'a>(services: &Node<'a>, service: &Node<'a>, steps: usize) -> Result<Node<'a>, Span> {
    let Some(name) = base_of(service) else {
        return Ok(service.clone());
    };
    let span = service.get("extends").map_or(service.span, |it| it.span);
    let base = services.get(name).filter(|_| steps < LONGEST).ok_or(span)?;
    let mut base = completed(services, base, steps + 1)?;
    for key in OWN {
        base.take(key);
    }
    let mut own = service.clone();
    own.take("extends");
    Ok(merged(base, own, ""))
}

/// Returns the members of both; those of `over` count. The parser limits the depth.
fn merged<'a>(base: Node<'a>, over: Node<'a>, key: &str) -> Node<'a> {
    let (base, over) = if PAIRS.contains(&key) {
        (as_map(base, key), as_map(over, key))
    } else {
        (base, over)
    };
    if key == "logging" && differ(&base, &over, "driver") {
        // The options of one driver mean nothing to another.
        return over;
    }
    let span = over.span;
    let value = match (base.value, over.value) {
        (Value::Object(base), Value::Object(over)) => Value::Object(merged_members(base, over)),
        (Value::List(base), Value::List(over)) if !REPLACED.contains(&key) => {
            Value::List(merged_elements(base, over, key))
        }
        (_, over) => over,
    };
    Node { value, span }
}

/// Whether both have another text as a member.
fn differ(base: &Node<'_>, over: &Node<'_>, key: &str) -> bool {
    let text = |node: &Node<'_>| node.get(key).and_then(Node::text).map(str::to_owned);
    let (base, over) = (text(base), text(over));
    base.is_some() && over.is_some() && base != over
}

fn merged_members<'a>(mut members: Vec<Member<'a>>, others: Vec<Member<'a>>) -> Vec<Member<'a>> {
    let keys = members.iter().map(|member| member.key.to_string());
    let mut places: BTreeMap<String, usize> = keys.zip(0..).collect();
    for other in others {
        let known = places.get(&*other.key).and_then(|at| members.get_mut(*at));
        if let Some(known) = known {
            let value = known.value.take_value();
            let span = known.value.span;
            let value = merged(Node { value, span }, other.value, &other.key);
            *known = Member { value, ..other };
        } else {
            places.insert(other.key.to_string(), members.len());
            members.push(other);
        }
    }
    members
}

fn merged_elements<'a>(base: Vec<Node<'a>>, over: Vec<Node<'a>>, key: &str) -> Vec<Node<'a>> {
    let is_placed = PLACED.contains(&key);
    let targets: BTreeSet<String> = over.iter().filter_map(|it| target(it, key)).collect();
    let mut known = BTreeSet::new();
    let mut elements = Vec::new();
    for element in base {
        let is_replaced =
            is_placed && target(&element, key).is_some_and(|it| targets.contains(&it));
        if !is_replaced {
            known.insert(to_json(&element));
            elements.push(element);
        }
    }
    elements.extend(over.into_iter().filter(|it| known.insert(to_json(it))));
    elements
}

/// Returns where an element is in the container: a path, or the name of a file.
fn target(element: &Node<'_>, key: &str) -> Option<String> {
    let text = |key: &str| element.get(key).and_then(Node::text).map(str::to_owned);
    let Some(short) = element.text() else {
        return text("target").or_else(|| text("source"));
    };
    if key != "volumes" {
        return Some(short.to_owned());
    }
    let mut parts = short.split(':');
    let first = parts.next()?;
    Some(parts.next().unwrap_or(first).to_owned())
}

/// Returns a list of `NAME=VALUE` as a map, in which a later one of a name counts.
fn as_map<'a>(node: Node<'a>, key: &str) -> Node<'a> {
    let separators: &[char] = if key == "extra_hosts" {
        &[':', '=']
    } else {
        &['=']
    };
    let Value::List(elements) = node.value else {
        return node;
    };
    let mut members: Vec<Member<'_>> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for element in elements {
        let span = element.span;
        let Value::String(written) = &element.value else {
            continue;
        };
        let (name, value) = match written.split_once(separators) {
            Some((name, value)) => (name, Value::String(value.to_owned().into())),
            None => (&**written, Value::Null),
        };
        let member = Member {
            key: name.to_owned().into(),
            key_span: span,
            value: Node { value, span },
        };
        match places.get(name).and_then(|at| members.get_mut(*at)) {
            Some(known) => *known = member,
            None => {
                places.insert(name.to_owned(), members.len());
                members.push(member);
            }
        }
    }
    Node {
        value: Value::Object(members),
        span: node.span,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{syntax::parse_one, tree::print, values::Values},
        *,
    };

    fn extended(file: &str) -> (String, usize) {
        let mut root = parse_one("compose.yaml", file).unwrap().unwrap();
        let values = Values::default();
        let mut report = Report::new(&values);
        extend(&mut root, &mut report);
        let web = root.get("services").and_then(|it| it.get("web")).cloned();
        let found = report.finish(root.span, Vec::new()).findings.len();
        (web.map(|web| print(&web)).unwrap_or_default(), found)
    }

    #[test]
    fn services_of_the_same_file_are_merged() {
        let base = "base: {image: a, command: [a], environment: [A=1, B=2], ports: ['1'], depends_on: [db]}";
        let all = "all: {image: a, extra_hosts: ['legacy:10.0.0.1'], volumes: ['a:/data'], secrets: [s], \
                   logging: {driver: json-file, options: {max-size: 10m}}}";
        for (web, expected) in [
            (
                "extends: base",
                r#"{image:"a",command:["a"],environment:["A=1","B=2"],ports:["1"]}"#,
            ),
            (
                "extends: {service: base}, command: [b], environment: {B: 3}, ports: ['1', '2'], image: c",
                r#"{image:"c",command:["b"],environment:{A:"1",B:3},ports:["1","2"]}"#,
            ),
            ("image: a", r#"{image:"a"}"#),
            (
                "extends: all, extra_hosts: {other: 10.0.0.2}, volumes: ['b:/data', 'c:/c'], \
                 secrets: [{source: t, target: s}], logging: {driver: awslogs, options: {mode: x}}",
                r#"{image:"a",extra_hosts:{legacy:"10.0.0.1",other:"10.0.0.2"},volumes:["b:/data","c:/c"],secrets:[{source:"t",target:"s"}],logging:{driver:"awslogs",options:{mode:"x"}}}"#,
            ),
            (
                "extends: {service: base, file: b.yaml}",
                r#"{extends:{service:"base",file:"b.yaml"}}"#,
            ),
        ] {
            let file = format!("services: {{{base}, {all}, web: {{{web}}}}}");
            assert_eq!(extended(&file), (expected.to_owned(), 0), "{web}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_named() {
        for file in [
            "services: {web: {image: a, extends: none}}",
            "services: {web: {image: a, extends: web}}",
            "services: {web: {image: a, extends: b}, b: {image: b, extends: web}}",
        ] {
            assert_eq!(extended(file), (r#"{image:"a"}"#.to_owned(), 1), "{file}");
        }
    }
}
