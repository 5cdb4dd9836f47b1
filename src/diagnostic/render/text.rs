//! Texts of the input as they may be shown: neither a terminal nor a log obeys them, and none fills a screen.

use std::{borrow::Cow, fmt::Write as _};

/// The most bytes of a text that are shown.
const SHOWN: usize = 2_000;
/// Of these, the last ones: that is where a message says what is wrong with the value before.
const END: usize = 500;

/// The text without its middle if it is long.
pub(super) fn shortened(text: String) -> String {
    if text.len() <= SHOWN {
        return text;
    }
    let start = text.floor_char_boundary(SHOWN - END);
    let end = text.ceil_char_boundary(text.len() - END);
    let (Some(first), Some(last)) = (text.get(..start), text.get(end..)) else {
        return text;
    };
    format!("{first}... ({} bytes) ...{last}", end - start)
}

/// The text on one line, with an escape in place of each character that a terminal would obey rather than show.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed)
}

/// The same, but for line breaks.
pub(super) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| !matches!(c, '\r' | '\n') && is_obeyed(c))
}

/// The same for JSON, in whose strings alone such characters stand, and which escapes the first of them itself.
pub(super) fn json(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_obeyed(c) {
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, line separators, and what changes the direction of text (Unicode's `Bidi_Control`), which could
/// show a text other than the one that is there. None of them is above U+FFFF.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_for_a_terminal_to_obey() {
        for (text, expected) in [
            ("plain äöü 漢字 👍🏽", "plain äöü 漢字 👍🏽"),
            ("a\u{1b}[31mb\u{7}", "a\\u{1b}[31mb\\u{7}"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("\u{202e}x\u{2066}\u{2028}", "\\u{202e}x\\u{2066}\\u{2028}"),
        ] {
            assert_eq!(one_line(text), expected);
        }
        assert_eq!(lines("a\r\n\u{1b}"), "a\r\n\\u{1b}");
        assert_eq!(json("\"\u{202e}\u{9b}\""), r#""\u202e\u009b""#);
    }

    #[test]
    fn long_texts_keep_both_ends() {
        let text = format!("{}: must be a number", "ä".repeat(1_000_000));
        let shown = shortened(text);
        assert!(
            shown.len() < 2 * SHOWN && shown.starts_with("ää"),
            "{shown}"
        );
        assert!(shown.contains(" bytes) ...ä") && shown.ends_with(": must be a number"));
        assert_eq!(shortened("x".repeat(SHOWN)).len(), SHOWN);
    }
}
