//! The progress of a rollout or a task: a bar, a line, and an exit status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use serde_json::Value;

use super::{state::State, target::Target, terminal::harmless};
use crate::{
    crd::{ACCEPTED, EcsService, EcsTask, EcsTaskDefinition, READY, SUCCEEDED},
    decide::task_lifecycle::is_success,
    diagnostic::StateReason,
    translate::{WORKLOAD_LENGTH, kname},
    validate::TaskDefinitionReference,
};

/// The width of a full bar.
const WIDTH: i64 = 30;

/// The reasons of Ready that last until someone changes something. Transient trouble, such as an API server that does
/// not respond or tasks that find no node, is not among them.
const FINAL: &[StateReason] = &[
    StateReason::DeploymentConfigurationBlocksRollout,
    StateReason::DeploymentFailed,
    StateReason::Forbidden,
    StateReason::InternalError,
    StateReason::Invalid,
    StateReason::ObjectNotOwned,
    StateReason::RevisionNotFound,
    StateReason::RolledBack,
    StateReason::TaskDefinitionNotAccepted,
    StateReason::TaskDefinitionNotFound,
];

/// The progress of a rollout or a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is in progress.
    UnderWay,
    /// The newest spec runs, or the task has succeeded.
    Done,
    /// It has failed, and will not recover by itself.
    Failed,
}

/// Returns a condition of an object.
pub(super) fn condition<'s>(conditions: &'s [Condition], type_: &str) -> Option<&'s Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Returns the progress of the newest spec's rollout, or of the task. A deleted object has failed.
pub(super) fn standing(state: &State) -> Standing {
    match &state.target {
        Some(Target::Service(service)) => of_service(service, definition_of(service, state)),
        Some(Target::Task(task)) => of_task(task),
        None => Standing::Failed,
    }
}

fn definition_of<'s>(service: &EcsService, state: &'s State) -> Option<&'s EcsTaskDefinition> {
    followed(service).and_then(|name| state.task_definitions.get(&name))
}

/// Returns the task definition of a service and its condition Accepted if the newest spec is rejected, so that the
/// service stays on the previous revision.
pub(super) fn refused_definition<'s>(
    service: &EcsService,
    state: &'s State,
) -> Option<(&'s EcsTaskDefinition, &'s Condition)> {
    let definition = definition_of(service, state)?;
    let accepted = condition(&definition.status.conditions, ACCEPTED)?;
    let is_newest = definition.status.observed_generation == definition.metadata.generation;
    (is_newest && accepted.status == "False").then_some((definition, accepted))
}

fn of_service(service: &EcsService, followed: Option<&EcsTaskDefinition>) -> Standing {
    let conditions = &service.status.conditions;
    let is_current = |type_| {
        condition(conditions, type_)
            .filter(|condition| condition.observed_generation == service.metadata.generation)
    };
    if is_current(ACCEPTED).is_some_and(|accepted| accepted.status == "False") {
        return Standing::Failed;
    }
    let ready = is_current(READY);
    if let Some(definition) = followed {
        let accepted = condition(&definition.status.conditions, ACCEPTED);
        let is_newest = definition.status.observed_generation == definition.metadata.generation;
        if is_newest && accepted.is_some_and(|accepted| accepted.status == "False") {
            // The service stays on the previous revision.
            return Standing::Failed;
        }
        if !is_newest || !has_seen(service, definition) {
            return Standing::UnderWay;
        }
    }
    match ready {
        Some(ready) if ready.status == "True" => Standing::Done,
        Some(ready) if FINAL.iter().any(|reason| reason.is(&ready.reason)) => Standing::Failed,
        _ => Standing::UnderWay,
    }
}

/// Returns the EcsTaskDefinition whose newest revision a service follows, unless it is pinned.
fn followed(service: &EcsService) -> Option<String> {
    let spec: Value = service.spec.parse().ok()?;
    let reference = TaskDefinitionReference::parse(spec.get("taskDefinition")?.as_str()?)?;
    let follows = reference.revision.is_none();
    follows.then(|| kname(reference.family, WORKLOAD_LENGTH))
}

/// Whether the status of a service refers to the newest revision of its task definition already, because a new revision
/// does not change the generation of the service.
fn has_seen(service: &EcsService, definition: &EcsTaskDefinition) -> bool {
    let (status, number) = (&service.status, definition.status.revision);
    let is_it = |name: &str| {
        let revision = name.rsplit_once(':').map(|(_, revision)| revision);
        number.is_some() && revision.and_then(|revision| revision.parse().ok()) == number
    };
    // A deployment that was rolled back stays in the list until the next one begins.
    let deployments = status.deployments.iter();
    let mut names = deployments
        .filter_map(|deployment| deployment.task_definition.as_deref())
        .chain(status.task_definition.as_deref());
    names.any(is_it)
}

fn of_task(task: &EcsTask) -> Standing {
    let status = &task.status;
    let accepted = condition(&status.conditions, ACCEPTED);
    let is_current =
        accepted.is_some_and(|accepted| accepted.observed_generation == task.metadata.generation);
    if is_current && accepted.is_some_and(|accepted| accepted.status == "False") {
        return Standing::Failed;
    }
    match &status.stopped_at {
        None => Standing::UnderWay,
        Some(_) if status.tasks.iter().all(is_success) => Standing::Done,
        Some(_) => Standing::Failed,
    }
}

/// Returns the newest deployment as a bar; tasks have none.
pub(super) fn bar(state: &State) -> Option<String> {
    let Some(Target::Service(service)) = &state.target else {
        return None;
    };
    let primary = service.status.deployments.first()?;
    let (running, desired) = (
        primary.running_count.unwrap_or(0),
        primary.desired_count.unwrap_or(0),
    );
    let full = match (desired, primary.rollout_state.as_deref()) {
        (0, Some("COMPLETED")) => WIDTH,
        (0, _) => 0,
        _ => (WIDTH * running / desired).clamp(0, WIDTH),
    };
    let repeat = |text: &str, times: i64| text.repeat(usize::try_from(times).unwrap_or(0));
    Some(format!(
        "[{}{}] {running}/{desired} tasks of {}",
        repeat("#", full),
        repeat("-", WIDTH - full),
        primary.task_definition.as_deref().unwrap_or("-")
    ))
}

/// Returns the progress as a line of a log.
pub(super) fn line(state: &State) -> String {
    let line = match &state.target {
        Some(Target::Service(service)) => line_of_service(service, state),
        Some(Target::Task(task)) => line_of_task(task),
        None => "it no longer exists".to_owned(),
    };
    harmless(&line)
}

fn line_of_service(service: &EcsService, state: &State) -> String {
    let name = service.name_any();
    let conditions = &service.status.conditions;
    let Some(ready) = condition(conditions, READY) else {
        return format!("{name}: no operator has processed it yet");
    };
    let accepted = condition(conditions, ACCEPTED).filter(|accepted| accepted.status == "False");
    let said = accepted.unwrap_or(ready);
    let line = match service.status.deployments.first() {
        Some(primary) if accepted.is_none() => format!(
            "{name}: {} {}, {}/{} tasks running, {} failed: {}: {}",
            primary.task_definition.as_deref().unwrap_or("-"),
            primary.rollout_state.as_deref().unwrap_or("-"),
            primary.running_count.unwrap_or(0),
            primary.desired_count.unwrap_or(0),
            primary.failed_tasks.unwrap_or(0),
            said.reason,
            said.message
        ),
        _ => format!("{name}: {}: {}", said.reason, said.message),
    };
    if let Some((definition, refused)) = refused_definition(service, state) {
        let (of, reason, why) = (definition.name_any(), &refused.reason, &refused.message);
        return format!("{line} (EcsTaskDefinition {of} is not accepted: {reason}: {why})");
    }
    let mut reasons = state.tasks.values().map(|task| task.reason.as_str());
    let waits = reasons.find(|reason| !reason.is_empty() && !said.message.contains(reason));
    match waits.filter(|_| ready.status != "True") {
        Some(reason) => format!("{line} ({reason})"),
        None => line,
    }
}

fn line_of_task(task: &EcsTask) -> String {
    let (name, status) = (task.name_any(), &task.status);
    let refused = condition(&status.conditions, ACCEPTED).filter(|it| it.status == "False");
    let said = refused.or_else(|| condition(&status.conditions, SUCCEEDED));
    let Some(said) = said else {
        return format!("{name}: no operator has processed it yet");
    };
    format!(
        "{name}: {} {}: {}: {}",
        status.task_definition.as_deref().unwrap_or("-"),
        status.last_status.as_deref().unwrap_or("-"),
        said.reason,
        said.message
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(observed: i64, ready: &str, reason: &str) -> EcsService {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "generation": 3},
            "spec": {"taskDefinition": "web"},
            "status": {
                "conditions": [
                    {"type": "Accepted", "status": if reason == "NotAccepted" { "False" } else { "True" }, "reason": "MemoryRequired", "message": "memory is required", "observedGeneration": observed, "lastTransitionTime": "1970-01-01T00:00:00Z"},
                    {"type": "Ready", "status": ready, "reason": reason, "message": "so", "observedGeneration": observed, "lastTransitionTime": "1970-01-01T00:00:00Z"},
                ],
                "taskDefinition": "web:2",
                "deployments": [{"taskDefinition": "web:2", "rolloutState": "IN_PROGRESS", "runningCount": 1, "desiredCount": 4, "failedTasks": 2}],
            },
        }))
        .expect("it is a service")
    }

    fn state(target: Target) -> State {
        State {
            target: Some(target),
            ..State::default()
        }
    }

    fn of(service: EcsService) -> State {
        state(Target::Service(Box::new(service)))
    }

    fn definition(
        generation: i64,
        observed: i64,
        revision: i64,
        accepted: &str,
    ) -> EcsTaskDefinition {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "generation": generation},
            "status": {
                "observedGeneration": observed,
                "revision": revision,
                "conditions": [{"type": "Accepted", "status": accepted, "reason": "So", "message": "", "lastTransitionTime": "1970-01-01T00:00:00Z"}],
            },
        }))
        .expect("it is a task definition")
    }

    #[test]
    fn only_what_is_said_of_the_newest_spec_counts() {
        for (observed, ready, reason, expected) in [
            (3, "True", "SteadyState", Standing::Done),
            (2, "True", "SteadyState", Standing::UnderWay),
            (3, "False", "InProgress", Standing::UnderWay),
            (3, "False", "RollingBack", Standing::UnderWay),
            (3, "False", "ServerError", Standing::UnderWay),
            (3, "False", "RolledBack", Standing::Failed),
            (3, "False", "DeploymentFailed", Standing::Failed),
            (
                3,
                "False",
                "DeploymentConfigurationBlocksRollout",
                Standing::Failed,
            ),
            (3, "False", "ObjectNotOwned", Standing::Failed),
            (2, "False", "DeploymentFailed", Standing::UnderWay),
            (3, "False", "NotAccepted", Standing::Failed),
        ] {
            let seen = standing(&of(service(observed, ready, reason)));
            assert_eq!(seen, expected, "{observed} {reason}");
        }
        assert_eq!(standing(&State::default()), Standing::Failed, "it is gone");
    }

    #[test]
    fn a_task_definition_that_was_changed_is_waited_for() {
        let of_service = |service: &EcsService, definition: &EcsTaskDefinition| {
            let mut state = of(service.clone());
            let name = definition.name_any();
            state.task_definitions.insert(name, definition.clone());
            standing(&state)
        };
        let steady = service(3, "True", "SteadyState");
        for (definition, expected) in [
            (definition(5, 5, 2, "True"), Standing::Done),
            // First the operator has not seen the new spec yet, then the service has not.
            (definition(6, 5, 2, "True"), Standing::UnderWay),
            (definition(6, 6, 3, "True"), Standing::UnderWay),
            (definition(6, 6, 2, "False"), Standing::Failed),
        ] {
            assert_eq!(of_service(&steady, &definition), expected, "{definition:?}");
        }
        let mut state = of(steady.clone());
        let refused = definition(6, 6, 2, "False");
        state.task_definitions.insert(refused.name_any(), refused);
        let line = line(&state);
        assert!(
            line.contains("(EcsTaskDefinition web is not accepted: "),
            "{line}"
        );
        let changed = definition(6, 6, 3, "True");
        let mut rolled_back = service(3, "False", "RolledBack");
        assert_eq!(of_service(&rolled_back, &changed), Standing::UnderWay);
        let failed = json!({"id": "ecs-svc/3", "status": "INACTIVE", "taskDefinition": "web:3"});
        let failed = serde_json::from_value(failed).expect("it is a deployment");
        rolled_back.status.deployments.push(failed);
        assert_eq!(of_service(&rolled_back, &changed), Standing::Failed);
        let mut pinned = steady;
        pinned.spec = json!({"taskDefinition": "web:2"}).into();
        assert_eq!(of_service(&pinned, &changed), Standing::Done);
    }

    fn task(stopped: bool, exit_code: i64) -> EcsTask {
        serde_json::from_value(json!({
            "metadata": {"name": "visit"},
            "status": {
                "conditions": [
                    {"type": "Succeeded", "status": "Unknown", "reason": "UnableToPlaceTask", "message": "no room", "lastTransitionTime": "1970-01-01T00:00:00Z"},
                ],
                "taskDefinition": "visit:1",
                "lastStatus": "PENDING",
                "stoppedAt": stopped.then_some("1970-01-01T00:00:00Z"),
                "tasks": [{"name": "visit-0", "exitCode": exit_code, "stopCode": "EssentialContainerExited"}],
            },
        }))
        .expect("it is a task")
    }

    #[test]
    fn a_task_is_followed_to_its_end() {
        for (stopped, exit_code, expected) in [
            (false, 0, Standing::UnderWay),
            (true, 0, Standing::Done),
            (true, 3, Standing::Failed),
        ] {
            let state = state(Target::Task(Box::new(task(stopped, exit_code))));
            assert_eq!(standing(&state), expected);
        }
        let state = state(Target::Task(Box::new(task(false, 0))));
        assert_eq!(
            line(&state),
            "visit: visit:1 PENDING: UnableToPlaceTask: no room"
        );
        assert_eq!(bar(&state), None);
    }

    #[test]
    fn a_rollout_is_a_bar_and_a_line() {
        let mut state = of(service(3, "False", "InProgress"));
        let begun = format!("[{}{}] 1/4 tasks of web:2", "#".repeat(7), "-".repeat(23));
        assert_eq!(bar(&state), Some(begun));
        let said = "web: web:2 IN_PROGRESS, 1/4 tasks running, 2 failed: InProgress: so";
        assert_eq!(line(&state), said);
        let waits = super::super::state::Task {
            revision: "2".to_owned(),
            status: "PROVISIONING",
            ready: false,
            restarts: 0,
            node: String::new(),
            created: None,
            reason: "0/1 nodes are available".to_owned(),
        };
        state.tasks.insert("web-a".to_owned(), waits);
        assert_eq!(line(&state), format!("{said} (0/1 nodes are available)"));
        let refused = of(service(3, "False", "NotAccepted"));
        assert_eq!(line(&refused), "web: MemoryRequired: memory is required");
    }

    #[test]
    fn a_deployment_that_failed_is_no_full_bar() {
        for (state, full) in [("FAILED", 0), ("COMPLETED", 30)] {
            let mut failed = service(3, "False", "DeploymentFailed");
            let primary = &mut failed.status.deployments[0];
            primary.desired_count = Some(0);
            primary.running_count = Some(0);
            primary.rollout_state = Some(state.to_owned());
            let expected = format!(
                "[{}{}] 0/0 tasks of web:2",
                "#".repeat(full),
                "-".repeat(30 - full)
            );
            assert_eq!(bar(&of(failed)), Some(expected));
        }
    }
}
