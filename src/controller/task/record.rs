//! The record of tasks that have begun: an annotation of the EcsTask with the names of their pods.
//!
//! A status can be lost: backups omit it, and a later version may not be able to read it. Annotations survive all of
//! this. The annotation contains the names of the pods, so that a copy of the EcsTask under another name is not
//! mistaken for it.

use std::collections::BTreeSet;

use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    controller::{caches::owned_fields::FIELD_MANAGER, context::Context, error::Error},
    crd::{EcsTask, OneTaskStatus},
    decide::task_lifecycle::{PROVISIONING, STOPPED},
    ecs,
    settings::BEGUN,
    source::read_task,
    translate::pod_name,
    validate::TASK_COUNT,
};

/// Returns the names of the pods of an EcsTask, one for each of `count`; none for a rejected count, which may be any
/// number.
pub(super) fn names(task: &EcsTask) -> Vec<String> {
    let (request, ..) = read_task(task.spec.text());
    let count = Some(request.count.unwrap_or(ecs::Task::DEFAULT_COUNT))
        .filter(|count| TASK_COUNT.contains(count));
    let name = task.name_any();
    (0..count.unwrap_or(0))
        .map(|index| pod_name(&name, index))
        .collect()
}

/// Returns the pods that may have run, according to the annotation.
pub(super) fn begun(task: &EcsTask) -> BTreeSet<String> {
    let annotations = task.meta().annotations.as_ref();
    let text = annotations.and_then(|annotations| annotations.get(BEGUN));
    let names = text.into_iter().flat_map(|text| text.split(','));
    names.map(str::trim).map(str::to_owned).collect()
}

/// Whether a task has ended without ever having a pod. If such a task were recorded before its status is, nobody would
/// know how it ended.
pub(super) fn was_never_made(one: &OneTaskStatus) -> bool {
    one.last_status == STOPPED && one.created_at.is_none()
}

/// Records which of these tasks have begun, before their status says so and before their pods are released. Returns the
/// new version of the EcsTask if the record changed. `version` is the one that the decision was based on.
///
/// # Errors
///
/// When the request fails, or the object has changed.
pub(super) async fn put_on_record(
    cx: &Context,
    task: &EcsTask,
    tasks: impl Iterator<Item = &OneTaskStatus>,
    version: Option<String>,
) -> Result<Option<String>, Error> {
    let mut names = begun(task);
    let known = names.len();
    let begun = tasks.filter(|one| one.last_status != PROVISIONING);
    names.extend(begun.map(|one| one.name.clone()));
    if names.len() == known {
        return Ok(None);
    }
    let text = names.into_iter().collect::<Vec<_>>().join(",");
    // If the object has been replaced, this is not its record. An absent version is null, which matches any.
    let metadata =
        json!({"uid": task.uid(), "resourceVersion": version, "annotations": {BEGUN: text}});
    let patch = json!({"metadata": metadata});
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let api: Api<EcsTask> =
        Api::namespaced(cx.client.clone(), &task.namespace().unwrap_or_default());
    api.patch(&task.name_any(), &params, &Patch::Merge(patch))
        .await
        .map(|written| written.resource_version())
        .map_err(Error::resource("annotate", task))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(metadata: serde_json::Value, spec: serde_json::Value) -> EcsTask {
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).expect("it is a task")
    }

    #[test]
    fn the_names_are_those_of_the_pods() {
        let metadata = json!({"name": "job"});
        let three = task(metadata.clone(), json!({"count": 3}));
        assert_eq!(names(&three), ["job-0", "job-1", "job-2"]);
        assert_eq!(names(&task(metadata.clone(), json!({}))), ["job-0"]);
        for refused in [-1, 0, 11, i64::MAX] {
            let refused = task(metadata.clone(), json!({"count": refused}));
            assert_eq!(names(&refused), [""; 0], "no memory is taken for them");
        }
    }

    #[test]
    fn the_record_is_read_from_the_annotation() {
        let none = task(json!({"name": "job"}), json!({}));
        assert_eq!(begun(&none), BTreeSet::new());
        let annotations = json!({BEGUN: "job-0,job-1"});
        let two = task(
            json!({"name": "job", "annotations": annotations}),
            json!({}),
        );
        let expected = ["job-0", "job-1"].map(str::to_owned);
        assert_eq!(begun(&two), BTreeSet::from(expected));
    }
}
