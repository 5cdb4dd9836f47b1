//! The status of a task definition.

use k8s_openapi::jiff::Timestamp;
use kube::Resource as _;

use crate::{
    controller::{
        refusal::Refusal,
        status::{Aspect, conditions},
    },
    crd::{ACCEPTED, EcsTaskDefinition, TaskDefinitionStatus, WarningStatus},
    diagnostic::StateReason,
};

/// A task definition whose newest revision has a number.
pub(super) struct Registered {
    pub(super) number: u64,
    /// The differences from ECS.
    pub(super) warnings: Vec<WarningStatus>,
}

/// Returns the status of a task definition that has a newest revision or is rejected.
pub(super) fn status(
    definition: &EcsTaskDefinition,
    before: &TaskDefinitionStatus,
    outcome: &Result<Registered, Refusal>,
    now: Timestamp,
) -> TaskDefinitionStatus {
    let generation = definition.meta().generation;
    let (holds, reason, message, revision) = match outcome {
        Ok(Registered { number, .. }) => {
            let message = format!("The newest revision is {number}.");
            (
                true,
                StateReason::Registered.into(),
                message,
                i64::try_from(*number).ok(),
            )
        }
        Err(refusal) => (
            false,
            refusal.reason,
            refusal.message.clone(),
            before.revision,
        ),
    };
    let aspect = Aspect {
        type_: ACCEPTED,
        holds: Some(holds),
        reason,
        message,
    };
    TaskDefinitionStatus {
        conditions: conditions(vec![aspect], &before.conditions, generation, now),
        observed_generation: generation,
        revision,
        warnings: match outcome {
            Ok(registered) => registered.warnings.clone(),
            Err(_) => Vec::new(),
        },
    }
}
