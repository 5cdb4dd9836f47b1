//! Step scaling: by how much a policy scales
//! (<https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html>).

use crate::validate::{Adjustment, Step, StepScaling};

impl StepScaling {
    /// Returns how many tasks there should be instead of these, for a metric at this distance from the threshold of an
    /// alarm that goes off `upward` of it; `None` if no step applies. The result may be outside of any range.
    #[must_use]
    pub fn tasks(&self, tasks: i64, distance: f64, upward: bool) -> Option<i64> {
        let mut steps = self.steps.iter();
        let step = steps.find(|step| step.contains(distance, upward))?;
        Some(match self.adjustment {
            Adjustment::Change => tasks.saturating_add(step.by),
            Adjustment::Exact => step.by,
            Adjustment::Percent(least) => tasks.saturating_add(share(tasks, step.by, least)),
        })
    }
}

impl Step {
    /// Whether a distance is in this step. The end nearer to the threshold belongs to a step.
    fn contains(&self, distance: f64, upward: bool) -> bool {
        let lower = self.lower.unwrap_or(f64::NEG_INFINITY);
        let upper = self.upper.unwrap_or(f64::INFINITY);
        // At the threshold itself, the alarm says to which side it belongs.
        if distance > 0.0 || (upward && distance >= 0.0) {
            lower <= distance && distance < upper
        } else {
            lower < distance && distance <= upper
        }
    }
}

/// Returns the tasks to add or remove for a percentage: rounded toward zero, but at least one if it is not zero, and at
/// least as many as the policy says. From no task, no percentage would ever lead to one: what the policy says at least
/// counts then too.
fn share(tasks: i64, percent: i64, least: Option<i64>) -> i64 {
    if percent == 0 {
        return 0;
    }
    let share = i128::from(tasks) * i128::from(percent);
    let most = i64::MAX * percent.signum();
    let whole = i64::try_from(share / 100).unwrap_or(most);
    let rounded = if whole == 0 && share != 0 {
        percent.signum()
    } else {
        whole
    };
    match least {
        Some(least) if rounded.abs() < least => percent.signum() * least,
        _ => rounded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_rounded_as_aws_does() {
        for (tasks, percent, least, expected) in [
            (10, 10, None, 11),
            (11, 30, None, 14),
            (14, -10, None, 13),
            (13, -30, None, 10),
            (4, 25, Some(2), 6),
            (3, 20, None, 4),
            (3, -20, None, 2),
            (20, -33, None, 14),
            (0, 25, None, 0),
            (0, 25, Some(2), 2),
            (9, 0, Some(2), 9),
            (i64::MAX, 200, None, i64::MAX),
        ] {
            let found = tasks.saturating_add(share(tasks, percent, least));
            assert_eq!(found, expected, "{tasks} {percent} {least:?}");
        }
    }

    #[test]
    fn the_end_nearer_to_the_threshold_belongs_to_a_step() {
        let step = |lower, upper, by| Step { lower, upper, by };
        let policy = |steps: &[Step]| StepScaling {
            adjustment: Adjustment::Percent(None),
            steps: steps.to_vec(),
        };
        let out = policy(&[
            step(Some(0.0), Some(10.0), 0),
            step(Some(10.0), Some(20.0), 10),
            step(Some(20.0), None, 30),
        ]);
        for (metric, expected) in [
            (59.9, 100),
            (60.0, 110),
            (69.9, 110),
            (70.0, 130),
            (50.0, 100),
        ] {
            assert_eq!(
                out.tasks(100, metric - 50.0, true),
                Some(expected),
                "{metric}"
            );
        }
        assert_eq!(out.tasks(100, -1.0, true), None);
        let into = policy(&[
            step(Some(-10.0), Some(0.0), 0),
            step(Some(-20.0), Some(-10.0), -10),
            step(None, Some(-20.0), -30),
        ]);
        for (metric, expected) in [(40.1, 100), (40.0, 90), (30.0, 70), (30.1, 90)] {
            assert_eq!(
                into.tasks(100, metric - 50.0, false),
                Some(expected),
                "{metric}"
            );
        }
    }
}
