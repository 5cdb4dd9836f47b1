//! A HorizontalPodAutoscaler, as this program configures it
//! (<https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details>).

use std::collections::VecDeque;

use super::{Fleet, Look, Play, SYNC_SECONDS, Scaler};
use crate::{
    decide::scaling::{Range, target::enough},
    validate::AutoScaling,
};

/// Below which share of the target tasks are removed, from Kubernetes 1.35 on.
const LOW_SHARE: f64 = 0.9;

/// An autoscaler.
pub(super) struct Autoscaler<'a> {
    scaling: &'a AutoScaling,
    /// What it would have chosen at each look within the longer window, the newest last.
    wanted: VecDeque<i64>,
    /// How many looks each window has: that for additions, and that for removals.
    looks: (usize, usize),
    /// The fewest tasks, whatever the range is.
    least: i64,
}

impl<'a> Autoscaler<'a> {
    /// Returns the autoscaler of a service; `None` if it has none.
    pub(super) fn new(play: Play<'a>) -> Option<Self> {
        let (scaling, windows) = (play.scaling, play.windows);
        let has_one = scaling.has_autoscaler() && scaling.step_policies.is_empty();
        let looks = |seconds: i64| usize::try_from(seconds / SYNC_SECONDS).unwrap_or(0) + 1;
        has_one.then(|| Self {
            scaling,
            wanted: VecDeque::new(),
            looks: (looks(windows.0), looks(windows.1)),
            least: i64::from(play.keeps_a_task),
        })
    }

    /// Returns how many tasks the metrics call for; `None` if one is not known.
    fn wanted(&self, fleet: &Fleet, metrics: &[Option<f64>]) -> Option<i64> {
        let desired = fleet.desired();
        let mut most = None;
        for policy in &self.scaling.policies {
            let metric = metrics.get(policy.index).copied().flatten()?;
            let ratio = metric / policy.target_value;
            let enough = enough(fleet.running(), metric, policy.target_value);
            let wanted = if (LOW_SHARE..=1.0).contains(&ratio) {
                desired
            } else if ratio > 1.0 {
                // Tasks that do not serve yet count as if they had nothing to do.
                enough.max(desired)
            } else {
                enough.min(desired)
            };
            most = most.max(Some(wanted));
        }
        most
    }
}

impl Scaler for Autoscaler<'_> {
    fn look(
        &mut self,
        fleet: &Fleet,
        metrics: &[Option<f64>],
        at: Look,
    ) -> Option<(i64, Option<String>)> {
        let desired = fleet.desired();
        let range = Range {
            min: at.range.min.max(self.least),
            ..at.range
        };
        if desired == 0 && range.min > 0 || range.max == 0 {
            return None;
        }
        let bounded = range.nearest(desired);
        if bounded != desired {
            return Some((bounded, None));
        }
        let wanted = self.wanted(fleet, metrics)?;
        if self.wanted.is_empty() {
            // It begins with what there is.
            self.wanted.push_back(desired);
        }
        self.wanted.push_back(range.nearest(wanted));
        let (out, into) = self.looks;
        while self.wanted.len() > out.max(into) {
            self.wanted.pop_front();
        }
        let newest = |looks: usize| self.wanted.iter().rev().take(looks).copied();
        let (least, most) = (newest(out).min()?, newest(into).max()?);
        let tasks = if least > desired && !self.scaling.scale_out_suspended {
            least
        } else if most < desired && !self.scaling.never_scales_in() {
            most
        } else {
            return None;
        };
        Some((tasks, None))
    }
}
