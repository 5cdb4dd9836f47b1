//! The maps of the cache, behind its lock.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource as _;

use super::{Key, writes::Writes};
use crate::controller::caches::{
    child::{Child, VolumeState},
    child_kind::ChildKind,
    in_flight::InFlight,
    known::Known,
    owner::Owner,
};

/// The known objects, and who wants what of them.
#[derive(Default)]
pub(super) struct Index {
    pub(super) known: HashMap<Arc<Key>, Known>,
    pub(super) by_owner: HashMap<Box<str>, BTreeSet<Arc<Key>>>,
    /// The owners that want each shared object, with a digest of the content that they want.
    pub(super) wanted_by: HashMap<Key, BTreeMap<Owner, u64>>,
    /// The same by owner.
    pub(super) wants: HashMap<Owner, Vec<Key>>,
    /// Owners that may want a shared object and have not been reconciled yet.
    pub(super) unheard: BTreeSet<Owner>,
    /// Owners that want a shared object to be different, waiting until all owners have been reconciled.
    pub(super) waiting: BTreeSet<Owner>,
    /// Owners that want an object that belongs to another owner.
    pub(super) claimed_by: HashMap<Key, BTreeSet<Owner>>,
    /// The requests in flight.
    pub(super) in_flight: InFlight<Key>,
    /// The writes among them.
    pub(super) writes: Writes,
    /// Owners that wrote an object that changed again before the response arrived.
    pub(super) to_ask: BTreeSet<Owner>,
}

impl Index {
    /// Whether this very child is known, and not another one of its name.
    pub(super) fn is_known(&self, key: &Key, child: &Child) -> bool {
        let known = self.known.get(key);
        known.is_some_and(|known| Some(&*known.uid) == child.meta().uid.as_deref())
    }

    /// Records a live child. Returns the owners that a change affects, before and after it. `wanted` is the digest of the
    /// applied object if the child is the response to our own write.
    pub(super) fn record(&mut self, key: Key, child: &Child, wanted: Option<u64>) -> Vec<Owner> {
        let mut fresh = Known::of(child);
        let before = self.known.get(&key).cloned();
        if let Some(before) = &before
            && before.uid == fresh.uid
        {
            if before.resource_version > fresh.resource_version {
                return Vec::new();
            }
            if before.digest == fresh.digest {
                fresh.applied = before.applied;
            }
            fresh.written = before.written;
        }
        if let Some(wanted) = wanted {
            fresh.applied = (wanted != fresh.digest).then_some(wanted);
            fresh.written = Some(wanted);
        }
        let concerned = match &before {
            Some(before) => union(&before.owners, &fresh.owners),
            None => fresh.owners.to_vec(),
        };
        let changed = before.as_ref().is_none_or(|before| !before.is_same(&fresh));
        self.remove(&key);
        let concerned = if changed {
            self.owners(&key, &concerned)
        } else {
            Vec::new()
        };
        self.insert(Arc::new(key), fresh);
        concerned
    }

    /// Returns the owners in these references, or, for an object that cannot have any, the owners that want it.
    pub(super) fn owners(&self, key: &Key, references: &[OwnerReference]) -> Vec<Owner> {
        if key.kind.namespaced {
            let owners = references.iter();
            let owners =
                owners.filter_map(|reference| Owner::of_reference(reference, &key.namespace));
            let claimants = self.claimed_by.get(key).into_iter().flatten();
            return owners.chain(claimants.cloned()).collect();
        }
        let owners = self.wanted_by.get(key).into_iter().flatten();
        owners.map(|(owner, _)| owner.clone()).collect()
    }

    /// Returns the owner that determines the content of an object that has no owner references. An owner that has not
    /// been reconciled yet may want it as it is.
    pub(super) fn shaped_without_owners_by(
        &mut self,
        key: &Key,
        known: &Known,
        wanted: u64,
    ) -> Option<Owner> {
        let is_so = |said: u64| known.shared == Some(said) || known.applied == Some(said);
        let said = self.wanted_by.get(key).into_iter().flatten();
        let other = said
            .clone()
            .find(|(_, said)| **said != wanted && is_so(**said));
        if let Some((other, _)) = other {
            return Some(other.clone());
        }
        let unheard = self.unheard.first().cloned()?;
        let waiting = said.filter(|(_, said)| **said == wanted);
        self.waiting.extend(waiting.map(|(owner, _)| owner.clone()));
        Some(unheard)
    }

    pub(super) fn unclaim(&mut self, key: &Key, owner: &Owner) {
        if let Some(claimants) = self.claimed_by.get_mut(key) {
            claimants.remove(owner);
            if claimants.is_empty() {
                self.claimed_by.remove(key);
            }
        }
    }

    pub(super) fn has_claim(&self, volume: &VolumeState) -> bool {
        let Some(kind) = ChildKind::of("v1", "PersistentVolumeClaim") else {
            return false;
        };
        self.known.contains_key(&Key {
            kind,
            namespace: volume.namespace.clone(),
            name: volume.claim.clone(),
        })
    }

    pub(super) fn insert(&mut self, key: Arc<Key>, known: Known) {
        for owner in &known.owners {
            let keys = self.by_owner.entry(owner.uid.as_str().into()).or_default();
            keys.insert(key.clone());
        }
        self.known.insert(key, known);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Known> {
        let known = self.known.remove(key)?;
        for owner in &known.owners {
            if let Some(keys) = self.by_owner.get_mut(owner.uid.as_str()) {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_owner.remove(owner.uid.as_str());
                }
            }
        }
        Some(known)
    }
}

fn union(some: &[OwnerReference], more: &[OwnerReference]) -> Vec<OwnerReference> {
    let mut all = some.to_vec();
    all.extend(more.iter().filter(|owner| !some.contains(owner)).cloned());
    all
}
