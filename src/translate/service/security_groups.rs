//! `networkConfiguration`: security groups for pods, and settings of the VPC that have no effect.

use serde_json::json;

use crate::{
    diagnostic::{Diagnostics, Message},
    settings::Addon,
    translate::{Context, CustomObject, Manifests, Object},
    validate::{NetworkConfiguration, NetworkMode, OperatingSystem},
};

/// The maximum number of groups of a SecurityGroupPolicy.
const MAX_GROUPS: usize = 5;
/// The first version in which nodes of EKS Auto Mode support SecurityGroupPolicies
/// (<https://docs.aws.amazon.com/eks/latest/userguide/auto-sgp.html>).
const AUTO_MODE_MINOR: u32 = 36;

/// Adds the SecurityGroupPolicy of a service or task, which selects the pods by their owner's label, and reports
/// settings of subnets and addresses that have no effect.
pub(crate) fn apply(
    cx: &Context<'_>,
    configuration: &NetworkConfiguration,
    objects: &mut Manifests,
    notes: &mut Diagnostics,
) {
    let NetworkConfiguration {
        subnets,
        security_groups,
        public_ip,
    } = configuration;
    let path = cx
        .root()
        .field("networkConfiguration")
        .field("awsvpcConfiguration");
    if !subnets.is_empty() {
        notes.report(path.field("subnets"), Message::SubnetsNotEnforced);
    }
    if *public_ip {
        notes.report(path.field("assignPublicIp"), Message::PublicIpNotAssigned);
    }
    if security_groups.is_empty() {
        return;
    }
    let path = path.field("securityGroups");
    let groups = groups_of_pods(cx, configuration);
    if groups.is_empty() {
        notes.report(path, Message::SecurityGroupsNotEnforced);
        return;
    }
    if cx
        .settings
        .cluster_security_group
        .as_ref()
        .is_none_or(|group| !groups.contains(group))
    {
        notes.report(path.clone(), Message::ClusterSecurityGroupNeeded);
    }
    if cx.settings.has(Addon::EksAutoMode) && cx.settings.kubernetes_minor < AUTO_MODE_MINOR {
        notes.report(path, Message::SecurityGroupsIgnoredByAutoMode);
    }
    objects.push(Object::Custom(CustomObject {
        api_version: "vpcresources.k8s.aws/v1beta1",
        kind: "SecurityGroupPolicy",
        metadata: cx.metadata(cx.object_name()),
        spec: json!({
            "podSelector": {"matchLabels": cx.selector()},
            "securityGroups": {"groupIds": groups},
        }),
    }));
}

/// Returns the security groups of the pods: those of the tasks and, if specified, that of the cluster, with which they
/// reach CoreDNS (<https://docs.aws.amazon.com/eks/latest/userguide/security-groups-for-pods.html>).
///
/// Pods have none without the VPC CNI, in the network of their node, and on Windows.
pub(crate) fn groups_of_pods(
    cx: &Context<'_>,
    configuration: &NetworkConfiguration,
) -> Vec<String> {
    let own_network = cx.task_definition.network.mode != NetworkMode::Host;
    let os = cx.task_definition.platform.os;
    let windows = matches!(os, Some(OperatingSystem::Windows(_)));
    if !own_network || windows || !cx.settings.has(Addon::SecurityGroupsForPods) {
        return Vec::new();
    }
    let mut groups = configuration.security_groups.clone();
    if let Some(cluster) = &cx.settings.cluster_security_group
        && !groups.is_empty()
        && groups.len() < MAX_GROUPS
        && !groups.contains(cluster)
    {
        groups.push(cluster.clone());
    }
    groups
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        settings::{Addon, Compute},
        translate::testing::{Scenario, assert_object},
    };

    const REQUEST: &str = r#"{"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b"], "securityGroups": ["sg-1", "sg-2", "sg-1"], "assignPublicIp": "ENABLED"}}}"#;

    fn scenario(mode: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", "networkMode": "{mode}", "cpu": "256", "memory": "512", "containerDefinitions": [{{"name": "web", "image": "nginx"}}]}}"#
        ))
        .request(REQUEST)
    }

    #[test]
    fn security_groups_are_those_of_the_pods() {
        let outcome = scenario("awsvpc").run();
        assert_object(
            outcome.object("SecurityGroupPolicy", "web"),
            "
apiVersion: vpcresources.k8s.aws/v1beta1
kind: SecurityGroupPolicy
metadata:
  name: web
  labels:
    ecs-operator.dev/service: web
spec:
  podSelector:
    matchLabels:
      ecs-operator.dev/service: web
  securityGroups:
    groupIds: [sg-1, sg-2]
",
        );
        assert_eq!(
            outcome.warnings(),
            [
                "networkConfiguration.awsvpcConfiguration.assignPublicIp: PublicIpNotAssigned",
                "networkConfiguration.awsvpcConfiguration.securityGroups: ClusterSecurityGroupNeeded",
            ]
        );
    }

    #[test]
    fn the_group_of_the_cluster_is_added_where_there_is_room() {
        for (given, expected, warned) in [
            (vec!["sg-1"], vec!["sg-1", "sg-9"], false),
            (vec!["sg-9", "sg-1"], vec!["sg-9", "sg-1"], false),
            (
                vec!["sg-1", "sg-2", "sg-3", "sg-4", "sg-5"],
                vec!["sg-1", "sg-2", "sg-3", "sg-4", "sg-5"],
                true,
            ),
        ] {
            let network =
                json!({"awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": given}});
            let outcome = scenario("awsvpc")
                .request(json!({"networkConfiguration": network}).to_string())
                .settings(|settings| settings.cluster_security_group = Some("sg-9".to_owned()))
                .run();
            let policy = outcome.object("SecurityGroupPolicy", "web");
            assert_eq!(
                policy["spec"]["securityGroups"]["groupIds"],
                json!(expected)
            );
            assert_eq!(outcome.has("ClusterSecurityGroupNeeded"), warned);
        }
    }

    #[test]
    fn nodes_of_auto_mode_follow_a_policy_from_kubernetes_1_36_on() {
        for (minor, addon, ignored) in [(35, true, true), (36, true, false), (35, false, false)] {
            let outcome = scenario("awsvpc")
                .settings(|settings| {
                    settings.kubernetes_minor = minor;
                    if addon {
                        settings.addons.insert(Addon::EksAutoMode);
                    }
                })
                .run();
            assert_eq!(outcome.has("SecurityGroupsIgnoredByAutoMode"), ignored);
        }
    }

    #[test]
    fn security_groups_need_the_vpc_cni_and_a_network_of_their_own() {
        let without = scenario("awsvpc")
            .settings(|settings| settings.addons.clear())
            .run();
        let host = scenario("host").run();
        for outcome in [without, host] {
            assert_eq!(outcome.objects_of("SecurityGroupPolicy").len(), 0);
            assert!(outcome.has("SecurityGroupsNotEnforced"));
        }
        let fargate = r#"{"launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": ["sg-1"]}}}"#;
        let outcome = scenario("awsvpc")
            .request(fargate)
            .settings(|settings| settings.compute = Compute::EksFargate)
            .run();
        assert!(outcome.has("ClusterSecurityGroupNeeded"));
        assert_eq!(outcome.objects_of("SecurityGroupPolicy").len(), 1);
    }
}
