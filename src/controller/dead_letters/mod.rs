//! What is sent to the dead-letter queue of a schedule or a target when a start is given up.
//!
//! It is sent once it is decided, and for a schedule recorded, that the start is given up, in the background: no start
//! waits for SQS. What SQS does not take within a few seconds is reported as an event and never sent; what waits when the
//! operator is killed is lost. The status has it all the same.

mod delivery;
mod outbox;

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt as _};

pub(super) use self::{delivery::deliver, outbox::Outbox};
use super::{
    context::Context,
    permitted::{NotPermitted, queue_permitted},
};
use crate::{
    crd::{Spec, WarningStatus},
    diagnostic::{Reason, StateReason, Subject},
    validate::Queue,
};

/// How many characters of an error are sent.
const LONGEST_ERROR: usize = 1024;

/// Whose start is given up.
pub(super) struct Giver<'g> {
    /// What its spec is one of.
    pub(super) subject: Subject,
    /// Its spec, which names the queue.
    pub(super) spec: &'g Spec,
    /// The ARN of the queue.
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

/// A message for a dead-letter queue.
pub(super) struct DeadLetter {
    /// The name of the EcsTask that was not made, which tells this start of an owner from others.
    name: String,
    /// The event, or the request of `RunTask`, as JSON.
    body: String,
    /// What is known of it.
    pub(super) attributes: BTreeMap<&'static str, String>,
}

impl DeadLetter {
    /// Returns the message for a start, with the attributes that EventBridge and EventBridge Scheduler have in common
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html>).
    pub(super) fn new(name: String, body: &str, target_arn: &str, given_up: &GivenUp<'_>) -> Self {
        let mut attributes = BTreeMap::from([
            ("ERROR_CODE", given_up.code.to_owned()),
            ("ERROR_MESSAGE", sendable(given_up.message)),
            ("RETRY_ATTEMPTS", given_up.retries.to_string()),
            ("TARGET_ARN", target_arn.to_owned()),
        ]);
        if let Some(exhausted) = given_up.exhausted {
            attributes.insert("EXHAUSTED_RETRY_CONDITION", exhausted.name().to_owned());
        }
        // In JSON they stand only in texts, which may escape them.
        let body = body
            .replace('\u{FFFE}', r"\ufffe")
            .replace('\u{FFFF}', r"\uffff");
        Self {
            name,
            body,
            attributes,
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

/// A message that waits to be sent, and whose it is.
struct Waiting {
    owner: ObjectReference,
    subject: Subject,
    spec: Spec,
    queue: String,
    letter: DeadLetter,
}

impl Waiting {
    fn namespace(&self) -> &str {
        self.owner.namespace.as_deref().unwrap_or_default()
    }

    fn owner_name(&self) -> &str {
        self.owner.name.as_deref().unwrap_or_default()
    }
}

/// Has a message sent. Without access to SQS it does nothing, which the warnings of the status say.
pub(super) fn send<K>(cx: &Context, owner: &K, giver: &Giver<'_>, letter: DeadLetter)
where
    K: Resource<DynamicType = ()>,
{
    if cx.sqs.is_none() {
        return;
    }
    let waiting = Waiting {
        owner: owner.object_ref(&()),
        subject: giver.subject,
        spec: giver.spec.clone(),
        queue: giver.queue.to_owned(),
        letter,
    };
    if !cx.outbox.put(waiting) {
        tracing::warn!(
            namespace = owner.namespace(),
            owner = owner.name_any(),
            "a dead letter is lost: too many wait to be sent"
        );
    }
}

/// Removes the warnings that no message is sent, if one would be to each queue of an object.
pub(super) fn remove_warnings<'g>(
    cx: &Context,
    namespace: &str,
    mut givers: impl Iterator<Item = Giver<'g>>,
    (before, warnings): (&[WarningStatus], &mut Vec<WarningStatus>),
) {
    if givers.all(|giver| is_sent(cx, namespace, &giver, before)) {
        warnings.retain(|it| it.reason != Reason::DeadLetterQueueUnused.name());
    }
}

/// Whether a message would be sent to a queue. As long as that is not known, it is as `before` has it, the warnings of the
/// status.
fn is_sent(cx: &Context, namespace: &str, giver: &Giver<'_>, before: &[WarningStatus]) -> bool {
    let unused = Reason::DeadLetterQueueUnused.name();
    cx.sqs.is_some()
        && queue_of(cx, giver.queue).is_ok()
        && match queue_permitted(cx, namespace, (giver.subject, giver.spec), giver.queue) {
            Ok(()) => true,
            Err(NotPermitted::Refused(_)) => false,
            Err(NotPermitted::NotYet) => before.iter().all(|it| it.reason != unused),
        }
}

/// Returns the queue of an ARN.
///
/// # Errors
///
/// Why nothing can be sent to it.
fn queue_of(cx: &Context, arn: &str) -> Result<Queue, String> {
    let queue = Queue::of_arn(arn).filter(|queue| !queue.is_fifo);
    let Some(queue) = queue else {
        return Err(format!("{arn} is not the ARN of a standard queue of SQS"));
    };
    if cx.event_queue.as_ref().is_some_and(|it| it.arn == arn) {
        // A target would give its own events to the rules of everybody.
        return Err(format!(
            "{arn} is the queue from which the operator receives events"
        ));
    }
    Ok(queue)
}

/// Reports that a message is not sent, once for an owner and a queue in a while.
fn tell(cx: &Arc<Context>, waiting: &Waiting, why: &str) {
    let Waiting { owner, queue, .. } = waiting;
    tracing::warn!(
        namespace = waiting.namespace(),
        owner = waiting.owner_name(),
        queue,
        why,
        "a dead letter is not sent"
    );
    if cx.outbox.is_untold(waiting) {
        let note = format!("No message says in {queue} that a start is given up: {why}");
        cx.events
            .warning_about(owner.clone(), StateReason::DeadLetterNotSent, note);
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
        let body = serde_json::json!({"a": "\u{FFFE}\u{FFFF}\u{0}"}).to_string();
        let letter = DeadLetter::new("report-1".to_owned(), &body, "arn", &given_up);
        let expected = [
            ("ERROR_CODE", "TargetInvocationFailed"),
            ("ERROR_MESSAGE", "a\u{FFFD}b\u{FFFD}\u{FFFD}\nc\u{1F600}"),
            ("EXHAUSTED_RETRY_CONDITION", "MaximumRetryAttempts"),
            ("RETRY_ATTEMPTS", "2"),
            ("TARGET_ARN", "arn"),
        ];
        let expected = expected.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(letter.attributes, BTreeMap::from(expected));
        assert_eq!(letter.body, r#"{"a":"\ufffe\uffff\u0000"}"#);
        let read: serde_json::Value = serde_json::from_str(&letter.body).expect("it is JSON");
        assert_eq!(read["a"], "\u{FFFE}\u{FFFF}\u{0}");
        assert_eq!(sendable(&"x".repeat(5000)).len(), LONGEST_ERROR);
    }
}
