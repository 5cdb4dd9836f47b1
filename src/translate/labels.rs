//! Labels and annotations of all created objects.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Context, LABEL_LENGTH, Workload, kname};
use crate::settings::ANNOTATION_PREFIX;
pub use crate::settings::CAPACITY_PROVIDER;

/// The labels of a Kubernetes object.
pub(crate) type Labels = BTreeMap<String, String>;

/// The service that an object belongs to; the only label of selectors.
pub const SERVICE: &str = "ecs-operator.dev/service";
/// The stand-alone task that an object belongs to.
pub const TASK: &str = "ecs-operator.dev/task";
/// The task group, for placement.
pub(crate) const GROUP: &str = "ecs-operator.dev/group";
/// Tags of the task, or of the service on its workload.
const TAGS: &str = "ecs-operator.dev/tags";
const FAMILY: &str = "ecs-operator.dev/family";
const REVISION: &str = "ecs-operator.dev/revision";
const CLUSTER: &str = "ecs-operator.dev/cluster";
const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const OPERATOR: &str = "ecs-operator";

impl Context<'_> {
    /// Returns the labels with which selectors find the pods.
    pub(crate) fn selector(&self) -> Labels {
        Labels::from([(self.owner_label().to_owned(), self.name())])
    }

    /// Returns the label that contains the name of the service or task.
    pub(crate) const fn owner_label(&self) -> &'static str {
        match self.workload {
            Workload::Service(_) => SERVICE,
            Workload::Task(_) => TASK,
        }
    }

    /// Returns the labels of the objects of this service or task. None of them changes with a revision of the task
    /// definition, so a new revision changes only the pods.
    pub(super) fn own_labels(&self) -> Labels {
        let family = kname(&self.task_definition.family, LABEL_LENGTH);
        let mut labels = self.selector();
        labels.extend([
            (NAME.to_owned(), family.clone()),
            (INSTANCE.to_owned(), self.name()),
            (MANAGED_BY.to_owned(), OPERATOR.to_owned()),
            (FAMILY.to_owned(), family),
            (GROUP.to_owned(), kname(&self.group(), LABEL_LENGTH)),
        ]);
        if self.cluster() != "default" {
            labels.insert(CLUSTER.to_owned(), kname(self.cluster(), LABEL_LENGTH));
        }
        labels
    }

    /// Returns the labels of the pods of this service or task, the only objects that belong to one revision of the task
    /// definition.
    pub(crate) fn pod_labels(&self) -> Labels {
        let mut labels = self.labels.clone();
        let revision = self.task_definition.revision.to_string();
        labels.insert(REVISION.to_owned(), revision);
        labels
    }

    /// Returns the metadata of an object that belongs only to this service or task.
    pub(crate) fn metadata(&self, name: impl Into<String>) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.into()),
            namespace: Some(self.settings.namespace.clone()),
            labels: Some(self.labels.clone()),
            ..ObjectMeta::default()
        }
    }

    /// Returns the metadata of an object that several services and tasks of the namespace share.
    pub(crate) fn shared_metadata(&self, name: impl Into<String>, app: &str) -> ObjectMeta {
        let name = name.into();
        ObjectMeta {
            labels: Some(shared_labels(app, &name)),
            name: Some(name),
            namespace: Some(self.settings.namespace.clone()),
            ..ObjectMeta::default()
        }
    }
}

/// Whether a key of a label or annotation belongs to the operator.
pub(crate) fn is_owned_key(key: &str) -> bool {
    key.starts_with(ANNOTATION_PREFIX) || [NAME, INSTANCE, MANAGED_BY].contains(&key)
}

/// Returns the annotation that contains tags, as a JSON object; `None` if there are none.
pub(crate) fn tags_annotation(tags: &BTreeMap<String, String>) -> Option<(String, String)> {
    (!tags.is_empty()).then(|| (TAGS.to_owned(), serde_json::json!(tags).to_string()))
}

/// Returns the recommended labels of an object that several owners share. `app` is its purpose, for instance `efs`.
pub(crate) fn shared_labels(app: &str, name: &str) -> Labels {
    Labels::from([
        (NAME.to_owned(), app.to_owned()),
        (INSTANCE.to_owned(), name.to_owned()),
        (MANAGED_BY.to_owned(), OPERATOR.to_owned()),
    ])
}
