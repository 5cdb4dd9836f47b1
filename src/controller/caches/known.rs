//! What the caches keep of an object that the operator created.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource as _;

use super::child::{Child, Claimed, ConnectName, ScalerState, VolumeState, WorkloadState};

/// The known state of a live child.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Its identity.
    pub uid: Box<str>,
    /// Its version, which shows what is newer.
    pub resource_version: u64,
    /// The digest of the fields that we own.
    pub digest: u64,
    /// The digest of what was applied, if the API server stores it in a different form.
    pub applied: Option<u64>,
    /// The digest of what this process last applied.
    pub written: Option<u64>,
    /// The digest of the fields that we own without the owners, for objects that several services may share.
    pub shared: Option<u64>,
    /// For a Service that several services may share, a digest of its selector.
    pub selector: Option<u64>,
    /// Its owners.
    pub owners: Box<[OwnerReference]>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The state of a PersistentVolume.
    pub volume: Option<Box<VolumeState>>,
    /// The state of a Deployment or DaemonSet.
    pub workload: Option<Box<WorkloadState>>,
    /// The service revision in the label of its pods.
    pub pods: Option<Box<str>>,
    /// Why a Deployment cannot create pods.
    pub not_created: Option<Box<str>>,
    /// Whether an autoscaler can do its work, once it has said so.
    pub scaler: Option<Box<ScalerState>>,
    /// The name of a Service that clients of Service Connect need in `/etc/hosts`.
    pub connect_name: Option<Box<ConnectName>>,
    /// The address of an Ingress, if it has one.
    pub address: Option<Box<str>>,
}

impl Known {
    pub(super) fn of(child: &Child) -> Self {
        let meta = child.meta();
        Self {
            uid: meta.uid.as_deref().unwrap_or_default().into(),
            resource_version: resource_version(child),
            digest: child.digest,
            shared: child.shared,
            selector: child.selector,
            applied: None,
            written: None,
            owners: child.owners().into(),
            deleting: meta.deletion_timestamp.is_some(),
            volume: child.volume.clone(),
            workload: child.workload.clone(),
            pods: child.pods.clone(),
            not_created: child.not_created.clone(),
            scaler: child.scaler.clone(),
            connect_name: child.connect_name.clone(),
            address: child.address.clone(),
        }
    }

    /// Whether everything that a reconcile looks at is the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.uid == other.uid
            && self.digest == other.digest
            && self.deleting == other.deleting
            && self.workload == other.workload
            && self.not_created == other.not_created
            && match (&self.scaler, &other.scaler) {
                (Some(one), Some(other)) => one.is_like(other),
                (one, other) => one == other,
            }
            && self.address == other.address
            && self.owners == other.owners
    }

    /// Whether a change that was decided on this state is still right for the live object: it is the same one, and the
    /// fields that we own and the owners are the same.
    #[must_use]
    pub(crate) fn allows(&self, live: &Child) -> bool {
        let live = Self::of(live);
        self.uid == live.uid
            && self.digest == live.digest
            && self.deleting == live.deleting
            && self.owners == live.owners
    }

    /// Whether it is a volume whose claim is gone.
    #[must_use]
    pub(crate) fn is_released(&self) -> bool {
        let volume = self.volume.as_ref();
        volume.is_some_and(|volume| volume.claimed == Claimed::NoLonger)
    }

    /// Whether someone else has changed it since an object with this digest was applied.
    #[must_use]
    pub(crate) fn was_changed_since(&self, wanted: u64) -> bool {
        self.written == Some(wanted) && !self.is(wanted)
    }

    /// Whether applying an object with this digest would change nothing.
    #[must_use]
    pub(crate) fn is(&self, wanted: u64) -> bool {
        self.digest == wanted || self.applied == Some(wanted)
    }
}

/// Resource versions of one kind are comparable as numbers
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>).
pub(crate) fn resource_version(child: &Child) -> u64 {
    let version = child.meta().resource_version.as_deref();
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}
