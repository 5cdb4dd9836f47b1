//! What of a service is judged, and when.

use kube::{Resource as _, ResourceExt as _};
use serde_json::Value;

use super::{
    adoption::live,
    plan::{Newest, Plan},
};
use crate::{
    controller::{
        caches::owned_fields::digest_of_wanted,
        capacity_provider::check_platform,
        cluster::complete,
        context::Context,
        permitted::{Deployed, NotPermitted, metrics_permitted, pods_permitted},
        wanted::Wanted,
    },
    crd::EcsService,
    diagnostic::Subject,
    source::read_service,
};

/// Judges a deployment that would begin. While it `waits`, the API server is not asked about its pods yet.
///
/// # Errors
///
/// Why it may not.
pub(super) async fn to_begin(
    service: &EcsService,
    cx: &Context,
    newest: &Newest,
    waits: bool,
) -> Result<(), NotPermitted> {
    let namespace = service.namespace().unwrap_or_default();
    let objects: Vec<&Value> = newest.rendering.objects.iter().collect();
    deployed(newest, &namespace, objects.clone()).permitted(cx)?;
    let (mut request, ..) = read_service(&service.name_any(), newest.inputs.service.text());
    complete(&mut request, newest.by.cluster.as_ref());
    let strategy = &request.capacity_provider_strategy;
    check_platform(cx, strategy, &newest.inputs.task_definition).map_err(NotPermitted::Refused)?;
    if waits {
        return Ok(());
    }
    pods_permitted(cx, &namespace, &objects).await
}

/// Judges what is applied of the spec of a running service: only its autoscaler may be another one.
///
/// # Errors
///
/// Why it may not be.
pub(super) async fn to_go_on(
    service: &EcsService,
    cx: &Context,
    newest: &Newest,
) -> Result<(), NotPermitted> {
    scales(service, cx, &newest.rendering.objects).await
}

/// Judges a rendering of a revision that is no longer stored. Only objects that exist show that it ran: nobody but the
/// operator may have made them, or somebody who can use the same alone. `live` are those of the service.
///
/// # Errors
///
/// Why it may not be stored again.
pub(super) fn to_store_again(
    service: &EcsService,
    cx: &Context,
    newest: &Newest,
    (objects, live): (&[Value], &[Value]),
) -> Result<(), NotPermitted> {
    let namespace = service.namespace().unwrap_or_default();
    let exists = |object: &&Value| {
        // The names of volumes have that of the namespace.
        let of_namespace = ["PersistentVolume", "VolumeSnapshotContent"];
        let kind = object.get("kind").and_then(Value::as_str);
        let wanted = Wanted::new(object).ok();
        kind.is_some_and(|kind| of_namespace.contains(&kind))
            && wanted.is_some_and(|it| cx.children.get(&it.key).is_some())
    };
    let proven: Vec<&Value> = objects.iter().filter(exists).chain(live).collect();
    deployed(newest, &namespace, objects.iter().collect()).permitted_beside(cx, &proven)
}

fn deployed<'a>(newest: &'a Newest, namespace: &'a str, objects: Vec<&'a Value>) -> Deployed<'a> {
    Deployed {
        namespace,
        objects,
        own: &newest.inputs.service,
        subject: Subject::Service,
        task_definition: &newest.inputs.task_definition,
        cluster: newest.by.cluster.as_ref(),
        settings: &newest.by.settings,
        annotations: &newest.inputs.annotations,
    }
}

/// Leaves the autoscaler of a service as it is if the one in a plan may not read its metrics.
pub(super) async fn spare_scaler(service: &EcsService, cx: &Context, plan: &mut Plan) {
    if scales(service, cx, &plan.objects).await.is_err() {
        plan.objects.retain(|object| !is_scaler(object));
        plan.spares_autoscaler = true;
    }
}

/// Judges the autoscalers among objects, which are applied without a deployment. What those that exist read stays
/// permitted.
async fn scales(service: &EcsService, cx: &Context, objects: &[Value]) -> Result<(), NotPermitted> {
    let scalers: Vec<&Value> = objects.iter().filter(|it| is_scaler(it)).collect();
    let namespace = service.namespace().unwrap_or_default();
    let judge =
        |before: &[Value]| metrics_permitted(cx, &namespace, &service.spec, (&scalers, before));
    let Err(refused) = judge(&[]) else {
        return Ok(());
    };
    let mut there = Vec::new();
    for scaler in &scalers {
        let known = Wanted::new(scaler).ok().and_then(|wanted| {
            let known = cx.children.get(&wanted.key)?;
            Some((wanted, known))
        });
        let Some((wanted, known)) = known else {
            return Err(refused);
        };
        let owner = service.controller_owner_ref(&()).unwrap_or_default();
        if known.is(digest_of_wanted(&wanted.body(&owner, Some(&known)))) {
            // Nothing is applied.
            there.push(Value::clone(scaler));
        } else {
            there.extend(live(cx, &wanted.key).await.ok().flatten());
        }
    }
    judge(&there)
}

fn is_scaler(object: &Value) -> bool {
    object.get("kind").and_then(Value::as_str) == Some("ScaledObject")
}
