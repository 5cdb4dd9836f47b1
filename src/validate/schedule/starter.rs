//! What has a schedule, and where.

/// A request that has a schedule, and what it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starter {
    /// `CreateSchedule`, with one target.
    Schedule,
    /// `PutRule`, with the index of one of its targets.
    Rule {
        /// Counted from 0.
        target: usize,
    },
}
