//! Services that the operator scales by their metrics.

use std::time::Duration;

use ecs_operator_testbed::until;
use serde_json::{Value, json};

use super::{Bed, LIMIT, condition};

/// The timeout of what a metric leads to: a point takes a minute, and some take several.
const OF_METRICS: Duration = LIMIT.saturating_mul(4);

/// Returns a scaling policy that adds or removes tasks while a metric, given by its namespace, its name and one dimension, is
/// beyond a threshold for a minute.
pub fn step_policy(
    (name, by, cooldown): (&str, i64, i64),
    [namespace, metric, dimension, value]: [&str; 4],
    (comparison, threshold): (&str, i64),
) -> Value {
    let end = if by > 0 {
        "MetricIntervalLowerBound"
    } else {
        "MetricIntervalUpperBound"
    };
    json!({
        "PolicyName": name,
        "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity",
            "Cooldown": cooldown,
            "StepAdjustments": [{end: 0, "ScalingAdjustment": by}],
        },
        "Alarm": {
            "Namespace": namespace, "MetricName": metric, "Statistic": "Average",
            "Dimensions": [{"Name": dimension, "Value": value}],
            "Period": 60, "EvaluationPeriods": 1, "Threshold": threshold,
            "ComparisonOperator": comparison,
        },
    })
}

/// Waits for a state of a service to which a metric leads.
pub async fn reaches(bed: &Bed, name: &str, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let api = bed.resources("EcsService");
    until(&format!("{what} of {name}"), OF_METRICS, async || {
        let object = json!(api.get(name).await?);
        Ok(is_it(&object).then_some(object))
    })
    .await
    .unwrap()
}

/// Waits until a service has this many tasks.
pub async fn has_tasks(bed: &Bed, name: &str, count: i64) -> Value {
    reaches(bed, name, &format!("{count} tasks"), |object| {
        object["spec"]["desiredCount"] == count && object["status"]["runningCount"] == count
    })
    .await
}

/// Waits until a service has these alarms, and all have a metric that is not beyond its threshold.
pub async fn has_alarms(bed: &Bed, name: &str, count: usize) -> Value {
    reaches(bed, name, &format!("{count} alarms"), |object| {
        let alarms = object["status"]["autoScaling"]["alarms"].as_array();
        let mut states = alarms.into_iter().flatten().map(|it| &it["stateValue"]);
        alarms.is_some_and(|alarms| alarms.len() == count) && states.all(|state| state == "OK")
    })
    .await
}

/// Waits until a service is not scaled because a metric is missing, and returns it and why.
pub async fn is_unknown(bed: &Bed, name: &str) -> (Value, String) {
    let object = reaches(bed, name, "missing metrics", |object| {
        condition(object, "ScalingActive")["status"] == "False"
    })
    .await;
    let found = condition(&object, "ScalingActive");
    assert_eq!(found["reason"], "MetricsUnavailable");
    let why = found["message"].as_str().unwrap().to_owned();
    (object, why)
}
