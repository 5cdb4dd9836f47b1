//! The reconcile of tasks that run to completion.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::core::v1::Pod,
    apimachinery::pkg::apis::meta::v1::{OwnerReference, Time},
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
    runtime::controller::Action,
};
use serde_json::json;

use super::{
    apply::{Wanted, apply, create_once},
    context::Context,
    error::{Error, code},
    owned_fields::FIELD_MANAGER,
    pods::Owner,
    refusal::{Refusal, refused},
    service::revision,
    status::{Aspect, conditions, report, whole_seconds},
};
use crate::{
    crd::{ACCEPTED, EcsTask, OneTaskStatus, TaskExtensions, TaskStatus},
    decide::{
        pod_state::PodState,
        task_lifecycle::{PENDING, PROVISIONING, RUNNING, STOPPED, STOPPING, Step, next},
    },
    diagnostic::{Diagnostics, FieldPath, Subject},
    ecs,
    translate::translate_task,
    validate::{TaskDefinitionInput, TaskDefinitionReference, TaskInput, validate_task},
};

/// The kind in metrics.
pub const KIND: &str = "EcsTask";

/// Seconds until a finished task is deleted, unless its `ttlSecondsAfterFinished` says otherwise; ECS keeps stopped
/// tasks for an hour.
const KEPT_SECONDS: i64 = 3600;

/// What should be there for the tasks.
struct Plan {
    /// The pods, one for each task, and what they need.
    pods: Vec<Wanted>,
    others: Vec<Wanted>,
    task_definition: String,
}

/// Brings tasks one step further.
///
/// # Errors
///
/// When a request fails.
pub async fn reconcile(task: Arc<EcsTask>, cx: Arc<Context>) -> Result<Action, Error> {
    cx.queue.begin_task(&task);
    let owner = task.owner_ref(&());
    let Some(owner) = owner.filter(|_| task.meta().deletion_timestamp.is_none()) else {
        return Ok(Action::await_change());
    };
    let before = cx.task_statuses.latest(&*task, &task.status);
    if is_finished(&before) {
        return expire(&task, &before, &cx).await;
    }
    let (status, step) = if before.tasks.is_empty() {
        match plan(&task, &cx) {
            Ok(Some(plan)) => {
                // From now on it keeps its revision.
                cx.waiting_tasks
                    .forget(&task.namespace().unwrap_or_default(), &task.name_any());
                (started(&task, &before, &plan), None)
            }
            Ok(None) => return Ok(Action::await_change()),
            Err(refusal) => (rejected(&task, &before, &refusal), None),
        }
    } else {
        let (status, step) = advance(&task, &before, &cx, &owner).await?;
        (status, step)
    };
    let changed = status != before;
    if changed {
        tell(&cx, &task, &before, &status).await;
        if let Some(written) = report(&cx.client, &*task, &before, &status).await? {
            cx.task_statuses.record(&written, status.clone());
        }
    }
    cx.backoff.succeeded(&task.uid().unwrap_or_default());
    if changed && before.tasks.is_empty() && !status.tasks.is_empty() {
        // What is to run is on record now, so that it runs once; next come the pods.
        return Ok(Action::requeue(Duration::ZERO));
    }
    if is_finished(&status) {
        return expire(&task, &status, &cx).await;
    }
    Ok(step.map_or_else(Action::await_change, Action::requeue))
}

/// What should be there, or why that cannot be said; `None` if a revision is about to appear.
fn plan(task: &EcsTask, cx: &Context) -> Result<Option<Plan>, Refusal> {
    let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
    let invalid = |error: serde_json::Error| Refusal::new("InvalidType", &error.to_string());
    let request: ecs::Task = task.spec.parse().map_err(invalid)?;
    let pinned = task.status.task_definition.clone();
    let Some(reference) = pinned.or_else(|| request.task_definition.clone()) else {
        return Err(Refusal::new(
            "TaskDefinitionRequired",
            "taskDefinition is required",
        ));
    };
    let Some((number, spec)) = revision(cx, &cx.waiting_tasks, &namespace, &name, &reference)?
    else {
        return Ok(None);
    };
    let mut definition: ecs::TaskDefinition = spec.parse().map_err(invalid)?;
    let family = definition.family.get_or_insert_with(|| {
        TaskDefinitionReference::parse(&reference).map_or_else(String::new, |r| r.family.to_owned())
    });
    let task_definition = format!("{family}:{number}");
    let mut findings = Diagnostics::new();
    let path = FieldPath::root(Subject::Task)
        .field("metadata")
        .field("annotations");
    let own = task.meta().annotations.clone().unwrap_or_default();
    let settings = cx
        .settings(&namespace)
        .with_annotations(&own, &path, &mut findings);
    let input = TaskInput {
        name: &name,
        request: &request,
        task_definition: TaskDefinitionInput {
            request: &definition,
            revision: Some(number),
        },
    };
    let validated = match validate_task(&input, &settings) {
        Ok(_) if findings.has_errors() => return Err(refused(findings)),
        Ok(validated) => validated,
        Err(more) => {
            findings.append(more);
            return Err(refused(findings));
        }
    };
    let (manifests, _) = translate_task(&validated, &settings);
    let mut plan = Plan {
        pods: Vec::new(),
        others: Vec::new(),
        task_definition,
    };
    for object in manifests.into_objects() {
        if object.kind() == "Pod" {
            plan.pods.push(Wanted::new(&object).map_err(internal)?);
        } else {
            plan.others.push(Wanted::new(&object).map_err(internal)?);
        }
    }
    Ok(Some(plan))
}

fn internal(error: Error) -> Refusal {
    Refusal::new("InternalError", &error.to_string())
}

/// The first status of accepted tasks: which there are, before any of them is made.
fn started(task: &EcsTask, before: &TaskStatus, plan: &Plan) -> TaskStatus {
    let tasks = plan.pods.iter().map(|pod| OneTaskStatus {
        name: pod.key.name.to_string(),
        last_status: PROVISIONING.to_owned(),
        ..OneTaskStatus::default()
    });
    TaskStatus {
        conditions: accepted(task, before, None),
        observed_generation: task.meta().generation,
        task_definition: Some(plan.task_definition.clone()),
        last_status: Some(PROVISIONING.to_owned()),
        desired_status: Some(RUNNING.to_owned()),
        tasks: tasks.collect(),
        ..TaskStatus::default()
    }
}

fn rejected(task: &EcsTask, before: &TaskStatus, refusal: &Refusal) -> TaskStatus {
    TaskStatus {
        conditions: accepted(task, before, Some(refusal)),
        observed_generation: task.meta().generation,
        ..before.clone()
    }
}

fn accepted(
    task: &EcsTask,
    before: &TaskStatus,
    refusal: Option<&Refusal>,
) -> Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    let aspect = Aspect {
        type_: ACCEPTED,
        holds: Some(refusal.is_none()),
        reason: refusal
            .map_or("Translated", |refusal| &refusal.reason)
            .to_owned(),
        message: refusal
            .map_or("The spec is translated.", |refusal| &refusal.message)
            .to_owned(),
    };
    conditions(
        vec![aspect],
        &before.conditions,
        task.meta().generation,
        Timestamp::now(),
    )
}

/// Does the next step of each task. Returns the new status, and when to look again.
async fn advance(
    task: &EcsTask,
    before: &TaskStatus,
    cx: &Context,
    owner: &OwnerReference,
) -> Result<(TaskStatus, Option<Duration>), Error> {
    let now = whole_seconds(Timestamp::now());
    let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
    let pods = cx.pods.of(&Owner::Task(namespace.clone(), name));
    let mut decided: Vec<(OneTaskStatus, Step)> = before
        .tasks
        .iter()
        .map(|one| {
            let pod = pods.iter().find(|pod| pod.name == one.name);
            next(&one.name, Some(one), pod.map(|pod| &**pod), now)
        })
        .collect();
    if decided.iter().any(|(_, step)| *step == Step::Create)
        && let Some(reason) = create(task, &decided, cx, owner).await?
    {
        for (one, _) in decided.iter_mut().filter(|(_, step)| *step == Step::Create) {
            *one = failed_to_start(one, &reason, now);
        }
    }
    let mut wait: Option<SignedDuration> = None;
    for (one, step) in &decided {
        let pod = pods.iter().find(|pod| pod.name == one.name);
        match (step, pod) {
            (Step::WaitUntil(time), _) => {
                let left = time.duration_since(now);
                wait = Some(wait.map_or(left, |wait| wait.min(left)));
            }
            (Step::Stop, Some(pod)) => stop(cx, &namespace, pod).await?,
            (Step::Delete, Some(pod)) => delete(cx, &namespace, pod).await?,
            (Step::Wait | Step::Create | Step::Stop | Step::Delete, _) => {}
        }
    }
    let tasks = decided.into_iter().map(|(one, _)| one).collect();
    let wait = wait.map(|wait| wait.unsigned_abs() + Duration::from_secs(1));
    Ok((summary(before, tasks), wait))
}

/// The status of all tasks together.
fn summary(before: &TaskStatus, tasks: Vec<OneTaskStatus>) -> TaskStatus {
    let order = [PROVISIONING, PENDING, RUNNING, STOPPING, STOPPED];
    let place = |one: &OneTaskStatus| order.iter().position(|status| *status == one.last_status);
    let least = tasks
        .iter()
        .min_by_key(|one| place(one))
        .map(|one| one.last_status.clone());
    let first_stopped = tasks.iter().find(|one| one.stop_code.is_some());
    let stopping = tasks.iter().all(|one| one.stop_code.is_some());
    let stopped = tasks.iter().all(|one| one.last_status == STOPPED);
    let earliest = tasks
        .iter()
        .filter_map(|one| one.started_at.as_ref().map(|time| time.0))
        .min();
    let latest = tasks
        .iter()
        .filter_map(|one| one.stopped_at.as_ref().map(|time| time.0))
        .max();
    TaskStatus {
        last_status: least,
        desired_status: Some(if stopping { STOPPED } else { RUNNING }.to_owned()),
        stop_code: first_stopped.and_then(|one| one.stop_code.clone()),
        stopped_reason: first_stopped.and_then(|one| one.stopped_reason.clone()),
        started_at: earliest.map(Time),
        stopped_at: latest.filter(|_| stopped).map(Time),
        tasks,
        ..before.clone()
    }
}

/// A task that can never begin. ECS does not try again either.
fn failed_to_start(one: &OneTaskStatus, reason: &str, now: Timestamp) -> OneTaskStatus {
    OneTaskStatus {
        last_status: STOPPED.to_owned(),
        stop_code: Some("TaskFailedToStart".to_owned()),
        stopped_reason: Some(reason.to_owned()),
        stopped_at: Some(Time(now)),
        ..one.clone()
    }
}

/// Makes the pods that are not made yet, and before them what they need. Returns why that can never be done, if so.
async fn create(
    task: &EcsTask,
    decided: &[(OneTaskStatus, Step)],
    cx: &Context,
    owner: &OwnerReference,
) -> Result<Option<String>, Error> {
    let plan = match plan(task, cx) {
        Ok(Some(plan)) => plan,
        Ok(None) => return Ok(None),
        Err(refusal) => return Ok(Some(refusal.message)),
    };
    let wanted = |pod: &&Wanted| {
        decided
            .iter()
            .any(|(one, step)| *step == Step::Create && *one.name == *pod.key.name)
    };
    let made = async {
        for object in &plan.others {
            apply(&cx.client, &cx.children, object, owner).await?;
        }
        for pod in plan.pods.iter().filter(wanted) {
            create_once(&cx.client, pod, owner).await?;
        }
        Ok::<(), Error>(())
    };
    match made.await {
        Ok(()) => Ok(None),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => Ok(Some(error.to_string())),
    }
}

/// Lets the kubelet stop a pod with its grace period and keep it.
async fn stop(cx: &Context, namespace: &str, pod: &PodState) -> Result<(), Error> {
    let api: Api<Pod> = Api::namespaced(cx.client.clone(), namespace);
    let deadline = json!({"metadata": {"uid": pod.uid}, "spec": {"activeDeadlineSeconds": 1}});
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    gone_is_fine(
        "stop",
        pod,
        api.patch(&pod.name, &params, &Patch::Merge(deadline)).await,
    )
}

async fn delete(cx: &Context, namespace: &str, pod: &PodState) -> Result<(), Error> {
    let api: Api<Pod> = Api::namespaced(cx.client.clone(), namespace);
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(pod.uid.clone()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    gone_is_fine("delete", pod, api.delete(&pod.name, &params).await)
}

fn gone_is_fine<T>(
    verb: &'static str,
    pod: &PodState,
    result: kube::Result<T>,
) -> Result<(), Error> {
    match result {
        Err(error) if code(&error) != Some(404) => Err(Error::Api {
            verb,
            kind: "Pod".to_owned(),
            name: pod.name.clone(),
            source: Box::new(error),
        }),
        _ => Ok(()),
    }
}

fn is_finished(status: &TaskStatus) -> bool {
    status.stopped_at.is_some()
}

/// Deletes tasks that have been finished for long enough.
async fn expire(task: &EcsTask, status: &TaskStatus, cx: &Context) -> Result<Action, Error> {
    let extensions: TaskExtensions = task.spec.parse().unwrap_or_default();
    let seconds = extensions
        .ttl_seconds_after_finished
        .unwrap_or(KEPT_SECONDS)
        .max(0);
    let kept = SignedDuration::from_secs(seconds);
    let end = status
        .stopped_at
        .as_ref()
        .and_then(|time| time.0.checked_add(kept).ok());
    let left = end.map(|end| end.duration_since(Timestamp::now()));
    match left {
        Some(left) if left.is_positive() => Ok(Action::requeue(left.unsigned_abs())),
        Some(_) => {
            let api: Api<EcsTask> =
                Api::namespaced(cx.client.clone(), &task.namespace().unwrap_or_default());
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: task.uid(),
                    resource_version: None,
                }),
                ..DeleteParams::background()
            };
            match api.delete(&task.name_any(), &params).await {
                Err(error) if !matches!(code(&error), Some(404 | 409)) => {
                    Err(Error::resource("delete", task)(error))
                }
                _ => Ok(Action::await_change()),
            }
        }
        None => Ok(Action::await_change()),
    }
}

/// Tells by events what changed.
async fn tell(cx: &Context, task: &EcsTask, before: &TaskStatus, after: &TaskStatus) {
    let rejected = after
        .conditions
        .first()
        .filter(|condition| condition.status == "False");
    if let Some(condition) = rejected {
        cx.events
            .warning(task, &condition.reason, condition.message.clone())
            .await;
    }
    for one in &after.tasks {
        let known = before.tasks.iter().find(|known| known.name == one.name);
        let is_new = |status: &str| {
            one.last_status == status && known.is_none_or(|known| known.last_status != status)
        };
        if is_new(RUNNING) {
            cx.events
                .normal(
                    task,
                    "TaskRunning",
                    format!("(task {}) is RUNNING.", one.name),
                )
                .await;
        }
        if is_new(STOPPED) {
            let code = one.stop_code.as_deref().unwrap_or("Unknown");
            let reason = one.stopped_reason.as_deref().unwrap_or_default();
            let note = format!("(task {}) is STOPPED: {reason}", one.name);
            cx.events.normal(task, code, note).await;
        }
    }
}

/// What an error means for the next try.
#[must_use]
pub fn on_error(task: Arc<EcsTask>, error: &Error, cx: Arc<Context>) -> Action {
    cx.metrics.failed(KIND, error.reason());
    let wait = cx.backoff.failed(&task.uid().unwrap_or_default());
    tracing::warn!(%error, ?wait, "a task could not be reconciled");
    Action::requeue(wait.max(Duration::from_millis(100)))
}

/// Forgets a task that is gone.
pub fn forget(cx: &Context, task: &EcsTask) {
    cx.waiting_tasks
        .forget(&task.namespace().unwrap_or_default(), &task.name_any());
    cx.task_statuses.forget(task);
    cx.backoff.succeeded(&task.uid().unwrap_or_default());
}
