//! Renewals that the operator starts: if configured, it begins deployments of what would be rendered differently today,
//! a few at a time, and stops at the first one that fails.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::ResourceExt as _;

use super::{plan::Newest, revision::find};
use crate::{
    controller::context::Context,
    crd::{DeploymentStatus, EcsService},
    decide::deployment::{COMPLETED, Deployments, FAILED, IN_PROGRESS},
};

/// How long a waiting service waits before it checks again, at most twice that.
const TURN: Duration = Duration::from_secs(20);
/// How long the counts over all services are valid.
const COUNTED: Duration = Duration::from_secs(1);

/// Which renewals the operator has begun.
pub(crate) struct Renewals {
    most: Option<u16>,
    state: Mutex<State>,
}

impl Renewals {
    /// Returns a state without renewals. `most` is how many services may have a deployment at a time; `None` if the
    /// operator starts no renewals.
    #[must_use]
    pub(crate) fn new(most: Option<u16>) -> Self {
        Self {
            most,
            state: Mutex::default(),
        }
    }

    /// Whether the operator starts renewals.
    pub(crate) const fn are_automatic(&self) -> bool {
        self.most.is_some()
    }

    /// Passes the turn of a service that could not begin to another one.
    pub(super) fn gave_up(&self, service: &EcsService) {
        let uid = service.metadata.uid.as_deref().unwrap_or_default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.begun.remove(uid);
    }
}

#[derive(Default)]
struct State {
    /// The deployments to be renewed, by service.
    begun: HashMap<String, String>,
    counted: Option<(Instant, Fleet)>,
}

/// The state of all services.
#[derive(Clone, Copy, Default)]
struct Fleet {
    in_flight: usize,
    /// Whether a renewal by this version of the operator has failed.
    failed: bool,
}

/// What to do about a service that would be rendered differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Leave it as it is.
    Never,
    /// Renew it later: ask again after this time.
    Later(Duration),
    /// Renew it now.
    Now,
}

/// Returns whether to renew a service now.
pub(super) fn turn(
    cx: &Context,
    service: &EcsService,
    newest: &Newest,
    before: &Deployments,
) -> Turn {
    let (Some(most), Some(primary)) = (cx.renewals.most, before.primary()) else {
        return Turn::Never;
    };
    if !would_differ(cx, service, newest, primary) || before.rolled_back.is_some() {
        return Turn::Never;
    }
    let mut state = cx
        .renewals
        .state
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let fleet = match state.counted {
        Some((at, fleet)) if at.elapsed() < COUNTED => fleet,
        _ => {
            let fleet = fleet(cx);
            state.counted = Some((Instant::now(), fleet));
            fleet
        }
    };
    let uid = service.uid().unwrap_or_default();
    state.begun.retain(|uid, id| is_waited_for(cx, uid, id));
    let begun = state.begun.len();
    if fleet.failed {
        return Turn::Never;
    }
    if fleet.in_flight + begun >= usize::from(most) && !state.begun.contains_key(&uid) {
        // Spread the checks over time.
        let spread = uid.bytes().map(u32::from).sum::<u32>() % 20;
        return Turn::Later(TURN + Duration::from_secs(spread.into()));
    }
    state.begun.insert(uid, primary.id.clone());
    Turn::Now
}

/// Returns whether a service will be renewed when its turn comes.
pub(super) fn sooner_or_later(
    cx: &Context,
    service: &EcsService,
    newest: &Newest,
    before: &Deployments,
) -> Turn {
    match before.primary() {
        Some(primary)
            if cx.renewals.are_automatic()
                && before.rolled_back.is_none()
                && would_differ(cx, service, newest, primary) =>
        {
            Turn::Now
        }
        _ => Turn::Never,
    }
}

fn would_differ(
    cx: &Context,
    service: &EcsService,
    newest: &Newest,
    primary: &DeploymentStatus,
) -> bool {
    let Some(revision) = &primary.service_revision else {
        return false;
    };
    let known = cx.service_revisions.of(service);
    let kept = find(&known, revision).and_then(|revision| revision.kept.rendering.as_ref());
    primary.rollout_state.as_deref() == Some(COMPLETED)
        && newest.same.contains(revision)
        && kept.is_some_and(|kept| kept.digest != newest.rendering.digest)
}

/// Whether the cache does not show the result of a renewal yet.
fn is_waited_for(cx: &Context, uid: &str, id: &str) -> bool {
    let services = cx.services.store.state();
    let service = services.iter().find(|it| it.uid().as_deref() == Some(uid));
    let primary = service.and_then(|service| service.status.deployments.first());
    primary.is_some_and(|primary| primary.id == id)
}

fn fleet(cx: &Context) -> Fleet {
    let mut fleet = Fleet::default();
    for service in cx.services.store.state() {
        let deployments = &service.status.deployments;
        let is = |it: &DeploymentStatus, state: &str| it.rollout_state.as_deref() == Some(state);
        let mut begun = deployments.iter().take(1).filter(|it| is(it, IN_PROGRESS));
        fleet.in_flight += usize::from(begun.any(|begun| is_renewal(cx, &service, begun)));
        let mut failed = deployments.iter().filter(|it| is(it, FAILED));
        fleet.failed |= failed.any(|failed| is_renewal(cx, &service, failed));
    }
    fleet
}

/// Whether a deployment has the same inputs as an earlier one and was rendered by this version.
fn is_renewal(cx: &Context, service: &EcsService, deployment: &DeploymentStatus) -> bool {
    let known = cx.service_revisions.of(service);
    let of = |deployment: &DeploymentStatus| find(&known, deployment.service_revision.as_deref()?);
    let Some(revision) = of(deployment) else {
        return false;
    };
    let by_us = revision.kept.rendering.as_ref();
    let by_us = by_us.is_some_and(|it| it.operator == env!("CARGO_PKG_VERSION"));
    let mut others = service.status.deployments.iter();
    by_us
        && others.any(|other| {
            of(other)
                .is_some_and(|other| other.id != revision.id && other.inputs == revision.inputs)
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_that_could_not_begin_holds_up_no_other() {
        let metadata = json!({"name": "web", "namespace": "shop", "uid": "1"});
        let service = serde_json::from_value(json!({"metadata": metadata})).expect("it is one");
        let renewals = Renewals::new(Some(1));
        let begun = || renewals.state.lock().expect("nobody panics").begun.len();
        let deployment = "ecs-svc/1".to_owned();
        renewals.state.lock().expect("nobody panics").begun = [("1".to_owned(), deployment)].into();
        assert_eq!(begun(), 1);
        renewals.gave_up(&service);
        assert_eq!(begun(), 0);
    }
}
