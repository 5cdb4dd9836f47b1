//! Sends the messages that wait, a few at a time.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use tokio::{sync::watch as signal, time::sleep};

use super::{Waiting, queue_of, tell};
use crate::controller::{
    context::Context,
    permitted::{NotPermitted, queue_permitted},
    sqs::{Reach, Sqs},
};

/// How many messages are sent at once.
const AT_ONCE: usize = 8;
/// For how long nothing is sent to a queue or a region that has not taken something: many starts fail together.
const REST: Duration = Duration::from_secs(30);
/// How often it is asked what a namespace may use, a second apart, before a message is given up.
const ASKED: u32 = 60;

/// Sends messages until the operator ends and none is left.
pub(in crate::controller) async fn deliver(cx: &Arc<Context>, stopped: signal::Receiver<bool>) {
    let Some(sqs) = &cx.sqs else {
        return;
    };
    let messages = stream::unfold((), |()| async {
        Some((cx.outbox.next(stopped.clone()).await?, ()))
    });
    messages
        .for_each_concurrent(AT_ONCE, async |message| {
            if let Err(why) = send(cx, sqs, &message).await {
                tell(cx, &message, &why);
            }
        })
        .await;
}

/// Sends a message.
///
/// # Errors
///
/// Why it is not sent, for its owner.
async fn send(cx: &Context, sqs: &Sqs, message: &Waiting) -> Result<(), String> {
    permitted(cx, message).await?;
    let queue = queue_of(cx, &message.queue)?;
    for what in [&queue.region, &queue.arn] {
        if let Some(why) = cx.outbox.why_resting(what, REST) {
            return Err(why);
        }
    }
    let letter = &message.letter;
    let sent = sqs.send(&queue, &letter.body, &letter.attributes).await;
    sent.map_err(|failure| {
        tracing::debug!(detail = failure.detail, "SQS does not take a dead letter");
        let what = match failure.reach {
            Reach::Message => None,
            Reach::Queue => Some(queue.arn),
            Reach::Region => Some(queue.region),
        };
        if let Some(what) = what {
            cx.outbox.rest(what, failure.why.clone());
        }
        failure.why
    })
}

/// Waits until it is known whether the namespace may use the queue.
///
/// # Errors
///
/// Why it may not.
async fn permitted(cx: &Context, message: &Waiting) -> Result<(), String> {
    let spec = (message.subject, &message.spec);
    for _ in 0..ASKED {
        match queue_permitted(cx, message.namespace(), spec, &message.queue) {
            Ok(()) => return Ok(()),
            Err(NotPermitted::Refused(refusal)) => return Err(refusal.message),
            Err(NotPermitted::NotYet) => sleep(Duration::from_secs(1)).await,
        }
    }
    Err("it is not known what the namespace may use".to_owned())
}
