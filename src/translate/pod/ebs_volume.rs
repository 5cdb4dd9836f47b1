//! Amazon EBS volumes that are configured at launch: a claim for each pod, of a storage class that has the parameters.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::{
            EphemeralVolumeSource, PersistentVolumeClaim, PersistentVolumeClaimSpec,
            PersistentVolumeClaimTemplate, PersistentVolumeClaimVolumeSource, PodSpec,
            TypedObjectReference, Volume, VolumeResourceRequirements,
        },
        storage::v1::StorageClass,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};
use serde_json::json;

use super::Draft;
use crate::{
    diagnostic::{Diagnostics, Message},
    translate::{Context, CustomObject, LABEL_LENGTH, Manifests, Object, kname, names::hex_digest},
    validate::EbsVolume,
};

const DRIVER: &str = "ebs.csi.aws.com";
const SNAPSHOT_GROUP: &str = "snapshot.storage.k8s.io";
const SNAPSHOT_API: &str = "snapshot.storage.k8s.io/v1";
/// What the shared objects are for, as a label says it.
const APP: &str = "ebs";

/// Adds the volumes, their storage classes and the snapshots that they start from.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    for volume in cx.volumes_at_launch() {
        if let Some(key) = &volume.kms_key {
            notes.report(
                cx.root()
                    .field("volumeConfigurations")
                    .index(volume.index)
                    .field("managedEBSVolume")
                    .field("kmsKeyId"),
                Message::EbsKmsKeyForDriver { key: key.clone() },
            );
        }
        let class = storage_class(cx, volume);
        draft.objects.push(Object::StorageClass(class));
        if let Some(snapshot) = &volume.snapshot {
            for object in snapshot_objects(cx, snapshot) {
                draft.objects.push(object);
            }
        }
        draft
            .spec
            .volumes
            .get_or_insert_default()
            .push(pod_volume(cx, volume));
    }
}

/// Gives the pod at `index` of a stand-alone task its own claim for each volume that outlives the task.
///
/// The claims have no owner: who runs the task deletes them.
pub(crate) fn claims_of_task(
    cx: &Context<'_>,
    index: i64,
    spec: &mut PodSpec,
    objects: &mut Manifests,
) {
    for volume in cx.volumes_at_launch() {
        if volume.delete_on_termination {
            continue;
        }
        let claim = claim_name(cx, index, volume);
        let name = volume_name(volume);
        for source in spec.volumes.iter_mut().flatten() {
            if source.name == name
                && let Some(reference) = &mut source.persistent_volume_claim
            {
                reference.claim_name.clone_from(&claim);
            }
        }
        objects.push(Object::PersistentVolumeClaim(PersistentVolumeClaim {
            metadata: cx.metadata(claim),
            spec: Some(claim_spec(cx, volume)),
            status: None,
        }));
    }
}

fn volume_name(volume: &EbsVolume) -> String {
    kname(&volume.name, LABEL_LENGTH)
}

fn claim_name(cx: &Context<'_>, index: i64, volume: &EbsVolume) -> String {
    format!("{}-{index}-{}", cx.name(), volume_name(volume))
}

fn pod_volume(cx: &Context<'_>, volume: &EbsVolume) -> Volume {
    let name = volume_name(volume);
    if volume.delete_on_termination {
        return Volume {
            name,
            ephemeral: Some(EphemeralVolumeSource {
                volume_claim_template: Some(PersistentVolumeClaimTemplate {
                    metadata: Some(ObjectMeta {
                        labels: Some(cx.selector()),
                        ..ObjectMeta::default()
                    }),
                    spec: claim_spec(cx, volume),
                }),
            }),
            ..Volume::default()
        };
    }
    Volume {
        name,
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim_name(cx, 0, volume),
            read_only: None,
        }),
        ..Volume::default()
    }
}

fn claim_spec(cx: &Context<'_>, volume: &EbsVolume) -> PersistentVolumeClaimSpec {
    let size = Quantity(format!("{}Gi", volume.size_gib));
    PersistentVolumeClaimSpec {
        access_modes: Some(vec!["ReadWriteOncePod".to_owned()]),
        storage_class_name: storage_class(cx, volume).metadata.name,
        resources: Some(VolumeResourceRequirements {
            requests: Some([("storage".to_owned(), size)].into()),
            limits: None,
        }),
        data_source_ref: volume
            .snapshot
            .as_ref()
            .map(|snapshot| TypedObjectReference {
                api_group: Some(SNAPSHOT_GROUP.to_owned()),
                kind: "VolumeSnapshot".to_owned(),
                name: kname(snapshot, LABEL_LENGTH),
                namespace: None,
            }),
        ..PersistentVolumeClaimSpec::default()
    }
}

/// The class is named after its parameters, so that volumes with the same ones share it and a change makes a new one:
/// the parameters of a class cannot be changed.
fn storage_class(cx: &Context<'_>, volume: &EbsVolume) -> StorageClass {
    let parameters = parameters(volume);
    let name = format!("ecs-ebs-{}", hex_digest(&json!(parameters).to_string(), 10));
    let mut metadata = cx.shared_metadata(name, APP);
    metadata.namespace = None;
    StorageClass {
        metadata,
        parameters: Some(parameters),
        provisioner: DRIVER.to_owned(),
        reclaim_policy: Some("Delete".to_owned()),
        volume_binding_mode: Some("WaitForFirstConsumer".to_owned()),
        ..StorageClass::default()
    }
}

/// Parameters of the EBS CSI driver
/// (<https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/parameters.md>).
fn parameters(volume: &EbsVolume) -> BTreeMap<String, String> {
    let EbsVolume {
        index: _,
        name: _,
        volume_type,
        size_gib: _,
        filesystem,
        encrypted,
        kms_key,
        iops,
        throughput,
        snapshot: _,
        initialization_rate,
        tags,
        delete_on_termination: _,
    } = volume;
    let mut parameters = BTreeMap::from([
        ("type".to_owned(), volume_type.clone()),
        ("csi.storage.k8s.io/fstype".to_owned(), filesystem.clone()),
    ]);
    let number = |value: &Option<u32>| value.map(|value| value.to_string());
    for (key, value) in [
        (
            "encrypted",
            encrypted.map(|encrypted| encrypted.to_string()),
        ),
        ("kmsKeyId", kms_key.clone()),
        ("iops", number(iops)),
        ("throughput", number(throughput)),
        ("volumeInitializationRate", number(initialization_rate)),
    ] {
        if let Some(value) = value {
            parameters.insert(key.to_owned(), value);
        }
    }
    for (position, (key, value)) in tags.iter().enumerate() {
        let parameter = format!("tagSpecification_{}", position + 1);
        parameters.insert(parameter, format!("{key}={value}"));
    }
    parameters
}

/// A snapshot that exists in AWS already, as the cluster knows snapshots. Neither object owns it.
fn snapshot_objects(cx: &Context<'_>, snapshot: &str) -> [Object; 2] {
    let name = kname(snapshot, LABEL_LENGTH);
    // Contents belong to no namespace, and each refers to a snapshot in one.
    let content = kname(&format!("{}-{name}", cx.settings.namespace), LABEL_LENGTH);
    let mut metadata = cx.shared_metadata(&*content, APP);
    metadata.namespace = None;
    [
        Object::Custom(CustomObject {
            api_version: SNAPSHOT_API,
            kind: "VolumeSnapshotContent",
            metadata,
            spec: json!({
                "deletionPolicy": "Retain",
                "driver": DRIVER,
                "source": {"snapshotHandle": snapshot},
                "volumeSnapshotRef": {"name": &name, "namespace": &cx.settings.namespace},
            }),
        }),
        Object::Custom(CustomObject {
            api_version: SNAPSHOT_API,
            kind: "VolumeSnapshot",
            metadata: cx.shared_metadata(name, APP),
            spec: json!({"source": {"volumeSnapshotContentName": content}}),
        }),
    ]
}
