//! The scheduled actions of a service: the range that they set, and the count that follows it.
//!
//! The range of an action is remembered in the status, and the spec is read as if its scalable target had this range:
//! the autoscaler gets it, and whoever owns the spec is not fought. The count is moved into the range once for each
//! action, as Application Auto Scaling does, and then belongs to the autoscaler again.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::count;
use crate::{
    controller::{context::Context, error::Error},
    crd::{EcsService, ServiceStatus, Spec},
    decide::scaling::{
        Range,
        scheduled::{Asked, Firing, InForce, in_force, without_actions},
    },
    diagnostic::StateReason,
    source::read_service,
    validate::scheduled_scaling,
};

/// The longest wait for a firing, in case that the clock is set.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// A service with the range that is in force.
pub(super) struct Scheduled {
    /// The service; its spec has the range.
    pub(super) service: EcsService,
    in_force: InForce,
    /// The count in its spec.
    count: Option<i64>,
}

impl Scheduled {
    /// Returns the service with its range; `None` if it has no scheduled actions, or its scaling is not valid.
    pub(super) fn of(
        cx: &Context,
        service: &EcsService,
        status: &ServiceStatus,
        now: Timestamp,
    ) -> Option<Self> {
        // Most specs are not parsed for this.
        if !may_have_actions(service)
            && without_actions(&status.auto_scaling) == status.auto_scaling
        {
            return None;
        }
        let (_, extensions, findings) = read_service(&service.name_any(), service.spec.text());
        let raw = extensions.auto_scaling.filter(|_| !findings.has_errors())?;
        let scaling = scheduled_scaling(&raw)?;
        let mut spec: Value = service.spec.parse().ok()?;
        let is_lost = status.observed_generation.is_none();
        let asked = Asked {
            running: is_lost.then(|| count::running(cx, service)).flatten(),
            ..Asked::of(&scaling)
        };
        let in_force = in_force(&status.auto_scaling, asked, now);
        let count = spec.get("desiredCount").and_then(Value::as_i64);
        let mut service = service.clone();
        if in_force.range != asked.range {
            let target = spec.pointer_mut("/autoScaling/scalableTarget")?;
            target["MinCapacity"] = json!(in_force.range.min);
            target["MaxCapacity"] = json!(in_force.range.max);
            service.spec = Spec::from(spec);
        }
        Some(Self {
            service,
            in_force,
            count,
        })
    }

    /// Returns when the next action is due.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let wait = self.in_force.next?.duration_since(now);
        let wait = Duration::try_from(wait).unwrap_or(Duration::ZERO);
        Some(wait.min(LONGEST_WAIT))
    }

    /// Whether an action has set the range, and the count has yet to be moved into it.
    pub(super) const fn is_adjusting(&self) -> bool {
        self.in_force.state.adjusting
    }

    /// Moves the count into the range. Call it when everything else has the range.
    ///
    /// # Errors
    ///
    /// When a request fails, or the service has changed.
    pub(super) async fn adjust(&self, cx: &Context) -> Result<(), Error> {
        let Some(count) = self.count else {
            // The operator has just given it one within the range.
            return Ok(());
        };
        let (service, name) = (&self.service, self.service.name_any());
        let nearest = self.in_force.range.nearest(count);
        if nearest != count {
            // The watch reports the count, and the next reconcile records that it is in the range.
            count::write(cx, service, nearest).await?;
            let note = format!("(service {name}) Setting desired count to {nearest}.");
            cx.events
                .normal(service, StateReason::DesiredCountSet, note);
            return Ok(());
        }
        let before = cx.services.latest(service);
        let mut after = before.clone();
        after.auto_scaling.adjusting = false;
        cx.report(service, &before, after).await.map(drop)
    }
}

fn may_have_actions(service: &EcsService) -> bool {
    service.spec.text().contains("\"scheduledActions\"")
}

/// Records what has fired, before anything follows from it. Returns the status after that.
///
/// # Errors
///
/// When the request fails, or the service has changed.
pub(super) async fn record(
    cx: &Context,
    service: &EcsService,
    scheduled: Option<&Scheduled>,
    before: ServiceStatus,
) -> Result<ServiceStatus, Error> {
    let state = match scheduled {
        Some(scheduled) => scheduled.in_force.state.clone(),
        // While its scaling is not valid, what was in force stays.
        None if may_have_actions(service) => return Ok(before),
        None => without_actions(&before.auto_scaling),
    };
    if state == before.auto_scaling {
        return Ok(before);
    }
    let after = ServiceStatus {
        auto_scaling: state,
        ..before.clone()
    };
    let fired = scheduled.map_or(&[][..], |it| &it.in_force.fired);
    if cx.report(service, &before, after).await? {
        for firing in fired {
            tell(cx, service, firing);
        }
    }
    Ok(cx.services.latest(service))
}

fn tell(cx: &Context, service: &EcsService, firing: &Firing) {
    let (name, action) = (service.name_any(), &firing.action);
    match &firing.result {
        Ok(Range { min, max }) => {
            let note = format!(
                "(service {name}) scheduled action {action}: minimum capacity was set to {min} and maximum capacity was set to {max}."
            );
            cx.events
                .normal(service, StateReason::ScheduledActionRun, note);
        }
        Err(why) => {
            let note = format!("(service {name}) scheduled action {action} failed: {why}.");
            cx.events
                .warning(service, StateReason::ScheduledActionFailed, note);
        }
    }
}
