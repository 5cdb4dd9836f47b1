//! What the templates of the input have for each other: exports, clusters, and the documents of nested stacks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    super::{expand::Expanded, text::Span, tree::Node},
    carried::place,
    cluster::{self, Clusters},
    export::Export,
    name::property,
    nested::{Child, Whole},
    templates::Place,
};
use crate::diagnostic::Message;

/// What other templates have for one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Around {
    pub(super) exports: Vec<Export>,
    pub(super) clusters: Clusters,
}

/// What the templates of the input have for each other.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) around: Around,
    /// The nested stacks by the places of their templates, with their logical IDs and the files that nest them.
    nested: BTreeMap<Place, Vec<(String, Arc<Child>)>>,
    /// The nested stacks that are not there, by the places of their templates.
    left_out: BTreeMap<Place, BTreeSet<String>>,
    /// Whether a template has asked for what others have.
    pub(super) asks: bool,
}

/// Calls `each` for nested stacks, and for those that they nest.
pub(super) fn each_child(children: &[(String, Arc<Child>)], each: &mut dyn FnMut(&Child)) {
    for (_, child) in children {
        each(child);
        each_child(&child.children, each);
    }
}

impl Around {
    fn add(&mut self, exports: Vec<Export>, clusters: Clusters) {
        self.exports.extend(exports);
        for (name, cluster) in clusters {
            cluster::add(&mut self.clusters, name, cluster);
        }
    }
}

impl Index {
    /// Returns what these files have, given which of them others call, and which of them stacks have that are not there.
    pub(super) fn of(
        all: Vec<(Place, String, Whole)>,
        called: &BTreeSet<Place>,
        left_out: &BTreeSet<Place>,
    ) -> Self {
        // One that is called is evaluated with the parameters that the stack around it passes, unless it is in a circle.
        let (others, roots): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|(place, ..)| called.contains(place) || left_out.contains(place));
        let mut index = Self::default();
        let mut read = BTreeSet::new();
        for (place, name, whole) in roots.into_iter().chain(others) {
            if index.nested.contains_key(&place) {
                continue;
            }
            if index.left_out.contains_key(&place) {
                // Nor are the stacks that it nests.
                each_child(&whole.children, &mut |child| {
                    let input = child.input.clone().filter(|it| !read.contains(it));
                    index.leave_out(input, format!("those of {name}"));
                });
                continue;
            }
            read.insert(place);
            index.around.add(whole.exports, whole.clusters);
            for (place, id) in whole.left_out {
                index.leave_out(Some(place), format!("{id} of {name}"));
            }
            for (id, child) in whole.children {
                index.add(&name, &id, &child);
            }
        }
        index
    }

    /// Adds a nested stack and those that it nests.
    fn add(&mut self, file: &str, id: &str, child: &Arc<Child>) {
        let (exports, clusters) = (child.exports.clone(), child.clusters.clone());
        self.around.add(exports, clusters);
        for (place, inner) in &child.left_out {
            self.leave_out(Some(place.clone()), format!("{id}.{inner} of {file}"));
        }
        for (inner, grandchild) in &child.children {
            self.add(file, &format!("{id}.{inner}"), grandchild);
        }
        if let Some(place) = &child.input {
            let nested = self.nested.entry(place.clone()).or_default();
            nested.push((format!("{id} of {file}"), Arc::clone(child)));
        }
    }

    fn leave_out(&mut self, place: Option<Place>, name: String) {
        if let Some(place) = place {
            self.left_out.entry(place).or_default().insert(name);
        }
    }

    /// Returns what a template stands for that only stacks have which are not there: nothing.
    pub(super) fn left_out(&self, own: &Place, span: Span) -> Option<Expanded<'static>> {
        let names: Vec<&str> = self.left_out.get(own)?.iter().map(String::as_str).collect();
        let names = names.join(", ");
        Some(Expanded {
            findings: vec![(span, Message::NestedTemplateLeftOut { names })],
            is_own: true,
            ..Expanded::default()
        })
    }

    /// Returns what a template stands for that begins at `span`, if others nest it: the documents of each nested stack.
    pub(super) fn nested(&self, own: &Place, span: Span) -> Option<Expanded<'static>> {
        let nested = self.nested.get(own)?;
        let mut all = Expanded::default();
        for (_, child) in nested {
            let at = |it: Span| {
                let moved = |at: usize| (at + span.start).saturating_sub(child.start);
                Span::new(moved(it.start), moved(it.end))
            };
            for document in &child.expanded.resources {
                let mut document = document.clone();
                place(&mut document, &at);
                all.resources.push(document);
            }
            for (position, message) in &child.expanded.findings {
                add(&mut all.findings, (at(*position), message.clone()));
            }
            all.names.extend(child.expanded.names.iter().cloned());
        }
        all.findings
            .extend(alike(nested).into_iter().map(|it| (span, it)));
        let names: Vec<&str> = nested.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(", ");
        all.findings
            .insert(0, (span, Message::TemplateNested { names }));
        all.is_own = true;
        Some(all)
    }

    /// Whether another template may need what a file exports.
    pub(super) fn exports_of(&self, file: &str) -> bool {
        self.around.exports.iter().any(|it| it.file == file)
    }
}

/// Adds what one nested stack of a template says, which another one may have said, or said with other names.
fn add(findings: &mut Vec<(Span, Message)>, (span, message): (Span, Message)) {
    use Message::{KnownAfterDeployment, ParametersNotGiven};
    for (at, known) in findings.iter_mut() {
        if *at != span {
            continue;
        }
        match (known, &message) {
            (KnownAfterDeployment { names }, KnownAfterDeployment { names: more })
            | (ParametersNotGiven { names }, ParametersNotGiven { names: more }) => {
                let all = names.split(", ").chain(more.split(", "));
                let all: BTreeSet<&str> = all.collect();
                *names = all.into_iter().collect::<Vec<_>>().join(", ");
                return;
            }
            _ => {}
        }
    }
    if !findings.contains(&(span, message.clone())) {
        findings.push((span, message));
    }
}

/// Returns what there is to say of nested stacks of one template that make objects of the same names.
fn alike(nested: &[(String, Arc<Child>)]) -> Vec<Message> {
    let mut stacks: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for (stack, child) in nested {
        for document in &child.expanded.resources {
            let type_ = document
                .get("Type")
                .and_then(Node::text)
                .unwrap_or_default();
            let name = property(type_).and_then(|it| document.get("Properties")?.get(it)?.text());
            if let Some(name) = name {
                stacks.entry((type_, name)).or_default().insert(stack);
            }
        }
    }
    let mut names: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for ((_, name), stacks) in stacks {
        if stacks.len() > 1 {
            let stacks: Vec<&str> = stacks.into_iter().collect();
            names.entry(stacks.join(", ")).or_default().insert(name);
        }
    }
    let messages = names.into_iter().map(|(stacks, names)| {
        let names: Vec<&str> = names.into_iter().collect();
        let names = names.join(", ");
        Message::NestedStacksAlike { names, stacks }
    });
    messages.collect()
}
