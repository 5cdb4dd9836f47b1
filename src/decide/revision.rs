//! The revisions of a task definition.

use std::collections::BTreeSet;

use crate::crd::{ACCEPTED, TaskDefinitionStatus};

/// How many revisions are kept that nothing uses.
pub const HISTORY_LIMIT: usize = 10;

/// What the status of a task definition tells of its newest revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newest {
    /// Nothing: the status speaks of an older spec, and that of this one is about to come.
    AboutToAppear,
    /// There is none, because no spec was accepted yet.
    Missing,
    /// Its number.
    Revision {
        /// The number.
        number: u64,
        /// Whether it holds the spec as it is now, which was not rejected.
        holds_spec: bool,
    },
}

impl Newest {
    /// What `status` tells to those who know the task definition in this generation.
    #[must_use]
    pub fn of(status: &TaskDefinitionStatus, generation: Option<i64>) -> Self {
        if status.observed_generation.is_none() || status.observed_generation != generation {
            return Self::AboutToAppear;
        }
        let mut conditions = status.conditions.iter();
        let accepted = conditions.find(|condition| condition.type_ == ACCEPTED);
        let accepted = accepted.is_some_and(|condition| condition.status == "True");
        match status
            .revision
            .and_then(|number| u64::try_from(number).ok())
        {
            Some(number) => Self::Revision {
                number,
                holds_spec: accepted,
            },
            // One that was accepted has a number; a status without it was not written whole.
            None if accepted => Self::AboutToAppear,
            None => Self::Missing,
        }
    }
}

/// The number of the revision that holds a spec: that of the newest one that is kept if it holds it already, or else
/// one that never was. `kept` is the number of the newest one, and whether it holds the spec; `known` is the highest
/// number that someone knows, even if nothing is kept under it.
#[must_use]
pub fn number(kept: Option<(u64, bool)>, known: Option<u64>) -> u64 {
    match kept {
        Some((number, true)) if known.is_none_or(|known| known <= number) => number,
        kept => {
            let kept = kept.map(|(number, _)| number);
            kept.max(known).unwrap_or(0).saturating_add(1)
        }
    }
}

/// The revisions that nothing uses and that are too old to be kept, the oldest first. The highest one is always kept.
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
    use serde_json::json;

    use super::*;

    fn status(observed: i64, accepted: &str, revision: Option<i64>) -> TaskDefinitionStatus {
        let condition = json!({
            "type": "Accepted", "status": accepted, "reason": "R", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let mut status = json!({"observedGeneration": observed, "conditions": [condition]});
        if let Some(revision) = revision {
            status["revision"] = revision.into();
        }
        serde_json::from_value(status).expect("it is a status")
    }

    #[test]
    fn a_status_speaks_of_its_own_generation_alone() {
        let newest = |status: &TaskDefinitionStatus| Newest::of(status, Some(2));
        assert_eq!(
            newest(&status(2, "True", Some(7))),
            Newest::Revision {
                number: 7,
                holds_spec: true
            }
        );
        assert_eq!(newest(&status(1, "True", Some(7))), Newest::AboutToAppear);
        assert_eq!(
            newest(&TaskDefinitionStatus::default()),
            Newest::AboutToAppear
        );
        assert_eq!(newest(&status(2, "True", None)), Newest::AboutToAppear);
        // What is rejected changes no revision.
        assert_eq!(
            newest(&status(2, "False", Some(7))),
            Newest::Revision {
                number: 7,
                holds_spec: false
            }
        );
        assert_eq!(newest(&status(2, "False", None)), Newest::Missing);
    }

    #[test]
    fn numbers_are_not_used_again() {
        assert_eq!(number(None, None), 1);
        assert_eq!(number(Some((3, false)), None), 4);
        assert_eq!(number(Some((3, false)), Some(7)), 8);
        assert_eq!(number(None, Some(7)), 8);
        // Made by one who was killed before it was reported.
        assert_eq!(number(Some((3, true)), Some(2)), 3);
        assert_eq!(number(Some((3, true)), None), 3);
        // Not the newest one, which is lost.
        assert_eq!(number(Some((3, true)), Some(4)), 5);
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
