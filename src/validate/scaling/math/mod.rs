//! Metric math: a value that is calculated from several metrics
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>).

mod expression;
mod queries;

use self::expression::Expression;
pub(super) use self::queries::{Query, math};
use super::series::Series;

/// A value that is calculated from several metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Math {
    /// The expression of the result, as its owner wrote it.
    name: String,
    /// The seconds of a period.
    period: i64,
    /// How many entries there are.
    entries: usize,
    /// The metrics, none of which is metric math.
    parts: Vec<Series>,
    /// The entries of the metrics.
    places: Vec<usize>,
    /// The other entries, each after those that it is calculated from. The last one is the result.
    expressions: Vec<(usize, Expression)>,
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

    /// Returns the value of a period, given what each metric was in each of its minutes; `None` if it cannot be
    /// calculated.
    #[must_use]
    pub fn value(&self, minutes: &[Vec<Option<f64>>]) -> Option<f64> {
        let mut values = vec![None; self.entries];
        for ((part, place), minutes) in self.parts.iter().zip(&self.places).zip(minutes) {
            let statistic = part.statistic();
            let value = statistic.of(minutes.iter().flatten().copied());
            if let Some(known) = values.get_mut(*place) {
                *known = value.map(|value| value * statistic.share(self.period));
            }
        }
        let mut result = None;
        for (place, expression) in &self.expressions {
            result = expression.value(&values);
            if let Some(known) = values.get_mut(*place) {
                *known = result;
            }
        }
        result
    }
}

#[cfg(test)]
mod tests;
