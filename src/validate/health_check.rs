//! Container health checks and restart policies.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath},
    ecs,
};

/// A container health check with ECS's defaults filled in. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The argument vector that the probe runs (`CMD-SHELL` is already `/bin/sh -c`).
    pub command: Vec<String>,
    /// Seconds between checks.
    pub interval: i64,
    /// Seconds until a check counts as failed.
    pub timeout: i64,
    /// Failures in a row that make the container unhealthy.
    pub retries: i64,
    /// Seconds at the start in which failures don't count.
    pub start_period: i64,
}

/// An enabled container restart policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Exit codes that do not lead to a restart.
    pub ignored_exit_codes: Vec<i64>,
    /// Whether `restartAttemptPeriod` is set to something else than its default.
    pub attempt_period: Option<i64>,
}

/// Validates `healthCheck`; `["NONE"]` is no check.
pub(crate) fn validate_health_check(
    _raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Option<HealthCheck> {
    None
}

/// Validates `restartPolicy`.
pub(crate) fn validate_restart(
    _raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Option<Restart> {
    None
}
