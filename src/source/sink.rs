//! The findings of the reader's walk, and their positions.

use std::collections::{BTreeMap, BTreeSet};

use super::placeholder::{Placeholder, Style};
use crate::diagnostic::{Diagnostics, FieldPath, Message};

/// The findings in one document.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) diagnostics: Diagnostics,
    /// The members and elements that were left out, which later steps would report as missing.
    pub(super) left_out: Vec<FieldPath>,
    /// The names of placeholders that remain in free text, in the order of the document.
    placeholders: Vec<String>,
    known: BTreeSet<String>,
    /// The placeholders that `--set` filled, by name.
    filled: BTreeMap<String, Filled>,
    /// The members that only responses have, in the order of the document.
    read_only: Vec<String>,
    /// Where functions of CloudFormation are, by their names.
    functions: BTreeMap<String, Vec<FieldPath>>,
}

/// What was filled under one name.
#[derive(Debug, Default)]
struct Filled {
    /// The placeholders in texts that a program reads, as written.
    for_program: BTreeMap<String, Style>,
    /// The styles in all other texts.
    elsewhere: BTreeSet<Style>,
}

impl Filled {
    /// Returns the placeholders for a program that are written unlike those that are surely the user's.
    fn other_style(&self) -> impl Iterator<Item = &String> {
        let texts = self.for_program.iter();
        let others = texts.filter(|(_, style)| self.elsewhere.iter().any(|own| own != *style));
        others.map(|(text, _)| text)
    }
}

impl Sink {
    pub(super) fn note(&mut self, trail: Trail<'_>, message: Message) {
        self.diagnostics.report(trail.path(), message);
    }

    /// Leaves out a value that is a function of CloudFormation. Templates have many.
    pub(super) fn reject_function(&mut self, trail: Trail<'_>, name: &str) {
        let path = trail.path();
        self.left_out.push(path.clone());
        let places = self.functions.entry(name.to_owned()).or_default();
        places.push(path);
    }

    /// Reports a problem because of which a value is left out.
    pub(super) fn reject(&mut self, trail: Trail<'_>, message: Message) {
        let path = trail.path();
        self.left_out.push(path.clone());
        self.diagnostics.report(path, message);
    }

    pub(super) fn keep_placeholder(&mut self, placeholder: Placeholder<'_>) {
        let key = placeholder.key();
        if !self.known.contains(key) {
            self.known.insert(key.to_owned());
            self.placeholders.push(key.to_owned());
        }
    }

    /// Records a placeholder that was filled.
    pub(super) fn fill_placeholder(&mut self, placeholder: Placeholder<'_>, for_program: bool) {
        let Placeholder { text, style, .. } = placeholder;
        let filled = self.filled.entry(placeholder.name.to_owned()).or_default();
        if for_program {
            filled.for_program.insert(text.to_owned(), style);
        } else {
            filled.elsewhere.insert(style);
        }
    }

    /// Records a member that only responses have.
    pub(super) fn ignore_read_only(&mut self, name: &str) {
        if !self.read_only.iter().any(|known| known == name) {
            self.read_only.push(name.to_owned());
        }
    }

    /// Reports once what many values have in common.
    pub(super) fn finish(&mut self, root: &FieldPath) {
        for (name, places) in std::mem::take(&mut self.functions) {
            let mut places = places.into_iter();
            let Some(first) = places.next() else { continue };
            let others = others(&places.map(|path| path.to_string()).collect::<Vec<_>>());
            self.diagnostics
                .report(first, Message::IntrinsicFunction { name, others });
        }
        if !self.placeholders.is_empty() {
            let names = std::mem::take(&mut self.placeholders).join(", ");
            self.diagnostics
                .report(root.clone(), Message::PlaceholdersKept { names });
        }
        let filled: Vec<Filled> = std::mem::take(&mut self.filled).into_values().collect();
        let (other, like): (BTreeSet<_>, BTreeSet<_>) = (
            filled.iter().flat_map(Filled::other_style).collect(),
            filled
                .iter()
                .flat_map(|name| name.for_program.keys())
                .collect(),
        );
        if let Some(texts) = joined(other.iter()) {
            self.diagnostics
                .report(root.clone(), Message::PlaceholderStylesDiffer { texts });
        }
        if let Some(texts) = joined(like.difference(&other)) {
            self.diagnostics
                .report(root.clone(), Message::PlaceholdersFilled { texts });
        }
        if !self.read_only.is_empty() {
            let names = std::mem::take(&mut self.read_only).join(", ");
            self.diagnostics
                .report(root.clone(), Message::ReadOnlyFieldIgnored { names });
        }
    }
}

/// How many other places are listed.
const LISTED: usize = 3;

/// Names the other places of a finding.
fn others(places: &[String]) -> String {
    let (listed, rest) = places.split_at(places.len().min(LISTED));
    match (listed, rest.len()) {
        ([], _) => String::new(),
        (listed, 0) => format!(", nor at {}", listed.join(", ")),
        (listed, more) => format!(", nor at {} and {more} other places", listed.join(", ")),
    }
}

fn joined<'t>(texts: impl Iterator<Item = &'t &'t String>) -> Option<String> {
    let texts: Vec<&str> = texts.map(|text| text.as_str()).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// The path from a document to the current value. A [`FieldPath`] is created from it only when there is something to
/// report.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trail<'t> {
    /// The document.
    Root(&'t FieldPath),
    /// A member that the API defines.
    Field(&'t Self, &'static str),
    /// A key of a map, or a member that the API does not define.
    Key(&'t Self, &'t str),
    /// An element.
    Element(&'t Self, usize),
    /// An element that is a request of its own.
    Request(&'t Self, usize),
}

impl Trail<'_> {
    pub(super) fn path(self) -> FieldPath {
        match self {
            Self::Root(path) => path.clone(),
            Self::Field(parent, name) => parent.path().field(name),
            Self::Key(parent, name) => parent.path().field(name.to_owned()),
            Self::Element(parent, index) | Self::Request(parent, index) => {
                parent.path().index(index)
            }
        }
    }

    /// Whether this is a request as a whole.
    pub(super) const fn is_root(self) -> bool {
        matches!(self, Self::Root(_) | Self::Request(..))
    }
}
