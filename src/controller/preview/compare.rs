//! What an apply by the operator changes in a live object.

use serde_json::{Map, Value};

use crate::controller::caches::owned_fields::owned;

/// The members that identify an element of a list.
const IDENTITIES: &[&str] = &[
    "name",
    "mountPath",
    "devicePath",
    "containerPort",
    "port",
    "key",
    "ip",
    "type",
    "host",
    "path",
    "topologyKey",
];

/// The part of an object that the operator decides, before and after an apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) before: Value,
    pub(super) after: Value,
}

/// Returns what applying `body` changes in a live object; `None` if that is nothing. `usual` is what an operator would
/// apply in any case: if that is the same, only an edit by someone else makes a difference, and not the form in which the
/// API server stores a value.
pub(super) fn compare(live: &Value, body: &Value, usual: Option<&Value>) -> Option<Parts> {
    let after = content(body);
    let ours = owned(live);
    if usual.map(content).as_ref() == Some(&after) && covers_object(&ours, &after) {
        return None;
    }
    let before = content(&pick(live, Some(body), Some(&ours)));
    let parts = Parts { before, after };
    (parts.before != parts.after).then_some(parts)
}

/// Returns an object without what a person does not write: its status, owners and identity. The values of Secrets are
/// hidden.
pub(super) fn content(object: &Value) -> Value {
    let mut content = object.clone();
    if let Value::Object(members) = &mut content {
        members.remove("status");
        let is_secret = members.get("kind").and_then(Value::as_str) == Some("Secret");
        for (_, data) in members
            .iter_mut()
            .filter(|(name, _)| is_secret && matches!(name.as_str(), "data" | "stringData"))
        {
            for (_, value) in data.as_object_mut().into_iter().flatten() {
                *value = Value::from("(hidden)");
            }
        }
        if let Some(Value::Object(metadata)) = members.get_mut("metadata") {
            metadata.retain(|name, _| {
                matches!(
                    name.as_str(),
                    "name" | "namespace" | "labels" | "annotations"
                )
            });
        }
    }
    content.sort_all_objects();
    content
}

/// Returns the part of a live value that has a counterpart in what is applied, or that was applied before.
fn pick(live: &Value, wanted: Option<&Value>, ours: Option<&Value>) -> Value {
    match live {
        Value::Object(members) => {
            let picked = members.iter().filter_map(|(name, value)| {
                let wanted = wanted.and_then(|wanted| wanted.get(name));
                let ours = ours.and_then(|ours| ours.get(name));
                let is_it = wanted.is_some() || ours.is_some();
                is_it.then(|| (name.clone(), pick(value, wanted, ours)))
            });
            Value::Object(picked.collect())
        }
        Value::Array(elements) => {
            let lists = [wanted, ours].map(|it| it.and_then(Value::as_array));
            let picked = elements.iter().enumerate().filter_map(|(index, element)| {
                let [wanted, ours] = lists.map(|list| counterpart(list?, index, element));
                let is_it = wanted.is_some() || ours.is_some();
                is_it.then(|| pick(element, wanted, ours))
            });
            Value::Array(picked.collect())
        }
        scalar => scalar.clone(),
    }
}

/// Returns the element of a list that stands for the same thing as `element` of another one.
fn counterpart<'v>(list: &'v [Value], index: usize, element: &Value) -> Option<&'v Value> {
    let Value::Object(members) = element else {
        return list
            .iter()
            .find(|other| *other == element)
            .or_else(|| list.get(index));
    };
    let is_named = |name: &&&str| members.contains_key(**name);
    match IDENTITIES.iter().find(is_named) {
        Some(name) => {
            let same = |other: &&Value| other.get(name) == members.get(*name);
            list.iter().find(same)
        }
        None => list.get(index),
    }
}

/// Whether the operator owns every member of an object, except for its identity, which nobody owns.
fn covers_object(ours: &Value, object: &Value) -> bool {
    let mut rest = object.clone();
    if let Value::Object(members) = &mut rest {
        members.remove("apiVersion");
        members.remove("kind");
        if let Some(Value::Object(metadata)) = members.get_mut("metadata") {
            metadata.remove("name");
            metadata.remove("namespace");
        }
    }
    covers(ours, &rest)
}

fn covers(ours: &Value, value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().all(|(name, value)| {
            let is_empty = value.as_object().is_some_and(Map::is_empty);
            is_empty || ours.get(name).is_some_and(|ours| covers(ours, value))
        }),
        Value::Array(elements) => {
            let list = ours.as_array().map_or(&[][..], Vec::as_slice);
            elements.iter().enumerate().all(|(index, element)| {
                counterpart(list, index, element).is_some_and(|ours| covers(ours, element))
            })
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(replicas: u32, image: &str, manager: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "web", "namespace": "shop", "uid": "1", "labels": {"a": "b"},
                "managedFields": [
                    {"manager": "ecs-operator", "operation": "Apply", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:a": {}}},
                        "f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
                            ".": {}, "f:name": {}, "f:image": {},
                        }}}}},
                    }},
                    {"manager": manager, "operation": "Apply", "fieldsV1": {
                        "f:spec": {"f:replicas": {}},
                    }},
                ],
            },
            "spec": {"replicas": replicas, "revisionHistoryLimit": 10, "template": {"spec": {
                "containers": [{"name": "web", "image": image, "terminationMessagePath": "/dev/termination-log"}],
            }}},
            "status": {"replicas": 1},
        })
    }

    fn body(replicas: u32, image: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "labels": {"a": "b"}},
            "spec": {"replicas": replicas, "template": {"spec": {
                "containers": [{"name": "web", "image": image}],
            }}},
        })
    }

    #[test]
    fn only_what_the_operator_writes_is_compared() {
        let live = live(2, "web:1", "someone");
        assert_eq!(compare(&live, &body(2, "web:1"), None), None);
        let parts = compare(&live, &body(2, "web:2"), None).expect("the image differs");
        let image = "/spec/template/spec/containers/0/image";
        assert_eq!(parts.before.pointer(image), Some(&json!("web:1")));
        assert_eq!(parts.after.pointer(image), Some(&json!("web:2")));
        let containers = "/spec/template/spec/containers/0";
        let before = parts.before.pointer(containers).and_then(Value::as_object);
        assert!(before.is_some_and(|it| it.len() == 2), "{:?}", parts.before);
    }

    #[test]
    fn an_edit_by_someone_else_is_a_difference_even_if_nothing_else_is() {
        let live = live(5, "web:1", "someone");
        let usual = body(2, "web:1");
        let parts = compare(&live, &usual, Some(&usual)).expect("someone else has it");
        assert_eq!(parts.before["spec"]["replicas"], 5);
    }

    #[test]
    fn the_form_in_which_a_value_is_stored_is_none() {
        let mut live = live(2, "web:1", "ecs-operator-scale");
        live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:replicas"] = json!({});
        let usual = body(2, "docker.io/web:1");
        assert_eq!(compare(&live, &usual, Some(&usual)), None);
        assert!(compare(&live, &usual, None).is_some(), "unless it is new");
    }

    #[test]
    fn what_was_applied_and_is_applied_no_more_is_removed() {
        let mut body = body(2, "web:1");
        body["metadata"]["labels"] = json!({});
        let parts = compare(&live(2, "web:1", "someone"), &body, None).expect("a label goes");
        assert_eq!(parts.before["metadata"]["labels"], json!({"a": "b"}));
    }

    #[test]
    fn no_value_of_a_secret_is_shown() {
        let secret = json!({"kind": "Secret", "metadata": {"name": "a"}, "data": {"password": "aHVudGVyMg=="}});
        let shown = content(&secret).to_string();
        assert!(
            shown.contains("password") && !shown.contains("aHVudGVyMg"),
            "{shown}"
        );
    }
}
