//! The text of one file, with lines and columns on demand.

use std::{
    ops::Range,
    path::Path,
    sync::{Arc, OnceLock},
};

/// A range of bytes in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// Creates a span of the bytes from `start` up to, but not including, `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Returns the same bytes in a text that has `base` more bytes in front.
    #[must_use]
    pub const fn shifted(self, base: usize) -> Self {
        Self::new(self.start + base, self.end + base)
    }

    /// Returns the bytes as a range, for slices.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A human-readable position in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in Unicode characters, from 1.
    pub column: usize,
}

/// A named text. Clones share its content.
#[derive(Clone, Debug)]
pub struct SourceText {
    name: Arc<str>,
    text: Arc<str>,
    /// Created when a position far from the start is requested.
    marks: Arc<OnceLock<Vec<Mark>>>,
}

impl PartialEq for SourceText {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.text == other.text
    }
}

impl Eq for SourceText {}

impl SourceText {
    /// Creates a text with the name that diagnostics show. A byte order mark is not part of the text.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, text: &str) -> Self {
        Self {
            name: name.into(),
            text: Arc::from(text.strip_prefix('\u{feff}').unwrap_or(text)),
            marks: Arc::default(),
        }
    }

    /// Returns the path as specified, or `<stdin>`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the whole text, without a byte order mark.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the part of the text at `span`, as far as it exists.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// Extends the span to the end of its last character.
    #[must_use]
    pub(super) fn whole(&self, span: Span) -> Span {
        let end = span.end.min(self.text.len());
        Span::new(span.start, self.text.ceil_char_boundary(end))
    }

    /// Returns the line and column of a byte.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        if offset < 2 * Mark::STEP {
            return position(&self.text, offset);
        }
        // A large text can have a finding on each of its lines, and counting from its start each time would take hours.
        let marks = self.marks.get_or_init(|| Mark::all(&self.text));
        let offset = offset.min(self.text.len());
        let mark = |offset: usize| marks.get(offset / Mark::STEP).copied().unwrap_or_default();
        let at = mark(offset).moved(&self.text, offset);
        let line_start = mark(at.line_start).moved(&self.text, at.line_start);
        Position {
            line: at.lines + 1,
            column: at.characters - line_start.characters + 1,
        }
    }
}

/// The counts up to a byte of a text.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    offset: usize,
    /// The line breaks before it.
    lines: usize,
    /// Where its line begins.
    line_start: usize,
    /// The characters before it.
    characters: usize,
}

impl Mark {
    /// The bytes between two marks.
    const STEP: usize = 4096;

    /// Returns the marks of a text, one every [`Self::STEP`] bytes from its start.
    fn all(text: &str) -> Vec<Self> {
        let mut mark = Self::default();
        (0..=text.len())
            .step_by(Self::STEP)
            .map(|offset| {
                mark = mark.moved(text, offset);
                mark
            })
            .collect()
    }

    /// Returns the counts up to a later byte.
    fn moved(mut self, text: &str, offset: usize) -> Self {
        let bytes = text.as_bytes().get(self.offset..offset).unwrap_or_default();
        for (index, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' {
                self.lines += 1;
                self.line_start = self.offset + index + 1;
            }
            self.characters += usize::from(!is_continuation(*byte));
        }
        self.offset = offset;
        self
    }
}

/// Returns the line and column of the byte at `offset` in `text`.
pub(super) fn position(text: &str, offset: usize) -> Position {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before
        .get(line_start..)
        .unwrap_or_default()
        .iter()
        .filter(|byte| !is_continuation(**byte))
        .count()
        + 1;
    Position { line, column }
}

/// Whether a byte of UTF-8 is not the first one of its character.
const fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// Returns the name of a file without its folder and extensions: `MyStack` of `cdk.out/MyStack.template.json`.
pub(super) fn stem(file: &str) -> String {
    let name = Path::new(file).file_stem();
    let name = name.map_or_else(|| file.into(), |stem| stem.to_string_lossy());
    name.split('.').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = SourceText::new("a.json", "{\n  \"näme\": 1\n}");
        let offset = text.text().find('1').unwrap();
        assert_eq!(
            text.position(offset),
            Position {
                line: 2,
                column: 11
            }
        );
        assert_eq!(text.position(0), Position { line: 1, column: 1 });
        assert_eq!(
            text.position(1_000),
            Position { line: 3, column: 2 },
            "past the end is the end"
        );
    }

    #[test]
    fn places_far_from_the_start_are_counted_from_marks() {
        let line = format!("{}ä\n", "漢".repeat(2_000));
        let text = SourceText::new("a.json", &line.repeat(20));
        for offset in (0..text.text().len() + 10).step_by(501) {
            assert_eq!(
                text.position(offset),
                position(text.text(), offset),
                "{offset}"
            );
        }
        let text = SourceText::new("a.json", &"x\n".repeat(2_000_000));
        // Work that grows with the square of the input would take minutes.
        for line in 0..10_000 {
            let found = text.position(4_000_000 - 2 * line);
            assert_eq!((found.line, found.column), (2_000_001 - line, 1));
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        let text = SourceText::new("a.json", "\u{feff}{}");
        assert_eq!(text.text(), "{}");
        assert_eq!(text.slice(Span::new(0, 1)), "{");
        assert_eq!(text.slice(Span::new(5, 9)), "");
    }
}
