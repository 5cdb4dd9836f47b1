//! The references to revisions of a task definition.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{Api, ResourceExt as _, api::ListParams};
use serde::Deserialize;

use crate::{
    controller::{context::Context, error::Error},
    crd::{EcsTaskDefinition, Spec},
    decide::revision::number,
    settings::SERVICE_REVISION,
    translate::{WORKLOAD_LENGTH, kname},
    validate::TaskDefinitionReference,
};

/// The member of a spec that names a task definition. It is read separately, so that a spec that is rejected for other
/// reasons counts too.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    task_definition: Option<String>,
}

/// Returns the task definition that a spec names, if that can be read.
pub(crate) fn named(spec: &Spec) -> Option<String> {
    spec.parse::<Named>().unwrap_or_default().task_definition
}

/// Returns the revisions of a task definition that services and tasks in its namespace refer to, accepted or not, in
/// their specs or statuses.
///
/// The result is complete once the caches are, and no replica leads before that.
pub(super) fn named_revisions(cx: &Context, namespace: &str, name: &str) -> BTreeSet<u64> {
    let in_specs = cx
        .services
        .within(namespace)
        .filter_map(|service| named(&service.spec))
        .chain(
            cx.tasks
                .within(namespace)
                .filter_map(|task| named(&task.spec)),
        );
    let mut numbers: BTreeSet<u64> = in_specs
        .filter_map(|reference| number_of(&reference, name))
        .collect();
    numbers.extend(reported_revisions(cx, namespace, name));
    numbers
}

/// Returns the revisions that services and tasks run or ran, which therefore existed at some time.
fn reported_revisions(cx: &Context, namespace: &str, name: &str) -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    let mut see = |reference: Option<&String>| {
        numbers.extend(reference.and_then(|reference| number_of(reference, name)));
    };
    for service in cx.services.within(namespace) {
        see(service.status.task_definition.as_ref());
        for deployment in &service.status.deployments {
            see(deployment.task_definition.as_ref());
        }
    }
    for task in cx.tasks.within(namespace) {
        see(task.status.task_definition.as_ref());
    }
    numbers
}

/// Returns the revision of the task definition `name` that a reference names.
fn number_of(reference: &str, name: &str) -> Option<u64> {
    let parsed = TaskDefinitionReference::parse(reference)?;
    let number = parsed.revision?;
    (kname(parsed.family, WORKLOAD_LENGTH) == name).then_some(number)
}

/// The part of a service revision that contains its task definition.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    family: String,
    revision: u64,
    task_definition: Spec,
}

/// Returns the number for the spec of a task definition without a status, because it was just created, re-created, or
/// restored: the number under which services keep exactly this spec if there is no higher one, so that their tasks
/// stay; or else an unused one. `kept` is the number of its own newest revision, and whether it holds the spec.
///
/// # Errors
///
/// When the request fails.
pub(super) async fn remembered_number(
    cx: &Context,
    definition: &EcsTaskDefinition,
    kept: Option<(u64, bool)>,
) -> Result<u64, Error> {
    let (namespace, name) = (
        definition.namespace().unwrap_or_default(),
        definition.name_any(),
    );
    let reported = reported_revisions(cx, &namespace, &name).last().copied();
    if reported.is_none() {
        return Ok(number(kept, None));
    }
    let api: Api<ControllerRevision> = Api::namespaced(cx.client.clone(), &namespace);
    let of_services = ListParams::default().labels(SERVICE_REVISION);
    let by_services = api.list(&of_services).await;
    let by_services = by_services.map_err(Error::resource(
        "list the revisions that services store of",
        definition,
    ))?;
    let newest = by_services
        .into_iter()
        .filter_map(|of_service| serde_json::from_value::<Kept>(of_service.data?.0).ok())
        .filter(|of_service| kname(&of_service.family, WORKLOAD_LENGTH) == name)
        .map(|of_service| {
            let holds_spec = of_service.task_definition == definition.spec;
            (of_service.revision, holds_spec)
        })
        .chain(kept)
        .max();
    Ok(number(newest, reported))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_spec_that_is_refused_names_its_revision_too() {
        let spec = Spec::from(json!({"taskDefinition": "web:3", "loadBalancers": "none"}));
        assert_eq!(named(&spec).as_deref(), Some("web:3"));
        assert_eq!(named(&Spec::from(json!({"taskDefinition": 3}))), None);
    }

    #[test]
    fn a_reference_is_to_the_object_that_its_family_makes() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7";
        assert_eq!(number_of(arn, "web"), Some(7));
        assert_eq!(number_of("web", "web"), None);
        assert_eq!(number_of("other:7", "web"), None);
        let object = kname("Web_Shop", WORKLOAD_LENGTH);
        assert_eq!(number_of("Web_Shop:7", &object), Some(7));
    }
}
