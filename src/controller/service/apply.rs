//! Applies the objects of a service: each independently, so that trouble with one does not keep others from being
//! repaired, and nothing is deleted before its replacement exists.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::{
    contention::changed_back,
    names::{Form, form},
    plan::Plan,
    user,
};
use crate::{
    controller::{
        apply::{Change, apply_to, release},
        caches::{child::WorkloadState, children::Key, known::Known, owner::Owner},
        context::Context,
        error::Error,
        wanted::Wanted,
    },
    crd::EcsService,
    decide::{
        deployment::pods_of,
        old_tasks::{self, There},
    },
    rendering::follows_counts,
};

/// The kinds that pods cannot start without.
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

/// How long objects are written one after another: a webhook that does not respond delays each of them, and everything
/// that waits for its turn. The workload is written anyway.
const LONGEST: Duration = Duration::from_mins(1);

/// The result of an apply that failed.
pub(super) struct Failure {
    /// All errors.
    pub(super) error: Error,
    /// Whether a workload is not in its wanted state.
    pub(super) of_workload: bool,
}

/// Applies what differs, in the order in which objects need each other, and deletes what is no longer wanted. A
/// workload waits only for what its pods cannot start without.
pub(super) async fn carry_out(
    cx: &Context,
    plan: &Plan,
    service: &EcsService,
    owner: &OwnerReference,
) -> Result<(), Failure> {
    let user = &user(service);
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
        let known = cx.children.get(&wanted.key);
        let runs = known.and_then(|known| known.pods.clone());
        if errors.has_to_wait(wanted, runs.as_deref() == Some(pods_of(&plan.revision))) {
            errors.kinds.insert(kind);
            continue;
        }
        if !is_workload(kind) && begun.elapsed() > LONGEST {
            errors.record(wanted, is_known(&wanted), Error::TakesTooLong);
            continue;
        }
        if before.contains(&wanted.key) && !is_known(&wanted) {
            // The object was deleted while others were written, perhaps with the service: the next try checks whether
            // the service exists.
            errors.record(wanted, false, Error::Gone);
            return errors.broken_off(&objects);
        }
        let known = cx.children.get(&wanted.key);
        let (client, children) = (&cx.client, &cx.children);
        let result = match form(cx, wanted, known.as_ref(), user, owner) {
            Form::AsIs => apply_to(client, children, wanted, known, owner).await,
            Form::Other(wanted) => apply_to(client, children, &wanted, known, owner).await,
            Form::Later => continue,
            Form::Never(error) => Err(error),
        };
        if let Ok(Change::MadeAgainst(other)) = &result {
            changed_back(cx, service, &wanted.key, other);
        }
        if let Err(error) = result {
            let is_busy = error.is_unanswered();
            errors.record(wanted, is_known(&wanted), error);
            if is_busy {
                // All other requests would fail too.
                return errors.broken_off(&objects);
            }
        }
    }
    prune(cx, plan, &objects, (user, owner), &mut errors).await;
    errors.into_result()
}

/// The errors, and the kinds that they concern.
#[derive(Default)]
struct Errors {
    all: Vec<Error>,
    kinds: BTreeSet<&'static str>,
    /// Whether pods could not start.
    lacks_prerequisite: bool,
    /// Whether pods could start only with what their node may pull.
    lacks_pull_secret: bool,
    /// The Services that belong to other services, so that nothing of this one may lead to them.
    of_others: BTreeSet<Box<str>>,
}

impl Errors {
    /// Records the error of an object, which exists or not.
    fn record(&mut self, wanted: &Wanted, is_there: bool, error: Error) {
        let Key { kind, name, .. } = &wanted.key;
        if is_of_pull_secret(wanted) {
            self.lacks_pull_secret |= !is_there;
        } else {
            self.lacks_prerequisite |= PREREQUISITES.contains(&kind.kind) && !is_there;
        }
        if kind.kind == "Service" && error.is_of_another() {
            self.of_others.insert(name.clone());
        }
        self.push(kind.kind, error);
    }

    fn push(&mut self, kind: &'static str, error: Error) {
        self.kinds.insert(kind);
        self.all.push(error);
    }

    /// Whether something that an object needs does not exist. A workload that `runs` these pods already is scaled without
    /// their pull secrets: the node may be able to pull, and what it runs stays.
    fn has_to_wait(&self, wanted: &Wanted, runs: bool) -> bool {
        let mut leads_to = wanted.leads_to().into_iter();
        let lacks = self.lacks_prerequisite || self.lacks_pull_secret && !runs;
        is_workload(wanted.key.kind.kind) && lacks
            || leads_to.any(|service| self.of_others.contains(service))
    }

    /// Returns the errors after an abort, in which no wanted object counts as existing.
    fn broken_off(mut self, objects: &[Wanted]) -> Result<(), Failure> {
        self.kinds
            .extend(objects.iter().map(|wanted| wanted.key.kind.kind));
        self.into_result()
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

/// Whether this makes a pull secret for ECR, which the kubelet does without if it does not exist.
fn is_of_pull_secret(wanted: &Wanted) -> bool {
    let generator = "/spec/dataFrom/0/sourceRef/generatorRef";
    wanted.key.kind.kind == "ECRAuthorizationToken" || wanted.body.pointer(generator).is_some()
}

fn is_workload(kind: &str) -> bool {
    matches!(kind, "Deployment" | "DaemonSet")
}

async fn prune(
    cx: &Context,
    plan: &Plan,
    objects: &[Wanted],
    (user, owner): (&Owner, &OwnerReference),
    errors: &mut Errors,
) {
    if errors.of_workload() {
        // The running workload is not the wanted one, and may need what is unwanted.
        return;
    }
    let mut unwanted = cx.children.of_owner(&owner.uid);
    unwanted.retain(|(key, _)| objects.iter().all(|wanted| wanted.key != **key));
    if unwanted.is_empty() {
        return;
    }
    let workloads: Vec<WorkloadState> = objects
        .iter()
        .filter_map(|wanted| cx.children.get(&wanted.key)?.workload)
        .map(|workload| *workload)
        .collect();
    let of_unwanted = unwanted.iter();
    let of_unwanted = of_unwanted.filter_map(|(_, known)| Some(known.workload.as_ref()?.total));
    let old_tasks = old_tasks::are_left(There {
        pods: &cx.pods.of(user),
        wanted: pods_of(&plan.revision),
        of_unwanted: of_unwanted.sum(),
        may_return: plan.may_return,
        of_older_templates: workloads.iter().any(WorkloadState::has_old),
    });
    for (key, known) in unwanted {
        let kind = key.kind.kind;
        let spared = plan.spares_autoscaler && follows_counts(kind);
        // The replacement of this object does not exist. An object with other owners only loses this owner; the others
        // decide about it.
        let others = known.owners.iter().any(|other| other.uid != owner.uid);
        let replaced = others || !errors.kinds.contains(kind);
        if !spared
            && replaced
            && !known.deleting
            && !is_still_needed(kind, &known, &workloads, old_tasks)
            && let Err(error) = release(&cx.client, &key, &known, owner).await
        {
            errors.push(kind, error);
        }
    }
}

/// Whether something that is no longer wanted has to stay: a workload that serves until its replacements are ready, for
/// example when a service becomes a DAEMON or is split over capacity providers; and what old tasks may use, until the
/// end of the last one triggers a reconcile.
fn is_still_needed(
    kind: &str,
    known: &Known,
    workloads: &[WorkloadState],
    old_tasks: bool,
) -> bool {
    match kind {
        kind if follows_counts(kind) => false,
        "Deployment" | "DaemonSet" => {
            let serves = known.workload.as_ref().is_some_and(|old| old.ready > 0);
            serves && workloads.iter().any(|workload| !workload.is_steady())
        }
        _ => old_tasks,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(api_version: &str, kind: &str, name: &str, spec: &serde_json::Value) -> Wanted {
        let metadata = json!({"name": name, "namespace": "shop"});
        let body =
            json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec});
        Wanted::new(&body).expect("it is known")
    }

    #[test]
    fn what_is_broken_off_before_the_workload_leaves_the_deployment_under_way() {
        let account = wanted("v1", "ServiceAccount", "web", &json!({}));
        let workload = wanted("apps/v1", "Deployment", "web", &json!({}));
        let mut errors = Errors::default();
        errors.record(&account, false, Error::Gone);
        let failure = errors.broken_off(&[account, workload]).err();
        assert!(failure.is_some_and(|failure| failure.of_workload));
    }

    #[test]
    fn only_what_leads_to_a_service_of_another_one_has_to_wait() {
        let service = wanted("v1", "Service", "api", &json!({"ports": []}));
        let binding = |to: &str| {
            let spec = json!({"serviceRef": {"name": to, "port": 80}});
            wanted("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", "web", &spec)
        };
        let mut errors = Errors::default();
        let not_owned = Error::NotOwned {
            kind: "Service".to_owned(),
            name: "api".to_owned(),
            owner: None,
        };
        errors.record(&service, true, not_owned);
        assert!(errors.has_to_wait(&binding("api"), false));
        assert!(!errors.has_to_wait(&binding("web"), false));
        // An object that is ours, and cannot be written now, exists.
        let mut refused = Errors::default();
        refused.record(&service, true, Error::TakesTooLong);
        assert!(!refused.has_to_wait(&binding("api"), false));
    }

    #[test]
    fn a_workload_waits_for_what_was_left_for_later() {
        let account = wanted("v1", "ServiceAccount", "web", &json!({}));
        let workload = wanted("apps/v1", "Deployment", "web", &json!({}));
        let mut errors = Errors::default();
        errors.record(&account, true, Error::TakesTooLong);
        assert!(!errors.has_to_wait(&workload, true), "it was there before");
        errors.record(&account, false, Error::TakesTooLong);
        assert!(errors.has_to_wait(&workload, true));
        // The error triggers another try.
        assert!(errors.into_result().is_err());
    }

    #[test]
    fn what_runs_does_not_wait_for_pull_secrets_and_a_deployment_does() {
        let source = json!([{"sourceRef": {"generatorRef": {"name": "ecs-ecr-eu-west-1"}}}]);
        let pull = json!({"dataFrom": source});
        let generator = "generators.external-secrets.io/v1alpha1";
        let workload = wanted("apps/v1", "Deployment", "web", &json!({}));
        for lacking in [
            wanted(generator, "ECRAuthorizationToken", "ecs-ecr", &json!({})),
            wanted(
                "external-secrets.io/v1",
                "ExternalSecret",
                "web-pull",
                &pull,
            ),
        ] {
            let mut errors = Errors::default();
            errors.record(&lacking, false, Error::Gone);
            assert!(errors.has_to_wait(&workload, false));
            assert!(!errors.has_to_wait(&workload, true));
        }
        let read = json!({"dataFrom": [{"extract": {"key": "registry"}}]});
        let credentials = wanted(
            "external-secrets.io/v1",
            "ExternalSecret",
            "web-pull",
            &read,
        );
        let mut errors = Errors::default();
        errors.record(&credentials, false, Error::Gone);
        assert!(errors.has_to_wait(&workload, true));
    }
}
