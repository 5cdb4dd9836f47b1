//! Compares an event with the tree of a pattern.
//!
//! The matcher of AWS takes the fields of a pattern in the order of their paths. A field that is met by a value inside
//! of an array chooses the element of this array for all fields that follow; `{"exists": false}` looks at the chosen
//! element, or at all elements if none is chosen yet. This search comes to the same results, but looks at each value
//! at most twice for each level of arrays around it, and at all combinations of `$or` at the same time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    combination::Combinations,
    place::{Piece, Place, members},
    tree::{Branch, Path, Tree},
};

/// How many keys and arrays may be above a value, so that the stack suffices. JSON that was read from text has at most
/// 128 levels, not counting those that dots in keys make.
const MAX_LEVELS: usize = 130;

/// A search, and how much it took.
pub(super) struct Search<'t> {
    paths: &'t [Path],
    /// For each path, the combinations that need a value there although they would be met without.
    forced: Vec<Combinations>,
    /// How many levels of arrays forced something.
    forcing: usize,
    levels: usize,
    /// How many values, branches and paths were looked at.
    pub(super) steps: u64,
}

impl<'t> Search<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        Self {
            paths: &tree.paths,
            forced: vec![Combinations::NONE; tree.paths.len()],
            forcing: 0,
            levels: 0,
            steps: 0,
        }
    }

    /// Whether the event meets one of the combinations.
    pub(super) fn matches(&mut self, tree: &Tree, event: &Value) -> bool {
        let met = self.met(&tree.root, &[Piece::Value(event)], tree.all, tree.all);
        event.is_object() && !met.is_empty()
    }

    /// Returns those of the combinations `alive` whose fields at a branch and below are met by what stands there. The
    /// field at the branch itself is open only for the combinations `own`.
    fn met(
        &mut self,
        branch: &Branch,
        pieces: &[Piece<'_>],
        alive: Combinations,
        own: Combinations,
    ) -> Combinations {
        if alive.is_empty() || self.levels >= MAX_LEVELS {
            return Combinations::NONE;
        }
        self.levels += 1;
        let place = Place::new(pieces);
        self.steps += place.size();
        let by_leaves = self.met_by_leaves(branch, &place.leaves, alive.and(own));
        let mut met = alive.without(own).or(by_leaves);
        if place.elements.is_empty() {
            let unmet = alive.without(met);
            if place.leaves.is_empty() {
                met = met.or(self.met_by_nothing(branch.path, unmet));
            } else {
                met = met.or(unmet.without(self.asked(branch.path)));
            }
            met = self.met_by_members(branch, &place.objects, met);
        } else {
            met = self.met_by_element(branch, &place, alive, met);
        }
        self.levels -= 1;
        met
    }

    /// Returns those of the combinations whose field at a branch matches one of the leaves.
    fn met_by_leaves(
        &mut self,
        branch: &Branch,
        leaves: &[&Value],
        alive: Combinations,
    ) -> Combinations {
        let mut met = Combinations::NONE;
        if leaves.is_empty() {
            return met;
        }
        for (asked, condition) in &branch.conditions {
            let asked = asked.and(alive);
            if asked.is_empty() {
                continue;
            }
            for leaf in leaves {
                self.steps += 1;
                if condition.matches(leaf) {
                    met = met.or(asked);
                    break;
                }
            }
        }
        met
    }

    /// Returns the combinations that have a field with this path.
    fn asked(&self, path: Option<usize>) -> Combinations {
        let path = path.and_then(|index| self.paths.get(index));
        path.map_or(Combinations::NONE, |path| path.asked)
    }

    /// Returns those of the combinations whose field with this path, if they have one, is met by the absence of a
    /// value.
    fn met_by_nothing(&self, path: Option<usize>, alive: Combinations) -> Combinations {
        let Some((path, forced)) =
            path.and_then(|index| self.paths.get(index).zip(self.forced.get(index)))
        else {
            return alive;
        };
        alive.without(path.asked.without(path.optional.without(*forced)))
    }

    /// Returns those of the combinations whose fields below a branch are met by members of objects, of which no array
    /// chooses one.
    fn met_by_members(
        &mut self,
        branch: &Branch,
        objects: &[Piece<'_>],
        mut alive: Combinations,
    ) -> Combinations {
        let present = members(branch, objects, &mut self.steps);
        for (key, pieces) in &present {
            if alive.is_empty() {
                return alive;
            }
            if let Some(child) = branch.children.get(*key) {
                alive = self.met(child, pieces, alive, alive);
            }
        }
        if present.is_empty() {
            return self.without_values_below(branch, alive);
        }
        for (key, child) in &branch.children {
            if alive.is_empty() {
                return alive;
            }
            if !present.contains_key(key.as_str()) {
                self.steps += 1;
                alive = self.met_by_nothing(child.path, alive);
                alive = self.without_values_below(child, alive);
            }
        }
        alive
    }

    /// Returns those of the combinations whose fields below a branch are met by the absence of values.
    fn without_values_below(&mut self, branch: &Branch, alive: Combinations) -> Combinations {
        let mut alive = alive.without(branch.required_below);
        if self.forcing > 0 && branch.may_be_absent {
            for index in branch.below.clone() {
                if alive.is_empty() {
                    break;
                }
                self.steps += 1;
                alive = self.met_by_nothing(Some(index), alive);
            }
        }
        alive
    }

    /// Returns those of the combinations `alive` that are met by an element of an array, or by choosing none. For the
    /// combinations `met`, the field at the branch itself is met by what stands beside the elements.
    fn met_by_element(
        &mut self,
        branch: &Branch,
        place: &Place<'_>,
        alive: Combinations,
        met: Combinations,
    ) -> Combinations {
        let elements = place.choices();
        let asked = self.asked(branch.path);
        let mut free = met.or(alive.without(asked));
        let mut before = Vec::new();
        let mut found;
        if branch.may_be_absent {
            let present = self.present(branch, &elements);
            let own_is_present = branch.path.is_some_and(|index| present.contains(&index));
            if place.leaves.is_empty() && !own_is_present {
                free = free.or(self.met_by_nothing(branch.path, alive));
            }
            self.force(branch.path, alive.without(free), &mut before);
            found = free;
            // The first field that needs a value must be met inside of the element that is chosen.
            for index in branch.below.clone() {
                if found.is_empty() {
                    break;
                }
                self.steps += 1;
                let without_value = if present.contains(&index) {
                    found.without(self.asked(Some(index)))
                } else {
                    self.met_by_nothing(Some(index), found)
                };
                self.force(Some(index), found.without(without_value), &mut before);
                found = without_value;
            }
        } else {
            found = free.without(branch.required_below);
        }
        self.forcing += 1;
        for element in &elements {
            let open = alive.without(found);
            found = found.or(self.met(branch, element, open, open.without(free)));
        }
        self.forcing -= 1;
        for (index, combinations) in before {
            if let Some(forced) = self.forced.get_mut(index) {
                *forced = combinations;
            }
        }
        found
    }

    /// Makes combinations need a value at a path, and notes what was before.
    fn force(
        &mut self,
        path: Option<usize>,
        combinations: Combinations,
        before: &mut Vec<(usize, Combinations)>,
    ) {
        let Some(index) = path.filter(|_| !combinations.is_empty()) else {
            return;
        };
        if let Some(forced) = self.forced.get_mut(index) {
            before.push((index, *forced));
            *forced = forced.or(combinations);
        }
    }

    /// Returns the paths at a branch and below that have values in any of the elements.
    fn present(&mut self, branch: &Branch, elements: &[Vec<Piece<'_>>]) -> BTreeSet<usize> {
        let mut present = BTreeSet::new();
        for element in elements {
            self.mark(branch, element, self.levels, &mut present);
        }
        present
    }

    fn mark(
        &mut self,
        branch: &Branch,
        pieces: &[Piece<'_>],
        levels: usize,
        present: &mut BTreeSet<usize>,
    ) {
        if levels >= MAX_LEVELS {
            return;
        }
        let place = Place::new(pieces);
        self.steps += place.size();
        if !place.leaves.is_empty() {
            present.extend(branch.path);
        }
        for element in &place.elements {
            self.mark(branch, &[Piece::Value(element)], levels + 1, present);
        }
        let below: BTreeMap<&str, Vec<Piece<'_>>> =
            members(branch, &place.objects, &mut self.steps);
        for (key, pieces) in below {
            if let Some(child) = branch.children.get(key).filter(|it| it.may_be_absent) {
                self.mark(child, &pieces, levels + 1, present);
            }
        }
    }
}
