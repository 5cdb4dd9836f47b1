//! The EcsTask that a schedule makes, at a time or because a person wants it.

use k8s_openapi::jiff::Timestamp;
use kube::{ResourceExt as _, api::DynamicObject};

use super::fetch::{Accepted, read, run_task};
use crate::{
    controller::started_task::{Place, started_task},
    crd::{EcsSchedule, TaskExtensions},
    ecs,
    schedule::Occurrence,
    settings::{SCHEDULE, SCHEDULED_AT},
    translate::{WORKLOAD_LENGTH, kname},
};

/// What an EcsTask is made for.
pub(super) struct Occasion<'a> {
    /// The name of the EcsTask.
    pub(super) name: &'a str,
    /// When the schedule was due; for a person, now.
    pub(super) due: Timestamp,
    /// Which try this is, from 1 on.
    pub(super) attempt: i64,
    /// Whether a person wants it.
    pub(super) is_manual: bool,
    /// The region, if the settings have one.
    pub(super) region: Option<&'a str>,
    /// The account, if the settings have one.
    pub(super) account: Option<&'a str>,
}

/// Returns the EcsTask that starts the tasks of a schedule now, whether it is due or not.
///
/// # Errors
///
/// Why the operator rejects the schedule.
pub fn task_now(schedule: &EcsSchedule, now: Timestamp) -> Result<DynamicObject, String> {
    let accepted = read(schedule).map_err(|refusal| refusal.message)?;
    let name = task_name(&format!("{}-manual", schedule.name_any()), now);
    let occasion = Occasion {
        name: &name,
        due: now,
        attempt: 1,
        is_manual: true,
        region: None,
        account: None,
    };
    ecs_task(schedule, &accepted, &occasion).map_err(|error| error.to_string())
}

/// Returns the name of the EcsTask for a time, which no other time has.
pub(super) fn task_name(schedule: &str, due: Timestamp) -> String {
    let time = due.strftime("%Y%m%d-%H%M%S");
    kname(&format!("{schedule}-{time}"), WORKLOAD_LENGTH)
}

/// Returns the EcsTask for an occasion.
pub(super) fn ecs_task(
    schedule: &EcsSchedule,
    accepted: &Accepted,
    occasion: &Occasion<'_>,
) -> Result<DynamicObject, serde_json::Error> {
    let own = schedule.name_any();
    let mut request = run_task(schedule, &occurrence(accepted, occasion));
    request.started_by = Some(started_by(&own, occasion.is_manual));
    let extensions = TaskExtensions {
        kubernetes: accepted.firings.extensions.kubernetes.clone(),
        ..TaskExtensions::default()
    };
    let mut task = started_task(schedule, (SCHEDULE, occasion.name), &request, &extensions)?;
    if !occasion.is_manual {
        let due = occasion.due.to_string();
        task.annotations_mut().insert(SCHEDULED_AT.to_owned(), due);
    }
    Ok(task)
}

/// Returns what the input of a target can name of an occasion.
pub(super) fn occurrence(accepted: &Accepted, occasion: &Occasion<'_>) -> Occurrence {
    Occurrence {
        schedule_arn: schedule_arn(&accepted.request, occasion),
        scheduled_time: occasion.due,
        execution_id: occasion.name.to_owned(),
        attempt_number: occasion.attempt,
    }
}

/// Returns what ECS calls the starter of tasks that EventBridge Scheduler runs. It may have letters, digits, `-`, `_` and
/// `/`.
fn started_by(schedule: &str, is_manual: bool) -> String {
    let name: String = schedule
        .chars()
        .map(|c| if c == '.' { '-' } else { c })
        .collect();
    let starter = if is_manual {
        "ecs-operator-run"
    } else {
        "chronos-schedule"
    };
    format!("{starter}/{name}")
}

/// Returns the ARN that the schedule would have in AWS: in the region and account of the settings, or of its cluster.
fn schedule_arn(request: &ecs::Schedule, occasion: &Occasion<'_>) -> String {
    let target = request.target.as_ref();
    let cluster = target.and_then(|target| target.arn.as_deref());
    let place = Place::of(
        cluster.unwrap_or_default(),
        (occasion.region, occasion.account),
    );
    format!(
        "arn:{}:scheduler:{}:{}:schedule/{}/{}",
        place.partition,
        place.region,
        place.account,
        request
            .group_name
            .as_deref()
            .unwrap_or(ecs::Schedule::DEFAULT_GROUP_NAME),
        request.name.as_deref().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_time_has_a_name_of_its_own_that_fits() {
        let at = |text: &str| text.parse().expect("it is a time");
        let name = |schedule: &str, due: &str| task_name(schedule, at(due));
        assert_eq!(
            name("report", "2026-03-08T02:30:05Z"),
            "report-20260308-023005"
        );
        let long = "l".repeat(52);
        let (one, other) = (
            name(&long, "2026-03-08T02:30:00Z"),
            name(&long, "2026-03-08T02:31:00Z"),
        );
        assert!(
            one != other && one.len() <= WORKLOAD_LENGTH,
            "{one} {other}"
        );
    }

    #[test]
    fn a_person_starts_what_a_time_starts() {
        let mut schedule: EcsSchedule = serde_json::from_value(json!({
            "metadata": {
                "name": "report", "namespace": "shop",
                "annotations": {"ecs-operator.dev/aws-region": "eu-west-2", "b": "c"},
            },
            "spec": {
                "ScheduleExpression": "rate(1 hour)", "State": "DISABLED",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {
                    "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
                    "EcsParameters": {"TaskDefinitionArn": "report", "TaskCount": 2},
                    "Input": "{\"containerOverrides\": [{\"name\": \"a\", \"command\": [\"<aws.scheduler.schedule-arn>\"]}]}",
                },
                "kubernetes": {"pod": {"priorityClassName": "batch"}},
            },
        }))
        .expect("it is a schedule");
        let now = "2026-03-08T02:30:05Z".parse().expect("it is a time");
        let task = task_now(&schedule, now).expect("it is accepted");
        assert_eq!(task.name_any(), "report-manual-20260308-023005");
        assert_eq!(task.labels()[SCHEDULE], "report");
        let annotations: Vec<&String> = task.annotations().keys().collect();
        assert_eq!(annotations, ["ecs-operator.dev/aws-region"]);
        assert_eq!(
            task.data["spec"],
            json!({
                "cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
                "count": 2, "taskDefinition": "report", "startedBy": "ecs-operator-run/report",
                "overrides": {"containerOverrides": [{
                    "name": "a",
                    "command": ["arn:aws:scheduler:eu-west-1:123456789012:schedule/default/report"],
                }]},
                "kubernetes": {"pod": {"priorityClassName": "batch"}},
            })
        );
        let record = "ecs-operator.dev/begun".to_owned();
        let annotations = schedule.annotations_mut();
        annotations.insert(record, "report-0".to_owned());
        let refusal = task_now(&schedule, now).expect_err("it is the record of a task");
        let path = "metadata.annotations[\"ecs-operator.dev/begun\"]: ";
        assert!(refusal.starts_with(path), "{refusal}");
    }
}
