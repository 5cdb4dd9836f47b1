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
    if cx.eks_fargate() {
        notes.report(path, Message::ClusterSecurityGroupNeeded);
    }
    objects.push(Object::Custom(CustomObject {
        api_version: "vpcresources.k8s.aws/v1beta1",
        kind: "SecurityGroupPolicy",
        metadata: cx.metadata(cx.name()),
        spec: json!({
            "podSelector": {"matchLabels": cx.selector()},
            "securityGroups": {"groupIds": security_groups},
        }),
    }));
}
