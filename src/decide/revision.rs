//! The revisions of a task definition.

use std::collections::BTreeSet;

/// How many revisions are kept that nothing uses.
pub const HISTORY_LIMIT: usize = 10;

/// The number of the next revision. Numbers are never used again, so one that was reported counts even if its object is
/// gone.
#[must_use]
pub fn next(newest: Option<u64>, reported: Option<u64>) -> u64 {
    newest.max(reported).unwrap_or(0).saturating_add(1)
}

/// The revisions that nothing uses and that are too old to be kept, the oldest first. The newest one is always kept.
#[must_use]
pub fn superfluous(existing: &BTreeSet<u64>, used: &BTreeSet<u64>, limit: usize) -> Vec<u64> {
    let unused: Vec<u64> = existing
        .iter()
        .copied()
        .filter(|revision| !used.contains(revision) && Some(revision) != existing.last())
        .collect();
    let surplus = unused.len().saturating_sub(limit);
    unused.into_iter().take(surplus).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_not_used_again() {
        assert_eq!(next(None, None), 1);
        assert_eq!(next(Some(3), None), 4);
        assert_eq!(next(Some(3), Some(7)), 8);
        assert_eq!(next(None, Some(7)), 8);
    }

    #[test]
    fn the_oldest_unused_ones_go() {
        let existing: BTreeSet<u64> = (1..=6).collect();
        let used = BTreeSet::from([1, 3]);
        assert_eq!(superfluous(&existing, &used, 10), [0; 0]);
        assert_eq!(superfluous(&existing, &used, 2), [2]);
        assert_eq!(superfluous(&existing, &used, 0), [2, 4, 5]);
        assert_eq!(superfluous(&BTreeSet::new(), &used, 0), [0; 0]);
    }
}
