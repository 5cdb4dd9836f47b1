//! What is said of an overlay that is applied.

use k8s_openapi::{
    api::core::v1::{PodSpec, PodTemplateSpec, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use serde_json::Value;

use super::place::{self, Thing};
use crate::{
    diagnostic::{Diagnostics, Message},
    translate::{Context, pod::privileges, quantity::amount},
    validate::PodOverlay,
};

/// Reports sizes of containers and of the pod that are not those of the task definition.
pub(super) fn sizes(
    before: &PodTemplateSpec,
    after: &PodTemplateSpec,
    overlay: &PodOverlay,
    notes: &mut Diagnostics,
) {
    let (Some(before), Some(after)) = (&before.spec, &after.spec) else {
        return;
    };
    let all = |spec: &PodSpec| {
        let init = spec.init_containers.iter().flatten();
        let containers = init.chain(&spec.containers);
        let sizes = containers.map(|it| (it.name.clone(), it.resources.clone()));
        sizes.collect::<Vec<_>>()
    };
    for ((name, before), (_, after)) in all(before).into_iter().zip(all(after)) {
        if let Some(sizes) = differences(before.as_ref(), after.as_ref()) {
            let mut containers = overlay.containers.iter();
            let is_typed = containers.any(|it| it.name == name && it.resources.is_some());
            let thing = Thing::Container(&name, "resources");
            let path = if is_typed {
                place::typed(overlay, thing)
            } else {
                place::patched(overlay, thing)
            };
            let what = format!("container {name}");
            notes.report(path, Message::PodSizeOverridden { what, sizes });
        }
    }
    if let Some(sizes) = differences(before.resources.as_ref(), after.resources.as_ref()) {
        let path = place::patched(overlay, Thing::Spec("resources"));
        let what = "the pod".to_owned();
        notes.report(path, Message::PodSizeOverridden { what, sizes });
    }
}

/// Describes the sizes of CPU and memory that were given and are different now.
fn differences(
    before: Option<&ResourceRequirements>,
    after: Option<&ResourceRequirements>,
) -> Option<String> {
    let before = before?;
    let mut differences = Vec::new();
    for (kind, before, after) in [
        (
            "limits",
            &before.limits,
            after.and_then(|it| it.limits.as_ref()),
        ),
        (
            "requests",
            &before.requests,
            after.and_then(|it| it.requests.as_ref()),
        ),
    ] {
        for resource in ["cpu", "memory"] {
            let Some(given) = before.as_ref().and_then(|it| it.get(resource)) else {
                continue;
            };
            match after.and_then(|it| it.get(resource)) {
                Some(now) if is_same(given, now) => {}
                Some(now) => differences.push(format!(
                    "{kind}.{resource} {} instead of {}",
                    now.0, given.0
                )),
                None => {
                    differences.push(format!("no {kind}.{resource} instead of {}", given.0));
                }
            }
        }
    }
    (!differences.is_empty()).then(|| differences.join(", "))
}

fn is_same(a: &Quantity, b: &Quantity) -> bool {
    a == b || amount(a).is_some() && amount(a) == amount(b)
}

/// Lists what the patch of an overlay changes.
pub(super) fn patched(overlay: &PodOverlay, notes: &mut Diagnostics) {
    let Some(patch) = &overlay.patch else {
        return;
    };
    let mut names = Vec::new();
    for part in ["metadata", "spec"] {
        for (name, member) in patch
            .get(part)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let of_containers = matches!(name.as_str(), "containers" | "initContainers");
            let elements = member.as_array().filter(|_| of_containers);
            let Some(elements) = elements else {
                names.push(format!("{part}.{name}"));
                continue;
            };
            for container in elements {
                let of = container.get("name").and_then(Value::as_str);
                let of = of.unwrap_or_default();
                let members = container.as_object().into_iter().flatten();
                let members = members.filter(|(member, _)| *member != "name");
                names.extend(members.map(|(member, _)| format!("{member} of {of}")));
            }
        }
    }
    if !names.is_empty() {
        let names = names.join(", ");
        let path = overlay.path.field("patch");
        notes.report(path, Message::PodPatched { names });
    }
}

/// Names what the Pod Security Standard `baseline` forbids in the pods as they are.
pub(super) fn privileges(cx: &Context<'_>, template: &PodTemplateSpec, notes: &mut Diagnostics) {
    if let Some(spec) = &template.spec {
        privileges::report(cx, spec, notes);
    }
}
