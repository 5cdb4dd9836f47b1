//! The health check of a container.

use super::{
    super::{
        manifest::{Object, Report, Section, number},
        tree::Node,
    },
    member::{duration, text_list},
};

/// Takes a health check. What it does not say is as Copilot assumes
/// (<https://aws.github.io/copilot-cli/docs/manifest/backend-service/#image-healthcheck>).
pub(super) fn health_check<'a>(
    section: &mut Section<'a>,
    report: &mut Report<'_>,
) -> Option<Node<'a>> {
    let mut check = section.section("healthcheck")?;
    let span = check.span;
    let mut made = Object::new(span);
    let command = check.take("command");
    let at = number(span, 0);
    let assumed = || text_list(&at, &["CMD-SHELL", "curl -f http://localhost/ || exit 1"]);
    made.put("command", command.unwrap_or_else(assumed));
    let members = [
        ("interval", "interval", 10),
        ("retries", "retries", 2),
        ("start_period", "startPeriod", 0),
        ("timeout", "timeout", 5),
    ];
    for (key, name, assumed) in members {
        let value = check.take(key).map(duration);
        made.put(name, value.unwrap_or_else(|| number(span, assumed)));
    }
    check.finish(report);
    Some(made.node())
}
