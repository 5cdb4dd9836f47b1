//! The default capacity provider strategies of clusters, by which services run that have neither a launch type nor a
//! strategy (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>).

use std::{collections::BTreeMap, rc::Rc};

use super::{
    super::tree::{Member, Node, Value},
    resource::Resource,
    stack::Stack,
};
use crate::diagnostic::Message;

const STRATEGY: &str = "DefaultCapacityProviderStrategy";

/// The strategies of the clusters that a template makes, by their names.
pub(super) type Strategies<'a> = BTreeMap<String, Node<'a>>;

/// Returns the strategies of the clusters of a template.
pub(super) fn strategies<'a>(stack: &mut Stack<'_, 'a>) -> Rc<Strategies<'a>> {
    if let Some(known) = &stack.strategies {
        return Rc::clone(known);
    }
    // A strategy may name a provider that refers to a service.
    stack.strategies = Some(Rc::default());
    let mut found = Strategies::new();
    // An association is made after the cluster, and replaces its strategy.
    for type_ in [
        "AWS::ECS::Cluster",
        "AWS::ECS::ClusterCapacityProviderAssociations",
    ] {
        for resource in &*stack.resources() {
            if resource.type_ != type_ {
                continue;
            }
            let Some(strategy) = resource.property(STRATEGY) else {
                continue;
            };
            let name = if type_ == "AWS::ECS::Cluster" {
                resource.name(stack)
            } else {
                resource.text("Cluster", stack)
            };
            let strategy = stack.node(strategy, &resource.scope);
            if let (Ok(Some(name)), Some(strategy)) = (name, strategy) {
                found.insert(short(&name).to_owned(), strategy);
            }
        }
    }
    let found = Rc::new(found);
    stack.strategies = Some(Rc::clone(&found));
    found
}

/// Returns the name in the ARN of a cluster.
fn short(cluster: &str) -> &str {
    cluster.rsplit('/').next().unwrap_or(cluster)
}

/// Adds the strategy of its cluster to the evaluated properties of a service, if that decides where its tasks run.
pub(super) fn add_strategy<'a>(
    service: &Resource<'_, 'a>,
    properties: &mut Node<'a>,
    stack: &mut Stack<'_, 'a>,
) {
    if !takes_strategy(properties) {
        return;
    }
    let cluster = properties.get("Cluster").and_then(Node::text);
    let Some(cluster) = cluster.map(|it| short(it).to_owned()) else {
        return;
    };
    let own = strategies(stack).get(&cluster).cloned();
    let strategy = own.or_else(|| {
        let around = stack.around.strategies.get(&cluster)?;
        Some(stack.receive(around, service.key_span))
    });
    let Some(strategy) = strategy.filter(|it| it.elements() != Some(&[])) else {
        return;
    };
    let name = service.id.to_string();
    stack.say(
        service.key_span,
        Message::ClusterStrategyUsed { name, cluster },
    );
    if let Value::Object(members) = &mut properties.value {
        members.retain(|member| member.key != "CapacityProviderStrategy");
        members.push(Member {
            key: "CapacityProviderStrategy".into(),
            key_span: strategy.span,
            value: strategy,
        });
    }
}

/// Whether the cluster decides: a `DAEMON` has no strategy, and neither has a service whose task sets others make.
fn takes_strategy(properties: &Node<'_>) -> bool {
    let text = |key| properties.get(key).and_then(Node::text);
    let controller = properties.get("DeploymentController");
    let controller = controller.and_then(|it| it.get("Type")?.text());
    let own = properties.get("CapacityProviderStrategy");
    properties.get("LaunchType").is_none()
        && own.is_none_or(|it| it.elements() == Some(&[]))
        && text("SchedulingStrategy") != Some("DAEMON")
        && controller != Some("EXTERNAL")
}
