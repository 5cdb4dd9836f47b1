//! Lookup of the task definition that a service or task names, in the cache.

use std::{collections::BTreeMap, sync::Arc};

use kube::runtime::reflector::ObjectRef;

use crate::{
    controller::{
        caches::revisions::Numbered,
        context::Context,
        refusal::{Refusal, refused},
    },
    crd::{self, ACCEPTED, EcsTaskDefinition, Spec, TaskDefinitionStatus},
    decide::revision::Newest,
    diagnostic::{Diagnostics, FieldPath, StateReason, Subject},
    ecs,
    input::TaskDefinitionInput,
    settings::Settings,
    source::read_task_definition,
    translate::{WORKLOAD_LENGTH, kname},
    validate::TaskDefinitionReference,
};

/// A revision of a task definition.
pub(crate) struct Definition {
    request: ecs::TaskDefinition,
    extensions: crd::TaskDefinitionExtensions,
    number: u64,
    spec: Arc<Spec>,
    /// The diagnostics from reading it.
    findings: Diagnostics,
}

impl Definition {
    /// Returns the revision that `reference` names; `None` if it is about to appear.
    pub(crate) fn find(
        cx: &Context,
        namespace: &str,
        reference: Option<&str>,
    ) -> Result<Option<Self>, Refusal> {
        let Some(reference) = reference else {
            return Err(Refusal::new(
                StateReason::TaskDefinitionRequired,
                "taskDefinition is required",
            ));
        };
        let Some(parsed) = TaskDefinitionReference::parse(reference) else {
            let message = format!(
                "taskDefinition must be a family, family:revision or an ARN of one, not {reference:?}"
            );
            return Err(Refusal::new(StateReason::InvalidTaskDefinition, &message));
        };
        let Some((number, spec)) = revision(cx, namespace, &parsed)? else {
            return Ok(None);
        };
        Self::read(parsed.family, number, spec).map(Some)
    }

    fn read(family: &str, number: u64, spec: Arc<Spec>) -> Result<Self, Refusal> {
        let (request, extensions, findings) = read_task_definition(family, spec.text());
        if findings.has_errors() {
            // An older version of this operator accepted it.
            return Err(refused(findings));
        }
        Ok(Self {
            request,
            extensions,
            number,
            spec,
            findings,
        })
    }

    /// Returns the name of the task definition.
    pub(crate) fn family(&self) -> &str {
        self.request.family.as_deref().unwrap_or_default()
    }

    /// Returns the number of the revision.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Returns the spec in the revision.
    pub(crate) const fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// Returns the input of validation, and the diagnostics from reading it.
    pub(crate) fn into_input(self) -> (TaskDefinitionInput, Diagnostics) {
        let input = TaskDefinitionInput {
            request: self.request,
            extensions: self.extensions,
            revision: Some(self.number),
        };
        (input, self.findings)
    }

    /// Returns a label such as `web:3`.
    pub(crate) fn label(&self) -> String {
        format!("{}:{}", self.family(), self.number)
    }
}

/// Returns the settings of an object: those of the operator, overridden by its annotations.
pub(crate) fn settings(
    cx: &Context,
    namespace: &str,
    annotations: &BTreeMap<String, String>,
    subject: Subject,
    findings: &mut Diagnostics,
) -> Settings {
    let path = FieldPath::root(subject)
        .field("metadata")
        .field("annotations");
    let settings = cx.settings(namespace);
    settings.with_annotations(annotations, &path, findings)
}

/// Returns the number of a revision and its spec; `None` if it is about to appear.
///
/// The task definition's status determines which one is the newest. The newest one may be missing among those that
/// exist: the garbage collector deletes them in any order, and anyone may delete one.
fn revision(
    cx: &Context,
    namespace: &str,
    reference: &TaskDefinitionReference<'_>,
) -> Result<Option<(u64, Arc<Spec>)>, Refusal> {
    let name = kname(reference.family, WORKLOAD_LENGTH);
    let kept = cx.revisions.of(namespace, &name);
    let object = ObjectRef::<EcsTaskDefinition>::new(&name).within(namespace);
    let found = cx.task_definitions.store.get(&object);
    if let Some(number) = reference.revision
        && let Some(spec) = kept.get(&number)
    {
        return Ok(Some((number, spec.clone())));
    }
    let Some(definition) = found else {
        return Err(not_found(namespace, &name));
    };
    if definition.metadata.deletion_timestamp.is_some() {
        return Err(being_deleted(&name));
    }
    let status = cx.task_definitions.latest(&definition);
    let newest = match Newest::of(&status, definition.metadata.generation) {
        Newest::Revision { number, holds_spec } => match kept.get(&number) {
            Some(spec) => Some((number, spec.clone())),
            // It is created again.
            None if holds_spec => Some((number, Arc::new(definition.spec.clone()))),
            None => None,
        },
        Newest::AboutToAppear if reference.revision.is_none() || kept.is_empty() => {
            // Its status may have been lost, which no watch reports.
            cx.ask(object);
            return Ok(None);
        }
        Newest::AboutToAppear | Newest::Missing => None,
    };
    match (reference.revision, newest) {
        (None, Some(newest)) => Ok(Some(newest)),
        (Some(number), Some((newest, spec))) if number == newest => Ok(Some((number, spec))),
        (Some(number), _) if !kept.is_empty() => {
            Err(no_such_revision(reference.family, number, &kept))
        }
        (Some(number), Some((newest, spec))) => {
            let known = Numbered::from([(newest, spec)]);
            Err(no_such_revision(reference.family, number, &known))
        }
        (_, None) => Err(not_accepted(&name, &status)),
    }
}

fn not_found(namespace: &str, name: &str) -> Refusal {
    Refusal::new(
        StateReason::TaskDefinitionNotFound,
        &format!(
            "there is no EcsTaskDefinition {name} in the namespace {namespace}: apply it, or correct taskDefinition"
        ),
    )
}

fn being_deleted(name: &str) -> Refusal {
    Refusal::new(
        StateReason::TaskDefinitionNotFound,
        &format!(
            "EcsTaskDefinition {name} is being deleted: apply it again when it is gone, or correct taskDefinition"
        ),
    )
}

fn not_accepted(name: &str, status: &TaskDefinitionStatus) -> Refusal {
    let has = match status.revision {
        Some(number) => format!("its revision {number} is gone"),
        None => "it has no revision yet".to_owned(),
    };
    let why = status.conditions.iter().find(|it| it.type_ == ACCEPTED);
    let why = why.map_or("", |condition| &condition.message);
    Refusal::new(
        StateReason::TaskDefinitionNotAccepted,
        &format!("EcsTaskDefinition {name} is rejected, and {has}: {why}"),
    )
}

fn no_such_revision(family: &str, number: u64, revisions: &Numbered) -> Refusal {
    let known: Vec<String> = revisions.keys().map(ToString::to_string).collect();
    let known = known.join(", ");
    Refusal::new(
        StateReason::RevisionNotFound,
        &format!("{family} has no revision {number}; existing revisions: {known}"),
    )
}
