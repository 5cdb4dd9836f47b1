//! Digests of images: what tags meant when a deployment began
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html#deployment-container-image-stability>).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    crd::Spec, ecs, image::TaggedImage, source::read_task_definition, validate::unpullable,
};

/// Digests of images, such as `sha256:0a1b`, by their names in the task definition.
pub type ImageDigests = BTreeMap<String, String>;

/// Returns the images of a task definition whose tags ECS resolves to digests when a deployment begins.
#[must_use]
pub fn tagged_images(family: &str, task_definition: &Spec) -> BTreeSet<String> {
    let (request, ..) = read_task_definition(family, task_definition.text());
    let containers = request.container_definitions.iter();
    containers.filter_map(tagged).cloned().collect()
}

/// Returns the image of a container if its tag is resolved.
fn tagged(container: &ecs::ContainerDefinition) -> Option<&String> {
    if container.version_consistency.as_deref() == Some("disabled") {
        return None;
    }
    let image = container.image.as_ref()?;
    let is_tagged = TaggedImage::read(image).is_some() && unpullable(image).is_none();
    is_tagged.then_some(image)
}

/// Adds digests to the images of a task definition. The tags stay: whoever reads the pod sees what was asked for.
pub(super) fn pin(request: &mut ecs::TaskDefinition, digests: &ImageDigests) {
    for container in &mut request.container_definitions {
        let digest = tagged(container).and_then(|image| digests.get(image));
        if let Some((digest, image)) = digest.zip(container.image.as_mut()) {
            *image = format!("{image}@{digest}");
        }
    }
}

/// Returns the digests in the pods of objects.
pub(super) fn digests_in(objects: &[Value]) -> ImageDigests {
    let images = pod_images(objects);
    let digests = images.filter_map(|image| image.split_once('@'));
    digests
        .map(|(image, digest)| (image.to_owned(), digest.to_owned()))
        .collect()
}

/// Returns the images in the pods of objects, with their digests if they are there: also those that no container of the task
/// definition has.
pub fn pod_images(objects: &[Value]) -> impl Iterator<Item = &str> {
    let lists = ["containers", "initContainers"].map(|list| format!("/spec/template/spec/{list}"));
    let containers = objects.iter().flat_map(move |object| {
        let lists = lists.clone();
        let lists = lists.into_iter().filter_map(|list| object.pointer(&list));
        lists.filter_map(Value::as_array).flatten()
    });
    containers.filter_map(|container| container.get("image")?.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_a_digest_or_asks_for_none_is_not_resolved() {
        let definition = Spec::from(json!({"containerDefinitions": [
            {"name": "web", "image": "nginx:1.29"},
            {"name": "same", "image": "nginx:1.29", "versionConsistency": "enabled"},
            {"name": "free", "image": "shop/agent", "versionConsistency": "disabled"},
            {"name": "exact", "image": "shop/log:1@sha256:0a1b"},
            {"name": "open", "image": "shop/api:$TAG"},
        ]}));
        let images = tagged_images("web", &definition);
        assert!(images.iter().eq(["nginx:1.29"]), "{images:?}");
    }

    #[test]
    fn digests_are_added_to_tags_and_found_again() {
        let text = r#"{"containerDefinitions": [
            {"name": "web", "image": "nginx:1.29"},
            {"name": "free", "image": "nginx:1.29", "versionConsistency": "disabled"},
            {"name": "other", "image": "shop/other"}
        ]}"#;
        let (mut request, ..) = read_task_definition("web", text);
        let digests: ImageDigests = [("nginx:1.29".to_owned(), "sha256:0a1b".to_owned())].into();
        pin(&mut request, &digests);
        let images: Vec<_> = request
            .container_definitions
            .iter()
            .filter_map(|container| container.image.as_deref())
            .collect();
        assert_eq!(
            images,
            ["nginx:1.29@sha256:0a1b", "nginx:1.29", "shop/other"]
        );
        let containers: Vec<_> = images.iter().map(|image| json!({"image": image})).collect();
        let object = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        assert_eq!(digests_in(&[json!({"kind": "Service"}), object]), digests);
    }
}
