//! Application Auto Scaling: the scalable target, its policies and scheduled actions.

use super::TaskDefinition;
use crate::{crd, diagnostic::Diagnostics, settings::Settings};

/// How a service scales.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AutoScaling {
    /// The smallest number of tasks.
    pub min_capacity: i64,
    /// The largest number of tasks.
    pub max_capacity: i64,
}

/// Validates `autoScaling`; `None` when it is absent.
pub(crate) fn validate_scaling(
    _raw: Option<&crd::AutoScaling>,
    _service_name: &str,
    _daemon: bool,
    _task_definition: &TaskDefinition,
    _settings: &Settings,
    _sink: &mut Diagnostics,
) -> Option<AutoScaling> {
    None
}
