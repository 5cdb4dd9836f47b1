//! Metric math: a value that is calculated from several metrics
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>).

mod expression;
mod queries;

use self::expression::Expression;
pub(super) use self::queries::{Query, math};
use super::series::Series;
use crate::settings::Settings;

/// A value that is calculated from several metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Math {
    /// The expression of the result, as its owner wrote it.
    name: String,
    /// The seconds of a period.
    period: i64,
    /// The metrics, none of which is metric math.
    parts: Vec<Series>,
    /// The expressions, each over the metrics and the expressions before it, whose positions go on from those of the
    /// metrics. The last one is the result.
    expressions: Vec<Expression>,
}

impl Math {
    /// Returns the expression of the result, as its owner wrote it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the metrics, none of which is metric math.
    #[must_use]
    pub fn parts(&self) -> &[Series] {
        &self.parts
    }

    /// Returns the seconds of a period.
    #[must_use]
    pub const fn period(&self) -> i64 {
        self.period
    }

    /// Returns how many minutes a period takes. Shorter ones count as a minute.
    #[must_use]
    pub fn minutes(&self) -> usize {
        super::alarm::minutes_of(self.period)
    }

    /// Returns the name of a metric that the operator cannot measure.
    #[must_use]
    pub fn unmeasured(&self, settings: &Settings) -> Option<&str> {
        let mut parts = self.parts.iter();
        let found = parts.find(|part| !part.is_measured(settings));
        found.map(Series::metric_name)
    }

    /// Returns the value of a period, given what each metric was in each of its minutes; `None` if it cannot be
    /// calculated.
    #[must_use]
    pub fn value(&self, minutes: &[Vec<Option<f64>>]) -> Option<f64> {
        let parts = self.parts.iter().zip(minutes);
        let mut values: Vec<Option<f64>> = parts
            .map(|(part, minutes)| {
                let statistic = part.statistic();
                let value = statistic.of(minutes.iter().flatten().copied());
                value.map(|value| value * statistic.share(self.period))
            })
            .collect();
        values.resize(self.parts.len(), None);
        for expression in &self.expressions {
            let value = expression.value(&values);
            values.push(value);
        }
        values.pop().flatten()
    }
}

#[cfg(test)]
mod tests;
