//! Volumes that nobody can claim any more.

use super::{apply::delete, context::Context};

/// Deletes volumes whose claims are gone. The data stays: they are of file systems that exist by themselves.
pub(super) async fn delete_released(cx: &Context) {
    if !cx.queue.is_leading() {
        return;
    }
    // Those of namespaces that somebody else watches are somebody else's.
    let is_watched = |namespace: &str| {
        cx.namespaces.is_empty() || cx.namespaces.iter().any(|watched| watched == namespace)
    };
    let mut released = cx.children.released();
    released.retain(|(_, known)| known.claim_namespace.as_deref().is_none_or(is_watched));
    for (key, known) in released {
        if let Err(error) = delete(&cx.client, &key, &known).await {
            // A service that needs the name deletes it again.
            tracing::warn!(%error, "a released volume could not be deleted");
        }
    }
}
