//! Storage of service revisions: the inputs and the rendering of a service's tasks, so that a deployment continues
//! with, and a rollback returns to, exactly what ran.
//!
//! Each is a ControllerRevision of its EcsService, so that later changes to the task definition, the operator and its
//! settings do not matter.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use k8s_openapi::{
    api::apps::v1::ControllerRevision,
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, runtime::RawExtension},
};
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::{Value, json};

use super::{
    plan::Newest,
    revisions::{OUTCOME, Revision},
};
use crate::{
    controller::{
        caches::owned_fields::FIELD_MANAGER,
        context::Context,
        error::{Error, code},
    },
    crd::{EcsService, ServiceStatus},
    decide::deployment::{COMPLETED, Deployments, FAILED},
    rendering::{Inputs, Kept, KeptRendering},
    settings::{
        ANNOTATION_PREFIX, RENEW_DEPLOYMENT, ROLL_BACK_DEPLOYMENT, SERVICE_REVISION,
        STOP_DEPLOYMENT,
    },
    translate::{SERVICE, hex_digest},
};

/// How many revisions are kept in addition to those that are needed.
const HISTORY_LIMIT: usize = 10;

/// Returns the name of the object that holds a revision. It contains a dot, which no name of a service does, so that it
/// is never mistaken for one of a DaemonSet; and a word, so that it is never mistaken for one of a task definition.
fn name_of(service: &str, revision: &str) -> String {
    format!("{service}.service.{revision}")
}

fn api(cx: &Context, service: &EcsService) -> Api<ControllerRevision> {
    Api::namespaced(cx.client.clone(), &service.namespace().unwrap_or_default())
}

/// Returns the revision that a deployment of these inputs and this rendering would have. It is named after its pods; a
/// revision with the same pods and other inputs or objects has a different name with the same beginning.
pub(super) fn name_for(
    known: &[Arc<Revision>],
    pods: &str,
    inputs: &str,
    rendering: &str,
) -> String {
    let same = |revision: &&Arc<Revision>| {
        let kept = revision.kept.rendering.as_ref();
        let pods_are = |kept: &KeptRendering| kept.pods == pods && kept.digest == rendering;
        revision.inputs == inputs && kept.is_some_and(pods_are)
    };
    if let Some(same) = known.iter().find(same) {
        return same.id.clone();
    }
    if known.iter().all(|revision| revision.id != pods) {
        return pods.to_owned();
    }
    other_name(pods, inputs, rendering)
}

fn other_name(pods: &str, inputs: &str, rendering: &str) -> String {
    let digits = hex_digest(format!("{inputs} {rendering}"), 8);
    format!("{pods}-{digits}")
}

/// Returns the newest known object of a revision, preferring objects with a rendering.
pub(super) fn find<'r>(known: &'r [Arc<Revision>], id: &str) -> Option<&'r Arc<Revision>> {
    let mut of_it = known.iter().filter(|revision| revision.id == id);
    let rendered = |revision: &&Arc<Revision>| revision.kept.rendering.is_some();
    of_it.clone().find(rendered).or_else(|| of_it.next())
}

/// Stores the inputs and the rendering of a deployment that is about to begin. Does nothing if they are already stored.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn keep(cx: &Context, service: &EcsService, newest: &Newest) -> Result<(), Error> {
    let known = cx.service_revisions.of(service);
    if let Some(found) = find(&known, &newest.revision) {
        let rendering = found.kept.rendering.as_ref();
        let is_same = found.inputs == newest.digest
            && rendering.is_none_or(|kept| kept.digest == newest.rendering.digest);
        return if is_same || newest.same.contains(&found.id) {
            Ok(())
        } else {
            Err(superseded(newest))
        };
    }
    let kept = Kept {
        inputs: newest.inputs.clone(),
        rendering: Some(KeptRendering::of(&newest.rendering, &newest.by)),
    };
    let name = name_of(&service.name_any(), &newest.revision);
    create(cx, service, &known, name, &newest.revision, &kept).await?;
    let known = cx.service_revisions.of(service);
    if find(&known, &newest.revision).is_some_and(|found| found.kept != kept) {
        // The cache did not have it yet; now it does, and the next try uses another name.
        return Err(superseded(newest));
    }
    forget_superfluous(cx, service).await
}

fn superseded(newest: &Newest) -> Error {
    Error::Superseded {
        what: "service revision",
        name: newest.revision.clone(),
    }
}

/// Stores the rendering of a revision from an older operator, beside the revision itself, which is immutable.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn adopt(
    cx: &Context,
    service: &EcsService,
    revision: &Revision,
    inputs: &Inputs,
    rendering: KeptRendering,
) -> Result<Arc<Revision>, Error> {
    let kept = Kept {
        inputs: inputs.clone(),
        rendering: Some(rendering),
    };
    let name = format!("{}.rendered", name_of(&service.name_any(), &revision.id));
    let known = cx.service_revisions.of(service);
    create(cx, service, &known, name, &revision.id, &kept).await?;
    let known = cx.service_revisions.of(service);
    // It was just recorded.
    Ok(find(&known, &revision.id).cloned().unwrap_or_else(|| {
        Arc::new(Revision {
            kept,
            placing: OnceLock::new(),
            ..revision.clone()
        })
    }))
}

/// Stores a revision again whose ControllerRevision is gone.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn keep_again(
    cx: &Context,
    service: &EcsService,
    id: &str,
    inputs: &Inputs,
    rendering: KeptRendering,
) -> Result<(), Error> {
    let kept = Kept {
        inputs: inputs.clone(),
        rendering: Some(rendering),
    };
    let known = cx.service_revisions.of(service);
    let name = name_of(&service.name_any(), id);
    create(cx, service, &known, name, id, &kept).await
}

/// Returns the object of this name that stores a revision.
pub(super) fn object_of(
    service: &EcsService,
    known: &[Arc<Revision>],
    name: &str,
    id: &str,
    kept: &Kept,
) -> ControllerRevision {
    let newest = known.iter().map(|known| known.number).max().unwrap_or(0);
    let labels = BTreeMap::from([
        (SERVICE.to_owned(), service.name_any()),
        (SERVICE_REVISION.to_owned(), id.to_owned()),
    ]);
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels),
            owner_references: Some(service.controller_owner_ref(&()).into_iter().collect()),
            ..ObjectMeta::default()
        },
        revision: newest.saturating_add(1),
        data: Some(RawExtension(kept.data())),
    }
}

async fn create(
    cx: &Context,
    service: &EcsService,
    known: &[Arc<Revision>],
    name: String,
    id: &str,
    kept: &Kept,
) -> Result<(), Error> {
    let revision = object_of(service, known, &name, id, kept);
    let api = api(cx, service);
    let _being_made = cx.service_revisions.make(service, &name);
    let request = cx.service_revisions.begin(service);
    let error = match api.create(&PostParams::default(), &revision).await {
        Ok(made) => return Error::unless_known(request.answered(&made)),
        Err(error) => error,
    };
    // It may exist already, or belong to a deleted service of this name and be about to be deleted with it.
    let live = match code(&error) {
        Some(409) => api.get_opt(&name).await,
        _ => Ok(None),
    };
    let live = live.map_err(Error::resource("get a revision of", service))?;
    match live.filter(|live| is_of(live, service)) {
        Some(live) => Error::unless_known(request.answered(&live)),
        None => Err(Error::resource("create a revision of", service)(error)),
    }
}

fn is_of(revision: &ControllerRevision, service: &EcsService) -> bool {
    let owners = revision.owner_references();
    owners
        .iter()
        .any(|owner| Some(&owner.uid) == service.metadata.uid.as_ref())
}

/// Deletes the oldest revisions that no deployment needs.
async fn forget_superfluous(cx: &Context, service: &EcsService) -> Result<(), Error> {
    let status = cx.services.latest(service);
    let needed = needed(&status);
    let mut others = cx.service_revisions.of(service);
    others.retain(|revision| !needed.contains(&revision.id.as_str()));
    for old in others.iter().skip(HISTORY_LIMIT) {
        delete(cx, service, old).await?;
    }
    Ok(())
}

fn needed(status: &ServiceStatus) -> Vec<&str> {
    let deployments = status.deployments.iter();
    let of_deployments = deployments.filter_map(|it| it.service_revision.as_deref());
    of_deployments
        .chain(status.completed_revision.as_deref())
        .chain(status.rolled_back_revision.as_deref())
        .collect()
}

async fn delete(cx: &Context, service: &EcsService, revision: &Revision) -> Result<(), Error> {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(revision.uid.clone()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match api(cx, service).delete(&revision.object, &params).await {
        Err(error) if code(&error) != Some(404) => {
            Err(Error::resource("delete a revision of", service)(error))
        }
        _ => Ok(()),
    }
}

/// Records on a revision that its deployment failed, in case the status is lost later.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn record_outcomes(
    cx: &Context,
    service: &EcsService,
    deployments: &Deployments,
) -> Result<(), Error> {
    let known = cx.service_revisions.of(service);
    for (index, deployment) in deployments.list.iter().enumerate() {
        let id = deployment.service_revision.as_deref().unwrap_or_default();
        let outcome = match deployment.rollout_state.as_deref() {
            Some(FAILED) => Some(FAILED),
            Some(COMPLETED) if index == 0 => None,
            _ => continue,
        };
        let of_it = known.iter().filter(|it| it.id == id && it.sorted);
        for revision in of_it.filter(|it| it.failed != outcome.is_some()) {
            let change = json!({"annotations": {OUTCOME: outcome}});
            change_metadata(cx, service, revision, change).await?;
        }
    }
    Ok(())
}

/// Takes over the revisions of a deleted service of this name that were orphaned. Immutable ones are of no use and are
/// deleted.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn take_over(cx: &Context, service: &EcsService) -> Result<(), Error> {
    for revision in cx.service_revisions.orphans(service) {
        let owner: Vec<_> = service.controller_owner_ref(&()).into_iter().collect();
        if revision.sorted {
            let change = json!({"ownerReferences": owner});
            change_metadata(cx, service, &revision, change).await?;
        } else {
            delete(cx, service, &revision).await?;
        }
    }
    Ok(())
}

/// Lets a service be deleted without its dependents. The garbage collector would wait forever for revisions of an older
/// operator, which it cannot change; what runs has been stored in a form that it can.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn let_go(cx: &Context, service: &EcsService) -> Result<(), Error> {
    let known = cx.service_revisions.of(service);
    for revision in known.iter().filter(|revision| !revision.sorted) {
        delete(cx, service, revision).await?;
    }
    Ok(())
}

async fn change_metadata(
    cx: &Context,
    service: &EcsService,
    revision: &Revision,
    mut change: Value,
) -> Result<(), Error> {
    if let Value::Object(change) = &mut change {
        change.insert("uid".to_owned(), json!(revision.uid));
    }
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"metadata": change}));
    let request = cx.service_revisions.begin(service);
    match api(cx, service)
        .patch(&revision.object, &params, &patch)
        .await
    {
        Ok(changed) => Error::unless_known(request.answered(&changed)),
        // It is gone or has been replaced.
        Err(error) if matches!(code(&error), Some(404 | 409)) => Ok(()),
        Err(error) => Err(Error::resource("update a revision of", service)(error)),
    }
}

/// Returns a revision that the cache lacks from the API server.
///
/// # Errors
///
/// When the request fails, or the revision may have been deleted in the meantime.
pub(super) async fn ask(
    cx: &Context,
    service: &EcsService,
    id: &str,
) -> Result<Option<Arc<Revision>>, Error> {
    let of_it = format!("{SERVICE}={},{SERVICE_REVISION}={id}", service.name_any());
    let request = cx.service_revisions.begin(service);
    let listed = api(cx, service)
        .list(&ListParams::default().labels(&of_it))
        .await;
    let listed = listed.map_err(Error::resource("list the revisions of", service))?;
    for revision in &listed.items {
        Error::unless_known(request.answered(revision))?;
    }
    Ok(find(&cx.service_revisions.of(service), id).cloned())
}

/// Returns the annotations that are settings.
pub(super) fn settings_of(service: &EcsService) -> BTreeMap<String, String> {
    let annotations = service.annotations().iter();
    annotations
        .filter(|(name, _)| name.starts_with(ANNOTATION_PREFIX))
        .filter(|(name, _)| {
            !matches!(
                name.as_str(),
                STOP_DEPLOYMENT | ROLL_BACK_DEPLOYMENT | RENEW_DEPLOYMENT
            )
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
