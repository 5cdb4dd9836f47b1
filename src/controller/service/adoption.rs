//! Adoption of existing objects as a rendering: for a revision of an older operator, for one whose ControllerRevision
//! is gone, and for a service whose status is lost.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, ResourceExt as _,
    api::ListParams,
    core::{ApiResource, DynamicObject, TypeMeta},
};
use serde_json::{Map, Value, json};

use super::{
    fetch::replica_sets,
    permit,
    plan::Newest,
    revision::{self, find},
    revisions::Revision,
    user,
};
use crate::{
    controller::{
        caches::{children::Key, known::Known, owned_fields::owned},
        cluster,
        context::Context,
        error::Error,
        permitted::NotPermitted,
        refusal::Refusal,
        wanted::Wanted,
    },
    crd::{EcsService, Spec},
    decide::{
        deployment::{
            Deployments, pods_of,
            rebuilt::{Remnant, Remnants},
        },
        pod_state::PodState,
    },
    input::ConnectHosts,
    rendering::{ImageDigests, Inputs, KeptRendering, RenderedBy, render, take_older_names},
    settings::{SERVICE_REVISION, Settings},
    source::read_service,
};

/// The version recorded for an older operator, which did not write its own.
const OLDER: &str = "unknown";
/// The label that a ReplicaSet adds to those of its template.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// Stores a rendering for a revision of an older operator: the existing objects if it runs, the template of its
/// ReplicaSet if that still exists, or else the current rendering.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn adopt(
    cx: &Context,
    service: &EcsService,
    found: &Revision,
    newest: Option<&Newest>,
) -> Result<Arc<Revision>, Error> {
    // The older operator wrote the inputs only when the pods changed. It last saw those of the current spec.
    let asked_for = newest.filter(|newest| newest.same.contains(&found.id));
    let inputs = asked_for.map_or(&found.kept.inputs, |newest| &newest.inputs);
    let rendering = rendering(cx, service, inputs, &found.id).await?;
    match rendering {
        Some(rendering) => revision::adopt(cx, service, found, inputs, rendering).await,
        None => Ok(Arc::new(found.clone())),
    }
}

/// Stores a revision again whose ControllerRevision is gone, if it runs and the spec asks for it. That it runs is what
/// labels say, which others can write, so it is judged unless its objects exist.
///
/// # Errors
///
/// When a request fails, and, within, why its policies do not permit it.
pub(super) async fn rebuild(
    cx: &Context,
    service: &EcsService,
    id: &str,
    newest: Option<&Newest>,
) -> Result<Result<Option<Arc<Revision>>, Refusal>, Error> {
    let is_it =
        |newest: &&Newest| newest.revision == id || newest.same.iter().any(|same| same == id);
    let asked_for = newest.filter(is_it);
    let Some(newest) = asked_for else {
        return Ok(Ok(None));
    };
    let Some(rendering) = rendering(cx, service, &newest.inputs, id).await? else {
        return Ok(Ok(None));
    };
    let mut there = Vec::new();
    for (key, _) in cx.children.of_owner(&service.uid().unwrap_or_default()) {
        there.extend(live(cx, &key).await?);
    }
    let Some((objects, _)) = rendering.open() else {
        return Ok(Ok(None));
    };
    match permit::to_store_again(service, cx, newest, (&objects, &there)) {
        Ok(()) => {}
        Err(NotPermitted::Refused(refusal)) => return Ok(Err(refusal)),
        Err(NotPermitted::NotYet) => {
            return Err(Error::NotYet("the labels of the namespace".to_owned()));
        }
    }
    revision::keep_again(cx, service, id, &newest.inputs, rendering).await?;
    Ok(Ok(find(&cx.service_revisions.of(service), id).cloned()))
}

async fn rendering(
    cx: &Context,
    service: &EcsService,
    inputs: &Inputs,
    id: &str,
) -> Result<Option<KeptRendering>, Error> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let by = RenderedBy {
        operator: OLDER.to_owned(),
        settings: Settings {
            namespace: Settings::default().namespace,
            ..cx.settings("")
        },
        cluster: cluster_of(cx, &namespace, &name, inputs),
        connect_hosts: ConnectHosts::new(),
        images: ImageDigests::new(),
    };
    let pods = pods_of(id);
    let rendered = render(&name, &namespace, inputs, &inputs.service, &by);
    if rendered.is_err() && !cx.knows_addons() {
        // The missing add-on may exist.
        return Err(Error::AddonsUnknown);
    }
    let mut objects = rendered.map_or_else(|_| Vec::new(), |rendering| rendering.objects);
    let uid = service.uid().unwrap_or_default();
    let mut children = cx.children.of_owner(&uid);
    children.retain(|(_, known)| !known.deleting);
    let is_running = |known: &Known| known.pods.as_deref() == Some(pods);
    if children.iter().any(|(_, known)| is_running(known)) {
        let of_others =
            |(_, known): &(Arc<Key>, Known)| known.workload.is_some() && !is_running(known);
        let old_tasks = cx.pods.of(&user(service));
        let mut old_tasks = old_tasks.iter().map(|pod| pod.revision.as_deref());
        let is_alone = old_tasks.all(|of| of == Some(pods)) && !children.iter().any(of_others);
        children.retain(|child| !of_others(child));
        let mut there = Vec::new();
        for (key, _) in &children {
            there.extend(live(cx, key).await?);
        }
        take_older_names(&mut objects, &there.iter().collect::<Vec<_>>());
        if !is_alone && !objects.is_empty() {
            // Objects that replaced others will soon be the only ones: what old tasks need is deleted with those tasks.
            there.retain(|live| objects.iter().any(|object| names(object) == names(live)));
        }
        for live in there {
            replace(&mut objects, live);
        }
    } else if objects.is_empty() {
        return Ok(None);
    } else {
        let template = old_template(cx, service, pods).await?;
        if let Some(template) = &template {
            let workload = json!({"spec": {"template": template}});
            take_older_names(&mut objects, &[&workload]);
        }
        for object in &mut objects {
            mark(object, pods, template.as_ref());
        }
    }
    Ok(Some(KeptRendering::of_live(&objects, pods, &by)))
}

/// Returns the cluster that an older operator took defaults from: it read them each time, so the current ones. A
/// rejected cluster provided no defaults.
fn cluster_of(cx: &Context, namespace: &str, name: &str, inputs: &Inputs) -> Option<Spec> {
    let (request, _, _) = read_service(name, inputs.service.text());
    cluster::defaults(cx, namespace, &request).ok().flatten()
}

/// Returns an object as it was applied; `None` if it is gone or was never applied.
pub(super) async fn live(cx: &Context, key: &Key) -> Result<Option<Value>, Error> {
    let kind = key.kind;
    let resource = ApiResource {
        group: kind.group.to_owned(),
        version: kind.version.to_owned(),
        api_version: kind.api_version(),
        kind: kind.kind.to_owned(),
        plural: kind.plural.to_owned(),
    };
    let api: Api<DynamicObject> =
        Api::namespaced_with(cx.client.clone(), &key.namespace, &resource);
    let found = api.get_opt(&key.name).await;
    let Some(mut found) = found.map_err(Error::api("get", key))? else {
        return Ok(None);
    };
    found.types = Some(TypeMeta {
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
    });
    let Value::Object(mut applied) = owned(&json!(found)) else {
        return Ok(None);
    };
    let metadata = applied.entry("metadata").or_insert_with(|| json!({}));
    if let Value::Object(metadata) = metadata {
        metadata.remove("ownerReferences");
        metadata.insert("name".to_owned(), json!(key.name));
        metadata.insert("namespace".to_owned(), json!(key.namespace));
    }
    let mut object = Map::from_iter([
        ("apiVersion".to_owned(), json!(resource.api_version)),
        ("kind".to_owned(), json!(resource.kind)),
    ]);
    object.append(&mut applied);
    Ok(Some(Value::Object(object)))
}

/// Returns the kind and the name of an object.
fn names(object: &Value) -> (Option<&Value>, Option<&Value>) {
    (object.get("kind"), object.pointer("/metadata/name"))
}

/// Replaces the object of the same kind and name, or inserts the object at the front, because pods may need it.
fn replace(objects: &mut Vec<Value>, live: Value) {
    match objects.iter_mut().find(|it| names(it) == names(&live)) {
        Some(object) => *object = live,
        None => objects.insert(0, live),
    }
}

/// Returns the pod template of the ReplicaSet of these pods, if it still exists.
async fn old_template(
    cx: &Context,
    service: &EcsService,
    pods: &str,
) -> Result<Option<Value>, Error> {
    let listed = replica_sets(cx, service, pods, ListParams::default()).await;
    let listed = listed.map_err(Error::resource("list the ReplicaSets of", service))?;
    let mut found = listed.into_iter().filter(|set| {
        // A service that is split over capacity providers has several ReplicaSets with different templates.
        let labels = set.labels();
        !labels.contains_key(crate::translate::CAPACITY_PROVIDER)
    });
    let template = found.next().and_then(|set| set.spec?.template);
    Ok(template.map(|template| {
        let mut template = json!(template);
        if let Some(Value::Object(labels)) = template.pointer_mut("/metadata/labels") {
            labels.remove(TEMPLATE_HASH);
        }
        template
    }))
}

/// Labels the pods of a workload with a service revision.
fn mark(object: &mut Value, pods: &str, template: Option<&Value>) {
    let Some(Value::Object(spec)) = object.get_mut("spec") else {
        return;
    };
    let Some(own) = spec.get_mut("template") else {
        return;
    };
    if let Some(template) = template {
        own.clone_from(template);
    }
    if let Some(Value::Object(labels)) = own.pointer_mut("/metadata/labels") {
        labels.insert(SERVICE_REVISION.to_owned(), json!(pods));
    }
}

/// Returns the deployments of a service that lost its status while its workload runs; `None` if it has none.
pub(super) fn restored(
    service: &EcsService,
    cx: &Context,
    newest: Option<&Newest>,
    pods_there: &[Arc<PodState>],
    now: Timestamp,
) -> Option<Deployments> {
    let known = cx.service_revisions.of(service);
    let objects = newest.map(|newest| newest.rendering.objects.as_slice());
    let objects = objects.unwrap_or_default();
    let workloads = workloads(service, cx, objects);
    let pods = workloads.iter().find_map(|known| known.pods.clone())?;
    let steady = workloads.iter().all(|known| {
        let is_steady = known.workload.as_ref().is_some_and(|it| it.is_steady());
        is_steady && known.pods.as_ref() == Some(&pods)
    });
    let label = |revision: &Revision| revision.kept.inputs.label();
    let of_pods = known
        .iter()
        .find(|revision| pods_of(&revision.id) == &*pods);
    let running = of_pods.map(|revision| (revision.id.clone(), label(revision)));
    let running = running.unwrap_or_else(|| {
        let newest = newest.map(|newest| newest.task_definition.clone());
        (pods.to_string(), newest.unwrap_or_default())
    });
    let others: Vec<(String, String)> = known
        .iter()
        .filter(|revision| revision.id != running.0 && !revision.failed)
        .map(|revision| (revision.id.clone(), label(revision)))
        .collect();
    let failed = known.iter().find(|revision| revision.failed);
    let failed = failed.map(|revision| (revision.id.clone(), label(revision)));
    let remnants = Remnants {
        running: remnant(&running),
        steady,
        others: others.iter().map(remnant).collect(),
        failed: failed.as_ref().map(remnant),
    };
    let uid = service.metadata.uid.as_deref().unwrap_or_default();
    Some(Deployments::rebuilt(uid, &remnants, pods_there, now))
}

fn remnant((revision, task_definition): &(String, String)) -> Remnant<'_> {
    Remnant {
        revision,
        task_definition,
    }
}

/// Returns the Deployments and DaemonSets of a service, including those that have its names and no owner.
fn workloads(service: &EcsService, cx: &Context, objects: &[Value]) -> Vec<Known> {
    let uid = service.uid().unwrap_or_default();
    let with_pods = |known: &Known| known.pods.is_some() && !known.deleting;
    let own = cx.children.of_owner(&uid);
    let own: Vec<Known> = own.into_iter().map(|(_, known)| known).collect();
    if own.iter().any(with_pods) {
        return own.into_iter().filter(with_pods).collect();
    }
    let named = objects.iter().filter_map(|object| Wanted::new(object).ok());
    let there = named.filter_map(|wanted| cx.children.get(&wanted.key));
    let orphans = there.filter(|known| known.owners.is_empty());
    orphans.filter(with_pods).collect()
}
