//! Placeholders of template files: `<NAME>`, `${NAME}`, `{{ name }}`, `%NAME%`, `$$$NAME$$$`,
//! `<%= name %>`, `#{NAME}`, `__NAME__`, `@NAME@`; and as a whole text `$NAME` and words such as `CHANGE_ME`.

use std::{borrow::Cow, collections::BTreeMap};

/// Values for placeholders, by name or by the whole text of the placeholder (`--set NAME=VALUE`).
pub type Fill = BTreeMap<String, String>;

/// Splits `NAME=VALUE` of `--set`. A name that is a whole placeholder may contain `=`.
#[must_use]
pub fn parse_fill(text: &str) -> Option<(String, String)> {
    let whole = placeholder_at(text).and_then(|found| {
        let rest = text.get(found.text.len()..)?;
        Some((found.text, rest.strip_prefix('=')?))
    });
    let (name, value) = whole.or_else(|| text.split_once('='))?;
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

/// A placeholder in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placeholder<'t> {
    /// Where it begins in the text that was searched, in bytes.
    pub(super) start: usize,
    /// The placeholder as written, with its brackets.
    pub(super) text: &'t str,
    /// What `--set` calls it.
    pub(super) name: &'t str,
    /// How it is bracketed.
    pub(super) style: Style,
    /// The value that it has without one of `--set`: the last argument in ``{{ env `NAME` `VALUE` }}``
    /// (<https://github.com/kayac/ecspresso#template-syntax>).
    pub(super) default: Option<&'t str>,
}

impl<'t> Placeholder<'t> {
    /// Returns what `--set` takes for it: its name, unless that would be split at its `=`.
    pub(super) fn key(self) -> &'t str {
        if self.name.contains('=') {
            self.text
        } else {
            self.name
        }
    }
}

/// The brackets of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Style {
    /// `<NAME>`.
    Angle,
    /// `${NAME}`, and `$NAME` as a whole text, which a shell also expands.
    Dollar,
    /// `{{ name }}`, or Mustache's `{{{ name }}}`.
    Braces,
    /// `%NAME%`.
    Percent,
    /// `<%= name %>`.
    Tag,
    /// `$$$NAME$$$`.
    TripleDollar,
    /// `#{NAME}`.
    Hash,
    /// `__NAME__`.
    Underscores,
    /// `@NAME@`.
    At,
    /// A word such as `CHANGE_ME`, which is the whole text.
    Word,
}

/// The placeholders of a text, from left to right. Most texts have none, and finding that out is one look at each byte.
pub(super) fn placeholders(text: &str) -> impl Iterator<Item = Placeholder<'_>> {
    let mut whole = whole(text);
    let mut at = if whole.is_some() { text.len() } else { 0 };
    std::iter::from_fn(move || {
        if let Some(whole) = whole.take() {
            return Some(whole);
        }
        loop {
            let rest = text.get(at..)?;
            let start = rest
                .bytes()
                .position(|byte| matches!(byte, b'<' | b'$' | b'{' | b'%' | b'#' | b'_' | b'@'))?;
            // The byte found is ASCII, so both sides of it are character boundaries.
            let candidate = rest.get(start..)?;
            at += start;
            if let Some(length) = doubled(candidate) {
                at += length;
                continue;
            }
            if let Some(found) = placeholder_at(candidate) {
                let found = Placeholder { start: at, ..found };
                at += found.text.len();
                return Some(found);
            }
            at += 1;
        }
    })
}

/// The placeholders in a text as they are written, each with its position in bytes and the name that `--set` takes.
pub fn open_placeholders(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    placeholders(text).map(|found| (found.start, found.text, found.key()))
}

/// What a word that stands for a value begins with.
const WORDS: &[&str] = &[
    "CHANGEME",
    "CHANGE_ME",
    "CHANGE-ME",
    "INSERT_",
    "REPLACEME",
    "REPLACE_ME",
    "REPLACE_WITH_",
    "YOUR_",
];

/// What such a word ends with.
const ENDS: &[&str] = &["_ARN", "_HERE", "_ID"];

/// Whether a word of capitals asks for a value.
fn asks(text: &str) -> bool {
    WORDS.iter().any(|word| text.starts_with(word)) || ENDS.iter().any(|word| text.ends_with(word))
}

/// Returns the whole text as one placeholder: a variable of a shell, or a word that asks for a value.
fn whole(text: &str) -> Option<Placeholder<'_>> {
    let (name, style) = match text.as_bytes().first()? {
        b'$' => {
            let name = text.strip_prefix('$').filter(|name| identifier(name))?;
            (name, Style::Dollar)
        }
        b'A'..=b'Z' if asks(text) => {
            let is_word = text.bytes().all(|byte| capital(byte) || byte == b'-');
            (is_word.then_some(text)?, Style::Word)
        }
        _ => return None,
    };
    Some(Placeholder {
        start: 0,
        text,
        name,
        style,
        default: None,
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
        [b'{', b'{', b'{', ..] => ("{{{", "}}}", Style::Braces),
        [b'{', b'{', ..] => ("{{", "}}", Style::Braces),
        [b'$', b'$', b'$', ..] => ("$$$", "$$$", Style::TripleDollar),
        [b'$', b'{', ..] => ("${", "}", Style::Dollar),
        [b'<', b'%', b'=', ..] => ("<%=", "%>", Style::Tag),
        [b'<', ..] => ("<", ">", Style::Angle),
        [b'%', ..] => ("%", "%", Style::Percent),
        [b'#', b'{', ..] => ("#{", "}", Style::Hash),
        [b'_', b'_', ..] => ("__", "__", Style::Underscores),
        [b'@', ..] => ("@", "@", Style::At),
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
        Style::Dollar | Style::Hash => dotted(inner).then_some(inner)?,
        // Between these, only capitals are surely no name of a program or a person.
        Style::Underscores | Style::At => capitals(inner).then_some(inner)?,
        Style::Word => return None,
    };
    let text = text.get(..open.len() + length + close.len())?;
    let start = 0;
    let default = match style {
        Style::Braces => default_of(inner),
        _ => None,
    };
    Some(Placeholder {
        start,
        text,
        name,
        style,
        default,
    })
}

/// The first words of control structures in Go templates, Jinja, Handlebars and Liquid.
const CONTROL: &[&str] = &[
    "block", "define", "each", "else", "end", "endfor", "endif", "endwith", "for", "if", "include",
    "partial", "range", "template", "unless", "with",
];

/// The name in `{{ name }}`, or the argument in ``{{ must_env `NAME` }}``.
///
/// Control structures, local variables (`{{ $labels.job }}`) and Mustache's `{{#name}}` and `{{> name}}` have none: a value
/// in their place would break the template that they belong to.
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
            let argument = quoted.as_str().split(quote).next()?;
            // In the text of a JSON file, the quotes inside strings have a backslash.
            Some(argument.trim_end_matches('\\'))
        })
        .filter(|argument| !argument.is_empty());
    if inner.starts_with(|c: char| "#/^!>&$".contains(c))
        || CONTROL.contains(&inner.split_whitespace().next()?)
    {
        return None;
    }
    let mut words = inner.split_whitespace();
    let name = match (argument, words.next(), words.next(), words.next()) {
        (Some(argument), ..) => argument,
        (None, Some(_function), Some(word), None) => word,
        _ => inner,
    };
    let name = name.trim_start_matches('.');
    (!name.is_empty()).then_some(name)
}

/// Returns the default in ``env `NAME` `VALUE` ``.
fn default_of(inner: &str) -> Option<&str> {
    let arguments = inner.trim_matches('-').trim().strip_prefix("env ")?.trim();
    let quote = arguments
        .chars()
        .next()
        .filter(|c| matches!(c, '`' | '"' | '\''))?;
    let mut parts = arguments.split(quote);
    // What is before, between and behind the two arguments is white space.
    let (before, _name, between) = (parts.next()?, parts.next()?, parts.next()?);
    let (value, behind) = (parts.next()?, parts.next()?);
    let is_all = [before, between, behind]
        .iter()
        .all(|text| text.trim().is_empty());
    (is_all && parts.next().is_none()).then_some(value)
}

fn identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a name has capitals, digits and single underscores only.
fn capitals(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(capital)
        && !name.ends_with('_')
}

const fn capital(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
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

/// The keys of `fill` that fill the placeholders of a whole file.
pub(super) fn used<'f>(text: &'f str, fill: &'f Fill) -> impl Iterator<Item = &'f String> {
    let bracketed = placeholders(text).flat_map(|found| {
        // In the text of a JSON file, the quotes inside strings have a backslash.
        let whole = found.text.replace('\\', "");
        let keys = [
            fill.get_key_value(found.name),
            fill.get_key_value(whole.as_str()),
        ];
        keys.into_iter().flatten().map(|(key, _)| key)
    });
    // A placeholder that is a whole text has no brackets, so that it is not found within the text of a file.
    let whole = fill.keys().filter(|key| {
        let is_variable = identifier(key) && text.contains(&format!("${key}"));
        is_variable || asks(key) && text.contains(key.as_str())
    });
    bracketed.chain(whole)
}

/// Returns the value that `fill` has for a placeholder.
pub(super) fn given<'f>(placeholder: Placeholder<'_>, fill: &'f Fill) -> Option<&'f str> {
    let mut keys = [placeholder.name, placeholder.text].into_iter();
    keys.find_map(|key| fill.get(key)).map(String::as_str)
}

/// The text with the placeholders that `fill` names replaced. All other text stays as it is.
pub(super) fn filled<'a>(text: Cow<'a, str>, fill: &Fill) -> Cow<'a, str> {
    filled_unless(text, fill, |_| false)
}

/// The same, except for the placeholders that `keep` accepts.
pub(super) fn filled_unless<'a>(
    text: Cow<'a, str>,
    fill: &Fill,
    mut keep: impl FnMut(Placeholder<'_>) -> bool,
) -> Cow<'a, str> {
    if fill.is_empty() {
        return text;
    }
    let mut result = String::new();
    let mut end = 0;
    for found in placeholders(&text) {
        if let Some(value) = given(found, fill)
            && !keep(found)
        {
            let before = text.get(end..found.start).unwrap_or_default();
            end = found.start + found.text.len();
            // A reference to the name of a role, say, ends an ARN that is made of it; who looks it up finds the ARN.
            if text.starts_with("arn:") && value.starts_with("arn:") && end == text.len() {
                value.clone_into(&mut result);
                break;
            }
            result.push_str(before);
            result.push_str(value);
        }
    }
    if end == 0 {
        return text;
    }
    result.push_str(text.get(end..).unwrap_or_default());
    Cow::Owned(result)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_texts_use_values_too() {
        let fill: Fill = ["CHANGE_ME", "ROLE", "TAG", "OTHER", "other"]
            .map(|name| (name.to_owned(), String::new()))
            .into();
        let text = r#"{"a": "CHANGE_ME", "b": "$ROLE", "c": "x:${TAG}", "d": "other"}"#;
        let names: BTreeSet<&str> = used(text, &fill).map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["CHANGE_ME", "ROLE", "TAG"]));
    }

    #[test]
    fn other_text_is_no_placeholder() {
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
            (r#"{{ env \"TAG\" \"latest\" }}"#, &["TAG"]),
            ("{{ ext Storage }}", &["Storage"]),
            ("{{ cpu | default(\"256\") }}", &["cpu"]),
            (
                "{{ tfstate `aws_ecr_repository.all['app'].url` }}",
                &["aws_ecr_repository.all['app'].url"],
            ),
            ("{{ env `TAG` }}", &["TAG"]),
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
            ("#{CPU} #{Octopus.Env}", &["CPU", "Octopus.Env"]),
            ("web-__TAG__:__BUILD_ID__", &["TAG", "BUILD_ID"]),
            ("__main__ a__b __", &[]),
            ("@TAG@ me@example.com @a@", &["TAG"]),
            ("$TAG", &["TAG"]),
            ("$TAG-x", &[]),
            ("CHANGE_ME", &["CHANGE_ME"]),
            ("FILE_SYSTEM_ID", &["FILE_SYSTEM_ID"]),
            ("PASTE_TOKEN_HERE", &["PASTE_TOKEN_HERE"]),
            ("VALID", &[]),
            ("file_system_id", &[]),
            ("YOUR_ACCOUNT_ID", &["YOUR_ACCOUNT_ID"]),
            ("CHANGELOG", &[]),
            ("REPLACE_ME now", &[]),
            ("$HOME $(date) $$ $", &[]),
            ("${PORT:-80}", &[]),
            ("{}", &[]),
            ("{{}}", &[]),
            ("{{", &[]),
            ("{{#if a}}{{else}}{{/if}}{{{b}}}{{> c}}", &["b"]),
            (
                "{{ if A }}{{- range .Items -}}{{ end }}{{ $labels.job }}",
                &[],
            ),
            (
                "{{ conditions }}{{ end_of_day }}",
                &["conditions", "end_of_day"],
            ),
            ("ü<Ä>", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(names(text), *expected, "{text}");
        }
    }

    #[test]
    fn brackets_that_nothing_closes_cost_no_more_than_their_number() {
        for open in ["{{", "<", "${", "%", "$$$", "#{", "__", "@"] {
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
            ("$A", "1"),
            ("#{A}-__A__-@A@", "1-1-1"),
            ("{{ must_env `A` }}", "1"),
            ("http://%%A%%/%A%", "http://%%A%%/1"),
            ("%%A%%:%%A%%", "%%A%%:%%A%%"),
            ("{{#if A}}<A>{{/if}}", "{{#if A}}1{{/if}}"),
            ("ü<Ä>${A}ü", "ü<Ä>1ü"),
        ] {
            assert_eq!(filled(Cow::Borrowed(text), &fill), expected);
        }
    }

    #[test]
    fn an_arn_takes_the_place_of_one_that_ends_with_its_name() {
        let fill = [("N", "1"), ("R", "arn:aws:iam::1:role/web")];
        let fill = fill.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (text, expected) in [
            ("arn:aws:iam::${N}:role/${R}", "arn:aws:iam::1:role/web"),
            ("arn:aws:iam::${N}:role/${N}", "arn:aws:iam::1:role/1"),
            ("role ${R}", "role arn:aws:iam::1:role/web"),
            ("arn:${R}/x", "arn:arn:aws:iam::1:role/web/x"),
        ] {
            let fill = fill.clone().into();
            assert_eq!(filled(Cow::Borrowed(text), &fill), expected, "{text}");
        }
    }

    #[test]
    fn a_name_with_an_equals_sign_is_set_by_the_whole_placeholder() {
        for (text, name, value) in [
            ("A=b=c", "A", "b=c"),
            ("<A>=b", "<A>", "b"),
            (r#"{{ env "A=B" }}=VALUE"#, r#"{{ env "A=B" }}"#, "VALUE"),
            ("<%= cpu %>=256", "<%= cpu %>", "256"),
            ("{{ A }}x=1", "{{ A }}x", "1"),
            ("{{ A=B", "{{ A", "B"),
        ] {
            let expected = Some((name.to_owned(), value.to_owned()));
            assert_eq!(parse_fill(text), expected, "{text}");
        }
        for text in ["", "A", "=A", "<A>"] {
            assert_eq!(parse_fill(text), None, "{text}");
        }
        for text in [r#"{{ env "A=B" }}"#, "<%= ENV['A'] %>", "<A>"] {
            let found = placeholder_at(text).expect(text);
            let fill = parse_fill(&format!("{}=1", found.key())).expect(text);
            assert_eq!(filled(Cow::Borrowed(text), &Fill::from([fill])), "1");
        }
    }

    proptest! {
        #[test]
        fn only_placeholders_change(text in "([<>{}$%=#/ `'\"ü|.-]|<%=|%%|[$]{3}|[{]{2}|[}]{2}|A|B|if|end|A|B){0,24}", values in [".*", ".*"]) {
            // No text contains it.
            let mark = "\u{1}";
            let names: BTreeSet<_> = placeholders(&text).map(|found| found.name).collect();
            let all = names.iter().map(|name| ((*name).to_owned(), mark.to_owned()));
            let marked = filled(Cow::Borrowed(&text), &all.collect());
            let mut whole = String::new();
            let mut found = placeholders(&text);
            for part in marked.split(mark) {
                whole.push_str(part);
                whole.push_str(found.next().map_or("", |found| found.text));
            }
            prop_assert_eq!(&whole, &text);

            let texts: BTreeSet<_> = placeholders(&text).map(|found| found.text).collect();
            let others = ["A", "B", "if A", "#A", "/A", "if", "end", "%A%"];
            let others = others.iter().filter(|name| !names.contains(*name) && !texts.contains(*name));
            let fill = others.zip(values.iter().cycle()).map(|(name, value)| ((*name).to_owned(), value.clone()));
            prop_assert_eq!(filled(Cow::Borrowed(&text), &fill.collect()), &*text);
        }
    }
}
