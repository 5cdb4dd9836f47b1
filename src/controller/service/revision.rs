//! Service revisions: what the tasks of a service are made of, kept so that a rollback can return to it.
//!
//! Each is a ControllerRevision of its EcsService with the spec and the task definition as they were, so that it does not
//! matter what becomes of the task definition later. It is read only when it is needed, which is seldom.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use k8s_openapi::{
    api::apps::v1::ControllerRevision,
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, runtime::RawExtension},
};
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams},
};
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::{
    controller::{
        context::Context,
        error::{Error, code},
        refusal::Refusal,
    },
    crd::{EcsService, ServiceStatus, Spec},
    settings::{ANNOTATION_PREFIX, ROLL_BACK_DEPLOYMENT, SERVICE_REVISION, STOP_DEPLOYMENT},
    translate::SERVICE,
};

/// How many revisions are kept beside those that are needed.
const HISTORY_LIMIT: usize = 10;

/// What the tasks of a service are made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stored {
    /// The spec of the service.
    pub service: Spec,
    /// Its annotations that are settings.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// The family of its task definition.
    pub family: String,
    /// The revision of its task definition.
    pub revision: u64,
    /// What that revision holds.
    pub task_definition: Spec,
}

/// Service revisions that were read. What they hold never changes.
#[derive(Default)]
pub(crate) struct ServiceRevisions {
    read: Mutex<HashMap<(String, String), Arc<Stored>>>,
}

/// The name of the object that holds a revision. A dot, which no name of a service has, so that it is never taken for
/// one of a DaemonSet; and a word, so that it is never taken for one of a task definition.
fn name_of(service: &str, revision: &str) -> String {
    format!("{service}.service.{revision}")
}

fn api(cx: &Context, service: &EcsService) -> Api<ControllerRevision> {
    Api::namespaced(cx.client.clone(), &service.namespace().unwrap_or_default())
}

/// Keeps what a plan was made of. One that is kept already is the same.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn keep(cx: &Context, service: &EcsService, plan: &Plan) -> Result<(), Error> {
    let api = api(cx, service);
    let status = cx.service_statuses.latest(service, &service.status);
    let kept = if status.deployments.is_empty() {
        Vec::new()
    } else {
        let of_service = format!("{SERVICE}={},{SERVICE_REVISION}", service.name_any());
        let listed = api.list(&ListParams::default().labels(&of_service)).await;
        listed
            .map_err(Error::resource("list the revisions of", service))?
            .items
            .into_iter()
            .filter(|kept| is_of(kept, service))
            .collect()
    };
    let label = |kept: &ControllerRevision| kept.labels().get(SERVICE_REVISION).cloned();
    if kept
        .iter()
        .any(|kept| label(kept).as_ref() == Some(&plan.revision))
    {
        return Ok(());
    }
    let newest = kept.iter().map(|kept| kept.revision).max().unwrap_or(0);
    let revision = ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name_of(&service.name_any(), &plan.revision)),
            labels: Some(
                [
                    (SERVICE.to_owned(), service.name_any()),
                    (SERVICE_REVISION.to_owned(), plan.revision.clone()),
                ]
                .into(),
            ),
            owner_references: Some(service.controller_owner_ref(&()).into_iter().collect()),
            ..ObjectMeta::default()
        },
        revision: newest.saturating_add(1),
        data: Some(RawExtension(serde_json::to_value(&*plan.stored)?)),
    };
    if let Err(error) = api.create(&PostParams::default(), &revision).await {
        // It may have been made before, or be of a service of this name that was deleted, and be about to go with it.
        let live = match code(&error) {
            Some(409) => api.get_opt(&revision.name_any()).await,
            _ => Ok(None),
        };
        let live = live.map_err(Error::resource("get a revision of", service))?;
        if !live.is_some_and(|live| is_of(&live, service)) {
            return Err(Error::resource("make a revision of", service)(error));
        }
    }
    forget_superfluous(service, &status, &api, kept).await
}

fn is_of(revision: &ControllerRevision, service: &EcsService) -> bool {
    let owners = revision.owner_references();
    owners
        .iter()
        .any(|owner| Some(&owner.uid) == service.metadata.uid.as_ref())
}

/// Deletes the oldest revisions that no deployment needs.
async fn forget_superfluous(
    service: &EcsService,
    status: &ServiceStatus,
    api: &Api<ControllerRevision>,
    mut kept: Vec<ControllerRevision>,
) -> Result<(), Error> {
    let needed: Vec<&String> = status
        .deployments
        .iter()
        .filter_map(|deployment| deployment.service_revision.as_ref())
        .chain(&status.completed_revision)
        .collect();
    kept.retain(|kept| {
        let label = kept.labels().get(SERVICE_REVISION);
        !label.is_some_and(|label| needed.contains(&label))
    });
    kept.sort_by_key(|kept| kept.revision);
    let surplus = kept.len().saturating_sub(HISTORY_LIMIT);
    for old in kept.into_iter().take(surplus) {
        match api.delete(&old.name_any(), &DeleteParams::default()).await {
            Err(error) if code(&error) != Some(404) => {
                return Err(Error::resource("delete a revision of", service)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a revision holds, or why it cannot be had any more.
///
/// # Errors
///
/// When the request fails.
pub(super) async fn load(
    cx: &Context,
    service: &EcsService,
    revision: &str,
) -> Result<Result<Arc<Stored>, Refusal>, Error> {
    let key = (service.uid().unwrap_or_default(), revision.to_owned());
    let read = &cx.service_revisions.read;
    let known = read
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key)
        .cloned();
    if let Some(known) = known {
        return Ok(Ok(known));
    }
    let name = name_of(&service.name_any(), revision);
    let found = api(cx, service).get_opt(&name).await;
    let found = found.map_err(Error::resource("get a revision of", service))?;
    let data = found.and_then(|found| found.data).map(|data| data.0);
    let stored = data.and_then(|data| serde_json::from_value::<Stored>(data).ok());
    let Some(stored) = stored.map(Arc::new) else {
        let message = format!(
            "the ControllerRevision {name}, which should run now, is gone or cannot be read: change the spec to what should run"
        );
        return Ok(Err(Refusal::new("ServiceRevisionNotFound", &message)));
    };
    let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
    read.insert(key, stored.clone());
    Ok(Ok(stored))
}

/// Forgets a service that is gone.
pub(super) fn forget(cx: &Context, service: &EcsService) {
    let uid = service.uid().unwrap_or_default();
    let mut read = cx
        .service_revisions
        .read
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    read.retain(|(of, _), _| *of != uid);
}

/// The annotations that are settings.
pub(super) fn settings_of(service: &EcsService) -> BTreeMap<String, String> {
    let annotations = service.annotations().iter();
    annotations
        .filter(|(name, _)| name.starts_with(ANNOTATION_PREFIX))
        .filter(|(name, _)| !matches!(name.as_str(), STOP_DEPLOYMENT | ROLL_BACK_DEPLOYMENT))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
