//! `spec.kubernetes.pod`: what the pods have beyond the fields of ECS.
//!
//! That of the task definition comes first, that of the service or task after it. In each, the patch comes last. What
//! would take away something that ECS or the operator gives is found by [`conflicts`], which validation calls, so that
//! [`apply`] has nothing to refuse.

mod affinity;
mod conflicts;
mod place;
mod report;
pub(crate) mod strategic;
mod typed;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Value, json};

pub(crate) use conflicts::conflicts;

use crate::{
    diagnostic::Diagnostics,
    translate::{Context, LABEL_LENGTH, Workload, kname},
    validate::PodOverlay,
};

impl Context<'_> {
    /// Returns what the task definition and the service or task add to the pods, in this order.
    pub(crate) fn overlays(&self) -> impl Iterator<Item = &PodOverlay> {
        let of_workload = match self.workload {
            Workload::Service(service) => &service.pod,
            Workload::Task(task) => &task.pod,
        };
        [&self.task_definition.pod, of_workload]
            .into_iter()
            .flatten()
    }
}

/// Adds everything to the template of the pods, and reports what is not as ECS gives it.
pub(crate) fn apply(cx: &Context<'_>, template: &mut PodTemplateSpec, notes: &mut Diagnostics) {
    if cx.overlays().next().is_none() {
        return;
    }
    for overlay in cx.overlays() {
        let before = template.clone();
        typed::apply(template, overlay);
        patch(template, overlay);
        report::sizes(&before, template, overlay, notes);
        report::patched(overlay, notes);
    }
    report::privileges(cx, template, notes);
}

/// Merges the patch of an overlay into the template.
fn patch(template: &mut PodTemplateSpec, overlay: &PodOverlay) {
    // Validation has rejected patches that do not give a pod template.
    if let Some(patched) = patched(template, overlay).and_then(|it| serde_json::from_value(it).ok())
    {
        *template = patched;
    }
}

/// Returns the template with the patch of an overlay, as plain data; `None` if there is no patch.
fn patched(template: &PodTemplateSpec, overlay: &PodOverlay) -> Option<Value> {
    let patch = overlay.patch.as_ref()?;
    // A pod template is plain data.
    let mut value = serde_json::to_value(template).unwrap_or_default();
    let patch = with_containers_in_place(patch, &value);
    strategic::merge(&mut value, &patch);
    Some(value)
}

/// Returns a patch that has each container in the list in which the pod has it, by its name in Kubernetes. A container
/// that the pod does not have is left out.
fn with_containers_in_place(patch: &Value, template: &Value) -> Value {
    const LISTS: [&str; 2] = ["initContainers", "containers"];
    let mut patch = patch.clone();
    let Some(Value::Object(spec)) = patch.get_mut("spec") else {
        return patch;
    };
    let mut given: Vec<Value> = Vec::new();
    for list in LISTS {
        if let Some(Value::Array(_)) = spec.get(list)
            && let Some(Value::Array(elements)) = spec.shift_remove(list)
        {
            given.extend(elements);
        }
    }
    for mut container in given {
        let Some(name) = container.get("name").and_then(Value::as_str) else {
            continue;
        };
        let name = kname(name, LABEL_LENGTH);
        let has_it = |list: &&str| {
            let containers = template.pointer(&format!("/spec/{list}"));
            let mut containers = containers.and_then(Value::as_array).into_iter().flatten();
            containers.any(|it| it.get("name").and_then(Value::as_str) == Some(&name))
        };
        if let Some(list) = LISTS.into_iter().find(has_it)
            && let Value::Object(members) = &mut container
        {
            members.insert("name".to_owned(), json!(name));
            if let Value::Array(elements) = spec.entry(list).or_insert_with(|| json!([])) {
                elements.push(container);
            }
        }
    }
    patch
}
