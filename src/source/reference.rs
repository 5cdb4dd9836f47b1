//! How documents refer to each other: families, revisions, services, resource IDs.

use super::placeholder::placeholders;
use crate::validate::Arn;

/// `family`, `family:revision` or the ARN of a task definition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub(super) family: Box<str>,
    pub(super) revision: Option<u64>,
}

impl Reference {
    /// Parses `taskDefinition` and `taskDefinitionArn`. A revision that is still a placeholder is unknown.
    pub(super) fn parse(text: &str) -> Self {
        let name = if text.starts_with("arn:") {
            text.split_once('/').map_or(text, |(_, name)| name)
        } else {
            text
        };
        let (family, revision) = match name.rsplit_once(':') {
            Some((family, revision)) if let Ok(number) = revision.parse() => (family, Some(number)),
            _ => (without_open_revision(name).unwrap_or(name), None),
        };
        Self {
            family: family.into(),
            revision,
        }
    }
}

/// Returns `web` of `web:${REVISION}`.
fn without_open_revision(name: &str) -> Option<&str> {
    let last = placeholders(name).last()?;
    let (family, open) = name.split_at_checked(last.start)?;
    let family = family.strip_suffix(':')?;
    (open == last.text && !family.is_empty()).then_some(family)
}

/// A service as referenced by scaling requests and ARNs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceName {
    pub(super) cluster: Option<Box<str>>,
    pub(super) name: Box<str>,
}

impl ServiceName {
    /// Parses `service/<cluster>/<service>`, also in front of the `|` of a CloudFormation physical ID.
    pub(super) fn of_resource_id(text: &str) -> Option<Self> {
        let resource = text.split('|').next()?;
        let (cluster, name) = resource.strip_prefix("service/")?.split_once('/')?;
        (!name.is_empty()).then(|| Self {
            cluster: Some(cluster.into()),
            name: name.into(),
        })
    }
}

impl Reference {
    /// Parses the ARN of an auto scaling configuration of App Runner, which may end after its name or its revision
    /// (<https://docs.aws.amazon.com/apprunner/latest/api/API_CreateService.html>).
    pub(super) fn of_auto_scaling_configuration(text: &str) -> Option<Self> {
        let path = of_app_runner(text)?.strip_prefix("autoscalingconfiguration/")?;
        let mut parts = path.split('/');
        let family = parts.next().filter(|name| !name.is_empty())?;
        let revision = parts.next().map(str::parse).transpose().ok()?;
        Some(Self {
            family: family.into(),
            revision,
        })
    }
}

/// Returns the resource in an ARN of App Runner, such as `service/web/8fe1e10304f84fd2b0df550fe98a71fa`.
pub(super) fn of_app_runner(text: &str) -> Option<&str> {
    let arn = Arn::parse(text)?;
    (arn.service == "apprunner").then_some(arn.resource)
}

/// Returns the name of the service that an ARN of App Runner names.
pub(super) fn app_runner_service_name(text: &str) -> Option<&str> {
    let path = of_app_runner(text)?.strip_prefix("service/")?;
    path.split('/').next().filter(|name| !name.is_empty())
}

/// Returns the name in an ARN of the form `...:cluster/<name>` or `...:service/<cluster>/<name>`, or the name itself.
pub(super) fn short_name(text: &str) -> &str {
    if text.starts_with("arn:") {
        text.rsplit('/').next().unwrap_or(text)
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_definitions_are_named_in_three_ways() {
        for (text, family, revision) in [
            ("web", "web", None),
            ("web:7", "web", Some(7)),
            ("web:latest", "web:latest", None),
            ("web:${REVISION}", "web", None),
            ("web-<STAGE>:{{ must_env `REV` }}", "web-<STAGE>", None),
            ("web:${REVISION}-a", "web:${REVISION}-a", None),
            ("${FAMILY}", "${FAMILY}", None),
            (
                "arn:aws:ecs:${REGION}:${ACCOUNT}:task-definition/web:${REVISION}",
                "web",
                None,
            ),
            (
                "arn:aws:ecs:us-east-1:123456789012:task-definition/web:12",
                "web",
                Some(12),
            ),
            (
                "arn:aws:ecs:us-east-1:123456789012:task-definition/web",
                "web",
                None,
            ),
        ] {
            let reference = Reference::parse(text);
            assert_eq!((&*reference.family, reference.revision), (family, revision));
        }
    }

    #[test]
    fn resource_ids_name_services() {
        let found = ServiceName::of_resource_id("service/prod/web|ecs:service:DesiredCount|ecs");
        let found = found.unwrap();
        assert_eq!(
            (found.cluster.as_deref(), &*found.name),
            (Some("prod"), "web")
        );
        assert_eq!(ServiceName::of_resource_id("table/x"), None);
        assert_eq!(ServiceName::of_resource_id("service/prod/"), None);
        assert_eq!(short_name("arn:aws:ecs:r:1:cluster/prod"), "prod");
        assert_eq!(short_name("arn:aws:ecs:r:1:service/prod/web"), "web");
    }
}
