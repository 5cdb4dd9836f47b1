//! Volumes and mounts.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::core::v1::{
        EmptyDirVolumeSource, HostPathVolumeSource, NFSVolumeSource,
        PersistentVolumeClaimVolumeSource, Volume as PodVolume, VolumeMount,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::{Draft, file_system};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::{Context, LABEL_LENGTH, kname, mebibytes},
    validate::{Container, FileSystem, FileSystemKind, ImageVolumes, Mount, Volume, VolumeSource},
};

/// Where the directories of shared Docker volumes are on a node.
const NODE_DIRECTORIES: &str = "/var/lib/ecs-operator/volumes";

/// Adds this feature's part to the pod.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let volumes = &cx.task_definition.volumes;
    let mut names = BTreeMap::new();
    // The pod volume of each file system. A pod must not have two volumes of one volume handle
    // (https://github.com/kubernetes/kubernetes/issues/132921).
    let mut file_systems: BTreeMap<String, String> = BTreeMap::new();
    for volume in volumes {
        let name = kname(&volume.name, LABEL_LENGTH);
        if let VolumeSource::FileSystem(file_system) = &volume.source {
            if let Some(first) = file_systems.get(&file_system.identity()) {
                names.insert(volume.name.as_str(), first.clone());
                continue;
            }
            file_systems.insert(file_system.identity(), name.clone());
        }
        if let Some(mut pod_volume) = pod_volume(cx, volume, draft) {
            pod_volume.name.clone_from(&name);
            draft.spec.volumes.get_or_insert_default().push(pod_volume);
        }
        if name != volume.name {
            let message = Message::NameSanitized {
                original: volume.name.clone(),
                name: name.clone(),
            };
            notes.report(path_of(volume).field("name"), message);
        }
        names.insert(volume.name.as_str(), name);
    }
    for container in &cx.task_definition.containers {
        mount(container, &names, draft);
    }
    report(cx, notes);
}

fn path_of(volume: &Volume) -> FieldPath {
    FieldPath::root(Subject::TaskDefinition)
        .field("volumes")
        .index(volume.index)
}

/// The volume in the pod, still without its name; none for one that is configured at launch, which is made there.
fn pod_volume(cx: &Context<'_>, volume: &Volume, draft: &mut Draft) -> Option<PodVolume> {
    let mut result = PodVolume::default();
    match &volume.source {
        VolumeSource::Empty => result.empty_dir = Some(EmptyDirVolumeSource::default()),
        VolumeSource::Memory { size } => {
            result.empty_dir = Some(EmptyDirVolumeSource {
                medium: Some("Memory".to_owned()),
                size_limit: size.map(bytes),
            });
        }
        VolumeSource::HostPath { path } => {
            // Without a type the container runtime makes what is missing, as Docker does.
            result.host_path = Some(HostPathVolumeSource {
                path: path.clone(),
                type_: None,
            });
        }
        VolumeSource::NodeDirectory { autoprovision } => {
            let kind = if *autoprovision {
                "DirectoryOrCreate"
            } else {
                "Directory"
            };
            result.host_path = Some(HostPathVolumeSource {
                path: format!("{NODE_DIRECTORIES}/{}", directory_name(&volume.name)),
                type_: Some(kind.to_owned()),
            });
        }
        VolumeSource::Nfs {
            server,
            path,
            read_only,
        } => {
            result.nfs = Some(NFSVolumeSource {
                server: server.clone(),
                path: path.clone(),
                read_only: read_only.then_some(true),
            });
        }
        VolumeSource::FileSystem(file_system) => {
            let claim_name = file_system::claim(cx, file_system, &mut draft.objects);
            result.persistent_volume_claim = Some(PersistentVolumeClaimVolumeSource {
                claim_name,
                read_only: None,
            });
        }
        VolumeSource::ConfiguredAtLaunch => return None,
    }
    Some(result)
}

/// A quantity of bytes, in MiB if it is a whole number of them.
fn bytes(size: u64) -> Quantity {
    match i64::try_from(size >> 20) {
        Ok(whole) if whole > 0 && size.trailing_zeros() >= 20 => mebibytes(whole),
        _ => Quantity(size.to_string()),
    }
}

/// The name of a volume as the name of a directory.
fn directory_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.chars().all(plain) && name.chars().any(|c| c != '.') {
        name.to_owned()
    } else {
        kname(name, LABEL_LENGTH)
    }
}

fn mount(container: &Container, names: &BTreeMap<&str, String>, draft: &mut Draft) {
    let mounts: Vec<_> = container
        .mounts
        .iter()
        .filter_map(|mount| {
            let Mount {
                volume,
                container_path,
                read_only,
            } = mount;
            Some(VolumeMount {
                name: names.get(volume.as_str())?.clone(),
                mount_path: container_path.clone(),
                read_only: read_only.then_some(true),
                ..VolumeMount::default()
            })
        })
        .collect();
    if mounts.is_empty() {
        return;
    }
    if let Some(container) = draft.container_mut(container.index) {
        container
            .volume_mounts
            .get_or_insert_default()
            .extend(mounts);
    }
}

fn report(cx: &Context<'_>, notes: &mut Diagnostics) {
    let volumes = &cx.task_definition.volumes;
    let mounted: BTreeSet<_> = cx
        .task_definition
        .containers
        .iter()
        .flat_map(|container| &container.mounts)
        .map(|mount| mount.volume.as_str())
        .collect();
    let first_empty = volumes.iter().find(|volume| {
        volume.source == VolumeSource::Empty && mounted.contains(volume.name.as_str())
    });
    if let Some(volume) = first_empty {
        notes.report(path_of(volume), Message::EmptyVolumeNotPrepopulated);
    }
    let mut seen = BTreeSet::new();
    for volume in volumes {
        match &volume.source {
            VolumeSource::NodeDirectory { autoprovision: _ } => {
                let path = path_of(volume).field("dockerVolumeConfiguration");
                notes.report(path.field("scope"), Message::SharedDockerVolumeIsHostPath);
            }
            VolumeSource::FileSystem(file_system) if seen.insert(file_system.identity()) => {
                report_file_system(volume, file_system, notes);
            }
            _ => {}
        }
    }
    for container in &cx.task_definition.containers {
        for ImageVolumes {
            index,
            container: name,
        } in &container.image_volumes
        {
            let path = FieldPath::root(Subject::TaskDefinition)
                .field("containerDefinitions")
                .index(container.index)
                .field("volumesFrom")
                .index(*index);
            let name = name.clone();
            notes.report(path, Message::VolumesFromImageVolumes { name });
        }
    }
}

fn report_file_system(volume: &Volume, file_system: &FileSystem, notes: &mut Diagnostics) {
    let path = path_of(volume);
    match file_system.kind {
        FileSystemKind::S3Files => {
            let path = path.field("s3filesVolumeConfiguration");
            notes.report(path, Message::RequiresEfsCsiDriver3);
        }
        FileSystemKind::Efs if file_system.iam => {
            let path = path
                .field("efsVolumeConfiguration")
                .field("authorizationConfig")
                .field("iam");
            notes.report(path, Message::EfsIamUsesNodeIdentity);
        }
        FileSystemKind::Efs => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_sizes_are_written_safely() {
        assert_eq!(directory_name("Data_1.x"), "Data_1.x");
        for name in ["", ".", "..", "a/../b", "../../etc"] {
            let directory = directory_name(name);
            assert!(!directory.is_empty(), "{name}");
            assert!(!directory.contains(['.', '/']), "{directory}");
        }
        for (size, expected) in [(64 << 20, "64Mi"), (1 << 30, "1Gi"), (1000, "1000")] {
            assert_eq!(bytes(size).0, expected);
        }
    }
}
