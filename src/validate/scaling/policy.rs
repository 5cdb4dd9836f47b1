//! Scaling policies of each type.

use std::{collections::BTreeSet, mem};

use super::{
    AutoScaling, Scope, identity::identity, listed::Listed, step, steps_as_target, target_tracking,
    utilization,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Reason},
    ecs,
    settings::Mode,
};

/// Whether the operator may have to run the policies of a spec, as its text tells without being read: the opposite is
/// certain.
#[must_use]
pub fn may_be_for_operator(spec: &str) -> bool {
    let mut members = ["\"StepScaling\"", "\"scaler\"", "\"Expression\""].iter();
    members.any(|member| spec.contains(member))
}

/// Validates the scaling policies, with the alarms beside them.
pub(super) fn validate(
    (raw, listed): (&[ecs::ScalingPolicy], &[Listed]),
    scope: &Scope<'_>,
    scaling: &mut AutoScaling,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let mut names = BTreeSet::new();
    let mut with_steps = Vec::new();
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
            let has_alarm =
                policy.alarm.is_some() || listed.iter().any(|it| it.policies.contains(&index));
            if policy.step_scaling_policy_configuration.is_some() && has_alarm {
                with_steps.push(index);
            }
            one(
                (index, policy, raw.len()),
                listed,
                scope,
                scaling,
                &path,
                sink,
            );
        }
    }
    if scope.settings.mode == Mode::Convert {
        replace_steps(&with_steps, scope, scaling, path, sink);
    }
}

/// Puts targets of an autoscaler in place of step scaling policies, and reports those for which nothing stands.
fn replace_steps(
    with_steps: &[usize],
    scope: &Scope<'_>,
    scaling: &mut AutoScaling,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let targets = steps_as_target::targets(&mem::take(&mut scaling.step_policies));
    let mut replaced = BTreeSet::new();
    for target in &targets {
        if let Some(definition) = scope.task_definition {
            let at = path.index(target.index).field("PolicyType");
            utilization::validate((&target.metric, definition), scope.settings, at, sink);
        }
        let steps = target.replaced_steps.iter();
        replaced.extend(steps.flat_map(|steps| &steps.policies).copied());
    }
    for index in with_steps.iter().filter(|index| !replaced.contains(index)) {
        let at = path.index(*index).field("PolicyType");
        sink.report(at, Message::StepScalingNeedsController);
    }
    scaling.policies.extend(targets);
    scaling.policies.sort_by_key(|policy| policy.index);
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

fn one(
    (index, raw, count): (usize, &ecs::ScalingPolicy, usize),
    listed: &[Listed],
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
        let policies = match scope.settings.mode {
            // An autoscaler does what it can in place of them, which is judged when all of them are known.
            Mode::Convert => {
                let mut found = Diagnostics::new();
                let policies =
                    step::with_alarms((index, raw, count), listed, scope, path, &mut found);
                if found.has(Reason::StepScalingNeedsAlarm) {
                    sink.report(path.field("Alarm"), Message::StepScalingNeedsAlarm);
                }
                policies
            }
            Mode::Controller => step::with_alarms((index, raw, count), listed, scope, path, sink),
        };
        scaling.step_policies.extend(policies);
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
