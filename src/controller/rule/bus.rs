//! The queue to which rules in AWS send the events of a bus, for all EcsRules of the cluster.
//!
//! The body of a message is an event as EventBridge sends it to a queue. It is deleted when each rule that it matches has
//! started its tasks, or never will; otherwise it comes again, and what it has started is found by its name. What is no
//! event stays, and goes where the queue sends it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, stream};
use k8s_openapi::jiff::Timestamp;
use kube::{ResourceExt as _, runtime::reflector::ObjectRef};
use serde_json::Value;
use tokio::{sync::watch as signal, time::sleep};

use super::{
    fetch::read,
    happened::Happened,
    start::{Later, Work},
    status::since_of,
};
use crate::{
    controller::{
        context::Context,
        permitted::{NotPermitted, event_source_permitted},
        sqs::{Received, Sqs, SqsFailure},
        status::whole_seconds,
    },
    crd::EcsRule,
    decide::{ecs_events::Event, start::is_for},
    validate::Queue,
};

/// How many events are received at once.
const MOST: usize = 10;
/// The longest wait after failures, as a power of two in seconds.
const LONGEST: u32 = 6;

/// Receives events until the operator ends or does not lead any more, if it has a queue of them.
pub(in crate::controller) async fn follow_bus(cx: &Arc<Context>, stopped: signal::Receiver<bool>) {
    let (Some(sqs), Some(queue)) = (&cx.sqs, &cx.event_queue) else {
        return;
    };
    let bus = Bus {
        cx,
        sqs,
        queue,
        is_silent: AtomicBool::new(false),
    };
    let mut failures = 0;
    while !*stopped.borrow() {
        let turn = tokio::select! {
            // What SQS has sent meanwhile comes again.
            () = ended(stopped.clone()) => return,
            messages = sqs.receive(queue, bus.most(failures)) => messages,
        };
        let fails = match turn {
            Ok(messages) => bus.batch(messages).await,
            Err(failure) => Err(failure),
        };
        bus.tell(&fails);
        if matches!(fails, Ok(false)) {
            failures = 0;
            continue;
        }
        failures = (failures + 1).min(LONGEST);
        tokio::select! {
            () = ended(stopped.clone()) => return,
            () = sleep(Duration::from_secs(1 << failures)) => {}
        }
    }
}

async fn ended(mut stopped: signal::Receiver<bool>) {
    let _sender_gone = stopped.wait_for(|stopped| *stopped).await;
}

struct Bus<'b> {
    cx: &'b Arc<Context>,
    sqs: &'b Sqs,
    queue: &'b Queue,
    /// Whether it has been said that the queue cannot be read.
    is_silent: AtomicBool,
}

impl Bus<'_> {
    /// Returns how many events to receive: of a FIFO queue one, because those behind one that fails count as received too,
    /// and after a failure one, because each one that is received counts for the redrive policy.
    const fn most(&self, failures: u32) -> usize {
        if self.queue.is_fifo || failures > 0 {
            1
        } else {
            MOST
        }
    }

    /// Does what is to be done for the messages of an answer. Returns whether all of them stay in the queue.
    ///
    /// # Errors
    ///
    /// Why a message that is done could not be deleted.
    async fn batch(&self, messages: Vec<Received>) -> Result<bool, SqsFailure> {
        if messages.is_empty() {
            return Ok(false);
        }
        let at_once = messages.len();
        let done: Vec<Result<bool, SqsFailure>> = stream::iter(messages)
            .map(|message| self.message(message))
            .buffer_unordered(at_once)
            .collect()
            .await;
        let mut stay = true;
        for one in done {
            stay &= !one?;
        }
        Ok(stay)
    }

    /// Does what is to be done for a message, and deletes it unless it has to stay. Returns whether it is deleted.
    async fn message(&self, message: Received) -> Result<bool, SqsFailure> {
        let now = whole_seconds(Timestamp::now());
        let Some(event) = message.with(|message| event(message.body, message.attributes, now))
        else {
            let message = message.id();
            tracing::warn!(message, "a message of the queue of events is no event");
            return Ok(false);
        };
        let happened = Happened {
            event,
            by: None,
            depth: 0,
        };
        let mut rules = self.cx.rules.store.state();
        rules.sort_by_key(|rule| (rule.namespace(), rule.name_any()));
        let mut is_done = true;
        for rule in rules {
            is_done &= self.route(&rule, &happened, now).await;
        }
        if !is_done {
            return Ok(false);
        }
        match self.sqs.delete(self.queue, message.receipt()).await {
            Err(failure) if !failure.is_of_message => Err(failure),
            // With a handle that is not valid any more, it comes again, and what it has started is found.
            Ok(()) | Err(_) => Ok(true),
        }
    }

    /// Starts what a rule asks for. Returns whether that is done.
    async fn route(&self, rule: &Arc<EcsRule>, happened: &Happened, now: Timestamp) -> bool {
        if rule.metadata.deletion_timestamp.is_some() {
            return true;
        }
        // A rule that is rejected starts nothing, and says so in its status.
        let Ok(accepted) = read(rule, true) else {
            return true;
        };
        if !is_for(&accepted.rule, &happened.event.value) {
            return true;
        }
        let before = self.cx.rules.latest(rule);
        let since = since_of(rule, &before, &accepted, now);
        if since.is_none_or(|since| happened.event.time <= since) {
            return true;
        }
        let source = happened.event.value.get("source").and_then(Value::as_str);
        let source = source.unwrap_or_default();
        let namespace = rule.namespace().unwrap_or_default();
        let journal = self.cx.journals.of(rule);
        match event_source_permitted(self.cx, &namespace, &rule.spec, source) {
            Ok(()) => {}
            Err(NotPermitted::NotYet) => return false,
            Err(NotPermitted::Refused(refusal)) => {
                journal.refused(source, refusal.reason, refusal.message);
                self.ask(rule);
                return true;
            }
        }
        let work = Work {
            cx: self.cx,
            rule,
            accepted: &accepted,
            before: &before,
            journal: &journal,
            now,
        };
        let later = work.handle(happened).await;
        self.ask(rule);
        matches!(later, Later::Never)
    }

    /// Has the status of a rule written.
    fn ask(&self, rule: &Arc<EcsRule>) {
        self.cx.ask(ObjectRef::from_obj(&**rule));
    }

    /// Tells the log when the queue cannot be read any more, or can be again.
    fn tell(&self, turn: &Result<bool, SqsFailure>) {
        let queue = &self.queue.arn;
        match turn {
            Err(SqsFailure { why, detail, .. }) => {
                if !self.is_silent.swap(true, Ordering::Relaxed) {
                    tracing::warn!(why, detail, queue, "the queue of events cannot be read");
                }
            }
            Ok(_) => {
                if self.is_silent.swap(false, Ordering::Relaxed) {
                    tracing::info!(queue, "the queue of events can be read again");
                }
            }
        }
    }
}

/// Returns the event that a message has, as of when the message was sent; `None` if it is none.
fn event(body: &str, attributes: &[(&str, &str)], now: Timestamp) -> Option<Event> {
    let value: Value = serde_json::from_str(body).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let id = text("id").filter(|id| !id.is_empty())?.to_owned();
    text("source")?;
    text("detail-type")?;
    value.get("detail")?.as_object()?;
    let mut attributes = attributes.iter();
    let sent = attributes.find(|(name, _)| *name == "SentTimestamp");
    let sent = sent.and_then(|(_, sent)| sent.parse().ok());
    let sent = sent.and_then(|sent| Timestamp::from_millisecond(sent).ok());
    let time = sent.map_or(now, whole_seconds);
    Some(Event { id, time, value })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_an_event_or_stays() {
        let now = Timestamp::from_second(100).expect("it is in range");
        let whole = json!({
            "version": "0", "id": "e1", "source": "aws.s3", "detail-type": "Object Created",
            "time": "1970-01-01T00:00:01Z", "detail": {"bucket": {"name": "in"}},
        });
        let read = event(&whole.to_string(), &[("SentTimestamp", "42999")], now);
        let read = read.expect("it is an event");
        // Whoever puts an event on a bus chooses its time.
        assert_eq!((&*read.id, read.time.as_second()), ("e1", 42));
        assert_eq!(read.value, whole);
        let unknown = event(&whole.to_string(), &[], now).expect("it is an event");
        assert_eq!(unknown.time, now);
        for member in ["id", "source", "detail-type", "detail"] {
            let mut broken = whole.clone();
            broken[member] = json!(7);
            assert_eq!(event(&broken.to_string(), &[], now), None, "{member}");
        }
        for body in ["", "[]", "7", "{", "null"] {
            assert_eq!(event(body, &[], now), None, "{body}");
        }
    }
}
