//! Blocks the writes of a replica that may no longer be the leader.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Returns the time since the machine started, including time in suspension, which `std::time::Instant` excludes on
/// Linux: a lease expires during that time as well.
#[must_use]
pub(crate) fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    // On all other systems this clock runs during suspension.
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// Whether this replica may write: from the start of a lease renewal until another replica may take over. A process
/// that was stopped for longer finds the fence closed, even before it has seen the other replica. Clones share one
/// fence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fence {
    /// In milliseconds since the machine started; 0 if it was never open.
    end: Arc<AtomicU64>,
}

impl Fence {
    /// Allows writes until a time by [`since_boot`].
    pub(crate) fn open_until(&self, end: Duration) {
        let end = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
        self.end.store(end, Ordering::SeqCst);
    }

    /// Blocks all writes.
    pub(crate) fn close(&self) {
        self.end.store(0, Ordering::SeqCst);
    }

    /// Whether a write may be sent now.
    #[must_use]
    pub(crate) fn is_open(&self) -> bool {
        since_boot().as_millis() < u128::from(self.end.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_open_for_its_time_only() {
        let fence = Fence::default();
        assert!(!fence.is_open(), "nobody leads at first");
        fence.open_until(since_boot() + Duration::from_mins(1));
        assert!(fence.clone().is_open());
        fence.open_until(since_boot());
        assert!(!fence.is_open());
        fence.open_until(since_boot() + Duration::from_mins(1));
        fence.clone().close();
        assert!(!fence.is_open());
    }
}
