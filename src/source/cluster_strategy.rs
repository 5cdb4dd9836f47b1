//! The default capacity provider strategies of clusters, by which tasks run that have neither a launch type nor a strategy
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>,
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EcsParameters.html>). Templates and configurations
//! that make the cluster say what it is; the operator reads it from an EcsCluster.

use super::{
    tree::{Member, Node, Value},
    values::Values,
};
use crate::fields::Api;

const STRATEGY: &str = "CapacityProviderStrategy";

/// A part of the properties of a resource that starts tasks, which has neither a launch type nor a strategy.
pub(super) struct Undecided<'n, 'a> {
    /// The name or ARN of the cluster that decides.
    pub(super) cluster: String,
    /// Its number among the parts of the resource, those that are decided too.
    pub(super) index: usize,
    /// The members with what places the tasks.
    pub(super) parameters: &'n mut Node<'a>,
}

/// Returns the parts of the properties of a resource whose cluster decides where their tasks run.
pub(super) fn undecided<'n, 'a>(api: Api, properties: &'n mut Node<'a>) -> Vec<Undecided<'n, 'a>> {
    let parts = match api {
        Api::Service => vec![part(text(properties, "Cluster"), Some(properties))],
        Api::Rule => match properties.get_mut("Targets").map(|it| &mut it.value) {
            Some(Value::List(targets)) => targets.iter_mut().map(target).collect(),
            _ => Vec::new(),
        },
        Api::Schedule => properties
            .get_mut("Target")
            .map(target)
            .into_iter()
            .collect(),
        Api::Pipe => {
            let cluster = text(properties, "Target");
            let parameters = properties.get_mut("TargetParameters");
            let parameters = parameters.and_then(|it| it.get_mut("EcsTaskParameters"));
            vec![part(cluster, parameters)]
        }
        _ => Vec::new(),
    };
    let parts = parts.into_iter().enumerate();
    let parts = parts.filter_map(|(index, part)| Some(Undecided { index, ..part? }));
    parts.filter(|part| is_open(part.parameters)).collect()
}

fn target<'n, 'a>(target: &'n mut Node<'a>) -> Option<Undecided<'n, 'a>> {
    part(text(target, "Arn"), target.get_mut("EcsParameters"))
}

fn part<'n, 'a>(
    cluster: Option<String>,
    parameters: Option<&'n mut Node<'a>>,
) -> Option<Undecided<'n, 'a>> {
    Some(Undecided {
        cluster: cluster?,
        index: 0,
        parameters: parameters?,
    })
}

fn text(node: &Node<'_>, key: &str) -> Option<String> {
    node.get(key)?.text().map(str::to_owned)
}

/// Whether a cluster is in the account and the region that are converted: it is a name, or such an ARN
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids>).
pub(super) fn is_here(cluster: &str, values: &Values) -> bool {
    if !cluster.starts_with("arn:") {
        return true;
    }
    let (region, account) = (values.region(), values.account_id());
    let mut parts = cluster.split(':').skip(3);
    parts.next() == Some(region) && parts.next() == Some(account)
}

/// Whether the cluster decides. A `DAEMON` has no strategy, and neither has a service whose task sets others make.
fn is_open(parameters: &Node<'_>) -> bool {
    let text = |key| parameters.get(key).and_then(Node::text);
    let controller = parameters.get("DeploymentController");
    let controller = controller.and_then(|it| it.get("Type")?.text());
    let own = parameters.get(STRATEGY);
    parameters.get("LaunchType").is_none()
        && own.is_none_or(|it| it.elements() == Some(&[]))
        && text("SchedulingStrategy") != Some("DAEMON")
        && controller != Some("EXTERNAL")
}

impl<'a> Undecided<'_, 'a> {
    /// Sets the strategy, unless it is empty. Returns whether it is set.
    pub(super) fn set(&mut self, strategy: Node<'a>) -> bool {
        let Value::Object(members) = &mut self.parameters.value else {
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
}
