//! The condition ScalingActive of a service: whether its autoscaler, or the operator in its place, can do its work.

use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};

use super::user;
use crate::{
    controller::{
        caches::child::ScalerState,
        context::Context,
        readings::Health,
        status::{Aspect, set_condition},
    },
    crd::{EcsService, SCALING_ACTIVE, ServiceStatus},
    diagnostic::StateReason,
};

/// Sets the condition of a service that has an autoscaler which has said something, and removes that of any other one.
pub(super) fn set(cx: &Context, service: &EcsService, status: &mut ServiceStatus, now: Timestamp) {
    let meta = service.meta();
    let children = cx
        .children
        .of_owner(meta.uid.as_deref().unwrap_or_default());
    let mut states = children
        .iter()
        .filter_map(|(_, known)| known.scaler.as_deref());
    let name = service.name_any();
    let owner = user(service);
    let aspect = match states.next() {
        Some(state) => Some(aspect(&name, state)),
        None if cx.readings.has(&owner) => match cx.readings.health(&owner) {
            Some(Health::Known) => Some(aspect(&name, &ScalerState::Active)),
            Some(Health::Unknown(_)) if is_inactive(status) => return,
            Some(Health::Unknown(why)) => Some(inactive(&name, &why)),
            // It is too early to say.
            None => return,
        },
        None => None,
    };
    set_condition(
        &mut status.conditions,
        SCALING_ACTIVE,
        aspect,
        meta.generation,
        now,
    );
}

/// Whether that is told, with the reason of when it began, which may differ from minute to minute.
fn is_inactive(status: &ServiceStatus) -> bool {
    let mut conditions = status.conditions.iter();
    conditions.any(|condition| {
        condition.type_ == SCALING_ACTIVE && StateReason::MetricsUnavailable.is(&condition.reason)
    })
}

fn aspect(name: &str, state: &ScalerState) -> Aspect {
    match state {
        ScalerState::Active => Aspect {
            type_: SCALING_ACTIVE,
            holds: Some(true),
            reason: StateReason::ScalingByPolicies.into(),
            message: format!("(service {name}) is scaled by its policies."),
        },
        ScalerState::Inactive { message, .. } => inactive(name, message),
    }
}

fn inactive(name: &str, why: &str) -> Aspect {
    Aspect {
        type_: SCALING_ACTIVE,
        holds: Some(false),
        reason: StateReason::MetricsUnavailable.into(),
        message: format!("(service {name}) is not scaled by its policies: {why}"),
    }
}
