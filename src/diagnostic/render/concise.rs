//! One line per finding.

use super::{Finding, text::one_line};

/// Formats a finding as `file:line:column: severity[Reason]: path: message; help`.
#[must_use]
pub fn concise(finding: &Finding<'_>) -> String {
    let severity = finding.severity.name();
    let (position, text) = (finding.position(), text(finding));
    let (position, text) = (one_line(&position), one_line(&text));
    format!("{position}: {severity}[{}]: {text}\n", finding.reason)
}

/// Returns `path: message; help`, without the parts that are empty.
pub(super) fn text(finding: &Finding<'_>) -> String {
    let mut text = String::new();
    if !finding.path.is_empty() {
        text.push_str(&finding.path);
        text.push_str(": ");
    }
    text.push_str(&finding.message);
    if !finding.help.is_empty() {
        text.push_str("; ");
        text.push_str(&finding.help);
    }
    text
}
