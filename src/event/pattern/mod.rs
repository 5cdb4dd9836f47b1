//! Event patterns of EventBridge.

mod address;
mod combination;
mod condition;
mod error;
mod node;
mod number;
mod operator;
mod parse;
mod place;
mod search;
#[cfg(test)]
mod tests;
mod text;
mod tree;

pub use self::error::PatternError;

use serde_json::Value;

use self::{search::Search, tree::Tree};

/// Which events a rule is for.
///
/// It follows the guide and, where the guide is silent, the matcher that AWS publishes, with these differences:
///
/// - The same path twice is refused, also if a key is repeated, which JSON allows and the guide lets the last one win.
/// - `exactly`, which only the matcher knows, is refused.
/// - Case is ignored character by character: `ß` is not `SS`.
/// - Whole numbers up to 64 bits are compared exactly, others as doubles, of which 15 digits are reliable.
/// - An IPv4 network has no IPv6 addresses, and the other way around; `0.0.0.0/0` does not match `::1`.
/// - If an event spells a path both with nested objects and with dots in a key, and one of the values is an array of
///   objects, what stands there counts as one array, of which one element has to meet all fields.
#[derive(Clone, Debug)]
pub struct Pattern {
    tree: Tree,
}

impl Pattern {
    /// Parses the JSON text of a pattern. It has at most 4096 characters, paths of at most 100 steps, and 1000
    /// combinations that its `$or` make together.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, where it stands, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let tree = Tree::new(&parse::parse(text)?);
        Ok(Self { tree })
    }

    /// Whether the pattern matches an event. An event that is not an object matches nothing.
    ///
    /// The time grows with the size of the event, multiplied by at most the size of the pattern and by how many arrays
    /// stand inside of each other. A value below more than 130 keys and arrays is not found; JSON text that
    /// `serde_json` reads has at most 128 levels, not counting those that dots in keys make.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        Search::new(&self.tree).matches(&self.tree, event)
    }
}
