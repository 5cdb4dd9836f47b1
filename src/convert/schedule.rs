//! Schedules as our custom resources, or as CronJobs.

use jiff::Timestamp;

use super::{
    Target,
    resources::{Resources, extended, follow_newest},
};
use crate::{
    crd,
    diagnostic::{Diagnostics, Message, Reason},
    ecs,
    input::{RuleInput, ScheduleInput},
    print::{self, Ordered},
    schedule::Schedule,
    settings::Settings,
    source::Kind,
    translate,
    validate::{
        ScheduledTask, Starter, of_operator, parameters_of, validate_firings, validate_schedule,
        validate_scheduled_rule, validate_scheduled_task,
    },
};

/// The longest `Name` of a schedule, which that of a rule with the ID of a target can exceed.
const LONGEST_NAME: usize = 64;

/// Returns the differences from AWS of a schedule that the operator follows, and of the tasks that it starts.
///
/// # Errors
///
/// Returns everything that is wrong with them.
fn check(
    input: &ScheduleInput,
    starter: Starter,
    settings: &Settings,
) -> Result<Diagnostics, Diagnostics> {
    let firings = validate_firings(&input.request, input.extensions.clone());
    let task = validate_scheduled_task(input, starter, settings);
    let (firings, task) = match (firings, task) {
        (Ok(firings), Ok(task)) => (firings, task),
        (firings, task) => {
            let mut findings = firings.err().unwrap_or_default();
            findings.append(task.err().unwrap_or_default());
            return Err(findings);
        }
    };
    let (_, notes) = translate::translate_task(&task, settings);
    let mut notes = starter.place(&notes);
    let recurrence = firings.timing.recurrence(Timestamp::UNIX_EPOCH);
    if recurrence.next_after(Timestamp::UNIX_EPOCH).is_none() {
        let path = starter.root().field("ScheduleExpression");
        notes.report(path, Message::ScheduleNeverFires);
    }
    Ok(notes)
}

/// Returns the schedule that does what one target of a rule does, with the differences from AWS.
///
/// # Errors
///
/// Returns everything that is wrong with them.
fn check_rule(
    input: &RuleInput,
    settings: &Settings,
) -> Result<(ScheduleInput, Diagnostics), Diagnostics> {
    let mut findings = validate_scheduled_rule(input, settings)
        .err()
        .unwrap_or_default();
    // The operator does what a CronJob does not.
    findings.forget(Reason::ScheduleNotExpressibleAsCronJob);
    let (Some(schedule), false) = (schedule_of(input), findings.has_errors()) else {
        return Err(findings);
    };
    let starter = input.starter();
    let mut notes = check(&schedule, starter, settings)?;
    let expression = input.request.schedule_expression.as_deref();
    let expression = expression.and_then(|text| Schedule::of_rule(text).ok());
    if matches!(expression, Some(Schedule::Rate(_))) {
        let path = starter.root().field("ScheduleExpression");
        notes.report(path, Message::RateBeginsAtOnce);
    }
    Ok((schedule, notes))
}

/// Returns the request of EventBridge Scheduler that does what one target of a rule does.
fn schedule_of(input: &RuleInput) -> Option<ScheduleInput> {
    let rule = &input.request;
    let target = rule.targets.get(input.target)?.clone();
    let request = ecs::Schedule {
        name: Some(input.schedule_name()),
        schedule_expression: rule.schedule_expression.clone(),
        description: rule.description.clone(),
        state: rule.state.clone().filter(|state| state == "DISABLED"),
        flexible_time_window: Some(ecs::FlexibleTimeWindow {
            mode: Some("OFF".to_owned()),
            maximum_window_in_minutes: None,
        }),
        target: Some(ecs::ScheduleTarget {
            ecs_parameters: Some(parameters_of(&target)),
            arn: target.arn,
            role_arn: target.role_arn,
            input: target.input,
            retry_policy: target.retry_policy,
            dead_letter_config: target.dead_letter_config,
            ..ecs::ScheduleTarget::default()
        }),
        ..ecs::Schedule::default()
    };
    Some(ScheduleInput {
        request,
        overrides: input.overrides.clone(),
        extensions: crd::ScheduleExtensions::default(),
        task_definition: input.task_definition.clone()?,
    })
}

/// Returns the CronJobs of a schedule, with what their pods refer to.
fn cron_jobs(
    schedule: &ScheduledTask,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> Result<Vec<Ordered>, print::Error> {
    let (objects, notes) = translate::translate_schedule(schedule, settings);
    diagnostics.append(notes);
    objects.into_objects().iter().map(Ordered::new).collect()
}

impl Resources<'_> {
    /// Returns what a schedule becomes; nothing if it is rejected, which is reported.
    pub(super) fn schedule(
        self,
        input: &ScheduleInput,
        target: Target,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        let starter = Starter::Schedule;
        let rejected = match target {
            Target::Resources => match check(input, starter, self.settings) {
                Ok(notes) => return self.of_schedule(input, starter, notes, diagnostics),
                Err(findings) => findings,
            },
            Target::Manifests => match validate_schedule(input, self.settings) {
                Ok(schedule) => return cron_jobs(&schedule, self.settings, diagnostics),
                Err(findings) => findings,
            },
        };
        diagnostics.append(rejected);
        Ok(Vec::new())
    }

    /// Returns what a target of a rule becomes; nothing if it is rejected, which is reported.
    pub(super) fn rule(
        self,
        input: &RuleInput,
        target: Target,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        let starter = input.starter();
        let rejected = match target {
            Target::Resources if input.request.event_pattern.is_some() => {
                return self.event_rule(input, diagnostics);
            }
            Target::Resources => match check_rule(input, self.settings) {
                Ok((schedule, notes)) => {
                    return self.of_schedule(&schedule, starter, notes, diagnostics);
                }
                Err(findings) => findings,
            },
            Target::Manifests => match validate_scheduled_rule(input, self.settings) {
                Ok(schedule) => return cron_jobs(&schedule, self.settings, diagnostics),
                Err(findings) => findings,
            },
        };
        diagnostics.append(rejected);
        Ok(Vec::new())
    }

    /// Returns a schedule with the task definition that it runs.
    fn of_schedule(
        self,
        input: &ScheduleInput,
        starter: Starter,
        notes: Diagnostics,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        of_operator(diagnostics);
        diagnostics.append(notes);
        let mut request = input.request.clone();
        let target = request.target.as_mut();
        if let Some(parameters) = target.and_then(|target| target.ecs_parameters.as_mut()) {
            let path = starter.target().field("EcsParameters");
            let path = path.field("TaskDefinitionArn");
            follow_newest(&mut parameters.task_definition_arn, path, diagnostics);
        }
        let name = input.request.name.as_deref().unwrap_or_default();
        if name.len() > LONGEST_NAME {
            // That of the object is made of it.
            request.name = None;
        }
        let spec = extended(&request, &input.extensions)?;
        let definition = &input.task_definition.request;
        Ok(vec![
            self.task_definition(&input.task_definition, diagnostics)?,
            self.resource(Kind::Schedule, name, definition, spec)?,
        ])
    }
}
