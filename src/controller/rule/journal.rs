//! What the leader remembers of a rule between its reconciles. All of it can be lost: what counts is in the status and in
//! the EcsTasks.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::ResourceExt as _;

use super::task::SEEN;
use crate::{
    controller::context::lock,
    crd::{EcsRule, RuleFailureStatus, RuleInvocationStatus, RuleStatus},
    diagnostic::StatusReason,
};

/// How many starts a status lists.
const LISTED: usize = 100;
/// How many sources of events are remembered that a rule may not see.
const REFUSED: usize = 50;
/// How often the status of a rule is written at most because of events.
const REST: Duration = Duration::from_secs(5);
/// How often a rule looks at what has happened at most.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest wait between two tries, as a power of two in seconds.
const LONGEST: u32 = 6;

/// What has become of events since the status was last written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct News {
    pub(super) matched: i64,
    pub(super) started: i64,
    pub(super) failed: i64,
    pub(super) last: Option<Timestamp>,
    /// The oldest first.
    pub(super) invocations: Vec<RuleInvocationStatus>,
    pub(super) failure: Option<RuleFailureStatus>,
}

impl News {
    /// Returns a status with this added to it, as of a time.
    pub(super) fn added_to(&self, before: &RuleStatus, now: Timestamp) -> RuleStatus {
        let new = self.invocations.iter().rev();
        let mut invocations: Vec<RuleInvocationStatus> = new.cloned().collect();
        invocations.extend(before.invocations.iter().cloned());
        invocations.retain(|it| it.time.as_ref().is_some_and(|time| is_recent(time.0, now)));
        invocations.truncate(LISTED);
        let last = before.last_match_time.as_ref().map(|last| last.0);
        let failure = self.failure.clone();
        RuleStatus {
            matched: before.matched + self.matched,
            started: before.started + self.started,
            failed: before.failed + self.failed,
            last_match_time: self.last.max(last).map(Time),
            invocations,
            last_failure: failure.unwrap_or_else(|| before.last_failure.clone()),
            ..before.clone()
        }
    }

    fn remove(&mut self, written: &Self) {
        self.matched -= written.matched;
        self.started -= written.started;
        self.failed -= written.failed;
        self.invocations
            .retain(|it| !written.invocations.contains(it));
        if self.failure == written.failure {
            self.failure = None;
        }
    }
}

fn is_recent(time: Timestamp, now: Timestamp) -> bool {
    now.duration_since(time) <= SEEN
}

/// A start that has failed and is tried again.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// How often it was tried.
    pub(super) count: i64,
    /// When it is tried again.
    next: Instant,
}

/// What the leader remembers of a rule.
#[derive(Debug, Default)]
pub(super) struct Journal {
    uid: Option<String>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    news: News,
    /// The starts that are done, by the names of their EcsTasks, and when their events happened.
    done: BTreeMap<String, Timestamp>,
    attempts: BTreeMap<String, Attempt>,
    untold: Vec<(StatusReason, String)>,
    /// The sources of events that the rule may not see, of which there has been an event.
    refused: BTreeSet<String>,
    written: Option<Instant>,
    looked: Option<Instant>,
}

impl Journal {
    /// Returns for how long not to look at what has happened.
    pub(super) fn pause(&self) -> Option<Duration> {
        let looked = lock(&self.told).looked?;
        PAUSE
            .checked_sub(looked.elapsed())
            .filter(|left| !left.is_zero())
    }

    /// Records that it is looked at what has happened.
    pub(super) fn looks(&self) {
        lock(&self.told).looked = Some(Instant::now());
    }

    /// Forgets what is too old to be seen again.
    pub(super) fn tidy(&self, now: Timestamp) {
        let mut told = lock(&self.told);
        told.done.retain(|_, time| is_recent(*time, now));
        let attempts = mem::take(&mut told.attempts);
        // What is not seen any more is never tried again.
        let is_live = |attempt: &Attempt| attempt.next.elapsed() < SEEN.unsigned_abs();
        told.attempts = attempts.into_iter().filter(|(_, it)| is_live(it)).collect();
    }

    /// Whether a start is done.
    pub(super) fn is_done(&self, name: &str) -> bool {
        lock(&self.told).done.contains_key(name)
    }

    /// Whether a start was tried and is tried again.
    pub(super) fn is_tried(&self, name: &str) -> bool {
        lock(&self.told).attempts.contains_key(name)
    }

    /// Returns how long to wait before a start is tried again; `None` if it can be tried now.
    pub(super) fn wait(&self, name: &str) -> Option<Duration> {
        let told = lock(&self.told);
        let next = told.attempts.get(name)?.next;
        Some(next.saturating_duration_since(Instant::now())).filter(|wait| !wait.is_zero())
    }

    /// Records that an event has matched for the first time.
    pub(super) fn matched(&self, time: Timestamp) {
        let mut told = lock(&self.told);
        told.news.matched += 1;
        told.news.last = told.news.last.max(Some(time));
    }

    /// Records that a start is done, which was so before.
    pub(super) fn known(&self, name: &str, time: Timestamp) {
        let mut told = lock(&self.told);
        told.attempts.remove(name);
        told.done.insert(name.to_owned(), time);
    }

    /// Records that a start is done.
    pub(super) fn started(&self, name: &str, time: Timestamp) {
        self.known(name, time);
        let mut told = lock(&self.told);
        told.news.started += 1;
        told.news.invocations.push(listed(name, time));
    }

    /// Records that a start is given up.
    pub(super) fn given_up(&self, name: &str, time: Timestamp, failure: RuleFailureStatus) {
        self.known(name, time);
        let mut told = lock(&self.told);
        told.news.failed += 1;
        told.news.invocations.push(listed(name, time));
        told.news.failure = Some(failure);
    }

    /// Records that a start has failed and is tried again. Returns how often it was tried.
    pub(super) fn failed(&self, name: &str, failure: RuleFailureStatus) -> i64 {
        let mut told = lock(&self.told);
        told.news.failure = Some(failure);
        let before = told.attempts.get(name).map_or(0, |attempt| attempt.count);
        let count = before + 1;
        let power = u32::try_from(count).unwrap_or(LONGEST).min(LONGEST);
        let next = Instant::now() + Duration::from_secs(1 << power);
        told.attempts
            .insert(name.to_owned(), Attempt { count, next });
        count
    }

    /// Returns the last failure that has not been written.
    pub(super) fn failure(&self) -> Option<RuleFailureStatus> {
        lock(&self.told).news.failure.clone()
    }

    /// Records that the start that has failed last is done.
    pub(super) fn settled(&self, failure: RuleFailureStatus) {
        lock(&self.told).news.failure = Some(failure);
    }

    /// Returns how often a start was tried.
    pub(super) fn tries(&self, name: &str) -> i64 {
        lock(&self.told).attempts.get(name).map_or(0, |it| it.count)
    }

    /// Remembers an event to report once the status is written.
    pub(super) fn tell(&self, reason: StatusReason, note: String) {
        let mut told = lock(&self.told);
        if !told.untold.iter().any(|(known, _)| *known == reason) {
            told.untold.push((reason, note));
        }
    }

    /// Remembers to report once that the rule may not see the events of a source.
    pub(super) fn refused(&self, source: &str, reason: StatusReason, why: String) {
        let is_new = {
            let refused = &mut lock(&self.told).refused;
            refused.len() < REFUSED && refused.insert(source.to_owned())
        };
        if is_new {
            self.tell(reason, why);
        }
    }

    /// Returns the events that have not been reported.
    pub(super) fn untold(&self) -> Vec<(StatusReason, String)> {
        mem::take(&mut lock(&self.told).untold)
    }

    /// Returns what has not been written yet.
    pub(super) fn news(&self) -> News {
        lock(&self.told).news.clone()
    }

    /// Records that news have been written.
    pub(super) fn wrote(&self, written: &News) {
        let mut told = lock(&self.told);
        told.news.remove(written);
        told.written = Some(Instant::now());
    }

    /// Returns for how long the status should not be written; `None` if it may be.
    pub(super) fn rest(&self) -> Option<Duration> {
        let written = lock(&self.told).written?;
        REST.checked_sub(written.elapsed())
            .filter(|rest| !rest.is_zero())
    }
}

fn listed(name: &str, time: Timestamp) -> RuleInvocationStatus {
    RuleInvocationStatus {
        task: name.to_owned(),
        time: Some(Time(time)),
    }
}

/// The journals of all rules, by their namespaces and names.
#[derive(Debug, Default)]
pub(in crate::controller) struct Journals(Mutex<BTreeMap<(String, String), Arc<Journal>>>);

impl Journals {
    /// Returns the journal of a rule, which is empty if it is another one than before.
    pub(super) fn of(&self, rule: &EcsRule) -> Arc<Journal> {
        let mut all = lock(&self.0);
        let journal = all.entry(key(rule)).or_default();
        if journal.uid != rule.uid() {
            *journal = Arc::new(Journal {
                uid: rule.uid(),
                ..Journal::default()
            });
        }
        journal.clone()
    }

    /// Forgets a rule that is gone.
    pub(super) fn forget(&self, rule: &EcsRule) {
        lock(&self.0).remove(&key(rule));
    }
}

fn key(rule: &EcsRule) -> (String, String) {
    (rule.namespace().unwrap_or_default(), rule.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::StateReason;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    #[test]
    fn what_is_written_counts_once_and_what_is_done_stays_while_its_event_is_seen() {
        let journal = Journal::default();
        journal.matched(at(10));
        journal.started("a-1", at(10));
        let written = journal.news();
        let status = written.added_to(&RuleStatus::default(), at(20));
        assert_eq!((status.matched, status.started), (1, 1));
        assert_eq!(status.invocations[0].task, "a-1");
        journal.matched(at(30));
        journal.started("a-2", at(30));
        journal.wrote(&written);
        let status = journal.news().added_to(&status, at(40));
        assert_eq!((status.matched, status.started), (2, 2));
        let names: Vec<&str> = status.invocations.iter().map(|it| &*it.task).collect();
        assert_eq!(names, ["a-2", "a-1"]);
        assert_eq!(status.last_match_time, Some(Time(at(30))));
        let later = News::default().added_to(&status, at(10 + 3721));
        assert_eq!(later.invocations.len(), 1);
        assert!(journal.is_done("a-1"));
        journal.tidy(at(10 + 3721));
        assert!(!journal.is_done("a-1") && journal.is_done("a-2"));
    }

    #[test]
    fn a_source_is_refused_once_and_not_more_than_can_be_remembered() {
        let journal = Journal::default();
        let reason = StatusReason::State(StateReason::NotAllowedByPolicy);
        journal.refused("shop.0", reason, "no".to_owned());
        assert_eq!(journal.untold().len(), 1);
        journal.refused("shop.0", reason, "no".to_owned());
        assert_eq!(journal.untold(), []);
        for number in 0..2 * REFUSED {
            journal.refused(&format!("shop.{number}"), reason, "no".to_owned());
        }
        assert_eq!(lock(&journal.told).refused.len(), REFUSED);
    }

    #[test]
    fn a_start_that_fails_waits_longer_each_time_and_is_told_once() {
        let journal = Journal::default();
        assert_eq!(journal.wait("a"), None);
        assert_eq!(journal.failed("a", RuleFailureStatus::default()), 1);
        let first = journal.wait("a").expect("it waits");
        for count in 2..20 {
            assert_eq!(journal.failed("a", RuleFailureStatus::default()), count);
        }
        let last = journal.wait("a").expect("it waits");
        assert!(first <= Duration::from_secs(2) && last > Duration::from_mins(1));
        assert!(last <= Duration::from_secs(64));
        let reason = StatusReason::State(StateReason::TargetInvocationFailed);
        journal.tell(reason, "one".to_owned());
        journal.tell(reason, "two".to_owned());
        assert_eq!(journal.untold(), [(reason, "one".to_owned())]);
        assert_eq!(journal.untold(), []);
        journal.given_up("a", at(0), RuleFailureStatus::default());
        assert!(journal.is_done("a") && !journal.is_tried("a"));
        assert_eq!(journal.news().failed, 1);
    }
}
