//! Makes texts of the input safe to show: terminals and logs do not interpret them, and long ones are shortened.

use std::{borrow::Cow, fmt::Write as _};

/// The maximum number of bytes of a text that are shown.
const SHOWN: usize = 2_000;
/// How many of these bytes are from the end, where a message says what is wrong with the value before.
const END: usize = 500;

/// Removes the middle of a long text.
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

/// Returns the text on one line, with escapes for characters that a terminal would interpret.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed)
}

/// Does the same, except for line breaks.
pub(super) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| !matches!(c, '\r' | '\n') && is_obeyed(c))
}

/// Does the same for JSON, which contains such characters only in strings and escapes some of them itself.
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

/// Whether all of a text is ASCII and printable, as nearly all texts are.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if is_plain(text) || !text.contains(&is_escaped) {
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

/// Whether this is a control character, a line separator, or a character that changes the direction of text (Unicode's
/// `Bidi_Control`), which could make a text look like a different one. All of them are at most U+FFFF.
pub(crate) fn is_obeyed(c: char) -> bool {
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
