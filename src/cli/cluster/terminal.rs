//! Text that is safe for a terminal, and drawing that does not scroll.

use std::io::{self, IsTerminal as _, Write as _};

use terminal_size::{Height, Width, terminal_size};

use crate::{cli::Error, diagnostic::render::is_obeyed};

/// The assumed size of a terminal that does not report one.
const USUAL: Size = Size {
    columns: 80,
    rows: 24,
};

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Size {
    /// Returns the current size.
    fn now() -> Self {
        terminal_size().map_or(USUAL, |(Width(columns), Height(rows))| Self {
            columns: columns.max(20).into(),
            rows: rows.max(5).into(),
        })
    }
}

/// Whether standard output is a terminal that supports drawing.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Returns a text without control sequences for terminals: those for colors and the like are removed, and other control
/// characters, and those that change the direction of text, are escaped. Tabs stay.
pub(super) fn harmless(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    let mut harmless = String::with_capacity(plain.len());
    for c in plain.chars() {
        if is_obeyed(c) && c != '\t' {
            harmless.extend(c.escape_default());
        } else {
            harmless.push(c);
        }
    }
    harmless
}

/// Truncates a text to this many columns; dots at its end mark an omission.
pub(super) fn clipped(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let dots = columns.min(3);
    let kept = text.chars().take(columns - dots);
    kept.chain(std::iter::repeat_n('.', dots)).collect()
}

/// Wraps a text to lines of this many columns, between words; longer words are broken too.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        let room = |line: &str| columns.saturating_sub(line.chars().count() + 1);
        if !line.is_empty() && word.chars().count() > room(&line) {
            lines.push(std::mem::take(&mut line));
        }
        while let Some((end, _)) = word.char_indices().nth(columns) {
            let (start, rest) = word.split_at(end);
            lines.push(start.to_owned());
            word = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// An area of the terminal that is redrawn in place and never leaves anything in the scrollback.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// The widths of the lines that were last drawn.
    drawn: Vec<usize>,
}

impl Screen {
    /// Draws the result of `frame` for the size of the terminal, in place of the previous frame.
    pub(super) fn draw(&mut self, frame: impl FnOnce(Size) -> String) -> Result<(), Error> {
        let size = Size::now();
        let frame = frame(size);
        let back = self.back(size.columns);
        self.drawn = widths(&frame);
        let write = || {
            // The user may not want colors; moving the cursor is independent of that.
            io::stdout().lock().write_all(back.as_bytes())?;
            let mut out = anstream::stdout().lock();
            out.write_all(frame.as_bytes())?;
            out.flush()
        };
        write().map_err(Error::writing("standard output"))
    }

    /// Returns the control sequence that moves the cursor to where the last frame began, and clears the terminal from
    /// there. A terminal that became narrower has wrapped its lines.
    fn back(&self, columns: usize) -> String {
        let rows: usize = self
            .drawn
            .iter()
            .map(|width| width.div_ceil(columns).max(1))
            .sum();
        match rows {
            0 => String::new(),
            rows => format!("\x1b[{rows}A\r\x1b[J"),
        }
    }
}

fn widths(frame: &str) -> Vec<usize> {
    let plain = anstream::adapter::strip_str(frame).to_string();
    plain.lines().map(|line| line.chars().count()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        for (text, expected) in [
            ("plain\ttext ä", "plain\ttext ä"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("back\u{8}space\r", "backspace\\r"),
            ("\u{9b}2J", "\\u{9b}2J"),
        ] {
            assert_eq!(harmless(text), expected);
        }
        let hostile = "\u{1b}\u{1b}[2J\u{1b}Pq\u{1b}\\ \u{90}x\u{9c}";
        assert!(!harmless(hostile).chars().any(char::is_control));
    }

    #[test]
    fn what_does_not_fit_is_clipped() {
        assert_eq!(clipped("short", 5), "short");
        assert_eq!(clipped("longer", 5), "lo...");
        assert_eq!(clipped("longer", 2), "..");
        assert_eq!(clipped("äöüäöü", 4), "ä...");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(
            wrapped("a incomprehensible b", 6),
            ["a", "incomp", "rehens", "ible b"]
        );
        assert_eq!(wrapped("", 8), [""]);
    }

    #[test]
    fn a_frame_is_drawn_over_the_one_before() {
        let mut screen = Screen::default();
        assert_eq!(screen.back(80), "", "nothing was drawn yet");
        screen.drawn = widths("one\n\u{1b}[1mtwo\u{1b}[0m\n\n");
        assert_eq!(screen.drawn, [3, 3, 0]);
        assert_eq!(screen.back(80), "\u{1b}[3A\r\u{1b}[J");
        assert_eq!(screen.back(2), "\u{1b}[5A\r\u{1b}[J", "it became narrower");
    }
}
