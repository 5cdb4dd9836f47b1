//! The claims of volumes that outlive tasks.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::Value;

use crate::controller::{
    apply::disown,
    caches::{children::Key, known::Known},
    context::Context,
    error::Error,
    wanted::Wanted,
};

/// Releases the claims that an older operator made an EcsTask own, so that they are not deleted with it.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn let_go(cx: &Context, owner: &OwnerReference) -> Result<(), Error> {
    for (key, known) in cx.children.of_owner(&owner.uid) {
        if outlives_task(&key, &known) && !known.deleting {
            disown(&cx.client, &cx.children, (&key, &known), owner).await?;
        }
    }
    Ok(())
}

/// Whether a claim is not deleted with the task that owns it: one that is deleted with its pod belongs to the pod, and
/// one of a file system has no task label.
pub(super) fn outlives_task(key: &Key, known: &Known) -> bool {
    key.kind.kind == "PersistentVolumeClaim" && known.shared.is_none()
}

/// Returns the names of the claims that pods mount.
pub(super) fn mounted<'a>(pods: impl Iterator<Item = &'a Wanted>) -> BTreeSet<&'a str> {
    let volumes = pods.filter_map(|pod| pod.body.pointer("/spec/volumes")?.as_array());
    let claims = volumes.flatten().filter_map(|volume| {
        let name = volume.pointer("/persistentVolumeClaim/claimName");
        name.and_then(Value::as_str)
    });
    claims.collect()
}
