//! Reads Jsonnet (<https://jsonnet.org/ref/spec.html>), in which ecspresso's definitions may be written
//! (<https://github.com/kayac/ecspresso#jsonnet>).
//!
//! A file is evaluated, and what it makes is read as if it stood in a file of JSON. A value has no position in the file
//! that makes it, so that all that is said of the result is said of the file as a whole.

mod calls;
mod evaluation;
mod failure;
mod folders;
mod functions;

use std::collections::BTreeSet;

use self::evaluation::Evaluated;
pub(crate) use self::folders::Folders;
use super::{
    expand::{Expanded, expand_tree},
    kind::mentions_ecs,
    text::Span,
    tree::{Node, Value},
    values::Values,
};
use crate::diagnostic::Message;

pub(super) use folders::Folder;

/// Whether a file is Jsonnet, by its name.
pub(super) fn is_jsonnet(name: &str) -> bool {
    name.ends_with(".jsonnet")
}

/// Whether a file is a library, which others import and which makes nothing by itself.
pub(super) fn is_library(name: &str) -> bool {
    name.ends_with(".libsonnet")
}

/// Returns what a file makes. `text` is the file as it is, which its only document holds.
pub(super) fn expand_file(text: &Node<'_>, name: &str, values: &Values) -> Expanded<'static> {
    let text = text.text().unwrap_or_default();
    let evaluated = values.jsonnet.evaluate(name, text, values);
    let Evaluated { tree, asked } = match evaluated {
        Ok(evaluated) => evaluated,
        Err(failure) => {
            let message = Message::SyntaxError {
                message: failure.message,
                advice: String::new(),
            };
            return Expanded {
                findings: vec![(failure.span, message)],
                names: failure.names,
                is_own: mentions_ecs(text),
                ..Expanded::default()
            };
        }
    };
    if tree.scalar().is_some() && mentions_ecs(text) {
        let message = Message::SyntaxError {
            message: format!("it makes {}, and not an object", tree.describe()),
            advice: "leave out what makes a text of it, such as std.manifestJson".to_owned(),
        };
        return Expanded {
            findings: vec![(Span::default(), message)],
            is_own: true,
            names: asked.names,
            ..Expanded::default()
        };
    }
    let mut findings = Vec::new();
    let defaults: Vec<String> = asked.defaults.iter().cloned().collect();
    if !defaults.is_empty() {
        let values = defaults.join(", ");
        findings.push((Span::default(), Message::PlaceholderDefaultsUsed { values }));
    }
    let open = asked.deciding(&tree);
    if !open.is_empty() {
        let names = open.join(", ");
        findings.push((Span::default(), Message::JsonnetValuesAssumed { names }));
    }
    let expanded = expand_tree(&tree, name, values).map(|expanded| Expanded {
        resources: expanded
            .resources
            .into_iter()
            .map(Node::into_owned)
            .collect(),
        findings: expanded.findings,
        names: expanded.names,
        is_part: expanded.is_part,
        is_own: expanded.is_own,
    });
    let mut expanded = expanded.unwrap_or_else(|| Expanded {
        resources: vec![tree],
        is_part: true,
        ..Expanded::default()
    });
    expanded.findings.extend(findings);
    expanded.names.extend(asked.names);
    expanded
}

/// What a file asked for while it was evaluated.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// All names by which `--set` gives a value.
    pub(super) names: BTreeSet<String>,
    /// The placeholders that stand for a value, by its name.
    pub(super) open: BTreeSet<(String, String)>,
    /// The names in whose place they stand in the names of others.
    pub(super) inside: BTreeSet<String>,
    /// Whether the file, or one that it imports, decides anything.
    pub(super) decides: bool,
    /// The defaults that are taken, as `--set` would give them.
    pub(super) defaults: BTreeSet<String>,
}

impl Asked {
    /// Returns the names that may decide what the file makes: all, if it decides anything, and those whose placeholders
    /// are not in the result, so that something else was made of them.
    fn deciding(&self, tree: &Node<'_>) -> Vec<String> {
        let open = self.open.iter();
        let open = open.filter(|(name, _)| !self.inside.contains(name));
        let may = open.filter(|(_, placeholder)| self.decides || !contains(tree, placeholder));
        may.map(|(name, _)| name.clone()).collect()
    }
}

/// Whether a text of a tree has another one. The parser limits the depth.
fn contains(node: &Node<'_>, part: &str) -> bool {
    match &node.value {
        Value::String(text) => text.contains(part),
        Value::List(elements) => elements.iter().any(|it| contains(it, part)),
        Value::Object(members) => members
            .iter()
            .any(|it| it.key.contains(part) || contains(&it.value, part)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
