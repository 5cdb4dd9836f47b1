//! The reconcile of a service: fetch, render what is asked for, decide what is to run, apply it, prune, status.

mod adoption;
mod apply;
mod begin;
mod plan;
mod renewal;
mod report;
mod revision;
mod revisions;
mod tasks;
mod tell;

use std::{iter, sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::OwnerReference, jiff::Timestamp};
use kube::{Api, Resource as _, ResourceExt as _, runtime::controller::Action};
use serde_json::Value;

use self::{
    apply::carry_out,
    begin::has_to_wait,
    plan::{Newest, Plan},
    renewal::{Turn, turn},
    report::{Observed, Outcome, report},
};
use super::{
    apply::Wanted, context::Context, error::Error, owner::Owner, refusal::Refusal,
    status::whole_seconds,
};
use crate::{
    crd::{EcsService, ServiceStatus},
    decide::{
        deployment::{self, Deployments, advance, pods_of},
        pod_state::PodState,
        trouble::troubles,
    },
    rendering::{Numbers, with_numbers},
    settings::{RENEW_DEPLOYMENT, ROLL_BACK_DEPLOYMENT, STOP_DEPLOYMENT},
    validate,
};

pub(super) use begin::Beginnings;
pub(super) use renewal::Renewals;
pub(super) use revisions::{ServiceRevisions, watch_service_revisions};
pub(super) use tasks::Replacements;

/// The kind in metrics.
pub(super) const KIND: &str = "EcsService";

/// The finalizer of an object that is deleted without what it owns.
const ORPHAN: &str = "orphan";

/// Brings a service one step nearer to what it should be.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn reconcile(service: Arc<EcsService>, cx: Arc<Context>) -> Result<Action, Error> {
    cx.queue.begin_service(&service);
    if service.meta().deletion_timestamp.is_some() {
        // The garbage collector deletes the children, or lets them go.
        if service.finalizers().iter().any(|it| it == ORPHAN) {
            revision::let_go(&cx, &service).await?;
        }
        return Ok(Action::await_change());
    }
    let Some(owner) = service.owner_ref(&()) else {
        return Ok(Action::await_change());
    };
    let status = cx.service_statuses.latest(&*service, &service.status);
    if status.deployments.is_empty() {
        revision::take_over(&cx, &service).await?;
    }
    let asked = match plan::newest(&service, &cx, &status) {
        Ok(newest) => Asked {
            newest,
            refusal: None,
        },
        Err(refusal) => Asked {
            newest: None,
            refusal: Some(refusal),
        },
    };
    let result = roll_out(&service, &cx, asked, &status, &owner).await;
    if result.is_ok() {
        cx.backoff.succeeded(&service.uid().unwrap_or_default());
    }
    result
}

/// What the spec asks for. Neither of both while that cannot be said yet.
struct Asked {
    newest: Option<Newest>,
    /// Why it is refused.
    refusal: Option<Refusal>,
}

/// Decides what is to run, of what the spec asks for and of what ran before, and brings it about. What ran before goes on
/// whatever becomes of the spec.
async fn roll_out(
    service: &EcsService,
    cx: &Context,
    mut asked: Asked,
    status: &ServiceStatus,
    owner: &OwnerReference,
) -> Result<Action, Error> {
    let now = whole_seconds(Timestamp::now());
    let pods = cx.pods.of(&user(service));
    let mut before = Deployments::of(status);
    if before.list.is_empty() {
        let newest = asked.newest.as_ref();
        before = adoption::restored(service, cx, newest, &pods, now).unwrap_or_default();
    }
    let newest = asked.newest.as_ref();
    let mut wait = newest.and_then(|newest| has_to_wait(cx, service, newest, &before));
    let turn = newest.map_or(Turn::Never, |newest| turn(cx, service, newest, &before));
    if wait.is_some() {
        asked.newest = None;
    }
    if let Turn::Later(turn) = turn {
        wait = wait.into_iter().chain([turn]).min();
    }
    let current = match before.target() {
        Some(target) => Some(plan::plan(service, cx, &target, asked.newest.as_ref()).await?),
        None => None,
    };
    let running = current.as_ref().and_then(|current| current.as_ref().ok());
    let Some(counts) = Counts::of(asked.newest.as_ref(), running) else {
        if let Some(refusal) = asked.refusal {
            report(cx, service, &Outcome::Refused(&refusal)).await?;
        }
        return Ok(wait.map_or_else(Action::await_change, Action::requeue));
    };
    let observed = Observed::of(cx, service, running, counts.desired);
    let mut wanted = wanted(service, &asked, &counts, &observed);
    if turn == Turn::Now {
        wanted.renew = before.primary().map(|primary| primary.id.as_str());
    }
    let step = Step {
        service,
        cx,
        asked: &asked,
        wanted: &wanted,
        pods: &pods,
        now,
    };
    let Some(decided) = step.decide(&before, current).await? else {
        return Ok(Action::await_change());
    };
    let again = step.bring_about(decided, owner).await?;
    let again = again.into_iter().chain(wait).min();
    Ok(again.map_or_else(Action::await_change, Action::requeue))
}

/// How many tasks there should be, and how they are replaced.
struct Counts {
    desired: Option<i64>,
    rules: validate::Deployment,
    healthy_after: i64,
}

impl Counts {
    /// Those of what is asked for, or of what runs while that cannot be said.
    fn of(newest: Option<&Newest>, current: Option<&Plan>) -> Option<Self> {
        let newest = newest.map(|newest| Self {
            desired: newest.rendering.desired,
            rules: newest.rendering.rules.clone(),
            healthy_after: newest.rendering.healthy_after,
        });
        newest.or_else(|| {
            current.map(|plan| Self {
                desired: plan.desired,
                rules: plan.rules.clone(),
                healthy_after: plan.healthy_after,
            })
        })
    }
}

/// What is asked for, as decisions take it.
fn wanted<'a>(
    service: &'a EcsService,
    asked: &'a Asked,
    counts: &'a Counts,
    observed: &'a Observed,
) -> deployment::Wanted<'a> {
    let annotation = |name: &str| service.annotations().get(name).map(String::as_str);
    let newest = asked.newest.as_ref().map(|newest| deployment::Newest {
        revision: &newest.revision,
        task_definition: &newest.task_definition,
        same: &newest.same,
    });
    deployment::Wanted {
        service: service.metadata.uid.as_deref().unwrap_or_default(),
        newest,
        desired: counts.desired.unwrap_or(observed.desired),
        rules: &counts.rules,
        healthy_after: counts.healthy_after,
        not_created: observed.not_created.as_deref(),
        grace: grace(service),
        stop: annotation(STOP_DEPLOYMENT),
        roll_back: annotation(ROLL_BACK_DEPLOYMENT),
        renew: annotation(RENEW_DEPLOYMENT),
    }
}

/// For how many seconds a load balancer may take a new task for unhealthy.
fn grace(service: &EcsService) -> i64 {
    let spec = service.spec.parse::<Value>().unwrap_or_default();
    let grace = spec.get("healthCheckGracePeriodSeconds");
    grace.and_then(Value::as_i64).unwrap_or(0)
}

/// What was decided.
struct Decided {
    deployments: Deployments,
    running: Plan,
    /// When to decide again, should nothing change.
    again: Option<Timestamp>,
}

/// One step of a service.
struct Step<'a> {
    service: &'a EcsService,
    cx: &'a Context,
    asked: &'a Asked,
    wanted: &'a deployment::Wanted<'a>,
    pods: &'a [Arc<PodState>],
    now: Timestamp,
}

impl Step<'_> {
    /// Decides what is to run. What cannot be had any more is reported instead.
    async fn decide(
        &self,
        before: &Deployments,
        current: Option<Result<Plan, Refusal>>,
    ) -> Result<Option<Decided>, Error> {
        let Self {
            service, cx, asked, ..
        } = *self;
        let (mut deployments, again) = advance(before, self.wanted, self.pods, self.now);
        let differ = deployments.differ(before);
        let newest = asked.newest.as_ref();
        if let Some(newest) = newest.filter(|it| differ && deployments.is_of(&it.revision)) {
            let kept = revision::keep(cx, service, newest).await;
            self.tell_lasting(kept.as_ref().err(), before).await?;
            kept?;
        }
        deployments.recount(self.wanted, self.pods);
        if differ && !before.list.is_empty() {
            // A decision is on record before it is carried out, so that one who is killed in between does not decide
            // again.
            self.report(Outcome::Decided(newest, &deployments)).await?;
        }
        let Some(target) = deployments.target() else {
            return Ok(None);
        };
        let unchanged = before.target().as_ref() == Some(&target);
        let running = match current.filter(|_| unchanged) {
            Some(current) => Ok(current),
            None => plan::plan(service, cx, &target, newest).await,
        };
        self.tell_lasting(running.as_ref().err(), &deployments)
            .await?;
        match running? {
            Ok(running) => Ok(Some(Decided {
                deployments,
                running,
                again,
            })),
            Err(refusal) => {
                self.report(Outcome::Lost(newest, &deployments, &refusal))
                    .await?;
                Ok(None)
            }
        }
    }

    /// Applies what was decided, and reports what became of it. Returns when to look again.
    async fn bring_about(
        &self,
        decided: Decided,
        owner: &OwnerReference,
    ) -> Result<Option<Duration>, Error> {
        let Self {
            service, cx, asked, ..
        } = *self;
        let Decided {
            mut deployments,
            mut running,
            again,
        } = decided;
        let observed = Observed::of(cx, service, Some(&running), running.desired);
        let mut pods = self.pods.iter();
        let replaces = pods.any(|pod| is_of_another(pod, &running.revision));
        let numbers = Numbers {
            rules: &running.rules,
            nodes: &|name| observed.nodes(name),
            replaces,
        };
        let held = with_numbers(&mut running.objects, numbers);
        if lacks_objects(cx, service, &running) && !is_there(cx, service).await? {
            // It was deleted, and the cache does not know yet: what it lacks went with it.
            return Ok(None);
        }
        let failure = carry_out(cx, &running, &user(service), owner).await.err();
        let over = tasks::Over {
            running: &running,
            grace: self.wanted.grace,
            now: self.now,
        };
        let replacement = tasks::replace_ended(cx, service, over).await?;
        let observed = Observed::of(cx, service, Some(&running), running.desired);
        let workload_failed = failure.as_ref().is_some_and(|failure| failure.of_workload);
        if !workload_failed && !held {
            deployments.settle(self.wanted, observed.progress(), self.now);
        }
        deployments.recount(self.wanted, self.pods);
        revision::record_outcomes(cx, service, &deployments).await?;
        let failure = failure.map(|failure| failure.error);
        if !failure.as_ref().is_some_and(|error| self.passes(error)) {
            let troubles = troubles(self.pods, observed.not_created.as_deref());
            self.report(Outcome::Applied {
                troubles: &troubles,
                newest: asked.newest.as_ref(),
                running: &running,
                deployments: &deployments,
                observed: &observed,
                held,
                failure: failure.as_ref(),
            })
            .await?;
        }
        match failure {
            Some(error) => Err(error),
            None => {
                let again = again.map(|it| it.duration_since(self.now).unsigned_abs());
                Ok(again.into_iter().chain(replacement).min())
            }
        }
    }

    /// Reports trouble that does not pass.
    async fn tell_lasting(
        &self,
        error: Option<&Error>,
        deployments: &Deployments,
    ) -> Result<(), Error> {
        match error.filter(|error| !self.passes(error)) {
            Some(error) => {
                let why = Refusal::internal(error);
                let newest = self.asked.newest.as_ref();
                self.report(Outcome::Lost(newest, deployments, &why)).await
            }
            None => Ok(()),
        }
    }

    async fn report(&self, outcome: Outcome<'_>) -> Result<(), Error> {
        let outcome = match &self.asked.refusal {
            Some(refusal) => Outcome::GoesOn(refusal, Box::new(outcome)),
            None => outcome,
        };
        report(self.cx, self.service, &outcome).await
    }

    /// Whether an error is likely to be over at the next try, so that nobody needs to know.
    fn passes(&self, error: &Error) -> bool {
        let uid = self.service.uid().unwrap_or_default();
        error.is_transient() && !self.cx.backoff.is_lasting(&uid)
    }
}

/// Whether objects of a service are missing that it had.
fn lacks_objects(cx: &Context, service: &EcsService, running: &Plan) -> bool {
    let is_missing = |object: &Value| {
        let wanted = Wanted::new(object).ok();
        wanted.is_some_and(|wanted| cx.children.get(&wanted.key).is_none())
    };
    !service.status.deployments.is_empty() && running.objects.iter().any(is_missing)
}

/// Whether the API server still has a service.
async fn is_there(cx: &Context, service: &EcsService) -> Result<bool, Error> {
    let namespace = service.namespace().unwrap_or_default();
    let api: Api<EcsService> = Api::namespaced(cx.client.clone(), &namespace);
    let live = api.get_metadata_opt(&service.name_any()).await;
    let live = live.map_err(Error::resource("get", service))?;
    Ok(live.is_some_and(|live| {
        live.uid() == service.uid() && live.metadata.deletion_timestamp.is_none()
    }))
}

/// Whether a pod is a healthy one that is not of this service revision.
fn is_of_another(pod: &PodState, revision: &str) -> bool {
    pod.ready && !pod.deleting && pod.revision.as_deref() != Some(pods_of(revision))
}

fn user(service: &EcsService) -> Owner {
    Owner::Service(service.namespace().unwrap_or_default(), service.name_any())
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
    cx.children.unclaim_all(&user(service));
    cx.service_statuses.forget(service);
    cx.backoff.succeeded(&service.uid().unwrap_or_default());
    cx.beginnings.forget(service);
    tasks::forget(cx, service);
}
