//! The combinations that `$or` multiplies: each is a set of fields that must all be met.

/// How many combinations a pattern may have.
pub(super) const MAX_COMBINATIONS: usize = 1000;

/// The words that a set takes: one bit for each combination.
const WORDS: usize = MAX_COMBINATIONS.div_ceil(64);

/// A set of combinations, by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Combinations([u64; WORDS]);

impl Combinations {
    /// No combination.
    pub(super) const NONE: Self = Self([0; WORDS]);

    pub(super) fn insert(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= other;
        }
        self
    }

    pub(super) fn or(mut self, other: Self) -> Self {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
        self
    }

    pub(super) fn without(mut self, other: Self) -> Self {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= !other;
        }
        self
    }
}

/// An object of a pattern, with the objects inside of it: fields that must all be met, by their index, and lists of
/// objects of which one must be met.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) fields: Vec<usize>,
    pub(super) choices: Vec<Vec<Self>>,
}

impl Group {
    /// Returns how many combinations there are.
    pub(super) fn count(&self) -> usize {
        let choices = self.choices.iter().map(|groups| {
            let counts = groups.iter().map(Self::count);
            counts.fold(0, usize::saturating_add)
        });
        choices.fold(1, usize::saturating_mul)
    }

    /// Returns the fields of each combination. There are as many as [`Self::count`] says.
    pub(super) fn combinations(&self) -> Vec<Vec<usize>> {
        let mut combinations = vec![self.fields.clone()];
        for groups in &self.choices {
            let branches: Vec<Vec<usize>> = groups.iter().flat_map(Self::combinations).collect();
            combinations = combinations
                .iter()
                .flat_map(|fields| {
                    let extend = |branch: &Vec<usize>| [fields.as_slice(), branch].concat();
                    branches.iter().map(extend)
                })
                .collect();
        }
        combinations
    }
}
