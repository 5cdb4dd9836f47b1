//! The field table has the limits of the AWS API models, and the request shapes keep every field.

use std::collections::{BTreeMap, BTreeSet};

use ecs_operator::{
    crd, ecs,
    fields::{Api, Field, Kind, Node, Shape},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// The fields of the models; written by `cargo xtask model`.
const MODEL: &str = include_str!("../../src/fields/aws.tsv");

/// Fields whose values are checked by a rule and not by the table, because the model lists the values of all AWS
/// services, or because the message of the rule contains more information.
const CHECKED_BY_A_RULE: &[&str] = &[
    "ServiceNamespace",
    "ScalableDimension",
    "containerDefinitions[].portMappings[].protocol",
    "TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.PredefinedMetricType",
];

/// Members that the models require and the tables do not: beside a service, the first three are clear, and the last is
/// an empty list, which counts as absent, in every response of `DescribeServices`.
const MAY_BE_LEFT_OUT: &[&str] = &[
    "ServiceNamespace",
    "ResourceId",
    "ScalableDimension",
    "deploymentConfiguration.alarms.alarmNames",
    // The name of the custom resource is its name.
    "name",
    // The operator needs no role to start tasks.
    "RoleArn",
    "Target.RoleArn",
    // The class of the nodes has these.
    "managedInstancesProvider.infrastructureRoleArn",
    "managedInstancesProvider.instanceLaunchTemplate",
    "managedInstancesProvider.instanceLaunchTemplate.ec2InstanceProfileArn",
    "managedInstancesProvider.instanceLaunchTemplate.networkConfiguration",
];

/// A member in a model.
struct Row {
    operation: &'static str,
    path: &'static str,
    kind: &'static str,
    required: bool,
    /// The minimum number, text length or number of elements.
    min: Option<f64>,
    /// The maximum number, text length or number of elements.
    max: Option<f64>,
    values: BTreeSet<&'static str>,
}

/// Returns all members in the models.
fn members() -> Vec<Row> {
    MODEL
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let [operation, path, _, kind, required, min, max, values] = cells[..] else {
                panic!("not eight cells: {line}");
            };
            let kind = kind.split(' ').next().unwrap_or(kind);
            Row {
                operation,
                path,
                kind,
                required: required == "required",
                min: min.parse().ok(),
                max: max.parse().ok(),
                values: values
                    .split(',')
                    .filter(|value| !value.is_empty())
                    .collect(),
            }
        })
        .collect()
}

/// Returns the leaves of the models.
fn model() -> Vec<Row> {
    let mut leaves = members();
    leaves.retain(|row| !matches!(row.kind, "Object" | "List"));
    leaves
}

fn api(operation: &str) -> Api {
    match operation {
        "UpdateService" => Api::Service,
        "CreateAppRunnerService" => Api::AppRunnerService,
        "PutTargets" => Api::Rule,
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
fn the_tables_have_the_limits_of_the_models() {
    let mut wrong = Vec::new();
    for row in members() {
        let own = format!("{} {}", row.operation, row.path);
        let Some(node) = find(api(row.operation).tree(), row.path) else {
            wrong.push(format!("{own} is not in the tree"));
            continue;
        };
        // `UpdateService` has its own name for the service, and `PutTargets` for the rule, which may be without targets.
        let is_merged = match row.operation {
            "UpdateService" => true,
            "PutTargets" => matches!(row.path, "Rule" | "Targets"),
            _ => false,
        };
        let excused = is_merged || MAY_BE_LEFT_OUT.contains(&row.path);
        if row.required && !node.required && !excused {
            wrong.push(format!("{own} is required"));
        }
        let limits = match &node.shape {
            Shape::List(_) => (None, node.max_items.map(as_number)),
            Shape::Leaf(field) if field.kind == Kind::String => {
                // Longer texts do no harm here, but values that AWS accepts must be accepted.
                let longest = field.limits.max_length.map(as_number);
                if longest
                    .zip(row.max)
                    .is_some_and(|(longest, max)| longest < max)
                {
                    wrong.push(format!("{own} takes {:?} characters", row.max));
                }
                continue;
            }
            // Those of a map are numbers of its entries, which the table does not have.
            Shape::Leaf(field) if field.kind == Kind::StringMap => continue,
            Shape::Leaf(field) => (field.limits.min, field.limits.max),
            Shape::Object(_) => continue,
        };
        let least =
            matches!(&node.shape, Shape::Leaf(_)) && row.min.is_some() && limits.0 < row.min;
        let most = row
            .max
            .is_some_and(|max| limits.1.is_none_or(|limit| limit > max));
        if least || most {
            wrong.push(format!("{own} is {:?} to {:?}", row.min, row.max));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn as_number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// Returns the member at a path such as `containerDefinitions[].name`.
fn find<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
    match &node.shape {
        _ if path.is_empty() => Some(node),
        Shape::List(element) => {
            let rest = path.strip_prefix("[]")?;
            find(element, rest.trim_start_matches('.'))
        }
        Shape::Object(members) => {
            let (name, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
            find(members.get(name)?, rest.trim_start_matches('.'))
        }
        Shape::Leaf(_) => None,
    }
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

/// Returns a document with every field.
pub fn full(node: &Node) -> Value {
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
            Kind::Document | Kind::Kubernetes => json!({"a": [1]}),
        },
    }
}

/// Returns what remains of `value` after reading it into the shape.
fn through<T: Serialize + DeserializeOwned>(value: &Value) -> Value {
    let shape: T = serde_json::from_value(value.clone()).expect("the shape takes the document");
    serde_json::to_value(shape).expect("the shape can be written")
}

#[test]
fn the_shapes_keep_every_field() {
    for api in Api::ALL {
        let mut document = full(api.tree());
        if let (Api::Service, Some(members)) = (api, document.as_object_mut()) {
            // `service` of `UpdateService` is read as `serviceName`.
            members.remove("service");
        }
        let kept = match api {
            Api::TaskDefinition => through::<ecs::TaskDefinition>(&document),
            Api::Service => through::<ecs::Service>(&document),
            Api::Task => through::<ecs::Task>(&document),
            Api::Cluster => through::<ecs::Cluster>(&document),
            Api::CapacityProvider => through::<ecs::CapacityProvider>(&document),
            Api::ScalableTarget => through::<ecs::ScalableTarget>(&document),
            Api::ScalingPolicy => through::<ecs::ScalingPolicy>(&document),
            Api::ScheduledAction => through::<ecs::ScheduledAction>(&document),
            Api::MetricAlarm => through::<ecs::MetricAlarm>(&document),
            Api::Schedule => through::<ecs::Schedule>(&document),
            Api::AppRunnerService => through::<ecs::AppRunnerService>(&document),
            Api::AutoScalingConfiguration => through::<ecs::AutoScalingConfiguration>(&document),
            Api::Rule => through::<ecs::Rule>(&document),
            Api::Pipe => through::<ecs::Pipe>(&document),
            Api::Kubernetes => through::<crd::Kubernetes>(&document),
        };
        let mut lost = Vec::new();
        compare(&document, &kept, "", &mut lost);
        assert!(lost.is_empty(), "{}: {}", api.name(), lost.join(", "));
        assert_eq!(document, kept, "{}", api.name());
    }
}

/// Collects the paths at which `kept` differs from `document`.
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
