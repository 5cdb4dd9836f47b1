//! The alarm of a step scaling policy
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>).

use crate::ecs;

/// An alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// The name of its metric.
    pub metric: String,
    /// Seconds from one point of the metric to the next one.
    pub period: i64,
    /// When it goes off.
    pub rule: AlarmRule,
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

/// Returns an alarm; `None` if something of it is missing or has a value that CloudWatch does not know.
pub(super) fn read(raw: &ecs::Alarm) -> Option<Alarm> {
    let periods = usize::try_from(raw.evaluation_periods?).ok()?;
    let to_alarm = match raw.datapoints_to_alarm {
        Some(points) => usize::try_from(points).ok()?,
        None => periods,
    };
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
    (1..=periods).contains(&to_alarm).then_some(Alarm {
        metric: raw.metric_name.clone()?,
        period: raw.period?,
        rule: AlarmRule {
            comparison,
            threshold: raw.threshold?,
            periods,
            to_alarm,
            missing,
        },
    })
}
