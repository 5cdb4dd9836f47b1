//! The values of Fluentd's configuration
//! (<https://docs.fluentd.org/configuration/config-file>).

use serde_json::Value;

use super::arn::is_one_placeholder;

/// The options of an output that begin with `@`. Fluentd reads `@include` as a command, and refuses any other.
pub(super) const RESERVED_OPTIONS: [&str; 4] = ["@id", "@label", "@log_level", "@type"];

/// Whether Fluentd reads `value`, which has no control characters, as one literal, and nothing after its line.
///
/// A value is written as the ECS agent writes it, so that it has the meaning that it has there: one in double quotes
/// can contain Ruby, such as `"#{ENV['KEY']}"`. That gives no right to anybody, because a task definition has the
/// command of the router too. Text in quotes and JSON extend over lines until they end, though, and would swallow what
/// follows. Ruby is not parsed: if code is wrong, Fluentd does not start, as in ECS.
pub(super) fn is_literal(value: &str) -> bool {
    let value = value.trim_matches(' ');
    let rest = match value.chars().next() {
        Some('"') => after_double_quotes(value),
        Some('\'') => after_single_quotes(value),
        Some('[' | '{') => return is_one_placeholder(value) || is_json(value),
        _ => return true,
    };
    rest.is_some_and(|rest| {
        let rest = rest.trim_start_matches(' ');
        rest.is_empty() || rest.starts_with('#')
    })
}

/// Returns the text after a value in double quotes; `None` if it does not end or has an unknown escape.
fn after_double_quotes(value: &str) -> Option<&str> {
    let mut rest = value.strip_prefix('"')?;
    loop {
        let (at, end) = rest.char_indices().find(|(_, c)| "\"\\#".contains(*c))?;
        let (_, tail) = rest.split_at_checked(at + 1)?;
        rest = match end {
            '"' => return Some(tail),
            '\\' => {
                let mut escaped = tail.chars();
                let known = |c: char| !c.is_ascii_alphanumeric() || "rntfb0".contains(c);
                escaped.next().filter(|c| known(*c))?;
                escaped.as_str()
            }
            _ => match tail.strip_prefix('{') {
                Some(code) => code.split_once('}')?.1,
                None => tail,
            },
        };
    }
}

/// Returns the text after a value in single quotes; `None` if it does not end.
fn after_single_quotes(value: &str) -> Option<&str> {
    let mut rest = value.strip_prefix('\'')?.chars();
    loop {
        match rest.next()? {
            '\'' => return Some(rest.as_str()),
            // A backslash before any other character is a backslash.
            '\\' if rest.as_str().starts_with(['\'', '\\']) => {
                rest.next();
            }
            _ => {}
        }
    }
}

/// Whether `value` is JSON in which all Ruby code ends.
fn is_json(value: &str) -> bool {
    let mut code = value.split("#{").skip(1);
    code.all(|rest| rest.contains('}')) && serde_json::from_str::<Value>(value).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_literal;

    #[test]
    fn a_value_ends_where_fluentd_ends_it() {
        for value in [
            "x",
            "a b",
            "a \"b",
            "a' b",
            "#fff",
            "a # comment",
            r"a\",
            "<match **>",
            "/[a-z]+/",
            r#""""#,
            "''",
            r#""a b""#,
            r#""a" # comment"#,
            r#""a\"b""#,
            r#""a\\""#,
            r#""a\n\0\.b""#,
            r#""a#b""#,
            r##""#{ENV['KEY']}""##,
            r##""#{ENV["KEY"]}-#{hostname}""##,
            "'a'",
            r"'a\'b'",
            r"'a\\'",
            r"'a\b'",
            "'#{x'",
            "[]",
            "[1, \"a\"]",
            r##"["#{ENV['KEY']}"]"##,
            r#"{"a": "b"}"#,
            "{{name}}",
        ] {
            assert!(is_literal(value), "{value}");
        }
        for value in [
            "\"",
            "  \"a",
            r#""a\""#,
            r#""a\"#,
            r#""\d+""#,
            r#""a" b"#,
            r#""a""b""#,
            r##""#{""##,
            r##""#{"a""##,
            "'",
            "'a",
            r"'a\'",
            r"'a\\\'",
            "'a' b",
            "[",
            "[ERROR]",
            "{",
            r#"{"a": "}"#,
            r#"{"a": 1} {"#,
            "[1] [",
            r##"["#{"]"##,
            r##"["#{}", "#{"]"##,
        ] {
            assert!(!is_literal(value), "{value}");
        }
    }
}
