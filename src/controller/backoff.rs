//! Wait times before failed work is retried.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::Mutex,
    time::{Duration, Instant},
};

use foldhash::quality::FixedState;

use super::context::lock;

/// The wait after a first failure; each further one doubles it.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST: Duration = Duration::from_mins(5);

/// How many failures in a row are reported to the user, even if the next try may succeed; reached after some 15
/// seconds.
const LASTING: u32 = 5;

/// How often an object has failed in a row.
#[derive(Default)]
struct Failures {
    count: u32,
    /// How long the API server last asked to wait.
    asked: Duration,
    /// When work is due regardless of failures.
    due: Option<Duration>,
    /// Until when the last failure delays the next try. A change in the meantime triggers a try immediately, which says
    /// nothing about how long the trouble lasts.
    until: Option<Instant>,
}

/// How often each object has failed in a row.
#[derive(Default)]
pub(super) struct Backoff {
    failures: Mutex<HashMap<String, Failures>>,
    random: RandomState,
}

/// Returns the share of a period that is an object's own, always the same one: those that begin together do not go on
/// together.
pub(super) fn own_share(uid: &str, period: Duration) -> Duration {
    const PARTS: u64 = 1000;
    let digest = FixedState::with_seed(0).hash_one(uid);
    period * u32::try_from(digest % PARTS).unwrap_or(0) / 1000
}

impl Backoff {
    /// Records how long the API server asks to wait. Call it before recording the failure.
    pub(super) fn asked(&self, uid: &str, wait: Duration) {
        let mut failures = lock(&self.failures);
        failures.entry(uid.to_owned()).or_default().asked = wait.min(LONGEST);
    }

    /// Records that work is due after a time. Call it before recording the failure.
    pub(super) fn due(&self, uid: &str, wait: Duration) {
        let mut failures = lock(&self.failures);
        let due = &mut failures.entry(uid.to_owned()).or_default().due;
        *due = due.iter().copied().chain([wait]).min();
    }

    /// Records a failure and returns how long to wait: twice as long as last time, minus a random share of up to a
    /// half, so that what failed together is not retried together. The wait is at least what the API server asked for,
    /// and ends at the latest when work is due.
    #[must_use]
    pub(super) fn failed(&self, uid: &str) -> Duration {
        self.failed_at(uid, Instant::now())
    }

    fn failed_at(&self, uid: &str, now: Instant) -> Duration {
        let mut failures = lock(&self.failures);
        let Failures {
            count,
            asked,
            due,
            until,
        } = failures.entry(uid.to_owned()).or_default();
        if until.is_none_or(|until| until <= now) {
            *count = count.saturating_add(1);
        }
        let wait = FIRST.saturating_mul(1 << (*count - 1).min(10)).min(LONGEST);
        let percent = self.random.hash_one((uid, *count)) % 50;
        // A remainder of a division by 50 fits.
        let share = f64::from(u8::try_from(percent).unwrap_or(0)) / 100.0;
        let asked = std::mem::take(asked);
        let wait = wait.mul_f64(1.0 - share).max(asked.mul_f64(1.0 + share));
        if until.is_none_or(|until| until <= now) {
            *until = now.checked_add(wait);
        }
        due.take().map_or(wait, |due| due.min(wait))
    }

    /// Whether an object has failed so often in a row that the trouble is not transient.
    #[must_use]
    pub(super) fn is_lasting(&self, uid: &str) -> bool {
        let failures = lock(&self.failures);
        failures
            .get(uid)
            .is_some_and(|failed| failed.count >= LASTING)
    }

    /// Whether the last try of an object failed.
    #[must_use]
    pub(super) fn has_failed(&self, uid: &str) -> bool {
        let failures = lock(&self.failures);
        failures.get(uid).is_some_and(|failed| failed.count > 0)
    }

    /// Forgets the failures of an object that succeeded or is gone.
    pub(super) fn succeeded(&self, uid: &str) {
        let mut failures = lock(&self.failures);
        failures.remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records this many failures, each after the wait that the previous one returned. Returns the last wait.
    fn fail(backoff: &Backoff, uid: &str, times: usize) -> Duration {
        let mut now = Instant::now();
        let mut wait = Duration::ZERO;
        for _ in 0..times {
            wait = backoff.failed_at(uid, now);
            now += wait;
        }
        // The next failures come later than all of these.
        let mut failures = lock(&backoff.failures);
        failures.get_mut(uid).expect("it has failed").until = None;
        wait
    }

    fn within(wait: Duration, full: Duration) -> bool {
        wait <= full && wait * 2 >= full
    }

    #[test]
    fn waits_grow_to_a_limit_and_begin_anew_after_success() {
        let backoff = Backoff::default();
        assert!(within(fail(&backoff, "a", 1), FIRST));
        assert!(within(fail(&backoff, "a", 1), FIRST * 2));
        assert!(within(fail(&backoff, "b", 1), FIRST));
        assert!(!backoff.is_lasting("a"));
        assert!(within(fail(&backoff, "a", 40), LONGEST));
        assert!(backoff.is_lasting("a") && !backoff.is_lasting("b"));
        assert!(backoff.has_failed("a") && !backoff.has_failed("c"));
        backoff.succeeded("a");
        assert!(!backoff.has_failed("a"));
        assert!(!backoff.is_lasting("a"));
        assert!(within(fail(&backoff, "a", 1), FIRST));
    }

    #[test]
    fn what_is_tried_early_again_and_again_has_not_failed_for_longer() {
        let backoff = Backoff::default();
        let now = Instant::now();
        for _ in 0..40 {
            assert!(within(backoff.failed_at("a", now), FIRST));
        }
        assert!(!backoff.is_lasting("a"));
        assert!(within(backoff.failed_at("a", now + FIRST), FIRST * 2));
    }

    #[test]
    fn an_api_server_that_asks_for_time_gets_it_once() {
        let backoff = Backoff::default();
        let asked = Duration::from_secs(20);
        backoff.asked("a", asked);
        assert!((asked..asked * 2).contains(&fail(&backoff, "a", 1)));
        assert!(fail(&backoff, "a", 1) <= FIRST * 2);
        backoff.asked("a", Duration::from_hours(9));
        assert!(fail(&backoff, "a", 1) <= LONGEST * 2);
    }

    #[test]
    fn what_is_due_does_not_wait_because_of_a_failure() {
        let backoff = Backoff::default();
        fail(&backoff, "a", 40);
        backoff.due("a", Duration::from_secs(1));
        assert_eq!(backoff.failed("a"), Duration::from_secs(1));
        assert!(within(backoff.failed("a"), LONGEST), "only once");
    }
}
