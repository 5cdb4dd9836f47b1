//! The alarm of a step scaling policy
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>).

use super::{
    Scope,
    metric::{CloudWatchMetric, own_series},
    series::{Series, Statistic},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

const MINUTE: i64 = 60;
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
        usize::try_from(self.period / MINUTE).unwrap_or(1).max(1)
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

/// Validates an alarm; `None` if something of it is missing or wrong.
pub(super) fn validate(
    raw: &ecs::Alarm,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Alarm> {
    for (name, is_missing) in [
        ("MetricName", raw.metric_name.is_none()),
        ("Namespace", raw.namespace.is_none()),
        ("Statistic", raw.statistic.is_none()),
        ("Period", raw.period.is_none()),
        ("EvaluationPeriods", raw.evaluation_periods.is_none()),
        ("Threshold", raw.threshold.is_none()),
        ("ComparisonOperator", raw.comparison_operator.is_none()),
    ] {
        if is_missing {
            let name = name.to_owned();
            sink.report(path.field(name.clone()), Message::RequiredField { name });
        }
    }
    let (series, rule) = (series(raw, scope, path, sink), rule(raw, path, sink));
    let period = raw.period.filter(|period| is_period(*period, path, sink));
    let (rule, period) = (rule?, period?);
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

/// Whether CloudWatch has periods of this length.
fn is_period(period: i64, path: &FieldPath, sink: &mut Diagnostics) -> bool {
    let is_one = matches!(period, 10 | 20 | 30) || period > 0 && period % MINUTE == 0;
    if !is_one {
        let message = Message::InvalidValue {
            value: period.to_string(),
            allowed: "must be 10, 20, 30 or a multiple of 60 seconds".to_owned(),
        };
        sink.report(path.field("Period"), message);
    }
    is_one
}

/// Returns what the alarm watches.
fn series(
    raw: &ecs::Alarm,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Series> {
    let statistic = raw.statistic.as_deref()?;
    let mut dimensions = Vec::new();
    for (index, dimension) in raw.dimensions.iter().enumerate() {
        let at = path.field("Dimensions").index(index);
        for (name, value) in [("Name", &dimension.name), ("Value", &dimension.value)] {
            if value.as_deref().unwrap_or_default().is_empty() {
                let name = name.to_owned();
                sink.report(at.field(name.clone()), Message::RequiredField { name });
            }
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        dimensions.push((text(&dimension.name), text(&dimension.value)));
    }
    let metric = CloudWatchMetric {
        namespace: raw.namespace.clone()?,
        name: raw.metric_name.clone()?,
        dimensions,
        statistic: statistic.to_owned(),
        unit: None,
    };
    let found = Statistic::named(statistic)?;
    let own = own_series(&metric, found, scope.service_name);
    if own.is_some() && matches!(found, Statistic::Sum | Statistic::SampleCount) {
        let message = Message::InvalidValue {
            value: statistic.to_owned(),
            allowed: "must be Average, Minimum or Maximum for the CPU and memory of a service"
                .to_owned(),
        };
        sink.report(path.field("Statistic"), message);
        return None;
    }
    Some(own.unwrap_or(Series::CloudWatch(metric)))
}

/// Returns when the alarm goes off.
fn rule(raw: &ecs::Alarm, path: &FieldPath, sink: &mut Diagnostics) -> Option<AlarmRule> {
    let periods = usize::try_from(raw.evaluation_periods?).ok()?;
    let to_alarm = match raw.datapoints_to_alarm {
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
    let missing = raw.treat_missing_data.as_deref();
    let missing = match missing.unwrap_or(ecs::Alarm::DEFAULT_TREAT_MISSING_DATA) {
        "missing" => Missing::Missing,
        "ignore" => Missing::Ignore,
        "breaching" => Missing::Breaching,
        "notBreaching" => Missing::NotBreaching,
        _ => return None,
    };
    let comparison = match raw.comparison_operator.as_deref()? {
        "GreaterThanThreshold" => Comparison::Greater,
        "GreaterThanOrEqualToThreshold" => Comparison::GreaterOrEqual,
        "LessThanThreshold" => Comparison::Less,
        "LessThanOrEqualToThreshold" => Comparison::LessOrEqual,
        _ => return None,
    };
    Some(AlarmRule {
        comparison,
        threshold: raw.threshold?,
        periods,
        to_alarm,
        missing,
    })
}
