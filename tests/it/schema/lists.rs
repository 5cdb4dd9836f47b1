//! Lists that are maps or sets for the API server, and values that no person would write.

use std::collections::BTreeSet;

use serde_json::Value;

/// Reports lists with two items of the same key, as server-side apply would, and empty values.
pub fn check(schema: &Value, object: &Value, report: &mut dyn FnMut(String)) {
    walk(schema, schema, object, "", report);
    empty(object, "", report);
}

fn walk(root: &Value, schema: &Value, value: &Value, path: &str, report: &mut dyn FnMut(String)) {
    let schema = resolve(root, schema);
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let inner = match &schema["properties"][name] {
                    Value::Null => &schema["additionalProperties"],
                    inner => inner,
                };
                walk(root, inner, member, &format!("{path}.{name}"), report);
            }
        }
        Value::Array(items) => {
            let mut seen = BTreeSet::new();
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                if let Some(key) = key(schema, item)
                    && !seen.insert(key.clone())
                {
                    report(format!("{path}: {key} is there twice"));
                }
                walk(root, &schema["items"], item, &path, report);
            }
        }
        _ => {}
    }
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    schema["$ref"]
        .as_str()
        .and_then(|target| root.pointer(target.trim_start_matches('#')))
        .unwrap_or(schema)
}

/// Returns the unique key of an item in the list that `schema` describes.
fn key(schema: &Value, item: &Value) -> Option<String> {
    match schema["x-kubernetes-list-type"].as_str()? {
        "set" => Some(item.to_string()),
        "map" => {
            let names = schema["x-kubernetes-list-map-keys"].as_array()?;
            let values = names.iter().filter_map(Value::as_str).map(|name| {
                let value = match (name, &item[name]) {
                    ("protocol", Value::Null) => "\"TCP\"".to_owned(),
                    (_, value) => value.to_string(),
                };
                format!("{name}={value}")
            });
            Some(values.collect::<Vec<_>>().join(" "))
        }
        _ => None,
    }
}

/// Members for which an empty object has a meaning.
const MEANINGFUL: &[&str] = &[
    "emptyDir",
    "podSelector",
    "namespaceSelector",
    "labelSelector",
];

fn empty(value: &Value, path: &str, report: &mut dyn FnMut(String)) {
    match value {
        Value::Null => report(format!("{path} is null")),
        Value::Array(items) if items.is_empty() => {
            // An empty list excludes no exit code: a container restarts whatever its code.
            if !path.ends_with(".exitCodes.values") {
                report(format!("{path} is an empty list"));
            }
        }
        Value::Object(members) if members.is_empty() => {
            let name = path.rsplit('.').next().unwrap_or_default();
            if !MEANINGFUL.contains(&name) {
                report(format!("{path} is an empty object"));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                empty(item, &format!("{path}[{index}]"), report);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                empty(member, &format!("{path}.{name}"), report);
            }
        }
        _ => {}
    }
}
