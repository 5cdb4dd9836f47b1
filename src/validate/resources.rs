//! CPU, memory and GPUs of containers and of the task.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath},
    ecs,
};

/// CPU and memory of a whole task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskSize {
    /// CPU units of 1/1024 vCPU.
    pub cpu_units: Option<i64>,
    /// Memory in MiB.
    pub memory_mib: Option<i64>,
}

/// CPU, memory and GPUs of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerResources {
    /// CPU units of 1/1024 vCPU; 0 or absent in ECS is `None` here.
    pub cpu_units: Option<i64>,
    /// The hard limit in MiB.
    pub memory_mib: Option<i64>,
    /// The soft limit in MiB.
    pub memory_reservation_mib: Option<i64>,
    /// Whole GPUs.
    pub gpus: Option<i64>,
}

/// Validates `cpu` and `memory` of the task, the sums of its containers and Fargate's sizes.
pub(crate) fn validate_task_size(_scope: &Scope<'_>, _sink: &mut Diagnostics) -> TaskSize {
    TaskSize::default()
}

/// Validates `cpu`, `memory`, `memoryReservation` and `resourceRequirements` of a container.
pub(crate) fn validate_container_resources(
    _raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> ContainerResources {
    ContainerResources::default()
}
