//! The reconcile of an App Runner service: it makes the EcsTaskDefinition and the EcsService that run what it asks for, and
//! reports as App Runner what becomes of them.
//!
//! From there on, it is a service of ECS like any other. What this decides is derived from the spec and from these two
//! objects, so that an operator can end between any two requests.

mod apply;
mod fetch;
mod pushes;
mod start;
mod status;
mod wanted;

use std::sync::Arc;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::OwnerReference, jiff::Timestamp};
use kube::{
    Api, Client, Resource,
    runtime::{controller::Action, reflector::ObjectRef},
};

pub(super) use self::pushes::Lookups;
use self::{
    apply::keep,
    fetch::read,
    pushes::{Turn, look_up, tell_begun},
    status::{failed, followed, rejected},
};
use super::{
    caches::child_kind::{ChildKind, addon},
    context::Context,
    error::Error,
    kind::{OfKind, Reconciled},
    status::whole_seconds,
};
use crate::crd::{AppRunnerService, AppRunnerServiceStatus};

/// The kind of App Runner services. It is like that of an add-on: a cluster with older definitions does not have it.
pub(super) static APP_RUNNER_SERVICES: ChildKind = addon(
    "ecs-operator.dev",
    "v1alpha1",
    "AppRunnerService",
    "apprunnerservices",
);

impl Reconciled for AppRunnerService {
    type Status = AppRunnerServiceStatus;
    const KIND: &'static str = "AppRunnerService";

    fn all(cx: &Context) -> &OfKind<Self> {
        &cx.app_runner_services
    }

    fn api<T: Resource<DynamicType = (), Scope = Self::Scope>>(
        client: Client,
        namespace: &str,
    ) -> Api<T> {
        Api::namespaced(client, namespace)
    }

    fn reported(&self) -> &AppRunnerServiceStatus {
        &self.status
    }

    async fn reconcile(self: Arc<Self>, cx: Arc<Context>) -> Result<Action, Error> {
        Box::pin(reconcile(self, cx)).await
    }

    fn gone(&self, cx: &Context) {
        // The garbage collector deletes what it owns.
        if let Some((lookups, uid)) = cx.lookups.as_ref().zip(self.meta().uid.as_ref()) {
            lookups.forget(uid);
        }
    }
}

/// Triggers the reconcile of the App Runner service of a name, if there is one: its objects have the same name, and so
/// have those that keep it from making its own.
pub(super) fn ask_app_runner_service(cx: &Context, namespace: &str, name: &str) {
    let service = ObjectRef::<AppRunnerService>::new(name).within(namespace);
    if cx.app_runner_services.store.get(&service).is_some() {
        cx.ask(service);
    }
}

async fn reconcile(service: Arc<AppRunnerService>, cx: Arc<Context>) -> Result<Action, Error> {
    if service.meta().deletion_timestamp.is_some() {
        // The garbage collector deletes or orphans what it owns.
        return Ok(Action::await_change());
    }
    let Some(owner) = service.owner_ref(&()) else {
        return Ok(Action::await_change());
    };
    let owner = OwnerReference {
        controller: Some(true),
        ..owner
    };
    let before = cx.app_runner_services.latest(&service);
    let now = whole_seconds(Timestamp::now());
    let mut accepted = match read(&cx, &service) {
        Ok(accepted) => accepted,
        Err(refusal) => {
            let status = rejected(&service, &before, &refusal, now);
            if cx.report(&*service, &before, status).await? {
                cx.events
                    .warning(&*service, refusal.reason, refusal.message);
            }
            return Ok(Action::await_change());
        }
    };
    let mut pushed: Option<String> = None;
    loop {
        let kept = match keep(&cx, &service, &owner, (&mut accepted, pushed.as_deref())).await {
            Ok(kept) => kept,
            Err(error) => {
                if !error.is_transient() || cx.backoff.is_lasting(&owner.uid) {
                    let status = failed(&service, &before, &accepted, &error, now);
                    if cx.report(&*service, &before, status).await? {
                        cx.events
                            .warning(&*service, error.reason(), error.to_string());
                    }
                }
                return Err(error);
            }
        };
        if let Some((image, digest)) = accepted.watched.as_ref().zip(pushed.as_ref()) {
            tell_begun(&cx, &service, image, digest);
        }
        let before = cx.app_runner_services.latest(&service);
        let status = followed(&cx, &service, &before, &accepted, &kept, now);
        cx.report(&*service, &before, status.clone()).await?;
        pushed = match look_up(&cx, &service, &accepted, (&kept, &status)).await {
            Turn::Pushed(digest) => Some(digest),
            Turn::Nothing(None) => return Ok(Action::await_change()),
            Turn::Nothing(Some(rest)) => return Ok(Action::requeue(rest)),
        };
    }
}
