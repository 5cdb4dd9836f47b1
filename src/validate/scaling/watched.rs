//! What an alarm beside the policies watches: a metric, or what is calculated from several.

use super::{
    Scope, Statistic,
    alarm::{Value, Watched},
    math,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// Returns what an alarm watches; `None` if something of it is wrong.
pub(super) fn watched<'r>(
    raw: &'r ecs::MetricAlarm,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Value<'r>> {
    if raw.metrics.is_empty() {
        of_metric(raw, path, sink).map(Value::Metric)
    } else {
        of_queries(raw, scope, path, sink)
    }
}

/// Returns the metric that the alarm itself names.
fn of_metric<'r>(
    raw: &'r ecs::MetricAlarm,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Watched<'r>> {
    let (statistic, at) = match (&raw.statistic, &raw.extended_statistic) {
        (Some(_), Some(_)) => {
            conflict(path, "ExtendedStatistic", "Statistic", sink);
            return None;
        }
        (None, Some(extended)) => {
            let at = path.field("ExtendedStatistic");
            if !is_extended(extended) {
                invalid_statistic(extended, at, sink);
                return None;
            }
            (Some(extended), at)
        }
        (statistic, None) => (statistic.as_ref(), path.field("Statistic")),
    };
    Some(Watched {
        namespace: raw.namespace.as_deref(),
        name: raw.metric_name.as_deref(),
        dimensions: pairs(&raw.dimensions),
        statistic: statistic.map(String::as_str),
        unit: raw.unit.as_deref(),
        period: raw.period,
        metric_at: path.clone(),
        statistic_at: at,
        period_at: path.field("Period"),
    })
}

/// Returns the metric of the only entry of `Metrics`, or what is calculated from several.
fn of_queries<'r>(
    raw: &'r ecs::MetricAlarm,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Value<'r>> {
    for (member, is_given) in [
        ("MetricName", raw.metric_name.is_some()),
        ("Namespace", raw.namespace.is_some()),
        ("Statistic", raw.statistic.is_some()),
        ("ExtendedStatistic", raw.extended_statistic.is_some()),
        ("Dimensions", !raw.dimensions.is_empty()),
        ("Period", raw.period.is_some()),
        ("Unit", raw.unit.is_some()),
    ] {
        if is_given {
            conflict(path, member, "Metrics", sink);
            return None;
        }
    }
    let path = path.field("Metrics");
    let queries = raw.metrics.iter().enumerate();
    let queries = queries.map(|(index, raw)| query(raw, path.index(index), sink));
    let queries: Vec<_> = queries.collect::<Option<_>>()?;
    match <[math::Query<'r>; 1]>::try_from(queries) {
        Ok([only]) if only.expression.is_none() && only.returns && only.watched.is_some() => {
            only.watched.map(Value::Metric)
        }
        Ok(only) => math::math(&only, scope, &path, sink).map(Value::Math),
        Err(queries) => math::math(&queries, scope, &path, sink).map(Value::Math),
    }
}

/// Returns an entry of `Metrics`; `None` if something of it is wrong.
fn query<'r>(
    raw: &'r ecs::MetricDataQuery,
    path: FieldPath,
    sink: &mut Diagnostics,
) -> Option<math::Query<'r>> {
    if let Some(account) = &raw.account_id {
        let message = Message::InvalidValue {
            value: account.clone(),
            allowed: "must be absent: the operator reads no metric of another account".to_owned(),
        };
        sink.report(path.field("AccountId"), message);
        return None;
    }
    let at = path.field("MetricStat");
    let stat = raw.metric_stat.as_ref();
    if let Some(statistic) = stat.and_then(|stat| stat.stat.as_deref())
        && Statistic::named(statistic).is_none()
        && !is_extended(statistic)
    {
        invalid_statistic(statistic, at.field("Stat"), sink);
        return None;
    }
    let watched = stat.and_then(|stat| {
        let metric = stat.metric.as_ref()?;
        Some(Watched {
            namespace: metric.namespace.as_deref(),
            name: metric.metric_name.as_deref(),
            dimensions: pairs(&metric.dimensions),
            statistic: stat.stat.as_deref(),
            unit: stat.unit.as_deref(),
            period: stat.period,
            metric_at: at.field("Metric"),
            statistic_at: at.field("Stat"),
            period_at: at.field("Period"),
        })
    });
    Some(math::Query {
        id: raw.id.as_deref(),
        expression: raw.expression.as_deref(),
        watched,
        period: raw.period,
        returns: raw.return_data != Some(false),
        at: path,
    })
}

fn pairs(dimensions: &[ecs::Dimension]) -> Vec<[Option<&str>; 2]> {
    let pairs = dimensions.iter();
    let pairs = pairs.map(|it| [it.name.as_deref(), it.value.as_deref()]);
    pairs.collect()
}

fn conflict(path: &FieldPath, member: &str, other: &str, sink: &mut Diagnostics) {
    let message = Message::AlarmMetricConflict {
        member: member.to_owned(),
        other: other.to_owned(),
    };
    sink.report(path.field(member.to_owned()), message);
}

fn invalid_statistic(value: &str, at: FieldPath, sink: &mut Diagnostics) {
    let message = Message::InvalidValue {
        value: value.to_owned(),
        allowed:
            "must be a percentile such as p90, or a trimmed statistic such as tm90 or TM(10%:90%)"
                .to_owned(),
    };
    sink.report(at, message);
}

/// Whether CloudWatch has this statistic beside the plain ones
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>).
fn is_extended(text: &str) -> bool {
    if text == "IQM" {
        return true;
    }
    let letters = text.find(|c: char| !c.is_ascii_alphabetic());
    let Some((name, rest)) = letters.and_then(|at| text.split_at_checked(at)) else {
        return false;
    };
    let number = |text: &str| text.parse::<f64>().ok().filter(|it| it.is_finite());
    match name {
        "p" | "tm" | "tc" | "ts" | "wm" => {
            number(rest).is_some_and(|it| (0.0..=100.0).contains(&it))
        }
        "PR" | "TM" | "TC" | "TS" | "WM" => {
            let range = rest.strip_prefix('(').and_then(|it| it.strip_suffix(')'));
            let bounds = range.and_then(|range| range.split_once(':'));
            bounds.is_some_and(|(lower, upper)| {
                let is_bound = |text: &str| {
                    text.is_empty() || number(text.strip_suffix('%').unwrap_or(text)).is_some()
                };
                is_bound(lower) && is_bound(upper) && !(lower.is_empty() && upper.is_empty())
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_statistics_are_those_of_cloudwatch() {
        for good in [
            "p90",
            "p99.9",
            "p0",
            "tm95",
            "IQM",
            "TM(10%:90%)",
            "PR(:300)",
            "WM(5%:)",
        ] {
            assert!(is_extended(good), "{good}");
        }
        for bad in [
            "", "p", "p101", "p-1", "pinf", "Average", "x90", "TM10%", "TM(:)", "TM(a:b)", "90",
        ] {
            assert!(!is_extended(bad), "{bad}");
        }
    }
}
