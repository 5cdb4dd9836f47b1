//! The reconcile of a service: fetch, validate, translate, apply, prune, status.

mod plan;
mod report;
mod tasks;

use std::{iter, sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::OwnerReference, jiff::Timestamp};
use kube::{Resource as _, ResourceExt as _, runtime::controller::Action};

use self::plan::Plan;
use super::{
    apply::{apply, release},
    children::{Key, Known},
    context::Context,
    error::Error,
    owner::Owner,
    refusal::Refusal,
};
use crate::crd::EcsService;

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
    let planned = plan::plan(&service, &cx);
    let (outcome, failure) = match planned {
        Ok(Some(plan)) => match carry_out(&cx, &plan, &user(&service), &owner).await {
            Ok(()) => (Ok(plan), None),
            Err(error) => (Ok(plan), Some(error)),
        },
        // What it needs is about to appear.
        Ok(None) => return Ok(Action::await_change()),
        Err(refusal) => (Err(refusal), None),
    };
    let replacement = match &outcome {
        Ok(_) => tasks::replace_ended(&cx, &service).await?,
        Err(_) => None,
    };
    let uid = service.uid().unwrap_or_default();
    let passes = |error: &Error| error.is_transient() && !cx.backoff.is_lasting(&uid);
    if !failure.as_ref().is_some_and(passes) {
        report::report(&cx, &service, &outcome, failure.as_ref(), Timestamp::now()).await?;
    }
    match failure {
        Some(error) => Err(error),
        None => {
            cx.backoff.succeeded(&uid);
            Ok(replacement.map_or_else(Action::await_change, Action::requeue))
        }
    }
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
    let mut first_failure = None;
    cx.children
        .wants(user, plan.objects.iter().map(|wanted| &wanted.key));
    for wanted in &plan.objects {
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
    for (key, known) in cx.children.of_owner(&owner.uid) {
        let wanted = plan.objects.iter().any(|wanted| wanted.key == *key);
        if !wanted && !known.deleting && !is_still_needed(cx, plan, &key, &known) {
            release(&cx.client, &key, &known, owner).await?;
        }
    }
    Ok(())
}

/// Whether a workload has to stay because the one that replaces it is not ready: a service that becomes a DAEMON, or is
/// split over capacity providers.
fn is_still_needed(cx: &Context, plan: &Plan, key: &Key, known: &Known) -> bool {
    let serves = known
        .workload
        .as_ref()
        .is_some_and(|workload| workload.ready > 0);
    let successors = plan
        .objects
        .iter()
        .filter(|wanted| is_workload(&wanted.key));
    is_workload(key)
        && serves
        && successors
            .filter_map(|wanted| cx.children.get(&wanted.key)?.workload)
            .any(|workload| !workload.is_steady())
}

fn is_workload(key: &Key) -> bool {
    matches!(key.kind.kind, "Deployment" | "DaemonSet")
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
}

pub(super) use tasks::Replacements;

type Outcome = Result<Plan, Refusal>;
