//! The policies of a service, as ECS runs them: they look at the minute that has passed.

use super::{Fleet, Look, MINUTE, Scaler, load::as_f64};
use crate::{
    decide::scaling::{
        alarm::State,
        engine::{Activity, Decision, Kind, Memory, Policy, Service, decide},
        target::{self, Point, States},
    },
    ecs::TargetTrackingScalingPolicyConfiguration as Defaults,
    validate::{Alarm, AutoScaling, StepPolicy, TargetTracking},
};

/// The policies, with what they have seen.
pub(super) struct Policies<'a> {
    scaling: &'a AutoScaling,
    /// The points of each minute, by the position of the policy.
    points: Vec<Vec<Option<Point>>>,
    /// What has been measured in this minute, by the position of the policy, and how many tasks ran.
    measured: Vec<Vec<(f64, i64)>>,
    targets: Vec<States>,
    alarms: Vec<State>,
    memory: Memory,
}

impl<'a> Policies<'a> {
    pub(super) fn new(scaling: &'a AutoScaling) -> Self {
        Self {
            scaling,
            points: Vec::new(),
            measured: Vec::new(),
            targets: vec![States::default(); scaling.policies.len()],
            alarms: vec![State::default(); scaling.step_policies.len()],
            memory: Memory::default(),
        }
    }

    /// Turns what was measured in a minute into its points.
    fn end_minute(&mut self) {
        self.points.resize(self.measured.len(), Vec::new());
        for (points, measured) in self.points.iter_mut().zip(&mut self.measured) {
            points.push(point(measured));
            measured.clear();
        }
        let of = |index: usize| self.points.get(index).map_or(&[][..], Vec::as_slice);
        for (states, policy) in self.targets.iter_mut().zip(&self.scaling.policies) {
            *states = target::states(policy.target_value, of(policy.index), *states);
        }
        for (state, policy) in self.alarms.iter_mut().zip(&self.scaling.step_policies) {
            if let Some(alarm) = &policy.alarm {
                *state = alarm
                    .rule
                    .state(&of_periods(of(policy.index), alarm), *state);
            }
        }
    }

    fn decide(&mut self, fleet: &Fleet, at: Look) -> Option<(i64, Option<String>)> {
        let of = |index: usize| self.points.get(index).map_or(&[][..], Vec::as_slice);
        let targets = self.scaling.policies.iter().zip(&self.targets);
        let targets = targets.map(|(policy, states)| of_target(policy, of(policy.index), *states));
        let steps = self.scaling.step_policies.iter().zip(&self.alarms);
        let steps = steps.filter_map(|(policy, state)| of_step(policy, of(policy.index), *state));
        let policies: Vec<Policy<'_>> = targets.chain(steps).collect();
        let service = Service {
            range: at.range,
            running: fleet.running(),
            desired: fleet.desired(),
            deploying: false,
            out_suspended: self.scaling.scale_out_suspended,
            in_suspended: self.scaling.scale_in_suspended,
        };
        let (decision, memory) = decide(&service, &policies, &self.memory, at.now);
        self.memory = memory;
        match decision {
            Decision::Scale(Activity { policy, result, .. }) => Some((result, Some(policy))),
            Decision::Stay | Decision::Not(_) => None,
        }
    }
}

impl Scaler for Policies<'_> {
    fn look(
        &mut self,
        fleet: &Fleet,
        metrics: &[Option<f64>],
        at: Look,
    ) -> Option<(i64, Option<String>)> {
        let begins = at.second % MINUTE == 0 && at.second > 0;
        if begins {
            self.end_minute();
        }
        self.measured.resize(metrics.len(), Vec::new());
        for (measured, metric) in self.measured.iter_mut().zip(metrics) {
            measured.extend(metric.map(|metric| (metric, fleet.running())));
        }
        begins.then(|| self.decide(fleet, at)).flatten()
    }
}

fn of_target<'p>(
    policy: &'p TargetTracking,
    points: &'p [Option<Point>],
    states: States,
) -> Policy<'p> {
    let cooldown = policy.scale_out_cooldown;
    Policy {
        name: &policy.name,
        kind: Kind::Target {
            target: policy.target_value,
            points,
            states,
            disable_scale_in: policy.disable_scale_in,
        },
        out_cooldown: cooldown.unwrap_or(Defaults::DEFAULT_SCALE_OUT_COOLDOWN),
        in_cooldown: policy
            .scale_in_cooldown
            .unwrap_or(Defaults::DEFAULT_SCALE_IN_COOLDOWN),
    }
}

fn of_step<'p>(
    policy: &'p StepPolicy,
    points: &[Option<Point>],
    state: State,
) -> Option<Policy<'p>> {
    let alarm = policy.alarm.as_ref()?;
    let newest = of_periods(points, alarm).last().copied().flatten();
    Some(Policy {
        name: &policy.name,
        kind: Kind::Step {
            policy: &policy.scaling,
            state,
            upward: alarm.rule.comparison.is_upward(),
            distance: newest.map(|metric| metric - alarm.rule.threshold),
        },
        out_cooldown: policy.cooldown,
        in_cooldown: policy.cooldown,
    })
}

/// Returns the points of an alarm's periods from those of minutes, the newest last. Shorter periods count as minutes.
fn of_periods(points: &[Option<Point>], alarm: &Alarm) -> Vec<Option<f64>> {
    let minutes = usize::try_from(alarm.period / MINUTE).unwrap_or(1).max(1);
    let mut periods: Vec<Option<f64>> = points
        .rchunks(minutes)
        .take(alarm.rule.range())
        .map(|period| average(period.iter().flatten().map(|point| point.metric)))
        .collect();
    periods.reverse();
    periods
}

/// Returns the point of a minute; the tasks are those at its end.
fn point(measured: &[(f64, i64)]) -> Option<Point> {
    Some(Point {
        metric: average(measured.iter().map(|(metric, _)| *metric))?,
        tasks: measured.last()?.1,
    })
}

fn average(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0);
    for value in values {
        (sum, count) = (sum + value, count + 1);
    }
    (count > 0).then(|| sum / as_f64(count))
}
