//! The AWS account and region that a document belongs to.

use std::borrow::Cow;

use super::{
    entry::body,
    kind::{Form, Kind},
    placeholder::{Fill, filled},
    spelling::value_of,
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
const OWN_ARNS: [&str; 6] = [
    "taskDefinitionArn",
    "serviceArn",
    "clusterArn",
    "taskDefinition",
    "cluster",
    "ServiceArn",
];

impl Home {
    /// Returns the home of a document; `None` if none of these members is an ARN without placeholders that are open.
    pub(super) fn of(document: &Node<'_>, form: &Form, fill: &Fill) -> Option<Self> {
        let body = body(document, form)?;
        let member = |node, key| value_of(node, key, form.spelling);
        let own = OWN_ARNS
            .iter()
            .filter_map(|name| member(body, name)?.text());
        // A target group is in the region and the account of its tasks.
        let balancers = member(body, "loadBalancers").and_then(Node::elements);
        let balancers = balancers.unwrap_or_default().iter();
        let groups = balancers.filter_map(|balancer| member(balancer, "targetGroupArn")?.text());
        // So is the cluster that a schedule starts tasks in.
        let target = member(body, "Target").filter(|_| form.kind() == Kind::Schedule);
        let has_targets = matches!(form.kind(), Kind::Rule | Kind::RuleTargets);
        let targets = member(body, "Targets").filter(|_| has_targets);
        let targets = targets.and_then(Node::elements).unwrap_or_default();
        let cluster = targets.iter().chain(target);
        let cluster = cluster.filter_map(|target| member(target, "Arn")?.text());
        own.chain(groups)
            .chain(cluster)
            .find_map(|text| Self::of_arn(&filled(Cow::Borrowed(text), fill)))
    }

    fn of_arn(text: &str) -> Option<Self> {
        let arn = Arn::parse(text)?;
        let plain = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            !text.is_empty() && text.chars().all(plain)
        };
        let known = matches!(arn.service, "apprunner" | "ecs" | "elasticloadbalancing")
            && plain(arn.partition)
            && plain(arn.region)
            && arn.account.len() == 12
            && arn.account.bytes().all(|byte| byte.is_ascii_digit());
        known.then(|| Self {
            partition: arn.partition.to_owned(),
            region: arn.region.to_owned(),
            account: arn.account.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::{
        super::{kind::find, syntax::parse_one, text::SourceText},
        *,
    };

    const GROUP: &str =
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef";

    fn region(document: &str, fill: &[(&str, &str)]) -> Option<String> {
        let source = SourceText::new("service.json", document);
        let root = parse_one(source.name(), document).unwrap().unwrap();
        let form = find(&root).pop().unwrap().form.unwrap();
        let fill = fill
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Home::of(&root, &form, &fill).map(|home| home.region)
    }

    #[test]
    fn the_region_is_that_of_an_arn_in_each_spelling() {
        let api = |arn: &str| {
            format!(
                r#"{{"serviceName":"web","taskDefinition":"web","loadBalancers":[{{"targetGroupArn":"{arn}"}}]}}"#
            )
        };
        let cloud_formation = format!(
            r#"{{"Type":"AWS::ECS::Service","Properties":{{"ServiceName":"web","LoadBalancers":[{{"TargetGroupArn":"{GROUP}"}}]}}}}"#
        );
        let found = Some("eu-west-1".to_owned());
        assert_eq!(region(&api(GROUP), &[]), found);
        assert_eq!(region(&cloud_formation, &[]), found);
        assert_eq!(region(&api("{{GROUP}}"), &[("GROUP", GROUP)]), found);
        assert_eq!(region(&api("{{GROUP}}"), &[]), None);
        assert_eq!(region(&api("arn:aws:s3:::bucket"), &[]), None);
    }
}
