//! What names a capacity provider: services, tasks that have not ended, and clusters.

use std::{collections::BTreeSet, sync::Arc};

use kube::{ResourceExt as _, runtime::reflector::ObjectRef};
use serde::Deserialize;
use serde_json::json;

use super::fetch::name_of;
use crate::{
    controller::{caches::owner::Owner, context::Context, service::Revision},
    crd::{EcsCapacityProvider, EcsService, EcsTask, Spec},
    decide::{deployment::INACTIVE, task_lifecycle::STOPPED},
    policy::capacity_providers,
    rendering::Placing,
    settings::NodeTaint,
    translate::{LABEL_LENGTH, kname},
};

/// How many users a message names.
const NAMED: usize = 5;

/// The members of any spec that name capacity providers.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Naming {
    capacity_providers: Vec<String>,
    capacity_provider_strategy: Vec<Entry>,
    default_capacity_provider_strategy: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    capacity_provider: Option<String>,
}

/// Whether a spec names a capacity provider. One that cannot be read counts as if it did, if it has the text.
fn names(spec: &Spec, provider: &str) -> bool {
    if !spec.text().contains(&format!("\"{provider}\"")) {
        return false;
    }
    let Ok(naming) = spec.parse::<Naming>() else {
        return true;
    };
    let strategies = [
        naming.capacity_provider_strategy,
        naming.default_capacity_provider_strategy,
    ];
    let mut entries = strategies.iter().flatten();
    naming.capacity_providers.iter().any(|it| it == provider)
        || entries.any(|entry| entry.capacity_provider.as_deref() == Some(provider))
}

/// Returns what names a capacity provider, or has tasks that named it when they began.
pub(super) fn users(cx: &Context, provider: &EcsCapacityProvider) -> BTreeSet<String> {
    let name = name_of(provider);
    let mut users = BTreeSet::new();
    for cluster in cx.clusters.store.state() {
        if names(&cluster.spec, &name) {
            users.insert(place("EcsCluster", cluster.namespace(), cluster.name_any()));
        }
    }
    for service in cx.services.store.state() {
        if names(&service.spec, &name) || runs_on(cx, &service, &name) {
            users.insert(place("EcsService", service.namespace(), service.name_any()));
        }
    }
    for task in cx.tasks.store.state() {
        if task_uses(cx, &task, &name) {
            users.insert(place("EcsTask", task.namespace(), task.name_any()));
        }
    }
    users
}

fn place(kind: &str, namespace: Option<String>, object: String) -> String {
    format!("{kind} {}/{object}", namespace.unwrap_or_default())
}

/// Whether tasks that have not ended name a provider, or were placed on it by the strategy of their cluster. Versions
/// that did not record that gave pods the label of the provider to select.
fn task_uses(cx: &Context, task: &EcsTask, provider: &str) -> bool {
    let status = cx.tasks.latest(task);
    if status.last_status.as_deref() == Some(STOPPED) {
        return false;
    }
    let label = kname(provider, LABEL_LENGTH);
    names(&task.spec, provider)
        || status
            .capacity_providers
            .iter()
            .any(|it| it.name == provider)
        || (cx.pods.of(&of_task(task)).iter()).any(|pod| pod.provider.as_deref() == Some(&label))
}

/// Returns the services and tasks that use a provider, and of which more pods can be created that do not tolerate a taint of
/// it: these would find no node.
pub(super) fn not_tolerating(
    cx: &Context,
    provider: &EcsCapacityProvider,
    taint: &NodeTaint,
) -> BTreeSet<String> {
    let name = name_of(provider);
    let mut found = BTreeSet::new();
    for service in cx.services.store.state() {
        if cannot_move(cx, &service, &name, taint) {
            found.insert(place("EcsService", service.namespace(), service.name_any()));
        }
    }
    for task in cx.tasks.store.state() {
        if waits_without(cx, &task, &name, taint) {
            found.insert(place("EcsTask", task.namespace(), task.name_any()));
        }
    }
    found
}

/// Whether tasks on a provider have pods without a node that do not tolerate a taint of it. Those that have one keep it, and
/// pods that are yet to be created will know the taint.
fn waits_without(cx: &Context, task: &EcsTask, provider: &str, taint: &NodeTaint) -> bool {
    let pods = cx.pods.of(&of_task(task));
    let mut waiting = pods
        .iter()
        .filter(|pod| !pod.scheduled && !pod.is_finished());
    if waiting.next().is_none() || !task_uses(cx, task, provider) {
        return false;
    }
    let status = cx.tasks.latest(task);
    let mut recorded = status.capacity_providers.iter();
    let recorded = recorded.find(|it| it.name == provider);
    !recorded.is_some_and(|it| it.tolerated_taints.contains(&taint.to_string()))
}

fn of_task(task: &EcsTask) -> Owner {
    Owner::Task(task.namespace().unwrap_or_default(), task.name_any())
}

/// Whether a service has a deployment whose tasks do not tolerate a taint of a provider that it names. What is not known
/// of a deployment counts as that. Without a status, each revision may be the one that runs.
fn cannot_move(cx: &Context, service: &EcsService, provider: &str, taint: &NodeTaint) -> bool {
    let status = cx.services.latest(service);
    let known = cx.service_revisions.of(service);
    let lacks = |revision: &Arc<Revision>| {
        places_on(revision, provider) && !tolerates(revision, provider, taint)
    };
    if status.deployments.is_empty() {
        return known.iter().any(lacks);
    }
    let mut running = (status.deployments.iter()).filter(|it| it.status != INACTIVE);
    running.any(|deployment| {
        let id = deployment.service_revision.as_deref();
        let revision = known.iter().find(|revision| Some(&*revision.id) == id);
        revision.map_or_else(|| names(&service.spec, provider), lacks)
    })
}

fn tolerates(revision: &Revision, provider: &str, taint: &NodeTaint) -> bool {
    let placing = revision.placing();
    let selection = placing.and_then(|placing| placing.capacity_providers.get(provider));
    selection.is_some_and(|selection| selection.tolerates(taint))
}

/// Whether a strategy that named the provider has placed the tasks of a revision.
fn places_on(revision: &Revision, provider: &str) -> bool {
    let spec = &revision.kept.inputs.service;
    names(spec, provider)
        || takes_of_cluster(spec, provider) && of_its_cluster(revision.placing(), provider)
}

/// Whether tasks of a deployment may have been placed by a strategy that named the provider, whatever the spec says now.
fn runs_on(cx: &Context, service: &EcsService, provider: &str) -> bool {
    let status = cx.services.latest(service);
    let known = cx.service_revisions.of(service);
    let mut deployments = status.deployments.iter().filter_map(|deployment| {
        let id = deployment.service_revision.as_deref()?;
        Some((deployment, known.iter().find(|revision| revision.id == id)))
    });
    deployments.any(|(deployment, revision)| {
        revision.map_or_else(
            || deployment.status != INACTIVE,
            |revision| places_on(revision, provider),
        )
    })
}

/// Whether a service takes a strategy from its cluster.
fn takes_of_cluster(service: &Spec, provider: &str) -> bool {
    let cluster = json!({"defaultCapacityProviderStrategy": [{"capacityProvider": provider}]});
    let service = service.parse().unwrap_or_default();
    capacity_providers(&service, Some(&cluster)) != capacity_providers(&service, None)
}

/// Whether the cluster that a revision was rendered with names a provider. What cannot be read counts as if it did.
fn of_its_cluster(placing: Option<&Placing>, provider: &str) -> bool {
    placing.is_none_or(|placing| {
        let cluster = placing.cluster.as_ref();
        cluster.is_some_and(|cluster| names(cluster, provider))
    })
}

/// Returns some of the users, for a message.
pub(super) fn listed(users: &BTreeSet<String>) -> String {
    let named: Vec<&str> = users.iter().take(NAMED).map(String::as_str).collect();
    let more = users.len().saturating_sub(NAMED);
    let named = named.join(", ");
    match more {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Triggers the reconcile of what names a provider that has changed: a deployment that waits for it can begin, and the
/// status says what would differ.
pub(super) fn ask_those_concerned(cx: &Context, provider: &EcsCapacityProvider) {
    let name = name_of(provider);
    let mut namespaces = BTreeSet::new();
    for cluster in cx.clusters.store.state() {
        if names(&cluster.spec, &name) {
            namespaces.insert(cluster.namespace());
            cx.ask(ObjectRef::from_obj(&*cluster));
        }
    }
    for service in cx.services.store.state() {
        if namespaces.contains(&service.namespace()) || names(&service.spec, &name) {
            cx.ask::<EcsService>(ObjectRef::from_obj(&*service));
        }
    }
    for task in cx.tasks.store.state() {
        let is_concerned = namespaces.contains(&task.namespace()) || names(&task.spec, &name);
        if is_concerned && task.status.tasks.is_empty() {
            cx.ask::<EcsTask>(ObjectRef::from_obj(&*task));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_takes_the_strategy_of_its_cluster_if_it_says_nothing_itself() {
        for (spec, expected) in [
            (json!({"taskDefinition": "web"}), true),
            (json!({"capacityProviderStrategy": []}), true),
            (
                json!({"tags": [{"key": "launchType", "value": "EC2"}]}),
                true,
            ),
            (json!({"launchType": "EC2"}), false),
            (
                json!({"capacityProviderStrategy": [{"capacityProvider": "other"}]}),
                false,
            ),
            (
                json!({"capacityProviderStrategy": [{"capacityProvider": "spot"}]}),
                false,
            ),
        ] {
            let spec = Spec::from(spec);
            assert_eq!(takes_of_cluster(&spec, "spot"), expected, "{}", spec.text());
        }
    }

    #[test]
    fn what_cannot_be_read_may_have_named_it() {
        assert!(of_its_cluster(None, "spot"));
    }

    #[test]
    fn a_spec_names_what_its_strategies_have() {
        for (spec, expected) in [
            (
                json!({"capacityProviderStrategy": [{"capacityProvider": "spot"}]}),
                true,
            ),
            (
                json!({"defaultCapacityProviderStrategy": [{"capacityProvider": "spot"}]}),
                true,
            ),
            (json!({"capacityProviders": ["own", "spot"]}), true),
            (json!({"serviceName": "spot", "launchType": "EC2"}), false),
            (
                json!({"capacityProviderStrategy": [{"capacityProvider": "spot-2"}]}),
                false,
            ),
            (json!({"capacityProviderStrategy": "spot"}), true),
        ] {
            let spec = Spec::from(spec);
            assert_eq!(names(&spec, "spot"), expected, "{}", spec.text());
        }
    }

    #[test]
    fn a_message_names_only_some() {
        let users = |count: usize| (0..count).map(|it| it.to_string()).collect();
        assert_eq!(listed(&users(2)), "0, 1");
        assert_eq!(listed(&users(7)), "0, 1, 2, 3, 4 and 2 more");
    }
}
