//! Rendering: from inputs and settings to the objects of a service.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    counts::{healthy_after, is_kept, strip_counts},
    digests::{ImageDigests, pin},
    inputs::{Inputs, have_same_providers, hexadecimal},
};
use crate::{
    crd::Spec,
    diagnostic::{Diagnostics, FieldPath, Subject},
    input::{ConnectHosts, ServiceInput, TaskDefinitionInput},
    settings::{SERVICE_REVISION, Settings},
    source::{read_cluster, read_service, read_task_definition},
    translate::{Object, translate_service},
    validate::{self, Scheduling, TakesDefaults as _, validate_service},
};

/// How many hexadecimal digits of a digest name the pods of a service revision.
const POD_DIGITS: usize = 10;
/// How many hexadecimal digits of a digest distinguish renderings.
const DIGITS: usize = 20;

/// What a rendering depends on besides its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedBy {
    /// The version of the operator.
    pub operator: String,
    /// The settings before the annotations of the service, including the version of Kubernetes and the add-ons.
    pub settings: Settings,
    /// The spec of the EcsCluster with defaults for the service.
    pub cluster: Option<Spec>,
    /// The names of the Service Connect namespace that its tasks have in `/etc/hosts`. Like in ECS, names that come
    /// later are for later deployments.
    pub connect_hosts: ConnectHosts,
    /// What the tags of its images meant when its deployment began.
    pub images: ImageDigests,
}

impl RenderedBy {
    /// Returns a digest that is equal for equal settings and defaults, whatever the version of the operator, the
    /// names of the Service Connect namespace and the digests of images.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        // Settings consist of texts, numbers and sets of words, which JSON can represent.
        digest.update(serde_json::to_vec(&self.settings).unwrap_or_default());
        digest.update([0]);
        digest.update(self.cluster.as_ref().map_or("", Spec::text));
        hexadecimal(&digest.finalize(), DIGITS)
    }

    /// Returns it with the metrics that are read today: like counts, who scales a service does not follow from when its
    /// deployment began.
    #[must_use]
    pub fn with_metrics_of(mut self, today: &Settings) -> Self {
        let sources = &today.metric_sources;
        self.settings.metric_sources.clone_from(sources);
        self
    }
}

/// The result of rendering a service.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The objects in the order of application, with the current counts.
    pub objects: Vec<Value>,
    /// The differences from ECS.
    pub notes: Diagnostics,
    /// How many tasks are wanted; `None` for one on each node.
    pub desired: Option<i64>,
    /// How the tasks are replaced.
    pub rules: validate::Deployment,
    /// How many seconds a task has to be ready until it counts as healthy.
    pub healthy_after: i64,
    /// The label of its pods: equal for equal pods.
    pub pods: String,
    /// A digest that is equal for equal objects, whatever the counts.
    pub digest: String,
    /// Its scaling, if the operator runs its policies.
    pub scaling: Option<Box<validate::AutoScaling>>,
}

/// Renders a service. The counts (how many tasks, how they are replaced and scaled) are those of `today`.
///
/// # Errors
///
/// Everything for which ECS or Kubernetes would reject it.
pub fn render(
    name: &str,
    namespace: &str,
    inputs: &Inputs,
    today: &Spec,
    by: &RenderedBy,
) -> Result<Rendering, Diagnostics> {
    let (mut input, mut findings) = read(name, inputs, today);
    input.connect_hosts.clone_from(&by.connect_hosts);
    pin(&mut input.task_definition.request, &by.images);
    if let Some(cluster) = &by.cluster
        && !input.request.is_complete()
    {
        let (defaults, said) = read_cluster(cluster.text());
        findings.append(said);
        input.request.complete(&defaults);
    }
    let path = FieldPath::root(Subject::Service)
        .field("metadata")
        .field("annotations");
    let settings = Settings {
        namespace: namespace.to_owned(),
        ..by.settings.clone()
    };
    let settings = settings.with_annotations(&inputs.annotations, &path, &mut findings);
    if findings.has_errors() {
        // Omitted settings could cause misleading errors.
        return Err(findings);
    }
    let validated = validate_service(&input, &settings)?;
    let (manifests, notes) = translate_service(&validated, &settings);
    findings.append(notes);
    let desired = match validated.scheduling {
        Scheduling::Replica { desired_count } => Some(desired_count),
        Scheduling::Daemon => None,
    };
    Ok(finish(
        manifests.into_objects(),
        findings,
        desired,
        &validated,
    ))
}

/// Returns how many seconds a load balancer may report a new task of this service as unhealthy: 0 unless its spec sets
/// it.
#[must_use]
pub fn health_check_grace(service: &Spec) -> i64 {
    let members: Value = service.parse().unwrap_or_default();
    let grace = members.get("healthCheckGracePeriodSeconds");
    grace.and_then(Value::as_i64).unwrap_or(0)
}

/// Reads the inputs, with the counts of `today`.
fn read(name: &str, inputs: &Inputs, today: &Spec) -> (ServiceInput, Diagnostics) {
    let (mut request, mut extensions, mut findings) = read_service(name, inputs.service.text());
    if *today != inputs.service {
        let (counts, more, said) = read_service(name, today.text());
        findings.append(said);
        request.desired_count = counts.desired_count.or(request.desired_count);
        request.deployment_configuration = counts.deployment_configuration;
        if have_same_providers(&inputs.service, today) {
            request.capacity_provider_strategy = counts.capacity_provider_strategy;
        }
        if request.propagate_tags.as_deref() != Some("SERVICE") {
            request.tags = counts.tags;
        }
        extensions.auto_scaling = more.auto_scaling;
    }
    let (task_definition, of_definition, said) =
        read_task_definition(&inputs.family, inputs.task_definition.text());
    findings.append(said);
    let input = ServiceInput {
        request,
        extensions,
        task_definition: TaskDefinitionInput {
            request: task_definition,
            extensions: of_definition,
            revision: Some(inputs.revision),
        },
        connect_hosts: ConnectHosts::new(),
    };
    (input, findings)
}

fn finish(
    mut objects: Vec<Object>,
    notes: Diagnostics,
    desired: Option<i64>,
    service: &validate::Service,
) -> Rendering {
    let pods = name_of_pods(&objects);
    mark(&mut objects, &pods);
    let objects: Vec<Value> = objects.iter().map(body).collect();
    let scaling = service.auto_scaling.as_ref();
    Rendering {
        scaling: scaling
            .filter(|scaling| scaling.by_operator)
            .map(|scaling| Box::new(scaling.clone())),
        notes,
        desired,
        rules: service.deployment.clone(),
        healthy_after: healthy_after(&objects),
        pods,
        digest: digest(&objects),
        objects,
    }
}

/// Returns an object as it is applied.
fn body(object: &Object) -> Value {
    // Objects consist of texts, numbers and maps with text keys, which JSON can represent.
    serde_json::to_value(object).unwrap_or_default()
}

/// Returns a digest that is equal for equal pods, whatever workload contains them.
fn name_of_pods(objects: &[Object]) -> String {
    let mut digest = Sha256::new();
    for object in objects {
        let template = match object {
            Object::Deployment(deployment) => deployment.spec.as_ref().map(|spec| &spec.template),
            Object::DaemonSet(daemon_set) => daemon_set.spec.as_ref().map(|spec| &spec.template),
            _ => None,
        };
        if let Some(template) = template {
            let text = serde_json::to_vec(&(object.name(), template));
            digest.update(text.unwrap_or_default());
        }
    }
    hexadecimal(&digest.finalize(), POD_DIGITS)
}

/// Labels the pods with their service revision.
fn mark(objects: &mut [Object], pods: &str) {
    for object in objects {
        let template = match object {
            Object::Deployment(deployment) => deployment.spec.as_mut().map(|it| &mut it.template),
            Object::DaemonSet(daemon_set) => daemon_set.spec.as_mut().map(|it| &mut it.template),
            _ => None,
        };
        if let Some(template) = template {
            let metadata = template.metadata.get_or_insert_default();
            let labels = metadata.labels.get_or_insert_default();
            labels.insert(SERVICE_REVISION.to_owned(), pods.to_owned());
        }
    }
}

/// Returns a digest that is equal for equal objects, whatever the counts in them.
pub(super) fn digest(objects: &[Value]) -> String {
    let mut digest = Sha256::new();
    for object in objects.iter().filter(|object| is_kept(object)) {
        let mut object = object.clone();
        strip_counts(&mut object);
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            // The same object in another namespace is equal.
            metadata.remove("namespace");
        }
        object.sort_all_objects();
        digest.update(object.to_string());
        digest.update([0]);
    }
    hexadecimal(&digest.finalize(), DIGITS)
}
