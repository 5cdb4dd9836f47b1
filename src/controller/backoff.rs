//! How long to wait before something that failed is tried again.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The wait after a first failure; each further one doubles it.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST: Duration = Duration::from_mins(5);

/// How many failures in a row a person should know of, even if the next try may succeed; that is after some 15 seconds.
const LASTING: u32 = 5;

/// How often an object has failed in a row.
#[derive(Default)]
struct Failures {
    count: u32,
    /// How long the API server has asked to wait, the last time.
    asked: Duration,
}

/// How often each object has failed in a row.
#[derive(Default)]
pub(super) struct Backoff {
    failures: Mutex<HashMap<String, Failures>>,
    random: RandomState,
}

impl Backoff {
    /// Records how long the API server asks to wait, before the failure itself is.
    pub(super) fn asked(&self, uid: &str, wait: Duration) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.entry(uid.to_owned()).or_default().asked = wait.min(LONGEST);
    }

    /// Records a failure and tells how long to wait: twice as long as last time, less up to a half at random, so that
    /// what failed together is not tried together; but not less than the API server has asked.
    #[must_use]
    pub(super) fn failed(&self, uid: &str) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let Failures { count, asked } = failures.entry(uid.to_owned()).or_default();
        *count = count.saturating_add(1);
        let wait = FIRST.saturating_mul(1 << (*count - 1).min(10)).min(LONGEST);
        let percent = self.random.hash_one((uid, *count)) % 50;
        // The remainder of a division by 50 fits.
        let share = f64::from(u8::try_from(percent).unwrap_or(0)) / 100.0;
        let asked = std::mem::take(asked);
        wait.mul_f64(1.0 - share).max(asked.mul_f64(1.0 + share))
    }

    /// Whether an object has failed so often in a row that this is not a passing trouble.
    #[must_use]
    pub(super) fn is_lasting(&self, uid: &str) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures
            .get(uid)
            .is_some_and(|failed| failed.count >= LASTING)
    }

    /// Whether the last try of an object has failed.
    #[must_use]
    pub(super) fn has_failed(&self, uid: &str) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.contains_key(uid)
    }

    /// Forgets the failures of an object that succeeded, or is gone.
    pub(super) fn succeeded(&self, uid: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_begin_anew_after_success() {
        let backoff = Backoff::default();
        let within = |wait: Duration, full: Duration| wait <= full && wait * 2 >= full;
        assert!(within(backoff.failed("a"), FIRST));
        assert!(within(backoff.failed("a"), FIRST * 2));
        assert!(within(backoff.failed("b"), FIRST));
        assert!(!backoff.is_lasting("a"));
        for _ in 0..40 {
            let _wait = backoff.failed("a");
        }
        assert!(within(backoff.failed("a"), LONGEST));
        assert!(backoff.is_lasting("a") && !backoff.is_lasting("b"));
        assert!(backoff.has_failed("a") && !backoff.has_failed("c"));
        backoff.succeeded("a");
        assert!(!backoff.has_failed("a"));
        assert!(!backoff.is_lasting("a"));
        assert!(within(backoff.failed("a"), FIRST));
    }

    #[test]
    fn an_api_server_that_asks_for_time_gets_it_once() {
        let backoff = Backoff::default();
        let asked = Duration::from_secs(20);
        backoff.asked("a", asked);
        assert!((asked..asked * 2).contains(&backoff.failed("a")));
        assert!(backoff.failed("a") <= FIRST * 2);
        backoff.asked("a", Duration::from_hours(9));
        assert!(backoff.failed("a") <= LONGEST * 2);
    }
}
