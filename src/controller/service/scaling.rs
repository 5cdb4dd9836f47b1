//! The condition ScalingActive of a service: whether its autoscaler can do its work.

use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};

use crate::{
    controller::{
        caches::child::ScalerState,
        context::Context,
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
    let state = states.next();
    let aspect = state.map(|state| aspect(&service.name_any(), state));
    set_condition(
        &mut status.conditions,
        SCALING_ACTIVE,
        aspect,
        meta.generation,
        now,
    );
}

fn aspect(name: &str, state: &ScalerState) -> Aspect {
    let (holds, reason, message) = match state {
        ScalerState::Active => (
            true,
            StateReason::ScalingByPolicies,
            format!("(service {name}) is scaled by its policies."),
        ),
        ScalerState::Inactive { message, .. } => (
            false,
            StateReason::MetricsUnavailable,
            format!("(service {name}) is not scaled by its policies: {message}"),
        ),
    };
    Aspect {
        type_: SCALING_ACTIVE,
        holds: Some(holds),
        reason: reason.into(),
        message,
    }
}
