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
const MOST: u64 = 12 * 60 * 60;
/// After how long an EcsTask that the cache does not have is gone.
const UNKNOWN: Duration = Duration::from_mins(2);
/// When to ask again what SQS has refused.
const AGAIN: Duration = Duration::from_secs(10);

/// A message whose tasks have not ended, as far as is known. Its content is not needed any more.
pub(super) struct Held {
    pub(super) id: String,
    pub(super) receipt: String,
    /// The name of its EcsTask.
    pub(super) task: String,
    /// When it was received.
    since: Instant,
    /// When something has to be done for it, if nothing happens before.
    until: Instant,
    /// What is to be done since its tasks have ended, also when their EcsTask is gone.
    ended: Option<Next>,
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

impl Held {
    /// Returns a message that was received at a time, with the visibility timeout of its queue in seconds.
    pub(super) fn new(message: &Received, task: String, (timeout, at): (i64, Instant)) -> Self {
        Self {
            id: message.id().to_owned(),
            receipt: message.receipt().to_owned(),
            task,
            since: at,
            until: at + half(timeout),
            ended: None,
        }
    }

    /// Returns for how long it can be hidden now, in seconds: as long as its queue hides it, and at least a minute; `None`
    /// if that is not possible any more.
    pub(super) fn hidden_seconds(&self, visibility_timeout: i64, now: Instant) -> Option<i64> {
        let passed = now.duration_since(self.since).as_secs();
        let left = i64::try_from(MOST.saturating_sub(passed)).unwrap_or(0);
        (left >= LEAST).then(|| visibility_timeout.clamp(LEAST, left))
    }

    /// Records that it was hidden for some seconds; `None` if it could not be.
    pub(super) fn hidden(&mut self, seconds: Option<i64>, now: Instant) {
        self.until = now + seconds.map_or(AGAIN, half);
    }

    /// Returns when something has to be done for it, if nothing happens before.
    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    /// Returns what is to be done for it.
    pub(super) fn next(&mut self, cx: &Context, namespace: &str, now: Instant) -> Next {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        let task = ObjectRef::<EcsTask>::new(&self.task).within(namespace);
        let status = cx.tasks.store.get(&task).map(|task| cx.tasks.latest(&task));
        let ended = match status {
            None if now.duration_since(self.since) < UNKNOWN => None,
            None => {
                let why = "its EcsTask was deleted before it had ended".to_owned();
                Some(Next::Release(why))
            }
            Some(status) => match result(&status) {
                SUCCEEDED => Some(Next::Delete),
                FAILED => {
                    let why = outcome(&status, FAILED).unwrap_or("it has no reason");
                    let why = format!("the EcsTask {} has failed: {why}", self.task);
                    Some(Next::Release(why))
                }
                _ => None,
            },
        };
        match ended {
            Some(ended) => self.ended.insert(ended).clone(),
            None if now < self.until => Next::Wait,
            None => Next::Hide,
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
        let now = Instant::now();
        let held = |timeout| Held::new(&Received::default(), "task".to_owned(), (timeout, now));
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(held(30).until(), after(15));
        // SQS shows it at once otherwise.
        assert_eq!(held(0).until(), now);
        let mut hidden = held(30);
        hidden.hidden(Some(60), now);
        assert_eq!(hidden.until(), after(30));
        hidden.hidden(None, now);
        assert_eq!(hidden.until(), after(10));
        for (timeout, passed, seconds) in [
            (0, 0, Some(60)),
            (300, 0, Some(300)),
            (i64::MAX, 0, Some(43_200)),
            (28_800, 14_400, Some(28_800)),
            (28_800, 28_800, Some(14_400)),
            (300, 43_000, Some(200)),
            (300, 43_150, None),
            (300, 50_000, None),
        ] {
            let found = held(30).hidden_seconds(timeout, after(passed));
            assert_eq!(found, seconds, "{timeout} {passed}");
        }
    }
}
