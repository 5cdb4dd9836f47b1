//! The names that an older operator gave to the objects that pods read.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    counts::{kind, name},
    inputs::hexadecimal,
};
use crate::settings::{NO_NETWORK, SERVICE_REVISION};

/// The suffix in the name of the policy for pods without a network.
const OF_NO_NETWORK: &str = "-no-network";
/// How many hexadecimal digits end the name of an object that is named after its content.
const DIGITS: usize = 8;

/// Gives the objects that pods read the names that a workload of an older operator uses, which contain no digest of the
/// content.
pub fn take_older_names(objects: &mut [Value], workloads: &[&Value]) {
    let templates = workloads
        .iter()
        .filter_map(|it| it.pointer("/spec/template"));
    let templates: Vec<&Value> = templates.collect();
    let is_read = |name: &str| templates.iter().any(|template| has_text(template, name));
    for object in objects {
        if kind(object) == "NetworkPolicy" && !templates.is_empty() {
            select_as_before(object, &templates);
            continue;
        }
        if is_read(name(object)) {
            continue;
        }
        let Some(older) = older_name(object).filter(|older| is_read(older)) else {
            continue;
        };
        for path in ["/metadata/name", "/spec/target/name"] {
            if let Some(name) = object.pointer_mut(path) {
                *name = json!(older);
            }
        }
    }
}

/// Makes the policy for pods without a network select them as an older operator did, if they have no label for it.
fn select_as_before(policy: &mut Value, templates: &[&Value]) {
    let has_label = |it: &&Value| {
        let labels = it.pointer("/metadata/labels");
        labels.is_some_and(|labels| labels.get(NO_NETWORK).is_some())
    };
    let older = name(policy).strip_suffix(OF_NO_NETWORK).map(str::to_owned);
    let Some(older) = older.filter(|_| !templates.iter().any(has_label)) else {
        return;
    };
    if let Some(name) = policy.pointer_mut("/metadata/name") {
        *name = json!(older);
    }
    let labels = policy.pointer_mut("/spec/podSelector/matchLabels");
    if let Some(Value::Object(labels)) = labels {
        labels.remove(NO_NETWORK);
    }
}

/// Returns the name that an older operator gave to an object that is now named after its content: without a digest, or
/// for registry credentials with a digest of their location.
#[must_use]
pub fn older_name(object: &Value) -> Option<String> {
    let is_generated = object.pointer("/spec/dataFrom/0/sourceRef").is_some();
    if !matches!(kind(object), "ConfigMap" | "ExternalSecret") || is_generated {
        return None;
    }
    let (base, digest) = name(object).rsplit_once('-')?;
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if digest.len() != DIGITS || !digest.chars().all(is_digit) {
        return None;
    }
    let credentials = object.pointer("/spec/dataFrom/0/extract/key");
    Some(match credentials.and_then(Value::as_str) {
        Some(key) => format!("{base}-{}", hexadecimal(&Sha256::digest(key), DIGITS)),
        None => base.to_owned(),
    })
}

/// Replaces every string that equals `from`.
pub fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(own) if own == from => to.clone_into(own),
        Value::Array(elements) => elements.iter_mut().for_each(|it| rename(it, from, to)),
        Value::Object(members) => members.values_mut().for_each(|it| rename(it, from, to)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether two renderings have the same tasks, ignoring the content of the Secrets and ConfigMaps that they read, which
/// is not in the names that an older operator used.
#[must_use]
pub fn have_same_tasks(one: &[Value], other: &[Value]) -> bool {
    let templates = |objects: &[Value]| -> Vec<Value> {
        let names = objects
            .iter()
            .filter_map(|it| Some((name(it), older_name(it)?)));
        let names: Vec<_> = names.collect();
        let templates = objects.iter().filter_map(|it| it.pointer("/spec/template"));
        let mut templates: Vec<Value> = templates.cloned().collect();
        for template in &mut templates {
            for (name, older) in &names {
                rename(template, name, older);
            }
            if let Some(Value::Object(labels)) = template.pointer_mut("/metadata/labels") {
                labels.remove(SERVICE_REVISION);
            }
        }
        templates
    };
    templates(one) == templates(other)
}

/// Whether a value contains a text anywhere.
fn has_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own == text,
        Value::Array(elements) => elements.iter().any(|element| has_text(element, text)),
        Value::Object(members) => members.values().any(|member| has_text(member, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_workload_reads_has_the_name_that_it_knows() {
        let key = "registry/team";
        let pull = format!("web-pull-{}", hexadecimal(&Sha256::digest(key), DIGITS));
        let secret = |name: &str, more: (&str, Value)| {
            let mut spec = json!({"target": {"name": name}});
            spec[more.0] = more.1;
            json!({"kind": "ExternalSecret", "metadata": {"name": name}, "spec": spec})
        };
        let rendered = || {
            [
                secret("web-secrets-0a1b2c3d", ("data", json!([]))),
                secret(
                    "web-pull-0a1b2c3e",
                    ("dataFrom", json!([{"extract": {"key": key}}])),
                ),
                json!({"kind": "ConfigMap", "metadata": {"name": "web-firelens-0a1b2c3f"}}),
            ]
        };
        let workload = |names: [&str; 3]| json!({"spec": {"template": {"spec": {"names": names}}}});
        let mut objects = rendered();
        let older = ["web-secrets", &*pull, "web-firelens"];
        take_older_names(&mut objects, &[&workload(older)]);
        for (object, older) in objects.iter().zip(older) {
            assert_eq!(object["metadata"]["name"], older);
            let target = object.pointer("/spec/target/name");
            assert!(target.is_none_or(|target| *target == older));
        }
        let todays = [
            "web-secrets-0a1b2c3d",
            "web-pull-0a1b2c3e",
            "web-firelens-0a1b2c3f",
        ];
        for names in [todays, ["a", "b", "c"]] {
            let mut objects = rendered();
            take_older_names(&mut objects, &[&workload(names)]);
            assert_eq!(objects, rendered());
        }
    }

    /// No older operator made pull secrets for ECR, so no two of them are the same.
    #[test]
    fn a_generated_secret_has_no_older_name() {
        let source = json!({"generatorRef": {"kind": "ECRAuthorizationToken", "name": "g"}});
        let secret = |spec: Value| {
            let metadata = json!({"name": "web-pull-0a1b2c3d"});
            json!({"kind": "ExternalSecret", "metadata": metadata, "spec": spec})
        };
        let generated = secret(json!({"dataFrom": [{"sourceRef": source}]}));
        assert_eq!(older_name(&generated), None);
        let read = secret(json!({"data": [{"sourceRef": {"storeRef": {}}}]}));
        assert_eq!(older_name(&read).as_deref(), Some("web-pull"));
    }

    #[test]
    fn pods_without_a_label_for_it_still_have_no_network() {
        let policy = |name: &str, labels: Value| {
            let spec = json!({"podSelector": {"matchLabels": labels}});
            json!({"kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec})
        };
        let todays = || {
            policy(
                "web-no-network",
                json!({"service": "web", NO_NETWORK: "true"}),
            )
        };
        let workload =
            |labels: Value| json!({"spec": {"template": {"metadata": {"labels": labels}}}});
        let selecting = |workload: &Value| {
            let mut objects = [todays()];
            take_older_names(&mut objects, &[workload]);
            objects[0].clone()
        };
        let older = policy("web", json!({"service": "web"}));
        assert_eq!(selecting(&workload(json!({"service": "web"}))), older);
        assert_eq!(selecting(&workload(json!({NO_NETWORK: "true"}))), todays());
    }
}
