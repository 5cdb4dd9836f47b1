//! What a new EcsTask starts, without a write.

use super::plan::plan;
use crate::{
    controller::{context::Context, refusal::Refusal, wanted::Wanted},
    crd::EcsTask,
};

/// Returns what is created for an EcsTask, what pods need before the pods; `None` while its task definition has no
/// revision yet.
pub(in crate::controller) fn wanted(
    task: &EcsTask,
    cx: &Context,
) -> Result<Option<Vec<Wanted>>, Refusal> {
    let Some(plan) = plan(task, cx)? else {
        return Ok(None);
    };
    match plan.forbidden {
        Some(refusal) => Err(refusal),
        None => Ok(Some(plan.others.into_iter().chain(plan.pods).collect())),
    }
}
