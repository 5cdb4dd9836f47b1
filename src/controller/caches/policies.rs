//! What policies say about each namespace, from the watches of policies and namespaces.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Resource as _, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::{reflector::ObjectRef, watcher::Event},
};

use super::{
    catch_up::Filling,
    child_kind::{ChildKind, addon, cluster},
    watch::Events,
};
use crate::{
    controller::context::{Context, lock},
    crd::{EcsPolicy, EcsService},
    diagnostic::StateReason,
    policy::{Policy, Rules, Tenancy},
};

/// The kind of policies. It is like that of an add-on: what runs does not depend on it, so that nothing waits for long
/// if it cannot be listed.
pub(crate) static POLICIES: ChildKind = cluster(addon(
    "ecs-operator.dev",
    "v1alpha1",
    "EcsPolicy",
    "ecspolicies",
));

/// The kind of namespaces, whose labels policies select, and which name a level of Pod Security.
pub(crate) static NAMESPACES: ChildKind = cluster(addon("", "v1", "Namespace", "namespaces"));

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
                ask_refused(&cx, None);
            }
            Event::Delete(policy) => {
                cx.policies.forget(&policy.name_any());
                ask_refused(&cx, None);
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
                    ask_refused(&cx, Some(&name));
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
        ask_refused(cx, None);
    }
}

/// Triggers the reconcile of what policies may have refused, in one namespace or in all: a change of them makes no
/// difference to the rest, except to renewals by the operator.
fn ask_refused(cx: &Context, namespace: Option<&str>) {
    let is_concerned =
        |meta: &ObjectMeta| namespace.is_none() || meta.namespace.as_deref() == namespace;
    for service in cx.services.store.state() {
        if is_concerned(service.meta()) && (cx.renewals.are_automatic() || is_waiting(cx, &service))
        {
            cx.ask(ObjectRef::from_obj(&*service));
        }
    }
    for pipe in cx.pipes.store.state() {
        // Also one that runs: its queue is read again and again.
        if is_concerned(pipe.meta()) {
            cx.ask(ObjectRef::from_obj(&*pipe));
        }
    }
    if cx.sqs.is_some() {
        // Whether their dead letters are sent.
        for schedule in cx.schedules.store.state() {
            if is_concerned(schedule.meta()) {
                cx.ask(ObjectRef::from_obj(&*schedule));
            }
        }
        for rule in cx.rules.store.state() {
            if is_concerned(rule.meta()) {
                cx.ask(ObjectRef::from_obj(&*rule));
            }
        }
    }
    for task in cx.tasks.store.state() {
        if is_concerned(task.meta()) && task.status.tasks.is_empty() {
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
