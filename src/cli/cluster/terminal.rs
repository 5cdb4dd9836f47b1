//! What may be written to a terminal, and how it is kept from scrolling.

use std::io::{self, IsTerminal as _, Write as _};

use terminal_size::{Height, Width, terminal_size};

use crate::cli::Error;

/// The size that a terminal is taken to have that does not say.
const USUAL: Size = Size {
    columns: 80,
    rows: 24,
};

/// How much a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Size {
    /// The size by now.
    fn now() -> Self {
        terminal_size().map_or(USUAL, |(Width(columns), Height(rows))| Self {
            columns: columns.max(20).into(),
            rows: rows.max(5).into(),
        })
    }
}

/// Whether standard output is a terminal on which something can be drawn.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A text without anything that a terminal would obey: sequences for colors and the like are left out, control
/// characters that are left are shown as escapes. A tab stays.
pub(super) fn harmless(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    let mut harmless = String::with_capacity(plain.len());
    for c in plain.chars() {
        if c.is_control() && c != '\t' {
            harmless.extend(c.escape_default());
        } else {
            harmless.push(c);
        }
    }
    harmless
}

/// A text in so many columns; where something is missing, it ends with dots.
pub(super) fn clipped(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let dots = columns.min(3);
    let kept = text.chars().take(columns - dots);
    kept.chain(std::iter::repeat_n('.', dots)).collect()
}

/// A text in lines of so many columns, broken between words; a word that is longer is broken too.
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

/// A part of the terminal that is drawn again and again, and never leaves anything in what was scrolled away.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// How wide the lines are that were drawn last.
    drawn: Vec<usize>,
}

impl Screen {
    /// Draws what `frame` makes for the size of the terminal, in place of what was drawn before.
    pub(super) fn draw(&mut self, frame: impl FnOnce(Size) -> String) -> Result<(), Error> {
        let size = Size::now();
        let frame = frame(size);
        let back = self.back(size.columns);
        self.drawn = widths(&frame);
        let write = || {
            // Colors may be unwanted; where to draw is not a matter of colors.
            io::stdout().lock().write_all(back.as_bytes())?;
            let mut out = anstream::stdout().lock();
            out.write_all(frame.as_bytes())?;
            out.flush()
        };
        write().map_err(Error::writing("standard output"))
    }

    /// What leads back to where the last frame began, and clears the terminal from there. A terminal that became
    /// narrower has broken its lines.
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
