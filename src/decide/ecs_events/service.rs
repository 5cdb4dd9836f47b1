//! `ECS Service Action` and `ECS Deployment State Change`
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>,
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html>).

use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::{Event, Happened, Place, cluster_name, iso};
use crate::{
    crd::{DeploymentStatus, READY, ServiceStatus},
    diagnostic::StateReason,
};

/// The reasons for which a service is not ready that ECS calls `SERVICE_TASK_START_IMPAIRED`: its tasks do not start, or
/// do not stay.
const IMPAIRED: &[StateReason] = &[
    StateReason::CannotCreateContainerError,
    StateReason::CannotPullContainerError,
    StateReason::CannotStartContainerError,
    StateReason::ContainerExited,
    StateReason::HealthCheckFailed,
    StateReason::OutOfMemoryError,
    StateReason::TaskFailedToStart,
    StateReason::TaskNotCreated,
];

/// A service as its status shows it.
#[derive(Clone, Copy, Debug)]
pub struct ServiceSeen<'s> {
    /// The UID of its EcsService.
    pub uid: &'s str,
    /// Its name.
    pub name: &'s str,
    /// Its cluster, as the request has it.
    pub cluster: Option<&'s str>,
    /// Its status.
    pub status: &'s ServiceStatus,
}

/// Returns the events of a service after a time.
#[must_use]
pub fn of_service(place: Place<'_>, service: ServiceSeen<'_>, after: Timestamp) -> Vec<Event> {
    let mut events: Vec<Event> = action(place, service, after).into_iter().collect();
    for deployment in &service.status.deployments {
        events.extend(of_deployment(place, service, deployment, after));
    }
    events
}

fn arn(place: Place<'_>, service: ServiceSeen<'_>) -> String {
    let cluster = cluster_name(service.cluster);
    place.arn(&format!("service/{cluster}/{}", service.name))
}

/// Returns the event of the condition Ready, whose time changes only when the service becomes ready or ceases to be.
fn action(place: Place<'_>, service: ServiceSeen<'_>, after: Timestamp) -> Option<Event> {
    let mut conditions = service.status.conditions.iter();
    let ready = conditions.find(|condition| condition.type_ == READY)?;
    let time = ready.last_transition_time.0;
    let is_impaired = || IMPAIRED.iter().any(|reason| reason.is(&ready.reason));
    let (type_, name, reason) = match ready.status.as_str() {
        "True" => ("INFO", "SERVICE_STEADY_STATE", None),
        "False" if StateReason::UnableToPlaceTask.is(&ready.reason) => (
            "ERROR",
            "SERVICE_TASK_PLACEMENT_FAILURE",
            Some(resource(&ready.message)),
        ),
        "False" if is_impaired() => (
            "WARN",
            "SERVICE_TASK_START_IMPAIRED",
            Some(ready.message.clone()),
        ),
        _ => return None,
    };
    if time <= after {
        return None;
    }
    let own = arn(place, service);
    let what = format!("service/{name}/{}", iso(time));
    let happened = Happened {
        uid: service.uid,
        what: &what,
        time,
        detail_type: "ECS Service Action",
        resource: &own,
    };
    let cluster = cluster_name(service.cluster);
    let mut detail = json!({
        "eventType": type_,
        "eventName": name,
        "clusterArn": place.arn(&format!("cluster/{cluster}")),
        "createdAt": iso(time),
    });
    if let (Some(reason), Some(detail)) = (reason, detail.as_object_mut()) {
        detail.insert("reason".to_owned(), reason.into());
    }
    Some(place.event(happened, detail))
}

/// Returns what no node has enough of, in the words of ECS, or what the scheduler says.
fn resource(message: &str) -> String {
    let known = [
        ("Insufficient cpu", "RESOURCE:CPU"),
        ("Insufficient memory", "RESOURCE:MEMORY"),
    ];
    let known = known.into_iter().find(|(text, _)| message.contains(text));
    known.map_or(message, |(_, resource)| resource).to_owned()
}

fn of_deployment(
    place: Place<'_>,
    service: ServiceSeen<'_>,
    deployment: &DeploymentStatus,
    after: Timestamp,
) -> Vec<Event> {
    let id = &deployment.id;
    let said = deployment.rollout_state_reason.clone();
    let states = [
        (
            "IN_PROGRESS",
            "INFO",
            deployment.created_at.as_ref(),
            format!("ECS deployment {id} in progress."),
        ),
        (
            "COMPLETED",
            "INFO",
            deployment.updated_at.as_ref(),
            format!("ECS deployment {id} completed."),
        ),
        (
            "FAILED",
            "ERROR",
            deployment.updated_at.as_ref(),
            said.unwrap_or_default(),
        ),
    ];
    let now = deployment.rollout_state.as_deref();
    let own = arn(place, service);
    let mut events = Vec::new();
    for (state, type_, time, reason) in states {
        // Each deployment was in progress once.
        let is_so = state == "IN_PROGRESS" || now == Some(state);
        let Some(time) = time
            .map(|time| time.0)
            .filter(|time| is_so && *time > after)
        else {
            continue;
        };
        let what = format!("deployment/{id}/{state}");
        let happened = Happened {
            uid: service.uid,
            what: &what,
            time,
            detail_type: "ECS Deployment State Change",
            resource: &own,
        };
        let detail = json!({
            "eventType": type_,
            "eventName": format!("SERVICE_DEPLOYMENT_{state}"),
            "deploymentId": id,
            "updatedAt": iso(time),
            "reason": reason,
        });
        events.push(place.event(happened, detail));
    }
    events
}
