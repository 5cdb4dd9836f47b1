//! Schedules, which start tasks.

use serde_json::{Value, json};

use super::{Scenario, act, delete, put};
use crate::controller::memory::{pods, store::Store};

/// Applies a schedule that is due when it is created.
fn schedule(store: &mut Store, more: Value) {
    let mut spec = json!({
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "EcsParameters": {"TaskDefinitionArn": "job"},
        },
        "failedTasksHistoryLimit": 0,
    });
    if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
        spec.extend(more);
    }
    put(store, "EcsSchedule", "job", spec);
}

/// A schedule whose tasks start and end, that is changed and deleted.
pub(in crate::controller::memory) fn a_schedule() -> Scenario {
    let acts = [
        act("a schedule", |store| schedule(store, json!({}))),
        act("the end of its tasks", |store| {
            let pods = store.of_kind("", "pods");
            let of_it = pods.into_iter().map(|(place, _)| place.clone()).next();
            pods::end(store, &of_it.expect("it has started one"), &[0], "");
        }),
        act("another expression", |store| {
            schedule(store, json!({"ScheduleExpression": "rate(2 days)"}));
        }),
        act("a mistake", |store| {
            schedule(store, json!({"ScheduleExpression": "now and then"}));
        }),
        act("its deletion", |store| delete(store, "EcsSchedule", "job")),
    ];
    Scenario::new(acts).after([act("a task definition", |store| {
        let definition = json!({
            "containerDefinitions": [{"name": "app", "image": "test/job", "cpu": 32, "memory": 64}],
        });
        put(store, "EcsTaskDefinition", "job", definition);
    })])
}

/// A schedule that replaces tasks that still run.
pub(in crate::controller::memory) fn a_schedule_that_replaces() -> Scenario {
    let acts = [act("another start", |store| {
        schedule(store, json!({"concurrencyPolicy": "Replace"}));
    })];
    Scenario::new(acts).after([act("a task of it that a person has started", |store| {
        let definition = json!({
            "containerDefinitions": [{"name": "app", "image": "test/job", "cpu": 32, "memory": 64}],
        });
        put(store, "EcsTaskDefinition", "job", definition);
        put(
            store,
            "EcsTask",
            "by-hand",
            json!({"taskDefinition": "job"}),
        );
        store.change(&super::place("EcsTask", "by-hand"), |task| {
            task["metadata"]["labels"] = json!({"ecs-operator.dev/schedule": "job"});
        });
    })])
}

/// A schedule that is mended after it was rejected.
pub(in crate::controller::memory) fn a_schedule_that_is_mended() -> Scenario {
    let acts = [
        act("a schedule with a mistake", |store| {
            schedule(store, json!({"ScheduleExpression": "now and then"}));
        }),
        act("its correction", |store| schedule(store, json!({}))),
    ];
    Scenario::new(acts)
}
