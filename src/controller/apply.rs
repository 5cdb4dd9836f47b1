//! Writes the wanted objects with server-side apply, and only those that differ.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{
    Api, Client, Resource as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy},
};
use serde_json::{Value, json};

use crate::controller::{
    caches::{
        child::Child,
        children::{Children, Key, Write},
        known::Known,
        owned_fields::{FIELD_MANAGER, digest_of_wanted},
    },
    error::{Error, code},
    wanted::Wanted,
};

/// A version that no live object has: an apply with it creates an object or is rejected.
const OF_NO_OBJECT: &str = "1";

/// The group of the custom resources.
const GROUP: &str = "ecs-operator.dev/";

/// Returns the API of a kind, namespaced if the kind is.
fn api(client: &Client, key: &Key) -> Api<Child> {
    if key.kind.namespaced {
        Api::namespaced_with(client.clone(), &key.namespace, &key.kind)
    } else {
        Api::all_with(client.clone(), &key.kind)
    }
}

/// Brings one object to its wanted state. Returns whether that took a write.
///
/// # Errors
///
/// When a request fails, or someone else created the object.
pub(super) async fn apply(
    client: &Client,
    children: &Children,
    wanted: &Wanted,
    owner: &OwnerReference,
) -> Result<bool, Error> {
    apply_to(client, children, wanted, children.get(&wanted.key), owner).await
}

/// Like [`apply`], for a caller that knows the object's state at the time when its wanted state was decided.
///
/// # Errors
///
/// When a request fails, or someone else created the object.
pub(super) async fn apply_to(
    client: &Client,
    children: &Children,
    wanted: &Wanted,
    known: Option<Known>,
    owner: &OwnerReference,
) -> Result<bool, Error> {
    let known = match known {
        Some(known) => known,
        None => match create(client, children, wanted, owner).await? {
            None => return Ok(true),
            Some(known) => known,
        },
    };
    check_owner(client, children, wanted, &known, owner).await?;
    if known.is_released() {
        delete(client, &wanted.key, &known).await?;
        return Err(Error::Released {
            name: wanted.key.name.to_string(),
        });
    }
    // For Services, this was decided earlier.
    if let Some((key, content)) = wanted.shared().filter(|_| wanted.selector().is_none())
        && children.shaped_by(&key, &known, owner, content).is_some()
    {
        return join(client, children, &key, &known, owner).await;
    }
    let body = wanted.body(owner, Some(&known));
    let digest = digest_of_wanted(&body);
    if known.is(digest) {
        return Ok(false);
    }
    let mut body = body;
    if let Some(metadata) = body.get_mut("metadata") {
        // Makes the write fail for another object of the same name, of which nothing is known yet.
        metadata["uid"] = json!(known.uid);
        if wanted.shared {
            // Makes the write fail if the owners have changed in the meantime.
            metadata["resourceVersion"] = json!(known.resource_version.to_string());
        }
    }
    let write = children.write(&wanted.key, owner, wanted.shared);
    patch(client, write, wanted, &body, digest).await?;
    Ok(true)
}

/// Adds `owner` to the owners of an object that another owner created with different content. The content stays.
async fn join(
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
    let joined = set_owners(client, key, known, &owners).await;
    let joined = joined.map_err(Error::api("join the owners of", key))?;
    children.observe(key.kind, &joined);
    Ok(true)
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
async fn check_owner(
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

fn controller(owners: &[OwnerReference]) -> Option<&OwnerReference> {
    owners.iter().find(|owner| owner.controller == Some(true))
}

/// Creates an object. If it already exists and is ours, but the watch has not reported it yet, returns what is known of
/// it.
async fn create(
    client: &Client,
    children: &Children,
    wanted: &Wanted,
    owner: &OwnerReference,
) -> Result<Option<Known>, Error> {
    let mut body = wanted.body(owner, None);
    let digest = digest_of_wanted(&body);
    if let Some(metadata) = body.get_mut("metadata") {
        metadata["resourceVersion"] = json!(OF_NO_OBJECT);
    }
    let write = children.write(&wanted.key, owner, wanted.shared);
    let error = match patch(client, write, wanted, &body, digest).await {
        Ok(()) => return Ok(None),
        Err(error) if error.code() == Some(409) => error,
        Err(error) => return Err(error),
    };
    let live = api(client, &wanted.key).get_opt(&wanted.key.name).await;
    match live.map_err(Error::api("get", &wanted.key))? {
        Some(live) if is_ours(&live, wanted, owner) => {
            children.observe(wanted.key.kind, &live);
            let mut others = live.owners().iter().filter(|other| other.uid != owner.uid);
            if wanted.shared && wanted.selector().is_some() && others.next().is_some() {
                // The wanted state was decided without knowledge of the other owners. The next try knows them.
                return Err(error);
            }
            children.get(&wanted.key).map(Some).ok_or(error)
        }
        Some(live) => {
            children.claim(&wanted.key, owner);
            Err(not_owned(&wanted.key, controller(live.owners()), owner))
        }
        None => Err(error),
    }
}

/// Creates an object that is never changed. An existing one of the same name counts if it was created for this owner.
///
/// # Errors
///
/// When the request fails, or someone else created the object.
pub(super) async fn create_once(
    client: &Client,
    wanted: &Wanted,
    owner: &OwnerReference,
) -> Result<(), Error> {
    let mut body = wanted.body(owner, None);
    if let Some(metadata) = body.get_mut("metadata") {
        metadata["resourceVersion"] = json!(OF_NO_OBJECT);
    }
    let (api, name) = (api(client, &wanted.key), &wanted.key.name);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let made = api.patch(name, &params, &Patch::Apply(body)).await;
    let Err(error) = made.map_err(Error::api("apply", &wanted.key)) else {
        return Ok(());
    };
    if error.code() != Some(409) {
        return Err(error);
    }
    let live = api.get_opt(name).await;
    match live.map_err(Error::api("get", &wanted.key))? {
        Some(live) if live.owners().iter().any(|other| other.uid == owner.uid) => Ok(()),
        Some(live) => Err(not_owned(&wanted.key, controller(live.owners()), owner)),
        None => Err(error),
    }
}

/// Returns the error for an object that `owner` wants and that belongs to `other`.
fn not_owned(key: &Key, other: Option<&OwnerReference>, owner: &OwnerReference) -> Error {
    let (kind, name) = (key.kind.to_string(), key.name.to_string());
    let namesake = |other: &&OwnerReference| other.kind == owner.kind && other.name == owner.name;
    if other.as_ref().is_some_and(namesake) {
        return Error::OfPredecessor { kind, name };
    }
    let owner = other.map(|other| format!("{} {}", other.kind, other.name));
    Error::NotOwned { kind, name, owner }
}

/// Whether this operator created an existing object, for this owner or for all.
fn is_ours(live: &Child, wanted: &Wanted, owner: &OwnerReference) -> bool {
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

async fn patch(
    client: &Client,
    write: Write<'_>,
    wanted: &Wanted,
    body: &Value,
    digest: u64,
) -> Result<(), Error> {
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let child = api(client, &wanted.key)
        .patch(&wanted.key.name, &params, &Patch::Apply(body))
        .await
        .map_err(Error::api("apply", &wanted.key))?;
    write.applied(&child, digest);
    Ok(())
}

/// Ends the ownership of an object that `owner` no longer wants. The object is deleted unless it has other owners.
///
/// # Errors
///
/// When a request fails. An object that is already gone is no error.
pub(super) async fn release(
    client: &Client,
    key: &Key,
    known: &Known,
    owner: &OwnerReference,
) -> Result<(), Error> {
    let others = known.owners.iter().filter(|other| other.uid != owner.uid);
    let others: Vec<_> = others.collect();
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
pub(super) async fn disown(
    client: &Client,
    children: &Children,
    (key, known): (&Key, &Known),
    owner: &OwnerReference,
) -> Result<(), Error> {
    let others = known.owners.iter().filter(|other| other.uid != owner.uid);
    let others: Vec<_> = others.collect();
    match set_owners(client, key, known, &others).await {
        Ok(disowned) => {
            children.observe(key.kind, &disowned);
            Ok(())
        }
        Err(error) if code(&error) == Some(404) => Ok(()),
        Err(error) => Err(Error::api("let go of", key)(error)),
    }
}

/// Deletes an object. One that is already gone is no error.
///
/// # Errors
///
/// When the request fails, or the object was replaced, which the cache has not seen yet.
pub(super) async fn delete(client: &Client, key: &Key, known: &Known) -> Result<(), Error> {
    delete_version(client, key, known, None).await
}

/// Deletes an object if it has not changed. One that is already gone is no error.
///
/// # Errors
///
/// When the request fails, or the object has changed.
pub(super) async fn delete_unchanged(
    client: &Client,
    key: &Key,
    known: &Known,
) -> Result<(), Error> {
    let version = known.resource_version.to_string();
    delete_version(client, key, known, Some(version)).await
}

async fn delete_version(
    client: &Client,
    key: &Key,
    known: &Known,
    resource_version: Option<String>,
) -> Result<(), Error> {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(known.uid.to_string()),
            resource_version,
        }),
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    match api(client, key).delete(&key.name, &params).await {
        Err(error) if code(&error) == Some(404) => Ok(()),
        result => result.map(drop).map_err(Error::api("delete", key)),
    }
}
