//! Example requests and the objects that they become.

use super::{Api, Field, table};

/// An example of what fields become.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The request that contains the fields.
    pub api: Api,
    /// The fields that the example illustrates, and members that include everything below them.
    pub paths: &'static [&'static str],
    /// The relevant members of the request, as JSON.
    pub request: &'static str,
    /// The resulting parts of the objects, as YAML, each beginning without indentation.
    pub gives: &'static str,
}

impl Example {
    /// Returns every example.
    #[must_use]
    pub fn all() -> &'static [Self] {
        table::EXAMPLES
    }

    /// Returns the example of a field.
    #[must_use]
    pub fn of(api: Api, field: &Field) -> Option<&'static Self> {
        let is_about = |path: &&str| {
            let below = field.path.strip_prefix(*path);
            below.is_some_and(|below| below.is_empty() || below.starts_with(['.', '[']))
        };
        Self::all()
            .iter()
            .find(|example| example.api == api && example.paths.iter().any(is_about))
    }
}
