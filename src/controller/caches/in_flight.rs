//! Requests in flight.
//!
//! The response to a request may arrive after a watch has reported that the object is gone. A cache that recorded such a
//! response would know an object that does not exist, and no later event would correct it.

use std::{collections::HashMap, hash::Hash};

/// The requests in flight, by what they are about.
#[derive(Debug)]
pub(crate) struct InFlight<K> {
    by_key: HashMap<K, Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    count: usize,
    /// Whether a watch has reported that an object is gone since the first of them began.
    lost: bool,
}

impl<K> Default for InFlight<K> {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
        }
    }
}

impl<K: Clone + Eq + Hash> InFlight<K> {
    /// Begins a request.
    pub(crate) fn begin(&mut self, key: &K) {
        self.by_key.entry(key.clone()).or_default().count += 1;
    }

    /// Ends a request.
    pub(crate) fn end(&mut self, key: &K) {
        if let Some(requests) = self.by_key.get_mut(key) {
            requests.count -= 1;
            if requests.count == 0 {
                self.by_key.remove(key);
            }
        }
    }

    /// Whether a response may be about an object that is gone.
    pub(crate) fn is_lost(&self, key: &K) -> bool {
        self.by_key.get(key).is_some_and(|requests| requests.lost)
    }

    /// Records that a watch has reported that an object is gone.
    pub(crate) fn lose(&mut self, key: &K) {
        if let Some(requests) = self.by_key.get_mut(key) {
            requests.lost = true;
        }
    }

    /// Records that a new list is complete: every object of which `is_listed` is true may be gone.
    pub(crate) fn lose_all(&mut self, is_listed: impl Fn(&K) -> bool) {
        // Which one comes first makes no difference.
        self.by_key.retain(|key, requests| {
            requests.lost |= is_listed(key);
            true
        });
    }
}
