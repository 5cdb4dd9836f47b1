//! Objects as text, as a person would have written them: names first, nothing empty, stable bytes.

use serde::Serialize;
use serde_json::Value;

/// Members that stand before all others, in this order; the rest follows by name.
const FIRST: [&str; 9] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "image",
    "imagePullPolicy",
    "command",
    "args",
];

/// Why an object could not be printed. Objects are plain data, so this is a defect of this program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object is not plain data.
    #[error("the object cannot be serialised")]
    Object(#[from] serde_json::Error),
    /// The object cannot be written as YAML.
    #[error("the object cannot be written as YAML: {0}")]
    Yaml(String),
}

/// The object with its members in the order of reading.
///
/// # Errors
///
/// When the object is not plain data.
pub fn ordered(object: &impl Serialize) -> Result<Value, Error> {
    Ok(order(serde_json::to_value(object)?))
}

fn order(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, order(value)))
                .collect();
            members.sort_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(order).collect()),
        other => other,
    }
}

fn rank(name: &str) -> usize {
    FIRST
        .iter()
        .position(|first| *first == name)
        .unwrap_or(FIRST.len())
}

/// An ordered object as a YAML document, without a separator.
///
/// # Errors
///
/// When the object cannot be written.
pub fn yaml(object: &Value) -> Result<String, Error> {
    let mut text =
        serde_saphyr::to_string(object).map_err(|error| Error::Yaml(error.to_string()))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// An ordered object as indented JSON.
///
/// # Errors
///
/// When the object cannot be written.
pub fn json(object: &Value) -> Result<String, Error> {
    Ok(serde_json::to_string_pretty(object)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn names_come_first_and_nulls_are_left_out() {
        let object = json!({
            "spec": {"containers": [{"args": ["-v"], "env": [{"value": "1", "name": "A"}], "image": "i", "name": "app", "tty": null}]},
            "metadata": {"labels": {"b": "x", "a": "y"}, "name": "web"},
            "kind": "Pod",
            "apiVersion": "v1",
        });
        let expected = "apiVersion: v1
kind: Pod
metadata:
  name: web
  labels:
    a: \"y\"
    b: x
spec:
  containers:
  - name: app
    image: i
    args:
    - -v
    env:
    - name: A
      value: \"1\"
";
        assert_eq!(yaml(&ordered(&object).unwrap()).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn yaml_is_read_back_as_it_was(text in any::<String>(), key in "[a-zA-Z0-9_./-]{1,20}") {
            let object = json!({ key: [text.clone(), { "k": text }] });
            let back: Value = serde_saphyr::from_str(&yaml(&object).unwrap()).unwrap();
            prop_assert_eq!(back, object);
        }
    }
}
