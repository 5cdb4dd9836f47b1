//! The messages for the dead-letter queue of a schedule.

use kube::ResourceExt as _;

use super::{
    fetch::{Accepted, run_task},
    status::GivenUp,
    task::{Occasion, occurrence, task_name},
};
use crate::{
    controller::{
        context::Context,
        dead_letters::{self, DeadLetter, Giver},
    },
    crd::EcsSchedule,
    diagnostic::{StateReason, Subject},
};

/// Has a message sent for each start that is given up, if the schedule has a queue for them
/// (<https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html>).
pub(super) fn send(
    cx: &Context,
    schedule: &EcsSchedule,
    accepted: &Accepted,
    given_up: &[GivenUp],
) {
    let Some(queue) = &accepted.firings.dead_letters else {
        return;
    };
    for given_up in given_up {
        let letter = letter(cx, schedule, accepted, given_up);
        dead_letters::send(cx, schedule, &giver(schedule, queue), letter);
    }
}

/// Returns whose the dead letters are that go to a queue.
pub(super) fn giver<'g>(schedule: &'g EcsSchedule, queue: &'g str) -> Giver<'g> {
    Giver {
        subject: Subject::Schedule,
        spec: &schedule.spec,
        queue,
    }
}

/// Returns the message for a start: the request of `RunTask`, and what EventBridge Scheduler says of it.
fn letter(
    cx: &Context,
    schedule: &EcsSchedule,
    accepted: &Accepted,
    given_up: &GivenUp,
) -> DeadLetter {
    let settings = cx.settings(&schedule.namespace().unwrap_or_default());
    let name = task_name(&schedule.name_any(), given_up.due);
    let occasion = Occasion {
        name: &name,
        due: given_up.due,
        attempt: given_up.retries + 1,
        is_manual: false,
        region: settings.aws_region.as_deref(),
        account: settings.aws_account_id.as_deref(),
    };
    let occurrence = occurrence(accepted, &occasion);
    let request = run_task(schedule, &occurrence);
    let body = serde_json::to_string(&request).unwrap_or_default();
    let target = accepted.request.target.as_ref();
    let target = target.and_then(|target| target.arn.as_deref());
    let mut letter = DeadLetter::new(
        name.clone(),
        &body,
        target.unwrap_or_default(),
        &dead_letters::GivenUp {
            code: StateReason::TargetInvocationFailed.name(),
            message: &given_up.why,
            retries: given_up.retries,
            exhausted: given_up.limit,
        },
    );
    letter.attributes.extend([
        ("EXECUTION_ID", occurrence.execution_id),
        ("IS_PAYLOAD_TRUNCATED", false.to_string()),
        ("SCHEDULED_TIME", given_up.due.to_string()),
        ("SCHEDULE_ARN", occurrence.schedule_arn),
    ]);
    letter
}
