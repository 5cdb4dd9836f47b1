//! Annotations of GitHub workflows
//! (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>).

use std::fmt::Write as _;

use super::{Finding, concise, text::lines};
use crate::diagnostic::Severity;

/// Formats a finding as `::error file=…,line=…,col=…,title=Reason::path: message; help`.
#[must_use]
pub fn github(finding: &Finding<'_>) -> String {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut line = format!("::{command} file={}", property(finding.file));
    if let Some(place) = &finding.place {
        let _ = write!(line, ",line={},col={}", place.line, place.column);
    }
    let text = data(&concise::text(finding));
    let _ = writeln!(line, ",title={}::{text}", finding.reason);
    line
}

fn data(text: &str) -> String {
    lines(text)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
