//! One JSON object for each finding, on a line of its own.

use serde_json::json;

use super::{Finding, text};

/// The finding as JSON; `line` and `column` are absent where the place is not known.
#[must_use]
pub fn json(finding: &Finding<'_>) -> String {
    let mut value = json!({
        "severity": finding.severity.name(),
        "reason": finding.reason,
        "file": finding.file,
    });
    if let Some(members) = value.as_object_mut() {
        if let Some(place) = &finding.place {
            members.insert("line".to_owned(), place.line.into());
            members.insert("column".to_owned(), place.column.into());
        }
        for (name, value) in [
            ("path", &finding.path),
            ("message", &finding.message),
            ("help", &finding.help),
        ] {
            if !value.is_empty() {
                members.insert(name.to_owned(), value.as_str().into());
            }
        }
    }
    format!("{}\n", text::json(&value.to_string()))
}
