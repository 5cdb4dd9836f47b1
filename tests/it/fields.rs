//! The field table, the request shapes and the AWS API models have the same fields.

use std::collections::{BTreeMap, BTreeSet};

use ecs_operator::{
    crd, ecs,
    fields::{Api, Field, Kind, Node, Shape},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// The fields of the models; `cargo xtask model` writes it.
const MODEL: &str = include_str!("../data/aws-model-fields.tsv");

/// Where the table leaves the check of a value to a rule, because the model lists the values of all AWS services, or
/// because the rule says more than that the value is unknown.
const CHECKED_BY_A_RULE: &[&str] = &[
    "ServiceNamespace",
    "ScalableDimension",
    "containerDefinitions[].portMappings[].protocol",
    "TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.PredefinedMetricType",
];

/// A field of a model.
struct Row {
    operation: &'static str,
    path: &'static str,
    kind: &'static str,
    values: BTreeSet<&'static str>,
}

fn model() -> Vec<Row> {
    MODEL
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let [operation, path, kind, values] = cells[..] else {
                panic!("not four cells: {line}");
            };
            Row {
                operation,
                path,
                kind,
                values: values
                    .split(',')
                    .filter(|value| !value.is_empty())
                    .collect(),
            }
        })
        .collect()
}

fn api(operation: &str) -> Api {
    match operation {
        "UpdateService" => Api::Service,
        name => *Api::ALL
            .iter()
            .find(|api| api.name() == name)
            .unwrap_or_else(|| panic!("no table for {name}")),
    }
}

fn rows(api: Api) -> BTreeMap<&'static str, &'static Field> {
    api.fields().map(|field| (field.path, field)).collect()
}

#[test]
fn every_field_of_the_models_has_a_row() {
    let mut missing = Vec::new();
    for row in model() {
        match rows(api(row.operation)).get(row.path) {
            None => missing.push(format!("{} {}: no row", row.operation, row.path)),
            Some(field) if format!("{:?}", field.kind) != row.kind => {
                missing.push(format!("{} {}: is {}", row.operation, row.path, row.kind));
            }
            Some(_) => {}
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_row_is_a_field_of_a_model_or_an_extension() {
    let model: BTreeSet<(Api, &str)> = model()
        .iter()
        .map(|row| (api(row.operation), row.path))
        .collect();
    let mut unknown = Vec::new();
    for api in Api::ALL {
        for field in api.fields().filter(|field| !field.extension) {
            if !model.contains(&(*api, field.path)) {
                unknown.push(format!("{} {}", api.name(), field.path));
            }
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn the_values_of_a_row_are_those_of_the_model() {
    let mut wrong = Vec::new();
    for row in model() {
        if CHECKED_BY_A_RULE.contains(&row.path) {
            continue;
        }
        let Some(field) = rows(api(row.operation)).remove(row.path) else {
            continue;
        };
        let values: BTreeSet<&str> = field.limits.values.iter().copied().collect();
        if values != row.values {
            wrong.push(format!(
                "{} {}: the model has {:?}, the table {values:?}",
                row.operation, row.path, row.values
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_field_has_two_rows() {
    for api in Api::ALL {
        assert_eq!(api.fields().count(), rows(*api).len(), "{}", api.name());
    }
}

#[test]
fn a_row_says_why() {
    let mut silent = Vec::new();
    for api in Api::ALL {
        for field in api.fields() {
            let says_nothing =
                field.reasons.is_empty() && field.rule.is_empty() && field.target.is_empty();
            if says_nothing {
                silent.push(format!("{} {}", api.name(), field.path));
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

/// A document with every field.
fn full(node: &Node) -> Value {
    match &node.shape {
        Shape::Object(members) => {
            let members = members
                .iter()
                .map(|(name, node)| ((*name).to_owned(), full(node)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Shape::List(element) => Value::Array(vec![full(element)]),
        Shape::Leaf(field) => match field.kind {
            Kind::String => json!(field.limits.values.first().copied().unwrap_or("x")),
            Kind::Integer => json!(7),
            Kind::Number => json!(7.5),
            Kind::Boolean => json!(true),
            Kind::StringMap => json!({"a": "b"}),
            Kind::Timestamp => json!("2026-11-02T08:00:00Z"),
            Kind::Document => json!({"a": [1]}),
        },
    }
}

/// What is left of `value` once it went through the shape.
fn through<T: Serialize + DeserializeOwned>(value: &Value) -> Value {
    let shape: T = serde_json::from_value(value.clone()).expect("the shape takes the document");
    serde_json::to_value(shape).expect("the shape can be written")
}

#[test]
fn the_shapes_keep_every_field() {
    for api in Api::ALL {
        let mut document = full(api.tree());
        if let (Api::Service, Some(members)) = (api, document.as_object_mut()) {
            // What `UpdateService` calls `service` is read as `serviceName`.
            members.remove("service");
        }
        let kept = match api {
            Api::TaskDefinition => through::<ecs::TaskDefinition>(&document),
            Api::Service => through::<ecs::Service>(&document),
            Api::Task => through::<ecs::Task>(&document),
            Api::ScalableTarget => through::<ecs::ScalableTarget>(&document),
            Api::ScalingPolicy => through::<ecs::ScalingPolicy>(&document),
            Api::ScheduledAction => through::<ecs::ScheduledAction>(&document),
            Api::Kubernetes => through::<crd::Kubernetes>(&document),
        };
        let mut lost = Vec::new();
        compare(&document, &kept, "", &mut lost);
        assert!(lost.is_empty(), "{}: {}", api.name(), lost.join(", "));
        assert_eq!(document, kept, "{}", api.name());
    }
}

/// The paths at which `kept` is not `document`.
fn compare(document: &Value, kept: &Value, path: &str, lost: &mut Vec<String>) {
    match (document, kept) {
        (Value::Object(members), Value::Object(kept)) => {
            for (name, value) in members {
                let kept = kept.get(name).unwrap_or(&Value::Null);
                compare(value, kept, &format!("{path}.{name}"), lost);
            }
        }
        (Value::Array(items), Value::Array(kept)) if items.len() == kept.len() => {
            for (item, kept) in items.iter().zip(kept) {
                compare(item, kept, &format!("{path}[]"), lost);
            }
        }
        (value, kept) if value == kept => {}
        _ => lost.push(path.trim_start_matches('.').to_owned()),
    }
}
