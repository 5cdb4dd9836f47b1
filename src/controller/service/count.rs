//! The count in the spec of a service, and its owner who may leave it to the autoscaler.
//!
//! A spec with `autoScaling` needs no `desiredCount`, so that whoever applies it again does not reset what the autoscaler
//! has chosen. But the `scale` subresource, which autoscalers read and write, is that member: the API server refuses to
//! show the scale of an object without it
//! (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#scale-subresource>).
//! So the operator writes it there once, as an autoscaler would.

use k8s_openapi::{
    api::autoscaling::v1::Scale, apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry,
};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    controller::{
        caches::{child_kind::ChildKind, children::Key, owned_fields::FIELD_MANAGER},
        context::Context,
        error::Error,
    },
    crd::{EcsService, ServiceStatus, Spec},
    decide::scaling::Range,
};

/// Returns the service with the count that its spec lacks; `None` if it lacks none. This is the last count, so that
/// nothing happens to what runs when the owner takes the member out of the spec, and the lower end of the range for a
/// new service. `running` is the count of what runs, for a service without a status.
pub(super) fn completed(
    service: &EcsService,
    status: &ServiceStatus,
    running: impl FnOnce() -> Option<i64>,
) -> Option<(EcsService, i64)> {
    let text = service.spec.text();
    // Most specs are not parsed for this.
    if !text.contains("\"scalableTarget\"") {
        return None;
    }
    let mut spec: Value = service.spec.parse().ok()?;
    if spec.get("desiredCount").is_some() {
        return None;
    }
    if is_daemon(&spec) {
        return None;
    }
    let range = range(&spec)?;
    let last = status.desired_count.or_else(running);
    let count = range.nearest(last.unwrap_or(range.min));
    spec.as_object_mut()?
        .insert("desiredCount".to_owned(), json!(count));
    let completed = EcsService {
        spec: Spec::from(spec),
        ..service.clone()
    };
    Some((completed, count))
}

/// Returns how many tasks a spec asks for; `None` for one on each node.
pub(super) fn desired_count(spec: &Spec) -> Option<i64> {
    let members: Value = spec.parse().ok()?;
    let count = members.get("desiredCount")?.as_i64()?;
    (!is_daemon(&members)).then_some(count.clamp(0, i64::from(i32::MAX)))
}

/// Whether a spec asks for one task on each node.
pub(super) fn is_daemon(members: &Value) -> bool {
    members.get("schedulingStrategy").and_then(Value::as_str) == Some("DAEMON")
}

/// Returns a spec with another number of tasks, if it is known.
pub(super) fn with_desired_count(spec: &Spec, desired: Option<i64>) -> Spec {
    match (spec.parse::<Value>(), desired) {
        (Ok(Value::Object(mut members)), Some(desired)) => {
            members.insert("desiredCount".to_owned(), json!(desired));
            Spec::from(Value::Object(members))
        }
        _ => spec.clone(),
    }
}

/// Returns the range of a spec that was accepted when its deployment began, and what has been allowed since, as the number
/// of tasks shows.
pub(super) fn range_around(spec: &Spec, running: Option<i64>) -> Option<Range> {
    let range = range_of(spec)?;
    Some(running.map_or(range, |running| range.widened_to(running)))
}

/// Returns the range of a spec.
pub(super) fn range_of(spec: &Spec) -> Option<Range> {
    range(&spec.parse().ok()?)
}

/// Returns the range of a scalable target, if it has both ends in their order.
fn range(members: &Value) -> Option<Range> {
    let target = members.pointer("/autoScaling/scalableTarget")?;
    let capacity = |name: &str| target.get(name).and_then(Value::as_i64);
    let (min, max) = (capacity("MinCapacity")?, capacity("MaxCapacity")?);
    (min <= max).then_some(Range { min, max })
}

/// Returns a spec without its scaling, whose range would bound the number of tasks.
pub(super) fn without_scaling(spec: &Spec) -> Spec {
    let Ok(Value::Object(mut members)) = spec.parse::<Value>() else {
        return spec.clone();
    };
    members.remove("autoScaling");
    Spec::from(Value::Object(members))
}

/// Returns how many tasks the Deployments of a service want: its own, or the one of its name that a service which was
/// deleted without its tasks has left.
pub(super) fn running(cx: &Context, service: &EcsService) -> Option<i64> {
    let kind = ChildKind::of("apps/v1", "Deployment")?;
    let own = cx.children.of_owner(service.metadata.uid.as_deref()?);
    let own = own.into_iter().filter(|(key, _)| key.kind == kind);
    let counts = own.filter_map(|(_, known)| Some(known.workload?.desired));
    let left = || {
        let known = cx.children.get(&Key {
            kind,
            namespace: service.namespace()?.into(),
            name: service.name_any().into(),
        })?;
        let is_orphan = known.owners.is_empty();
        known.workload.filter(|_| is_orphan).map(|it| it.desired)
    };
    counts.reduce(|one, other| one + other).or_else(left)
}

/// Writes the count into the scale of a service that has none.
///
/// # Errors
///
/// When the request fails, or the service has changed.
pub(super) async fn write(cx: &Context, service: &EcsService, count: i64) -> Result<(), Error> {
    let scale = json!({
        "metadata": {"resourceVersion": cx.services.version(service)},
        "spec": {"replicas": count},
    });
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let namespace = service.namespace().unwrap_or_default();
    let api: Api<EcsService> = Api::namespaced(cx.client.clone(), &namespace);
    let written = api
        .patch_scale(&service.name_any(), &params, &Patch::Merge(scale))
        .await;
    written
        .map(|_: Scale| ())
        .map_err(Error::resource("write the count of", service))
}

/// Where `kubectl apply` keeps what it has applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether someone gives a count, and sets it again with the next apply.
pub(super) fn is_given(service: &EcsService) -> bool {
    let applied = service.annotations().get(LAST_APPLIED);
    let applied: Value = applied
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    applied.pointer("/spec/desiredCount").is_some() || !service.managed_fields().is_empty()
}

/// Keeps of the field managers only those that set `desiredCount` as a member of the spec, and of these only the names:
/// their next apply sets it again.
pub(super) fn keep_owners_of_count(managers: &mut Vec<ManagedFieldsEntry>) {
    managers.retain(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        let count = fields.and_then(|fields| fields.pointer("/f:spec/f:desiredCount"));
        count.is_some() && entry.subresource.as_deref() != Some("scale")
    });
    for entry in managers.iter_mut() {
        *entry = ManagedFieldsEntry {
            manager: entry.manager.take(),
            ..ManagedFieldsEntry::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(spec: Value) -> EcsService {
        EcsService {
            spec: Spec::from(spec),
            ..EcsService::default()
        }
    }

    fn range(min: i64, max: i64) -> Value {
        json!({"scalableTarget": {"MinCapacity": min, "MaxCapacity": max}})
    }

    #[test]
    fn a_count_is_completed_only_where_an_autoscaler_takes_it_over() {
        for spec in [
            json!({"desiredCount": 3, "autoScaling": range(2, 6)}),
            json!({"desiredCount": 3}),
            json!({}),
            json!({"schedulingStrategy": "DAEMON", "autoScaling": range(2, 6)}),
            json!({"autoScaling": range(6, 2)}),
            json!({"autoScaling": {"scalableTarget": {"MinCapacity": "2"}}}),
            json!({"autoScaling": []}),
        ] {
            let found = completed(&service(spec.clone()), &ServiceStatus::default(), || None);
            assert!(found.is_none(), "{spec}");
        }
    }

    #[test]
    fn what_ran_before_stays_within_the_range() {
        for (reported, running, expected) in [
            (None, None, 2),
            (Some(4), None, 4),
            (Some(9), None, 6),
            (Some(0), None, 2),
            // The status was lost, or the service was deleted without its tasks.
            (None, Some(5), 5),
            (Some(4), Some(5), 4),
        ] {
            let status = ServiceStatus {
                desired_count: reported,
                ..ServiceStatus::default()
            };
            // A member of that name elsewhere is no count.
            let spec = json!({"autoScaling": range(2, 6), "tags": [{"desiredCount": 1}]});
            let found = completed(&service(spec), &status, || running);
            let (completed, count) = found.expect("it lacks a count");
            assert_eq!(count, expected, "{reported:?} {running:?}");
            let spec: Value = completed.spec.parse().expect("it is JSON");
            assert_eq!(spec["desiredCount"], expected);
        }
    }

    #[test]
    fn whoever_only_scales_does_not_set_the_member() {
        let count = json!({"f:spec": {"f:desiredCount": {}}});
        let mut managers: Vec<ManagedFieldsEntry> = serde_json::from_value(json!([
            {"manager": "argocd", "operation": "Apply", "fieldsV1": count},
            {"manager": "hpa", "operation": "Update", "subresource": "scale", "fieldsV1": count},
            {"manager": "flux", "operation": "Apply", "fieldsV1": {"f:spec": {"f:taskDefinition": {}}}},
        ]))
        .expect("they are field managers");
        keep_owners_of_count(&mut managers);
        let names: Vec<_> = managers.iter().map(|it| it.manager.as_deref()).collect();
        assert_eq!(names, [Some("argocd")]);
        assert!(managers.iter().all(|entry| entry.fields_v1.is_none()));
    }
}
