//! A target of a rule with a schedule that a CronJob can follow.

use jiff::tz::TimeZone;

use super::{
    Retry, ScheduledTask, Starter, TaskTemplate, Timing,
    rule::{is_disabled, request},
    schedule::times_of,
    starts_tasks, validate_rule, validate_task,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Segment, Subject},
    ecs,
    input::{RuleInput, TaskInput},
    schedule::Schedule,
    settings::Settings,
};

/// Validates one target of a rule with a schedule, together with the task definition that it runs, for a CronJob.
///
/// # Errors
///
/// Returns all errors in either of them, relative to the document of each; a CronJob gets no events.
pub fn validate_scheduled_rule(
    input: &RuleInput,
    settings: &Settings,
) -> Result<ScheduledTask, Diagnostics> {
    let raw = &input.request;
    let root = FieldPath::root(Subject::Rule);
    let starter = input.starter();
    let mut sink = Diagnostics::new();
    let found = validate_rule(raw).err().unwrap_or_default();
    for finding in found.iter() {
        // Each target is converted for itself.
        if is_of(&finding.path, input.target) {
            sink.report(finding.path.clone(), finding.message.clone());
        }
    }
    if raw.event_pattern.is_some() {
        sink.report(root.field("EventPattern"), Message::EventPatternUnsupported);
    }
    let given = raw.targets.get(input.target).cloned().unwrap_or_default();
    check_needs_no_event(&given, starter, &mut sink);
    let schedule = raw.schedule_expression.as_deref();
    let times = schedule.and_then(|text| {
        let schedule = Schedule::of_rule(text).ok()?;
        let path = root.field("ScheduleExpression");
        let timing = Timing {
            definition: text.to_owned(),
            schedule,
            zone: TimeZone::UTC,
            start: None,
            end: None,
        };
        times_of(&timing, text, path, &mut sink)
    });
    let task = input.task_definition.clone().map(|task_definition| {
        let input = TaskInput {
            name: input.schedule_name(),
            uid: None,
            request: ecs::Task {
                overrides: input.overrides.clone(),
                ..request(&given)
            },
            extensions: crd::TaskExtensions::default(),
            task_definition,
        };
        validate_task(&input, settings).map_err(|findings| sink.append(starter.place(&findings)))
    });
    let (Some(Ok(task)), Some(times), false) = (task, times, sink.has_errors()) else {
        return Err(sink);
    };
    Ok(ScheduledTask {
        starter,
        task,
        crontab: times.crontab,
        time_zone: times.zone,
        differences: times.differences,
        is_disabled: is_disabled(raw),
        starting_deadline: Retry::new(given.retry_policy.as_ref()).maximum_age,
        concurrency: crd::ConcurrencyPolicy::default(),
        kept: crd::ScheduleExtensions::default().kept(),
        group: None,
        description: raw.description.clone(),
    })
}

impl RuleInput {
    /// Returns what starts the tasks: one target of the rule.
    #[must_use]
    pub const fn starter(&self) -> Starter {
        Starter::Rule {
            target: self.target,
        }
    }

    /// Returns the name of the schedule of one target: that of the rule, with the ID of the target if several start
    /// tasks.
    #[must_use]
    pub fn schedule_name(&self) -> String {
        let rule = &self.request;
        let name = rule.name.clone().unwrap_or_default();
        let starting = rule.targets.iter().filter(|target| starts_tasks(target));
        let target = rule.targets.get(self.target);
        let id = target.and_then(|target| target.id.as_deref());
        match id.filter(|_| starting.count() > 1) {
            Some(id) => format!("{name}-{id}"),
            None => name,
        }
    }
}

/// Whether a path is about this target of a rule, or about none.
pub(super) fn is_of(path: &FieldPath, target: usize) -> bool {
    match path.segments() {
        [Segment::Member(list), Segment::Element(index), ..] if list == "Targets" => {
            *index == target
        }
        _ => true,
    }
}

/// Rejects what is made of an event.
fn check_needs_no_event(raw: &ecs::RuleTarget, starter: Starter, sink: &mut Diagnostics) {
    let path = starter.target();
    if raw.input_path.is_some() {
        sink.report(path.field("InputPath"), Message::InputNeedsEvent);
    }
    if raw.input_transformer.is_some() {
        let path = path.field("InputTransformer").field("InputTemplate");
        sink.report(path, Message::InputNeedsEvent);
    }
    let mut found = Diagnostics::new();
    let task = FieldPath::root(Subject::Task);
    let template = TaskTemplate::new(request(raw), &task, &mut Diagnostics::new());
    for dynamic in template.dynamic {
        found.report(dynamic.member, Message::InputNeedsEvent);
    }
    sink.append(starter.place(&found));
}
