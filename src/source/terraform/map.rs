//! Maps: as objects of texts, and as the lists of names and values that the API has in their place.

use super::{
    super::tree::{Node, Value},
    attribute::Attribute,
    member,
    property::{Mapping, key_span, unknown},
    string,
};
use crate::fields::{self, Shape};

/// The members of an element that a name and its value become.
pub(super) struct Pair {
    key: &'static str,
    value: &'static str,
}

impl Pair {
    /// Returns the members, if an object stands for several elements, and is not one element itself.
    pub(super) fn of(
        argument: Attribute<'_, '_>,
        element: &fields::Node,
        path: &str,
    ) -> Option<Self> {
        let Shape::Object(members) = &element.shape else {
            return None;
        };
        let known = |names: [&'static str; 2]| {
            let mut known = members.keys().copied();
            known.find(|it| names.contains(it))
        };
        let key = known(["key", "Key"]).or_else(|| known(["name", "Name"]))?;
        let value = known(["value", "Value"])?;
        let own = argument.names();
        let is_own = |name: &str| own.iter().any(|it| it.eq_ignore_ascii_case(name));
        let is_element = own.len() == 2 && is_own(key) && is_own(value);
        // Tags are no blocks, so that they may have any names.
        let is_tags = path.rsplit('.').next() == Some("tags");
        (is_tags || !is_element).then_some(Self { key, value })
    }
}

impl<'t, 'a> Mapping<'_, 't, 'a> {
    /// Returns a map as the list of names and values that the API has. A value that is no text is said not to be read.
    pub(super) fn pairs(
        &mut self,
        argument: Attribute<'t, 'a>,
        pair: &Pair,
        path: &str,
    ) -> Vec<Node<'a>> {
        let span = self.span(argument);
        let names = argument.names().into_iter();
        let pairs = names.filter_map(|name| {
            let own_span = key_span(argument, name, span);
            let it = argument.member(name);
            let own = format!("{path}.{name}");
            let text = self.plan.text(self.resource, it, &own);
            // A tag may have an empty value.
            let Some(text) = text.or_else(|| it.text().map(str::to_owned)) else {
                if it.is_given() {
                    self.unread.push(own);
                }
                return None;
            };
            let members = vec![
                member(pair.key, own_span, string(name, own_span)),
                member(pair.value, own_span, string(text, self.span(it))),
            ];
            Some(Node {
                value: Value::Object(members),
                span: own_span,
            })
        });
        pairs.collect()
    }

    /// Returns an object of texts.
    pub(super) fn map(&mut self, argument: Attribute<'t, 'a>, path: &str) -> Node<'a> {
        let span = self.span(argument);
        if argument.is_unknown() {
            return unknown(format!("{}.{path}", self.resource.address), span);
        }
        let names = argument.names().into_iter().filter_map(|name| {
            let it = argument.member(name);
            let value = if it.is_unknown() {
                let text = self
                    .plan
                    .text(self.resource, it, &format!("{path}.{name}"))?;
                string(text, span)
            } else {
                it.value?.clone()
            };
            Some(member(name, key_span(argument, name, span), value))
        });
        let value = Value::Object(names.collect());
        Node { value, span }
    }
}
