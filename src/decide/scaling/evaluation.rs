//! One look at the policies of a service: the states of their alarms, and what each of them sees.

use super::{
    alarm::State,
    engine::{Kind, Policy},
    minute::Minute,
    target::{self, Point, States},
};
use crate::{
    ecs::TargetTrackingScalingPolicyConfiguration as Defaults,
    validate::{Alarm, AlarmRule, AutoScaling, Missing, Series, StepPolicy, TargetTracking},
};

/// The states of the alarms of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// Of its target tracking policies, in order.
    pub targets: Vec<States>,
    /// Of its step scaling policies, in order.
    pub steps: Vec<State>,
}

impl Alarms {
    /// Returns the states before anything is measured.
    #[must_use]
    pub fn new(scaling: &AutoScaling) -> Self {
        Self {
            targets: vec![States::default(); scaling.policies.len()],
            steps: vec![State::default(); scaling.step_policies.len()],
        }
    }

    /// Looks at what has been measured: a point for each minute, the newest last, by the position of the policy.
    pub fn look<'p>(
        &mut self,
        scaling: &AutoScaling,
        points: impl Fn(usize) -> &'p [Minute<Point>],
    ) {
        for (states, policy) in self.targets.iter_mut().zip(&scaling.policies) {
            *states = target::states(policy.target_value, points(policy.index), *states);
        }
        for (state, policy) in self.steps.iter_mut().zip(&scaling.step_policies) {
            let points = points(policy.trigger.points);
            let rule = rule_for(&policy.alarm, points);
            *state = rule.state(&of_periods(points, &policy.alarm), *state);
        }
    }

    /// Returns what the policies see in these states. A policy with several alarms sees what each of them sees.
    pub fn policies<'p>(
        &self,
        scaling: &'p AutoScaling,
        points: impl Fn(usize) -> &'p [Minute<Point>],
    ) -> Vec<Policy<'p>> {
        let targets = scaling.policies.iter().zip(&self.targets);
        let targets =
            targets.map(|(policy, states)| of_target(policy, points(policy.index), *states));
        let steps = scaling.step_policies.iter().zip(&self.steps);
        let steps = steps.filter(|(policy, _)| policy.trigger.enabled);
        let steps =
            steps.map(|(policy, state)| of_step(policy, points(policy.trigger.points), *state));
        targets.chain(steps).collect()
    }
}

/// Returns what a target tracking policy sees in these states of its alarms.
pub(super) fn of_target<'p>(
    policy: &'p TargetTracking,
    points: &'p [Minute<Point>],
    states: States,
) -> Policy<'p> {
    let (out, into) = (policy.scale_out_cooldown, policy.scale_in_cooldown);
    Policy {
        name: &policy.name,
        trigger: None,
        kind: Kind::Target {
            target: policy.target_value,
            points,
            states,
            disable_scale_in: policy.disable_scale_in,
        },
        out_cooldown: out.unwrap_or(Defaults::DEFAULT_SCALE_OUT_COOLDOWN),
        in_cooldown: into.unwrap_or(Defaults::DEFAULT_SCALE_IN_COOLDOWN),
    }
}

fn of_step<'p>(policy: &'p StepPolicy, points: &[Minute<Point>], state: State) -> Policy<'p> {
    let rule = policy.alarm.rule;
    let periods = of_periods(points, &policy.alarm);
    // "Application Auto Scaling applies your specified aggregation type to the most recent metric data points from
    // CloudWatch": those that the alarm counts.
    let recent = periods.iter().rev().take(rule.periods).copied().flatten();
    let metric = policy.aggregation.of(recent);
    at_distance(policy, metric.map(|metric| metric - rule.threshold), state)
}

/// Returns what a step scaling policy sees while the metric of its alarm is at this distance from the threshold.
pub(super) fn at_distance(policy: &StepPolicy, distance: Option<f64>, state: State) -> Policy<'_> {
    Policy {
        name: &policy.name,
        trigger: Some(&policy.trigger.name),
        kind: Kind::Step {
            policy: &policy.scaling,
            state,
            upward: policy.alarm.rule.comparison.is_upward(),
            distance,
        },
        out_cooldown: policy.cooldown,
        in_cooldown: policy.cooldown,
    }
}

/// Returns the rule of an alarm after these minutes. Those before the first one, and those that could not be read, are not
/// known to be missing: they count neither as breaching nor as the opposite.
fn rule_for(alarm: &Alarm, points: &[Minute<Point>]) -> AlarmRule {
    let minutes = alarm.minutes() * alarm.rule.range();
    let is_young = points.len() < minutes;
    let mut recent = points.iter().rev().take(minutes);
    let is_unread = recent.any(|point| matches!(point, Minute::Unknown));
    match alarm.rule.missing {
        Missing::Breaching | Missing::NotBreaching if is_young || is_unread => AlarmRule {
            missing: Missing::Missing,
            ..alarm.rule
        },
        _ => alarm.rule,
    }
}

/// Returns the points of an alarm's periods from those of minutes, the newest last. A period that began before the first
/// minute has no point, and neither has one with a minute that could not be read: what is known of it would be another
/// value, for instance a smaller sum.
fn of_periods(points: &[Minute<Point>], alarm: &Alarm) -> Vec<Option<f64>> {
    let (statistic, minutes, share) = (alarm.series.statistic(), alarm.minutes(), alarm.share());
    let mut periods: Vec<Option<f64>> = points
        .rchunks_exact(minutes)
        .take(alarm.rule.range())
        .map(|period| match alarm.series {
            // A point of metric math is that of the period that ends with its minute.
            Series::Math(_) => period.last()?.value().map(|point| point.metric),
            _ if period.contains(&Minute::Unknown) => None,
            _ => {
                let points = period.iter().filter_map(|point| point.value());
                statistic.of(points.map(|point| point.metric * share))
            }
        })
        .collect();
    periods.reverse();
    periods
}

/// Returns how many minutes the alarms of a service look at.
#[must_use]
pub fn minutes(scaling: &AutoScaling) -> usize {
    let targets = scaling.policies.iter().map(|_| target::RANGE);
    let steps = scaling.step_policies.iter();
    let steps = steps.map(|policy| policy.alarm.minutes() * policy.alarm.rule.range());
    targets.chain(steps).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::{Adjustment, Comparison, Statistic, Step, StepScaling, Trigger};

    fn policy(statistic: Statistic, aggregation: Statistic, period: i64) -> StepPolicy {
        StepPolicy {
            index: 0,
            name: "out".to_owned(),
            scaling: StepScaling {
                adjustment: Adjustment::Change,
                steps: vec![Step {
                    lower: Some(0.0),
                    upper: None,
                    by: 1,
                }],
            },
            cooldown: 60,
            aggregation,
            alarm: Alarm {
                series: Series::Cpu(statistic),
                period,
                rule: AlarmRule {
                    comparison: Comparison::Greater,
                    threshold: 50.0,
                    periods: 2,
                    to_alarm: 2,
                    missing: Missing::Missing,
                },
            },
            trigger: Trigger::inside("out", 0),
        }
    }

    const fn point(metric: f64) -> Minute<Point> {
        Minute::Value(Point { metric, tasks: 1 })
    }

    #[test]
    fn an_alarm_whose_actions_are_off_triggers_nothing() {
        let on = policy(Statistic::Average, Statistic::Average, 60);
        let mut off = on.clone();
        off.trigger.enabled = false;
        let points = [point(90.0); 2];
        let scaling = AutoScaling {
            step_policies: vec![off, on],
            ..AutoScaling::default()
        };
        let mut alarms = Alarms::new(&scaling);
        alarms.look(&scaling, |_| &points);
        assert_eq!(alarms.steps, [State::Alarm; 2], "both are evaluated");
        assert_eq!(alarms.policies(&scaling, |_| &points).len(), 1);
    }

    /// Returns the state of the alarm, and how far the metric is from the threshold, after these minutes.
    fn after(policy: StepPolicy, minutes: &[f64]) -> (State, Option<f64>) {
        let points: Vec<_> = minutes.iter().copied().map(point).collect();
        after_points(policy, &points)
    }

    fn after_points(policy: StepPolicy, points: &[Minute<Point>]) -> (State, Option<f64>) {
        let scaling = AutoScaling {
            step_policies: vec![policy],
            ..AutoScaling::default()
        };
        let mut alarms = Alarms::new(&scaling);
        alarms.look(&scaling, |_| points);
        let policies = alarms.policies(&scaling, |_| points);
        let Kind::Step { distance, .. } = policies[0].kind else {
            panic!("it is a step scaling policy");
        };
        (alarms.steps[0], distance)
    }

    #[test]
    fn what_is_counted_in_seconds_is_a_part_of_what_is_counted_in_a_minute() {
        for (statistic, expected) in [
            (Statistic::Sum, (State::Alarm, Some(10.0))),
            (Statistic::SampleCount, (State::Alarm, Some(10.0))),
            (Statistic::Average, (State::Alarm, Some(310.0))),
        ] {
            let policy = policy(statistic, Statistic::Average, 10);
            let found = after(policy, &[360.0, 360.0]);
            assert_eq!(found, expected, "{statistic:?}");
        }
        let policy = policy(Statistic::Sum, Statistic::Average, 10);
        assert_eq!(after(policy, &[240.0, 240.0]).0, State::Ok);
    }

    #[test]
    fn the_points_that_the_alarm_counts_select_the_step() {
        for (aggregation, expected) in [
            (Statistic::Average, 20.0),
            (Statistic::Minimum, 10.0),
            (Statistic::Maximum, 30.0),
        ] {
            let policy = policy(Statistic::Average, aggregation, 60);
            let found = after(policy, &[99.0, 60.0, 80.0]);
            assert_eq!(found, (State::Alarm, Some(expected)), "{aggregation:?}");
        }
    }

    #[test]
    fn what_was_before_the_first_minute_does_not_breach() {
        let mut policy = policy(Statistic::Average, Statistic::Average, 60);
        policy.alarm.rule.missing = Missing::Breaching;
        assert_eq!(after(policy.clone(), &[60.0]).0, State::InsufficientData);
        assert_eq!(after(policy.clone(), &[60.0, 60.0]).0, State::Alarm);
        policy.alarm.rule.missing = Missing::NotBreaching;
        assert_eq!(after(policy, &[60.0]).0, State::InsufficientData);
    }

    #[test]
    fn a_minute_that_could_not_be_read_is_neither_missing_nor_nothing() {
        for missing in [Missing::Breaching, Missing::NotBreaching] {
            let mut policy = policy(Statistic::Sum, Statistic::Average, 60);
            policy.alarm.rule.missing = missing;
            let minutes = policy.alarm.rule.range();
            let empty = vec![Minute::Empty; minutes];
            let treated = match missing {
                Missing::Breaching => State::Alarm,
                _ => State::Ok,
            };
            assert_eq!(after_points(policy.clone(), &empty).0, treated);
            let unread = vec![Minute::Unknown; minutes];
            let found = after_points(policy, &unread).0;
            assert_eq!(found, State::InsufficientData, "{missing:?}");
        }
        // A sum without one of its minutes is too small.
        let mut policy = policy(Statistic::Sum, Statistic::Average, 120);
        policy.alarm.rule.comparison = Comparison::Less;
        (policy.alarm.rule.periods, policy.alarm.rule.to_alarm) = (1, 1);
        let half = [point(40.0), Minute::Empty];
        let found = after_points(policy.clone(), &half);
        assert_eq!(found, (State::Alarm, Some(-10.0)));
        let unread = [point(40.0), Minute::Unknown];
        assert_eq!(
            after_points(policy, &unread),
            (State::InsufficientData, None)
        );
    }

    #[test]
    fn a_period_of_minutes_has_the_statistic_of_the_alarm() {
        let minutes = [40.0, 62.0, 40.0, 64.0];
        for (statistic, expected) in [
            (Statistic::Average, State::Alarm),
            (Statistic::Maximum, State::Alarm),
            (Statistic::Minimum, State::Ok),
        ] {
            let policy = policy(statistic, Statistic::Average, 120);
            assert_eq!(after(policy, &minutes).0, expected, "{statistic:?}");
        }
        let short = policy(Statistic::Average, Statistic::Average, 10);
        assert_eq!(after(short, &[51.0, 51.0]).0, State::Alarm);
    }
}
