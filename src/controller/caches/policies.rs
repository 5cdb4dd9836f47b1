//! What policies say about each namespace, from the watches of policies and namespaces.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::{reflector::ObjectRef, watcher::Event},
};

use super::{catch_up::Filling, child_kind::ChildKind, watch::Events};
use crate::{
    controller::context::{Context, lock},
    crd::{EcsPolicy, EcsService},
    diagnostic::StateReason,
    policy::{Policy, Rules, Tenancy},
};

/// The kind of policies. It is like that of an add-on: what runs does not depend on it, so that nothing waits for long
/// if it cannot be listed.
pub(crate) static POLICIES: ChildKind = ChildKind {
    group: "ecs-operator.dev",
    version: "v1alpha1",
    kind: "EcsPolicy",
    plural: "ecspolicies",
    namespaced: false,
    built_in: false,
};

/// The kind of namespaces, whose labels policies select, and which name a level of Pod Security.
pub(crate) static NAMESPACES: ChildKind = ChildKind {
    group: "",
    version: "v1",
    kind: "Namespace",
    plural: "namespaces",
    namespaced: false,
    built_in: false,
};

/// The label of a namespace with the level that its pods have to meet
/// (<https://kubernetes.io/docs/concepts/security/pod-security-admission/>).
const ENFORCED: &str = "pod-security.kubernetes.io/enforce";
/// The level that each pod meets.
const PRIVILEGED: &str = "privileged";

type Labels = BTreeMap<String, String>;

/// The known policies and namespaces.
#[derive(Default)]
pub(crate) struct Policies {
    tenancy: Tenancy,
    by_name: Mutex<BTreeMap<String, Arc<Policy>>>,
    /// The labels of each namespace.
    namespaces: Mutex<HashMap<String, Labels>>,
    /// How often any of this has changed.
    changes: AtomicU64,
}

impl Policies {
    /// Returns a state without policies.
    #[must_use]
    pub(crate) fn new(tenancy: Tenancy) -> Self {
        Self {
            tenancy,
            ..Self::default()
        }
    }

    /// Returns a number that is another one after each change.
    #[must_use]
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns who shares the cluster.
    #[must_use]
    pub(crate) const fn tenancy(&self) -> Tenancy {
        self.tenancy
    }

    /// Returns what is allowed in a namespace; `None` if the namespace is not known yet.
    #[must_use]
    pub(crate) fn rules(&self, namespace: &str) -> Option<Rules> {
        let namespaces = lock(&self.namespaces);
        let labels = namespaces.get(namespace)?;
        let policies = lock(&self.by_name);
        let policies = policies.values().filter(|policy| policy.selects(labels));
        Some(Rules::new(self.tenancy, policies.cloned().collect()))
    }

    /// Whether the pods of a namespace have to meet a level of Pod Security, according to its labels.
    #[must_use]
    pub(crate) fn restricts_pods(&self, namespace: &str) -> bool {
        let namespaces = lock(&self.namespaces);
        let level = namespaces.get(namespace).and_then(|it| it.get(ENFORCED));
        level.is_some_and(|level| level != PRIVILEGED)
    }

    /// Records a policy. One that cannot be read allows nothing.
    pub(crate) fn observe(&self, policy: &EcsPolicy) {
        let name = policy.name_any();
        let read = Policy::read(&name, policy.spec.text()).unwrap_or_else(|error| {
            tracing::warn!(%error, name, "an EcsPolicy cannot be read, so that nothing that a policy can limit is allowed");
            Policy::unreadable(&name)
        });
        lock(&self.by_name).insert(name, Arc::new(read));
        self.changed();
    }

    /// Forgets a policy.
    pub(crate) fn forget(&self, name: &str) {
        lock(&self.by_name).remove(name);
        self.changed();
    }

    /// Records the labels of a namespace. Returns whether they have changed.
    pub(crate) fn observe_namespace(&self, name: &str, labels: &Labels) -> bool {
        let mut namespaces = lock(&self.namespaces);
        if namespaces.get(name) == Some(labels) {
            return false;
        }
        namespaces.insert(name.to_owned(), labels.clone());
        drop(namespaces);
        self.changed();
        true
    }

    fn forget_namespace(&self, name: &str) {
        lock(&self.namespaces).remove(name);
    }
}

/// Watches the policies.
pub(crate) async fn watch_policies(cx: Arc<Context>, filling: Filling) {
    let api: Api<EcsPolicy> = Api::all(cx.client.clone());
    let mut events = Events::new(api, None, POLICIES.kind, filling);
    let mut unlisted = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Init => unlisted = lock(&cx.policies.by_name).keys().cloned().collect(),
            Event::InitApply(policy) => {
                unlisted.remove(&policy.name_any());
                cx.policies.observe(&policy);
            }
            Event::InitDone => {
                for name in std::mem::take(&mut unlisted) {
                    cx.policies.forget(&name);
                }
                reviewed(&cx, events.filled());
            }
            Event::Apply(policy) => {
                cx.policies.observe(&policy);
                ask_refused(&cx);
            }
            Event::Delete(policy) => {
                cx.policies.forget(&policy.name_any());
                ask_refused(&cx);
            }
        }
    }
}

/// Watches the labels of namespaces.
pub(crate) async fn watch_namespaces(cx: Arc<Context>, filling: Filling) {
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(cx.client.clone());
    let mut events = Events::new(api, None, NAMESPACES.kind, filling);
    let mut unlisted = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Init => unlisted = lock(&cx.policies.namespaces).keys().cloned().collect(),
            Event::InitApply(namespace) => {
                let name = namespace.name_any();
                cx.policies.observe_namespace(&name, namespace.labels());
                unlisted.remove(&name);
            }
            Event::InitDone => {
                for name in std::mem::take(&mut unlisted) {
                    cx.policies.forget_namespace(&name);
                }
                reviewed(&cx, events.filled());
            }
            Event::Apply(namespace) => {
                let name = namespace.name_any();
                if cx.policies.observe_namespace(&name, namespace.labels()) {
                    ask_waiting(&cx, &name);
                }
            }
            Event::Delete(namespace) => cx.policies.forget_namespace(&namespace.name_any()),
        }
    }
}

/// Triggers the reconcile of what a complete list may have changed. Before the first one, everything may have waited.
fn reviewed(cx: &Context, first: bool) {
    if first {
        cx.ask_everything();
    } else {
        ask_refused(cx);
    }
}

/// Triggers the reconcile of what policies may have refused: a change of them makes no difference to the rest, except to
/// renewals by the operator.
fn ask_refused(cx: &Context) {
    for service in cx.services.store.state() {
        if cx.renewals.are_automatic() || is_waiting(cx, &service) {
            cx.ask(ObjectRef::from_obj(&*service));
        }
    }
    for task in cx.tasks.store.state() {
        if task.status.tasks.is_empty() {
            cx.ask(ObjectRef::from_obj(&*task));
        }
    }
}

/// Triggers the reconcile of what waits in a namespace whose labels have changed.
fn ask_waiting(cx: &Context, namespace: &str) {
    for service in cx.services.within(namespace) {
        if is_waiting(cx, &service) {
            cx.ask(ObjectRef::from_obj(&*service));
        }
    }
    for task in cx.tasks.within(namespace) {
        if task.status.tasks.is_empty() {
            cx.ask(ObjectRef::from_obj(&*task));
        }
    }
}

/// Whether a service runs nothing yet, or something of it was refused, as far as the operator has reported that.
fn is_waiting(cx: &Context, service: &EcsService) -> bool {
    let status = cx.services.latest(service);
    let reasons = [
        StateReason::NotAllowedByPolicy,
        StateReason::PodSecurityViolated,
    ];
    let is_refused = |reason: &str| reasons.iter().any(|known| known.is(reason));
    let mut conditions = status.conditions.iter();
    status.deployments.is_empty() || conditions.any(|it| is_refused(&it.reason))
}
