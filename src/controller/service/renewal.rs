//! Renewals from inside: where the operator is configured to, it begins deployments of what would be rendered otherwise
//! today, some at a time, and stops at the first that fails.

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

/// When a service that waits for its turn looks again, and twice that at most.
const TURN: Duration = Duration::from_secs(20);
/// For how long what was counted over all services holds.
const COUNTED: Duration = Duration::from_secs(1);

/// Which renewals the operator has begun.
pub(crate) struct Renewals {
    most: Option<u16>,
    state: Mutex<State>,
}

impl Renewals {
    /// Nothing is begun yet. `most` is how many services may have a deployment at a time; `None` if renewals are
    /// somebody else's to begin.
    #[must_use]
    pub(crate) fn new(most: Option<u16>) -> Self {
        Self {
            most,
            state: Mutex::default(),
        }
    }

    /// Lets another service have the turn of one that could not begin.
    pub(super) fn gave_up(&self, service: &EcsService) {
        let uid = service.metadata.uid.as_deref().unwrap_or_default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.begun.remove(uid);
    }
}

#[derive(Default)]
struct State {
    /// The deployments that were to be renewed, by service.
    begun: HashMap<String, String>,
    counted: Option<(Instant, Fleet)>,
}

/// What goes on among all services.
#[derive(Clone, Copy, Default)]
struct Fleet {
    in_flight: usize,
    /// Whether a renewal by this version of the operator has failed.
    failed: bool,
}

/// What becomes of a service that would be rendered otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It stays as it is.
    Never,
    /// It is to be renewed, and has to wait for so long before it asks again.
    Later(Duration),
    /// It is renewed now.
    Now,
}

/// Whether a service is to be renewed now.
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
        // Not all at once.
        let spread = uid.bytes().map(u32::from).sum::<u32>() % 20;
        return Turn::Later(TURN + Duration::from_secs(spread.into()));
    }
    state.begun.insert(uid, primary.id.clone());
    Turn::Now
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

/// Whether the cache does not show yet what became of a renewal.
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

/// Whether a deployment is of the same inputs as another one, and rendered by this version.
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
