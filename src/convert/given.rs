//! What earlier units gave: what several units share is given once, and contradictions are errors.

use std::collections::{BTreeMap, HashMap};

use super::Draft;
use crate::diagnostic::{Diagnostics, FieldPath, Message};

/// What earlier units gave. This grows with the input.
#[derive(Debug, Default)]
pub struct Given {
    /// The content of each object by its kind and name, both as digests.
    objects: HashMap<u64, u64>,
    /// The service that has each name of a Service Connect namespace.
    connect_names: BTreeMap<(String, String), String>,
}

/// The place of a unit among others.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Why the unit is rejected, if it contradicts an earlier one.
    pub conflicts: Diagnostics,
    /// For each object of the draft, whether no earlier unit gave it.
    pub fresh: Vec<bool>,
}

impl Given {
    /// Compares a draft with the earlier units, and remembers what it gives.
    pub fn settle(&mut self, draft: &Draft) -> Settled {
        let mut conflicts = Diagnostics::new();
        self.take_connect_names(draft, &mut conflicts);
        for (object, (key, content)) in draft.objects().iter().zip(&draft.digests) {
            if self.objects.get(key).is_some_and(|given| given != content) {
                let (kind, name) = object.identity();
                conflicts.report(
                    FieldPath::root(draft.subject),
                    Message::ConflictingObjects {
                        kind: kind.to_owned(),
                        name: name.to_owned(),
                    },
                );
            }
        }
        if !conflicts.is_empty() {
            return Settled {
                conflicts,
                fresh: Vec::new(),
            };
        }
        let fresh = draft.digests.iter();
        let fresh = fresh.map(|(key, content)| self.objects.insert(*key, *content).is_none());
        Settled {
            fresh: fresh.collect(),
            conflicts,
        }
    }

    /// Names of a Service Connect namespace belong to one service.
    fn take_connect_names(&mut self, draft: &Draft, conflicts: &mut Diagnostics) {
        for taken in &draft.connect_names {
            let key = (taken.namespace.clone(), taken.name.clone());
            let owner = self
                .connect_names
                .entry(key)
                .or_insert_with(|| taken.service.clone());
            if *owner != taken.service {
                conflicts.report(
                    taken.path.clone(),
                    Message::ServiceConnectNameTaken {
                        name: taken.name.clone(),
                        ns: taken.namespace.clone(),
                        other: owner.clone(),
                    },
                );
            }
        }
    }
}
