//! What the poller does for messages whose tasks it waits for.

use std::time::Instant;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use tokio::time::sleep_until;

use super::{
    held::{Next, hidden_seconds},
    poller::Poller,
    tally::News,
};
use crate::{
    controller::{sqs::SqsFailure, status::whole_seconds},
    diagnostic::StateReason,
};

impl Poller {
    /// Deletes the messages whose tasks have succeeded, lets those go whose tasks have failed, and hides the others for
    /// longer if it is time.
    ///
    /// # Errors
    ///
    /// Why SQS has not done what it was asked for. The rest is done the next time.
    pub(super) async fn settle(&mut self) -> Result<(), SqsFailure> {
        let namespace = self.work.pipe.namespace().unwrap_or_default();
        let mut index = 0;
        while let Some(held) = self.held.get(index).cloned() {
            let now = Instant::now();
            let queue = &self.work.accepted.pipe.queue;
            let asked = match held.next(&self.cx, &namespace, now) {
                Next::Wait => {
                    index += 1;
                    continue;
                }
                Next::Hide => {
                    let seconds = hidden_seconds(self.visibility_timeout().await?);
                    let queue = &self.work.accepted.pipe.queue;
                    let asked = self.work.sqs.hide(queue, &held.receipt, seconds).await;
                    if asked.is_ok()
                        && let Some(held) = self.held.get_mut(index)
                    {
                        held.hidden(seconds, now);
                        index += 1;
                        continue;
                    }
                    asked
                }
                Next::Delete => self.work.sqs.delete(queue, &held.receipt).await,
                Next::Release(why) => {
                    self.tell_failed(&held.id, why);
                    Ok(())
                }
            };
            match asked {
                Err(failure) if !failure.is_of_message => return Err(failure),
                // Either it is gone, or it comes again and finds its EcsTask.
                Ok(()) | Err(_) => self.held.swap_remove(index),
            };
        }
        Ok(())
    }

    /// Waits until a task has changed, or a message has to be hidden for longer; forever if there is none.
    pub(super) async fn unsettled(&self) {
        let until = self.held.iter().map(super::held::Held::until).min();
        match until {
            None => std::future::pending().await,
            Some(until) => tokio::select! {
                () = self.shared.changed.notified() => {}
                () = sleep_until(until.into()) => {}
            },
        }
    }

    fn tell_failed(&self, message: &str, why: String) {
        let reason = StateReason::PipeTaskFailed.into();
        let mut news = News::default();
        let now = whole_seconds(Timestamp::now());
        news.left(message, reason, why.clone(), now);
        self.shared.tally.add(news, vec![(reason, why)]);
        self.ask();
    }
}
