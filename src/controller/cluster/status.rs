//! The status of a cluster.

use k8s_openapi::jiff::Timestamp;
use kube::Resource as _;

use crate::{
    controller::{
        refusal::Refusal,
        status::{Aspect, conditions},
    },
    crd::{ACCEPTED, ClusterStatus, EcsCluster, WarningStatus},
    diagnostic::{StateReason, StatusReason},
};

/// Returns the status of a cluster that is rejected or applies.
pub(super) fn status(
    cluster: &EcsCluster,
    before: &ClusterStatus,
    checked: &Result<Vec<WarningStatus>, Refusal>,
    now: Timestamp,
) -> ClusterStatus {
    let generation = cluster.meta().generation;
    let refusal = checked.as_ref().err();
    let aspect = Aspect {
        type_: ACCEPTED,
        holds: Some(refusal.is_none()),
        reason: refusal.map_or(StatusReason::State(StateReason::Counts), |refusal| {
            refusal.reason
        }),
        message: refusal
            .map_or(
                "Services and tasks in the namespace use its defaults.",
                |refusal| &refusal.message,
            )
            .to_owned(),
    };
    ClusterStatus {
        conditions: conditions(vec![aspect], &before.conditions, generation, now),
        observed_generation: generation,
        warnings: checked.as_ref().cloned().unwrap_or_default(),
    }
}
