//! Findings in the style of a compiler: title, position, excerpt, help.
//!
//! The excerpt is a line of the user's own file, shown in the user's own terminal; conditions and events of the
//! operator never contain one.

use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{Finding, Place, text::one_line};
use crate::diagnostic::Severity;

/// The maximum number of marked bytes.
const MARKED: usize = 100;
/// The maximum number of bytes before and after the beginning of a span that are passed to the renderer, which shows
/// fewer. It processes its whole input, and a line can be a file of many megabytes with thousands of findings.
const AROUND: usize = 1_000;

/// A placeholder for the file name in the output of the renderer. No other shown text contains a control character.
const FILE: &str = "\u{1}";

/// Formats a finding over several lines, followed by an empty line; with colors if `styled`.
#[must_use]
pub fn full(finding: &Finding<'_>, styled: bool) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let message = one_line(&finding.message);
    let (path, file, help) = (
        one_line(&finding.path),
        one_line(finding.file),
        one_line(&finding.help),
    );
    let title = level.primary_title(message).id(finding.reason);
    let mut counted = None;
    let mut group = match &finding.place {
        Some(place) => {
            let excerpt = excerpt(place);
            let label = (!path.is_empty()).then_some(&*path);
            counted = Some(format!("{FILE}:{}:{}", place.line, excerpt.column()));
            title.element(
                Snippet::source(excerpt.text)
                    .line_start(place.line)
                    .path(FILE)
                    .annotation(AnnotationKind::Primary.span(excerpt.span).label(label)),
            )
        }
        None if path.is_empty() => title.element(Level::NOTE.message(format!("in {file}"))),
        None => title.element(Level::NOTE.message(format!("{path} in {file}"))),
    };
    if !help.is_empty() {
        group = group.element(Level::HELP.message(help));
    }
    let renderer = if styled {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let rendered = renderer.render(&[group]);
    let rendered = match counted {
        // The renderer counts the column from the beginning of the excerpt.
        Some(counted) => rendered.replacen(&counted, &one_line(&finding.position()), 1),
        None => rendered,
    };
    format!("{rendered}\n\n")
}

struct Excerpt<'a> {
    text: Cow<'a, str>,
    span: std::ops::Range<usize>,
}

impl Excerpt<'_> {
    /// Returns the character of the excerpt at which the span begins, from 1.
    fn column(&self) -> usize {
        let before = self.text.get(..self.span.start).unwrap_or_default();
        before.chars().count() + 1
    }
}

/// Returns the text around the span on the line in which it begins. If a span continues on more lines, or is longer
/// than can be shown, only its beginning is marked.
fn excerpt<'a>(place: &Place<'a>) -> Excerpt<'a> {
    let text = place.text;
    let start = floor(text, place.span.start.min(text.len()));
    let first = floor(text, start.saturating_sub(AROUND));
    let before = text.get(first..start).unwrap_or_default();
    let before = before.rsplit('\n').next().unwrap_or_default();
    let after = text
        .get(start..floor(text, start + AROUND))
        .unwrap_or_default();
    let after = after.split(['\n', '\r']).next().unwrap_or_default();
    let end = place.span.end.clamp(start, start + after.len().min(MARKED));
    let marked = text.get(start..floor(text, end)).unwrap_or_default();
    let line_start = start - before.len();
    let line = text
        .get(line_start..start + after.len())
        .unwrap_or_default();
    let from = replaced(before).len();
    Excerpt {
        text: replaced(line),
        span: from..from + replaced(marked).len(),
    }
}

/// Replaces the second set of control characters, the only ones that the renderer passes on to the terminal.
fn replaced(line: &str) -> Cow<'_, str> {
    let second = |c| matches!(c, '\u{80}'..='\u{9f}');
    if line.contains(second) {
        Cow::Owned(line.replace(second, "\u{fffd}"))
    } else {
        Cow::Borrowed(line)
    }
}

/// Returns the nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}
