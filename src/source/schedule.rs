//! Reads the schedules and rules of EventBridge, whose targets have the overrides of their tasks as a text.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::{
    de::from_node,
    envelope::{has_text, set},
    kind::{Envelope, Spelling},
    request::{Reader, Request},
    sink::{Sink, Trail},
    syntax::parse_one,
    tree::{Node, Value},
    walk::Walk,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Segment, Severity},
    ecs,
    fields::{self, Api, Shape},
    schedule::Occurrence,
    validate::starts_tasks,
};

/// Members of an EcsSchedule that CreateSchedule does not have.
const CONCURRENCY_POLICY: &str = "concurrencyPolicy";
const CATCH_UP: &str = "catchUp";
const SUCCESSFUL_LIMIT: &str = "successfulTasksHistoryLimit";
const FAILED_LIMIT: &str = "failedTasksHistoryLimit";

/// Members of an EcsPipe that CreatePipe does not have.
const MAX_IN_FLIGHT: &str = "maxInFlight";
const MAX_RUNNING_TASKS: &str = "maxRunningTasks";
const WAIT_FOR_TASK: &str = "waitForTask";

/// The member of a rule that says which events it is for.
const EVENT_PATTERN: &str = "EventPattern";

/// What the document of a schedule says besides the request.
#[derive(Debug, Default)]
pub(super) struct AlsoOfSchedule {
    /// What the text in `Target.Input` says.
    pub(super) overrides: Option<ecs::TaskOverride>,
    /// What AWS does not have.
    pub(super) extensions: crd::ScheduleExtensions,
}

/// What the document of a rule says besides the request.
#[derive(Debug, Default)]
pub(super) struct AlsoOfRule {
    /// What the text in `Input` of one of its targets says.
    pub(super) overrides: Option<ecs::TaskOverride>,
    /// What AWS does not have.
    pub(super) extensions: crd::RuleExtensions,
}

/// Returns the name of a function of CloudFormation that is used anywhere in a value.
fn function_in(node: &Node<'_>) -> Option<String> {
    match &node.value {
        Value::List(elements) => elements.iter().find_map(function_in),
        Value::Object(members) => members.iter().find_map(|member| {
            let is_function = member.key == "Ref" || member.key.starts_with("Fn::");
            if is_function && members.len() == 1 {
                return Some(member.key.to_string());
            }
            function_in(&member.value)
        }),
        _ => None,
    }
}

impl Reader<'_> {
    /// Reads a schedule, the overrides in the input of its target, and what AWS does not have.
    pub(super) fn schedule(&self, document: Node<'_>) -> (Request<ecs::Schedule>, AlsoOfSchedule) {
        let mut sink = Sink::default();
        let (mut body, annotations) = self.open(document, &mut sink);
        let mut also = AlsoOfSchedule::default();
        if self.entry.form.envelope == Envelope::Resource {
            also.extensions = self.schedule_extensions(&mut body, &mut sink);
        }
        self.name(&mut body);
        let schedule: ecs::Schedule = self.body(body, Api::Schedule, &mut sink);
        let root = Trail::Root(&self.root);
        let at = Trail::Field(&root, "Target");
        if let Some(target) = &schedule.target {
            let parameters = Trail::Field(&at, "EcsParameters");
            let is_left_out = sink.left_out.contains(&parameters.path());
            if target.ecs_parameters.is_none() && !is_left_out {
                let name = "EcsParameters".to_owned();
                sink.reject(parameters, Message::RequiredField { name });
            }
            if let Some(text) = target.input.as_deref() {
                let text = Occurrence::sample().fill(text);
                also.overrides = self.overrides(&text, Trail::Field(&at, "Input"), &mut sink);
            }
        }
        (self.finish(schedule, annotations, sink), also)
    }

    /// Gives a request without a name that of its object or file.
    fn name(&self, body: &mut Node<'_>) {
        if let Some(name) = &self.entry.name
            && matches!(body.value, Value::Object(_))
            && !has_text(body, "Name", self.entry.form.spelling)
        {
            set(body, "Name", Value::String(name.to_string().into()));
        }
    }

    /// Reads what CreateSchedule does not have.
    fn schedule_extensions(&self, body: &mut Node<'_>, sink: &mut Sink) -> crd::ScheduleExtensions {
        let kept = (0, crd::ScheduleExtensions::MOST_HISTORY);
        crd::ScheduleExtensions {
            kubernetes: self.kubernetes_of_pods(body, sink),
            concurrency_policy: self.word(
                body,
                CONCURRENCY_POLICY,
                "must be one of Allow, Forbid, Replace",
                sink,
            ),
            catch_up: self.word(body, CATCH_UP, "must be one of Latest, None", sink),
            successful_tasks_history_limit: self.limit(body, SUCCESSFUL_LIMIT, kept, sink),
            failed_tasks_history_limit: self.limit(body, FAILED_LIMIT, kept, sink),
        }
    }

    /// Takes a member that is one of a few words.
    fn word<T: DeserializeOwned>(
        &self,
        body: &mut Node<'_>,
        name: &'static str,
        allowed: &str,
        sink: &mut Sink,
    ) -> Option<T> {
        let value = body.take(name)?.value;
        let text = value.text().unwrap_or_default();
        let known = serde_json::from_value(text.into()).ok();
        if known.is_none() {
            self.reject_member(name, text, allowed, sink);
        }
        known
    }

    /// Takes a member that is a number of a range.
    fn limit(
        &self,
        body: &mut Node<'_>,
        name: &'static str,
        (least, most): (i64, i64),
        sink: &mut Sink,
    ) -> Option<i64> {
        let (Value::Number(text) | Value::String(text)) = body.take(name)?.value.value else {
            return None;
        };
        let number = text
            .parse()
            .ok()
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let allowed = format!("must be {least} to {most}");
            self.reject_member(name, &text, &allowed, sink);
        }
        number
    }

    fn reject_member(&self, name: &'static str, value: &str, allowed: &str, sink: &mut Sink) {
        let message = Message::InvalidValue {
            value: value.to_owned(),
            allowed: allowed.to_owned(),
        };
        let root = Trail::Root(&self.root);
        sink.reject(Trail::Field(&root, name), message);
    }

    /// Reads a rule, and what AWS does not have.
    fn any_rule(
        &self,
        document: Node<'_>,
        check: impl FnOnce(&ecs::Rule, &mut Sink),
    ) -> (Request<ecs::Rule>, crd::RuleExtensions) {
        let mut sink = Sink::default();
        let (mut body, annotations) = self.open(document, &mut sink);
        let extensions = crd::RuleExtensions {
            kubernetes: self.kubernetes_of_pods(&mut body, &mut sink),
        };
        if self.entry.form.envelope == Envelope::Resource {
            self.name(&mut body);
        }
        if self.entry.form.spelling == Spelling::CloudFormation {
            self.pattern_as_text(&mut body, &mut sink);
        }
        let rule: ecs::Rule = self.body(body, Api::Rule, &mut sink);
        check(&rule, &mut sink);
        (self.finish(rule, annotations, sink), extensions)
    }

    /// Makes a text of a pattern that CloudFormation has as an object
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html>).
    fn pattern_as_text(&self, body: &mut Node<'_>, sink: &mut Sink) {
        let Value::Object(members) = &mut body.value else {
            return;
        };
        let pattern = members.iter_mut().find(|it| it.key == EVENT_PATTERN);
        let Some(pattern) = pattern.filter(|it| it.value.members().is_some()) else {
            return;
        };
        if let Some(function) = function_in(&pattern.value) {
            let root = Trail::Root(&self.root);
            sink.reject_function(Trail::Field(&root, EVENT_PATTERN), &function);
            pattern.value.value = Value::Null;
        } else if let Ok(json) = from_node::<serde_json::Value>(pattern.value.clone()) {
            pattern.value.value = Value::String(json.to_string().into());
        }
    }

    /// Reads a rule with all its targets, and what AWS does not have.
    pub(super) fn rule_with_targets(
        &self,
        document: Node<'_>,
    ) -> (Request<ecs::Rule>, crd::RuleExtensions) {
        self.any_rule(document, |rule, sink| {
            let root = Trail::Root(&self.root);
            let list = Trail::Field(&root, "Targets");
            for (index, target) in rule.targets.iter().enumerate() {
                let at = Trail::Element(&list, index);
                if !starts_tasks(target) {
                    let id = target.id.clone().unwrap_or_default();
                    sink.diagnostics
                        .report(at.path(), Message::RuleTargetNotRead { id });
                } else if let Some(text) = target.input.as_deref() {
                    let _overrides = self.overrides(text, Trail::Field(&at, "Input"), sink);
                }
            }
        })
    }

    /// Reads a rule, and the overrides in the input of one of its targets. What is found in other targets is said where
    /// these are read; one that does not start tasks is not read.
    pub(super) fn rule(
        &self,
        document: Node<'_>,
        target: usize,
    ) -> (Request<ecs::Rule>, AlsoOfRule) {
        let mut overrides = None;
        let mut others = Vec::new();
        let mut is_first = true;
        let (mut request, extensions) = self.any_rule(document, |rule, sink| {
            let root = Trail::Root(&self.root);
            let list = Trail::Field(&root, "Targets");
            for (index, other) in rule.targets.iter().enumerate() {
                if starts_tasks(other) {
                    is_first &= index >= target;
                } else {
                    others.push((index, other.id.clone().unwrap_or_default()));
                }
            }
            let own = rule.targets.get(target);
            if let Some(text) = own.and_then(|target| target.input.as_deref()) {
                let at = Trail::Element(&list, target);
                overrides = self.overrides(text, Trail::Field(&at, "Input"), sink);
            }
        });
        let list = self.root.field("Targets");
        let mut kept = Diagnostics::new();
        for finding in request.diagnostics.iter() {
            let is_said = match target_of(&finding.path) {
                Some(index) => index == target,
                None => is_first || finding.severity() == Severity::Error,
            };
            if is_said {
                kept.report(finding.path.clone(), finding.message.clone());
            }
        }
        for (index, id) in others.into_iter().filter(|_| is_first) {
            kept.report(list.index(index), Message::RuleTargetNotRead { id });
        }
        request.diagnostics = kept;
        request
            .left_out
            .retain(|path| target_of(path).is_none_or(|index| index == target));
        let also = AlsoOfRule {
            overrides,
            extensions,
        };
        (request, also)
    }

    /// Reads a pipe, and what AWS does not have.
    pub(super) fn pipe(&self, document: Node<'_>) -> (Request<ecs::Pipe>, crd::PipeExtensions) {
        let mut sink = Sink::default();
        let (mut body, annotations) = self.open(document, &mut sink);
        let mut extensions = crd::PipeExtensions::default();
        if self.entry.form.envelope == Envelope::Resource {
            let in_flight = (1, crd::PipeExtensions::MOST_IN_FLIGHT);
            let running = (1, crd::PipeExtensions::MOST_RUNNING_TASKS);
            extensions = crd::PipeExtensions {
                kubernetes: self.kubernetes_of_pods(&mut body, &mut sink),
                max_in_flight: self.limit(&mut body, MAX_IN_FLIGHT, in_flight, &mut sink),
                max_running_tasks: self.limit(&mut body, MAX_RUNNING_TASKS, running, &mut sink),
                wait_for_task: self.boolean(&mut body, WAIT_FOR_TASK, &mut sink),
            };
        }
        self.name(&mut body);
        let pipe = self.body(body, Api::Pipe, &mut sink);
        (self.finish(pipe, annotations, sink), extensions)
    }

    /// Reads the overrides of a text in JSON, in the spelling of RunTask.
    fn overrides(&self, text: &str, at: Trail<'_>, sink: &mut Sink) -> Option<ecs::TaskOverride> {
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

/// Returns the target of a rule that a path is about.
fn target_of(path: &FieldPath) -> Option<usize> {
    match path.segments() {
        [Segment::Member(list), Segment::Element(index), ..] if list == "Targets" => Some(*index),
        _ => None,
    }
}

/// The shape of `overrides` of RunTask.
fn overrides_of_tasks() -> Option<&'static fields::Node> {
    match &Api::Task.tree().shape {
        Shape::Object(members) => members.get("overrides"),
        _ => None,
    }
}
