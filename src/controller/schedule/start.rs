//! The start of tasks.

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, ResourceExt as _,
    api::{DynamicObject, ListParams, PostParams},
    core::ApiResource,
};

use super::{
    fetch::{Accepted, is_of},
    task::{Occasion, ecs_task, task_name},
};
use crate::{
    controller::{
        caches::owned_fields::FIELD_MANAGER,
        context::Context,
        error::{Error, code},
    },
    crd::{ConcurrencyPolicy, EcsSchedule, EcsTask},
    settings::SCHEDULE,
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
            cx.delete(&task).await?;
        }
    }
    let settings = cx.settings(&namespace);
    let occasion = Occasion {
        name: &name,
        due,
        attempt,
        is_manual: false,
        region: settings.aws_region.as_deref(),
        account: settings.aws_account_id.as_deref(),
    };
    let task = ecs_task(schedule, accepted, &occasion)?;
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

fn of_task(verb: &'static str, name: &str) -> impl FnOnce(kube::Error) -> Error {
    let name = name.to_owned();
    move |source| Error::Api {
        verb,
        kind: "EcsTask".to_owned(),
        name,
        source: Box::new(source),
    }
}
