//! The EcsTasks that schedules, rules and pipes start: how one is made, and what has become of it.

use std::{cmp::Reverse, sync::Arc};

use kube::{
    Api, Resource, ResourceExt as _,
    api::{DynamicObject, PostParams},
    core::ApiResource,
};
use serde_json::{Map, Value, json};

use super::{
    caches::owned_fields::FIELD_MANAGER,
    context::Context,
    error::{Error, code},
    permitted::{NotPermitted, pods_permitted},
    refusal::Refusal,
    task::wanted,
};
use crate::{
    crd::{
        self, ACCEPTED, API_VERSION, EcsTask, TaskExtensions, TaskStatus, TriggeredTaskStatus,
        extended,
    },
    diagnostic::StateReason,
    ecs,
    settings::ANNOTATION_PREFIX,
    validate::Arn,
};

/// How many tasks a status lists.
const LISTED: usize = 10;

/// The `result` of tasks that have not ended.
pub(super) const RUNNING: &str = "Running";
/// The `result` of tasks that have all ended with exit code 0.
pub(super) const SUCCEEDED: &str = "Succeeded";
/// The `result` of tasks that have ended otherwise.
pub(super) const FAILED: &str = "Failed";
/// The `result` of tasks that have not begun, because their spec is rejected.
pub(super) const NOT_ACCEPTED: &str = "NotAccepted";

/// Returns the EcsTask of this name with a request, and the label that says what has started it. It takes the annotations of
/// the starter that are the operator's.
///
/// # Errors
///
/// When it cannot be written as JSON, which is a bug in this program.
pub(super) fn started_task(
    starter: &impl Resource,
    (label, name): (&str, &str),
    request: &ecs::Task,
    extensions: &TaskExtensions,
) -> Result<DynamicObject, serde_json::Error> {
    let settings = starter.annotations().iter();
    let annotations: Map<String, Value> = settings
        .filter(|(name, _)| name.starts_with(ANNOTATION_PREFIX))
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    serde_json::from_value(json!({
        "apiVersion": API_VERSION,
        "kind": "EcsTask",
        "metadata": {
            "name": name,
            "namespace": starter.namespace(),
            "labels": {label: starter.name_any()},
            "annotations": annotations,
        },
        "spec": extended(request, extensions)?,
    }))
}

/// When an EcsTask was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Created {
    /// By this call.
    Now,
    /// By an earlier one.
    Before,
}

/// Creates an EcsTask, unless it is there. `label` is the one that says what has started it.
///
/// # Errors
///
/// When a request fails, or something else has its name.
pub(super) async fn create(
    cx: &Context,
    task: &DynamicObject,
    label: &str,
) -> Result<Created, Error> {
    let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
    let resource = ApiResource::erase::<EcsTask>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(cx.client.clone(), &namespace, &resource);
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let Err(error) = api.create(&params, task).await else {
        return Ok(Created::Now);
    };
    if code(&error) != Some(409) {
        return Err(of_task("create", &name)(error));
    }
    match is_own(cx, task, label).await? {
        Some(true) => Ok(Created::Before),
        Some(false) => Err(Error::NotOwned {
            kind: "EcsTask".to_owned(),
            name,
            owner: None,
        }),
        // Something else was in conflict, such as the count of a quota.
        None => Err(of_task("create", &name)(error)),
    }
}

/// What has come of the start of an EcsTask.
pub(super) enum Start {
    /// It is there.
    Created(Created),
    /// It was not created, because the operator would reject it.
    Rejected(Refusal),
}

/// Creates an EcsTask, unless it is there, or the operator would reject it. RunTask refuses such a request too: an EcsTask
/// that waits for its correction would look like work that was taken.
///
/// # Errors
///
/// When a request fails, or something else has its name.
pub(super) async fn create_unless_rejected(
    cx: &Context,
    task: &DynamicObject,
    label: &str,
) -> Result<Start, Error> {
    let planned: EcsTask = serde_json::from_value(serde_json::to_value(task)?)?;
    let Some(refusal) = refusal(cx, &planned).await else {
        return create(cx, task, label).await.map(Start::Created);
    };
    if is_own(cx, task, label).await? == Some(true) {
        // What has changed since then does not matter.
        return Ok(Start::Created(Created::Before));
    }
    Ok(Start::Rejected(refusal))
}

/// Returns why the operator would reject an EcsTask.
async fn refusal(cx: &Context, task: &EcsTask) -> Option<Refusal> {
    let namespace = task.namespace().unwrap_or_default();
    let objects = match wanted(task, cx) {
        Ok(Some(objects)) => objects,
        Ok(None) => {
            let why = "the task definition has no revision yet, or it is not known yet what the namespace may use";
            return Some(Refusal::new(StateReason::NotAccepted, why));
        }
        Err(refusal) => return Some(refusal),
    };
    let objects: Vec<_> = objects.iter().map(|object| &object.body).collect();
    match pods_permitted(cx, &namespace, &objects).await {
        Err(NotPermitted::Refused(refusal)) => Some(refusal),
        Ok(()) | Err(NotPermitted::NotYet) => None,
    }
}

/// What the message of the API server about a quota begins with. It has nothing of the object.
const QUOTA: &str = "exceeded quota: ";

/// Says why an EcsTask could not be created. The API server and webhooks repeat what is in it, which is said only if it is
/// constant: whoever may read its starter may read that.
pub(super) fn why_not_created(error: &Error, is_constant: bool) -> String {
    let Error::Api { source, .. } = error else {
        return match error {
            Error::NotOwned { .. } => error.to_string(),
            _ => "its EcsTask could not be created".to_owned(),
        };
    };
    if is_constant {
        return error.to_string();
    }
    let kube::Error::Api(status) = &**source else {
        return "the API server does not answer".to_owned();
    };
    let (reason, code) = (&status.reason, status.code);
    let quota = status.message.find(QUOTA);
    let quota = quota.and_then(|start| status.message.get(start..));
    let quota = quota.map(|quota| format!(": {quota}")).unwrap_or_default();
    format!("the API server refuses its EcsTask: {reason} (HTTP status {code}){quota}")
}

/// Whether the EcsTask that has the name of this one was started by the same; `None` if there is none.
///
/// # Errors
///
/// When the request fails.
pub(super) async fn is_own(
    cx: &Context,
    task: &DynamicObject,
    label: &str,
) -> Result<Option<bool>, Error> {
    let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
    let api: Api<EcsTask> = Api::namespaced(cx.client.clone(), &namespace);
    let existing = api.get_metadata_opt(&name).await;
    let existing = existing.map_err(of_task("get", &name))?;
    Ok(existing.map(|existing| existing.labels().get(label) == task.labels().get(label)))
}

/// Returns the error of a request about an EcsTask.
pub(super) fn of_task(verb: &'static str, name: &str) -> impl FnOnce(kube::Error) -> Error {
    let name = name.to_owned();
    move |source| Error::Api {
        verb,
        kind: "EcsTask".to_owned(),
        name,
        source: Box::new(source),
    }
}

/// Returns what has become of tasks.
pub(super) fn result(status: &TaskStatus) -> &'static str {
    let is = |type_: &str, value: &str| {
        let mut conditions = status.conditions.iter();
        conditions.any(|condition| condition.type_ == type_ && condition.status == value)
    };
    if status.stopped_at.is_some() {
        return if is(crd::SUCCEEDED, "True") {
            SUCCEEDED
        } else {
            FAILED
        };
    }
    if status.tasks.is_empty() && is(ACCEPTED, "False") {
        return NOT_ACCEPTED;
    }
    RUNNING
}

/// Returns why tasks have come to a result. What keeps them from running changes too often to be copied.
pub(super) fn outcome<'s>(status: &'s TaskStatus, result: &str) -> Option<&'s str> {
    let of_result = match result {
        RUNNING => return None,
        NOT_ACCEPTED => ACCEPTED,
        _ => crd::SUCCEEDED,
    };
    let mut conditions = status.conditions.iter();
    let condition = conditions.find(|condition| condition.type_ == of_result);
    condition.map(|condition| condition.reason.as_str())
}

/// Returns the newest tasks, as the statuses of rules and pipes list them.
pub(super) fn newest(cx: &Context, tasks: &[Arc<EcsTask>]) -> Vec<TriggeredTaskStatus> {
    let created = |task: &&Arc<EcsTask>| task.creation_timestamp().map(|time| time.0);
    let mut tasks: Vec<&Arc<EcsTask>> = tasks.iter().collect();
    tasks.sort_by_key(|task| Reverse((created(task), task.name_any())));
    let tasks = tasks.into_iter().take(LISTED);
    tasks.map(|task| listed(cx, task)).collect()
}

/// Returns what the status of a starter says of a task.
pub(super) fn listed(cx: &Context, task: &EcsTask) -> TriggeredTaskStatus {
    let status = cx.tasks.latest(task);
    let result = result(&status);
    let reason = outcome(&status, result);
    TriggeredTaskStatus {
        name: task.name_any(),
        result: result.to_owned(),
        exit_code: status.exit_code.filter(|_| status.stopped_at.is_some()),
        reason: reason.map(str::to_owned),
        stopped_at: status.stopped_at,
    }
}

/// Where the resources of a starter would be in AWS.
pub(super) struct Place {
    pub(super) partition: String,
    pub(super) region: String,
    pub(super) account: String,
}

impl Place {
    /// Returns the region and account of the settings, or those of the cluster with this ARN.
    pub(super) fn of(cluster: &str, (region, account): (Option<&str>, Option<&str>)) -> Self {
        let cluster = Arn::parse(cluster);
        let of_cluster =
            |part: for<'a> fn(&Arn<'a>) -> &'a str| cluster.as_ref().map(part).unwrap_or_default();
        Self {
            partition: cluster
                .as_ref()
                .map_or("aws", |arn| arn.partition)
                .to_owned(),
            region: region
                .unwrap_or_else(|| of_cluster(|arn| arn.region))
                .to_owned(),
            account: account
                .unwrap_or_else(|| of_cluster(|arn| arn.account))
                .to_owned(),
        }
    }
}
