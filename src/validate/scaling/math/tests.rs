//! Tests of what is read as metric math, and of its values.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{super::metric, *};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Subject},
    settings::{Mode, Settings},
    validate::{
        Metric, ScaledService, Statistic,
        scaling::{Scope, listed},
    },
};

fn metric(namespace: &str, name: &str, dimension: (&str, &str)) -> Value {
    let dimensions = json!([{"Name": dimension.0, "Value": dimension.1}]);
    json!({"Namespace": namespace, "MetricName": name, "Dimensions": dimensions})
}

fn of(id: &str, metric: &Value, stat: &str) -> Value {
    json!({"Id": id, "MetricStat": {"Metric": metric, "Stat": stat}, "ReturnData": false})
}

fn queue() -> Value {
    metric("AWS/SQS", "Visible", ("QueueName", "orders"))
}

fn running() -> Value {
    metric(
        "ECS/ContainerInsights",
        "RunningTaskCount",
        ("ServiceName", "web"),
    )
}

fn of_operator() -> Settings {
    Settings {
        mode: Mode::Controller,
        ..Settings::default()
    }
}

const fn scope(settings: &Settings) -> Scope<'_> {
    Scope {
        settings,
        service: ScaledService {
            name: "web",
            cluster: None,
        },
        task_definition: None,
    }
}

/// Returns what is tracked, or what is wrong with it, and where.
fn tracked(queries: &Value) -> Result<Metric, String> {
    let raw = json!({"TargetValue": 1, "CustomizedMetricSpecification": {"Metrics": queries}});
    let raw = serde_json::from_value(raw).expect("it is a configuration");
    let settings = of_operator();
    let mut sink = Diagnostics::new();
    let root = FieldPath::root(Subject::AutoScaling);
    let found = metric::validate(&raw, &scope(&settings), &root, &mut sink);
    found.filter(|_| !sink.has_errors()).ok_or_else(|| {
        let mut texts = sink.iter().map(|it| {
            let path = it.path.to_string();
            let path = path.replace("CustomizedMetricSpecification.", "");
            format!("{path}: {}", it.message)
        });
        texts.next().unwrap_or_default()
    })
}

fn math_of(queries: &Value) -> Arc<Math> {
    match tracked(queries) {
        Ok(Metric::Math(math)) => math,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_result_is_calculated_from_what_it_depends_on() {
    let math = math_of(&json!([
        {"Id": "e2", "Expression": "e1 * 60 + e1"},
        {"Id": "unused", "Expression": "other + e1", "ReturnData": false},
        of("other", &metric("Shop", "Other", ("A", "b")), "Sum"),
        {"Id": "e1", "Expression": "m1 / m2", "ReturnData": false},
        of("m2", &running(), "Average"),
        of("m1", &queue(), "Sum"),
    ]));
    assert_eq!((math.name(), math.minutes()), ("e1 * 60 + e1", 1));
    let names: Vec<_> = math.parts().iter().map(Series::metric_name).collect();
    assert_eq!(names, ["Visible", "RunningTaskCount"]);
    assert!(matches!(
        math.parts()[1],
        Series::Running(Statistic::Average)
    ));
    let value = |visible, running| math.value(&[vec![visible], vec![running]]);
    assert_eq!(value(Some(30.0), Some(3.0)), Some(610.0));
    assert_eq!(value(Some(30.0), Some(0.0)), None);
    assert_eq!(value(None, Some(3.0)), None);
    // Entries that share what they are calculated from are no circle.
    let shared = math_of(&json!([
        of("m1", &queue(), "Sum"),
        {"Id": "a", "Expression": "m1 + 1", "ReturnData": false},
        {"Id": "b", "Expression": "a * 2", "ReturnData": false},
        {"Id": "c", "Expression": "a + b"},
    ]));
    assert_eq!(shared.value(&[vec![Some(4.0)]]), Some(15.0));
}

#[test]
fn what_cannot_be_calculated_is_said_where_it_is() {
    let m1 = of("m1", &queue(), "Sum");
    let twelve = (0..11).map(|at| of(&format!("m{at}"), &queue(), "Sum"));
    let twelve: Vec<Value> = twelve
        .chain([json!({"Id": "e", "Expression": "m1"})])
        .collect();
    for (queries, expected) in [
        (
            json!([m1, {"Id": "e1", "Expression": "m1 / m2"}]),
            "Metrics[1].Expression: this metric math is not evaluated: no entry has the Id m2",
        ),
        (
            json!([m1, {"Id": "a", "Expression": "b + m1"}, {"Id": "b", "Expression": "a", "ReturnData": false}]),
            "Metrics[1]: this metric math is not evaluated: it is calculated from itself",
        ),
        (
            json!([m1, {"Id": "e1", "Expression": "1 + 1"}]),
            "Metrics: this metric math is not evaluated: its result does not depend on a metric",
        ),
        (
            json!([m1, {"Id": "e1", "Expression": "m1"}, {"Id": "e2", "Expression": "m1"}]),
            "Metrics: this metric math is not evaluated: ReturnData has to be false for each entry but one",
        ),
        (
            json!([m1, {"Id": "e1", "Expression": "m1", "ReturnData": false}]),
            "Metrics: this metric math is not evaluated: ReturnData has to be false for each entry but one",
        ),
        (
            json!([m1, {"Id": "m1", "Expression": "m1"}]),
            "Metrics[1].Id: this metric math is not evaluated: two entries have the Id m1",
        ),
        (
            json!([m1, {"Id": "E1", "Expression": "m1"}]),
            "Metrics[1].Id: this metric math is not evaluated: an Id is a lowercase letter, and letters, digits and _",
        ),
        (
            json!([m1, {"Id": "e1"}]),
            "Metrics[1]: this metric math is not evaluated: an entry has an Expression or a MetricStat with a Metric",
        ),
        (
            json!([{"Id": "e1", "Expression": "m1"}]),
            "Metrics: this metric math is not evaluated: it has no metric",
        ),
        (
            json!(twelve),
            "Metrics: this metric math is not evaluated: it has more than 20 entries, or 10 metrics",
        ),
        (
            json!([of("m1", &json!({"MetricName": "A"}), "Sum"), {"Id": "e1", "Expression": "m1"}]),
            "Metrics[0].MetricStat.Metric.Namespace: Namespace is required",
        ),
    ] {
        let found = tracked(&queries).expect_err("it cannot be calculated");
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn a_period_has_the_statistic_of_each_metric() {
    let part = |id: &str, stat: &str| {
        let mut part = of(id, &queue(), stat);
        part["MetricStat"]["Period"] = json!(120);
        part
    };
    let alarm = |period: i64| {
        let queries = json!([
            part("m1", "Sum"), part("m2", "Maximum"),
            {"Id": "e1", "Expression": "m1 / m2 + PERIOD(m1)", "Period": period},
        ]);
        let raw = json!({
            "scalingPolicies": [{"PolicyName": "out", "PolicyType": "StepScaling"}],
            "alarms": [{"AlarmName": "a", "AlarmActions": ["out"], "EvaluationPeriods": 1, "Threshold": 1,
                "ComparisonOperator": "GreaterThanThreshold", "Metrics": queries}],
        });
        let raw = serde_json::from_value(raw).expect("it is the scaling of a service");
        let settings = of_operator();
        let path = FieldPath::root(Subject::AutoScaling).field("alarms");
        let (mut listed, _) =
            listed::validate(&raw, &scope(&settings), &path, &mut Diagnostics::new());
        listed.pop().and_then(|listed| listed.alarm)
    };
    let found = alarm(120).expect("it is an alarm");
    let Series::Math(math) = &found.series else {
        panic!("{found:?}");
    };
    assert_eq!((found.period, math.minutes()), (120, 2));
    let of_two = vec![Some(4.0), Some(6.0)];
    let of_one = vec![Some(4.0), None];
    assert_eq!(math.value(&[of_two, of_one]), Some(122.5));
    assert_eq!(alarm(60), None, "its entries have different periods");
}
