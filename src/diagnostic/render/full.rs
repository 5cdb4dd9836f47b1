//! Findings in the style of a compiler: title, position, excerpt, help.
//!
//! The excerpt is a line of the user's own file, shown in the user's own terminal; conditions and events of the
//! operator never contain one.

use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{
    Finding, Place,
    text::{is_plain, one_line},
};
use crate::diagnostic::Severity;

/// The maximum number of marked bytes.
const MARKED: usize = 100;
/// The maximum number of bytes before and after the beginning of a span that are passed to the renderer. It shows 140
/// columns of at most three bytes, but processes its whole input, and a line can be a file of many megabytes with
/// thousands of findings.
const AROUND: usize = 420;

/// The maximum number of bytes of a line that the renderer certainly shows as a whole, and of spaces at its beginning.
const WHOLE: usize = 120;
const INDENTED: usize = 20;

/// A placeholder for the file name in the output of the renderer. No other shown text contains a control character.
const FILE: &str = "\u{1}";

/// Formats a finding over several lines, followed by an empty line; with colors if `styled`.
#[must_use]
pub fn full(finding: &Finding<'_>, styled: bool) -> String {
    let simple = if styled { None } else { simple(finding) };
    simple.unwrap_or_else(|| rendered(finding, styled))
}

/// Formats a finding with the same bytes as [`rendered`], if it is about a short line and all of it is ASCII, as most
/// are. The renderer takes many times as long, which is a fifth of the whole conversion.
fn simple(finding: &Finding<'_>) -> Option<String> {
    let Finding {
        severity,
        reason,
        path,
        message,
        help,
        file,
        place,
    } = finding;
    let place = place.as_ref()?;
    let Excerpt { text: line, span } = excerpt(place);
    let spaces = line.bytes().take_while(|byte| *byte == b' ').count();
    let is_simple = (1..=WHOLE).contains(&line.len())
        && spaces <= INDENTED
        && [path, message, help, *file, &line]
            .into_iter()
            .all(is_plain);
    if !is_simple {
        return None;
    }
    let severity = severity.name();
    let (number, column) = (place.line.to_string(), place.column);
    let margin = " ".repeat(number.len());
    let before = " ".repeat(span.start);
    let marks = "^".repeat(span.len().max(1));
    let label = if path.is_empty() { "" } else { " " };
    let help = if help.is_empty() {
        String::new()
    } else {
        format!("{margin} |\n{margin} = help: {help}\n")
    };
    Some(format!(
        "{severity}[{reason}]: {message}\n\
         {margin}--> {file}:{number}:{column}\n\
         {margin} |\n\
         {number} | {line}\n\
         {margin} | {before}{marks}{label}{path}\n\
         {help}\n"
    ))
}

/// Formats a finding with the library.
fn rendered(finding: &Finding<'_>, styled: bool) -> String {
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
    let line_end = after.bytes().position(|byte| matches!(byte, b'\n' | b'\r'));
    let after = after
        .get(..line_end.unwrap_or(after.len()))
        .unwrap_or_default();
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
    if !line.is_ascii() && line.contains(second) {
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

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    /// Generates printable texts, some of them longer than any line of a terminal.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[ -~]{0,12}", "[ -~]{0,300}", " {0,30}[{\"a:,]{0,8} {0,3}"]
    }

    /// Generates lines of a file, with all that a file can have.
    fn line() -> impl Strategy<Value = String> {
        prop_oneof![text(), "[ -~\t\r\u{e4}\u{6f22}\u{85}]{0,140}"]
    }

    proptest! {
        #[test]
        fn simple_findings_are_formatted_as_by_the_renderer(
            (before, line, after) in (line(), line(), line()),
            (path, message, help, file) in (text(), text(), text(), text()),
            severity in select(vec![Severity::Error, Severity::Warning, Severity::Note]),
            (number, column) in (select(vec![1_usize, 9, 10, 12_345]), 1..200_usize),
            (start, length) in (0..150_usize, 0..150_usize),
        ) {
            let text = format!("{before}\n{line}\n{after}");
            let first = before.len() + 1;
            let start = floor(&text, first + start.min(line.len()));
            let finding = Finding {
                severity,
                reason: "InvalidValue",
                path,
                message,
                help,
                file: &file,
                place: Some(Place {
                    text: &text,
                    span: start..start + length,
                    line: number,
                    column,
                }),
            };
            if let Some(simple) = simple(&finding) {
                prop_assert_eq!(simple, rendered(&finding, false));
            }
        }
    }
}
