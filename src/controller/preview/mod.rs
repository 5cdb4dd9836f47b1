//! What an apply of resources would change, decided by the reconciles themselves from what is there, without a write.

mod applied;
mod compare;
mod manifests;
mod policies;
mod read_only;
mod service;
mod snapshot;

use std::collections::BTreeSet;

use kube::ResourceExt as _;
use serde_json::Value;

use self::{
    compare::content,
    manifests::{places, resources},
    policies::unchecked,
    snapshot::{Resources, read},
};
use super::{
    caches::children::Key,
    cluster,
    context::Context,
    error::Error,
    refusal::Refusal,
    task,
    task_definition::{foresee, named},
};
use crate::{
    crd::{EcsCluster, EcsService, EcsTask, EcsTaskDefinition},
    diagnostic::StateReason,
    policy::Tenancy,
    settings::Settings,
    translate::{WORKLOAD_LENGTH, kname},
    validate::TaskDefinitionReference,
};

pub use self::{
    manifests::{is_app_runner_service, is_known, is_namespace, is_of_cluster, is_starter},
    read_only::read_only,
    snapshot::Snapshot,
};

/// What an apply would change.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// What becomes of each resource, in the order of the manifests; then that of other services that follow a changed
    /// task definition.
    pub changes: Vec<Change>,
    /// The kinds of objects that may not be read, so that it is not known whether someone has edited them.
    pub unreadable: Vec<String>,
    /// What is not checked.
    pub unchecked: Vec<String>,
}

/// What becomes of a resource and its objects.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The change of the resource itself.
    pub resource: Option<ObjectChange>,
    /// The changes of objects, in the order in which they are made.
    pub objects: Vec<ObjectChange>,
    /// Why the resource is rejected, so that what ran before continues.
    pub rejected: Option<String>,
    /// Whether it is rejected without the apply too.
    pub was_rejected: bool,
    /// Whether something of it runs.
    pub runs: bool,
    /// Why some of it cannot be carried out.
    pub obstacles: Vec<String>,
    /// What happens only later, for example when new tasks serve.
    pub later: Vec<String>,
    /// What is not known.
    pub unknown: Vec<String>,
    /// For a service, what happens to its tasks.
    pub replacement: Option<Replacement>,
}

/// The change of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectChange {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What someone decides of it now; `None` if it does not exist.
    pub before: Option<Value>,
    /// The same after the apply; `None` if it is deleted.
    pub after: Option<Value>,
    /// Whether this happens without the apply too: someone has edited the object, or something is still under way.
    pub anyway: bool,
}

/// What happens to the tasks of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Its first tasks start; `None` is one on each node.
    Starts(Option<i64>),
    /// All are replaced.
    Yes {
        /// The fields of the pod template that differ.
        pods: Vec<String>,
        /// The inputs that differ.
        inputs: Vec<String>,
    },
    /// They continue.
    No {
        /// Whether a deployment begins that completes at once, because its pods are the same.
        begins: bool,
        /// How many tasks are wanted without the apply and with it; `None` if that is not known, or is one on each node.
        desired: (Option<i64>, Option<i64>),
    },
}

impl Preview {
    /// Whether anything changes.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        let mut changes = self.changes.iter();
        changes.any(|change| change.resource.is_some() || !change.objects.is_empty())
    }

    /// Whether something is rejected, or it is not known what happens.
    #[must_use]
    pub fn has_failures(&self) -> bool {
        let mut changes = self.changes.iter();
        changes
            .any(|it| it.rejected.is_some() || !it.obstacles.is_empty() || !it.unknown.is_empty())
    }
}

/// An operator.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// Its settings.
    pub settings: Settings,
    /// Who shares its cluster.
    pub tenancy: Tenancy,
    /// Whether it starts renewals.
    pub renews: bool,
}

/// A failed preview.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct PreviewError(#[from] Error);

/// Returns what an apply of manifests of custom resources would change. The snapshot has to be of their namespace. Policies
/// among them count, and are not compared themselves.
///
/// # Errors
///
/// When a request fails.
pub async fn preview(
    snapshot: &Snapshot,
    operator: &Operator,
    manifests: &[Value],
) -> Result<Preview, PreviewError> {
    let after = resources(snapshot, manifests);
    let applied = manifests.iter();
    let applied = applied.filter(|it| is_of_cluster(it) || is_namespace(it));
    let applied: Vec<Value> = applied.cloned().collect();
    let worlds = Worlds {
        snapshot,
        before: snapshot.context(operator, &snapshot.resources, &[]),
        after: snapshot.context(operator, &after, &applied),
    };
    let mut preview = Preview {
        unreadable: snapshot
            .unreadable
            .iter()
            .map(ToString::to_string)
            .collect(),
        unchecked: unchecked(&snapshot.known, &worlds.after.policies, &snapshot.namespace),
        ..Preview::default()
    };
    let places = places(manifests);
    let of_kind = |kind: &'static str| places.iter().filter(move |(of, _)| of == kind);
    // Services need what their task definitions will be.
    let mut changed = BTreeSet::new();
    for place in of_kind("EcsTaskDefinition") {
        let change = worlds.task_definition(place, &after).await?;
        if change.resource.is_some() {
            changed.insert(place.1.clone());
        }
        preview.changes.push(change);
    }
    preview
        .changes
        .extend(of_kind("EcsCluster").map(|place| worlds.cluster(place, &after)));
    worlds.hear(&after).await;
    let has_clusters = of_kind("EcsCluster").next().is_some();
    // What waits for a policy begins as soon as that is there.
    let affected = affected(&after, &changed, has_clusters || !applied.is_empty());
    let given: BTreeSet<_> = of_kind("EcsService")
        .map(|(_, name)| name.clone())
        .collect();
    for name in given.iter().chain(affected.difference(&given)) {
        let place = ("EcsService".to_owned(), name.clone());
        let change = worlds.resource(&place, &after);
        let change = worlds.service(change, after.get(&place)).await?;
        let is_rejected = change.rejected.is_some() && !change.was_rejected;
        if given.contains(name) || !change.objects.is_empty() || is_rejected {
            preview.changes.push(change);
        }
    }
    let given: BTreeSet<_> = of_kind("EcsTask").cloned().collect();
    for place in after.keys().filter(|(kind, _)| kind == "EcsTask") {
        let change = worlds.resource(place, &after);
        let change = worlds.task(change, after.get(place));
        if given.contains(place) || !change.objects.is_empty() {
            preview.changes.push(change);
        }
    }
    Ok(preview)
}

/// The state of an operator before and after the apply.
struct Worlds<'a> {
    snapshot: &'a Snapshot,
    before: Context,
    after: Context,
}

impl Worlds<'_> {
    /// Returns the change of a resource itself.
    fn resource(&self, place: &(String, String), after: &Resources) -> Change {
        let (kind, name) = place.clone();
        let before = self.snapshot.resources.get(place).map(written);
        let after = after.get(place).map(written);
        let resource = (before != after).then(|| ObjectChange {
            kind: kind.clone(),
            name: name.clone(),
            before,
            after,
            anyway: false,
        });
        Change {
            kind,
            name,
            resource,
            ..Change::default()
        }
    }

    /// Returns the change of a task definition, and puts its new revision where services find it.
    async fn task_definition(
        &self,
        place: &(String, String),
        after: &Resources,
    ) -> Result<Change, Error> {
        let mut change = self.resource(place, after);
        if let Some(definition) = after.get(place).and_then(read::<EcsTaskDefinition>) {
            let refusal = foresee(&definition, &self.after).await?;
            change.rejected = refusal.map(|refusal| refusal.message);
        }
        Ok(change)
    }

    /// Returns the change of a cluster.
    fn cluster(&self, place: &(String, String), after: &Resources) -> Change {
        let mut change = self.resource(place, after);
        if let Some(cluster) = after.get(place).and_then(read::<EcsCluster>) {
            change.rejected = cluster::read(&cluster).err().map(|refusal| refusal.message);
        }
        change
    }

    /// Adds what an EcsTask starts.
    fn task(&self, mut change: Change, after: Option<&Value>) -> Change {
        let place = (change.kind.clone(), change.name.clone());
        let before = self
            .snapshot
            .resources
            .get(&place)
            .and_then(read::<EcsTask>);
        let Some(task) = after.and_then(read::<EcsTask>) else {
            return change;
        };
        if let Some(before) = before {
            if request(&before) != request(&task) {
                change.rejected = Some(
                    "the spec of an EcsTask cannot be changed: give it another name to run it again"
                        .to_owned(),
                );
                return change;
            }
            let has_begun = !before.status.tasks.is_empty();
            if has_begun || task::wanted(&before, &self.before).is_ok() {
                return change;
            }
            // It waits for a policy.
            if task::wanted(&task, &self.after).is_err() {
                return change;
            }
        }
        match task::wanted(&task, &self.after) {
            Ok(Some(objects)) => {
                for wanted in objects {
                    let Key { kind, name, .. } = &wanted.key;
                    if wanted.stays {
                        change.later.push(format!(
                            "the end of the name of {kind} {name} comes from the identity of the new EcsTask"
                        ));
                    }
                    if !self.snapshot.objects.contains_key(&wanted.key) {
                        change.objects.push(ObjectChange {
                            kind: kind.to_string(),
                            name: name.to_string(),
                            before: None,
                            after: Some(content(&wanted.body)),
                            anyway: false,
                        });
                    }
                }
            }
            Ok(None) => change.unknown.push(NO_REVISION.to_owned()),
            Err(refusal) => {
                change.refused(&refusal);
            }
        }
        change
    }
}

impl Change {
    /// Adds why a resource does not become what it asks for. Returns whether it is unknown what it becomes.
    fn refused(&mut self, refusal: &Refusal) -> bool {
        // It is the user who may not list them, and not the operator.
        let is_unknown = refusal.reason == StateReason::CapacityProvidersUnknown.into();
        if is_unknown {
            self.unknown.push(refusal.message.clone());
        } else {
            self.rejected = Some(refusal.message.clone());
        }
        is_unknown
    }
}

/// Returns the part of an EcsTask's spec that cannot be changed.
fn request(task: &EcsTask) -> Value {
    let mut request: Value = task.spec.parse().unwrap_or_default();
    if let Value::Object(members) = &mut request {
        members.remove("ttlSecondsAfterFinished");
    }
    request
}

const NO_REVISION: &str =
    "the operator has not made a revision of its task definition yet: ask again when it has";

/// Returns a resource as its owner writes it.
pub(super) fn written(resource: &Value) -> Value {
    let mut content = content(resource);
    if let Some(Value::Object(annotations)) = content.pointer_mut("/metadata/annotations") {
        annotations.remove(applied::LAST_APPLIED);
        if annotations.is_empty()
            && let Some(Value::Object(metadata)) = content.get_mut("metadata")
        {
            metadata.remove("annotations");
        }
    }
    content
}

/// Returns the services that follow one of these task definitions, or all, if the defaults of the namespace change.
fn affected(after: &Resources, changed: &BTreeSet<String>, all: bool) -> BTreeSet<String> {
    let services = after.iter().filter(|((kind, _), _)| kind == "EcsService");
    let services = services.filter_map(|(_, object)| read::<EcsService>(object));
    let follows = |service: &EcsService| {
        let reference = named(&service.spec).unwrap_or_default();
        let family = TaskDefinitionReference::parse(&reference);
        family.is_some_and(|it| changed.contains(&kname(it.family, WORKLOAD_LENGTH)))
    };
    services
        .filter(|service| all || follows(service))
        .map(|service| service.name_any())
        .collect()
}
