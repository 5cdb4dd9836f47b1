//! The default capacity provider strategies of clusters
//! (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecs_cluster_capacity_providers>).

use std::rc::Rc;

use super::{
    super::{
        cluster_strategy::{is_here, undecided},
        reference::short_name,
        text::Span,
        tree::{Node, Value},
    },
    attribute::Attribute,
    member,
    plan::Plan,
    reference::Referent,
    resource::Resource,
    string,
};
use crate::{diagnostic::Message, fields::Api};

const STRATEGY: &str = "default_capacity_provider_strategy";

const CLUSTER: &str = "aws_ecs_cluster";
const PROVIDERS: &str = "aws_ecs_cluster_capacity_providers";

/// Where resources name the cluster that they run tasks in.
const RUNNERS: &[(&str, &[&str])] = &[
    ("aws_cloudwatch_event_target", &["arn"]),
    ("aws_ecs_service", &["cluster"]),
    ("aws_pipes_pipe", &["target"]),
    ("aws_scheduler_schedule", &["target", "arn"]),
];

/// A cluster of the input, or one that only what sets its strategy names.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    /// The number of its resource, if it is among them.
    index: Option<usize>,
    name: Option<String>,
    /// The number of the resource that has its strategy. Versions of the provider before 5 have it in the cluster itself.
    strategy: Option<usize>,
}

/// Several clusters may be meant, and they have different strategies.
struct Ambiguous;

/// Adds the strategies of their clusters to the properties of a service, or of what starts tasks, where these decide where
/// the tasks run. `runners` are the resources that have the parts of the properties.
pub(super) fn add_strategies<'t, 'a>(
    plan: &mut Plan<'t, 'a>,
    api: Api,
    resource: &Resource<'t, 'a>,
    runners: &[&Resource<'t, 'a>],
    properties: &mut Node<'a>,
) {
    for mut part in undecided(api, properties) {
        let runner = runners.get(part.index).copied().unwrap_or(resource);
        let name = resource.address.clone();
        let cluster = short_name(&part.cluster).to_owned();
        match strategy(plan, runner, &part.cluster, resource.span) {
            Ok(strategy) => {
                if strategy.is_some_and(|it| part.set(it)) {
                    let message = Message::ClusterStrategyUsed { name, cluster };
                    plan.say(resource.span, message);
                }
            }
            Err(Ambiguous) => {
                let message = Message::ClusterNotUnique { name, cluster };
                plan.say(resource.span, message);
            }
        }
    }
}

/// Returns the strategy of the cluster that a resource refers to, or of the only one that has the name, at this position.
fn strategy<'t, 'a>(
    plan: &mut Plan<'t, 'a>,
    runner: &Resource<'t, 'a>,
    text: &str,
    span: Span,
) -> Result<Option<Node<'a>>, Ambiguous> {
    let all = clusters(plan);
    let path = RUNNERS.iter().find(|(type_, _)| *type_ == runner.type_);
    let referred = match path {
        Some((_, path)) => {
            let argument = plan.attributes(runner).at(path);
            referred(plan, runner, argument)
        }
        None => Vec::new(),
    };
    let has_name = |it: &Cluster| it.name.as_deref() == Some(short_name(text));
    let is_its = |it: &&Cluster| match (it.index, referred.is_empty()) {
        (Some(index), false) => referred.contains(&index),
        // It may be for the cluster, or for another one of the name.
        (None, false) => has_name(it),
        (_, true) => has_name(it) && is_here(text, plan.values),
    };
    let found: Vec<Option<usize>> = all.iter().filter(is_its).map(|it| it.strategy).collect();
    let mut nodes = Vec::with_capacity(found.len());
    for strategy in found {
        nodes.push(strategy.and_then(|index| items(plan, index, span)));
    }
    let mut nodes = nodes.into_iter();
    let Some(first) = nodes.next() else {
        return Ok(None);
    };
    let is_same = |other: Option<Node<'a>>| match (&first, &other) {
        (Some(a), Some(b)) => a.same_content(b),
        (a, b) => a.is_none() == b.is_none(),
    };
    if nodes.all(is_same) {
        Ok(first)
    } else {
        Err(Ambiguous)
    }
}

/// Returns the numbers of the clusters that an argument refers to.
fn referred<'t, 'a>(
    plan: &mut Plan<'t, 'a>,
    resource: &Resource<'t, 'a>,
    argument: Attribute<'t, 'a>,
) -> Vec<usize> {
    let resources = plan.resources();
    let referents = plan.referents(resource, argument).into_iter();
    let mut found = Vec::new();
    for referent in referents {
        if let Referent::Resource { index, .. } = referent
            && resources.get(index).is_some_and(|it| it.type_ == CLUSTER)
            && !found.contains(&index)
        {
            found.push(index);
        }
    }
    found
}

/// Returns the clusters of the input.
fn clusters(plan: &mut Plan<'_, '_>) -> Rc<[Cluster]> {
    if let Some(known) = &plan.clusters {
        return Rc::clone(known);
    }
    let resources = plan.resources();
    let mut found: Vec<Cluster> = Vec::new();
    for (index, resource) in resources.iter().enumerate() {
        if resource.type_ == CLUSTER {
            let strategy = plan.attributes(resource).member(STRATEGY);
            found.push(Cluster {
                index: Some(index),
                name: named(plan, resource, "name"),
                strategy: strategy.is_given().then_some(index),
            });
        }
    }
    // It is made after the cluster, and replaces its strategy.
    for (index, resource) in resources.iter().enumerate() {
        if resource.type_ != PROVIDERS {
            continue;
        }
        let argument = plan.attributes(resource).member("cluster_name");
        let referred = referred(plan, resource, argument);
        let name = named(plan, resource, "cluster_name");
        let is_its = |it: &Cluster| it.index.is_some_and(|it| referred.contains(&it));
        let is_named = |it: &Cluster| name.is_some() && it.name == name;
        let is_beside = |it: &Cluster| {
            let other = it.index.and_then(|it| resources.get(it));
            is_named(it) && other.is_some_and(|it| it.module == resource.module)
        };
        let only = only(&found, is_its).or_else(|| only(&found, is_beside));
        let only = only.or_else(|| self::only(&found, is_named));
        match only.and_then(|at| found.get_mut(at)) {
            Some(cluster) => cluster.strategy = Some(index),
            None => found.push(Cluster {
                index: None,
                name,
                strategy: Some(index),
            }),
        }
    }
    let found: Rc<[Cluster]> = found.into();
    plan.clusters = Some(Rc::clone(&found));
    found
}

/// Returns the number of the only cluster of which something is so.
fn only(clusters: &[Cluster], is: impl Fn(&Cluster) -> bool) -> Option<usize> {
    let mut found = clusters.iter().enumerate().filter(|(_, it)| is(it));
    let (index, _) = found.next()?;
    found.next().is_none().then_some(index)
}

/// Returns the name of a cluster in an argument.
fn named<'t, 'a>(
    plan: &mut Plan<'t, 'a>,
    resource: &Resource<'t, 'a>,
    name: &str,
) -> Option<String> {
    let before = plan.opened();
    let text = plan.argument(resource, name);
    plan.forget(before);
    text.map(|it| short_name(&it).to_owned())
}

/// Returns the elements of the strategy that a resource has, at the position of the service: the cluster may be in another
/// file.
fn items<'a>(plan: &mut Plan<'_, 'a>, index: usize, span: Span) -> Option<Node<'a>> {
    let resources = plan.resources();
    let resource = resources.get(index)?;
    let strategy = plan.attributes(resource).member(STRATEGY);
    if !strategy.is_given() {
        return None;
    }
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
    Some(Node { value, span })
}
