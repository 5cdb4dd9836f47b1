//! The CustomResourceDefinitions: the schema from the field table, the rules across fields, and the status.

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        CustomResourceDefinition, CustomResourceDefinitionNames, CustomResourceDefinitionSpec,
        CustomResourceDefinitionVersion, CustomResourceSubresourceScale,
        CustomResourceSubresourceStatus, CustomResourceSubresources, CustomResourceValidation,
        JSONSchemaProps, ValidationRule,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    API_VERSION, AppRunnerServiceStatus, CapacityProviderStatus, ClusterStatus, PipeStatus,
    RuleStatus, ScheduleStatus, ServiceStatus, TaskDefinitionStatus, TaskStatus,
    columns::columns,
    extensions::{
        KEPT_SECONDS, app_runner_extensions, auto_scaling, kept_seconds, pipe_extensions,
        schedule_extensions,
    },
    policy,
    rules::add_rules,
    schema::{object, schema},
    status_schema::status_schema,
};
use crate::fields::Api;

/// A kind of custom resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    AppRunner,
    TaskDefinition,
    Service,
    Task,
    Cluster,
    CapacityProvider,
    Pipe,
    Rule,
    Schedule,
}

/// Returns the CustomResourceDefinitions of this operator, sorted by name.
#[must_use]
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![
        definition(Resource::AppRunner),
        definition(Resource::CapacityProvider),
        definition(Resource::Cluster),
        definition(Resource::Pipe),
        policy::definition(),
        definition(Resource::Rule),
        definition(Resource::Schedule),
        definition(Resource::Service),
        definition(Resource::TaskDefinition),
        definition(Resource::Task),
    ]
}

fn definition(resource: Resource) -> CustomResourceDefinition {
    let (group, version) = API_VERSION.split_once('/').unwrap_or((API_VERSION, ""));
    let (kind, short_name) = match resource {
        Resource::TaskDefinition => ("EcsTaskDefinition", "ecstd"),
        Resource::Service => ("EcsService", "ecssvc"),
        Resource::Task => ("EcsTask", "ecstask"),
        Resource::Cluster => ("EcsCluster", "ecscluster"),
        Resource::CapacityProvider => ("EcsCapacityProvider", "ecscp"),
        Resource::Pipe => ("EcsPipe", "ecspipe"),
        Resource::Rule => ("EcsRule", "ecsrule"),
        Resource::Schedule => ("EcsSchedule", "ecssched"),
        Resource::AppRunner => ("AppRunnerService", "apprunner"),
    };
    let is_of_cluster = resource == Resource::CapacityProvider;
    let singular = kind.to_ascii_lowercase();
    let plural = format!("{singular}s");
    CustomResourceDefinition {
        metadata: ObjectMeta {
            name: Some(format!("{plural}.{group}")),
            ..ObjectMeta::default()
        },
        spec: CustomResourceDefinitionSpec {
            group: group.to_owned(),
            scope: if is_of_cluster {
                "Cluster"
            } else {
                "Namespaced"
            }
            .to_owned(),
            names: CustomResourceDefinitionNames {
                kind: kind.to_owned(),
                list_kind: Some(format!("{kind}List")),
                plural,
                singular: Some(singular),
                short_names: Some(vec![short_name.to_owned()]),
                // `kubectl get ecs` lists what is in a namespace.
                categories: (!is_of_cluster).then(|| vec!["ecs".to_owned()]),
            },
            versions: vec![CustomResourceDefinitionVersion {
                name: version.to_owned(),
                served: true,
                storage: true,
                additional_printer_columns: Some(columns(resource)),
                schema: Some(CustomResourceValidation {
                    open_api_v3_schema: Some(root(resource)),
                }),
                subresources: Some(CustomResourceSubresources {
                    scale: (resource == Resource::Service).then(scale),
                    status: Some(CustomResourceSubresourceStatus(serde_json::json!({}))),
                }),
                ..CustomResourceDefinitionVersion::default()
            }],
            ..CustomResourceDefinitionSpec::default()
        },
        status: None,
    }
}

fn scale() -> CustomResourceSubresourceScale {
    CustomResourceSubresourceScale {
        spec_replicas_path: ".spec.desiredCount".to_owned(),
        status_replicas_path: ".status.runningCount".to_owned(),
        label_selector_path: Some(".status.selector".to_owned()),
    }
}

fn root(resource: Resource) -> JSONSchemaProps {
    let description = match resource {
        Resource::TaskDefinition => {
            "A task definition as RegisterTaskDefinition takes it. The name is its family."
        }
        Resource::Service => {
            "A service as CreateService takes it. The name is its serviceName, the namespace its cluster."
        }
        Resource::Task => "Tasks as RunTask takes them. The namespace is their cluster.",
        Resource::Cluster => {
            "A cluster as CreateCluster takes it: defaults for the services and tasks of its namespace, which is the cluster."
        }
        Resource::CapacityProvider => {
            "A capacity provider as CreateCapacityProvider takes it, and where its nodes come from. The name is its name."
        }
        Resource::Pipe => {
            "A pipe as CreatePipe of EventBridge Pipes takes it, which starts an EcsTask for each message of an SQS queue. The name is its Name."
        }
        Resource::Rule => {
            "A rule as PutRule of EventBridge takes it, with the Targets of PutTargets, which starts EcsTasks for events. The name is its Name."
        }
        Resource::Schedule => {
            "A schedule as CreateSchedule of EventBridge Scheduler takes it, which starts EcsTasks. The name is its Name."
        }
        Resource::AppRunner => {
            "A service as CreateService of App Runner takes it, which runs as an EcsService of the same name. The name is its ServiceName."
        }
    };
    let mut root = object(
        description,
        [
            ("spec", spec(resource)),
            (
                "status",
                match resource {
                    Resource::TaskDefinition => status_schema::<TaskDefinitionStatus>(),
                    Resource::Service => status_schema::<ServiceStatus>(),
                    Resource::Task => status_schema::<TaskStatus>(),
                    Resource::Cluster => status_schema::<ClusterStatus>(),
                    Resource::CapacityProvider => status_schema::<CapacityProviderStatus>(),
                    Resource::Pipe => status_schema::<PipeStatus>(),
                    Resource::Rule => status_schema::<RuleStatus>(),
                    Resource::Schedule => status_schema::<ScheduleStatus>(),
                    Resource::AppRunner => status_schema::<AppRunnerServiceStatus>(),
                },
            ),
        ],
    );
    root.required = Some(vec!["spec".to_owned()]);
    root
}

/// The request that is the spec of a resource.
fn request(resource: Resource) -> JSONSchemaProps {
    match resource {
        Resource::TaskDefinition => described(
            "The request of RegisterTaskDefinition; the name of the object is the family.",
            schema(Api::TaskDefinition.tree()),
        ),
        Resource::Service => described(
            "The request of CreateService; the name of the object is the serviceName.",
            schema(Api::Service.tree()),
        ),
        Resource::Task => described("The request of RunTask.", schema(Api::Task.tree())),
        Resource::Cluster => {
            described("The request of CreateCluster.", schema(Api::Cluster.tree()))
        }
        Resource::CapacityProvider => described(
            "The request of CreateCapacityProvider; the name of the object is the name.",
            schema(Api::CapacityProvider.tree()),
        ),
        Resource::Pipe => described(
            "The request of CreatePipe; the name of the object is the Name.",
            schema(Api::Pipe.tree()),
        ),
        Resource::Rule => described(
            "The request of PutRule with the Targets of PutTargets; the name of the object is the Name.",
            schema(Api::Rule.tree()),
        ),
        Resource::Schedule => described(
            "The request of CreateSchedule; the name of the object is the Name.",
            schema(Api::Schedule.tree()),
        ),
        Resource::AppRunner => described(
            "The request of CreateService of App Runner; the name of the object is the ServiceName.",
            schema(Api::AppRunnerService.tree()),
        ),
    }
}

fn spec(resource: Resource) -> JSONSchemaProps {
    let mut spec = request(resource);
    if let Some(required) = &mut spec.required {
        // The object's own name has the same meaning.
        required.retain(|name| {
            !matches!(
                name.as_str(),
                "family" | "serviceName" | "Name" | "ServiceName"
            )
        });
    }
    spec.required = spec.required.filter(|required| !required.is_empty());
    for (name, most) in BOUNDS {
        let members = spec.properties.as_mut();
        if let Some(list) = members.and_then(|members| members.get_mut(*name)) {
            list.max_items = Some(*most);
        }
    }
    let members = spec.properties.get_or_insert_default();
    members.extend(extensions(resource));
    if resource == Resource::AppRunner {
        keep_identity(&mut spec);
    }
    if !matches!(resource, Resource::Cluster | Resource::CapacityProvider) {
        let members = spec.properties.get_or_insert_default();
        members.insert("kubernetes".to_owned(), kubernetes(resource));
    }
    add_rules(resource, &mut spec);
    if resource == Resource::Task {
        let no_change = no_change(&spec);
        let rules = spec.x_kubernetes_validations.get_or_insert_default();
        rules.push(no_change);
    }
    spec
}

/// The members that the request does not have, but for `kubernetes`.
fn extensions(resource: Resource) -> Vec<(String, JSONSchemaProps)> {
    match resource {
        Resource::Service => vec![("autoScaling".to_owned(), auto_scaling())],
        Resource::Task => vec![(KEPT_SECONDS.to_owned(), kept_seconds())],
        Resource::Pipe => pipe_extensions().into(),
        Resource::Schedule => schedule_extensions().into(),
        Resource::AppRunner => app_runner_extensions().into(),
        Resource::TaskDefinition
        | Resource::Cluster
        | Resource::CapacityProvider
        | Resource::Rule => Vec::new(),
    }
}

/// The maximum number of elements of lists that rules iterate over, far above the limits of ECS: the API server has to
/// estimate the cost of a rule.
const BOUNDS: &[(&str, i64)] = &[
    ("containerDefinitions", 500),
    ("requiresCompatibilities", 10),
    ("volumes", 500),
];

/// The settings that exist only in Kubernetes: of a service all, of task definitions and tasks those of the pods.
fn kubernetes(resource: Resource) -> JSONSchemaProps {
    let description = "An extension of this operator: settings that exist only in Kubernetes.";
    let mut kubernetes = described(description, schema(Api::Kubernetes.tree()));
    if resource != Resource::Service {
        let members = kubernetes.properties.get_or_insert_default();
        members.retain(|name, _| name == "pod");
    }
    if let Some(pod) = kubernetes
        .properties
        .as_mut()
        .and_then(|it| it.get_mut("pod"))
    {
        let members = pod.properties.iter_mut().flatten();
        for (_, list) in members.filter(|(_, member)| member.type_.as_deref() == Some("array")) {
            // Far more than a pod has, so that the API server can bound the cost of the rules.
            list.max_items = Some(500);
        }
    }
    kubernetes
}

/// The schema of a request with a description, because the table has none of whole requests.
pub(super) fn described(description: &str, schema: JSONSchemaProps) -> JSONSchemaProps {
    JSONSchemaProps {
        description: Some(description.to_owned()),
        ..schema
    }
}

/// Forbids what `UpdateService` of App Runner cannot change: the name, and whether the source is an image or code.
fn keep_identity(spec: &mut JSONSchemaProps) {
    let rule = |rule: &str, message: &str| ValidationRule {
        rule: rule.to_owned(),
        message: Some(message.to_owned()),
        ..ValidationRule::default()
    };
    spec.x_kubernetes_validations = Some(vec![rule(
        "has(self.ServiceName) == has(oldSelf.ServiceName) && (!has(self.ServiceName) || self.ServiceName == oldSelf.ServiceName)",
        "ServiceName cannot be changed; create another AppRunnerService",
    )]);
    let members = spec.properties.as_mut();
    if let Some(source) = members.and_then(|members| members.get_mut("SourceConfiguration")) {
        source.x_kubernetes_validations = Some(vec![rule(
            "has(self.CodeRepository) == has(oldSelf.CodeRepository)",
            "a service from source code cannot become one from an image, nor the other way round; create another AppRunnerService",
        )]);
    }
}

/// Forbids changes of tasks that were requested. Only the time for which the object is kept after that may change.
fn no_change(spec: &JSONSchemaProps) -> ValidationRule {
    let members = spec.properties.iter().flatten().map(|(name, _)| name);
    let same: Vec<String> = members
        .filter(|name| *name != KEPT_SECONDS)
        .map(|name| {
            format!(
                "has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"
            )
        })
        .collect();
    ValidationRule {
        rule: same.join(" && "),
        message: Some(
            "requested tasks cannot be changed; create another EcsTask, or delete this one, which stops its tasks"
                .to_owned(),
        ),
        ..ValidationRule::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fields::{Field, Kind};

    fn schema_of(kind: &str) -> Value {
        let definitions = definitions();
        let definition = definitions
            .iter()
            .find(|definition| definition.spec.names.kind == kind)
            .expect("the kind is defined");
        let version = &definition.spec.versions[0];
        let schema = version.schema.as_ref().expect("it has a schema");
        serde_json::to_value(&schema.open_api_v3_schema).expect("it is plain data")
    }

    #[test]
    fn a_name_is_said_once() {
        let task_definition = schema_of("EcsTaskDefinition");
        assert_eq!(
            task_definition["properties"]["spec"]["required"],
            json!(["containerDefinitions"])
        );
        let service = schema_of("EcsService");
        let required = &service["properties"]["spec"]["required"];
        assert_eq!(required, &Value::Null, "{required}");
        assert_eq!(service["required"], json!(["spec"]));
    }

    #[test]
    fn limits_are_those_of_the_table() {
        let task_definition = schema_of("EcsTaskDefinition");
        let container =
            &task_definition["properties"]["spec"]["properties"]["containerDefinitions"]["items"];
        assert_eq!(container["required"], json!(["image", "name"]));
        let port = &container["properties"]["portMappings"]["items"]["properties"];
        assert_eq!(
            port["appProtocol"]["enum"],
            json!(["http", "http2", "grpc"])
        );
        assert_eq!(port["containerPort"]["type"], "integer");
        assert_eq!(port["containerPort"]["maximum"], 65_535.0);
    }

    #[test]
    fn every_member_has_a_description() {
        fn walk(schema: &Value, path: &str, missing: &mut Vec<String>) {
            for (name, member) in schema["properties"].as_object().into_iter().flatten() {
                let path = format!("{path}.{name}");
                if member["description"].as_str().is_none_or(str::is_empty) {
                    missing.push(path.clone());
                }
                let of_kubernetes = |field: &&Field| {
                    field.kind == Kind::Kubernetes
                        && path.ends_with(&format!(".kubernetes.{}", field.path))
                };
                if Api::Kubernetes.fields().any(|field| of_kubernetes(&field)) {
                    // Its parts are described in the reference of Kubernetes.
                    continue;
                }
                walk(member, &path, missing);
                walk(&member["items"], &format!("{path}[]"), missing);
            }
        }
        let mut missing = Vec::new();
        for kind in [
            "AppRunnerService",
            "EcsTaskDefinition",
            "EcsService",
            "EcsTask",
            "EcsRule",
            "EcsSchedule",
            "EcsCapacityProvider",
            "EcsCluster",
            "EcsPolicy",
        ] {
            let schema = schema_of(kind);
            walk(&schema["properties"]["spec"], kind, &mut missing);
        }
        assert!(missing.is_empty(), "{}", missing.join("\n"));
    }

    #[test]
    fn the_pods_of_requested_tasks_cannot_change() {
        let task = schema_of("EcsTask");
        let spec = &task["properties"]["spec"];
        let rules = spec["x-kubernetes-validations"].to_string();
        assert!(rules.contains("self.kubernetes == oldSelf.kubernetes"));
        for kind in ["EcsTask", "EcsTaskDefinition"] {
            let schema = schema_of(kind);
            let kubernetes = &schema["properties"]["spec"]["properties"]["kubernetes"];
            let members = kubernetes["properties"]
                .as_object()
                .expect("it has members");
            assert_eq!(members.keys().collect::<Vec<_>>(), ["pod"]);
        }
    }

    #[test]
    fn kubectl_can_keep_a_definition_in_its_annotation() {
        for definition in definitions() {
            let text = serde_json::to_string(&definition).expect("it is plain data");
            assert!(text.len() < 262_144, "{} bytes", text.len());
        }
    }

    #[test]
    fn only_services_are_scaled() {
        for definition in definitions() {
            let kind = &definition.spec.names.kind;
            let subresources = definition.spec.versions[0].subresources.as_ref();
            let (has_status, is_scaled) = subresources.map_or((false, false), |it| {
                (it.status.is_some(), it.scale.is_some())
            });
            assert_eq!(has_status, kind != "EcsPolicy");
            assert_eq!(is_scaled, kind == "EcsService");
        }
    }
}
