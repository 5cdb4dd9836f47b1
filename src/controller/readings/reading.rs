//! What is measured of one service.

use k8s_openapi::jiff::Timestamp;

use crate::{
    controller::status::whole_seconds,
    crd::AutoScalingStatus,
    decide::scaling::{
        engine::Service,
        evaluation::{Alarms, minutes},
        outcome::{Seen, outcome, restored},
        target::Point,
        usage::{Reserved, Used, utilization},
    },
    validate::{AutoScaling, Series},
};

/// Why nothing follows from what is measured.
const OLDER: &str = "the CustomResourceDefinitions are those of an older version of the operator, and do not keep what it has decided";

/// For how many minutes a metric has to be missing before that is trouble.
const TROUBLE: usize = 3;

/// The reading of one service.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of the reading, and all combinations occur"
)]
pub(super) struct Reading {
    scaling: AutoScaling,
    of_policies: Vec<OfPolicy>,
    alarms: Alarms,
    /// How many minutes have been measured.
    minutes: usize,
    /// Whether a minute has ended whose outcome is not on record.
    is_due: bool,
    /// In how many of the last minutes tasks ran and a metric was not known.
    unknown: usize,
    /// Why the last sample was not taken.
    failure: Option<String>,
    /// Whether all metrics have been known in some minute.
    was_known: bool,
    /// Whether the API server drops what is recorded.
    gave_up: bool,
    /// Whether the status was lost before, while tasks ran.
    is_lost: bool,
}

/// What is measured for one policy.
struct OfPolicy {
    /// Its position.
    index: usize,
    series: Series,
    /// What has been measured in this minute.
    samples: Vec<f64>,
    /// The points, the newest last.
    points: Vec<Option<Point>>,
}

/// Whether the metrics of a service are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::controller) enum Health {
    /// All are.
    Known,
    /// Some have not been for some minutes, for this reason.
    Unknown(String),
}

impl Reading {
    pub(super) fn new(scaling: &AutoScaling, status: &AutoScalingStatus, is_lost: bool) -> Self {
        let mut reading = Self {
            scaling: AutoScaling::default(),
            of_policies: Vec::new(),
            alarms: Alarms::default(),
            minutes: 0,
            is_due: false,
            unknown: 0,
            failure: None,
            was_known: false,
            gave_up: false,
            is_lost,
        };
        reading.follow(scaling, status);
        reading
    }

    /// Follows other policies. What has been measured for the same metric stays.
    pub(super) fn follow(&mut self, scaling: &AutoScaling, status: &AutoScalingStatus) {
        if self.scaling == *scaling {
            return;
        }
        let before = std::mem::take(&mut self.of_policies);
        self.of_policies = scaling
            .series()
            .map(|(index, series)| {
                let known = before.iter().find(|known| known.series == series);
                let (samples, points) = known
                    .map(|known| (known.samples.clone(), known.points.clone()))
                    .unwrap_or_default();
                OfPolicy {
                    index,
                    series,
                    samples,
                    points,
                }
            })
            .collect();
        self.alarms = restored(scaling, status);
        self.scaling = scaling.clone();
        self.look();
    }

    /// Whether it is measured at its pods.
    pub(super) fn is_of_pods(&self) -> bool {
        let mut series = self.of_policies.iter().map(|it| &it.series);
        series.any(Series::is_measured)
    }

    pub(super) fn sample(&mut self, tasks: &[(Reserved, Used)]) {
        self.failure = None;
        for of_policy in &mut self.of_policies {
            let sample = utilization(&of_policy.series, tasks);
            of_policy.samples.extend(sample);
        }
    }

    pub(super) fn failed(&mut self, why: &str) {
        self.failure = Some(why.to_owned());
    }

    /// Turns what was measured in a minute into its points.
    pub(super) fn end_minute(&mut self, running: i64) {
        let kept = minutes(&self.scaling);
        let mut is_unknown = false;
        for of_policy in &mut self.of_policies {
            let samples = of_policy.samples.drain(..);
            let metric = of_policy.series.statistic().of(samples);
            // Tasks that have ended by the end of the minute are not a demand for others.
            let metric = metric.filter(|_| running > 0);
            let point = metric.map(|metric| Point {
                metric,
                tasks: running,
            });
            is_unknown |= point.is_none() && of_policy.series.is_measured();
            of_policy.points.push(point);
            let old = of_policy.points.len().saturating_sub(kept);
            of_policy.points.drain(..old);
        }
        self.minutes += 1;
        self.is_due = true;
        // Without a task, there is nothing to measure.
        self.unknown = if is_unknown && running > 0 {
            self.unknown + 1
        } else {
            0
        };
        self.was_known |= !is_unknown;
        self.look();
    }

    /// Has the alarms look at the points.
    fn look(&mut self) {
        let of_policies = &self.of_policies;
        self.alarms
            .look(&self.scaling, |index| points(of_policies, index));
    }

    pub(super) fn outcome(
        &self,
        before: &AutoScalingStatus,
        service: impl FnOnce(&AutoScaling) -> Option<Service>,
    ) -> Option<AutoScalingStatus> {
        if !self.is_due || self.gave_up {
            return None;
        }
        let seen = Seen {
            scaling: &self.scaling,
            alarms: &self.alarms,
            points: &|index| points(&self.of_policies, index),
            is_complete: self.minutes >= minutes(&self.scaling),
            is_lost: self.is_lost,
        };
        let service = service(&self.scaling)?;
        let now = whole_seconds(Timestamp::now());
        Some(outcome(before, &service, seen, now))
    }

    pub(super) const fn decided(&mut self) {
        self.is_due = false;
    }

    pub(super) const fn give_up(&mut self) {
        self.gave_up = true;
    }

    /// Whether all metrics have been known in some minute, so that the operator can take over from an autoscaler.
    pub(super) const fn was_known(&self) -> bool {
        self.was_known && !self.gave_up
    }

    pub(super) fn health(&self) -> Option<Health> {
        if self.gave_up {
            return Some(Health::Unknown(OLDER.to_owned()));
        }
        if self.minutes == 0 {
            return None;
        }
        match self.unknown {
            0 => Some(Health::Known),
            minutes if minutes >= TROUBLE => {
                let why = "no task has reported what it uses".to_owned();
                Some(Health::Unknown(self.failure.clone().unwrap_or(why)))
            }
            _ => None,
        }
    }
}

/// Returns the points of a policy by its position.
fn points(of_policies: &[OfPolicy], index: usize) -> &[Option<Point>] {
    let mut of_policies = of_policies.iter();
    let found = of_policies.find(|it| it.index == index);
    found.map_or(&[], |it| &it.points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::{Metric, TargetTracking};

    fn scaling(max: i64) -> AutoScaling {
        AutoScaling {
            min_capacity: 1,
            max_capacity: max,
            policies: vec![TargetTracking {
                index: 0,
                name: "cpu".to_owned(),
                metric: Metric::Cpu,
                target_value: 50.0,
                scale_out_cooldown: None,
                scale_in_cooldown: None,
                disable_scale_in: false,
            }],
            by_operator: true,
            ..AutoScaling::default()
        }
    }

    fn reading() -> Reading {
        Reading::new(&scaling(9), &AutoScalingStatus::default(), false)
    }

    fn use_cpu(reading: &mut Reading, percent: f64) {
        let reserved = Reserved {
            millicores: 1000,
            bytes: 0,
        };
        let used = Used {
            cores: percent / 100.0,
            bytes: 0.0,
        };
        reading.sample(&[(reserved, used)]);
    }

    #[test]
    fn the_mean_of_a_minute_is_its_point() {
        let mut reading = reading();
        for percent in [40.0, 60.0, 80.0, 60.0] {
            use_cpu(&mut reading, percent);
        }
        reading.end_minute(3);
        reading.end_minute(3);
        let points = points(&reading.of_policies, 0);
        let expected = Point {
            metric: 60.0,
            tasks: 3,
        };
        assert_eq!(points, [Some(expected), None]);
        // Tasks that have ended since are no load of a service without tasks.
        use_cpu(&mut reading, 80.0);
        reading.end_minute(0);
        assert_eq!(reading.of_policies[0].points.last(), Some(&None));
        for _ in 0..50 {
            reading.end_minute(3);
        }
        assert_eq!(reading.of_policies[0].points.len(), minutes(&scaling(9)));
    }

    #[test]
    fn metrics_that_are_missing_for_some_minutes_are_trouble() {
        let mut reading = reading();
        assert_eq!(reading.health(), None);
        for _ in 0..2 {
            reading.end_minute(2);
            assert_eq!((reading.health(), reading.was_known()), (None, false));
        }
        reading.failed("it does not answer");
        reading.end_minute(2);
        let trouble = Health::Unknown("it does not answer".to_owned());
        assert_eq!(reading.health(), Some(trouble));
        // Without tasks, there is nothing to measure.
        reading.end_minute(0);
        assert_eq!(reading.health(), Some(Health::Known));
        assert!(!reading.was_known());
        use_cpu(&mut reading, 60.0);
        reading.end_minute(2);
        assert_eq!(reading.health(), Some(Health::Known));
        assert!(reading.was_known());
        reading.give_up();
        assert!(matches!(reading.health(), Some(Health::Unknown(_))));
        assert!(!reading.was_known());
    }

    #[test]
    fn what_has_been_measured_stays_when_the_range_changes() {
        let mut reading = reading();
        for _ in 0..3 {
            use_cpu(&mut reading, 90.0);
            reading.end_minute(2);
        }
        use_cpu(&mut reading, 90.0);
        let before = reading.alarms.clone();
        reading.follow(&scaling(5), &AutoScalingStatus::default());
        assert_eq!(reading.alarms, before);
        assert_eq!(reading.of_policies[0].samples, [90.0]);
        assert_eq!(reading.of_policies[0].points.len(), 3);
    }
}
