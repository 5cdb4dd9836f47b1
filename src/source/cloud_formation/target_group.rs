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

/// The annotation that gives a service the delay of its target groups.
const ANNOTATION: &str = "ecs-operator.dev/deregistration-delay-seconds";

/// The delay of a target group that sets none, in seconds
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>).
const DEFAULT: &str = "300";

const DELAY: &str = "deregistration_delay.timeout_seconds";

/// Returns the metadata of a service whose target groups the template makes: how long they take to deregister a target.
pub(super) fn metadata<'t, 'a>(
    stack: &mut Stack<'t, 'a>,
    service: &Resource<'t, 'a>,
) -> Option<Member<'a>> {
    let balancers = service.property("LoadBalancers")?.elements()?;
    let mut longest: Option<(u32, Span)> = None;
    for balancer in balancers {
        // One that is not known may take longer.
        let id = balancer.get("TargetGroupArn")?.get("Ref")?.text()?;
        let group = stack.resource(id)?;
        let seconds = delay(stack, &group)?.parse().ok()?;
        let longer = longest.is_none_or(|(known, _)| seconds > known);
        if longer {
            longest = Some((seconds, group.key_span));
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

/// Returns the deregistration delay of a target group.
fn delay<'t, 'a>(stack: &mut Stack<'t, 'a>, group: &Resource<'t, 'a>) -> Option<String> {
    if group.type_ != "AWS::ElasticLoadBalancingV2::TargetGroup" {
        return None;
    }
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
