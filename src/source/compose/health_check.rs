//! The health check of a container (<https://github.com/compose-spec/compose-spec/blob/main/05-services.md#healthcheck>).

use super::super::{
    manifest::{Object, Report, Section, is_true, list, number, seconds, text},
    tree::{Node, Value},
};

/// The numbers of a health check with their names in ECS: what Docker assumes, and the least and the most that ECS takes
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html>).
const TIMES: &[(&str, &str, i64, f64, f64)] = &[
    ("interval", "interval", 30, 5.0, 300.0),
    ("timeout", "timeout", 30, 2.0, 60.0),
    ("retries", "retries", 3, 1.0, 10.0),
    ("start_period", "startPeriod", 0, 0.0, 300.0),
];

/// What is said of a number that ECS does not take.
const NEAREST: &str = "it has the nearest value that ECS takes, which has an interval of 5 to 300 s, a timeout of 2 to 60 s, 1 to 10 retries and a start_period of at most 300 s";

/// Takes a health check, with the times that Docker assumes. `None` also if it is switched off, or is that of the image.
pub(super) fn health_check<'a>(
    section: &mut Section<'a>,
    report: &mut Report<'_>,
) -> Option<Node<'a>> {
    let mut check = section.section("healthcheck")?;
    let span = check.span;
    let is_off = check.take("disable").is_some_and(|node| is_true(&node));
    let test = check.take("test");
    let mut made = Object::new(span);
    for (key, name, assumed, least, most) in TIMES {
        let path = check.path(key);
        let value = check.take(key).map(|node| {
            let Some(seconds) = node.scalar().and_then(seconds) else {
                return node;
            };
            let nearest = seconds.ceil().clamp(*least, *most);
            if nearest.total_cmp(&seconds.ceil()).is_ne() {
                report.unread(node.span, path, NEAREST);
            }
            number(node.span, nearest)
        });
        made.put(*name, value.unwrap_or_else(|| number(span, assumed)));
    }
    let advice = "a container is checked at the same interval from its start on";
    check.unread(&["start_interval"], advice, report);
    check.finish(report);
    let command = match test {
        Some(test) if test.elements().is_some() => test,
        Some(test) => {
            let at = test.span;
            let Value::String(written) = test.value else {
                return None;
            };
            list(at, vec![text(at, "CMD-SHELL"), text(at, written)])
        }
        None => {
            let advice = "Kubernetes does not know the check of the image: write it as test";
            if !is_off {
                report.unread(span, section.path("healthcheck"), advice);
            }
            return None;
        }
    };
    let first = command.elements().and_then(|it| it.first());
    if is_off || first.and_then(Node::text) == Some("NONE") {
        return None;
    }
    made.put("command", command);
    Some(made.node())
}
