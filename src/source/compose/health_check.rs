//! The health check of a container (<https://github.com/compose-spec/compose-spec/blob/main/05-services.md#healthcheck>).

use super::super::{
    manifest::{Object, Report, Section, is_true, list, number, seconds, text},
    tree::{Node, Value},
};

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
    let times = [
        ("interval", "interval", 30),
        ("timeout", "timeout", 30),
        ("retries", "retries", 3),
        ("start_period", "startPeriod", 0),
    ];
    for (key, name, assumed) in times {
        let value = check
            .take(key)
            .map(|node| match node.scalar().and_then(seconds) {
                Some(seconds) => number(node.span, seconds),
                None => node,
            });
        made.put(name, value.unwrap_or_else(|| number(span, assumed)));
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
