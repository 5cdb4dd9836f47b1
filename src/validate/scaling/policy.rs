//! Scaling policies of each type.

use std::collections::BTreeSet;

use super::{AutoScaling, Scope, identity::identity, listed::Listed, step, target_tracking};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
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
        match scope.settings.mode {
            Mode::Convert => sink.report(
                path.field("PolicyType"),
                Message::StepScalingNeedsController,
            ),
            Mode::Controller => {
                let policies = step::with_alarms((index, raw, count), listed, scope, path, sink);
                scaling.step_policies.extend(policies);
            }
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
