//! Whether the operator makes progress.

use std::time::Duration;

/// How long there may be no progress. A request ends in less than a minute, and a reconcile makes few of them and
/// usually ends when one fails; so only a bug reaches this limit, however slow the API server is.
const PATIENCE: Duration = Duration::from_mins(10);

/// The progress of a replica's reconciles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether this replica leads; others do not reconcile.
    pub leads: bool,
    /// How long the oldest reconcile in progress has been running.
    pub oldest: Option<Duration>,
    /// How long objects have been waiting to be reconciled.
    pub waiting: Option<Duration>,
    /// How long ago a reconcile began or ended.
    pub last: Duration,
}

/// Returns what is stuck; `None` if all is well. Whether the API server responds does not matter, because a restart
/// would not help.
#[must_use]
pub fn stuck(progress: &Progress) -> Option<&'static str> {
    let Progress {
        leads,
        oldest,
        waiting,
        last,
    } = *progress;
    if !leads {
        None
    } else if oldest.is_some_and(|age| age > PATIENCE) {
        Some("a reconcile takes too long")
    } else if waiting.is_some_and(|waiting| waiting.min(last) > PATIENCE) {
        Some("objects are waiting, but none is reconciled")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_hours(1);
    const SHORT: Duration = Duration::from_mins(1);

    fn of(oldest: Option<Duration>, waiting: Option<Duration>, last: Duration) -> Progress {
        Progress {
            leads: true,
            oldest,
            waiting,
            last,
        }
    }

    #[test]
    fn a_reconcile_that_does_not_end_is_stuck_whatever_others_do() {
        assert_eq!(stuck(&of(Some(SHORT), None, SHORT)), None);
        let hangs = of(Some(LONG), None, SHORT);
        assert_eq!(stuck(&hangs), Some("a reconcile takes too long"));
        let follows = Progress {
            leads: false,
            ..hangs
        };
        assert_eq!(stuck(&follows), None);
    }

    #[test]
    fn a_queue_is_stuck_when_nothing_leaves_it_for_long() {
        let said = Some("objects are waiting, but none is reconciled");
        assert_eq!(stuck(&of(None, Some(LONG), LONG)), said);
        assert_eq!(stuck(&of(None, Some(LONG), SHORT)), None, "it is busy");
        assert_eq!(stuck(&of(None, Some(SHORT), LONG)), None, "it was idle");
        assert_eq!(stuck(&of(None, None, LONG)), None, "it is idle");
    }
}
