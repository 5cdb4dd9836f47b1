//! A document of the input and the positions of its fields.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    entry::{Entry, body, follow},
    home::Home,
    kind::{Envelope, Form, Kind, Step},
    spelling,
    text::{SourceText, Span},
    tree::{Node, Value},
};
use crate::diagnostic::{Diagnostic, FieldPath, Reason, Segment};

/// A document of the input.
#[derive(Debug)]
pub struct Document {
    source: SourceText,
    slice: Span,
    steps: Box<[Step]>,
    form: Form,
    /// The family, the service's name or the custom resource's name.
    pub name: Option<String>,
    /// The `metadata.namespace` of a custom resource.
    pub namespace: Option<String>,
    /// The `metadata.annotations` of a custom resource; those of this operator override settings.
    pub annotations: BTreeMap<String, String>,
    /// The account and region in its own ARNs.
    pub(super) home: Option<Home>,
    /// The tree that the steps lead through, at least its keys and positions.
    tree: Arc<Node<'static>>,
}

/// The position of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The name of the member, if the field is one.
    pub key: Option<Span>,
    /// Its value.
    pub value: Span,
    /// Whether this is the field itself. If the field is missing, this is the nearest value around it.
    pub exact: bool,
}

impl Location {
    /// Returns what to point at: the name of a member that is unexpected or incomplete, or a value that is invalid.
    #[must_use]
    pub fn span(&self, reason: Reason) -> Span {
        let names_key = matches!(
            reason,
            Reason::UnknownAnnotation | Reason::UnknownField | Reason::RequiredField
        );
        match self.key {
            Some(key) if names_key || !self.exact => key,
            _ if self.exact && !names_key => self.value,
            // The opening bracket represents the whole object.
            _ => Span::new(
                self.value.start,
                self.value.end.min(self.value.start.saturating_add(1)),
            ),
        }
    }
}

impl Document {
    /// Creates a document. `tree` is the tree that the steps of its entry lead through.
    pub(super) fn new(source: SourceText, entry: &Entry, tree: Arc<Node<'static>>) -> Self {
        Self {
            source,
            slice: entry.slice(),
            steps: entry.steps().into(),
            form: entry.form,
            name: entry.name.as_deref().map(str::to_owned),
            namespace: entry.namespace().map(str::to_owned),
            annotations: BTreeMap::new(),
            home: None,
            tree,
        }
    }

    /// Returns the file that contains the document.
    #[must_use]
    pub const fn source(&self) -> &SourceText {
        &self.source
    }

    /// Returns which request the document contains.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.form.kind()
    }

    /// Returns how the document was recognized, and why.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Returns the position of the document in its file.
    #[must_use]
    pub fn span(&self) -> Span {
        self.document_node()
            .map_or(self.slice, |node| node.span.shifted(self.slice.start))
    }

    /// Returns the position of a field, or of the nearest value around it.
    #[must_use]
    pub fn locate(&self, path: &FieldPath) -> Option<Location> {
        self.locate_segments(path.segments())
    }

    /// Returns what a diagnostic points at, in the text of [`Self::source`].
    #[must_use]
    pub fn point_at(&self, diagnostic: &Diagnostic) -> Span {
        let location = self.locate(&diagnostic.path);
        let span = location.map_or(self.slice, |location| location.span(diagnostic.reason()));
        self.source.whole(span)
    }

    /// Returns the number of elements of the list at a path.
    pub(super) fn list_length(&self, segments: &[Segment]) -> usize {
        let node = self
            .document_node()
            .and_then(|document| body(document, &self.form));
        let list = segments.iter().try_fold(node, |node, segment| {
            let Segment::Member(name) = segment else {
                return None;
            };
            let member = spelling::find(node?, name, self.form.spelling)?;
            Some(Some(&member.value))
        });
        list.flatten()
            .and_then(Node::elements)
            .map_or(0, <[_]>::len)
    }

    pub(super) fn locate_segments(&self, segments: &[Segment]) -> Option<Location> {
        let document = self.document_node()?;
        let mut segments = segments;
        let mut node = body(document, &self.form).unwrap_or(document);
        match (self.form.envelope, segments) {
            (Envelope::ContainerList, [Segment::Member(list), rest @ ..])
                if list == "containerDefinitions" =>
            {
                segments = rest;
            }
            (Envelope::TaskDefinition, [Segment::Member(tags), ..])
                if tags == "tags" && node.get("tags").is_none() =>
            {
                node = document;
            }
            (Envelope::Resource, [Segment::Member(metadata), ..]) if metadata == "metadata" => {
                node = document;
            }
            _ => {}
        }
        let mut location = Location {
            key: None,
            value: node.span,
            exact: true,
        };
        for segment in segments {
            let next = match segment {
                Segment::Member(name) => spelling::find(node, name, self.form.spelling)
                    .map(|member| (Some(member.key_span), &member.value)),
                Segment::Element(index) => node
                    .elements()
                    .and_then(|elements| {
                        // The walk removes `null` before it counts.
                        let mut present = elements
                            .iter()
                            .filter(|element| !matches!(element.value, Value::Null));
                        present.nth(*index)
                    })
                    .map(|element| (None, element)),
            };
            let Some((key, value)) = next else {
                location.exact = false;
                break;
            };
            location.key = key;
            location.value = value.span;
            node = value;
        }
        location.key = location.key.map(|key| key.shifted(self.slice.start));
        location.value = location.value.shifted(self.slice.start);
        Some(location)
    }

    fn document_node(&self) -> Option<&Node<'static>> {
        follow(&self.tree, &self.steps)
    }
}
