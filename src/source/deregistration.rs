//! How long target groups take to deregister a target, which services behind them have as an annotation: their pods stay for
//! that long, because the load balancer still sends them requests.

use super::{
    manifest::{Object, text},
    text::Span,
    tree::Member,
};

/// The annotation that gives a service the delay of its target groups.
const ANNOTATION: &str = "ecs-operator.dev/deregistration-delay-seconds";

/// The delay of a target group that sets none, in seconds
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>).
pub(super) const DEFAULT: u32 = 300;

/// Returns the longest of the delays of a service's target groups, each with its position; `None` if there is none, or one
/// is not known, which may be longer.
pub(super) fn longest(delays: impl Iterator<Item = Option<(u32, Span)>>) -> Option<(u32, Span)> {
    let mut longest: Option<(u32, Span)> = None;
    for delay in delays {
        let (seconds, span) = delay?;
        if longest.is_none_or(|(known, _)| seconds > known) {
            longest = Some((seconds, span));
        }
    }
    longest
}

/// Returns the metadata of a service with this delay.
pub(super) fn metadata<'a>((seconds, span): (u32, Span)) -> Member<'a> {
    let mut annotations = Object::new(span);
    annotations.put(ANNOTATION, text(span, seconds.to_string()));
    let mut metadata = Object::new(span);
    metadata.put("annotations", annotations.node());
    Member {
        key: "metadata".into(),
        key_span: span,
        value: metadata.node(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotation_is_a_setting() {
        assert!(crate::settings::is_setting(ANNOTATION));
    }

    #[test]
    fn one_that_is_not_known_may_be_the_longest() {
        let at = |seconds| Some((seconds, Span::default()));
        assert_eq!(longest([at(20), at(40), at(30)].into_iter()), at(40));
        assert_eq!(longest([at(20), None].into_iter()), None);
        assert_eq!(longest([].into_iter()), None);
    }
}
