//! Changes each field of the schedules in the golden cases, and compares what happens with what the table says.

use ecs_operator::{
    crd::ScheduleExtensions,
    fields::Api,
    settings::Settings,
    source::{Catalog, Content, Fill},
    validate::validate_firings,
};
use serde_json::{Value, json};

use crate::{
    cases::{cases, inputs},
    library,
    rows::{Findings, wrong_rows},
};

/// Returns what becomes of a schedule, also what the operator makes of it, and what is said about it.
fn effects(schedule: &Value, definition: &Value) -> ((Vec<Value>, String), Findings) {
    let texts = [schedule.to_string(), definition.to_string()];
    let result = library::convert(texts, &Settings::default());
    let findings = result.conversions.iter().flat_map(|it| &it.diagnostics);
    let findings = findings.map(|it| {
        let text = format!("{} {} {}", it.path, it.reason(), it.message);
        (it.path.to_string(), it.severity(), text)
    });
    let findings = findings.collect();
    let request = serde_json::from_value(schedule.clone());
    let firings = request.map(|request| validate_firings(&request, ScheduleExtensions::default()));
    let firings = format!("{:?}", firings.ok().and_then(Result::ok));
    ((result.objects(), firings), findings)
}

/// Returns the schedules of the golden cases, each with the task definition that it runs.
fn schedules() -> Vec<(Value, Value)> {
    let mut schedules = Vec::new();
    for case in cases() {
        let paths = inputs(&case).into_iter().map(|name| case.join(name));
        let paths: Vec<_> = paths.collect();
        let catalog = Catalog::read(&paths, None, Fill::default(), &mut |_| {});
        for unit in catalog.into_units().filter_map(Result::ok) {
            if let Content::Schedule(input) = unit.content {
                let definition = json!(input.task_definition.request);
                schedules.push((json!(input.request), definition));
            }
        }
    }
    schedules
}

#[test]
fn every_row_of_a_schedule_says_what_is_so() {
    let wrong = wrong_rows(Api::Schedule, &schedules(), effects);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_schedule_changes_nothing_beside_it() {
    let definition = json!({"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx", "memory": 64}]});
    let service = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 2});
    let task = json!({"taskDefinition": "web", "count": 2});
    let target = |family: &str| {
        json!({
            "Arn": "arn:aws:ecs:eu-west-1:111122223333:cluster/shop", "RoleArn": "arn:aws:iam::111122223333:role/r",
            "EcsParameters": {"TaskDefinitionArn": family},
        })
    };
    for (expression, family, expected) in [
        ("rate(1 hour)", "web", 1),
        ("rate(7 minutes)", "web", 0),
        ("rate(1 hour)", "gone", 0),
    ] {
        let schedule = json!({
            "Name": "hourly", "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": target(family),
        });
        let texts = [&definition, &service, &task].map(Value::to_string);
        let without = library::convert(texts.clone(), &Settings::default()).objects();
        assert_eq!(without.len(), 4);
        let more = texts.into_iter().chain([schedule.to_string()]);
        let mut with = library::convert(more, &Settings::default()).objects();
        let before = with.len();
        with.retain(|object| object["kind"] != "CronJob");
        assert_eq!(before - with.len(), expected);
        assert_eq!(with, without);
    }
}
