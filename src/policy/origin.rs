//! Where the spec of a user says what an object uses.

use serde_json::Value;

use super::{Kind, Use};
use crate::diagnostic::{FieldPath, Subject};

/// Returns the path of the member that has the value; `None` if the spec has it in another form.
pub(super) fn find(used: &Use, spec: &Value, subject: Subject) -> Option<FieldPath> {
    if used.kind == Kind::Setting {
        return None;
    }
    search(spec, FieldPath::root(subject), &|text| is_it(used, text))
}

/// Whether a text of the spec is what is used.
fn is_it(used: &Use, text: &str) -> bool {
    let value = used.value.as_str();
    match used.kind {
        // A role can be given by its name, and is always one of an account in an object.
        Kind::TaskRole | Kind::ExecutionRole => {
            text == value || (!text.is_empty() && value.ends_with(&format!(":role/{text}")))
        }
        Kind::FileSystem => value.split('/').any(|part| part == text),
        Kind::HostPath => text.trim_end_matches('/') == value,
        _ => text == value,
    }
}

/// Returns the path of the first text for which this is true.
fn search(value: &Value, path: FieldPath, is_it: &dyn Fn(&str) -> bool) -> Option<FieldPath> {
    match value {
        Value::String(text) => is_it(text).then_some(path),
        Value::Array(elements) => {
            let mut elements = elements.iter().enumerate();
            elements.find_map(|(index, element)| search(element, path.index(index), is_it))
        }
        Value::Object(members) => {
            let mut members = members.iter();
            members.find_map(|(name, member)| search(member, path.field(name.clone()), is_it))
        }
        _ => None,
    }
}
