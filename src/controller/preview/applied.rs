//! What an apply of a manifest makes of a live object of ours, as `kubectl apply` and server-side apply do.

use serde_json::{Map, Value};

/// Where `kubectl apply` keeps what it has applied.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Returns the object after an apply. Members that no earlier apply has set stay, such as a count that an autoscaler
/// chose; those that one has set and the manifest lacks are removed.
pub(super) fn applied(live: &Value, manifest: &Value) -> Value {
    let given = given(live);
    let mut after = live.clone();
    for path in [
        &["spec"][..],
        &["metadata", "labels"],
        &["metadata", "annotations"],
    ] {
        let (live, new) = (at(live, path), at(manifest, path));
        let merged = merge(live, new, at(&given, path));
        put(&mut after, path, merged);
    }
    after
}

fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

fn put(object: &mut Value, path: &[&str], value: Option<Value>) {
    let Some((last, before)) = path.split_last() else {
        return;
    };
    let mut place = object;
    for name in before {
        place = match place {
            Value::Object(members) => members
                .entry(*name)
                .or_insert_with(|| Value::Object(Map::new())),
            _ => return,
        };
    }
    if let Value::Object(members) = place {
        match value {
            Some(value) => members.insert((*last).to_owned(), value),
            None => members.remove(*last),
        };
    }
}

/// Returns what earlier applies have set, as a tree of members.
fn given(live: &Value) -> Value {
    let annotations = live.pointer("/metadata/annotations");
    let text = annotations.and_then(|it| it.get(LAST_APPLIED)?.as_str());
    let mut given = text
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| Value::Object(Map::new()));
    let managers = live.pointer("/metadata/managedFields");
    for entry in managers.and_then(Value::as_array).into_iter().flatten() {
        let is_apply = entry.get("operation").and_then(Value::as_str) == Some("Apply");
        if let Some(fields) = entry.get("fieldsV1").filter(|_| is_apply) {
            add(&mut given, fields);
        }
    }
    given
}

/// Adds the members that a field set names.
fn add(given: &mut Value, fields: &Value) {
    let (Value::Object(given), Value::Object(fields)) = (given, fields) else {
        return;
    };
    for (key, inner) in fields {
        if let Some(name) = key.strip_prefix("f:") {
            let member = given
                .entry(name)
                .or_insert_with(|| Value::Object(Map::new()));
            add(member, inner);
        }
    }
}

fn merge(live: Option<&Value>, new: Option<&Value>, given: Option<&Value>) -> Option<Value> {
    let (live, new) = match (live, new) {
        (Some(Value::Object(live)), Some(Value::Object(new))) => (live, new),
        (Some(live), None) if given.is_none() => return Some(live.clone()),
        // What an apply has set below a member that others have set too.
        (Some(Value::Object(live)), None) => (live, &Map::new()),
        (_, new) => return new.filter(|new| !new.is_null()).map(without_nulls),
    };
    let mut merged = Map::new();
    for (name, value) in live {
        let value = match (new.get(name), given.and_then(|given| given.get(name))) {
            (None, Some(given)) if is_leaf(given) => None,
            (new, given) => merge(Some(value), new, given),
        };
        if let Some(value) = value {
            merged.insert(name.clone(), value);
        }
    }
    for (name, value) in new.iter().filter(|(name, _)| !live.contains_key(*name)) {
        if !value.is_null() {
            merged.insert(name.clone(), without_nulls(value));
        }
    }
    Some(Value::Object(merged)).filter(|merged| *merged != Value::Object(Map::new()))
}

fn is_leaf(given: &Value) -> bool {
    given.as_object().is_none_or(Map::is_empty)
}

/// The API server stores no nulls of an object that is created.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members = members.map(|(name, value)| (name.clone(), without_nulls(value)));
            Value::Object(members.collect())
        }
        Value::Array(elements) => Value::Array(elements.iter().map(without_nulls).collect()),
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(live: &Value, spec: &Value) -> Value {
        applied(live, &json!({"spec": spec}))["spec"].clone()
    }

    #[test]
    fn what_nobody_has_applied_stays() {
        let live = json!({"metadata": {}, "spec": {"taskDefinition": "web", "desiredCount": 4}});
        assert_eq!(
            after(&live, &json!({"taskDefinition": "api"})),
            json!({"taskDefinition": "api", "desiredCount": 4})
        );
    }

    #[test]
    fn what_an_apply_has_set_goes_with_the_manifest() {
        let spec = json!({"taskDefinition": "web", "desiredCount": 4, "tags": [1]});
        let last = json!({"spec": {"taskDefinition": "web", "desiredCount": 2}}).to_string();
        let by_kubectl = json!({"metadata": {"annotations": {LAST_APPLIED: last}}, "spec": spec});
        let fields = json!({"f:spec": {"f:taskDefinition": {}, "f:desiredCount": {}}});
        let entry = |operation: &str| json!({"operation": operation, "fieldsV1": fields});
        let on_server = json!({"metadata": {"managedFields": [entry("Apply")]}, "spec": spec});
        let edited = json!({"metadata": {"managedFields": [entry("Update")]}, "spec": spec});
        let new = json!({"taskDefinition": "web"});
        let without = json!({"taskDefinition": "web", "tags": [1]});
        assert_eq!(after(&by_kubectl, &new), without);
        assert_eq!(after(&on_server, &new), without);
        assert_eq!(after(&edited, &new), spec);
    }

    #[test]
    fn members_are_merged_and_lists_are_replaced() {
        let live = json!({"metadata": {}, "spec": {"kubernetes": {"a": 1, "b": [1, 2]}}});
        assert_eq!(
            after(&live, &json!({"kubernetes": {"b": [3], "c": null}})),
            json!({"kubernetes": {"a": 1, "b": [3]}})
        );
    }

    #[test]
    fn an_annotation_of_somebody_else_stays() {
        let live = json!({"metadata": {"annotations": {"a": "b"}}, "spec": {}});
        let manifest = json!({"metadata": {"annotations": {"c": "d"}}, "spec": {}});
        let after = applied(&live, &manifest);
        assert_eq!(
            after["metadata"]["annotations"],
            json!({"a": "b", "c": "d"})
        );
    }
}
