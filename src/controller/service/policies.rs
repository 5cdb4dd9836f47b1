//! The scaling policies of a service that the operator runs itself: what follows from what it has measured.
//!
//! A decision is recorded in the status before the count is set, so that an operator that is killed in between sets the
//! same count and decides nothing twice. The count is set once: whoever sets another one is not fought.

use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _, runtime::reflector::ObjectRef};

use super::{Newest, count, plan::Plan, revisions::Revision, user};
use crate::{
    controller::{caches::owner::Owner, context::Context, error::Error, readings::Health},
    crd::{AutoScalingStatus, EcsService, SCALING_ACTIVE, ServiceStatus},
    decide::{
        deployment::{Deployments, IN_PROGRESS},
        pod_state::Phase,
        scaling::{Range, activity, engine, outcome::OPERATOR},
    },
    diagnostic::StateReason,
    rendering::{KeptRendering, Rendering, render},
    validate::{AutoScaling, may_be_for_operator},
};

/// Whether something follows from the last minute that is not in the status yet.
pub(in crate::controller) fn policies_call(cx: &Context, owner: &Owner) -> bool {
    let Owner::Service(namespace, name) = owner else {
        return false;
    };
    let found = cx
        .services
        .store
        .get(&ObjectRef::new(name).within(namespace));
    let Some(service) = found else {
        return false;
    };
    let status = cx.services.latest(&service);
    let health = cx.readings.health(owner);
    let is_told = health.is_none_or(|health| is_told(&status, &health));
    let outcome = outcome(cx, &service, &status);
    let follows = outcome.is_some_and(|after| after != status.auto_scaling);
    if !follows {
        cx.readings.decided(owner);
    }
    let takes_over = can_take_over(cx, owner, &status.auto_scaling) && has_autoscaler(cx, &service);
    !is_told || follows || takes_over || to_set(&service, &status.auto_scaling).is_some()
}

/// Whether the condition tells whether the metrics are known.
fn is_told(status: &ServiceStatus, health: &Health) -> bool {
    let mut conditions = status.conditions.iter();
    let condition = conditions.find(|condition| condition.type_ == SCALING_ACTIVE);
    condition.is_some_and(|condition| match health {
        Health::Known => condition.status == "True",
        // The reason may differ from minute to minute.
        Health::Unknown(_) => condition.status == "False",
    })
}

/// Returns how many tasks of a service run; `None` if it is gone.
pub(in crate::controller) fn running_tasks(cx: &Context, owner: &Owner) -> Option<i64> {
    let Owner::Service(namespace, name) = owner else {
        return None;
    };
    let name = ObjectRef::<EcsService>::new(name).within(namespace);
    cx.services.store.get(&name).map(|_| running(cx, owner))
}

/// Returns how many tasks run, whether or not they are healthy, as ECS counts them: tasks that fail their checks under
/// load are not fewer tasks, of which a step would leave none.
fn running(cx: &Context, owner: &Owner) -> i64 {
    let pods = cx.pods.of(owner);
    let running = pods
        .iter()
        .filter(|pod| !pod.deleting && pod.phase == Phase::Running);
    i64::try_from(running.count()).unwrap_or(i64::MAX)
}

/// Returns the state that the policies lead to; `None` if the operator does not run them, or it is on record.
fn outcome(
    cx: &Context,
    service: &EcsService,
    status: &ServiceStatus,
) -> Option<AutoScalingStatus> {
    let owner = user(service);
    if !cx.readings.has(&owner) || has_autoscaler(cx, service) {
        // One that is about to be deleted sets the count until then.
        return None;
    }
    let before = &status.auto_scaling;
    cx.readings.outcome(&owner, before, |scaling| {
        Some(engine::Service {
            range: range(before, scaling),
            running: running(cx, &owner),
            desired: count::desired_count(&service.spec)?,
            deploying: Deployments::of(status).is(IN_PROGRESS),
            out_suspended: scaling.scale_out_suspended,
            in_suspended: scaling.scale_in_suspended,
        })
    })
}

/// Whether a service has an autoscaler.
fn has_autoscaler(cx: &Context, service: &EcsService) -> bool {
    let uid = service.meta().uid.as_deref().unwrap_or_default();
    let mut children = cx.children.of_owner(uid).into_iter();
    children.any(|(key, _)| matches!(key.kind.kind, "HorizontalPodAutoscaler" | "ScaledObject"))
}

/// Returns the range that a scheduled action has set, or else that of the spec.
fn range(status: &AutoScalingStatus, scaling: &AutoScaling) -> Range {
    Range::of(&status.range).unwrap_or_else(|| Range::specified(scaling))
}

/// Records what follows from the last minute, before anything happens. Returns the status after that.
///
/// # Errors
///
/// When the request fails, or the service has changed.
pub(super) async fn record(
    cx: &Context,
    service: &EcsService,
    before: ServiceStatus,
) -> Result<ServiceStatus, Error> {
    let owner = user(service);
    let Some(state) = outcome(cx, service, &before) else {
        return Ok(before);
    };
    if state == before.auto_scaling {
        cx.readings.decided(&owner);
        return Ok(before);
    }
    let begun = state.activities.first().cloned();
    let is_new = begun.as_ref() != before.auto_scaling.activities.first();
    let after = ServiceStatus {
        auto_scaling: state,
        ..before.clone()
    };
    let is_written = cx.report(service, &before, after.clone()).await?;
    cx.readings.decided(&owner);
    let status = cx.services.latest(service);
    if status.auto_scaling.activities != after.auto_scaling.activities {
        // Without a record, each minute would take the same step once more.
        cx.readings.give_up(&owner);
        tracing::error!(
            service = service.name_any(),
            "its scaling policies are not run: the CustomResourceDefinitions are those of an older version"
        );
        return Ok(status);
    }
    if let Some(begun) = begun.filter(|_| is_written && is_new) {
        let name = service.name_any();
        let note = format!("(service {name}) {} {}.", begun.description, begun.cause);
        cx.events
            .normal(service, StateReason::DesiredCountSet, note);
        cx.metrics.scaled(begun.to > begun.from);
    }
    Ok(status)
}

/// Returns the count that the newest activity has yet to set, within the range in force.
fn to_set(service: &EcsService, state: &AutoScalingStatus) -> Option<i64> {
    if !activity::is_pending(&state.activities) {
        return None;
    }
    let count = count::desired_count(&service.spec)?;
    let tasks = activity::to_set(&state.activities, count, Timestamp::now())?;
    let range = Range::of(&state.range).or_else(|| count::range_of(&service.spec))?;
    Some(range.nearest(tasks)).filter(|tasks| *tasks != count)
}

/// Sets the count that the newest activity leads to, if it is not set yet.
///
/// # Errors
///
/// When the request fails, or the service has changed.
pub(super) async fn set_count(cx: &Context, service: &EcsService) -> Result<(), Error> {
    let known = &service.status.auto_scaling.activities;
    if known.is_empty() && !cx.readings.has(&user(service)) {
        return Ok(());
    }
    let state = cx.services.latest(service).auto_scaling;
    match to_set(service, &state) {
        Some(count) => count::write(cx, service, count).await,
        None => Ok(()),
    }
}

/// Records in a status who scales the service, and how far its newest activity is.
pub(super) fn follow(
    service: &EcsService,
    status: &mut ServiceStatus,
    newest: Option<&Newest>,
    now: Timestamp,
) {
    let running = status.running_count.unwrap_or(0);
    let state = &mut status.auto_scaling;
    if let Some(newest) = newest {
        let is_by_operator = newest.rendering.scaling.is_some();
        state.scaler = is_by_operator.then(|| OPERATOR.to_owned());
        if !is_by_operator {
            state.alarms.clear();
            state.not_scaled_reason = None;
        }
    }
    if activity::is_open(&state.activities)
        && let Some(count) = count::desired_count(&service.spec)
    {
        activity::follow(&mut state.activities, (count, running), now);
    }
}

/// Has the operator run the policies of a rendering, if it has any that the operator runs.
pub(super) fn run(
    cx: &Context,
    service: &EcsService,
    status: &ServiceStatus,
    rendering: &Rendering,
) {
    let is_lost = || status.observed_generation.is_none() && count::running(cx, service).is_some();
    let scaling = rendering.scaling.as_deref();
    let (owner, settings, state) = (user(service), cx.settings(""), &status.auto_scaling);
    cx.readings
        .wants(&owner, scaling, &settings, state, is_lost);
}

/// Whether the operator can take over from an autoscaler: it has measured all metrics, and the API server keeps what it
/// records, which the definitions of an older version do not.
fn can_take_over(cx: &Context, owner: &Owner, state: &AutoScalingStatus) -> bool {
    cx.readings.were_known(owner) && state.scaler.is_some()
}

/// Leaves the autoscaler of a service alone until the operator can take over from it: a service is scaled by somebody also
/// if what its tasks use cannot be measured.
pub(super) fn spare_autoscaler(cx: &Context, service: &EcsService, plan: &mut Plan) {
    let owner = user(service);
    plan.spares_autoscaler |= cx.readings.has(&owner)
        && !can_take_over(cx, &owner, &cx.services.latest(service).auto_scaling);
}

/// Has the operator run the policies that were in force when a deployment began, if it knows no others: after a restart,
/// while the spec is rejected. The reason may be that a metric can no longer be measured: the other policies go on.
pub(super) fn restore(cx: &Context, service: &EcsService, found: &Revision) {
    let (owner, inputs) = (user(service), &found.kept.inputs);
    let text = inputs.service.text();
    // Most specs are not rendered for this.
    if cx.readings.has(&owner) || !may_be_for_operator(text) {
        return;
    }
    let kept = found.kept.rendering.as_ref();
    let Some((_, by)) = kept.and_then(KeptRendering::open) else {
        return;
    };
    let settings = cx.settings("");
    let mut by = by.with_metrics_of(&settings);
    let scaler = service.status.auto_scaling.scaler.as_deref();
    by.settings.keeps_policies = scaler == Some(OPERATOR);
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    if let Ok(rendering) = render(&name, &namespace, inputs, &inputs.service, &by) {
        let state = &service.status.auto_scaling;
        let scaling = rendering.scaling.as_deref();
        cx.readings
            .wants(&owner, scaling, &settings, state, || false);
    }
}
