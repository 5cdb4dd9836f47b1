//! What earlier units gave: what several units share is given once, and contradictions are errors.

use std::collections::{BTreeMap, HashMap};

/// What earlier units gave. This grows with the input.
#[derive(Debug, Default)]
pub struct Given {
    /// The content of each object by its kind and name, both as digests.
    objects: HashMap<u64, u64>,
    /// The service that has each name of a Service Connect namespace.
    connect_names: BTreeMap<(String, String), String>,
}

/// What a unit takes of what all units share.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// For each object the digests of its kind and name, and of its content.
    pub(super) objects: Vec<(u64, u64)>,
    /// The names of Service Connect that the service takes.
    pub(super) connect_names: Vec<ConnectName>,
}

/// A name of a Service Connect namespace.
#[derive(Clone, Debug)]
pub(super) struct ConnectName {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) service: String,
    /// The position of its entry in the service.
    pub(super) index: usize,
}

/// The place of a unit among others.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    pub(super) conflicts: Vec<Conflict>,
    /// For each object of the draft, whether no earlier unit gave it.
    pub fresh: Vec<bool>,
}

/// What an earlier unit gave differently.
#[derive(Clone, Debug)]
pub(super) enum Conflict {
    /// The object with this position in the draft.
    Object(usize),
    /// A name that another service has.
    ConnectName { taken: ConnectName, other: String },
}

impl Settled {
    /// Whether the unit is rejected, because it contradicts an earlier one.
    #[must_use]
    pub const fn is_rejected(&self) -> bool {
        !self.conflicts.is_empty()
    }
}

impl Given {
    /// Compares the claims of a unit with those of earlier units, and remembers them.
    pub fn settle(&mut self, claims: &Claims) -> Settled {
        let mut conflicts = self.take_connect_names(claims);
        for (index, (key, content)) in claims.objects.iter().enumerate() {
            if self.objects.get(key).is_some_and(|given| given != content) {
                conflicts.push(Conflict::Object(index));
            }
        }
        if !conflicts.is_empty() {
            return Settled {
                conflicts,
                fresh: Vec::new(),
            };
        }
        let fresh = claims.objects.iter();
        let fresh = fresh.map(|(key, content)| self.objects.insert(*key, *content).is_none());
        Settled {
            fresh: fresh.collect(),
            conflicts,
        }
    }

    /// Names of a Service Connect namespace belong to one service.
    fn take_connect_names(&mut self, claims: &Claims) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for taken in &claims.connect_names {
            let key = (taken.namespace.clone(), taken.name.clone());
            let owner = self
                .connect_names
                .entry(key)
                .or_insert_with(|| taken.service.clone());
            if *owner != taken.service {
                conflicts.push(Conflict::ConnectName {
                    taken: taken.clone(),
                    other: owner.clone(),
                });
            }
        }
        conflicts
    }
}
