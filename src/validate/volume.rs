//! Volumes and mounts.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath},
    ecs,
};

/// A volume of a task definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The position in `volumes`.
    pub index: usize,
    /// The name as ECS has it.
    pub name: String,
    /// Where the data is.
    pub source: VolumeSource,
}

/// Where the data of a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// A directory that lives as long as the task.
    Empty,
    /// A volume that the service or task configures (Amazon EBS).
    ConfiguredAtLaunch,
}

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

/// Validates `volumes`.
pub(crate) fn validate_volumes(_scope: &Scope<'_>, _sink: &mut Diagnostics) -> Vec<Volume> {
    Vec::new()
}

/// Validates `mountPoints` and `volumesFrom` and joins them.
pub(crate) fn validate_mounts(
    _raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Vec<Mount> {
    Vec::new()
}
