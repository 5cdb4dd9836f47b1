//! Plays the scaling of a service over time: by the policies as ECS runs them, and by the autoscaler that they are
//! translated to.

mod autoscaler;
mod fleet;
mod load;
mod policies;

pub(crate) use self::load::as_f64;
pub use self::load::{Load, Loads};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use self::{autoscaler::Autoscaler, fleet::Fleet, policies::Policies};
use super::{
    Range,
    scheduled::{Asked, in_force},
};
use crate::{crd::AutoScalingStatus, validate::AutoScaling};

/// How often an autoscaler looks at its metrics, in seconds.
const SYNC_SECONDS: i64 = 15;
/// How often policies look at theirs, in seconds.
const MINUTE: i64 = 60;

/// What is played.
#[derive(Clone, Copy, Debug)]
pub struct Play<'a> {
    /// The scaling of the service.
    pub scaling: &'a AutoScaling,
    /// The load over time.
    pub loads: &'a Loads,
    /// How many tasks there are at first.
    pub tasks: i64,
    /// How many seconds a task takes until it serves.
    pub start_seconds: i64,
    /// When the first minute begins, for scheduled actions.
    pub from: Timestamp,
    /// The stabilization windows of the autoscaler for additions and for removals, in seconds.
    pub windows: (i64, i64),
    /// Whether the autoscaler keeps at least one task, whatever the minimum is.
    pub keeps_a_task: bool,
}

/// A minute of a play.
#[derive(Clone, Debug, PartialEq)]
pub struct Minute {
    /// The load of each policy, in the order of the policies.
    pub loads: Vec<f64>,
    /// What the policies have done.
    pub policies: Counts,
    /// What the autoscaler has done; `None` if none can do what the policies do.
    pub autoscaler: Option<Counts>,
}

/// The tasks at the end of a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// How many are desired.
    pub desired: i64,
    /// How many serve.
    pub running: i64,
    /// Whether a metric was above its target or its alarm's threshold in this minute.
    pub is_high: bool,
    /// Why the number changed in this minute.
    pub why: Vec<String>,
}

/// Plays the scaling of a service for as long as its load is given.
#[must_use]
pub fn play(play: Play<'_>) -> Vec<Minute> {
    let mut ecs = Side::new(play, Policies::new(play.scaling));
    let autoscaler = Autoscaler::new(play);
    let mut kubernetes = autoscaler.map(|autoscaler| Side::new(play, autoscaler));
    (0..play.loads.minutes())
        .map(|minute| Minute {
            loads: play.loads.at(minute * MINUTE),
            policies: ecs.minute(play, minute),
            autoscaler: kubernetes.as_mut().map(|side| side.minute(play, minute)),
        })
        .collect()
}

/// Whoever sets the number of tasks.
trait Scaler {
    /// Looks at the metrics, and returns another number of tasks, with the policy that leads to it if that is known.
    fn look(
        &mut self,
        fleet: &Fleet,
        metrics: &[Option<f64>],
        at: Look,
    ) -> Option<(i64, Option<String>)>;
}

/// When and within which range a scaler looks at its metrics.
#[derive(Clone, Copy, Debug)]
struct Look {
    range: Range,
    /// Seconds since the beginning.
    second: i64,
    now: Timestamp,
}

/// One of the two that are compared.
struct Side<S> {
    fleet: Fleet,
    scaler: S,
    scheduled: AutoScalingStatus,
}

impl<S: Scaler> Side<S> {
    fn new(play: Play<'_>, scaler: S) -> Self {
        Self {
            fleet: Fleet::new(play.tasks, play.start_seconds),
            scaler,
            scheduled: AutoScalingStatus::default(),
        }
    }

    fn minute(&mut self, play: Play<'_>, minute: i64) -> Counts {
        let mut why = Vec::new();
        let mut is_high = false;
        for look in 0..MINUTE / SYNC_SECONDS {
            let second = minute * MINUTE + look * SYNC_SECONDS;
            let now = play.from + SignedDuration::from_secs(second);
            let range = self.scheduled(play, second, now, &mut why);
            self.fleet.go_on(second);
            let metrics = play.loads.metrics(second, self.fleet.running());
            is_high |= play.scaling.is_high(&metrics);
            let at = Look { range, second, now };
            if let Some((tasks, reason)) = self.scaler.look(&self.fleet, &metrics, at) {
                self.fleet.want(tasks, second);
                why.extend(reason);
            }
        }
        Counts {
            desired: self.fleet.desired(),
            running: self.fleet.running(),
            is_high,
            why,
        }
    }

    /// Runs the scheduled actions that are due, and returns the range in force.
    fn scheduled(
        &mut self,
        play: Play<'_>,
        second: i64,
        now: Timestamp,
        why: &mut Vec<String>,
    ) -> Range {
        let found = in_force(&self.scheduled, Asked::of(play.scaling), now);
        self.scheduled = found.state;
        for firing in &found.fired {
            if let Ok(Range { min, max }) = firing.result {
                why.push(format!("{}: {min} to {max} tasks", firing.action));
            }
        }
        if std::mem::take(&mut self.scheduled.adjusting) {
            let tasks = found.range.nearest(self.fleet.desired());
            self.fleet.want(tasks, second);
        }
        found.range
    }
}

impl AutoScaling {
    /// Whether a metric is above its target, or beyond the threshold of an alarm that adds tasks.
    fn is_high(&self, metrics: &[Option<f64>]) -> bool {
        let targets = self.policies.iter().map(|it| (it.index, it.target_value));
        let alarms = self.step_policies.iter().filter_map(|it| {
            let rule = it.alarm.rule;
            let is_upward = rule.comparison.is_upward();
            (is_upward && it.trigger.enabled).then_some((it.trigger.points, rule.threshold))
        });
        targets.chain(alarms).any(|(index, most)| {
            let metric = metrics.get(index).copied().flatten();
            metric.is_some_and(|metric| metric > most)
        })
    }
}
