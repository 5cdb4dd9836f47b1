//! The queue to which rules in AWS send the events of a bus, for all EcsRules of the cluster.
//!
//! The body of a message is an event as EventBridge sends it to a queue. It is deleted when each rule that it matches has
//! started its tasks, or never will; otherwise it comes again, and what it has started is found by its name. What is no
//! event stays, and goes where the queue sends it. Nothing is received before all rules are known, because what no rule
//! wants is deleted.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use k8s_openapi::jiff::Timestamp;
use kube::{ResourceExt as _, runtime::reflector::ObjectRef};
use serde_json::Value;
use tokio::{sync::watch as signal, time::sleep};

use super::{
    RULES,
    fetch::read,
    happened::Happened,
    start::{Later, Work},
    status::since_of,
};
use crate::{
    controller::{
        caches::catch_up::CatchUp,
        context::{Context, lock},
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
/// The shortest wait between two tries.
const SHORTEST: Duration = Duration::from_secs(1);

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
        is_blind: AtomicBool::new(false),
        stayed: Stayed::default(),
    };
    let mut failures = 0;
    while !*stopped.borrow() {
        let wait = if bus.knows_rules() {
            let turn = tokio::select! {
                // What SQS has sent meanwhile comes again.
                () = ended(stopped.clone()) => return,
                messages = sqs.receive(queue, bus.most(failures)) => messages,
            };
            let turn = match turn {
                Ok(messages) => bus.batch(messages).await,
                Err(failure) => Err(failure),
            };
            bus.tell(&turn);
            if let Ok(again) = turn {
                failures = 0;
                again.then_some(SHORTEST)
            } else {
                failures = (failures + 1).min(LONGEST);
                Some(Duration::from_secs(1 << failures))
            }
        } else {
            Some(SHORTEST)
        };
        let Some(wait) = wait else {
            continue;
        };
        tokio::select! {
            () = ended(stopped.clone()) => return,
            () = sleep(wait) => {}
        }
    }
}

/// Whether all rules are known, so that an event that none of them wants can be deleted.
fn knows_rules(catch_up: &CatchUp) -> bool {
    catch_up.is_filled(&RULES)
}

/// The messages that have stayed in the queue, and when. One that comes again sooner than its tasks could be tried again
/// comes from a queue that does not hide it.
#[derive(Debug, Default)]
struct Stayed(Mutex<BTreeMap<String, Instant>>);

impl Stayed {
    /// Records a message that stays. Returns whether it has come again at once.
    fn again(&self, message: &str, now: Instant) -> bool {
        let mut stayed = lock(&self.0);
        stayed.retain(|_, at| now.saturating_duration_since(*at) < SHORTEST);
        stayed.insert(message.to_owned(), now).is_some()
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
    /// Whether it has been said that the rules are not known.
    is_blind: AtomicBool,
    stayed: Stayed,
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

    /// Whether all rules are known. Tells the log when they are not, and when they are again.
    fn knows_rules(&self) -> bool {
        let knows = knows_rules(&self.cx.catch_up);
        let queue = &self.queue.arn;
        if !knows && !self.is_blind.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                queue,
                "the queue of events is not read, because the EcsRules cannot be listed yet"
            );
        }
        if knows && self.is_blind.swap(false, Ordering::Relaxed) {
            tracing::info!(
                queue,
                "the EcsRules are known, and the queue of events is read"
            );
        }
        knows
    }

    /// Does what is to be done for the messages of an answer. Returns whether one of them comes again at once. What else
    /// stays in the queue is hidden there for a while, and nobody else has to wait for it.
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
            .map(async |message| {
                let id = message.id().to_owned();
                let is_deleted = self.message(message).await?;
                Ok(!is_deleted && self.stayed.again(&id, Instant::now()))
            })
            .buffer_unordered(at_once)
            .collect()
            .await;
        let mut again = false;
        for one in done {
            again |= one?;
        }
        Ok(again)
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
            is_last: true,
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
            Err(NotPermitted::NotYet) => return !is_for(&accepted.rule, &happened.event.value),
            Err(NotPermitted::Refused(refusal)) => {
                // Whether its pattern matches would tell what is in an event that it may not see.
                if accepted.names_source(source) {
                    journal.refused(source, refusal.reason, refusal.message);
                    self.ask(rule);
                }
                return true;
            }
        }
        if !is_for(&accepted.rule, &happened.event.value) {
            return true;
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
    // No clock is ahead of ours.
    let time = sent.map_or(now, whole_seconds).min(now);
    Some(Event { id, time, value })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::controller::caches::catch_up::Refused;

    #[test]
    fn nothing_is_received_while_rules_are_not_known() {
        let catch_up = CatchUp::default();
        assert!(!knows_rules(&catch_up), "nobody watches them");
        let mut rules = catch_up.register(Some(&RULES));
        assert!(!knows_rules(&catch_up), "they are being listed");
        for why in [Refused::Forbidden, Refused::Absent] {
            rules.refused(why);
            assert!(!knows_rules(&catch_up), "{why:?}");
        }
        let term = rules.term();
        rules.filled(term);
        assert!(knows_rules(&catch_up));
        catch_up.begin_term();
        assert!(!knows_rules(&catch_up), "another operator led meanwhile");
    }

    #[test]
    fn only_a_message_that_is_not_hidden_holds_others_up() {
        let (stayed, now) = (Stayed::default(), Instant::now());
        let after = |milliseconds| now + Duration::from_millis(milliseconds);
        assert!(!stayed.again("a", now));
        assert!(!stayed.again("b", after(10)));
        assert!(stayed.again("a", after(20)), "its timeout is 0");
        assert!(!stayed.again("a", after(30_020)), "it was hidden");
        assert_eq!(lock(&stayed.0).len(), 1, "others are forgotten");
    }

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
        let ahead = event(&whole.to_string(), &[("SentTimestamp", "102000")], now);
        assert_eq!(ahead.expect("it is an event").time, now);
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
