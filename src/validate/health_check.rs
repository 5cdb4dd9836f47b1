//! Container health checks and restart policies.

use std::ops::RangeInclusive;

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// A container health check with ECS's defaults filled in. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The argument vector that the probe runs; `CMD-SHELL` is already replaced by the platform's shell.
    pub command: Vec<String>,
    /// Seconds between checks.
    pub interval: i64,
    /// Seconds until a check counts as failed.
    pub timeout: i64,
    /// Consecutive failures that make the container unhealthy.
    pub retries: i64,
    /// Seconds after the start in which failures do not count.
    pub start_period: i64,
}

/// An enabled container restart policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Exit codes that do not cause a restart.
    pub ignored_exit_codes: Vec<i64>,
    /// `restartAttemptPeriod` in seconds, if it is not its default of 300.
    pub attempt_period: Option<i64>,
}

/// Whether `raw` has a health check that ECS runs.
pub(crate) fn has_health_check(raw: &ecs::ContainerDefinition) -> bool {
    raw.health_check
        .as_ref()
        .and_then(|check| check.command.first())
        .is_some_and(|first| first != "NONE")
}

/// Validates `healthCheck`; returns `None` for `["NONE"]`.
///
/// The reader rejects numbers out of range; here they are clamped, so that nothing divides by zero.
pub(crate) fn validate_health_check(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<HealthCheck> {
    let raw = raw.health_check.as_ref()?;
    let command = match argument_vector(&raw.command, scope.windows) {
        Ok(command) => command?,
        Err(value) => {
            sink.report(
                path.field("healthCheck").field("command"),
                Message::InvalidValue {
                    value,
                    allowed: "a command after CMD or CMD-SHELL, or NONE alone".to_owned(),
                },
            );
            return None;
        }
    };
    use ecs::HealthCheck as Raw;
    Some(HealthCheck {
        command,
        interval: within(&Raw::INTERVAL_RANGE, raw.interval, Raw::DEFAULT_INTERVAL),
        timeout: within(&Raw::TIMEOUT_RANGE, raw.timeout, Raw::DEFAULT_TIMEOUT),
        retries: within(&Raw::RETRIES_RANGE, raw.retries, Raw::DEFAULT_RETRIES),
        start_period: within(&Raw::START_PERIOD_RANGE, raw.start_period, 0),
    })
}

/// A number or its default. The reader has rejected those out of range, but a request may be made by hand.
fn within(range: &RangeInclusive<i64>, value: Option<i64>, default: i64) -> i64 {
    value.unwrap_or(default).clamp(*range.start(), *range.end())
}

/// Returns what the probe runs: `None` for `NONE`, or an error with the offending text if there is no command.
///
/// `CMD-SHELL` is one string for the container's default shell: `/bin/sh -c` on Linux, `cmd /S /C` on Windows, as in
/// Docker. Without either word, the list is run as it is.
fn argument_vector(command: &[String], windows: bool) -> Result<Option<Vec<String>>, String> {
    let rest = command.get(1..).unwrap_or_default();
    let vector = match command.first().map(String::as_str) {
        None => return Err("an empty list".to_owned()),
        Some("NONE") => return Ok(None),
        Some("CMD") => rest.to_vec(),
        Some("CMD-SHELL") if rest.is_empty() => Vec::new(),
        Some("CMD-SHELL") => {
            let shell: &[&str] = if windows {
                &["cmd", "/S", "/C"]
            } else {
                &["/bin/sh", "-c"]
            };
            let shell = shell.iter().map(|word| (*word).to_owned());
            shell.chain(rest.iter().cloned()).collect()
        }
        Some(_) => command.to_vec(),
    };
    if vector.is_empty() {
        Err(command.join(" "))
    } else {
        Ok(Some(vector))
    }
}

/// Validates `restartPolicy`; returns `None` if it is not enabled.
///
/// The reader rejects exit codes out of range; no process can exit with one.
pub(crate) fn validate_restart(
    raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Option<Restart> {
    let raw = raw.restart_policy.as_ref()?;
    let ignored = raw.ignored_exit_codes.iter().copied();
    (raw.enabled == Some(true)).then(|| Restart {
        // Kubernetes accepts each code only once.
        ignored_exit_codes: ignored.filter(|code| (0..=255).contains(code)).fold(
            Vec::new(),
            |mut codes, code| {
                if !codes.contains(&code) {
                    codes.push(code);
                }
                codes
            },
        ),
        attempt_period: raw.restart_attempt_period.filter(|seconds| *seconds != 300),
    })
}
