//! The requests of RunTask that targets make, with values that come from an event.

use serde_json::Value;

use super::{Arn, arn::has_placeholder};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Segment},
    ecs,
    event::{EventPath, InputError, PatternError},
};

/// A request of RunTask in which some texts come from an event.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskTemplate {
    /// The request, with the paths in place of the texts.
    pub request: ecs::Task,
    /// The texts that come from an event.
    pub dynamic: Vec<Dynamic>,
}

/// A text of a request that comes from an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Dynamic {
    /// Where it stands in the request of RunTask.
    pub member: FieldPath,
    /// Where it stands in the event.
    pub path: EventPath,
}

/// How long and how often a start is tried again that fails. A task that fails is not started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The age of an event after which it is given up, in seconds.
    pub maximum_age: i64,
    /// How often a start is tried again.
    pub maximum_attempts: i64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            maximum_age: ecs::RetryPolicy::DEFAULT_MAXIMUM_EVENT_AGE_IN_SECONDS,
            maximum_attempts: ecs::RetryPolicy::DEFAULT_MAXIMUM_RETRY_ATTEMPTS,
        }
    }
}

impl Retry {
    /// Returns what a request says, which the reader has checked, and what AWS uses for the rest.
    pub(super) fn new(raw: Option<&ecs::RetryPolicy>) -> Self {
        let usual = Self::default();
        let age = raw.and_then(|raw| raw.maximum_event_age_in_seconds);
        let attempts = raw.and_then(|raw| raw.maximum_retry_attempts);
        Self {
            maximum_age: age.unwrap_or(usual.maximum_age),
            maximum_attempts: attempts.unwrap_or(usual.maximum_attempts),
        }
    }
}

impl TaskTemplate {
    /// Finds the texts that are a path as a whole, as `$.detail.name`, and reports those that begin like one and are
    /// none. Paths of the findings are those of RunTask.
    pub(super) fn new(request: ecs::Task, root: &FieldPath, sink: &mut Diagnostics) -> Self {
        let mut found = Vec::new();
        let value = serde_json::to_value(&request);
        collect(&value.unwrap_or_default(), root, &mut found);
        let mut dynamic = Vec::new();
        for (member, text) in found {
            match EventPath::parse(&text) {
                Ok(path) => dynamic.push(Dynamic { member, path }),
                Err(message) => {
                    let advice =
                        "write a path as $.detail.state, or a text that does not begin with $.";
                    let advice = advice.to_owned();
                    sink.report(member, Message::InvalidTargetInput { message, advice });
                }
            }
        }
        Self { request, dynamic }
    }
}

/// Finds the texts that begin like a path.
fn collect(value: &Value, at: &FieldPath, found: &mut Vec<(FieldPath, String)>) {
    match value {
        Value::String(text) if text == "$" || text.starts_with("$.") => {
            found.push((at.clone(), text.clone()));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &at.index(index), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                collect(member, &at.field(name.clone()), found);
            }
        }
        _ => {}
    }
}

/// Returns the place in a JSON value that a path of a request means.
pub(crate) fn pointer(path: &FieldPath) -> String {
    let steps = path.segments().iter().map(|step| match step {
        Segment::Member(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        Segment::Element(index) => format!("/{index}"),
    });
    steps.collect()
}

/// Says what is wrong with a pattern.
pub(super) fn message_of_pattern(error: PatternError) -> Message {
    let PatternError {
        path,
        problem,
        instead,
    } = error;
    Message::InvalidEventPattern {
        at: path,
        message: problem,
        advice: instead,
    }
}

/// Says what is wrong with an input, at the member that has it.
pub(super) fn report_input(error: InputError, target: &FieldPath, sink: &mut Diagnostics) {
    let InputError {
        member,
        problem,
        instead,
    } = error;
    let mut steps = member.splitn(3, '.');
    let path = steps
        .by_ref()
        .fold(target.clone(), |path, step| path.field(step.to_owned()));
    let (message, advice) = (problem, instead);
    sink.report(path, Message::InvalidTargetInput { message, advice });
}

/// Returns the ARN of the queue for what could not be started, and reports one of something else.
pub(super) fn dead_letters(
    raw: Option<&ecs::DeadLetterConfig>,
    target: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<String> {
    let text = raw?.arn.clone()?;
    let is_queue = Arn::parse(&text).is_some_and(|arn| arn.service == "sqs");
    if !is_queue && !has_placeholder(&text) {
        let message = Message::InvalidValue {
            value: text.clone(),
            allowed: "must be the ARN of an SQS queue".to_owned(),
        };
        sink.report(target.field("DeadLetterConfig").field("Arn"), message);
    }
    Some(text)
}
