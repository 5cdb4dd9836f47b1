//! What is sent to the dead-letter queue of a schedule or a target when a start is given up.
//!
//! It is sent before it is recorded that the start is given up, so an operator that ends in between sends it once more.
//! What SQS does not take within a few seconds is reported as an event and never sent: nothing else waits for it.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use kube::{Resource, ResourceExt as _};

use super::{
    context::{Context, lock},
    permitted::{NotPermitted, queue_permitted},
};
use crate::{
    crd::{Spec, WarningStatus},
    diagnostic::{Reason, StateReason, Subject},
    validate::Queue,
};

/// For how long nothing is sent to a queue after it has not taken something: many starts may fail together.
const REST: Duration = Duration::from_secs(30);
/// How many characters of an error are sent.
const LONGEST_ERROR: usize = 1024;

/// Whose start is given up.
pub(super) struct Giver<'g> {
    /// What its spec is one of.
    pub(super) subject: Subject,
    /// Its spec, which names the queue.
    pub(super) spec: &'g Spec,
    /// The queue.
    pub(super) queue: &'g str,
}

/// Why a start is given up.
pub(super) struct GivenUp<'g> {
    /// The name of the reason.
    pub(super) code: &'g str,
    /// The reason in words.
    pub(super) message: &'g str,
    /// How often it was tried again.
    pub(super) retries: i64,
    /// The limit that is reached, if that is why.
    pub(super) exhausted: Option<Limit>,
}

/// A message for a dead-letter queue.
pub(super) struct DeadLetter {
    /// The event, or the request of `RunTask`.
    pub(super) body: String,
    /// What is known of it.
    pub(super) attributes: BTreeMap<&'static str, String>,
}

impl DeadLetter {
    /// Returns the message for a start, with the attributes that EventBridge and EventBridge Scheduler have in common
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html>).
    pub(super) fn new(body: String, target_arn: &str, given_up: &GivenUp<'_>) -> Self {
        let mut attributes = BTreeMap::from([
            ("ERROR_CODE", given_up.code.to_owned()),
            ("ERROR_MESSAGE", sendable(given_up.message)),
            ("RETRY_ATTEMPTS", given_up.retries.max(0).to_string()),
            ("TARGET_ARN", target_arn.to_owned()),
        ]);
        if let Some(exhausted) = given_up.exhausted {
            attributes.insert("EXHAUSTED_RETRY_CONDITION", exhausted.name().to_owned());
        }
        Self { body, attributes }
    }
}

/// A limit of a retry policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// How old what starts something may be.
    Age,
    /// How often a start is tried again.
    Attempts,
}

impl Limit {
    const fn name(self) -> &'static str {
        match self {
            Self::Age => "MaximumEventAgeInSeconds",
            Self::Attempts => "MaximumRetryAttempts",
        }
    }
}

/// Returns the beginning of a text, with only the characters that SQS takes
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
fn sendable(text: &str) -> String {
    let taken = |c: char| match c {
        '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'.. => c,
        _ => char::REPLACEMENT_CHARACTER,
    };
    text.chars().take(LONGEST_ERROR).map(taken).collect()
}

/// The queues that have not taken something lately, and why.
#[derive(Debug, Default)]
pub(super) struct Resting(Mutex<BTreeMap<String, (Instant, String)>>);

impl Resting {
    /// Returns why a queue has not taken what was sent last, unless that is long ago.
    fn why(&self, queue: &str) -> Option<String> {
        let mut all = lock(&self.0);
        all.retain(|_, (since, _)| since.elapsed() < REST);
        all.get(queue).map(|(_, why)| why.clone())
    }

    fn rest(&self, queue: &str, why: String) {
        lock(&self.0).insert(queue.to_owned(), (Instant::now(), why));
    }
}

/// Sends a message, and reports an event if it cannot be sent. Without access to SQS it does nothing, which the warnings of
/// the status say.
pub(super) async fn send<K>(cx: &Context, owner: &K, giver: Giver<'_>, letter: &DeadLetter)
where
    K: Resource<DynamicType = ()>,
{
    let Some(sqs) = &cx.sqs else {
        return;
    };
    let namespace = owner.namespace().unwrap_or_default();
    let Giver {
        subject,
        spec,
        queue,
    } = giver;
    let permitted = queue_permitted(cx, &namespace, (subject, spec), queue);
    let sent = match (permitted, cx.resting.why(queue), Queue::of_arn(queue)) {
        (Err(NotPermitted::Refused(refusal)), ..) => Err(refusal.message),
        (Err(NotPermitted::NotYet), ..) => {
            Err("it is not known yet what the namespace may use".to_owned())
        }
        (Ok(()), Some(why), _) => Err(why),
        (Ok(()), None, None) => Err(format!("{queue} is not the ARN of a queue of SQS")),
        (Ok(()), None, Some(known)) => {
            let sent = sqs.send(&known, &letter.body, &letter.attributes).await;
            sent.map_err(|failure| {
                tracing::warn!(queue, detail = failure.detail, "a dead letter is not sent");
                cx.resting.rest(queue, failure.why.clone());
                failure.why
            })
        }
    };
    if let Err(why) = sent {
        let note = format!("No message says in {queue} that a start is given up: {why}");
        cx.events
            .warning(owner, StateReason::DeadLetterNotSent, note);
    }
}

/// Whether a message would be sent to a queue. As long as that is not known, it is as `before` has it, the warnings of the
/// status.
pub(super) fn is_sent(
    cx: &Context,
    namespace: &str,
    giver: Giver<'_>,
    before: &[WarningStatus],
) -> bool {
    let unused = Reason::DeadLetterQueueUnused.name();
    let Giver {
        subject,
        spec,
        queue,
    } = giver;
    cx.sqs.is_some()
        && match queue_permitted(cx, namespace, (subject, spec), queue) {
            Ok(()) => true,
            Err(NotPermitted::Refused(_)) => false,
            Err(NotPermitted::NotYet) => before.iter().all(|it| it.reason != unused),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_which_limit_is_reached_and_has_nothing_that_sqs_refuses() {
        let given_up = GivenUp {
            code: "TargetInvocationFailed",
            message: "a\u{0}b\u{1b}\u{FFFF}\nc\u{1F600}",
            retries: 2,
            exhausted: Some(Limit::Attempts),
        };
        let letter = DeadLetter::new("{}".to_owned(), "arn", &given_up);
        let expected = [
            ("ERROR_CODE", "TargetInvocationFailed"),
            ("ERROR_MESSAGE", "a\u{FFFD}b\u{FFFD}\u{FFFD}\nc\u{1F600}"),
            ("EXHAUSTED_RETRY_CONDITION", "MaximumRetryAttempts"),
            ("RETRY_ATTEMPTS", "2"),
            ("TARGET_ARN", "arn"),
        ];
        let expected = expected.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(letter.attributes, BTreeMap::from(expected));
        assert_eq!(sendable(&"x".repeat(5000)).len(), LONGEST_ERROR);
    }

    #[test]
    fn a_queue_that_takes_nothing_rests() {
        let resting = Resting::default();
        assert_eq!(resting.why("a"), None);
        resting.rest("a", "no".to_owned());
        assert_eq!(resting.why("a").as_deref(), Some("no"));
        assert_eq!(resting.why("b"), None);
    }
}
