//! Bringing the objects of a service about: each on its own, so that trouble with one keeps no other from being repaired,
//! and nothing ends before what takes its place is there.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::{
    names::{Form, form},
    plan::Plan,
};
use crate::{
    controller::{
        apply::{apply, release},
        caches::{child::WorkloadState, children::Key, known::Known, owner::Owner},
        context::Context,
        error::Error,
        wanted::Wanted,
    },
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

/// How long objects are written one after another: a webhook that does not answer holds each up, and with them all that
/// waits for its turn. The workload is written all the same.
const LONGEST: Duration = Duration::from_mins(1);

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
    let is_known = |wanted: &&Wanted| cx.children.get(&wanted.key).is_some();
    let before: BTreeSet<&Key> = objects.iter().filter(is_known).map(|it| &it.key).collect();
    let mut errors = Errors::default();
    let begun = Instant::now();
    for wanted in &objects {
        let kind = wanted.key.kind.kind;
        let has_to_wait = is_workload(kind) && errors.lacks_prerequisite
            || !is_workload(kind) && begun.elapsed() > LONGEST
            || leads_to_services(kind) && errors.lacks_service;
        if has_to_wait {
            errors.kinds.insert(kind);
            continue;
        }
        if before.contains(&wanted.key) && !is_known(&wanted) {
            // It went while others were written, perhaps with the service: the next try looks whether that is there.
            errors.record(kind, Error::Gone);
            return errors.into_result();
        }
        let result = match form(cx, wanted, user, owner) {
            Form::AsIs => apply(&cx.client, &cx.children, wanted, owner).await,
            Form::Other(wanted) => apply(&cx.client, &cx.children, &wanted, owner).await,
            Form::Later => continue,
            Form::Never(error) => Err(error),
        };
        if let Err(error) = result {
            let is_there = cx.children.get(&wanted.key).is_some();
            errors.lacks_prerequisite |= PREREQUISITES.contains(&kind) && !is_there;
            errors.lacks_service |= kind == "Service" && !error.is_transient();
            let is_busy = error.is_unanswered();
            errors.record(kind, error);
            if is_busy {
                // It would be so for all others too.
                errors
                    .kinds
                    .extend(objects.iter().map(|it| it.key.kind.kind));
                return errors.into_result();
            }
        }
    }
    prune(cx, plan, &objects, owner, &mut errors).await;
    errors.into_result()
}

/// What went wrong with which kinds.
#[derive(Default)]
struct Errors {
    all: Vec<Error>,
    kinds: BTreeSet<&'static str>,
    /// Whether pods could not begin.
    lacks_prerequisite: bool,
    /// Whether a Service is not this service's, so that nothing may lead to it.
    lacks_service: bool,
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

/// Whether objects of a kind lead clients to Services.
fn leads_to_services(kind: &str) -> bool {
    matches!(kind, "Ingress" | "TargetGroupBinding")
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
