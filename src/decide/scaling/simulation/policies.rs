//! The policies of a service, as ECS runs them: they look at the minute that has passed.

use super::{Fleet, Look, MINUTE, Scaler};
use crate::{
    decide::scaling::{
        engine::{Activity, Decision, Memory, Service, decide},
        evaluation::Alarms,
        minute::Minute,
        target::Point,
    },
    validate::{AutoScaling, Statistic},
};

/// The policies, with what they have seen.
pub(super) struct Policies<'a> {
    scaling: &'a AutoScaling,
    /// The points of each minute, by the position of the policy.
    points: Vec<Vec<Minute<Point>>>,
    /// What has been measured in this minute, by the position of the policy, and how many tasks ran.
    measured: Vec<Vec<(f64, i64)>>,
    alarms: Alarms,
    memory: Memory,
}

impl<'a> Policies<'a> {
    pub(super) fn new(scaling: &'a AutoScaling) -> Self {
        Self {
            scaling,
            points: Vec::new(),
            measured: Vec::new(),
            alarms: Alarms::new(scaling),
            memory: Memory::default(),
        }
    }

    /// Turns what was measured in a minute into its points.
    fn end_minute(&mut self) {
        self.points.resize(self.measured.len(), Vec::new());
        for (points, measured) in self.points.iter_mut().zip(&mut self.measured) {
            points.push(point(measured).into());
            measured.clear();
        }
        self.alarms.look(self.scaling, of(&self.points));
    }

    fn decide(&mut self, fleet: &Fleet, at: Look) -> Option<(i64, Option<String>)> {
        let policies = self.alarms.policies(self.scaling, of(&self.points));
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

/// Returns the points of a policy by its position.
fn of<'p>(points: &'p [Vec<Minute<Point>>]) -> impl Fn(usize) -> &'p [Minute<Point>] {
    |index| points.get(index).map_or(&[][..], Vec::as_slice)
}

/// Returns the point of a minute; the tasks are those at its end.
fn point(measured: &[(f64, i64)]) -> Option<Point> {
    let metrics = measured.iter().map(|(metric, _)| *metric);
    Some(Point {
        metric: Statistic::Average.of(metrics)?,
        tasks: measured.last()?.1,
    })
}
