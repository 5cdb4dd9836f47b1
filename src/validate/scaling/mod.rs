//! Application Auto Scaling: the scalable target, its policies and scheduled actions.

mod alarm;
mod identity;
mod metric;
mod schedule;
mod step;
mod target_tracking;

use std::collections::BTreeSet;

pub use alarm::{Alarm, AlarmRule, Comparison, Missing};
pub use metric::{CloudWatchMetric, Metric};
pub use schedule::ScheduledAction;
pub use step::{Adjustment, Step, StepPolicy, StepScaling};
pub use target_tracking::TargetTracking;

use self::identity::identity;
use super::TaskDefinition;
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    settings::{Mode, Settings},
};

/// The most scheduled actions of one service, as in AWS
/// (<https://docs.aws.amazon.com/general/latest/gr/as-app.html>).
const MOST_ACTIONS: usize = 200;

/// The scaling of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AutoScaling {
    /// The smallest number of tasks.
    pub min_capacity: i64,
    /// The largest number of tasks.
    pub max_capacity: i64,
    /// Whether target tracking may not remove tasks.
    pub scale_in_suspended: bool,
    /// Whether target tracking may not add tasks.
    pub scale_out_suspended: bool,
    /// The target tracking policies, in order.
    pub policies: Vec<TargetTracking>,
    /// The positions of predictive policies that only forecast.
    pub forecast_only: Vec<usize>,
    /// The step scaling policies, in order.
    pub step_policies: Vec<StepPolicy>,
    /// The scheduled actions, in order.
    pub scheduled_actions: Vec<ScheduledAction>,
    /// Whether scheduled actions have no effect.
    pub scheduled_suspended: bool,
}

impl AutoScaling {
    /// Whether an autoscaler is created. With a maximum capacity of 0 there is nothing to scale: the desired count is
    /// 0.
    #[must_use]
    pub fn has_autoscaler(&self) -> bool {
        !self.policies.is_empty() && self.max_capacity != 0
    }

    /// Whether no policy removes tasks: scale-in is suspended, or each policy disables it.
    #[must_use]
    pub fn never_scales_in(&self) -> bool {
        self.scale_in_suspended || self.policies.iter().all(|policy| policy.disable_scale_in)
    }
}

/// The context for the validation of one scaling request.
struct Scope<'a> {
    settings: &'a Settings,
    service_name: &'a str,
    task_definition: &'a TaskDefinition,
}

/// Validates `autoScaling`; `None` when it is absent.
pub(crate) fn validate_scaling(
    raw: Option<&crd::AutoScaling>,
    service_name: &str,
    daemon: bool,
    task_definition: &TaskDefinition,
    settings: &Settings,
    sink: &mut Diagnostics,
) -> Option<AutoScaling> {
    let raw = raw?;
    let root = FieldPath::root(Subject::AutoScaling);
    let scope = Scope {
        settings,
        service_name,
        task_definition,
    };
    if daemon {
        sink.report(root.clone(), Message::DaemonAutoScaling);
        return None;
    }
    let mut scaling = AutoScaling::default();
    let at = root.field("scalableTarget");
    match &raw.scalable_target {
        Some(target) => scalable_target(target, &scope, &mut scaling, &at, sink),
        None => sink.report(
            at,
            Message::RequiredField {
                name: "scalableTarget (RegisterScalableTarget)".to_owned(),
            },
        ),
    }
    policies(
        &raw.scaling_policies,
        &scope,
        &mut scaling,
        &root.field("scalingPolicies"),
        sink,
    );
    scheduled_actions(
        &raw.scheduled_actions,
        &scope,
        &mut scaling,
        &root.field("scheduledActions"),
        sink,
    );
    Some(scaling)
}

/// Returns the range of a service and its scheduled actions, without its policies; `None` if they are not valid.
#[must_use]
pub fn scheduled_scaling(raw: &crd::AutoScaling) -> Option<AutoScaling> {
    let mut sink = Diagnostics::new();
    let root = FieldPath::root(Subject::AutoScaling);
    let mut scaling = AutoScaling::default();
    let target = raw.scalable_target.as_ref()?;
    range(target, &mut scaling, &root, &mut sink);
    if raw.scheduled_actions.len() > MOST_ACTIONS {
        return None;
    }
    let mut names = BTreeSet::new();
    for (index, action) in raw.scheduled_actions.iter().enumerate() {
        let action = schedule::validate(index, action, &root, &mut sink)?;
        if !names.insert(action.name.clone()) {
            return None;
        }
        scaling.scheduled_actions.push(action);
    }
    (!sink.has_errors()).then_some(scaling)
}

fn scalable_target(
    raw: &ecs::ScalableTarget,
    scope: &Scope<'_>,
    scaling: &mut AutoScaling,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let id = [
        &raw.service_namespace,
        &raw.resource_id,
        &raw.scalable_dimension,
    ];
    identity(id, scope, path, sink);
    range(raw, scaling, path, sink);
}

/// Validates the range, and what is suspended.
fn range(
    raw: &ecs::ScalableTarget,
    scaling: &mut AutoScaling,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let mut capacity = |name: &'static str, value: Option<i64>| {
        let value = value.filter(|value| (0..=i64::from(i32::MAX)).contains(value));
        value.unwrap_or_else(|| {
            sink.report(
                path.field(name),
                Message::RequiredField {
                    name: name.to_owned(),
                },
            );
            0
        })
    };
    scaling.min_capacity = capacity("MinCapacity", raw.min_capacity);
    scaling.max_capacity = capacity("MaxCapacity", raw.max_capacity);
    if scaling.min_capacity > scaling.max_capacity {
        sink.report(
            path.field("MinCapacity"),
            Message::CapacityOrder {
                min: scaling.min_capacity.to_string(),
                max: scaling.max_capacity.to_string(),
            },
        );
    }
    if let Some(state) = &raw.suspended_state {
        scaling.scale_in_suspended = state.dynamic_scaling_in_suspended.unwrap_or(false);
        scaling.scale_out_suspended = state.dynamic_scaling_out_suspended.unwrap_or(false);
        scaling.scheduled_suspended = state.scheduled_scaling_suspended.unwrap_or(false);
    }
}

fn policies(
    raw: &[ecs::ScalingPolicy],
    scope: &Scope<'_>,
    scaling: &mut AutoScaling,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let mut names = BTreeSet::new();
    for (index, policy) in raw.iter().enumerate() {
        let path = path.index(index);
        let id = [
            &policy.service_namespace,
            &policy.resource_id,
            &policy.scalable_dimension,
        ];
        identity(id, scope, &path, sink);
        match policy.policy_name.as_deref() {
            Some(name) if !names.insert(name) => {
                sink.report(
                    path.field("PolicyName"),
                    Message::DuplicateScalingPolicy {
                        value: name.to_owned(),
                    },
                );
            }
            Some(_) => {}
            None => sink.report(
                path.field("PolicyName"),
                Message::RequiredField {
                    name: "PolicyName".to_owned(),
                },
            ),
        }
        if has_its_configuration(policy, &path, sink) {
            self::policy(index, policy, scope, scaling, &path, sink);
        }
    }
}

/// Whether the policy has the configuration of its type and no other.
fn has_its_configuration(
    policy: &ecs::ScalingPolicy,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> bool {
    let given = [
        policy.step_scaling_policy_configuration.is_some(),
        policy
            .target_tracking_scaling_policy_configuration
            .is_some(),
        policy.predictive_scaling_policy_configuration.is_some(),
    ];
    let (expected, member) = match policy.policy_type.as_deref() {
        Some("StepScaling") => ([true, false, false], "StepScalingPolicyConfiguration"),
        Some("TargetTrackingScaling") => (
            [false, true, false],
            "TargetTrackingScalingPolicyConfiguration",
        ),
        Some("PredictiveScaling") => ([false, false, true], "PredictiveScalingPolicyConfiguration"),
        _ => {
            sink.report(path.field("PolicyType"), Message::PolicyTypeRequired);
            return false;
        }
    };
    if given != expected {
        sink.report(
            path.field("PolicyType"),
            Message::PolicyConfigurationMismatch {
                policy: policy.policy_type.clone().unwrap_or_default(),
                member: member.to_owned(),
            },
        );
    }
    given == expected
}

fn policy(
    index: usize,
    raw: &ecs::ScalingPolicy,
    scope: &Scope<'_>,
    scaling: &mut AutoScaling,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    if let Some(configuration) = &raw.target_tracking_scaling_policy_configuration {
        let at = path.field("TargetTrackingScalingPolicyConfiguration");
        let name = raw.policy_name.clone().unwrap_or_default();
        scaling.policies.extend(target_tracking::validate(
            index,
            name,
            configuration,
            scope,
            &at,
            sink,
        ));
    }
    if let Some(configuration) = &raw.step_scaling_policy_configuration {
        step::validate(
            configuration,
            &path.field("StepScalingPolicyConfiguration"),
            sink,
        );
        match scope.settings.mode {
            Mode::Convert => sink.report(
                path.field("PolicyType"),
                Message::StepScalingNeedsController,
            ),
            Mode::Controller if raw.alarm.is_none() => {
                sink.report(path.field("Alarm"), Message::StepScalingNeedsAlarm);
            }
            Mode::Controller => scaling.step_policies.extend(step::read(index, raw)),
        }
    }
    if let Some(configuration) = &raw.predictive_scaling_policy_configuration {
        if configuration.mode.as_deref() == Some("ForecastAndScale") {
            let at = path
                .field("PredictiveScalingPolicyConfiguration")
                .field("Mode");
            sink.report(at, Message::PredictiveScalingUnsupported);
        } else {
            scaling.forecast_only.push(index);
        }
    }
}

fn scheduled_actions(
    raw: &[ecs::ScheduledAction],
    scope: &Scope<'_>,
    scaling: &mut AutoScaling,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    if raw.len() > MOST_ACTIONS {
        let message = Message::InvalidValue {
            value: format!("{} scheduled actions", raw.len()),
            allowed: format!("must be {MOST_ACTIONS} at most"),
        };
        sink.report(path.clone(), message);
        return;
    }
    let mut names = BTreeSet::new();
    for (index, action) in raw.iter().enumerate() {
        let path = path.index(index);
        let id = [
            &action.service_namespace,
            &action.resource_id,
            &action.scalable_dimension,
        ];
        identity(id, scope, &path, sink);
        if let Some(name) = action.scheduled_action_name.as_deref()
            && !names.insert(name)
        {
            let at = path.field("ScheduledActionName");
            sink.report(
                at,
                Message::DuplicateScheduledAction {
                    value: name.to_owned(),
                },
            );
        }
        let action = schedule::validate(index, action, &path, sink);
        match scope.settings.mode {
            Mode::Convert => sink.report(
                path.field("Schedule"),
                Message::ScheduledActionNeedsController,
            ),
            Mode::Controller => scaling.scheduled_actions.extend(action),
        }
    }
}

#[cfg(test)]
mod tests;
