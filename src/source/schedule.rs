//! Reads the schedules of EventBridge Scheduler, whose target has the overrides of its tasks as a text.

use serde::de::IgnoredAny;

use super::{
    kind::Spelling,
    request::{Reader, Request},
    sink::{Sink, Trail},
    syntax::parse_one,
    tree::Node,
    walk::Walk,
};
use crate::{
    diagnostic::Message,
    ecs,
    fields::{self, Api, Shape},
};

/// What the names of the context attributes begin with
/// (<https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html>).
const CONTEXT: &str = "<aws.scheduler.";

impl Reader<'_> {
    /// Reads a schedule, and the overrides in the input of its target.
    pub(super) fn schedule(
        &self,
        document: Node<'_>,
    ) -> (Request<ecs::Schedule>, Option<ecs::TaskOverride>) {
        let mut overrides = None;
        let request = self.request(document, Api::Schedule, |schedule: &ecs::Schedule, sink| {
            let Some(target) = &schedule.target else {
                return;
            };
            let root = Trail::Root(&self.root);
            let at = Trail::Field(&root, "Target");
            let parameters = Trail::Field(&at, "EcsParameters");
            let is_left_out = sink.left_out.contains(&parameters.path());
            if target.ecs_parameters.is_none() && !is_left_out {
                let name = "EcsParameters".to_owned();
                sink.reject(parameters, Message::RequiredField { name });
            }
            if let Some(text) = target.input.as_deref() {
                overrides = self.overrides(text, Trail::Field(&at, "Input"), sink);
            }
        });
        (request, overrides)
    }

    /// Reads the overrides of a text in JSON, in the spelling of RunTask.
    fn overrides(&self, text: &str, at: Trail<'_>, sink: &mut Sink) -> Option<ecs::TaskOverride> {
        let names = context_attributes(text);
        if !names.is_empty() {
            let names = names.join(", ");
            sink.reject(at, Message::SchedulerContextUnavailable { names });
            return None;
        }
        let invalid = |message: String| Message::InvalidTaskOverride { message };
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            sink.reject(at, invalid(error.to_string()));
            return None;
        }
        let parsed = match parse_one("input.json", text) {
            Ok(parsed) => parsed?,
            Err(error) => {
                sink.reject(at, invalid(error.message));
                return None;
            }
        };
        if parsed.members().is_none() {
            let message = format!("it is {}, not an object", parsed.describe());
            sink.reject(at, invalid(message));
            return None;
        }
        let mut walk = Walk {
            spelling: Spelling::Api,
            fill: self.fill,
            api: Api::Task,
            sink,
        };
        let node = walk.node(parsed, overrides_of_tasks()?, at);
        Some(self.fit(node, sink))
    }
}

/// The shape of `overrides` of RunTask.
fn overrides_of_tasks() -> Option<&'static fields::Node> {
    match &Api::Task.tree().shape {
        Shape::Object(members) => members.get("overrides"),
        _ => None,
    }
}

/// Returns the context attributes in a text, as they are written.
fn context_attributes(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = text
        .match_indices(CONTEXT)
        .filter_map(|(start, _)| {
            let rest = text.get(start..)?;
            rest.get(..=rest.find('>')?)
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_attributes_are_found_wherever_they_are() {
        let text = r#"{"a": "at <aws.scheduler.scheduled-time>", "b": "<aws.scheduler.attempt-number>", "c": "<aws.scheduler.scheduled-time>"}"#;
        let expected = [
            "<aws.scheduler.attempt-number>",
            "<aws.scheduler.scheduled-time>",
        ];
        assert_eq!(context_attributes(text), expected);
        assert!(context_attributes("<aws.s3> <aws.scheduler.").is_empty());
    }
}
