//! What should be there for a service, or why that cannot be said.

use kube::ResourceExt as _;

use crate::{
    controller::{
        apply::Wanted,
        cluster::complete,
        context::Context,
        definition::{Definition, settings},
        refusal::{Refusal, refused},
    },
    crd::{EcsService, WarningStatus},
    diagnostic::Subject,
    source::read_service,
    translate::{WORKLOAD_LENGTH, kname, translate_service},
    validate::{Scheduling, ServiceInput, validate_service},
};

/// What should be there for a service.
pub(super) struct Plan {
    /// The objects in the order of application.
    pub(super) objects: Vec<Wanted>,
    /// What differs from ECS.
    pub(super) warnings: Vec<WarningStatus>,
    /// The task definition, as in `web:3`.
    pub(super) task_definition: String,
    /// How many tasks are wanted; `None` for one on each node.
    pub(super) desired: Option<i64>,
}

/// Makes the plan of a service. `None` if its task definition is there and only its first revision is not made yet.
pub(super) fn plan(service: &EcsService, cx: &Context) -> Result<Option<Plan>, Refusal> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let (mut request, extensions, mut findings) = read_service(&name, service.spec.text());
    let own = request.service_name.as_deref().unwrap_or_default();
    let expected = kname(own, WORKLOAD_LENGTH);
    if expected != name {
        return Err(Refusal::name_differs("serviceName", own, &expected));
    }
    if findings.has_errors() {
        return Err(refused(findings));
    }
    let reference = request.task_definition.as_deref();
    let found = Definition::find(cx, &cx.users, &namespace, &name, reference)?;
    let Some(definition) = found else {
        return Ok(None);
    };
    complete(cx, &namespace, &mut request)?;
    let settings = settings(cx, service, Subject::Service, &mut findings);
    let input = ServiceInput {
        request: &request,
        extensions: &extensions,
        task_definition: definition.input(),
    };
    let validated = match validate_service(&input, &settings) {
        Ok(validated) if !findings.has_errors() => validated,
        Ok(_) => return Err(refused(findings)),
        Err(more) => {
            findings.append(more);
            return Err(refused(findings));
        }
    };
    let (manifests, notes) = translate_service(&validated, &settings);
    let objects: Result<Vec<Wanted>, _> =
        manifests.into_objects().iter().map(Wanted::new).collect();
    Ok(Some(Plan {
        objects: objects.map_err(|error| Refusal::internal(&error))?,
        warnings: Refusal::warnings(notes),
        task_definition: definition.label(),
        desired: match validated.scheduling {
            Scheduling::Replica { desired_count } => Some(desired_count),
            Scheduling::Daemon => None,
        },
    }))
}
