//! What the watches of the operator do with what they are told.

use std::fmt::Debug;

use k8s_openapi::api::{apps::v1::ControllerRevision, core::v1::Pod};
use kube::{
    Resource, ResourceExt as _,
    runtime::{
        reflector::{ObjectRef, Store as Cached},
        watcher::Event,
    },
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::request::Place;
use crate::{
    controller::{
        caches::{
            child::Child,
            child_kind::{ALL, ChildKind},
            references,
            revisions::TASK_DEFINITION,
            watch::{Cache, differs},
        },
        cluster,
        context::Context,
        process::Operator,
        service, task, task_definition,
    },
    crd::EcsCluster,
    settings::SERVICE_REVISION,
};

/// Tells the cache of a kind that an object is so, or gone, as its watch does.
pub(super) fn observe(operator: &Operator, place: &Place, object: &Value, gone: bool) {
    let cx = &operator.cx;
    match (place.group.as_str(), place.plural.as_str()) {
        ("ecs-operator.dev", "ecsclusters") => resource(
            (&operator.clusters.0, &cx.resources.clusters),
            (object, gone),
            |it: &EcsCluster| cluster::changed(cx, &it.namespace().unwrap_or_default()),
            |it| cluster::forget(cx, it),
        ),
        ("ecs-operator.dev", "ecstaskdefinitions") => resource(
            (&operator.task_definitions.0, &cx.resources.task_definitions),
            (object, gone),
            |it| cx.queue.task_definition(ObjectRef::from_obj(it)),
            |it| task_definition::forget(cx, it),
        ),
        ("ecs-operator.dev", "ecsservices") => resource(
            (&operator.services.0, &cx.resources.services),
            (object, gone),
            |it| references::service_changed(cx, it),
            |it| service::forget(cx, it),
        ),
        ("ecs-operator.dev", "ecstasks") => resource(
            (&operator.tasks.0, &cx.resources.tasks),
            (object, gone),
            |it| references::task_changed(cx, it),
            |it| task::forget(cx, it),
        ),
        ("apps", "controllerrevisions") => observe_revision(cx, object, gone),
        ("", "pods") if is_ours(object) => {
            let pod: Pod = read(object);
            let concerned = if gone {
                cx.pods.forget(&pod)
            } else {
                cx.pods.observe(&pod)
            };
            if let Some(owner) = concerned {
                cx.queue.owner(owner);
            }
        }
        _ => observe_child(cx, place, object, gone),
    }
}

fn observe_revision(cx: &Context, object: &Value, gone: bool) {
    let revision: ControllerRevision = read(object);
    let has = |label: &str| revision.labels().contains_key(label);
    if has(TASK_DEFINITION) {
        let concerned = if gone {
            cx.revisions.forget(&revision)
        } else {
            cx.revisions.observe(&revision)
        };
        if let Some((namespace, name)) = concerned {
            cx.revised(&namespace, &name);
            cx.queue
                .task_definition(ObjectRef::new(&name).within(&namespace));
        }
    }
    if has(SERVICE_REVISION) && gone {
        cx.service_revisions.forget(&revision);
    } else if has(SERVICE_REVISION) {
        cx.service_revisions.observe(&revision);
    }
}

fn observe_child(cx: &Context, place: &Place, object: &Value, gone: bool) {
    let is_it = |kind: &&ChildKind| place.is_of(kind.group, kind.plural);
    let Some(kind) = ALL.iter().find(is_it).filter(|_| is_ours(object)) else {
        return;
    };
    let child = Child::of(object);
    let mut concerned = if gone {
        cx.children.forget(kind, &child)
    } else {
        cx.children.observe(kind, &child)
    };
    if gone && kind.kind == "PersistentVolumeClaim" {
        cx.unclaimed.notify_one();
    }
    if child.meta().deletion_timestamp.is_some() {
        concerned.extend(cx.children.owners(kind, &child));
    }
    for owner in concerned {
        cx.queue.owner(owner);
    }
}

/// Tells the cache of a kind of custom resource that one is so, or gone.
fn resource<K>(
    (cache, store): (&Cache<K>, &Cached<K>),
    (object, is_gone): (&Value, bool),
    changed: impl Fn(&K),
    gone: impl Fn(&K),
) where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    let object: K = read(object);
    let known = store.get(&ObjectRef::from_obj(&object));
    if is_gone {
        cache.apply(&Event::Delete(object.clone()));
        gone(&object);
        return;
    }
    cache.apply(&Event::Apply(object.clone()));
    if known.is_none_or(|known| differs(&*known, &object)) {
        changed(&object);
    }
}

fn read<K: DeserializeOwned>(object: &Value) -> K {
    K::deserialize(object).expect("it can be read")
}

/// Whether the watches of what the operator makes tell of an object.
fn is_ours(object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    labels["app.kubernetes.io/managed-by"] == "ecs-operator"
}
