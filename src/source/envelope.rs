//! Corrections of a document before its request is read along its shape.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    kind::Spelling,
    placeholder::{Fill, filled},
    sink::Sink,
    spelling::{alias, find},
    text::Span,
    tree::{Member, Node, Value},
};
use crate::diagnostic::{FieldPath, Message};

/// Whether a member exists under its own name and is not empty.
pub(super) fn has_text(body: &Node<'_>, name: &str, spelling: Spelling) -> bool {
    let member = find(body, name, spelling).filter(|member| alias(&member.key).is_none());
    member.is_some_and(|member| {
        !matches!(member.value.value, Value::Null) && member.value.text() != Some("")
    })
}

/// Inserts a member at the front, so that it is found first.
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

/// Removes the tags that AWS sets itself from an AWS response, which has its own ARN: no request may have them. Returns
/// whether the document is a response.
pub(super) fn drop_system_tags(body: &mut Node<'_>, sink: &mut Sink) -> bool {
    let described = ["taskDefinitionArn", "serviceArn"]
        .iter()
        .any(|arn| body.get(arn).is_some());
    let Value::Object(members) = &mut body.value else {
        return described;
    };
    let tags = members.iter_mut().find(|member| member.key == "tags");
    if let Some(Value::List(tags)) = tags.filter(|_| described).map(|m| &mut m.value.value) {
        let all = tags.len();
        tags.retain(|tag| {
            let key = tag.get("key").and_then(Node::text);
            !key.is_some_and(|key| key.starts_with("aws:"))
        });
        if tags.len() < all {
            sink.ignore_read_only("tags of aws:");
        }
    }
    described
}

/// Reads the `metadata.annotations` of a custom resource whose request is the document of `root`.
pub(super) fn annotations_of(
    document: &Node<'_>,
    root: &FieldPath,
    fill: &Fill,
    sink: &mut Sink,
) -> BTreeMap<String, String> {
    let annotations = document
        .get("metadata")
        .and_then(|node| node.get("annotations"));
    let path = root.field("metadata").field("annotations");
    let mut reject = |path: FieldPath, node: &Node<'_>, allowed: &str| {
        let message = Message::InvalidValue {
            value: node.describe().to_owned(),
            allowed: allowed.to_owned(),
        };
        sink.diagnostics.report(path, message);
    };
    let Some(annotations) = annotations else {
        return BTreeMap::new();
    };
    let members = match &annotations.value {
        Value::Object(members) => members.as_slice(),
        Value::Null => &[],
        _ => {
            reject(path.clone(), annotations, "must be an object");
            &[]
        }
    };
    let mut found = BTreeMap::new();
    for member in members {
        match &member.value.value {
            // Kubernetes accepts only strings, and quotes are easily forgotten.
            Value::String(text) | Value::Number(text) | Value::Bool(text) => {
                let value = filled(Cow::Borrowed(&**text), fill).into_owned();
                found.insert(member.key.to_string(), value);
            }
            Value::Null | Value::Unresolved(_) => {}
            Value::List(_) | Value::Object(_) => {
                let path = path.field(member.key.to_string());
                reject(path, &member.value, "must be a text");
            }
        }
    }
    found
}
