//! The text of `Fn::Sub`.

/// A part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'t> {
    /// It stays as it is.
    Text(&'t str),
    /// `${!Name}`, which becomes `${Name}`.
    Literal(&'t str),
    /// `${Name}`, `${Resource.Attribute}`.
    Name(&'t str),
}

/// Returns the parts of a text
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html>). What
/// is not closed is text.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, inner, after)) = next(rest) {
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        parts.push(match inner.strip_prefix('!') {
            Some(literal) => Part::Literal(literal),
            None => Part::Name(inner.trim()),
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

/// Returns what is before the next name, the name, and what is after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, open) = text.split_once("${")?;
    let (inner, after) = open.split_once('}')?;
    Some((before, inner, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_between_texts() {
        use Part::{Literal, Name, Text};
        let table: &[(&str, &[Part<'_>])] = &[
            ("", &[]),
            ("plain $x", &[Text("plain $x")]),
            ("${A}", &[Name("A")]),
            ("a-${B.Arn}/*", &[Text("a-"), Name("B.Arn"), Text("/*")]),
            ("${AWS::Region}${B}", &[Name("AWS::Region"), Name("B")]),
            ("echo ${!HOME}", &[Text("echo "), Literal("HOME")]),
            ("open ${A", &[Text("open ${A")]),
        ];
        for (text, expected) in table {
            assert_eq!(parts(text), *expected, "{text}");
        }
    }
}
