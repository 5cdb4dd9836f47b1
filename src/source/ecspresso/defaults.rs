//! Gives the placeholders of ecspresso the defaults that its templates have: ``{{ env `NAME` `VALUE` }}``
//! (<https://github.com/kayac/ecspresso#template-syntax>). All its other functions are placeholders like those of other
//! tools.

use std::{borrow::Cow, collections::BTreeSet};

use super::super::{
    placeholder::{given, placeholders},
    tree::{Node, Value},
    values::Values,
};
use crate::diagnostic::Message;

/// Whether a document has placeholders with a default.
pub(super) fn has_defaults(node: &Node<'_>) -> bool {
    match &node.value {
        Value::String(text) => {
            text.contains("{{") && placeholders(text).any(|found| found.default.is_some())
        }
        Value::List(elements) => elements.iter().any(has_defaults),
        Value::Object(members) => members.iter().any(|it| has_defaults(&it.value)),
        _ => false,
    }
}

/// Fills in the defaults of those placeholders to which `--set` gives no value, and returns what there is to say of them.
pub(super) fn fill(root: &mut Node<'_>, values: &Values) -> Option<Message> {
    let mut used = BTreeSet::new();
    take(root, values, &mut used);
    let used: Vec<String> = used.into_iter().collect();
    (!used.is_empty()).then(|| Message::PlaceholderDefaultsUsed {
        values: used.join(", "),
    })
}

/// Fills in the defaults, and adds each as `--set` would give it. The parser limits the depth.
fn take(node: &mut Node<'_>, values: &Values, used: &mut BTreeSet<String>) {
    match &mut node.value {
        Value::String(text) if text.contains("{{") => {
            if let Some(filled) = filled(text, values, used) {
                *text = Cow::Owned(filled);
            }
        }
        Value::List(elements) => elements.iter_mut().for_each(|it| take(it, values, used)),
        Value::Object(members) => {
            for member in members {
                take(&mut member.value, values, used);
            }
        }
        _ => {}
    }
}

fn filled(text: &str, values: &Values, used: &mut BTreeSet<String>) -> Option<String> {
    let mut result = String::new();
    let mut end = 0;
    for found in placeholders(text) {
        if let Some(default) = found.default
            && given(found, &values.fill).is_none()
        {
            used.insert(format!("{}={default}", found.key()));
            result.push_str(text.get(end..found.start)?);
            result.push_str(default);
            end = found.start + found.text.len();
        }
    }
    if end == 0 {
        return None;
    }
    result.push_str(text.get(end..)?);
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{placeholder::Fill, syntax::parse_one, tree::print},
        *,
    };

    #[test]
    fn defaults_are_taken_unless_a_value_is_given() {
        let values = Values::from(Fill::from([("GIVEN".to_owned(), "x".to_owned())]));
        for (text, expected, said) in [
            (
                r#"{"a":"{{ env `CPU` `256` }}"}"#,
                r#"{a:"256"}"#,
                "CPU=256",
            ),
            (
                r#"[{"a":"{{ must_env `IMAGE` }}:{{ env `TAG` `latest` }}"}]"#,
                r#"[{a:"{{ must_env `IMAGE` }}:latest"}]"#,
                "TAG=latest",
            ),
            (r#"{"a":"{{ env `EMPTY` `` }}"}"#, r#"{a:""}"#, "EMPTY="),
            (
                r#"{"a":"{{ env `GIVEN` `1` }}"}"#,
                r#"{a:"{{ env `GIVEN` `1` }}"}"#,
                "",
            ),
        ] {
            let mut root = parse_one("t.json", text).unwrap().unwrap();
            assert!(has_defaults(&root), "{text}");
            let found = fill(&mut root, &values);
            assert_eq!(print(&root), expected);
            let expected = (!said.is_empty()).then(|| Message::PlaceholderDefaultsUsed {
                values: said.to_owned(),
            });
            assert_eq!(found, expected, "{text}");
        }
        for text in [
            r#"{"a":"{{ env `CPU` }}"}"#,
            r#"{"a":"{{ env CPU 256 }}"}"#,
            r#"{"a":"{{ other `CPU` `256` }}"}"#,
            r#"{"a":"env `CPU` `256`"}"#,
        ] {
            let root = parse_one("t.json", text).unwrap().unwrap();
            assert!(!has_defaults(&root), "{text}");
        }
    }
}
