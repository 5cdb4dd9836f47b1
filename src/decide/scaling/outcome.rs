//! What one look at the policies of a service leads to, as its status tells it.

use std::collections::BTreeSet;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{
    activity,
    alarm::State,
    engine::{Activity, Decision, NotScaled, Service, decide},
    evaluation::Alarms,
    minute::Minute,
    target::{LOW_PERIODS, LOW_SHARE, Point},
};
use crate::{
    crd::{AlarmStatus, AutoScalingStatus},
    validate::{AutoScaling, Missing, Series, high_alarm, low_alarm},
};

/// Who scales, in the status.
pub const OPERATOR: &str = "operator";

/// Thresholds that differ by less are the same: JSON may change the last digit of a number.
const SAME: f64 = 1e-6;

/// How many minutes the status tells of an alarm: as many as target tracking looks at before it removes tasks.
const RECENT: usize = LOW_PERIODS;

/// What has been seen of the metrics of a service.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Its scaling.
    pub scaling: &'a AutoScaling,
    /// The states of its alarms.
    pub alarms: &'a Alarms,
    /// The points of each minute, the newest last, by the position of a policy.
    pub points: &'a dyn Fn(usize) -> &'a [Minute<Point>],
    /// Whether enough has been measured to say that data is insufficient.
    pub is_complete: bool,
    /// Whether the status was lost with what it remembered, while tasks ran.
    pub is_lost: bool,
}

/// Returns the state to record before anything else happens.
#[must_use]
pub fn outcome(
    before: &AutoScalingStatus,
    service: &Service,
    seen: Seen<'_>,
    now: Timestamp,
) -> AutoScalingStatus {
    let mut state = AutoScalingStatus {
        scaler: Some(OPERATOR.to_owned()),
        alarms: alarms(&before.alarms, seen, now),
        ..before.clone()
    };
    let counts = (service.desired, service.running);
    activity::follow(&mut state.activities, counts, now);
    if activity::is_pending(&state.activities) {
        return state;
    }
    let policies = seen.alarms.policies(seen.scaling, seen.points);
    if seen.is_lost && state.activities.is_empty() {
        let cooldowns = policies.iter();
        let cooldowns = cooldowns.map(|policy| policy.out_cooldown.max(policy.in_cooldown));
        let longest = cooldowns.max().unwrap_or(0);
        activity::hold(&mut state.activities, service.desired, longest, now);
    }
    if activity::is_held(&state.activities, now) {
        state.not_scaled_reason = Some(name_of(NotScaled::InCooldown).to_owned());
        return state;
    }
    let memory = activity::memory(&state.activities, now);
    let (decision, _) = decide(service, &policies, &memory, now);
    state.not_scaled_reason = match decision {
        // As after a restart: nothing is known that says otherwise.
        Decision::Stay if !seen.is_complete => state.not_scaled_reason,
        Decision::Stay => None,
        Decision::Not(why) => Some(name_of(why).to_owned()),
        Decision::Scale(activity) => {
            let cause = cause(&activity, activity.result > service.desired);
            let activities = &mut state.activities;
            activity::begin(activities, &activity, service.desired, cause, now);
            None
        }
    };
    state
}

/// Returns the name of a reason, in the words of AWS.
#[must_use]
pub const fn name_of(why: NotScaled) -> &'static str {
    match why {
        NotScaled::AlreadyAtMaxCapacity => "AlreadyAtMaxCapacity",
        NotScaled::AlreadyAtMinCapacity => "AlreadyAtMinCapacity",
        NotScaled::AlreadyAtDesiredCapacity => "AlreadyAtDesiredCapacity",
        NotScaled::InCooldown => "InCooldown",
        NotScaled::DeploymentInProgress => "DeploymentInProgress",
        NotScaled::Suspended => "Suspended",
    }
}

/// Returns why an activity begins, in the words of AWS.
fn cause(activity: &Activity, is_out: bool) -> String {
    let policy = &activity.policy;
    let alarm = match &activity.trigger {
        Some(alarm) => alarm.clone(),
        None if is_out => high_alarm(policy),
        None => low_alarm(policy),
    };
    format!("monitor alarm {alarm} in state ALARM triggered policy {policy}")
}

/// Returns the alarms as the status tells them. While too little is measured, as after a restart, they stay as they were.
fn alarms(before: &[AlarmStatus], seen: Seen<'_>, now: Timestamp) -> Vec<AlarmStatus> {
    let status = |name: String,
                  series: &Series,
                  (index, share): (usize, f64),
                  threshold: f64,
                  state: State| {
        let known = before.iter().find(|known| known.alarm_name == name);
        let is_known = state != State::InsufficientData || seen.is_complete;
        let same = |known: &&AlarmStatus| {
            let is_same = |known: f64| (known - threshold).abs() < SAME;
            let is_of_it = known.threshold.is_some_and(is_same);
            is_of_it && (!is_known || known.state_value == name_of_state(state))
        };
        known.filter(same).cloned().unwrap_or_else(|| {
            let points = (seen.points)(index);
            let shown = |point: &Minute<Point>| Some(rounded(point.value()?.metric * share));
            let recent = points.iter().skip(points.len().saturating_sub(RECENT));
            AlarmStatus {
                alarm_name: name,
                metric_name: series.metric_name().to_owned(),
                threshold: Some(threshold),
                state_value: name_of_state(state).to_owned(),
                value: points.last().and_then(shown),
                state_updated_timestamp: Some(Time(now)),
                recent_values: recent.filter_map(shown).collect(),
            }
        })
    };
    let targets = seen.scaling.policies.iter().zip(&seen.alarms.targets);
    let targets = targets.flat_map(|(policy, states)| {
        let series = Series::tracked(&policy.metric);
        let (name, target, points) = (&policy.name, policy.target_value, (policy.index, 1.0));
        [
            status(high_alarm(name), &series, points, target, states.high),
            status(
                low_alarm(name),
                &series,
                points,
                target * LOW_SHARE,
                states.low,
            ),
        ]
    });
    let steps = seen.scaling.step_policies.iter().zip(&seen.alarms.steps);
    // An alarm that triggers several policies is one alarm.
    let mut listed = BTreeSet::new();
    let steps = steps.filter(|(policy, _)| {
        let position = policy.trigger.listed;
        position.is_none_or(|position| listed.insert(position))
    });
    let steps = steps.map(|(policy, state)| {
        let (alarm, trigger) = (&policy.alarm, &policy.trigger);
        status(
            trigger.name.clone(),
            &alarm.series,
            (trigger.points, alarm.share()),
            alarm.rule.threshold,
            *state,
        )
    });
    targets.chain(steps).collect()
}

/// Returns a value as the status has it: with two decimals, and finite, because JSON has no infinity.
fn rounded(value: f64) -> f64 {
    let most = f64::MAX / 100.0;
    (value.clamp(-most, most) * 100.0).round() / 100.0
}

const fn name_of_state(state: State) -> &'static str {
    match state {
        State::Ok => "OK",
        State::Alarm => "ALARM",
        State::InsufficientData => "INSUFFICIENT_DATA",
    }
}

/// Returns the states to begin with after a restart: unknown, but for alarms that keep their state while points are
/// missing.
#[must_use]
pub fn restored(scaling: &AutoScaling, status: &AutoScalingStatus) -> Alarms {
    let mut alarms = Alarms::new(scaling);
    for (state, policy) in alarms.steps.iter_mut().zip(&scaling.step_policies) {
        let mut known = status.alarms.iter();
        let known = known.find(|known| known.alarm_name == policy.trigger.name);
        if let Some(known) = known.filter(|_| policy.alarm.rule.missing == Missing::Ignore) {
            *state = match known.state_value.as_str() {
                "OK" => State::Ok,
                "ALARM" => State::Alarm,
                _ => State::InsufficientData,
            };
        }
    }
    alarms
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::SignedDuration;

    use super::*;
    use crate::{
        decide::scaling::{Range, evaluation},
        validate::{
            Adjustment, Alarm, AlarmRule, Comparison, Metric, Statistic, Step, StepPolicy,
            StepScaling, TargetTracking, Trigger,
        },
    };

    /// A step policy that adds a task while CPU is above 70 %, and target tracking that keeps it at 60 %.
    fn scaling(missing: Missing) -> AutoScaling {
        let step = StepPolicy {
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
            cooldown: 300,
            aggregation: Statistic::Average,
            alarm: Alarm {
                series: Series::Cpu(Statistic::Average),
                period: 60,
                rule: AlarmRule {
                    comparison: Comparison::Greater,
                    threshold: 70.0,
                    periods: 1,
                    to_alarm: 1,
                    missing,
                },
            },
            trigger: Trigger::inside("out", 0),
        };
        let target = TargetTracking {
            index: 1,
            name: "cpu".to_owned(),
            metric: Metric::Cpu,
            target_value: 60.0,
            scale_out_cooldown: None,
            scale_in_cooldown: None,
            disable_scale_in: false,
            replaced_steps: None,
        };
        AutoScaling {
            min_capacity: 2,
            max_capacity: 4,
            policies: vec![target],
            step_policies: vec![step],
            by_operator: true,
            ..AutoScaling::default()
        }
    }

    /// One operator, from its start on.
    struct Operator {
        scaling: AutoScaling,
        alarms: Alarms,
        points: Vec<Minute<Point>>,
        is_lost: bool,
    }

    impl Operator {
        fn started(scaling: &AutoScaling, status: &AutoScalingStatus) -> Self {
            Self {
                scaling: scaling.clone(),
                alarms: restored(scaling, status),
                points: Vec::new(),
                is_lost: false,
            }
        }

        /// Returns the state after one more minute.
        fn minute(
            &mut self,
            before: &AutoScalingStatus,
            metric: Option<f64>,
            tasks: i64,
            now: Timestamp,
        ) -> AutoScalingStatus {
            self.points
                .push(Minute::from(metric).map(|metric| Point { metric, tasks }));
            self.alarms.look(&self.scaling, |_| &self.points);
            let service = Service {
                range: Range { min: 2, max: 4 },
                running: tasks,
                desired: tasks,
                deploying: false,
                out_suspended: false,
                in_suspended: false,
            };
            let seen = Seen {
                scaling: &self.scaling,
                alarms: &self.alarms,
                points: &|_| &self.points,
                is_complete: self.points.len() >= evaluation::minutes(&self.scaling),
                is_lost: self.is_lost,
            };
            outcome(before, &service, seen, now)
        }
    }

    fn minute(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn states(state: &AutoScalingStatus) -> Vec<&str> {
        let alarms = state.alarms.iter();
        alarms.map(|alarm| alarm.state_value.as_str()).collect()
    }

    #[test]
    fn an_activity_is_recorded_once_until_its_count_is_set() {
        let scaling = scaling(Missing::Missing);
        let nothing = AutoScalingStatus::default();
        let mut operator = Operator::started(&scaling, &nothing);
        let begun = operator.minute(&nothing, Some(90.0), 2, minute(1));
        let activity = &begun.activities[0];
        assert_eq!(
            activity.cause,
            "monitor alarm out in state ALARM triggered policy out"
        );
        assert_eq!((activity.from, activity.to), (Some(2), Some(3)));
        // The count is not set yet: nothing is decided on it, by this operator or the next one.
        let again = operator.minute(&begun, Some(90.0), 2, minute(2));
        assert_eq!(again.activities, begun.activities);
        let mut next = Operator::started(&scaling, &begun);
        let again = next.minute(&begun, Some(99.0), 2, minute(3));
        assert_eq!(again.activities, begun.activities);
    }

    #[test]
    fn alarms_beside_policies_are_told_once_and_are_the_cause() {
        let mut scaling = scaling(Missing::Missing);
        scaling.policies.clear();
        let first = scaling.step_policies[0].clone();
        let listed = |policy: &str, alarm: &str, position: usize, threshold: f64| {
            let mut step = first.clone();
            policy.clone_into(&mut step.name);
            step.alarm.rule.threshold = threshold;
            step.trigger = Trigger {
                name: alarm.to_owned(),
                listed: Some(position),
                points: 2 + position,
                in_query: false,
                enabled: true,
            };
            step
        };
        // Each of two alarms triggers the first policy, and the second one another too.
        scaling.step_policies = vec![
            listed("out", "very-high", 0, 95.0),
            listed("out", "high", 1, 70.0),
            listed("more", "high", 1, 70.0),
        ];
        let nothing = AutoScalingStatus::default();
        let begun =
            Operator::started(&scaling, &nothing).minute(&nothing, Some(90.0), 2, minute(1));
        let alarms = begun.alarms.iter();
        let alarms: Vec<_> = alarms
            .map(|it| (it.alarm_name.as_str(), it.state_value.as_str()))
            .collect();
        assert_eq!(alarms, [("very-high", "OK"), ("high", "ALARM")]);
        assert_eq!(
            begun.activities[0].cause,
            "monitor alarm high in state ALARM triggered policy out"
        );
        // Of two alarms that are in ALARM, the cause is the one of the larger step.
        let mut larger = listed("out", "queue", 1, 70.0);
        larger.scaling.steps[0].by += 1;
        scaling.step_policies = vec![listed("out", "high", 0, 70.0), larger];
        let begun =
            Operator::started(&scaling, &nothing).minute(&nothing, Some(90.0), 2, minute(1));
        assert_eq!(
            begun.activities[0].cause,
            "monitor alarm queue in state ALARM triggered policy out"
        );
    }

    #[test]
    fn the_value_of_an_alarm_is_the_one_that_is_compared_with_its_threshold() {
        let mut scaling = scaling(Missing::Missing);
        scaling.policies.clear();
        let alarm = &mut scaling.step_policies[0].alarm;
        (alarm.series, alarm.period) = (Series::Cpu(Statistic::Sum), 10);
        let nothing = AutoScalingStatus::default();
        let state =
            Operator::started(&scaling, &nothing).minute(&nothing, Some(90.0), 2, minute(1));
        assert_eq!(state.alarms[0].value, Some(15.0));
    }

    #[test]
    fn an_alarm_tells_the_minutes_until_its_state_began_and_no_later_ones() {
        let scaling = scaling(Missing::Missing);
        let nothing = AutoScalingStatus::default();
        let mut operator = Operator::started(&scaling, &nothing);
        let mut state = nothing;
        let metrics = [Some(10.0), None, Some(20.004), Some(90.0), Some(95.0)];
        for (metric, at) in metrics.into_iter().zip(1..) {
            state = operator.minute(&state, metric, 2, minute(at));
        }
        let alarm = &state.alarms[2];
        assert_eq!(
            (alarm.alarm_name.as_str(), alarm.value),
            ("out", Some(90.0))
        );
        assert_eq!(alarm.recent_values, [10.0, 20.0, 90.0]);
    }

    #[test]
    fn no_value_is_too_large_for_the_status() {
        let scaling = scaling(Missing::Missing);
        let nothing = AutoScalingStatus::default();
        for metric in [f64::MAX, f64::MIN] {
            let mut operator = Operator::started(&scaling, &nothing);
            let state = operator.minute(&nothing, Some(metric), 2, minute(1));
            let found = state.alarms.iter().filter_map(|alarm| alarm.value);
            assert!(found.clone().count() > 0);
            assert!(found.clone().all(f64::is_finite), "{metric}");
        }
    }

    #[test]
    fn a_restart_changes_nothing_until_it_is_measured() {
        let scaling = scaling(Missing::Missing);
        let mut state = AutoScalingStatus::default();
        let mut operator = Operator::started(&scaling, &state);
        for number in 0..20 {
            state = operator.minute(&state, Some(30.0), 2, minute(number));
        }
        assert_eq!(states(&state), ["OK", "ALARM", "OK"]);
        assert_eq!(
            state.not_scaled_reason.as_deref(),
            Some("AlreadyAtMinCapacity")
        );
        let mut operator = Operator::started(&scaling, &state);
        for number in 20..40 {
            let after = operator.minute(&state, Some(30.0), 2, minute(number));
            assert_eq!(after, state, "{number}");
        }
        // Without any point, it is unknown after as many minutes as the alarms look at.
        let mut operator = Operator::started(&scaling, &state);
        for number in 40..80 {
            state = operator.minute(&state, None, 2, minute(number));
            let is_long = number >= 40 + 16;
            let unknown = vec!["INSUFFICIENT_DATA"; 3];
            assert_eq!(states(&state) == unknown, is_long, "{number}: {state:?}");
        }
        assert_eq!(state.activities, []);
    }

    #[test]
    fn a_lost_status_takes_no_step_that_may_have_been_taken() {
        let scaling = scaling(Missing::Missing);
        let mut state = AutoScalingStatus::default();
        let mut operator = Operator::started(&scaling, &state);
        operator.is_lost = true;
        for number in 0..5 {
            state = operator.minute(&state, Some(90.0), 3, minute(number));
            assert_eq!(state.activities[0].to, Some(3), "{number}");
            assert_eq!(state.not_scaled_reason.as_deref(), Some("InCooldown"));
        }
        // Its cooldown would be over.
        state = operator.minute(&state, Some(90.0), 3, minute(5));
        assert_eq!(state.activities[0].to, Some(4));
    }

    #[test]
    fn an_alarm_that_ignores_missing_points_keeps_its_state_over_a_restart() {
        for (missing, expected) in [
            (Missing::Ignore, State::Alarm),
            (Missing::Missing, State::InsufficientData),
        ] {
            let scaling = scaling(missing);
            let nothing = AutoScalingStatus::default();
            let state = Operator::started(&scaling, &nothing);
            let state = { state }.minute(&nothing, Some(90.0), 2, minute(1));
            assert_eq!(restored(&scaling, &state).steps, [expected], "{missing:?}");
        }
    }
}
