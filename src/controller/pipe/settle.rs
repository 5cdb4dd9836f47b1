//! What the poller does for messages whose tasks it waits for.

use std::{mem, time::Instant};

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::time::sleep_until;

use super::{
    held::{Held, Next},
    poller::Poller,
    tally::News,
};
use crate::{
    controller::{sqs::SqsFailure, status::whole_seconds},
    crd::EcsTask,
    diagnostic::StateReason,
    settings::MESSAGE_DELETED,
};

/// For how long a message is hidden if it is not known for how long its queue does, in seconds.
const UNKNOWN_TIMEOUT: i64 = 60;

impl Poller {
    /// Deletes the messages whose tasks have succeeded, lets those go whose tasks have failed, and hides the others for
    /// longer if it is time.
    ///
    /// # Errors
    ///
    /// Why SQS has not done what it was asked for. The rest is done the next time; what cannot be hidden keeps nothing from
    /// being deleted.
    pub(super) async fn settle(&mut self) -> Result<(), SqsFailure> {
        let namespace = self.work.pipe.namespace().unwrap_or_default();
        let mut running = Vec::new();
        let mut failure = None;
        for mut held in mem::take(&mut self.held) {
            match held.next(&self.cx, &namespace, Instant::now()) {
                Next::Wait | Next::Hide => running.push(held),
                Next::Release(why) => self.tell_failed(&held.id, why),
                // SQS does not answer, or refuses all of them.
                Next::Delete if failure.is_some() => running.push(held),
                Next::Delete => {
                    failure = self.delete(&held).await.err();
                    if failure.is_some() {
                        running.push(held);
                    }
                }
            }
        }
        self.held = running;
        self.hide().await?;
        failure.map_or(Ok(()), Err)
    }

    /// Deletes a message whose tasks have succeeded.
    async fn delete(&self, held: &Held) -> Result<(), SqsFailure> {
        let queue = &self.work.accepted.pipe.queue;
        match self.work.sqs.delete(queue, &held.receipt).await {
            Err(failure) if !failure.is_of_message => Err(failure),
            // It comes again, and finds its EcsTask.
            Err(_) => Ok(()),
            Ok(()) => {
                self.need_no_longer(&held.task).await;
                Ok(())
            }
        }
    }

    /// Records that an EcsTask is not needed any more to know that its message is done. Without that, it is kept for longer.
    async fn need_no_longer(&self, task: &str) {
        let namespace = self.work.pipe.namespace().unwrap_or_default();
        let api: Api<EcsTask> = Api::namespaced(self.cx.client.clone(), &namespace);
        let patch = json!({"metadata": {"labels": {MESSAGE_DELETED: "true"}}});
        let params = PatchParams::default();
        let written = api
            .patch_metadata(task, &params, &Patch::Merge(patch))
            .await;
        if let Err(error) = written {
            let error = error.to_string();
            tracing::debug!(error, namespace, task, "a task is kept for longer");
        }
    }

    /// Hides the messages for longer whose time it is.
    async fn hide(&mut self) -> Result<(), SqsFailure> {
        let timeout = self.timeout.map_or(UNKNOWN_TIMEOUT, |(timeout, _)| timeout);
        let mut failure = None;
        let mut gone = Vec::new();
        for held in &mut self.held {
            let now = Instant::now();
            if now < held.until() {
                continue;
            }
            let Some(seconds) = held.hidden_seconds(timeout, now) else {
                // It may come again, and is found then.
                held.hidden(None, now);
                continue;
            };
            let queue = &self.work.accepted.pipe.queue;
            match self.work.sqs.hide(queue, &held.receipt, seconds).await {
                Ok(()) => held.hidden(Some(seconds), now),
                Err(of_message) if of_message.is_of_message => gone.push(held.id.clone()),
                Err(other) => {
                    held.hidden(None, now);
                    failure = Some(other);
                    break;
                }
            }
        }
        self.held.retain(|held| !gone.contains(&held.id));
        failure.map_or(Ok(()), Err)
    }

    /// Holds messages that were received.
    pub(super) fn hold(&mut self, received: Vec<Held>) {
        // One that has come again has another receipt handle.
        self.held
            .retain(|held| !received.iter().any(|other| other.id == held.id));
        self.held.extend(received);
    }

    /// Waits until a task has changed, or something has to be done for a message; forever if there is none.
    pub(super) async fn unsettled(&self) {
        match self.held.iter().map(Held::until).min() {
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
