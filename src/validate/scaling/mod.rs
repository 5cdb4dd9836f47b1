//! Application Auto Scaling: the scalable target, its policies and scheduled actions.

mod action;
mod alarm;
mod identity;
mod listed;
mod math;
mod metric;
mod policy;
mod schedule;
mod series;
mod step;
mod steps_as_target;
mod target_tracking;
mod utilization;
mod watched;

use std::collections::BTreeSet;

pub use action::{AlarmAction, PolicyReference, ScaledService};
pub use alarm::{Alarm, AlarmRule, Comparison, Missing};
pub use listed::{AlarmNote, triggered_policies};
pub use math::Math;
pub use metric::{CloudWatchMetric, Metric};
pub use policy::may_be_for_operator;
pub use schedule::ScheduledAction;
pub(super) use schedule::limit;
pub use series::{Series, Statistic};
pub use step::{Adjustment, Step, StepPolicy, StepScaling, Trigger};
pub use steps_as_target::{Pace, ReplacedSteps};
pub use target_tracking::{TargetTracking, high_alarm, low_alarm};

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

/// The most policies and the most alarms of one service. Each alarm may trigger each policy.
const MOST_POLICIES: usize = 100;

/// The scaling of a service.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a member of the requests, and all combinations occur"
)]
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
    /// The step scaling policies, in order, each once for each alarm that it has; none without the operator.
    pub step_policies: Vec<StepPolicy>,
    /// What alarms beside the policies do not do.
    pub alarm_notes: Vec<AlarmNote>,
    /// The scheduled actions, in order.
    pub scheduled_actions: Vec<ScheduledAction>,
    /// Whether scheduled actions have no effect.
    pub scheduled_suspended: bool,
    /// Whether the owner wants the operator to run the policies also where an autoscaler could.
    pub asks_operator: bool,
    /// Whether the operator runs the policies, and no autoscaler does.
    pub by_operator: bool,
}

impl AutoScaling {
    /// Whether an autoscaler is created. With a maximum capacity of 0 there is nothing to scale.
    #[must_use]
    pub fn has_autoscaler(&self) -> bool {
        !self.policies.is_empty() && self.max_capacity != 0 && !self.by_operator
    }

    /// Whether an autoscaler or the operator changes the number of tasks.
    #[must_use]
    pub fn is_scaled(&self) -> bool {
        self.has_autoscaler() || self.by_operator && self.max_capacity != 0
    }

    /// Returns what has to be measured for the policies, by their positions and those of [`Trigger::points`].
    pub fn series(&self) -> impl Iterator<Item = (usize, Series)> + '_ {
        let targets = self.policies.iter();
        let targets = targets.map(|policy| (policy.index, Series::tracked(&policy.metric)));
        let steps = self.step_policies.iter();
        let steps = steps.map(|policy| (policy.trigger.points, policy.alarm.series.clone()));
        // An alarm that triggers several policies is measured once.
        let mut seen = BTreeSet::new();
        targets
            .chain(steps)
            .filter(move |(index, _)| seen.insert(*index))
    }

    /// Whether a policy scales by what is measured at one of the positions of [`Self::series`].
    #[must_use]
    pub fn acts_on(&self, position: usize) -> bool {
        let mut triggers = self.step_policies.iter().map(|policy| &policy.trigger);
        self.policies.iter().any(|policy| policy.index == position)
            || triggers.any(|trigger| trigger.points == position && trigger.enabled)
    }

    /// Whether the operator has to run the policies, and can: an autoscaler has no steps, and its owner may ask for it. It
    /// leaves target tracking to an autoscaler if it cannot measure all that one can, unless it runs the policies already. Nothing
    /// else has metric math.
    fn is_for_operator(&self, settings: &Settings) -> bool {
        let is_measured = |series: &Series| settings.keeps_policies || series.is_measured(settings);
        let mut targets = self.policies.iter();
        let mut steps = self.step_policies.iter();
        self.has_math()
            || targets.all(|policy| is_measured(&Series::tracked(&policy.metric)))
                && (self.asks_operator && !self.policies.is_empty()
                    || steps.any(|policy| is_measured(&policy.alarm.series)))
    }

    /// Whether target tracking follows metric math.
    #[must_use]
    pub fn has_math(&self) -> bool {
        let mut policies = self.policies.iter();
        policies.any(|policy| matches!(policy.metric, Metric::Math(_)))
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
    service: ScaledService<'a>,
    /// The definition of its tasks; `None` where nothing depends on it.
    task_definition: Option<&'a TaskDefinition>,
}

/// Validates `autoScaling`; `None` when it is absent.
pub(crate) fn validate_scaling(
    raw: Option<&crd::AutoScaling>,
    service: ScaledService<'_>,
    daemon: bool,
    task_definition: &TaskDefinition,
    settings: &Settings,
    sink: &mut Diagnostics,
) -> Option<AutoScaling> {
    let raw = raw?;
    let root = FieldPath::root(Subject::AutoScaling);
    let scope = Scope {
        settings,
        service,
        task_definition: Some(task_definition),
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
    if has_too_many(raw, &root, sink) {
        return None;
    }
    lists(raw, &scope, &mut scaling, &root, sink);
    scaling.by_operator = settings.mode == Mode::Controller && scaling.is_for_operator(settings);
    let policies = root.field("scalingPolicies");
    needs_of_autoscaler(&scaling, &raw.scaling_policies, &scope, &policies, sink);
    Some(scaling)
}

/// Validates the alarms, the policies and the scheduled actions.
fn lists(
    raw: &crd::AutoScaling,
    scope: &Scope<'_>,
    scaling: &mut AutoScaling,
    root: &FieldPath,
    sink: &mut Diagnostics,
) {
    let (listed, notes) = listed::validate(raw, scope, &root.field("alarms"), sink);
    scaling.alarm_notes = notes;
    let policies = root.field("scalingPolicies");
    let given = (raw.scaling_policies.as_slice(), listed.as_slice());
    policy::validate(given, scope, scaling, &policies, sink);
    let actions = root.field("scheduledActions");
    scheduled_actions(&raw.scheduled_actions, scope, scaling, &actions, sink);
    scaling.asks_operator = raw.scaler.is_some();
}

/// Returns the scaling of a service as far as it can be understood without its task definition and the settings of the
/// operator; `None` without a valid range. What is wrong with the rest is left out: whoever accepts the service says so.
#[must_use]
pub fn readable_scaling(raw: &crd::AutoScaling, service: ScaledService<'_>) -> Option<AutoScaling> {
    let settings = Settings {
        mode: Mode::Controller,
        ..Settings::default()
    };
    let scope = Scope {
        settings: &settings,
        service,
        task_definition: None,
    };
    let root = FieldPath::root(Subject::AutoScaling);
    let mut scaling = AutoScaling::default();
    let mut sink = Diagnostics::new();
    range(
        raw.scalable_target.as_ref()?,
        &mut scaling,
        &root,
        &mut sink,
    );
    if sink.has_errors() || has_too_many(raw, &root, &mut sink) {
        return None;
    }
    lists(raw, &scope, &mut scaling, &root, &mut sink);
    Some(scaling)
}

/// Reports more policies or alarms than are accepted: each pair of them would be kept.
fn has_too_many(raw: &crd::AutoScaling, path: &FieldPath, sink: &mut Diagnostics) -> bool {
    let counts = [
        ("alarms", raw.alarms.len()),
        ("scalingPolicies", raw.scaling_policies.len()),
    ];
    let too_many = || counts.iter().filter(|(_, count)| *count > MOST_POLICIES);
    for (member, count) in too_many() {
        let message = Message::InvalidValue {
            value: format!("{count} elements"),
            allowed: format!("must be {MOST_POLICIES} at most"),
        };
        sink.report(path.field(*member), message);
    }
    too_many().next().is_some()
}

/// Reports what an autoscaler lacks for the policies, if one runs them.
fn needs_of_autoscaler(
    scaling: &AutoScaling,
    raw: &[ecs::ScalingPolicy],
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    if scaling.by_operator {
        return;
    }
    for policy in &scaling.policies {
        let raw = raw.get(policy.index);
        let raw = raw.and_then(|raw| raw.target_tracking_scaling_policy_configuration.as_ref());
        if let (Metric::CloudWatch(metric), Some(raw)) = (&policy.metric, raw) {
            let at = path.index(policy.index);
            let at = at.field("TargetTrackingScalingPolicyConfiguration");
            metric::needs_keda(metric, raw, scope, &at, sink);
        }
    }
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
