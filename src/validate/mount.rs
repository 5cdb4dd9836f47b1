//! Mounts of volumes in containers.

use std::collections::BTreeSet;

use super::{Scope, arn::has_placeholder, device::mounted_paths};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// One mount of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The ECS name of the volume.
    pub volume: String,
    /// The path in the container.
    pub container_path: String,
    /// Whether it is read-only.
    pub read_only: bool,
}

/// An entry of `volumesFrom` that can only refer to the `VOLUME`s of an image: its container has no mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageVolumes {
    /// The position in `volumesFrom`.
    pub index: usize,
    /// The ECS name of the container with that image.
    pub container: String,
}

/// Validates `mountPoints` and `volumesFrom` and combines them.
pub(crate) fn validate_mounts(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<Mount> {
    let mut mounts = Vec::new();
    let mut taken = paths_of_linux_parameters(raw, scope);
    let known: BTreeSet<_> = scope
        .request
        .volumes
        .iter()
        .filter_map(|volume| volume.name.as_deref())
        .collect();
    for (index, mount_point) in raw.mount_points.iter().enumerate() {
        let path = path.field("mountPoints").index(index);
        let Some(mount) = mount_point_of(mount_point, &path, sink) else {
            continue;
        };
        if !known.contains(mount.volume.as_str()) {
            let value = mount.volume.clone();
            let path = path.field("sourceVolume");
            sink.report(path, Message::UnknownVolume { value });
        }
        let path = path.field("containerPath");
        let value = mount.container_path.clone();
        if !taken.insert(plain_path(&value, scope.windows)) {
            let name = raw.name.clone().unwrap_or_default();
            sink.report(path, Message::DuplicateMountPath { value, name });
        } else if let Some(message) = wrong_path(value, scope.windows) {
            sink.report(path, message);
        }
        mounts.push(mount);
    }
    for (index, from) in raw.volumes_from.iter().enumerate() {
        let path = path.field("volumesFrom").index(index);
        check_source_container(raw, from, scope, &path, sink);
    }
    inherit(&mut mounts, &mut taken, raw, scope);
    mounts
}

fn mount_point_of(
    raw: &ecs::MountPoint,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Mount> {
    let mut required = |value: &Option<String>, name: &'static str| {
        let value = value.clone().filter(|value| !value.is_empty());
        if value.is_none() {
            let path = path.field(name);
            let name = name.to_owned();
            sink.report(path, Message::RequiredField { name });
        }
        value
    };
    let volume = required(&raw.source_volume, "sourceVolume");
    let container_path = required(&raw.container_path, "containerPath");
    Some(Mount {
        volume: volume?,
        container_path: container_path?,
        read_only: raw.read_only.unwrap_or(false),
    })
}

fn check_source_container(
    raw: &ecs::ContainerDefinition,
    from: &ecs::VolumeFrom,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let path = path.field("sourceContainer");
    let Some(name) = from
        .source_container
        .clone()
        .filter(|name| !name.is_empty())
    else {
        let name = "sourceContainer".to_owned();
        sink.report(path, Message::RequiredField { name });
        return;
    };
    if raw.name.as_ref() == Some(&name) {
        let allowed = "a container cannot take its own volumes".to_owned();
        let value = name;
        sink.report(path, Message::InvalidValue { value, allowed });
    } else if container(scope, &name).is_none() {
        let value = name;
        sink.report(path, Message::UnknownContainer { value });
    }
}

/// Adds the mounts of the containers in `volumesFrom`, recursively. A container's own mounts have precedence, then
/// later entries, as in Docker.
fn inherit(
    mounts: &mut Vec<Mount>,
    taken: &mut BTreeSet<String>,
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
) {
    let mut visited = BTreeSet::from([raw.name.as_deref().unwrap_or_default()]);
    let later_first = |definition: &'_ ecs::ContainerDefinition, read_only: bool| {
        definition
            .volumes_from
            .iter()
            .map(|from| {
                let name = from.source_container.clone().unwrap_or_default();
                (name, read_only || from.read_only.unwrap_or(false))
            })
            .collect::<Vec<_>>()
    };
    // The last one is processed first.
    let mut open = later_first(raw, false);
    while let Some((name, read_only)) = open.pop() {
        let Some(source) = container(scope, &name) else {
            continue;
        };
        if !visited.insert(source.name.as_deref().unwrap_or_default()) {
            continue;
        }
        for mount_point in &source.mount_points {
            let (Some(volume), Some(container_path)) = (
                mount_point.source_volume.clone(),
                mount_point.container_path.clone(),
            ) else {
                continue;
            };
            if taken.insert(plain_path(&container_path, scope.windows)) {
                mounts.push(Mount {
                    volume,
                    container_path,
                    read_only: read_only || mount_point.read_only.unwrap_or(false),
                });
            }
        }
        open.extend(later_first(source, read_only));
    }
}

/// Returns the entries of `volumesFrom` whose containers have no mounts to share.
pub(crate) fn image_volumes(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
) -> Vec<ImageVolumes> {
    let without_mounts = |from: &ecs::VolumeFrom| {
        let source = container(scope, from.source_container.as_deref()?)?;
        let name = source.name.clone()?;
        (source.mount_points.is_empty() && source.volumes_from.is_empty()).then_some(name)
    };
    raw.volumes_from
        .iter()
        .enumerate()
        .filter_map(|(index, from)| {
            let container = without_mounts(from)?;
            Some(ImageVolumes { index, container })
        })
        .collect()
}

fn container<'a>(scope: &Scope<'a>, name: &str) -> Option<&'a ecs::ContainerDefinition> {
    scope
        .request
        .container_definitions
        .iter()
        .find(|container| container.name.as_deref() == Some(name))
}

/// Returns the paths where `linuxParameters` mounts something.
fn paths_of_linux_parameters(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
) -> BTreeSet<String> {
    let scratch = scratch_paths(raw);
    let devices = mounted_paths(raw, scope);
    let paths = scratch.into_iter().chain(devices);
    paths.map(|path| plain_path(path, scope.windows)).collect()
}

/// Returns the paths where `linuxParameters` mounts memory.
pub(super) fn scratch_paths(raw: &ecs::ContainerDefinition) -> Vec<&str> {
    let Some(parameters) = &raw.linux_parameters else {
        return Vec::new();
    };
    let tmpfs = parameters.tmpfs.iter();
    let shared_memory = parameters.shared_memory_size.map(|_| "/dev/shm");
    tmpfs
        .filter_map(|tmpfs| tmpfs.container_path.as_deref())
        .chain(shared_memory)
        .collect()
}

/// Normalizes a path, so that paths of the same directory become equal: trailing slashes are removed, and on Windows
/// case and the kind of slash do not matter.
fn plain_path(path: &str, windows: bool) -> String {
    let path = if windows {
        path.replace('\\', "/").to_ascii_lowercase()
    } else {
        path.to_owned()
    };
    path.trim_end_matches('/').to_owned()
}

/// Returns the error in a path in a container.
pub(super) fn wrong_path(path: String, windows: bool) -> Option<Message> {
    let rest = match path.split_at_checked(2) {
        Some((drive, rest)) if windows && is_drive(drive) => rest,
        _ => path.as_str(),
    };
    if rest.contains(':') && !has_placeholder(&path) {
        return Some(Message::InvalidMountPath { value: path });
    }
    let allowed = if path.trim_matches('/').is_empty() {
        "the root directory of a container cannot be a mount"
    } else if !is_absolute(&path, windows) {
        "an absolute path is needed"
    } else {
        return None;
    };
    Some(Message::InvalidValue {
        value: path,
        allowed: allowed.to_owned(),
    })
}

/// Whether `path` is absolute, or becomes absolute when its placeholders are filled.
pub(super) fn is_absolute(path: &str, windows: bool) -> bool {
    let on_windows = windows
        && (path.starts_with('\\') || path.split_at_checked(2).is_some_and(|(d, _)| is_drive(d)));
    path.starts_with('/') || on_windows || has_placeholder(path)
}

fn is_drive(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.ends_with(':')
}
