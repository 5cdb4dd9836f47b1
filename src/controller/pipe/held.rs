//! The messages whose tasks are waited for. They stay in their queue, invisible, until their tasks have ended; then those
//! are deleted whose tasks have succeeded, and SQS gives the others again.

use std::time::{Duration, Instant};

use kube::runtime::reflector::ObjectRef;

use crate::{
    controller::{
        context::Context,
        sqs::Received,
        started_task::{FAILED, SUCCEEDED, outcome, result},
    },
    crd::EcsTask,
};

/// The shortest time for which a message is hidden at a time, in seconds.
const LEAST: i64 = 60;
/// The longest time for which SQS hides a message
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>), in seconds.
const MOST: i64 = 12 * 60 * 60;
/// After how long an EcsTask that the cache does not have is gone.
const UNKNOWN: Duration = Duration::from_mins(2);

/// A message whose tasks have not ended, as far as is known. Its content is not needed any more.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) receipt: String,
    /// The name of its EcsTask.
    task: String,
    since: Instant,
    /// When it has to be hidden for longer.
    until: Instant,
}

/// What is to be done for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing yet.
    Wait,
    /// Its tasks take longer.
    Hide,
    /// Its tasks have succeeded.
    Delete,
    /// Its tasks have failed, for this reason, so that it comes again.
    Release(String),
}

/// Returns for how long a message is hidden at a time, in seconds: as long as its queue hides it, and at least a minute.
pub(super) fn hidden_seconds(visibility_timeout: i64) -> i64 {
    visibility_timeout.clamp(LEAST, MOST)
}

impl Held {
    /// Returns a message that was received now.
    pub(super) fn new(message: &Received, task: String, visibility_timeout: i64) -> Self {
        let now = Instant::now();
        Self {
            id: message.id().to_owned(),
            receipt: message.receipt().to_owned(),
            task,
            since: now,
            until: now + half(visibility_timeout),
        }
    }

    /// Records that it was hidden for some time.
    pub(super) fn hidden(&mut self, seconds: i64, now: Instant) {
        self.until = now + half(seconds);
    }

    /// Returns when it has to be hidden for longer.
    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    /// Returns what is to be done for it.
    pub(super) fn next(&self, cx: &Context, namespace: &str, now: Instant) -> Next {
        let task = ObjectRef::<EcsTask>::new(&self.task).within(namespace);
        let status = cx.tasks.store.get(&task).map(|task| cx.tasks.latest(&task));
        let Some(status) = status else {
            return if now.duration_since(self.since) < UNKNOWN {
                self.waits(now)
            } else {
                Next::Release("its EcsTask was deleted before it had ended".to_owned())
            };
        };
        match result(&status) {
            SUCCEEDED => Next::Delete,
            FAILED => {
                let why = outcome(&status, FAILED).unwrap_or("it has no reason");
                Next::Release(format!("the EcsTask {} has failed: {why}", self.task))
            }
            _ => self.waits(now),
        }
    }

    fn waits(&self, now: Instant) -> Next {
        if now < self.until {
            Next::Wait
        } else {
            Next::Hide
        }
    }
}

/// Returns when it is time to hide a message again that is hidden for some seconds.
fn half(seconds: i64) -> Duration {
    Duration::from_secs(seconds.unsigned_abs() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_hidden_for_longer_before_it_is_visible() {
        assert_eq!(hidden_seconds(0), 60);
        assert_eq!(hidden_seconds(300), 300);
        assert_eq!(hidden_seconds(i64::MAX), 43_200);
        let mut held = Held::new(&Received::default(), "task".to_owned(), 30);
        let now = Instant::now();
        assert_eq!(held.waits(now), Next::Wait);
        assert_eq!(held.waits(now + Duration::from_secs(15)), Next::Hide);
        held.hidden(60, now);
        assert_eq!(held.waits(now + Duration::from_secs(29)), Next::Wait);
        // SQS shows it at once otherwise.
        let held = Held::new(&Received::default(), "task".to_owned(), 0);
        assert_eq!(held.waits(Instant::now()), Next::Hide);
    }
}
