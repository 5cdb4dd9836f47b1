//! The EcsTasks that the cache may not have yet.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::controller::context::lock;

/// After how long an EcsTask that the cache does not have was deleted before the cache had it.
const LONGEST: Duration = Duration::from_mins(2);

/// The names of EcsTasks that were created, and when.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<BTreeMap<String, Instant>>);

impl Recent {
    /// Records that an EcsTask was created.
    pub(super) fn add(&self, name: String) {
        lock(&self.0).insert(name, Instant::now());
    }

    /// Returns how many there are that are not known otherwise. The others are forgotten.
    pub(super) fn unknown(&self, is_known: impl Fn(&str) -> bool) -> usize {
        let mut names = lock(&self.0);
        names.retain(|name, created| created.elapsed() < LONGEST && !is_known(name));
        names.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_counts_before_the_cache_has_it_and_only_once() {
        let recent = Recent::default();
        recent.add("a".to_owned());
        recent.add("b".to_owned());
        assert_eq!(recent.unknown(|_| false), 2);
        assert_eq!(recent.unknown(|name| name == "a"), 1);
        // It has ended and is gone from the cache.
        assert_eq!(recent.unknown(|_| false), 1);
    }
}
