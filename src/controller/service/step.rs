//! One step of a service: deciding what to run, and applying it.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::OwnerReference, jiff::Timestamp};
use kube::ResourceExt as _;
use serde_json::Value;

use super::{
    Asked,
    apply::carry_out,
    contention, digests,
    fetch::Observed,
    plan::{self, Plan},
    revision, scans,
    status::{Outcome, report},
    tasks, uncreated,
};
use crate::{
    controller::{context::Context, error::Error, refusal::Refusal, wanted::Wanted},
    crd::EcsService,
    decide::{
        deployment::{self, Deployments, IN_PROGRESS, advance, pods_of},
        pod_state::PodState,
        trouble::{Troubles, troubles, without_pods},
    },
    rendering::{Hold, Numbers, hold_scale_in, with_numbers},
};

/// When to check again after a deployment is done.
const SOON: Duration = Duration::from_secs(1);

/// A decision.
pub(super) struct Decided {
    deployments: Deployments,
    running: Plan,
    /// When to decide again if nothing changes.
    again: Option<Timestamp>,
    /// Why a deployment could not begin.
    not_begun: Option<Error>,
}

impl Decided {
    /// Whether the decision is recorded.
    pub(super) const fn is_on_record(&self) -> bool {
        self.not_begun.is_none()
    }
}

/// The result of an apply.
struct Applied {
    /// Whether a workload is not in its wanted state.
    workload_failed: bool,
    errors: Vec<Error>,
    /// When to check again.
    waits: Vec<Duration>,
}

/// One step of a service.
pub(super) struct Step<'a> {
    pub(super) service: &'a EcsService,
    pub(super) cx: &'a Context,
    pub(super) asked: &'a Asked,
    pub(super) wanted: &'a deployment::Wanted<'a>,
    pub(super) pods: &'a [Arc<PodState>],
    /// Whether objects may have been created for it before.
    pub(super) has_begun: bool,
    pub(super) now: Timestamp,
}

impl Step<'_> {
    /// Decides what to run. If that is no longer available, reports this instead.
    pub(super) async fn decide(
        &self,
        before: &Deployments,
        current: Option<Result<Plan, Refusal>>,
    ) -> Result<Option<Decided>, Error> {
        let Self {
            service, cx, asked, ..
        } = *self;
        let (mut deployments, again) = advance(before, self.wanted, self.pods, self.now);
        let mut differ = deployments.differ(before);
        let mut not_begun = None;
        let newest = asked.newest.as_ref();
        if let Some(newest) = newest.filter(|it| differ && deployments.is_of(&it.revision))
            && let Err(error) = revision::keep(cx, service, newest).await
        {
            if before.target().is_none() {
                self.tell_lasting(Some(&error), before).await?;
                return Err(error);
            }
            // The previous deployments stay, and the error is reported with their result.
            (deployments, differ) = (before.clone(), false);
            not_begun = Some(error);
        }
        deployments.recount(self.wanted, self.pods);
        if differ && !before.list.is_empty() {
            // The decision is recorded before it is carried out, so that an operator that is killed in between does not
            // decide again.
            self.report(Outcome::Decided(newest, &deployments)).await?;
        }
        if let Some(newest) = newest.filter(|it| differ && deployments.is_of(&it.revision)) {
            digests::tell(cx, service, newest);
            scans::tell(cx, service, newest);
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
                not_begun,
            })),
            Err(refusal) => {
                self.report(Outcome::Lost(newest, &deployments, &refusal))
                    .await?;
                Ok(None)
            }
        }
    }

    /// Applies the decision, and reports the result. Returns when to check again.
    pub(super) async fn bring_about(
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
            not_begun,
        } = decided;
        running.may_return = deployments.may_return();
        let observed = Observed::of(cx, service, Some(&running), running.desired);
        let in_progress = deployments.is(IN_PROGRESS);
        let hold = put_numbers(&mut running, &observed, self.pods, in_progress);
        let holds = deployments.replaces_tasks();
        if holds {
            hold_scale_in(&mut running.objects);
        }
        if self.lacks_objects(&running) && !cx.is_there(service).await? {
            // The missing objects were deleted with the service.
            return Err(Error::Gone);
        }
        let applied = self.apply(&running, &observed, owner).await;
        let observed = Observed::of(cx, service, Some(&running), running.desired);
        if !applied.workload_failed && hold == Hold::default() {
            deployments.settle(self.wanted, observed.progress(), self.now);
        }
        deployments.recount(self.wanted, self.pods);
        revision::record_outcomes(cx, service, &deployments).await?;
        let failure = Error::all(applied.errors.into_iter().chain(not_begun).collect());
        let troubles = self.troubles(&observed);
        if !failure.as_ref().is_some_and(|error| self.passes(error)) {
            self.report(Outcome::Applied {
                troubles: &troubles.known,
                newest: asked.newest.as_ref(),
                running: &running,
                deployments: &deployments,
                observed: &observed,
                held: hold.is_blocked,
                failure: failure.as_ref(),
            })
            .await?;
        }
        let due = again.into_iter().chain(troubles.next);
        // Work that was already due is done.
        let due = due.filter_map(|due| Duration::try_from(due.duration_since(self.now)).ok());
        // Objects kept for a rollback that is no longer possible are deleted at the next try, and autoscalers remove tasks
        // again.
        let is_over = running.may_return && !deployments.may_return()
            || holds && !deployments.replaces_tasks();
        let done = is_over.then_some(SOON);
        let waits = due
            .chain(applied.waits)
            .chain(contention::over_in(cx, service))
            .chain(done)
            .filter(|wait| !wait.is_zero());
        let again = waits.min();
        if let (Some(_), Some(again)) = (&failure, again) {
            cx.backoff.due(&owner.uid, again);
        }
        failure.map_or(Ok(again), Err)
    }

    /// Applies what should run, and ends tasks that are over.
    async fn apply(&self, running: &Plan, observed: &Observed, owner: &OwnerReference) -> Applied {
        let Self { service, cx, .. } = *self;
        let failure = carry_out(cx, running, service, owner).await.err();
        let over = tasks::Over {
            running,
            grace: self.wanted.grace,
            now: self.now,
        };
        let replacement = tasks::replace_ended(cx, service, over).await;
        let trial = uncreated::ask(cx, service, running, observed).await;
        let workload_failed = failure.as_ref().is_some_and(|failure| failure.of_workload);
        let mut errors: Vec<Error> = failure.into_iter().map(|failure| failure.error).collect();
        let replacement = replacement.unwrap_or_else(|error| {
            errors.push(error);
            None
        });
        Applied {
            workload_failed,
            errors,
            waits: replacement.into_iter().chain(trial).collect(),
        }
    }

    /// Returns what keeps tasks from running.
    fn troubles(&self, observed: &Observed) -> Troubles {
        let mut troubles = troubles(self.pods, observed.not_created.as_deref(), self.now);
        let missing = observed.missing.as_ref();
        let unexplained = missing.filter(|_| self.cx.uncreated.is_unexplained(self.service));
        let unexplained = unexplained.map(|(name, _)| without_pods(name));
        troubles.known.extend(unexplained);
        troubles
    }

    /// Whether objects are missing that existed, or may have existed.
    fn lacks_objects(&self, running: &Plan) -> bool {
        let is_missing = |object: &Value| {
            let wanted = Wanted::new(object).ok();
            wanted.is_some_and(|wanted| self.cx.children.get(&wanted.key).is_none())
        };
        self.has_begun && running.objects.iter().any(is_missing)
    }

    /// Reports lasting trouble.
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

    /// Whether an error is likely to be resolved by the next try, so that it need not be reported.
    fn passes(&self, error: &Error) -> bool {
        let uid = self.service.uid().unwrap_or_default();
        error.is_transient() && !self.cx.backoff.is_lasting(&uid)
    }
}

/// Writes the current numbers into what is about to be applied. Returns what they hold back.
pub(super) fn put_numbers(
    running: &mut Plan,
    observed: &Observed,
    pods: &[Arc<PodState>],
    in_progress: bool,
) -> Hold {
    let of_another = || {
        pods.iter()
            .filter(|pod| is_of_another(pod, &running.revision))
    };
    let numbers = Numbers {
        rules: &running.rules,
        nodes: &|name| observed.nodes(name),
        parts: &|name| observed.part(name),
        desired: running.desired,
        in_progress,
        has_old: of_another().next().is_some(),
        replaces: of_another().any(|pod| pod.ready),
    };
    with_numbers(&mut running.objects, numbers)
}

/// Whether a pod that has not ended does not have this service revision.
fn is_of_another(pod: &PodState, revision: &str) -> bool {
    let is_there = !pod.deleting && !pod.is_finished();
    is_there && pod.revision.as_deref() != Some(pods_of(revision))
}
