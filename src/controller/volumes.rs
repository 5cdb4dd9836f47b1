//! Volumes that can no longer be claimed, or never will be.

use std::sync::Arc;

use tokio::time::sleep;

use crate::controller::{
    apply::delete_unchanged,
    caches::{children::Key, known::Known},
    context::Context,
};

/// The key under which failures of volumes are counted.
const VOLUMES: &str = "volumes";

/// Deletes volumes whose claims are gone. The data stays, because the file systems exist independently.
/// [`delete_unclaimed`] retries what cannot be deleted now.
pub(crate) async fn delete_released(cx: &Context) {
    if !delete_those_released(cx).await {
        cx.unclaimed.notify_one();
    }
}

/// Deletes volumes whose service or task was deleted before the claim was bound, because no claim ever releases them.
/// It also retries those that could not be deleted when their claims were gone, because nothing else would report them
/// again.
pub(crate) async fn delete_unclaimed(cx: Arc<Context>) {
    loop {
        cx.unclaimed.notified().await;
        while !delete_those_unneeded(&cx).await {
            sleep(cx.backoff.failed(VOLUMES)).await;
        }
        cx.backoff.succeeded(VOLUMES);
    }
}

/// Deletes the volumes that can no longer be claimed or never will be. Returns whether none is left.
pub(crate) async fn delete_those_unneeded(cx: &Context) -> bool {
    let mut all = delete_those_released(cx).await;
    for (key, known) in ours(cx, cx.children.unclaimed()) {
        // A claim may have been created and bound in the meantime.
        if let Err(error) = delete_unchanged(&cx.client, &key, &known).await {
            tracing::warn!(%error, "an unclaimed volume could not be deleted");
            all = false;
        }
    }
    all
}

async fn delete_those_released(cx: &Context) -> bool {
    let mut all = true;
    for (key, known) in ours(cx, cx.children.released()) {
        if let Err(error) = delete_unchanged(&cx.client, &key, &known).await {
            // A service that needs the name deletes it again.
            tracing::warn!(%error, "a released volume could not be deleted");
            all = false;
        }
    }
    all
}

/// Filters out the volumes of namespaces that another operator watches.
fn ours(cx: &Context, mut volumes: Vec<(Arc<Key>, Known)>) -> Vec<(Arc<Key>, Known)> {
    let is_watched = |namespace: &str| {
        cx.namespaces.is_empty() || cx.namespaces.iter().any(|watched| watched == namespace)
    };
    volumes.retain(|(_, known)| {
        let volume = known.volume.as_ref();
        cx.is_leading() && volume.is_some_and(|volume| is_watched(&volume.namespace))
    });
    volumes
}
