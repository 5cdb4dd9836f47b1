//! Volumes that nobody can claim any more, or nobody will.

use std::sync::Arc;

use crate::controller::{
    apply::delete_unchanged,
    caches::children::{Key, Known},
    context::Context,
};

/// Deletes volumes whose claims are gone. The data stays: they are of file systems that exist by themselves.
pub(crate) async fn delete_released(cx: &Context) {
    for (key, known) in ours(cx, cx.children.released()) {
        // Somebody may just have made it available again.
        if let Err(error) = delete_unchanged(&cx.client, &key, &known).await {
            // A service that needs the name deletes it again.
            tracing::warn!(%error, "a released volume could not be deleted");
        }
    }
}

/// Deletes volumes whose service or task was gone before the claim was bound: no claim gives them back.
pub(crate) async fn delete_unclaimed(cx: Arc<Context>) {
    loop {
        cx.unclaimed.notified().await;
        delete_those_unclaimed(&cx).await;
    }
}

async fn delete_those_unclaimed(cx: &Context) {
    for (key, known) in ours(cx, cx.children.unclaimed()) {
        // A claim may have been made and bound meanwhile.
        if let Err(error) = delete_unchanged(&cx.client, &key, &known).await {
            tracing::warn!(%error, "a volume that nobody claims could not be deleted");
        }
    }
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
