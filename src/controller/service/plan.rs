//! What should be there for a service, or why that cannot be said.

use std::sync::Arc;

use kube::{Resource as _, ResourceExt as _, runtime::reflector::ObjectRef};

use crate::{
    controller::{
        apply::Wanted,
        context::{Context, Users},
        refusal::{Refusal as Reason, refused},
        revisions::Numbered,
    },
    crd::{EcsService, EcsTaskDefinition, ServiceExtensions, Spec, WarningStatus},
    diagnostic::{Diagnostics, FieldPath, Subject},
    ecs,
    translate::{WORKLOAD_LENGTH, kname, translate_service},
    validate::{
        Scheduling, ServiceInput, TaskDefinitionInput, TaskDefinitionReference, validate_service,
    },
};

pub use crate::controller::refusal::Refusal;

/// What should be there for a service.
pub struct Plan {
    /// The objects in the order of application.
    pub objects: Vec<Wanted>,
    /// What differs from ECS.
    pub warnings: Vec<WarningStatus>,
    /// The task definition, as in `web:3`.
    pub task_definition: String,
    /// How many tasks are wanted; `None` for one on each node.
    pub desired: Option<i64>,
}

/// Makes the plan of a service. `None` if its task definition is there and only its first revision is not made yet.
pub fn plan(service: &EcsService, cx: &Context) -> Result<Option<Plan>, Refusal> {
    let namespace = service.namespace().unwrap_or_default();
    let mut request: ecs::Service = parse(&service.spec)?;
    let extensions: ServiceExtensions = parse(&service.spec)?;
    let name = service.name_any();
    match &request.service_name {
        None => request.service_name = Some(name),
        Some(own) if kname(own, WORKLOAD_LENGTH) == name => {}
        Some(own) => {
            return Err(Reason::name_differs(
                "serviceName",
                own,
                &kname(own, WORKLOAD_LENGTH),
            ));
        }
    }
    let Some(reference) = request.task_definition.clone() else {
        return Err(Reason::new(
            "TaskDefinitionRequired",
            "taskDefinition is required",
        ));
    };
    let Some((revision, spec)) =
        revision(cx, &cx.users, &namespace, &service.name_any(), &reference)?
    else {
        return Ok(None);
    };
    let mut task_definition: ecs::TaskDefinition = parse(&spec)?;
    let family = task_definition.family.get_or_insert_with(|| {
        TaskDefinitionReference::parse(&reference).map_or_else(String::new, |r| r.family.to_owned())
    });
    let label = format!("{family}:{revision}");
    let mut findings = Diagnostics::new();
    let annotations = FieldPath::root(Subject::Service)
        .field("metadata")
        .field("annotations");
    let own = service.meta().annotations.clone().unwrap_or_default();
    let settings = cx
        .settings(&namespace)
        .with_annotations(&own, &annotations, &mut findings);
    let input = ServiceInput {
        request: &request,
        extensions: &extensions,
        task_definition: TaskDefinitionInput {
            request: &task_definition,
            revision: Some(revision),
        },
    };
    let validated = match validate_service(&input, &settings) {
        Ok(_) if findings.has_errors() => return Err(refused(findings)),
        Ok(validated) => validated,
        Err(more) => {
            findings.append(more);
            return Err(refused(findings));
        }
    };
    let (manifests, notes) = translate_service(&validated, &settings);
    let objects: Result<Vec<Wanted>, _> =
        manifests.into_objects().iter().map(Wanted::new).collect();
    Ok(Some(Plan {
        objects: objects.map_err(|error| Reason::new("InternalError", &error.to_string()))?,
        warnings: Refusal::warnings(notes),
        task_definition: label,
        desired: match validated.scheduling {
            Scheduling::Replica { desired_count } => Some(desired_count),
            Scheduling::Daemon => None,
        },
    }))
}

fn parse<T: serde::de::DeserializeOwned>(spec: &Spec) -> Result<T, Refusal> {
    spec.parse()
        .map_err(|error| Reason::new("InvalidType", &error.to_string()))
}

/// The revision that a service or task names: its number and what it holds; `None` if it is about to appear. The user of
/// that name is told of new revisions from now on.
pub fn revision(
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
        return Err(Reason::new("InvalidTaskDefinition", &message));
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
        (_, Some(definition)) => match definition.status.conditions.first() {
            Some(condition) if condition.status == "False" => Err(Reason::new(
                "TaskDefinitionNotAccepted",
                &format!(
                    "EcsTaskDefinition {name} has no revision yet, because it is rejected: {}",
                    condition.message
                ),
            )),
            _ => Ok(None),
        },
        (_, None) => Err(Reason::new(
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
    Reason::new(
        "RevisionNotFound",
        &format!("{family} has no revision {number}; there are {known}"),
    )
}
