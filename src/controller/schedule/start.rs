//! The start of tasks.

use k8s_openapi::jiff::Timestamp;
use kube::{Api, ResourceExt as _, api::ListParams};

use super::{
    fetch::{Accepted, is_of},
    task::{Occasion, ecs_task, task_name},
};
use crate::{
    controller::{
        context::Context,
        error::Error,
        started_task::{NOT_ACCEPTED, create, of_task, result},
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
    let mut others = Vec::new();
    if policy != ConcurrencyPolicy::Allow {
        // The cache may not have what was started last.
        others = unfinished(&api, schedule).await?;
        let is_started = others.iter().any(|task| task.name_any() == name);
        others.retain(|task| task.name_any() != name);
        if policy == ConcurrencyPolicy::Forbid
            && !is_started
            && let Some(other) = others.first()
        {
            return Ok(Started::Skipped(why_not_beside(other)));
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
    create(cx, &ecs_task(schedule, accepted, &occasion)?, SCHEDULE).await?;
    if policy == ConcurrencyPolicy::Replace {
        // Only now is it known that something takes their place.
        for other in others {
            cx.delete(&other).await?;
        }
    }
    Ok(Started::Task(name))
}

/// Says why a task that has not ended keeps others from starting.
fn why_not_beside(task: &EcsTask) -> String {
    let (name, is_waiting) = (task.name_any(), result(&task.status) == NOT_ACCEPTED);
    let what = if is_waiting {
        "has not begun, because its spec is rejected"
    } else {
        "still runs"
    };
    format!("{name} {what}, and concurrencyPolicy is Forbid")
}

/// Returns the tasks of a schedule that have not ended, as the API server has them.
async fn unfinished(api: &Api<EcsTask>, schedule: &EcsSchedule) -> Result<Vec<EcsTask>, Error> {
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
