//! What manifests make of the resources of a namespace.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use serde_json::{Value, json};

use super::{
    applied::applied,
    snapshot::{KINDS, Resources, Snapshot},
};

/// The UID of an object that does not exist yet.
const NEW: &str = "00000000-0000-0000-0000-000000000000";

/// Whether a manifest is a policy.
pub(super) fn is_policy(manifest: &Value) -> bool {
    is_of_kind(manifest, "EcsPolicy")
}

/// Whether a manifest of our own group is of a kind without namespaces. It counts, and is not compared itself.
#[must_use]
pub fn is_of_cluster(manifest: &Value) -> bool {
    is_policy(manifest) || is_capacity_provider(manifest)
}

/// Whether a manifest is a capacity provider.
pub(super) fn is_capacity_provider(manifest: &Value) -> bool {
    is_of_kind(manifest, "EcsCapacityProvider")
}

/// Whether a manifest is a namespace.
#[must_use]
pub fn is_namespace(manifest: &Value) -> bool {
    is_of_kind(manifest, "Namespace")
}

/// Whether a manifest is a schedule, a rule or a pipe. It starts tasks later, and nothing when it is applied.
#[must_use]
pub fn is_starter(manifest: &Value) -> bool {
    let kinds = ["EcsPipe", "EcsRule", "EcsSchedule"];
    kinds.iter().any(|kind| is_of_kind(manifest, kind))
}

/// Whether a manifest is an App Runner service, from which the operator makes what is compared.
#[must_use]
pub fn is_app_runner_service(manifest: &Value) -> bool {
    is_of_kind(manifest, "AppRunnerService")
}

/// Whether a manifest of our own group has a kind that exists and a name.
#[must_use]
pub fn is_known(manifest: &Value) -> bool {
    let name = manifest.pointer("/metadata/name").and_then(Value::as_str);
    let is_other =
        is_of_cluster(manifest) || is_starter(manifest) || is_app_runner_service(manifest);
    place(manifest).is_some() || (is_other && name.is_some())
}

fn is_of_kind(manifest: &Value, kind: &str) -> bool {
    manifest.get("kind").and_then(Value::as_str) == Some(kind)
}

/// Returns the kind and name of a manifest of ours.
pub(super) fn place(manifest: &Value) -> Option<(String, String)> {
    let text = |path: &str| manifest.pointer(path).and_then(Value::as_str);
    let (kind, name) = (text("/kind")?, text("/metadata/name")?);
    let is_ours = KINDS.iter().any(|(of, _)| *of == kind);
    is_ours.then(|| (kind.to_owned(), name.to_owned()))
}

/// Returns what manifests name, each once.
pub(super) fn places(manifests: &[Value]) -> Vec<(String, String)> {
    let mut places = Vec::new();
    for place in manifests.iter().filter_map(place) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// Returns the resources after the apply; the last manifest of a name counts.
pub(super) fn resources(snapshot: &Snapshot, manifests: &[Value]) -> Resources {
    let mut after = snapshot.resources.clone();
    for manifest in manifests {
        let Some(place) = place(manifest) else {
            continue;
        };
        let object = match snapshot.resources.get(&place) {
            Some(live) => changed(live, manifest),
            None => {
                let (kind, name) = &place;
                let new = json!({
                    "apiVersion": manifest.get("apiVersion"), "kind": kind,
                    "metadata": {
                        "name": name, "namespace": snapshot.namespace, "uid": NEW,
                        "generation": 1, "creationTimestamp": Time(Timestamp::now()),
                    },
                });
                applied(&new, manifest)
            }
        };
        after.insert(place, object);
    }
    after
}

/// Returns a live resource after the apply of a manifest. A changed spec has another generation.
fn changed(live: &Value, manifest: &Value) -> Value {
    let mut after = applied(live, manifest);
    if after.get("spec") != live.get("spec") {
        let generation = live.pointer("/metadata/generation").and_then(Value::as_i64);
        if let Some(Value::Object(metadata)) = after.get_mut("metadata") {
            let next = generation.unwrap_or(0).saturating_add(1);
            metadata.insert("generation".to_owned(), next.into());
        }
    }
    after
}
