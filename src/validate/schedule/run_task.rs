//! The request of RunTask that a schedule makes each time.

use std::collections::BTreeMap;

use super::Starter;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    input::{ScheduleInput, TaskInput},
    settings::Settings,
    validate::{Task, validate_task},
};

/// Validates the tasks that a schedule starts, together with the task definition that they run.
///
/// # Errors
///
/// Returns all errors in either of them, relative to the document of each.
pub fn validate_scheduled_task(
    input: &ScheduleInput,
    starter: Starter,
    settings: &Settings,
) -> Result<Task, Diagnostics> {
    let mut sink = Diagnostics::new();
    let task = TaskInput {
        name: input.request.name.clone().unwrap_or_default(),
        uid: None,
        request: run_task_of(&input.request, input.overrides.clone(), &mut sink),
        extensions: input.task_extensions(),
        task_definition: input.task_definition.clone(),
    };
    let task = validate_task(&task, settings);
    match task.map_err(|findings| sink.append(starter.place(&findings))) {
        Ok(task) if !sink.has_errors() => Ok(task),
        _ => Err(sink),
    }
}

/// Returns the request of RunTask that a schedule makes each time, with these overrides. It has no `startedBy` yet.
pub fn run_task_of(
    request: &ecs::Schedule,
    overrides: Option<ecs::TaskOverride>,
    sink: &mut Diagnostics,
) -> ecs::Task {
    let target = request.target.clone().unwrap_or_default();
    let parameters = target.ecs_parameters.unwrap_or_default();
    let tags = tags(&parameters.tags, sink);
    ecs::Task {
        overrides,
        ..run_task(target.arn, parameters, tags)
    }
}

/// Returns the request of RunTask that a target makes, without overrides.
pub(in crate::validate) fn run_task(
    cluster: Option<String>,
    parameters: ecs::EcsParameters,
    tags: Vec<ecs::Tag>,
) -> ecs::Task {
    // What is left out has a note of the reader, because it has no effect.
    let ecs::EcsParameters {
        task_definition_arn,
        task_count,
        launch_type,
        network_configuration,
        platform_version: _,
        group,
        capacity_provider_strategy,
        enable_ecs_managed_tags: _,
        enable_execute_command: _,
        placement_constraints,
        placement_strategy,
        propagate_tags,
        reference_id,
        tags: _,
    } = parameters;
    let vpc = network_configuration.and_then(|network| network.awsvpc_configuration);
    ecs::Task {
        cluster,
        task_definition: task_definition_arn,
        count: task_count,
        launch_type,
        network_configuration: vpc.map(|vpc| ecs::NetworkConfiguration {
            awsvpc_configuration: Some(ecs::AwsVpcConfiguration {
                subnets: vpc.subnets,
                security_groups: vpc.security_groups,
                assign_public_ip: vpc.assign_public_ip,
            }),
        }),
        group,
        capacity_provider_strategy,
        placement_constraints,
        placement_strategy,
        propagate_tags,
        reference_id,
        tags,
        ..ecs::Task::default()
    }
}

/// Reads tags, which are maps with `Key` and `Value` in this API; none if one has no key.
fn tags(maps: &[BTreeMap<String, String>], sink: &mut Diagnostics) -> Vec<ecs::Tag> {
    let path = FieldPath::root(Subject::Schedule).field("Target");
    let path = path.field("EcsParameters").field("Tags");
    for (index, map) in maps.iter().enumerate() {
        let path = path.index(index);
        if !map.contains_key("Key") {
            let name = "Key".to_owned();
            sink.report(path.clone(), Message::RequiredField { name });
        }
        let unknown = |name: &&String| !matches!(name.as_str(), "Key" | "Value");
        for name in map.keys().filter(unknown) {
            let message = Message::UnknownField {
                name: name.clone(),
                advice: "a tag has Key and Value".to_owned(),
            };
            sink.report(path.field(name.clone()), message);
        }
    }
    let tags = maps.iter().map(|map| {
        Some(ecs::Tag {
            key: Some(map.get("Key")?.clone()),
            value: map.get("Value").cloned(),
        })
    });
    tags.collect::<Option<_>>().unwrap_or_default()
}
