//! Recognizes what starts tasks of ECS at certain times.

use super::{
    super::{spelling::value_of, tree::Node},
    Form, Kind, Spelling, ambiguous, has,
    request::is_wholly,
};
use crate::{diagnostic::Message, fields::Api, validate::Arn};

/// A custom resource of this operator.
pub(super) const RESOURCE: Form =
    Form::new(Kind::Schedule, &("EcsSchedule", "its kind is EcsSchedule"));

/// A custom resource of this operator.
pub(super) const PIPE_RESOURCE: Form = Form::new(Kind::Pipe, &("EcsPipe", "its kind is EcsPipe"));

/// A custom resource of this operator.
pub(super) const RULE_RESOURCE: Form = Form::new(Kind::Rule, &("EcsRule", "its kind is EcsRule"));

/// Recognizes a schedule of EventBridge Scheduler
/// (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Target.html>), which is rejected unless it starts
/// tasks of ECS.
pub(super) fn of_scheduler(node: &Node<'_>) -> Option<Result<Form, Message>> {
    let target = node.get("Target")?;
    let arn = target.get("Arn").and_then(Node::text).unwrap_or_default();
    let starts_tasks = has(target, "EcsParameters") || is_cluster(arn);
    if starts_tasks {
        let words = &("CreateSchedule request", "its target starts tasks");
        Some(Ok(Form::new(Kind::Schedule, words)))
    } else if has(node, "ScheduleExpression") && target.members().is_some() {
        Some(Err(Message::TargetNotEcs))
    } else {
        None
    }
}

/// The targets of a rule.
const TARGETS: &str = "Targets";

/// Recognizes a rule of EventBridge that has a target which starts tasks, or whose targets are another document, and such
/// targets.
pub(super) fn of_rule(node: &Node<'_>, spelling: Spelling) -> Option<Form> {
    let is_rule = ["EventPattern", "ScheduleExpression"];
    let is_rule = is_rule.iter().any(|key| has(node, key));
    let Some(targets) = node.get(TARGETS) else {
        let words = &(
            "PutRule request",
            "it has a name, and when it starts something",
        );
        let is_named = is_rule && has(node, "Name") && spelling == Spelling::Api;
        let stands_alone = is_named && is_wholly(node, Api::Rule);
        return stands_alone.then_some(Form::new(Kind::Rule, words));
    };
    let mut targets = targets.elements()?.iter();
    if !targets.any(|target| starts_tasks(target, spelling)) {
        return None;
    }
    let (kind, words) = if is_rule {
        let words = &("PutRule request", "it has targets that start tasks");
        (Kind::Rule, words)
    } else {
        let words = &("PutTargets request", "it has only targets that start tasks");
        (Kind::RuleTargets, words)
    };
    Some(Form::new(kind, words))
}

/// Whether a target of a rule starts tasks of ECS.
pub(in crate::source) fn starts_tasks(target: &Node<'_>, spelling: Spelling) -> bool {
    let arn = value_of(target, "Arn", spelling).and_then(Node::text);
    value_of(target, "EcsParameters", spelling).is_some() || is_cluster(arn.unwrap_or_default())
}

fn is_cluster(arn: &str) -> bool {
    Arn::parse(arn).is_some_and(|arn| arn.service == "ecs" && arn.resource.starts_with("cluster/"))
}

/// Recognizes a pipe of EventBridge Pipes, which is rejected unless it starts tasks of ECS.
pub(super) fn of_pipe(node: &Node<'_>) -> Option<Result<Form, Message>> {
    let parameters = node.get("TargetParameters");
    let starts_tasks = parameters.is_some_and(|it| has(it, "EcsTaskParameters"));
    let text = |key| node.get(key).and_then(Node::text);
    let is_pipe = has(node, "Source") && has(node, "Target");
    if is_pipe && (starts_tasks || is_cluster(text("Target").unwrap_or_default())) {
        let words = &("CreatePipe request", "its target starts tasks");
        Some(Ok(Form::new(Kind::Pipe, words)))
    } else if is_pipe && (parameters.is_some() || has(node, "SourceParameters")) {
        Some(Err(Message::PipeTargetNotEcs))
    } else {
        None
    }
}

/// Recognizes a rule of EventBridge, or its targets, that start no tasks
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EcsParameters.html>).
pub(super) fn rule(node: &Node<'_>) -> Option<Message> {
    let of_rules = ["EventPattern", "ScheduleExpression", TARGETS];
    of_rules.iter().any(|key| has(node, key)).then(|| {
        ambiguous(
            "this is a rule of EventBridge, without a target that runs tasks",
            "give its targets with EcsParameters, and its EventPattern or ScheduleExpression",
        )
    })
}
