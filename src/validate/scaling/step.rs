//! Step scaling policies: the rules that their steps obey
//! (<https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html>).

use super::{
    Scope,
    alarm::{self, Alarm},
    listed::Listed,
    series::Statistic,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// A step scaling policy with one of its alarms.
#[derive(Clone, Debug, PartialEq)]
pub struct StepPolicy {
    /// The position in `scalingPolicies`.
    pub index: usize,
    /// The policy's name.
    pub name: String,
    /// How many tasks it leads to.
    pub scaling: StepScaling,
    /// Seconds after it has added or removed tasks.
    pub cooldown: i64,
    /// How the latest points of the metric become the one that selects a step.
    pub aggregation: Statistic,
    /// The alarm.
    pub alarm: Alarm,
    /// How the alarm triggers the policy.
    pub trigger: Trigger,
}

/// How an alarm triggers a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The name of the alarm: that of the policy if it stands in the policy.
    pub name: String,
    /// The position in `alarms`; `None` if it stands in the policy.
    pub listed: Option<usize>,
    /// Where its points are: at the position of the policy that it stands in, or behind those of all policies.
    pub points: usize,
    /// Whether its metric is in `Metrics`.
    pub in_query: bool,
    /// Whether its actions are carried out.
    pub enabled: bool,
}

impl Trigger {
    /// Returns how an alarm triggers the policy in which it stands, by the name and the position of that.
    #[must_use]
    pub fn inside(policy: &str, index: usize) -> Self {
        Self {
            name: policy.to_owned(),
            listed: None,
            points: index,
            in_query: false,
            enabled: true,
        }
    }
}

/// The steps of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct StepScaling {
    /// What an adjustment means.
    pub adjustment: Adjustment,
    /// The steps, which cover their range once.
    pub steps: Vec<Step>,
}

/// What the adjustment of a step means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// Tasks to add, or to remove if negative.
    Change,
    /// The number of tasks.
    Exact,
    /// Percent of the tasks to add or remove, and how many at least.
    Percent(Option<i64>),
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The lower end, as the distance from the threshold; no end if absent.
    pub lower: Option<f64>,
    /// The upper end, as the distance from the threshold; no end if absent.
    pub upper: Option<f64>,
    /// By how much to scale.
    pub by: i64,
}

/// Validates the policy at a position among so many, once for each of its alarms; none if something is missing or wrong.
pub(super) fn with_alarms(
    (index, raw, count): (usize, &ecs::ScalingPolicy, usize),
    listed: &[Listed],
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<StepPolicy> {
    let beside = listed.iter().enumerate();
    let beside: Vec<_> = beside
        .filter(|(_, alarm)| alarm.policies.contains(&index))
        .collect();
    if raw.alarm.is_none() && beside.is_empty() {
        sink.report(path.field("Alarm"), Message::StepScalingNeedsAlarm);
        return Vec::new();
    }
    let inside = raw.alarm.as_ref();
    let inside = inside.and_then(|it| alarm::validate(it, scope, &path.field("Alarm"), sink));
    let Some(policy) = of(raw) else {
        return Vec::new();
    };
    let inside = inside.map(|alarm| (alarm, Trigger::inside(&policy.name, index)));
    let beside = beside.into_iter().filter_map(|(position, it)| {
        let trigger = Trigger {
            name: it.name.clone(),
            listed: Some(position),
            points: count + position,
            in_query: it.in_query,
            enabled: it.enabled,
        };
        Some((it.alarm.clone()?, trigger))
    });
    let alarms = inside.into_iter().chain(beside);
    alarms
        .map(|(alarm, trigger)| StepPolicy {
            index,
            name: policy.name.clone(),
            scaling: policy.scaling.clone(),
            cooldown: policy.cooldown,
            aggregation: policy.aggregation,
            alarm,
            trigger,
        })
        .collect()
}

/// A policy without its alarms.
struct Policy {
    name: String,
    scaling: StepScaling,
    cooldown: i64,
    aggregation: Statistic,
}

/// Returns the policy; `None` if something is missing, which is reported elsewhere.
fn of(raw: &ecs::ScalingPolicy) -> Option<Policy> {
    let configuration = raw.step_scaling_policy_configuration.as_ref()?;
    let adjustment = match configuration.adjustment_type.as_deref()? {
        "ChangeInCapacity" => Adjustment::Change,
        "ExactCapacity" => Adjustment::Exact,
        "PercentChangeInCapacity" => Adjustment::Percent(configuration.min_adjustment_magnitude),
        _ => return None,
    };
    let steps = configuration.step_adjustments.iter().map(|step| {
        Some(Step {
            lower: step.metric_interval_lower_bound,
            upper: step.metric_interval_upper_bound,
            by: step.scaling_adjustment?,
        })
    });
    let aggregation = configuration.metric_aggregation_type.as_deref();
    let aggregation =
        aggregation.unwrap_or(ecs::StepScalingPolicyConfiguration::DEFAULT_METRIC_AGGREGATION_TYPE);
    let cooldown = configuration.cooldown;
    Some(Policy {
        name: raw.policy_name.clone().unwrap_or_default(),
        scaling: StepScaling {
            adjustment,
            steps: steps.collect::<Option<_>>()?,
        },
        cooldown: cooldown.unwrap_or(ecs::StepScalingPolicyConfiguration::DEFAULT_COOLDOWN),
        aggregation: Statistic::named(aggregation)?,
    })
}

/// Validates a step scaling policy.
pub(super) fn validate(
    raw: &ecs::StepScalingPolicyConfiguration,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let adjustment_type = raw.adjustment_type.as_deref();
    if adjustment_type.is_none() {
        sink.report(
            path.field("AdjustmentType"),
            Message::RequiredField {
                name: "AdjustmentType".to_owned(),
            },
        );
    }
    if raw.min_adjustment_magnitude.is_some() && adjustment_type != Some("PercentChangeInCapacity")
    {
        sink.report(
            path.field("MinAdjustmentMagnitude"),
            Message::MinAdjustmentMagnitudeMisused,
        );
    }
    let at = path.field("StepAdjustments");
    for (index, step) in raw.step_adjustments.iter().enumerate() {
        let at = at.index(index).field("ScalingAdjustment");
        match step.scaling_adjustment {
            None => sink.report(
                at,
                Message::RequiredField {
                    name: "ScalingAdjustment".to_owned(),
                },
            ),
            Some(value) if value < 0 && adjustment_type == Some("ExactCapacity") => sink.report(
                at,
                Message::InvalidValue {
                    value: value.to_string(),
                    allowed: "must be 0 or more with ExactCapacity".to_owned(),
                },
            ),
            Some(_) => {}
        }
    }
    if let Err(message) = intervals(&raw.step_adjustments) {
        sink.report(
            at,
            Message::StepAdjustmentsInvalid {
                message: message.to_owned(),
            },
        );
    }
}

/// Checks that the steps cover their range without gaps or overlaps, and that the end away from the threshold is open.
fn intervals(steps: &[ecs::StepAdjustment]) -> Result<(), &'static str> {
    if steps.is_empty() {
        return Err("at least one step is required");
    }
    let mut bounds: Vec<(f64, f64)> = Vec::new();
    for step in steps {
        let (lower, upper) = (
            step.metric_interval_lower_bound,
            step.metric_interval_upper_bound,
        );
        if lower.is_none() && upper.is_none() {
            return Err("a step needs a lower or an upper bound");
        }
        let (lower, upper) = (
            lower.unwrap_or(f64::NEG_INFINITY),
            upper.unwrap_or(f64::INFINITY),
        );
        if lower >= upper {
            return Err("the upper bound of a step must be above its lower bound");
        }
        bounds.push((lower, upper));
    }
    bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (before, after) in bounds.iter().zip(bounds.iter().skip(1)) {
        // Two steps without a lower bound, or a step that begins inside another.
        if after.0 < before.1 {
            return Err("steps overlap");
        }
        if after.0 > before.1 {
            return Err("there is a gap between two steps");
        }
    }
    let first = bounds.first().map_or(0.0, |step| step.0);
    let last = bounds.last().map_or(0.0, |step| step.1);
    if first < 0.0 && first.is_finite() {
        return Err("a negative lower bound needs a step without lower bound");
    }
    if last > 0.0 && last.is_finite() {
        return Err("a positive upper bound needs a step without upper bound");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_cover_their_range_once() {
        const NONE: Option<f64> = None;
        for (steps, expected) in [
            (vec![(Some(0.0), Some(10.0)), (Some(10.0), NONE)], Ok(())),
            (vec![(Some(-10.0), Some(0.0)), (NONE, Some(-10.0))], Ok(())),
            (vec![(Some(0.0), NONE)], Ok(())),
            (vec![], Err("at least one step is required")),
            (
                vec![(NONE, NONE)],
                Err("a step needs a lower or an upper bound"),
            ),
            (
                vec![(Some(5.0), Some(5.0))],
                Err("the upper bound of a step must be above its lower bound"),
            ),
            (
                vec![(Some(0.0), Some(10.0)), (Some(5.0), NONE)],
                Err("steps overlap"),
            ),
            (
                vec![(NONE, Some(0.0)), (NONE, Some(5.0))],
                Err("steps overlap"),
            ),
            (
                vec![(Some(0.0), Some(10.0)), (Some(20.0), NONE)],
                Err("there is a gap between two steps"),
            ),
            (
                vec![(Some(0.0), Some(10.0))],
                Err("a positive upper bound needs a step without upper bound"),
            ),
            (
                vec![(Some(-10.0), Some(0.0))],
                Err("a negative lower bound needs a step without lower bound"),
            ),
        ] {
            let raw: Vec<_> = steps
                .iter()
                .map(|(lower, upper)| ecs::StepAdjustment {
                    metric_interval_lower_bound: *lower,
                    metric_interval_upper_bound: *upper,
                    scaling_adjustment: Some(1),
                })
                .collect();
            assert_eq!(intervals(&raw), expected, "{steps:?}");
        }
    }
}
