//! The paths of a pattern as a tree, which an event is walked with.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::{
    combination::Combinations,
    condition::Condition,
    parse::{Draft, Field},
};

/// What a pattern asks for at a path and below.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// The index of this path, if a field has it. Paths are counted in their order.
    pub(super) path: Option<usize>,
    /// The indexes of the paths below.
    pub(super) below: Range<usize>,
    /// The conditions at this path, and the combinations that have them; each combination has at most one.
    pub(super) conditions: Vec<(Combinations, Condition)>,
    /// By key.
    pub(super) children: BTreeMap<String, Self>,
    /// The combinations that need a value at a path below.
    pub(super) required_below: Combinations,
    /// Whether a field here or below may be absent.
    pub(super) may_be_absent: bool,
}

/// Who asks for a path.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// The combinations that have a condition for it.
    pub(super) asked: Combinations,
    /// Those of them that are also met if there is no value.
    pub(super) optional: Combinations,
}

/// A pattern as a tree.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) root: Branch,
    pub(super) paths: Vec<Path>,
    /// All combinations.
    pub(super) all: Combinations,
}

impl Tree {
    pub(super) fn new(draft: &Draft) -> Self {
        let names: BTreeSet<&str> = draft.fields.iter().map(|it| it.path.as_str()).collect();
        let indexes: BTreeMap<&str, usize> = names.into_iter().zip(0..).collect();
        let mut root = Branch::empty();
        let mut paths = vec![Path::unasked(); indexes.len()];
        for field in &draft.fields {
            let Some(index) = indexes.get(field.path.as_str()) else {
                continue;
            };
            if let Some(path) = paths.get_mut(*index) {
                path.add(field);
            }
            root.insert(field, *index);
        }
        root.close(&paths);
        Self {
            root,
            paths,
            all: draft.all,
        }
    }
}

impl Path {
    fn unasked() -> Self {
        Self {
            asked: Combinations::NONE,
            optional: Combinations::NONE,
        }
    }

    fn add(&mut self, field: &Field) {
        self.asked = self.asked.or(field.asked);
        if field.condition.absent {
            self.optional = self.optional.or(field.asked);
        }
    }
}

impl Branch {
    fn empty() -> Self {
        Self {
            path: None,
            below: 0..0,
            conditions: Vec::new(),
            children: BTreeMap::new(),
            required_below: Combinations::NONE,
            may_be_absent: false,
        }
    }

    fn insert(&mut self, field: &Field, index: usize) {
        let mut branch = self;
        for key in field.path.split('.') {
            branch = branch
                .children
                .entry(key.to_owned())
                .or_insert_with(Self::empty);
        }
        branch.path = Some(index);
        branch
            .conditions
            .push((field.asked, field.condition.clone()));
    }

    /// Sets what follows from the branches below.
    fn close(&mut self, paths: &[Path]) {
        let mut below: Option<Range<usize>> = None;
        let mut required = Combinations::NONE;
        let mut may_be_absent = self.conditions.iter().any(|(_, it)| it.absent);
        for child in self.children.values_mut() {
            child.close(paths);
            // The paths below begin with the same text and a dot, so they follow each other in their order.
            let indexes = child.path.into_iter().map(|index| index..index + 1);
            let own = Some(child.below.clone()).filter(|range| !range.is_empty());
            for range in indexes.chain(own) {
                below = Some(match below {
                    Some(all) => all.start.min(range.start)..all.end.max(range.end),
                    None => range,
                });
            }
            let path = child.path.and_then(|index| paths.get(index));
            let own = path.map_or(Combinations::NONE, |it| it.asked.without(it.optional));
            required = required.or(own).or(child.required_below);
            may_be_absent |= child.may_be_absent;
        }
        self.below = below.unwrap_or_default();
        self.required_below = required;
        self.may_be_absent = may_be_absent;
    }
}
