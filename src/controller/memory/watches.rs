//! The handling of watch events.

use k8s_openapi::api::{apps::v1::ControllerRevision, core::v1::Pod};
use kube::{
    Resource as _, ResourceExt as _,
    runtime::{reflector::ObjectRef, watcher::Event},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::request::Place;
use crate::{
    controller::{
        caches::{
            child::Child,
            child_kind::{ALL, ChildKind},
            revisions::TASK_DEFINITION,
        },
        context::Context,
        kind::{Reconciled, differs},
    },
    crd::{
        AppRunnerService, EcsCapacityProvider, EcsCluster, EcsPipe, EcsRule, EcsSchedule,
        EcsService, EcsTask, EcsTaskDefinition,
    },
    settings::SERVICE_REVISION,
};

/// Updates the cache of a kind with an object that exists or is gone, as its watch does.
pub(super) fn observe(cx: &Context, place: &Place, object: &Value, gone: bool) {
    match (place.group.as_str(), place.plural.as_str()) {
        ("ecs-operator.dev", "apprunnerservices") => {
            resource::<AppRunnerService>(cx, object, gone);
        }
        ("ecs-operator.dev", "ecscapacityproviders") => {
            resource::<EcsCapacityProvider>(cx, object, gone);
        }
        ("ecs-operator.dev", "ecsclusters") => resource::<EcsCluster>(cx, object, gone),
        ("ecs-operator.dev", "ecstaskdefinitions") => {
            resource::<EcsTaskDefinition>(cx, object, gone);
        }
        ("ecs-operator.dev", "ecsservices") => resource::<EcsService>(cx, object, gone),
        ("ecs-operator.dev", "ecspipes") => resource::<EcsPipe>(cx, object, gone),
        ("ecs-operator.dev", "ecsrules") => resource::<EcsRule>(cx, object, gone),
        ("ecs-operator.dev", "ecsschedules") => resource::<EcsSchedule>(cx, object, gone),
        ("ecs-operator.dev", "ecstasks") => resource::<EcsTask>(cx, object, gone),
        ("apps", "controllerrevisions") => observe_revision(cx, object, gone),
        ("", "pods") if is_ours(object) => {
            let pod: Pod = read(object);
            let concerned = if gone {
                cx.pods.forget(&pod)
            } else {
                cx.pods.observe(&pod)
            };
            if let Some(owner) = concerned {
                cx.ask_owner(owner);
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
            cx.ask::<EcsTaskDefinition>(ObjectRef::new(&name).within(&namespace));
        }
    }
    let concerned = match has(SERVICE_REVISION) {
        true if gone => cx.service_revisions.forget(&revision),
        true => cx.service_revisions.observe(&revision),
        false => None,
    };
    if let Some((namespace, name)) = concerned {
        cx.ask::<EcsService>(ObjectRef::new(&name).within(&namespace));
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
        cx.ask_owner(owner);
    }
}

/// Updates the cache of a kind of custom resource with an object that exists or is gone.
fn resource<K: Reconciled>(cx: &Context, object: &Value, is_gone: bool) {
    let of_kind = K::all(cx);
    let mut object: K = read(object);
    K::keep_managers(object.managed_fields_mut());
    if is_gone {
        of_kind.cache.apply(&Event::Delete(object.clone()));
        of_kind.forget(&object);
        cx.backoff.succeeded(&object.uid().unwrap_or_default());
        object.gone(cx);
        return;
    }
    let known = of_kind.store.get(&ObjectRef::from_obj(&object));
    of_kind.cache.apply(&Event::Apply(object.clone()));
    of_kind.returned(&object);
    if known.is_none_or(|known| differs(&*known, &object)) {
        object.changed(cx);
    }
}

fn read<K: DeserializeOwned>(object: &Value) -> K {
    K::deserialize(object).expect("it can be read")
}

/// Whether the watches of the operator's own objects report an object.
fn is_ours(object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    labels["app.kubernetes.io/managed-by"] == "ecs-operator"
}
