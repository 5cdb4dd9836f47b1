//! The common form of JSON and YAML: a tree of values with their positions.

use std::{borrow::Cow, mem};

use super::text::Span;
use crate::diagnostic::Message;

/// The maximum nesting of lists and objects. AWS's deepest request has 11 levels; the limit protects the stack.
pub(super) const DEPTH_LIMIT: usize = 64;

/// A value and its position in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'a> {
    /// The value.
    pub value: Value<'a>,
    /// Its position.
    pub span: Span,
}

/// The values that a document can contain. Strings without escapes borrow from the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false` as written, since YAML also has `True`, and an environment variable may need the exact
    /// spelling.
    Bool(Cow<'a, str>),
    /// A number as written: `1.50`, `0x1F`, `1e3`.
    Number(Cow<'a, str>),
    /// A string.
    String(Cow<'a, str>),
    /// A list.
    List(Vec<Node<'a>>),
    /// An object without duplicate keys, in the order of the text.
    Object(Vec<Member<'a>>),
    /// A value that a template leaves open, with the reason.
    Unresolved(Box<Message>),
}

/// One member of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Member<'a> {
    /// The name.
    pub key: Cow<'a, str>,
    /// The position of the name.
    pub key_span: Span,
    /// The value.
    pub value: Node<'a>,
}

/// The size of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// The number of values.
    pub(super) values: usize,
    /// The bytes of text in scalars and keys.
    pub(super) text: usize,
}

impl Size {
    pub(super) const fn add(&mut self, other: Self) {
        self.values = self.values.saturating_add(other.values);
        self.text = self.text.saturating_add(other.text);
    }

    pub(super) const fn exceeds(self, limit: Self) -> bool {
        self.values > limit.values || self.text > limit.text
    }
}

/// A document and the part of the text that yields it again when it is parsed alone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parsed<'a> {
    pub(super) root: Node<'a>,
    pub(super) slice: Span,
}

/// The reason why a text is neither JSON nor YAML, with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) span: Span,
    pub(super) message: String,
}

impl SyntaxError {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
        }
    }
}

impl<'a> Node<'a> {
    /// Returns the members, if this is an object.
    #[must_use]
    pub fn members(&self) -> Option<&[Member<'a>]> {
        match &self.value {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the elements, if this is a list.
    #[must_use]
    pub fn elements(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns the text, if this is a string.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the text of a string, a number or a boolean, as it is written.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) | Value::Number(text) | Value::Bool(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the member named `key`, if this is an object that has it.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<&Member<'a>> {
        self.members()?.iter().find(|member| member.key == key)
    }

    /// Returns the value of the member named `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.member(key).map(|member| &member.value)
    }

    /// Returns the value of the member named `key`, to change it.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Value::Object(members) = &mut self.value else {
            return None;
        };
        let member = members.iter_mut().find(|member| member.key == key)?;
        Some(&mut member.value)
    }

    /// Returns the type in words, with its article.
    #[must_use]
    pub const fn describe(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Object(_) => "an object",
            Value::Unresolved(_) => "a value that is not known",
        }
    }

    /// Whether both have the same content, regardless of positions and the order of members.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_content(b))
            }
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len()
                    && sorted(a)
                        .iter()
                        .zip(sorted(b))
                        .all(|(a, b)| a.key == b.key && a.value.same_content(&b.value))
            }
            (a, b) => a == b,
        }
    }

    /// Returns `null`.
    pub(super) const fn null(span: Span) -> Self {
        let value = Value::Null;
        Self { value, span }
    }

    /// Returns the same tree at one place: that of what it is read with, if it is in a file of its own. The parser limits
    /// the depth.
    #[must_use]
    pub(super) fn placed(self, span: Span) -> Self {
        let value = match self.value {
            Value::List(elements) => {
                let elements = elements.into_iter();
                Value::List(elements.map(|it| it.placed(span)).collect())
            }
            Value::Object(members) => {
                let members = members.into_iter().map(|member| Member {
                    key_span: span,
                    value: member.value.placed(span),
                    ..member
                });
                Value::Object(members.collect())
            }
            value => value,
        };
        Self { value, span }
    }

    /// Returns the size of the tree; counting stops when it exceeds `limit`.
    pub(super) fn size(&self, limit: Size) -> Size {
        let mut size = Size { values: 1, text: 0 };
        match &self.value {
            Value::Null | Value::Unresolved(_) => {}
            Value::Bool(text) | Value::Number(text) | Value::String(text) => size.text = text.len(),
            Value::List(elements) => {
                for element in elements {
                    if size.exceeds(limit) {
                        break;
                    }
                    size.add(element.size(limit));
                }
            }
            Value::Object(members) => {
                for member in members {
                    if size.exceeds(limit) {
                        break;
                    }
                    size.text += member.key.len();
                    size.add(member.value.size(limit));
                }
            }
        }
        size
    }

    /// Returns the same tree, without borrowing from the text.
    pub(super) fn into_owned(self) -> Node<'static> {
        let own = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        let value = match self.value {
            Value::Null => Value::Null,
            Value::Unresolved(why) => Value::Unresolved(why),
            Value::Bool(text) => Value::Bool(own(text)),
            Value::Number(text) => Value::Number(own(text)),
            Value::String(text) => Value::String(own(text)),
            Value::List(elements) => {
                Value::List(elements.into_iter().map(Self::into_owned).collect())
            }
            Value::Object(members) => Value::Object(
                members
                    .into_iter()
                    .map(|member| Member {
                        key: own(member.key),
                        key_span: member.key_span,
                        value: member.value.into_owned(),
                    })
                    .collect(),
            ),
        };
        Node {
            value,
            span: self.span,
        }
    }

    /// Returns the keys and positions of the tree without its text, to find fields when the tree is used up.
    pub(super) fn skeleton(&self) -> Node<'static> {
        let value = match &self.value {
            Value::List(elements) => Value::List(elements.iter().map(Self::skeleton).collect()),
            Value::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|member| Member {
                        key: Cow::Owned(member.key.clone().into_owned()),
                        key_span: member.key_span,
                        value: member.value.skeleton(),
                    })
                    .collect(),
            ),
            Value::Null => Value::Null,
            _ => Value::Bool(Cow::Borrowed("")),
        };
        Node {
            value,
            span: self.span,
        }
    }

    /// Removes the member named `key` from an object and returns it.
    pub(super) fn take(&mut self, key: &str) -> Option<Member<'a>> {
        let Value::Object(members) = &mut self.value else {
            return None;
        };
        let position = members.iter().position(|member| member.key == key)?;
        Some(members.remove(position))
    }

    /// Returns the value, leaving `null`.
    pub(super) const fn take_value(&mut self) -> Value<'a> {
        mem::replace(&mut self.value, Value::Null)
    }
}

/// Returns a tree as JSON, in one line. `null` stands for a value that is not known.
pub(super) fn to_json(node: &Node<'_>) -> String {
    let mut json = String::new();
    write_json(node, &mut json);
    json
}

fn write_json(node: &Node<'_>, json: &mut String) {
    match &node.value {
        Value::Null | Value::Unresolved(_) => json.push_str("null"),
        Value::Bool(text) => json.push_str(&text.to_ascii_lowercase()),
        Value::Number(text) => json.push_str(text),
        Value::String(text) => write_json_text(text, json),
        Value::List(elements) => {
            json.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write_json(element, json);
            }
            json.push(']');
        }
        Value::Object(members) => {
            json.push('{');
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write_json_text(&member.key, json);
                json.push(':');
                write_json(&member.value, json);
            }
            json.push('}');
        }
    }
}

fn write_json_text(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

/// Returns the members in the order of their names.
fn sorted<'m, 'a>(members: &'m [Member<'a>]) -> Vec<&'m Member<'a>> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    sorted
}

/// Returns the first duplicate key of an object. Few keys are compared in pairs, many are sorted.
pub(super) fn duplicate_key<'m, 'a>(members: &'m [Member<'a>]) -> Option<&'m Member<'a>> {
    const FEW: usize = 24;
    if members.len() <= FEW {
        return members.iter().enumerate().find_map(|(position, member)| {
            let earlier = members.get(..position)?;
            earlier
                .iter()
                .any(|other| other.key == member.key)
                .then_some(member)
        });
    }
    let mut sorted: Vec<&Member<'a>> = members.iter().collect();
    sorted.sort_by(|a, b| (&a.key, a.key_span).cmp(&(&b.key, b.key_span)));
    sorted
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] if a.key == b.key => Some(*b),
            _ => None,
        })
        .min_by_key(|member| member.key_span)
}

/// Prints the tree in one line, for tests.
#[cfg(test)]
pub(super) fn print(node: &Node<'_>) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Unresolved(why) => format!("<{why}>"),
        Value::Bool(text) | Value::Number(text) => text.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::List(elements) => {
            let elements: Vec<_> = elements.iter().map(print).collect();
            format!("[{}]", elements.join(","))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|member| format!("{}:{}", member.key, print(&member.value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(key: &str, start: usize, value: Value<'static>) -> Member<'static> {
        Member {
            key: Cow::Owned(key.to_owned()),
            key_span: Span::new(start, start + 1),
            value: Node {
                value,
                span: Span::new(start + 2, start + 3),
            },
        }
    }

    #[test]
    fn duplicate_keys_are_found_in_small_and_large_objects() {
        for size in [3, 100] {
            let mut members: Vec<_> = (0..size)
                .map(|i| member(&format!("k{i}"), i * 10, Value::Null))
                .collect();
            assert_eq!(duplicate_key(&members), None);
            members.push(member("k1", size * 10, Value::Null));
            members.push(member("k2", size * 10 + 10, Value::Null));
            let found = duplicate_key(&members).unwrap();
            assert_eq!((&*found.key, found.key_span.start), ("k1", size * 10));
        }
    }

    #[test]
    fn large_objects_are_compared_without_looking_each_key_up() {
        let object = |reversed: bool| {
            let mut members: Vec<_> = (0..600_000)
                .map(|number| member(&format!("a{number}"), number, Value::Null))
                .collect();
            if reversed {
                members.reverse();
            }
            Node {
                value: Value::Object(members),
                span: Span::default(),
            }
        };
        // Work that grows with the square of the input would take minutes.
        assert!(object(false).same_content(&object(true)));
    }

    #[test]
    fn content_is_compared_without_order_and_place() {
        let object = |members| Node {
            value: Value::Object(members),
            span: Span::default(),
        };
        let one = Value::Number("1".into());
        let a = object(vec![
            member("a", 0, one.clone()),
            member("b", 9, Value::Null),
        ]);
        let b = object(vec![member("b", 0, Value::Null), member("a", 5, one)]);
        assert!(a.same_content(&b));
        let c = object(vec![
            member("b", 0, Value::Null),
            member("a", 5, Value::Null),
        ]);
        assert!(!a.same_content(&c));
        let limit = |values, text| Size { values, text };
        assert_eq!(a.size(limit(100, 100)), limit(3, 3));
        assert!(a.size(limit(2, 100)).exceeds(limit(2, 100)));
        assert!(a.size(limit(100, 2)).exceeds(limit(100, 2)));
    }
}
