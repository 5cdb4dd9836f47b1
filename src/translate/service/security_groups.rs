//! `networkConfiguration`: security groups for pods, and what the VPC decides elsewhere.

use serde_json::json;

use crate::{
    diagnostic::{Diagnostics, Message},
    settings::Addon,
    translate::{Context, CustomObject, Manifests, Object},
    validate::{NetworkConfiguration, NetworkMode},
};

/// Adds the SecurityGroupPolicy of a service or task, whose pods it finds by their owner's label, and says what of the
/// subnets and addresses does not hold.
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
    // The VPC CNI gives no interface of its own to a pod in the node's network.
    let own_network = cx.task_definition.network.mode != NetworkMode::Host;
    if !own_network || !cx.settings.has(Addon::SecurityGroupsForPods) {
        notes.report(path, Message::SecurityGroupsNotEnforced);
        return;
    }
    if cx.task_definition.eks_fargate {
        notes.report(path, Message::ClusterSecurityGroupNeeded);
    }
    objects.push(Object::Custom(CustomObject {
        api_version: "vpcresources.k8s.aws/v1beta1",
        kind: "SecurityGroupPolicy",
        metadata: cx.metadata(cx.object_name()),
        spec: json!({
            "podSelector": {"matchLabels": cx.selector()},
            "securityGroups": {"groupIds": security_groups},
        }),
    }));
}

#[cfg(test)]
mod tests {
    use crate::{
        settings::Compute,
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
                "networkConfiguration.awsvpcConfiguration.subnets: SubnetsNotEnforced",
            ]
        );
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
