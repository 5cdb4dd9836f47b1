//! Rules whose targets start tasks for events, as the operator follows them.

use serde_json::Value;

use super::{
    Rule, RuleTarget, Starter, Task, rule::request, scheduled_rule::is_of, validate_rule,
    validate_task,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    input::{RuleInput, TaskInput},
    settings::Settings,
};

/// Validates a rule for the operator, which follows it for events. The task definitions of its targets are not known.
///
/// # Errors
///
/// Returns all errors in the request.
pub fn validate_event_rule(raw: &ecs::Rule) -> Result<Rule, Diagnostics> {
    let root = FieldPath::root(Subject::Rule);
    let validated = validate_rule(raw);
    let mut sink = match &validated {
        Ok(_) => Diagnostics::new(),
        Err(findings) => findings.clone(),
    };
    if raw.schedule_expression.is_some() {
        let path = root.field("ScheduleExpression");
        sink.report(path, Message::RuleScheduleUnsupported);
    }
    for (index, target) in raw.targets.iter().enumerate() {
        no_environment_files(target, index, &mut sink);
    }
    if let Ok(rule) = &validated
        && rule.targets.is_empty()
    {
        let name = "a target with EcsParameters".to_owned();
        sink.report(root.field("Targets"), Message::RequiredField { name });
    }
    match validated {
        Ok(rule) if !sink.has_errors() => Ok(rule),
        _ => Err(sink),
    }
}

/// Returns the member of a rule that asks for events that are not of ECS, and whose they are; `None` if its pattern may match
/// those of ECS.
#[must_use]
pub fn foreign_events(raw: &ecs::Rule) -> Option<(FieldPath, String)> {
    let root = FieldPath::root(Subject::Rule);
    let bus = raw.event_bus_name.as_deref().unwrap_or_default();
    let name = bus.rsplit('/').next().unwrap_or_default();
    if !name.is_empty() && name != ecs::Rule::DEFAULT_EVENT_BUS_NAME {
        return Some((root.field("EventBusName"), format!("the event bus {name}")));
    }
    let pattern = raw.event_pattern.as_deref()?;
    let pattern: Value = serde_json::from_str(pattern).ok()?;
    let sources = pattern.get("source")?.as_array()?;
    let named: Option<Vec<&str>> = sources.iter().map(Value::as_str).collect();
    // Anything but a name may stand for ECS.
    let named = named.filter(|named| !named.contains(&OF_ECS))?;
    let what = named.first()?.to_string();
    Some((root.field("EventPattern"), what))
}

/// The `source` of the events of ECS.
const OF_ECS: &str = "aws.ecs";

/// Reports files with environment variables, which nobody can read when an event comes.
fn no_environment_files(target: &ecs::RuleTarget, index: usize, sink: &mut Diagnostics) {
    let input = target.input.as_deref();
    // What is no JSON is reported elsewhere.
    let input = input.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let containers = input.as_ref().and_then(|it| it.get("containerOverrides"));
    let containers = containers.and_then(Value::as_array);
    let has_files = |container: &Value| {
        let files = container.get("environmentFiles").and_then(Value::as_array);
        files.is_some_and(|files| !files.is_empty())
    };
    if containers.into_iter().flatten().any(has_files) {
        let message = "the operator reads no files of S3".to_owned();
        let advice = "write the variables into environment".to_owned();
        let path = Starter::Rule { target: index }.target().field("Input");
        sink.report(path, Message::InvalidTargetInput { message, advice });
    }
}

/// Validates the tasks that one target of a rule starts for events, together with the task definition that they run.
/// Returns `None` for them if that comes from the event, or if something that does is wrong as it stands in the rule.
///
/// # Errors
///
/// Returns all errors of the rule and of this target, relative to the document of each.
pub fn validate_event_target(
    input: &RuleInput,
    settings: &Settings,
) -> Result<(RuleTarget, Option<Task>), Diagnostics> {
    let rule = match validate_event_rule(&input.request) {
        Ok(rule) => Some(rule),
        Err(findings) => {
            let mut own = Diagnostics::new();
            // Each target is converted for itself.
            let of_it = findings.iter().filter(|it| is_of(&it.path, input.target));
            for finding in of_it {
                own.report(finding.path.clone(), finding.message.clone());
            }
            if own.has_errors() {
                return Err(own);
            }
            let only = ecs::Rule {
                targets: input
                    .request
                    .targets
                    .get(input.target)
                    .cloned()
                    .into_iter()
                    .collect(),
                ..input.request.clone()
            };
            validate_event_rule(&only).ok()
        }
    };
    let targets = rule.map(|rule| rule.targets).unwrap_or_default();
    let own = targets.iter().find(|it| it.index == input.target);
    let Some(target) = own.or_else(|| targets.first()).cloned() else {
        return Err(Diagnostics::new());
    };
    let Some(task_definition) = &input.task_definition else {
        return Ok((target, None));
    };
    let given = input.request.targets.get(input.target).cloned();
    let task = TaskInput {
        name: input.schedule_name(),
        uid: None,
        request: ecs::Task {
            overrides: input.overrides.clone(),
            ..request(&given.unwrap_or_default())
        },
        extensions: crd::TaskExtensions {
            kubernetes: input.extensions.kubernetes.clone(),
            ..crd::TaskExtensions::default()
        },
        task_definition: task_definition.clone(),
    };
    match validate_task(&task, settings) {
        Ok(task) => Ok((target, Some(task))),
        Err(findings) => {
            let findings = place_event_target(input.starter(), &target, &findings);
            if findings.has_errors() {
                Err(findings)
            } else {
                Ok((target, None))
            }
        }
    }
}

/// Returns the same findings, with those about a task at the members of the target that starts it, and without those
/// about what comes from an event.
#[must_use]
pub fn place_event_target(
    starter: Starter,
    target: &RuleTarget,
    findings: &Diagnostics,
) -> Diagnostics {
    let mut kept = Diagnostics::new();
    for finding in findings.iter() {
        let at = finding.path.segments();
        let is_dynamic = finding.path.subject() == Subject::Task
            && target
                .task
                .dynamic
                .iter()
                .any(|it| at.starts_with(it.member.segments()));
        if !is_dynamic {
            kept.report(finding.path.clone(), finding.message.clone());
        }
    }
    starter.place(&kept)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(rule: Value) -> Vec<String> {
        let raw: ecs::Rule = serde_json::from_value(rule).expect("it is a rule");
        let findings = validate_event_rule(&raw).err().unwrap_or_default();
        let findings = findings.iter();
        findings
            .map(|finding| format!("{} {}", finding.reason(), finding.path))
            .collect()
    }

    fn rule(more: Value) -> Value {
        let mut rule = json!({
            "Name": "orders",
            "EventPattern": "{\"source\": [\"aws.ecs\"]}",
            "Targets": [{
                "Id": "report", "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
                "EcsParameters": {"TaskDefinitionArn": "report"},
            }],
        });
        let members = more.as_object().cloned().unwrap_or_default();
        rule.as_object_mut().expect("it is one").extend(members);
        rule
    }

    #[test]
    fn events_that_are_not_of_ecs_are_told_from_those_that_may_be() {
        for (more, expected) in [
            (json!({}), None),
            (
                json!({"EventPattern": "{\"source\": [\"shop\", \"aws.ecs\"]}"}),
                None,
            ),
            (
                json!({"EventPattern": "{\"source\": [{\"prefix\": \"aws.\"}]}"}),
                None,
            ),
            (json!({"EventPattern": "{\"detail\": {\"a\": [1]}}"}), None),
            (json!({"EventBusName": "default"}), None),
            (
                json!({"EventPattern": "{\"source\": [\"shop\"]}"}),
                Some("EventPattern shop"),
            ),
            (
                json!({"EventBusName": "arn:aws:events:eu-west-1:123456789012:event-bus/orders"}),
                Some("EventBusName the event bus orders"),
            ),
        ] {
            let raw: ecs::Rule = serde_json::from_value(rule(more)).expect("it is a rule");
            let found = foreign_events(&raw).map(|(path, what)| format!("{path} {what}"));
            assert_eq!(found.as_deref(), expected);
        }
    }

    #[test]
    fn a_rule_for_the_operator_is_for_events_and_starts_tasks() {
        assert_eq!(found(rule(json!({}))), [""; 0]);
        assert_eq!(
            found(rule(json!({"ScheduleExpression": "rate(1 hour)"}))),
            ["RuleScheduleUnsupported ScheduleExpression"]
        );
        assert_eq!(
            found(rule(
                json!({"EventPattern": null, "ScheduleExpression": "rate(1 hour)"})
            )),
            ["RuleScheduleUnsupported ScheduleExpression"]
        );
        let function =
            json!([{"Id": "f", "Arn": "arn:aws:lambda:eu-west-1:123456789012:function:f"}]);
        assert_eq!(
            found(rule(json!({"Targets": function}))),
            ["RequiredField Targets"]
        );
        let files = json!({"containerOverrides": [{"environmentFiles": [{"value": "arn:aws:s3:::b/a.env"}]}]});
        let target = json!([{
            "Id": "report", "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "Input": files.to_string(), "EcsParameters": {"TaskDefinitionArn": "report"},
        }]);
        assert_eq!(
            found(rule(json!({"Targets": target}))),
            ["InvalidTargetInput Targets[0].Input"]
        );
    }
}
