//! Log drivers and FireLens.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath},
    ecs,
};

/// Where the logs of a container go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// Whether the FireLens log router of the task takes them.
    pub firelens: bool,
}

/// The log router of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firelens {
    /// Whether records carry the task's metadata.
    pub log_metadata: bool,
}

/// Validates `logConfiguration`.
pub(crate) fn validate_logging(
    _raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Logging {
    Logging::default()
}

/// Validates `firelensConfiguration`.
pub(crate) fn validate_firelens(
    _raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Option<Firelens> {
    None
}
