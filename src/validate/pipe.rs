//! Pipes of EventBridge that start tasks for the messages of a queue
//! (<https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_CreatePipe.html>).

use serde_json::{Map, Value};

use super::{
    Queue, Task, TaskTemplate,
    arn::has_placeholder,
    schedule::{is_cluster, place_in_pipe, run_task},
    start::{message_of_pattern, report_input},
    validate_task,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    event::{Input, Pattern},
    input::{PipeInput, TaskInput},
    settings::Settings,
};

/// A pipe, and what it starts.
#[derive(Clone, Debug)]
pub struct Pipe {
    /// The name.
    pub name: String,
    /// The text for people.
    pub description: Option<String>,
    /// Whether messages are taken from the queue.
    pub is_running: bool,
    /// The queue.
    pub queue: Queue,
    /// Patterns of which a message has to match one; without any, each message starts tasks.
    pub filters: Vec<Pattern>,
    /// The ARN of the cluster.
    pub cluster: String,
    /// What is started, with its overrides; what is below `$.body` is read from the JSON of the body.
    pub task: TaskTemplate,
    /// What the overrides are made of, in place of those of `task`.
    pub input: Option<Input>,
    /// The IAM role that AWS would read the queue with.
    pub role: Option<String>,
    /// `OFF`, `ERROR`, `INFO` or `TRACE`.
    pub log_level: Option<String>,
    /// Whether messages may be logged.
    pub logs_messages: bool,
}

/// The members of a message that a path can begin with.
const MEMBERS: &[&str] = &[
    "attributes",
    "awsRegion",
    "body",
    "eventSource",
    "eventSourceARN",
    "md5OfBody",
    "messageAttributes",
    "messageId",
    "receiptHandle",
];

/// The members that a filter cannot be about, because they are the same in each message
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-filtering.html>).
const NOT_FILTERED: &[&str] = &["awsRegion", "eventSource", "eventSourceARN"];

/// Validates a pipe. The task definition that it runs is not known.
///
/// # Errors
///
/// Returns all errors in the request.
pub fn validate_pipe(raw: &ecs::Pipe) -> Result<Pipe, Diagnostics> {
    let mut sink = Diagnostics::new();
    let root = FieldPath::root(Subject::Pipe);
    let queue = queue(raw, &root, &mut sink);
    let source = raw.source_parameters.as_ref();
    let batch = source.and_then(|source| source.sqs_queue_parameters.as_ref());
    if let Some(size) = batch.and_then(|batch| batch.batch_size)
        && size > 1
    {
        let path = root.field("SourceParameters").field("SqsQueueParameters");
        let n = size.to_string();
        sink.report(
            path.field("BatchSize"),
            Message::PipeBatchSizeUnsupported { n },
        );
    }
    let filters = filters(raw, &root, &mut sink);
    if let Some(target) = raw.target.as_deref()
        && !is_cluster(target)
        && !has_placeholder(target)
    {
        sink.report(root.field("Target"), Message::PipeTargetNotEcs);
    }
    let task = task(raw, &root, &mut sink);
    let input = input(raw, &root, &mut sink);
    let (Some(queue), false) = (queue, sink.has_errors()) else {
        return Err(sink);
    };
    let log = raw.log_configuration.as_ref();
    Ok(Pipe {
        name: raw.name.clone().unwrap_or_default(),
        description: raw.description.clone(),
        is_running: raw.desired_state.as_deref() != Some("STOPPED"),
        queue,
        filters,
        cluster: raw.target.clone().unwrap_or_default(),
        task,
        input,
        role: raw.role_arn.clone(),
        log_level: log.and_then(|log| log.level.clone()),
        logs_messages: log.is_some_and(|log| !log.include_execution_data.is_empty()),
    })
}

/// Validates the tasks that a pipe starts, together with the task definition that they run. Returns `None` if that comes
/// from the message, or if something that does is wrong as it stands in the pipe.
///
/// # Errors
///
/// Returns all errors in either of them, relative to the document of each.
pub fn validate_pipe_tasks(
    input: &PipeInput,
    pipe: &Pipe,
    settings: &Settings,
) -> Result<Option<Task>, Diagnostics> {
    let Some(task_definition) = &input.task_definition else {
        return Ok(None);
    };
    let task = TaskInput {
        name: pipe.name.clone(),
        uid: None,
        request: pipe.task.request.clone(),
        extensions: crd::TaskExtensions {
            kubernetes: input.extensions.kubernetes.clone(),
            ..crd::TaskExtensions::default()
        },
        task_definition: task_definition.clone(),
    };
    validate_task(&task, settings).map_or_else(
        |findings| {
            let findings = place_pipe_tasks(pipe, &findings);
            if findings.has_errors() {
                Err(findings)
            } else {
                Ok(None)
            }
        },
        |task| Ok(Some(task)),
    )
}

/// Returns the same findings, with those about a task at the members of the pipe that starts it, and without those about
/// what comes from a message.
pub fn place_pipe_tasks(pipe: &Pipe, findings: &Diagnostics) -> Diagnostics {
    let target = FieldPath::root(Subject::Pipe).field("TargetParameters");
    let target = target.field("EcsTaskParameters");
    let mut placed = Diagnostics::new();
    for finding in findings.iter() {
        let mut path = finding.path.clone();
        if path.subject() == Subject::Task {
            let at = path.segments();
            let dynamic = &pipe.task.dynamic;
            if dynamic
                .iter()
                .any(|it| at.starts_with(it.member.segments()))
            {
                continue;
            }
            path = place_in_pipe(&target, at);
        }
        placed.report(path, finding.message.clone());
    }
    placed
}

/// Returns the queue of an ARN such as `arn:aws:sqs:eu-west-1:123456789012:orders`.
fn queue(raw: &ecs::Pipe, root: &FieldPath, sink: &mut Diagnostics) -> Option<Queue> {
    let text = raw.source.as_deref()?;
    let found = Queue::of_arn(text);
    if found.is_none() {
        sink.report(root.field("Source"), Message::PipeSourceUnsupported);
    }
    found
}

fn filters(raw: &ecs::Pipe, root: &FieldPath, sink: &mut Diagnostics) -> Vec<Pattern> {
    let source = raw.source_parameters.as_ref();
    let criteria = source.and_then(|source| source.filter_criteria.as_ref());
    let filters = criteria.map_or(&[][..], |criteria| &criteria.filters);
    let list = root.field("SourceParameters").field("FilterCriteria");
    let list = list.field("Filters");
    let mut patterns = Vec::new();
    for (index, filter) in filters.iter().enumerate() {
        let Some(text) = filter.pattern.as_deref().filter(|text| !text.is_empty()) else {
            continue;
        };
        let path = list.index(index).field("Pattern");
        match Pattern::parse(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                sink.report(path, message_of_pattern(error));
                continue;
            }
        }
        let value = serde_json::from_str::<Value>(text);
        if let Some(name) = value.ok().as_ref().and_then(not_filtered) {
            let message = Message::InvalidEventPattern {
                at: format!("$.{name}"),
                message: "EventBridge Pipes does not filter by this member".to_owned(),
                advice: "leave it out: it is the same in each message of the queue".to_owned(),
            };
            sink.report(path, message);
        }
    }
    patterns
}

/// Returns a member that a pattern is about and that is the same in each message.
fn not_filtered(pattern: &Value) -> Option<&str> {
    let members = pattern.as_object()?;
    members.iter().find_map(|(name, value)| {
        let first = name.split('.').next().unwrap_or(name);
        if NOT_FILTERED.contains(&first) {
            return Some(first);
        }
        let alternatives = value.as_array().filter(|_| name == "$or")?;
        alternatives.iter().find_map(not_filtered)
    })
}

fn task(raw: &ecs::Pipe, root: &FieldPath, sink: &mut Diagnostics) -> TaskTemplate {
    let target = root.field("TargetParameters");
    let target = target.field("EcsTaskParameters");
    let parameters = raw.target_parameters.as_ref();
    let parameters = parameters.and_then(|it| it.ecs_task_parameters.clone());
    if parameters.is_none() {
        let name = "EcsTaskParameters".to_owned();
        sink.report(target.clone(), Message::RequiredField { name });
    }
    let parameters = parameters.unwrap_or_default();
    no_environment_files(&parameters, &target, sink);
    let request = request(raw.target.clone(), parameters);
    let mut found = Diagnostics::new();
    let task = FieldPath::root(Subject::Task);
    let template = TaskTemplate::new(request, &task, &mut found);
    for dynamic in &template.dynamic {
        let text = dynamic.path.as_str();
        let first = text.strip_prefix("$.").unwrap_or_default();
        let first = first.split(['.', '[']).next().unwrap_or_default();
        if !first.is_empty() && !MEMBERS.contains(&first) {
            let message = format!("a message has no member {first}");
            let advice = "begin with $.body, $.messageId, $.attributes or $.messageAttributes";
            let advice = advice.to_owned();
            let path = dynamic.member.clone();
            found.report(path, Message::InvalidTargetInput { message, advice });
        }
    }
    for finding in found.iter() {
        let path = place_in_pipe(&target, finding.path.segments());
        sink.report(path, finding.message.clone());
    }
    template
}

/// Reports files with environment variables, which nobody can read when a message comes.
fn no_environment_files(
    parameters: &ecs::PipeTargetEcsTaskParameters,
    target: &FieldPath,
    sink: &mut Diagnostics,
) {
    let overrides = parameters.overrides.as_ref();
    let containers = overrides.map_or(&[][..], |overrides| &overrides.container_overrides);
    let list = target.field("Overrides").field("ContainerOverrides");
    for (index, container) in containers.iter().enumerate() {
        if !container.environment_files.is_empty() {
            let message = "the operator reads no files of S3".to_owned();
            let advice = "write the variables into Environment".to_owned();
            let path = list.index(index).field("EnvironmentFiles");
            sink.report(path, Message::InvalidTargetInput { message, advice });
        }
    }
}

fn input(raw: &ecs::Pipe, root: &FieldPath, sink: &mut Diagnostics) -> Option<Input> {
    let target = root.field("TargetParameters");
    let parameters = raw.target_parameters.as_ref()?;
    let text = parameters.input_template.as_deref()?;
    let ecs = parameters.ecs_task_parameters.as_ref();
    if ecs.is_some_and(|ecs| ecs.overrides.is_some()) {
        let message = "it stands beside EcsTaskParameters.Overrides".to_owned();
        let advice = "use one of them".to_owned();
        sink.report(
            target.field("InputTemplate"),
            Message::InvalidTargetInput { message, advice },
        );
    }
    match Input::of_pipe(text) {
        Ok(input) => Some(input),
        Err(error) => {
            report_input(error, &target, sink);
            None
        }
    }
}

/// Returns the request of RunTask that each message makes.
fn request(cluster: Option<String>, raw: ecs::PipeTargetEcsTaskParameters) -> ecs::Task {
    let ecs::PipeTargetEcsTaskParameters {
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
        overrides,
        tags,
    } = raw;
    let tags = tags.into_iter().map(|tag| ecs::Tag {
        key: tag.key,
        value: tag.value,
    });
    let parameters = ecs::EcsParameters {
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
        tags: Vec::new(),
    };
    ecs::Task {
        overrides: overrides.as_ref().map(task_override),
        ..run_task(cluster, parameters, tags.collect())
    }
}

/// Returns overrides in the spelling of RunTask, whose members are the same but for their first letters.
fn task_override(raw: &ecs::EcsTaskOverride) -> ecs::TaskOverride {
    let value = serde_json::to_value(raw).unwrap_or_default();
    serde_json::from_value(in_camel_case(value)).unwrap_or_default()
}

fn in_camel_case(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, member)| {
                let mut letters = name.chars();
                let first = letters.next().map(|first| first.to_ascii_lowercase());
                (
                    first.into_iter().chain(letters).collect(),
                    in_camel_case(member),
                )
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(in_camel_case).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn validated(change: &Value) -> Result<Pipe, Vec<String>> {
        let mut raw = json!({
            "Name": "orders", "RoleArn": "arn:aws:iam::123456789012:role/pipe",
            "Source": "arn:aws:sqs:eu-west-1:123456789012:orders",
            "Target": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "TargetParameters": {"EcsTaskParameters": {"TaskDefinitionArn": "report"}},
        });
        for (name, value) in change.as_object().unwrap() {
            raw[name] = value.clone();
        }
        let found = validate_pipe(&serde_json::from_value(raw).unwrap());
        found.map_err(|findings| {
            let findings = findings.into_sorted();
            let findings = findings.iter();
            findings
                .map(|it| format!("{} {}", it.reason(), it.path))
                .collect()
        })
    }

    #[test]
    fn the_address_of_a_queue_follows_from_its_arn() {
        for (arn, url, is_fifo) in [
            (
                "arn:aws:sqs:eu-west-1:123456789012:orders",
                "https://sqs.eu-west-1.amazonaws.com/123456789012/orders",
                false,
            ),
            (
                "arn:aws-cn:sqs:cn-north-1:123456789012:orders.fifo",
                "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/orders.fifo",
                true,
            ),
        ] {
            let pipe = validated(&json!({"Source": arn, "DesiredState": "STOPPED"})).unwrap();
            assert_eq!((&*pipe.queue.url, pipe.queue.is_fifo), (url, is_fifo));
            assert!(!pipe.is_running);
        }
    }

    #[test]
    fn what_the_operator_could_not_do_is_refused() {
        let ecs = |parameters: Value| {
            let mut target = json!({"EcsTaskParameters": {"TaskDefinitionArn": "report"}});
            for (name, value) in parameters.as_object().unwrap() {
                target["EcsTaskParameters"][name] = value.clone();
            }
            json!({"TargetParameters": target})
        };
        let filter = |pattern: &str| json!({"SourceParameters": {"FilterCriteria": {"Filters": [{"Pattern": pattern}]}}});
        let at = "TargetParameters.EcsTaskParameters";
        let of_filter = "InvalidEventPattern SourceParameters.FilterCriteria.Filters[0].Pattern";
        for (change, expected) in [
            (
                json!({"Source": "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"}),
                vec!["PipeSourceUnsupported Source".to_owned()],
            ),
            (
                json!({"Target": "arn:aws:lambda:eu-west-1:123456789012:function:f"}),
                vec!["PipeTargetNotEcs Target".to_owned()],
            ),
            (
                json!({"SourceParameters": {"SqsQueueParameters": {"BatchSize": 10}}}),
                vec![
                    "PipeBatchSizeUnsupported SourceParameters.SqsQueueParameters.BatchSize"
                        .to_owned(),
                ],
            ),
            (
                json!({"SourceParameters": {"SqsQueueParameters": {"BatchSize": 1}}}),
                vec![],
            ),
            (filter("{"), vec![of_filter.to_owned()]),
            (filter(r#"{"body":{"a":[1]}}"#), vec![]),
            (
                filter(r#"{"awsRegion":["eu-west-1"]}"#),
                vec![of_filter.to_owned()],
            ),
            (
                filter(r#"{"$or":[{"body":["a"]},{"eventSource":["aws:sqs"]}]}"#),
                vec![of_filter.to_owned()],
            ),
            (
                ecs(json!({"TaskDefinitionArn": "$.detail.family"})),
                vec![format!("InvalidTargetInput {at}.TaskDefinitionArn")],
            ),
            (
                ecs(
                    json!({"Overrides": {"ContainerOverrides": [{"EnvironmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}]}]}}),
                ),
                vec![format!(
                    "InvalidTargetInput {at}.Overrides.ContainerOverrides[0].EnvironmentFiles"
                )],
            ),
            (
                ecs(
                    json!({"Overrides": {"ContainerOverrides": [{"Environment": [{"name": "A", "value": "$.body[*]"}]}]}}),
                ),
                vec![format!(
                    "InvalidTargetInput {at}.Overrides.ContainerOverrides[0].Environment[0].value"
                )],
            ),
            (
                json!({"TargetParameters": {"InputTemplate": "{}", "EcsTaskParameters": {"Overrides": {"Cpu": "256"}}}}),
                vec!["InvalidTargetInput TargetParameters.InputTemplate".to_owned()],
            ),
            (
                json!({"TargetParameters": {"InputTemplate": "{\"cpu\": <cpu>}", "EcsTaskParameters": {}}}),
                vec!["InvalidTargetInput TargetParameters.InputTemplate".to_owned()],
            ),
        ] {
            let found = validated(&change).err().unwrap_or_default();
            assert_eq!(found, expected, "{change}");
        }
    }
}
