//! What keeps a replica from writing when it may not lead any more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The time since the machine started, with the time that it was suspended, which `std::time::Instant` leaves out on
/// Linux: a lease runs out during that as well.
#[must_use]
pub(crate) fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    // This clock goes on during suspension everywhere else.
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// Whether this replica may write: for as long after it began to renew the lease as no other one takes over. A process
/// that was stopped for longer finds the fence closed, before it has heard of the other one. Clones are the same fence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fence {
    /// In milliseconds since the machine started; 0 when it never was open.
    end: Arc<AtomicU64>,
}

impl Fence {
    /// Lets writes through until a time by [`since_boot`].
    pub(crate) fn open_until(&self, end: Duration) {
        let end = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
        self.end.store(end, Ordering::SeqCst);
    }

    /// Lets no write through any more.
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
