//! Target tracking policies.

use super::{Metric, ReplacedSteps, Scope, metric};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// A policy that keeps a metric at a value.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetTracking {
    /// The position in `scalingPolicies`.
    pub index: usize,
    /// The policy's name.
    pub name: String,
    /// The metric.
    pub metric: Metric,
    /// The value to keep; percent for CPU and memory.
    pub target_value: f64,
    /// Seconds between additions, if given.
    pub scale_out_cooldown: Option<i64>,
    /// Seconds between removals, if given (ECS: 300).
    pub scale_in_cooldown: Option<i64>,
    /// Whether this policy never removes tasks.
    pub disable_scale_in: bool,
    /// The step scaling policies in whose place an autoscaler keeps the value; `None` for target tracking.
    pub replaced_steps: Option<ReplacedSteps>,
}

/// Validates a target tracking policy; returns `None` if its metric cannot be determined.
pub(super) fn validate(
    index: usize,
    name: String,
    raw: &ecs::TargetTrackingScalingPolicyConfiguration,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<TargetTracking> {
    let metric = metric::validate(raw, scope, path, sink);
    let at = path.field("TargetValue");
    match raw.target_value {
        None => sink.report(
            at,
            Message::RequiredField {
                name: "TargetValue".to_owned(),
            },
        ),
        Some(value) if !value.is_finite() || value <= 0.0 => sink.report(
            at,
            Message::InvalidValue {
                value: value.to_string(),
                allowed: "must be a number above 0".to_owned(),
            },
        ),
        Some(_) => {}
    }
    Some(TargetTracking {
        index,
        name,
        metric: metric?,
        target_value: raw.target_value?,
        scale_out_cooldown: raw.scale_out_cooldown,
        scale_in_cooldown: raw.scale_in_cooldown,
        disable_scale_in: raw.disable_scale_in.unwrap_or(false),
        replaced_steps: None,
    })
}

/// Returns the name of the alarm by which target tracking adds tasks.
#[must_use]
pub fn high_alarm(policy: &str) -> String {
    format!("{policy}/AlarmHigh")
}

/// Returns the name of the alarm by which target tracking removes tasks.
#[must_use]
pub fn low_alarm(policy: &str) -> String {
    format!("{policy}/AlarmLow")
}
