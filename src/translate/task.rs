//! A stand-alone task as pods that run to completion.

use k8s_openapi::api::core::v1::Pod;

use super::{Context, Manifests, Object, pod};
use crate::{diagnostic::Diagnostics, settings::Settings, validate::Task};

/// Translates a stand-alone task into its pods and what they refer to; the notes say what differs from ECS.
#[must_use]
pub fn translate_task(task: &Task, settings: &Settings) -> (Manifests, Diagnostics) {
    let cx = Context::of_task(task, settings);
    let mut notes = Diagnostics::new();
    let (template, mut objects) = pod::pod_template(&cx, &mut notes);
    for index in 0..task.count {
        let mut metadata = cx.metadata(format!("{}-{index}", cx.name()));
        metadata.annotations = template
            .metadata
            .as_ref()
            .and_then(|m| m.annotations.clone());
        objects.push(Object::Pod(Pod {
            metadata,
            spec: template.spec.clone(),
            status: None,
        }));
    }
    (objects, notes)
}
