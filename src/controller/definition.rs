//! The task definition that a service or task names, out of the cache.

use std::sync::Arc;

use kube::{Resource, ResourceExt as _, runtime::reflector::ObjectRef};

use super::{
    context::{Context, Users},
    refusal::{Refusal, refused},
    revisions::Numbered,
};
use crate::{
    crd::{EcsTaskDefinition, Spec},
    diagnostic::{Diagnostics, FieldPath, Subject},
    ecs,
    settings::Settings,
    source::read_task_definition,
    translate::{WORKLOAD_LENGTH, kname},
    validate::{TaskDefinitionInput, TaskDefinitionReference},
};

/// A revision of a task definition.
pub(super) struct Definition {
    request: ecs::TaskDefinition,
    number: u64,
    spec: Arc<Spec>,
}

impl Definition {
    /// The revision that `reference` names; `None` if it is about to appear. The user of that name is told of new
    /// revisions from now on.
    pub(super) fn find(
        cx: &Context,
        users: &Users,
        namespace: &str,
        user: &str,
        reference: Option<&str>,
    ) -> Result<Option<Self>, Refusal> {
        let Some(reference) = reference else {
            return Err(Refusal::new(
                "TaskDefinitionRequired",
                "taskDefinition is required",
            ));
        };
        let Some((number, spec)) = revision(cx, users, namespace, user, reference)? else {
            return Ok(None);
        };
        let family = TaskDefinitionReference::parse(reference).map_or("", |parsed| parsed.family);
        Self::read(family, number, spec).map(Some)
    }

    fn read(family: &str, number: u64, spec: Arc<Spec>) -> Result<Self, Refusal> {
        let (request, findings) = read_task_definition(family, spec.text());
        if findings.has_errors() {
            // It was accepted once, by an older version of this operator.
            return Err(refused(findings));
        }
        Ok(Self {
            request,
            number,
            spec,
        })
    }

    /// The name of the task definition.
    pub(super) fn family(&self) -> &str {
        self.request.family.as_deref().unwrap_or_default()
    }

    /// The number of the revision.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// What the revision holds.
    pub(super) const fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// What validation takes.
    pub(super) const fn input(&self) -> TaskDefinitionInput<'_> {
        TaskDefinitionInput {
            request: &self.request,
            revision: Some(self.number),
        }
    }

    /// As in `web:3`.
    pub(super) fn label(&self) -> String {
        format!("{}:{}", self.family(), self.number)
    }
}

/// The settings of an object: those of the operator, and its own annotations instead.
pub(super) fn settings<K: Resource>(
    cx: &Context,
    object: &K,
    subject: Subject,
    findings: &mut Diagnostics,
) -> Settings {
    let path = FieldPath::root(subject)
        .field("metadata")
        .field("annotations");
    let settings = cx.settings(&object.namespace().unwrap_or_default());
    settings.with_annotations(object.annotations(), &path, findings)
}

/// The number of a revision, and what it holds.
pub(crate) fn revision(
    cx: &Context,
    users: &Users,
    namespace: &str,
    user: &str,
    reference: &str,
) -> Result<Option<(u64, Arc<Spec>)>, Refusal> {
    let Some(parsed) = TaskDefinitionReference::parse(reference) else {
        let message = format!(
            "taskDefinition must be a family, family:revision or an ARN of one, not {reference:?}"
        );
        return Err(Refusal::new("InvalidTaskDefinition", &message));
    };
    let name = kname(parsed.family, WORKLOAD_LENGTH);
    users.uses(namespace, user, &name);
    let revisions = cx.revisions.of(namespace, &name);
    let found = match parsed.revision {
        Some(number) => revisions.get_key_value(&number),
        None => revisions.last_key_value(),
    };
    if let Some((number, spec)) = found {
        return Ok(Some((*number, spec.clone())));
    }
    let object = ObjectRef::<EcsTaskDefinition>::new(&name).within(namespace);
    match (parsed.revision, cx.resources.task_definitions.get(&object)) {
        (Some(number), Some(_)) if !revisions.is_empty() => {
            Err(no_such_revision(parsed.family, number, &revisions))
        }
        (_, Some(definition)) => {
            let reported = &cx.task_definition_statuses;
            let status = reported.latest(&*definition, &definition.status);
            match status.conditions.first() {
                Some(condition) if condition.status == "False" => Err(Refusal::new(
                    "TaskDefinitionNotAccepted",
                    &format!(
                        "EcsTaskDefinition {name} has no revision yet, because it is rejected: {}",
                        condition.message
                    ),
                )),
                _ => Ok(None),
            }
        }
        (_, None) => Err(Refusal::new(
            "TaskDefinitionNotFound",
            &format!(
                "there is no EcsTaskDefinition {name} in the namespace {namespace}: apply it, or correct taskDefinition"
            ),
        )),
    }
}

fn no_such_revision(family: &str, number: u64, revisions: &Numbered) -> Refusal {
    let known: Vec<String> = revisions.keys().map(ToString::to_string).collect();
    let known = known.join(", ");
    Refusal::new(
        "RevisionNotFound",
        &format!("{family} has no revision {number}; there are {known}"),
    )
}
