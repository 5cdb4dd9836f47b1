//! How far a rollout is, as a bar, a line, and an exit status.

use kube::ResourceExt as _;

use super::view::condition;
use crate::crd::{ACCEPTED, EcsService, READY};

/// The width of a full bar.
const WIDTH: i64 = 30;

/// How a rollout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It goes on.
    UnderWay,
    /// The newest spec runs.
    Done,
    /// It does not, and will not by itself.
    Failed,
}

/// How the rollout of the newest spec stands.
pub(super) fn standing(service: &EcsService) -> Standing {
    let is_current = |type_| {
        condition(service, type_)
            .filter(|condition| condition.observed_generation == service.metadata.generation)
    };
    if is_current(ACCEPTED).is_some_and(|accepted| accepted.status == "False") {
        return Standing::Failed;
    }
    match is_current(READY) {
        Some(ready) if ready.status == "True" => Standing::Done,
        Some(ready) if matches!(ready.reason.as_str(), "DeploymentFailed" | "RolledBack") => {
            Standing::Failed
        }
        _ => Standing::UnderWay,
    }
}

/// The newest deployment as a bar.
pub(super) fn bar(service: &EcsService) -> String {
    let Some(primary) = service.status.deployments.first() else {
        return String::new();
    };
    let (running, desired) = (
        primary.running_count.unwrap_or(0),
        primary.desired_count.unwrap_or(0),
    );
    let full = if desired > 0 {
        (WIDTH * running / desired).clamp(0, WIDTH)
    } else {
        WIDTH
    };
    let repeat = |text: &str, times: i64| text.repeat(usize::try_from(times).unwrap_or(0));
    format!(
        "[{}{}] {running}/{desired} tasks of {}",
        repeat("#", full),
        repeat("-", WIDTH - full),
        primary.task_definition.as_deref().unwrap_or("-")
    )
}

/// The same as a line of a log.
pub(super) fn line(service: &EcsService) -> String {
    let name = service.name_any();
    let Some(ready) = condition(service, READY) else {
        return format!("{name}: no operator has looked at it yet");
    };
    let accepted = condition(service, ACCEPTED).filter(|accepted| accepted.status == "False");
    let said = accepted.unwrap_or(ready);
    match service.status.deployments.first() {
        Some(primary) if accepted.is_none() => format!(
            "{name}: {} {}, {}/{} tasks run, {} failed: {}: {}",
            primary.task_definition.as_deref().unwrap_or("-"),
            primary.rollout_state.as_deref().unwrap_or("-"),
            primary.running_count.unwrap_or(0),
            primary.desired_count.unwrap_or(0),
            primary.failed_tasks.unwrap_or(0),
            said.reason,
            said.message
        ),
        _ => format!("{name}: {}: {}", said.reason, said.message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(observed: i64, ready: &str, reason: &str) -> EcsService {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "generation": 3},
            "status": {
                "conditions": [
                    {"type": "Accepted", "status": if reason == "NotAccepted" { "False" } else { "True" }, "reason": "MemoryRequired", "message": "memory is required", "observedGeneration": observed, "lastTransitionTime": "1970-01-01T00:00:00Z"},
                    {"type": "Ready", "status": ready, "reason": reason, "message": "so", "observedGeneration": observed, "lastTransitionTime": "1970-01-01T00:00:00Z"},
                ],
                "deployments": [{"taskDefinition": "web:2", "rolloutState": "IN_PROGRESS", "runningCount": 1, "desiredCount": 4, "failedTasks": 2}],
            },
        }))
        .expect("it is a service")
    }

    #[test]
    fn only_what_is_said_of_the_newest_spec_counts() {
        for (observed, ready, reason, expected) in [
            (3, "True", "SteadyState", Standing::Done),
            (2, "True", "SteadyState", Standing::UnderWay),
            (3, "False", "InProgress", Standing::UnderWay),
            (3, "False", "RollingBack", Standing::UnderWay),
            (3, "False", "RolledBack", Standing::Failed),
            (3, "False", "DeploymentFailed", Standing::Failed),
            (2, "False", "DeploymentFailed", Standing::UnderWay),
            (3, "False", "NotAccepted", Standing::Failed),
        ] {
            assert_eq!(
                standing(&service(observed, ready, reason)),
                expected,
                "{observed} {reason}"
            );
        }
    }

    #[test]
    fn a_rollout_is_a_bar_and_a_line() {
        let service = service(3, "False", "InProgress");
        assert_eq!(
            bar(&service),
            format!("[{}{}] 1/4 tasks of web:2", "#".repeat(7), "-".repeat(23))
        );
        assert_eq!(
            line(&service),
            "web: web:2 IN_PROGRESS, 1/4 tasks run, 2 failed: InProgress: so"
        );
        assert_eq!(
            line(&self::service(3, "False", "NotAccepted")),
            "web: MemoryRequired: memory is required"
        );
    }
}
