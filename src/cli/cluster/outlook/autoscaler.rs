//! What an autoscaler says of itself, and would do.

use k8s_openapi::{
    api::autoscaling::v2::{
        HPAScalingRules, HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget,
        MetricValueStatus,
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::ResourceExt as _;

use super::words::{count, moment, number};
use crate::decide::scaling::usage::quantity;

/// The stabilization windows that an autoscaler has by default, in seconds
/// (<https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#default-behavior>).
const ADD_SECONDS: i32 = 0;
const REMOVE_SECONDS: i32 = 300;

/// Returns the lines about an autoscaler; those with a margin belong to the one above.
pub(super) fn lines(autoscaler: &HorizontalPodAutoscaler) -> Vec<String> {
    let name = autoscaler.name_any();
    let spec = &autoscaler.spec;
    let (min, max) = (spec.min_replicas.unwrap_or(1), spec.max_replicas);
    let Some(status) = &autoscaler.status else {
        return vec![format!(
            "HorizontalPodAutoscaler {name}, {min} to {max}: it has not reported anything yet."
        )];
    };
    let current = count(status.current_replicas.unwrap_or(0).into(), "task");
    let desired = status.desired_replicas;
    let mut lines = vec![format!(
        "HorizontalPodAutoscaler {name}, {min} to {max}: {current} now, it wants {desired}."
    )];
    let known: Vec<_> = status.current_metrics.iter().flatten().collect();
    for metric in spec.metrics.iter().flatten() {
        let (name, target) = target_of(metric);
        let value = known.iter().filter_map(|it| value_of(it));
        let mut values = value.filter(|(of, _)| *of == name);
        let value = values
            .next()
            .map_or_else(|| "not known".to_owned(), |(_, value)| value);
        lines.push(format!("  {name}: {value}, target {target}"));
    }
    let behavior = spec.behavior.as_ref();
    let up = behavior.and_then(|it| it.scale_up.as_ref());
    let down = behavior.and_then(|it| it.scale_down.as_ref());
    lines.push(if is_disabled(up) {
        "  It adds no tasks: scaling out is suspended.".to_owned()
    } else {
        let rule = rule(up, ADD_SECONDS);
        format!("  It adds tasks when a metric is above its target{rule}.")
    });
    lines.push(if is_disabled(down) {
        "  It removes no tasks: DisableScaleIn, scaling in is suspended, or a deployment is in progress."
            .to_owned()
    } else {
        let rule = rule(down, REMOVE_SECONDS);
        format!("  It removes tasks when all metrics are below their targets{rule}.")
    });
    for condition in status.conditions.iter().flatten() {
        let reason = condition.reason.as_deref().unwrap_or_default();
        let message = condition.message.as_deref().unwrap_or_default();
        let since = condition.last_transition_time.as_ref();
        let since = since.map_or_else(String::new, |time| format!(" since {}", moment(time.0)));
        lines.push(format!(
            "  {} is {}{since}: {reason}: {message}",
            condition.type_, condition.status
        ));
    }
    lines
}

/// Whether an autoscaler does nothing in a direction.
fn is_disabled(rules: Option<&HPAScalingRules>) -> bool {
    rules.is_some_and(|rules| rules.select_policy.as_deref() == Some("Disabled"))
}

/// Below this, a tolerance is none.
const SMALLEST_SHARE: f64 = 1e-6;

/// Says by how much and for how long a metric has to differ from its target.
fn rule(rules: Option<&HPAScalingRules>, default: i32) -> String {
    let seconds = rules.and_then(|it| it.stabilization_window_seconds);
    let tolerance = rules.and_then(|it| it.tolerance.as_ref());
    let tolerance = match tolerance.map(|Quantity(text)| (text, quantity(text))) {
        None => " by more than the tolerance of the cluster (usually 10 %)".to_owned(),
        Some((_, Some(share))) if share < SMALLEST_SHARE => String::new(),
        Some((_, Some(share))) => format!(" by more than {} %", number(share * 100.0)),
        Some((text, None)) => format!(" by more than {text} of it"),
    };
    format!("{tolerance} for {} s", seconds.unwrap_or(default))
}

/// Returns the name and the target of a metric.
fn target_of(metric: &MetricSpec) -> (String, String) {
    match metric {
        MetricSpec {
            resource: Some(it), ..
        } => (it.name.clone(), target(&it.target)),
        MetricSpec {
            container_resource: Some(it),
            ..
        } => (format!("{}/{}", it.container, it.name), target(&it.target)),
        MetricSpec {
            external: Some(it), ..
        } => (it.metric.name.clone(), target(&it.target)),
        other => (other.type_.clone(), "not known".to_owned()),
    }
}

/// Returns the name and the value of a metric.
fn value_of(metric: &MetricStatus) -> Option<(String, String)> {
    let (name, current) = match metric {
        MetricStatus {
            resource: Some(it), ..
        } => (it.name.clone(), &it.current),
        MetricStatus {
            container_resource: Some(it),
            ..
        } => (format!("{}/{}", it.container, it.name), &it.current),
        MetricStatus {
            external: Some(it), ..
        } => (it.metric.name.clone(), &it.current),
        _ => return None,
    };
    Some((name, value(current)?))
}

fn target(target: &MetricTarget) -> String {
    let value = MetricValueStatus {
        average_utilization: target.average_utilization,
        average_value: target.average_value.clone(),
        value: target.value.clone(),
    };
    self::value(&value).unwrap_or_else(|| "not known".to_owned())
}

fn value(value: &MetricValueStatus) -> Option<String> {
    let share = value.average_utilization.map(|it| format!("{it} %"));
    let each = value.average_value.as_ref();
    let each = each.map(|Quantity(it)| format!("{it} per task"));
    let whole = value.value.as_ref().map(|Quantity(it)| it.clone());
    share.or(each).or(whole)
}
