//! How many tasks of a service should run, and how they are replaced.

use super::plan::{Newest, Plan};
use crate::validate;

/// How many tasks should run, and how they are replaced.
pub(super) struct Counts {
    pub(super) desired: Option<i64>,
    pub(super) rules: validate::Deployment,
    pub(super) healthy_after: i64,
}

impl Counts {
    /// Returns the counts of what is asked for, or of what runs while that is unknown.
    pub(super) fn of(newest: Option<&Newest>, current: Option<&Plan>) -> Option<Self> {
        let newest = newest.map(|newest| Self {
            desired: newest.rendering.desired,
            rules: newest.rendering.rules.clone(),
            healthy_after: newest.rendering.healthy_after,
        });
        newest.or_else(|| {
            current.map(|plan| Self {
                desired: plan.desired,
                rules: plan.rules.clone(),
                healthy_after: plan.healthy_after,
            })
        })
    }
}
