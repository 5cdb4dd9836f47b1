//! A finding as a compiler shows it: title, place, excerpt, help.
//!
//! The excerpt is a line of the user's own file, shown on the user's own terminal; what the operator writes into
//! conditions and events never has one.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{Finding, Place};
use crate::diagnostic::Severity;

/// The most bytes of a place that are marked.
const MARKED: usize = 100;

/// The finding over several lines, followed by an empty one; with colours if `styled`.
#[must_use]
pub fn full(finding: &Finding<'_>, styled: bool) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level
        .primary_title(finding.message.as_str())
        .id(finding.reason);
    let mut group = match &finding.place {
        Some(place) => {
            let excerpt = excerpt(place);
            let label = (!finding.path.is_empty()).then_some(finding.path.as_str());
            title.element(
                Snippet::source(excerpt.text)
                    .line_start(place.line)
                    .path(finding.file)
                    .annotation(AnnotationKind::Primary.span(excerpt.span).label(label)),
            )
        }
        None if finding.path.is_empty() => {
            title.element(Level::NOTE.message(format!("in {}", finding.file)))
        }
        None => title.element(Level::NOTE.message(format!("{} in {}", finding.path, finding.file))),
    };
    if !finding.help.is_empty() {
        group = group.element(Level::HELP.message(finding.help.as_str()));
    }
    let renderer = if styled {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    format!("{}\n\n", renderer.render(&[group]))
}

struct Excerpt<'a> {
    text: &'a str,
    span: std::ops::Range<usize>,
}

/// The line in which the place begins; the renderer cuts a long one around the place. Of a place that goes on over more
/// lines, or over more than can be shown, only the beginning is marked.
fn excerpt<'a>(place: &Place<'a>) -> Excerpt<'a> {
    let text = place.text;
    let start = floor(text, place.span.start.min(text.len()));
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let after = text.get(start..).unwrap_or_default();
    let line_end = start + after.find(['\n', '\r']).unwrap_or(after.len());
    let end = floor(
        text,
        place.span.end.clamp(start, line_end).min(start + MARKED),
    );
    Excerpt {
        text: text.get(line_start..line_end).unwrap_or_default(),
        span: start - line_start..end.max(start) - line_start,
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}
