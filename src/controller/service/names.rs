//! The Services of Service Connect names, which several services may offer.
//!
//! While one service offers a name, its Service selects the tasks of that service, as any other Service does. Once
//! another one offers it with the same ports, it selects the label that both have, that of the offer.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::json;

use crate::{
    controller::{
        caches::{children::Key, known::Known, owned_fields::digest_of_selection, owner::Owner},
        context::Context,
        error::Error,
        wanted::Wanted,
    },
    decide::{
        offer::{Leads, Live, OtherOwner, Place, SharedName},
        pod_state::PodState,
    },
    translate::SERVICE,
};

/// How to apply a wanted object.
pub(super) enum Form {
    /// As it was rendered.
    AsIs,
    /// In this form.
    Other(Wanted),
    /// Not now: the existing Service leads to more serving tasks.
    Later,
    /// Not at all.
    Never(Error),
}

/// Returns how to apply an object with this known state for a service.
pub(super) fn form(
    cx: &Context,
    wanted: &Wanted,
    known: Option<&Known>,
    user: &Owner,
    owner: &OwnerReference,
) -> Form {
    let (Some((key, ports)), Owner::Service(_, name)) = (wanted.shared(), user) else {
        return Form::AsIs;
    };
    if wanted.offers().is_empty() {
        return Form::AsIs;
    }
    let is_anothers = |known: &Known| {
        let mut owners = known.owners.iter();
        known.shared.is_none() && owners.any(|it| it.uid != owner.uid)
    };
    if known.is_some_and(is_anothers) {
        // It belongs to that service alone, and is not shared.
        return Form::AsIs;
    }
    let found = Found {
        live: known.and_then(|known| known.selector),
        others: known.map_or_else(Vec::new, |known| others(known, &key, owner)),
        place: place(known, owner),
        user,
    };
    let wishes = cx.children.wanted_by_others(&key, user);
    let shared = SharedName {
        live: found.live(known.is_some(), ports),
        place: found.place,
        others: found.wishes(&wishes, ports),
        is_awaited: wishes.values().any(|wish| *wish == ports),
        ..found.tasks(cx, wanted)
    };
    match shared.leads() {
        Leads::ToThisAlone => Form::Other(wanted.clone().of_service(name)),
        Leads::ToOffers => Form::AsIs,
        Leads::WhereItDoes => Form::Later,
        Leads::WhereAnotherWants(index) => {
            let Some(other) = found.others.get(index) else {
                return Form::Later;
            };
            if shared.others.get(index).is_some_and(|it| !it.holds) {
                // That depends on the tasks of this service too, whose changes do not trigger the other one.
                cx.ask_owner(other.clone());
            }
            cx.children.claim(&key, owner);
            Form::Never(Error::SharedOtherwise {
                kind: key.kind.to_string(),
                name: key.name.to_string(),
                owner: other.to_string(),
            })
        }
    }
}

/// Returns the other services that own an object.
fn others(known: &Known, key: &Key, owner: &OwnerReference) -> Vec<Owner> {
    let others = known.owners.iter().filter(|other| other.uid != owner.uid);
    others
        .filter_map(|other| Owner::of_reference(other, &key.namespace))
        .collect()
}

fn place(known: Option<&Known>, owner: &OwnerReference) -> Place {
    let owners = known.map_or(&[][..], |known| &known.owners);
    match owners.iter().position(|it| it.uid == owner.uid) {
        Some(0) => Place::First,
        Some(_) => Place::Behind,
        None if owners.is_empty() => Place::First,
        None => Place::Outside,
    }
}

/// The Service of a name, as a service finds it.
struct Found<'a> {
    /// A digest of its selector.
    live: Option<u64>,
    others: Vec<Owner>,
    place: Place,
    user: &'a Owner,
}

impl Found<'_> {
    fn live(&self, is_there: bool, ports: u64) -> Live {
        match self.live {
            _ if !is_there => Live::Nothing,
            Some(live) if live == ports => Live::AsWanted,
            _ if self.is_all_of(self.user) => Live::AllOfThis,
            _ => Live::Otherwise,
        }
    }

    /// Whether it selects all tasks of a service.
    fn is_all_of(&self, owner: &Owner) -> bool {
        let (Owner::Service(_, name) | Owner::Task(_, name)) = owner;
        self.live == Some(digest_of_selection(&json!({SERVICE: name})))
    }

    /// Returns what the other owners want; `said` contains those that have been reconciled since the operator started.
    fn wishes(&self, said: &BTreeMap<Owner, u64>, ports: u64) -> Vec<OtherOwner> {
        let wish = |other: &Owner| match said.get(other) {
            Some(wish) => OtherOwner {
                agrees: *wish == ports,
                holds: self.live == Some(*wish) || self.is_all_of(other),
            },
            None => OtherOwner {
                agrees: self.live == Some(ports),
                holds: true,
            },
        };
        self.others.iter().map(wish).collect()
    }

    /// Returns the state of the name: how many tasks a change would make reachable by it, and how many it would lose.
    fn tasks(&self, cx: &Context, wanted: &Wanted) -> SharedName {
        let mut shared = SharedName {
            live: Live::Nothing,
            place: self.place,
            others: Vec::new(),
            is_awaited: false,
            gained: 0,
            lost: 0,
        };
        let offers = wanted.offers();
        let is_owner = self.place != Place::Outside;
        for owner in self.others.iter().chain(is_owner.then_some(self.user)) {
            let is_found = self.others.is_empty() || self.is_all_of(owner);
            for pod in cx.pods.of(owner) {
                let serves = pod.ready && !pod.deleting;
                let offered = offers.iter().all(|offer| pod.offers.contains(offer));
                if serves && offered {
                    shared.gained += 1;
                } else if serves && (is_found || self.is_found(&pod)) {
                    shared.lost += 1;
                }
            }
        }
        shared
    }

    /// Whether it selects what a task offers.
    fn is_found(&self, pod: &PodState) -> bool {
        pod.offers.iter().any(|offer| {
            let labels = BTreeMap::from([offer.selector()]);
            self.live == Some(digest_of_selection(&json!(labels)))
        })
    }
}
