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
                let points = known.map_or_else(Vec::new, |known| known.points.clone());
                OfPolicy {
                    index,
                    series,
                    samples: Vec::new(),
                    points,
                }
            })
            .collect();
        self.alarms = restored(scaling, status);
        self.scaling = scaling.clone();
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
