//! The reconcile of a capacity provider: its NodePool, its finalizer, and its status. Services and tasks read it from the
//! cache when a deployment or a task begins; what runs does not depend on it.

mod fetch;
mod node_pool;
mod spare_room;
mod status;
mod users;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::controller::Action,
};
use serde_json::json;

use self::{
    fetch::{Accepted, read},
    node_pool::{Found, keep},
    spare_room::keep_room,
    status::{Standing, status},
    users::{ask_those_concerned, not_tolerating, users},
};
use super::{
    caches::{
        child_kind::{ChildKind, addon, cluster},
        owned_fields::FIELD_MANAGER,
    },
    context::Context,
    error::Error,
    kind::{OfKind, Reconciled},
    refusal::Refusal,
};
use crate::{
    crd::{CapacityProviderStatus, EcsCapacityProvider},
    diagnostic::StateReason,
    settings::{IN_USE, NodeTaint},
    translate::{CustomObject, with_taints},
};

pub(super) use fetch::{add_of_service, add_to, check_platform, is_provided, of_task};

/// The kind of capacity providers. It is like that of an add-on: a cluster with older definitions does not have it.
pub(super) static CAPACITY_PROVIDERS: ChildKind = cluster(addon(
    "ecs-operator.dev",
    "v1alpha1",
    "EcsCapacityProvider",
    "ecscapacityproviders",
));

/// How often a NodePool is compared with what it should be.
const COMPARED: Duration = Duration::from_mins(5);
/// How often room is sized by what tasks reserve.
const SIZED: Duration = Duration::from_mins(1);
/// How soon something that is missing, or still in use, is looked for again.
const SOON: Duration = Duration::from_secs(30);

impl Reconciled for EcsCapacityProvider {
    type Status = CapacityProviderStatus;
    const KIND: &'static str = "EcsCapacityProvider";

    fn all(cx: &Context) -> &OfKind<Self> {
        &cx.capacity_providers
    }

    fn api<T: Resource<DynamicType = (), Scope = Self::Scope>>(client: Client, _: &str) -> Api<T> {
        Api::all(client)
    }

    fn reported(&self) -> &CapacityProviderStatus {
        &self.status
    }

    async fn reconcile(self: Arc<Self>, cx: Arc<Context>) -> Result<Action, Error> {
        reconcile(self, cx).await
    }

    fn changed(&self, cx: &Context) {
        cx.ask(kube::runtime::reflector::ObjectRef::from_obj(self));
        ask_those_concerned(cx, self);
    }

    fn listed(cx: &Context) {
        // What begins waits for the list, which may have no providers.
        cx.ask_everything();
    }

    fn gone(&self, cx: &Context) {
        ask_those_concerned(cx, self);
    }
}

async fn reconcile(provider: Arc<EcsCapacityProvider>, cx: Arc<Context>) -> Result<Action, Error> {
    if !cx.namespaces.is_empty() {
        // Another operator may watch the other namespaces, and only one may write: the one that watches all.
        return Ok(Action::await_change());
    }
    if provider.meta().deletion_timestamp.is_some() {
        return end(&provider, &cx).await;
    }
    let accepted = match read(&provider) {
        Ok(accepted) => accepted,
        Err(refusal) => {
            report(&provider, &cx, &Err(refusal)).await?;
            return Ok(Action::await_change());
        }
    };
    hold(&provider, &cx).await?;
    let has_taints = !accepted.nodes.taints.is_empty();
    let standing = standing(&provider, &cx, accepted).await?;
    let again = match &standing {
        standing if standing.obstacle.is_some() => Action::requeue(SOON),
        // A rollback may bring back tasks that do not tolerate them.
        _ if has_taints => Action::requeue(SOON),
        standing if standing.spare_room.is_some() => Action::requeue(SIZED),
        standing if standing.node_pool.is_some() => Action::requeue(COMPARED),
        _ => Action::await_change(),
    };
    report(&provider, &cx, &Ok(standing)).await?;
    Ok(again)
}

/// Brings the NodePool and the room on its nodes to what the provider says, and returns what there is.
async fn standing(
    provider: &EcsCapacityProvider,
    cx: &Context,
    accepted: Accepted,
) -> Result<Standing, Error> {
    let Accepted { nodes, warnings } = accepted;
    let before = cx.capacity_providers.latest(provider);
    // A NodePool that is no longer asked for has nodes with running tasks, which end with it.
    let mut node_pool = before.node_pool;
    let mut obstacle = None;
    if let Some(wanted) = nodes.node_pool.clone() {
        let (wanted, waits) = tainted(provider, cx, wanted, &nodes.taints);
        let (is_there, missing) = match keep(cx, provider, &wanted).await? {
            Found::Ready => (true, None),
            Found::NotReady(refusal) => (true, Some(refusal)),
            // One that it had before may still be there.
            Found::Absent(refusal) => (false, Some(refusal)),
        };
        if is_there {
            node_pool.clone_from(&wanted.metadata.name);
        }
        obstacle = missing.or(waits);
    }
    // Room is for more tasks. Nodes come first.
    let room = keep_room(cx, provider, &nodes, before.spare_room.as_deref()).await?;
    Ok(Standing {
        warnings,
        node_pool,
        spare_room: room.deployment,
        obstacle: obstacle.or(room.obstacle),
    })
}

/// Returns the NodePool with those of its taints that everything that uses the provider tolerates, and what the others
/// wait for.
fn tainted(
    provider: &EcsCapacityProvider,
    cx: &Context,
    wanted: CustomObject,
    taints: &[NodeTaint],
) -> (CustomObject, Option<Refusal>) {
    let (mut ready, mut waiting, mut users) = (Vec::new(), Vec::new(), BTreeSet::new());
    for taint in taints {
        let waits = not_tolerating(cx, provider, taint);
        if waits.is_empty() {
            ready.push(taint.clone());
        } else {
            waiting.push(taint.to_string());
            users.extend(waits);
        }
    }
    let wanted = if ready.is_empty() {
        wanted
    } else {
        with_taints(wanted, &ready)
    };
    if waiting.is_empty() {
        return (wanted, None);
    }
    let message = format!(
        "the NodePool gets {} when all that uses it tolerates that: {} began before; ecs-operator renew begins a deployment of a service that does",
        waiting.join(", "),
        users::listed(&users),
    );
    let refusal = Refusal::new(StateReason::TaintsAwaitRenewal, &message);
    (wanted, Some(refusal))
}

/// Lets a deleted provider go when nothing names it anymore, after its NodePool.
async fn end(provider: &EcsCapacityProvider, cx: &Context) -> Result<Action, Error> {
    if !provider.finalizers().iter().any(|it| it == IN_USE) {
        return Ok(Action::await_change());
    }
    let users = users(cx, provider);
    let CapacityProviderStatus {
        node_pool,
        spare_room,
        ..
    } = cx.capacity_providers.latest(provider);
    let obstacle = if users.is_empty() {
        node_pool::delete(cx, provider, node_pool.is_some()).await?
    } else {
        let message = format!(
            "it is deleted when nothing names it anymore: {} still {} it in a strategy",
            users::listed(&users),
            if users.len() == 1 { "names" } else { "name" }
        );
        Some(Refusal::new(StateReason::CapacityProviderInUse, &message))
    };
    if obstacle.is_none() {
        let left = provider.finalizers().iter().filter(|it| *it != IN_USE);
        set_finalizers(provider, cx, left.cloned().collect()).await?;
        return Ok(Action::await_change());
    }
    let standing = Standing {
        warnings: Vec::new(),
        node_pool,
        spare_room,
        obstacle,
    };
    report(provider, cx, &Ok(standing)).await?;
    Ok(Action::requeue(SOON))
}

/// Keeps the provider from being deleted while something names it.
async fn hold(provider: &EcsCapacityProvider, cx: &Context) -> Result<(), Error> {
    if provider.finalizers().iter().any(|it| it == IN_USE) {
        return Ok(());
    }
    let mut all = provider.finalizers().to_vec();
    all.push(IN_USE.to_owned());
    set_finalizers(provider, cx, all).await
}

async fn set_finalizers(
    provider: &EcsCapacityProvider,
    cx: &Context,
    finalizers: Vec<String>,
) -> Result<(), Error> {
    // If the object has changed, its finalizers may have too.
    let metadata = json!({
        "uid": provider.uid(),
        "resourceVersion": cx.capacity_providers.version(provider),
        "finalizers": finalizers,
    });
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let api: Api<EcsCapacityProvider> = Api::all(cx.client.clone());
    let patch = Patch::Merge(json!({"metadata": metadata}));
    let written = api.patch(&provider.name_any(), &params, &patch).await;
    match written {
        Ok(written) => {
            cx.capacity_providers.record(&written);
            Ok(())
        }
        Err(error) => Err(Error::resource("change the finalizers of", provider)(error)),
    }
}

async fn report(
    provider: &EcsCapacityProvider,
    cx: &Context,
    standing: &Result<Standing, Refusal>,
) -> Result<(), Error> {
    let before = cx.capacity_providers.latest(provider);
    let status = status(provider, &before, standing, Timestamp::now());
    if status == before {
        return Ok(());
    }
    let trouble = match standing {
        Err(refusal) => Some(refusal),
        Ok(standing) => standing.obstacle.as_ref(),
    };
    let is_news = trouble.is_some_and(|it| {
        let reason = it.reason.name();
        !before.conditions.iter().any(|known| known.reason == reason)
    });
    if cx.report(provider, &before, status).await?
        && is_news
        && let Some(refusal) = trouble
    {
        cx.events
            .warning(provider, refusal.reason, refusal.message.clone());
    }
    Ok(())
}
