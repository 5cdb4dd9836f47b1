//! Makes the nodes of a request, at the positions of what they come from.

use std::{borrow::Cow, fmt::Display};

use super::super::{
    text::Span,
    tree::{Member, Node, Value},
};

/// An object that is being made.
#[derive(Debug)]
pub(in crate::source) struct Object<'a> {
    members: Vec<Member<'a>>,
    span: Span,
}

impl<'a> Object<'a> {
    /// Returns an object without members.
    pub(in crate::source) const fn new(span: Span) -> Self {
        Self {
            members: Vec::new(),
            span,
        }
    }

    /// Adds a member.
    pub(in crate::source) fn put(&mut self, key: impl Into<Cow<'a, str>>, value: Node<'a>) {
        self.members.push(Member {
            key: key.into(),
            key_span: value.span,
            value,
        });
    }

    /// Adds a member if it has a value.
    pub(in crate::source) fn maybe(&mut self, key: &'static str, value: Option<Node<'a>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// Adds a list if it has elements.
    pub(in crate::source) fn elements(&mut self, key: &'static str, elements: Vec<Node<'a>>) {
        if let Some(first) = elements.first() {
            self.put(key, list(first.span, elements));
        }
    }

    /// Puts a value in the place of the one that a member has, if there is one.
    pub(in crate::source) fn replace(&mut self, key: &'static str, value: Option<Node<'a>>) {
        let Some(value) = value else { return };
        self.members.retain(|member| member.key != key);
        self.put(key, value);
    }

    /// Changes the members of an object that is a member.
    pub(in crate::source) fn within(
        &mut self,
        key: &'static str,
        span: Span,
        change: impl FnOnce(&mut Self),
    ) {
        let known = self.members.iter().position(|member| member.key == key);
        let known = known.map(|at| self.members.remove(at).value);
        let mut inner = match known {
            Some(Node {
                value: Value::Object(members),
                span,
            }) => Self { members, span },
            _ => Self::new(span),
        };
        change(&mut inner);
        self.put(key, inner.node());
    }

    /// Whether it has a member.
    pub(in crate::source) fn has(&self, key: &str) -> bool {
        self.members.iter().any(|member| member.key == key)
    }

    /// Whether it has no members.
    pub(in crate::source) const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns it as a value.
    pub(in crate::source) fn node(self) -> Node<'a> {
        Node {
            value: Value::Object(self.members),
            span: self.span,
        }
    }
}

/// Returns a text.
pub(in crate::source) fn text<'a>(span: Span, text: impl Into<Cow<'a, str>>) -> Node<'a> {
    Node {
        value: Value::String(text.into()),
        span,
    }
}

/// Returns a number.
pub(in crate::source) fn number<'a>(span: Span, number: impl Display) -> Node<'a> {
    Node {
        value: Value::Number(number.to_string().into()),
        span,
    }
}

/// Returns a whole number, or the text if it is not one, so that its place is rejected.
pub(in crate::source) fn whole<'a>(span: Span, written: &str) -> Node<'a> {
    match written.parse::<u32>() {
        Ok(value) => number(span, value),
        Err(_) => text(span, written.to_owned()),
    }
}

/// Returns `true` or `false`.
pub(in crate::source) fn boolean<'a>(span: Span, boolean: bool) -> Node<'a> {
    Node {
        value: Value::Bool(boolean.to_string().into()),
        span,
    }
}

/// Returns a list.
pub(in crate::source) const fn list(span: Span, elements: Vec<Node<'_>>) -> Node<'_> {
    Node {
        value: Value::List(elements),
        span,
    }
}
