//! The AWS account and region that a document belongs to.

use super::{
    entry::body,
    kind::{Form, Spelling},
    tree::Node,
};
use crate::{settings::Settings, validate::Arn};

/// The account and region in a document's own ARNs. ECS resolves names in this account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    partition: String,
    region: String,
    account: String,
}

/// The members that identify the document itself, or a resource that must be in the same account and region.
const OWN_ARNS: [&str; 5] = [
    "taskDefinitionArn",
    "serviceArn",
    "clusterArn",
    "taskDefinition",
    "cluster",
];

impl Home {
    /// Returns the home of a document; `None` if none of these members is an ARN without placeholders.
    pub(super) fn of(document: &Node<'_>, form: &Form) -> Option<Self> {
        if form.spelling == Spelling::CloudFormation {
            return None;
        }
        let body = body(document, form)?;
        let own = OWN_ARNS.iter().filter_map(|name| body.get(name)?.text());
        // A target group is in the region and the account of its tasks.
        let balancers = body.get("loadBalancers").and_then(Node::elements);
        let balancers = balancers.unwrap_or_default().iter();
        let groups = balancers.filter_map(|balancer| balancer.get("targetGroupArn")?.text());
        own.chain(groups).find_map(|text| {
            let arn = Arn::parse(text)?;
            let plain = |text: &str| {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
                !text.is_empty() && text.chars().all(plain)
            };
            let known = matches!(arn.service, "ecs" | "elasticloadbalancing")
                && plain(arn.partition)
                && plain(arn.region)
                && arn.account.len() == 12
                && arn.account.bytes().all(|byte| byte.is_ascii_digit());
            known.then(|| Self {
                partition: arn.partition.to_owned(),
                region: arn.region.to_owned(),
                account: arn.account.to_owned(),
            })
        })
    }

    /// Whether this contains something that the settings lack.
    pub(super) const fn adds_to(&self, settings: &Settings) -> bool {
        settings.aws_region.is_none() || settings.aws_account_id.is_none()
    }

    /// Sets the settings that have no value. The partition belongs to the account.
    pub(super) fn complete(&self, settings: &mut Settings) {
        if settings.aws_account_id.is_none() {
            settings.aws_account_id = Some(self.account.clone());
            settings.aws_partition.clone_from(&self.partition);
        }
        if settings.aws_region.is_none() {
            settings.aws_region = Some(self.region.clone());
        }
    }
}
