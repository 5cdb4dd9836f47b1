//! A stand-alone task as pods that run to completion.

use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};

use super::{
    Context, LABEL_LENGTH, Manifests, Object,
    labels::{Labels, tags_annotation},
    pod,
    service::{capacity, security_groups},
};
use crate::{
    diagnostic::{Diagnostics, Message},
    settings::Settings,
    validate::{CapacityProvider, Task, clamp},
};

const STARTED_BY: &str = "ecs-operator.dev/started-by";
const REFERENCE_ID: &str = "ecs-operator.dev/reference-id";

/// Translates a stand-alone task into its pods and what they refer to; the notes say what differs from ECS.
///
/// Not a Job, which would retry.
#[must_use]
pub fn translate_task(task: &Task, settings: &Settings) -> (Manifests, Diagnostics) {
    let cx = Context::of_task(task, settings);
    let mut notes = Diagnostics::new();
    report_name(&cx, &mut notes);
    capacity::report(&cx, &mut notes);
    let (mut template, mut objects) = pod::pod_template(&cx, &mut notes);
    add_metadata(task, &mut template);
    security_groups::apply(&cx, &task.network_configuration, &mut objects, &mut notes);
    for (index, provider) in (0..task.count).zip(providers(task)) {
        let mut template = template.clone();
        capacity::place(&cx, provider, &mut template);
        let mut spec = template.spec.unwrap_or_default();
        pod::ebs_volume::claims_of_task(&cx, index, &mut spec, &mut objects);
        let mut metadata = cx.metadata(format!("{}-{index}", cx.name()));
        if let Some(of_pods) = template.metadata {
            metadata.labels = of_pods.labels;
            metadata.annotations = of_pods.annotations;
        }
        objects.push(Object::Pod(Pod {
            metadata,
            spec: Some(spec),
            status: None,
        }));
    }
    (objects, task.overridden.relocate(notes))
}

/// The capacity provider of each task in turn; without a strategy, none for ever.
fn providers(task: &Task) -> impl Iterator<Item = Option<&CapacityProvider>> {
    let shares = capacity::shares(clamp(task.count), &task.capacity);
    let chosen: Vec<_> = shares
        .into_iter()
        .flat_map(|(provider, count)| (0..count).map(move |_| Some(provider)))
        .collect();
    chosen.into_iter().chain(std::iter::repeat(None))
}

/// Adds who started the task, its own name for itself, and its tags.
fn add_metadata(task: &Task, template: &mut PodTemplateSpec) {
    let metadata = template.metadata.get_or_insert_default();
    let mut annotations: Labels = metadata.annotations.take().unwrap_or_default();
    annotations.extend(tags_annotation(&task.tags));
    if let Some(id) = &task.reference_id {
        annotations.insert(REFERENCE_ID.to_owned(), id.clone());
    }
    if let Some(starter) = &task.started_by {
        annotations.insert(STARTED_BY.to_owned(), starter.clone());
        if is_label_value(starter) {
            let labels = metadata.labels.get_or_insert_default();
            labels.insert(STARTED_BY.to_owned(), starter.clone());
        }
    }
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
}

/// Whether Kubernetes takes `text` as the value of a label
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>).
fn is_label_value(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    text.len() <= LABEL_LENGTH
        && text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text
            .chars()
            .all(|c| alphanumeric(c) || matches!(c, '-' | '_' | '.'))
}

fn report_name(cx: &Context<'_>, notes: &mut Diagnostics) {
    let name = cx.name();
    if name != cx.ecs_name() {
        let original = cx.ecs_name().to_owned();
        let path = cx.root().field("taskDefinition");
        notes.report(path, Message::NameSanitized { original, name });
    }
}
