//! Which revision a spec asked for before its inputs were stored as today.

use std::sync::Arc;

use super::{revision::find, revisions::Revision};
use crate::{
    crd::{ACCEPTED, EcsService, ServiceStatus},
    rendering::Inputs,
};

/// Returns the revision that counts as having the inputs of the spec although its stored inputs differ: one of an older
/// operator, which stored the inputs when the pods last changed, or one that someone deleted. The operator had accepted
/// this spec and begun nothing.
pub(super) fn assumed(
    service: &EcsService,
    status: &ServiceStatus,
    known: &[Arc<Revision>],
    inputs: &Inputs,
    asks_for_the_same: impl Fn(&Inputs) -> bool,
) -> Option<String> {
    let asked_for = asked_for(service, status, inputs)?;
    let is_so = find(known, asked_for).is_none_or(|found| {
        found.kept.rendering.is_none() && asks_for_the_same(&found.kept.inputs)
    });
    is_so.then(|| asked_for.to_owned())
}

/// Returns the revision that the spec asked for when it was accepted, if neither it nor its task definition has changed
/// since, as far as generations and numbers show.
pub(super) fn asked_for<'s>(
    service: &EcsService,
    status: &'s ServiceStatus,
    inputs: &Inputs,
) -> Option<&'s str> {
    if !has_accepted(status, service.metadata.generation) {
        return None;
    }
    let rolled_back = status.rolled_back_revision.as_deref();
    let primary = status.deployments.first()?;
    let asked_for = rolled_back.or(primary.service_revision.as_deref())?;
    let mut deployments = status.deployments.iter();
    let deployment = deployments.find(|it| it.service_revision.as_deref() == Some(asked_for))?;
    let same_definition = deployment.task_definition.as_deref() == Some(&inputs.label());
    same_definition.then_some(asked_for)
}

/// Returns the inputs with other annotations; `None` if these are the same. Annotations have no generation, so it is
/// unknown whether an older operator had seen them, except if the tasks depend on them and match them.
pub(super) fn with_annotations_of(inputs: &Inputs, others: &Inputs) -> Option<Inputs> {
    (inputs.annotations != others.annotations).then(|| Inputs {
        annotations: others.annotations.clone(),
        ..inputs.clone()
    })
}

/// Whether the spec of this generation was accepted. One that was rejected has been observed too, but never used.
fn has_accepted(status: &ServiceStatus, generation: Option<i64>) -> bool {
    let mut conditions = status.conditions.iter();
    let accepted = conditions.find(|condition| condition.type_ == ACCEPTED);
    status.observed_generation == generation
        && accepted.is_some_and(|accepted| accepted.status == "True")
}
