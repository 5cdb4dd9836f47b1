//! The loop that receives the messages of a queue.

use std::{
    mem,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use k8s_openapi::jiff::Timestamp;
use kube::{ResourceExt as _, runtime::reflector::ObjectRef};
use tokio::{
    sync::{Notify, watch as signal},
    task::JoinHandle,
    time::{sleep, sleep_until},
};

use super::{
    fetch::{Accepted, own_tasks},
    held::Held,
    message::{Fate, handle},
    recent::Recent,
    tally::{News, Tally},
};
use crate::{
    controller::{
        context::{Context, lock},
        sqs::{Received, Sqs, SqsFailure},
        status::whole_seconds,
    },
    crd::{EcsPipe, EcsTask, PipeExtensions},
    diagnostic::StatusReason,
    settings::PIPE_MESSAGE,
};

/// How often the visibility timeout of a queue is asked for.
const SETTLED: Duration = Duration::from_mins(10);
/// How often to count the tasks that run, in case that a change of one is missed.
const COUNTED: Duration = Duration::from_secs(10);
/// The longest wait after failures, as a power of two in seconds.
const LONGEST: u32 = 6;

/// A pipe to run.
pub(super) struct Work {
    pub(super) sqs: Arc<Sqs>,
    pub(super) pipe: Arc<EcsPipe>,
    pub(super) accepted: Accepted,
}

/// What a poller has in common with those of the same pipe before and after it.
#[derive(Clone, Default)]
pub(super) struct Shared {
    pub(super) tally: Arc<Tally>,
    /// Notified when a task of the pipe changes.
    pub(super) changed: Arc<Notify>,
    pub(super) recent: Arc<Recent>,
    /// The messages that the last poller has held, and the ARN of their queue.
    held: Arc<Mutex<(String, Vec<Held>)>>,
}

pub(super) struct Poller {
    pub(super) cx: Arc<Context>,
    pub(super) work: Work,
    pub(super) shared: Shared,
    stopped: signal::Receiver<bool>,
    /// The messages that are done and could not be deleted. Nothing is received before they are: a message that comes
    /// again and again would start tasks once more when its EcsTask is gone.
    undeleted: Vec<Received>,
    /// The messages whose tasks are waited for.
    pub(super) held: Vec<Held>,
    /// The visibility timeout of the queue in seconds, and when it was asked for.
    pub(super) timeout: Option<(i64, Instant)>,
    /// How many turns in a row have failed.
    failures: u32,
}

/// What has become of the messages of one answer.
#[derive(Default)]
struct Outcome {
    news: News,
    reasons: Vec<(StatusReason, String)>,
    undeleted: Vec<Received>,
    held: Vec<Held>,
    failure: Option<SqsFailure>,
    /// Whether something failed that may do so for each message.
    fails: bool,
}

/// Receives messages until it is asked to end, and then ends when those that it is at are done. `before` is the poller
/// whose place it takes.
pub(super) async fn run(
    cx: Arc<Context>,
    work: Work,
    shared: Shared,
    stopped: signal::Receiver<bool>,
    before: Option<JoinHandle<()>>,
) {
    if let Some(before) = before {
        // Together they would start more tasks than may run.
        let _ended = before.await;
    }
    let queue = work.accepted.pipe.queue.arn.clone();
    let held = mem::take(&mut *lock(&shared.held));
    let held = if held.0 == queue { held.1 } else { Vec::new() };
    let mut poller = Poller {
        cx,
        work,
        shared,
        stopped,
        undeleted: Vec::new(),
        held,
        timeout: None,
        failures: 0,
    };
    while !poller.is_stopped() {
        let (problem, fails) = match Box::pin(poller.turn()).await {
            Ok(fails) => (None, fails),
            Err(failure) => (Some(failure), true),
        };
        poller.tell(problem);
        if fails {
            poller.failures = (poller.failures + 1).min(LONGEST);
            let wait = Duration::from_secs(1 << poller.failures);
            poller.pause(wait).await;
        } else {
            poller.failures = 0;
        }
    }
    *lock(&poller.shared.held) = (queue, mem::take(&mut poller.held));
}

impl Poller {
    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Receives messages and does what is to be done for them. Returns whether nothing could be done for any.
    ///
    /// # Errors
    ///
    /// Why SQS has not done what it was asked for.
    async fn turn(&mut self) -> Result<bool, SqsFailure> {
        self.delete_again().await?;
        let timeout = self.visibility_timeout().await?;
        let Some(most) = self.room().await? else {
            return Ok(false);
        };
        let (sqs, queue) = (self.work.sqs.clone(), self.work.accepted.pipe.queue.clone());
        let mut received = Box::pin(sqs.receive(&queue, most));
        let mut failure = None;
        let messages = loop {
            tokio::select! {
                // What SQS has sent meanwhile comes again.
                () = ended(self.stopped.clone()) => return Ok(false),
                messages = &mut received => break messages?,
                // What is being received is not dropped because of it.
                () = self.unsettled(), if failure.is_none() => failure = self.settle().await.err(),
            }
        };
        let at = Instant::now();
        if messages.is_empty() {
            return failure.map_or(Ok(false), Err);
        }
        let outcome = self.batch(messages, (timeout, at)).await;
        self.undeleted = outcome.undeleted;
        self.hold(outcome.held);
        let has_done = outcome.news.started + outcome.news.filtered > 0;
        self.shared.tally.add(outcome.news, outcome.reasons);
        self.ask();
        match outcome.failure.or(failure) {
            Some(failure) => Err(failure),
            None => Ok(outcome.fails && !has_done),
        }
    }

    async fn delete_again(&mut self) -> Result<(), SqsFailure> {
        let queue = &self.work.accepted.pipe.queue;
        while let Some(message) = self.undeleted.last() {
            match self.work.sqs.delete(queue, message.receipt()).await {
                Err(failure) if !failure.is_of_message => return Err(failure),
                // Either it is gone, or it comes again and finds its EcsTask.
                Ok(()) | Err(_) => self.undeleted.pop(),
            };
        }
        Ok(())
    }

    pub(super) async fn visibility_timeout(&mut self) -> Result<i64, SqsFailure> {
        if let Some((timeout, asked)) = self.timeout
            && asked.elapsed() < SETTLED
        {
            return Ok(timeout);
        }
        let queue = &self.work.accepted.pipe.queue;
        let timeout = self.work.sqs.visibility_timeout(queue).await?;
        self.timeout = Some((timeout, Instant::now()));
        Ok(timeout)
    }

    /// Waits until messages may be received, and returns how many; `None` if it is to end.
    ///
    /// # Errors
    ///
    /// Why SQS has not done what it was asked for meanwhile.
    async fn room(&mut self) -> Result<Option<usize>, SqsFailure> {
        while !self.is_stopped() {
            self.settle().await?;
            let left = self.left();
            if left > 0 {
                return Ok(Some(left));
            }
            tokio::select! {
                () = ended(self.stopped.clone()) => {}
                () = self.shared.changed.notified() => {}
                () = self.unsettled() => {}
                () = sleep(COUNTED) => {}
            }
        }
        Ok(None)
    }

    /// Returns how many messages may be received now.
    fn left(&self) -> usize {
        let extensions = &self.work.accepted.extensions;
        let count = |number: i64| usize::try_from(number).unwrap_or(1);
        let in_flight = extensions.max_in_flight;
        let in_flight = count(in_flight.unwrap_or(PipeExtensions::MOST_IN_FLIGHT));
        // Those behind one that fails would count as received too, and be moved with it. SQS gives no other of its group
        // until it is deleted. And each message that is received counts for the redrive policy.
        let is_careful = self.work.accepted.pipe.queue.is_fifo || self.failures > 0;
        let at_once = if is_careful { 1 } else { in_flight };
        let most = extensions.max_running_tasks.map(count);
        if !self.counts_tasks() {
            return at_once;
        }
        let mut left = at_once;
        if extensions.waits_for_task() {
            // Also those of messages that an operator before this one has held.
            let waited_for = self.running(|task| task.labels().contains_key(PIPE_MESSAGE));
            left = left.min(in_flight.saturating_sub(waited_for.max(self.held.len())));
        }
        most.map_or(left, |most| {
            left.min(most.saturating_sub(self.running(|_| true)))
        })
    }

    /// Whether tasks that run keep messages from being received.
    fn counts_tasks(&self) -> bool {
        let extensions = &self.work.accepted.extensions;
        extensions.max_running_tasks.is_some() || extensions.waits_for_task()
    }

    /// Returns how many EcsTasks of the pipe have not ended, of those that count.
    fn running(&self, counts: impl Fn(&EcsTask) -> bool) -> usize {
        let tasks = own_tasks(&self.cx, &self.work.pipe);
        let not_ended = tasks
            .iter()
            .filter(|task| counts(task) && self.cx.tasks.latest(task).stopped_at.is_none())
            .count();
        let is_known = |name: &str| tasks.iter().any(|task| task.name_any() == name);
        not_ended + self.shared.recent.unknown(is_known)
    }

    /// Does what is to be done for the messages of an answer.
    async fn batch(&self, messages: Vec<Received>, received: (i64, Instant)) -> Outcome {
        let now = whole_seconds(Timestamp::now());
        let (count, at_once) = (i64::try_from(messages.len()).unwrap_or(0), messages.len());
        let outcomes: Vec<Outcome> = stream::iter(messages)
            .map(|message| self.message(message, received, now))
            .buffer_unordered(at_once)
            .collect()
            .await;
        let mut all = Outcome::default();
        all.news.received = count;
        all.news.last = Some(now);
        for outcome in outcomes {
            all.news.add(outcome.news);
            all.reasons.extend(outcome.reasons);
            all.undeleted.extend(outcome.undeleted);
            all.held.extend(outcome.held);
            all.failure = all.failure.or(outcome.failure);
            all.fails |= outcome.fails;
        }
        all
    }

    /// Does what is to be done for a message, and deletes it unless it has to stay in the queue.
    async fn message(
        &self,
        message: Received,
        received: (i64, Instant),
        now: Timestamp,
    ) -> Outcome {
        let (timeout, _) = received;
        let mut outcome = Outcome::default();
        if self.is_stopped() {
            return outcome;
        }
        match handle(&self.cx, &self.work, &message, timeout, now).await {
            Fate::Started(name) => {
                if self.counts_tasks() {
                    self.shared.recent.add(name);
                }
                outcome.news.started = 1;
            }
            Fate::Waits { task, is_new } => {
                if is_new {
                    self.shared.recent.add(task.clone());
                }
                outcome.news.started = i64::from(is_new);
                outcome.held.push(Held::new(&message, task, received));
                return outcome;
            }
            Fate::Known => {}
            Fate::Filtered => outcome.news.filtered = 1,
            Fate::Left { reason, why, fails } => {
                outcome.fails = fails;
                outcome.news.left(message.id(), reason, why.clone(), now);
                outcome.reasons.push((reason, why));
                return outcome;
            }
        }
        let queue = &self.work.accepted.pipe.queue;
        let deleted = self.work.sqs.delete(queue, message.receipt()).await;
        let is_refused = deleted.is_err();
        // With a handle that is not valid any more, it comes again and finds its EcsTask.
        if let Err(failure) = deleted
            && !failure.is_of_message
        {
            outcome.failure = Some(failure);
            outcome.undeleted.push(message);
        } else if timeout == 0 {
            // It is visible at once.
            outcome.fails = is_refused;
        }
        outcome
    }

    /// Tells the reconcile and the log when the queue cannot be read any more, or can be again.
    fn tell(&self, problem: Option<SqsFailure>) {
        let why = problem.as_ref().map(|problem| problem.why.clone());
        if !self.shared.tally.is_unavailable(why) {
            return;
        }
        let pipe = self.work.pipe.name_any();
        let namespace = self.work.pipe.namespace().unwrap_or_default();
        match problem {
            Some(SqsFailure { why, detail, .. }) => {
                tracing::warn!(why, detail, namespace, pipe, "a queue cannot be read");
            }
            None => tracing::info!(namespace, pipe, "a queue can be read again"),
        }
        self.ask();
    }

    pub(super) fn ask(&self) {
        self.cx
            .ask::<EcsPipe>(ObjectRef::from_obj(&*self.work.pipe));
    }

    async fn pause(&mut self, wait: Duration) {
        let end = tokio::time::Instant::now() + wait;
        loop {
            tokio::select! {
                () = ended(self.stopped.clone()) => return,
                () = sleep_until(end) => return,
                () = self.unsettled() => {
                    // It has been told that SQS does not do what it is asked for, and what fails is tried again later.
                    let _failure = self.settle().await;
                }
            }
        }
    }
}

async fn ended(mut stopped: signal::Receiver<bool>) {
    let _sender_gone = stopped.wait_for(|stopped| *stopped).await;
}
