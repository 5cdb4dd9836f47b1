//! Schedules as our custom resources.

use jiff::Timestamp;

use super::resources::{Resources, extended, follow_newest};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    input::ScheduleInput,
    print::{self, Ordered},
    settings::Settings,
    source::Kind,
    translate,
    validate::{of_operator, of_schedule, validate_firings, validate_scheduled_task},
};

/// Returns the differences from AWS of a schedule that the operator follows, and of the tasks that it starts.
///
/// # Errors
///
/// Returns everything that is wrong with them.
pub(super) fn check(
    input: &ScheduleInput,
    settings: &Settings,
) -> Result<Diagnostics, Diagnostics> {
    let firings = validate_firings(&input.request, input.extensions.clone());
    let task = validate_scheduled_task(input, settings);
    let (firings, task) = match (firings, task) {
        (Ok(firings), Ok(task)) => (firings, task),
        (firings, task) => {
            let mut findings = firings.err().unwrap_or_default();
            findings.append(task.err().unwrap_or_default());
            return Err(findings);
        }
    };
    let (_, notes) = translate::translate_task(&task, settings);
    let mut notes = of_schedule(&notes);
    let recurrence = firings.timing.recurrence(Timestamp::UNIX_EPOCH);
    if recurrence.next_after(Timestamp::UNIX_EPOCH).is_none() {
        let path = FieldPath::root(Subject::Schedule).field("ScheduleExpression");
        notes.report(path, Message::ScheduleNeverFires);
    }
    Ok(notes)
}

impl Resources<'_> {
    /// Returns a schedule with the task definition that it runs.
    pub(super) fn of_schedule(
        self,
        input: &ScheduleInput,
        notes: Diagnostics,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        of_operator(diagnostics);
        diagnostics.append(notes);
        let mut request = input.request.clone();
        let root = FieldPath::root(Subject::Schedule).field("Target");
        let target = request.target.as_mut();
        if let Some(parameters) = target.and_then(|target| target.ecs_parameters.as_mut()) {
            let path = root.field("EcsParameters").field("TaskDefinitionArn");
            follow_newest(&mut parameters.task_definition_arn, path, diagnostics);
        }
        let spec = extended(&request, &input.extensions)?;
        let name = request.name.as_deref().unwrap_or_default();
        let definition = &input.task_definition.request;
        Ok(vec![
            self.task_definition(&input.task_definition, diagnostics)?,
            self.resource(Kind::Schedule, name, definition, spec)?,
        ])
    }
}
