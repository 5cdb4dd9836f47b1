//! What the target groups of a template say about the services that are behind them.

use super::{
    super::{
        deregistration::{self, DEFAULT},
        tree::{Member, Node, Value},
    },
    resource::Resource,
    stack::Stack,
};

const TYPE: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";

const DELAY: &str = "deregistration_delay.timeout_seconds";

/// Returns the metadata of a service whose target groups are made by a template, from its evaluated properties: how long
/// they take to deregister a target.
pub(super) fn metadata<'a>(stack: &Stack<'_, 'a>, properties: &Node<'a>) -> Option<Member<'a>> {
    let balancers = properties.get("LoadBalancers")?.elements()?;
    let delays = balancers.iter().map(|balancer| {
        let group = balancer.get("TargetGroupArn")?.text()?;
        stack.delays.get(group).copied()
    });
    deregistration::longest(delays).map(deregistration::metadata)
}

/// Notes the delay of a target group that is referred to by its ARN.
pub(super) fn note_delay<'t, 'a>(
    stack: &mut Stack<'t, 'a>,
    group: &Resource<'t, 'a>,
    attribute: Option<&str>,
    arn: &str,
) {
    let is_arn = matches!(attribute, None | Some("TargetGroupArn"));
    if !is_arn || group.type_ != TYPE || stack.delays.contains_key(arn) {
        return;
    }
    let key = format!("delay of {}", group.id);
    let delay = stack.aside(|stack| stack.within(&key, |stack| Ok(delay(stack, group))));
    if let Ok(Some(seconds)) = delay.map(|it| it.and_then(|it| it.parse().ok())) {
        stack
            .delays
            .insert(arn.to_owned(), (seconds, group.key_span));
    }
}

/// Returns the deregistration delay of a target group.
fn delay<'t, 'a>(stack: &mut Stack<'t, 'a>, group: &Resource<'t, 'a>) -> Option<String> {
    let Some(attributes) = group.property("TargetGroupAttributes") else {
        return Some(DEFAULT.to_string());
    };
    let attributes = stack.node(attributes, &group.scope)?;
    let attributes = attributes.elements()?;
    let is_open = |it: &Node<'_>| matches!(it.value, Value::Unresolved(_));
    if attributes.iter().any(is_open) {
        // One of them may set it.
        return None;
    }
    let mut attributes = attributes.iter();
    let found = attributes.find(|it| it.get("Key").and_then(Node::text) == Some(DELAY));
    match found {
        Some(attribute) => attribute.get("Value")?.scalar().map(str::to_owned),
        None => Some(DEFAULT.to_string()),
    }
}
