//! What is measured of a service, minute by minute.

use std::{slice, sync::Arc};

use super::{
    alarm::MINUTE,
    math::Math,
    metric::{CloudWatchMetric, Metric},
};
use crate::settings::Settings;

/// The values of a metric over time.
#[derive(Clone, Debug, PartialEq)]
pub enum Series {
    /// CPU use of the tasks of the service, as a percentage of what they reserve.
    Cpu(Statistic),
    /// Memory use of the tasks of the service, as a percentage of what they reserve.
    Memory(Statistic),
    /// The number of running tasks of the service; only within metric math.
    Running(Statistic),
    /// A CloudWatch metric.
    CloudWatch(CloudWatchMetric),
    /// What is calculated from others.
    Math(Arc<Math>),
}

/// How several values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Their mean.
    Average,
    /// The smallest.
    Minimum,
    /// The largest.
    Maximum,
    /// Their sum.
    Sum,
    /// How many there are.
    SampleCount,
}

impl Statistic {
    /// Returns the statistic of this name in CloudWatch.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Average" => Self::Average,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            "Sum" => Self::Sum,
            "SampleCount" => Self::SampleCount,
            _ => return None,
        })
    }

    /// Returns which part of the value of a minute is that of a period of so many seconds: the same, but for what is
    /// counted in a shorter one.
    #[must_use]
    pub fn share(self, period: i64) -> f64 {
        if !matches!(self, Self::Sum | Self::SampleCount) || period >= MINUTE {
            return 1.0;
        }
        // Both are less than a hundred.
        #[allow(clippy::cast_precision_loss, reason = "both are small")]
        let (period, minute) = (period as f64, MINUTE as f64);
        period / minute
    }

    /// Returns the value of a longer period from those of its parts; `None` if there are none.
    #[must_use]
    pub fn of(self, values: impl IntoIterator<Item = f64>) -> Option<f64> {
        let (mut count, mut sum) = (0.0, 0.0);
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            (count, sum) = (count + 1.0, sum + value);
            (least, most) = (least.min(value), most.max(value));
        }
        (count > 0.0).then_some(match self {
            Self::Average => sum / count,
            Self::Minimum => least,
            Self::Maximum => most,
            // A number of samples is the sum of those of the parts.
            Self::Sum | Self::SampleCount => sum,
        })
    }
}

impl Series {
    /// Returns the values that target tracking of a metric keeps at a target.
    #[must_use]
    pub fn tracked(metric: &Metric) -> Self {
        match metric {
            Metric::Cpu => Self::Cpu(Statistic::Average),
            Metric::Memory => Self::Memory(Statistic::Average),
            Metric::CloudWatch(metric) => Self::CloudWatch(metric.clone()),
            Metric::Math(math) => Self::Math(Arc::clone(math)),
        }
    }

    /// Returns what has to be measured for it: itself, or the metrics of metric math.
    #[must_use]
    pub fn parts(&self) -> &[Self] {
        match self {
            Self::Math(math) => math.parts(),
            _ => slice::from_ref(self),
        }
    }

    /// Returns how its values become one. A percentile of a longer period cannot be calculated from those of its parts:
    /// their mean counts. Each value of metric math is that of a whole period.
    #[must_use]
    pub fn statistic(&self) -> Statistic {
        match self {
            Self::Cpu(statistic) | Self::Memory(statistic) | Self::Running(statistic) => *statistic,
            Self::Math(_) => Statistic::Average,
            Self::CloudWatch(metric) => {
                Statistic::named(&metric.statistic).unwrap_or(Statistic::Average)
            }
        }
    }

    /// Whether the operator can measure it.
    #[must_use]
    pub fn is_measured(&self, settings: &Settings) -> bool {
        self.unmeasured(settings).is_none()
    }

    /// Returns the name of what the operator cannot measure of it.
    #[must_use]
    pub fn unmeasured(&self, settings: &Settings) -> Option<&str> {
        let mut parts = self.parts().iter();
        let found = parts.find(|part| match part {
            Self::CloudWatch(metric) => !settings.metric_sources.read(metric.wanted()),
            _ => false,
        });
        found.map(Self::metric_name)
    }

    /// Whether its values arrive some time after their minute.
    #[must_use]
    pub fn is_delayed(&self, settings: &Settings) -> bool {
        let listed = &settings.metric_sources.listed;
        matches!(self, Self::CloudWatch(metric) if listed.read(metric.wanted()))
    }

    /// Whether it is what the tasks of the service use.
    #[must_use]
    pub const fn is_use(&self) -> bool {
        matches!(self, Self::Cpu(_) | Self::Memory(_))
    }

    /// Whether it may have no value because no task runs.
    #[must_use]
    pub fn needs_tasks(&self) -> bool {
        let mut parts = self.parts().iter();
        parts.any(|part| part.is_use() || matches!(part, Self::Running(_)))
    }

    /// Returns the name of its metric.
    #[must_use]
    pub fn metric_name(&self) -> &str {
        match self {
            Self::Cpu(_) => "CPUUtilization",
            Self::Memory(_) => "MemoryUtilization",
            Self::Running(_) => "RunningTaskCount",
            Self::CloudWatch(metric) => &metric.name,
            Self::Math(math) => math.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_one_as_their_statistic_says() {
        for (name, expected) in [
            ("Average", 20.0),
            ("Minimum", 10.0),
            ("Maximum", 30.0),
            ("Sum", 60.0),
            ("SampleCount", 60.0),
        ] {
            let statistic = Statistic::named(name).expect("CloudWatch has it");
            assert_eq!(statistic.of([10.0, 30.0, 20.0]), Some(expected), "{name}");
            assert_eq!(statistic.of([]), None, "{name}");
        }
        assert_eq!(Statistic::named("p90"), None);
    }
}
