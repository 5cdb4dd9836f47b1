//! Reads overrides that were made of an event.

use serde_json::Value;

use super::Refused;
use crate::{diagnostic::Segment, ecs};

/// Reads the overrides of RunTask, in which nothing else may stand.
///
/// # Errors
///
/// A member that RunTask does not have, or a value of another type.
pub(super) fn overrides(value: &Value) -> Result<ecs::TaskOverride, Refused> {
    if !value.is_object() {
        let found = match value {
            Value::Array(_) => "a list",
            Value::String(_) => "a text",
            Value::Number(_) => "a number",
            Value::Bool(_) => "true or false",
            _ => "null",
        };
        return Err(Refused::NotOverrides(format!(
            "it is {found}, not an object"
        )));
    }
    let read: ecs::TaskOverride = serde_json::from_value(value.clone())
        .map_err(|error| Refused::NotOverrides(error.to_string()))?;
    let kept = serde_json::to_value(&read).unwrap_or_default();
    match lost(value, &kept, &mut Vec::new()) {
        None => Ok(read),
        Some(path) => Err(Refused::NotOverrides(format!(
            "RunTask has no member {path} in overrides"
        ))),
    }
}

/// Returns a member that was given and not kept. What is empty is not kept either, and says nothing.
fn lost(given: &Value, kept: &Value, at: &mut Vec<Segment>) -> Option<String> {
    match (given, kept) {
        (Value::Object(members), kept) => members.iter().find_map(|(name, member)| {
            at.push(Segment::Member(name.clone().into()));
            let lost = match kept.get(name) {
                Some(kept) => lost(member, kept, at),
                None if is_empty(member) && !name.is_empty() => None,
                None => Some(written(at)),
            };
            at.pop();
            lost
        }),
        (Value::Array(items), Value::Array(kept)) => {
            items
                .iter()
                .zip(kept)
                .enumerate()
                .find_map(|(index, (item, kept))| {
                    at.push(Segment::Element(index));
                    let lost = lost(item, kept, at);
                    at.pop();
                    lost
                })
        }
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn written(at: &[Segment]) -> String {
    let steps = at.iter().map(|step| match step {
        Segment::Member(name) => format!(".{name}"),
        Segment::Element(index) => format!("[{index}]"),
    });
    let path: String = steps.collect();
    path.trim_start_matches('.').to_owned()
}
