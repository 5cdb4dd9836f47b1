//! Changes to objects as the API server makes them: merge patches, strategic merge patches, server-side apply.

use serde_json::{Map, Value, json};

use crate::controller::caches::owned_fields::FIELD_MANAGER;

/// Applies a merge patch (<https://www.rfc-editor.org/rfc/rfc7386>).
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        target.clone_from(patch);
        return;
    };
    let target = members_of(target);
    for (name, value) in members {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// Returns the members of a value, which is first replaced with an object if it is not one.
fn members_of(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was made one")
}

/// Applies a strategic merge patch, as far as the operator sends any: lists whose elements have a key are merged by it.
pub(super) fn strategic(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        target.clone_from(patch);
        return;
    };
    let target = members_of(target);
    for (name, value) in members {
        let key = match name.as_str() {
            "ownerReferences" => Some("uid"),
            "schedulingGates" => Some("name"),
            _ => None,
        };
        match (key, value) {
            (_, Value::Null) => {
                target.remove(name);
            }
            (Some(key), Value::Array(elements)) => {
                let known = target.entry(name.as_str()).or_insert_with(|| json!([]));
                by_key(known, elements, key);
                if known.as_array().is_some_and(Vec::is_empty) {
                    target.remove(name);
                }
            }
            _ => strategic(target.entry(name.as_str()).or_insert(Value::Null), value),
        }
    }
}

fn by_key(known: &mut Value, elements: &[Value], key: &str) {
    let Value::Array(known) = known else {
        return;
    };
    for element in elements {
        let position = known.iter().position(|it| it.get(key) == element.get(key));
        let goes = element.get("$patch").is_some_and(|it| it == "delete");
        match position {
            Some(position) if goes => drop(known.remove(position)),
            Some(position) => known[position].clone_from(element),
            None if goes => {}
            None => known.push(element.clone()),
        }
    }
}

/// The members of metadata that an apply can own.
const OF_METADATA: &[&str] = &["annotations", "finalizers", "labels", "ownerReferences"];

/// Applies an object server-side for the only manager that applies
/// (<https://kubernetes.io/docs/reference/using-api/server-side-apply/>): fields that it applied before and no longer
/// does are removed. All lists except owner references are atomic.
pub(super) fn apply(live: &mut Value, body: &Value) {
    let mut body = body.clone();
    let members = members_of(&mut body);
    members.remove("status");
    if let Some(Value::Object(metadata)) = members.get_mut("metadata") {
        metadata.retain(|name, _| OF_METADATA.contains(&name.as_str()));
    }
    let mut owned = body.clone();
    members_of(&mut owned).retain(|name, _| !matches!(name.as_str(), "apiVersion" | "kind"));
    let fields = fields(&owned);
    if let Some(before) = owned_before(live) {
        remove(live, &before, &fields);
    }
    overlay(live, &body);
    live["metadata"]["managedFields"] = json!([{
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }]);
}

fn owned_before(live: &Value) -> Option<Map<String, Value>> {
    let fields = live.pointer("/metadata/managedFields/0/fieldsV1")?;
    fields.as_object().cloned()
}

/// Returns the field set of a value, as in `managedFields`.
fn fields(value: &Value) -> Map<String, Value> {
    let mut set = Map::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let inner = match value {
            Value::Array(owners) if name == "ownerReferences" => {
                let owners = owners.iter().map(|owner| {
                    let mut inner = fields(owner);
                    inner.insert(".".to_owned(), json!({}));
                    (key_of(owner), Value::Object(inner))
                });
                owners.collect()
            }
            value => fields(value),
        };
        set.insert(format!("f:{name}"), Value::Object(inner));
    }
    set
}

fn key_of(owner: &Value) -> String {
    format!("k:{}", json!({"uid": owner["uid"]}))
}

/// Removes the fields that are in `before` and not in `after`.
fn remove(live: &mut Value, before: &Map<String, Value>, after: &Map<String, Value>) {
    if let Value::Array(owners) = live {
        owners.retain(|owner| {
            let key = key_of(owner);
            !before.contains_key(&key) || after.contains_key(&key)
        });
        return;
    }
    let Value::Object(live) = live else {
        return;
    };
    let none = Map::new();
    for (key, inner) in before {
        let (Some(name), Some(inner)) = (key.strip_prefix("f:"), inner.as_object()) else {
            continue;
        };
        let Some(member) = live.get_mut(name) else {
            continue;
        };
        let kept = after.get(key).and_then(Value::as_object);
        if !inner.is_empty() {
            remove(member, inner, kept.unwrap_or(&none));
        }
        let is_empty = match &*member {
            Value::Object(members) => members.is_empty(),
            Value::Array(elements) => elements.is_empty(),
            _ => false,
        };
        if kept.is_none() && (inner.is_empty() || is_empty) {
            live.remove(name);
        }
    }
}

fn overlay(live: &mut Value, body: &Value) {
    let Value::Object(members) = body else {
        live.clone_from(body);
        return;
    };
    let live = members_of(live);
    for (name, value) in members {
        let known = live.entry(name.as_str()).or_insert(Value::Null);
        match (name.as_str(), value) {
            ("ownerReferences", Value::Array(owners)) if known.is_array() => {
                by_key(known, owners, "uid");
            }
            _ => overlay(known, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::caches::owned_fields::{digest_of_live, digest_of_wanted};

    fn wanted() -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "web",
                "labels": {"app": "web"},
                "ownerReferences": [{"kind": "EcsService", "name": "web", "uid": "1"}],
            },
            "data": {"a": "1", "b": [1, 2], "c": {}},
        })
    }

    #[test]
    fn what_is_applied_is_what_the_caches_take_it_for() {
        let mut live = json!({"metadata": {"name": "web", "labels": {"theirs": "x"}}, "data": {}});
        apply(&mut live, &wanted());
        assert_eq!(digest_of_live(&live), digest_of_wanted(&wanted()));
        assert_eq!(
            live["metadata"]["labels"],
            json!({"theirs": "x", "app": "web"})
        );
        let before = live.clone();
        apply(&mut live, &wanted());
        assert_eq!(live, before, "it is the same");
    }

    #[test]
    fn what_is_applied_no_more_goes_and_what_others_set_stays() {
        let mut live = json!({"metadata": {"name": "web"}, "data": {"theirs": 1}});
        apply(&mut live, &wanted());
        let mut less = wanted();
        less["data"] = json!({"a": "2"});
        less["metadata"] = json!({"name": "web", "ownerReferences": [{"uid": "2"}]});
        apply(&mut live, &less);
        assert_eq!(live["data"], json!({"theirs": 1, "a": "2"}));
        assert_eq!(live["metadata"]["labels"], Value::Null);
        assert_eq!(live["metadata"]["ownerReferences"], json!([{"uid": "2"}]));
        assert_eq!(digest_of_live(&live), digest_of_wanted(&less));
    }

    #[test]
    fn a_strategic_patch_takes_one_gate_away() {
        let mut pod = json!({"spec": {"schedulingGates": [{"name": "a"}, {"name": "b"}]}});
        let patch =
            |name: &str| json!({"spec": {"schedulingGates": [{"name": name, "$patch": "delete"}]}});
        strategic(&mut pod, &patch("a"));
        assert_eq!(pod["spec"]["schedulingGates"], json!([{"name": "b"}]));
        strategic(&mut pod, &patch("c"));
        strategic(&mut pod, &patch("b"));
        assert_eq!(pod, json!({"spec": {}}));
    }

    #[test]
    fn a_merge_patch_merges() {
        let mut target = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(
            &mut target,
            &json!({"a": {"b": null, "e": {"f": null}}, "d": [2]}),
        );
        assert_eq!(target, json!({"a": {"c": 2, "e": {}}, "d": [2]}));
    }
}
