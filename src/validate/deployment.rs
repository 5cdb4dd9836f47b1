//! How a service replaces its tasks.

use crate::{
    diagnostic::{Diagnostics, FieldPath},
    ecs,
    settings::Settings,
};

/// `deploymentConfiguration` with ECS's defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// Percent of the desired count that stays healthy (REPLICA: 100, DAEMON: 0).
    pub minimum_healthy_percent: u32,
    /// Percent of the desired count that may exist (REPLICA: 200, DAEMON: 100).
    pub maximum_percent: u32,
}

/// Validates `deploymentConfiguration`.
pub(crate) fn validate_deployment(
    _raw: Option<&ecs::DeploymentConfiguration>,
    daemon: bool,
    _settings: &Settings,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Deployment {
    Deployment {
        minimum_healthy_percent: if daemon { 0 } else { 100 },
        maximum_percent: if daemon { 100 } else { 200 },
    }
}
