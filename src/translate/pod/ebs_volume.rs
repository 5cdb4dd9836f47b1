//! Amazon EBS volumes that are configured at launch: a claim for each pod, with a StorageClass that has the parameters.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::{
            EphemeralVolumeSource, PersistentVolumeClaim, PersistentVolumeClaimSpec,
            PersistentVolumeClaimTemplate, PersistentVolumeClaimVolumeSource, PodSpec,
            TopologySelectorLabelRequirement, TopologySelectorTerm, TypedObjectReference, Volume,
            VolumeResourceRequirements,
        },
        storage::v1::StorageClass,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};
use serde_json::json;

use super::Draft;
use crate::{
    diagnostic::{Diagnostics, Message},
    settings::{Addon, DELETE_ON_TERMINATION},
    translate::{Context, CustomObject, LABEL_LENGTH, Manifests, Object, kname, names::hex_digest},
    validate::EbsVolume,
};

const DRIVER: &str = "ebs.csi.aws.com";
/// The driver of EKS Auto Mode, which mounts volumes on the nodes of Auto Mode only
/// (<https://docs.aws.amazon.com/eks/latest/userguide/create-storage-class.html>).
const AUTO_MODE_DRIVER: &str = "ebs.csi.eks.amazonaws.com";
/// The label of the nodes of EKS Auto Mode, and its value.
const AUTO_MODE_NODE: (&str, &str) = ("eks.amazonaws.com/compute-type", "auto");
const SNAPSHOT_GROUP: &str = "snapshot.storage.k8s.io";
const SNAPSHOT_API: &str = "snapshot.storage.k8s.io/v1";
/// The reclaim policy of a volume that outlives its task: deleting the claim does not delete the volume.
const RETAIN: &str = "Retain";
/// The purpose of the shared objects, for a label.
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
        if cx.settings.outside_aws && !cx.settings.has(Addon::EksAutoMode) {
            let path = cx.root().field("volumeConfigurations");
            notes.report(
                path.index(volume.index).field("name"),
                Message::AwsCsiDriverNeeded {
                    driver: "the EBS CSI driver".to_owned(),
                    reach: "nodes in EC2".to_owned(),
                },
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

/// Returns a claim of the pod at `index` of a stand-alone task for each volume that outlives the task.
///
/// `digest` is that of the version of the task if no other identity is known.
///
/// In ECS, such a volume exists until someone deletes it. So the claims are marked as objects without an owner, and
/// their volumes are kept even if a claim is deleted, for example with its namespace.
pub(crate) fn claims_of_task(
    cx: &Context<'_>,
    index: i64,
    digest: Option<&str>,
    spec: &mut PodSpec,
    objects: &mut Manifests,
) {
    for volume in cx.volumes_at_launch() {
        if volume.delete_on_termination {
            continue;
        }
        let claim = claim_name(cx, index, digest, volume);
        let name = volume_name(volume);
        for source in spec.volumes.iter_mut().flatten() {
            if source.name == name
                && let Some(reference) = &mut source.persistent_volume_claim
            {
                reference.claim_name.clone_from(&claim);
            }
        }
        let stays = (DELETE_ON_TERMINATION.to_owned(), "false".to_owned());
        let mut metadata = cx.metadata(claim);
        metadata.annotations = Some([stays].into());
        objects.push(Object::PersistentVolumeClaim(PersistentVolumeClaim {
            metadata,
            spec: Some(claim_spec(cx, volume)),
            status: None,
        }));
    }
}

fn volume_name(volume: &EbsVolume) -> String {
    kname(&volume.name, LABEL_LENGTH)
}

/// Returns the name of a claim. Each task has its own volume, even if it has the name of a deleted task.
fn claim_name(cx: &Context<'_>, index: i64, digest: Option<&str>, volume: &EbsVolume) -> String {
    let name = format!("{}-{index}-{}", cx.name(), volume_name(volume));
    let own = cx.uid().map(|uid| hex_digest(uid, 8));
    match own.as_deref().or(digest) {
        Some(own) => format!("{name}-{own}"),
        None => name,
    }
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
            claim_name: claim_name(cx, 0, None, volume),
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

fn driver(cx: &Context<'_>) -> &'static str {
    if cx.settings.has(Addon::EksAutoMode) {
        AUTO_MODE_DRIVER
    } else {
        DRIVER
    }
}

/// Returns the nodes that can mount a volume of the driver, if it is not all of them.
fn allowed_topologies(driver: &str) -> Option<Vec<TopologySelectorTerm>> {
    let (key, value) = AUTO_MODE_NODE;
    (driver == AUTO_MODE_DRIVER).then(|| {
        vec![TopologySelectorTerm {
            match_label_expressions: Some(vec![TopologySelectorLabelRequirement {
                key: key.to_owned(),
                values: vec![value.to_owned()],
            }]),
        }]
    })
}

/// Adds the StorageClass and returns its name. It is named after its parameters, so that volumes with the same
/// parameters share it and a change creates a new one: neither the parameters nor the reclaim policy nor the provisioner
/// of a StorageClass can be changed.
fn storage_class(cx: &Context<'_>, volume: &EbsVolume) -> StorageClass {
    let parameters = parameters(volume);
    let driver = driver(cx);
    let (content, reclaim_policy) = if volume.delete_on_termination {
        (json!(parameters), "Delete")
    } else {
        (json!([parameters, RETAIN]), RETAIN)
    };
    // Classes of the first driver have names without it.
    let content = if driver == DRIVER {
        content
    } else {
        json!([driver, content])
    };
    // The class has no namespace, so nobody may be able to choose texts for which it has the name of another one.
    let digits = if volume.tags.is_empty() && volume.kms_key.is_none() {
        10
    } else {
        40
    };
    let name = format!("ecs-ebs-{}", hex_digest(content.to_string(), digits));
    let mut metadata = cx.shared_metadata(name, APP);
    metadata.namespace = None;
    StorageClass {
        metadata,
        parameters: Some(parameters),
        provisioner: driver.to_owned(),
        allowed_topologies: allowed_topologies(driver),
        reclaim_policy: Some(reclaim_policy.to_owned()),
        volume_binding_mode: Some("WaitForFirstConsumer".to_owned()),
        ..StorageClass::default()
    }
}

/// Returns the parameters of the EBS CSI driver
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

/// Returns the objects of a snapshot that already exists in AWS. Neither object has an owner.
fn snapshot_objects(cx: &Context<'_>, snapshot: &str) -> [Object; 2] {
    let name = kname(snapshot, LABEL_LENGTH);
    // Contents are cluster-scoped, and each refers to a snapshot in one namespace.
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
                "driver": driver(cx),
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{
        settings::{Addon, Compute},
        translate::testing::{Outcome, Scenario, assert_object, yaml},
    };

    const DB: &str = r#"{"family": "db", "cpu": "256", "memory": "512", "tags": [{"key": "team", "value": "shop"}, {"key": "env", "value": "prod"}],
        "containerDefinitions": [{"name": "db", "image": "postgres", "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}],
        "volumes": [{"name": "data", "configuredAtLaunch": true}]}"#;
    const ROLE: &str = "arn:aws:iam::123456789012:role/ecsInfrastructureRole";

    fn configured(volume: &Value) -> String {
        let mut volume = volume.clone();
        volume["roleArn"] = json!(ROLE);
        json!({"tags": [{"key": "cost", "value": "42"}], "volumeConfigurations": [{"name": "data", "managedEBSVolume": volume}]}).to_string()
    }

    #[test]
    fn each_pod_of_a_service_gets_a_volume_of_its_own() {
        let outcome = Scenario::service(DB)
            .request(configured(&json!({
                "volumeType": "gp3", "sizeInGiB": 20, "iops": 4000, "throughput": 250, "encrypted": true,
                "kmsKeyId": "alias/data", "filesystemType": "ext4",
            })))
            .run();
        let class = outcome.objects_of("StorageClass")[0];
        let name = class["metadata"]["name"].as_str().expect("a name");
        assert_object(
            class,
            &format!(
                r#"
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: {name}
provisioner: ebs.csi.aws.com
reclaimPolicy: Delete
volumeBindingMode: WaitForFirstConsumer
parameters:
  csi.storage.k8s.io/fstype: ext4
  encrypted: "true"
  iops: "4000"
  kmsKeyId: alias/data
  throughput: "250"
  type: gp3
"#
            ),
        );
        assert_eq!(class["metadata"].get("namespace"), None);
        assert_eq!(
            outcome.pod_spec()["volumes"],
            yaml(&format!(
                "
- name: data
  ephemeral:
    volumeClaimTemplate:
      metadata:
        labels:
          ecs-operator.dev/service: db
      spec:
        accessModes: [ReadWriteOncePod]
        storageClassName: {name}
        resources:
          requests:
            storage: 20Gi
"
            ))
        );
        assert_eq!(
            outcome.container("db")["volumeMounts"],
            yaml("[{name: data, mountPath: /data}]")
        );
        assert_eq!(
            outcome.warnings(),
            ["volumeConfigurations[0].managedEBSVolume.kmsKeyId: EbsKmsKeyForDriver"]
        );
    }

    fn parameters(volume: &Value) -> (String, Value) {
        let outcome = Scenario::service(DB).request(configured(volume)).run();
        let class = outcome.objects_of("StorageClass")[0];
        let name = class["metadata"]["name"].as_str().expect("a name");
        (name.to_owned(), class["parameters"].clone())
    }

    #[test]
    fn a_class_is_named_after_its_parameters() {
        let (name, defaults) = parameters(&json!({"sizeInGiB": 10}));
        assert_eq!(
            defaults,
            yaml("{csi.storage.k8s.io/fstype: xfs, type: gp3}")
        );
        // sha256 of {"csi.storage.k8s.io/fstype":"xfs","type":"gp3"}
        assert_eq!(name, "ecs-ebs-5cd3703c20");
        let larger = json!({"sizeInGiB": 11, "volumeType": "gp3", "filesystemType": "xfs"});
        assert_eq!(parameters(&larger).0, name);
        assert_ne!(
            parameters(&json!({"sizeInGiB": 10, "encrypted": false})).0,
            name
        );
    }

    #[test]
    fn tags_are_parameters_of_the_class() {
        let (_, tagged) = parameters(&json!({"sizeInGiB": 10, "tagSpecifications": [
            {"resourceType": "volume", "propagateTags": "TASK_DEFINITION", "tags": [{"key": "env", "value": "test"}]},
            {"resourceType": "volume", "propagateTags": "SERVICE"},
        ]}));
        for (position, tag) in ["cost=42", "env=test", "team=shop"].iter().enumerate() {
            assert_eq!(tagged[format!("tagSpecification_{}", position + 1)], *tag);
        }
    }

    #[test]
    fn a_snapshot_is_imported() {
        let outcome = Scenario::service(DB)
            .request(configured(&json!({"sizeInGiB": 10, "snapshotId": "snap-0a1b2c3d", "volumeInitializationRate": 200})))
            .settings(|settings| settings.namespace = "shop".to_owned())
            .run();
        let template = &outcome.pod_spec()["volumes"][0]["ephemeral"]["volumeClaimTemplate"];
        assert_eq!(
            template["spec"]["dataSourceRef"],
            yaml("{apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: snap-0a1b2c3d}")
        );
        assert_object(
            outcome.object("VolumeSnapshotContent", "shop-snap-0a1b2c3d"),
            "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotContent
metadata:
  name: shop-snap-0a1b2c3d
spec:
  deletionPolicy: Retain
  driver: ebs.csi.aws.com
  source:
    snapshotHandle: snap-0a1b2c3d
  volumeSnapshotRef:
    name: snap-0a1b2c3d
    namespace: shop
",
        );
        assert_object(
            outcome.object("VolumeSnapshot", "snap-0a1b2c3d"),
            "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata:
  name: snap-0a1b2c3d
  namespace: shop
spec:
  source:
    volumeSnapshotContentName: shop-snap-0a1b2c3d
",
        );
        let class = outcome.objects_of("StorageClass")[0];
        assert_eq!(class["parameters"]["volumeInitializationRate"], "200");
    }

    #[test]
    fn eks_auto_mode_has_a_driver_of_its_own() {
        let run = |auto_mode: bool| {
            Scenario::service(DB)
                .request(configured(
                    &json!({"sizeInGiB": 10, "snapshotId": "snap-0a1b2c3d"}),
                ))
                .settings(move |settings| {
                    if auto_mode {
                        settings.addons.insert(Addon::EksAutoMode);
                    }
                })
                .run()
        };
        let (auto, other) = (run(true), run(false));
        let class = auto.objects_of("StorageClass")[0];
        assert_eq!(class["provisioner"], "ebs.csi.eks.amazonaws.com");
        assert_eq!(
            class["allowedTopologies"],
            yaml(
                "[{matchLabelExpressions: [{key: eks.amazonaws.com/compute-type, values: [auto]}]}]"
            )
        );
        let content = &auto.objects_of("VolumeSnapshotContent")[0];
        assert_eq!(content["spec"]["driver"], "ebs.csi.eks.amazonaws.com");
        let other = other.objects_of("StorageClass")[0];
        assert_ne!(class["metadata"]["name"], other["metadata"]["name"]);
    }

    #[test]
    fn a_volume_that_outlives_its_task_is_nobodys_and_never_that_of_another_task() {
        let task = Scenario::task(DB).request(
            json!({"count": 2, "volumeConfigurations": [{"name": "data", "managedEBSVolume": {
                "sizeInGiB": 10, "roleArn": ROLE, "terminationPolicy": {"deleteOnTermination": false},
            }}]})
            .to_string(),
        );
        let claims = |uid: &str| {
            let outcome = task.clone().uid(uid).run();
            let claims = outcome.objects_of("PersistentVolumeClaim").into_iter();
            let names = claims.map(|claim| {
                let metadata = &claim["metadata"];
                assert_eq!(
                    metadata["annotations"],
                    yaml("{ecs-operator.dev/delete-on-termination: 'false'}")
                );
                metadata["name"].clone()
            });
            let names: Vec<Value> = names.collect();
            for (index, name) in names.iter().enumerate() {
                let pod = outcome.object("Pod", &format!("db-{index}"));
                let volume = &pod["spec"]["volumes"][0];
                assert_eq!(volume["persistentVolumeClaim"]["claimName"], *name);
            }
            names
        };
        let (first, second) = (claims("1"), claims("2"));
        assert_eq!(first.len(), 2);
        assert!(first.iter().all(|name| !second.contains(name)), "{first:?}");
        let class = |outcome: &Outcome| outcome.objects_of("StorageClass")[0].clone();
        let kept = class(&task.run());
        assert_eq!(kept["reclaimPolicy"], "Retain");
        let deleted = configured(&json!({"sizeInGiB": 10}));
        let deleted = class(&Scenario::task(DB).request(deleted).run());
        assert_ne!(kept["metadata"]["name"], deleted["metadata"]["name"]);
        assert_eq!(deleted["reclaimPolicy"], "Delete");
    }

    #[test]
    fn volumes_that_cannot_be_made_are_refused() {
        let of = |name: &str, volume: Value| {
            json!({"volumeConfigurations": [{"name": name, "managedEBSVolume": volume}]})
                .to_string()
        };
        let path = "volumeConfigurations[0].managedEBSVolume";
        let ten = || json!({"sizeInGiB": 10, "roleArn": ROLE});
        for (request, rejections) in [
            (
                of("data", json!({"roleArn": ROLE, "filesystemType": "ntfs"})),
                vec![
                    format!("{path}.filesystemType: InvalidValue: ntfs: only Windows tasks can use it"),
                    format!("{path}.sizeInGiB: EbsSizeRequired: sizeInGiB is required; give sizeInGiB; with snapshotId, at least the size of the snapshot"),
                ],
            ),
            (
                of("data", json!({"roleArn": ROLE, "snapshotId": "snap-0a1b2c3d"})),
                vec![format!("{path}.sizeInGiB: EbsSnapshotSizeUnknown: the size of snapshot snap-0a1b2c3d cannot be looked up; give sizeInGiB")],
            ),
            (
                of("data", json!({"roleArn": ROLE, "sizeInGiB": 10, "volumeInitializationRate": 100})),
                vec![format!("{path}.volumeInitializationRate: InvalidValue: volumeInitializationRate: needs a snapshotId")],
            ),
            (
                of("data", json!({"roleArn": ROLE, "sizeInGiB": 10, "tagSpecifications": [{"resourceType": "volume", "tags": [{"key": "AmazonECSManaged", "value": ""}]}]})),
                vec![format!("{path}.tagSpecifications[0].tags[0].key: InvalidValue: AmazonECSManaged: ECS keeps this tag to itself")],
            ),
            (
                of("cache", ten()),
                vec![
                    "volumeConfigurations[0].name: UnknownVolume: volume cache does not exist in the task definition; add it to volumes, or correct the name".to_owned(),
                    "volumes[0].configuredAtLaunch: VolumeNotConfiguredAtLaunch: volume data needs an entry in volumeConfigurations; add one with managedEBSVolume and this name".to_owned(),
                ],
            ),
        ] {
            let mut found = Scenario::service(DB).request(request).rejections();
            found.sort_by_key(|line| !line.starts_with("volumeConfigurations"));
            assert_eq!(found, rejections);
        }
        let fargate = Scenario::service(DB.replace("\"family\"", "\"networkMode\": \"awsvpc\", \"family\""))
            .request(json!({"launchType": "FARGATE", "volumeConfigurations": [{"name": "data", "managedEBSVolume": ten()}]}).to_string());
        assert!(fargate.clone().run().objects_of("StorageClass").len() == 1);
        assert_eq!(
            fargate
                .settings(|settings| settings.compute = Compute::EksFargate)
                .rejections(),
            [
                "volumeConfigurations[0].name: EbsOnFargate: EKS Fargate cannot mount EBS volumes; use EFS or run on nodes"
            ]
        );
        let plain = DB.replace(
            "\"configuredAtLaunch\": true",
            "\"configuredAtLaunch\": false",
        );
        assert_eq!(
            Scenario::service(plain)
                .request(of("data", ten()))
                .rejections(),
            [
                "volumeConfigurations[0].name: InvalidValue: data: the volume of the task definition needs configuredAtLaunch: true"
            ]
        );
    }
}
