//! One line for each finding.

use super::Finding;

/// `file:line:column: severity[Reason]: path: message; help`.
#[must_use]
pub fn concise(finding: &Finding<'_>) -> String {
    let severity = finding.severity.name();
    let mut line = format!("{}: {severity}[{}]: ", finding.position(), finding.reason);
    line.push_str(&text(finding));
    line.push('\n');
    line
}

/// `path: message; help`, without the parts that are empty.
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
