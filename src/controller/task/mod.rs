//! The reconcile of tasks that run to completion.

mod pods;
mod report;

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::OwnerReference,
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DeleteParams, Preconditions},
    runtime::controller::Action,
};

use self::{
    pods::{Found, delete, find, stop},
    report::{failed_to_start, rejected, started, summary, tell},
};
use super::{
    apply::{Wanted, apply, create_once},
    cluster::complete,
    context::Context,
    definition::{Definition, settings},
    error::{Error, code},
    refusal::{Refusal, refused},
    status::{report, whole_seconds},
};
use crate::{
    crd::{EcsTask, OneTaskStatus, TaskStatus},
    decide::task_lifecycle::{Step, next},
    diagnostic::Subject,
    source::read_task,
    translate::translate_task,
    validate::{TaskInput, validate_task},
};

/// The kind in metrics.
pub(super) const KIND: &str = "EcsTask";

/// Seconds until a finished task is deleted, unless its `ttlSecondsAfterFinished` says otherwise; ECS keeps stopped
/// tasks for an hour.
const KEPT_SECONDS: i64 = 3600;

/// How often it is looked at a pod that no watch tells of.
const UNWATCHED: SignedDuration = SignedDuration::from_secs(10);

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
pub(super) async fn reconcile(task: Arc<EcsTask>, cx: Arc<Context>) -> Result<Action, Error> {
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
        tell(&cx, &task, &before, &status);
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
    let (mut request, _, mut findings) = read_task(task.spec.text());
    if findings.has_errors() {
        return Err(refused(findings));
    }
    let begun_with = task.status.task_definition.as_deref();
    let reference = begun_with.or(request.task_definition.as_deref());
    let Some(definition) = Definition::find(cx, &namespace, reference)? else {
        return Ok(None);
    };
    complete(cx, &namespace, &mut request)?;
    let settings = settings(cx, task, Subject::Task, &mut findings);
    let input = TaskInput {
        name: &name,
        request: &request,
        task_definition: definition.input(),
    };
    let validated = match validate_task(&input, &settings) {
        Ok(validated) if !findings.has_errors() => validated,
        Ok(_) => return Err(refused(findings)),
        Err(more) => {
            findings.append(more);
            return Err(refused(findings));
        }
    };
    let (manifests, _) = translate_task(&validated, &settings);
    let objects: Result<Vec<Wanted>, _> = manifests.into_objects().iter().map(Wanted::of).collect();
    let objects = objects.map_err(|error| Refusal::internal(&error))?;
    let (pods, others) = objects
        .into_iter()
        .partition(|wanted| wanted.key.kind.kind == "Pod");
    Ok(Some(Plan {
        pods,
        others,
        task_definition: definition.label(),
    }))
}

/// Does the next step of each task. Returns the new status, and when to look again.
async fn advance(
    task: &EcsTask,
    before: &TaskStatus,
    cx: &Context,
    owner: &OwnerReference,
) -> Result<(TaskStatus, Option<Duration>), Error> {
    let now = whole_seconds(Timestamp::now());
    let namespace = task.namespace().unwrap_or_default();
    let Found { pods, unwatched } = find(cx, owner, &namespace, &before.tasks).await?;
    let mut decided: Vec<(OneTaskStatus, Step)> = before
        .tasks
        .iter()
        .map(|one| {
            let pod = pods.iter().find(|pod| pod.name == one.name);
            next(&one.name, Some(one), pod.map(|pod| &**pod), now)
        })
        .collect();
    if let Some(reason) = make(task, &decided, cx, owner).await? {
        for (one, _) in decided.iter_mut().filter(|(_, step)| *step == Step::Create) {
            *one = failed_to_start(one, &reason, now);
        }
    }
    let mut wait = unwatched.then_some(UNWATCHED);
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

/// Makes the pods that are not made yet, and before them what they need, which is put back for as long as they run.
/// Returns why that can never be done, if so.
async fn make(
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

fn is_finished(status: &TaskStatus) -> bool {
    status.stopped_at.is_some()
}

/// Deletes tasks that have been finished for long enough.
async fn expire(task: &EcsTask, status: &TaskStatus, cx: &Context) -> Result<Action, Error> {
    let (_, extensions, _) = read_task(task.spec.text());
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

/// What an error means for the next try.
#[must_use]
pub(super) fn on_error(task: Arc<EcsTask>, error: &Error, cx: Arc<Context>) -> Action {
    cx.metrics.failed(KIND, error.reason());
    let wait = cx.backoff.failed(&task.uid().unwrap_or_default());
    tracing::warn!(%error, ?wait, "a task could not be reconciled");
    Action::requeue(wait.max(Duration::from_millis(100)))
}

/// Forgets a task that is gone.
pub(super) fn forget(cx: &Context, task: &EcsTask) {
    cx.waiting_tasks
        .forget(&task.namespace().unwrap_or_default(), &task.name_any());
    cx.task_statuses.forget(task);
    cx.backoff.succeeded(&task.uid().unwrap_or_default());
}
