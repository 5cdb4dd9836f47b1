//! What is reported of a service, in the members of DescribeServices.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::{Resource as _, ResourceExt as _};

use super::{Outcome, Plan};
use crate::{
    controller::{
        child::WorkloadState,
        context::Context,
        error::Error,
        owner::Owner,
        status::{Aspect, conditions, report as write, whole_seconds},
    },
    crd::{ACCEPTED, DeploymentStatus, EcsService, PROGRESSING, READY, ServiceStatus},
    translate::SERVICE,
};

/// What the children of a service tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Observed {
    /// The tasks that are wanted by the newest workload.
    desired: i64,
    /// The tasks that run.
    running: i64,
    /// The tasks that run and are of the newest revision.
    updated: i64,
    /// Whether only tasks of the newest revision run, and all of them.
    steady: bool,
}

/// Writes the status of a service, and tells by events what became of it.
pub(super) async fn report(
    cx: &Context,
    service: &EcsService,
    outcome: &Outcome,
    failure: Option<&Error>,
    now: Timestamp,
) -> Result<(), Error> {
    let before = cx.service_statuses.latest(service, &service.status);
    let observed = observe(cx, service, outcome.as_ref().ok());
    let status = status(service, &before, outcome, failure, &observed, now);
    if status == before {
        return Ok(());
    }
    tell(cx, service, &before, &status);
    if let Some(written) = write(&cx.client, service, &before, &status).await? {
        cx.service_statuses.record(&written, status);
    }
    Ok(())
}

fn observe(cx: &Context, service: &EcsService, plan: Option<&Plan>) -> Observed {
    let children = cx
        .children
        .of_owner(service.meta().uid.as_deref().unwrap_or_default());
    let mut observed = Observed {
        desired: plan.and_then(|plan| plan.desired).unwrap_or(0),
        steady: true,
        ..Observed::default()
    };
    let mut found = false;
    for (key, known) in &children {
        let Some(workload) = &known.workload else {
            continue;
        };
        observed.running += workload.ready;
        let is_wanted =
            plan.is_none_or(|plan| plan.objects.iter().any(|wanted| wanted.key == **key));
        if is_wanted {
            found = true;
            observed.updated += workload.updated;
            observed.steady &= workload.is_steady();
            if plan.is_none_or(|plan| plan.desired.is_none()) {
                observed.desired += workload.desired;
            }
        } else {
            observed.steady &= **workload == WorkloadState::default();
        }
    }
    observed.steady &= found;
    observed
}

fn status(
    service: &EcsService,
    before: &ServiceStatus,
    outcome: &Outcome,
    failure: Option<&Error>,
    observed: &Observed,
    now: Timestamp,
) -> ServiceStatus {
    let name = service.name_any();
    let generation = service.meta().generation;
    let aspects = aspects(&name, outcome, failure, observed);
    let conditions = conditions(aspects, &before.conditions, generation, now);
    let counts = ServiceStatus {
        conditions,
        observed_generation: generation,
        selector: Some(format!("{SERVICE}={name}")),
        running_count: Some(observed.running),
        ..before.clone()
    };
    match outcome {
        Ok(plan) => ServiceStatus {
            task_definition: Some(plan.task_definition.clone()),
            desired_count: Some(observed.desired),
            pending_count: Some((observed.desired - observed.running).max(0)),
            deployments: deployments(service, before, plan, observed, now),
            warnings: plan.warnings.clone(),
            ..counts
        },
        // What ran before goes on running, and is told as before.
        Err(_) => counts,
    }
}

/// Accepted, Ready and Progressing.
fn aspects(
    name: &str,
    outcome: &Outcome,
    failure: Option<&Error>,
    observed: &Observed,
) -> Vec<Aspect> {
    let aspect = |type_, holds, reason: &str, message: &str| Aspect {
        type_,
        holds: Some(holds),
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    let translated = aspect(ACCEPTED, true, "Translated", "The spec is translated.");
    let [accepted, ready, progressing] = match (outcome, failure) {
        (Err(refusal), _) => {
            let goes_on = "The spec is not accepted; what ran before goes on.";
            [
                aspect(ACCEPTED, false, &refusal.reason, &refusal.message),
                aspect(READY, false, "NotAccepted", goes_on),
                aspect(PROGRESSING, false, "NotAccepted", goes_on),
            ]
        }
        (Ok(_), Some(error)) => {
            let (reason, message) = (error.reason(), error.to_string());
            [
                translated,
                aspect(READY, false, reason, &message),
                aspect(PROGRESSING, false, reason, &message),
            ]
        }
        (Ok(_), None) if observed.steady => {
            let steady = format!("(service {name}) has reached a steady state.");
            [
                translated,
                aspect(READY, true, "SteadyState", &steady),
                aspect(PROGRESSING, false, "Completed", "ECS deployment completed."),
            ]
        }
        (Ok(_), None) => {
            let counts = format!(
                "{} of {} tasks run, {} of them of the newest revision.",
                observed.running,
                observed.desired,
                observed.updated.min(observed.running)
            );
            [
                translated,
                aspect(READY, false, "InProgress", &counts),
                aspect(PROGRESSING, true, "InProgress", &counts),
            ]
        }
    };
    vec![accepted, ready, progressing]
}

/// The newest deployment, and the one before it as long as its tasks run.
fn deployments(
    service: &EcsService,
    before: &ServiceStatus,
    plan: &Plan,
    observed: &Observed,
    now: Timestamp,
) -> Vec<DeploymentStatus> {
    let now = Time(whole_seconds(now));
    let known = before.deployments.first();
    let same =
        known.filter(|known| known.task_definition.as_deref() == Some(&plan.task_definition));
    let running = observed.running.min(observed.updated);
    let state = if observed.steady {
        "COMPLETED"
    } else {
        "IN_PROGRESS"
    };
    let mut primary = DeploymentStatus {
        id: same.map_or_else(
            || deployment_id(service, &plan.task_definition),
            |known| known.id.clone(),
        ),
        status: "PRIMARY".to_owned(),
        task_definition: Some(plan.task_definition.clone()),
        desired_count: Some(observed.desired),
        pending_count: Some((observed.desired - running).max(0)),
        running_count: Some(running),
        failed_tasks: same.and_then(|known| known.failed_tasks).or(Some(0)),
        rollout_state: Some(state.to_owned()),
        rollout_state_reason: None,
        created_at: same
            .and_then(|known| known.created_at.clone())
            .or_else(|| Some(now.clone())),
        updated_at: None,
    };
    primary.rollout_state_reason = Some(match state {
        "COMPLETED" => format!("ECS deployment {} completed.", primary.id),
        _ => format!("ECS deployment {} in progress.", primary.id),
    });
    let unchanged = same.is_some_and(|known| known.rollout_state == primary.rollout_state);
    primary.updated_at = match same {
        Some(known) if unchanged => known.updated_at.clone(),
        _ => Some(now),
    };
    let mut deployments = vec![primary];
    let older = match same {
        Some(_) => before.deployments.get(1),
        None => known,
    };
    if let Some(older) = older
        && !observed.steady
    {
        deployments.push(DeploymentStatus {
            status: "ACTIVE".to_owned(),
            desired_count: Some(0),
            pending_count: Some(0),
            running_count: Some((observed.running - running).max(0)),
            ..older.clone()
        });
    }
    deployments
}

/// An identifier in the form of ECS, the same for the same deployment.
fn deployment_id(service: &EcsService, task_definition: &str) -> String {
    use std::hash::BuildHasher as _;
    let digest = foldhash::quality::FixedState::with_seed(0).hash_one((
        service.meta().uid.as_deref(),
        service.meta().generation,
        task_definition,
    ));
    format!("ecs-svc/{:019}", digest >> 1)
}

fn find<'s>(status: &'s ServiceStatus, type_: &str) -> Option<&'s Condition> {
    let mut conditions = status.conditions.iter();
    conditions.find(|condition| condition.type_ == type_)
}

/// Tells by events what changed between two statuses.
fn tell(cx: &Context, service: &EcsService, before: &ServiceStatus, after: &ServiceStatus) {
    let name = service.name_any();
    if let Some(rejected) = find(after, ACCEPTED).filter(|condition| condition.status == "False") {
        let told = find(before, ACCEPTED).is_some_and(|known| {
            known.observed_generation == rejected.observed_generation
                && known.status == rejected.status
                && known.message == rejected.message
        });
        if !told {
            let note = rejected.message.clone();
            cx.events.warning(service, &rejected.reason, note);
        }
    }
    let primary = after.deployments.first();
    if let Some(primary) = primary
        && before.deployments.first().map(|known| &known.id) != Some(&primary.id)
    {
        let what = primary.task_definition.as_deref().unwrap_or_default();
        let note = format!(
            "(service {name}) has started deployment {} of {what}.",
            primary.id
        );
        cx.events.normal(service, "DeploymentStarted", note);
    }
    let is_ready = |status| find(status, READY).is_some_and(|ready| ready.status == "True");
    if is_ready(after) && !is_ready(before) {
        if let Some(primary) = primary {
            let id = &primary.id;
            let note = format!("(service {name}) (deployment {id}) deployment completed.");
            cx.events.normal(service, "DeploymentCompleted", note);
        }
        let note = format!("(service {name}) has reached a steady state.");
        cx.events.normal(service, "SteadyState", note);
    }
    if find(after, READY).is_some_and(|ready| ready.reason == "InProgress") {
        tell_unplaced(cx, service);
    }
}

/// Tells why the scheduler finds no node for a task, if it is so.
fn tell_unplaced(cx: &Context, service: &EcsService) {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let pods = cx.pods.of(&Owner::Service(namespace, name.clone()));
    if let Some(why) = pods.iter().find_map(|pod| pod.unschedulable.clone()) {
        let note = format!(
            "(service {name}) was unable to place a task because no container instance met all of its requirements. {why}"
        );
        cx.events.warning(service, "UnableToPlaceTask", note);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::controller::refusal::Refusal;

    fn service() -> EcsService {
        serde_json::from_value(json!({"metadata": {"name": "web", "uid": "1", "generation": 4}}))
            .expect("it is a service")
    }

    fn plan(revision: u64) -> Plan {
        Plan {
            objects: Vec::new(),
            warnings: Vec::new(),
            task_definition: format!("web:{revision}"),
            desired: Some(2),
        }
    }

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    fn summary(status: &ServiceStatus) -> Vec<(&str, &str)> {
        let conditions = status.conditions.iter();
        conditions
            .map(|c| (c.status.as_str(), c.reason.as_str()))
            .collect()
    }

    const STEADY: Observed = Observed {
        desired: 2,
        running: 2,
        updated: 2,
        steady: true,
    };
    const ROLLING: Observed = Observed {
        desired: 2,
        running: 3,
        updated: 1,
        steady: false,
    };

    #[test]
    fn a_rollout_has_two_deployments_until_it_is_done() {
        let service = service();
        let first = status(
            &service,
            &ServiceStatus::default(),
            &Ok(plan(1)),
            None,
            &STEADY,
            time(10),
        );
        assert_eq!(
            summary(&first),
            [
                ("True", "Translated"),
                ("True", "SteadyState"),
                ("False", "Completed")
            ]
        );
        assert_eq!(first.deployments.len(), 1);
        assert_eq!(
            first.deployments[0].rollout_state.as_deref(),
            Some("COMPLETED")
        );

        let second = status(&service, &first, &Ok(plan(2)), None, &ROLLING, time(20));
        assert_eq!(
            summary(&second),
            [
                ("True", "Translated"),
                ("False", "InProgress"),
                ("True", "InProgress")
            ]
        );
        let states: Vec<_> = second
            .deployments
            .iter()
            .map(|d| {
                (
                    d.status.as_str(),
                    d.task_definition.as_deref().unwrap_or("-"),
                    d.running_count,
                )
            })
            .collect();
        assert_eq!(
            states,
            [("PRIMARY", "web:2", Some(1)), ("ACTIVE", "web:1", Some(2))]
        );
        assert_ne!(second.deployments[0].id, first.deployments[0].id);
        assert_eq!(second.deployments[0].created_at, Some(Time(time(20))));

        let third = status(&service, &second, &Ok(plan(2)), None, &STEADY, time(30));
        assert_eq!(third.deployments.len(), 1);
        assert_eq!(third.deployments[0].id, second.deployments[0].id);
        assert_eq!(third.deployments[0].created_at, Some(Time(time(20))));
        assert_eq!(third.deployments[0].updated_at, Some(Time(time(30))));
        assert_eq!(
            status(&service, &third, &Ok(plan(2)), None, &STEADY, time(40)),
            third
        );
    }

    #[test]
    fn a_rejected_spec_leaves_what_was_told_of_what_runs() {
        let service = service();
        let before = status(
            &service,
            &ServiceStatus::default(),
            &Ok(plan(1)),
            None,
            &STEADY,
            time(10),
        );
        let refusal = Refusal::new("MemoryRequired", "cpu: all is wrong");
        let after = status(&service, &before, &Err(refusal), None, &STEADY, time(20));
        assert_eq!(
            summary(&after),
            [
                ("False", "MemoryRequired"),
                ("False", "NotAccepted"),
                ("False", "NotAccepted")
            ]
        );
        assert_eq!(after.deployments, before.deployments);
        assert_eq!(after.task_definition.as_deref(), Some("web:1"));
    }
}
