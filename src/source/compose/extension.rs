//! Completes services that extend others of the same file
//! (<https://github.com/compose-spec/compose-spec/blob/main/05-services.md#extends>). Files beside it are not read.

use super::super::{
    manifest::Report,
    text::Span,
    tree::{Member, Node, Value},
};

/// The most services that one may extend, one after the other.
const LONGEST: usize = 16;

/// Lists that are replaced and not added to, because their order is a meaning.
const REPLACED: &[&str] = &["command", "entrypoint", "test"];

/// Maps that may also be lists of `NAME=VALUE`.
const PAIRS: &[&str] = &["annotations", "environment", "labels", "sysctls"];

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
        (as_map(base), as_map(over))
    } else {
        (base, over)
    };
    let span = over.span;
    let value = match (base.value, over.value) {
        (Value::Object(mut members), Value::Object(others)) => {
            for other in others {
                match members.iter().position(|member| member.key == other.key) {
                    Some(at) => {
                        let known = members.remove(at);
                        let value = merged(known.value, other.value, &other.key);
                        members.insert(at, Member { value, ..other });
                    }
                    None => members.push(other),
                }
            }
            Value::Object(members)
        }
        (Value::List(mut elements), Value::List(others)) if !REPLACED.contains(&key) => {
            for other in others {
                if !elements.iter().any(|known| known.same_content(&other)) {
                    elements.push(other);
                }
            }
            Value::List(elements)
        }
        (_, over) => over,
    };
    Node { value, span }
}

/// Returns a list of `NAME=VALUE` as a map, in which a later one of a name counts.
fn as_map(node: Node<'_>) -> Node<'_> {
    let Value::List(elements) = node.value else {
        return node;
    };
    let mut members: Vec<Member<'_>> = Vec::new();
    for element in elements {
        let span = element.span;
        let Value::String(written) = &element.value else {
            continue;
        };
        let (name, value) = match written.split_once('=') {
            Some((name, value)) => (name, Value::String(value.to_owned().into())),
            None => (&**written, Value::Null),
        };
        members.retain(|member| member.key != name);
        members.push(Member {
            key: name.to_owned().into(),
            key_span: span,
            value: Node { value, span },
        });
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
                "extends: {service: base, file: b.yaml}",
                r#"{extends:{service:"base",file:"b.yaml"}}"#,
            ),
        ] {
            let file = format!("services: {{{base}, web: {{{web}}}}}");
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
