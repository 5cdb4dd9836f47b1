//! How the reconciles get on, for whoever asks whether the operator is alive.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::decide::liveness;

/// The reconciles that have begun and not ended. Clones are the same.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Mutex<State>>);

struct State {
    /// When each began, by number.
    running: BTreeMap<u64, Instant>,
    next: u64,
    /// When the last one began or ended.
    last: Instant,
    /// Since when there are some that wait, as far as anybody has asked.
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
        // It is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a reconcile begins. It ends when the value is dropped, in whatever way.
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

    /// How it is now, when so many objects wait.
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

/// A reconcile that has begun.
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
