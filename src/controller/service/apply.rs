//! Bringing the objects of a service about: each on its own, so that trouble with one keeps no other from being repaired,
//! and nothing ends before what takes its place is there.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::plan::Plan;
use crate::{
    controller::{
        apply::{Wanted, apply, release},
        caches::{
            child::WorkloadState,
            children::{Key, Known},
            owner::Owner,
        },
        context::Context,
        error::Error,
    },
    decide::pod_state::PodState,
    rendering::follows_counts,
};

/// The kinds that pods cannot begin without.
const PREREQUISITES: &[&str] = &[
    "ConfigMap",
    "ExternalSecret",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "PodIdentityAssociation",
    "SecretStore",
    "SecurityGroupPolicy",
    "ServiceAccount",
    "StorageClass",
];

/// What went wrong.
pub(super) struct Failure {
    /// All of it.
    pub(super) error: Error,
    /// Whether a workload is not as it should be.
    pub(super) of_workload: bool,
}

/// Applies what differs, in the order in which objects need each other, and ends what is not wanted any more. A workload
/// waits only for what its pods cannot begin without.
pub(super) async fn carry_out(
    cx: &Context,
    plan: &Plan,
    pods: &[Arc<PodState>],
    user: &Owner,
    owner: &OwnerReference,
) -> Result<(), Failure> {
    let objects: Result<Vec<Wanted>, Error> = plan.objects.iter().map(Wanted::new).collect();
    let objects = objects.map_err(|error| Failure {
        error,
        of_workload: true,
    })?;
    cx.children
        .wants(user, objects.iter().filter_map(Wanted::shared));
    let mut errors = Errors::default();
    for wanted in &objects {
        let kind = wanted.key.kind.kind;
        if is_workload(kind) && errors.lacks_prerequisite {
            errors.kinds.insert(kind);
            continue;
        }
        if waits_for_labels(cx, wanted, pods, owner) {
            continue;
        }
        if let Err(error) = apply(&cx.client, &cx.children, wanted, owner).await {
            let is_there = cx.children.get(&wanted.key).is_some();
            errors.lacks_prerequisite |= PREREQUISITES.contains(&kind) && !is_there;
            errors.record(kind, error);
        }
    }
    prune(cx, plan, &objects, owner, &mut errors).await;
    errors.into_result()
}

/// Whether a Service has to go on finding the pods as it does, because one of those that it should find by another label
/// does not have that yet: it is of an older deployment.
fn waits_for_labels(
    cx: &Context,
    wanted: &Wanted,
    pods: &[Arc<PodState>],
    owner: &OwnerReference,
) -> bool {
    let is_ours_alone = |known: Known| known.owners.iter().all(|it| it.uid == owner.uid);
    let serves = |pod: &&Arc<PodState>| pod.ready && !pod.deleting;
    let mut serving = pods.iter().filter(serves);
    wanted.key.kind.kind == "Service"
        && serving.any(|pod| {
            !wanted
                .offers()
                .iter()
                .all(|offer| pod.offers.contains(offer))
        })
        && cx.children.get(&wanted.key).is_some_and(is_ours_alone)
}

/// What went wrong with which kinds.
#[derive(Default)]
struct Errors {
    all: Vec<Error>,
    kinds: BTreeSet<&'static str>,
    /// Whether pods could not begin.
    lacks_prerequisite: bool,
}

impl Errors {
    fn record(&mut self, kind: &'static str, error: Error) {
        self.kinds.insert(kind);
        self.all.push(error);
    }

    fn of_workload(&self) -> bool {
        self.kinds.iter().any(|kind| is_workload(kind))
    }

    fn into_result(self) -> Result<(), Failure> {
        let of_workload = self.of_workload();
        match Error::all(self.all) {
            Some(error) => Err(Failure { error, of_workload }),
            None => Ok(()),
        }
    }
}

fn is_workload(kind: &str) -> bool {
    matches!(kind, "Deployment" | "DaemonSet")
}

async fn prune(
    cx: &Context,
    plan: &Plan,
    objects: &[Wanted],
    owner: &OwnerReference,
    errors: &mut Errors,
) {
    if errors.of_workload() {
        // What runs is not what should, and may need what should go.
        return;
    }
    let workloads: Vec<WorkloadState> = objects
        .iter()
        .filter_map(|wanted| cx.children.get(&wanted.key)?.workload)
        .map(|workload| *workload)
        .collect();
    for (key, known) in cx.children.of_owner(&owner.uid) {
        let kind = key.kind.kind;
        let wanted = objects.iter().any(|wanted| wanted.key == *key);
        let spared = plan.spares_autoscaler && follows_counts(kind);
        // What takes the place of this one is not there.
        let replaced = !errors.kinds.contains(kind);
        if !wanted
            && !spared
            && replaced
            && !known.deleting
            && !is_still_needed(&key, &known, &workloads)
            && let Err(error) = release(&cx.client, &key, &known, owner).await
        {
            errors.record(kind, error);
        }
    }
}

/// Whether something that is not wanted any more has to stay: a workload that serves until those that replace it are
/// ready, as when a service becomes a DAEMON or is split over capacity providers; and what old tasks may use until they
/// are gone.
fn is_still_needed(key: &Key, known: &Known, workloads: &[WorkloadState]) -> bool {
    match key.kind.kind {
        kind if follows_counts(kind) => false,
        "Deployment" | "DaemonSet" => {
            let serves = known.workload.as_ref().is_some_and(|old| old.ready > 0);
            serves && workloads.iter().any(|workload| !workload.is_steady())
        }
        _ => workloads.iter().any(|workload| workload.has_old()),
    }
}
