//! Checks a part of a pod against the schema of Kubernetes, which is more lenient itself: it drops members that it does
//! not know.

use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostics, FieldPath, Message, nearest};

/// Whether members may be missing or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A whole part of a pod, in which `null` means that a member is absent.
    Whole,
    /// A patch of one, in which `null` removes a member.
    Patch,
}

/// Reports each member that Kubernetes does not have, that has another type, or that is missing.
pub(super) fn check(
    value: &Value,
    schema: &Value,
    form: Form,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    if value.is_null() {
        return;
    }
    let expected = match schema.get("type").and_then(Value::as_str) {
        Some("object") => return object(value, schema, form, path, sink),
        Some("array") => return list(value, schema, form, path, sink),
        Some("boolean") => (!value.is_boolean()).then_some("true or false"),
        Some("integer") => (!is_integer(value, schema)).then_some("a whole number"),
        Some("number") => (!value.is_number()).then_some("a number"),
        Some("string") => (!value.is_string()).then_some("a string"),
        // Quantities and ports.
        _ => (!value.is_number() && !value.is_string()).then_some("a number or a string"),
    };
    if let Some(expected) = expected {
        wrong(value, expected, path, sink);
    }
}

fn is_integer(value: &Value, schema: &Value) -> bool {
    let Some(number) = value.as_i64() else {
        return false;
    };
    let is_short = schema.get("format").and_then(Value::as_str) == Some("int32");
    !is_short || i32::try_from(number).is_ok()
}

fn object(value: &Value, schema: &Value, form: Form, path: &FieldPath, sink: &mut Diagnostics) {
    let Value::Object(members) = value else {
        return wrong(value, "an object", path, sink);
    };
    let known = schema.get("properties").and_then(Value::as_object);
    for (name, member) in members {
        let path = path.field(name.clone());
        let of_map = || schema.get("additionalProperties");
        match known.map_or_else(of_map, |known| known.get(name)) {
            Some(schema) => check(member, schema, form, &path, sink),
            None if name.starts_with('$') => sink.report(path, directive(name)),
            None => sink.report(path, unknown(name, known)),
        }
    }
    if form == Form::Whole {
        for name in missing(members, schema) {
            let message = Message::RequiredField {
                name: name.to_owned(),
            };
            sink.report(path.field(name.to_owned()), message);
        }
    }
}

fn list(value: &Value, schema: &Value, form: Form, path: &FieldPath, sink: &mut Diagnostics) {
    let Value::Array(elements) = value else {
        return wrong(value, "a list", path, sink);
    };
    let Some(schema) = schema.get("items") else {
        return;
    };
    for (index, element) in elements.iter().enumerate() {
        let path = path.index(index);
        if element.is_null() {
            wrong(element, "a value", &path, sink);
        }
        check(element, schema, form, &path, sink);
    }
}

/// Returns the members that an object has to have and does not.
fn missing<'s>(
    members: &'s Map<String, Value>,
    schema: &'s Value,
) -> impl Iterator<Item = &'s str> + use<'s> {
    let required = schema.get("required").and_then(Value::as_array);
    let required = required.into_iter().flatten().filter_map(Value::as_str);
    required.filter(|name| members.get(*name).is_none_or(Value::is_null))
}

/// Returns the place of the first member that is missing in a whole part of a pod, such as `spec.hostAliases[0].ip`.
pub(crate) fn first_missing(value: &Value, schema: &Value) -> Option<String> {
    match value {
        Value::Object(members) => {
            if let Some(name) = missing(members, schema).next() {
                return Some(name.to_owned());
            }
            let known = schema.get("properties")?;
            members.iter().find_map(|(name, member)| {
                let found = first_missing(member, known.get(name)?)?;
                let dot = if found.starts_with('[') { "" } else { "." };
                Some(format!("{name}{dot}{found}"))
            })
        }
        Value::Array(elements) => {
            let schema = schema.get("items")?;
            elements.iter().enumerate().find_map(|(index, element)| {
                let found = first_missing(element, schema)?;
                Some(format!("[{index}].{found}"))
            })
        }
        _ => None,
    }
}

fn wrong(value: &Value, expected: &str, path: &FieldPath, sink: &mut Diagnostics) {
    let value = match value {
        Value::Null => "null".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let allowed = format!("must be {expected}");
    sink.report(path.clone(), Message::InvalidValue { value, allowed });
}

fn unknown(name: &str, known: Option<&Map<String, Value>>) -> Message {
    let names = known.into_iter().flat_map(Map::keys).map(String::as_str);
    let meant = nearest(name, names);
    Message::UnknownField {
        name: name.to_owned(),
        advice: meant.map_or_else(String::new, |meant| format!("did you mean {meant}?")),
    }
}

fn directive(name: &str) -> Message {
    Message::PodMemberNotAllowed {
        name: name.to_owned(),
        why: "directives of a patch are not read".to_owned(),
        instead: "write null for a member to remove it; give a list in full to replace it"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{crd, diagnostic::Subject};

    fn found(value: &Value, form: Form) -> Vec<String> {
        let mut sink = Diagnostics::new();
        let path = FieldPath::root(Subject::Service);
        check(value, crd::pod_template(), form, &path, &mut sink);
        let found = sink.iter();
        found
            .map(|it| format!("{}: {} {}", it.path, it.message, it.message.help()))
            .collect()
    }

    #[test]
    fn names_and_types_are_those_of_kubernetes() {
        for (value, expected) in [
            (json!({"spec": {"hostNetwork": true}}), ""),
            (
                json!({"spec": {"containers": [{"resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}]}}),
                "",
            ),
            (
                json!({"spec": {"containers": [{"livenessProbe": {"httpGet": {"port": "http"}}}]}}),
                "",
            ),
            (json!({"metadata": {"labels": {"any key": "a"}}}), ""),
            (json!([]), ": a list: must be an object "),
            (
                json!({"spce": {}}),
                "spce: spce is not a member of this API did you mean spec?",
            ),
            (
                json!({"spec": {"zzz": null}}),
                "spec.zzz: zzz is not a member of this API ",
            ),
            (
                json!({"spec": {"containers": {}}}),
                "spec.containers: an object: must be a list ",
            ),
            (
                json!({"spec": {"containers": [null]}}),
                "spec.containers[0]: null: must be a value ",
            ),
            (
                json!({"spec": {"hostNetwork": "on"}}),
                "spec.hostNetwork: on: must be true or false ",
            ),
            (
                json!({"spec": {"priority": 3_000_000_000_i64}}),
                "spec.priority: 3000000000: must be a whole number ",
            ),
            (
                json!({"spec": {"nodeName": 1}}),
                "spec.nodeName: 1: must be a string ",
            ),
            (
                json!({"metadata": {"labels": {"a": 1}}}),
                "metadata.labels.a: 1: must be a string ",
            ),
            (
                json!({"spec": {"overhead": {"cpu": true}}}),
                "spec.overhead.cpu: true: must be a number or a string ",
            ),
        ] {
            let found = found(&value, Form::Patch);
            assert_eq!(found.join("\n"), expected, "{value}");
        }
    }

    #[test]
    fn only_a_whole_part_has_to_be_complete() {
        let value = json!({"spec": {"containers": [{"name": "a", "ports": [{"name": "http"}]}]}});
        assert_eq!(found(&value, Form::Patch), [""; 0]);
        let missing = "spec.containers[0].ports[0].containerPort";
        let message = format!("{missing}: containerPort is required ");
        assert_eq!(found(&value, Form::Whole), [message]);
        let first = first_missing(&value, crd::pod_template());
        assert_eq!(first.as_deref(), Some(missing));
    }

    #[test]
    fn what_is_accepted_survives_the_types() {
        let value = json!({
            "metadata": {"labels": {"a": "b"}, "annotations": {}},
            "spec": {
                "containers": [{"name": "a", "tty": false, "args": [], "startupProbe": {"grpc": {"port": 1}}}],
                "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
                "tolerations": [{"operator": "Exists", "tolerationSeconds": 5}],
                "volumes": [{"name": "v", "emptyDir": {}}],
            },
        });
        assert_eq!(found(&value, Form::Whole), [""; 0]);
        let typed: k8s_openapi::api::core::v1::PodTemplateSpec =
            serde_json::from_value(value.clone()).expect("it is accepted");
        assert_eq!(
            serde_json::to_value(typed).expect("it is plain data"),
            value
        );
    }
}
