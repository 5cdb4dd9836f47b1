//! The reconcile of an App Runner service: it makes the EcsTaskDefinition and the EcsService that run what it asks for, and
//! reports as App Runner what becomes of them.
//!
//! From there on, it is a service of ECS like any other. What this decides is derived from the spec and from these two
//! objects, so that an operator can end between any two requests.

mod apply;
mod builder;
mod built;
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
    apply::{Kept, keep},
    built::Source,
    fetch::{Accepted, Asked},
    pushes::{Turn, look_up, tell_begun},
    status::{failed, followed, rejected, waiting},
};
use super::{
    caches::child_kind::{ChildKind, addon},
    context::Context,
    error::Error,
    kind::{OfKind, Reconciled},
    refusal::Refusal,
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
        if let Some(uid) = &self.meta().uid {
            cx.lookups.forget(uid);
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
    let now = whole_seconds(Timestamp::now());
    let asked = Asked::read(&cx, &service);
    // What is wrong is said whether there is an image or not.
    let accepted = match asked.judge(&cx, &service, None) {
        Ok(accepted) => accepted,
        Err(refusal) => return refuse(&cx, &service, refusal, now).await,
    };
    let Some(built_by) = asked.built_by() else {
        return Box::pin(follow(&cx, &service, &owner, accepted, now)).await;
    };
    let source = match Source::of(&cx, &service, &owner, built_by.clone()).await {
        Ok(source) => source,
        Err(error) => {
            report_failure(&cx, &service, &accepted, &error, now).await?;
            return Err(error);
        }
    };
    let followed = follow_built(&cx, &service, &owner, (&asked, source), accepted, now);
    Box::pin(followed).await
}

/// Reports that a service is rejected.
async fn refuse(
    cx: &Context,
    service: &AppRunnerService,
    refusal: Refusal,
    now: Timestamp,
) -> Result<Action, Error> {
    let before = cx.app_runner_services.latest(service);
    let status = rejected(service, &before, &refusal, now);
    if cx.report(service, &before, status).await? {
        cx.events.warning(service, refusal.reason, refusal.message);
    }
    Ok(Action::await_change())
}

/// Brings the objects of a service to what they should be, and deploys what is pushed under the tag of its image.
async fn follow(
    cx: &Context,
    service: &AppRunnerService,
    owner: &OwnerReference,
    mut accepted: Accepted,
    now: Timestamp,
) -> Result<Action, Error> {
    let mut pushed: Option<String> = None;
    loop {
        let parts = (&mut accepted, None, pushed.as_deref());
        let (kept, status) = carry_out(cx, service, owner, parts, now).await?;
        pushed = match look_up(cx, service, &accepted, (&kept, &status)).await {
            Turn::Pushed(digest) => Some(digest),
            Turn::Nothing(None) => return Ok(Action::await_change()),
            Turn::Nothing(Some(rest)) => return Ok(Action::requeue(rest)),
        };
    }
}

/// The same for a service whose image a builder makes.
async fn follow_built(
    cx: &Context,
    service: &AppRunnerService,
    owner: &OwnerReference,
    (asked, mut source): (&Asked, Source),
    without_image: Accepted,
    now: Timestamp,
) -> Result<Action, Error> {
    if source.image.is_none() {
        let before = cx.app_runner_services.latest(service);
        let status = waiting(service, &before, (&without_image, &source), now);
        cx.report(service, &before, status).await?;
        return Ok(Action::requeue(source.rest()));
    }
    let mut is_pushed = false;
    loop {
        let mut accepted = match asked.judge(cx, service, source.image.as_deref()) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                refuse(cx, service, refusal, now).await?;
                // The next image may be accepted.
                return Ok(Action::requeue(source.rest()));
            }
        };
        let parts = (&mut accepted, Some(&source), None);
        let (kept, status) = carry_out(cx, service, owner, parts, now).await?;
        if let Some(image) = source.image.as_ref().filter(|_| is_pushed) {
            let why = format!("{} has built {image}", source.builder());
            tell_begun(cx, service, &why);
        }
        match source.turn(cx, &accepted, (&kept, &status)) {
            Turn::Pushed(image) => {
                source.image = Some(image);
                is_pushed = true;
            }
            Turn::Nothing(None) => return Ok(Action::await_change()),
            Turn::Nothing(Some(rest)) => return Ok(Action::requeue(rest)),
        }
    }
}

/// Reports why the objects of a service are not what they should be, unless that may pass soon.
async fn report_failure(
    cx: &Context,
    service: &AppRunnerService,
    accepted: &Accepted,
    error: &Error,
    now: Timestamp,
) -> Result<(), Error> {
    let uid = service.metadata.uid.as_deref().unwrap_or_default();
    if error.is_transient() && !cx.backoff.is_lasting(uid) {
        return Ok(());
    }
    let before = cx.app_runner_services.latest(service);
    let status = failed(service, &before, accepted, error, now);
    if cx.report(service, &before, status).await? {
        cx.events
            .warning(service, error.reason(), error.to_string());
    }
    Ok(())
}

/// Brings both objects to what they should be, and reports what becomes of them. `pushed` is a digest that a deployment
/// begins for.
async fn carry_out(
    cx: &Context,
    service: &AppRunnerService,
    owner: &OwnerReference,
    (accepted, source, pushed): (&mut Accepted, Option<&Source>, Option<&str>),
    now: Timestamp,
) -> Result<(Kept, AppRunnerServiceStatus), Error> {
    let kept = match keep(cx, service, owner, (accepted, pushed)).await {
        Ok(kept) => kept,
        Err(error) => {
            report_failure(cx, service, accepted, &error, now).await?;
            return Err(error);
        }
    };
    if let Some((image, digest)) = accepted.watched.as_ref().zip(pushed) {
        tell_begun(cx, service, &format!("{image} is {digest} now"));
    }
    let before = cx.app_runner_services.latest(service);
    let status = followed(cx, service, &before, (accepted, source), &kept, now);
    cx.report(service, &before, status.clone()).await?;
    Ok((kept, status))
}
