//! The watches, and when they start.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

use super::discovery::Cluster;
use crate::{
    controller::{
        caches::{
            child_kind::ChildKind,
            policies::{NAMESPACES, POLICIES, watch_namespaces, watch_policies},
            watch,
        },
        capacity_provider::CAPACITY_PROVIDERS,
        context::Context,
        kind::Reconciled,
        service,
        volumes::delete_unclaimed,
    },
    crd::{EcsCapacityProvider, EcsCluster, EcsService, EcsTask, EcsTaskDefinition},
    settings::Settings,
};

/// How often to check whether add-ons were installed.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(30);

/// Starts all watches. [`Context::catch_up`] shows when the caches are filled.
pub(crate) fn start_watches(
    watches: &mut JoinSet<()>,
    cx: &Arc<Context>,
    cluster: &Cluster,
    namespaces: &[String],
) {
    for namespace in scopes(namespaces) {
        let (pods, revisions) = (cx.catch_up.register(None), cx.catch_up.register(None));
        watches.spawn(watch::pods(cx.clone(), namespace.clone(), pods));
        watches.spawn(watch::revisions(cx.clone(), namespace.clone(), revisions));
        watches.spawn(service::watch_service_revisions(
            cx.clone(),
            namespace.clone(),
            cx.catch_up.register(None),
        ));
        start::<EcsService>(watches, cx, namespace.clone());
        start::<EcsTask>(watches, cx, namespace.clone());
        start::<EcsTaskDefinition>(watches, cx, namespace.clone());
        start::<EcsCluster>(watches, cx, namespace);
    }
    let (policies, all) = (
        cx.catch_up.register(Some(&POLICIES)),
        cx.catch_up.register(Some(&NAMESPACES)),
    );
    watches.spawn(watch_policies(cx.clone(), policies));
    watches.spawn(watch_namespaces(cx.clone(), all));
    watches.spawn(delete_unclaimed(cx.clone()));
    if cluster.may_serve(&CAPACITY_PROVIDERS) {
        // Without a watch, there would seem to be none.
        watch_capacity_providers(watches, cx);
    }
    for kind in cluster.kinds() {
        for namespace in scopes_of(kind, namespaces) {
            let filling = cx.catch_up.register(Some(kind));
            watches.spawn(watch::children(cx.clone(), kind, namespace, filling));
        }
    }
}

/// Starts the watch of the custom resources of a kind.
fn start<K: Reconciled>(watches: &mut JoinSet<()>, cx: &Arc<Context>, namespace: Option<String>) {
    let filling = cx.catch_up.register(None);
    watches.spawn(watch::resources::<K>(cx.clone(), namespace, filling));
}

/// Starts the watch of capacity providers, which have no namespace. Definitions of an older version do not have the kind.
fn watch_capacity_providers(watches: &mut JoinSet<()>, cx: &Arc<Context>) {
    let filling = cx.catch_up.register(Some(&CAPACITY_PROVIDERS));
    let watch = watch::resources::<EcsCapacityProvider>(cx.clone(), None, filling);
    watches.spawn(watch);
}

/// Returns the namespaces to watch one by one; a single `None` for all of them together.
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

/// Detects installed and removed add-ons, and then triggers the reconcile of everything.
pub(crate) async fn discover(cx: Arc<Context>, mut cluster: Cluster, namespaces: Vec<String>) {
    let mut watched: BTreeSet<&'static ChildKind> = cluster.kinds().into_iter().collect();
    let mut watches_providers = cluster.may_serve(&CAPACITY_PROVIDERS);
    let mut watches = JoinSet::new();
    loop {
        tokio::select! {
            () = sleep(DISCOVERY_INTERVAL) => {}
            // Without its watch, a cache would become stale unnoticed.
            Some(_) = watches.join_next() => return,
        }
        let found = match Cluster::discover(&cx.client, &cluster).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot discover the add-ons of the cluster");
                continue;
            }
        };
        cx.addons_known.store(found.knows_all(), Ordering::SeqCst);
        if !found.differs(&cluster) {
            continue;
        }
        let addons = found.addons();
        tracing::info!(?addons, "the add-ons of the cluster have changed");
        for kind in found.kinds() {
            if !watched.insert(kind) {
                continue;
            }
            for namespace in scopes_of(kind, &namespaces) {
                let filling = cx.catch_up.register(Some(kind));
                watches.spawn(watch::children(cx.clone(), kind, namespace, filling));
            }
        }
        if found.serves(&CAPACITY_PROVIDERS) && !watches_providers {
            watches_providers = true;
            watch_capacity_providers(&mut watches, &cx);
        }
        cx.catch_up.caught_up().await;
        if let Ok(mut settings) = cx.settings.write() {
            *settings = Arc::new(Settings {
                addons,
                ..Settings::clone(&settings)
            });
        }
        cluster = found;
        cx.ask_everything();
    }
}
