//! Turns the arguments of a resource into the members of its request, along the shape of that.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    super::{
        text::Span,
        tree::{Node, Value},
    },
    address::without_keys,
    attribute::Attribute,
    container,
    map::Pair,
    place::put,
    plan::Plan,
    resource::Resource,
    string,
    table::{Type, switch},
};
use crate::{
    diagnostic::Message,
    fields::{self, Kind, Shape},
};

type Members = BTreeMap<&'static str, fields::Node>;

/// What makes the properties of one resource.
pub(super) struct Mapping<'p, 't, 'a> {
    pub(super) plan: &'p mut Plan<'t, 'a>,
    pub(super) resource: &'p Resource<'t, 'a>,
    kind: &'static Type,
    /// The arguments that the API does not have.
    pub(super) unread: Vec<String>,
}

impl<'p, 't, 'a> Mapping<'p, 't, 'a> {
    pub(super) fn new(
        plan: &'p mut Plan<'t, 'a>,
        resource: &'p Resource<'t, 'a>,
        kind: &'static Type,
    ) -> Self {
        Self {
            plan,
            resource,
            kind,
            unread: Vec::new(),
        }
    }

    /// Returns the request of the resource.
    pub(super) fn properties(self, attributes: Attribute<'t, 'a>) -> Node<'a> {
        let kind = self.kind;
        self.of_shape(attributes, &kind.api.tree().shape)
    }

    /// Returns an object of this shape.
    pub(super) fn of_shape(mut self, attributes: Attribute<'t, 'a>, shape: &Shape) -> Node<'a> {
        let nothing = Members::new();
        let members = match shape {
            Shape::Object(members) => members,
            _ => &nothing,
        };
        let node = self.object(attributes, members, "");
        if !self.unread.is_empty() {
            let message = Message::ArgumentsNotRead {
                address: self.resource.address.clone(),
                names: self.unread.join(", "),
            };
            self.plan.say(self.resource.span, message);
        }
        node
    }

    fn object(&mut self, attribute: Attribute<'t, 'a>, members: &Members, path: &str) -> Node<'a> {
        let span = self.span(attribute);
        let mut object = Node {
            value: Value::Object(Vec::new()),
            span,
        };
        for name in attribute.names() {
            let argument = attribute.member(name);
            if !argument.is_given() {
                continue;
            }
            let at = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            // What the configuration leaves to AWS.
            let is_answer = argument.is_unknown()
                && argument.expression.is_none()
                && attribute.expression.is_some();
            match self.place(&at, name, members) {
                // Blocks of which not even the number is known have no expression either.
                Some((_, expected)) if is_answer && is_list_of_objects(expected) => {
                    self.unread.push(at);
                }
                _ if is_answer => {}
                Some(_) if self.are_open_tags(name, argument, &at) => self.unread.push(at),
                Some((place, expected)) => {
                    if path.is_empty() {
                        self.plan.reveal(self.resource, name);
                    }
                    if let Some(value) = self.value(argument, expected, &at) {
                        let key_span = key_span(attribute, name, span);
                        put(&mut object, &place, value, key_span);
                    }
                }
                None if self.is_left_out(&at, argument) => {}
                None => self.unread.push(at),
            }
        }
        object
    }

    /// Whether these are tags without a value. No pod depends on them, so that they are no reason to stop.
    fn are_open_tags(&mut self, name: &str, argument: Attribute<'t, 'a>, path: &str) -> bool {
        let address = format!("{}.{path}", self.resource.address);
        name == "tags" && argument.is_unknown() && self.plan.given(&address).is_none()
    }

    /// Whether an argument without a place says nothing.
    fn is_left_out(&self, path: &str, argument: Attribute<'t, 'a>) -> bool {
        let is_off = argument
            .text()
            .is_some_and(|text| matches!(text, "false" | "0"));
        // What AWS answers is not known before, and no argument.
        is_off
            || argument.value.is_none()
            || self.kind.place(&without_keys(path)).is_some()
            || Type::is_of_terraform(path)
    }

    /// Returns where the value of an argument is in its object, and what is expected there.
    fn place<'m>(
        &self,
        path: &str,
        name: &str,
        members: &'m Members,
    ) -> Option<(Cow<'static, str>, &'m fields::Node)> {
        if let Some(place) = self.kind.place(&without_keys(path)) {
            let mut names = place.split('.');
            let first = members.get(names.next()?)?;
            let expected = names.try_fold(first, |node, name| match &node.shape {
                Shape::Object(members) => members.get(name),
                _ => None,
            });
            return Some((place.into(), expected?));
        }
        let plain: String = name.split('_').collect();
        let mut all = members.iter();
        let found = all.find(|(member, node)| {
            let is_list = matches!(node.shape, Shape::List(_));
            let singular = member.strip_suffix('s').filter(|_| is_list);
            member.eq_ignore_ascii_case(&plain)
                || singular.is_some_and(|it| it.eq_ignore_ascii_case(&plain))
        });
        found.map(|(member, node)| ((*member).into(), node))
    }

    /// Returns the value of an argument.
    fn value(
        &mut self,
        argument: Attribute<'t, 'a>,
        expected: &fields::Node,
        path: &str,
    ) -> Option<Node<'a>> {
        // An expression that cannot be evaluated.
        if let Some(Value::Unresolved(_)) = argument.value.map(|it| &it.value) {
            return argument.value.cloned();
        }
        match &expected.shape {
            Shape::Object(_) | Shape::List(_) if argument.is_unknown() => {
                Some(self.open(argument, &expected.shape, path))
            }
            Shape::Object(members) => {
                let elements = argument.value?.elements();
                let block = if elements.is_some() {
                    argument.element(0)
                } else {
                    argument
                };
                Some(self.object(block, members, path))
            }
            Shape::List(element) => Some(self.list(argument, element, path)),
            Shape::Leaf(field) => self.leaf(argument, field, path),
        }
    }

    /// Returns what stands for a list or an object that is not known.
    fn open(&mut self, argument: Attribute<'t, 'a>, shape: &Shape, path: &str) -> Node<'a> {
        let span = self.span(argument);
        let address = format!("{}.{path}", self.resource.address);
        if let Shape::List(element) = shape {
            if matches!(element.shape, Shape::Leaf(_)) {
                let texts = self.plan.all_texts(self.resource, argument, path);
                let texts = texts.into_iter().map(|text| string(text, span));
                let value = Value::List(texts.collect());
                return Node { value, span };
            }
            if let Some(given) = self.plan.given(&address) {
                return self.take(container::parsed(given, element, span, &address), path);
            }
        }
        unknown(address, span)
    }

    fn list(
        &mut self,
        argument: Attribute<'t, 'a>,
        element: &fields::Node,
        path: &str,
    ) -> Node<'a> {
        let span = self.span(argument);
        let elements = match argument.value.map(|it| &it.value) {
            Some(Value::String(text)) => {
                let address = format!("{}.{path}", self.resource.address);
                let read = container::parsed(text, element, span, &address);
                return self.take(read, path);
            }
            Some(Value::Object(_)) => match Pair::of(argument, element, path) {
                Some(pair) => self.pairs(argument, &pair, path),
                // A block of JSON, or an object in place of a list of one.
                None => self.value(argument, element, path).into_iter().collect(),
            },
            // A configuration has the list itself in place of the text.
            Some(Value::List(_)) if path == container::LIST => {
                let list = argument.value.map(|it| container::encoded(it, element));
                return match list {
                    Some(read) => self.take(read, path),
                    None => unknown(path.to_owned(), span),
                };
            }
            _ if matches!(element.shape, Shape::Leaf(_)) => self.leaves(argument, path),
            _ => {
                let length = argument.length();
                let all = (0..length).filter_map(|at| {
                    let it = argument.element(at);
                    let own = format!("{path}[{at}]");
                    let own = if length > 1 { &own } else { path };
                    it.is_given()
                        .then(|| self.value(it, element, own))
                        .flatten()
                });
                all.collect()
            }
        };
        let value = Value::List(elements);
        Node { value, span }
    }

    /// Returns a JSON text as a list, and remembers what of it is not read.
    fn take(&mut self, read: container::Read<'a>, path: &str) -> Node<'a> {
        let unread = read.unread.iter().map(|name| format!("{path}{name}"));
        self.unread.extend(unread);
        read.node
    }

    /// Returns the elements of a list of texts or numbers.
    fn leaves(&mut self, argument: Attribute<'t, 'a>, path: &str) -> Vec<Node<'a>> {
        let span = self.span(argument);
        let is_open = (0..argument.length()).any(|at| argument.element(at).is_unknown());
        if is_open {
            let texts = self.plan.all_texts(self.resource, argument, path);
            return texts.into_iter().map(|text| string(text, span)).collect();
        }
        match argument.value.map(|it| &it.value) {
            Some(Value::List(elements)) => elements.clone(),
            _ => argument.value.cloned().into_iter().collect(),
        }
    }

    fn leaf(
        &mut self,
        argument: Attribute<'t, 'a>,
        field: &'static fields::Field,
        path: &str,
    ) -> Option<Node<'a>> {
        let span = self.span(argument);
        if field.kind == Kind::StringMap {
            return Some(self.map(argument, path));
        }
        if argument.is_unknown() {
            let text = self.plan.text(self.resource, argument, path);
            return text.map(|text| string(text, span));
        }
        let value = argument.value?;
        match &value.value {
            // Some members are words in the API and switches in Terraform.
            Value::Bool(text) | Value::String(text)
                if field.limits.values.contains(&"ENABLED") && switch(text).is_some() =>
            {
                switch(text).map(|word| string(word, span))
            }
            Value::String(_) => {
                let last = path.rsplit('.').next().unwrap_or_default();
                let text = match last {
                    "task_definition" | "task_definition_arn" => {
                        self.plan.own_family(self.resource, argument)
                    }
                    _ => None,
                };
                Some(text.map_or_else(|| value.clone(), |text| string(text, span)))
            }
            _ => Some(value.clone()),
        }
    }

    /// Returns where an argument is; one that is not known is in its resource.
    pub(super) fn span(&self, argument: Attribute<'t, 'a>) -> Span {
        argument.value.map_or(self.resource.span, |it| it.span)
    }
}

fn is_list_of_objects(expected: &fields::Node) -> bool {
    match &expected.shape {
        Shape::List(element) => matches!(element.shape, Shape::Object(_)),
        _ => false,
    }
}

/// Returns what stands for a value that only AWS knows, where a placeholder cannot.
pub(super) fn unknown<'a>(name: String, span: Span) -> Node<'a> {
    let why = Message::NotKnownBeforeApply { name };
    let value = Value::Unresolved(Box::new(why));
    Node { value, span }
}

/// Returns where the name of an argument is.
pub(super) fn key_span(attribute: Attribute<'_, '_>, name: &str, other: Span) -> Span {
    let found = attribute.value.and_then(|it| it.member(name));
    found.map_or(other, |it| it.key_span)
}
