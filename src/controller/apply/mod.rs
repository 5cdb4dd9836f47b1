//! Writes the wanted objects with server-side apply, and only those that differ.

mod ownership;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, OwnerReference};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy},
};
use serde_json::{Value, json};

use self::ownership::{check_owner, controller, is_ours, join, not_owned};
pub(super) use self::ownership::{disown, release};
use crate::controller::{
    caches::{
        child::Child,
        children::{Children, Key, Write},
        known::{Known, resource_version},
        owned_fields::{FIELD_MANAGER, digest_of_wanted},
    },
    error::{Error, code},
    wanted::Wanted,
};

/// A version that no live object has: an apply with it creates an object or is rejected.
pub(super) const OF_NO_OBJECT: &str = "1";

/// How often a change is sent while others write statuses in between.
const TRIES: u32 = 5;

/// Returns the API of a kind, namespaced if the kind is.
fn api(client: &Client, key: &Key) -> Api<Child> {
    if key.kind.namespaced {
        Api::namespaced_with(client.clone(), &key.namespace, &key.kind)
    } else {
        Api::all_with(client.clone(), &key.kind)
    }
}

/// What it took to bring an object to its wanted state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// A write.
    Made,
    /// A write, because this client had changed it.
    MadeAgainst(Manager),
}

/// A client that has written an object, as its field managers name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manager {
    /// Its name.
    pub(super) name: String,
    /// Whether it wrote the scale, as autoscalers do.
    pub(super) scales: bool,
}

/// Brings one object to its wanted state.
///
/// # Errors
///
/// When a request fails, or someone else created the object.
pub(super) async fn apply(
    client: &Client,
    children: &Children,
    wanted: &Wanted,
    owner: &OwnerReference,
) -> Result<Change, Error> {
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
) -> Result<Change, Error> {
    let known = match known {
        Some(known) => known,
        None => match create(client, children, wanted, owner).await? {
            None => return Ok(Change::Made),
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
        let joined = join(client, children, &key, &known, owner).await?;
        return Ok(if joined { Change::Made } else { Change::None });
    }
    let body = wanted.body(owner, Some(&known));
    let digest = digest_of_wanted(&body);
    if known.is(digest) {
        return Ok(Change::None);
    }
    let other = if known.was_changed_since(digest) {
        last_other_manager(client, &wanted.key).await
    } else {
        None
    };
    change(client, children, wanted, &known, (body, digest), owner).await?;
    Ok(other.map_or(Change::Made, Change::MadeAgainst))
}

/// Returns the error with which an apply would leave an object to whoever has it. Writes nothing.
///
/// # Errors
///
/// When a request fails, or someone else created the object.
pub(super) async fn check(
    client: &Client,
    children: &Children,
    wanted: &Wanted,
    owner: &OwnerReference,
) -> Result<(), Error> {
    if let Some(known) = children.get(&wanted.key) {
        return check_owner(client, children, wanted, &known, owner).await;
    }
    let live = api(client, &wanted.key).get_opt(&wanted.key.name).await;
    let live = live.map_err(Error::api("get", &wanted.key))?;
    match live.filter(|live| !is_ours(live, wanted, owner)) {
        Some(live) => Err(not_owned(&wanted.key, controller(live.owners()), owner)),
        None => Ok(()),
    }
}

/// Returns who else has written an object since this operator did, except for its status; `None` if that is not known. An
/// answer is not worth an error.
async fn last_other_manager(client: &Client, key: &Key) -> Option<Manager> {
    let live = api(client, key).get_metadata_opt(&key.name).await;
    let managers = live.ok()??.metadata.managed_fields?;
    let time = |entry: &ManagedFieldsEntry| entry.time.as_ref().map(|time| time.0);
    let (ours, others): (Vec<_>, Vec<_>) = managers
        .into_iter()
        .filter(|entry| entry.subresource.as_deref() != Some("status"))
        .partition(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let written = ours.iter().filter_map(time).max();
    // A write of the scale has no time.
    let last = others
        .into_iter()
        .max_by_key(|entry| (entry.time.is_none(), time(entry)))?;
    // Times are in whole seconds.
    let is_later = last.time.is_none() || time(&last) >= written;
    let scales = last.subresource.as_deref() == Some("scale");
    let name = last.manager.filter(|_| is_later)?;
    Some(Manager { name, scales })
}

/// Changes an object if it is still the one that the change was decided on. Without that check, the write of an
/// operator that was stopped for longer than its lease would undo what the next leader has done.
///
/// Others write statuses often. A change that lies outside what a decision is made of is no conflict.
///
/// # Errors
///
/// When a request fails, or the object has changed.
async fn change(
    client: &Client,
    children: &Children,
    wanted: &Wanted,
    decided_on: &Known,
    (mut body, digest): (Value, u64),
    owner: &OwnerReference,
) -> Result<(), Error> {
    let mut version = decided_on.resource_version;
    let mut tries = 1;
    loop {
        if let Some(metadata) = body.get_mut("metadata") {
            metadata["uid"] = json!(decided_on.uid);
            metadata["resourceVersion"] = json!(version.to_string());
        }
        let write = children.write(&wanted.key, owner, wanted.shared);
        let error = match patch(client, write, wanted, &body, digest).await {
            Err(error) if error.code() == Some(409) => error,
            result => return result,
        };
        let live = api(client, &wanted.key).get_opt(&wanted.key.name).await;
        let Some(live) = live.map_err(Error::api("get", &wanted.key))? else {
            return Err(error);
        };
        if tries == TRIES || !decided_on.allows(&live) {
            // The watch notifies everything that the other change affects.
            return Err(error);
        }
        version = resource_version(&live);
        tries += 1;
    }
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
    let request = children.begin(&wanted.key);
    let live = api(client, &wanted.key).get_opt(&wanted.key.name).await;
    match live.map_err(Error::api("get", &wanted.key))? {
        Some(live) if is_ours(&live, wanted, owner) => {
            Error::unless_known(request.answered(&live))?;
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
        .map_err(Error::api("apply", &wanted.key));
    let child = match child {
        Ok(child) => child,
        Err(error) => {
            if error.code().is_some_and(|code| (400..500).contains(&code)) {
                write.refused();
            }
            return Err(error);
        }
    };
    Error::unless_known(write.applied(&child, digest))
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
