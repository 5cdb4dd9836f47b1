//! The alarms of a service that stand beside its policies, as `PutMetricAlarm` takes them.

use std::collections::BTreeSet;

use super::{
    Scope,
    action::{AlarmAction, ScaledService},
    alarm::{Alarm, Members},
    target_tracking::{high_alarm, low_alarm},
    watched,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    settings::Mode,
};

/// An alarm beside the policies.
pub(super) struct Listed {
    pub(super) name: String,
    /// Whether its metric is in `Metrics`.
    pub(super) in_query: bool,
    /// Whether it triggers anything.
    pub(super) enabled: bool,
    /// `None` if something of it is missing or wrong.
    pub(super) alarm: Option<Alarm>,
    /// The positions of the step scaling policies that it triggers.
    pub(super) policies: Vec<usize>,
}

/// What an alarm does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmNote {
    /// It does something else than scaling.
    OtherAction {
        /// The position of the alarm.
        alarm: usize,
        /// The list of actions.
        list: &'static str,
        /// The position in it.
        index: usize,
        /// The action.
        action: String,
    },
    /// Its actions are switched off.
    Disabled {
        /// The position of the alarm.
        alarm: usize,
    },
    /// It triggers no policy.
    WithoutPolicy {
        /// The position of the alarm.
        alarm: usize,
        /// Its name.
        name: String,
        /// Why it triggers none.
        why: String,
    },
    /// It is one of those that AWS makes for target tracking.
    OfTargetTracking {
        /// The position of the alarm.
        alarm: usize,
        /// The position of the action that names the policy.
        index: usize,
        /// The name of the policy.
        name: String,
    },
}

/// Validates the alarms. Without the operator nothing evaluates them, and each policy says so.
pub(super) fn validate(
    raw: &crd::AutoScaling,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> (Vec<Listed>, Vec<AlarmNote>) {
    let mut names = names_of_policies(&raw.scaling_policies);
    let mut alarms = Vec::new();
    let mut notes = Vec::new();
    for (index, alarm) in raw.alarms.iter().enumerate() {
        let path = path.index(index);
        let name = alarm.alarm_name.as_deref();
        if let Some(name) = name.filter(|name| !names.insert((*name).to_owned())) {
            let value = name.to_owned();
            sink.report(path.field("AlarmName"), Message::DuplicateAlarm { value });
        }
        let found = Actions::of(alarm, index, raw, scope.service);
        notes.extend(found.notes);
        // What triggers nothing of this service is not judged, and neither is what an autoscaler replaces.
        let is_judged = scope.settings.mode == Mode::Controller;
        let mut ignored = Diagnostics::new();
        let sink = if is_judged { &mut *sink } else { &mut ignored };
        let is_used = !found.policies.is_empty();
        alarms.push(Listed {
            name: name.unwrap_or_default().to_owned(),
            in_query: !alarm.metrics.is_empty(),
            enabled: alarm.actions_enabled != Some(false),
            alarm: is_used.then(|| one(alarm, scope, &path, sink)).flatten(),
            policies: found.policies,
        });
    }
    (alarms, notes)
}

/// Returns the names of the alarms that policies have by themselves: the one inside, which has no other name, and those of
/// target tracking.
fn names_of_policies(policies: &[ecs::ScalingPolicy]) -> BTreeSet<String> {
    let names = policies.iter().filter_map(|policy| {
        let name = policy.policy_name.as_deref()?;
        let inside = policy.alarm.as_ref().map(|_| name.to_owned());
        let of_target = is_tracking(policy).then(|| [high_alarm(name), low_alarm(name)]);
        Some(inside.into_iter().chain(of_target.into_iter().flatten()))
    });
    names.flatten().collect()
}

/// Returns the positions of the step scaling policies that an alarm of a service triggers.
#[must_use]
pub fn triggered_policies(
    alarm: &ecs::MetricAlarm,
    policies: &[ecs::ScalingPolicy],
    service: ScaledService<'_>,
) -> Vec<usize> {
    let actions = alarm.alarm_actions.iter();
    let named: Vec<_> = actions
        .filter_map(|action| match AlarmAction::of(action) {
            AlarmAction::Policy(policy) if policy.is_of(service) => Some(policy.name),
            AlarmAction::Policy(_) | AlarmAction::Other => None,
        })
        .collect();
    let is_triggered = |policy: &ecs::ScalingPolicy| {
        let name = policy.policy_name.as_deref();
        let mut own = policy.alarms.iter();
        is_step(policy)
            && (name.is_some_and(|name| named.contains(&name))
                || own.any(|own| own.alarm_name.is_some() && own.alarm_name == alarm.alarm_name))
    };
    let policies = policies.iter().enumerate();
    let triggered = policies.filter(|(_, policy)| is_triggered(policy));
    triggered.map(|(index, _)| index).collect()
}

fn is_step(policy: &ecs::ScalingPolicy) -> bool {
    policy.policy_type.as_deref() == Some("StepScaling")
}

fn is_tracking(policy: &ecs::ScalingPolicy) -> bool {
    policy.policy_type.as_deref() == Some("TargetTrackingScaling")
}

/// What the actions of an alarm lead to.
struct Actions {
    policies: Vec<usize>,
    notes: Vec<AlarmNote>,
}

impl Actions {
    fn of(
        raw: &ecs::MetricAlarm,
        alarm: usize,
        scaling: &crd::AutoScaling,
        service: ScaledService<'_>,
    ) -> Self {
        let policies = triggered_policies(raw, &scaling.scaling_policies, service);
        let mut notes = Vec::new();
        for (list, actions) in [
            ("OKActions", &raw.ok_actions),
            ("InsufficientDataActions", &raw.insufficient_data_actions),
        ] {
            for (index, action) in actions.iter().enumerate() {
                notes.push(AlarmNote::OtherAction {
                    alarm,
                    list,
                    index,
                    action: action.clone(),
                });
            }
        }
        let mut of_tracking = false;
        let mut unknown = None;
        for (index, action) in raw.alarm_actions.iter().enumerate() {
            match AlarmAction::of(action) {
                AlarmAction::Other => notes.push(AlarmNote::OtherAction {
                    alarm,
                    list: "AlarmActions",
                    index,
                    action: action.clone(),
                }),
                AlarmAction::Policy(policy) => {
                    let mut all = scaling.scaling_policies.iter();
                    let found = all.find(|it| it.policy_name.as_deref() == Some(policy.name));
                    match found.filter(|_| policy.is_of(service)) {
                        Some(found) if is_step(found) => {}
                        Some(found) if is_tracking(found) => {
                            of_tracking = true;
                            notes.push(AlarmNote::OfTargetTracking {
                                alarm,
                                index,
                                name: policy.name.to_owned(),
                            });
                        }
                        _ => unknown = unknown.or(Some(policy)),
                    }
                }
            }
        }
        if policies.is_empty() && !of_tracking {
            let why = match unknown {
                Some(policy) if policy.is_of(service) => {
                    format!("the service has no step scaling policy {}", policy.name)
                }
                Some(policy) => format!("policy {} is one of another service", policy.name),
                None => "its AlarmActions name no scaling policy".to_owned(),
            };
            notes.push(AlarmNote::WithoutPolicy {
                alarm,
                name: raw.alarm_name.clone().unwrap_or_default(),
                why,
            });
        } else if !policies.is_empty() && raw.actions_enabled == Some(false) {
            notes.push(AlarmNote::Disabled { alarm });
        }
        Self { policies, notes }
    }
}

/// Returns what one alarm watches, and when it goes off.
fn one(
    raw: &ecs::MetricAlarm,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Alarm> {
    let members = Members {
        watched: watched::watched(raw, scope, path, sink)?,
        evaluation_periods: raw.evaluation_periods,
        datapoints_to_alarm: raw.datapoints_to_alarm,
        threshold: raw.threshold,
        comparison_operator: raw.comparison_operator.as_deref(),
        treat_missing_data: raw.treat_missing_data.as_deref(),
    };
    members.validate(scope, path, sink)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarms_of_policies_have_names_already() {
        let policies = serde_json::json!([
            {"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"},
            {"PolicyName": "out", "PolicyType": "StepScaling"},
            {"PolicyName": "in", "PolicyType": "StepScaling", "Alarm": {}},
        ]);
        let policies: Vec<ecs::ScalingPolicy> = serde_json::from_value(policies).unwrap();
        let names: Vec<_> = names_of_policies(&policies).into_iter().collect();
        assert_eq!(names, ["cpu/AlarmHigh", "cpu/AlarmLow", "in"]);
    }
}
