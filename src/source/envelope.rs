//! What is put right in a document before its request is read along its shape.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    kind::Spelling,
    placeholder::{Fill, filled},
    spelling::find,
    text::Span,
    tree::{Member, Node, Value},
};

/// Whether a member is there and says something.
pub(super) fn has_text(body: &Node<'_>, name: &str, spelling: Spelling) -> bool {
    find(body, name, spelling).is_some_and(|member| {
        !matches!(member.value.value, Value::Null) && member.value.text() != Some("")
    })
}

/// Sets a member, in front, so that it is found first.
pub(super) fn set<'a>(body: &mut Node<'a>, name: &'static str, value: Value<'a>) {
    let span = body.span;
    if let Value::Object(members) = &mut body.value {
        members.retain(|member| !member.key.eq_ignore_ascii_case(name));
        members.insert(
            0,
            Member {
                key: name.into(),
                key_span: Span::new(span.start, span.start),
                value: Node { value, span },
            },
        );
    }
}

/// `metadata.annotations` of a custom resource.
pub(super) fn annotations_of(document: &Node<'_>, fill: &Fill) -> BTreeMap<String, String> {
    let annotations = document
        .get("metadata")
        .and_then(|node| node.get("annotations"));
    annotations
        .and_then(Node::members)
        .unwrap_or_default()
        .iter()
        .filter_map(|member| {
            // Kubernetes takes nothing but strings, and quotes are soon forgotten.
            let (Value::String(text) | Value::Number(text) | Value::Bool(text)) =
                &member.value.value
            else {
                return None;
            };
            let value = filled(Cow::Borrowed(&**text), fill).into_owned();
            Some((member.key.to_string(), value))
        })
        .collect()
}
