//! The Services of the names of Service Connect, which several services may offer.
//!
//! As long as one service offers a name, its Service selects the tasks of that service, as any other Service does. Once
//! another one offers it with the same ports, it selects what both have: the label of the offer.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::{
    controller::{
        caches::{children::Key, known::Known, owner::Owner},
        context::Context,
        error::Error,
        wanted::Wanted,
    },
    decide::pod_state::PodState,
};

/// How a wanted object is applied.
pub(super) enum Form {
    /// As it was rendered.
    AsIs,
    /// In this way.
    Other(Wanted),
    /// Not now: what is there leads to more tasks that serve.
    Later,
    /// Not at all.
    Never(Error),
}

/// How an object is applied for a service.
pub(super) fn form(cx: &Context, wanted: &Wanted, user: &Owner, owner: &OwnerReference) -> Form {
    let (Some((key, ports)), Owner::Service(_, name)) = (wanted.shared(), user) else {
        return Form::AsIs;
    };
    if wanted.offers().is_empty() {
        return Form::AsIs;
    }
    let known = cx.children.get(&key);
    let is_anothers = |known: &Known| {
        let mut owners = known.owners.iter();
        known.shared.is_none() && owners.any(|it| it.uid != owner.uid)
    };
    if known.as_ref().is_some_and(is_anothers) {
        // It is of that service alone, and others do not get it.
        return Form::AsIs;
    }
    let others = known
        .as_ref()
        .map_or_else(Vec::new, |it| others(it, &key, owner));
    let wishes = cx.children.wanted_by_others(&key, user);
    for other in &others {
        let agrees = match wishes.get(other) {
            Some(wish) => *wish == ports,
            // It has not said again, since this operator runs, what it wants.
            None => known.as_ref().and_then(|it| it.selector) == wanted.selector(),
        };
        if !agrees {
            return otherwise(cx, &key, other, owner);
        }
    }
    if others.is_empty() && !wishes.values().any(|wish| *wish == ports) {
        return Form::Other(wanted.clone().of_service(name));
    }
    let is_so = |known: &Known| known.selector == wanted.selector();
    if known.as_ref().is_none_or(is_so) {
        return Form::AsIs;
    }
    let is_owner = known.is_some_and(|it| it.owners.iter().any(|it| it.uid == owner.uid));
    let serving: Vec<Arc<PodState>> = others
        .iter()
        .chain(is_owner.then_some(user))
        .flat_map(|owner| cx.pods.of(owner))
        .filter(|pod| pod.ready && !pod.deleting)
        .collect();
    let offers = wanted.offers();
    let offering = serving
        .iter()
        .filter(|pod| offers.iter().all(|offer| pod.offers.contains(offer)));
    let offering = offering.count();
    match others.first() {
        _ if offering == serving.len() => Form::AsIs,
        // All of them change their ports.
        Some(_) if is_owner && 2 * offering >= serving.len() => Form::AsIs,
        Some(other) if !is_owner => otherwise(cx, &key, other, owner),
        _ => Form::Later,
    }
}

/// The other services that an object belongs to.
fn others(known: &Known, key: &Key, owner: &OwnerReference) -> Vec<Owner> {
    let others = known.owners.iter().filter(|other| other.uid != owner.uid);
    others
        .filter_map(|other| Owner::of_reference(other, &key.namespace))
        .collect()
}

fn otherwise(cx: &Context, key: &Key, other: &Owner, owner: &OwnerReference) -> Form {
    cx.children.claim(key, owner);
    Form::Never(Error::SharedOtherwise {
        kind: key.kind.to_string(),
        name: key.name.to_string(),
        owner: other.to_string(),
    })
}
