//! How tasks are run: `run_params`.

use super::{Object, Report, Section, renamed};

/// Adds what the parameters say of the service.
pub(super) fn add<'a>(
    spec: &mut Object<'a>,
    run: &mut Section<'a>,
    has_own_network: bool,
    report: &mut Report<'_>,
) {
    let span = run.span;
    if let Some(mut network) = run.section("network_configuration") {
        if let Some(mut own) = network.section("awsvpc_configuration") {
            let mut made = Object::new(span);
            made.maybe("subnets", own.take("subnets"));
            made.maybe("securityGroups", own.take("security_groups"));
            made.maybe("assignPublicIp", own.text("assign_public_ip"));
            let path = network.path("awsvpc_configuration");
            own.finish(report);
            let mut around = Object::new(span);
            around.put("awsvpcConfiguration", made.node());
            if has_own_network {
                spec.put("networkConfiguration", around.node());
            } else {
                let why = "only tasks with ecs_network_mode: awsvpc have it";
                report.unused(span, path, why);
            }
        }
        network.finish(report);
    }
    if let Some(mut placement) = run.section("task_placement") {
        let names = [("type", "type"), ("field", "field")];
        spec.elements(
            "placementStrategy",
            renamed(&mut placement, "strategy", &names, report),
        );
        let names = [("type", "type"), ("expression", "expression")];
        spec.elements(
            "placementConstraints",
            renamed(&mut placement, "constraints", &names, report),
        );
        placement.finish(report);
    }
    let advice = "give the service a name with serviceConnectConfiguration in the EcsService, or let clients use the name of its Service";
    run.unread(&["service_discovery"], advice, report);
}
