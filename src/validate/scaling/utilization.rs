//! Whether the utilization of tasks, which target tracking keeps at a value, can be calculated.

use super::{metric::Metric, series::Series};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    settings::Settings,
    validate::{Condition, ContainerResources, OperatingSystem, TaskDefinition},
};

/// Reports a utilization that cannot be calculated for the tasks of a definition.
pub(super) fn validate(
    (metric, definition): (&Metric, &TaskDefinition),
    settings: &Settings,
    at: FieldPath,
    sink: &mut Diagnostics,
) {
    let of = (definition, settings);
    match metric {
        Metric::Cpu if !can_divide(of, |r| r.cpu_units, definition.size.cpu_units) => {
            let sized = definition.size.cpu_units.is_some();
            sink.report(at, needs_requests(of, "CPU", "cpu", sized));
        }
        Metric::Memory
            if !can_divide(
                of,
                |r| r.memory_reservation_mib.or(r.memory_mib),
                definition.size.memory_mib,
            ) =>
        {
            let sized = definition.size.memory_mib.is_some();
            sink.report(at, needs_requests(of, "memory", "memory", sized));
        }
        Metric::Math(math) => {
            for part in math.parts() {
                let metric = match part {
                    Series::Cpu(_) => Metric::Cpu,
                    Series::Memory(_) => Metric::Memory,
                    _ => continue,
                };
                validate((&metric, definition), settings, at.clone(), sink);
            }
        }
        Metric::Cpu | Metric::Memory | Metric::CloudWatch(_) => {}
    }
}

/// Returns the error for a task whose utilization cannot be calculated; `sized` indicates that the task has a size.
fn needs_requests(
    (definition, settings): (&TaskDefinition, &Settings),
    metric: &str,
    member: &str,
    sized: bool,
) -> Message {
    let each = format!("give every container {member}");
    let only_containers = |place: &str| format!("a request in every container {place}");
    let (needed, advice) = if definition.eks_fargate {
        (only_containers("on EKS Fargate"), each)
    } else if matches!(definition.platform.os, Some(OperatingSystem::Windows(_))) {
        (only_containers("on Windows"), each)
    } else if sized {
        (
            only_containers("before Kubernetes 1.34"),
            format!("{each}, or upgrade the cluster and set --kubernetes-version"),
        )
    } else if settings.kubernetes_minor >= 34 {
        (
            "a task size or a request in every container".to_owned(),
            format!("{each}, or the task"),
        )
    } else {
        (
            only_containers("or a task size from Kubernetes 1.34 on"),
            each,
        )
    };
    Message::UtilizationNeedsRequests {
        metric: metric.to_owned(),
        needed,
        advice,
    }
}

/// Whether utilization can be calculated as a percentage: of the request of the pod, or of each of its containers that
/// keep running (an autoscaler ignores a pod in which one container has no request).
fn can_divide(
    (definition, settings): (&TaskDefinition, &Settings),
    request: impl Fn(&ContainerResources) -> Option<i64>,
    task_size: Option<i64>,
) -> bool {
    let windows = matches!(definition.platform.os, Some(OperatingSystem::Windows(_)));
    let pod_level = settings.kubernetes_minor >= 34 && !definition.eks_fargate;
    let runs_on = |index: usize| {
        !definition
            .graph
            .edges
            .iter()
            .any(|edge| edge.target == index && edge.condition >= Condition::Complete)
    };
    // Without pod-level resources, the first essential container gets the remainder of the task's size.
    let heir = definition
        .containers
        .iter()
        .find(|c| c.essential && runs_on(c.index))
        .map(|c| c.index);
    let sized = task_size.is_some() && !windows;
    let stated: i64 = definition
        .containers
        .iter()
        .filter(|c| runs_on(c.index))
        .filter_map(|c| request(&c.resources))
        .fold(0, i64::saturating_add);
    let inherits = !windows && task_size.is_some_and(|size| size > stated);
    (sized && pod_level)
        || definition
            .containers
            .iter()
            .filter(|c| runs_on(c.index))
            .all(|c| request(&c.resources).is_some() || (inherits && heir == Some(c.index)))
}
