//! Shared file systems as a PersistentVolume and its claim.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        CSIPersistentVolumeSource, ObjectReference, PersistentVolume, PersistentVolumeClaim,
        PersistentVolumeClaimSpec, PersistentVolumeSpec, VolumeResourceRequirements,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use crate::{
    translate::{
        Context, LABEL_LENGTH, Manifests, Object, kname, labels::shared_labels, names::hex_digest,
    },
    validate::{FileSystem, FileSystemKind},
};

/// Kubernetes requires a size, which these file systems do not have.
const CAPACITY: &str = "5Gi";
const READ_WRITE_MANY: &str = "ReadWriteMany";
const FILESYSTEM: &str = "Filesystem";

/// Adds the claim of `file_system` in this namespace to `objects` with its volume, and returns its name.
///
/// All services and tasks of a namespace that mount the same part of a file system in the same way share both.
pub(super) fn claim(cx: &Context<'_>, file_system: &FileSystem, objects: &mut Manifests) -> String {
    let digest = hex_digest(file_system.identity(), 10);
    let options = file_system.iam.then(|| vec!["iam".to_owned()]);
    static_claim(cx, "efs", &digest, |_| csi(file_system), options, objects)
}

/// Adds a claim and its volume, which exists already, to `objects`, and returns the name of the claim. `csi` gets the name
/// of the volume.
///
/// The claim and the volume refer to each other, so that no other claim can bind the volume.
pub(super) fn static_claim(
    cx: &Context<'_>,
    app: &str,
    digest: &str,
    csi: impl FnOnce(&str) -> CSIPersistentVolumeSource,
    mount_options: Option<Vec<String>>,
    objects: &mut Manifests,
) -> String {
    let namespace = &cx.settings.namespace;
    let claim_name = format!("{app}-{digest}");
    let volume_name = kname(&format!("{app}-{namespace}-{digest}"), LABEL_LENGTH);
    objects.push(Object::PersistentVolume(PersistentVolume {
        // A PersistentVolume is cluster-scoped.
        metadata: ObjectMeta {
            name: Some(volume_name.clone()),
            labels: Some(shared_labels(app, &volume_name)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            access_modes: Some(vec![READ_WRITE_MANY.to_owned()]),
            capacity: Some(storage()),
            claim_ref: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("PersistentVolumeClaim".to_owned()),
                name: Some(claim_name.clone()),
                namespace: Some(namespace.clone()),
                ..ObjectReference::default()
            }),
            csi: Some(csi(&volume_name)),
            mount_options,
            // The data outlives every claim.
            persistent_volume_reclaim_policy: Some("Retain".to_owned()),
            storage_class_name: Some(String::new()),
            volume_mode: Some(FILESYSTEM.to_owned()),
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    }));
    objects.push(Object::PersistentVolumeClaim(PersistentVolumeClaim {
        metadata: cx.shared_metadata(&claim_name, app),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec![READ_WRITE_MANY.to_owned()]),
            resources: Some(VolumeResourceRequirements {
                limits: None,
                requests: Some(storage()),
            }),
            storage_class_name: Some(String::new()),
            volume_mode: Some(FILESYSTEM.to_owned()),
            volume_name: Some(volume_name),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }));
    claim_name
}

fn storage() -> BTreeMap<String, Quantity> {
    BTreeMap::from([("storage".to_owned(), Quantity(CAPACITY.to_owned()))])
}

fn csi(file_system: &FileSystem) -> CSIPersistentVolumeSource {
    let FileSystem {
        kind,
        id: _,
        path: _,
        access_point: _,
        tls,
        // A mount option.
        iam: _,
    } = file_system;
    let volume_attributes = match kind {
        FileSystemKind::Efs => Some(BTreeMap::from([(
            "encryptInTransit".to_owned(),
            tls.to_string(),
        )])),
        // The driver always encrypts it.
        FileSystemKind::S3Files => None,
    };
    CSIPersistentVolumeSource {
        driver: "efs.csi.aws.com".to_owned(),
        volume_handle: volume_handle(file_system),
        volume_attributes,
        ..CSIPersistentVolumeSource::default()
    }
}

/// Returns `[s3files:]fs-...[:<path>[:<access point>]]`
/// (<https://github.com/kubernetes-sigs/aws-efs-csi-driver/blob/master/docs/README.md>). The prefix `efs:` is omitted:
/// drivers before version 3 do not support it.
fn volume_handle(file_system: &FileSystem) -> String {
    let prefix = match file_system.kind {
        FileSystemKind::Efs => "",
        FileSystemKind::S3Files => "s3files:",
    };
    let id = &file_system.id;
    match (file_system.path.as_str(), &file_system.access_point) {
        (_, Some(access_point)) => format!("{prefix}{id}::{access_point}"),
        ("/", None) => format!("{prefix}{id}"),
        (path, None) => format!("{prefix}{id}:{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volume_handles_follow_the_grammar_of_the_driver() {
        use FileSystemKind::{Efs, S3Files};
        for (kind, path, access_point, expected) in [
            (Efs, "/", None, "fs-1"),
            (Efs, "/data", None, "fs-1:/data"),
            (Efs, "/", Some("fsap-2"), "fs-1::fsap-2"),
            (S3Files, "/", None, "s3files:fs-1"),
            (S3Files, "/data", None, "s3files:fs-1:/data"),
            (S3Files, "/", Some("fsap-2"), "s3files:fs-1::fsap-2"),
        ] {
            let file_system = FileSystem {
                kind,
                id: "fs-1".to_owned(),
                path: path.to_owned(),
                access_point: access_point.map(str::to_owned),
                tls: true,
                iam: false,
            };
            assert_eq!(volume_handle(&file_system), expected);
        }
    }
}
