//! A service revision as stored in a ControllerRevision: inputs, and what they were rendered to when a deployment of
//! them began.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    compression::{compress, decompress},
    counts::{healthy_after, is_kept},
    digests::{ImageDigests, digests_in},
    inputs::Inputs,
    render::{RenderedBy, Rendering, digest},
};
use crate::{
    crd::Spec,
    input::ConnectHosts,
    settings::{NodeSelection, Settings},
    source::read_task_definition,
};

/// The data of a service revision's ControllerRevision.
///
/// Inputs are plain, so that a person can read them. A revision from an older operator has no rendering.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// What the owner of the service wrote.
    #[serde(flatten)]
    pub inputs: Inputs,
    /// What the inputs were rendered to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendering: Option<KeptRendering>,
}

/// What a service revision was rendered to, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptRendering {
    /// The version of the operator.
    pub operator: String,
    /// The version of Kubernetes, such as `1.36`.
    pub kubernetes: String,
    /// The digest of the settings and defaults.
    pub settings: String,
    /// The label of its pods.
    pub pods: String,
    /// A digest that is equal for equal objects, whatever the counts.
    pub digest: String,
    /// How many seconds a task has to be ready until it counts as healthy.
    pub healthy_after: i64,
    /// The names that its tasks have in `/etc/hosts` for Service Connect.
    #[serde(default, skip_serializing_if = "ConnectHosts::is_empty")]
    pub connect_hosts: ConnectHosts,
    /// What the tags of its images meant when its deployment began.
    #[serde(default, skip_serializing_if = "ImageDigests::is_empty")]
    pub images: ImageDigests,
    /// The objects, settings and defaults: JSON, compressed with deflate, in Base64.
    compressed: Box<str>,
}

/// The content that is compressed.
#[derive(Serialize, Deserialize)]
struct Content<O, S> {
    objects: Vec<O>,
    #[serde(default)]
    settings: S,
    #[serde(default)]
    cluster: Option<Value>,
}

impl KeptRendering {
    /// Stores a rendering, except the objects that depend only on counts.
    #[must_use]
    pub fn of(rendering: &Rendering, by: &RenderedBy) -> Self {
        let Rendering {
            objects,
            pods,
            digest,
            healthy_after,
            ..
        } = rendering;
        Self::with_digest(objects, pods, digest.clone(), *healthy_after, by)
    }

    /// Stores existing objects as a rendering, except those that depend only on counts.
    #[must_use]
    pub fn of_live(objects: &[Value], pods: &str, by: &RenderedBy) -> Self {
        let by = RenderedBy {
            images: digests_in(objects),
            ..by.clone()
        };
        Self::with_digest(objects, pods, digest(objects), healthy_after(objects), &by)
    }

    fn with_digest(
        objects: &[Value],
        pods: &str,
        digest: String,
        healthy_after: i64,
        by: &RenderedBy,
    ) -> Self {
        Self {
            operator: by.operator.clone(),
            kubernetes: format!("1.{}", by.settings.kubernetes_minor),
            settings: by.digest(),
            pods: pods.to_owned(),
            digest,
            healthy_after,
            connect_hosts: by.connect_hosts.clone(),
            images: by.images.clone(),
            compressed: compress(&Content {
                objects: objects.iter().filter(|it| is_kept(it)).collect(),
                settings: &by.settings,
                cluster: by.cluster.as_ref().and_then(|cluster| cluster.parse().ok()),
            })
            .into(),
        }
    }

    /// Returns the objects, and what they were rendered by; `None` if the text is damaged.
    #[must_use]
    pub fn open(&self) -> Option<(Vec<Value>, RenderedBy)> {
        let content: Content<Value, Settings> = decompress(&self.compressed)?;
        let by = RenderedBy {
            operator: self.operator.clone(),
            settings: Settings {
                // It is that of a cluster.
                in_cluster: true,
                ..content.settings
            },
            cluster: content.cluster.map(Spec::from),
            connect_hosts: self.connect_hosts.clone(),
            images: self.images.clone(),
        };
        Some((content.objects, by))
    }
}

/// Where a rendering places tasks.
#[derive(Clone, Debug)]
pub struct Placing {
    /// Which nodes the pods of capacity providers select, by the names of the providers.
    pub capacity_providers: BTreeMap<String, NodeSelection>,
    /// The spec of the EcsCluster with defaults for the service.
    pub cluster: Option<Spec>,
}

impl KeptRendering {
    /// Returns where it places tasks; `None` if the text is damaged.
    #[must_use]
    pub fn placing(&self) -> Option<Placing> {
        let (_, by) = self.open()?;
        Some(Placing {
            capacity_providers: by.settings.capacity_providers,
            cluster: by.cluster,
        })
    }
}

impl Kept {
    /// Reads the data of a ControllerRevision; `None` if it does not belong to a service.
    #[must_use]
    pub fn read(data: &Value) -> Option<Self> {
        Self::deserialize(data).ok()
    }

    /// Returns the images of its containers, as the task definition names them, with the digests that their tags had when its
    /// deployment began; `None` for a tag that was not resolved.
    #[must_use]
    pub fn images(&self) -> BTreeMap<String, Option<String>> {
        let Inputs {
            family,
            task_definition,
            ..
        } = &self.inputs;
        let (request, ..) = read_task_definition(family, task_definition.text());
        let resolved = self.rendering.as_ref().map(|rendering| &rendering.images);
        let containers = request.container_definitions.into_iter();
        let images = containers.filter_map(|container| container.image);
        images
            .map(|image| {
                let digest = resolved.and_then(|resolved| resolved.get(&image)).cloned();
                (image, digest)
            })
            .collect()
    }

    /// Returns the data of a ControllerRevision. Its members are sorted: the API server sorts them whenever the
    /// metadata of the object is changed, and would consider that a change to the data, which it rejects.
    #[must_use]
    pub fn data(&self) -> Value {
        let mut data = json!(self);
        data.sort_all_objects();
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Addon, Mode, WorkloadTarget};

    fn by() -> RenderedBy {
        RenderedBy {
            operator: "0.1.0".to_owned(),
            settings: Settings {
                mode: Mode::Controller,
                in_cluster: true,
                workload_target: WorkloadTarget::EcsService,
                kubernetes_minor: 35,
                addons: [Addon::EksAutoMode].into(),
                namespace: String::new(),
                ..Settings::default()
            },
            connect_hosts: [("backend.internal".to_owned(), "10.0.0.1".to_owned())].into(),
            cluster: Some(Spec::from(json!({"clusterName": "shop"}))),
            images: ImageDigests::new(),
        }
    }

    fn kept() -> Kept {
        let objects = [
            json!({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"minReadySeconds": 40}}),
            json!({"kind": "PodDisruptionBudget", "metadata": {"name": "web"}}),
        ];
        Kept {
            inputs: Inputs {
                service: Spec::from(json!({"taskDefinition": "web", "launchType": "EC2"})),
                annotations: [("ecs-operator.dev/iam".to_owned(), "none".to_owned())].into(),
                family: "web".to_owned(),
                revision: 3,
                task_definition: Spec::from(json!({"cpu": "256"})),
            },
            rendering: Some(KeptRendering::of_live(&objects, "1a2b3c4d5e", &by())),
        }
    }

    #[test]
    fn what_is_kept_can_be_read() {
        let kept = kept();
        let read = Kept::read(&kept.data()).expect("it is one of a service");
        assert_eq!(read, kept);
        let rendering = read.rendering.expect("it has a rendering");
        assert_eq!(rendering.kubernetes, "1.35");
        assert_eq!(rendering.healthy_after, 40);
        let (objects, rendered_by) = rendering.open().expect("it can be read");
        assert_eq!(objects.len(), 1, "a budget follows from the counts");
        assert_eq!(
            rendered_by,
            RenderedBy {
                settings: Settings {
                    namespace: rendered_by.settings.namespace.clone(),
                    ..by().settings
                },
                ..by()
            }
        );
    }

    #[test]
    fn data_is_sorted() {
        let data = kept().data();
        let mut sorted = data.clone();
        sorted.sort_all_objects();
        assert_eq!(data.to_string(), sorted.to_string());
    }

    #[test]
    fn what_an_older_operator_kept_has_no_rendering() {
        let mut data = kept().data();
        data.as_object_mut()
            .expect("it is an object")
            .remove("rendering");
        let read = Kept::read(&data).expect("it is one of a service");
        assert_eq!((read.rendering, read.inputs), (None, kept().inputs));
        assert_eq!(Kept::read(&json!({"containerDefinitions": []})), None);
    }
}
