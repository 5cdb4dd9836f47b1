//! Rules of EventBridge that start tasks
//! (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>,
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html>).

use std::collections::BTreeSet;

use super::{
    Retry, Starter, TaskTemplate,
    arn::has_placeholder,
    schedule::{is_cluster, run_task},
    start::{dead_letters, message_of_pattern, report_input},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    event::{Input, InputSpec, Pattern},
    schedule::Schedule,
};

/// A rule, and what it starts.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The name, unique on its bus.
    pub name: String,
    /// The name or the ARN of its event bus.
    pub bus: String,
    /// When it is due, in UTC. A rate counts from when the rule was created.
    pub schedule: Option<Schedule>,
    /// Which events it is for.
    pub pattern: Option<Pattern>,
    /// Whether nothing is started.
    pub is_disabled: bool,
    /// The text for people.
    pub description: Option<String>,
    /// The targets that start tasks of ECS, in the order of the request.
    pub targets: Vec<RuleTarget>,
    /// The index and the ID of each other target.
    pub others: Vec<(usize, String)>,
}

/// A target of a rule that starts tasks.
#[derive(Clone, Debug)]
pub struct RuleTarget {
    /// Its index in the request, counted from 0.
    pub index: usize,
    /// Its name, unique within the rule.
    pub id: String,
    /// What it starts, without overrides.
    pub task: TaskTemplate,
    /// What the overrides are made of. Without it there are none: ECS gets no event.
    pub input: Option<Input>,
    /// How often a start that fails is tried again.
    pub retry: Retry,
    /// The ARN of the queue for events that were given up.
    pub dead_letters: Option<String>,
}

/// Validates a rule with its targets. The task definitions of its targets are not known.
///
/// # Errors
///
/// Returns all errors in the request.
pub fn validate_rule(raw: &ecs::Rule) -> Result<Rule, Diagnostics> {
    let mut sink = Diagnostics::new();
    let root = FieldPath::root(Subject::Rule);
    if let (Some(name), Some(rule)) = (&raw.name, &raw.rule)
        && name != rule
    {
        let message = Message::InvalidValue {
            value: rule.clone(),
            allowed: "must be the Name of the rule".to_owned(),
        };
        sink.report(root.field("Rule"), message);
    }
    let schedule = raw.schedule_expression.as_deref();
    let schedule = schedule.and_then(|text| schedule_of(text, &root, &mut sink));
    let pattern = raw.event_pattern.as_deref();
    let pattern = pattern.and_then(|text| match Pattern::parse(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            sink.report(root.field("EventPattern"), message_of_pattern(error));
            None
        }
    });
    if raw.schedule_expression.is_none() && raw.event_pattern.is_none() {
        let name = "ScheduleExpression or EventPattern".to_owned();
        sink.report(
            root.field("ScheduleExpression"),
            Message::RequiredField { name },
        );
    }
    let bus = bus(raw, &root, &mut sink);
    let (targets, others) = targets(raw, &root, &mut sink);
    if sink.has_errors() {
        return Err(sink);
    }
    Ok(Rule {
        name: raw.name.clone().unwrap_or_default(),
        bus,
        schedule,
        pattern,
        is_disabled: is_disabled(raw),
        description: raw.description.clone(),
        targets,
        others,
    })
}

pub(super) fn is_disabled(raw: &ecs::Rule) -> bool {
    raw.state.as_deref() == Some("DISABLED")
}

fn schedule_of(text: &str, root: &FieldPath, sink: &mut Diagnostics) -> Option<Schedule> {
    match Schedule::of_rule(text) {
        Ok(schedule) => Some(schedule),
        Err(message) => {
            let message = Message::InvalidValue {
                value: text.to_owned(),
                allowed: message,
            };
            sink.report(root.field("ScheduleExpression"), message);
            None
        }
    }
}

/// Returns the bus, and reports a schedule on another one than that of the account.
fn bus(raw: &ecs::Rule, root: &FieldPath, sink: &mut Diagnostics) -> String {
    let usual = ecs::Rule::DEFAULT_EVENT_BUS_NAME;
    let bus = raw.event_bus_name.as_deref().unwrap_or(usual);
    let is_usual = bus.rsplit('/').next() == Some(usual);
    if raw.schedule_expression.is_some() && !is_usual && !has_placeholder(bus) {
        let value = bus.to_owned();
        sink.report(
            root.field("EventBusName"),
            Message::ScheduleNeedsDefaultBus { value },
        );
    }
    bus.to_owned()
}

/// Whether a target starts tasks of ECS.
pub(crate) fn starts_tasks(target: &ecs::RuleTarget) -> bool {
    target.ecs_parameters.is_some() || target.arn.as_deref().is_some_and(is_cluster)
}

fn targets(
    raw: &ecs::Rule,
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> (Vec<RuleTarget>, Vec<(usize, String)>) {
    let (mut targets, mut others, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (index, target) in raw.targets.iter().enumerate() {
        let path = root.field("Targets").index(index);
        let id = target.id.clone().unwrap_or_default();
        if !id.is_empty() && !ids.insert(id.clone()) {
            let message = Message::InvalidValue {
                value: id.clone(),
                allowed: "is the Id of two targets".to_owned(),
            };
            sink.report(path.field("Id"), message);
        }
        if starts_tasks(target) {
            targets.push(rule_target(target, index, sink));
        } else {
            others.push((index, id));
        }
    }
    (targets, others)
}

fn rule_target(raw: &ecs::RuleTarget, index: usize, sink: &mut Diagnostics) -> RuleTarget {
    let starter = Starter::Rule { target: index };
    let path = starter.target();
    if raw.ecs_parameters.is_none() {
        let name = "EcsParameters".to_owned();
        sink.report(path.field(name.clone()), Message::RequiredField { name });
    }
    if let Some(arn) = raw.arn.as_deref()
        && !is_cluster(arn)
        && !has_placeholder(arn)
    {
        let message = Message::InvalidValue {
            value: arn.to_owned(),
            allowed: "must be the ARN of an ECS cluster, for a target with EcsParameters"
                .to_owned(),
        };
        sink.report(path.field("Arn"), message);
    }
    let mut found = Diagnostics::new();
    let task = FieldPath::root(Subject::Task);
    let task = TaskTemplate::new(request(raw), &task, &mut found);
    sink.append(starter.place(&found));
    RuleTarget {
        index,
        id: raw.id.clone().unwrap_or_default(),
        task,
        input: input(raw, &path, sink),
        retry: Retry::new(raw.retry_policy.as_ref()),
        dead_letters: dead_letters(raw.dead_letter_config.as_ref(), &path, sink),
    }
}

fn input(raw: &ecs::RuleTarget, path: &FieldPath, sink: &mut Diagnostics) -> Option<Input> {
    let transformer = raw.input_transformer.as_ref();
    let paths = transformer.map(|it| it.input_paths_map.iter());
    let spec = InputSpec {
        input: raw.input.as_deref(),
        input_path: raw.input_path.as_deref(),
        input_paths_map: paths
            .into_iter()
            .flatten()
            .map(|(name, path)| (name.as_str(), path.as_str()))
            .collect(),
        input_template: transformer.and_then(|it| it.input_template.as_deref()),
    };
    if raw.input.is_none() && raw.input_path.is_none() && transformer.is_none() {
        return None;
    }
    match Input::parse_escaped(&spec) {
        Ok(input) => Some(input),
        Err(error) => {
            report_input(error, path, sink);
            None
        }
    }
}

/// Returns the request of RunTask that a target makes, without overrides.
pub(super) fn request(raw: &ecs::RuleTarget) -> ecs::Task {
    let parameters = raw.ecs_parameters.iter();
    let tags = parameters.flat_map(|parameters| &parameters.tags);
    let tags = tags.map(|tag| ecs::Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    });
    run_task(raw.arn.clone(), parameters_of(raw), tags.collect())
}

/// Returns the parameters of a target as EventBridge Scheduler has them.
pub(crate) fn parameters_of(raw: &ecs::RuleTarget) -> ecs::EcsParameters {
    let ecs::RuleEcsParameters {
        task_definition_arn,
        task_count,
        launch_type,
        network_configuration,
        platform_version,
        group,
        capacity_provider_strategy,
        enable_ecs_managed_tags,
        enable_execute_command,
        placement_constraints,
        placement_strategy,
        propagate_tags,
        reference_id,
        tags,
    } = raw.ecs_parameters.clone().unwrap_or_default();
    let tags = tags.into_iter().map(|tag| {
        let members = [("Key", tag.key), ("Value", tag.value)];
        let members = members.into_iter();
        members
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    });
    ecs::EcsParameters {
        task_definition_arn,
        task_count,
        launch_type,
        network_configuration,
        platform_version,
        group,
        capacity_provider_strategy,
        enable_ecs_managed_tags,
        enable_execute_command,
        placement_constraints,
        placement_strategy,
        propagate_tags,
        reference_id,
        tags: tags.collect(),
    }
}
