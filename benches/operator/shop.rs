//! The services: `web` of `examples/shop` without its load balancer, which requires an add-on.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use ecs_operator::{
    input::{ServiceInput, TaskDefinitionInput},
    settings::{Iam, ImagePullPolicy, Mode, Settings, WorkloadTarget},
    source::{read_service, read_task_definition},
    translate::translate_service,
    validate::validate_service,
};
use serde_json::{Value, json};

/// The family of the task definition of all services.
pub const FAMILY: &str = "web";
/// The number of tasks of a service.
pub const COUNT: i64 = 4;
/// The kinds of the children of a service, with their versions.
pub const CHILDREN: [(&str, &str); 4] = [
    ("Deployment", "apps/v1"),
    ("HorizontalPodAutoscaler", "autoscaling/v2"),
    ("PodDisruptionBudget", "policy/v1"),
    ("Service", "v1"),
];

const TASK_DEFINITION: &str = include_str!("../../examples/shop/web/task-definition.json");
const SERVICE: &str = include_str!("../../examples/shop/web/service.json");
const SCALING: &str = include_str!("../../examples/shop/web/scaling-policy-cpu.json");

/// Returns the spec of the task definition.
pub fn task_definition() -> Value {
    let mut spec: Value = serde_json::from_str(TASK_DEFINITION).expect("the example is JSON");
    // The role requires credentials of AWS, which this cluster does not have.
    spec.as_object_mut().unwrap().remove("executionRoleArn");
    spec
}

/// Returns the spec of a service.
pub fn service(name: &str) -> Value {
    let mut spec: Value = serde_json::from_str(SERVICE).expect("the example is JSON");
    let members = spec.as_object_mut().unwrap();
    members.remove("cluster");
    members.remove("loadBalancers");
    members.remove("healthCheckGracePeriodSeconds");
    members.insert("serviceName".to_owned(), json!(name));
    members.insert("desiredCount".to_owned(), json!(COUNT));
    let policy: Value = serde_json::from_str(SCALING).expect("the example is JSON");
    let scaling = json!({
        // The range allows every number of the benchmark.
        "scalableTarget": {"MinCapacity": 2, "MaxCapacity": 1000},
        "scalingPolicies": [{
            "PolicyName": policy["PolicyName"],
            "PolicyType": policy["PolicyType"],
            "TargetTrackingScalingPolicyConfiguration": policy["TargetTrackingScalingPolicyConfiguration"],
        }],
    });
    members.insert("autoScaling".to_owned(), scaling);
    let network = &mut members["networkConfiguration"]["awsvpcConfiguration"];
    network.as_object_mut().unwrap().remove("securityGroups");
    spec
}

/// Returns an EcsService, as it is posted.
pub fn resource(name: &str) -> Value {
    json!({
        "apiVersion": "ecs-operator.dev/v1alpha1",
        "kind": "EcsService",
        "metadata": {"name": name},
        "spec": service(name),
    })
}

/// Returns the children that the operator creates for a service, in its order.
pub fn children(namespace: &str, name: &str) -> Result<Vec<Value>> {
    // These match the arguments with which the operator is started.
    let settings = Settings {
        namespace: namespace.to_owned(),
        mode: Mode::Controller,
        workload_target: WorkloadTarget::EcsService,
        iam: Iam::None,
        image_pull_policy: ImagePullPolicy::IfNotPresent,
        steady_seconds: 0,
        addons: BTreeSet::new(),
        ..Settings::default()
    };
    let (task_definition, of_definition, _) =
        read_task_definition(FAMILY, &task_definition().to_string());
    let (request, extensions, _) = read_service(name, &service(name).to_string());
    let input = ServiceInput {
        connect_hosts: Default::default(),
        request,
        extensions,
        task_definition: TaskDefinitionInput {
            request: task_definition,
            extensions: of_definition,
            revision: Some(1),
        },
    };
    let validated = validate_service(&input, &settings)
        .map_err(|findings| anyhow::anyhow!("the service is rejected: {findings:?}"))?;
    let objects = translate_service(&validated, &settings).0.into_objects();
    let children: Vec<Value> = objects.iter().map(|object| json!(object)).collect();
    let mut kinds: Vec<&str> = children
        .iter()
        .filter_map(|child| child["kind"].as_str())
        .collect();
    kinds.sort_unstable();
    let expected: Vec<&str> = CHILDREN.iter().map(|(kind, _)| *kind).collect();
    ensure!(kinds == expected, "a service has the children {kinds:?}");
    Ok(children)
}
