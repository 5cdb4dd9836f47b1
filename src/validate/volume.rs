//! Volumes of a task definition.

use std::collections::BTreeSet;

use super::{FileSystem, Scope, SmbShare, docker_volume, efs, fsx, mount::is_absolute};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
};

/// A volume of a task definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The position in `volumes`.
    pub index: usize,
    /// The name in ECS.
    pub name: String,
    /// The location of the data.
    pub source: VolumeSource,
}

/// The location of a volume's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// A directory that lives as long as the task.
    Empty,
    /// A directory in memory that lives as long as the task.
    Memory {
        /// The maximum size in bytes; half of the node's memory if absent.
        size: Option<u64>,
        /// Mount options that are not supported for a volume of a pod.
        other_options: Vec<String>,
    },
    /// A file or directory of the node.
    HostPath {
        /// Its path on the node.
        path: String,
    },
    /// A directory of the node that all tasks with a volume of this name share.
    NodeDirectory {
        /// Whether it is created if it does not exist.
        autoprovision: bool,
    },
    /// An export of an NFS server.
    Nfs {
        /// The server's name or address.
        server: String,
        /// The exported directory.
        path: String,
        /// Whether it is read-only.
        read_only: bool,
        /// Mount options that are not supported for a volume of a pod.
        other_options: Vec<String>,
    },
    /// A file system that many tasks share.
    FileSystem(FileSystem),
    /// A share of a Windows file server.
    Smb(SmbShare),
    /// A volume that the service or task configures (Amazon EBS).
    ConfiguredAtLaunch,
}

/// Validates `volumes`.
pub(crate) fn validate_volumes(scope: &Scope<'_>, sink: &mut Diagnostics) -> Vec<Volume> {
    let root = FieldPath::root(Subject::TaskDefinition).field("volumes");
    let mut names = BTreeSet::new();
    let mut volumes: Vec<Volume> = Vec::new();
    for (index, raw) in scope.request.volumes.iter().enumerate() {
        let path = root.index(index);
        let name = raw.name.clone().unwrap_or_default();
        if name.is_empty() {
            let name = "name".to_owned();
            sink.report(path.field("name"), Message::RequiredField { name });
        } else if !names.insert(name.clone()) {
            let value = name.clone();
            sink.report(path.field("name"), Message::DuplicateVolume { value });
        }
        let source = source(raw, &name, scope, &path, sink);
        if let VolumeSource::FileSystem(file_system) = &source {
            check_same_options(&name, file_system, &volumes, &path, sink);
        }
        volumes.push(Volume {
            index,
            name,
            source,
        });
    }
    volumes
}

fn source(
    raw: &ecs::Volume,
    name: &str,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> VolumeSource {
    let ecs::Volume {
        name: _,
        host,
        docker_volume_configuration,
        efs_volume_configuration,
        s3files_volume_configuration,
        fsx_windows_file_server_volume_configuration,
        configured_at_launch,
    } = raw;
    let host_path = host
        .as_ref()
        .and_then(|host| host.source_path.as_deref())
        .filter(|path| !path.is_empty());
    let at_launch = *configured_at_launch == Some(true);
    let given = [
        host_path.is_some(),
        docker_volume_configuration.is_some(),
        efs_volume_configuration.is_some(),
        s3files_volume_configuration.is_some(),
        fsx_windows_file_server_volume_configuration.is_some(),
        at_launch,
    ];
    if given.iter().filter(|given| **given).count() > 1 {
        let name = name.to_owned();
        sink.report(path.clone(), Message::MultipleVolumeSources { name });
    }
    if let Some(host_path) = host_path {
        let path = path.field("host").field("sourcePath");
        host_directory(host_path, scope, &path, sink)
    } else if let Some(docker) = docker_volume_configuration {
        let path = path.field("dockerVolumeConfiguration");
        docker_volume::validate_docker_volume(docker, scope, &path, sink)
    } else if let Some(efs) = efs_volume_configuration {
        let path = path.field("efsVolumeConfiguration");
        VolumeSource::FileSystem(efs::validate_efs(efs, scope, &path, sink))
    } else if let Some(s3_files) = s3files_volume_configuration {
        let path = path.field("s3filesVolumeConfiguration");
        efs::validate_s3_files(s3_files, scope, &path, sink)
            .map_or(VolumeSource::Empty, VolumeSource::FileSystem)
    } else if let Some(fsx) = fsx_windows_file_server_volume_configuration {
        let path = path.field("fsxWindowsFileServerVolumeConfiguration");
        fsx::validate_fsx(fsx, scope, &path, sink).map_or(VolumeSource::Empty, VolumeSource::Smb)
    } else if at_launch {
        if !scope.configured_volumes.contains(&name) {
            let name = name.to_owned();
            let path = path.field("configuredAtLaunch");
            sink.report(path, Message::VolumeNotConfiguredAtLaunch { name });
        }
        VolumeSource::ConfiguredAtLaunch
    } else {
        VolumeSource::Empty
    }
}

fn host_directory(
    host_path: &str,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> VolumeSource {
    if scope.fargate {
        sink.report(path.clone(), Message::FargateHostVolume);
    }
    let allowed = if !is_absolute(host_path, scope.windows) {
        Some("an absolute path is needed")
    } else if host_path.split(['/', '\\']).any(|part| part == "..") {
        Some("a path on the node must not contain '..'")
    } else {
        None
    };
    if let Some(allowed) = allowed {
        let value = host_path.to_owned();
        let allowed = allowed.to_owned();
        sink.report(path.clone(), Message::InvalidValue { value, allowed });
    }
    VolumeSource::HostPath {
        path: host_path.to_owned(),
    }
}

/// Checks that two volumes of a task that the CSI driver cannot distinguish are mounted with the same options.
fn check_same_options(
    name: &str,
    file_system: &FileSystem,
    earlier: &[Volume],
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let conflicting = earlier.iter().find(|volume| {
        matches!(&volume.source, VolumeSource::FileSystem(other)
            if other.same_files(file_system) && other != file_system)
    });
    if let Some(other) = conflicting {
        let (a, b) = (other.name.clone(), name.to_owned());
        let path = path.field("efsVolumeConfiguration");
        sink.report(path, Message::EfsConflictingOptions { a, b });
    }
}
