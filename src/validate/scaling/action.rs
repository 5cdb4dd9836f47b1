//! What an alarm does when its state changes
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>).

use crate::validate::Arn;

/// An action of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmAction<'a> {
    /// It triggers a scaling policy.
    Policy(PolicyReference<'a>),
    /// It does something else.
    Other,
}

/// The scaling policy that an action names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyReference<'a> {
    /// What the policy scales, such as `service/prod/web`; `None` if the action is the name alone.
    pub resource_id: Option<&'a str>,
    /// Its name.
    pub name: &'a str,
}

impl<'a> AlarmAction<'a> {
    /// Reads an action: the ARN of a policy of Application Auto Scaling, which ends with
    /// `:resource/ecs/service/CLUSTER/SERVICE:policyName/NAME`, or the name of a policy. Any other ARN is something else.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        if !text.starts_with("arn:") {
            return Self::Policy(PolicyReference {
                resource_id: None,
                name: text,
            });
        }
        Self::of_arn(text).map_or(Self::Other, Self::Policy)
    }

    fn of_arn(text: &'a str) -> Option<PolicyReference<'a>> {
        let arn = Arn::parse(text).filter(|arn| arn.service == "autoscaling")?;
        let policy = arn.resource.strip_prefix("scalingPolicy:")?;
        let (resource, name) = policy.split_once(":policyName/")?;
        let (_, resource_id) = resource.split_once(":resource/ecs/")?;
        // The policies of predictive scaling and of other services of AWS say who made them.
        let name = name
            .split_once(":createdBy/")
            .map_or(name, |(name, _)| name);
        (!name.is_empty()).then_some(PolicyReference {
            resource_id: Some(resource_id),
            name,
        })
    }
}

/// The service that policies and alarms are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaledService<'a> {
    /// Its name.
    pub name: &'a str,
    /// The name or ARN of its cluster, if given.
    pub cluster: Option<&'a str>,
}

impl PolicyReference<'_> {
    /// Whether this may be a policy of a service. Two clusters of an account often have services of the same name.
    #[must_use]
    pub fn is_of(&self, service: ScaledService<'_>) -> bool {
        let Some(id) = self.resource_id else {
            return true;
        };
        let mut parts = id.splitn(3, '/');
        parts.next() == Some("service")
            && parts
                .next()
                .is_some_and(|cluster| service.may_be_in(cluster))
            && parts.next() == Some(service.name)
    }
}

impl ScaledService<'_> {
    /// Whether the service may be in a cluster of this name. It may be in any if its own is not given, or one of both is a
    /// placeholder.
    fn may_be_in(&self, cluster: &str) -> bool {
        let own = self
            .cluster
            .map(|own| own.rsplit('/').next().unwrap_or(own));
        let is_name = |text: &str| {
            let mut letters = text.chars();
            letters.all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        };
        own.is_none_or(|own| own == cluster || !is_name(own) || !is_name(cluster))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_names_a_policy_by_its_arn_or_its_name() {
        let arn = "arn:aws:autoscaling:eu-west-1:111122223333:scalingPolicy:00000000-1111-2222-3333-444444444444:\
                   resource/ecs/service/prod/web:policyName/out: fast";
        let AlarmAction::Policy(found) = AlarmAction::of(arn) else {
            panic!("{arn} is a policy");
        };
        assert_eq!(found.name, "out: fast");
        assert_eq!(found.resource_id, Some("service/prod/web"));
        let service = |name, cluster| ScaledService { name, cluster };
        for (name, cluster, is_of) in [
            ("web", None, true),
            ("web", Some("prod"), true),
            (
                "web",
                Some("arn:aws:ecs:eu-west-1:111122223333:cluster/prod"),
                true,
            ),
            ("web", Some("${Cluster}"), true),
            ("web", Some("staging"), false),
            ("prod", None, false),
            ("we", None, false),
        ] {
            assert_eq!(
                found.is_of(service(name, cluster)),
                is_of,
                "{name} {cluster:?}"
            );
        }
        let AlarmAction::Policy(found) = AlarmAction::of("out") else {
            panic!("it is a name");
        };
        assert_eq!((found.resource_id, found.name), (None, "out"));
        assert!(found.is_of(service("web", Some("staging"))));
        let made = "arn:aws-cn:autoscaling:cn-north-1:111122223333:scalingPolicy:0:resource/ecs/service/prod/web:\
                    policyName/cpu:createdBy/0-1";
        assert!(matches!(AlarmAction::of(made), AlarmAction::Policy(found) if found.name == "cpu"));
        for other in [
            "arn:aws:sns:eu-west-1:111122223333:ops",
            "arn:aws:automate:eu-west-1:ec2:stop",
            "arn:aws:autoscaling:eu-west-1:111122223333:scalingPolicy:0:resource/dynamodb/table/t:policyName/out",
            "arn:aws:autoscaling:eu-west-1:111122223333:scalingPolicy:0:autoScalingGroupName/g:policyName/out",
            "arn:aws:autoscaling:eu-west-1:111122223333:scalingPolicy:0:resource/ecs/service/c/s:policyName/",
            "arn:",
        ] {
            assert_eq!(AlarmAction::of(other), AlarmAction::Other, "{other}");
        }
    }
}
