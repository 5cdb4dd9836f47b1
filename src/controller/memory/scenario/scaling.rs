//! What sets the counts of services: autoscalers, scheduled actions and policies.

use serde_json::{Value, json};

use super::{Scenario, act, define, place, serve, updated};
use crate::controller::memory::{replica::CPU, store::Store};

/// A service that leaves its count to an autoscaler, whose spec is applied again beside that.
pub(in crate::controller::memory) fn a_count_of_an_autoscaler() -> Scenario {
    let apply = |store: &mut Store| {
        serve(
            store,
            0,
            json!({"autoScaling": {"scalableTarget": {"MinCapacity": 2, "MaxCapacity": 6}}}),
        );
        store.change(&place("EcsService", "web"), |service| {
            let spec = service["spec"].as_object_mut().expect("it is an object");
            spec.remove("desiredCount");
        });
    };
    let scale = |count: i64| {
        move |store: &mut Store| {
            store.change(&place("EcsService", "web"), |service| {
                service["spec"]["desiredCount"] = json!(count);
            });
        }
    };
    Scenario::new([
        act("a service without a count", move |store| {
            define(store, "test/web:1");
            apply(store);
        }),
        act("more tasks", scale(5)),
        act("the same spec once more", apply),
        act("more tasks than allowed", scale(9)),
        updated("an update", "test/web:2"),
    ])
}

/// When the day of that service begins.
const MORNING: &str = "at(2021-01-02T06:00:00)";

/// A service that is stopped for the night by a scheduled action, and started again by another one.
pub(in crate::controller::memory) fn scheduled_actions() -> Scenario {
    let action = |name: &str, schedule: &str, min: i64, max: i64| {
        json!({
            "ScheduledActionName": name, "Schedule": schedule,
            "ScalableTargetAction": {"MinCapacity": min, "MaxCapacity": max},
        })
    };
    let apply = move |store: &mut Store, max: i64, day: &str| {
        let scaling = json!({"autoScaling": {
            "scalableTarget": {"MinCapacity": 2, "MaxCapacity": max},
            "scheduledActions": [
                action("night", "at(2021-01-01T22:00:00)", 0, 0),
                action("day", day, 3, 8),
                action("later", "at(2199-01-01T00:00:00)", 1, 1),
            ],
        }});
        serve(store, 4, scaling);
    };
    // A moment before an action is due for which the operator did not run since.
    let due = |position: usize| {
        move |store: &mut Store| {
            store.change(&place("EcsService", "web"), |service| {
                let actions = &mut service["status"]["autoScaling"]["scheduledActions"];
                actions[position]["since"] = json!("2020-01-01T00:00:00Z");
                service["metadata"]["annotations"]["example.com/due"] = json!(position.to_string());
            });
        }
    };
    let acts = [
        act("the night", due(0)),
        updated("an update at night", "test/web:2"),
        act("the day", due(1)),
        act("a mistake", move |store| apply(store, 6, "when it suits")),
        act("another range", move |store| apply(store, 3, MORNING)),
    ];
    Scenario::new(acts).after([act("a service", move |store| {
        define(store, "test/web:1");
        apply(store, 6, MORNING);
    })])
}

/// A service with step scaling, by an alarm in a policy and one beside it, which gets an autoscaler and loses it again.
pub(in crate::controller::memory) fn step_scaling() -> Scenario {
    let alarm = |threshold: i64, comparison: &str| {
        json!({
            "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average",
            "Dimensions": [{"Name": "ServiceName", "Value": "web"}],
            "Period": 60, "EvaluationPeriods": 1, "Threshold": threshold,
            "ComparisonOperator": comparison,
        })
    };
    let step = |name: &str, by: i64| {
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
                "Cooldown": 3600,
                "StepAdjustments": [{end: 0, "ScalingAdjustment": by}],
            },
        })
    };
    let target = json!({
        "PolicyName": "cpu",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 60,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "ECSServiceAverageCPUUtilization",
            },
        },
    });
    let mut steps = json!([step("out", 2), step("in", -1)]);
    steps[1]["Alarm"] = alarm(20, "LessThanThreshold");
    let mut busy = alarm(70, "GreaterThanThreshold");
    busy["AlarmName"] = json!("busy");
    busy["AlarmActions"] = json!(["out"]);
    let apply = move |store: &mut Store, policies: &Value| {
        serve(
            store,
            2,
            json!({"autoScaling": {
                "scalableTarget": {"MinCapacity": 2, "MaxCapacity": 6},
                "scalingPolicies": policies,
                "alarms": [busy],
            }}),
        );
    };
    let change = |store: &mut Store, policies: &Value| {
        store.change(&place("EcsService", "web"), |service| {
            service["spec"]["autoScaling"]["scalingPolicies"] = policies.clone();
        });
    };
    let load = |what: &'static str, percent: &'static str| {
        act(what, move |store: &mut Store| {
            store.change(&place("EcsService", "web"), |service| {
                service["metadata"]["annotations"][CPU] = json!(percent);
            });
        })
    };
    let (first, again) = (steps.clone(), steps);
    let before = act("a service", move |store| {
        define(store, "test/web:1");
        apply(store, &first);
    });
    let acts = [
        load("a high load", "85"),
        updated("an update", "test/web:2"),
        load("a low load", "10"),
        act("an autoscaler", move |store| {
            change(store, &json!([target]));
        }),
        act("steps again", move |store| change(store, &again)),
        act("no scaling", |store| serve(store, 3, json!({}))),
    ];
    Scenario::new(acts).after([before, load("some load", "50")])
}
