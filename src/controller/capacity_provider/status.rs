//! The status of a capacity provider.

use k8s_openapi::jiff::Timestamp;
use kube::Resource as _;

use crate::{
    controller::{
        refusal::Refusal,
        status::{Aspect, conditions},
    },
    crd::{ACCEPTED, CapacityProviderStatus, EcsCapacityProvider, READY, WarningStatus},
    diagnostic::{StateReason, StatusReason},
};

/// What is missing of a provider whose nodes can be made.
const WORKS_WITH: [StateReason; 2] = [
    StateReason::SpareRoomNotKept,
    StateReason::TaintsAwaitRenewal,
];

/// How an accepted provider stands.
pub(super) struct Standing {
    pub(super) warnings: Vec<WarningStatus>,
    /// The NodePool that it has.
    pub(super) node_pool: Option<String>,
    /// The Deployment that keeps room on its nodes.
    pub(super) spare_room: Option<String>,
    /// What keeps it from being used, or from being deleted.
    pub(super) obstacle: Option<Refusal>,
}

/// Returns the status.
pub(super) fn status(
    provider: &EcsCapacityProvider,
    before: &CapacityProviderStatus,
    standing: &Result<Standing, Refusal>,
    now: Timestamp,
) -> CapacityProviderStatus {
    let generation = provider.meta().generation;
    let is_deleted = provider.meta().deletion_timestamp.is_some();
    let aspect = |type_, trouble: Option<(StatusReason, &str)>, good: (StateReason, &str)| Aspect {
        type_,
        holds: Some(trouble.is_none()),
        reason: trouble.map_or_else(|| good.0.into(), |it| it.0),
        message: trouble.map_or(good.1, |it| it.1).to_owned(),
    };
    let refusal = standing.as_ref().err();
    let accepted = aspect(
        ACCEPTED,
        refusal.map(|it| (it.reason, it.message.as_str())),
        (StateReason::Translated, "The spec is accepted."),
    );
    let not_accepted = refusal.map(|_| {
        let reason = StateReason::NotAccepted.into();
        (reason, "The spec is rejected.")
    });
    let obstacle = standing.as_ref().ok().and_then(|it| it.obstacle.as_ref());
    let obstacle = obstacle.map(|it| (it.reason, it.message.as_str()));
    let word = match (refusal, obstacle) {
        _ if is_deleted => "DEPROVISIONING",
        (Some(_), _) => "INACTIVE",
        (None, Some((reason, _))) if WORKS_WITH.iter().any(|it| reason == (*it).into()) => "ACTIVE",
        (None, Some(_)) => "PROVISIONING",
        (None, None) => "ACTIVE",
    };
    let ready = aspect(
        READY,
        not_accepted.or(obstacle),
        (
            StateReason::CapacityProviderActive,
            "Tasks can ask for its nodes.",
        ),
    );
    let good = standing.as_ref().ok();
    CapacityProviderStatus {
        conditions: conditions(vec![accepted, ready], &before.conditions, generation, now),
        observed_generation: generation,
        status: Some(word.to_owned()),
        node_pool: match good {
            Some(standing) => standing.node_pool.clone(),
            None => before.node_pool.clone(),
        },
        spare_room: match good {
            Some(standing) => standing.spare_room.clone(),
            None => before.spare_room.clone(),
        },
        warnings: good.map_or_else(Vec::new, |standing| standing.warnings.clone()),
    }
}
