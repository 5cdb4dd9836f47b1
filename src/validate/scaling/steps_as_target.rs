//! What an autoscaler does in place of step scaling policies: it has no steps, but it can keep the same metric at the
//! threshold above which they add tasks, remove tasks only below the threshold of those that remove them, and take as
//! much time for it.

use std::collections::BTreeSet;

use super::{
    TargetTracking,
    alarm::Comparison,
    metric::Metric,
    series::{Series, Statistic},
    step::{Adjustment, StepPolicy},
};

/// The step scaling policies for which a target stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplacedSteps {
    /// Their positions in `scalingPolicies`, sorted.
    pub policies: Vec<usize>,
    /// How fast they add tasks.
    pub additions: Pace,
    /// Below which value they remove tasks, in percent, and how fast; `None` if none does.
    pub removals: Option<(f64, Pace)>,
}

impl ReplacedSteps {
    /// Returns below which part of the target tasks are removed; 1 if no policy removes any.
    #[must_use]
    pub fn ratio(&self, target: f64) -> f64 {
        let low = self.removals.as_ref().map(|(low, _)| *low);
        low.map_or(1.0, |low| low / target)
    }
}

/// How fast policies change the number of tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// The most tasks of a step.
    pub tasks: Option<i64>,
    /// The most percent of the tasks of a step.
    pub percent: Option<i64>,
    /// Seconds in which the metric has to breach the threshold before something happens.
    pub breaching: i64,
    /// Seconds between two steps.
    pub cooldown: i64,
}

/// The direction of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Out,
    In,
}

/// Returns targets that stand for policies on the CPU or the memory of the service. What they stand for is in
/// [`ReplacedSteps::policies`]; all other policies have nothing that an autoscaler could do instead.
pub(super) fn targets(policies: &[StepPolicy]) -> Vec<TargetTracking> {
    let enabled = || policies.iter().filter(|it| it.trigger.enabled);
    // If one alarm of a policy cannot be followed, the policy is not replaced.
    let other = enabled().filter(|it| direction_of(it).is_none());
    let others: BTreeSet<usize> = other.map(|it| it.index).collect();
    let enabled: Vec<&StepPolicy> = enabled().filter(|it| !others.contains(&it.index)).collect();
    let metrics = [Metric::Cpu, Metric::Memory];
    metrics
        .into_iter()
        .filter_map(|metric| target(metric, &enabled))
        .collect()
}

fn target(metric: Metric, policies: &[&StepPolicy]) -> Option<TargetTracking> {
    let series = Series::tracked(&metric);
    let of = |direction: Direction| {
        let own = policies.iter().filter(|it| it.alarm.series == series);
        let own = own.filter(move |it| direction_of(it) == Some(direction));
        own.copied().collect::<Vec<_>>()
    };
    let (out, back) = (of(Direction::Out), of(Direction::In));
    let first = out.first()?;
    let value = out
        .iter()
        .map(|it| nearest(it, Direction::Out))
        .min_by(f64::total_cmp)?;
    let low = back
        .iter()
        .map(|it| nearest(it, Direction::In))
        .max_by(f64::total_cmp);
    // A value at which both would act at once is nothing that can be kept.
    if value <= 0.0 || low.is_some_and(|low| low >= value) {
        return None;
    }
    let mut positions: Vec<usize> = out.iter().chain(&back).map(|it| it.index).collect();
    positions.sort_unstable();
    positions.dedup();
    Some(TargetTracking {
        index: first.index,
        name: first.name.clone(),
        metric,
        target_value: value,
        scale_out_cooldown: None,
        scale_in_cooldown: None,
        disable_scale_in: back.is_empty(),
        replaced_steps: Some(ReplacedSteps {
            policies: positions,
            additions: pace(&out),
            removals: low.map(|low| (low, pace(&back))),
        }),
    })
}

/// Returns the value next to which a policy begins to act: its steps may begin beyond the threshold of the alarm.
fn nearest(policy: &StepPolicy, direction: Direction) -> f64 {
    let steps = policy.scaling.steps.iter();
    let distances = steps.map(|step| match direction {
        Direction::Out => step.lower.unwrap_or(0.0).max(0.0),
        Direction::In => -step.upper.unwrap_or(0.0).min(0.0),
    });
    let distance = distances.min_by(f64::total_cmp).unwrap_or(0.0);
    match direction {
        Direction::Out => policy.alarm.rule.threshold + distance,
        Direction::In => policy.alarm.rule.threshold - distance,
    }
}

/// Returns whether a policy adds or removes tasks when its alarm goes off; `None` if an autoscaler does not do so for the
/// same reason.
fn direction_of(policy: &StepPolicy) -> Option<Direction> {
    let is_kept = matches!(
        policy.alarm.series,
        Series::Cpu(Statistic::Average) | Series::Memory(Statistic::Average)
    );
    if !is_kept || policy.scaling.adjustment == Adjustment::Exact {
        return None;
    }
    let all = |fits: fn(i64) -> bool| policy.scaling.steps.iter().all(|step| fits(step.by));
    match policy.alarm.rule.comparison {
        Comparison::Greater | Comparison::GreaterOrEqual => {
            all(|by| by > 0).then_some(Direction::Out)
        }
        Comparison::Less | Comparison::LessOrEqual => all(|by| by < 0).then_some(Direction::In),
    }
}

/// Returns the fastest pace of policies.
fn pace(policies: &[&StepPolicy]) -> Pace {
    let mut pace = Pace::default();
    for policy in policies {
        let by = policy
            .scaling
            .steps
            .iter()
            .map(|step| step.by.saturating_abs());
        let by = by.max();
        match policy.scaling.adjustment {
            Adjustment::Percent(least) => {
                pace.percent = pace.percent.max(by);
                // A percentage of few tasks is less than one, and AWS changes at least one.
                pace.tasks = pace.tasks.max(Some(least.unwrap_or(1).max(1)));
            }
            // Policies with exact counts have no direction.
            Adjustment::Change | Adjustment::Exact => pace.tasks = pace.tasks.max(by),
        }
    }
    let points = |it: &&&StepPolicy| {
        let points = i64::try_from(it.alarm.rule.to_alarm).unwrap_or(i64::MAX);
        points.saturating_mul(it.alarm.period)
    };
    let breaching = policies.iter().map(|it| points(&it)).min();
    pace.breaching = breaching.unwrap_or_default();
    let cooldown = policies
        .iter()
        .map(|it| it.cooldown.max(it.alarm.period))
        .min();
    pace.cooldown = cooldown.unwrap_or_default();
    pace
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Alarm, AlarmRule, Missing, Step, StepScaling, Trigger},
        *,
    };

    const CPU: Series = Series::Cpu(Statistic::Average);

    fn policy(index: usize, comparison: Comparison, threshold: f64, by: &[i64]) -> StepPolicy {
        StepPolicy {
            index,
            name: format!("policy-{index}"),
            scaling: StepScaling {
                adjustment: Adjustment::Change,
                steps: by
                    .iter()
                    .map(|by| Step {
                        lower: None,
                        upper: None,
                        by: *by,
                    })
                    .collect(),
            },
            cooldown: 120,
            aggregation: Statistic::Average,
            alarm: Alarm {
                series: CPU,
                period: 60,
                rule: AlarmRule {
                    comparison,
                    threshold,
                    periods: 3,
                    to_alarm: 2,
                    missing: Missing::Missing,
                },
            },
            trigger: Trigger::inside("policy", index),
        }
    }

    fn summary(policies: &[StepPolicy]) -> Vec<String> {
        let one = |it: &TargetTracking| {
            let steps = it.replaced_steps.as_ref().expect("it stands for steps");
            let low = steps
                .removals
                .as_ref()
                .map(|(low, pace)| (*low, pace.tasks));
            format!(
                "{:?} {} {:?} +{:?} {low:?}",
                it.metric, it.target_value, steps.policies, steps.additions.tasks
            )
        };
        targets(policies).iter().map(one).collect()
    }

    #[test]
    fn targets_stand_for_steps_that_an_autoscaler_can_follow() {
        use Comparison::{Greater, GreaterOrEqual, Less};
        let out = || policy(0, GreaterOrEqual, 75.0, &[1, 3]);
        let back = || policy(1, Less, 25.0, &[-1]);
        let with = |change: fn(&mut StepPolicy)| {
            let mut changed = out();
            change(&mut changed);
            changed
        };
        for (policies, expected) in [
            (
                vec![out(), back()],
                vec!["Cpu 75 [0, 1] +Some(3) Some((25.0, Some(1)))"],
            ),
            (vec![out()], vec!["Cpu 75 [0] +Some(3) None"]),
            (
                vec![out(), policy(2, Greater, 60.0, &[2]), back()],
                vec!["Cpu 60 [0, 1, 2] +Some(3) Some((25.0, Some(1)))"],
            ),
            (
                vec![with(|it| {
                    it.alarm.series = Series::Memory(Statistic::Average);
                })],
                vec!["Memory 75 [0] +Some(3) None"],
            ),
            // The steps begin beyond the thresholds.
            (
                vec![with(|it| it.scaling.steps[0].lower = Some(10.0)), {
                    let mut back = back();
                    back.scaling.steps[0].upper = Some(-5.0);
                    back
                }],
                vec!["Cpu 75 [0, 1] +Some(3) Some((20.0, Some(1)))"],
            ),
            (vec![back()], vec![]),
            (vec![out(), policy(1, Less, 80.0, &[-1])], vec![]),
            (vec![policy(0, Greater, 75.0, &[1, -1])], vec![]),
            (vec![policy(0, Less, 75.0, &[1])], vec![]),
            (
                vec![with(|it| it.scaling.adjustment = Adjustment::Exact)],
                vec![],
            ),
            (vec![with(|it| it.trigger.enabled = false)], vec![]),
            // The policy has a second alarm, on something else.
            (
                vec![
                    out(),
                    with(|it| it.alarm.series = Series::Running(Statistic::Average)),
                ],
                vec![],
            ),
            (
                vec![with(|it| it.alarm.series = Series::Cpu(Statistic::Maximum))],
                vec![],
            ),
            (
                vec![with(|it| {
                    it.alarm.series = Series::Running(Statistic::Average);
                })],
                vec![],
            ),
        ] {
            assert_eq!(summary(&policies), expected, "{policies:?}");
        }
    }

    #[test]
    fn the_pace_is_that_of_the_fastest_policy() {
        let mut percent = policy(1, Comparison::Greater, 75.0, &[10, 30]);
        percent.scaling.adjustment = Adjustment::Percent(Some(2));
        percent.cooldown = 0;
        let slow = policy(0, Comparison::Greater, 75.0, &[1]);
        let expected = Pace {
            tasks: Some(2),
            percent: Some(30),
            breaching: 120,
            cooldown: 60,
        };
        assert_eq!(pace(&[&slow, &percent]), expected);
    }
}
