//! One JSON object per finding, each on a separate line.

use serde_json::json;

use super::{Finding, text};

/// Formats a finding as JSON; `line` and `column` are absent if the position is unknown.
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
