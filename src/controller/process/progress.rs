//! The progress of the reconciles, for the liveness check.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::decide::liveness;

/// The reconciles in progress. Clones share their state.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Mutex<State>>);

struct State {
    /// When each began, by number.
    running: BTreeMap<u64, Instant>,
    next: u64,
    /// When a reconcile last began or ended.
    last: Instant,
    /// Since when objects have been waiting, as far as a check has seen.
    waiting: Option<Instant>,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            running: BTreeMap::new(),
            next: 0,
            last: Instant::now(),
            waiting: None,
        })))
    }
}

impl Progress {
    fn state(&self) -> MutexGuard<'_, State> {
        // The data is consistent between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a reconcile begins. It ends when the returned value is dropped, for whatever reason.
    #[must_use]
    pub(crate) fn begin(&self) -> Running {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.last = Instant::now();
        state.running.insert(number, Instant::now());
        Running {
            progress: self.clone(),
            number,
        }
    }

    /// Returns the current progress, given the number of waiting objects.
    pub(crate) fn now(&self, leads: bool, waiting: usize) -> liveness::Progress {
        let mut state = self.state();
        if waiting == 0 {
            state.waiting = None;
        } else {
            state.waiting.get_or_insert_with(Instant::now);
        }
        liveness::Progress {
            leads,
            oldest: state.running.values().map(Instant::elapsed).max(),
            waiting: state.waiting.map(|since| since.elapsed()),
            last: state.last.elapsed(),
        }
    }
}

/// A reconcile in progress.
pub(crate) struct Running {
    progress: Progress,
    number: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.progress.state();
        state.running.remove(&self.number);
        state.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_begun_counts_until_it_ends() {
        let progress = Progress::default();
        assert_eq!(progress.now(true, 0).oldest, None);
        let (one, two) = (progress.begin(), progress.begin());
        drop(two);
        assert!(progress.now(true, 0).oldest.is_some());
        drop(one);
        assert_eq!(progress.now(true, 0).oldest, None);
    }

    #[test]
    fn waiting_begins_when_it_is_seen_and_ends_with_an_empty_queue() {
        let progress = Progress::default();
        assert_eq!(progress.now(true, 0).waiting, None);
        let first = progress.now(true, 3).waiting;
        let second = progress.now(true, 1).waiting;
        assert!(first.is_some() && second >= first);
        assert_eq!(progress.now(true, 0).waiting, None);
    }
}
