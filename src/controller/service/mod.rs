//! The reconcile of a service: fetch, validate, translate, decide what is to run, apply, prune, status.

mod plan;
mod report;
mod revision;
mod tasks;
mod tell;
mod workloads;

use std::{iter, sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::OwnerReference, jiff::Timestamp};
use kube::{Resource as _, ResourceExt as _, runtime::controller::Action};

use self::{
    plan::Plan,
    report::{Observed, Outcome, report},
};
use super::{
    apply::{Wanted, apply, release},
    child::WorkloadState,
    children::{Key, Known},
    context::Context,
    error::Error,
    owner::Owner,
    refusal::Refusal,
    status::whole_seconds,
};
use crate::{
    crd::EcsService,
    decide::{
        deployment::{self, Deployments, Target, advance},
        pod_state::PodState,
    },
    settings::{ROLL_BACK_DEPLOYMENT, STOP_DEPLOYMENT},
    translate::Object,
};

/// The kind in metrics.
pub(super) const KIND: &str = "EcsService";

/// Brings a service one step nearer to what it should be.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn reconcile(service: Arc<EcsService>, cx: Arc<Context>) -> Result<Action, Error> {
    cx.queue.begin_service(&service);
    if service.meta().deletion_timestamp.is_some() {
        // The garbage collector deletes the children.
        return Ok(Action::await_change());
    }
    let Some(owner) = service.owner_ref(&()) else {
        return Ok(Action::await_change());
    };
    let newest = match plan::plan(&service, &cx) {
        Ok(Some(newest)) => newest,
        // What it needs is about to appear.
        Ok(None) => return Ok(Action::await_change()),
        Err(refusal) => {
            report(&cx, &service, &Outcome::Refused(refusal)).await?;
            cx.backoff.succeeded(&service.uid().unwrap_or_default());
            return Ok(Action::await_change());
        }
    };
    roll_out(&service, &cx, &newest, &owner).await
}

/// Decides what is to run of the plan that the spec means and of what ran before, and brings it about.
async fn roll_out(
    service: &EcsService,
    cx: &Context,
    newest: &Plan,
    owner: &OwnerReference,
) -> Result<Action, Error> {
    let now = whole_seconds(Timestamp::now());
    let pods = cx.pods.of(&user(service));
    let observed = Observed::of(cx, service, newest);
    let wanted = wanted(service, newest, &observed);
    let Some(decided) = decide(service, cx, newest, &wanted, &pods, now).await? else {
        return Ok(Action::await_change());
    };
    let Decided {
        mut deployments,
        target,
        mut running,
        again,
    } = decided;
    let replaces = pods.iter().any(|pod| is_of_another(pod, &running.revision));
    let nodes = |object: &Object| observed.nodes(object.name());
    let held = workloads::hold_back(&mut running.objects, &running.rules, nodes, replaces);
    let failure = carry_out(cx, &running, &user(service), owner).await.err();
    let replacement = tasks::replace_ended(cx, service, now).await?;
    let observed = Observed::of(cx, service, &running);
    if failure.is_none() && !held {
        deployments.settle(&wanted, observed.progress(&target), now);
    }
    deployments.recount(&wanted, &pods);
    if !failure
        .as_ref()
        .is_some_and(|error| passes(cx, service, error))
    {
        let outcome = Outcome::Applied {
            newest,
            deployments: &deployments,
            observed: &observed,
            held,
            failure: failure.as_ref(),
        };
        report(cx, service, &outcome).await?;
    }
    match failure {
        Some(error) => Err(error),
        None => {
            cx.backoff.succeeded(&service.uid().unwrap_or_default());
            let again = again.map(|again| again.duration_since(now).unsigned_abs());
            let wait = again.into_iter().chain(replacement).min();
            Ok(wait.map_or_else(Action::await_change, Action::requeue))
        }
    }
}

/// What is to run, and why.
struct Decided {
    deployments: Deployments,
    target: Target,
    running: Plan,
    /// When to decide anew, should nothing change.
    again: Option<Timestamp>,
}

/// Decides what is to run. What cannot be had any more is reported instead.
async fn decide(
    service: &EcsService,
    cx: &Context,
    newest: &Plan,
    wanted: &deployment::Wanted<'_>,
    pods: &[Arc<PodState>],
    now: Timestamp,
) -> Result<Option<Decided>, Error> {
    let before = cx.service_statuses.latest(service, &service.status);
    let before = Deployments::of(&before);
    let (mut deployments, again) = advance(&before, wanted, pods, now);
    let differ = deployments.differ(&before);
    if differ && deployments.is_of(&newest.revision) {
        let kept = revision::keep(cx, service, newest).await;
        if let Err(error) = &kept
            && !passes(cx, service, error)
        {
            let why = Refusal::internal(error);
            report(cx, service, &Outcome::Lost(newest, &before, why)).await?;
        }
        kept?;
    }
    let target = deployments.target(&newest.revision);
    if differ && !before.list.is_empty() {
        // A decision is on record before it is carried out, so that one who is killed in between does not decide anew.
        deployments.recount(wanted, pods);
        report(cx, service, &Outcome::Decided(newest, &deployments)).await?;
    }
    let running = running(service, cx, newest, &target).await;
    let why = match &running {
        Ok(Err(refusal)) => Some(refusal.clone()),
        Err(error) if !passes(cx, service, error) => Some(Refusal::internal(error)),
        Ok(Ok(_)) | Err(_) => None,
    };
    if let Some(why) = why {
        report(cx, service, &Outcome::Lost(newest, &deployments, why)).await?;
    }
    Ok(running?.ok().map(|running| Decided {
        deployments,
        target,
        running,
        again,
    }))
}

/// Whether an error is likely to be over at the next try, so that nobody needs to know.
fn passes(cx: &Context, service: &EcsService, error: &Error) -> bool {
    error.is_transient() && !cx.backoff.is_lasting(&service.uid().unwrap_or_default())
}

/// What the spec asks for, as decisions take it.
fn wanted<'a>(
    service: &'a EcsService,
    newest: &'a Plan,
    observed: &Observed,
) -> deployment::Wanted<'a> {
    let annotation = |name: &str| service.annotations().get(name).map(String::as_str);
    deployment::Wanted {
        service: service.metadata.uid.as_deref().unwrap_or_default(),
        revision: &newest.revision,
        task_definition: &newest.task_definition,
        desired: newest.desired.unwrap_or(observed.desired),
        rules: &newest.rules,
        healthy_after: workloads::healthy_after(&newest.objects),
        stop: annotation(STOP_DEPLOYMENT),
        roll_back: annotation(ROLL_BACK_DEPLOYMENT),
    }
}

/// The plan of what is to run, or why it cannot be made.
async fn running(
    service: &EcsService,
    cx: &Context,
    newest: &Plan,
    target: &Target,
) -> Result<Result<Plan, Refusal>, Error> {
    match target {
        Target::Newest => Ok(Ok(newest.clone())),
        Target::Nothing => {
            let mut nothing = newest.clone();
            workloads::empty(&mut nothing.objects);
            Ok(Ok(nothing))
        }
        Target::Revision(older) => {
            let stored = revision::load(cx, service, older).await?;
            Ok(stored.and_then(|stored| plan::plan_of(service, cx, older, stored)))
        }
    }
}

/// Whether a pod is a healthy one that is not of this service revision.
fn is_of_another(pod: &PodState, revision: &str) -> bool {
    pod.ready && !pod.deleting && pod.revision.as_deref() != Some(revision)
}

fn user(service: &EcsService) -> Owner {
    Owner::Service(service.namespace().unwrap_or_default(), service.name_any())
}

/// Applies what differs, in the order in which objects need each other, and ends what is not wanted any more.
async fn carry_out(
    cx: &Context,
    plan: &Plan,
    user: &Owner,
    owner: &OwnerReference,
) -> Result<(), Error> {
    let objects: Result<Vec<Wanted>, Error> = plan.objects.iter().map(Wanted::new).collect();
    let objects = objects?;
    let mut first_failure = None;
    cx.children
        .wants(user, objects.iter().map(|wanted| &wanted.key));
    for wanted in &objects {
        if let Err(error) = apply(&cx.client, &cx.children, wanted, owner).await {
            // What is wrong with one object does not keep the others from being repaired.
            if error.is_transient() {
                return Err(error);
            }
            first_failure.get_or_insert(error);
        }
    }
    if let Some(error) = first_failure {
        return Err(error);
    }
    let workloads: Vec<WorkloadState> = objects
        .iter()
        .filter_map(|wanted| cx.children.get(&wanted.key)?.workload)
        .map(|workload| *workload)
        .collect();
    for (key, known) in cx.children.of_owner(&owner.uid) {
        let wanted = objects.iter().any(|wanted| wanted.key == *key);
        if !wanted && !known.deleting && !is_still_needed(&key, &known, &workloads) {
            release(&cx.client, &key, &known, owner).await?;
        }
    }
    Ok(())
}

/// Whether something that is not wanted any more has to stay: a workload that serves until those that replace it are
/// ready, as when a service becomes a DAEMON or is split over capacity providers; and what old tasks may use until they
/// are gone.
fn is_still_needed(key: &Key, known: &Known, workloads: &[WorkloadState]) -> bool {
    match key.kind.kind {
        "HorizontalPodAutoscaler" | "ScaledObject" | "PodDisruptionBudget" => false,
        "Deployment" | "DaemonSet" => {
            let serves = known.workload.as_ref().is_some_and(|old| old.ready > 0);
            serves && workloads.iter().any(|workload| !workload.is_steady())
        }
        _ => workloads.iter().any(|workload| workload.has_old()),
    }
}

/// What an error means for the next try.
#[must_use]
pub(super) fn on_error(service: Arc<EcsService>, error: &Error, cx: Arc<Context>) -> Action {
    cx.metrics.failed(KIND, error.reason());
    let wait = cx.backoff.failed(&service.uid().unwrap_or_default());
    tracing::warn!(%error, ?wait, "a service could not be reconciled");
    Action::requeue(wait.max(Duration::from_millis(100)))
}

/// Forgets a service that is gone.
pub(super) fn forget(cx: &Context, service: &EcsService) {
    let namespace = service.namespace().unwrap_or_default();
    cx.users.forget(&namespace, &service.name_any());
    cx.children.wants(&user(service), iter::empty());
    cx.service_statuses.forget(service);
    cx.backoff.succeeded(&service.uid().unwrap_or_default());
    tasks::forget(cx, service);
    revision::forget(cx, service);
}

pub(super) use revision::ServiceRevisions;
pub(super) use tasks::Replacements;
