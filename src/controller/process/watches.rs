//! The watches, and when they start.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

use super::discovery::{Cluster, NEWER};
use crate::{
    controller::{
        app_runner::APP_RUNNER_SERVICES,
        caches::{
            child_kind::ChildKind,
            policies::{NAMESPACES, POLICIES, watch_namespaces, watch_policies},
            watch,
        },
        capacity_provider::CAPACITY_PROVIDERS,
        context::Context,
        kind::Reconciled,
        pipe::PIPES,
        rule::RULES,
        service,
        volumes::delete_unclaimed,
    },
    crd::{
        AppRunnerService, EcsCapacityProvider, EcsCluster, EcsPipe, EcsRule, EcsSchedule,
        EcsService, EcsTask, EcsTaskDefinition,
    },
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
    for kind in NEWER.into_iter().filter(|kind| cluster.may_serve(kind)) {
        // Without a watch, there would seem to be none.
        start_newer(watches, cx, kind, namespaces);
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
    start_of::<K>(watches, cx, None, namespace);
}

fn start_of<K: Reconciled>(
    watches: &mut JoinSet<()>,
    cx: &Arc<Context>,
    kind: Option<&'static ChildKind>,
    namespace: Option<String>,
) {
    let filling = cx.catch_up.register(kind);
    watches.spawn(watch::resources::<K>(cx.clone(), namespace, filling));
}

/// Starts the watches of a kind of custom resource that definitions of an older version do not have.
fn start_newer(
    watches: &mut JoinSet<()>,
    cx: &Arc<Context>,
    kind: &'static ChildKind,
    namespaces: &[String],
) {
    for namespace in scopes_of(kind, namespaces) {
        if *kind == APP_RUNNER_SERVICES {
            start_of::<AppRunnerService>(watches, cx, Some(kind), namespace);
        } else if *kind == CAPACITY_PROVIDERS {
            start_of::<EcsCapacityProvider>(watches, cx, Some(kind), namespace);
        } else if *kind == PIPES {
            start_of::<EcsPipe>(watches, cx, Some(kind), namespace);
        } else if *kind == RULES {
            start_of::<EcsRule>(watches, cx, Some(kind), namespace);
        } else {
            start_of::<EcsSchedule>(watches, cx, Some(kind), namespace);
        }
    }
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
    let newer = NEWER.into_iter().filter(|kind| cluster.may_serve(kind));
    watched.extend(newer);
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
        for kind in NEWER.into_iter().filter(|kind| found.serves(kind)) {
            if watched.insert(kind) {
                start_newer(&mut watches, &cx, kind, &namespaces);
            }
        }
        cx.catch_up.caught_up().await;
        if let Ok(mut settings) = cx.settings.write() {
            *settings = Arc::new(Settings {
                addons,
                ecr_pull_secrets: found.ecr_pull_secrets(settings.ecr_pull_secrets),
                ..Settings::clone(&settings)
            });
        }
        cluster = found;
        cx.ask_everything();
    }
}
