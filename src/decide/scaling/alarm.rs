//! Alarms as CloudWatch evaluates them
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>).

use crate::validate::{AlarmRule, Comparison, Missing};

/// The state of an alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// The metric does not breach the threshold.
    Ok,
    /// The metric breaches the threshold.
    Alarm,
    /// Too few points are known.
    #[default]
    InsufficientData,
}

/// How many points more than it counts an alarm looks at. CloudWatch does not publish the number; in the examples of its
/// guide it is two.
const MORE: usize = 2;

impl Comparison {
    /// Whether an alarm on it goes off above its threshold.
    #[must_use]
    pub const fn is_upward(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual)
    }
}

impl AlarmRule {
    /// Returns how many points the alarm looks at.
    #[must_use]
    pub const fn range(&self) -> usize {
        self.periods + MORE
    }

    /// Returns the next state, from one point for each period, the newest last. Periods before the first point count as
    /// missing, and only the newest [`Self::range`] points count at all.
    #[must_use]
    pub fn state(&self, points: &[Option<f64>], before: State) -> State {
        // The newest first, and whether each breaches the threshold.
        let newest = points.iter().rev().take(self.range());
        let newest: Vec<Option<bool>> = newest
            .map(|point| point.map(|value| self.breaches(value)))
            .collect();
        let real: Vec<bool> = newest.iter().copied().flatten().collect();
        let breaching = |points: &[bool]| points.iter().filter(|it| **it).count();
        let alarm_if = |holds: bool| if holds { State::Alarm } else { State::Ok };
        if real.len() >= self.periods {
            // Where the newest points are real, these are they.
            let counted = real.get(..self.periods).unwrap_or(&real);
            return alarm_if(breaching(counted) >= self.to_alarm);
        }
        let known = breaching(&real);
        let filled = self.periods - real.len();
        let is_alarm = known >= self.to_alarm;
        let some_do_not = known < real.len();
        match self.missing {
            Missing::Breaching => alarm_if(known + filled >= self.to_alarm),
            Missing::NotBreaching => alarm_if(is_alarm),
            _ if self.missing == Missing::Missing && real.is_empty() => State::InsufficientData,
            _ if is_alarm => State::Alarm,
            Missing::Missing if !some_do_not && self.is_old(&newest) => State::Alarm,
            _ if some_do_not => State::Ok,
            Missing::Missing | Missing::Ignore => before,
        }
    }

    /// Whether the oldest point is from as many periods ago as have to breach the threshold.
    fn is_old(&self, newest: &[Option<bool>]) -> bool {
        let oldest = newest.iter().rposition(Option::is_some);
        oldest.is_some_and(|index| index + 1 >= self.to_alarm)
    }

    fn breaches(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Greater => value > self.threshold,
            Comparison::GreaterOrEqual => value >= self.threshold,
            Comparison::Less => value < self.threshold,
            Comparison::LessOrEqual => value <= self.threshold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the state after these points, oldest first: X breaches, 0 does not, - is missing.
    fn after(
        points: &str,
        (periods, to_alarm): (usize, usize),
        missing: Missing,
        before: State,
    ) -> State {
        let rule = AlarmRule {
            comparison: Comparison::Greater,
            threshold: 50.0,
            periods,
            to_alarm,
            missing,
        };
        let points: Vec<Option<f64>> = points
            .split_whitespace()
            .map(|point| match point {
                "X" => Some(60.0),
                "0" => Some(50.0),
                _ => None,
            })
            .collect();
        rule.state(&points, before)
    }

    const TREATMENTS: [Missing; 4] = [
        Missing::Missing,
        Missing::Ignore,
        Missing::Breaching,
        Missing::NotBreaching,
    ];

    #[test]
    fn missing_points_count_as_in_the_guide_of_cloudwatch() {
        use State::{Alarm, InsufficientData, Ok};
        // `None` is the state before.
        for (of, points, expected) in [
            (
                (3, 3),
                "0 - X - X",
                [Some(Ok), Some(Ok), Some(Ok), Some(Ok)],
            ),
            (
                (3, 3),
                "0 - - - -",
                [Some(Ok), Some(Ok), Some(Ok), Some(Ok)],
            ),
            (
                (3, 3),
                "- - - - -",
                [Some(InsufficientData), None, Some(Alarm), Some(Ok)],
            ),
            (
                (3, 3),
                "0 X X - X",
                [Some(Alarm), Some(Alarm), Some(Alarm), Some(Alarm)],
            ),
            (
                (3, 3),
                "- - X - -",
                [Some(Alarm), None, Some(Alarm), Some(Ok)],
            ),
            (
                (3, 2),
                "0 - X - X",
                [Some(Alarm), Some(Alarm), Some(Alarm), Some(Alarm)],
            ),
            (
                (3, 2),
                "0 0 X 0 X",
                [Some(Alarm), Some(Alarm), Some(Alarm), Some(Alarm)],
            ),
            (
                (3, 2),
                "0 - X - -",
                [Some(Ok), Some(Ok), Some(Alarm), Some(Ok)],
            ),
            (
                (3, 2),
                "- - - - 0",
                [Some(Ok), Some(Ok), Some(Alarm), Some(Ok)],
            ),
            (
                (3, 2),
                "- - - X -",
                [Some(Alarm), None, Some(Alarm), Some(Ok)],
            ),
            // Too young for an alarm.
            ((3, 3), "- - - - X", [None, None, Some(Alarm), Some(Ok)]),
            ((3, 3), "- - - X -", [None, None, Some(Alarm), Some(Ok)]),
            // All points are there.
            ((3, 3), "0 0 X X X", [Some(Alarm); 4]),
            ((3, 3), "X X 0 X X", [Some(Ok); 4]),
            ((1, 1), "X X 0", [Some(Ok); 4]),
            ((1, 1), "0 0 X", [Some(Alarm); 4]),
        ] {
            for (missing, expected) in TREATMENTS.into_iter().zip(expected) {
                for before in [Ok, Alarm, InsufficientData] {
                    let found = after(points, of, missing, before);
                    let expected = expected.unwrap_or(before);
                    assert_eq!(found, expected, "{of:?} {points} {missing:?} {before:?}");
                }
            }
        }
    }

    #[test]
    fn points_that_never_were_count_as_missing_and_old_ones_not_at_all() {
        for (points, expected) in [
            ("X", State::InsufficientData),
            ("X X", State::InsufficientData),
            ("X X X", State::Alarm),
            ("X X X 0 0 0", State::Ok),
            ("X X X - - - - -", State::InsufficientData),
        ] {
            let found = after(points, (3, 3), Missing::Missing, State::InsufficientData);
            assert_eq!(found, expected, "{points}");
        }
    }

    #[test]
    fn each_comparison_has_its_own_edge() {
        for (comparison, at_threshold, above, below) in [
            (Comparison::Greater, false, true, false),
            (Comparison::GreaterOrEqual, true, true, false),
            (Comparison::Less, false, false, true),
            (Comparison::LessOrEqual, true, false, true),
        ] {
            let rule = AlarmRule {
                comparison,
                threshold: 50.0,
                periods: 1,
                to_alarm: 1,
                missing: Missing::Missing,
            };
            let breaches = [50.0, 50.1, 49.9].map(|value| rule.breaches(value));
            assert_eq!(breaches, [at_threshold, above, below], "{comparison:?}");
            assert_eq!(comparison.is_upward(), above);
        }
    }
}
