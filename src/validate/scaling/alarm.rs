//! The alarm of a step scaling policy
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>).

use std::sync::Arc;

use super::{
    Scope,
    math::Math,
    metric::{CloudWatchMetric, own_series},
    series::{Series, Statistic},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

pub(super) const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// An alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// What it watches.
    pub series: Series,
    /// Seconds from one point of the metric to the next one.
    pub period: i64,
    /// When it goes off.
    pub rule: AlarmRule,
}

impl Alarm {
    /// Returns how many minutes a period takes. Shorter ones count as a minute.
    #[must_use]
    pub fn minutes(&self) -> usize {
        minutes_of(self.period)
    }

    /// Returns which part of the value of a minute is that of a shorter period: the same, but for what is counted.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.series.statistic().share(self.period)
    }
}

/// Returns how many minutes a period of so many seconds takes. Shorter ones count as a minute.
pub(super) fn minutes_of(period: i64) -> usize {
    usize::try_from(period / MINUTE).unwrap_or(1).max(1)
}

/// Whether CloudWatch has periods of so many seconds.
pub(super) const fn is_period(period: i64) -> bool {
    matches!(period, 10 | 20 | 30) || period > 0 && period % MINUTE == 0
}

/// Returns what is wrong with a period that CloudWatch does not have.
pub(super) fn not_a_period(period: i64) -> Message {
    Message::InvalidValue {
        value: period.to_string(),
        allowed: "must be 10, 20, 30 or a multiple of 60 seconds".to_owned(),
    }
}

/// How a point breaches a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `GreaterThanThreshold`
    Greater,
    /// `GreaterThanOrEqualToThreshold`
    GreaterOrEqual,
    /// `LessThanThreshold`
    Less,
    /// `LessThanOrEqualToThreshold`
    LessOrEqual,
}

/// How missing points count, as `TreatMissingData` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They do not count; without any point, the state is unknown.
    Missing,
    /// The state stays.
    Ignore,
    /// They breach the threshold.
    Breaching,
    /// They do not breach the threshold.
    NotBreaching,
}

/// When an alarm goes off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlarmRule {
    /// How a point breaches the threshold.
    pub comparison: Comparison,
    /// The threshold.
    pub threshold: f64,
    /// How many of the latest points count.
    pub periods: usize,
    /// How many of these have to breach the threshold; at most `periods`.
    pub to_alarm: usize,
    /// How missing points count.
    pub missing: Missing,
}

/// The members of an alarm that are the same wherever it stands.
pub(super) struct Members<'r> {
    pub(super) watched: Value<'r>,
    pub(super) evaluation_periods: Option<i64>,
    pub(super) datapoints_to_alarm: Option<i64>,
    pub(super) threshold: Option<f64>,
    pub(super) comparison_operator: Option<&'r str>,
    pub(super) treat_missing_data: Option<&'r str>,
}

/// What an alarm compares with its threshold.
pub(super) enum Value<'r> {
    /// A metric.
    Metric(Watched<'r>),
    /// What is calculated from several.
    Math(Arc<Math>),
}

/// A metric, with the paths of what may be wrong with it.
pub(super) struct Watched<'r> {
    pub(super) namespace: Option<&'r str>,
    pub(super) name: Option<&'r str>,
    pub(super) dimensions: Vec<[Option<&'r str>; 2]>,
    pub(super) statistic: Option<&'r str>,
    pub(super) unit: Option<&'r str>,
    pub(super) period: Option<i64>,
    /// Where the metric stands.
    pub(super) metric_at: FieldPath,
    pub(super) statistic_at: FieldPath,
    pub(super) period_at: FieldPath,
}

/// Validates the alarm inside a policy; `None` if something of it is missing or wrong.
pub(super) fn validate(
    raw: &ecs::Alarm,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Alarm> {
    let dimensions = raw.dimensions.iter();
    let members = Members {
        watched: Value::Metric(Watched {
            namespace: raw.namespace.as_deref(),
            name: raw.metric_name.as_deref(),
            dimensions: dimensions
                .map(|it| [it.name.as_deref(), it.value.as_deref()])
                .collect(),
            statistic: raw.statistic.as_deref(),
            unit: None,
            period: raw.period,
            metric_at: path.clone(),
            statistic_at: path.field("Statistic"),
            period_at: path.field("Period"),
        }),
        evaluation_periods: raw.evaluation_periods,
        datapoints_to_alarm: raw.datapoints_to_alarm,
        threshold: raw.threshold,
        comparison_operator: raw.comparison_operator.as_deref(),
        treat_missing_data: raw.treat_missing_data.as_deref(),
    };
    members.validate(scope, path, sink)
}

impl Members<'_> {
    /// Returns the alarm; `None` if something of it is missing or wrong.
    pub(super) fn validate(
        &self,
        scope: &Scope<'_>,
        path: &FieldPath,
        sink: &mut Diagnostics,
    ) -> Option<Alarm> {
        for (name, is_missing) in [
            ("EvaluationPeriods", self.evaluation_periods.is_none()),
            ("Threshold", self.threshold.is_none()),
            ("ComparisonOperator", self.comparison_operator.is_none()),
        ] {
            if is_missing {
                required(path.field(name), name, sink);
            }
        }
        let (series, period) = match &self.watched {
            Value::Metric(watched) => (watched.series(scope, sink), watched.period(sink)),
            Value::Math(math) => (Some(Series::Math(Arc::clone(math))), Some(math.period())),
        };
        let (rule, period) = (self.rule(path, sink)?, period?);
        let periods = i64::try_from(rule.periods).unwrap_or(i64::MAX);
        let (longest, name) = if period < HOUR {
            (DAY, "a day")
        } else {
            (7 * DAY, "a week")
        };
        if periods.saturating_mul(period) > longest {
            let message = Message::InvalidValue {
                value: format!("{periods} periods of {period} seconds"),
                allowed: format!("must be {name} at most"),
            };
            sink.report(path.field("EvaluationPeriods"), message);
            return None;
        }
        Some(Alarm {
            series: series?,
            period,
            rule,
        })
    }

    /// Returns when the alarm goes off.
    fn rule(&self, path: &FieldPath, sink: &mut Diagnostics) -> Option<AlarmRule> {
        let missing = self.treat_missing_data;
        let missing = match missing.unwrap_or(ecs::Alarm::DEFAULT_TREAT_MISSING_DATA) {
            "missing" => Missing::Missing,
            "ignore" => Missing::Ignore,
            "breaching" => Missing::Breaching,
            "notBreaching" => Missing::NotBreaching,
            other => {
                let message = Message::InvalidValue {
                    value: other.to_owned(),
                    allowed: "must be breaching, notBreaching, ignore or missing".to_owned(),
                };
                sink.report(path.field("TreatMissingData"), message);
                return None;
            }
        };
        let comparison = match self.comparison_operator? {
            "GreaterThanThreshold" => Comparison::Greater,
            "GreaterThanOrEqualToThreshold" => Comparison::GreaterOrEqual,
            "LessThanThreshold" => Comparison::Less,
            "LessThanOrEqualToThreshold" => Comparison::LessOrEqual,
            // The reader takes no others.
            _ => {
                let at = path.field("ComparisonOperator");
                sink.report(at, Message::AnomalyAlarmUnsupported);
                return None;
            }
        };
        let periods = usize::try_from(self.evaluation_periods?).ok()?;
        let to_alarm = match self.datapoints_to_alarm {
            Some(points) => usize::try_from(points).ok()?,
            None => periods,
        };
        if !(1..=periods).contains(&to_alarm) {
            let message = Message::InvalidValue {
                value: to_alarm.to_string(),
                allowed: format!("must be 1 to {periods}, the EvaluationPeriods"),
            };
            sink.report(path.field("DatapointsToAlarm"), message);
            return None;
        }
        Some(AlarmRule {
            comparison,
            threshold: self.threshold?,
            periods,
            to_alarm,
            missing,
        })
    }
}

fn required(at: FieldPath, name: &str, sink: &mut Diagnostics) {
    let name = name.to_owned();
    sink.report(at, Message::RequiredField { name });
}

impl Watched<'_> {
    /// Returns the length of a period, if CloudWatch has such periods.
    fn period(&self, sink: &mut Diagnostics) -> Option<i64> {
        let Some(period) = self.period else {
            required(self.period_at.clone(), "Period", sink);
            return None;
        };
        if !is_period(period) {
            sink.report(self.period_at.clone(), not_a_period(period));
            return None;
        }
        Some(period)
    }

    /// Returns it as a part of metric math: there, the operator counts the running tasks of the service itself.
    pub(super) fn part(&self, scope: &Scope<'_>, sink: &mut Diagnostics) -> Option<Series> {
        let found = self.series(scope, sink)?;
        let Series::CloudWatch(metric) = &found else {
            return Some(found);
        };
        let mut dimensions = metric.dimensions.iter();
        let is_own =
            dimensions.any(|(name, value)| name == "ServiceName" && value == scope.service.name);
        let is_count =
            metric.namespace == "ECS/ContainerInsights" && metric.name == "RunningTaskCount";
        let statistic = Statistic::named(&metric.statistic);
        let statistic = statistic.filter(|it| *it != Statistic::SampleCount);
        Some(match statistic.filter(|_| is_own && is_count) {
            Some(statistic) => Series::Running(statistic),
            None => found,
        })
    }

    /// Returns what is watched.
    fn series(&self, scope: &Scope<'_>, sink: &mut Diagnostics) -> Option<Series> {
        for (name, value) in [("MetricName", self.name), ("Namespace", self.namespace)] {
            if value.is_none() {
                required(self.metric_at.field(name), name, sink);
            }
        }
        if self.statistic.is_none() {
            required(self.statistic_at.clone(), "Statistic", sink);
        }
        let mut dimensions = Vec::new();
        for (index, [name, value]) in self.dimensions.iter().enumerate() {
            let at = self.metric_at.field("Dimensions").index(index);
            for (member, value) in [("Name", name), ("Value", value)] {
                if value.unwrap_or_default().is_empty() {
                    required(at.field(member), member, sink);
                }
            }
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            dimensions.push((text(*name), text(*value)));
        }
        let statistic = self.statistic?;
        let metric = CloudWatchMetric {
            namespace: self.namespace?.to_owned(),
            name: self.name?.to_owned(),
            dimensions,
            statistic: statistic.to_owned(),
            unit: self.unit.map(str::to_owned),
        };
        // Values with another unit do not count, so that there are none.
        let is_percent = self.unit.is_none_or(|unit| unit == "Percent");
        if !is_percent {
            return Some(Series::CloudWatch(metric));
        }
        let found = Statistic::named(statistic);
        let own = own_series(
            &metric,
            found.unwrap_or(Statistic::Average),
            scope.service.name,
        );
        let is_measured = matches!(
            found,
            Some(Statistic::Average | Statistic::Minimum | Statistic::Maximum)
        );
        if own.is_some() && !is_measured {
            let message = Message::InvalidValue {
                value: statistic.to_owned(),
                allowed: "must be Average, Minimum or Maximum for the CPU and memory of a service"
                    .to_owned(),
            };
            sink.report(self.statistic_at.clone(), message);
            return None;
        }
        Some(own.unwrap_or(Series::CloudWatch(metric)))
    }
}
