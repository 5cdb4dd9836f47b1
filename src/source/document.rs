//! A document of the input and the places of its fields.

use std::{cell::OnceCell, collections::BTreeMap, sync::Arc};

use super::{
    entry::{Entry, body, follow},
    home::Home,
    kind::{Envelope, Form, Kind, Step},
    spelling,
    syntax::parse_one,
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
    /// `metadata.namespace` of a custom resource.
    pub namespace: Option<String>,
    /// `metadata.annotations` of a custom resource; those of ours override settings.
    pub annotations: BTreeMap<String, String>,
    /// The account and region that its own ARNs name.
    pub(super) home: Option<Home>,
    /// Made when the first place is asked for, since most documents have nothing to report.
    tree: OnceCell<Option<Arc<Node<'static>>>>,
}

/// The place of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The name of the member, where the field is one.
    pub key: Option<Span>,
    /// Its value.
    pub value: Span,
    /// Whether the field itself stands there. Otherwise it is missing, and this is the nearest thing around it.
    pub exact: bool,
}

impl Location {
    /// What to point at: a name for what should not be there or lacks something, a value for what is wrong.
    #[must_use]
    pub fn span(&self, reason: Reason) -> Span {
        let names_key = matches!(
            reason,
            Reason::UnknownAnnotation | Reason::UnknownField | Reason::RequiredField
        );
        match self.key {
            Some(key) if names_key || !self.exact => key,
            _ if self.exact && !names_key => self.value,
            // The opening bracket stands for the whole object.
            _ => Span::new(
                self.value.start,
                self.value.end.min(self.value.start.saturating_add(1)),
            ),
        }
    }
}

impl Document {
    /// A document; `tree` is what its entry's steps lead through, if it is known already.
    pub(super) fn new(source: SourceText, entry: &Entry, tree: Option<Arc<Node<'static>>>) -> Self {
        Self {
            source,
            slice: entry.slice,
            steps: entry.steps.clone(),
            form: entry.form,
            name: entry.name.as_deref().map(str::to_owned),
            namespace: entry.namespace.as_deref().map(str::to_owned),
            annotations: BTreeMap::new(),
            home: None,
            tree: tree.map_or_else(OnceCell::new, |tree| OnceCell::from(Some(tree))),
        }
    }

    /// The file that it stands in.
    #[must_use]
    pub const fn source(&self) -> &SourceText {
        &self.source
    }

    /// Which request it holds.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.form.kind()
    }

    /// What it was taken for, and why.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// The place of the document in its file.
    #[must_use]
    pub fn span(&self) -> Span {
        self.document_node()
            .map_or(self.slice, |node| node.span.shifted(self.slice.start))
    }

    /// The place of a field, or of the nearest thing around it.
    #[must_use]
    pub fn locate(&self, path: &FieldPath) -> Option<Location> {
        self.locate_segments(path.segments())
    }

    /// What a diagnostic points at, in the text of [`Self::source`].
    #[must_use]
    pub fn point_at(&self, diagnostic: &Diagnostic) -> Span {
        let location = self.locate(&diagnostic.path);
        let span = location.map_or(self.slice, |location| location.span(diagnostic.reason()));
        self.source.whole(span)
    }

    /// How many elements the list at a path has.
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
                        // The walk leaves `null` out before it counts.
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
        let root = self.tree.get_or_init(|| {
            let text = self.source.slice(self.slice);
            let root = parse_one(self.source.name(), text).ok()??;
            Some(Arc::new(root.into_skeleton()))
        });
        follow(root.as_ref()?, &self.steps)
    }
}
