//! What is wrong with a pattern, and where.

use super::node::Node;

/// What is wrong with a pattern, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}; {instead}")]
pub struct PatternError {
    /// Where, as `$.detail.state[1]`.
    pub path: String,
    /// What is wrong there.
    pub problem: String,
    /// What to write instead.
    pub instead: String,
}

/// A place in the text of a pattern.
#[derive(Clone, Debug)]
pub(super) struct Location(String);

impl Location {
    /// The whole pattern.
    pub(super) fn root() -> Self {
        Self("$".to_owned())
    }

    /// A member of the object here.
    pub(super) fn member(&self, key: &str) -> Self {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
        if !key.is_empty() && key.chars().all(is_plain) {
            Self(format!("{}.{key}", self.0))
        } else {
            Self(format!("{}[{key:?}]", self.0))
        }
    }

    /// An item of the array here, counted from 0.
    pub(super) fn item(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// Returns an error at this place.
    pub(super) fn error(
        &self,
        problem: impl Into<String>,
        instead: impl Into<String>,
    ) -> PatternError {
        PatternError {
            path: self.0.clone(),
            problem: problem.into(),
            instead: instead.into(),
        }
    }

    /// Returns an error for a value of the wrong type.
    pub(super) fn wrong_type(&self, found: &Node, instead: &str) -> PatternError {
        self.error(format!("{} cannot stand here", found.kind()), instead)
    }
}
