//! What the target groups of a template say about the services that are behind them.

use super::{
    super::{
        manifest::{Object, text},
        text::Span,
        tree::{Member, Node, Value},
    },
    resource::Resource,
    stack::Stack,
};

const TYPE: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";

/// The annotation that gives a service the delay of its target groups.
const ANNOTATION: &str = "ecs-operator.dev/deregistration-delay-seconds";

/// The delay of a target group that sets none, in seconds
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>).
const DEFAULT: &str = "300";

const DELAY: &str = "deregistration_delay.timeout_seconds";

/// Returns the metadata of a service whose target groups are made by a template, from its evaluated properties: how long
/// they take to deregister a target.
pub(super) fn metadata<'a>(stack: &Stack<'_, 'a>, properties: &Node<'a>) -> Option<Member<'a>> {
    let balancers = properties.get("LoadBalancers")?.elements()?;
    let mut longest: Option<(u32, Span)> = None;
    for balancer in balancers {
        // One that is not known may take longer.
        let group = balancer.get("TargetGroupArn")?.text()?;
        let (seconds, span) = *stack.delays.get(group)?;
        let longer = longest.is_none_or(|(known, _)| seconds > known);
        if longer {
            longest = Some((seconds, span));
        }
    }
    let (seconds, span) = longest?;
    let mut annotations = Object::new(span);
    annotations.put(ANNOTATION, text(span, seconds.to_string()));
    let mut metadata = Object::new(span);
    metadata.put("annotations", annotations.node());
    Some(Member {
        key: "metadata".into(),
        key_span: span,
        value: metadata.node(),
    })
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
        return Some(DEFAULT.to_owned());
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
        None => Some(DEFAULT.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotation_is_a_setting() {
        assert!(crate::settings::is_setting(ANNOTATION));
    }
}
