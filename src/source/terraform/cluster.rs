//! The default capacity provider strategies of clusters
//! (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecs_cluster_capacity_providers>).

use super::{
    super::{
        cluster_strategy::undecided,
        reference::short_name,
        text::Span,
        tree::{Node, Value},
    },
    attribute::Attribute,
    member,
    plan::Plan,
    resource::Resource,
    string,
};
use crate::{diagnostic::Message, fields::Api};

const STRATEGY: &str = "default_capacity_provider_strategy";

/// The types that have a strategy, and their arguments with the name of the cluster. Versions of the provider before 5
/// have it in the cluster itself.
const TYPES: &[(&str, &str)] = &[
    ("aws_ecs_cluster_capacity_providers", "cluster_name"),
    ("aws_ecs_cluster", "name"),
];

/// Adds the strategies of their clusters to the properties of a service, or of what starts tasks, where these decide where
/// the tasks run.
pub(super) fn add_strategies<'a>(
    plan: &mut Plan<'_, 'a>,
    api: Api,
    resource: &Resource<'_, 'a>,
    properties: &mut Node<'a>,
) {
    for mut part in undecided(api, properties) {
        let cluster = short_name(&part.cluster).to_owned();
        let strategy = strategy(plan, &cluster, resource.span);
        if strategy.is_some_and(|it| part.set(it)) {
            let name = resource.address.clone();
            let message = Message::ClusterStrategyUsed { name, cluster };
            plan.say(resource.span, message);
        }
    }
}

/// Returns the strategy of the cluster of a name, at this position.
fn strategy<'a>(plan: &mut Plan<'_, 'a>, cluster: &str, span: Span) -> Option<Node<'a>> {
    TYPES.iter().find_map(|(type_, name)| {
        let resources = plan.resources();
        let mut found = resources.iter().filter(|it| it.type_ == *type_);
        found.find_map(|resource| {
            let strategy = plan.attributes(resource).member(STRATEGY);
            let before = plan.opened();
            let named = plan.argument(resource, name);
            plan.forget(before);
            let is_its = named.is_some_and(|name| short_name(&name) == cluster);
            (is_its && strategy.is_given()).then(|| items(plan, resource, strategy, span))
        })
    })
}

/// Returns the elements of a strategy, at the position of the service: the cluster may be in another file.
fn items<'t, 'a>(
    plan: &mut Plan<'t, 'a>,
    resource: &Resource<'t, 'a>,
    strategy: Attribute<'t, 'a>,
    span: Span,
) -> Node<'a> {
    let elements = strategy.blocks().into_iter().map(|item| {
        let mut members = Vec::new();
        for (argument, name) in [
            ("capacity_provider", "CapacityProvider"),
            ("base", "Base"),
            ("weight", "Weight"),
        ] {
            let path = format!("{STRATEGY}.{argument}");
            let text = plan.text(resource, item.member(argument), &path);
            members.extend(text.map(|text| member(name, span, string(text, span))));
        }
        let value = Value::Object(members);
        Node { value, span }
    });
    let value = Value::List(elements.collect());
    Node { value, span }
}
