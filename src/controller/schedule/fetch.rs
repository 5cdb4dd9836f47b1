//! What a schedule says, and the tasks that it has started.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::Value;

use crate::{
    controller::{
        context::Context,
        refusal::{Refusal, refused},
    },
    crd::{EcsSchedule, EcsTask, WarningStatus},
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    schedule::Occurrence,
    settings::{SCHEDULE, SCHEDULED_AT, Settings},
    source::read_schedule,
    translate::{WORKLOAD_LENGTH, kname},
    validate::{Firings, of_operator, run_task_of, validate_firings},
};

/// The text in a spec that has the overrides.
const INPUT: &str = "/Target/Input";

/// A schedule that is not rejected.
pub(super) struct Accepted {
    pub(super) request: ecs::Schedule,
    pub(super) firings: Firings,
    /// The differences from AWS.
    pub(super) warnings: Vec<WarningStatus>,
}

/// Returns what a schedule says, or everything that is wrong with it.
pub(super) fn read(schedule: &EcsSchedule) -> Result<Accepted, Refusal> {
    let name = schedule.name_any();
    let (request, _, extensions, mut findings) = read_schedule(&name, schedule.spec.text());
    of_operator(&mut findings);
    // They become those of its tasks, of which all would be rejected.
    let path = FieldPath::root(Subject::Schedule).field("metadata");
    let path = path.field("annotations");
    let _read = Settings::default().with_annotations(schedule.annotations(), &path, &mut findings);
    if findings.has_errors() {
        return Err(refused(findings));
    }
    let firings = validate_firings(&request, extensions).map_err(refused)?;
    let own = request.name.as_deref().unwrap_or(&name);
    let expected = kname(own, WORKLOAD_LENGTH);
    if expected != name {
        return Err(Refusal::name_differs("Name", own, &expected));
    }
    let recurrence = firings.timing.recurrence(Timestamp::UNIX_EPOCH);
    if recurrence.next_after(Timestamp::UNIX_EPOCH).is_none() {
        let path = FieldPath::root(Subject::Schedule).field("ScheduleExpression");
        findings.report(path, Message::ScheduleNeverFires);
    }
    Ok(Accepted {
        request,
        firings,
        warnings: Refusal::warnings(findings),
    })
}

/// Returns the request of RunTask for a start. It was read before, so nothing is wrong with it.
pub(super) fn run_task(schedule: &EcsSchedule, occurrence: &Occurrence) -> ecs::Task {
    let mut spec: Value = schedule.spec.parse().unwrap_or_default();
    if let Some(Value::String(input)) = spec.pointer_mut(INPUT) {
        *input = occurrence.fill(input);
    }
    let (request, overrides, _, _) = read_schedule(&schedule.name_any(), &spec.to_string());
    run_task_of(&request, overrides, &mut Diagnostics::new())
}

/// Returns the tasks that a schedule has started and that exist, as far as the cache knows.
pub(super) fn own_tasks(cx: &Context, schedule: &EcsSchedule) -> Vec<Arc<EcsTask>> {
    let name = schedule.name_any();
    let tasks = cx.tasks.within(&schedule.namespace().unwrap_or_default());
    tasks.filter(|task| is_of(task, &name)).collect()
}

/// Whether the schedule of this name has started a task.
pub(super) fn is_of(task: &EcsTask, schedule: &str) -> bool {
    task.labels().get(SCHEDULE).map(String::as_str) == Some(schedule)
}

/// Returns the time that a task was started for; `None` if a person has started it.
pub(super) fn due(task: &EcsTask) -> Option<Timestamp> {
    task.annotations().get(SCHEDULED_AT)?.parse().ok()
}
