//! The digests of a service's images: what their tags meant when its deployment began. All its tasks run the same images
//! then, also those that start later
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html#deployment-container-image-stability>).

use std::sync::Arc;

use kube::runtime::reflector::ObjectRef;

use super::{
    assumed::asked_for,
    plan::{self, Newest},
    revision::find,
    revisions::Revision,
};
use crate::{
    controller::context::Context,
    crd::{EcsService, ServiceStatus},
    decide::deployment::Deployments,
    diagnostic::StateReason,
    rendering::{ImageDigests, Inputs, tagged_images},
};

/// Returns the digests that the deployment of these inputs, whose digest is the last argument, began with: the current one,
/// or the one that failed and was rolled back. None if another one would begin. If the revision of the current one is lost,
/// the status still has them.
pub(super) fn of_deployment(
    service: &EcsService,
    status: &ServiceStatus,
    known: &[Arc<Revision>],
    (inputs, digest): (&Inputs, &str),
) -> ImageDigests {
    let primary = status.deployments.first();
    let primary = primary.and_then(|primary| primary.service_revision.as_deref());
    let rolled_back = status.rolled_back_revision.as_deref();
    let is_lost = |id: &&str| find(known, id).is_none() && Some(*id) == primary;
    if asked_for(service, status, inputs)
        .as_ref()
        .is_some_and(is_lost)
    {
        let images = status.resolved_images.iter();
        let images = images.map(|it| (it.image.clone(), it.image_digest.clone()));
        return images.collect();
    }
    let of_inputs = |revision: &&Arc<Revision>| revision.inputs == digest;
    let mut begun = [primary, rolled_back].into_iter().flatten();
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

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        crd::Spec,
        input::ConnectHosts,
        rendering::{Kept, KeptRendering, RenderedBy},
        settings::Settings,
    };

    fn inputs() -> Inputs {
        Inputs {
            service: Spec::from(json!({})),
            annotations: [].into(),
            family: "web".to_owned(),
            revision: 1,
            task_definition: Spec::from(json!({})),
        }
    }

    fn images(digest: &str) -> ImageDigests {
        [("nginx:1".to_owned(), digest.to_owned())].into()
    }

    /// Returns a revision whose deployment began with this digest.
    fn revision(id: &str, inputs_digest: &str, digest: &str) -> Arc<Revision> {
        let by = RenderedBy {
            operator: "0.1.0".to_owned(),
            settings: Settings::default(),
            cluster: None,
            connect_hosts: ConnectHosts::new(),
            images: ImageDigests::new(),
        };
        let image = format!("nginx:1@{digest}");
        let pod = json!({"containers": [{"name": "web", "image": image}]});
        let object = json!({"kind": "Deployment", "spec": {"template": {"spec": pod}}});
        Arc::new(Revision {
            object: format!("web.service.{id}"),
            uid: id.to_owned(),
            owner: None,
            id: id.to_owned(),
            number: 1,
            kept: Kept {
                inputs: inputs(),
                rendering: Some(KeptRendering::of_live(&[object], id, &by)),
            },
            inputs: inputs_digest.to_owned(),
            failed: false,
            sorted: true,
            version: None,
            placing: OnceLock::new(),
        })
    }

    /// Returns the digests of a service whose inputs have the digest `same`.
    fn digests(status: &Value, known: &[Arc<Revision>]) -> ImageDigests {
        let metadata = json!({"name": "web", "generation": 2});
        let service = json!({"metadata": metadata, "status": status});
        let service: EcsService = serde_json::from_value(service).expect("it is a service");
        of_deployment(&service, &service.status, known, (&inputs(), "same"))
    }

    #[test]
    fn digests_are_those_of_the_deployment_of_the_same_inputs() {
        let known = [
            revision("c", "same", "sha256:0c"),
            revision("b", "other", "sha256:0b"),
            revision("a", "same", "sha256:0a"),
        ];
        let deployment = |id: &str| json!([{"id": "1", "serviceRevision": id}]);
        let of = |status: Value| digests(&status, &known);
        assert_eq!(
            of(json!({"deployments": deployment("a")})),
            images("sha256:0a")
        );
        // One that failed began with its own.
        let rolled_back = json!({"deployments": deployment("b"), "rolledBackRevision": "c"});
        assert_eq!(of(rolled_back), images("sha256:0c"));
        // The inputs ran before, and another deployment of them would begin: it asks anew.
        assert_eq!(
            of(json!({"deployments": deployment("b")})),
            ImageDigests::new()
        );
        // The status is lost.
        assert_eq!(of(json!({})), images("sha256:0c"));
    }

    #[test]
    fn a_deployment_whose_revision_is_lost_keeps_its_digests() {
        let status = |observed: i64, definition: &str| {
            json!({
                "observedGeneration": observed,
                "conditions": [{
                    "type": "Accepted", "status": "True", "reason": "Translated", "message": "",
                    "lastTransitionTime": "2026-01-16T10:00:00Z",
                }],
                "deployments": [
                    {"id": "1", "serviceRevision": "gone", "taskDefinition": definition},
                ],
                "resolvedImages": [{"image": "nginx:1", "imageDigest": "sha256:0d"}],
            })
        };
        let known = [revision("b", "other", "sha256:0b")];
        assert_eq!(digests(&status(2, "web:1"), &known), images("sha256:0d"));
        // Something else is asked for by now.
        assert_eq!(digests(&status(1, "web:1"), &known), ImageDigests::new());
        assert_eq!(digests(&status(2, "web:0"), &known), ImageDigests::new());
    }
}
