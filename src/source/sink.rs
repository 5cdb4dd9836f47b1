//! The findings of the reader's walk, and their positions.

use std::collections::BTreeSet;

use super::placeholder::Placeholder;
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
    /// The members that only responses have, in the order of the document.
    read_only: Vec<String>,
}

impl Sink {
    pub(super) fn note(&mut self, trail: Trail<'_>, message: Message) {
        self.diagnostics.report(trail.path(), message);
    }

    /// Reports a problem because of which a value is left out.
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

    /// Records a member that only responses have.
    pub(super) fn ignore_read_only(&mut self, name: &str) {
        if !self.read_only.iter().any(|known| known == name) {
            self.read_only.push(name.to_owned());
        }
    }

    /// Reports once what many values have in common.
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
