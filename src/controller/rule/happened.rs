//! What has happened in a namespace, as the statuses of its objects say it.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::start::DEEPEST;
use crate::{
    controller::{caches::departed::Gone, context::Context, service::user, started_task},
    crd::{EcsService, EcsTask, ServiceStatus},
    decide::{
        deployment::pods_of,
        ecs_events::{
            Event, Place, ServiceSeen, TaskSeen, is_recent, of_service, of_service_pod, of_stopped,
            of_task,
        },
        pod_state::PodState,
    },
    ecs,
    settings::{RULE, RULE_DEPTH},
};

/// An event, and which rules have led to it.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) event: Event,
    /// The rule that has started the task that it is about.
    pub(super) by: Option<String>,
    /// How many rules one after the other have led to it, at most [`DEEPEST`].
    pub(super) depth: i64,
    /// Whether it comes only this once, so that nothing else says what has become of it.
    pub(super) is_last: bool,
}

/// Returns what has happened in a namespace after a time, the oldest first.
pub(super) fn happened(cx: &Context, namespace: &str, after: Timestamp) -> Vec<Happened> {
    let mut all = Vec::new();
    for task in cx.tasks.within(namespace) {
        all.extend(of_ecs_task(cx, &task, after));
    }
    for service in cx.services.within(namespace) {
        let events = of_ecs_service(cx, &service, after);
        all.extend(events.into_iter().map(|event| Happened {
            event,
            by: None,
            depth: 0,
            is_last: false,
        }));
    }
    all.sort_by(|one, other| {
        let (one, other) = (&one.event, &other.event);
        (one.time, &one.id).cmp(&(other.time, &other.id))
    });
    all
}

/// Returns where the resources of a namespace with this cluster would be in AWS.
fn placed<T>(
    cx: &Context,
    namespace: &str,
    cluster: Option<&str>,
    then: impl FnOnce(Place<'_>) -> T,
) -> T {
    let settings = cx.settings(namespace);
    let (region, account) = (&settings.aws_region, &settings.aws_account_id);
    let place = started_task::Place::of(
        cluster.unwrap_or_default(),
        (region.as_deref(), account.as_deref()),
    );
    then(Place {
        partition: &place.partition,
        region: &place.region,
        account: &place.account,
    })
}

fn of_ecs_task(cx: &Context, task: &EcsTask, after: Timestamp) -> Vec<Happened> {
    let status = cx.tasks.latest(task);
    let times = status.tasks.iter().flat_map(|one| {
        let times = [&one.created_at, &one.started_at, &one.stopped_at];
        times.into_iter().flatten()
    });
    if !times.clone().any(|time| time.0 > after) {
        return Vec::new();
    }
    let request: ecs::Task = task.spec.parse().unwrap_or_default();
    let definition = status.task_definition.as_deref();
    let family = definition.and_then(|it| it.split(':').next());
    let group = request.group.clone();
    let uid = task.uid().unwrap_or_default();
    let seen = TaskSeen {
        uid: &uid,
        cluster: request.cluster.as_deref(),
        task_definition: definition,
        group: group.unwrap_or_else(|| format!("family:{}", family.unwrap_or_default())),
        started_by: request.started_by.as_deref(),
        launch_type: request.launch_type.as_deref(),
        overrides: request.overrides.as_ref(),
    };
    let namespace = task.namespace().unwrap_or_default();
    let events = placed(cx, &namespace, request.cluster.as_deref(), |place| {
        let tasks = status.tasks.iter();
        let events = tasks.flat_map(|one| of_task(place, &seen, one, after));
        events.collect::<Vec<Event>>()
    });
    let by = task.labels().get(RULE).cloned();
    let depth = depth(task);
    let events = events.into_iter();
    events
        .map(|event| Happened {
            event,
            by: by.clone(),
            depth,
            is_last: false,
        })
        .collect()
}

/// Returns how many rules one after the other have led to a task.
fn depth(task: &EcsTask) -> i64 {
    let depth = task.annotations().get(RULE_DEPTH);
    let depth = depth.and_then(|depth| depth.parse().ok());
    // One that a rule has started has at least that one. Anybody may have written the annotation.
    let least = i64::from(task.labels().contains_key(RULE));
    depth.map_or(least, |depth: i64| depth.clamp(least, DEEPEST))
}

fn of_ecs_service(cx: &Context, service: &EcsService, after: Timestamp) -> Vec<Event> {
    let status = cx.services.latest(service);
    let owner = user(service);
    let (pods, gone) = (cx.pods.of(&owner), cx.pods.departed.of(&owner));
    let has_changed = changes_of(&status).any(|time| time > after)
        || pods.iter().any(|pod| is_recent(pod, after))
        || gone.iter().any(|gone| gone.seen > after);
    if !has_changed {
        // As most of the time, so that the spec need not be read.
        return Vec::new();
    }
    let request: ecs::Service = service.spec.parse().unwrap_or_default();
    let (uid, name) = (service.uid().unwrap_or_default(), service.name_any());
    let namespace = service.namespace().unwrap_or_default();
    let cluster = request.cluster.as_deref();
    let pods_of_namespace = format!("namespaces/{namespace}/pods");
    let of = |revision: Option<&str>| TaskSeen {
        uid: &pods_of_namespace,
        cluster,
        task_definition: definition_of(&status, revision),
        group: format!("service:{name}"),
        started_by: deployment_of(&status, revision),
        launch_type: request.launch_type.as_deref(),
        overrides: None,
    };
    placed(cx, &namespace, cluster, |place| {
        let seen = ServiceSeen {
            uid: &uid,
            name: &name,
            cluster,
            status: &status,
        };
        let mut events = of_service(place, seen, after);
        for stopped in &status.stopped_tasks {
            let seen = TaskSeen {
                task_definition: stopped.task_definition.as_deref(),
                ..of(None)
            };
            events.extend(of_stopped(place, &seen, stopped, after));
        }
        let known = Pods {
            present: &pods,
            gone: &gone,
            status: &status,
        };
        events.extend(known.events(place, of, after));
        events
    })
}

/// The pods of a service.
struct Pods<'p> {
    present: &'p [Arc<PodState>],
    gone: &'p [Gone],
    status: &'p ServiceStatus,
}

impl Pods<'_> {
    /// Returns what has happened to them after a time. `of` returns what is known of the tasks of a revision.
    fn events<'t>(
        &self,
        place: Place<'_>,
        of: impl Fn(Option<&str>) -> TaskSeen<'t>,
        after: Timestamp,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for pod in self.present.iter().filter(|pod| is_recent(pod, after)) {
            let seen = of(pod.revision.as_deref());
            let found = of_service_pod(place, &seen, pod, None, after);
            events.extend(found.into_iter().filter(|it| !self.is_told(pod, it)));
        }
        for Gone { pod, seen } in self.gone.iter().filter(|gone| gone.seen > after) {
            let task = of(pod.revision.as_deref());
            let found = of_service_pod(place, &task, pod, Some(*seen), after);
            events.extend(found.into_iter().filter(|it| !self.is_told(pod, it)));
        }
        events
    }

    /// Whether an event is the end of a pod that is listed as stopped: that has a reason which is known better.
    fn is_told(&self, pod: &PodState, event: &Event) -> bool {
        let mut stopped = self.status.stopped_tasks.iter();
        is_stop(event) && stopped.any(|it| it.name == pod.name && it.ends.is_none())
    }
}

/// Returns the times of what a status tells.
fn changes_of(status: &ServiceStatus) -> impl Iterator<Item = Timestamp> {
    let conditions = status.conditions.iter();
    let conditions = conditions.map(|condition| condition.last_transition_time.0);
    let deployments = status.deployments.iter();
    let deployments = deployments.flat_map(|it| [&it.created_at, &it.updated_at]);
    let stopped = status.stopped_tasks.iter().map(|it| &it.stopped_at);
    let times = deployments.chain(stopped).flatten().map(|time| time.0);
    conditions.chain(times)
}

fn is_stop(event: &Event) -> bool {
    event
        .value
        .pointer("/detail/lastStatus")
        .and_then(|it| it.as_str())
        == Some("STOPPED")
}

/// Returns the deployment of the pods of a revision.
fn find<'s>(
    status: &'s ServiceStatus,
    revision: Option<&str>,
) -> Option<&'s crate::crd::DeploymentStatus> {
    let revision = revision?;
    let mut deployments = status.deployments.iter();
    deployments.find(|it| it.service_revision.as_deref().map(pods_of) == Some(revision))
}

fn definition_of<'s>(status: &'s ServiceStatus, revision: Option<&str>) -> Option<&'s str> {
    find(status, revision)?.task_definition.as_deref()
}

fn deployment_of<'s>(status: &'s ServiceStatus, revision: Option<&str>) -> Option<&'s str> {
    find(status, revision).map(|deployment| &*deployment.id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_depth_that_somebody_writes_is_no_other_than_it_can_be() {
        let of = |written: &str, by: Option<&str>| {
            let task = json!({
                "metadata": {
                    "name": "job", "namespace": "shop",
                    "labels": by.map(|by| json!({RULE: by})),
                    "annotations": {RULE_DEPTH: written},
                },
                "spec": {"taskDefinition": "job"},
            });
            depth(&serde_json::from_value(task).expect("it is a task"))
        };
        for (written, own, started) in [
            ("9223372036854775807", DEEPEST, DEEPEST),
            ("-9223372036854775808", 0, 1),
            ("3", 3, 3),
            ("0", 0, 1),
            ("many", 0, 1),
        ] {
            assert_eq!(of(written, None), own, "{written}");
            assert_eq!(of(written, Some("next")), started, "{written}");
        }
    }
}
