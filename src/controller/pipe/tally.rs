//! What has become of messages since the status was last written.

use std::{
    collections::BTreeSet,
    mem,
    sync::Mutex,
    time::{Duration, Instant},
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use crate::{
    controller::context::lock,
    crd::{PipeFailureStatus, PipeStatus},
    diagnostic::StatusReason,
};

/// How many failures are listed.
const LISTED: usize = 10;
/// How often the status of a pipe is written at most because of messages.
const REST: Duration = Duration::from_secs(5);

/// What has become of messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct News {
    pub(super) received: i64,
    pub(super) started: i64,
    pub(super) filtered: i64,
    pub(super) refused: i64,
    pub(super) last: Option<Timestamp>,
    /// The oldest first.
    pub(super) failures: Vec<PipeFailureStatus>,
}

impl News {
    /// Records that a message stays in the queue.
    pub(super) fn left(
        &mut self,
        message: &str,
        reason: StatusReason,
        why: String,
        now: Timestamp,
    ) {
        self.refused += 1;
        self.failures.push(PipeFailureStatus {
            time: Some(Time(now)),
            message_id: message.to_owned(),
            reason: reason.name().to_owned(),
            message: why,
        });
        let extra = self.failures.len().saturating_sub(LISTED);
        self.failures.drain(..extra);
    }

    /// Adds what has happened to another news after this one.
    pub(super) fn add(&mut self, later: Self) {
        self.received += later.received;
        self.started += later.started;
        self.filtered += later.filtered;
        self.refused += later.refused;
        self.last = later.last.or(self.last);
        self.failures.extend(later.failures);
        let extra = self.failures.len().saturating_sub(LISTED);
        self.failures.drain(..extra);
    }

    /// Removes what has been written.
    fn remove(&mut self, written: &Self) {
        self.received -= written.received;
        self.started -= written.started;
        self.filtered -= written.filtered;
        self.refused -= written.refused;
        self.failures.retain(|it| !written.failures.contains(it));
    }

    /// Returns a status with this added to it.
    pub(super) fn added_to(&self, before: &PipeStatus) -> PipeStatus {
        let mut failures: Vec<PipeFailureStatus> = self.failures.iter().rev().cloned().collect();
        failures.extend(before.failures.iter().cloned());
        failures.truncate(LISTED);
        let last = self.last.map(Time);
        PipeStatus {
            received: before.received + self.received,
            started: before.started + self.started,
            filtered: before.filtered + self.filtered,
            refused: before.refused + self.refused,
            last_message_time: last.or_else(|| before.last_message_time.clone()),
            failures,
            ..before.clone()
        }
    }
}

/// What a poller tells the reconcile of its pipe.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    news: News,
    /// Why the queue cannot be read.
    problem: Option<String>,
    /// The reasons of messages that stay of which there has been an event.
    known: BTreeSet<&'static str>,
    /// The events to report.
    untold: Vec<(StatusReason, String)>,
    written: Option<Instant>,
}

impl Tally {
    /// Records what has become of messages. There is an event for each kind of reason, once.
    pub(super) fn add(&self, news: News, reasons: Vec<(StatusReason, String)>) {
        let mut told = lock(&self.0);
        told.news.add(news);
        for (reason, note) in reasons {
            if told.known.insert(reason.name()) {
                told.untold.push((reason, note));
            }
        }
    }

    /// Records why the queue cannot be read, or that it can. Returns whether that is new.
    pub(super) fn is_unavailable(&self, problem: Option<String>) -> bool {
        let mut told = lock(&self.0);
        let is_new = told.problem != problem;
        told.problem = problem;
        is_new
    }

    /// Returns why the queue cannot be read.
    pub(super) fn problem(&self) -> Option<String> {
        lock(&self.0).problem.clone()
    }

    /// Returns what has not been written yet.
    pub(super) fn news(&self) -> News {
        lock(&self.0).news.clone()
    }

    /// Records that news have been written.
    pub(super) fn wrote(&self, written: &News) {
        let mut told = lock(&self.0);
        told.news.remove(written);
        told.written = Some(Instant::now());
    }

    /// Returns the events that have not been reported.
    pub(super) fn untold(&self) -> Vec<(StatusReason, String)> {
        mem::take(&mut lock(&self.0).untold)
    }

    /// Returns for how long the status should not be written; `None` if it may be.
    pub(super) fn rest(&self) -> Option<Duration> {
        let written = lock(&self.0).written?;
        REST.checked_sub(written.elapsed())
            .filter(|rest| !rest.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::StateReason;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    #[test]
    fn what_is_written_counts_once_and_what_came_meanwhile_stays() {
        let tally = Tally::default();
        let mut news = News {
            received: 3,
            started: 2,
            last: Some(at(1)),
            ..News::default()
        };
        let reason = StatusReason::State(StateReason::TargetInvocationFailed);
        news.left("m3", reason, "no".to_owned(), at(1));
        tally.add(news, vec![(reason, "no".to_owned())]);
        let first = tally.news();
        let more = News {
            received: 1,
            filtered: 1,
            last: Some(at(2)),
            ..News::default()
        };
        tally.add(more, vec![(reason, "again".to_owned())]);
        let before = PipeStatus {
            received: 10,
            ..PipeStatus::default()
        };
        let status = first.added_to(&before);
        assert_eq!(
            (status.received, status.started, status.refused),
            (13, 2, 1)
        );
        assert_eq!(status.failures[0].message_id, "m3");
        assert!(tally.rest().is_none(), "nothing has been written");
        tally.wrote(&first);
        assert!(tally.rest().is_some(), "it has just been written");
        let status = tally.news().added_to(&status);
        assert_eq!(
            (status.received, status.filtered, status.refused),
            (14, 1, 1)
        );
        assert_eq!(status.failures.len(), 1);
        assert_eq!(status.last_message_time, Some(Time(at(2))));
        // One event for all messages that stay for the same reason.
        assert_eq!(tally.untold(), [(reason, "no".to_owned())]);
        assert_eq!(tally.untold(), []);
    }

    #[test]
    fn only_the_last_failures_are_listed_with_the_newest_first() {
        let mut news = News::default();
        let reason = StatusReason::State(StateReason::TargetInvocationFailed);
        for number in 0..30 {
            news.left(&format!("m{number}"), reason, String::new(), at(number));
        }
        let status = news.added_to(&PipeStatus::default());
        assert_eq!((status.refused, status.failures.len()), (30, LISTED));
        assert_eq!(status.failures[0].message_id, "m29");
    }
}
