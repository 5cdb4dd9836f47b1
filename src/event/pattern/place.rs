//! What stands at a path of an event.
//!
//! An event can spell a path in several ways, as `{"a": {"b": 1}, "a.b": 2}`. What it has there counts as one object,
//! or, as soon as one of the values is an array with objects or arrays, as one array. The matcher of AWS takes them
//! apart, which needs exponential time in the number of spellings.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::tree::Branch;

/// A part of what stands at a path.
#[derive(Clone, Copy)]
pub(super) enum Piece<'e> {
    Value(&'e Value),
    Members(&'e Map<String, Value>),
    /// A value some levels below, whose key has dots.
    Below(&'e str, &'e Value),
}

/// What stands at a path, by its kind.
#[derive(Default)]
pub(super) struct Place<'e> {
    /// Values that are neither objects nor arrays, also in an array.
    pub(super) leaves: Vec<&'e Value>,
    pub(super) objects: Vec<Piece<'e>>,
    /// The elements of arrays that are objects or arrays.
    pub(super) elements: Vec<&'e Value>,
}

impl<'e> Place<'e> {
    pub(super) fn new(pieces: &[Piece<'e>]) -> Self {
        let mut place = Self::default();
        for piece in pieces {
            match *piece {
                Piece::Value(Value::Object(members)) => place.objects.push(Piece::Members(members)),
                Piece::Value(Value::Array(items)) => {
                    for item in items {
                        if item.is_object() || item.is_array() {
                            place.elements.push(item);
                        } else {
                            place.leaves.push(item);
                        }
                    }
                }
                Piece::Value(leaf) => place.leaves.push(leaf),
                members @ (Piece::Members(_) | Piece::Below(..)) => place.objects.push(members),
            }
        }
        place
    }

    /// Returns the elements, and the objects beside them as if they were one of them.
    pub(super) fn choices(&self) -> Vec<Vec<Piece<'e>>> {
        let elements = self.elements.iter().map(|it| vec![Piece::Value(it)]);
        let beside = Some(self.objects.clone()).filter(|objects| !objects.is_empty());
        elements.chain(beside).collect()
    }

    /// Returns how many values there are.
    pub(super) fn size(&self) -> u64 {
        let size = self.leaves.len() + self.objects.len() + self.elements.len();
        u64::try_from(size).unwrap_or(u64::MAX)
    }
}

/// Returns the members of objects that a branch has children for, by the key of the child.
pub(super) fn members<'e, 'b>(
    branch: &'b Branch,
    objects: &[Piece<'e>],
    steps: &mut u64,
) -> BTreeMap<&'b str, Vec<Piece<'e>>> {
    let mut members: BTreeMap<&str, Vec<Piece<'_>>> = BTreeMap::new();
    if branch.children.is_empty() {
        return members;
    }
    let mut add = |path: &'e str, value| {
        *steps += 1;
        let (key, piece) = match path.split_once('.') {
            Some((key, rest)) => (key, Piece::Below(rest, value)),
            None => (path, Piece::Value(value)),
        };
        if let Some((key, _)) = branch.children.get_key_value(key) {
            members.entry(key).or_default().push(piece);
        }
    };
    for object in objects {
        match *object {
            Piece::Members(map) => map.iter().for_each(|(key, value)| add(key, value)),
            Piece::Below(path, value) => add(path, value),
            Piece::Value(_) => {}
        }
    }
    members
}
