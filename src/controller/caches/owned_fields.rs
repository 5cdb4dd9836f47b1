//! The part of a live object that this operator wrote.
//!
//! The API server records which manager owns which field
//! (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>). As long as nobody changes an
//! object, the fields that our manager owns have the values that were applied: an edit by another manager takes
//! ownership of the field away from us. A digest of that part therefore detects drift, and a cache needs nothing more.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use serde_json::{Map, Value};

/// The field manager of every apply.
pub(crate) const FIELD_MANAGER: &str = "ecs-operator";

/// Returns the digest of the fields that we own in a live object; of nothing if we never applied it.
#[must_use]
pub(crate) fn digest_of_live(object: &Value) -> u64 {
    digest(&owned(object))
}

/// Returns the same digest without the owners, which differ between the services that share an object.
#[must_use]
pub(crate) fn digest_without_owners(object: &Value) -> u64 {
    let mut ours = owned(object);
    if let Some(metadata) = ours.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("ownerReferences");
    }
    digest(&ours)
}

/// Returns the digest of an object to apply, which the live object has once it is applied.
#[must_use]
pub(crate) fn digest_of_wanted(object: &Value) -> u64 {
    let mut body = object.as_object().cloned().unwrap_or_default();
    body.retain(|name, _| !matches!(name.as_str(), "apiVersion" | "kind"));
    if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
        metadata.retain(|name, _| {
            matches!(
                name.as_str(),
                "labels" | "annotations" | "ownerReferences" | "finalizers"
            )
        });
        if metadata.is_empty() {
            body.remove("metadata");
        }
    }
    digest(&Value::Object(body))
}

/// Returns the fields of a live object that our manager owns through apply, outside of subresources; null if there are
/// none.
#[must_use]
pub(crate) fn owned(object: &Value) -> Value {
    let entries = object.pointer("/metadata/managedFields");
    let ours = entries.and_then(Value::as_array).and_then(|entries| {
        entries.iter().find(|entry| {
            let says =
                |member: &str, text: &str| entry.get(member).and_then(Value::as_str) == Some(text);
            says("manager", FIELD_MANAGER)
                && says("operation", "Apply")
                && entry.get("subresource").is_none()
        })
    });
    let fields = ours.and_then(|entry| entry.get("fieldsV1")?.as_object());
    fields.map_or(Value::Null, |fields| select(object, fields))
}

/// Returns the part of `value` that a field set names; an empty set names all of it.
fn select(value: &Value, fields: &Map<String, Value>) -> Value {
    if fields.keys().all(|key| key == ".") && !fields.contains_key(".") {
        return value.clone();
    }
    match value {
        Value::Object(members) => Value::Object(
            fields
                .iter()
                .filter_map(|(key, inner)| {
                    let name = key.strip_prefix("f:")?;
                    let part = select(members.get(name)?, inner.as_object()?);
                    Some((name.to_owned(), part))
                })
                .collect(),
        ),
        Value::Array(elements) => Value::Array(
            elements
                .iter()
                .enumerate()
                .filter_map(|(index, element)| {
                    let inner = fields.iter().find(|(key, _)| names(key, index, element));
                    Some(select(element, inner?.1.as_object()?))
                })
                .collect(),
        ),
        // A scalar with a field set has changed its type.
        scalar => scalar.clone(),
    }
}

/// Whether a key of a field set names this element of a list: by its keys, by its value, or by its position.
fn names(key: &str, index: usize, element: &Value) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    match key.split_once(':') {
        Some(("k", keys)) => parsed(keys).is_some_and(|keys| {
            keys.as_object().is_some_and(|keys| {
                keys.iter()
                    .all(|(name, value)| element.get(name) == Some(value))
            })
        }),
        Some(("v", value)) => parsed(value).as_ref() == Some(element),
        Some(("i", position)) => position.parse() == Ok(index),
        _ => false,
    }
}

/// Returns a digest of the selector of a Service that several services share, which identifies the ports that it leads
/// to; `None` for any other object.
#[must_use]
pub(crate) fn digest_of_selector(object: &Value) -> Option<u64> {
    object.pointer("/spec/ports")?;
    object.pointer("/spec/selector").map(digest_of_selection)
}

/// Returns the same digest for the labels of a selector.
#[must_use]
pub(crate) fn digest_of_selection(labels: &Value) -> u64 {
    digest(labels)
}

/// Returns the same digest for the same content, in whatever order the members of objects are.
fn digest(value: &Value) -> u64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    feed(value, &mut hasher);
    hasher.finish()
}

fn feed(value: &Value, hasher: &mut impl Hasher) {
    match value {
        Value::Null => hasher.write_u8(0),
        Value::Bool(truth) => hasher.write_u8(1 + u8::from(*truth)),
        Value::Number(number) => {
            hasher.write_u8(3);
            feed_text(&number.to_string(), hasher);
        }
        Value::String(text) => {
            hasher.write_u8(4);
            feed_text(text, hasher);
        }
        Value::Array(elements) => {
            hasher.write_u8(5);
            hasher.write_usize(elements.len());
            for element in elements {
                feed(element, hasher);
            }
        }
        Value::Object(members) => {
            hasher.write_u8(6);
            hasher.write_usize(members.len());
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            for (name, member) in members {
                feed_text(name, hasher);
                feed(member, hasher);
            }
        }
    }
}

fn feed_text(text: &str, hasher: &mut impl Hasher) {
    hasher.write(text.as_bytes());
    hasher.write_u8(0xff);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns a live Deployment with fields from us, from the API server and from someone else.
    fn live() -> Value {
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "web",
                "labels": {"app": "web", "theirs": "yes"},
                "managedFields": [
                    {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {"f:theirs": {}}}}},
                    {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:app": {}}},
                        "f:spec": {
                            "f:replicas": {},
                            "f:selector": {},
                            "f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}}},
                            "f:finalizers": {"v:\"a/b\"": {}},
                        },
                    }},
                ],
            },
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "web"}},
                "containers": [
                    {"name": "injected", "image": "proxy"},
                    {"name": "web", "image": "nginx", "imagePullPolicy": "Always"},
                ],
                "finalizers": ["c/d", "a/b"],
                "paused": false,
            },
            "status": {"replicas": 2},
        })
    }

    fn wanted() -> Value {
        json!({
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {"namespace": "shop", "name": "web", "labels": {"app": "web"}},
            "spec": {
                "finalizers": ["a/b"],
                "containers": [{"image": "nginx", "name": "web"}],
                "selector": {"matchLabels": {"app": "web"}},
                "replicas": 2,
            },
        })
    }

    #[test]
    fn what_we_own_of_a_live_object_is_what_was_applied() {
        assert_eq!(digest_of_live(&live()), digest_of_wanted(&wanted()));
    }

    #[test]
    fn an_edit_shows() {
        let applied = digest_of_wanted(&wanted());
        let edits: [fn(&mut Value); 5] = [
            |object| object["spec"]["replicas"] = json!(3),
            |object| object["spec"]["containers"][1]["image"] = json!("evil"),
            |object| object["spec"]["selector"]["matchLabels"]["more"] = json!("x"),
            |object| object["metadata"]["labels"]["app"] = json!("other"),
            // Another manager has taken ownership of the field.
            |object| {
                let ours = &mut object["metadata"]["managedFields"][1]["fieldsV1"]["f:spec"];
                ours.as_object_mut()
                    .expect("it is a set")
                    .remove("f:replicas");
            },
        ];
        for (index, edit) in edits.iter().enumerate() {
            let mut object = live();
            edit(&mut object);
            assert_ne!(digest_of_live(&object), applied, "edit {index}");
        }
    }

    #[test]
    fn what_others_own_does_not_matter() {
        let mut object = live();
        object["spec"]["paused"] = json!(true);
        object["metadata"]["labels"]["theirs"] = json!("no");
        object["status"] = json!({});
        assert_eq!(digest_of_live(&object), digest_of_wanted(&wanted()));
    }

    #[test]
    fn an_object_that_we_never_applied_is_not_ours() {
        let stranger = json!({"metadata": {"name": "web"}, "spec": {}});
        assert_ne!(digest_of_live(&stranger), digest_of_wanted(&wanted()));
        assert_eq!(digest_of_live(&stranger), digest(&Value::Null));
    }
}
