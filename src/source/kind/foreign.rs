//! Tells files of other tools from ECS documents that could not be recognized.
//!
//! The folder of a project also has files such as `package.json`. A file that was only found there is skipped if nothing
//! in it is of ECS. It remains an error if it may be an ECS document, because that document may run a task definition.

use super::{
    super::tree::{Node, Value},
    LISTS,
    request::{is_container_alone, is_of_ecspresso},
};
use crate::diagnostic::nearest;

/// Members that only ECS documents have, among them those of Terraform.
const OF_ECS: &[&str] = &[
    "availabilityZoneRebalancing",
    "awsvpcConfiguration",
    "capacityProviderStrategy",
    "container_definitions",
    "containerDefinitions",
    "containerOverrides",
    "CustomizedMetricSpecification",
    "deploymentConfiguration",
    "desired_count",
    "desiredCount",
    "dockerLabels",
    "dockerVolumeConfiguration",
    "ecsParameters",
    "efsVolumeConfiguration",
    "environmentFiles",
    "essential",
    "executionRoleArn",
    "firelensConfiguration",
    "launchType",
    "linuxParameters",
    "logConfiguration",
    "memoryReservation",
    "mountPoints",
    "networkConfiguration",
    "networkMode",
    "PolicyType",
    "portMappings",
    "PredefinedMetricSpecification",
    "requiresCompatibilities",
    "resourceRequirements",
    "ScalableDimension",
    "ScalableTargetAction",
    "ScalingTargetId",
    "schedulingStrategy",
    "serviceArn",
    "serviceArns",
    "serviceName",
    "ServiceNamespace",
    "serviceRegistries",
    "sourceVolume",
    "startedBy",
    "StepScalingPolicyConfiguration",
    "stopTimeout",
    "systemControls",
    "TargetTrackingScalingPolicyConfiguration",
    "TargetValue",
    "task_definition",
    "taskArns",
    "taskDefinition",
    "taskDefinitionArn",
    "taskDefinitionArns",
    "taskRoleArn",
];

/// What the types of resources begin with in CloudFormation and Terraform.
const TYPES_OF_ECS: &[&str] = &["AWS::ECS::", "aws_ecs_"];

/// What is a name of ECS only in a text that cannot be parsed: what it is a member of is not known.
const OF_TEXT: &[&str] = &["\"family\"", "family:", "\"image\"", OWN_GROUP];

/// The custom resources of this operator.
const OWN_GROUP: &str = "ecs-operator.dev/";

/// The length from which a misspelled name is compared with others: short names resemble too many.
const COMPARED: usize = 8;

/// The depth to which a document is searched.
const DEPTH: usize = 32;

/// Whether nothing in a document is of ECS.
pub(in crate::source) fn is_foreign(root: &Node<'_>) -> bool {
    if let Some(elements) = root.elements() {
        return elements.iter().all(is_foreign);
    }
    if let Some(is_foreign) = of_kubernetes(root) {
        return is_foreign;
    }
    if is_configuration(root) {
        return true;
    }
    if is_response(root) || is_container_alone(root) {
        return false;
    }
    let misspelled =
        |key: &str| key.len() >= COMPARED && nearest(key, OF_ECS.iter().copied()).is_some();
    let members = root.members().unwrap_or_default();
    !members.iter().any(|member| misspelled(&member.key)) && !has_ecs(root, DEPTH)
}

/// Whether a text that cannot be parsed has a name of ECS anywhere, or no names by which it could be judged.
pub(in crate::source) fn mentions_ecs(text: &str) -> bool {
    let is_comment = |line: &str| line.trim_start().starts_with('#') || line.trim().is_empty();
    if !text.trim().is_empty() && text.lines().all(is_comment) {
        return false;
    }
    if !text.contains(':') {
        return true;
    }
    let text = text.to_ascii_lowercase();
    let names = OF_ECS.iter().chain(TYPES_OF_ECS).chain(OF_TEXT);
    names
        .into_iter()
        .any(|name| text.contains(&name.to_ascii_lowercase()))
}

/// Whether an object of Kubernetes belongs to neither this operator nor a controller of ECS; `None` for anything else.
fn of_kubernetes(root: &Node<'_>) -> Option<bool> {
    let version = root.get("apiVersion").and_then(Node::text)?;
    let kind = root.get("kind").and_then(Node::text)?;
    if kind == "List"
        && let Some(items) = root.get("items").and_then(Node::elements)
    {
        return Some(items.iter().all(is_foreign));
    }
    let group = version.split_once('/').map_or("", |(group, _)| group);
    Some(!version.starts_with(OWN_GROUP) && !group.split('.').any(|part| part == "ecs"))
}

/// Whether this names the files of requests and is none: the configuration of ecspresso, or the AppSpec of `CodeDeploy`
/// (<https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file.html>).
fn is_configuration(root: &Node<'_>) -> bool {
    let list = |key| {
        root.get(key)
            .is_some_and(|value| value.elements().is_some())
    };
    is_of_ecspresso(root)
        || (root.get("version").is_some() && (list("Resources") || list("resources")))
}

/// Whether this is the response to a describe call, which may be empty.
fn is_response(root: &Node<'_>) -> bool {
    let mut lists = LISTS.iter().map(|(member, _)| *member).chain(["failures"]);
    lists.any(|key| {
        root.get(key)
            .is_some_and(|value| value.elements().is_some())
    })
}

fn has_ecs(node: &Node<'_>, depth: usize) -> bool {
    match &node.value {
        Value::Object(members) => members.iter().any(|member| {
            let is_name = |name: &&str| name.eq_ignore_ascii_case(&member.key);
            is_type(&member.key)
                || OF_ECS.iter().any(is_name)
                || (depth > 0 && has_ecs(&member.value, depth.saturating_sub(1)))
        }),
        Value::List(elements) => elements
            .iter()
            .any(|element| depth > 0 && has_ecs(element, depth.saturating_sub(1))),
        _ => node.text().is_some_and(is_type),
    }
}

fn is_type(text: &str) -> bool {
    TYPES_OF_ECS.iter().any(|prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::{super::super::json::JsonDocuments, *};

    #[test]
    fn only_what_has_nothing_of_ecs_is_foreign() {
        let foreign = [
            r#"{"name": "shop", "version": "1.0.0", "scripts": {"deploy": "aws ecs update-service"}}"#,
            r#"{"compilerOptions": {"strict": true}, "include": ["src"]}"#,
            r#"{"services": {"web": {"image": "nginx", "depends_on": ["db"]}}}"#,
            r#"{"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"serviceName": "web"}}"#,
            r#"{"region": "eu-west-1", "service_definition": "s.json", "task_definition": "t.json"}"#,
            r#"{"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service"}}]}"#,
            r#"{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}"#,
            r#"{"name": "web", "type": "Backend Service", "image": {"build": "."}, "count": 1}"#,
            r#"["a", {"b": 1}]"#,
            "{}",
        ];
        let ecs = [
            r#"{"serviceNaem": "web"}"#,
            r#"{"web": {"prod": {"taskDefinition": {}}}}"#,
            r#"[{}, {"ContainerDefinitions": []}]"#,
            r#"{"container_definitions": "[]"}"#,
            r#"{"resource": {"aws_ecs_service": {"web": {}}}}"#,
            r#"{"Resources": {"Web": {"Type": "AWS::ECS::Service"}}}"#,
            r#"{"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "EcsCluster"}"#,
            r#"{"apiVersion": "ecs.services.k8s.aws/v1alpha1", "kind": "Service"}"#,
            r#"{"taskDefinitionArns": []}"#,
            r#"[{"name": "web", "mountPoints": []}]"#,
            r#"{"PolicyNam": "cpu", "PolicyTyp": "TargetTrackingScaling"}"#,
            r#"{"TargetValue": 60, "PredefinedMetricSpecification": {}}"#,
            r#"{"awsvpcConfiguration": {"subnets": []}}"#,
            r#"{"name": "web", "image": "nginx"}"#,
            r#"{"services": [], "failures": [{"arn": "web", "reason": "MISSING"}]}"#,
        ];
        let all = foreign.map(|text| (text, true)).into_iter();
        for (text, expected) in all.chain(ecs.map(|text| (text, false))) {
            let parsed = JsonDocuments::new(text).next_document().unwrap().unwrap();
            assert_eq!(is_foreign(&parsed.root), expected, "{text}");
        }
    }

    #[test]
    fn a_text_without_structure_is_searched_for_names() {
        assert!(!mentions_ecs("{// a comment\n\"compilerOptions\": {}}"));
        assert!(!mentions_ecs("# Values of the chart\n\n  # none\n"));
        for text in [
            "",
            r#"[{"name": "web", "image": "nginx", "essential": true "memory": 128}]"#,
            r#"[{"name": "web", "image": "${image}", "environment": ${jsonencode(env)}}]"#,
            "{\"containerdefinitions\": [,",
            "Type: AWS::ECS::Service\n\t- x",
        ] {
            assert!(mentions_ecs(text), "{text}");
        }
    }
}
