//! The revisions of a task definition.

use std::collections::BTreeSet;

use crate::crd::{ACCEPTED, TaskDefinitionStatus};

/// How many unused revisions are kept.
pub const HISTORY_LIMIT: usize = 10;

/// The newest revision according to the status of a task definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newest {
    /// Unknown: the status is of an older spec, and the one of this spec is about to appear.
    AboutToAppear,
    /// There is none, because no spec was accepted yet.
    Missing,
    /// Its number.
    Revision {
        /// The number.
        number: u64,
        /// Whether it holds the current spec, which was not rejected.
        holds_spec: bool,
    },
}

impl Newest {
    /// Returns what `status` shows for the task definition in this generation.
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
            // An accepted revision has a number; a status without it was only partly written.
            None if accepted => Self::AboutToAppear,
            None => Self::Missing,
        }
    }
}

/// Returns the number of the revision that holds a spec: that of the newest existing one if it holds the spec already,
/// or else an unused one. `kept` is the number of the newest existing one, and whether it holds the spec; `known` is
/// the highest number that anything refers to, even if no revision with it exists.
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

/// Returns the unused revisions that are too old to keep, the oldest first. The highest one is always kept.
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
        // A rejected spec changes no revision.
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
        // It was created by an operator that was killed before reporting it.
        assert_eq!(number(Some((3, true)), Some(2)), 3);
        assert_eq!(number(Some((3, true)), None), 3);
        // This is not the newest one, which is lost.
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
