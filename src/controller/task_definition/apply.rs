//! Creation of revisions, and deletion of those that nothing needs.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::apps::v1::ControllerRevision,
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, runtime::RawExtension},
};
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DeleteParams, PostParams},
};

use super::fetch::named_revisions;
use crate::{
    controller::{
        caches::revisions::{TASK_DEFINITION, name_of},
        context::Context,
        error::{Error, code},
    },
    crd::EcsTaskDefinition,
    decide::revision::{HISTORY_LIMIT, superfluous},
};

/// Returns the object that stores a revision.
///
/// # Errors
///
/// When the spec cannot be read.
pub(super) fn object_of(
    definition: &EcsTaskDefinition,
    number: u64,
) -> Result<ControllerRevision, serde_json::Error> {
    let name = definition.name_any();
    Ok(ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name_of(&name, number)),
            namespace: definition.namespace(),
            labels: Some([(TASK_DEFINITION.to_owned(), name)].into()),
            owner_references: Some(definition.controller_owner_ref(&()).into_iter().collect()),
            ..ObjectMeta::default()
        },
        revision: i64::try_from(number).unwrap_or(i64::MAX),
        data: Some(RawExtension(definition.spec.parse()?)),
    })
}

/// Creates a revision.
pub(super) async fn make(
    definition: &EcsTaskDefinition,
    cx: &Context,
    number: u64,
) -> Result<(), Error> {
    let (namespace, name) = (
        definition.namespace().unwrap_or_default(),
        definition.name_any(),
    );
    let revision = object_of(definition, number)?;
    let api: Api<ControllerRevision> = Api::namespaced(cx.client.clone(), &namespace);
    let creation = cx.revisions.create(((namespace, name), number));
    let made = api.create(&PostParams::default(), &revision).await;
    let made = made.map_err(Error::resource("create a revision of", definition))?;
    Error::unless_known(creation.answered(&made))
}

/// Deletes old revisions that nothing refers to.
pub(super) async fn delete_superfluous(
    cx: &Context,
    namespace: &str,
    name: &str,
    newest: Option<i64>,
) -> Result<(), Error> {
    // Includes the one that was just created.
    let existing: BTreeSet<u64> = cx.revisions.of(namespace, name).into_keys().collect();
    let newest = newest.and_then(|newest| u64::try_from(newest).ok());
    let mut used = BTreeSet::from_iter(newest);
    if superfluous(&existing, &used, HISTORY_LIMIT).is_empty() {
        // Avoid looking for references, which takes time if there are many services.
        return Ok(());
    }
    used.extend(named_revisions(cx, namespace, name));
    let api: Api<ControllerRevision> = Api::namespaced(cx.client.clone(), namespace);
    for number in superfluous(&existing, &used, HISTORY_LIMIT) {
        let object = name_of(name, number);
        match api.delete(&object, &DeleteParams::default()).await {
            Err(error) if code(&error) != Some(404) => {
                return Err(Error::Api {
                    verb: "delete",
                    kind: "ControllerRevision".to_owned(),
                    name: object,
                    source: Box::new(error),
                });
            }
            _ => {}
        }
    }
    Ok(())
}
