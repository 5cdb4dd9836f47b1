//! What people change in an object from one environment to the next: images, counts, the namespace.

use crate::print::Ordered;

/// The lists of containers in the spec of a pod.
const CONTAINERS: [&str; 2] = ["initContainers", "containers"];

/// The members of autoscalers with their limits, and what a value for each is called
/// (<https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/>,
/// <https://keda.sh/docs/latest/reference/scaledobject-spec/>).
const LIMITS: &[(&str, &[(&str, &str)])] = &[
    (
        "HorizontalPodAutoscaler",
        &[
            ("minReplicas", "minReplicas"),
            ("maxReplicas", "maxReplicas"),
        ],
    ),
    (
        "ScaledObject",
        &[
            ("minReplicaCount", "minReplicas"),
            ("maxReplicaCount", "maxReplicas"),
        ],
    ),
];

/// Where objects name the namespace of other objects, or of pods.
const NAMESPACES: &[(&str, &[&str])] = &[
    ("PersistentVolume", &["spec", "claimRef", "namespace"]),
    (
        "PersistentVolume",
        &["spec", "csi", "nodeStageSecretRef", "namespace"],
    ),
    ("PodIdentityAssociation", &["spec", "namespace"]),
    (
        "VolumeSnapshotContent",
        &["spec", "volumeSnapshotRef", "namespace"],
    ),
];

/// Where an object has its own namespace.
pub(super) const NAMESPACE: &[&str] = &["metadata", "namespace"];

/// The kinds of Kubernetes itself that are in no namespace; other kinds without one may be in any.
const CLUSTER_WIDE: &[&str] = &["PersistentVolume", "StorageClass"];

/// An image as a manifest names it
/// (<https://kubernetes.io/docs/concepts/containers/images/#image-names>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) repository: String,
    pub(super) tag: Option<String>,
    pub(super) digest: Option<String>,
}

impl Image {
    /// Splits `repository:tag@digest`. A colon before the last slash belongs to the port of a registry.
    pub(super) fn of(text: &str) -> Self {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text, None),
        };
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag.to_owned())),
            _ => (name, None),
        };
        Self {
            repository: repository.to_owned(),
            tag,
            digest,
        }
    }
}

/// A pod that runs once. Its name is made of its contents, and another image in it would not run it again.
const ONCE: &str = "Pod";

/// Returns where the spec of its pods is in an object of this kind.
fn pod_spec(kind: &str) -> Option<&'static [&'static str]> {
    match kind {
        "DaemonSet" | "Deployment" | "Job" | "StatefulSet" => Some(&["spec", "template", "spec"]),
        "CronJob" => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        ONCE => Some(&["spec"]),
        _ => None,
    }
}

/// Calls `change` for each container with its name and its image, in an object whose pods follow its changes.
pub(super) fn for_each_image(object: &mut Ordered, mut change: impl FnMut(&str, &mut Ordered)) {
    let path = pod_spec(object.identity().0).filter(|_| object.identity().0 != ONCE);
    let Some(spec) = path.and_then(|path| object.at_mut(path)) else {
        return;
    };
    for list in CONTAINERS {
        let Some(Ordered::List(containers)) = spec.at_mut(&[list]) else {
            continue;
        };
        for container in containers {
            let name = container.get("name").and_then(Ordered::as_str);
            let name = name.unwrap_or_default().to_owned();
            if let Some(image) = container.at_mut(&["image"]) {
                change(&name, image);
            }
        }
    }
}

/// Returns the images of an object.
pub(super) fn images(object: &Ordered) -> impl Iterator<Item = &str> {
    let spec = pod_spec(object.identity().0).and_then(|path| object.at(path));
    let lists = spec
        .into_iter()
        .flat_map(|spec| CONTAINERS.map(|list| spec.get(list)));
    let containers = lists.flatten().flat_map(|list| match list {
        Ordered::List(containers) => containers.as_slice(),
        _ => &[],
    });
    containers.filter_map(|container| container.get("image").and_then(Ordered::as_str))
}

/// Returns where an object has the number of its pods, if no autoscaler sets it.
pub(super) fn replicas(kind: &str) -> Option<&'static [&'static str]> {
    matches!(kind, "Deployment" | "StatefulSet").then_some(&["spec", "replicas"])
}

/// Returns the limits of an autoscaler: the members of its spec, and what a value for each is called.
pub(super) fn limits(kind: &str) -> &'static [(&'static str, &'static str)] {
    let found = LIMITS.iter().find(|(autoscaler, _)| *autoscaler == kind);
    found.map_or(&[], |(_, limits)| limits)
}

/// Returns where an object of this kind names a namespace beside its own.
pub(super) fn namespaces_of_others(
    kind: &str,
) -> impl Iterator<Item = &'static [&'static str]> + use<> {
    let kind = kind.to_owned();
    let found = NAMESPACES.iter().filter(move |(other, _)| *other == kind);
    found.map(|(_, path)| *path)
}

/// Whether Kustomize knows that objects of this kind are in no namespace.
pub(super) fn is_cluster_wide(kind: &str) -> bool {
    CLUSTER_WIDE.contains(&kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn images_have_parts() {
        for (text, repository, tag, digest) in [
            ("nginx", "nginx", None, None),
            ("nginx:1.29", "nginx", Some("1.29"), None),
            ("localhost:5000/a/b", "localhost:5000/a/b", None, None),
            ("localhost:5000/a:7", "localhost:5000/a", Some("7"), None),
            ("a/b@sha256:00ff", "a/b", None, Some("sha256:00ff")),
            (
                "r:1/a:7@sha256:00ff",
                "r:1/a",
                Some("7"),
                Some("sha256:00ff"),
            ),
            ("", "", None, None),
        ] {
            let image = Image::of(text);
            let found = (
                image.repository.as_str(),
                image.tag.as_deref(),
                image.digest.as_deref(),
            );
            assert_eq!(found, (repository, tag, digest), "{text}");
        }
    }

    #[test]
    fn pods_that_run_once_keep_their_images() {
        let spec = json!({"initContainers": [{"name": "a", "image": "x:1"}], "containers": [{"name": "b", "image": "y:2"}]});
        for (object, expected) in [
            (
                json!({"kind": "Deployment", "spec": {"template": {"spec": spec}}}),
                &["x:1", "y:2"][..],
            ),
            (
                json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}),
                &["x:1", "y:2"],
            ),
            (
                json!({"kind": "EcsTaskDefinition", "spec": {"template": {"spec": spec}}}),
                &[],
            ),
            (json!({"kind": "Deployment"}), &[]),
        ] {
            let mut object = Ordered::new(&object).unwrap();
            assert_eq!(images(&object).collect::<Vec<_>>(), expected);
            let mut changed = Vec::new();
            for_each_image(&mut object, |_, image| {
                changed.push(image.as_str().unwrap().to_owned());
            });
            assert_eq!(changed, expected);
        }
        let mut pod = Ordered::new(&json!({"kind": "Pod", "spec": spec})).unwrap();
        assert_eq!(images(&pod).count(), 2);
        for_each_image(&mut pod, |name, _| panic!("{name} changes"));
    }
}
