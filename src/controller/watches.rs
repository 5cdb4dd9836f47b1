//! Which watches there are, and when they begin.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::join_all};
use kube::{ResourceExt as _, runtime::reflector::ObjectRef};
use tokio::{task::JoinSet, time::sleep};

use super::{
    child_kind::ChildKind,
    cluster,
    context::Context,
    discovery::Cluster,
    references, service, task, task_definition,
    watch::{self, Cache, Filled},
};
use crate::{
    crd::{EcsCluster, EcsService, EcsTask, EcsTaskDefinition},
    settings::Settings,
};

/// How often it is looked whether an add-on was installed.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(30);

/// The caches of the custom resources, to be filled.
pub(super) type Caches = (
    Cache<EcsService>,
    Cache<EcsTask>,
    Cache<EcsTaskDefinition>,
    Cache<EcsCluster>,
);

/// Starts all watches. What is returned ends when all caches are filled.
pub(super) fn start_watches(
    watches: &mut JoinSet<()>,
    cx: &Arc<Context>,
    cluster: &Cluster,
    namespaces: &[String],
    (services, tasks, task_definitions, clusters): Caches,
) -> impl Future<Output = ()> + use<> {
    let mut filled = Vec::new();
    let mut next = || {
        let (tell, told) = Filled::new();
        filled.push(told);
        tell
    };
    for namespace in scopes(namespaces) {
        watches.spawn(watch::pods(cx.clone(), namespace.clone(), next()));
        watches.spawn(watch::revisions(cx.clone(), namespace.clone(), next()));
        watches.spawn(service::watch_service_revisions(
            cx.clone(),
            namespace.clone(),
            next(),
        ));
        let (changed, gone) = (cx.clone(), cx.clone());
        watches.spawn(watch::resources(
            cx.client.clone(),
            namespace.clone(),
            services.clone(),
            cx.resources.services.clone(),
            move |object| references::service_changed(&changed, object),
            move |object| service::forget(&gone, object),
            next(),
        ));
        let (changed, gone) = (cx.clone(), cx.clone());
        watches.spawn(watch::resources(
            cx.client.clone(),
            namespace.clone(),
            tasks.clone(),
            cx.resources.tasks.clone(),
            move |object| references::task_changed(&changed, object),
            move |object| task::forget(&gone, object),
            next(),
        ));
        let (changed, gone) = (cx.clone(), cx.clone());
        watches.spawn(watch::resources(
            cx.client.clone(),
            namespace.clone(),
            task_definitions.clone(),
            cx.resources.task_definitions.clone(),
            move |object| changed.queue.task_definition(ObjectRef::from_obj(object)),
            move |object| task_definition::forget(&gone, object),
            next(),
        ));
        let (changed, gone) = (cx.clone(), cx.clone());
        watches.spawn(watch::resources(
            cx.client.clone(),
            namespace,
            clusters.clone(),
            cx.resources.clusters.clone(),
            move |object: &EcsCluster| {
                cluster::changed(&changed, &object.namespace().unwrap_or_default());
            },
            move |object| cluster::forget(&gone, object),
            next(),
        ));
    }
    for kind in cluster.kinds() {
        for namespace in scopes_of(kind, namespaces) {
            watches.spawn(watch::children(cx.clone(), kind, namespace, next()));
        }
    }
    // A sender that is gone without having told belongs to a watch that ended, which none does.
    join_all(filled).map(drop)
}

/// The namespaces to watch one by one; a single `None` for all together.
fn scopes(namespaces: &[String]) -> Vec<Option<String>> {
    if namespaces.is_empty() {
        return vec![None];
    }
    namespaces.iter().cloned().map(Some).collect()
}

fn scopes_of(kind: &ChildKind, namespaces: &[String]) -> Vec<Option<String>> {
    if kind.namespaced {
        scopes(namespaces)
    } else {
        vec![None]
    }
}

/// Looks for add-ons that were installed or removed, and has everything reconciled when that was so.
pub(super) async fn discover(cx: Arc<Context>, mut cluster: Cluster, namespaces: Vec<String>) {
    let mut watched: BTreeSet<&'static ChildKind> = cluster.kinds().into_iter().collect();
    let mut watches = JoinSet::new();
    loop {
        sleep(DISCOVERY_INTERVAL).await;
        let found = match Cluster::discover(&cx.client).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot find out what the cluster has");
                continue;
            }
        };
        if found == cluster {
            continue;
        }
        tracing::info!(addons = ?found.addons, "the add-ons of the cluster have changed");
        let mut filled = Vec::new();
        for kind in found.kinds() {
            if !watched.insert(kind) {
                continue;
            }
            for namespace in scopes_of(kind, &namespaces) {
                let (tell, told) = Filled::new();
                filled.push(told);
                watches.spawn(watch::children(cx.clone(), kind, namespace, tell));
            }
        }
        join_all(filled).await;
        if let Ok(mut settings) = cx.settings.write() {
            *settings = Arc::new(Settings {
                addons: found.addons.clone(),
                ..Settings::clone(&settings)
            });
        }
        cluster = found;
        cx.queue.everything(&cx.resources);
    }
}
