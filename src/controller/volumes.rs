//! Volumes that nobody can claim any more, or nobody will.

use std::sync::Arc;

use tokio::time::sleep;

use crate::controller::{
    apply::delete_unchanged,
    caches::{children::Key, known::Known},
    context::Context,
};

/// What the failures of all of this are counted under.
const VOLUMES: &str = "volumes";

/// Deletes volumes whose claims are gone. The data stays: they are of file systems that exist by themselves. What cannot
/// be deleted now is tried again by [`delete_unclaimed`].
pub(crate) async fn delete_released(cx: &Context) {
    if !delete_those_released(cx).await {
        cx.unclaimed.notify_one();
    }
}

/// Deletes volumes whose service or task was gone before the claim was bound: no claim gives them back. And those that
/// could not be deleted when their claims were gone: nothing else would tell of them again.
pub(crate) async fn delete_unclaimed(cx: Arc<Context>) {
    loop {
        cx.unclaimed.notified().await;
        while !delete_those_unneeded(&cx).await {
            sleep(cx.backoff.failed(VOLUMES)).await;
        }
        cx.backoff.succeeded(VOLUMES);
    }
}

/// Deletes the volumes that nobody can claim now, or nobody will. Returns whether none of them is left.
pub(crate) async fn delete_those_unneeded(cx: &Context) -> bool {
    let mut all = delete_those_released(cx).await;
    for (key, known) in ours(cx, cx.children.unclaimed()) {
        // A claim may have been made and bound meanwhile.
        if let Err(error) = delete_unchanged(&cx.client, &key, &known).await {
            tracing::warn!(%error, "a volume that nobody claims could not be deleted");
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

/// Those that are for this process to delete: not the ones of namespaces that another operator watches.
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
