//! A schedule that a CronJob can follow.

use jiff::Timestamp;

use super::{Starter, Timing, request::check, validate_scheduled_task};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    input::ScheduleInput,
    schedule::{self, Inexact, Schedule, context_attributes},
    settings::Settings,
    validate::Task,
};

/// A schedule that a CronJob can follow.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledTask {
    /// The request that has the schedule.
    pub starter: Starter,
    /// The tasks that start each time, under the name of the schedule.
    pub task: Task,
    /// When they start, as a CronJob says it.
    pub crontab: String,
    /// The IANA name of the time zone of `crontab`, as the database spells it.
    pub time_zone: String,
    /// How the CronJob starts them at other times.
    pub differences: Differences,
    /// Whether nothing is started.
    pub is_disabled: bool,
    /// How long after its time a start is still tried, in seconds.
    pub starting_deadline: i64,
    /// What happens if tasks of an earlier time still run.
    pub concurrency: crd::ConcurrencyPolicy,
    /// How many finished Jobs are kept that succeeded, and that failed.
    pub kept: [i64; 2],
    /// The group, unless it is the default one.
    pub group: Option<String>,
    /// The text for people.
    pub description: Option<String>,
}

/// What a crontab line does not say like the schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// A rate counts from the full hour or midnight.
    pub is_anchored_to_clock: bool,
    /// It is due in an hour that the time zone repeats.
    pub is_in_repeated_hour: bool,
    /// None of its times exists.
    pub never_fires: bool,
}

/// From when on changes of clocks are looked at. Those before it do not come again.
const FIRST_CHANGE: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Validates a schedule together with the task definition that it runs.
///
/// # Errors
///
/// Returns all errors in either of them, relative to the document of each.
pub fn validate_schedule(
    input: &ScheduleInput,
    settings: &Settings,
) -> Result<ScheduledTask, Diagnostics> {
    let mut sink = Diagnostics::new();
    let raw = &input.request;
    let timing = check(raw, &mut sink);
    reject_window(raw.flexible_time_window.as_ref(), &mut sink);
    let times = timing.and_then(|timing| times(raw, &timing, &mut sink));
    reject_context(raw, &mut sink);
    let task = validate_scheduled_task(input, Starter::Schedule, settings)
        .map_err(|findings| sink.append(findings))
        .ok();
    let (Some(task), Some(times), false) = (task, times, sink.has_errors()) else {
        return Err(sink);
    };
    let retry = raw.target.as_ref().and_then(|it| it.retry_policy.as_ref());
    let deadline = retry.and_then(|retry| retry.maximum_event_age_in_seconds);
    let is_of_default_group = |group: &&String| group.as_str() != ecs::Schedule::DEFAULT_GROUP_NAME;
    Ok(ScheduledTask {
        starter: Starter::Schedule,
        task,
        crontab: times.crontab,
        time_zone: times.zone,
        differences: times.differences,
        is_disabled: raw.state.as_deref() == Some("DISABLED"),
        starting_deadline: deadline
            .unwrap_or(ecs::RetryPolicy::DEFAULT_MAXIMUM_EVENT_AGE_IN_SECONDS),
        concurrency: input.extensions.concurrency_policy.unwrap_or_default(),
        kept: input.extensions.kept(),
        group: raw.group_name.as_ref().filter(is_of_default_group).cloned(),
        description: raw.description.clone(),
    })
}

/// Rejects a beginning and an end, which a CronJob does not have. AWS ignores them for at(), which is rejected anyway.
fn reject_limits(timing: &Timing, sink: &mut Diagnostics) {
    let root = FieldPath::root(Subject::Schedule);
    for (limit, name, what, advice) in [
        (
            timing.start,
            "StartDate",
            "it begins when it is created",
            "leave StartDate out, and apply the CronJob when it should begin",
        ),
        (
            timing.end,
            "EndDate",
            "it does not end",
            "leave EndDate out, and delete the CronJob when it should end",
        ),
    ] {
        if limit.is_some() {
            sink.report(root.field(name), inexact(what, advice));
        }
    }
}

/// Rejects a window in which tasks start at some time.
fn reject_window(window: Option<&ecs::FlexibleTimeWindow>, sink: &mut Diagnostics) {
    if window.is_some_and(|window| window.mode.as_deref() == Some("FLEXIBLE")) {
        let path = FieldPath::root(Subject::Schedule).field("FlexibleTimeWindow");
        let advice = "set FlexibleTimeWindow.Mode to OFF; give schedules that should not start together other minutes";
        sink.report(
            path.field("Mode"),
            inexact("it starts its tasks at the minute", advice),
        );
    }
}

/// Rejects what EventBridge Scheduler replaces in an input each time: the pods of a CronJob are the same each time.
fn reject_context(raw: &ecs::Schedule, sink: &mut Diagnostics) {
    let input = raw.target.as_ref().and_then(|it| it.input.as_deref());
    let names = input.map(context_attributes).unwrap_or_default();
    if !names.is_empty() {
        let path = FieldPath::root(Subject::Schedule).field("Target");
        let names = names.join(", ");
        let message = Message::SchedulerContextUnavailable { names };
        sink.report(path.field("Input"), message);
    }
}

/// When tasks start, as a CronJob says it.
pub(in crate::validate) struct Times {
    pub(in crate::validate) crontab: String,
    pub(in crate::validate) zone: String,
    pub(in crate::validate) differences: Differences,
}

fn times(raw: &ecs::Schedule, timing: &Timing, sink: &mut Diagnostics) -> Option<Times> {
    reject_limits(timing, sink);
    let path = FieldPath::root(Subject::Schedule).field("ScheduleExpression");
    let text = raw.schedule_expression.as_deref().unwrap_or_default();
    times_of(timing, text, path, sink)
}

/// Returns when the tasks of a schedule start, whose expression stands as `text` at `path`.
pub(in crate::validate) fn times_of(
    timing: &Timing,
    text: &str,
    path: FieldPath,
    sink: &mut Diagnostics,
) -> Option<Times> {
    let crontab = match schedule::crontab(&timing.schedule, text) {
        Ok(crontab) => crontab,
        Err(why) => {
            sink.report(path, message_of(why));
            return None;
        }
    };
    let is_rate = matches!(timing.schedule, Schedule::Rate(_));
    let name = timing.zone.iana_name().filter(|_| !is_rate);
    let name = name.unwrap_or(ecs::Schedule::DEFAULT_SCHEDULE_EXPRESSION_TIMEZONE);
    let recurrence = timing.recurrence(Timestamp::UNIX_EPOCH);
    let never_fires = recurrence.next_after(Timestamp::UNIX_EPOCH).is_none();
    Some(Times {
        crontab,
        zone: name.to_owned(),
        differences: Differences {
            is_anchored_to_clock: is_rate,
            is_in_repeated_hour: !never_fires && recurrence.fires_in_repeated_time(FIRST_CHANGE),
            never_fires,
        },
    })
}

/// Says why no CronJob does what a schedule does, and what to do instead.
fn message_of(why: Inexact) -> Message {
    match why {
        Inexact::Once => inexact(
            "at() is once, and its times come again each year",
            "give the target as a RunTask request, and apply its pods at that time",
        ),
        Inexact::Rate => inexact(
            "it counts from the full hour or from midnight, which this rate does not divide evenly",
            "use minutes that divide an hour, hours that divide a day, 1 day, or cron()",
        ),
        Inexact::Days => inexact(
            "it has no L, W or #",
            "list all days that it may be, such as 28-31 or FRI, and let the program end at once on the wrong ones",
        ),
        Inexact::Years => inexact(
            "it has no years",
            "use * for the year, and delete the CronJob, or set suspend, in other years",
        ),
    }
}

fn inexact(what: &str, advice: &str) -> Message {
    Message::ScheduleNotExpressibleAsCronJob {
        what: what.to_owned(),
        advice: advice.to_owned(),
    }
}
