//! Placeholders of template files: `<NAME>`, `${NAME}`, `{{ name }}`, `%NAME%`, `$$$NAME$$$`,
//! `<%= name %>`.

use std::{borrow::Cow, collections::BTreeMap};

/// Values for placeholders, by name (`--set NAME=VALUE`).
pub type Fill = BTreeMap<String, String>;

/// A placeholder in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placeholder<'t> {
    /// The placeholder as written, with its brackets.
    pub(super) text: &'t str,
    /// What `--set` calls it.
    pub(super) name: &'t str,
    /// How it is bracketed.
    pub(super) style: Style,
}

/// The brackets of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `<NAME>`.
    Angle,
    /// `${NAME}`, which a shell also expands.
    Dollar,
    /// `{{ name }}`.
    Braces,
    /// `%NAME%`.
    Percent,
    /// `<%= name %>`.
    Tag,
    /// `$$$NAME$$$`.
    TripleDollar,
}

/// The placeholders of a text, from left to right. Most texts have none, and finding that out is one look at each byte.
pub(super) fn placeholders(text: &str) -> impl Iterator<Item = Placeholder<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest
                .bytes()
                .position(|byte| matches!(byte, b'<' | b'$' | b'{' | b'%'))?;
            // The byte found is ASCII, so both sides of it are character boundaries.
            let candidate = rest.get(start..)?;
            if let Some(length) = doubled(candidate) {
                rest = candidate.get(length..)?;
                continue;
            }
            if let Some(found) = placeholder_at(candidate) {
                rest = candidate.get(found.text.len()..)?;
                return Some(found);
            }
            rest = candidate.get(1..)?;
        }
    })
}

/// The length of `%%name%%` that a text starts with, which is Datadog's and stays as it is
/// (<https://docs.datadoghq.com/containers/guide/template_variables/>).
fn doubled(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("%%")?;
    let near = inside.get(..inside.floor_char_boundary(NAME_LIMIT))?;
    let length = near.find("%%")?;
    identifier(inside.get(..length)?).then_some(length + 4)
}

/// The longest name of a placeholder in bytes. Without a limit each of many opening brackets would be followed to the end
/// of the text.
const NAME_LIMIT: usize = 256;

/// The placeholder that `text` starts with.
pub(super) fn placeholder_at(text: &str) -> Option<Placeholder<'_>> {
    let (open, close, style) = match text.as_bytes() {
        [b'{', b'{', ..] => ("{{", "}}", Style::Braces),
        [b'$', b'$', b'$', ..] => ("$$$", "$$$", Style::TripleDollar),
        [b'$', b'{', ..] => ("${", "}", Style::Dollar),
        [b'<', b'%', b'=', ..] => ("<%=", "%>", Style::Tag),
        [b'<', ..] => ("<", ">", Style::Angle),
        [b'%', ..] => ("%", "%", Style::Percent),
        _ => return None,
    };
    let inside = text.get(open.len()..)?;
    let near = inside.get(..inside.floor_char_boundary(NAME_LIMIT + close.len()))?;
    let length = near.find(close)?;
    let inner = inside.get(..length)?;
    let name = match style {
        Style::Braces => brace_name(inner)?,
        // An angle bracket is also a comparison, a redirection or a tag, and per cent signs stand alone.
        Style::Angle => words(inner).then_some(inner)?,
        Style::Tag => Some(inner.trim()).filter(|name| !name.is_empty())?,
        Style::Percent | Style::TripleDollar => identifier(inner).then_some(inner)?,
        // `${NAME:-default}` is what a shell makes of it, not a template.
        Style::Dollar => dotted(inner).then_some(inner)?,
    };
    let text = text.get(..open.len() + length + close.len())?;
    Some(Placeholder { text, name, style })
}

/// The name in `{{ name }}`, or the argument in ``{{ must_env `NAME` }}``. A control structure has none.
fn brace_name(inner: &str) -> Option<&str> {
    if inner.contains('\n') {
        return None;
    }
    let inner = inner.trim_matches('-').trim();
    // What follows a pipe is done to the value.
    let inner = inner.split('|').next().unwrap_or(inner).trim();
    let argument = inner
        .find(['`', '"', '\''])
        .and_then(|at| {
            let mut quoted = inner.get(at..)?.chars();
            let quote = quoted.next()?;
            quoted.as_str().split(quote).next()
        })
        .filter(|argument| !argument.is_empty());
    let mut words = inner.split_whitespace();
    let name = match (argument, words.next(), words.next(), words.next()) {
        (Some(argument), ..) => argument,
        (None, Some(_function), Some(word), None) => word,
        _ => inner,
    };
    let name = name.trim_start_matches('.');
    (!name.is_empty()).then_some(name)
}

fn identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn dotted(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | ':'))
        && !name.contains(":-")
        && !name.ends_with(':')
}

fn words(name: &str) -> bool {
    name.len() <= 64
        && !name.ends_with(' ')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '))
}

/// The text with the placeholders that `fill` names replaced.
pub(super) fn filled<'a>(text: Cow<'a, str>, fill: &Fill) -> Cow<'a, str> {
    if fill.is_empty() || !placeholders(&text).any(|found| fill.contains_key(found.name)) {
        return text;
    }
    let mut result = String::with_capacity(text.len());
    let mut rest: &str = &text;
    for found in placeholders(&text) {
        let Some(value) = fill.get(found.name) else {
            continue;
        };
        if let Some((before, after)) = rest.split_once(found.text) {
            result.push_str(before);
            result.push_str(value);
            rest = after;
        }
    }
    result.push_str(rest);
    Cow::Owned(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_other_text() {
        let names = |text| -> Vec<_> { placeholders(text).map(|found| found.name).collect() };
        let table: &[(&str, &[&str])] = &[
            ("arn:aws:iam::<ACCOUNT_ID>:role/x", &["ACCOUNT_ID"]),
            ("<your account id>", &["your account id"]),
            ("${AWS_REGION}-${env.name}", &["AWS_REGION", "env.name"]),
            ("${AWS::Region}", &["AWS::Region"]),
            ("{{role-arn}}", &["role-arn"]),
            ("{{ .Values.cpu }}", &["Values.cpu"]),
            (
                "{{ must_env `FOO` }}:{{ env \"TAG\" `latest` }}",
                &["FOO", "TAG"],
            ),
            ("{{ ext Storage }}", &["Storage"]),
            ("{{ cpu | default(\"256\") }}", &["cpu"]),
            (
                "{{ tfstate `aws_ecr_repository.all['app'].url` }}",
                &["aws_ecr_repository.all['app'].url"],
            ),
            ("<%= cpu %>", &["cpu"]),
            ("<%= ENV['TAG'] %>", &["ENV['TAG']"]),
            ("<% if a %>", &[]),
            ("%CPU%", &["CPU"]),
            ("%A%%B%", &["A", "B"]),
            ("http://%%host%%:%%port%%/%PATH%", &["PATH"]),
            ("$$$TEST_REGION$$$", &["TEST_REGION"]),
            ("a < b > c", &[]),
            ("100% sure, 50% not", &[]),
            ("cat <<EOF > /x", &[]),
            ("$HOME $(date) $$ $", &[]),
            ("${PORT:-80}", &[]),
            ("{}", &[]),
            ("{{}}", &[]),
            ("{{", &[]),
            ("ü<Ä>", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(names(text), *expected, "{text}");
        }
    }

    #[test]
    fn brackets_that_nothing_closes_cost_no_more_than_their_number() {
        for open in ["{{", "<", "${", "%", "$$$"] {
            let text = open.repeat(200_000);
            // Work that grows with the square of the input would take minutes.
            assert_eq!(placeholders(&text).count(), 0, "{open}");
        }
        let name = "n".repeat(NAME_LIMIT);
        assert_eq!(placeholders(&format!("${{{name}}}")).count(), 1);
        assert_eq!(placeholders(&format!("${{{name}n}}")).count(), 0);
    }

    #[test]
    fn set_fills_what_it_names() {
        let fill = Fill::from([("A".to_owned(), "1".to_owned())]);
        for (text, expected) in [
            ("x<A>y${A}z{{ A }}", "x1y1z1"),
            ("<B>-<A>-<B>", "<B>-1-<B>"),
            ("plain", "plain"),
            ("{{ must_env `A` }}", "1"),
        ] {
            assert_eq!(filled(Cow::Borrowed(text), &fill), expected);
        }
    }
}
