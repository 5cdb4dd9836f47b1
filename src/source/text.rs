//! The text of one file, with lines and columns on demand.

use std::{ops::Range, sync::Arc};

/// A range of bytes in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to and without `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The same bytes in a text that has `base` more bytes in front.
    #[must_use]
    pub const fn shifted(self, base: usize) -> Self {
        Self::new(self.start + base, self.end + base)
    }

    /// The bytes as a range, which slices take.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A place in a text as people count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in Unicode characters, from 1.
    pub column: usize,
}

/// A named text. Clones share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    name: Arc<str>,
    text: Arc<str>,
}

impl SourceText {
    /// A text and the name under which diagnostics show it. A byte order mark does not count as text.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, text: &str) -> Self {
        Self {
            name: name.into(),
            text: Arc::from(text.strip_prefix('\u{feff}').unwrap_or(text)),
        }
    }

    /// The path as it was given, or `<stdin>`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text, without a byte order mark.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The part of the text at `span`, as far as there is one.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// The span with its last character as a whole.
    #[must_use]
    pub(super) fn whole(&self, span: Span) -> Span {
        let end = span.end.min(self.text.len());
        Span::new(span.start, self.text.ceil_char_boundary(end))
    }

    /// The line and column of a byte. Counts from the start of the text, so it is for the few places that are shown.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        position(&self.text, offset)
    }
}

/// The line and column of the byte at `offset` in `text`.
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
    fn a_byte_order_mark_is_no_text() {
        let text = SourceText::new("a.json", "\u{feff}{}");
        assert_eq!(text.text(), "{}");
        assert_eq!(text.slice(Span::new(0, 1)), "{");
        assert_eq!(text.slice(Span::new(5, 9)), "");
    }
}
