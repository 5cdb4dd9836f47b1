//! Queues of SQS.

use super::Arn;

/// A queue of SQS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its ARN.
    pub arn: String,
    /// Its region, which the messages say too.
    pub region: String,
    /// Its address.
    pub url: String,
    /// Whether messages of a group have an order.
    pub is_fifo: bool,
}

impl Queue {
    /// Returns the queue of an ARN such as `arn:aws:sqs:eu-west-1:123456789012:orders`.
    #[must_use]
    pub fn of_arn(text: &str) -> Option<Self> {
        let arn = Arn::parse(text).filter(|arn| {
            arn.service == "sqs" && !arn.region.is_empty() && !arn.resource.contains([':', '/'])
        })?;
        let suffix = if arn.partition == "aws-cn" { ".cn" } else { "" };
        Some(Self {
            arn: text.to_owned(),
            region: arn.region.to_owned(),
            url: format!(
                "https://sqs.{}.amazonaws.com{suffix}/{}/{}",
                arn.region, arn.account, arn.resource
            ),
            is_fifo: arn.resource.strip_suffix(".fifo").is_some(),
        })
    }
}
