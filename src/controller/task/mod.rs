//! The reconcile of tasks that run to completion.

mod apply;
mod claims;
mod expiry;
mod fetch;
mod plan;
mod pods;
mod preview;
mod record;
mod status;

use std::{collections::BTreeSet, iter, sync::Arc, time::Duration};

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::OwnerReference,
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    Resource as _, ResourceExt as _,
    runtime::{controller::Action, reflector::ObjectRef},
};

use self::{
    apply::{Made, NotMade, make},
    expiry::{again_or_give_up, expire},
    fetch::{Found, find, is_ours},
    plan::plan,
    pods::{adopt, delete, release, stop},
    record::{begun, names, put_on_record, was_never_made},
    status::{failed_to_start, log_outcome, rebuilt, rejected, started, summary, tell},
};
use crate::{
    controller::{
        caches::owner::Owner,
        context::Context,
        error::Error,
        kind::{OfKind, Reconciled},
        pipe::ask_pipe_of,
        rule::ask_rules_in,
        schedule::ask_schedule_of,
        status::whole_seconds,
        task_definition::named,
    },
    crd::{EcsTask, TaskStatus},
    decide::{
        obstacle::Obstacle,
        pod_state::PodState,
        task_lifecycle::{Next, STOPPED, Step, next},
    },
    diagnostic::StateReason,
};

/// How often to check a pod that no watch reports.
const UNWATCHED: SignedDuration = SignedDuration::from_secs(10);

/// The result of one reconcile.
struct Progress {
    status: TaskStatus,
    /// When to check again if nothing changes before.
    wait: Option<Duration>,
    /// The pods to release once all of this is recorded.
    released: Vec<Arc<PodState>>,
    /// The error to retry.
    failure: Option<Error>,
}

impl Progress {
    fn to(status: TaskStatus, wait: Option<Duration>) -> Self {
        Self {
            status,
            wait,
            released: Vec::new(),
            failure: None,
        }
    }
}

pub(super) use preview::wanted;

impl Reconciled for EcsTask {
    type Status = TaskStatus;
    const KIND: &'static str = "EcsTask";

    fn all(cx: &Context) -> &OfKind<Self> {
        &cx.tasks
    }

    fn api<T: kube::Resource<DynamicType = (), Scope = Self::Scope>>(
        client: kube::Client,
        namespace: &str,
    ) -> kube::Api<T> {
        kube::Api::namespaced(client, namespace)
    }

    fn reported(&self) -> &TaskStatus {
        &self.status
    }

    async fn reconcile(self: Arc<Self>, cx: Arc<Context>) -> Result<Action, Error> {
        reconcile(self, cx).await
    }

    fn changed(&self, cx: &Context) {
        // A task that has begun keeps its revision, so new revisions do not affect it.
        let has_begun = self.status.task_definition.is_some();
        let waits_for = named(&self.spec).filter(|_| !has_begun);
        cx.waiting_tasks.record(self, waits_for.as_deref());
        cx.ask(ObjectRef::from_obj(self));
        ask_schedule_of(cx, self);
        ask_pipe_of(cx, self);
        ask_rules_in(cx, &self.namespace().unwrap_or_default());
    }

    fn gone(&self, cx: &Context) {
        let (namespace, name) = (self.namespace().unwrap_or_default(), self.name_any());
        cx.waiting_tasks.forget(&namespace, &name);
        ask_schedule_of(cx, self);
        ask_pipe_of(cx, self);
        let user = Owner::Task(namespace, name);
        cx.children.wants(&user, iter::empty());
        cx.children.unclaim_all(&user);
        cx.unclaimed.notify_one();
    }
}

/// Takes the next step of tasks.
async fn reconcile(task: Arc<EcsTask>, cx: Arc<Context>) -> Result<Action, Error> {
    let Some(owner) = task.owner_ref(&()) else {
        return Ok(Action::await_change());
    };
    // This has to happen before the task is deleted with what it owns.
    let let_go = claims::let_go(&cx, &owner).await;
    if task.meta().deletion_timestamp.is_some() {
        return let_go.map(|()| Action::await_change());
    }
    let before = cx.tasks.latest(&task);
    if is_finished(&before) {
        // A task that ended before there was a record gets one now.
        let version = cx.tasks.version(&task);
        put_on_record(&cx, &task, before.tasks.iter(), version).await?;
        let_go?;
        return expire(&task, &before, &cx, &owner).await;
    }
    let task = if task.status == before {
        task
    } else {
        // The cache does not have its newest status yet.
        Arc::new(EcsTask {
            status: before.clone(),
            ..EcsTask::clone(&task)
        })
    };
    let progress = if before.tasks.is_empty() {
        begin(&task, &before, &cx, &owner).await
    } else {
        Some(advance(&task, &before, &cx, &owner).await?)
    };
    let Some(progress) = progress else {
        return Ok(Action::await_change());
    };
    let status = &progress.status;
    let version = cx.tasks.version(&task);
    let made = status.tasks.iter().filter(|one| !was_never_made(one));
    let recorded = put_on_record(&cx, &task, made, version.clone()).await?;
    let version = recorded.or(version);
    if *status != before
        && cx
            .report_at(version, &*task, &before, status.clone())
            .await?
    {
        // A decision that could not be recorded is made again, and is not reported before.
        tell(&cx, &task, &before, status);
        ask_schedule_of(&cx, &task);
        ask_pipe_of(&cx, &task);
        ask_rules_in(&cx, &task.namespace().unwrap_or_default());
    }
    for pod in &progress.released {
        release(&cx, &task.namespace().unwrap_or_default(), pod).await?;
    }
    if let Some(error) = progress.failure {
        return Err(error);
    }
    let_go?;
    if is_finished(status) {
        log_outcome(&task, status);
        return expire(&task, status, &cx, &owner).await;
    }
    again_or_give_up(&task, status, progress.wait, &cx).await
}

/// Returns the first status: what to run, recorded before any pod is created. If pods have already run, the status was
/// lost and is reconstructed. `None` if a revision is about to appear.
async fn begin(
    task: &EcsTask,
    before: &TaskStatus,
    cx: &Context,
    owner: &OwnerReference,
) -> Option<Progress> {
    let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
    let of_task = Owner::Task(namespace.clone(), name.clone());
    let pods = cx.pods.of(&of_task).into_iter();
    let running: BTreeSet<String> = pods
        .filter(|pod| is_ours(pod, owner) && !pod.gated)
        .map(|pod| pod.name.clone())
        .collect();
    let (names, begun) = (names(task), begun(task));
    let has_begun = |name: &String| begun.contains(name) || running.contains(name);
    // The status is recorded next, and the pods follow after that.
    let at_once = Some(Duration::ZERO);
    if names.iter().any(has_begun) {
        let status = rebuilt(task, before, names, &begun, &running);
        return Some(Progress::to(status, at_once));
    }
    let refused = |refusal| Progress::to(rejected(task, before, &refusal), None);
    match plan(task, cx) {
        Ok(Some(plan)) => {
            if let Some(refusal) = plan.refusal(cx, &namespace).await {
                return Some(refused(refusal));
            }
            // From now on the task keeps its revision.
            cx.waiting_tasks.forget(&namespace, &name);
            Some(Progress::to(started(task, before, &plan), at_once))
        }
        Ok(None) => None,
        Err(refusal) => Some(refused(refusal)),
    }
}

/// Takes the next step of each task.
async fn advance(
    task: &EcsTask,
    before: &TaskStatus,
    cx: &Context,
    owner: &OwnerReference,
) -> Result<Progress, Error> {
    let now = whole_seconds(Timestamp::now());
    let namespace = task.namespace().unwrap_or_default();
    let begun = begun(task);
    let found = find(cx, owner, &namespace, &before.tasks, &begun).await?;
    for pod in found.pods.iter().filter(|pod| pod.owner.is_none()) {
        adopt(cx, &namespace, pod, owner).await?;
    }
    let of_task = |name: &str| found.pods.iter().find(|pod| pod.name == name);
    let mut decided: Vec<Next> = before
        .tasks
        .iter()
        .map(|one| {
            let pod = of_task(&one.name).map(|pod| &**pod);
            next(one, pod, begun.contains(&one.name), now)
        })
        .collect();
    let failure = create(task, &mut decided, &found, cx, owner, now).await;
    let (mut wait, mut released) = (found.unwatched.then_some(UNWATCHED), Vec::new());
    for Next {
        task: one, step, ..
    } in &decided
    {
        match (step, of_task(&one.name)) {
            (Step::WaitUntil(time), _) => {
                let left = time.duration_since(now);
                wait = Some(wait.map_or(left, |wait| wait.min(left)));
            }
            (Step::Release, Some(pod)) => released.push(pod.clone()),
            (Step::Stop, Some(pod)) => stop(cx, &namespace, pod).await?,
            (Step::Delete, Some(pod)) => delete(cx, &namespace, pod).await?,
            (Step::Wait | Step::Create | Step::Release | Step::Stop | Step::Delete, _) => {}
        }
    }
    Ok(Progress {
        status: summary(task, before, decided),
        wait: wait.map(|wait| wait.unsigned_abs() + Duration::from_secs(1)),
        released,
        failure,
    })
}

/// Creates the missing pods, and reports why if a pod could not be created. Returns the error to retry.
async fn create(
    task: &EcsTask,
    decided: &mut [Next],
    found: &Found,
    cx: &Context,
    owner: &OwnerReference,
    now: Timestamp,
) -> Option<Error> {
    if decided.iter().all(|next| next.task.last_status == STOPPED) {
        // Nothing runs that would need anything.
        return None;
    }
    let (taken, free): (Vec<String>, Vec<String>) = decided
        .iter()
        .filter(|next| next.step == Step::Create)
        .map(|next| next.task.name.clone())
        .partition(|name| found.foreign.contains(name));
    let Made {
        mut missing,
        failure,
    } = make(task, &free, cx, owner).await;
    missing.extend(taken.into_iter().map(|name| {
        let message =
            format!("the pod {name} of an earlier EcsTask of this name has not ended yet");
        let code = StateReason::PodNameTaken.into();
        (name, NotMade::Yet(Some(Obstacle { code, message })))
    }));
    for (name, why) in missing {
        let Some(next) = decided.iter_mut().find(|next| next.task.name == name) else {
            continue;
        };
        match why {
            NotMade::Never(reason) => next.task = failed_to_start(&next.task, &reason, now),
            NotMade::Yet(obstacle) => {
                next.task.status_reason = obstacle.as_ref().map(|it| it.message.clone());
                next.obstacle = obstacle;
            }
        }
    }
    failure
}

fn is_finished(status: &TaskStatus) -> bool {
    status.stopped_at.is_some()
}
