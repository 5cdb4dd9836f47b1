//! The reconcile of a service: fetch, render what is asked for, decide what to run, apply it, prune, report the status.

mod adoption;
mod apply;
mod asked;
mod assumed;
mod begin;
mod conditions;
mod connect_hosts;
mod contention;
mod count;
mod counts;
mod digests;
mod fetch;
mod input;
mod names;
mod permit;
mod plan;
mod policies;
mod preview;
mod renewal;
mod revision;
mod revisions;
mod scaling;
mod scans;
mod scheduled;
mod status;
mod step;
mod tasks;
mod tell;
mod uncreated;
mod verdicts;

use std::{iter, sync::Arc, time::Duration};

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, OwnerReference},
    jiff::Timestamp,
};
use kube::{
    Resource as _, ResourceExt as _,
    runtime::{controller::Action, reflector::ObjectRef},
};

use self::{
    asked::Asked,
    begin::has_to_wait,
    counts::Counts,
    fetch::Observed,
    input::{renewed, wanted},
    plan::{Newest, Plan},
    renewal::{Turn, turn},
    scheduled::Scheduled,
    status::{Outcome, record_rebuilt, report},
    step::Step,
};
use crate::{
    controller::{
        app_runner::ask_app_runner_service,
        caches::owner::Owner,
        context::Context,
        error::Error,
        kind::{OfKind, Reconciled},
        permitted::NotPermitted,
        refusal::Refusal,
        rule::ask_rules_in,
        status::whole_seconds,
        task_definition::named,
    },
    crd::{EcsService, ServiceStatus},
    decide::{deployment::Deployments, pod_state::PodState},
};

pub(super) use begin::Beginnings;
pub(super) use contention::Contention;
pub(super) use policies::{policies_call, running_tasks};
pub(super) use preview::{Outlook, outlook, owner_of};
pub(super) use renewal::Renewals;
pub(super) use revisions::{Revision, ServiceRevisions, watch_service_revisions};
pub(super) use scans::Holds;
pub(super) use tasks::Replacements;
pub(super) use uncreated::Uncreated;

/// The finalizer of an object that is deleted without its dependents.
const ORPHAN: &str = "orphan";

impl Reconciled for EcsService {
    type Status = ServiceStatus;
    const KIND: &'static str = "EcsService";

    fn all(cx: &Context) -> &OfKind<Self> {
        &cx.services
    }

    fn api<T: kube::Resource<DynamicType = (), Scope = Self::Scope>>(
        client: kube::Client,
        namespace: &str,
    ) -> kube::Api<T> {
        kube::Api::namespaced(client, namespace)
    }

    fn reported(&self) -> &ServiceStatus {
        &self.status
    }

    async fn reconcile(self: Arc<Self>, cx: Arc<Context>) -> Result<Action, Error> {
        let user = user(&self);
        let done = reconcile(self.clone(), cx.clone()).await;
        self.ask_app_runner(&cx);
        // Also because of its pods, whose changes trigger this.
        ask_rules_in(&cx, &self.namespace().unwrap_or_default());
        if done.is_ok() {
            cx.children.heard(&user);
        }
        done
    }

    fn keep_managers(managers: &mut Vec<ManagedFieldsEntry>) {
        count::keep_owners_of_count(managers);
    }

    fn changed(&self, cx: &Context) {
        cx.users.record(self, named(&self.spec).as_deref());
        cx.pods.stopped.is_there(&user(self));
        cx.ask(ObjectRef::from_obj(self));
        self.ask_app_runner(cx);
    }

    fn gone(&self, cx: &Context) {
        let (namespace, name) = (self.namespace().unwrap_or_default(), self.name_any());
        cx.users.forget(&namespace, &name);
        cx.children.wants(&user(self), iter::empty());
        cx.unclaimed.notify_one();
        cx.children.unclaim_all(&user(self));
        cx.beginnings.forget(self);
        cx.holds.forget(self);
        cx.uncreated.forget(self);
        cx.contention.forget(self);
        cx.readings.forget(&user(self));
        tasks::forget(cx, self);
        cx.pods.stopped.forget(&user(self));
        cx.pods.departed.forget(&user(self));
        self.ask_app_runner(cx);
    }
}

impl EcsService {
    /// Triggers the reconcile of the App Runner service that it runs for, if it does.
    fn ask_app_runner(&self, cx: &Context) {
        ask_app_runner_service(cx, &self.namespace().unwrap_or_default(), &self.name_any());
    }
}

/// Takes one step toward the wanted state of a service.
async fn reconcile(service: Arc<EcsService>, cx: Arc<Context>) -> Result<Action, Error> {
    if service.meta().deletion_timestamp.is_some() {
        // The garbage collector deletes or orphans the children.
        if service.finalizers().iter().any(|it| it == ORPHAN) {
            revision::let_go(&cx, &service).await?;
        }
        return Ok(Action::await_change());
    }
    let Some(owner) = service.owner_ref(&()) else {
        return Ok(Action::await_change());
    };
    let status = cx.services.latest(&service);
    if status.deployments.is_empty() {
        revision::take_over(&cx, &service).await?;
    }
    let now = whole_seconds(Timestamp::now());
    let scheduled = Scheduled::of(&cx, &service, &status, now);
    let status = scheduled::record(&cx, &service, scheduled.as_ref(), status).await?;
    let status = policies::record(&cx, &service, status).await?;
    if let Some(next) = scheduled.as_ref().and_then(|it| it.wait(now)) {
        // An action is run on time, whatever trouble there is with the service.
        cx.backoff.due(&owner.uid, next);
    }
    let ranged = scheduled.as_ref().map_or(&*service, |it| &it.service);
    let done = with_count(ranged, &cx, &status, &owner).await;
    let moved = match &done {
        Err(error) if error.is_transient() || matches!(error, Error::Gone) => Ok(()),
        _ => move_count(&service, &cx, scheduled.as_ref()).await,
    };
    let (wait, ()) = (done?, moved?);
    let next = scheduled.and_then(|it| it.wait(Timestamp::now()));
    Ok(action(wait.into_iter().chain(next).min()))
}

/// Sets the count that a scheduled action or a policy has yet to set: one of them, because both are based on the count as
/// it is.
async fn move_count(
    service: &EcsService,
    cx: &Context,
    scheduled: Option<&Scheduled>,
) -> Result<(), Error> {
    match scheduled.filter(|scheduled| scheduled.is_adjusting()) {
        Some(scheduled) => scheduled.adjust(cx).await,
        None => policies::set_count(cx, service).await,
    }
}

fn action(wait: Option<Duration>) -> Action {
    wait.map_or_else(Action::await_change, Action::requeue)
}

/// Gives a service the count that its spec lacks, or takes its step. Returns when to take the next one.
async fn with_count(
    service: &EcsService,
    cx: &Context,
    status: &ServiceStatus,
    owner: &OwnerReference,
) -> Result<Option<Duration>, Error> {
    let Some((completed, count)) =
        count::completed(service, status, || count::running(cx, service))
    else {
        return proceed(service, cx, status, owner).await;
    };
    match count::write(cx, service, count).await {
        // The watch reports the count.
        Ok(()) => Ok(None),
        Err(error) if error.is_transient() => Err(error),
        // Whoever forbids it does not keep the service from its count.
        Err(error) => proceed(&completed, cx, status, owner).await.and(Err(error)),
    }
}

/// Takes the step for a service whose spec has a count.
async fn proceed(
    service: &EcsService,
    cx: &Context,
    status: &ServiceStatus,
    owner: &OwnerReference,
) -> Result<Option<Duration>, Error> {
    let asked = match plan::newest(service, cx, status, None) {
        Ok(newest) => Asked {
            newest,
            refusal: None,
        },
        Err(refusal) => Asked {
            newest: None,
            refusal: Some(refusal),
        },
    };
    roll_out(service, cx, asked, status, owner).await
}

/// Decides what to run from what the spec asks for and what ran before, and applies it. What ran before keeps running,
/// whatever happens to the spec.
async fn roll_out(
    service: &EcsService,
    cx: &Context,
    mut asked: Asked,
    status: &ServiceStatus,
    owner: &OwnerReference,
) -> Result<Option<Duration>, Error> {
    let now = whole_seconds(Timestamp::now());
    let pods = cx.pods.of(&user(service));
    let newest = asked.newest.as_ref();
    let before = match Deployments::of(status) {
        known if known.list.is_empty() => rebuilt(service, cx, newest, &pods, now).await?,
        known => known,
    };
    let mut wait = newest.and_then(|newest| has_to_wait(cx, service, newest, &before));
    let turn = newest.map_or(Turn::Never, |newest| turn(cx, service, newest, &before));
    let changes = cx.policies.changes();
    let turn = permit(service, cx, &mut asked, &before, turn, wait.is_some()).await;
    if wait.is_some() {
        asked.newest = None;
    }
    let held = scans::begin(service, cx, &mut asked, (status, &before)).await;
    wait = wait.into_iter().chain(held).min();
    if let Turn::Later(turn) = turn {
        wait = wait.into_iter().chain([turn]).min();
    }
    let current = current(service, cx, &asked, &before).await?;
    let running = current.as_ref().and_then(|current| current.as_ref().ok());
    let Some(counts) = Counts::of(asked.newest.as_ref(), running) else {
        if let Some(refusal) = &asked.refusal {
            report(cx, service, &Outcome::Refused(refusal)).await?;
        }
        return Ok(asked.next(cx, changes, wait));
    };
    let observed = Observed::of(cx, service, running, counts.desired);
    let not_created = uncreated::of_newest(cx, service, running, &observed).await;
    let mut wanted = wanted(service, &asked, &counts, &observed, not_created.as_deref());
    wanted.renew = renewed(service, turn, &before);
    let step = Step {
        service,
        cx,
        asked: &asked,
        wanted: &wanted,
        pods: &pods,
        has_begun: !before.list.is_empty()
            || cx.backoff.has_failed(&service.uid().unwrap_or_default()),
        now,
    };
    let decided = step.decide(&before, current).await;
    if !matches!(&decided, Ok(Some(decided)) if decided.is_on_record()) {
        cx.renewals.gave_up(service);
    }
    let Some(decided) = decided? else {
        return Ok(asked.next(cx, changes, wait));
    };
    if let Some(wait) = wait {
        // A deployment begins on time, whatever trouble there is with what runs.
        cx.backoff.due(&owner.uid, wait);
    }
    let again = step.bring_about(decided, owner).await?;
    let again = again.into_iter().chain(wait).min();
    Ok(asked.next(cx, changes, again))
}

/// Judges what the spec asks for if a deployment of it would begin, and the metrics of its autoscaler in any case. What is
/// not permitted is not asked for. Returns whether the operator may renew the service.
async fn permit(
    service: &EcsService,
    cx: &Context,
    asked: &mut Asked,
    before: &Deployments,
    turn: Turn,
    waits: bool,
) -> Turn {
    let Some(newest) = &asked.newest else {
        return turn;
    };
    let begins = |turn| before.would_begin(newest.for_decision(), renewed(service, turn, before));
    let judged = if begins(turn) {
        permit::to_begin(service, cx, newest, waits).await
    } else {
        permit::to_go_on(service, cx, newest).await
    };
    match judged {
        Ok(()) => turn,
        // Nobody asked for it but the operator.
        Err(_) if begins(turn) && !begins(Turn::Never) => {
            cx.renewals.gave_up(service);
            Turn::Never
        }
        Err(why) => {
            asked.newest = None;
            asked.refusal = match why {
                NotPermitted::Refused(refusal) => Some(refusal),
                NotPermitted::NotYet => None,
            };
            turn
        }
    }
}

/// Reconstructs the deployments of a service that has no status; none if nothing ran.
async fn rebuilt(
    service: &EcsService,
    cx: &Context,
    newest: Option<&Newest>,
    pods: &[Arc<PodState>],
    now: Timestamp,
) -> Result<Deployments, Error> {
    let Some(rebuilt) = adoption::restored(service, cx, newest, pods, now) else {
        return Ok(Deployments::default());
    };
    record_rebuilt(cx, service, &rebuilt).await?;
    Ok(rebuilt)
}

/// Returns what to apply for what ran before, if anything did, and reports lasting trouble with it.
async fn current(
    service: &EcsService,
    cx: &Context,
    asked: &Asked,
    before: &Deployments,
) -> Result<Option<Result<Plan, Refusal>>, Error> {
    let Some(target) = before.target() else {
        return Ok(None);
    };
    let plan = plan::plan(service, cx, &target, asked.newest.as_ref()).await;
    if let Err(error) = &plan
        && cx.backoff.is_lasting(&service.uid().unwrap_or_default())
    {
        let why = Refusal::internal(error);
        let outcome = Outcome::Lost(asked.newest.as_ref(), before, &why);
        report(cx, service, &outcome).await?;
    }
    plan.map(Some)
}

/// Returns a service as an owner of objects.
pub(super) fn user(service: &EcsService) -> Owner {
    Owner::Service(service.namespace().unwrap_or_default(), service.name_any())
}
