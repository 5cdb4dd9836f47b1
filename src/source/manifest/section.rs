//! An object whose members are taken one after the other, so that those that nothing takes can be named.

use std::borrow::Cow;

use super::{
    super::{
        text::Span,
        tree::{Member, Node, Value},
    },
    object::text,
    report::Report,
};

/// What to do about a member that is not known.
const UNKNOWN: &str = "correct its name, or do otherwise what it stands for";

/// The members of an object that were not taken yet.
#[derive(Debug)]
pub(in crate::source) struct Section<'a> {
    path: String,
    members: Vec<Member<'a>>,
    pub(in crate::source) span: Span,
}

impl<'a> Section<'a> {
    /// Returns the members of an object, or the value back if it is not one.
    pub(in crate::source) fn of(path: String, node: Node<'a>) -> Result<Self, Node<'a>> {
        let span = node.span;
        match node.value {
            Value::Object(members) => Ok(Self {
                path,
                members,
                span,
            }),
            value => Err(Node { value, span }),
        }
    }

    /// Returns a section without members.
    pub(in crate::source) const fn empty(span: Span) -> Self {
        Self {
            path: String::new(),
            members: Vec::new(),
            span,
        }
    }

    /// Returns the path of a member in the file.
    pub(in crate::source) fn path(&self, key: &str) -> String {
        if self.path.is_empty() {
            return key.to_owned();
        }
        format!("{}.{key}", self.path)
    }

    /// Whether it has a member.
    pub(in crate::source) fn has(&self, key: &str) -> bool {
        self.members.iter().any(|member| member.key == key)
    }

    /// Whether all members are taken.
    pub(in crate::source) const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns a member without taking it.
    pub(in crate::source) fn peek(&self, key: &str) -> Option<&Node<'a>> {
        let member = self.members.iter().find(|member| member.key == key)?;
        Some(&member.value)
    }

    /// Takes a member; one that is null is absent.
    pub(in crate::source) fn take(&mut self, key: &str) -> Option<Node<'a>> {
        let position = self.members.iter().position(|member| member.key == key)?;
        let value = self.members.remove(position).value;
        (!matches!(value.value, Value::Null)).then_some(value)
    }

    /// Takes a member if it fits, and leaves it otherwise.
    pub(in crate::source) fn take_if(
        &mut self,
        key: &str,
        fits: impl FnOnce(&Node<'a>) -> bool,
    ) -> Option<Node<'a>> {
        let member = self.members.iter().find(|member| member.key == key)?;
        let takes = matches!(member.value.value, Value::Null) || fits(&member.value);
        if takes { self.take(key) } else { None }
    }

    /// Takes a member as a text, whatever scalar it is.
    pub(in crate::source) fn text(&mut self, key: &str) -> Option<Node<'a>> {
        let node = self.take_if(key, |node| node.scalar().is_some())?;
        plain_text(&node)
    }

    /// Takes a member that is an object.
    pub(in crate::source) fn section(&mut self, key: &str) -> Option<Self> {
        let node = self.take_if(key, |node| node.members().is_some())?;
        Self::of(self.path(key), node).ok()
    }

    /// Takes a member that is a list.
    pub(in crate::source) fn elements(&mut self, key: &str) -> Option<Vec<Node<'a>>> {
        let node = self.take_if(key, |node| node.elements().is_some())?;
        match node.value {
            Value::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// Drops the members whose names do not fit.
    pub(in crate::source) fn retain(&mut self, mut fits: impl FnMut(&str) -> bool) {
        self.members.retain(|member| fits(&member.key));
    }

    /// Takes all other members.
    pub(in crate::source) fn take_all(&mut self) -> Vec<Member<'a>> {
        std::mem::take(&mut self.members)
    }

    /// Takes those of these members that are there, and says that they are not translated.
    pub(in crate::source) fn unread(
        &mut self,
        keys: &[&str],
        advice: &'static str,
        report: &mut Report<'_>,
    ) {
        for key in keys {
            if let Some(node) = self.take(key) {
                report.unread(node.span, self.path(key), advice);
            }
        }
    }

    /// Takes those of these members that are there, and says that they have no meaning here.
    pub(in crate::source) fn unused(
        &mut self,
        keys: &[&str],
        why: &'static str,
        report: &mut Report<'_>,
    ) {
        for key in keys {
            if let Some(node) = self.take(key) {
                report.unused(node.span, self.path(key), why);
            }
        }
    }

    /// Takes a member if it fits, and says that it has no meaning here.
    pub(in crate::source) fn unused_if(
        &mut self,
        key: &str,
        fits: impl FnOnce(&Node<'a>) -> bool,
        why: &'static str,
        report: &mut Report<'_>,
    ) {
        if let Some(node) = self.take_if(key, fits) {
            report.unused(node.span, self.path(key), why);
        }
    }

    /// Says that the members that nothing has taken are not translated.
    pub(in crate::source) fn finish(mut self, report: &mut Report<'_>) {
        for member in self.take_all() {
            if !matches!(member.value.value, Value::Null) {
                report.unread(member.key_span, self.path(&member.key), UNKNOWN);
            }
        }
    }
}

/// Returns a scalar as a text: environment variables have no other values.
pub(in crate::source) fn plain_text<'a>(node: &Node<'a>) -> Option<Node<'a>> {
    let value: &Cow<'a, str> = match &node.value {
        Value::String(text) | Value::Number(text) | Value::Bool(text) => text,
        _ => return None,
    };
    Some(text(node.span, value.clone()))
}

/// Whether a value is `true`, also as a text.
pub(in crate::source) fn is_true(node: &Node<'_>) -> bool {
    node.scalar()
        .is_some_and(|text| text.eq_ignore_ascii_case("true"))
}
