//! The walk over a document along the shape of its request: everything that can be said without knowing what a field
//! means. Members are called as the API calls them, values have the type they must have, the rest is reported.

use std::collections::BTreeMap;

use super::{
    kind::Spelling,
    placeholder::Fill,
    sink::{Sink, Trail},
    spelling::{alias, renamed},
    tree::{Member, Node, Value},
};
use crate::{
    diagnostic::{Message, Reason},
    fields::{self, Api, Shape},
};

/// What the walk needs to know everywhere.
pub(super) struct Walk<'c> {
    pub(super) spelling: Spelling,
    pub(super) fill: &'c Fill,
    /// The request whose members the document should have.
    pub(super) api: Api,
    pub(super) sink: &'c mut Sink,
}

/// The members of an object.
type Members = BTreeMap<&'static str, fields::Node>;

impl Walk<'_> {
    /// The value with everything in its place, or nothing if it says nothing or is wrong.
    pub(super) fn node<'a>(
        &mut self,
        node: Node<'a>,
        expected: &fields::Node,
        trail: Trail<'_>,
    ) -> Option<Node<'a>> {
        if self.is_absent(&node) || self.is_intrinsic(&node, Some(&expected.shape), trail) {
            return None;
        }
        let node = match &expected.shape {
            Shape::Object(members) => self.object(node, members, trail),
            Shape::List(element) => self.list(node, element, expected.max_items, trail),
            Shape::Leaf(field) => self.leaf(node, field, trail),
        }?;
        self.always(&node, expected, trail);
        Some(node)
    }

    /// `null` equals absent, and so does CloudFormation's way to say it.
    pub(super) fn is_absent(&self, node: &Node<'_>) -> bool {
        match &node.value {
            Value::Null => true,
            Value::Object(members) => matches!(
                members.as_slice(),
                [member] if member.key == "Ref" && member.value.text() == Some("AWS::NoValue")
            ),
            _ => false,
        }
    }

    /// Reports a CloudFormation function that stands for the value.
    pub(super) fn is_intrinsic(
        &mut self,
        node: &Node<'_>,
        shape: Option<&Shape>,
        trail: Trail<'_>,
    ) -> bool {
        let Value::Object(members) = &node.value else {
            return false;
        };
        let [member] = members.as_slice() else {
            return false;
        };
        let own_member = || match shape {
            Some(Shape::Object(members)) => members
                .keys()
                .any(|name| name.eq_ignore_ascii_case(&member.key)),
            _ => false,
        };
        let function = match &*member.key {
            "Ref" => true,
            "Condition" => !own_member() && member.value.text().is_some(),
            name => name.starts_with("Fn::"),
        };
        if function {
            let name = member.key.to_string();
            self.sink.reject(trail, Message::IntrinsicFunction { name });
        }
        function
    }

    /// The elements of a list whose shape is not part of a larger one.
    pub(super) fn elements<'a>(
        &mut self,
        node: Node<'a>,
        element: &fields::Node,
        trail: Trail<'_>,
    ) -> Option<Node<'a>> {
        if self.is_absent(&node) || self.is_intrinsic(&node, None, trail) {
            return None;
        }
        self.list(node, element, None, trail)
    }

    fn list<'a>(
        &mut self,
        node: Node<'a>,
        expected: &fields::Node,
        max_items: Option<usize>,
        trail: Trail<'_>,
    ) -> Option<Node<'a>> {
        let elements = match node.value {
            Value::List(elements) => elements,
            Value::String(text) if text.is_empty() => return None,
            _ => {
                self.expected(&node, "a list", trail);
                return None;
            }
        };
        let mut kept = Vec::with_capacity(elements.len());
        let present = elements
            .into_iter()
            .filter(|element| !matches!(element.value, Value::Null));
        for (index, element) in present.enumerate() {
            kept.extend(self.node(element, expected, Trail::Element(&trail, index)));
        }
        if let Some(max) = max_items.filter(|max| kept.len() > *max) {
            let message = Message::InvalidValue {
                value: format!("{} elements", kept.len()),
                allowed: format!("must be at most {max}"),
            };
            self.sink.reject(trail, message);
            return None;
        }
        (!kept.is_empty()).then_some(Node {
            value: Value::List(kept),
            span: node.span,
        })
    }

    fn object<'a>(
        &mut self,
        node: Node<'a>,
        shape: &Members,
        trail: Trail<'_>,
    ) -> Option<Node<'a>> {
        let members = match node.value {
            Value::Object(members) => members,
            Value::String(text) if text.is_empty() => return None,
            Value::List(elements) if elements.is_empty() => return None,
            _ => {
                self.expected(&node, "an object", trail);
                return None;
            }
        };
        let mut kept: Vec<Member<'a>> = Vec::with_capacity(members.len());
        // What is there but empty or wrong is not also missing.
        let mut tried: Vec<&'static str> = Vec::new();
        for member in members {
            if self.is_absent(&member.value) {
                continue;
            }
            let Some((name, expected)) = self.known(&member, shape, trail) else {
                self.unknown(&member, shape, trail);
                continue;
            };
            if kept.iter().any(|earlier| earlier.key == name) {
                self.twice(&member, name, trail);
                continue;
            }
            // AWS takes an empty list for a required one, except for the containers themselves.
            if name != "containerDefinitions" && is_empty_list(&member.value) {
                tried.push(name);
                continue;
            }
            let errors = self.sink.left_out;
            self.sink.left_out = false;
            match self.node(member.value, expected, Trail::Field(&trail, name)) {
                Some(value) => kept.push(Member {
                    key: name.into(),
                    key_span: member.key_span,
                    value,
                }),
                None if self.sink.left_out => tried.push(name),
                None => {}
            }
            self.sink.left_out |= errors;
        }
        for (name, _) in shape.iter().filter(|(_, expected)| expected.required) {
            if !tried.contains(name) && kept.iter().all(|member| member.key != *name) {
                let message = Message::RequiredField {
                    name: (*name).to_owned(),
                };
                self.sink.reject(Trail::Field(&trail, name), message);
            }
        }
        Some(Node {
            value: Value::Object(kept),
            span: node.span,
        })
    }

    /// The API's name and shape of a member.
    fn known<'s>(
        &self,
        member: &Member<'_>,
        shape: &'s Members,
        trail: Trail<'_>,
    ) -> Option<(&'static str, &'s fields::Node)> {
        let by_name = |name: &str| shape.get_key_value(name).map(|(name, node)| (*name, node));
        match self.spelling {
            Spelling::Api => by_name(&member.key).or_else(|| {
                // The name in an update or an output; in the request itself the name is an object's.
                let alias = alias(&member.key).filter(|_| trail.is_root())?;
                member.value.text()?;
                by_name(alias)
            }),
            Spelling::CloudFormation => renamed(&member.key).and_then(by_name).or_else(|| {
                shape
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(&member.key))
                    .map(|(name, node)| (*name, node))
            }),
        }
    }

    fn twice(&mut self, member: &Member<'_>, name: &'static str, trail: Trail<'_>) {
        let message = Message::InvalidValue {
            value: member.key.to_string(),
            allowed: format!("{name} is given already"),
        };
        self.sink.reject(Trail::Key(&trail, &member.key), message);
    }

    /// A member that the request does not have.
    fn unknown(&mut self, member: &Member<'_>, shape: &Members, trail: Trail<'_>) {
        let own = Trail::Key(&trail, &member.key);
        if trail.is_root() && self.api.read_only().contains(&&*member.key) {
            return self.sink.note(own, Message::ReadOnlyFieldIgnored);
        }
        if member.key.starts_with("Fn::") {
            let name = member.key.to_string();
            return self.sink.reject(own, Message::IntrinsicFunction { name });
        }
        let advice = match nearest(&member.key, shape.keys().copied()) {
            Some(name) => {
                // What is missing then is this one.
                self.sink.left_out = true;
                format!("did you mean {}?", self.spelled(name))
            }
            None => self.elsewhere(&member.key),
        };
        let path = own.path();
        let message = Message::UnknownField {
            path: path.to_string(),
            advice,
        };
        self.sink.diagnostics.report(path, message);
    }

    /// Where else the request has a member of this name.
    fn elsewhere(&self, key: &str) -> String {
        let name = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
        let mut fields = self
            .api
            .fields()
            .map(|field| field.path.trim_end_matches("[]"));
        let found = fields.find(|path| match self.spelling {
            Spelling::Api => name(path) == key,
            Spelling::CloudFormation => name(path).eq_ignore_ascii_case(key),
        });
        found.map_or_else(String::new, |path| format!("AWS has it at {path}"))
    }

    /// A name as this document would spell it.
    fn spelled(&self, name: &str) -> String {
        let mut chars = name.chars();
        match (self.spelling, chars.next()) {
            (Spelling::CloudFormation, Some(first)) => first.to_uppercase().chain(chars).collect(),
            _ => name.to_owned(),
        }
    }

    /// What is to be said of a member whatever its value is, unless that is the default.
    fn always(&mut self, node: &Node<'_>, expected: &fields::Node, trail: Trail<'_>) {
        if expected.always.is_none() && expected.needs_controller.is_none() {
            return;
        }
        let default = match (&expected.shape, &node.value) {
            (Shape::Leaf(field), Value::String(text) | Value::Number(text) | Value::Bool(text)) => {
                field.default == Some(&**text)
            }
            (_, Value::Object(members)) => members.is_empty(),
            _ => false,
        };
        if default {
            return;
        }
        if let Some(message) = expected.always.and_then(Reason::bare_message) {
            self.sink.note(trail, message);
        }
        if let Some(what) = expected.needs_controller {
            let what = what.to_owned();
            self.sink.note(trail, Message::NeedsController { what });
        }
    }
}

fn is_empty_list(node: &Node<'_>) -> bool {
    node.elements().is_some_and(<[_]>::is_empty)
}

/// The known name that was probably meant.
fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wrong = wrong.to_ascii_lowercase();
    let allowed = (wrong.len() / 3).clamp(1, 4);
    names
        .map(|name| {
            let distance = strsim::damerau_levenshtein(&wrong, &name.to_ascii_lowercase());
            (distance, name)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}
