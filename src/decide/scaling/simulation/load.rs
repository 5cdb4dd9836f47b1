//! The load of a service over time, and the metrics that it leads to.

use super::MINUTE;

/// The load that one policy sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Minutes and values, ascending. Between two of them, the value changes evenly.
    pub points: Vec<(i64, f64)>,
    /// Whether the tasks share it, so that the metric is the load of one task; otherwise it is the metric itself.
    pub is_shared: bool,
}

/// The loads that the policies of a service see, in the order of the policies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loads {
    /// `None` for a policy without a metric.
    pub of_policies: Vec<Option<Load>>,
}

impl Loads {
    /// Returns how many minutes the longest load lasts.
    pub(super) fn minutes(&self) -> i64 {
        let loads = self.of_policies.iter().flatten();
        let last = loads
            .filter_map(|load| load.points.last())
            .map(|point| point.0);
        last.max().map_or(0, |last| last + 1)
    }

    /// Returns the load of each policy that has one at a second.
    pub(super) fn at(&self, second: i64) -> Vec<f64> {
        let loads = self.of_policies.iter().flatten();
        loads.map(|load| load.at(second)).collect()
    }

    /// Returns the metric of each policy at a second with this many tasks. A load that tasks share has no metric without
    /// a task.
    pub(super) fn metrics(&self, second: i64, running: i64) -> Vec<Option<f64>> {
        let loads = self.of_policies.iter();
        loads
            .map(|load| {
                let load = load.as_ref()?;
                let value = load.at(second);
                match (load.is_shared, running) {
                    (false, _) => Some(value),
                    (true, 0) => None,
                    (true, running) => Some(value / as_f64(running)),
                }
            })
            .collect()
    }
}

impl Load {
    fn at(&self, second: i64) -> f64 {
        let minute = as_f64(second) / as_f64(MINUTE);
        let after = self
            .points
            .partition_point(|point| as_f64(point.0) <= minute);
        let next = self.points.get(after);
        let last = after
            .checked_sub(1)
            .and_then(|index| self.points.get(index));
        match (last, next) {
            (Some(last), Some(next)) => {
                let part = (minute - as_f64(last.0)) / as_f64(next.0 - last.0);
                last.1 + (next.1 - last.1) * part
            }
            (Some(only), None) | (None, Some(only)) => only.1,
            (None, None) => 0.0,
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "numbers of minutes and tasks are small enough to be exact"
)]
pub(crate) const fn as_f64(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_changes_evenly_between_its_points() {
        let load = Load {
            points: vec![(0, 100.0), (10, 200.0), (11, 0.0)],
            is_shared: true,
        };
        for (second, expected) in [
            (0, 100.0),
            (300, 150.0),
            (600, 200.0),
            (630, 100.0),
            (900, 0.0),
        ] {
            assert!((load.at(second) - expected).abs() < 1e-9, "{second}");
        }
        let loads = Loads {
            of_policies: vec![
                Some(load.clone()),
                None,
                Some(Load {
                    is_shared: false,
                    ..load
                }),
            ],
        };
        assert_eq!(loads.minutes(), 12);
        assert_eq!(loads.metrics(300, 3), [Some(50.0), None, Some(150.0)]);
        assert_eq!(loads.metrics(300, 0), [None, None, Some(150.0)]);
    }
}
