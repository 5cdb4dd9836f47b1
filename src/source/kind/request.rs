//! Recognizes a request by its members.

use super::{
    super::tree::Node,
    Form, GIVE_A_REQUEST, Kind, Spelling, ambiguous,
    app_runner::of_app_runner_request,
    has,
    schedule::{of_pipe, of_rule, of_scheduler, rule},
};
use crate::{
    diagnostic::Message,
    fields::{Api, Shape},
};

/// Returns the request that an object is according to its members.
pub(super) fn request(node: &Node<'_>) -> Result<Form, Message> {
    let first = |keys: &[&'static str]| keys.iter().copied().find(|key| has(node, key));
    // It also has members such as service and cluster.
    if is_of_ecspresso(node) {
        return Err(ambiguous(
            "this is an ecspresso configuration",
            "call the file ecspresso.yml, or give the files that service_definition and task_definition name",
        ));
    }
    if is_of_ecs_cli(node) {
        return Err(ambiguous(
            "these are parameters of the Amazon ECS CLI, which belong to a Compose file",
            "call the file ecs-params.yml, and name its Compose file too; or give the output of aws ecs describe-task-definition and describe-services, which hold what the CLI made of \
             them and of the Compose file",
        ));
    }
    if let Some(form) = api_request(node) {
        return form;
    }
    if let Some((form, _)) = SCALING.iter().find(|(_, keys)| first(keys).is_some()) {
        return Ok(if has(node, "ScalingTargetId") {
            form.cloud_formation()
        } else {
            *form
        });
    }
    if has(node, "AlarmName") && first(&["Metrics", "MetricName"]).is_some() {
        let words = &("PutMetricAlarm request", "it has an alarm's members");
        return Ok(Form::new(Kind::Alarm, words));
    }
    if let Some(form) = of_scheduler(node).or_else(|| of_pipe(node)) {
        return form;
    }
    if let Some(form) = of_app_runner_request(node).or_else(|| of_rule(node, Spelling::Api)) {
        return Ok(form);
    }
    if let Some((form, _)) = PASCAL.iter().find(|(_, keys)| first(keys).is_some()) {
        return Ok(form.cloud_formation());
    }
    Err(not_a_request(node))
}

/// Whether this is the configuration of ecspresso, which names the files of requests.
pub(super) fn is_of_ecspresso(node: &Node<'_>) -> bool {
    let names_file = |key| node.get(key).and_then(Node::text).is_some();
    names_file("service_definition") || (names_file("region") && names_file("task_definition"))
}

/// Whether these are the parameters that the Amazon ECS CLI takes beside a Compose file
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cmd-ecs-cli-compose-ecsparams.html>).
pub(super) fn is_of_ecs_cli(node: &Node<'_>) -> bool {
    let map = |key| node.get(key).is_some_and(|it| it.members().is_some());
    map("run_params") || map("task_definition")
}

/// Recognizes requests in the spelling of the ECS API.
fn api_request(node: &Node<'_>) -> Option<Result<Form, Message>> {
    let count = |keys: &[&str]| keys.iter().filter(|key| has(node, key)).count();
    let service = count(SERVICE_ONLY);
    let task = count(TASK_ONLY);
    if let Some(form) = named(node) {
        return Some(Ok(form));
    }
    let form = if service > task && is_mostly(node, Api::Service) {
        Form::new(
            Kind::Service,
            &(
                "CreateService request",
                "it has members that only services have",
            ),
        )
    } else if task > service && is_mostly(node, Api::Task) {
        Form::new(
            Kind::Task,
            &("RunTask request", "it has members that only RunTask has"),
        )
    } else if service > 0 && service == task {
        return Some(Err(of_both(node)));
    } else if has(node, "taskDefinition") && !has(node, "family") {
        // CreateService requires serviceName, and UpdateService service
        // (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html).
        Form::new(
            Kind::Task,
            &(
                "RunTask request",
                "it names a task definition and no service",
            ),
        )
    } else if count(TASK_DEFINITION_ONLY) > 0 && is_mostly(node, Api::TaskDefinition) {
        Form::new(
            Kind::TaskDefinition,
            &(
                "RegisterTaskDefinition request",
                "it has members that only task definitions have",
            ),
        )
    } else {
        return None;
    };
    Some(Ok(form))
}

/// The members that only capacity providers have.
const PROVIDER_ONLY: &[&str] = &["autoScalingGroupProvider", "managedInstancesProvider"];

/// Recognizes a request by a member that is enough.
fn named(node: &Node<'_>) -> Option<Form> {
    if has(node, "containerDefinitions") {
        Some(Form::new(
            Kind::TaskDefinition,
            &(
                "RegisterTaskDefinition request",
                "it has containerDefinitions",
            ),
        ))
    } else if has(node, "serviceName") {
        let words = &("CreateService request", "it has serviceName");
        Some(Form::new(Kind::Service, words))
    } else if PROVIDER_ONLY.iter().any(|key| has(node, key)) {
        let words = &(
            "CreateCapacityProvider request",
            "it has members that only capacity providers have",
        );
        Some(Form::new(Kind::CapacityProvider, words))
    } else {
        node.get("service").and_then(Node::text)?;
        // Files of other tools name a service too, such as serverless.yml.
        is_mostly(node, Api::Service).then_some(())?;
        Some(Form::new(
            Kind::Service,
            &("UpdateService request", "its member service is a name"),
        ))
    }
}

/// Whether this is one container definition. `image` is an object in manifests of Copilot.
pub(super) fn is_container_alone(node: &Node<'_>) -> bool {
    has(node, "name") && node.get("image").and_then(Node::text).is_some()
}

/// Whether at least half of the members belong to this request. Files of other tools have members such as `count` and
/// `overrides` too.
fn is_mostly(node: &Node<'_>, api: Api) -> bool {
    let members = node.members().unwrap_or_default();
    2 * known_members(node, api) >= members.len()
}

/// Whether all members belong to this request.
pub(super) fn is_wholly(node: &Node<'_>, api: Api) -> bool {
    let members = node.members().unwrap_or_default();
    known_members(node, api) == members.len()
}

/// Returns how many members belong to this request.
fn known_members(node: &Node<'_>, api: Api) -> usize {
    let Shape::Object(known) = &api.tree().shape else {
        return 0;
    };
    let members = node.members().unwrap_or_default();
    let is_known = |key: &str| {
        known.keys().any(|name| name.eq_ignore_ascii_case(key))
            || api.read_only().contains(&key)
            || (api == Api::Service && key == "service")
    };
    members
        .iter()
        .filter(|member| is_known(&member.key))
        .count()
}

/// Explains why a request with as many members of only CreateService as of only RunTask is neither.
fn of_both(node: &Node<'_>) -> Message {
    let present = |keys: &[&'static str]| {
        let present: Vec<_> = keys.iter().copied().filter(|key| has(node, key)).collect();
        present.join(", ")
    };
    let (service, task) = (present(SERVICE_ONLY), present(TASK_ONLY));
    ambiguous(
        format!("only a service has {service}, and only RunTask has {task}"),
        &format!("for a service remove {task} and give serviceName; for tasks remove {service}"),
    )
}

const SERVICE_ONLY: &[&str] = &[
    "availabilityZoneRebalancing",
    "deploymentConfiguration",
    "deploymentController",
    "desiredCount",
    "forceNewDeployment",
    "healthCheckGracePeriodSeconds",
    "loadBalancers",
    "role",
    "schedulingStrategy",
    "serviceArn",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "vpcLatticeConfigurations",
];

const TASK_ONLY: &[&str] = &["count", "group", "overrides", "referenceId", "startedBy"];

const TASK_DEFINITION_ONLY: &[&str] = &[
    "executionRoleArn",
    "family",
    "networkMode",
    "requiresCompatibilities",
    "runtimePlatform",
    "taskRoleArn",
];

/// The requests of Application Auto Scaling and CloudWatch, which CloudFormation also spells in PascalCase.
const SCALING: &[(Form, &[&str])] = &[
    (
        Form::new(
            Kind::ScalingPolicy,
            &("PutScalingPolicy request", "it has a policy's members"),
        ),
        &[
            "PolicyType",
            "PredictiveScalingPolicyConfiguration",
            "ScalingTargetId",
            "StepScalingPolicyConfiguration",
            "TargetTrackingScalingPolicyConfiguration",
        ],
    ),
    (
        Form::new(
            Kind::ScheduledAction,
            &("PutScheduledAction request", "it has a schedule's members"),
        ),
        &["Schedule", "ScheduledActionName"],
    ),
    (
        Form::new(
            Kind::ScalableTarget,
            &(
                "RegisterScalableTarget request",
                "it has a scalable target's members",
            ),
        ),
        &["MaxCapacity", "MinCapacity", "ScalableDimension"],
    ),
    (
        Form::new(
            Kind::Alarm,
            &("PutMetricAlarm request", "it has an alarm's members"),
        ),
        &["AlarmActions", "ComparisonOperator", "EvaluationPeriods"],
    ),
];

/// The properties of CloudFormation resources.
const PASCAL: &[(Form, &[&str])] = &[
    (
        Form::new(
            Kind::TaskDefinition,
            &(
                "Properties of AWS::ECS::TaskDefinition",
                "it has a task definition's members in CloudFormation's spelling",
            ),
        ),
        &[
            "ContainerDefinitions",
            "Family",
            "NetworkMode",
            "RequiresCompatibilities",
            "TaskRoleArn",
        ],
    ),
    (
        Form::new(
            Kind::Service,
            &(
                "Properties of AWS::ECS::Service",
                "it has a service's members in CloudFormation's spelling",
            ),
        ),
        &[
            "DeploymentConfiguration",
            "DesiredCount",
            "LoadBalancers",
            "SchedulingStrategy",
            "ServiceName",
            "TaskDefinition",
        ],
    ),
];

/// Members in Terraform's spelling.
const TERRAFORM: &[&str] = &[
    "container_definitions",
    "task_definition",
    "desired_count",
    "service_name",
    "network_mode",
    "requires_compatibilities",
    "execution_role_arn",
];

/// Explains why an object is not a request, with the most helpful guess.
fn not_a_request(node: &Node<'_>) -> Message {
    let first = |keys: &[&'static str]| keys.iter().copied().find(|key| has(node, key));
    if let Some(key) = first(&["taskDefinitionArns", "families", "serviceArns", "taskArns"]) {
        return ambiguous(
            format!("this is the output of a list call: {key} has names only"),
            "give what aws ecs describe-task-definition or describe-services answers for these names",
        );
    }
    if first(&["tasks", "task", "taskSet", "taskSets"]).is_some() {
        return ambiguous(
            "this describes tasks that exist",
            "give the request that runs such tasks: {\"taskDefinition\": FAMILY, \"count\": 1}, with the overrides \
             that are shown here",
        );
    }
    if let Some(message) = rule(node) {
        return message;
    }
    if first(&[
        "cluster",
        "clusters",
        "capacityProviders",
        "containerInstances",
    ])
    .is_some()
    {
        return ambiguous(
            "this is neither a task definition nor a service nor a task",
            GIVE_A_REQUEST,
        );
    }
    if has(node, "containerOverrides") {
        return ambiguous(
            "these are only the overrides of a RunTask request",
            "put them into overrides beside taskDefinition",
        );
    }
    if let Some(key) = first(TERRAFORM) {
        return ambiguous(
            format!("{key} is Terraform's spelling"),
            "give the JSON that Terraform sends: container_definitions alone, or describe-task-definition's output",
        );
    }
    if is_container_alone(node) {
        return ambiguous(
            "this is a container definition alone",
            "put it into a list, or into containerDefinitions of a task definition",
        );
    }
    unknown_members(node)
}

fn unknown_members(node: &Node<'_>) -> Message {
    let names: Vec<&str> = node
        .members()
        .unwrap_or_default()
        .iter()
        .take(4)
        .map(|member| &*member.key)
        .collect();
    if names.is_empty() {
        return ambiguous("the document is empty", GIVE_A_REQUEST);
    }
    ambiguous(
        format!("no ECS request has the members {}", names.join(", ")),
        GIVE_A_REQUEST,
    )
}
