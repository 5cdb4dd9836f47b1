//! A stand-alone task as a whole.

use std::collections::BTreeMap;

use super::{
    Capacity, EbsVolume, Placement, TaskDefinition, TaskDefinitionInput, validate_capacity,
    validate_placement, validate_task_definition,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Subject},
    ecs,
    settings::Settings,
};

/// A `RunTask` request and the task definition it runs.
#[derive(Clone, Copy, Debug)]
pub struct TaskInput<'a> {
    /// The name of its pods, before it is made to fit Kubernetes.
    pub name: &'a str,
    /// The `RunTask` request.
    pub request: &'a ecs::Task,
    /// The task definition it names.
    pub task_definition: TaskDefinitionInput<'a>,
}

/// A stand-alone task that can be translated.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The name, before it is made to fit Kubernetes.
    pub name: String,
    /// The cluster, if named.
    pub cluster: Option<String>,
    /// The task definition with the overrides applied.
    pub task_definition: TaskDefinition,
    /// 1 to 10.
    pub count: i64,
    /// The task group; `family:<family>` where none is given.
    pub group: String,
    /// Which capacity runs the tasks.
    pub capacity: Capacity,
    /// Constraints and strategies.
    pub placement: Placement,
    /// EBS volumes.
    pub volumes: Vec<EbsVolume>,
    /// Tags of the tasks.
    pub tags: BTreeMap<String, String>,
}

/// Validates a stand-alone task together with the task definition that it runs.
///
/// # Errors
///
/// Everything that is wrong with either of them, relative to its own document.
pub fn validate_task(input: &TaskInput<'_>, settings: &Settings) -> Result<Task, Diagnostics> {
    let mut sink = Diagnostics::new();
    let task = task(input, settings, &mut sink);
    if sink.has_errors() {
        Err(sink)
    } else {
        Ok(task)
    }
}

fn task(input: &TaskInput<'_>, settings: &Settings, sink: &mut Diagnostics) -> Task {
    let raw = input.request;
    let root = FieldPath::root(Subject::Task);
    let capacity = validate_capacity(
        raw.launch_type.as_deref(),
        &raw.capacity_provider_strategy,
        &root,
        sink,
    );
    let task_definition = validate_task_definition(
        input.task_definition,
        capacity.asks_for_fargate(),
        true,
        settings,
        sink,
    );
    Task {
        name: input.name.to_owned(),
        cluster: raw.cluster.clone(),
        count: raw.count.unwrap_or(1),
        group: raw
            .group
            .clone()
            .unwrap_or_else(|| format!("family:{}", task_definition.family)),
        placement: validate_placement(
            &raw.placement_constraints,
            &raw.placement_strategy,
            task_definition.fargate,
            &task_definition.constraints,
            &root,
            sink,
        ),
        volumes: Vec::new(),
        tags: super::task_definition::tags(&raw.tags),
        capacity,
        task_definition,
    }
}
