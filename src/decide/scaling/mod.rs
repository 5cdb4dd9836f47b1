//! Service auto scaling, as Application Auto Scaling does it.

pub mod activity;
pub mod alarm;
pub mod engine;
pub mod evaluation;
pub mod minute;
pub mod outcome;
pub mod prospect;
pub mod scheduled;
pub mod simulation;
pub mod step;
pub mod target;
pub mod usage;

use crate::validate::AutoScaling;

/// The range of a scalable target, in tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The smallest number of tasks.
    pub min: i64,
    /// The largest number of tasks.
    pub max: i64,
}

impl Range {
    /// Returns the range of a spec.
    #[must_use]
    pub const fn specified(scaling: &AutoScaling) -> Self {
        Self {
            min: scaling.min_capacity,
            max: scaling.max_capacity,
        }
    }

    /// Returns the number of tasks in the range that is nearest to this one.
    #[must_use]
    pub fn nearest(self, tasks: i64) -> i64 {
        tasks.min(self.max).max(self.min)
    }

    /// Returns the range that includes this number of tasks too.
    #[must_use]
    pub fn widened_to(self, tasks: i64) -> Self {
        Self {
            min: self.min.min(tasks),
            max: self.max.max(tasks),
        }
    }
}
