//! Messages of SQS as EventBridge Pipes sees them.

use serde_json::{Map, Value};

/// A message of a queue.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'m> {
    /// `MessageId`.
    pub id: &'m str,
    /// `ReceiptHandle`, which changes each time that the message is received.
    pub receipt_handle: &'m str,
    /// `Body`, as it was sent.
    pub body: &'m str,
    /// `MD5OfBody`.
    pub md5_of_body: &'m str,
    /// `Attributes` of the system, such as `SentTimestamp`.
    pub attributes: &'m [(&'m str, &'m str)],
    /// `MessageAttributes` as an object; their names are those of the event.
    pub message_attributes: Option<&'m Value>,
}

impl Message<'_> {
    /// Returns the event of a message
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-sqs.html>). A body that is a JSON object or
    /// array is one there, so that patterns and paths see what is in it; any other body stays a text, also a number.
    #[must_use]
    pub fn event(&self, queue_arn: &str, region: &str) -> Value {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
        let text = |text: &str| Value::from(text);
        let members = [
            ("messageId", text(self.id)),
            ("receiptHandle", text(self.receipt_handle)),
            ("body", self.body()),
            ("attributes", Value::Object(attributes.collect())),
            (
                "messageAttributes",
                self.message_attributes
                    .cloned()
                    .unwrap_or_else(|| Value::Object(Map::new())),
            ),
            ("md5OfBody", text(self.md5_of_body)),
            ("eventSource", text("aws:sqs")),
            ("eventSourceARN", text(queue_arn)),
            ("awsRegion", text(region)),
        ];
        let members = members.into_iter();
        Value::Object(
            members
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    fn body(&self) -> Value {
        serde_json::from_str(self.body)
            .ok()
            .filter(|body: &Value| body.is_object() || body.is_array())
            .unwrap_or_else(|| Value::from(self.body))
    }
}
