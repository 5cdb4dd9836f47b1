//! Deserialization of lists and watches in which an object may have any shape.

use std::{
    any::type_name,
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

/// An object of a list or watch. Each is deserialized separately, so that one that cannot be read does not hide the
/// others: one that is nested too deeply, or has a member of an unexpected shape.
#[derive(Clone, Debug)]
pub(crate) enum Lenient<K> {
    /// The object.
    Read(K),
    /// Only the metadata of an object that cannot be read.
    Unreadable(Box<ObjectMeta>),
}

impl<K: DeserializeOwned> Lenient<K> {
    fn of(text: &str) -> Self {
        // A panic while an object is read affects only that object, because nothing outlives it.
        match catch_unwind(AssertUnwindSafe(|| serde_json::from_str(text))) {
            Ok(Ok(object)) => Self::Read(object),
            Ok(Err(_)) | Err(_) => {
                let metadata = metadata(text);
                tracing::warn!(
                    what = type_name::<K>(),
                    namespace = metadata.namespace,
                    name = metadata.name,
                    "an object cannot be read"
                );
                Self::Unreadable(Box::new(metadata))
            }
        }
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Lenient<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|text| Self::of(text.get()))
    }
}

/// Reads only the metadata that identifies an object and its owners.
pub(crate) fn metadata(text: &str) -> ObjectMeta {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        name: Option<String>,
        namespace: Option<String>,
        uid: Option<String>,
        resource_version: Option<String>,
        deletion_timestamp: Option<Time>,
        owner_references: Option<Vec<OwnerReference>>,
    }
    #[derive(Default, Deserialize)]
    struct Object {
        metadata: Metadata,
    }
    let Metadata {
        name,
        namespace,
        uid,
        resource_version,
        deletion_timestamp,
        owner_references,
    } = serde_json::from_str::<Object>(text)
        .unwrap_or_default()
        .metadata;
    ObjectMeta {
        name,
        namespace,
        uid,
        resource_version,
        deletion_timestamp,
        owner_references,
        ..ObjectMeta::default()
    }
}

impl<K: Resource> Resource for Lenient<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(kind: &K::DynamicType) -> Cow<'_, str> {
        K::kind(kind)
    }

    fn group(kind: &K::DynamicType) -> Cow<'_, str> {
        K::group(kind)
    }

    fn version(kind: &K::DynamicType) -> Cow<'_, str> {
        K::version(kind)
    }

    fn plural(kind: &K::DynamicType) -> Cow<'_, str> {
        K::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Read(object) => object.meta(),
            Self::Unreadable(meta) => meta,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Read(object) => object.meta_mut(),
            Self::Unreadable(meta) => meta,
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube::{
        api::WatchEvent,
        core::{ListMeta, ObjectList},
    };

    use super::*;
    use crate::{
        controller::caches::{child::Child, child_kind::ChildKind},
        crd::EcsService,
    };

    /// Returns an object whose member `what` is a list of lists, 200 deep.
    fn deep(name: &str, what: &str) -> String {
        let lists = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let meta = format!(
            r#"{{"name": "{name}", "uid": "1", "resourceVersion": "7", "ownerReferences": [{{
                "apiVersion": "v1", "kind": "EcsService", "name": "web", "uid": "2"}}]}}"#
        );
        format!(r#"{{"metadata": {meta}, "{what}": {lists}}}"#)
    }

    fn list<K: Clone + DeserializeOwned>(objects: &[&str]) -> Vec<K> {
        let (metadata, objects) = (
            serde_json::to_string(&ListMeta::default()).expect("it can be written"),
            objects.join(","),
        );
        let text = format!(
            r#"{{"kind": "List", "apiVersion": "v1", "metadata": {metadata}, "items": [{objects}]}}"#
        );
        let list: ObjectList<K> = serde_json::from_str(&text).expect("the list can be read");
        list.items
    }

    #[test]
    fn an_object_that_cannot_be_read_hides_no_other() {
        let sound = r#"{"metadata": {"name": "sound"}, "status": {"phase": "Running"}}"#;
        let odd = r#"{"metadata": {"name": "odd", "uid": "1"}, "status": {"phase": 7}}"#;
        let pods: Vec<Lenient<Pod>> = list(&[&deep("deep", "spec"), sound, odd]);
        let [
            Lenient::Unreadable(deep),
            Lenient::Read(sound),
            Lenient::Unreadable(odd),
        ] = pods.as_slice()
        else {
            panic!("{pods:?}")
        };
        assert_eq!(deep.name.as_deref(), Some("deep"));
        assert_eq!(deep.resource_version.as_deref(), Some("7"));
        assert_eq!(sound.metadata.name.as_deref(), Some("sound"));
        assert_eq!(odd.name.as_deref(), Some("odd"));
    }

    #[test]
    fn so_it_is_in_a_watch() {
        let text = format!(r#"{{"type": "ADDED", "object": {}}}"#, deep("deep", "spec"));
        let event: WatchEvent<Lenient<Pod>> = serde_json::from_str(&text).expect("it can be read");
        assert!(matches!(event, WatchEvent::Added(Lenient::Unreadable(_))));
    }

    #[test]
    fn a_custom_resource_is_read_however_deep_its_spec_and_status_are() {
        let both: Vec<EcsService> = list(&[&deep("one", "spec"), &deep("two", "status")]);
        assert_eq!(both[0].metadata.name.as_deref(), Some("one"));
        assert!(both[0].spec.text().starts_with("[[["));
        assert_eq!(both[1].status, crate::crd::ServiceStatus::default());
    }

    #[test]
    fn of_a_child_it_is_known_at_least_that_it_is_there_and_whose() {
        let children: Vec<Child> = list(&[&deep("deep", "data")]);
        assert_eq!(children[0].meta().name.as_deref(), Some("deep"));
        assert_eq!(children[0].owners().len(), 1);
        let kind = ChildKind::of("v1", "ConfigMap").expect("it is known");
        assert_eq!(Child::kind(&kind), "ConfigMap");
    }
}
