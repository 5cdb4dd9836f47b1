//! Maps that may also be lists of `NAME=VALUE`.

use std::borrow::Cow;

use super::super::{
    manifest::{Section, plain_text, text},
    text::Span,
    tree::{Node, Value},
};

/// A name with its value, if it has one.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) span: Span,
    pub(super) value: Option<Node<'a>>,
}

/// Takes a map, or a list whose texts are split at the first of `separators`.
pub(super) fn pairs<'a>(
    section: &mut Section<'a>,
    key: &str,
    separators: &[char],
) -> Vec<Pair<'a>> {
    if let Some(mut map) = section.section(key) {
        let members = map.take_all().into_iter();
        let made = members.map(|member| Pair {
            name: member.key,
            span: member.key_span,
            value: plain_text(&member.value),
        });
        return made.collect();
    }
    let elements = section.elements(key).unwrap_or_default();
    let one = |element: Node<'a>| {
        let Value::String(written) = &element.value else {
            return None;
        };
        let span = element.span;
        let (name, value) = match written.split_once(separators) {
            Some((name, value)) => (name, Some(text(span, value.to_owned()))),
            None => (&**written, None),
        };
        Some(Pair {
            name: Cow::Owned(name.to_owned()),
            span,
            value,
        })
    };
    elements.into_iter().filter_map(one).collect()
}
