//! The metrics of target tracking.

use std::sync::Arc;

use super::{
    Scope,
    alarm::{MINUTE, Watched},
    math::{self, Math},
    series::{Series, Statistic},
    utilization,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    settings::{Addon, Mode, WantedMetric},
    validate::region::may_be_unknown,
};

/// A metric of a service.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// CPU use as a percentage of the reservation.
    Cpu,
    /// Memory use as a percentage of the reservation.
    Memory,
    /// A CloudWatch metric, read by KEDA or the operator.
    CloudWatch(CloudWatchMetric),
    /// What the operator calculates from several metrics.
    Math(Arc<Math>),
}

/// A CloudWatch metric with one statistic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudWatchMetric {
    /// The namespace, for instance `AWS/ApplicationELB`.
    pub namespace: String,
    /// The metric's name.
    pub name: String,
    /// Names and values of the dimensions, at least one.
    pub dimensions: Vec<(String, String)>,
    /// The statistic.
    pub statistic: String,
    /// The unit, if specified.
    pub unit: Option<String>,
}

impl CloudWatchMetric {
    /// Returns what a query of the settings can be asked for.
    #[must_use]
    pub fn wanted(&self) -> WantedMetric<'_> {
        WantedMetric {
            namespace: &self.namespace,
            name: &self.name,
            statistic: &self.statistic,
            dimensions: &self.dimensions,
        }
    }
}

/// Validates the metric of a target tracking policy; exactly one specification defines it.
pub(super) fn validate(
    raw: &ecs::TargetTrackingScalingPolicyConfiguration,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Metric> {
    let (metric, at) = match (
        &raw.predefined_metric_specification,
        &raw.customized_metric_specification,
    ) {
        (Some(predefined), None) => {
            let at = path.field("PredefinedMetricSpecification");
            (
                self::predefined(predefined, &at, sink)?,
                at.field("PredefinedMetricType"),
            )
        }
        (None, Some(customized)) => {
            let at = path.field("CustomizedMetricSpecification");
            (self::customized(customized, scope, &at, sink)?, at)
        }
        _ => {
            sink.report(
                path.clone(),
                Message::RequiredField {
                    name: "exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification".to_owned(),
                },
            );
            return None;
        }
    };
    if let Some(definition) = scope.task_definition {
        utilization::validate((&metric, definition), scope.settings, at, sink);
    }
    Some(metric)
}

/// Reports what an autoscaler lacks for the CloudWatch metric of a policy.
pub(super) fn needs_keda(
    metric: &CloudWatchMetric,
    raw: &ecs::TargetTrackingScalingPolicyConfiguration,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let at = if raw.predefined_metric_specification.is_some() {
        let at = path.field("PredefinedMetricSpecification");
        at.field("PredefinedMetricType")
    } else {
        path.field("CustomizedMetricSpecification")
    };
    if !scope.settings.has(Addon::Keda) {
        let name = metric.name.clone();
        sink.report(at.clone(), Message::ExternalMetricsUnavailable { name });
    }
    if scope.task_definition.is_some_and(|it| it.region.is_none())
        && !may_be_unknown(scope.settings)
    {
        sink.report(at, Message::RegionRequired);
    }
}

fn predefined(
    raw: &ecs::PredefinedMetricSpecification,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Metric> {
    let at = path.field("PredefinedMetricType");
    let label = raw.resource_label.as_deref();
    let name = raw.predefined_metric_type.as_deref().unwrap_or_default();
    let metric = match name {
        "ECSServiceAverageCPUUtilization" | "ECSServiceAverageCPUUtilizationHighResolution" => {
            Metric::Cpu
        }
        "ECSServiceAverageMemoryUtilization"
        | "ECSServiceAverageMemoryUtilizationHighResolution" => Metric::Memory,
        "ALBRequestCountPerTarget" => {
            let Some(group) = label.and_then(target_group) else {
                sink.report(path.field("ResourceLabel"), Message::ResourceLabelRequired);
                return None;
            };
            return Some(Metric::CloudWatch(CloudWatchMetric {
                namespace: "AWS/ApplicationELB".to_owned(),
                name: "RequestCountPerTarget".to_owned(),
                dimensions: vec![("TargetGroup".to_owned(), group)],
                statistic: "Sum".to_owned(),
                unit: None,
            }));
        }
        _ => {
            sink.report(
                at,
                Message::NotAnEcsMetric {
                    value: name.to_owned(),
                },
            );
            return None;
        }
    };
    if label.is_some() {
        sink.report(path.field("ResourceLabel"), Message::ResourceLabelMisused);
    }
    Some(metric)
}

/// Returns `targetgroup/<name>/<id>` from `app/<load balancer>/<id>/targetgroup/<name>/<id>`.
fn target_group(label: &str) -> Option<String> {
    let parts: Vec<&str> = label.split('/').collect();
    match parts.as_slice() {
        ["app", balancer, id, "targetgroup", group, group_id]
            if [balancer, id, group, group_id]
                .iter()
                .all(|part| !part.is_empty()) =>
        {
            Some(format!("targetgroup/{group}/{group_id}"))
        }
        _ => None,
    }
}

fn customized(
    raw: &ecs::CustomizedMetricSpecification,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Metric> {
    if raw.metrics.len() > 1 || raw.metrics.iter().any(|query| query.expression.is_some()) {
        let path = path.field("Metrics");
        let queries = raw.metrics.iter().enumerate();
        let queries = queries.map(|(index, raw)| query(raw, path.index(index)));
        let queries: Vec<_> = queries.collect();
        let math = math::math(&queries, scope, &path, sink)?;
        if scope.settings.mode == Mode::Convert {
            sink.report(path, Message::MetricMathNeedsController);
        }
        return Some(Metric::Math(math));
    }
    let (metric, path) = if raw.metrics.is_empty() {
        let dimensions = raw
            .dimensions
            .iter()
            .map(|d| (d.name.clone(), d.value.clone()))
            .collect();
        let parts = [&raw.namespace, &raw.metric_name, &raw.statistic];
        (
            cloud_watch(parts, raw.unit.clone(), dimensions, path, sink)?,
            path.clone(),
        )
    } else {
        single_query(&raw.metrics, path, sink)?
    };
    if metric.dimensions.is_empty() {
        sink.report(
            path.field("Dimensions"),
            Message::RequiredField {
                name: "at least one dimension".to_owned(),
            },
        );
        return None;
    }
    Some(own_utilization(&metric, scope.service.name).unwrap_or(Metric::CloudWatch(metric)))
}

/// Returns an entry of metric math. Its periods are those of target tracking.
fn query(raw: &ecs::TargetTrackingMetricDataQuery, path: FieldPath) -> math::Query<'_> {
    let at = path.field("MetricStat");
    let watched = raw.metric_stat.as_ref().and_then(|stat| {
        let metric = stat.metric.as_ref()?;
        let dimensions = metric.dimensions.iter();
        Some(Watched {
            namespace: metric.namespace.as_deref(),
            name: metric.metric_name.as_deref(),
            dimensions: dimensions
                .map(|it| [it.name.as_deref(), it.value.as_deref()])
                .collect(),
            statistic: stat.stat.as_deref(),
            unit: stat.unit.as_deref(),
            period: Some(MINUTE),
            metric_at: at.field("Metric"),
            statistic_at: at.field("Stat"),
            period_at: at.clone(),
        })
    });
    math::Query {
        id: raw.id.as_deref(),
        expression: raw.expression.as_deref(),
        watched,
        period: None,
        returns: raw.return_data != Some(false),
        at: path,
    }
}

/// Returns the only query, which names a metric.
fn single_query(
    queries: &[ecs::TargetTrackingMetricDataQuery],
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<(CloudWatchMetric, FieldPath)> {
    let plain = match queries {
        [only] if only.return_data != Some(false) => only.metric_stat.as_ref(),
        _ => None,
    };
    let (Some(stat), Some(metric)) = (plain, plain.and_then(|stat| stat.metric.as_ref())) else {
        let why = "it has no entry that is returned".to_owned();
        sink.report(
            path.field("Metrics"),
            Message::MetricMathUnsupported { why },
        );
        return None;
    };
    let at = path
        .field("Metrics")
        .index(0)
        .field("MetricStat")
        .field("Metric");
    let dimensions = metric
        .dimensions
        .iter()
        .map(|d| (d.name.clone(), d.value.clone()))
        .collect();
    let parts = [&metric.namespace, &metric.metric_name, &stat.stat];
    let metric = cloud_watch(parts, stat.unit.clone(), dimensions, &at, sink)?;
    Some((metric, at))
}

fn cloud_watch(
    parts: [&Option<String>; 3],
    unit: Option<String>,
    dimensions: Vec<(Option<String>, Option<String>)>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<CloudWatchMetric> {
    let names = ["Namespace", "MetricName", "Statistic"];
    for (name, _) in names.iter().zip(parts).filter(|(_, part)| part.is_none()) {
        sink.report(
            path.field(*name),
            Message::RequiredField {
                name: (*name).to_owned(),
            },
        );
    }
    let [Some(namespace), Some(name), Some(statistic)] = parts else {
        return None;
    };
    let mut pairs = Vec::new();
    for (index, (name, value)) in dimensions.into_iter().enumerate() {
        let (name, value) = (name.unwrap_or_default(), value.unwrap_or_default());
        if value.is_empty() || name.is_empty() || name.contains(';') || value.contains(';') {
            // KEDA writes all dimensions in one string, separated by semicolons.
            sink.report(
                path.field("Dimensions").index(index),
                Message::InvalidValue {
                    value: format!("{name}={value}"),
                    allowed: "must be a name and a value without ;".to_owned(),
                },
            );
        }
        pairs.push((name, value));
    }
    Some(CloudWatchMetric {
        namespace: namespace.clone(),
        name: name.clone(),
        dimensions: pairs,
        statistic: statistic.clone(),
        unit,
    })
}

/// Returns the metric if it is the average CPU or memory utilization of the service itself, like the predefined metrics.
fn own_utilization(metric: &CloudWatchMetric, service_name: &str) -> Option<Metric> {
    let statistic = Statistic::named(&metric.statistic)?;
    match own_series(metric, statistic, service_name)? {
        Series::Cpu(Statistic::Average) => Some(Metric::Cpu),
        Series::Memory(Statistic::Average) => Some(Metric::Memory),
        _ => None,
    }
}

/// Returns the series of a metric that is the CPU or memory utilization of the service itself.
pub(super) fn own_series(
    metric: &CloudWatchMetric,
    statistic: Statistic,
    service_name: &str,
) -> Option<Series> {
    let mut dimensions = metric.dimensions.iter();
    let is_own = dimensions.any(|(name, value)| name == "ServiceName" && value == service_name);
    if metric.namespace != "AWS/ECS" || !is_own {
        return None;
    }
    match metric.name.as_str() {
        "CPUUtilization" => Some(Series::Cpu(statistic)),
        "MemoryUtilization" => Some(Series::Memory(statistic)),
        _ => None,
    }
}
