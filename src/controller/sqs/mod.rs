//! Queues of SQS (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html>).

mod shapes;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use http::Uri;
use tokio::time::{Instant, sleep, timeout};

pub(super) use self::shapes::Received;
use super::aws::{AwsFailure, AwsService, RegionalOptions, Regions};
use crate::validate::Queue;

/// SQS among the services of AWS. Ten messages have at most 1 MiB each, and twice as much where each character is escaped.
const SERVICE: AwsService = AwsService {
    name: "sqs",
    host: "sqs",
    target: "AmazonSQS",
    json: "1.0",
    largest: 24 * 1024 * 1024,
};
/// For how long SQS waits for a message, in seconds.
const POLL: u64 = 20;
/// The operation that deletes a message.
const DELETE: &str = "DeleteMessage";
/// The operation that hides a message for longer.
const HIDE: &str = "ChangeMessageVisibility";
/// The operation that sends a message.
const SEND: &str = "SendMessage";
/// The first wait before a message is sent again that SQS may take later; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How long the answer to another request may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Where SQS is, and as whom to ask it. The region is that of each queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqsOptions {
    /// Its URL; `None` for the public one of the region of a queue.
    pub endpoint: Option<Uri>,
    /// The role that the operator assumes, if not its own.
    pub role_arn: Option<String>,
    /// The file with the certificates of more authorities that may have signed that of SQS.
    pub ca_file: Option<PathBuf>,
}

/// SQS in all regions.
#[derive(Debug)]
pub(super) struct Sqs(Regions);

/// Why SQS has not done what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SqsFailure {
    /// What the owner of a pipe is told.
    pub(super) why: String,
    /// What SQS says, for the log.
    pub(super) detail: String,
    /// Whether the same request may succeed in a moment.
    may_pass: bool,
    /// What other requests would fail for the same reason.
    pub(super) reach: Reach,
    /// Whether it is only about the message, whose handle is not valid any more. It comes again with another one.
    pub(super) is_of_message: bool,
}

/// What a failure of SQS is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// One message.
    Message,
    /// A queue.
    Queue,
    /// All queues of a region.
    Region,
}

impl Sqs {
    /// Returns SQS, which need not be there yet.
    #[must_use]
    pub(super) fn new(options: SqsOptions) -> Self {
        let SqsOptions {
            endpoint,
            role_arn,
            ca_file,
        } = options;
        Self(Regions::new(
            SERVICE,
            RegionalOptions {
                endpoint,
                role_arn,
                ca_file,
                // A response to a long poll begins only when there is a message.
                patience: Some(LONGEST + Duration::from_secs(POLL)),
            },
        ))
    }

    /// Returns the visibility timeout of a queue, in seconds.
    ///
    /// # Errors
    ///
    /// Why it is not known.
    pub(super) async fn visibility_timeout(&self, queue: &Queue) -> Result<i64, SqsFailure> {
        let body = shapes::of_visibility_timeout(&queue.url);
        let answer = self.ask(queue, "GetQueueAttributes", body, LONGEST).await?;
        read(&answer, shapes::visibility_timeout)
    }

    /// Waits for messages, and returns as many as there are, up to a number of at most 10.
    ///
    /// # Errors
    ///
    /// Why it is not known whether there are any.
    pub(super) async fn receive(
        &self,
        queue: &Queue,
        most: usize,
    ) -> Result<Vec<Received>, SqsFailure> {
        let body = shapes::of_messages(&queue.url, most, POLL);
        let longest = LONGEST + Duration::from_secs(POLL);
        let answer = self.ask(queue, "ReceiveMessage", body, longest).await?;
        read(&answer, shapes::messages)
    }

    /// Deletes a message.
    ///
    /// # Errors
    ///
    /// Why it is still there.
    pub(super) async fn delete(&self, queue: &Queue, receipt: &str) -> Result<(), SqsFailure> {
        let body = shapes::of_deletion(&queue.url, receipt);
        let answer = self.ask(queue, DELETE, body, LONGEST).await;
        answer.map(|_| ())
    }

    /// Hides a message that was received for some seconds from now on.
    ///
    /// # Errors
    ///
    /// Why it is visible again sooner.
    pub(super) async fn hide(
        &self,
        queue: &Queue,
        receipt: &str,
        seconds: i64,
    ) -> Result<(), SqsFailure> {
        let body = shapes::of_hiding(&queue.url, receipt, seconds);
        let answer = self.ask(queue, HIDE, body, LONGEST).await;
        answer.map(|_| ())
    }

    /// Sends a message, and tries it again for some seconds while SQS cannot be reached or has an error.
    ///
    /// # Errors
    ///
    /// Why it is not sent; it may be if SQS has not answered.
    pub(super) async fn send(
        &self,
        queue: &Queue,
        message: &str,
        attributes: &BTreeMap<&'static str, String>,
    ) -> Result<(), SqsFailure> {
        let began = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let body = shapes::of_sending(&queue.url, message, attributes);
            match self.ask(queue, SEND, body, LONGEST).await {
                Ok(_) => return Ok(()),
                Err(failure) if !failure.may_pass || began.elapsed() + wait > LONGEST => {
                    return Err(failure);
                }
                Err(_) => sleep(wait).await,
            }
            wait *= 2;
        }
    }

    async fn ask(
        &self,
        queue: &Queue,
        operation: &'static str,
        body: Vec<u8>,
        longest: Duration,
    ) -> Result<Vec<u8>, SqsFailure> {
        let Some(api) = self.0.get(&queue.region) else {
            return Err(SqsFailure {
                why: format!("the ARN {} has no region of AWS", queue.arn),
                detail: "not asked".to_owned(),
                may_pass: false,
                reach: Reach::Queue,
                is_of_message: false,
            });
        };
        let answer = timeout(longest, api.call(operation, body)).await;
        let answer = answer.map_err(|_elapsed| AwsFailure::Late).flatten();
        answer.map_err(|failure| shown(failure, operation, &queue.arn))
    }
}

fn read<T>(
    answer: &[u8],
    parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
) -> Result<T, SqsFailure> {
    parse(answer).map_err(|problem| SqsFailure {
        why: "SQS has answered something else than a queue does".to_owned(),
        // The answer itself may have messages.
        detail: problem.to_owned(),
        may_pass: false,
        reach: Reach::Queue,
        is_of_message: false,
    })
}

/// The errors of SQS for a queue that does not exist, in both spellings.
const NO_QUEUE: [&str; 2] = [
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
];

/// The errors of SQS for a handle that is not valid any more, as that of a FIFO queue after the visibility timeout, and for a
/// message that is visible or has been hidden for as long as it can be.
const OF_MESSAGE: [&str; 5] = [
    "AWS.SimpleQueueService.MessageNotInflight",
    "InvalidIdFormat",
    "InvalidParameterValue",
    "MessageNotInflight",
    "ReceiptHandleIsInvalid",
];

/// Returns what the owner of a pipe and the administrator are told.
fn shown(failure: AwsFailure, operation: &'static str, queue: &str) -> SqsFailure {
    let is_of_message = match &failure {
        AwsFailure::Refused { code, .. } => {
            [DELETE, HIDE].contains(&operation)
                && OF_MESSAGE.iter().any(|name| code.starts_with(name))
        }
        _ => false,
    };
    let (may_pass, reach) = range(&failure);
    let (why, detail) = match failure {
        AwsFailure::Credentials(detail) => (
            "the operator has no credentials of AWS: give its service account a role".to_owned(),
            detail,
        ),
        AwsFailure::Unreachable(detail) => ("SQS cannot be reached".to_owned(), detail),
        AwsFailure::Late => (
            "SQS has not answered in time".to_owned(),
            "no answer in time".to_owned(),
        ),
        AwsFailure::Refused { code, detail, .. } if code.contains("AccessDenied") => (
            format!(
                "the role of the operator lacks sqs:{operation} for {queue}, or {} for its key",
                if operation == SEND {
                    "kms:GenerateDataKey"
                } else {
                    "kms:Decrypt"
                }
            ),
            detail,
        ),
        AwsFailure::Refused { code, detail, .. } if NO_QUEUE.contains(&code.as_str()) => {
            (format!("there is no queue {queue}"), detail)
        }
        AwsFailure::Refused { code, detail, .. } => (
            format!("SQS refuses {operation} for {queue}: {code}"),
            detail,
        ),
        AwsFailure::Answer(detail) => (
            "SQS has given no answer that can be read".to_owned(),
            detail,
        ),
    };
    SqsFailure {
        why,
        detail,
        may_pass,
        reach,
        is_of_message,
    }
}

/// The beginnings of errors about credentials, of which the next request takes new ones.
const OF_CREDENTIALS: [&str; 2] = ["ExpiredToken", "UnrecognizedClient"];

/// Returns whether the same request may succeed in a moment, and what else would fail.
fn range(failure: &AwsFailure) -> (bool, Reach) {
    match failure {
        AwsFailure::Credentials(_) | AwsFailure::Unreachable(_) => (true, Reach::Region),
        // Whoever has waited for that has waited for long enough.
        AwsFailure::Late => (false, Reach::Region),
        AwsFailure::Answer(_) => (false, Reach::Queue),
        AwsFailure::Refused { status, code, .. } => {
            let is_about_credentials = OF_CREDENTIALS.iter().any(|it| code.starts_with(it));
            let is_passing =
                status.is_server_error() || code.contains("Throttl") || is_about_credentials;
            let is_of_queue =
                is_passing || code.contains("AccessDenied") || NO_QUEUE.contains(&code.as_str());
            let reach = if is_of_queue {
                Reach::Queue
            } else {
                Reach::Message
            };
            (is_passing, reach)
        }
    }
}

#[cfg(test)]
mod tests;
