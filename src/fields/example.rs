//! Requests and what comes of them.

use super::{Api, Field, table};

/// What fields become, shown with a request of their own.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Whose request it is.
    pub api: Api,
    /// The fields that it is about, and members with all below them.
    pub paths: &'static [&'static str],
    /// The members of the request that matter, as JSON.
    pub request: &'static str,
    /// The parts of the objects that come of them, as YAML, each beginning without indentation.
    pub gives: &'static str,
}

impl Example {
    /// Every example.
    #[must_use]
    pub fn all() -> &'static [Self] {
        table::EXAMPLES
    }

    /// The example of a field.
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
