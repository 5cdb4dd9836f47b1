//! What target groups say about the services that are behind them
//! (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/lb_target_group#deregistration_delay>).

use super::{
    super::{deregistration, text::Span, tree::Member},
    attribute::Attribute,
    plan::Plan,
    reference::Referent,
    resource::Resource,
};

/// The argument with the delay, in seconds.
pub(super) const DELAY: &str = "deregistration_delay";

/// The types of target groups.
const TYPES: &[&str] = &["aws_alb_target_group", "aws_lb_target_group"];

/// Returns the metadata of a service whose target groups are all known: how long they take to deregister a target.
pub(super) fn metadata<'t, 'a>(
    plan: &mut Plan<'t, 'a>,
    service: &Resource<'t, 'a>,
) -> Option<Member<'a>> {
    let balancers = plan.attributes(service).member("load_balancer").blocks();
    let delays: Vec<_> = balancers
        .into_iter()
        .map(|balancer| delay(plan, service, balancer.member("target_group_arn")))
        .collect();
    deregistration::longest(delays.into_iter()).map(deregistration::metadata)
}

/// Returns the delay of the target group that an argument names, at the place of the service.
fn delay<'t, 'a>(
    plan: &mut Plan<'t, 'a>,
    service: &Resource<'t, 'a>,
    named: Attribute<'t, 'a>,
) -> Option<(u32, Span)> {
    let resources = plan.resources();
    let is_group = |it: &&Resource<'t, 'a>| TYPES.contains(&&*it.type_);
    let group = match plan.referents(service, named).as_slice() {
        [Referent::Resource { index, attribute }] if is_arn(attribute) => resources.get(*index),
        // A state has no references, but ARNs.
        [] => {
            let arn = named.text()?;
            resources.iter().find(|it| it.text("arn") == Some(arn))
        }
        _ => None,
    };
    let delay = plan.attributes(group.filter(is_group)?).member(DELAY);
    if delay.is_unknown() {
        return None;
    }
    let seconds = match delay.text() {
        Some(text) => text.parse().ok()?,
        None => deregistration::DEFAULT,
    };
    Some((seconds, service.span))
}

fn is_arn(attribute: &str) -> bool {
    matches!(attribute, "" | "arn" | "id")
}
