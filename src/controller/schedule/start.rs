//! The start of tasks.

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams, PostParams},
    core::ApiResource,
};
use serde_json::{Map, Value, json};

use super::fetch::{Accepted, is_of, run_task};
use crate::{
    controller::{
        caches::owned_fields::FIELD_MANAGER,
        context::Context,
        error::{Error, code},
    },
    crd::{ConcurrencyPolicy, EcsSchedule, EcsTask, TaskExtensions},
    ecs,
    schedule::Occurrence,
    settings::{ANNOTATION_PREFIX, SCHEDULE, SCHEDULED_AT},
    translate::{WORKLOAD_LENGTH, kname},
    validate::Arn,
};

/// What a start has come to.
pub(super) enum Started {
    /// There is an EcsTask of this name for it.
    Task(String),
    /// It starts nothing, for this reason.
    Skipped(String),
}

/// Starts the tasks of a time.
///
/// # Errors
///
/// When a request fails, or something else has the name of the EcsTask.
pub(super) async fn start(
    cx: &Context,
    schedule: &EcsSchedule,
    accepted: &Accepted,
    due: Timestamp,
    attempt: i64,
) -> Result<Started, Error> {
    let namespace = schedule.namespace().unwrap_or_default();
    let api: Api<EcsTask> = Api::namespaced(cx.client.clone(), &namespace);
    let name = task_name(&schedule.name_any(), due);
    let policy = accepted.firings.extensions.concurrency_policy;
    let policy = policy.unwrap_or_default();
    if policy != ConcurrencyPolicy::Allow {
        // The cache may not have what was started last.
        let running = running(&api, schedule).await?;
        if running.iter().any(|task| task.name_any() == name) {
            return Ok(Started::Task(name));
        }
        if policy == ConcurrencyPolicy::Forbid
            && let Some(task) = running.first()
        {
            let why = format!(
                "{} still runs, and concurrencyPolicy is Forbid",
                task.name_any()
            );
            return Ok(Started::Skipped(why));
        }
        for task in running {
            stop(&api, &task).await?;
        }
    }
    let task = ecs_task(cx, schedule, accepted, &name, due, attempt)?;
    let resource = ApiResource::erase::<EcsTask>(&());
    let create: Api<DynamicObject> = Api::namespaced_with(cx.client.clone(), &namespace, &resource);
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    match create.create(&params, &task).await {
        Ok(_) => Ok(Started::Task(name)),
        Err(error) if code(&error) == Some(409) => {
            let existing = api.get_metadata_opt(&name).await;
            let existing = existing.map_err(of_task("get", &name))?;
            let label = existing.and_then(|it| it.labels().get(SCHEDULE).cloned());
            if label.as_deref() == Some(&schedule.name_any()) {
                return Ok(Started::Task(name));
            }
            let kind = "EcsTask".to_owned();
            Err(Error::NotOwned {
                kind,
                name,
                owner: None,
            })
        }
        Err(error) => Err(of_task("create", &name)(error)),
    }
}

/// Returns the name of the EcsTask for a time, which no other time has.
fn task_name(schedule: &str, due: Timestamp) -> String {
    let time = due.strftime("%Y%m%d-%H%M%S");
    kname(&format!("{schedule}-{time}"), WORKLOAD_LENGTH)
}

/// Returns the tasks of a schedule that have not ended, as the API server has them.
async fn running(api: &Api<EcsTask>, schedule: &EcsSchedule) -> Result<Vec<EcsTask>, Error> {
    let name = schedule.name_any();
    let params = ListParams::default().labels(&format!("{SCHEDULE}={name}"));
    let listed = api.list(&params).await;
    let mut tasks = listed.map_err(of_task("list", &name))?.items;
    tasks.retain(|task| {
        is_of(task, &name)
            && task.status.stopped_at.is_none()
            && task.metadata.deletion_timestamp.is_none()
    });
    Ok(tasks)
}

async fn stop(api: &Api<EcsTask>, task: &EcsTask) -> Result<(), Error> {
    let name = task.name_any();
    match api.delete(&name, &DeleteParams::background()).await {
        Err(error) if code(&error) != Some(404) => Err(of_task("delete", &name)(error)),
        _ => Ok(()),
    }
}

/// Returns the EcsTask for a time.
fn ecs_task(
    cx: &Context,
    schedule: &EcsSchedule,
    accepted: &Accepted,
    name: &str,
    due: Timestamp,
    attempt: i64,
) -> Result<DynamicObject, Error> {
    let own = schedule.name_any();
    let occurrence = Occurrence {
        schedule_arn: schedule_arn(cx, schedule, &accepted.request),
        scheduled_time: due,
        execution_id: name.to_owned(),
        attempt_number: attempt,
    };
    let mut request = run_task(schedule, &occurrence);
    request.started_by = Some(started_by(&own));
    let extensions = TaskExtensions {
        kubernetes: accepted.firings.extensions.kubernetes.clone(),
        ..TaskExtensions::default()
    };
    let mut spec = serde_json::to_value(request)?;
    if let (Value::Object(spec), Value::Object(more)) =
        (&mut spec, serde_json::to_value(extensions)?)
    {
        spec.extend(more);
    }
    let settings = schedule.annotations().iter();
    let mut annotations: Map<String, Value> = settings
        .filter(|(name, _)| name.starts_with(ANNOTATION_PREFIX))
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    annotations.insert(SCHEDULED_AT.to_owned(), due.to_string().into());
    let task = json!({
        "apiVersion": crate::crd::API_VERSION,
        "kind": "EcsTask",
        "metadata": {
            "name": name,
            "namespace": schedule.namespace(),
            "labels": {SCHEDULE: own},
            "annotations": annotations,
        },
        "spec": spec,
    });
    Ok(serde_json::from_value(task)?)
}

/// Returns what ECS calls the starter of tasks that EventBridge Scheduler runs. It may have letters, digits, `-`, `_` and
/// `/`.
fn started_by(schedule: &str) -> String {
    let name: String = schedule
        .chars()
        .map(|c| if c == '.' { '-' } else { c })
        .collect();
    format!("chronos-schedule/{name}")
}

/// Returns the ARN that the schedule would have in AWS: in the region and account of the settings, or of its cluster.
fn schedule_arn(cx: &Context, schedule: &EcsSchedule, request: &ecs::Schedule) -> String {
    let settings = cx.settings(&schedule.namespace().unwrap_or_default());
    let cluster = request
        .target
        .as_ref()
        .and_then(|target| target.arn.as_deref());
    let cluster = cluster.and_then(Arn::parse);
    let of_cluster =
        |part: for<'a> fn(&Arn<'a>) -> &'a str| cluster.as_ref().map(part).unwrap_or_default();
    let region = settings.aws_region.as_deref();
    let account = settings.aws_account_id.as_deref();
    let group = request.group_name.as_deref();
    format!(
        "arn:{}:scheduler:{}:{}:schedule/{}/{}",
        cluster.as_ref().map_or("aws", |arn| arn.partition),
        region.unwrap_or_else(|| of_cluster(|arn| arn.region)),
        account.unwrap_or_else(|| of_cluster(|arn| arn.account)),
        group.unwrap_or(ecs::Schedule::DEFAULT_GROUP_NAME),
        request.name.as_deref().unwrap_or_default(),
    )
}

fn of_task(verb: &'static str, name: &str) -> impl FnOnce(kube::Error) -> Error {
    let name = name.to_owned();
    move |source| Error::Api {
        verb,
        kind: "EcsTask".to_owned(),
        name,
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
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
}
