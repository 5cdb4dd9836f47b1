//! The requests to SQS and its answers, in its JSON protocol: pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::event::Message;

/// A message of a queue. Its content may be secret, so it is not printed.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(in crate::controller) struct Received {
    message_id: String,
    receipt_handle: String,
    body: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    attributes: BTreeMap<String, String>,
    message_attributes: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Messages {
    messages: Vec<Received>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Attributes {
    attributes: BTreeMap<String, String>,
}

/// The attribute of a message that says how often it was received.
const RECEIVE_COUNT: &str = "ApproximateReceiveCount";
/// The attribute that says how long a message is hidden that was received.
const VISIBILITY_TIMEOUT: &str = "VisibilityTimeout";

impl Received {
    /// Returns its ID, which it keeps when it is received again.
    pub(in crate::controller) fn id(&self) -> &str {
        &self.message_id
    }

    /// Returns the handle with which it can be deleted.
    pub(in crate::controller) fn receipt(&self) -> &str {
        &self.receipt_handle
    }

    /// Returns how often it was received, with this time.
    pub(in crate::controller) fn receive_count(&self) -> u32 {
        let count = self.attributes.get(RECEIVE_COUNT);
        count.and_then(|count| count.parse().ok()).unwrap_or(1)
    }

    /// Calls a function with the message as EventBridge Pipes sees it
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-sqs.html>).
    pub(in crate::controller) fn with<T>(&self, see: impl FnOnce(&Message<'_>) -> T) -> T {
        let attributes: Vec<(&str, &str)> = self
            .attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let own = self.message_attributes.iter();
        let own: Map<String, Value> = own
            .map(|(name, value)| (name.clone(), in_camel_case(value)))
            .collect();
        let own = Value::Object(own);
        see(&Message {
            id: &self.message_id,
            receipt_handle: &self.receipt_handle,
            body: &self.body,
            md5_of_body: &self.md5_of_body,
            attributes: &attributes,
            message_attributes: Some(&own),
        })
    }
}

/// Returns an attribute with the members that it has in events, such as `stringValue` for `StringValue`.
fn in_camel_case(value: &Value) -> Value {
    let Value::Object(members) = value else {
        return value.clone();
    };
    let members = members.iter().map(|(name, member)| {
        let mut letters = name.chars();
        let first = letters.next().map(|first| first.to_ascii_lowercase());
        (first.into_iter().chain(letters).collect(), member.clone())
    });
    Value::Object(members.collect())
}

/// Returns the body of `ReceiveMessage`.
pub(super) fn of_messages(url: &str, most: usize, poll: u64) -> Vec<u8> {
    let body = json!({
        "QueueUrl": url,
        "MaxNumberOfMessages": most.clamp(1, 10),
        "WaitTimeSeconds": poll,
        "MessageSystemAttributeNames": ["All"],
        "MessageAttributeNames": ["All"],
    });
    body.to_string().into_bytes()
}

/// Returns the body of `DeleteMessage`.
pub(super) fn of_deletion(url: &str, receipt: &str) -> Vec<u8> {
    let body = json!({"QueueUrl": url, "ReceiptHandle": receipt});
    body.to_string().into_bytes()
}

/// Returns the body of `ChangeMessageVisibility`.
pub(super) fn of_hiding(url: &str, receipt: &str, seconds: i64) -> Vec<u8> {
    let body = json!({"QueueUrl": url, "ReceiptHandle": receipt, "VisibilityTimeout": seconds});
    body.to_string().into_bytes()
}

/// Returns the body of `SendMessage`, with attributes that are texts.
pub(super) fn of_sending(
    url: &str,
    message: &str,
    attributes: &BTreeMap<&'static str, String>,
) -> Vec<u8> {
    let attributes: Map<String, Value> = attributes
        .iter()
        .map(|(name, value)| {
            let value = json!({"DataType": "String", "StringValue": value});
            ((*name).to_owned(), value)
        })
        .collect();
    let body = json!({"QueueUrl": url, "MessageBody": message, "MessageAttributes": attributes});
    body.to_string().into_bytes()
}

/// Returns the body of `GetQueueAttributes`.
pub(super) fn of_visibility_timeout(url: &str) -> Vec<u8> {
    let body = json!({"QueueUrl": url, "AttributeNames": [VISIBILITY_TIMEOUT]});
    body.to_string().into_bytes()
}

/// Reads the answer to `ReceiveMessage`, which has no member `Messages` if there are none.
///
/// # Errors
///
/// What is wrong with it, without anything that it says.
pub(super) fn messages(answer: &[u8]) -> Result<Vec<Received>, &'static str> {
    let read: Result<Messages, _> = serde_json::from_slice(answer);
    let messages = read
        .map_err(|_content| "it is no list of messages")?
        .messages;
    let is_whole =
        |message: &Received| !message.message_id.is_empty() && !message.receipt_handle.is_empty();
    if messages.iter().all(is_whole) {
        Ok(messages)
    } else {
        Err("a message has no ID, or no receipt handle")
    }
}

/// Reads the answer to `GetQueueAttributes`.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn visibility_timeout(answer: &[u8]) -> Result<i64, &'static str> {
    let read: Result<Attributes, _> = serde_json::from_slice(answer);
    let attributes = read.map_err(|_content| "it is no list of attributes")?;
    let seconds = attributes.attributes.get(VISIBILITY_TIMEOUT);
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    seconds.ok_or("it has no visibility timeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).expect("it is JSON")
    }

    #[test]
    fn requests_have_the_members_of_the_json_protocol() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders";
        assert_eq!(
            body(&of_messages(url, 3, 20)),
            json!({
                "QueueUrl": url, "MaxNumberOfMessages": 3, "WaitTimeSeconds": 20,
                "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"],
            })
        );
        for (most, asked) in [(0, 1), (11, 10)] {
            let body = body(&of_messages(url, most, 20));
            assert_eq!(body["MaxNumberOfMessages"], asked);
        }
        assert_eq!(
            body(&of_deletion(url, "r")),
            json!({"QueueUrl": url, "ReceiptHandle": "r"})
        );
        assert_eq!(
            body(&of_hiding(url, "r", 60)),
            json!({"QueueUrl": url, "ReceiptHandle": "r", "VisibilityTimeout": 60})
        );
        assert_eq!(
            body(&of_sending(
                url,
                "{}",
                &BTreeMap::from([("A", "b".to_owned())])
            )),
            json!({
                "QueueUrl": url, "MessageBody": "{}",
                "MessageAttributes": {"A": {"DataType": "String", "StringValue": "b"}},
            })
        );
        assert_eq!(
            body(&of_visibility_timeout(url)),
            json!({"QueueUrl": url, "AttributeNames": ["VisibilityTimeout"]})
        );
    }

    #[test]
    fn a_message_is_seen_as_a_pipe_sees_it() {
        let answer = json!({"Messages": [{
            "MessageId": "m1", "ReceiptHandle": "r1", "Body": "{\"a\": 1}", "MD5OfBody": "0",
            "Attributes": {"SentTimestamp": "1", "MessageGroupId": "g"},
            "MessageAttributes": {"Kind": {"DataType": "String", "StringValue": "x"}},
        }]});
        let messages = messages(answer.to_string().as_bytes()).expect("they can be read");
        let [message] = messages.as_slice() else {
            panic!("there is one")
        };
        assert_eq!((message.id(), message.receipt()), ("m1", "r1"));
        let event = message.with(|message| message.event("arn", "eu-west-1"));
        assert_eq!(event["body"], json!({"a": 1}));
        assert_eq!(event["attributes"]["SentTimestamp"], "1");
        assert_eq!(
            event["messageAttributes"],
            json!({"Kind": {"dataType": "String", "stringValue": "x"}})
        );
    }

    #[test]
    fn an_answer_that_is_none_is_not_repeated() {
        assert!(messages(b"{}").is_ok_and(|messages| messages.is_empty()));
        for answer in [
            "secret",
            r#"{"Messages": "secret"}"#,
            r#"{"Messages": [{"Body": "secret"}]}"#,
        ] {
            let problem = messages(answer.as_bytes()).err().unwrap_or_default();
            assert!(
                !problem.is_empty() && !problem.contains("secret"),
                "{problem}"
            );
        }
        let of = |answer: &str| visibility_timeout(answer.as_bytes());
        assert_eq!(of(r#"{"Attributes": {"VisibilityTimeout": "30"}}"#), Ok(30));
        assert!(of("{}").is_err() && of("[").is_err());
    }
}
