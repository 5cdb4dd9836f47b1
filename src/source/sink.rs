//! What the reader's walk finds on its way, and where it is.

use std::collections::BTreeSet;

use super::placeholder::Placeholder;
use crate::diagnostic::{Diagnostics, FieldPath, Message};

/// What was found in one document.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) diagnostics: Diagnostics,
    /// The members and elements that were left out, so that later steps would complain that they are missing.
    pub(super) left_out: Vec<FieldPath>,
    /// The names of placeholders that stay in free text, in the order of the document.
    placeholders: Vec<String>,
    known: BTreeSet<String>,
    /// The members that only answers have, in the order of the document.
    read_only: Vec<String>,
}

impl Sink {
    pub(super) fn note(&mut self, trail: Trail<'_>, message: Message) {
        self.diagnostics.report(trail.path(), message);
    }

    /// Reports something because of which a value is left out.
    pub(super) fn reject(&mut self, trail: Trail<'_>, message: Message) {
        let path = trail.path();
        self.left_out.push(path.clone());
        self.diagnostics.report(path, message);
    }

    pub(super) fn keep_placeholder(&mut self, placeholder: Placeholder<'_>) {
        if !self.known.contains(placeholder.name) {
            self.known.insert(placeholder.name.to_owned());
            self.placeholders.push(placeholder.name.to_owned());
        }
    }

    /// Remembers a member that only answers have.
    pub(super) fn ignore_read_only(&mut self, name: &str) {
        if !self.read_only.iter().any(|known| known == name) {
            self.read_only.push(name.to_owned());
        }
    }

    /// Says once what many values have in common.
    pub(super) fn finish(&mut self, root: &FieldPath) {
        if !self.placeholders.is_empty() {
            let names = std::mem::take(&mut self.placeholders).join(", ");
            self.diagnostics
                .report(root.clone(), Message::PlaceholdersKept { names });
        }
        if !self.read_only.is_empty() {
            let names = std::mem::take(&mut self.read_only).join(", ");
            self.diagnostics
                .report(root.clone(), Message::ReadOnlyFieldIgnored { names });
        }
    }
}

/// The way from a document to the value at hand. A path is made of it only when there is something to say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trail<'t> {
    /// The document.
    Root(&'t FieldPath),
    /// A member whose name the API knows.
    Field(&'t Self, &'static str),
    /// A key of a map, or a member that the API does not know.
    Key(&'t Self, &'t str),
    /// An element.
    Element(&'t Self, usize),
}

impl Trail<'_> {
    pub(super) fn path(self) -> FieldPath {
        match self {
            Self::Root(path) => path.clone(),
            Self::Field(parent, name) => parent.path().field(name),
            Self::Key(parent, name) => parent.path().field(name.to_owned()),
            Self::Element(parent, index) => parent.path().index(index),
        }
    }

    pub(super) const fn is_root(self) -> bool {
        matches!(self, Self::Root(_))
    }
}
