//! Replaces variables in the values of a file (<https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md>).

use super::super::{
    manifest::Report,
    tree::{Node, Value},
};

/// The most variables that may be in the default values of one another.
const DEEPEST: usize = 8;

/// Replaces the variables in all texts. The parser limits the depth of the tree.
pub(super) fn interpolate(node: &mut Node<'_>, report: &mut Report<'_>) {
    match &mut node.value {
        Value::String(text) if text.contains('$') => {
            let made = interpolated(text, report, 0);
            *text = made.into();
        }
        Value::List(elements) => {
            for element in elements {
                interpolate(element, report);
            }
        }
        Value::Object(members) => {
            for member in members {
                interpolate(&mut member.value, report);
            }
        }
        _ => {}
    }
}

/// Returns a text with its variables replaced: by the value that `--set` gives, by the default, or by a placeholder.
fn interpolated(text: &str, report: &mut Report<'_>, depth: usize) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        made.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            made.push('$');
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            // What is not closed stays as it is, up to the end.
            let Some(end) = closing(inside) else {
                made.push('$');
                break;
            };
            let expression = inside.get(..end).unwrap_or_default();
            made.push_str(&value(expression, report, depth));
            rest = inside.get(end + 1..).unwrap_or_default();
        } else {
            let all = rest.len();
            let end = rest.find(|c: char| !is_of_name(c)).unwrap_or(all);
            let (name, after) = rest.split_at_checked(end).unwrap_or(("", rest));
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                made.push('$');
            } else {
                made.push_str(&value(name, report, depth));
                rest = after;
            }
        }
    }
    made.push_str(rest);
    made
}

/// Returns where the bracket that is open already is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Returns the value of `NAME`, `NAME:-default`, `NAME:?message` or `NAME:+other`.
fn value(expression: &str, report: &mut Report<'_>, depth: usize) -> String {
    let end = expression.find(|c| !is_of_name(c));
    let all = expression.len();
    let (name, operator) = expression
        .split_at_checked(end.unwrap_or(all))
        .unwrap_or((expression, ""));
    let (counts_empty, operator) = match operator.strip_prefix(':') {
        Some(operator) => (false, operator),
        None => (true, operator),
    };
    let given = report.given(name);
    let given = given.filter(|value| counts_empty || !value.is_empty());
    let mut nested = |text: &str| {
        if depth < DEEPEST {
            interpolated(text, report, depth + 1)
        } else {
            text.to_owned()
        }
    };
    if let Some(other) = operator.strip_prefix('+') {
        return given.map_or_else(String::new, |_| nested(other));
    }
    match (given, operator.strip_prefix('-')) {
        (Some(value), _) => value.to_owned(),
        (None, Some(default)) => nested(default),
        (None, None) => report.placeholder(name),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::values::Values, *};

    #[test]
    fn variables_are_replaced() {
        let table = [
            ("plain", "plain"),
            ("$SET-x", "1-x"),
            ("${SET}", "1"),
            ("${EMPTY}", ""),
            ("${EMPTY:-a}", "a"),
            ("${EMPTY-a}", ""),
            ("${OPEN:-a}", "a"),
            ("${OPEN-}", ""),
            ("${OPEN:-${SET}}", "1"),
            ("${OPEN:-${OTHER:-b}}", "b"),
            ("${SET:+yes}", "yes"),
            ("${OPEN:+yes}", ""),
            ("${OPEN:?give it}", "${OPEN}"),
            ("$OPEN/x", "${OPEN}/x"),
            ("cost: 5$", "cost: 5$"),
            ("$$HOME", "$HOME"),
            ("$1", "$1"),
            ("${OPEN", "${OPEN"),
        ];
        let values = Values {
            fill: [("SET", "1"), ("EMPTY", "")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .into(),
            ..Values::default()
        };
        for (text, expected) in table {
            let mut report = Report::new(&values);
            assert_eq!(interpolated(text, &mut report, 0), expected, "{text}");
        }
        let mut report = Report::new(&values);
        let deep = "${A:-".repeat(20_000);
        assert!(interpolated(&deep, &mut report, 0).starts_with("${A"));
        let deep = format!("{}{}", "${A:-".repeat(200), "}".repeat(200));
        assert!(interpolated(&deep, &mut report, 0).starts_with("${A"));
    }
}
