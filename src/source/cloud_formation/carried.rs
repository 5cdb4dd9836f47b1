//! Values that one stack has from another: the parameters and the outputs of a nested stack, and what is exported.

use std::collections::BTreeMap;

use super::{
    super::{
        text::Span,
        tree::{Node, Value},
    },
    cluster::{self, Known},
    stack::{Open, Stack},
};

/// A value, with what the stack that has it knows of its text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Carried {
    value: Value<'static>,
    /// The placeholders in it.
    open: BTreeMap<String, Open>,
    /// The target groups that it names, and their deregistration delays in seconds.
    delays: BTreeMap<String, u32>,
    /// The clusters that it names.
    clusters: BTreeMap<String, Known>,
    /// Whether it has a value that is not shown.
    pub(super) is_secret: bool,
}

impl Carried {
    /// Returns the value as a text, if nothing in it is open.
    pub(super) fn known(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) | Value::Number(text) | Value::Bool(text)
                if self.open.is_empty() =>
            {
                Some(text)
            }
            _ => None,
        }
    }

    /// Returns the value itself.
    pub(super) const fn value(&self) -> &Value<'static> {
        &self.value
    }

    /// Returns the delay of a target group that is this value.
    pub(super) fn delay(&self) -> Option<u32> {
        match &self.value {
            Value::String(text) => self.delays.get(&**text).copied(),
            _ => None,
        }
    }
}

impl<'a> Stack<'_, 'a> {
    /// Returns a value of this stack for another one.
    pub(super) fn carry(&mut self, node: Node<'a>) -> Carried {
        let mut clusters = BTreeMap::new();
        each_text(&node, &mut |text| {
            let cluster = cluster::carried(self, text);
            clusters.extend(cluster.map(|it| (text.to_owned(), it)));
        });
        Carried {
            clusters,
            ..self.carry_alone(node)
        }
    }

    /// Returns a value of this stack for another one, without what the clusters are that it names.
    pub(super) fn carry_alone(&self, node: Node<'a>) -> Carried {
        let mut open = BTreeMap::new();
        let mut delays = BTreeMap::new();
        let mut is_secret = false;
        each_text(&node, &mut |text| {
            open.extend(self.opened_in(text));
            let delay = self.delays.get(text);
            delays.extend(delay.map(|(seconds, _)| (text.to_owned(), *seconds)));
            is_secret |= self.secrets.iter().any(|it| text.contains(it.as_str()));
        });
        Carried {
            value: node.into_owned().value,
            open,
            delays,
            clusters: BTreeMap::new(),
            is_secret,
        }
    }

    /// Returns a value of another stack for this one, which uses it at `span`.
    pub(super) fn receive(&mut self, carried: &Carried, span: Span) -> Node<'a> {
        for (name, why) in &carried.open {
            self.open_globally(name, *why);
        }
        for (text, seconds) in &carried.delays {
            self.delays.insert(text.clone(), (*seconds, span));
        }
        for (text, cluster) in &carried.clusters {
            cluster::take(self, text, cluster);
        }
        if carried.is_secret {
            self.hide(carried);
        }
        let mut node = Node {
            value: carried.value.clone(),
            span,
        };
        place(&mut node, &|_| span);
        node
    }

    /// Notes that a value is not shown.
    fn hide(&mut self, carried: &Carried) {
        let node = Node {
            value: carried.value.clone(),
            span: Span::default(),
        };
        each_text(&node, &mut |text| self.keep_secret(text));
    }
}

/// Calls `each` for the texts in a value.
pub(super) fn each_text(node: &Node<'_>, each: &mut dyn FnMut(&str)) {
    match &node.value {
        Value::String(text) => each(text),
        Value::List(elements) => elements.iter().for_each(|it| each_text(it, each)),
        Value::Object(members) => members.iter().for_each(|it| each_text(&it.value, each)),
        _ => {}
    }
}

/// Gives everything in a value another position.
pub(super) fn place(node: &mut Node<'_>, at: &dyn Fn(Span) -> Span) {
    node.span = at(node.span);
    match &mut node.value {
        Value::List(elements) => elements.iter_mut().for_each(|it| place(it, at)),
        Value::Object(members) => {
            for member in members {
                member.key_span = at(member.key_span);
                place(&mut member.value, at);
            }
        }
        _ => {}
    }
}
