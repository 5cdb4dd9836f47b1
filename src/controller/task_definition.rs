//! The reconcile of a task definition: each change of its spec is a new revision.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::{
    api::apps::v1::ControllerRevision,
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, runtime::RawExtension},
    jiff::Timestamp,
};
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DeleteParams, PostParams},
    runtime::controller::Action,
};

use super::{
    context::Context,
    definition::settings,
    error::{Error, code},
    refusal::{Refusal, refused},
    revisions::{Numbered, TASK_DEFINITION, name_of},
    status::{Aspect, conditions, report},
};
use crate::{
    crd::{ACCEPTED, EcsTaskDefinition, TaskDefinitionStatus},
    decide::revision::{HISTORY_LIMIT, next, superfluous},
    diagnostic::Subject,
    source::{read_service, read_task_definition},
    translate::{WORKLOAD_LENGTH, kname},
    validate::{TaskDefinitionInput, TaskDefinitionReference, check_task_definition},
};

/// The kind in metrics.
pub(super) const KIND: &str = "EcsTaskDefinition";

/// Makes a revision of the spec if the newest one is not it.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn reconcile(
    definition: Arc<EcsTaskDefinition>,
    cx: Arc<Context>,
) -> Result<Action, Error> {
    cx.queue.begin_task_definition(&definition);
    if definition.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let (namespace, name) = (
        definition.namespace().unwrap_or_default(),
        definition.name_any(),
    );
    let before = cx
        .task_definition_statuses
        .latest(&*definition, &definition.status);
    let revisions = cx.revisions.of(&namespace, &name);
    let outcome = match check(&definition, &cx) {
        Ok(()) => Ok(revise(&definition, &cx, &revisions, before.revision).await?),
        Err(refusal) => Err(refusal),
    };
    let status = status(&definition, &before, &outcome, Timestamp::now());
    if status != before {
        if let Err(refusal) = &outcome {
            cx.events
                .warning(&*definition, &refusal.reason, refusal.message.clone());
        }
        if let Some(written) = report(&cx.client, &*definition, &before, &status).await? {
            cx.task_definition_statuses.record(&written, status);
            // Those that wait for it tell why it does not come.
            cx.revised(&namespace, &name);
        }
    }
    // With the one that was just made.
    let revisions = cx.revisions.of(&namespace, &name);
    forget_superfluous(&cx, &namespace, &name, &revisions).await?;
    cx.backoff.succeeded(&definition.uid().unwrap_or_default());
    Ok(Action::await_change())
}

/// Whether ECS would register the task definition, and Kubernetes can run it.
fn check(definition: &EcsTaskDefinition, cx: &Context) -> Result<(), Refusal> {
    let name = definition.name_any();
    let (request, mut findings) = read_task_definition(&name, definition.spec.text());
    let own = request.family.as_deref().unwrap_or_default();
    let expected = kname(own, WORKLOAD_LENGTH);
    if expected != name {
        return Err(Refusal::name_differs("family", own, &expected));
    }
    let settings = settings(cx, definition, Subject::TaskDefinition, &mut findings);
    let input = TaskDefinitionInput {
        request: &request,
        revision: None,
    };
    if !findings.has_errors() {
        findings.append(check_task_definition(input, &settings));
    }
    if findings.has_errors() {
        return Err(refused(findings));
    }
    Ok(())
}

/// Makes a revision if the spec is not that of the newest one. Returns the number of the newest.
async fn revise(
    definition: &EcsTaskDefinition,
    cx: &Context,
    revisions: &Numbered,
    reported: Option<i64>,
) -> Result<u64, Error> {
    let newest = revisions.last_key_value();
    if let Some((number, spec)) = newest
        && **spec == definition.spec
    {
        return Ok(*number);
    }
    let reported = reported.and_then(|number| u64::try_from(number).ok());
    let number = next(newest.map(|(number, _)| *number), reported);
    let (namespace, name) = (
        definition.namespace().unwrap_or_default(),
        definition.name_any(),
    );
    let revision = ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name_of(&name, number)),
            namespace: Some(namespace.clone()),
            labels: Some([(TASK_DEFINITION.to_owned(), name)].into()),
            owner_references: Some(definition.controller_owner_ref(&()).into_iter().collect()),
            ..ObjectMeta::default()
        },
        revision: i64::try_from(number).unwrap_or(i64::MAX),
        data: Some(RawExtension(definition.spec.parse()?)),
    };
    let api: Api<ControllerRevision> = Api::namespaced(cx.client.clone(), &namespace);
    let made = api.create(&PostParams::default(), &revision).await;
    let made = made.map_err(Error::resource("make a revision of", definition))?;
    if let Some((namespace, name)) = cx.revisions.observe(&made) {
        cx.revised(&namespace, &name);
    }
    Ok(number)
}

/// Deletes old revisions that no service uses.
async fn forget_superfluous(
    cx: &Context,
    namespace: &str,
    name: &str,
    revisions: &Numbered,
) -> Result<(), Error> {
    let existing: BTreeSet<u64> = revisions.keys().copied().collect();
    if existing.len() <= HISTORY_LIMIT {
        return Ok(());
    }
    let used = used_revisions(cx, namespace, name);
    let api: Api<ControllerRevision> = Api::namespaced(cx.client.clone(), namespace);
    for number in superfluous(&existing, &used, HISTORY_LIMIT) {
        let object = name_of(name, number);
        match api.delete(&object, &DeleteParams::default()).await {
            Err(error) if code(&error) != Some(404) => {
                return Err(Error::Api {
                    verb: "delete",
                    kind: "ControllerRevision".to_owned(),
                    name: object,
                    source: Box::new(error),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The revisions that services name, run, or ran until a moment ago.
fn used_revisions(cx: &Context, namespace: &str, name: &str) -> BTreeSet<u64> {
    let number = |text: &str| TaskDefinitionReference::parse(text)?.revision;
    let services = cx.users.of(namespace, name);
    let services = services.iter().filter_map(|service| {
        cx.resources
            .services
            .get(&kube::runtime::reflector::ObjectRef::new(service).within(namespace))
    });
    services
        .flat_map(|service| {
            let (spec, _, _) = read_service(&service.name_any(), service.spec.text());
            let running = service
                .status
                .deployments
                .iter()
                .map(|d| d.task_definition.clone());
            let texts = [spec.task_definition, service.status.task_definition.clone()];
            texts
                .into_iter()
                .chain(running)
                .flatten()
                .collect::<Vec<_>>()
        })
        .filter_map(|text| number(&text))
        .collect()
}

fn status(
    definition: &EcsTaskDefinition,
    before: &TaskDefinitionStatus,
    outcome: &Result<u64, Refusal>,
    now: Timestamp,
) -> TaskDefinitionStatus {
    let generation = definition.meta().generation;
    let (holds, reason, message, revision) = match outcome {
        Ok(number) => {
            let message = format!("The newest revision is {number}.");
            (
                true,
                "Registered".to_owned(),
                message,
                i64::try_from(*number).ok(),
            )
        }
        Err(refusal) => (
            false,
            refusal.reason.clone(),
            refusal.message.clone(),
            before.revision,
        ),
    };
    let aspect = Aspect {
        type_: ACCEPTED,
        holds: Some(holds),
        reason,
        message,
    };
    TaskDefinitionStatus {
        conditions: conditions(vec![aspect], &before.conditions, generation, now),
        observed_generation: generation,
        revision,
    }
}

/// What an error means for the next try.
#[must_use]
pub(super) fn on_error(
    definition: Arc<EcsTaskDefinition>,
    error: &Error,
    cx: Arc<Context>,
) -> Action {
    cx.metrics.failed(KIND, error.reason());
    let wait = cx.backoff.failed(&definition.uid().unwrap_or_default());
    tracing::warn!(%error, ?wait, "a task definition could not be reconciled");
    Action::requeue(wait.max(Duration::from_millis(100)))
}

/// Forgets a task definition that is gone.
pub(super) fn forget(cx: &Context, definition: &EcsTaskDefinition) {
    cx.task_definition_statuses.forget(definition);
    cx.backoff.succeeded(&definition.uid().unwrap_or_default());
}
