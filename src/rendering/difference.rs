//! What would change if a service were rendered again.

use std::collections::BTreeMap;

use serde_json::Value;

use super::counts::{is_kept, kind, name, strip_counts};

/// Returns the objects and fields that differ between two renderings, such as
/// `Deployment web: spec.template.spec.priority`, sorted. It ignores counts and the label of the service revision on
/// pods, which follows from the rest.
#[must_use]
pub fn differences(before: &[Value], after: &[Value]) -> Vec<String> {
    let (before, after) = (by_name(before), by_name(after));
    let mut found = Vec::new();
    for (key, old) in &before {
        match after.get(key) {
            Some(new) => {
                let mut fields = Vec::new();
                compare("", old, new, &mut fields);
                found.extend(fields.into_iter().map(|field| format!("{key}: {field}")));
            }
            None => found.push(format!("{key}: removed")),
        }
    }
    let added = after.keys().filter(|key| !before.contains_key(*key));
    found.extend(added.map(|key| format!("{key}: added")));
    found.sort_unstable();
    found
}

fn by_name(objects: &[Value]) -> BTreeMap<String, Value> {
    let kept = objects.iter().filter(|object| is_kept(object));
    kept.map(|object| {
        let mut stripped = object.clone();
        strip_counts(&mut stripped);
        if let Some(Value::Object(labels)) = stripped.pointer_mut("/spec/template/metadata/labels")
        {
            labels.remove(crate::settings::SERVICE_REVISION);
        }
        (format!("{} {}", kind(object), name(object)), stripped)
    })
    .collect()
}

/// Adds the paths of the fields that differ.
pub(super) fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    if old == new {
        return;
    }
    let below = |member: &str| match path {
        "" => member.to_owned(),
        path => format!("{path}.{member}"),
    };
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|member| !old.contains_key(*member));
            for member in old.keys().chain(added) {
                let value = |of: &serde_json::Map<String, Value>| {
                    of.get(member).cloned().unwrap_or_default()
                };
                compare(&below(member), &value(old), &value(new), found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}[{index}]"), old, new, found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(policy: &str, replicas: u32) -> Value {
        json!({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {
            "replicas": replicas,
            "template": {"spec": {"containers": [{"name": "web", "imagePullPolicy": policy}]}},
        }})
    }

    #[test]
    fn differences_name_objects_and_fields() {
        let service = json!({"kind": "Service", "metadata": {"name": "web"}});
        let budget = json!({"kind": "PodDisruptionBudget", "metadata": {"name": "web"}});
        let before = [deployment("Always", 2), service];
        let after = [
            deployment("IfNotPresent", 3),
            json!({"kind": "Ingress", "metadata": {"name": "web"}}),
            budget,
        ];
        assert_eq!(
            differences(&before, &after),
            [
                "Deployment web: spec.template.spec.containers[0].imagePullPolicy",
                "Ingress web: added",
                "Service web: removed",
            ]
        );
        assert_eq!(differences(&after, &after), [""; 0]);
    }
}
