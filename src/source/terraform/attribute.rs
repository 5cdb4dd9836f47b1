//! One argument or attribute of a resource.

use super::super::tree::{DEPTH_LIMIT, Node, Value};

/// What a plan says of an argument: its value as far as it is known, which parts of it are not, and its expression in
/// the configuration. A block is a list of objects.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attribute<'t, 'a> {
    pub(super) value: Option<&'t Node<'a>>,
    /// `true` where a value is known after the plan is applied, in the form of the value.
    pub(super) unknown: Option<&'t Node<'a>>,
    pub(super) expression: Option<&'t Node<'a>>,
}

impl<'t, 'a> Attribute<'t, 'a> {
    /// Whether nothing is known of the value.
    pub(super) fn is_unknown(self) -> bool {
        let is_true = |node: &Node<'_>| matches!(&node.value, Value::Bool(text) if text == "true");
        self.unknown.is_some_and(is_true)
    }

    /// Whether there is a value, or will be.
    pub(super) fn is_given(self) -> bool {
        self.unknown.is_some_and(has_true) || self.value.is_some_and(|value| !is_empty(value))
    }

    /// Returns the text, if it is known.
    pub(super) fn text(self) -> Option<&'t str> {
        self.value?.scalar()
    }

    /// Returns an argument inside an object.
    pub(super) fn member(self, name: &str) -> Self {
        Self {
            value: self.value.and_then(|it| it.get(name)),
            unknown: self.unknown.and_then(|it| inside(it, it.get(name))),
            expression: self.expression.and_then(|it| inner(it, it.get(name))),
        }
    }

    /// Returns an element of a list.
    pub(super) fn element(self, index: usize) -> Self {
        let at = |node: &'t Node<'a>| node.elements().and_then(|them| them.get(index));
        Self {
            value: self.value.and_then(at),
            unknown: self.unknown.and_then(|it| inside(it, at(it))),
            expression: self.expression.and_then(|it| inner(it, at(it))),
        }
    }

    /// Returns the blocks of an argument: an object stands for a list of one, as in JSON.
    pub(super) fn blocks(self) -> Vec<Self> {
        match self.value.map(|it| &it.value) {
            Some(Value::Object(_)) => vec![self],
            _ => (0..self.length())
                .map(|index| self.element(index))
                .collect(),
        }
    }

    /// Returns what is at the end of a path of blocks that are there once.
    pub(super) fn at(self, path: &[&str]) -> Self {
        path.iter().fold(self, |it, name| {
            let is_list = it.value.is_some_and(|value| value.elements().is_some());
            if is_list {
                it.element(0).member(name)
            } else {
                it.member(name)
            }
        })
    }

    /// Returns the number of elements.
    pub(super) fn length(self) -> usize {
        let length = |node: Option<&Node<'_>>| {
            let elements = node.and_then(Node::elements);
            elements.map_or(0, <[_]>::len)
        };
        length(self.value).max(length(self.unknown))
    }

    /// Returns the names of its members, those that are not known too.
    pub(super) fn names(self) -> Vec<&'t str> {
        let mut names: Vec<&'t str> = Vec::new();
        for node in [self.value, self.unknown].into_iter().flatten() {
            for member in node.members().unwrap_or_default() {
                if node_is_new(&names, &member.key) {
                    names.push(&member.key);
                }
            }
        }
        names
    }
}

/// The arguments of one resource are few.
fn node_is_new(names: &[&str], name: &str) -> bool {
    const FEW: usize = 512;
    names.len() >= FEW || !names.contains(&name)
}

/// Returns a part of what is not known; all of it is unknown in a whole that is.
fn inside<'t, 'a>(whole: &'t Node<'a>, part: Option<&'t Node<'a>>) -> Option<&'t Node<'a>> {
    match &whole.value {
        Value::Bool(_) => Some(whole),
        _ => part,
    }
}

/// Returns the expression of a part; that of the whole, if the part has none of its own.
fn inner<'t, 'a>(whole: &'t Node<'a>, part: Option<&'t Node<'a>>) -> Option<&'t Node<'a>> {
    let is_expression = whole.get("references").is_some() || whole.get("constant_value").is_some();
    if is_expression { Some(whole) } else { part }
}

/// Whether a value says nothing: Terraform writes what is not given as `null`, an empty text or an empty list.
pub(super) fn is_empty(node: &Node<'_>) -> bool {
    match &node.value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::List(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Whether anything inside is `true`.
pub(super) fn has_true(node: &Node<'_>) -> bool {
    has_true_inside(node, DEPTH_LIMIT)
}

fn has_true_inside(node: &Node<'_>, depth: usize) -> bool {
    let inner = |node: &Node<'_>| depth > 0 && has_true_inside(node, depth.saturating_sub(1));
    match &node.value {
        Value::Bool(text) => text == "true",
        Value::List(elements) => elements.iter().any(inner),
        Value::Object(members) => members.iter().any(|member| inner(&member.value)),
        _ => false,
    }
}
