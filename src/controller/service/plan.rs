//! What should be there for a service, or why that cannot be said.

use std::sync::Arc;

use kube::ResourceExt as _;

use super::{
    revision::{Stored, settings_of},
    workloads,
};
use crate::{
    controller::{
        cluster::complete,
        context::Context,
        definition::Definition,
        error::Error,
        refusal::{Refusal, refused},
    },
    crd::{EcsService, Spec, WarningStatus},
    diagnostic::{FieldPath, Subject},
    source::read_service,
    translate::{Object, WORKLOAD_LENGTH, kname, translate_service},
    validate::{self, Scheduling, ServiceInput, validate_service},
};

/// What should be there for a service.
#[derive(Clone)]
pub(super) struct Plan {
    /// The objects in the order of application.
    pub(super) objects: Vec<Object>,
    /// What differs from ECS.
    pub(super) warnings: Vec<WarningStatus>,
    /// The task definition, as in `web:3`.
    pub(super) task_definition: String,
    /// How many tasks are wanted; `None` for one on each node.
    pub(super) desired: Option<i64>,
    /// How the tasks are replaced.
    pub(super) rules: validate::Deployment,
    /// The service revision: the same for the same pods.
    pub(super) revision: String,
    /// What it was made of.
    pub(super) stored: Arc<Stored>,
}

/// Makes the plan of a service. `None` if its task definition is there and only its first revision is not made yet.
pub(super) fn plan(service: &EcsService, cx: &Context) -> Result<Option<Plan>, Refusal> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let (request, _, findings) = read_service(&name, service.spec.text());
    if findings.has_errors() {
        return Err(refused(findings));
    }
    let reference = request.task_definition.as_deref();
    let found = Definition::find(cx, &cx.users, &namespace, &name, reference)?;
    let Some(definition) = found else {
        return Ok(None);
    };
    let stored = Stored {
        service: service.spec.clone(),
        annotations: settings_of(service),
        family: definition.family().to_owned(),
        revision: definition.number(),
        task_definition: Spec::clone(definition.spec()),
    };
    let mut plan = translate(service, cx, Arc::new(stored), &definition)?;
    plan.revision = workloads::revision(&plan.objects)
        .map_err(|error| Refusal::internal(&Error::from(error)))?;
    workloads::mark(&mut plan.objects, &plan.revision);
    Ok(Some(plan))
}

/// Makes the plan of a service as it was in an older revision, in the numbers of today.
pub(super) fn plan_of(
    service: &EcsService,
    cx: &Context,
    revision: &str,
    stored: Arc<Stored>,
) -> Result<Plan, Refusal> {
    let definition = Definition::stored(&stored.family, stored.revision, &stored.task_definition)?;
    let mut plan = translate(service, cx, stored, &definition)?;
    revision.clone_into(&mut plan.revision);
    workloads::mark(&mut plan.objects, revision);
    Ok(plan)
}

fn translate(
    service: &EcsService,
    cx: &Context,
    stored: Arc<Stored>,
    definition: &Definition,
) -> Result<Plan, Refusal> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let (mut request, mut extensions, mut findings) = read_service(&name, stored.service.text());
    let own = request.service_name.as_deref().unwrap_or_default();
    let expected = kname(own, WORKLOAD_LENGTH);
    if expected != name {
        return Err(Refusal::name_differs("serviceName", own, &expected));
    }
    if stored.service != service.spec {
        // How many tasks there are, and how they are replaced, is no matter of the revision.
        let (today, more, _) = read_service(&name, service.spec.text());
        request.desired_count = today.desired_count.or(request.desired_count);
        request.deployment_configuration = today.deployment_configuration;
        extensions.auto_scaling = more.auto_scaling;
    }
    complete(cx, &namespace, &mut request)?;
    let path = FieldPath::root(Subject::Service)
        .field("metadata")
        .field("annotations");
    let settings = cx.settings(&namespace);
    let settings = settings.with_annotations(&stored.annotations, &path, &mut findings);
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
    Ok(Plan {
        objects: manifests.into_objects(),
        warnings: Refusal::warnings(notes),
        task_definition: definition.label(),
        desired: match validated.scheduling {
            Scheduling::Replica { desired_count } => Some(desired_count),
            Scheduling::Daemon => None,
        },
        rules: validated.deployment,
        revision: String::new(),
        stored,
    })
}
