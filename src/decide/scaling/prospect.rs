//! What the next change of the number of tasks would be, if the metric of a policy got to a value.
//!
//! The engine that scales says it, for a metric that nobody has measured: so it cannot promise anything else than what
//! would happen.

use k8s_openapi::jiff::Timestamp;

use super::{
    alarm::State,
    engine::{Decision, Memory, Service, decide},
    evaluation::{at_distance, of_target},
    minute::Minute,
    target::{LOW_PERIODS, Point, States, states},
};
use crate::validate::{Step, StepPolicy, TargetTracking};

/// A service at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The service.
    pub service: Service,
    /// What happened before.
    pub memory: &'a Memory,
    /// The moment.
    pub now: Timestamp,
}

/// The values of a metric for which a step applies, and what it leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// The lower end; no end if absent.
    pub from: Option<f64>,
    /// The upper end; no end if absent.
    pub to: Option<f64>,
    /// What follows.
    pub decision: Decision,
}

impl Situation<'_> {
    /// Returns what follows if the metric of a policy is at a value for as long as its alarms look at, and no other policy
    /// wants anything.
    #[must_use]
    pub fn tracked(&self, policy: &TargetTracking, metric: f64) -> Decision {
        let tasks = self.service.running.min(self.service.desired);
        let points = [Minute::Value(Point { metric, tasks }); LOW_PERIODS];
        let states = states(policy.target_value, &points, States::default());
        let policy = of_target(policy, &points, states);
        decide(&self.service, &[policy], self.memory, self.now).0
    }

    /// Returns what each step of a policy leads to that its alarm can select, if no other policy wants anything.
    #[must_use]
    pub fn stepped(&self, policy: &StepPolicy) -> Vec<Outlook> {
        let rule = &policy.alarm.rule;
        let upward = rule.comparison.is_upward();
        let steps = policy.scaling.steps.iter();
        let steps = steps.filter_map(|step| Some((step, nearest(step, upward)?)));
        let outlook = |(step, distance): (&Step, f64)| {
            let policy = at_distance(policy, Some(distance), State::Alarm);
            let end = |end: Option<f64>| end.map(|end| rule.threshold + end);
            // Beyond the threshold, the alarm does not go off.
            let lower = step.lower.filter(|lower| !upward || *lower > 0.0);
            let upper = step.upper.filter(|upper| upward || *upper < 0.0);
            let at_threshold = Some(rule.threshold);
            let (from, to) = (end(lower), end(upper));
            Outlook {
                from: if upward { from.or(at_threshold) } else { from },
                to: if upward { to } else { to.or(at_threshold) },
                decision: decide(&self.service, &[policy], self.memory, self.now).0,
            }
        };
        steps.map(outlook).collect()
    }
}

/// Returns the distance from the threshold in a step that is nearest to it, on the side on which the alarm goes off;
/// `None` if the step has none there.
fn nearest(step: &Step, upward: bool) -> Option<f64> {
    if upward {
        let ends_before = step.upper.is_some_and(|upper| upper <= 0.0);
        (!ends_before).then(|| step.lower.unwrap_or(0.0).max(0.0))
    } else {
        let begins_after = step.lower.is_some_and(|lower| lower >= 0.0);
        (!begins_after).then(|| step.upper.unwrap_or(0.0).min(0.0))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::SignedDuration;

    use super::*;
    use crate::{
        decide::scaling::{
            Range,
            engine::{Activity, NotScaled},
        },
        validate::{
            Adjustment, Alarm, AlarmRule, Comparison, Metric, Missing, Series, Statistic,
            StepScaling, Trigger,
        },
    };

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const SERVICE: Service = Service {
        range: Range { min: 2, max: 10 },
        running: 4,
        desired: 4,
        deploying: false,
        out_suspended: false,
        in_suspended: false,
    };

    fn tracking() -> TargetTracking {
        TargetTracking {
            index: 0,
            name: "cpu".to_owned(),
            metric: Metric::Cpu,
            target_value: 50.0,
            scale_out_cooldown: None,
            scale_in_cooldown: None,
            disable_scale_in: false,
            replaced_steps: None,
        }
    }

    fn stepping(comparison: Comparison, steps: &[(Option<f64>, Option<f64>, i64)]) -> StepPolicy {
        let steps = steps.iter().copied();
        StepPolicy {
            index: 0,
            name: "steps".to_owned(),
            scaling: StepScaling {
                adjustment: Adjustment::Change,
                steps: steps
                    .map(|(lower, upper, by)| Step { lower, upper, by })
                    .collect(),
            },
            cooldown: 60,
            aggregation: Statistic::Average,
            alarm: Alarm {
                series: Series::Cpu(Statistic::Average),
                period: 60,
                rule: AlarmRule {
                    comparison,
                    threshold: 60.0,
                    periods: 2,
                    to_alarm: 2,
                    missing: Missing::Missing,
                },
            },
            trigger: Trigger::inside("steps", 0),
        }
    }

    /// Returns the number of tasks that a decision leads to, or why it leads to none.
    fn result(decision: &Decision) -> Result<i64, Option<NotScaled>> {
        match decision {
            Decision::Stay => Err(None),
            Decision::Not(why) => Err(Some(*why)),
            Decision::Scale(activity) => Ok(activity.result),
        }
    }

    #[test]
    fn a_tracked_metric_leads_to_what_the_engine_does_with_it() {
        let out = Memory {
            out: Some(Activity {
                policy: "cpu".to_owned(),
                trigger: None,
                base: 2,
                result: 4,
                until: NOW + SignedDuration::from_mins(1),
            }),
            into: None,
        };
        let deploying = Service {
            deploying: true,
            ..SERVICE
        };
        let nothing = Memory::default();
        for (service, memory, metric, expected) in [
            (SERVICE, &nothing, 60.0, Ok(5)),
            (SERVICE, &nothing, 100.0, Ok(8)),
            (SERVICE, &nothing, 900.0, Ok(10)),
            (SERVICE, &nothing, 50.0, Err(None)),
            (SERVICE, &nothing, 30.0, Ok(3)),
            (SERVICE, &out, 60.0, Err(Some(NotScaled::InCooldown))),
            (SERVICE, &out, 30.0, Err(Some(NotScaled::InCooldown))),
            (
                deploying,
                &nothing,
                30.0,
                Err(Some(NotScaled::DeploymentInProgress)),
            ),
        ] {
            let situation = Situation {
                service,
                memory,
                now: NOW,
            };
            let decision = situation.tracked(&tracking(), metric);
            assert_eq!(result(&decision), expected, "{service:?} {metric}");
        }
    }

    #[test]
    fn each_step_that_an_alarm_can_select_has_its_values_and_its_result() {
        let memory = Memory::default();
        let situation = Situation {
            service: SERVICE,
            memory: &memory,
            now: NOW,
        };
        let found = |comparison, steps: &[_]| -> Vec<_> {
            let outlooks = situation.stepped(&stepping(comparison, steps));
            let outlooks = outlooks.iter();
            outlooks
                .map(|it| (it.from, it.to, result(&it.decision)))
                .collect()
        };
        let both = [
            (None, Some(-10.0), -2),
            (Some(-10.0), Some(0.0), -1),
            (Some(0.0), Some(20.0), 1),
            (Some(20.0), None, 20),
        ];
        assert_eq!(
            found(Comparison::Greater, &both),
            [(Some(60.0), Some(80.0), Ok(5)), (Some(80.0), None, Ok(10)),]
        );
        assert_eq!(
            found(Comparison::Less, &both),
            [(None, Some(50.0), Ok(2)), (Some(50.0), Some(60.0), Ok(3)),]
        );
        // A step without ends begins where the alarm goes off.
        assert_eq!(
            found(Comparison::Greater, &[(None, None, 1)]),
            [(Some(60.0), None, Ok(5))]
        );
    }
}
