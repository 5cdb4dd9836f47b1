//! Prints objects as text, as a person would write them: names first, no empty members, and always the same bytes.

mod builder;
mod ordered;
mod yaml;

pub use ordered::Ordered;

/// The reason why an object could not be printed. Objects are plain data, so this is a bug in this program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object is not plain data.
    #[error("the object cannot be serialized")]
    Object(#[from] serde_json::Error),
    /// The object cannot be written as YAML.
    #[error("the object cannot be written as YAML: {0}")]
    Yaml(String),
}

/// Prints an object as a YAML document, without a separator.
///
/// # Errors
///
/// Returns an error if the object cannot be written.
pub fn yaml(object: &Ordered) -> Result<String, Error> {
    yaml::write(object)
}

/// Prints an object as indented JSON.
///
/// # Errors
///
/// Returns an error if the object cannot be written.
pub fn json(object: &Ordered) -> Result<String, Error> {
    Ok(serde_json::to_string_pretty(object)?)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};
    use serde_json::{Value, json};

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
        assert_eq!(yaml(&Ordered::new(&object).unwrap()).unwrap(), expected);
    }

    /// Generates texts that are hard to write: YAML's own characters, words of other types, line breaks, spaces at the
    /// ends.
    fn text() -> impl Strategy<Value = String> {
        let part = select(vec![
            "a",
            "Z",
            "0",
            "9",
            "-",
            ".",
            "/",
            "_",
            ":",
            "=",
            "@",
            ",",
            "+",
            " ",
            "\n",
            "\t",
            "#",
            "'",
            "\"",
            "\\",
            "{",
            "}",
            "[",
            "]",
            "&",
            "*",
            "!",
            "|",
            ">",
            "%",
            "?",
            "~",
            "ä",
            "\u{85}",
            "\u{feff}",
            "\u{2028}",
            "\r",
            "\u{7f}",
            "true",
            "No",
            "null",
            "inf",
            "on",
            "y",
            "0x1",
            "1e3",
            "12:30",
            "2026-01-01",
            "---",
            "http://a",
            "a long part of a text that is folded",
        ]);
        prop_oneof![
            vec(part, 0..8).prop_map(|parts| parts.concat()),
            any::<String>()
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 32, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Value::from),
                vec((text(), inner), 0..6).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn yaml_has_the_bytes_of_the_library(name in text(), value in value()) {
            let object = Ordered::unsorted(&json!({ name: value })).unwrap();
            let mut expected = serde_saphyr::to_string(&object).unwrap();
            if !expected.ends_with('\n') {
                expected.push('\n');
            }
            prop_assert_eq!(yaml(&object).unwrap(), expected);
        }

        #[test]
        fn yaml_is_read_back_as_it_was(name in text(), value in value()) {
            let object = Ordered::unsorted(&json!({ name: value })).unwrap();
            let back: Value = serde_saphyr::from_str(&yaml(&object).unwrap()).unwrap();
            prop_assert_eq!(back, serde_json::to_value(&object).unwrap());
        }
    }
}
