//! AWS rules for requests that do not matter in Kubernetes. They apply neither to AWS responses, which AWS has
//! accepted, nor to custom resources and lists of containers, which are not whole requests.

use super::{entry::Entry, kind::Envelope};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
};

/// Whether a document is a request as sent to AWS.
pub(super) fn is_request(entry: &Entry, described: bool) -> bool {
    let whole = matches!(entry.form.envelope, Envelope::Bare | Envelope::Properties);
    whole && !described
}

/// Checks that a task definition has an execution role if it has secrets, which `RegisterTaskDefinition` requires
/// (<https://github.com/fabfuel/ecs-deploy/issues/87>), and on Fargate for the logs too
/// (<https://github.com/virtual-kubelet/virtual-kubelet/issues/193>).
pub(super) fn check_task_definition(
    request: &ecs::TaskDefinition,
    left_out: &[FieldPath],
    sink: &mut Diagnostics,
) {
    let path = FieldPath::root(Subject::TaskDefinition).field("executionRoleArn");
    if request.execution_role_arn.is_some() || left_out.contains(&path) {
        return;
    }
    let containers = &request.container_definitions;
    let awslogs = |container: &ecs::ContainerDefinition| {
        let log = container.log_configuration.as_ref();
        log.and_then(|log| log.log_driver.as_deref()) == Some("awslogs")
    };
    let compatible = &request.requires_compatibilities;
    let fargate = compatible.iter().any(|name| name == "FARGATE");
    let what = if containers.iter().any(|c| !c.secrets.is_empty()) {
        "secrets need"
    } else if fargate && containers.iter().any(awslogs) {
        "awslogs on Fargate needs"
    } else {
        return;
    };
    let what = what.to_owned();
    sink.report(path, Message::ExecutionRoleRequired { what });
}

/// Checks that a daemon has no strategy, as `CreateService` requires
/// (<https://github.com/aws/containers-roadmap/issues/692>).
pub(super) fn check_service(request: &ecs::Service, sink: &mut Diagnostics) {
    let daemon = request.scheduling_strategy.as_deref() == Some("DAEMON");
    if daemon && !request.capacity_provider_strategy.is_empty() {
        let path = FieldPath::root(Subject::Service).field("capacityProviderStrategy");
        sink.report(path, Message::DaemonCapacityProviders);
    }
}
