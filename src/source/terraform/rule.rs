//! Joins the rules of EventBridge with their targets, which are resources of their own
//! (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/cloudwatch_event_target>).

use std::collections::BTreeMap;

use super::{
    super::tree::{Node, Value},
    Converted, cluster, document, member,
    plan::Plan,
    property::Mapping,
    reference::Referent,
    resource::Resource,
    string,
    table::Type,
};
use crate::fields::{Api, Shape};

pub(super) const RULE: &str = "aws_cloudwatch_event_rule";
pub(super) const TARGET: &str = "aws_cloudwatch_event_target";

/// The targets that start tasks of ECS.
pub(super) struct Rules {
    /// By the rule that they belong to, if it is among the resources.
    of_rules: BTreeMap<usize, Vec<usize>>,
    /// Those of other rules.
    others: Vec<usize>,
}

/// Finds the rules of the targets that start tasks.
pub(super) fn join(plan: &mut Plan<'_, '_>) -> Rules {
    let resources = plan.resources();
    let mut rules = Rules {
        of_rules: BTreeMap::new(),
        others: Vec::new(),
    };
    for (index, resource) in resources.iter().enumerate() {
        let starts_tasks = plan.attributes(resource).member("ecs_target").is_given();
        if resource.type_ != TARGET || !starts_tasks {
            continue;
        }
        match rule_of(plan, resource, &resources) {
            Some(rule) => rules.of_rules.entry(rule).or_default().push(index),
            None => rules.others.push(index),
        }
    }
    rules
}

/// Returns the rule of a target.
fn rule_of<'t, 'a>(
    plan: &mut Plan<'t, 'a>,
    target: &Resource<'t, 'a>,
    resources: &[Resource<'t, 'a>],
) -> Option<usize> {
    let named = plan.attributes(target).member("rule");
    let referents = plan.referents(target, named);
    let referred = referents.iter().find_map(|it| match it {
        Referent::Resource { index, .. } => Some(*index),
        _ => None,
    });
    let is_rule = |index: &usize| resources.get(*index).is_some_and(|it| it.type_ == RULE);
    let bus = |it: &Resource<'_, '_>| it.text("event_bus_name").map(str::to_owned);
    referred.filter(is_rule).or_else(|| {
        let name = target.text("rule")?;
        let is_default = |bus: &Option<String>| bus.as_deref().is_none_or(|it| it == "default");
        let own = bus(target);
        resources.iter().position(|it| {
            let other = bus(it);
            it.type_ == RULE
                && it.text("name") == Some(name)
                && (own == other || is_default(&own) && is_default(&other))
        })
    })
}

impl Rules {
    /// Returns what a rule or a target becomes.
    pub(super) fn document<'t, 'a>(
        &self,
        plan: &mut Plan<'t, 'a>,
        index: usize,
        resource: &Resource<'t, 'a>,
    ) -> Converted<'a> {
        if resource.type_ == TARGET {
            if self.others.contains(&index) {
                return Converted::Document(alone(plan, resource));
            }
            let is_joined = self.of_rules.values().any(|them| them.contains(&index));
            return if is_joined {
                Converted::Joined
            } else {
                Converted::No
            };
        }
        let (Some(targets), Some(kind)) = (self.of_rules.get(&index), Type::named(RULE)) else {
            return Converted::No;
        };
        let attributes = plan.attributes(resource);
        let mut properties = Mapping::new(plan, resource, kind).properties(attributes);
        super::add_name(&mut properties, kind, resource);
        let resources = plan.resources();
        let targets = targets.iter().filter_map(|index| resources.get(*index));
        let targets: Vec<&Resource<'t, 'a>> = targets.collect();
        let nodes = targets.iter().filter_map(|it| target(plan, it)).collect();
        add_targets(&mut properties, resource, nodes);
        cluster::add_strategies(plan, Api::Rule, resource, &targets, &mut properties);
        Converted::Document(document(resource, properties))
    }
}

/// Returns the targets of a rule that is not among the resources.
fn alone<'t, 'a>(plan: &mut Plan<'t, 'a>, resource: &Resource<'t, 'a>) -> Node<'a> {
    let span = resource.span;
    let mut members = Vec::new();
    for (argument, property) in [("rule", "Rule"), ("event_bus_name", "EventBusName")] {
        if let Some(text) = plan.argument(resource, argument) {
            members.push(member(property, span, string(text, span)));
        }
    }
    let value = Value::Object(members);
    let mut properties = Node { value, span };
    let targets = target(plan, resource).into_iter().collect();
    add_targets(&mut properties, resource, targets);
    cluster::add_strategies(plan, Api::Rule, resource, &[resource], &mut properties);
    document(resource, properties)
}

fn add_targets<'a>(properties: &mut Node<'a>, resource: &Resource<'_, 'a>, targets: Vec<Node<'a>>) {
    let span = resource.span;
    let value = Value::List(targets);
    if let Value::Object(members) = &mut properties.value {
        members.push(member("Targets", span, Node { value, span }));
    }
}

/// Returns an element of `Targets`.
fn target<'t, 'a>(plan: &mut Plan<'t, 'a>, resource: &Resource<'t, 'a>) -> Option<Node<'a>> {
    let Shape::Object(members) = &Api::Rule.tree().shape else {
        return None;
    };
    let Shape::List(element) = &members.get("Targets")?.shape else {
        return None;
    };
    let attributes = plan.attributes(resource);
    let mapping = Mapping::new(plan, resource, Type::named(TARGET)?);
    let mut node = mapping.of_shape(attributes, &element.shape);
    // Terraform makes an ID up too.
    super::add_missing(&mut node, "Id", resource);
    Some(node)
}
