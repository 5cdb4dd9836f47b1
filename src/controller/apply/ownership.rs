//! The ownership of objects that several services request, or that another client created.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{
    Client, Resource as _,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{api, delete, delete_unchanged};
use crate::controller::{
    caches::{
        child::Child,
        children::{Children, Key},
        known::Known,
        owned_fields::FIELD_MANAGER,
    },
    error::{Error, code},
    wanted::Wanted,
};

/// The group of the custom resources.
const GROUP: &str = "ecs-operator.dev/";

/// Adds `owner` to the owners of an object that another owner created with different content. The content stays.
pub(super) async fn join(
    client: &Client,
    children: &Children,
    key: &Key,
    known: &Known,
    owner: &OwnerReference,
) -> Result<bool, Error> {
    if !key.kind.namespaced || known.owners.iter().any(|it| it.uid == owner.uid) {
        return Ok(false);
    }
    let owners: Vec<_> = known.owners.iter().chain([owner]).collect();
    let request = children.begin(key);
    let joined = set_owners(client, key, known, &owners).await;
    let joined = joined.map_err(Error::api("add an owner to", key))?;
    Error::unless_known(request.answered(&joined)).map(|()| true)
}

/// Changes the owners of an object if the object has not changed.
async fn set_owners(
    client: &Client,
    key: &Key,
    known: &Known,
    owners: &[&OwnerReference],
) -> kube::Result<Child> {
    let change = json!({"metadata": {
        "ownerReferences": owners,
        "resourceVersion": known.resource_version.to_string(),
    }});
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let api = api(client, key);
    api.patch(&key.name, &params, &Patch::Merge(change)).await
}

/// Returns an error if the object belongs to another owner, and records that `owner` wants it when it becomes free.
pub(super) async fn check_owner(
    client: &Client,
    children: &Children,
    wanted: &Wanted,
    known: &Known,
    owner: &OwnerReference,
) -> Result<(), Error> {
    if !wanted.key.kind.namespaced {
        return Ok(());
    }
    let mut others = known.owners.iter().filter(|other| other.uid != owner.uid);
    let is_its = |other: &&OwnerReference| {
        other.controller == Some(true) || !wanted.shared && other.api_version.starts_with(GROUP)
    };
    let other = others.find(is_its);
    if let Some(other) = other {
        children.claim(&wanted.key, owner);
        return Err(not_owned(&wanted.key, Some(other), owner));
    }
    if wanted.shared {
        children.unclaim(&wanted.key, owner);
        return Ok(());
    }
    if known.owners.is_empty() {
        // The object was left behind, or someone else gave it our label.
        let live = api(client, &wanted.key).get_opt(&wanted.key.name).await;
        let live = live.map_err(Error::api("get", &wanted.key))?;
        if live.is_some_and(|live| !is_ours(&live, wanted, owner)) {
            children.claim(&wanted.key, owner);
            return Err(not_owned(&wanted.key, None, owner));
        }
    }
    children.unclaim(&wanted.key, owner);
    Ok(())
}

pub(super) fn controller(owners: &[OwnerReference]) -> Option<&OwnerReference> {
    owners.iter().find(|owner| owner.controller == Some(true))
}

/// Returns the error for an object that `owner` wants and that belongs to `other`.
pub(super) fn not_owned(
    key: &Key,
    other: Option<&OwnerReference>,
    owner: &OwnerReference,
) -> Error {
    let (kind, name) = (key.kind.to_string(), key.name.to_string());
    let namesake = |other: &&OwnerReference| other.kind == owner.kind && other.name == owner.name;
    if other.as_ref().is_some_and(namesake) {
        return Error::OfPredecessor { kind, name };
    }
    let owner = other.map(|other| format!("{} {}", other.kind, other.name));
    Error::NotOwned { kind, name, owner }
}

/// Whether this operator created an existing object, for this owner or for all.
pub(super) fn is_ours(live: &Child, wanted: &Wanted, owner: &OwnerReference) -> bool {
    let labels = wanted.body.pointer("/metadata/labels");
    let of_ours = |name: &str| labels.and_then(|labels| labels.get(name)?.as_str());
    let same = |name: &str| {
        let live = live.meta().labels.as_ref();
        of_ours(name) == live.and_then(|labels| labels.get(name)).map(String::as_str)
    };
    let marked = same("app.kubernetes.io/managed-by") && same("app.kubernetes.io/instance");
    let mine = live.owners().iter().any(|other| other.uid == owner.uid);
    let nobodys = live
        .owners()
        .iter()
        .all(|other| other.controller != Some(true));
    mine || (marked && nobodys)
}

/// Ends the ownership of an object that `owner` no longer wants. The object is deleted unless it has other owners.
///
/// # Errors
///
/// When a request fails. An object that is already gone is no error.
pub(in crate::controller) async fn release(
    client: &Client,
    key: &Key,
    known: &Known,
    owner: &OwnerReference,
) -> Result<(), Error> {
    let others = known.owners.iter().filter(|other| other.uid != owner.uid);
    let others: Vec<_> = others.collect();
    if others.is_empty() && known.shared.is_some() {
        // Someone may be about to join.
        return delete_unchanged(client, key, known).await;
    }
    if others.is_empty() {
        return delete(client, key, known).await;
    }
    match set_owners(client, key, known, &others).await {
        Err(error) if code(&error) == Some(404) => Ok(()),
        result => result.map(drop).map_err(Error::api("delete", key)),
    }
}

/// Removes `owner` from the owners of an object. The object stays even without any owner.
///
/// # Errors
///
/// When the request fails, or the object has changed. An object that is already gone is no error.
pub(in crate::controller) async fn disown(
    client: &Client,
    children: &Children,
    (key, known): (&Key, &Known),
    owner: &OwnerReference,
) -> Result<(), Error> {
    let others = known.owners.iter().filter(|other| other.uid != owner.uid);
    let others: Vec<_> = others.collect();
    let request = children.begin(key);
    match set_owners(client, key, known, &others).await {
        Ok(disowned) => Error::unless_known(request.answered(&disowned)),
        Err(error) if code(&error) == Some(404) => Ok(()),
        Err(error) => Err(Error::api("release", key)(error)),
    }
}
