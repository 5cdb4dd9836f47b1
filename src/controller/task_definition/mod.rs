//! The reconcile of a task definition: each change to its spec is a new revision.

mod apply;
mod fetch;
mod lookup;
mod plan;
mod status;

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::{
    Resource as _, ResourceExt as _,
    runtime::{controller::Action, reflector::ObjectRef, watcher::Event},
};

use self::{
    apply::{delete_superfluous, make, object_of},
    plan::{check, number_of_spec},
    status::{Registered, status},
};
use super::{
    app_runner::ask_app_runner_service,
    context::Context,
    error::Error,
    kind::{OfKind, Reconciled},
    refusal::Refusal,
};
use crate::{
    crd::{EcsTaskDefinition, TaskDefinitionStatus},
    decide::revision::Newest,
};

pub(super) use fetch::named;
pub(super) use lookup::{Definition, settings};

impl Reconciled for EcsTaskDefinition {
    type Status = TaskDefinitionStatus;
    const KIND: &'static str = "EcsTaskDefinition";

    fn all(cx: &Context) -> &OfKind<Self> {
        &cx.task_definitions
    }

    fn api<T: kube::Resource<DynamicType = (), Scope = Self::Scope>>(
        client: kube::Client,
        namespace: &str,
    ) -> kube::Api<T> {
        kube::Api::namespaced(client, namespace)
    }

    fn reported(&self) -> &TaskDefinitionStatus {
        &self.status
    }

    async fn reconcile(self: Arc<Self>, cx: Arc<Context>) -> Result<Action, Error> {
        let done = reconcile(self.clone(), cx.clone()).await;
        self.ask_app_runner(&cx);
        done
    }

    fn changed(&self, cx: &Context) {
        cx.ask(ObjectRef::from_obj(self));
        self.ask_app_runner(cx);
    }

    fn gone(&self, cx: &Context) {
        // Services that follow it report that it is gone.
        cx.revised(&self.namespace().unwrap_or_default(), &self.name_any());
        self.ask_app_runner(cx);
    }
}

impl EcsTaskDefinition {
    /// Triggers the reconcile of the App Runner service that it runs for, if it does.
    fn ask_app_runner(&self, cx: &Context) {
        ask_app_runner_service(cx, &self.namespace().unwrap_or_default(), &self.name_any());
    }
}

/// Creates a revision if the newest one does not hold the spec, and creates the newest one again if it is gone.
async fn reconcile(definition: Arc<EcsTaskDefinition>, cx: Arc<Context>) -> Result<Action, Error> {
    let (namespace, name) = (
        definition.namespace().unwrap_or_default(),
        definition.name_any(),
    );
    if definition.meta().deletion_timestamp.is_some() {
        // Nothing follows it any longer.
        cx.revised(&namespace, &name);
        return Ok(Action::await_change());
    }
    let uid = definition.uid().unwrap_or_default();
    let before = cx.task_definitions.latest(&definition);
    let newest = Newest::of(&before, definition.meta().generation);
    let mut failure = None;
    let outcome = match check(&definition, &cx) {
        Ok(warnings) => match revise(&definition, &cx, newest, &before).await {
            Ok(number) => Ok(Registered { number, warnings }),
            // Lasting trouble is reported; until then the previous revision is the newest one.
            Err(error)
                if newest == Newest::AboutToAppear
                    && (!error.is_transient() || cx.backoff.is_lasting(&uid)) =>
            {
                let refusal = Refusal::internal(&error);
                failure = Some(error);
                Err(refusal)
            }
            Err(error) => return Err(error),
        },
        Err(refusal) => Err(refusal),
    };
    let status = status(&definition, &before, &outcome, Timestamp::now());
    let revision = status.revision;
    if status != before && cx.report(&*definition, &before, status).await? {
        if let Err(refusal) = &outcome {
            cx.events
                .warning(&*definition, refusal.reason, refusal.message.clone());
        }
        // Services and tasks that wait for it continue, or report why it does not appear.
        cx.revised(&namespace, &name);
    }
    if let Some(error) = failure {
        return Err(error);
    }
    delete_superfluous(&cx, &namespace, &name, revision).await?;
    if cx.backoff.has_failed(&uid) {
        // A request that seemed to fail may have written the status, and nothing was notified then.
        cx.revised(&namespace, &name);
    }
    Ok(Action::await_change())
}

/// Puts into the caches what a reconcile of a task definition would make of it, without a write. Returns why it is
/// rejected, if it is.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn foresee(
    definition: &EcsTaskDefinition,
    cx: &Context,
) -> Result<Option<Refusal>, Error> {
    let (namespace, name) = (
        definition.namespace().unwrap_or_default(),
        definition.name_any(),
    );
    let before = cx.task_definitions.latest(definition);
    let newest = Newest::of(&before, definition.meta().generation);
    let outcome = match check(definition, cx) {
        Ok(warnings) => {
            let number = number_of_spec(definition, cx, newest, &before).await?;
            if !cx.revisions.of(&namespace, &name).contains_key(&number) {
                cx.revisions.observe(&object_of(definition, number)?);
            }
            Ok(Registered { number, warnings })
        }
        Err(refusal) => Err(refusal),
    };
    let status = status(definition, &before, &outcome, Timestamp::now());
    let seen = EcsTaskDefinition {
        status,
        ..definition.clone()
    };
    cx.task_definitions.cache.apply(&Event::Apply(seen));
    Ok(outcome.err())
}

/// Creates the revision of the spec if it does not exist. Returns its number.
async fn revise(
    definition: &EcsTaskDefinition,
    cx: &Context,
    newest: Newest,
    before: &TaskDefinitionStatus,
) -> Result<u64, Error> {
    let (namespace, name) = (
        definition.namespace().unwrap_or_default(),
        definition.name_any(),
    );
    let number = number_of_spec(definition, cx, newest, before).await?;
    if !cx.revisions.of(&namespace, &name).contains_key(&number) {
        make(definition, cx, number).await?;
        cx.revised(&namespace, &name);
    }
    Ok(number)
}
