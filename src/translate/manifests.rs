//! The objects that a translation creates.

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment},
        autoscaling::v2::HorizontalPodAutoscaler,
        batch::v1::CronJob,
        core::v1::{
            ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service,
            ServiceAccount,
        },
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
        storage::v1::StorageClass,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::Serialize;

/// One Kubernetes object. The variants are in the order in which objects are applied: objects that pods refer to come
/// before the pods.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "each variant is the kind of its name")]
#[allow(
    clippy::large_enum_variant,
    reason = "objects are few, and each is printed at once"
)]
pub enum Object {
    ServiceAccount(ServiceAccount),
    StorageClass(StorageClass),
    PersistentVolume(PersistentVolume),
    PersistentVolumeClaim(PersistentVolumeClaim),
    Secret(Secret),
    ConfigMap(ConfigMap),
    /// An object of an add-on that pods or their Service need, or that needs them.
    Custom(CustomObject),
    NetworkPolicy(NetworkPolicy),
    Service(Service),
    Ingress(Ingress),
    Deployment(Deployment),
    DaemonSet(DaemonSet),
    CronJob(CronJob),
    Pod(Pod),
    HorizontalPodAutoscaler(HorizontalPodAutoscaler),
    PodDisruptionBudget(PodDisruptionBudget),
}

/// An object of a kind that is not built into Kubernetes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomObject {
    /// Group and version.
    pub api_version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// Name, namespace, labels.
    pub metadata: ObjectMeta,
    /// The specification.
    pub spec: serde_json::Value,
}

macro_rules! each_kind {
    ($object:expr, $inner:ident => $body:expr) => {
        match $object {
            Object::ServiceAccount($inner) => $body,
            Object::StorageClass($inner) => $body,
            Object::PersistentVolume($inner) => $body,
            Object::PersistentVolumeClaim($inner) => $body,
            Object::Secret($inner) => $body,
            Object::ConfigMap($inner) => $body,
            Object::Custom($inner) => $body,
            Object::NetworkPolicy($inner) => $body,
            Object::Service($inner) => $body,
            Object::Ingress($inner) => $body,
            Object::Deployment($inner) => $body,
            Object::DaemonSet($inner) => $body,
            Object::CronJob($inner) => $body,
            Object::Pod($inner) => $body,
            Object::HorizontalPodAutoscaler($inner) => $body,
            Object::PodDisruptionBudget($inner) => $body,
        }
    };
}

impl Object {
    /// Returns the object's metadata.
    #[must_use]
    pub const fn metadata(&self) -> &ObjectMeta {
        each_kind!(self, object => &object.metadata)
    }

    /// Returns the object's metadata for changes.
    pub const fn metadata_mut(&mut self) -> &mut ObjectMeta {
        each_kind!(self, object => &mut object.metadata)
    }

    /// Returns the object's kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ServiceAccount(_) => "ServiceAccount",
            Self::StorageClass(_) => "StorageClass",
            Self::PersistentVolume(_) => "PersistentVolume",
            Self::PersistentVolumeClaim(_) => "PersistentVolumeClaim",
            Self::Secret(_) => "Secret",
            Self::ConfigMap(_) => "ConfigMap",
            Self::Custom(object) => object.kind,
            Self::NetworkPolicy(_) => "NetworkPolicy",
            Self::Service(_) => "Service",
            Self::Ingress(_) => "Ingress",
            Self::Deployment(_) => "Deployment",
            Self::DaemonSet(_) => "DaemonSet",
            Self::CronJob(_) => "CronJob",
            Self::Pod(_) => "Pod",
            Self::HorizontalPodAutoscaler(_) => "HorizontalPodAutoscaler",
            Self::PodDisruptionBudget(_) => "PodDisruptionBudget",
        }
    }

    /// Returns the object's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// Returns the position of the kind in the order of application. Kinds of add-ons that need a Service or the
    /// workload come after it.
    fn rank(&self) -> u8 {
        match self {
            Self::ServiceAccount(_) => 0,
            Self::StorageClass(_) => 1,
            Self::PersistentVolume(_) => 2,
            Self::PersistentVolumeClaim(_) => 3,
            Self::Secret(_) => 4,
            Self::ConfigMap(_) => 5,
            Self::Custom(object) => match object.kind {
                "TargetGroupBinding" => 9,
                "ScaledObject" => 14,
                _ => 6,
            },
            Self::NetworkPolicy(_) => 7,
            Self::Service(_) => 8,
            Self::Ingress(_) => 10,
            Self::Deployment(_) => 11,
            Self::DaemonSet(_) => 12,
            Self::CronJob(_) | Self::Pod(_) => 13,
            Self::HorizontalPodAutoscaler(_) => 14,
            Self::PodDisruptionBudget(_) => 15,
        }
    }
}

/// The objects of one service or task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifests {
    objects: Vec<Object>,
}

impl Manifests {
    /// Adds an object, unless it already exists.
    pub fn push(&mut self, object: Object) {
        if !self.objects.contains(&object) {
            self.objects.push(object);
        }
    }

    /// Adds the objects of `other`.
    pub fn append(&mut self, other: Self) {
        for object in other.objects {
            self.push(object);
        }
    }

    /// Returns the objects in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter()
    }

    /// Returns the objects in the order of application; objects of one kind in the order in which they were added.
    #[must_use]
    pub fn into_objects(mut self) -> Vec<Object> {
        self.objects.sort_by_key(Object::rank);
        self.objects
    }
}
