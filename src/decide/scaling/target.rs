//! Target tracking: the alarms that keep a metric at a value, and how many tasks they lead to
//! (<https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html>).
//!
//! AWS publishes neither the alarms nor the formula. The alarms are those that it creates for an ECS service: three
//! points of a minute above the target, and 15 points below 90 % of it. The formula keeps the metric per task, and is
//! rounded so that the metric stays at or below the target.

use super::{alarm::State, minute::Minute};
use crate::validate::{AlarmRule, Comparison, Missing};

/// How many minutes a metric has to be above its target before tasks are added.
pub const HIGH_PERIODS: usize = 3;
/// How many minutes a metric has to be below [`LOW_SHARE`] of its target before tasks are removed.
pub const LOW_PERIODS: usize = 15;
/// The share of the target below which tasks are removed.
pub const LOW_SHARE: f64 = 0.9;

/// How old in minutes the newest point may be that starts the first task.
const DEMAND_PERIODS: usize = 8;

/// How many minutes the alarms look at.
pub const RANGE: usize = rule(Comparison::Less, 0.0, LOW_PERIODS).range();

/// Which way a metric wants the number of tasks to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To at least this many tasks.
    Out(i64),
    /// To as few as this many tasks.
    In(i64),
    /// Nowhere.
    Stay,
    /// It is not known, because points are missing.
    Unknown,
}

/// The states of the two alarms of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct States {
    /// Of the one above the target.
    pub high: State,
    /// Of the one below the target.
    pub low: State,
}

const fn rule(comparison: Comparison, threshold: f64, periods: usize) -> AlarmRule {
    AlarmRule {
        comparison,
        threshold,
        periods,
        to_alarm: periods,
        missing: Missing::Missing,
    }
}

/// A point of a metric, of one minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The metric.
    pub metric: f64,
    /// How many tasks ran.
    pub tasks: i64,
}

/// Returns the states of the alarms for a target after these points, the newest last.
#[must_use]
pub fn states(target: f64, points: &[Minute<Point>], before: States) -> States {
    let high = rule(Comparison::Greater, target, HIGH_PERIODS);
    let low = rule(Comparison::Less, target * LOW_SHARE, LOW_PERIODS);
    let (_, recent) = points.split_at(points.len().saturating_sub(RANGE));
    let metrics: Vec<Option<f64>> = recent
        .iter()
        .map(|point| point.value().map(|point| point.metric))
        .collect();
    States {
        high: high.state(&metrics, before.high),
        low: low.state(&metrics, before.low),
    }
}

/// Returns what a policy wants while there are `tasks`.
///
/// A point tells the load of the tasks that ran then: if tasks were added since, they do not count as if each had this
/// load. `base` is the number of tasks before the last addition, as long as its cooldown lasts: until then, only a metric
/// that would have led to more from there adds any.
#[must_use]
pub fn wish(
    target: f64,
    points: &[Minute<Point>],
    states: States,
    tasks: i64,
    base: Option<i64>,
) -> Wish {
    let real = || points.iter().rev().filter_map(|point| point.value());
    if tasks == 0 {
        // There is no metric per task, and any demand needs one. A point of tasks that have ended since is not one. Some
        // metrics are published every five minutes, and some arrive late.
        let mut recent = points.iter().rev().take(DEMAND_PERIODS);
        return match recent.find_map(|point| point.value()) {
            Some(newest) if newest.metric > 0.0 && newest.tasks == 0 => Wish::Out(1),
            Some(_) => Wish::Stay,
            None => Wish::Unknown,
        };
    }
    if states.high == State::Alarm
        && let Some(newest) = real().next()
    {
        let tasks = base.unwrap_or(newest.tasks);
        return Wish::Out(enough(tasks, newest.metric, target));
    }
    if states.low == State::Alarm {
        let needed = real().take(LOW_PERIODS);
        let needed = needed.map(|point| enough(point.tasks, point.metric, target));
        return needed.max().map_or(Wish::Unknown, Wish::In);
    }
    if states.high == State::InsufficientData || states.low == State::InsufficientData {
        return Wish::Unknown;
    }
    Wish::Stay
}

/// Returns how many tasks bring a metric per task to its target or below, if it is this with so many tasks.
#[must_use]
pub fn enough(tasks: i64, metric: f64, target: f64) -> i64 {
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "it is clamped to the range"
    )]
    let tasks = (tasks as f64 * metric / target).ceil() as i64;
    tasks.max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn point(metric: f64, tasks: i64) -> Point {
        Point { metric, tasks }
    }

    /// Returns how many tasks there are after these points, if nothing but this policy scales.
    fn after(target: f64, tasks: i64, points: &[f64]) -> i64 {
        let points = points.iter();
        let points: Vec<_> = points
            .map(|metric| Minute::Value(point(*metric, tasks)))
            .collect();
        let states = states(target, &points, States::default());
        match wish(target, &points, states, tasks, None) {
            Wish::Out(to) => to.max(tasks),
            Wish::In(to) => to.min(tasks),
            Wish::Stay | Wish::Unknown => tasks,
        }
    }

    #[test]
    fn tasks_follow_the_metric() {
        for (target, tasks, metric, periods, expected) in [
            (50.0, 4, 62.0, 3, 5),
            (50.0, 10, 51.0, 3, 11),
            (50.0, 1, 100.0, 3, 2),
            (50.0, 7, 50.0, 3, 7),
            (50.0, 4, 62.0, 2, 4),
            (75.5, 6, 90.0, 3, 8),
            (50.0, 0, 5.0, 1, 1),
            (50.0, 0, 0.0, 1, 0),
            (50.0, 10, 44.9, 15, 9),
            (50.0, 10, 45.0, 15, 10),
            (50.0, 2, 44.0, 15, 2),
            (50.0, 3, 10.0, 15, 1),
            (50.0, 8, 20.0, 14, 8),
            (1000.0, 3, 2400.0, 3, 8),
            (50.0, 5, 0.0, 15, 0),
        ] {
            let points = vec![metric; periods];
            assert_eq!(
                after(target, tasks, &points),
                expected,
                "{target} {tasks} {metric}"
            );
        }
        // The highest of the 15 points counts when tasks are removed, and the newest when they are added.
        let mut points = vec![5.0; 15];
        points[3] = 30.0;
        assert_eq!(after(50.0, 10, &points), 6);
        assert_eq!(after(50.0, 10, &[90.0, 80.0, 60.0]), 12);
    }

    #[test]
    fn what_was_scaled_to_no_task_stays_there() {
        let states = States::default();
        let ended = [Minute::Value(point(80.0, 4))];
        assert_eq!(wish(50.0, &ended, states, 0, None), Wish::Stay);
        let demand = [Minute::Value(point(80.0, 0))];
        assert_eq!(wish(50.0, &demand, states, 0, None), Wish::Out(1));
        // A value that arrives late, or is published every five minutes, starts a task too.
        let mut points = vec![Minute::Value(point(80.0, 0))];
        for _ in 1..DEMAND_PERIODS {
            points.push(Minute::Empty);
            assert_eq!(wish(50.0, &points, states, 0, None), Wish::Out(1));
        }
        points.push(Minute::Unknown);
        assert_eq!(wish(50.0, &points, states, 0, None), Wish::Unknown);
        points.push(Minute::Value(point(0.0, 0)));
        assert_eq!(wish(50.0, &points, states, 0, None), Wish::Stay);
    }

    #[test]
    fn missing_points_stop_a_policy_until_they_return() {
        let high = Minute::Value(point(90.0, 4));
        let mut points = vec![high; 3];
        let mut before = states(50.0, &points, States::default());
        assert_eq!(wish(50.0, &points, before, 4, None), Wish::Out(8));
        for minute in 0..20 {
            points.push(Minute::Empty);
            before = states(50.0, &points, before);
            if minute >= 4 {
                assert_eq!(before.high, State::InsufficientData, "{minute}");
            }
        }
        assert_eq!(wish(50.0, &points, before, 4, None), Wish::Unknown);
        points.extend([high; 3]);
        before = states(50.0, &points, before);
        assert_eq!(wish(50.0, &points, before, 4, None), Wish::Out(8));
    }

    #[test]
    fn a_point_tells_the_load_of_the_tasks_that_ran_then() {
        let high = States {
            high: State::Alarm,
            low: State::Ok,
        };
        let low = States {
            high: State::Ok,
            low: State::Alarm,
        };
        // Eight tasks have been added since the point.
        let points = [Minute::Value(point(250.0, 2))];
        assert_eq!(wish(50.0, &points, high, 10, None), Wish::Out(10));
        // In a cooldown, the same metric leads to what it led to before.
        assert_eq!(wish(50.0, &points, high, 10, Some(2)), Wish::Out(10));
        let larger = [Minute::Value(point(60.0, 10))];
        assert_eq!(wish(50.0, &larger, high, 10, Some(2)), Wish::Out(3));
        assert_eq!(wish(50.0, &larger, high, 10, None), Wish::Out(12));
        // The most that any of the minutes needed, with the tasks that it had.
        let points = [
            Minute::Value(point(10.0, 20)),
            Minute::Value(point(30.0, 10)),
            Minute::Value(point(25.0, 10)),
        ];
        assert_eq!(wish(50.0, &points, low, 10, None), Wish::In(6));
    }
}
