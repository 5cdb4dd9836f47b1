//! What earlier units gave: what several units share is given once, and contradictions are errors.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use crate::{
    diagnostic::{FieldPath, Subject},
    validate::Service,
};

/// What earlier units gave. This grows with the input.
#[derive(Debug, Default)]
pub struct Given {
    /// The content of each object, and the number of its unit, by its kind and name.
    objects: HashMap<u64, (u32, u32)>,
    /// The service that has each name of a Service Connect namespace.
    connect_names: BTreeMap<(String, String), String>,
}

/// What a unit takes of what all units share.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// For each object the digests of its kind and name, and of its content. One is kept of each object of the input,
    /// so it is small.
    pub(super) objects: Vec<(u64, u32)>,
    /// The positions of the objects that run once.
    pub(super) run_once: Vec<usize>,
    /// The names of Service Connect that the service takes.
    pub(super) connect_names: Vec<ConnectName>,
    /// Whether the unit is rejected, so that it takes nothing.
    pub(super) is_rejected: bool,
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

/// The names that a service takes in its Service Connect namespace.
pub(super) fn connect_names(service: &Service) -> Vec<ConnectName> {
    let Some(connect) = &service.service_connect else {
        return Vec::new();
    };
    let entries = connect.services.iter();
    entries
        .map(|entry| ConnectName {
            namespace: connect.namespace.clone().unwrap_or_default(),
            name: entry.discovery_name.clone(),
            service: service.name.clone(),
            index: entry.index,
        })
        .collect()
}

/// The path of the entries with such names in a service.
pub(super) fn connect_services() -> FieldPath {
    FieldPath::root(Subject::Service)
        .field("serviceConnectConfiguration")
        .field("services")
}

/// The place of a unit among others.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    pub(super) conflicts: Vec<Conflict>,
    /// For each object of the draft, whether no earlier unit gave it.
    pub fresh: Vec<bool>,
    /// Whether something that runs once was given before.
    pub(super) is_repeated: bool,
}

/// What an earlier unit gave differently.
#[derive(Clone, Debug)]
pub(super) enum Conflict {
    /// The object with this position in the draft, of which another unit gave another one.
    Object { index: usize, other: usize },
    /// A name that another service has.
    ConnectName { taken: ConnectName, other: String },
}

impl Settled {
    /// Whether the unit is rejected, because it contradicts an earlier one.
    #[must_use]
    pub const fn is_rejected(&self) -> bool {
        !self.conflicts.is_empty()
    }

    /// Whether the unit has other findings than it has alone.
    #[must_use]
    pub const fn changes_findings(&self) -> bool {
        self.is_repeated || self.is_rejected()
    }
}

impl Given {
    /// Compares the claims of the unit with this number with those of earlier units, and remembers them if nothing rejects
    /// the unit.
    pub fn settle(&mut self, number: usize, claims: &Claims) -> Settled {
        let mut conflicts = self.taken_connect_names(claims);
        for (index, (key, content)) in claims.objects.iter().enumerate() {
            if let Some((given, other)) = self.objects.get(key)
                && given != content
            {
                let other = *other as usize;
                conflicts.push(Conflict::Object { index, other });
            }
        }
        if claims.is_rejected || !conflicts.is_empty() {
            return Settled {
                conflicts,
                ..Settled::default()
            };
        }
        for taken in &claims.connect_names {
            let key = (taken.namespace.clone(), taken.name.clone());
            self.connect_names.insert(key, taken.service.clone());
        }
        // There are fewer units than bytes of input.
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let fresh = claims.objects.iter();
        let fresh = fresh.map(|(key, content)| match self.objects.entry(*key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert((*content, number));
                true
            }
        });
        let fresh: Vec<bool> = fresh.collect();
        let is_given = |index: &usize| fresh.get(*index) == Some(&false);
        Settled {
            is_repeated: claims.run_once.iter().any(is_given),
            fresh,
            conflicts,
        }
    }

    /// Returns the names of a Service Connect namespace that belong to another service.
    fn taken_connect_names(&self, claims: &Claims) -> Vec<Conflict> {
        let names = claims.connect_names.iter();
        names
            .filter_map(|taken| {
                let key = (taken.namespace.clone(), taken.name.clone());
                let owner = self.connect_names.get(&key)?;
                (*owner != taken.service).then(|| Conflict::ConnectName {
                    taken: taken.clone(),
                    other: owner.clone(),
                })
            })
            .collect()
    }
}
