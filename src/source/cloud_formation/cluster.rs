//! The default capacity provider strategies of the clusters that templates make.
//!
//! A name says little of a cluster: each account and each region may have one of that name. So the strategy is taken of a
//! cluster of the same template, of one that a reference leads to, or of the only one of the input that is named so.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    super::{
        cluster_strategy::{is_here, undecided},
        reference::short_name,
        tree::Node,
    },
    carried::Carried,
    resource::Resource,
    stack::Stack,
};
use crate::{diagnostic::Message, fields::Api};

const SERVICE: &str = "AWS::ECS::Service";
/// The types of what runs tasks in a cluster.
const TYPES: &[(&str, Api)] = &[
    (SERVICE, Api::Service),
    ("AWS::Events::Rule", Api::Rule),
    ("AWS::Pipes::Pipe", Api::Pipe),
    ("AWS::Scheduler::Schedule", Api::Schedule),
];
const CLUSTER: &str = "AWS::ECS::Cluster";
const ASSOCIATIONS: &str = "AWS::ECS::ClusterCapacityProviderAssociations";
const STRATEGY: &str = "DefaultCapacityProviderStrategy";

/// A cluster that a template makes, or whose strategy it sets.
#[derive(Debug)]
pub(super) struct Own<'a> {
    id: String,
    name: String,
    /// Whether the template has the name as a text.
    is_literal: bool,
    strategy: Option<Node<'a>>,
}

/// The cluster that a reference leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Known {
    /// The one of the template that has this logical ID.
    Own(String),
    /// That of another stack, with its strategy.
    Other(Option<Carried>),
    /// Several, which have different ones.
    Several,
}

/// What is known of the clusters of the input that have one literal name: the strategy of the only one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Named {
    One(Option<Carried>),
    Several,
}

/// The clusters of the input by their literal names.
pub(super) type Clusters = BTreeMap<String, Named>;

/// Adds a cluster to those of its name.
pub(super) fn add(clusters: &mut Clusters, name: String, found: Named) {
    let Some(known) = clusters.get_mut(&name) else {
        clusters.insert(name, found);
        return;
    };
    let has_none = |it: &Named| matches!(it, Named::One(None));
    if !has_none(known) || !has_none(&found) {
        *known = Named::Several;
    }
}

/// Returns the text of a property, if a template has it as one.
fn literal<'n>(resource: &Resource<'n, '_>, property: &str) -> Option<&'n str> {
    let text = resource.property(property)?.text()?;
    (!text.contains("${")).then_some(text)
}

/// Returns the clusters of a template.
fn own<'a>(stack: &mut Stack<'_, 'a>) -> Rc<[Own<'a>]> {
    if let Some(known) = &stack.own_clusters {
        return Rc::clone(known);
    }
    // A strategy may name a provider that refers to a service.
    stack.own_clusters = Some(Rc::new([]));
    let mut found: Vec<Own<'a>> = Vec::new();
    let all = stack.resources();
    for resource in all.iter().filter(|it| it.type_ == CLUSTER) {
        if let Ok(Some(name)) = resource.name(stack) {
            found.push(Own {
                id: resource.id.to_string(),
                name,
                is_literal: literal(resource, "ClusterName").is_some(),
                strategy: strategy(resource, stack),
            });
        }
    }
    // An association is made after the cluster, and replaces its strategy.
    for resource in all.iter().filter(|it| it.type_ == ASSOCIATIONS) {
        let Ok(Some(text)) = resource.text("Cluster", stack) else {
            continue;
        };
        let strategy = strategy(resource, stack);
        let id = match stack.clusters.get(&text) {
            Some(Known::Own(id)) => Some(id.clone()),
            _ => None,
        };
        let name = short_name(&text);
        let known = found.iter_mut().find(|it| match &id {
            Some(id) => it.id == *id,
            None => it.name == name,
        });
        match known {
            Some(known) => known.strategy = strategy,
            None => found.push(Own {
                id: resource.id.to_string(),
                name: name.to_owned(),
                is_literal: literal(resource, "Cluster").is_some(),
                strategy,
            }),
        }
    }
    let found: Rc<[Own<'a>]> = found.into();
    stack.own_clusters = Some(Rc::clone(&found));
    found
}

fn strategy<'t, 'a>(resource: &Resource<'t, 'a>, stack: &mut Stack<'t, 'a>) -> Option<Node<'a>> {
    let strategy = stack.node(resource.property(STRATEGY)?, &resource.scope)?;
    (strategy.elements() != Some(&[])).then_some(strategy)
}

/// Notes that a text refers to a cluster of the template.
pub(super) fn note<'t, 'a>(
    stack: &mut Stack<'t, 'a>,
    cluster: &Resource<'t, 'a>,
    attribute: Option<&str>,
    text: &str,
) {
    if cluster.type_ == CLUSTER && matches!(attribute, None | Some("Arn")) {
        let known = Known::Own(cluster.id.to_string());
        stack.clusters.insert(text.to_owned(), known);
    }
}

/// Returns the cluster that a text refers to, for another stack.
pub(super) fn carried(stack: &mut Stack<'_, '_>, text: &str) -> Option<Known> {
    let known = stack.clusters.get(text)?.clone();
    let Known::Own(id) = &known else {
        return Some(known);
    };
    let own = own(stack);
    let own = own.iter().find(|it| it.id == *id)?;
    let strategy = own.strategy.clone().map(|it| stack.carry_alone(it));
    Some(Known::Other(strategy))
}

/// Takes the cluster that a text of another stack refers to.
pub(super) fn take(stack: &mut Stack<'_, '_>, text: &str, cluster: &Known) {
    let known = stack.clusters.get(text);
    let cluster = match known {
        Some(Known::Own(_)) => return,
        Some(known) if known != cluster => Known::Several,
        _ => cluster.clone(),
    };
    stack.clusters.insert(text.to_owned(), cluster);
}

/// Returns the clusters of a template that have literal names.
pub(super) fn named(stack: &mut Stack<'_, '_>) -> Clusters {
    let mut clusters = Clusters::new();
    for it in own(stack).iter().filter(|it| it.is_literal) {
        let strategy = it.strategy.clone().map(|it| stack.carry_alone(it));
        add(&mut clusters, it.name.clone(), Named::One(strategy));
    }
    clusters
}

/// Adds the strategies of their clusters to the evaluated properties of a service, or of what starts tasks, where these
/// decide where the tasks run.
pub(super) fn add_strategies<'t, 'a>(
    resource: &Resource<'t, 'a>,
    properties: &mut Node<'a>,
    stack: &mut Stack<'t, 'a>,
) {
    let Some((_, api)) = TYPES.iter().find(|(type_, _)| *type_ == resource.type_) else {
        return;
    };
    for mut part in undecided(*api, properties) {
        let name = resource.id.to_string();
        let text = part.cluster.clone();
        let cluster = short_name(&text).to_owned();
        match found(resource, &text, &cluster, stack) {
            Ok(strategy) => {
                if strategy.is_some_and(|it| part.set(it)) {
                    let message = Message::ClusterStrategyUsed { name, cluster };
                    stack.say(resource.key_span, message);
                }
            }
            Err(Ambiguous) => {
                let message = Message::ClusterNotUnique { name, cluster };
                stack.say(resource.key_span, message);
            }
        }
    }
}

/// Several clusters have the name, and different strategies.
struct Ambiguous;

/// Returns the strategy of the cluster that a resource refers to.
fn found<'t, 'a>(
    resource: &Resource<'t, 'a>,
    text: &str,
    name: &str,
    stack: &mut Stack<'t, 'a>,
) -> Result<Option<Node<'a>>, Ambiguous> {
    let all = own(stack);
    let own: Vec<&Own<'a>> = match stack.clusters.get(text) {
        Some(Known::Own(id)) => all.iter().filter(|it| it.id == *id).collect(),
        Some(Known::Other(strategy)) => {
            let strategy = strategy.clone();
            return Ok(strategy.map(|it| stack.receive(&it, resource.key_span)));
        }
        Some(Known::Several) => return Err(Ambiguous),
        None if is_here(text, stack.values) => all.iter().filter(|it| it.name == name).collect(),
        None => return Ok(None),
    };
    if let [first, others @ ..] = own.as_slice() {
        let same = |other: &&Own<'a>| match (&first.strategy, &other.strategy) {
            (Some(a), Some(b)) => a.same_content(b),
            (a, b) => a.is_none() == b.is_none(),
        };
        if !others.iter().all(same) {
            return Err(Ambiguous);
        }
        return Ok(first.strategy.clone());
    }
    // What starts tasks names a cluster by its ARN, whose account and region are rarely literal.
    if resource.type_ != SERVICE || literal(resource, "Cluster") != Some(name) {
        return Ok(None);
    }
    stack.work.ask();
    match stack.around.clusters.get(name) {
        Some(Named::One(Some(strategy))) => Ok(Some(stack.receive(strategy, resource.key_span))),
        Some(Named::Several) => Err(Ambiguous),
        Some(Named::One(None)) | None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{testing::units, unit::Content};

    /// Returns the first provider of the strategy of the only service of `web.yaml`; `-` if it has none, and what is said.
    fn provider(web: &str, others: &[(&str, &str)]) -> (String, Vec<String>) {
        let task = "  T: {Type: AWS::ECS::TaskDefinition, Properties: {Family: web, ContainerDefinitions: \
                    [{Name: web, Image: nginx, Memory: 64}]}}\n";
        let web = format!("{web}{task}");
        let mut files = vec![("web.yaml", web.as_str())];
        files.extend(others);
        let (units, problems) = units(&files, &[]);
        let mut found = units.iter().filter_map(|unit| match &unit.content {
            Content::Service(input) if input.request.cluster.is_some() => {
                let first = input.request.capacity_provider_strategy.first();
                let provider = first.and_then(|it| it.capacity_provider.clone());
                Some(provider.unwrap_or_else(|| "-".to_owned()))
            }
            _ => None,
        });
        let first = found.next().unwrap_or_else(|| format!("{problems:?}"));
        (first, problems)
    }

    fn cluster(properties: &str) -> String {
        format!("Resources:\n  C: {{Type: AWS::ECS::Cluster, Properties: {{{properties}}}}}\n")
    }

    #[test]
    fn a_name_leads_to_one_cluster_only() {
        let strategy = |provider: &str| {
            format!(
                "DefaultCapacityProviderStrategy: [{{CapacityProvider: {provider}, Weight: 1}}]"
            )
        };
        let named = |name: &str, provider: &str| {
            let text = cluster(&format!("ClusterName: {name}, {}", strategy(provider)));
            format!("{text}Outputs: {{C: {{Value: !Ref C, Export: {{Name: {provider}-c}}}}}}\n")
        };
        let (spot, plain) = (named("main", "SPOT"), named("main", "PLAIN"));
        let made_up = cluster(&strategy("MADE"));
        let without = cluster("ClusterName: main");
        let service = |cluster: &str| {
            format!(
                "  S: {{Type: AWS::ECS::Service, Properties: {{ServiceName: web, Cluster: {cluster}, \
                 TaskDefinition: !Ref T, DesiredCount: 1}}}}\n"
            )
        };
        let empty = "Resources:\n".to_owned();
        let table: &[(&str, &str, &[&str], &str)] = &[
            // Its own cluster, also if that has no strategy.
            (&made_up, "!Ref C", &[&spot], "MADE"),
            (&without, "!Ref C", &[&spot], "-"),
            (&without, "main", &[&spot], "-"),
            // The only one of the name.
            (&empty, "main", &[&spot], "SPOT"),
            (&empty, "main", &[&spot, &plain], "-"),
            (&empty, "main", &[&spot, &without], "-"),
            (&empty, "!Sub main", &[&spot], "-"),
            (&empty, "a0", &[&made_up], "-"),
            (
                &empty,
                "'arn:aws:ecs:us-east-1:999999999999:cluster/main'",
                &[&spot],
                "-",
            ),
            // The one that an import leads to.
            (&empty, "!ImportValue SPOT-c", &[&spot, &plain], "SPOT"),
            (&empty, "!ImportValue PLAIN-c", &[&spot, &plain], "PLAIN"),
        ];
        for (own, reference, others, expected) in table {
            let web = format!("{own}{}", service(reference));
            let names = ["a0.yaml", "a1.yaml"];
            let others: Vec<(&str, &str)> = names.into_iter().zip(others.iter().copied()).collect();
            let (found, problems) = provider(&web, &others);
            assert_eq!(found, *expected, "{own} {reference}");
            let is_unclear = *reference == "main" && others.len() > 1;
            let says = problems.iter().any(|it| it.contains("ClusterNotUnique"));
            assert_eq!(says, is_unclear, "{reference}: {problems:?}");
        }
    }
}
