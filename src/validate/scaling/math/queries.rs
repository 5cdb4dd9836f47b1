//! Reads the queries of metric math: metrics, and expressions over them.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Math,
    expression::{Entries, Expression, parse},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    validate::scaling::{
        Scope,
        alarm::{Watched, is_period, not_a_period},
        series::Series,
    },
};

/// The most entries, and the most metrics among them, as in CloudWatch
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>).
const MOST: (usize, usize) = (20, 10);

/// An entry of `Metrics`.
pub(in super::super) struct Query<'r> {
    pub(in super::super) id: Option<&'r str>,
    pub(in super::super) expression: Option<&'r str>,
    /// The metric.
    pub(in super::super) watched: Option<Watched<'r>>,
    /// The seconds of a period of the expression, if given.
    pub(in super::super) period: Option<i64>,
    pub(in super::super) returns: bool,
    pub(in super::super) at: FieldPath,
}

/// What is wrong, and where.
type Wrong = (FieldPath, Message);

/// Returns the metric math of the entries at a path, and the length of its periods; `None` if something of it is missing,
/// wrong, or not evaluated by the operator.
pub(in super::super) fn math(
    queries: &[Query<'_>],
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Arc<Math>> {
    let found = names(queries, path)
        .and_then(|names| period(queries, path).map(|period| (names, period)))
        .and_then(|(names, period)| expressions(queries, &names, period, path));
    let (result, expressions, period) = match found {
        Ok(found) => found,
        Err((at, message)) => {
            sink.report(at, message);
            return None;
        }
    };
    let mut order = Order {
        expressions: &expressions,
        begun: Vec::new(),
        ordered: Vec::new(),
    };
    if let Err(at) = order.add(result) {
        let why = "it is calculated from itself".to_owned();
        let at = queries.get(at).map_or(path, |query| &query.at);
        sink.report(at.clone(), Message::MetricMathUnsupported { why });
        return None;
    }
    let mut metrics = Vec::new();
    for at in &order.ordered {
        let watched = queries.get(*at).and_then(|query| query.watched.as_ref());
        metrics.extend(watched.map(|watched| (*at, watched)));
    }
    if metrics.is_empty() {
        let why = "its result does not depend on a metric".to_owned();
        sink.report(path.clone(), Message::MetricMathUnsupported { why });
        return None;
    }
    let series = metrics.iter().map(|(_, watched)| watched.part(scope, sink));
    // What is wrong with each of them is reported.
    let series: Vec<Option<Series>> = series.collect();
    let parts: Option<Vec<Series>> = series.into_iter().collect();
    let calculated = order.ordered.iter().filter_map(|at| {
        let expression = expressions.get(*at)?.clone()?;
        Some((*at, expression))
    });
    let result = queries.get(result)?;
    Some(Arc::new(Math {
        name: result.expression.unwrap_or_default().to_owned(),
        period,
        entries: queries.len(),
        parts: parts?,
        places: metrics.into_iter().map(|(at, _)| at).collect(),
        expressions: calculated.collect(),
    }))
}

/// Returns the name of each entry.
fn names<'q>(queries: &[Query<'q>], path: &FieldPath) -> Result<Vec<&'q str>, Wrong> {
    let metrics = queries.iter().filter(|query| query.watched.is_some());
    if queries.len() > MOST.0 || metrics.count() > MOST.1 {
        let why = format!("it has more than {} entries, or {} metrics", MOST.0, MOST.1);
        return Err(wrong(path.clone(), why));
    }
    let mut known = BTreeSet::new();
    let mut names = Vec::new();
    for query in queries {
        let id = query.id.unwrap_or_default();
        let is_name = |rest: &str| {
            let mut rest = rest.chars();
            rest.all(|it| it.is_ascii_alphanumeric() || it == '_')
        };
        if !id.starts_with(|first: char| first.is_ascii_lowercase()) || !is_name(id) {
            let why = "an Id is a lowercase letter, and letters, digits and _".to_owned();
            return Err(wrong(query.at.field("Id"), why));
        }
        if !known.insert(id) {
            let why = format!("two entries have the Id {id}");
            return Err(wrong(query.at.field("Id"), why));
        }
        if query.expression.is_some() == query.watched.is_some() {
            let why = "an entry has an Expression or a MetricStat with a Metric".to_owned();
            return Err(wrong(query.at.clone(), why));
        }
        names.push(id);
    }
    Ok(names)
}

/// Returns the seconds of a period, which all entries have in common.
fn period(queries: &[Query<'_>], path: &FieldPath) -> Result<i64, Wrong> {
    let mut known = None;
    for watched in queries.iter().filter_map(|query| query.watched.as_ref()) {
        let at = &watched.period_at;
        let Some(period) = watched.period else {
            let name = "Period".to_owned();
            return Err((at.clone(), Message::RequiredField { name }));
        };
        if !is_period(period) {
            return Err((at.clone(), not_a_period(period)));
        }
        if *known.get_or_insert(period) != period {
            let why = "its metrics have different periods".to_owned();
            return Err(wrong(at.clone(), why));
        }
    }
    let Some(known) = known else {
        return Err(wrong(path.clone(), "it has no metric".to_owned()));
    };
    let mut of_expressions = queries.iter().filter(|query| query.expression.is_some());
    match of_expressions.find(|query| query.period.is_some_and(|period| period != known)) {
        Some(query) => {
            let why = "its metrics have another period".to_owned();
            Err(wrong(query.at.field("Period"), why))
        }
        None => Ok(known),
    }
}

fn wrong(at: FieldPath, why: String) -> Wrong {
    (at, Message::MetricMathUnsupported { why })
}

/// The position of the result, the expressions of all entries, and the seconds of a period.
type Read = (usize, Vec<Option<Expression>>, i64);

/// Reads the expressions, and finds the one that is returned.
fn expressions(
    queries: &[Query<'_>],
    names: &[&str],
    period: i64,
    path: &FieldPath,
) -> Result<Read, Wrong> {
    let is_metric: Vec<bool> = queries
        .iter()
        .map(|query| query.watched.is_some())
        .collect();
    let entries = Entries {
        names,
        is_metric: &is_metric,
        period,
    };
    let read = queries.iter().map(|query| {
        let read = query.expression.map(|text| parse(text, entries));
        let read = read.transpose();
        read.map_err(|why| wrong(query.at.field("Expression"), why))
    });
    let read: Vec<_> = read.collect::<Result<_, _>>()?;
    let mut returned = queries
        .iter()
        .enumerate()
        .filter(|(_, query)| query.returns);
    match (returned.next(), returned.next()) {
        (Some((result, query)), None) if query.expression.is_some() => Ok((result, read, period)),
        (Some((_, query)), None) => {
            let why = "the entry that is returned is a metric: leave out the others".to_owned();
            Err(wrong(query.at.clone(), why))
        }
        _ => {
            let why = "ReturnData has to be false for each entry but one".to_owned();
            Err(wrong(path.clone(), why))
        }
    }
}

/// Orders entries by what depends on what, and leaves out what the result does not depend on.
struct Order<'e> {
    expressions: &'e [Option<Expression>],
    /// The entries whose parts are being ordered, or are.
    begun: Vec<usize>,
    ordered: Vec<usize>,
}

impl Order<'_> {
    /// Adds an entry after what it is calculated from.
    ///
    /// # Errors
    ///
    /// An entry that depends on itself.
    fn add(&mut self, at: usize) -> Result<(), usize> {
        if self.ordered.contains(&at) {
            return Ok(());
        }
        if self.begun.contains(&at) {
            return Err(at);
        }
        self.begun.push(at);
        if let Some(Some(expression)) = self.expressions.get(at) {
            for entry in expression.entries() {
                self.add(entry)?;
            }
        }
        self.ordered.push(at);
        Ok(())
    }
}
