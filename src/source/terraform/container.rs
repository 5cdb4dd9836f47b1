//! Container definitions, which Terraform has as a JSON text
//! (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecs_task_definition#container_definitions-1>).

use std::collections::BTreeSet;

use super::super::{
    json::JsonDocuments,
    text::Span,
    tree::{Node, Value},
};
use crate::{
    diagnostic::Message,
    fields::{self, Shape},
};

/// The argument of a task definition that has them.
pub(super) const LIST: &str = "container_definitions";

/// A JSON text as a list.
pub(super) struct Read<'a> {
    pub(super) node: Node<'a>,
    /// The paths of members that the API does not have: `[].imgae`. Terraform reads over them.
    pub(super) unread: BTreeSet<String>,
}

/// Returns the list in a JSON text. Everything in it has the position of the text.
pub(super) fn parsed<'a>(
    text: &str,
    element: &fields::Node,
    span: Span,
    address: &str,
) -> Read<'a> {
    let mut unread = BTreeSet::new();
    let document = JsonDocuments::new(text).next_document();
    let value = match document.map(|it| it.map(|it| it.root.into_owned())) {
        Ok(Some(mut root)) if root.elements().is_some() => {
            let mut known = Known {
                span: Some(span),
                unread: &mut unread,
            };
            if let Value::List(elements) = &mut root.value {
                for it in elements {
                    known.keep(it, Some(element), "[]");
                }
            }
            root.value
        }
        // The text may have secrets, so that it is not a part of the message.
        _ => Value::Unresolved(Box::new(Message::InvalidValue {
            value: address.to_owned(),
            allowed: "must be a list in JSON".to_owned(),
        })),
    };
    Read {
        node: Node { value, span },
        unread,
    }
}

/// Returns the list that a configuration encodes as JSON. Everything in it keeps its position.
pub(super) fn encoded<'a>(list: &Node<'a>, element: &fields::Node) -> Read<'a> {
    let mut unread = BTreeSet::new();
    let mut node = list.clone();
    let mut known = Known {
        span: None,
        unread: &mut unread,
    };
    if let Value::List(elements) = &mut node.value {
        for it in elements {
            known.keep(it, Some(element), "[]");
        }
    }
    Read { node, unread }
}

/// What keeps the members of the API.
struct Known<'u> {
    /// The position of everything, if the text has only one.
    span: Option<Span>,
    unread: &'u mut BTreeSet<String>,
}

impl Known<'_> {
    /// Removes the members that the API does not have, and sets the position of what is kept. The depth is limited where
    /// the list is made.
    fn keep(&mut self, node: &mut Node<'_>, expected: Option<&fields::Node>, path: &str) {
        node.span = self.span.unwrap_or(node.span);
        match &mut node.value {
            Value::List(elements) => {
                let expected = match expected.map(|it| &it.shape) {
                    Some(Shape::List(element)) => Some(&**element),
                    _ => None,
                };
                for element in elements {
                    self.keep(element, expected, &format!("{path}[]"));
                }
            }
            Value::Object(members) => {
                let shape = match expected.map(|it| &it.shape) {
                    Some(Shape::Object(shape)) => Some(shape),
                    _ => None,
                };
                members.retain(|member| {
                    let is_known = shape.is_none_or(|shape| {
                        shape
                            .keys()
                            .any(|name| name.eq_ignore_ascii_case(&member.key))
                    });
                    if !is_known {
                        self.unread.insert(format!("{path}.{}", member.key));
                    }
                    is_known
                });
                for member in members {
                    member.key_span = self.span.unwrap_or(member.key_span);
                    let mut names = shape.into_iter().flatten();
                    let found = names.find(|(name, _)| name.eq_ignore_ascii_case(&member.key));
                    let path = format!("{path}.{}", member.key);
                    self.keep(&mut member.value, found.map(|(_, node)| node), &path);
                }
            }
            _ => {}
        }
    }
}
