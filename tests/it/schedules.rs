//! Changes each field of the schedules in the golden cases, and compares what happens with what the table says.

use std::collections::BTreeSet;

use ecs_operator::{
    crd::ScheduleExtensions,
    diagnostic::Severity,
    fields::{Api, Field, Outcome},
    settings::Settings,
    source::{Catalog, Content, Fill},
    validate::validate_firings,
};
use serde_json::{Value, json};

use crate::{
    cases::{cases, inputs},
    effects::{leaves, others, take_out},
    library,
};

/// What becomes of a schedule, and what is said about it: path, severity, reason and message.
#[derive(PartialEq)]
struct Effects {
    objects: Vec<Value>,
    /// What the operator makes of it.
    firings: String,
    findings: BTreeSet<(String, Severity, String)>,
}

impl Effects {
    /// Whether something of this severity is said about a field, or about what it is a member of.
    fn tell(&self, field: &Field, severity: Severity) -> bool {
        self.findings.iter().any(|(path, found, _)| {
            *found == severity && !path.is_empty() && field.path.starts_with(path.as_str())
        })
    }

    /// What matters to somebody who does not ask for notes.
    fn matters(&self) -> (&[Value], &str, Vec<&String>) {
        let findings = self.findings.iter();
        let findings = findings.filter(|(_, severity, _)| *severity != Severity::Note);
        let findings = findings.map(|(_, _, text)| text).collect();
        (&self.objects, &self.firings, findings)
    }
}

fn effects(schedule: &Value, definition: &Value) -> Effects {
    let texts = [schedule.to_string(), definition.to_string()];
    let result = library::convert(texts, &Settings::default());
    let findings = result.conversions.iter().flat_map(|it| &it.diagnostics);
    let findings = findings.map(|it| {
        let text = format!("{} {} {}", it.path, it.reason(), it.message);
        (it.path.to_string(), it.severity(), text)
    });
    let request = serde_json::from_value(schedule.clone());
    let firings = request.map(|request| validate_firings(&request, ScheduleExtensions::default()));
    Effects {
        findings: findings.collect(),
        firings: format!("{:?}", firings.ok().and_then(Result::ok)),
        objects: result.objects(),
    }
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
    let mut matters = BTreeSet::new();
    let mut told = BTreeSet::new();
    for (schedule, definition) in schedules() {
        let before = effects(&schedule, &definition);
        for (field, at) in leaves(Api::Schedule.tree(), &schedule, "") {
            for severity in [Severity::Error, Severity::Warning, Severity::Note] {
                if before.tell(field, severity) {
                    told.insert((field.path, severity));
                }
            }
            let mut changed = vec![schedule.clone()];
            take_out(&mut changed[0], &at);
            let value = schedule.pointer(&at).expect("it was found");
            for other in others(field, value) {
                let mut with = schedule.clone();
                *with.pointer_mut(&at).expect("it was found") = other;
                changed.push(with);
            }
            for schedule in changed {
                if effects(&schedule, &definition).matters() != before.matters() {
                    matters.insert(field.path);
                }
            }
        }
    }
    let wrong: Vec<String> = Api::Schedule
        .fields()
        .filter(|field| {
            let is_told = |severity| told.contains(&(field.path, severity));
            !match field.outcome {
                Outcome::Translated => matters.contains(field.path),
                Outcome::Warned => is_told(Severity::Warning),
                Outcome::Noted => is_told(Severity::Note) || !matters.contains(field.path),
                Outcome::Rejected => is_told(Severity::Error),
                Outcome::NotYet => false,
            }
        })
        .map(|field| format!("{} is not {}", field.path, field.outcome.name()))
        .collect();
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
