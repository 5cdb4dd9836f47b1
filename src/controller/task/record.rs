//! The record of tasks that have begun: an annotation of the EcsTask with the names of their pods.
//!
//! A status can be lost: backups leave it out, and a later version may not be able to read it. Annotations are kept by
//! all of these. The names of the pods are in it, so that a copy of the EcsTask under another name is not taken for it.

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
    settings::BEGUN,
    source::read_task,
    translate::pod_name,
    validate::TASK_COUNT,
};

/// The names of the pods of an EcsTask, one for each of `count`; none for a count that is refused, which may be any number.
pub(super) fn names(task: &EcsTask) -> Vec<String> {
    let (request, ..) = read_task(task.spec.text());
    let count = Some(request.count.unwrap_or(1)).filter(|count| TASK_COUNT.contains(count));
    let name = task.name_any();
    (0..count.unwrap_or(0))
        .map(|index| pod_name(&name, index))
        .collect()
}

/// The pods that may have run, by the annotation.
pub(super) fn begun(task: &EcsTask) -> BTreeSet<String> {
    let annotations = task.meta().annotations.as_ref();
    let text = annotations.and_then(|annotations| annotations.get(BEGUN));
    let names = text.into_iter().flat_map(|text| text.split(','));
    names.map(str::trim).map(str::to_owned).collect()
}

/// Whether a task has ended without having had a pod. On record before its status is, it would be one of which nobody
/// knows how it ended.
pub(super) fn was_never_made(one: &OneTaskStatus) -> bool {
    one.last_status == STOPPED && one.created_at.is_none()
}

/// Puts on record which of these tasks have begun, which is done before their status says so and before their pods are
/// let go. Returns the version of the EcsTask then, if that was new. `version` is the one that this was decided on.
///
/// # Errors
///
/// When the request fails, or the object has been changed.
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
    // Should the object be another one by now, this is not its record.
    // An absent version is null, which asks for none.
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
