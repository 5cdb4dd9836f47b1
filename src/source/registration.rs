//! AWS rules for requests that do not matter in Kubernetes. They apply neither to AWS responses, which AWS has
//! accepted, nor to custom resources and lists of containers, which are not whole requests.

use super::{entry::Entry, kind::Envelope};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    image::is_private_ecr,
};

/// Whether a document is a request as sent to AWS.
pub(super) fn is_request(entry: &Entry, described: bool) -> bool {
    let whole = matches!(entry.form.envelope, Envelope::Bare | Envelope::Properties);
    whole && !described
}

/// Checks that a task definition has an execution role where `RegisterTaskDefinition` requires it: for secrets
/// (<https://github.com/fabfuel/ecs-deploy/issues/87>) and private registries
/// (<https://github.com/sil-org/ecs-deploy/issues/188>), and on Fargate also for logs
/// (<https://github.com/virtual-kubelet/virtual-kubelet/issues/193>) and images in ECR
/// (<https://github.com/hashicorp/terraform-provider-aws/issues/3051>).
pub(super) fn check_task_definition(
    request: &ecs::TaskDefinition,
    left_out: &[FieldPath],
    sink: &mut Diagnostics,
) {
    let path = FieldPath::root(Subject::TaskDefinition).field("executionRoleArn");
    if request.execution_role_arn.is_some() || left_out.contains(&path) {
        return;
    }
    let compatible = &request.requires_compatibilities;
    let fargate = compatible.iter().any(|name| name == "FARGATE");
    let uses: [(bool, Use, &str); 4] = [
        (
            false,
            |container| !container.secrets.is_empty(),
            "secrets need",
        ),
        (
            false,
            |container| container.repository_credentials.is_some(),
            "repositoryCredentials need",
        ),
        (true, writes_awslogs, "awslogs on Fargate needs"),
        (true, is_in_ecr, "a private image of ECR on Fargate needs"),
    ];
    for (on_fargate, uses_role, what) in uses {
        if (fargate || !on_fargate) && request.container_definitions.iter().any(uses_role) {
            let what = what.to_owned();
            sink.report(path, Message::ExecutionRoleRequired { what });
            return;
        }
    }
}

/// Whether a container uses the execution role in some way.
type Use = fn(&ecs::ContainerDefinition) -> bool;

fn writes_awslogs(container: &ecs::ContainerDefinition) -> bool {
    let log = container.log_configuration.as_ref();
    log.and_then(|log| log.log_driver.as_deref()) == Some("awslogs")
}

fn is_in_ecr(container: &ecs::ContainerDefinition) -> bool {
    container.image.as_deref().is_some_and(is_private_ecr)
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
