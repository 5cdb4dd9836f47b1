//! The default capacity provider strategies of clusters, by which services run that have neither a launch type nor a
//! strategy (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>). Templates and
//! configurations that make the cluster say what it is; the operator reads it from an EcsCluster.

use super::{
    reference::short_name,
    tree::{Member, Node, Value},
};

const STRATEGY: &str = "CapacityProviderStrategy";

/// Returns the name of the cluster whose strategy a service runs by, from its properties; `None` if it runs by another
/// one. A `DAEMON` has no strategy, and neither has a service whose task sets others make.
pub(super) fn deciding_cluster<'n>(properties: &'n Node<'_>) -> Option<&'n str> {
    let text = |key| properties.get(key).and_then(Node::text);
    let controller = properties.get("DeploymentController");
    let controller = controller.and_then(|it| it.get("Type")?.text());
    let own = properties.get(STRATEGY);
    let is_open = properties.get("LaunchType").is_none()
        && own.is_none_or(|it| it.elements() == Some(&[]))
        && text("SchedulingStrategy") != Some("DAEMON")
        && controller != Some("EXTERNAL");
    is_open.then(|| text("Cluster").map(short_name))?
}

/// Sets the strategy of a service, unless it is empty. Returns whether it is set.
pub(super) fn set_strategy<'a>(properties: &mut Node<'a>, strategy: Node<'a>) -> bool {
    let Value::Object(members) = &mut properties.value else {
        return false;
    };
    if strategy.elements() == Some(&[]) {
        return false;
    }
    members.retain(|member| member.key != STRATEGY);
    members.push(Member {
        key: STRATEGY.into(),
        key_span: strategy.span,
        value: strategy,
    });
    true
}
