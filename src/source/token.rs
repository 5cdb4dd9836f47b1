//! Splits JSON text into tokens.

use jsonc_parser::{Scanner, ScannerOptions, tokens::Token};

use super::text::Span;

/// Returns the next token after `start` and its position if it is a bracket, a separator or a string without escapes, as
/// most are. The library takes several times as long for these; it reads all others, and finds what is wrong.
pub(super) fn simple(text: &str, start: usize) -> Option<(Token<'_>, Span)> {
    let rest = text.as_bytes().get(start..)?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let blanks = rest.iter().position(|byte| !is_blank(byte))?;
    let (first, after) = rest.get(blanks..)?.split_first()?;
    let start = start + blanks;
    let mut end = start + 1;
    let token = match first {
        b'{' => Token::OpenBrace,
        b'}' => Token::CloseBrace,
        b'[' => Token::OpenBracket,
        b']' => Token::CloseBracket,
        b',' => Token::Comma,
        b':' => Token::Colon,
        b'"' => {
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
            let length = after.iter().position(is_special)?;
            if after.get(length) != Some(&b'"') {
                return None;
            }
            let content = text.get(end..end + length)?;
            end += length + 1;
            Token::String(content.into())
        }
        _ => return None,
    };
    Some((token, Span::new(start, end)))
}

/// Returns the library's scanner of strict JSON.
pub(super) fn scanner(text: &str) -> Scanner<'_> {
    Scanner::new(
        text,
        &ScannerOptions {
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    proptest! {
        #[test]
        fn simple_tokens_are_those_of_the_scanner(
            parts in vec(select(vec![
                " ", "\n", "\t", "\r", "{", "}", "[", "]", ":", ",", "\"", "\\", "/", "a", "\u{e4}", "\u{a0}", "\u{1}",
                "\"\"", "\"a b\"", "\"\u{6f22}\"", "\"a\\n\"", "true", "-1.5e3",
            ]), 0..6),
            start in 0..4_usize,
        ) {
            let text = parts.concat();
            if let Some((token, span)) = simple(&text, start) {
                let mut scanner = scanner(&text[start..]);
                prop_assert_eq!(scanner.scan().unwrap(), Some(token));
                let expected = Span::new(scanner.token_start(), scanner.token_end());
                prop_assert_eq!(span, expected.shifted(start));
            }
        }
    }
}
