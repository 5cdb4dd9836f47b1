//! Writes the EcsTaskDefinition and the EcsService of an App Runner service, where they differ from what they should be.

use std::sync::Arc;

use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::reflector::ObjectRef,
};
use serde_json::Value;

use super::{
    fetch::Accepted,
    start::Start,
    wanted::{Made, Wanted, forced, wanted},
};
use crate::{
    controller::{
        apply::OF_NO_OBJECT, caches::owned_fields::FIELD_MANAGER, context::Context, error::Error,
    },
    crd::{AppRunnerService, EcsService, EcsTaskDefinition},
    settings::START_DEPLOYMENT,
};

/// The objects of an App Runner service.
pub(super) struct Kept {
    pub(super) definition: Arc<EcsTaskDefinition>,
    pub(super) service: Arc<EcsService>,
    /// Whether one of them was written, or is about to go, so that its status is about something earlier.
    pub(super) is_new: bool,
}

/// Brings both objects to what they should be. `pushed` is a digest that a deployment begins for.
///
/// # Errors
///
/// When a request fails, or one of the two belongs to somebody else: then neither is written. A task definition under the
/// name of a service that exists would be run by that.
pub(super) async fn keep(
    cx: &Context,
    service: &AppRunnerService,
    owner: &OwnerReference,
    (accepted, pushed): (&mut Accepted, Option<&str>),
) -> Result<Kept, Error> {
    let definition = find::<EcsTaskDefinition>(cx, service, owner).await?;
    let of_ecs = find::<EcsService>(cx, service, owner).await?;
    let last = of_ecs.as_deref().and_then(forced);
    let annotation = service.annotations().get(START_DEPLOYMENT);
    let annotation = annotation.map(String::as_str);
    accepted.start = Start::wanted(annotation, last.as_deref(), pushed);
    if accepted.start.is_of_push {
        accepted
            .requested
            .start_deployment
            .clone_from(&accepted.start.text);
    }
    let live = (definition.as_deref(), of_ecs.as_deref());
    let [of_definition, of_service] = wanted(service, accepted, live)?;
    let (definition, one) = bring(cx, service, owner, (definition, &of_definition)).await?;
    let (service, other) = bring(cx, service, owner, (of_ecs, &of_service)).await?;
    Ok(Kept {
        definition,
        service,
        is_new: one || other,
    })
}

/// Returns the object of the name, if there is one.
///
/// # Errors
///
/// When the request fails, or the object belongs to somebody else.
pub(super) async fn find<K: Made<Scope = NamespaceResourceScope>>(
    cx: &Context,
    service: &AppRunnerService,
    owner: &OwnerReference,
) -> Result<Option<Arc<K>>, Error> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let cached = K::all(cx)
        .store
        .get(&ObjectRef::new(&name).within(&namespace));
    let found = match cached {
        Some(cached) => Some(cached),
        // The cache may lag behind.
        None => {
            let api: Api<K> = Api::namespaced(cx.client.clone(), &namespace);
            let live = api.get_opt(&name).await;
            live.map_err(of_kind::<K>("get", &name))?.map(Arc::new)
        }
    };
    if let Some(found) = &found {
        check_owner(&**found, owner)?;
    }
    Ok(found)
}

fn check_owner<K: Made>(found: &K, owner: &OwnerReference) -> Result<(), Error> {
    let owners = found.owner_references();
    if owners.iter().any(|other| other.uid == owner.uid) {
        return Ok(());
    }
    let controller = owners.iter().find(|other| other.controller == Some(true));
    let (kind, name) = (K::KIND.to_owned(), found.name_any());
    let is_predecessor =
        controller.is_some_and(|other| other.kind == owner.kind && other.name == owner.name);
    Err(if is_predecessor {
        Error::OfPredecessor { kind, name }
    } else {
        let owner = controller.map(|other| format!("{} {}", other.kind, other.name));
        Error::NotOwned { kind, name, owner }
    })
}

/// Brings one object to what it should be. Returns it, and whether its status is about something earlier.
async fn bring<K: Made<Scope = NamespaceResourceScope>>(
    cx: &Context,
    service: &AppRunnerService,
    owner: &OwnerReference,
    (live, wanted): (Option<Arc<K>>, &Wanted),
) -> Result<(Arc<K>, bool), Error> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let api: Api<K> = Api::namespaced(cx.client.clone(), &namespace);
    let body = match &live {
        Some(live) if live.meta().deletion_timestamp.is_some() => {
            // It is made again when it is gone.
            return Ok((live.clone(), true));
        }
        Some(live) if !wanted.differs(&**live) => return Ok((live.clone(), false)),
        Some(live) => {
            let version = K::all(cx).version(live).unwrap_or_default();
            wanted.body(owner, (live.meta().uid.as_deref(), &version))
        }
        None => wanted.body(owner, (None, OF_NO_OBJECT)),
    };
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let mut written = write(cx, &api, &name, (&params, &Patch::Apply(body))).await?;
    if let Some(patch) = wanted.without_additions(&written) {
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        written = write(cx, &api, &name, (&params, &Patch::Merge(patch))).await?;
    }
    Ok((Arc::new(written), true))
}

async fn write<K: Made>(
    cx: &Context,
    api: &Api<K>,
    name: &str,
    (params, patch): (&PatchParams, &Patch<Value>),
) -> Result<K, Error> {
    let written = api.patch(name, params, patch).await;
    let written = written.map_err(of_kind::<K>("apply", name))?;
    // The next write, also of a status, is based on this one.
    K::all(cx).record(&written);
    Ok(written)
}

fn of_kind<K: Made>(verb: &'static str, name: &str) -> impl FnOnce(kube::Error) -> Error {
    let name = name.to_owned();
    move |source| Error::Api {
        verb,
        kind: K::KIND.to_owned(),
        name,
        source: Box::new(source),
    }
}
