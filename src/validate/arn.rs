//! Amazon Resource Names and references to task definitions.

use std::fmt;

/// `arn:partition:service:region:account:resource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// For instance `iam`.
    pub service: &'a str,
    /// Empty for global services.
    pub region: &'a str,
    /// Empty for S3.
    pub account: &'a str,
    /// Everything after the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN; `None` if it is not one.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        let arn = Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        };
        (!arn.partition.is_empty() && !arn.service.is_empty() && !arn.resource.is_empty())
            .then_some(arn)
    }
}

/// What `taskDefinition` names: a family, and a revision if it is pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDefinitionReference<'a> {
    /// The family.
    pub family: &'a str,
    /// The pinned revision.
    pub revision: Option<u64>,
}

impl<'a> TaskDefinitionReference<'a> {
    /// Reads `family`, `family:revision` or an ARN of either; `None` for anything else.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let name = match Arn::parse(text) {
            Some(arn) if arn.service == "ecs" => arn.resource.strip_prefix("task-definition/")?,
            Some(_) => return None,
            None => text,
        };
        let (family, revision) = match name.split_once(':') {
            Some((family, revision)) => {
                let revision = revision.parse().ok().filter(|revision| *revision > 0)?;
                (family, Some(revision))
            }
            None => (name, None),
        };
        let plain = !family.is_empty()
            && family
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        plain.then_some(Self { family, revision })
    }
}

impl fmt::Display for TaskDefinitionReference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            Some(revision) => write!(f, "{}:{revision}", self.family),
            None => f.write_str(self.family),
        }
    }
}
