//! A stand-alone task as a whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use super::{
    Capacity, EbsVolume, NetworkConfiguration, Overridden, Placement, PodOverlay, TaskDefinition,
    TaskDefinitionReference, VolumeConfigurations, apply_overrides, arn::has_placeholder,
    check_pods_of_task, validate_capacity, validate_ebs_volumes, validate_network_configuration,
    validate_placement, validate_pod, validate_task_definition,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    input::{TaskDefinitionInput, TaskInput},
    settings::Settings,
};

/// How many tasks `RunTask` may start.
pub const TASK_COUNT: RangeInclusive<i64> = ecs::Task::COUNT_RANGE;

/// A stand-alone task that can be translated.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The name, before it is converted to a Kubernetes name.
    pub name: String,
    /// The UID that distinguishes it from other tasks of this name, if there is one.
    pub uid: Option<String>,
    /// The cluster, if named.
    pub cluster: Option<String>,
    /// The task definition with the overrides applied.
    pub task_definition: TaskDefinition,
    /// The members that the overrides set.
    pub overridden: Overridden,
    /// The number of tasks, 1 to 10.
    pub count: i64,
    /// The task group; `family:<family>` by default.
    pub group: String,
    /// The starter of the task, as in the request.
    pub started_by: Option<String>,
    /// The reference ID of the request.
    pub reference_id: Option<String>,
    /// The capacity that runs the tasks.
    pub capacity: Capacity,
    /// Constraints and strategies.
    pub placement: Placement,
    /// The VPC settings.
    pub network_configuration: NetworkConfiguration,
    /// EBS volumes.
    pub volumes: Vec<EbsVolume>,
    /// What the pods have beyond the fields of ECS.
    pub pod: Option<PodOverlay>,
    /// The tags of the tasks, including propagated tags of the task definition.
    pub tags: BTreeMap<String, String>,
}

/// Validates a stand-alone task together with the task definition that it runs.
///
/// # Errors
///
/// Returns all errors in either of them, relative to the document of each.
pub fn validate_task(input: &TaskInput, settings: &Settings) -> Result<Task, Diagnostics> {
    let mut sink = Diagnostics::new();
    let task = task(input, settings, &mut sink);
    if !sink.has_errors() {
        check_pods_of_task(&task, settings, &mut sink);
    }
    if sink.has_errors() {
        Err(task.overridden.relocate(sink))
    } else {
        Ok(task)
    }
}

fn task(input: &TaskInput, settings: &Settings, sink: &mut Diagnostics) -> Task {
    let raw = &input.request;
    let root = FieldPath::root(Subject::Task);
    check_request(raw, &root, sink);
    let capacity = validate_capacity(
        raw.launch_type.as_deref(),
        &raw.capacity_provider_strategy,
        &root,
        sink,
    );
    let (task_definition, overridden) = overridden_definition(input, &capacity, settings, sink);
    let tags = tags(raw, &task_definition);
    Task {
        name: input.name.clone(),
        uid: input.uid.clone(),
        cluster: raw.cluster.clone(),
        overridden,
        count: raw.count.unwrap_or(ecs::Task::DEFAULT_COUNT),
        group: raw
            .group
            .clone()
            .unwrap_or_else(|| format!("family:{}", task_definition.family)),
        started_by: raw.started_by.clone(),
        reference_id: raw.reference_id.clone(),
        placement: validate_placement(
            &raw.placement_constraints,
            &raw.placement_strategy,
            task_definition.fargate,
            &task_definition.constraints,
            &root,
            sink,
        ),
        network_configuration: validate_network_configuration(raw.network_configuration.as_ref()),
        volumes: validate_ebs_volumes(
            VolumeConfigurations::Task(&raw.volume_configurations),
            &task_definition,
            &tags,
            &root,
            sink,
        ),
        pod: validate_pod(
            input.extensions.kubernetes.as_ref(),
            &input.task_definition.request,
            &root,
            sink,
        ),
        tags,
        capacity,
        task_definition,
    }
}

/// Returns the task definition with the overrides of the request.
fn overridden_definition(
    input: &TaskInput,
    capacity: &Capacity,
    settings: &Settings,
    sink: &mut Diagnostics,
) -> (TaskDefinition, Overridden) {
    let raw = &input.request;
    let none = ecs::TaskOverride::default();
    let (definition, overridden) = apply_overrides(
        &input.task_definition.request,
        raw.overrides.as_ref().unwrap_or(&none),
        &FieldPath::root(Subject::Task).field("overrides"),
        sink,
    );
    let configured_volumes: Vec<_> = raw
        .volume_configurations
        .iter()
        .filter_map(|volume| volume.name.as_deref())
        .collect();
    let input = TaskDefinitionInput {
        request: definition,
        extensions: input.task_definition.extensions.clone(),
        revision: input.task_definition.revision,
    };
    let task_definition =
        validate_task_definition(&input, capacity, &configured_volumes, settings, sink);
    (task_definition, overridden)
}

/// Checks the request itself.
fn check_request(raw: &ecs::Task, root: &FieldPath, sink: &mut Diagnostics) {
    if let Some(text) = raw.task_definition.as_deref()
        && TaskDefinitionReference::parse(text).is_none()
        && !has_placeholder(text)
    {
        let value = text.to_owned();
        let message = Message::InvalidTaskDefinitionReference { value };
        sink.report(root.field("taskDefinition"), message);
    }
    if raw.count.is_some_and(|count| !TASK_COUNT.contains(&count)) {
        sink.report(root.field("count"), Message::TaskCountRange);
    }
    if let Some(group) = raw.group.as_deref().filter(|g| g.starts_with("service:")) {
        let value = group.to_owned();
        sink.report(root.field("group"), Message::InvalidTaskGroup { value });
    }
    if raw.propagate_tags.as_deref() == Some("SERVICE") {
        sink.report(root.field("propagateTags"), Message::PropagateTagsService);
    }
    let mut keys = BTreeSet::new();
    for (index, tag) in raw.tags.iter().enumerate() {
        if !keys.insert(&tag.key) {
            let value = tag.key.clone().unwrap_or_default();
            let path = root.field("tags").index(index).field("key");
            sink.report(path, Message::DuplicateTag { value });
        }
    }
}

/// Returns the tags of the task: those of the request, which override tags propagated from the definition.
fn tags(raw: &ecs::Task, definition: &TaskDefinition) -> BTreeMap<String, String> {
    let mut tags = match raw.propagate_tags.as_deref() {
        Some("TASK_DEFINITION") => definition.tags.clone(),
        _ => BTreeMap::new(),
    };
    tags.extend(super::task_definition::tags(&raw.tags));
    tags
}
