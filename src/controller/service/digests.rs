//! The digests of a service's images: what their tags meant when its deployment began. All its tasks run the same images
//! then, also those that start later
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html#deployment-container-image-stability>).

use std::sync::Arc;

use kube::runtime::reflector::ObjectRef;

use super::{
    plan::{self, Newest},
    revision::find,
    revisions::Revision,
};
use crate::{
    controller::context::Context,
    crd::{EcsService, ServiceStatus},
    decide::deployment::Deployments,
    diagnostic::StateReason,
    rendering::{ImageDigests, tagged_images},
};

/// Returns the digests that the deployment of these inputs began with: the current one, or the one that failed and was
/// rolled back. None if another one would begin. Of a deployment whose revision is lost, the status still has them.
pub(super) fn of_deployment(
    status: &ServiceStatus,
    known: &[Arc<Revision>],
    inputs: &str,
) -> ImageDigests {
    let primary = status.deployments.first();
    let primary = primary.and_then(|primary| primary.service_revision.as_deref());
    let current = [primary, status.rolled_back_revision.as_deref()];
    let of_inputs = |revision: &&Arc<Revision>| revision.inputs == inputs;
    if primary.is_some_and(|primary| find(known, primary).is_none()) {
        let images = status.resolved_images.iter();
        let images = images.map(|it| (it.image.clone(), it.image_digest.clone()));
        return images.collect();
    }
    let mut begun = current.into_iter().flatten();
    let begun = begun.find_map(|id| find(known, id).filter(of_inputs));
    // Of a service whose status is lost, the newest revision is the first of those known.
    let newest = || {
        let mut same = known.iter().filter(of_inputs);
        same.find(|_| status.deployments.is_empty())
    };
    let kept = begun.or_else(newest);
    let kept = kept.and_then(|revision| revision.kept.rendering.as_ref());
    kept.map_or_else(ImageDigests::new, |kept| kept.images.clone())
}

/// Resolves the tags of a service's images if a deployment of what it asks for would begin, other than a renewal. What cannot
/// be resolved stays a tag, as in ECS.
pub(super) async fn resolve_begun(
    service: &EcsService,
    cx: &Context,
    newest: &mut Option<Newest>,
    (status, before): (&ServiceStatus, &Deployments),
) {
    let Some((registries, asked)) = cx.registries.as_ref().zip(newest.as_mut()) else {
        return;
    };
    if !before.would_begin(asked.for_decision(), None) {
        return;
    }
    let (family, definition) = (&asked.inputs.family, &asked.inputs.task_definition);
    let images = tagged_images(family, definition);
    let (digests, unresolved) = registries.resolve(images).await;
    *newest = match plan::newest(service, cx, status, Some(digests)) {
        Ok(Some(resolved)) if resolved.digest == asked.digest => Some(Newest {
            unresolved,
            ..resolved
        }),
        _ => {
            // It asks for something else by now, which is judged anew.
            cx.ask(ObjectRef::from_obj(service));
            None
        }
    };
}

/// Says which tags a deployment that begins has not resolved.
pub(super) fn tell(cx: &Context, service: &EcsService, newest: &Newest) {
    for (image, failure) in &newest.unresolved {
        let note = format!(
            "The tag of {image} is not resolved to a digest, because {failure}: tasks of this deployment can run different images."
        );
        let reason = StateReason::ImageTagNotResolved;
        cx.events.warning(service, reason, note);
    }
}
