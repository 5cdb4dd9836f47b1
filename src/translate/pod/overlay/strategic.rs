//! Strategic merge of JSON: how `kubectl patch` changes objects, without its directives
//! (<https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/>).

use serde_json::{Map, Value};

/// The lists of a pod whose elements are merged, and the members that identify an element. All other lists are replaced.
const KEYS: &[(&str, &[&str])] = &[
    ("claims", &["name"]),
    ("containers", &["name"]),
    ("env", &["name"]),
    ("hostAliases", &["ip"]),
    ("imagePullSecrets", &["name"]),
    ("initContainers", &["name"]),
    ("ports", &["containerPort", "protocol"]),
    ("readinessGates", &["conditionType"]),
    ("resourceClaims", &["name"]),
    (
        "topologySpreadConstraints",
        &["topologyKey", "whenUnsatisfiable"],
    ),
    ("volumeDevices", &["devicePath"]),
    ("volumeMounts", &["mountPath"]),
    ("volumes", &["name"]),
];

/// Merges a patch into an object: members of objects one by one, elements of certain lists by their keys. `null` removes
/// a member, and everything else replaces what is there.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let (Value::Object(members), Value::Object(changes)) = (&mut *target, patch) else {
        *target = fresh(patch);
        return;
    };
    for (name, change) in changes {
        merge_member(members, name, change);
    }
}

fn merge_member(members: &mut Map<String, Value>, name: &str, change: &Value) {
    if change.is_null() {
        members.shift_remove(name);
        return;
    }
    match (keys_of(name), change) {
        (Some(keys), Value::Array(elements)) => {
            let list = members.entry(name).or_insert(Value::Null);
            let mut merged = match list.take() {
                Value::Array(list) => list,
                _ => Vec::new(),
            };
            merge_list(&mut merged, elements, keys);
            *list = Value::Array(merged);
        }
        _ => merge(members.entry(name).or_insert(Value::Null), change),
    }
}

fn merge_list(list: &mut Vec<Value>, changes: &[Value], keys: &[&str]) {
    for change in changes {
        let of_change = key_of(change, keys);
        let same = |element: &&mut Value| of_change.is_some() && key_of(element, keys) == of_change;
        match list.iter_mut().find(same) {
            Some(element) => merge(element, change),
            None => {
                let element = fresh(change);
                // An element without a key is none that could be merged, but it is not added twice.
                if of_change.is_some() || !list.contains(&element) {
                    list.push(element);
                }
            }
        }
    }
}

/// Returns what a patch makes where there is nothing yet.
fn fresh(patch: &Value) -> Value {
    match patch {
        Value::Object(changes) => {
            let mut members = Map::new();
            for (name, change) in changes {
                merge_member(&mut members, name, change);
            }
            Value::Object(members)
        }
        Value::Array(elements) => elements.iter().map(fresh).collect(),
        other => other.clone(),
    }
}

/// Returns the members that identify the elements of a list.
pub(crate) fn keys_of(list: &str) -> Option<&'static [&'static str]> {
    let found = KEYS.iter().find(|(name, _)| *name == list);
    found.map(|(_, keys)| *keys)
}

/// Returns what identifies an element, if it has all of it.
pub(super) fn key_of(element: &Value, keys: &[&str]) -> Option<Vec<Value>> {
    let members = element.as_object()?;
    keys.iter()
        .map(|key| match members.get(*key) {
            Some(Value::Null) | None if *key == "protocol" => Some(Value::from("TCP")),
            Some(Value::Null) | None => None,
            Some(value) => Some(value.clone()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use serde_json::json;

    use super::*;

    fn merged(mut target: Value, patch: Value) -> Value {
        merge(&mut target, &patch);
        target
    }

    #[test]
    fn members_are_merged_replaced_and_removed() {
        for (target, patch, expected) in [
            (json!({"a": 1}), json!({"b": 2}), json!({"a": 1, "b": 2})),
            (json!({"a": 1}), json!({"a": "x"}), json!({"a": "x"})),
            (
                json!({"a": 1, "b": 2, "c": 3}),
                json!({"a": null}),
                json!({"b": 2, "c": 3}),
            ),
            (
                json!({"a": {"b": 1}}),
                json!({"a": {"c": 2}}),
                json!({"a": {"b": 1, "c": 2}}),
            ),
            (
                json!({"a": {"b": 1}}),
                json!({"a": {"b": null}}),
                json!({"a": {}}),
            ),
            (
                json!({}),
                json!({"a": {"b": null, "c": {}}}),
                json!({"a": {"c": {}}}),
            ),
            (
                json!({"a": "x"}),
                json!({"a": {"b": 1}}),
                json!({"a": {"b": 1}}),
            ),
            (
                json!({"args": ["x", "y"]}),
                json!({"args": ["z"]}),
                json!({"args": ["z"]}),
            ),
            (
                json!({"args": ["x"]}),
                json!({"args": []}),
                json!({"args": []}),
            ),
            (
                json!({"tolerations": [{"key": "a"}]}),
                json!({"tolerations": [{"key": "b", "value": null}]}),
                json!({"tolerations": [{"key": "b"}]}),
            ),
        ] {
            assert_eq!(merged(target, patch.clone()), expected, "{patch}");
        }
    }

    #[test]
    fn what_stays_keeps_its_order() {
        let target = json!({"a": 1, "b": 2, "c": 3, "d": 4});
        let text = merged(target, json!({"a": null, "c": 5})).to_string();
        assert_eq!(text, r#"{"b":2,"c":5,"d":4}"#);
    }

    #[test]
    fn elements_are_found_by_their_keys() {
        for (list, target, patch, expected) in [
            (
                "containers",
                json!([{"name": "a", "tty": true}, {"name": "b"}]),
                json!([{"name": "b", "tty": true}, {"name": "a", "stdin": true}]),
                json!([{"name": "a", "tty": true, "stdin": true}, {"name": "b", "tty": true}]),
            ),
            (
                "env",
                json!([{"name": "A", "value": "1"}]),
                json!([{"name": "B", "value": "2"}, {"name": "A", "value": null, "valueFrom": {}}]),
                json!([{"name": "A", "valueFrom": {}}, {"name": "B", "value": "2"}]),
            ),
            (
                "ports",
                json!([{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53}]),
                json!([{"containerPort": 53, "protocol": "TCP", "name": "t"}, {"containerPort": 53, "protocol": "UDP", "name": "u"}]),
                json!([{"containerPort": 53, "protocol": "UDP", "name": "u"}, {"containerPort": 53, "protocol": "TCP", "name": "t"}]),
            ),
            (
                "volumeMounts",
                json!([{"mountPath": "/a", "name": "x"}]),
                json!([{"mountPath": "/b", "name": "x"}, {"mountPath": "/a", "readOnly": true}]),
                json!([{"mountPath": "/a", "name": "x", "readOnly": true}, {"mountPath": "/b", "name": "x"}]),
            ),
            (
                "hostAliases",
                json!([{"ip": "10.0.0.1", "hostnames": ["a"]}]),
                json!([{"ip": "10.0.0.1", "hostnames": ["b"]}]),
                json!([{"ip": "10.0.0.1", "hostnames": ["b"]}]),
            ),
            (
                "topologySpreadConstraints",
                json!([{"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 1}]),
                json!([{"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 2}]),
                json!([
                    {"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 1},
                    {"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 2},
                ]),
            ),
        ] {
            let found = merged(json!({list: target}), json!({list: patch}));
            assert_eq!(found, json!({list: expected}), "{list}");
        }
    }

    /// Pods and patches of few names, so that they meet.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3_i64).prop_map(Value::from),
            prop::sample::select(vec!["a", "b", "TCP", "UDP"]).prop_map(Value::from),
        ];
        let name = prop::sample::select(vec![
            "spec",
            "containers",
            "env",
            "ports",
            "volumeMounts",
            "name",
            "mountPath",
            "containerPort",
            "protocol",
            "args",
            "resources",
        ]);
        leaf.prop_recursive(5, 48, 5, move |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                vec((name.clone(), inner), 0..5).prop_map(|members| members
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect()),
            ]
        })
    }

    fn object() -> impl Strategy<Value = Value> {
        value().prop_filter("an object", Value::is_object)
    }

    fn has_null_member(value: &Value) -> bool {
        match value {
            Value::Object(members) => members
                .values()
                .any(|it| it.is_null() || has_null_member(it)),
            Value::Array(elements) => elements.iter().any(has_null_member),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn an_empty_patch_changes_nothing(target in object()) {
            prop_assert_eq!(merged(target.clone(), json!({})), target);
        }

        #[test]
        fn twice_is_once(target in object(), patch in object()) {
            let once = merged(target, patch.clone());
            prop_assert_eq!(merged(once.clone(), patch), once);
        }

        #[test]
        fn a_patch_leaves_no_null(patch in object()) {
            let found = merged(json!({}), patch);
            prop_assert!(!has_null_member(&found));
        }

        #[test]
        fn other_containers_stay_equal(a in object(), b in object(), patch in object()) {
            let named = |mut it: Value, name: &str| {
                it["name"] = json!(name);
                it
            };
            let target = json!({"containers": [named(a.clone(), "x"), named(b.clone(), "y")]});
            let patch = json!({"containers": [named(patch, "y")]});
            let found = merged(target, patch);
            prop_assert_eq!(&found["containers"][0], &named(a, "x"));
            prop_assert_eq!(found["containers"].as_array().map(Vec::len), Some(2));
        }
    }
}
