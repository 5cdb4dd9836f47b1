//! Tells files of other tools from ECS documents that could not be recognized.
//!
//! The folder of a project also has files such as `package.json`. A file that was only found there is skipped if nothing
//! in it is of ECS. It remains an error if it may be an ECS document, because that document may run a task definition.

use super::{
    super::tree::{Node, Value},
    LISTS,
    assembly::is_assembly,
    names::{MEMBERS, tells},
    pipeline::is_pipeline,
    request::{is_container_alone, is_of_ecs_cli, is_of_ecspresso},
};

/// What the types of resources begin with in CloudFormation and Terraform.
const TYPES_OF_ECS: &[&str] = &["AWS::ECS::", "aws_ecs_"];

/// What is a name of ECS only in a text that cannot be parsed: what it is a member of is not known.
const OF_TEXT: &[&str] = &["\"family\"", "family:", "\"image\"", "\"overrides\""];

/// The length from which a member is searched for in a text that cannot be parsed.
const SEARCHED: usize = 6;

/// The custom resources of this operator.
const OWN_GROUP: &str = "ecs-operator.dev/";

const OWN_KINDS: &[&str] = &[
    "AppRunnerService",
    "EcsCapacityProvider",
    "EcsCluster",
    "EcsPipe",
    "EcsRule",
    "EcsSchedule",
    "EcsService",
    "EcsTask",
    "EcsTaskDefinition",
];

/// The custom resource that is about the specs of namespaces, and not about what runs.
const POLICY: &str = "EcsPolicy";

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
    if is_configuration(root) || is_pipeline(root) || is_policy(root) || is_assembly(root) {
        return true;
    }
    if is_response(root) || is_container_alone(root) {
        return false;
    }
    // A whole template has the names of all services of AWS, so that only its types count.
    let names = if is_template(root) {
        Names::Types
    } else {
        Names::All
    };
    !has_ecs(root, names, DEPTH)
}

/// By what a document is judged.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    All,
    Types,
}

/// The format of files that have services of Docker Compose.
pub(in crate::source) const COMPOSE: &str = "Docker Compose";

/// Recognizes whole templates and projects of other tools, which contain more than requests.
pub(super) fn template(node: &Node<'_>) -> Option<&'static str> {
    let map = |key| node.get(key).is_some_and(|value| value.members().is_some());
    // A plan and a state are read; the source of a configuration has expressions.
    if map("resource") {
        return Some("Terraform");
    }
    if map("services") {
        return Some(COMPOSE);
    }
    None
}

/// Whether this is a template of CloudFormation, a file of Terraform or its state.
fn is_template(root: &Node<'_>) -> bool {
    let keys = ["Resources", "resource", "resources", "terraform_version"];
    keys.iter().any(|key| root.get(key).is_some())
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
    if text.contains(OWN_GROUP) || OWN_KINDS.iter().any(|kind| text.contains(kind)) {
        return true;
    }
    // Templates of Helm charts are no YAML.
    if text.contains("apiVersion") && text.contains("kind") {
        return false;
    }
    let text = text.to_ascii_lowercase();
    let others = TYPES_OF_ECS.iter().chain(OF_TEXT);
    let members = MEMBERS.telling.iter().filter(|name| name.len() >= SEARCHED);
    others
        .map(|name| name.to_ascii_lowercase())
        .chain(members.cloned())
        .any(|name| text.contains(&name))
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
    if OWN_KINDS.contains(&kind) {
        return Some(false);
    }
    if kind == POLICY && version.starts_with(OWN_GROUP) {
        return Some(true);
    }
    let group = version.split_once('/').map_or("", |(group, _)| group);
    Some(!version.starts_with(OWN_GROUP) && !group.split('.').any(|part| part == "ecs"))
}

/// Whether this belongs to requests and is none: the configuration of ecspresso, parameters of the ECS CLI, which mean
/// nothing without their Compose file, or the AppSpec of `CodeDeploy`
/// (<https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file.html>).
fn is_configuration(root: &Node<'_>) -> bool {
    let list = |key| {
        root.get(key)
            .is_some_and(|value| value.elements().is_some())
    };
    let is_terraform = ["desired_count", "terraform_version"]
        .iter()
        .any(|key| root.get(key).is_some());
    if is_terraform {
        return false;
    }
    is_of_ecspresso(root)
        || is_of_ecs_cli(root)
        || (root.get("version").is_some() && (list("Resources") || list("resources")))
}

/// Whether this is a policy of IAM, which may name actions and resources of ECS, or one that protects data in logs
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/mask-sensitive-log-data.html>).
fn is_policy(root: &Node<'_>) -> bool {
    const MEMBERS: &[&str] = &[
        "Configuration",
        "Description",
        "Id",
        "Name",
        "Statement",
        "Version",
    ];
    let members = root.members().unwrap_or_default();
    root.get("Statement").is_some() && members.iter().all(|it| MEMBERS.contains(&&*it.key))
}

/// Whether this is the response to a describe call, which may be empty.
fn is_response(root: &Node<'_>) -> bool {
    let mut lists = LISTS.iter().map(|(member, _)| *member).chain(["failures"]);
    lists.any(|key| {
        root.get(key)
            .is_some_and(|value| value.elements().is_some())
    })
}

fn has_ecs(node: &Node<'_>, names: Names, depth: usize) -> bool {
    let inner = |node| depth > 0 && has_ecs(node, names, depth.saturating_sub(1));
    match &node.value {
        Value::Object(members) => members.iter().any(|member| {
            is_type(&member.key)
                || (names == Names::All && tells(&member.key))
                || inner(&member.value)
        }),
        Value::List(elements) => elements.iter().any(inner),
        _ => node.text().is_some_and(is_type),
    }
}

/// Whether this is a type of a resource of ECS, its ARN, or a metric of a service.
fn is_type(text: &str) -> bool {
    let is_arn = || text.starts_with("arn:") && text.split(':').nth(2) == Some("ecs");
    TYPES_OF_ECS.iter().any(|prefix| text.starts_with(prefix))
        || text.starts_with("ecs:service:")
        || text.starts_with("ECSService")
        || is_arn()
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
            r#"{"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "EcsPolicy", "spec": {}}"#,
            r#"{"region": "eu-west-1", "service_definition": "s.json", "task_definition": "t.json"}"#,
            r#"{"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service"}}]}"#,
            r#"{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}"#,
            r#"{"name": "web", "type": "Backend Service", "image": {"build": "."}, "count": 1}"#,
            r#"{"Resources": {"Scaling": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": {"MinCapacity": 1}}}}"#,
            r#"{"replicaCount": 2, "image": {"tag": "1"}, "service": {"port": 80}, "securityContext": {"readOnlyRootFilesystem": true}}"#,
            r#"{"services": {"db": {"healthcheck": {"test": "x"}, "depends_on": [], "volumes_from": []}}}"#,
            r#"{"service": "shop-api", "provider": {"name": "aws"}, "functions": {}}"#,
            r#"["a", {"b": 1}]"#,
            r#"{"name": "web", "version": "1.0.0", "scripts": {"start:dev": "vite"}, "eslintConfig": {"overrides": []}}"#,
            r#"{"lockfileVersion": 3, "packages": {"node_modules/reference": {"status": "ok", "resource": {}}}}"#,
            r#"{"global": {"evaluation_interval": "15s"}, "scrape_configs": [{"metrics_path": "/", "static_configs": []}]}"#,
            r#"{"openapi": "3.0.0", "paths": {"/tasks": {"get": {"parameters": [], "operationId": "a"}}}}"#,
            r#"{"short_name": "web", "start_url": "/", "display": "standalone", "status": 1}"#,
            r#"{"start import": "Start", "integrations": "Parts", "configurations": [], "references": []}"#,
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web"}]}"#,
            "{}",
        ];
        let ecs = [
            r#"{"serviceNaem": "web"}"#,
            r#"{"web": {"contanerDefinitons": []}}"#,
            r#"{"web": {"task_defintion": "web:1", "desird_count": 2}}"#,
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
            r#"{"ServiceNamespace": "ecs", "ResourceId": "service/c/w"}"#,
            r#"[{"targetGroupArn": "a", "containerName": "a", "containerPort": 80}]"#,
            r#"[{"capacityProvider": "FARGATE_SPOT", "weight": 1}]"#,
            r#"{"deploymentCircuitBreaker": {}, "maximumPercent": 150}"#,
            r#"{"clusterName": "c", "capacityProviders": ["FARGATE"]}"#,
            r#"{"Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/c", "RoleArn": "r"}"#,
            r#"[{"name": "web", "imgae": "nginx", "essential": true, "cpu": 10}]"#,
            r#"{"apiVersion": "ecs-operator.io/v1alpha1", "kind": "EcsService"}"#,
            r#"{"version": 4, "terraform_version": "1.9.0", "resources": [{"type": "aws_ecs_service"}]}"#,
            r#"{"region": "eu-west-1", "name": "web", "task_definition": "web:1", "desired_count": 2}"#,
            r#"{"name": "web", "image": "nginx"}"#,
            r#"{"Statement": [], "taskDefinition": "web"}"#,
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
        assert!(!mentions_ecs(
            "apiVersion: apps/v1\nkind: Deployment\nspec: {{ toYaml . }}\n"
        ));
        for text in [
            "PolicyName: p\nPolicyType: TargetTrackingScaling\n\tResourceId: service/c/w",
            r#"{"ScheduledActionName": "n", "Schedule": "cron(0 1 * * ? *)",,}"#,
            r#"{"cluster": "c", "count": 2, "overrides": {},,}"#,
            r#"[{"name": "web", "image": "nginx", "essential": true},,]"#,
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
