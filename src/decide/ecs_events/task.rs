//! `ECS Task State Change`
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html>).

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use serde_json::{Map, Value, json};

use super::{Event, Happened, Place, cluster_name, iso};
use crate::{
    crd::{ContainerStatus, OneTaskStatus, StoppedTask},
    decide::{
        pod_state::{ContainerSeen, Doing, PodState},
        stopped_tasks::SERVICE_SCHEDULER_INITIATED,
        task_lifecycle::{PENDING, RUNNING, STOPPED, next, unreported},
    },
    ecs,
};

/// Why a task of a service ended that its service or somebody else has stopped.
const BY_SCHEDULER: &str = "The service stopped the task, for a deployment or with its number of tasks, or its pod was deleted";

/// What is known about a task.
#[derive(Clone, Debug)]
pub struct TaskSeen<'t> {
    /// The UID of its EcsTask. For a task of a service, what tells the pods of its namespace from others: the pod keeps
    /// its name and its past when another EcsService takes it over.
    pub uid: &'t str,
    /// Its cluster, as the request has it.
    pub cluster: Option<&'t str>,
    /// Its family and revision, as in `web:3`.
    pub task_definition: Option<&'t str>,
    /// Its group.
    pub group: String,
    /// Who started it.
    pub started_by: Option<&'t str>,
    /// The launch type of the request.
    pub launch_type: Option<&'t str>,
    /// The overrides of the request.
    pub overrides: Option<&'t ecs::TaskOverride>,
}

/// A state that a task got into.
struct Reached<'t> {
    state: &'static str,
    /// Counts the changes of a task.
    version: i64,
    at: Timestamp,
    /// What tells it from another time in the same state.
    turn: &'t str,
}

/// Returns the events of a task after a time: that it is PENDING, RUNNING and STOPPED. What it was before it stopped is
/// told too, because nobody may have looked between.
#[must_use]
pub fn of_task(
    place: Place<'_>,
    task: &TaskSeen<'_>,
    one: &OneTaskStatus,
    after: Timestamp,
) -> Vec<Event> {
    reached(place, task, one, "", after)
}

/// Returns the events of a task of a service after a time, as its pod shows them. A pod that is gone has STOPPED at
/// `gone_at`, unless it had ended before. Containers that the kubelet starts again are another task of ECS, which is RUNNING
/// since then.
#[must_use]
pub fn of_service_pod(
    place: Place<'_>,
    task: &TaskSeen<'_>,
    pod: &PodState,
    gone_at: Option<Timestamp>,
    after: Timestamp,
) -> Vec<Event> {
    let unreported = unreported(pod.name.clone(), true);
    // What depends on the clock is whether it may yet start, which says nothing here.
    let seen = next(&unreported, Some(pod), true, Timestamp::UNIX_EPOCH).task;
    let over = pod.is_finished() || gone_at.is_some();
    let ended = ended_at(pod).or(pod.finished_seen).filter(|_| over);
    let mut one = OneTaskStatus {
        started_at: running_since(pod).map(Time),
        stopped_at: ended.or(gone_at).map(Time),
        ..seen
    };
    if over && pod.disruption.is_none() && (pod.deleting || one.stop_code.is_none()) {
        one.stop_code = Some(SERVICE_SCHEDULER_INITIATED.to_owned());
        one.stopped_reason = Some(BY_SCHEDULER.to_owned());
    }
    let restarts = pod.containers.iter().map(|it| i64::from(it.restarts));
    let turn = match restarts.sum::<i64>() {
        0 => String::new(),
        restarts => format!("/{restarts}"),
    };
    reached(place, task, &one, &turn, after)
}

/// Returns since when all main containers of a pod that have not ended run. When those that have ended began is not known.
fn running_since(pod: &PodState) -> Option<Timestamp> {
    let mut latest = None;
    for container in pod.containers.iter().filter(|container| !container.init) {
        match &container.state {
            Doing::Running { since, .. } => latest = latest.max(bounded(*since, container)),
            Doing::Ended(_) => {}
            Doing::Unknown | Doing::Waiting(..) => return None,
        }
    }
    latest
}

/// Returns the events of the states that a task got into after a time. `turn` tells this time of RUNNING from others.
fn reached(
    place: Place<'_>,
    task: &TaskSeen<'_>,
    one: &OneTaskStatus,
    turn: &str,
    after: Timestamp,
) -> Vec<Event> {
    let states = [
        (PENDING, 1, &one.created_at, ""),
        (RUNNING, 2, &one.started_at, turn),
        (STOPPED, 3, &one.stopped_at, ""),
    ];
    let reached = states.into_iter().filter_map(|(state, version, at, turn)| {
        Some(Reached {
            state,
            version,
            at: at.as_ref().map(|at| at.0).filter(|at| *at > after)?,
            turn,
        })
    });
    reached
        .map(|reached| event(place, task, one, &reached))
        .collect()
}

/// Returns the event of a task of a service that its status lists as stopped, if it stopped after a time.
#[must_use]
pub fn of_stopped(
    place: Place<'_>,
    task: &TaskSeen<'_>,
    stopped: &StoppedTask,
    after: Timestamp,
) -> Option<Event> {
    let at = stopped.stopped_at.as_ref()?.0;
    let turn = stopped.ends.map(|ends| format!("/{ends}"));
    let one = OneTaskStatus {
        name: stopped.name.clone(),
        stop_code: Some(stopped.stop_code.clone()),
        stopped_reason: Some(stopped.stopped_reason.clone()),
        stopped_at: stopped.stopped_at.clone(),
        containers: stopped.containers.clone(),
        ..OneTaskStatus::default()
    };
    let reached = Reached {
        state: STOPPED,
        version: 3,
        at,
        turn: turn.as_deref().unwrap_or_default(),
    };
    (at > after).then(|| event(place, task, &one, &reached))
}

/// Whether anything may have happened to a pod after a time.
#[must_use]
pub fn is_recent(pod: &PodState, after: Timestamp) -> bool {
    let times = pod.containers.iter().flat_map(|container| {
        let now = match &container.state {
            Doing::Running { since, .. } => *since,
            Doing::Ended(end) => end.at,
            Doing::Unknown | Doing::Waiting(..) => None,
        };
        [now, container.last_end.as_ref().and_then(|end| end.at)]
    });
    let own = [pod.created_at, pod.finished_seen];
    times.chain(own).flatten().any(|it| it > after)
}

/// Returns when the last main container of a pod ended, if all of them have.
fn ended_at(pod: &PodState) -> Option<Timestamp> {
    let main = pod.containers.iter().filter(|container| !container.init);
    let ends: Option<Vec<Timestamp>> = main
        .map(|container| match &container.state {
            Doing::Ended(end) => bounded(end.at, container),
            Doing::Unknown | Doing::Waiting(..) | Doing::Running { .. } => None,
        })
        .collect();
    ends?.into_iter().max()
}

/// Returns since when a node says that a container is in its state, which is not after it was seen: a clock that is ahead
/// would make what began before a rule look as if it began after.
fn bounded(at: Option<Timestamp>, container: &ContainerSeen) -> Option<Timestamp> {
    let seen = container.changed_seen;
    // Nodes report whole seconds.
    let seen = seen.and_then(|seen| Timestamp::from_second(seen.as_second()).ok());
    at.map(|at| seen.map_or(at, |seen| at.min(seen)))
}

fn event(
    place: Place<'_>,
    task: &TaskSeen<'_>,
    one: &OneTaskStatus,
    reached: &Reached<'_>,
) -> Event {
    let cluster = cluster_name(task.cluster);
    let own = place.arn(&format!("task/{cluster}/{}", one.name));
    let what = format!("task/{}/{}{}", one.name, reached.state, reached.turn);
    let happened = Happened {
        uid: task.uid,
        what: &what,
        time: reached.at,
        detail_type: "ECS Task State Change",
        resource: &own,
    };
    place.event(happened, detail(place, task, one, reached, &own))
}

/// The task as DescribeTasks returned it when it got into a state.
fn detail(
    place: Place<'_>,
    task: &TaskSeen<'_>,
    one: &OneTaskStatus,
    reached: &Reached<'_>,
    own: &str,
) -> Value {
    let cluster = cluster_name(task.cluster);
    let is_over = reached.state == STOPPED;
    let has_started = reached.state != PENDING;
    let iso = |time: &Option<Time>| time.as_ref().map(|time| iso(time.0));
    let containers = one.containers.iter();
    let containers: Vec<Value> = containers
        .map(|container| of_container(place, container, reached.state, (cluster, own)))
        .collect();
    let definition = task.task_definition;
    let members = [
        ("attachments", Some(json!([]))),
        (
            "clusterArn",
            Some(json!(place.arn(&format!("cluster/{cluster}")))),
        ),
        ("containers", Some(json!(containers))),
        ("createdAt", iso(&one.created_at).map(Value::from)),
        (
            "desiredStatus",
            Some(json!(if is_over { STOPPED } else { RUNNING })),
        ),
        ("group", Some(json!(task.group))),
        ("lastStatus", Some(json!(reached.state))),
        ("launchType", task.launch_type.map(Value::from)),
        (
            "overrides",
            Some(overrides(task.overrides, &one.containers)),
        ),
        (
            "startedAt",
            iso(&one.started_at)
                .filter(|_| has_started)
                .map(Value::from),
        ),
        ("startedBy", task.started_by.map(Value::from)),
        (
            "stopCode",
            one.stop_code.clone().filter(|_| is_over).map(Value::from),
        ),
        (
            "stoppedReason",
            one.stopped_reason
                .clone()
                .filter(|_| is_over)
                .map(Value::from),
        ),
        (
            "stoppedAt",
            iso(&one.stopped_at).filter(|_| is_over).map(Value::from),
        ),
        ("taskArn", Some(json!(own))),
        (
            "taskDefinitionArn",
            definition.map(|it| json!(place.arn(&format!("task-definition/{it}")))),
        ),
        ("updatedAt", Some(json!(super::iso(reached.at)))),
        ("version", Some(json!(reached.version))),
    ];
    object(members)
}

fn of_container(
    place: Place<'_>,
    container: &ContainerStatus,
    state: &'static str,
    (cluster, task): (&str, &str),
) -> Value {
    let is_over = state == STOPPED;
    let id = super::id(task, &container.name);
    let resource = task.rsplit('/').next().unwrap_or_default();
    let arn = place.arn(&format!("container/{cluster}/{resource}/{id}"));
    let status = match state {
        STOPPED => STOPPED,
        RUNNING => RUNNING,
        _ => PENDING,
    };
    object([
        ("containerArn", Some(json!(arn))),
        (
            "exitCode",
            container.exit_code.filter(|_| is_over).map(Value::from),
        ),
        ("lastStatus", Some(json!(status))),
        ("name", Some(json!(container.name))),
        (
            "reason",
            container
                .reason
                .clone()
                .filter(|_| is_over)
                .map(Value::from),
        ),
        ("taskArn", Some(json!(task))),
    ])
}

/// The overrides as far as they are no secret: what programs are told is left out.
fn overrides(given: Option<&ecs::TaskOverride>, containers: &[ContainerStatus]) -> Value {
    let of = |name: &str| {
        let mut overrides = given.into_iter().flat_map(|it| &it.container_overrides);
        overrides.find(|it| it.name.as_deref() == Some(name))
    };
    let containers = containers.iter().map(|container| {
        let given = of(&container.name);
        object([
            ("name", Some(json!(container.name))),
            ("cpu", given.and_then(|it| it.cpu).map(Value::from)),
            ("memory", given.and_then(|it| it.memory).map(Value::from)),
        ])
    });
    json!({"containerOverrides": containers.collect::<Vec<Value>>()})
}

fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let members = members.into_iter();
    let members = members.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(members.collect::<Map<String, Value>>())
}
