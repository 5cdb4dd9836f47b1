//! What the spec of a service asks for, or why that is not carried out.

use std::time::Duration;

use super::plan::Newest;
use crate::controller::{context::Context, refusal::Refusal};

/// What the spec asks for. Both members are `None` while that is unknown.
pub(super) struct Asked {
    pub(super) newest: Option<Newest>,
    /// Why the spec is rejected, or held back.
    pub(super) refusal: Option<Refusal>,
}

impl Asked {
    /// Holds back what the spec asks for.
    pub(super) fn hold(&mut self, why: Refusal) {
        self.newest = None;
        self.refusal = Some(why);
    }

    /// Returns when to take the next step. What was refused is judged again at once if a policy has changed since; whoever
    /// changes one later finds the refusal in the status.
    pub(super) fn next(
        &self,
        cx: &Context,
        changes: u64,
        wait: Option<Duration>,
    ) -> Option<Duration> {
        if self.refusal.is_some() && cx.policies.changes() != changes {
            return Some(Duration::ZERO);
        }
        wait
    }
}
