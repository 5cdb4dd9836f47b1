//! What an event starts: from a validated target and what happened to a request of RunTask.
//!
//! Whoever writes events decides what a path finds and never where it stands: a value in a text stays in that text, and
//! a value outside of a text stays one value. So an event adds no member to the overrides that the author of a rule or
//! a pipe did not write, unless that author takes a whole object from the event.

mod overrides;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::overrides::overrides;
use crate::{
    ecs,
    event::{Context, Input, Message, RenderError},
    validate::{Pipe, Rule, RuleTarget, TaskTemplate, pointer},
};

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Its tasks are started.
    Start(Box<ecs::Task>),
    /// No filter matches. EventBridge Pipes deletes it.
    Filtered,
    /// No tasks can be made of it, however often it is tried. It stays in the queue, whose redrive policy moves it.
    Refused(Refused),
}

/// Why nothing can be started for an event.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A path finds nothing.
    #[error("{path}, for {member}, finds nothing in the event")]
    Missing {
        /// The member of RunTask that needs it.
        member: String,
        /// The path.
        path: String,
    },
    /// A path finds what cannot be a text.
    #[error("{path}, for {member}, finds null, which is no text")]
    Null {
        /// The member of RunTask that needs it.
        member: String,
        /// The path.
        path: String,
    },
    /// The input gives nothing.
    #[error("the overrides cannot be made: {0}")]
    Input(#[from] RenderError),
    /// The input gives something else than overrides.
    #[error("the input is not the overrides of a task: {0}")]
    NotOverrides(String),
}

impl Refused {
    /// Says why no task can be made of a `source`, an event or a message, without anything of its values.
    #[must_use]
    pub fn without_values(&self, source: &str) -> String {
        match self {
            Self::Missing { .. }
            | Self::Null { .. }
            | Self::Input(RenderError::Missing(_) | RenderError::TooLong) => self.to_string(),
            Self::Input(RenderError::NotJson { missing, .. }) if missing.is_empty() => {
                format!("InputTemplate with the values of the {source} is no JSON text")
            }
            Self::Input(RenderError::NotJson { missing, .. }) => format!(
                "InputTemplate with the values of the {source} is no JSON text: {} finds nothing",
                missing.join(", ")
            ),
            Self::NotOverrides(_) => {
                format!("what the input makes of the {source} is not the overrides of a task")
            }
        }
    }
}

/// Whether an event is for a rule: it matches the pattern of a rule that is not disabled. A schedule matches no events.
#[must_use]
pub fn is_for(rule: &Rule, event: &Value) -> bool {
    let pattern = rule.pattern.as_ref();
    !rule.is_disabled && pattern.is_some_and(|pattern| pattern.matches(event))
}

/// Returns the request of RunTask that a target of a rule makes for an event.
///
/// # Errors
///
/// What the event lacks, or what is wrong with what was made of it.
pub fn for_event(
    target: &RuleTarget,
    event: &Value,
    context: &Context<'_>,
) -> Result<ecs::Task, Refused> {
    let request = filled(&target.task, event, None)?;
    with_input(request, target.input.as_ref(), event, context)
}

/// Decides what becomes of a message of a pipe, which was received at a time in the format of ISO 8601.
#[must_use]
pub fn for_message(pipe: &Pipe, pipe_arn: &str, message: &Message<'_>, time: &str) -> Decision {
    let event = message.event(&pipe.queue.arn, &pipe.queue.region);
    let is_wanted = |pattern: &crate::event::Pattern| pattern.matches(&event);
    if !pipe.filters.is_empty() && !pipe.filters.iter().any(is_wanted) {
        return Decision::Filtered;
    }
    let context = Context {
        own_arn: pipe_arn,
        own_name: &pipe.name,
        source_arn: &pipe.queue.arn,
        target_arn: &pipe.cluster,
        ingestion_time: time,
    };
    let request = filled(&pipe.task, &event, Some(message.body))
        .and_then(|request| with_input(request, pipe.input.as_ref(), &event, &context));
    match request {
        Ok(request) => Decision::Start(Box::new(request)),
        Err(refused) => Decision::Refused(refused),
    }
}

fn with_input(
    request: ecs::Task,
    input: Option<&Input>,
    event: &Value,
    context: &Context<'_>,
) -> Result<ecs::Task, Refused> {
    let Some(input) = input else {
        return Ok(request);
    };
    Ok(ecs::Task {
        overrides: Some(overrides(&input.json(event, context)?)?),
        ..request
    })
}

/// Returns a request with the texts that come from an event. `body` is that of a message, which `$.body` gives as it was
/// sent.
fn filled(
    template: &TaskTemplate,
    event: &Value,
    body: Option<&str>,
) -> Result<ecs::Task, Refused> {
    if template.dynamic.is_empty() {
        return Ok(template.request.clone());
    }
    let mut request = serde_json::to_value(&template.request).unwrap_or_default();
    for dynamic in &template.dynamic {
        let path = dynamic.path.as_str();
        let named = || (dynamic.member.to_string(), path.to_owned());
        let text = match (body, dynamic.path.find(event)) {
            (Some(body), Some(_)) if path == "$.body" => body.to_owned(),
            (_, Some(Value::String(text))) => text.clone(),
            (_, Some(Value::Null)) => {
                let (member, path) = named();
                return Err(Refused::Null { member, path });
            }
            (_, Some(value)) => value.to_string(),
            (_, None) => {
                let (member, path) = named();
                return Err(Refused::Missing { member, path });
            }
        };
        if let Some(place) = request.pointer_mut(&pointer(&dynamic.member)) {
            *place = Value::from(text);
        }
    }
    // Texts took the place of texts, so that this cannot fail.
    serde_json::from_value(request).map_err(|error| Refused::NotOverrides(error.to_string()))
}
