//! The objects that the operator created, by name and by owner: a shared cache that reconciles read instead of the API
//! server.

mod connect;
mod index;
mod writes;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource as _;

use self::index::Index;
pub(crate) use self::writes::Write;
use crate::controller::caches::{
    child::{Child, Claimed},
    child_kind::ChildKind,
    known::{Known, resource_version},
    owner::Owner,
};

/// Identifies a child.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// Its kind.
    pub kind: &'static ChildKind,
    /// Its namespace; empty for cluster-scoped kinds.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
}

impl Key {
    /// Returns the key of a live child.
    #[must_use]
    pub(crate) fn of(kind: &'static ChildKind, child: &Child) -> Self {
        Self {
            kind,
            namespace: child.meta().namespace.as_deref().unwrap_or_default().into(),
            name: child.meta().name.as_deref().unwrap_or_default().into(),
        }
    }
}

/// The cache. Watches and the responses to our own writes update it; the newer version wins.
#[derive(Default)]
pub(crate) struct Children {
    index: Mutex<Index>,
}

impl Children {
    fn index(&self) -> MutexGuard<'_, Index> {
        // A panic while the lock is held cannot corrupt the maps, only leave them incomplete, which a watch repairs.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is known of a child.
    #[must_use]
    pub(crate) fn get(&self, key: &Key) -> Option<Known> {
        self.index().known.get(key).cloned()
    }

    /// Returns the children of an owner, ordered by kind and name.
    #[must_use]
    pub(crate) fn of_owner(&self, uid: &str) -> Vec<(Arc<Key>, Known)> {
        let index = self.index();
        let keys = index.by_owner.get(uid).into_iter().flatten();
        keys.filter_map(|key| Some((key.clone(), index.known.get(key)?.clone())))
            .collect()
    }

    /// Returns the volumes whose claims are gone.
    #[must_use]
    pub(crate) fn released(&self) -> Vec<(Arc<Key>, Known)> {
        let index = self.index();
        let released = index.known.iter().filter(|(_, known)| known.is_released());
        released
            .map(|(key, known)| (key.clone(), known.clone()))
            .collect()
    }

    /// Returns the volumes that were never claimed and never will be: nothing wants them, and the claim does not exist.
    #[must_use]
    pub(crate) fn unclaimed(&self) -> Vec<(Arc<Key>, Known)> {
        let index = self.index();
        let unclaimed = index.known.iter().filter(|(key, known)| {
            known.volume.as_ref().is_some_and(|volume| {
                volume.claimed == Claimed::NotYet
                    && !index.wanted_by.contains_key(*key)
                    && !index.has_claim(volume)
            })
        });
        unclaimed
            .map(|(key, known)| (key.clone(), known.clone()))
            .collect()
    }

    /// Returns the number of children.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.index().known.len()
    }

    /// Records the shared objects that an owner wants, with digests of their content, and forgets those that it wanted
    /// before.
    pub(crate) fn wants(&self, owner: &Owner, wanted: impl Iterator<Item = (Key, u64)>) {
        let wanted: Vec<(Key, u64)> = wanted.collect();
        let mut index = self.index();
        index.unheard.remove(owner);
        for key in index.wants.remove(owner).unwrap_or_default() {
            if let Some(owners) = index.wanted_by.get_mut(&key) {
                owners.remove(owner);
                if owners.is_empty() {
                    index.wanted_by.remove(&key);
                }
            }
        }
        if wanted.is_empty() {
            return;
        }
        for (key, digest) in &wanted {
            let owners = index.wanted_by.entry(key.clone()).or_default();
            owners.insert(owner.clone(), *digest);
        }
        let keys = wanted.into_iter().map(|(key, _)| key).collect();
        index.wants.insert(owner.clone(), keys);
    }

    /// Records owners that may want shared objects, before they have been reconciled.
    pub(crate) fn expect(&self, owners: impl Iterator<Item = Owner>) {
        self.index().unheard = owners.collect();
    }

    /// Records that an owner has been reconciled, whether or not it wants anything.
    pub(crate) fn heard(&self, owner: &Owner) {
        self.index().unheard.remove(owner);
    }

    /// Takes the owners that need a reconcile: once all owners have been reconciled, those that waited for that, and
    /// those whose writes were changed by others.
    #[must_use]
    pub(crate) fn to_ask(&self) -> BTreeSet<Owner> {
        let mut index = self.index();
        let mut owners = std::mem::take(&mut index.to_ask);
        if index.unheard.is_empty() {
            owners.append(&mut index.waiting);
        }
        owners
    }

    /// Returns the other owners that want a shared object, with the digest that each wants.
    #[must_use]
    pub(crate) fn wanted_by_others(&self, key: &Key, owner: &Owner) -> BTreeMap<Owner, u64> {
        let mut others = self.index().wanted_by.get(key).cloned().unwrap_or_default();
        others.remove(owner);
        others
    }

    /// Returns the owner that determines the content of a shared object, if that content is not what `owner` wants. The
    /// first owner keeps it, even after a restart, before it has been reconciled again.
    #[must_use]
    pub(crate) fn shaped_by(
        &self,
        key: &Key,
        known: &Known,
        owner: &OwnerReference,
        wanted: u64,
    ) -> Option<Owner> {
        if known.shared == Some(wanted) {
            return None;
        }
        let mut index = self.index();
        if !key.kind.namespaced {
            return index.shaped_without_owners_by(key, known, wanted);
        }
        let said = index.wanted_by.get(key);
        let others = known.owners.iter().filter(|other| other.uid != owner.uid);
        let mut others = others.filter_map(|other| Owner::of_reference(other, &key.namespace));
        others.find(|other| match said.and_then(|said| said.get(other)) {
            Some(said) => known.shared == Some(*said),
            // A task is reconciled only when its pods are created, and never restores an object.
            None => matches!(other, Owner::Service(..)),
        })
    }

    /// Records that an owner wants an object of another owner, so that it is reconciled when the object becomes free.
    pub(crate) fn claim(&self, key: &Key, owner: &OwnerReference) {
        if let Some(owner) = Owner::of_reference(owner, &key.namespace) {
            let mut index = self.index();
            let claimants = index.claimed_by.entry(key.clone()).or_default();
            claimants.insert(owner);
        }
    }

    /// Forgets such a claim.
    pub(crate) fn unclaim(&self, key: &Key, owner: &OwnerReference) {
        if let Some(owner) = Owner::of_reference(owner, &key.namespace) {
            self.index().unclaim(key, &owner);
        }
    }

    /// Forgets all such claims of an owner that is gone.
    pub(crate) fn unclaim_all(&self, owner: &Owner) {
        let mut index = self.index();
        index.claimed_by.retain(|_, claimants| {
            claimants.remove(owner);
            !claimants.is_empty()
        });
    }

    /// Returns the owners of a live child.
    pub(crate) fn owners(&self, kind: &'static ChildKind, child: &Child) -> Vec<Owner> {
        self.index().owners(&Key::of(kind, child), child.owners())
    }

    /// Records a live child from a watch. Returns the owners that a change affects, before and after it; none if the
    /// child was already known.
    pub(crate) fn observe(&self, kind: &'static ChildKind, child: &Child) -> Vec<Owner> {
        let key = Key::of(kind, child);
        let mut index = self.index();
        let mut concerned = index.record(key.clone(), child, None);
        let version = resource_version(child);
        index.writes.hold(&key, version, &mut concerned);
        concerned
    }

    /// Forgets a child that is gone. Returns the affected owners.
    pub(crate) fn forget(&self, kind: &'static ChildKind, child: &Child) -> Vec<Owner> {
        let key = Key::of(kind, child);
        let mut index = self.index();
        index.in_flight.lose(&key);
        if !index.is_known(&key, child) {
            return Vec::new();
        }
        let known = index.remove(&key);
        known.map_or_else(Vec::new, |known| index.owners(&key, &known.owners))
    }

    /// Forgets the children of a kind in a namespace (`None`: in all) that are not in a new list. Returns the affected
    /// owners. The watch that follows reports children that were created after the list was taken.
    pub(crate) fn keep_only(
        &self,
        kind: &'static ChildKind,
        namespace: Option<&str>,
        listed: &BTreeSet<Box<str>>,
    ) -> Vec<Owner> {
        let is_listed = |key: &Key| {
            key.kind == kind && namespace.is_none_or(|namespace| *key.namespace == *namespace)
        };
        let mut index = self.index();
        index.in_flight.lose_all(is_listed);
        let gone: Vec<Arc<Key>> = index
            .known
            .iter()
            .filter(|(key, known)| is_listed(key) && !listed.contains(&known.uid))
            .map(|(key, _)| key.clone())
            .collect();
        let concerned = |key: Arc<Key>| {
            let known = index.remove(&key);
            known.map_or_else(Vec::new, |known| index.owners(&key, &known.owners))
        };
        gone.into_iter().flat_map(concerned).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind() -> &'static ChildKind {
        ChildKind::of("v1", "ConfigMap").expect("it is known")
    }

    fn child(uid: &str, version: u64, data: &str, owner: &str) -> Child {
        Child::of(&json!({
            "metadata": {
                "namespace": "shop",
                "name": "web",
                "uid": uid,
                "resourceVersion": version.to_string(),
                "ownerReferences": [{"apiVersion": "v1", "kind": "EcsService", "name": owner, "uid": owner}],
                "managedFields": [{
                    "manager": "ecs-operator",
                    "operation": "Apply",
                    "fieldsV1": {"f:data": {}},
                }],
            },
            "data": data,
        }))
    }

    fn answered(children: &Children, key: &Key, child: &Child, wanted: u64) {
        let write = children.write(key, &OwnerReference::default(), true);
        assert!(write.applied(child, wanted));
    }

    fn names(owners: &[Owner]) -> Vec<&str> {
        let names = owners.iter().map(|owner| match owner {
            Owner::Service(_, name) | Owner::Task(_, name) => name.as_str(),
        });
        names.collect()
    }

    #[test]
    fn what_is_in_no_namespace_concerns_those_who_want_it() {
        let kind = ChildKind::of("v1", "PersistentVolume").expect("it is known");
        let volume = |version: u64, data: &str| {
            Child::of(&json!({
                "metadata": {
                    "name": "data",
                    "uid": "1",
                    "resourceVersion": version.to_string(),
                    "managedFields": [{
                        "manager": "ecs-operator",
                        "operation": "Apply",
                        "fieldsV1": {"f:data": {}},
                    }],
                },
                "data": data,
            }))
        };
        let children = Children::default();
        let key = Key::of(kind, &volume(1, "a"));
        let service = |name: &str| Owner::Service("shop".to_owned(), name.to_owned());
        children.wants(&service("web"), [(key.clone(), 1)].into_iter());
        children.wants(&service("api"), [(key, 1)].into_iter());
        let made = children.observe(kind, &volume(1, "a"));
        assert_eq!(names(&made), ["api", "web"]);
        assert_eq!(names(&children.observe(kind, &volume(2, "a"))), [""; 0]);
        children.wants(&service("web"), [].into_iter());
        let edited = children.observe(kind, &volume(3, "b"));
        assert_eq!(names(&edited), ["api"]);
        let gone = children.keep_only(kind, None, &BTreeSet::new());
        assert_eq!(names(&gone), ["api"]);
    }

    #[test]
    fn whoever_wants_what_is_of_another_one_is_told_when_it_is_free() {
        let children = Children::default();
        let of_web = child("1", 5, "a", "web");
        children.observe(kind(), &of_web);
        let reference: OwnerReference = serde_json::from_value(
            json!({"apiVersion": "v1", "kind": "EcsService", "name": "api", "uid": "api"}),
        )
        .expect("it is a reference");
        let key = Key::of(kind(), &of_web);
        children.claim(&key, &reference);
        assert_eq!(names(&children.forget(kind(), &of_web)), ["web", "api"]);
        children.unclaim(&key, &reference);
        children.observe(kind(), &of_web);
        assert_eq!(names(&children.forget(kind(), &of_web)), ["web"]);
    }

    #[test]
    fn whoever_came_first_keeps_a_shared_object_as_it_is() {
        let children = Children::default();
        let of = |uid: &str, kind: &str| -> OwnerReference {
            serde_json::from_value(
                json!({"apiVersion": "v1", "kind": kind, "name": uid, "uid": uid}),
            )
            .expect("it is a reference")
        };
        let owner = |reference: &OwnerReference| {
            Owner::of_reference(reference, "shop").expect("it is of a kind that owns")
        };
        let (web, api, job) = (
            of("web", "EcsService"),
            of("api", "EcsService"),
            of("job", "EcsTask"),
        );
        let live = child("1", 5, "a", "web");
        children.observe(kind(), &live);
        let key = Key::of(kind(), &live);
        let known = |owners: &[&OwnerReference]| Known {
            owners: owners.iter().map(|it| (*it).clone()).collect(),
            shared: Some(1),
            ..children.get(&key).expect("it is known")
        };
        let shaped = |owners: &[&OwnerReference], by: &OwnerReference, wanted| {
            children.shaped_by(&key, &known(owners), by, wanted)
        };
        assert_eq!(shaped(&[&web], &api, 1), None, "it is the same");
        assert_eq!(shaped(&[&web], &web, 2), None, "it is alone");
        // What `web` wants is not known yet, for example after a restart.
        assert_eq!(shaped(&[&web], &api, 2), Some(owner(&web)));
        assert_eq!(shaped(&[&job], &api, 2), None);
        children.wants(&owner(&web), [(key.clone(), 1)].into_iter());
        assert_eq!(shaped(&[&web, &api], &api, 2), Some(owner(&web)));
        // Neither wants it as it is: someone has edited it.
        children.wants(&owner(&web), [(key.clone(), 3)].into_iter());
        assert_eq!(shaped(&[&web, &api], &api, 2), None);
    }

    #[test]
    fn what_is_in_no_namespace_stays_as_one_of_those_wants_it_who_want_it() {
        let kind = ChildKind::of("v1", "PersistentVolume").expect("it is known");
        let children = Children::default();
        let volume = Child::of(&json!({"metadata": {"name": "data", "uid": "1"}}));
        children.observe(kind, &volume);
        let key = Key::of(kind, &volume);
        let service = |name: &str| Owner::Service("shop".to_owned(), name.to_owned());
        let reference = |name: &str| OwnerReference {
            kind: "EcsService".to_owned(),
            name: name.to_owned(),
            ..OwnerReference::default()
        };
        let known = Known {
            shared: Some(1),
            ..children.get(&key).expect("it is known")
        };
        let shaped = |wanted| children.shaped_by(&key, &known, &reference("api"), wanted);
        children.expect(["web", "api", "job"].map(service).into_iter());
        children.wants(&service("api"), [(key.clone(), 2)].into_iter());
        assert_eq!(shaped(1), None, "it is the same");
        // After a restart any owner may want it as it is.
        assert_eq!(shaped(2), Some(service("job")));
        children.wants(&service("web"), [(key.clone(), 1)].into_iter());
        assert!(children.to_ask().is_empty());
        children.heard(&service("job"));
        assert_eq!(shaped(2), Some(service("web")));
        // It is reconciled again now that all owners have been.
        assert_eq!(children.to_ask(), [service("api")].into());
        assert!(children.to_ask().is_empty());
        // No owner wants it as it is: someone has edited it, or an owner has another deployment.
        children.wants(&service("web"), [(key.clone(), 3)].into_iter());
        assert_eq!(shaped(2), None);
        let stored_otherwise = Known {
            applied: Some(3),
            ..known.clone()
        };
        let shaped = children.shaped_by(&key, &stored_otherwise, &reference("api"), 2);
        assert_eq!(shaped, Some(service("web")));
    }

    #[test]
    fn only_changes_concern_an_owner() {
        let children = Children::default();
        assert_eq!(
            names(&children.observe(kind(), &child("1", 5, "a", "web"))),
            ["web"]
        );
        let again = children.observe(kind(), &child("1", 6, "a", "web"));
        assert_eq!(names(&again), [""; 0]);
        let edited = children.observe(kind(), &child("1", 7, "b", "web"));
        assert_eq!(names(&edited), ["web"]);
        let given_away = children.observe(kind(), &child("1", 8, "b", "api"));
        assert_eq!(names(&given_away), ["web", "api"]);
        assert!(children.of_owner("web").is_empty());
        assert_eq!(children.of_owner("api").len(), 1);
    }

    #[test]
    fn a_watch_that_lags_does_not_undo_a_write() {
        let children = Children::default();
        let newest = child("1", 9, "new", "web");
        let key = Key::of(kind(), &newest);
        answered(&children, &key, &newest, newest.digest);
        assert_eq!(
            names(&children.observe(kind(), &child("1", 5, "old", "web"))),
            [""; 0]
        );
        assert!(
            children
                .get(&key)
                .is_some_and(|known| known.is(newest.digest))
        );
        // A re-created object of the same name is newer, whatever its version.
        children.observe(kind(), &child("2", 3, "other", "web"));
        assert!(children.get(&key).is_some_and(|known| &*known.uid == "2"));
        // The end of the old one does not affect the new one.
        children.forget(kind(), &newest);
        assert_eq!(children.len(), 1);
    }

    #[test]
    fn what_the_server_stores_in_another_form_is_remembered() {
        let children = Children::default();
        let stored = child("1", 5, "1Gi", "web");
        let key = Key::of(kind(), &stored);
        answered(&children, &key, &stored, 42);
        assert!(children.get(&key).is_some_and(|known| known.is(42)));
        // A change to what others own does not change the digest.
        children.observe(kind(), &child("1", 6, "1Gi", "web"));
        assert!(children.get(&key).is_some_and(|known| known.is(42)));
        children.observe(kind(), &child("1", 7, "2Gi", "web"));
        assert!(children.get(&key).is_some_and(|known| !known.is(42)));
    }

    #[test]
    fn a_new_list_forgets_what_it_lacks() {
        let children = Children::default();
        children.observe(kind(), &child("1", 5, "a", "web"));
        let listed = BTreeSet::from(["1".into()]);
        assert!(children.keep_only(kind(), None, &listed).is_empty());
        assert!(
            children
                .keep_only(kind(), Some("other"), &BTreeSet::new())
                .is_empty()
        );
        let gone = children.keep_only(kind(), Some("shop"), &BTreeSet::new());
        assert_eq!(names(&gone), ["web"]);
        assert_eq!(children.len(), 0);
    }
}
