//! The reconcile of a task definition: each change of its spec is a new revision.

pub(super) mod lookup;

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

use self::lookup::settings;
use crate::{
    controller::{
        caches::{
            references::{named_revisions, remembered_number},
            revisions::{TASK_DEFINITION, name_of},
        },
        context::Context,
        error::{Error, code},
        refusal::{Refusal, refused},
        status::{Aspect, conditions, report},
    },
    crd::{ACCEPTED, EcsTaskDefinition, TaskDefinitionStatus},
    decide::revision::{HISTORY_LIMIT, Newest, number, superfluous},
    diagnostic::Subject,
    source::read_task_definition,
    translate::{WORKLOAD_LENGTH, kname},
    validate::{TaskDefinitionInput, check_task_definition},
};

/// The kind in metrics.
pub(crate) const KIND: &str = "EcsTaskDefinition";

/// Makes a revision of the spec if the newest one is not it, and makes the newest one again if it is gone.
///
/// # Errors
///
/// When a request fails.
pub(crate) async fn reconcile(
    definition: Arc<EcsTaskDefinition>,
    cx: Arc<Context>,
) -> Result<Action, Error> {
    cx.queue.begin_task_definition(&definition);
    let (namespace, name) = (
        definition.namespace().unwrap_or_default(),
        definition.name_any(),
    );
    if definition.meta().deletion_timestamp.is_some() {
        // Nobody follows it any more.
        cx.revised(&namespace, &name);
        return Ok(Action::await_change());
    }
    let before = cx
        .task_definition_statuses
        .latest(&*definition, &definition.status);
    let newest = Newest::of(&before, definition.meta().generation);
    let mut failure = None;
    let outcome = match check(&definition, &cx) {
        Ok(()) => match revise(&definition, &cx, newest, &before).await {
            Ok(number) => Ok(number),
            // What is held back for long is told; meanwhile the revision before is the newest.
            Err(error) if !error.is_transient() && newest == Newest::AboutToAppear => {
                let refusal = Refusal::internal(&error);
                failure = Some(error);
                Err(refusal)
            }
            Err(error) => return Err(error),
        },
        Err(refusal) => Err(refusal),
    };
    let status = status(&definition, &before, &outcome, Timestamp::now());
    if status != before {
        if let Err(refusal) = &outcome {
            cx.events
                .warning(&*definition, &refusal.reason, refusal.message.clone());
        }
        let version = cx.task_definition_statuses.version(&*definition);
        if let Some(written) = report(&cx.client, &*definition, version, &before, &status).await? {
            cx.task_definition_statuses.record(&written, status.clone());
            // Those that wait for it go on, or tell why it does not come.
            cx.revised(&namespace, &name);
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    forget_superfluous(&cx, &namespace, &name, status.revision).await?;
    let uid = definition.uid().unwrap_or_default();
    if cx.backoff.has_failed(&uid) {
        // The status may be there by a request that seemed to fail, of which nobody was told.
        cx.revised(&namespace, &name);
    }
    cx.backoff.succeeded(&uid);
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

/// Makes the revision of the spec if it is not there. Returns its number.
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
    let kept = cx.revisions.of(&namespace, &name);
    let number = match newest {
        // That it was registered is on record: it is not compared, since another version may read the spec otherwise.
        Newest::Revision {
            number,
            holds_spec: true,
        } => number,
        Newest::Revision { .. } | Newest::Missing | Newest::AboutToAppear => {
            let highest = kept.last_key_value();
            let highest = highest.map(|(number, spec)| (*number, **spec == definition.spec));
            match before
                .revision
                .and_then(|number| u64::try_from(number).ok())
            {
                None => remembered_number(cx, definition, highest).await?,
                reported => number(highest, reported),
            }
        }
    };
    if !kept.contains_key(&number) {
        make(definition, cx, number).await?;
        cx.revised(&namespace, &name);
    }
    Ok(number)
}

/// Makes a revision.
async fn make(definition: &EcsTaskDefinition, cx: &Context, number: u64) -> Result<(), Error> {
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
    cx.revisions.observe(&made);
    Ok(())
}

/// Deletes old revisions that nobody names.
async fn forget_superfluous(
    cx: &Context,
    namespace: &str,
    name: &str,
    newest: Option<i64>,
) -> Result<(), Error> {
    // With the one that was just made.
    let existing: BTreeSet<u64> = cx.revisions.of(namespace, name).into_keys().collect();
    let newest = newest.and_then(|newest| u64::try_from(newest).ok());
    let mut used = BTreeSet::from_iter(newest);
    if superfluous(&existing, &used, HISTORY_LIMIT).is_empty() {
        // Whoever names them: to look for that takes time where services are many.
        return Ok(());
    }
    used.extend(named_revisions(cx, namespace, name));
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
pub(crate) fn on_error(
    definition: Arc<EcsTaskDefinition>,
    error: &Error,
    cx: Arc<Context>,
) -> Action {
    cx.metrics.failed(KIND, error.reason());
    let wait = cx.backoff.failed(&definition.uid().unwrap_or_default());
    tracing::warn!(%error, ?wait, "a task definition could not be reconciled");
    Action::requeue(wait.max(Duration::from_millis(100)))
}

/// Forgets a task definition that is gone, and tells those that follow it.
pub(crate) fn forget(cx: &Context, definition: &EcsTaskDefinition) {
    let namespace = definition.namespace().unwrap_or_default();
    cx.revised(&namespace, &definition.name_any());
    cx.task_definition_statuses.forget(definition);
    cx.backoff.succeeded(&definition.uid().unwrap_or_default());
}
