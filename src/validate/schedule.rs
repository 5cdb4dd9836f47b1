//! Schedules of EventBridge Scheduler that start tasks
//! (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Arn, Task, arn::has_placeholder, of_schedule, scaling, validate_task};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    input::{ScheduleInput, TaskInput},
    schedule::{self, Inexact, Recurrence, Schedule},
    settings::Settings,
};

/// A schedule that a CronJob can follow.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledTask {
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
    check_target(raw, &mut sink);
    check_limits(raw, &mut sink);
    check_window(raw.flexible_time_window.as_ref(), &mut sink);
    let times = times(raw, &mut sink);
    let task = match validate_task(&task_input(input, &mut sink), settings) {
        Ok(task) => Some(task),
        Err(findings) => {
            sink.append(of_schedule(&findings));
            None
        }
    };
    let (Some(task), Some(times), false) = (task, times, sink.has_errors()) else {
        return Err(sink);
    };
    let retry = raw.target.as_ref().and_then(|it| it.retry_policy.as_ref());
    let deadline = retry.and_then(|retry| retry.maximum_event_age_in_seconds);
    let is_of_default_group = |group: &&String| group.as_str() != ecs::Schedule::DEFAULT_GROUP_NAME;
    Ok(ScheduledTask {
        task,
        crontab: times.crontab,
        time_zone: times.zone,
        differences: times.differences,
        is_disabled: raw.state.as_deref() == Some("DISABLED"),
        starting_deadline: deadline
            .unwrap_or(ecs::RetryPolicy::DEFAULT_MAXIMUM_EVENT_AGE_IN_SECONDS),
        group: raw.group_name.as_ref().filter(is_of_default_group).cloned(),
        description: raw.description.clone(),
    })
}

/// Checks that the target is a cluster of ECS.
fn check_target(raw: &ecs::Schedule, sink: &mut Diagnostics) {
    let arn = raw.target.as_ref().and_then(|target| target.arn.as_deref());
    let Some(text) = arn.filter(|text| !has_placeholder(text)) else {
        return;
    };
    let is_cluster = |arn: Arn<'_>| arn.service == "ecs" && arn.resource.starts_with("cluster/");
    if !Arn::parse(text).is_some_and(is_cluster) {
        let path = FieldPath::root(Subject::Schedule).field("Target");
        sink.report(path.field("Arn"), Message::TargetNotEcs);
    }
}

/// Rejects a beginning and an end, which a CronJob does not have. AWS ignores them for at(), which is rejected anyway.
fn check_limits(raw: &ecs::Schedule, sink: &mut Diagnostics) {
    let root = FieldPath::root(Subject::Schedule);
    let start = scaling::limit("StartDate", raw.start_date.as_deref(), &root, sink);
    let end = scaling::limit("EndDate", raw.end_date.as_deref(), &root, sink);
    if let (Ok(Some(start)), Ok(Some(end))) = (start, end)
        && end <= start
    {
        let message = Message::InvalidValue {
            value: raw.end_date.clone().unwrap_or_default(),
            allowed: "must be after StartDate".to_owned(),
        };
        sink.report(root.field("EndDate"), message);
    }
    for (limit, name, what, advice) in [
        (
            start,
            "StartDate",
            "it begins when it is created",
            "leave StartDate out, and apply the CronJob when it should begin",
        ),
        (
            end,
            "EndDate",
            "it does not end",
            "leave EndDate out, and delete the CronJob when it should end",
        ),
    ] {
        if matches!(limit, Ok(Some(_))) {
            sink.report(root.field(name), inexact(what, advice));
        }
    }
}

/// Rejects a window in which tasks start at some time.
fn check_window(window: Option<&ecs::FlexibleTimeWindow>, sink: &mut Diagnostics) {
    let Some(window) = window else {
        return;
    };
    let path = FieldPath::root(Subject::Schedule).field("FlexibleTimeWindow");
    let minutes = path.field("MaximumWindowInMinutes");
    let is_flexible = window.mode.as_deref() == Some("FLEXIBLE");
    match window.maximum_window_in_minutes {
        None if is_flexible => {
            let name = "MaximumWindowInMinutes".to_owned();
            sink.report(minutes, Message::RequiredField { name });
        }
        Some(given) if !is_flexible => {
            let message = Message::InvalidValue {
                value: given.to_string(),
                allowed: "is only for the mode FLEXIBLE".to_owned(),
            };
            sink.report(minutes, message);
        }
        _ => {}
    }
    if is_flexible {
        let advice = "set FlexibleTimeWindow.Mode to OFF; give schedules that should not start together other minutes";
        sink.report(
            path.field("Mode"),
            inexact("it starts its tasks at the minute", advice),
        );
    }
}

/// When tasks start.
struct Times {
    crontab: String,
    zone: String,
    differences: Differences,
}

fn times(raw: &ecs::Schedule, sink: &mut Diagnostics) -> Option<Times> {
    let root = FieldPath::root(Subject::Schedule);
    let given = raw.schedule_expression_timezone.as_deref();
    let given = given.unwrap_or(ecs::Schedule::DEFAULT_SCHEDULE_EXPRESSION_TIMEZONE);
    let zone = schedule::zone(given);
    if zone.is_none() {
        let path = root.field("ScheduleExpressionTimezone");
        let value = given.to_owned();
        sink.report(path, Message::UnknownTimezone { value });
    }
    let path = root.field("ScheduleExpression");
    let Some(text) = raw.schedule_expression.as_deref() else {
        let name = "ScheduleExpression".to_owned();
        sink.report(path, Message::RequiredField { name });
        return None;
    };
    let schedule = match Schedule::of_scheduler(text) {
        Ok(schedule) => schedule,
        Err(message) => {
            let value = text.to_owned();
            sink.report(path, Message::InvalidScheduleExpression { value, message });
            return None;
        }
    };
    let crontab = match schedule::crontab(&schedule, text) {
        Ok(crontab) => crontab,
        Err(why) => {
            sink.report(path, message_of(why));
            return None;
        }
    };
    let zone = zone?;
    let is_rate = matches!(schedule, Schedule::Rate(_));
    let name = zone.iana_name().filter(|_| !is_rate);
    let name = name.unwrap_or(ecs::Schedule::DEFAULT_SCHEDULE_EXPRESSION_TIMEZONE);
    let name = name.to_owned();
    let recurrence = Recurrence {
        schedule,
        zone,
        anchor: Timestamp::UNIX_EPOCH,
        start: None,
        end: None,
    };
    let never_fires = recurrence.next_after(Timestamp::UNIX_EPOCH).is_none();
    Some(Times {
        crontab,
        zone: name,
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

/// Returns the request of RunTask that the schedule makes each time.
fn task_input(input: &ScheduleInput, sink: &mut Diagnostics) -> TaskInput {
    let target = input.request.target.clone().unwrap_or_default();
    let parameters = target.ecs_parameters.unwrap_or_default();
    let tags = tags(&parameters.tags, sink);
    // What is left out has a note of the reader, because it has no effect.
    let ecs::EcsParameters {
        task_definition_arn,
        task_count,
        launch_type,
        network_configuration,
        platform_version: _,
        group,
        capacity_provider_strategy,
        enable_ecs_managed_tags: _,
        enable_execute_command: _,
        placement_constraints,
        placement_strategy,
        propagate_tags,
        reference_id,
        tags: _,
    } = parameters;
    let vpc = network_configuration.and_then(|network| network.awsvpc_configuration);
    TaskInput {
        name: input.request.name.clone().unwrap_or_default(),
        uid: None,
        request: ecs::Task {
            cluster: target.arn,
            task_definition: task_definition_arn,
            count: task_count,
            launch_type,
            network_configuration: vpc.map(|vpc| ecs::NetworkConfiguration {
                awsvpc_configuration: Some(ecs::AwsVpcConfiguration {
                    subnets: vpc.subnets,
                    security_groups: vpc.security_groups,
                    assign_public_ip: vpc.assign_public_ip,
                }),
            }),
            group,
            capacity_provider_strategy,
            placement_constraints,
            placement_strategy,
            propagate_tags,
            reference_id,
            tags,
            overrides: input.overrides.clone(),
            ..ecs::Task::default()
        },
        extensions: crd::TaskExtensions::default(),
        task_definition: input.task_definition.clone(),
    }
}

/// Reads tags, which are maps with `Key` and `Value` in this API; none if one has no key.
fn tags(maps: &[BTreeMap<String, String>], sink: &mut Diagnostics) -> Vec<ecs::Tag> {
    let path = FieldPath::root(Subject::Schedule).field("Target");
    let path = path.field("EcsParameters").field("Tags");
    for (index, map) in maps.iter().enumerate() {
        let path = path.index(index);
        if !map.contains_key("Key") {
            let name = "Key".to_owned();
            sink.report(path.clone(), Message::RequiredField { name });
        }
        let unknown = |name: &&String| !matches!(name.as_str(), "Key" | "Value");
        for name in map.keys().filter(unknown) {
            let message = Message::UnknownField {
                name: name.clone(),
                advice: "a tag has Key and Value".to_owned(),
            };
            sink.report(path.field(name.clone()), message);
        }
    }
    let tags = maps.iter().map(|map| {
        Some(ecs::Tag {
            key: Some(map.get("Key")?.clone()),
            value: map.get("Value").cloned(),
        })
    });
    tags.collect::<Option<_>>().unwrap_or_default()
}
