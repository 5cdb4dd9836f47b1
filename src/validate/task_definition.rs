//! A task definition as a whole.

use std::collections::BTreeMap;

use super::{
    Capacity, Container, Graph, NamespaceMode, Network, NetworkMode, PlacementConstraint, Platform,
    PodOverlay, Region, Role, Scope, TaskSize, Volume, is_windows, region::region_of_task,
    validate_container, validate_execution_role, validate_graph, validate_ipc_mode,
    validate_network, validate_pid_mode, validate_platform, validate_pod, validate_role,
    validate_sandbox, validate_task_constraints, validate_task_fields, validate_task_size,
    validate_volumes, with_account_of_roles,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    input::TaskDefinitionInput,
    settings::{Compute, Settings},
};

/// A task definition that can be translated.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDefinition {
    /// The family's name in ECS.
    pub family: String,
    /// The revision; 1 if the input has none.
    pub revision: u64,
    /// The containers in the order of the definition.
    pub containers: Vec<Container>,
    /// The dependencies between containers.
    pub graph: Graph,
    /// The volumes in the order of the definition.
    pub volumes: Vec<Volume>,
    /// The network mode and the network settings that all containers share.
    pub network: Network,
    /// CPU and memory of the whole task.
    pub size: TaskSize,
    /// Operating system and architecture.
    pub platform: Platform,
    /// Whether its tasks run on Fargate in ECS. A task definition that is *compatible* with Fargate always follows its
    /// rules.
    pub fargate: bool,
    /// Whether all or some of the pods run on EKS Fargate, with its limits.
    pub eks_fargate: bool,
    /// The AWS region that its tasks run in, if it is known.
    pub region: Option<Region>,
    /// The role of the application.
    pub task_role: Option<Role>,
    /// The role that reads secrets.
    pub execution_role: Option<Role>,
    /// The process namespace of the containers.
    pub pid_mode: Option<NamespaceMode>,
    /// The IPC namespace of the containers.
    pub ipc_mode: Option<NamespaceMode>,
    /// `memberOf` constraints.
    pub constraints: Vec<PlacementConstraint>,
    /// Ephemeral storage in GiB.
    pub ephemeral_storage_gib: Option<i64>,
    /// Whether the pod runs in a sandbox (`ISOLATED_SANDBOX`).
    pub isolated_sandbox: bool,
    /// What the pods have beyond the fields of ECS.
    pub pod: Option<PodOverlay>,
    /// The tags of the definition.
    pub tags: BTreeMap<String, String>,
}

/// Returns all errors in a task definition, whichever service or task runs it.
#[must_use]
pub fn check_task_definition(input: &TaskDefinitionInput, settings: &Settings) -> Diagnostics {
    let mut sink = Diagnostics::new();
    // Its volumes are configured by the service or task that runs it.
    let volumes = input.request.volumes.iter();
    let configured: Vec<&str> = volumes
        .filter_map(|volume| volume.name.as_deref())
        .collect();
    validate_task_definition(
        input,
        &Capacity::default(),
        &configured,
        settings,
        &mut sink,
    );
    sink
}

/// Validates a task definition for a service or a task that may itself request Fargate.
pub(crate) fn validate_task_definition(
    input: &TaskDefinitionInput,
    capacity: &Capacity,
    configured_volumes: &[&str],
    settings: &Settings,
    sink: &mut Diagnostics,
) -> TaskDefinition {
    let request = &input.request;
    let settings = &*with_account_of_roles(request, settings);
    let root = FieldPath::root(Subject::TaskDefinition);
    let compatibilities = &request.requires_compatibilities;
    let fargate = capacity.asks_for_fargate() || compatibilities.iter().any(|c| c == "FARGATE");
    let runs_on_fargate = capacity.runs_on_fargate(compatibilities);
    let scope = Scope {
        settings,
        request,
        fargate,
        eks_fargate: runs_on_fargate
            && settings.compute == Compute::EksFargate
            && capacity.takes_a_fargate_profile(),
        windows: is_windows(request, fargate),
        network_mode: NetworkMode::in_force(request, fargate),
        configured_volumes,
    };
    let containers = validate_containers(&scope, &root.field("containerDefinitions"), sink);
    validate_task_fields(&scope, &root, sink);
    let graph = validate_graph(&scope, sink);
    TaskDefinition {
        family: request.family.clone().unwrap_or_default(),
        revision: input.revision.unwrap_or(1),
        volumes: validate_volumes(&scope, sink),
        network: validate_network(&scope, &graph, sink),
        graph,
        size: validate_task_size(&scope, sink),
        platform: validate_platform(&scope, &root, sink),
        fargate: runs_on_fargate,
        eks_fargate: scope.eks_fargate,
        region: region_of_task(&scope),
        task_role: validate_role(
            request.task_role_arn.as_deref(),
            settings,
            &root.field("taskRoleArn"),
            sink,
        ),
        execution_role: validate_execution_role(&scope, &root.field("executionRoleArn"), sink),
        pid_mode: validate_pid_mode(&scope, &root, sink),
        ipc_mode: validate_ipc_mode(&scope, &root, sink),
        constraints: validate_task_constraints(&scope, sink),
        ephemeral_storage_gib: request
            .ephemeral_storage
            .as_ref()
            .and_then(|e| e.size_in_gi_b),
        isolated_sandbox: validate_sandbox(&scope, &root, sink),
        pod: validate_pod(input.extensions.kubernetes.as_ref(), request, &root, sink),
        tags: tags(&request.tags),
        containers,
    }
}

fn validate_containers(
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<Container> {
    let containers = &scope.request.container_definitions;
    if containers.is_empty() {
        sink.report(
            path.clone(),
            Message::RequiredField {
                name: "containerDefinitions".to_owned(),
            },
        );
    }
    containers
        .iter()
        .enumerate()
        .map(|(index, raw)| validate_container(index, raw, scope, &path.index(index), sink))
        .collect()
}

/// Returns tags as a map; of duplicate keys, which validation rejects, the last value is used.
pub(crate) fn tags(tags: &[ecs::Tag]) -> BTreeMap<String, String> {
    tags.iter()
        .map(|tag| {
            (
                tag.key.clone().unwrap_or_default(),
                tag.value.clone().unwrap_or_default(),
            )
        })
        .collect()
}
