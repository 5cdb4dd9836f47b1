//! The default capacity provider strategies of the clusters that templates make.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    super::{
        cluster_strategy::{deciding_cluster, set_strategy},
        reference::short_name,
        tree::Node,
    },
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
                found.insert(short_name(&name).to_owned(), strategy);
            }
        }
    }
    let found = Rc::new(found);
    stack.strategies = Some(Rc::clone(&found));
    found
}

/// Adds the strategy of its cluster to the evaluated properties of a service, if that decides where its tasks run.
pub(super) fn add_strategy<'a>(
    service: &Resource<'_, 'a>,
    properties: &mut Node<'a>,
    stack: &mut Stack<'_, 'a>,
) {
    let Some(cluster) = deciding_cluster(properties).map(str::to_owned) else {
        return;
    };
    let own = strategies(stack).get(&cluster).cloned();
    let strategy = own.or_else(|| {
        let around = stack.around.strategies.get(&cluster)?;
        Some(stack.receive(around, service.key_span))
    });
    if strategy.is_some_and(|it| set_strategy(properties, it)) {
        let name = service.id.to_string();
        let message = Message::ClusterStrategyUsed { name, cluster };
        stack.say(service.key_span, message);
    }
}
