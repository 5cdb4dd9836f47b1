//! The functions that ecspresso adds to Jsonnet (<https://github.com/kayac/ecspresso#jsonnet>): the environment, and what
//! its plugins look up. Their values are those that the same functions have in a template of JSON.

use super::{super::placeholder::placeholders, Asked, evaluation::Given};

/// What a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The value that `--set` has for its first argument, or a placeholder of it.
    Value,
    /// The same, with the second argument as the default.
    WithDefault,
    /// The first argument, as it is within a text of JSON.
    Escaped,
    /// The account and the role that ecspresso runs with.
    Caller,
}

/// The functions, with their parameters. A plugin may put a prefix before the names of its functions.
const FUNCTIONS: &[(&str, &[&str], Kind)] = &[
    ("caller_identity", &[], Kind::Caller),
    ("cfn_export", &["name"], Kind::Value),
    ("cfn_output", &["stack", "key"], Kind::Value),
    ("env", &["name", "default"], Kind::WithDefault),
    ("json_escape", &["text"], Kind::Escaped),
    ("must_env", &["name"], Kind::Value),
    ("secretsmanager_arn", &["id"], Kind::Value),
    ("ssm", &["name"], Kind::Value),
    ("ssm_list", &["name", "index"], Kind::Value),
    ("tfstate", &["address"], Kind::Value),
];

/// Returns the parameters of a function and what it gives.
pub(super) fn known(name: &str) -> Option<(&'static [&'static str], Kind)> {
    let mut fits = FUNCTIONS.iter().filter(|(own, ..)| {
        let prefix = name.strip_suffix(own);
        prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('_'))
    });
    let exact = FUNCTIONS.iter().find(|(own, ..)| *own == name);
    let (_, parameters, kind) = exact.or_else(|| fits.next_back())?;
    Some((parameters, *kind))
}

/// Returns the value of a function that gives a text.
pub(super) fn value(
    function: &str,
    kind: Kind,
    arguments: &[String],
    given: &Given,
    asked: &mut Asked,
) -> String {
    let name = arguments.first().map_or("", String::as_str);
    if kind == Kind::Escaped {
        let quoted = serde_json::Value::from(name).to_string();
        return quoted.trim_matches('"').to_owned();
    }
    // Several arguments name the value together, unless the second is a default.
    let name = match kind {
        Kind::WithDefault => name.to_owned(),
        _ => arguments.join("."),
    };
    let name = without_brackets(&name, asked);
    asked.names.insert(name.clone());
    if let Some(value) = given.fill.get(&name) {
        return value.clone();
    }
    if kind == Kind::WithDefault {
        let default = arguments.get(1).cloned().unwrap_or_default();
        asked.defaults.insert(format!("{name}={default}"));
        return default;
    }
    let placeholder = format!("{{{{ {function} `{name}` }}}}");
    asked.open.insert((name, placeholder.clone()));
    placeholder
}

/// Returns a name in which the names of values that are not given stand in place of their placeholders.
fn without_brackets(name: &str, asked: &mut Asked) -> String {
    let mut plain = String::new();
    let mut end = 0;
    for found in placeholders(name) {
        asked.inside.insert(found.name.to_owned());
        plain.push_str(name.get(end..found.start).unwrap_or_default());
        plain.push_str(found.name);
        end = found.start + found.text.len();
    }
    plain.push_str(name.get(end..).unwrap_or_default());
    plain
}

/// Returns the value of a variable that the command line of ecspresso would give.
pub(super) fn variable(name: &str, given: &Given, asked: &mut Asked) -> String {
    asked.names.insert(name.to_owned());
    if let Some(value) = given.fill.get(name) {
        return value.clone();
    }
    let placeholder = format!("{{{{ {name} }}}}");
    asked.open.insert((name.to_owned(), placeholder.clone()));
    placeholder
}

/// Returns the names in the calls of `function` in a text, such as those of `std.native('NAME')`.
pub(super) fn named_in<'t>(text: &'t str, function: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(function).skip(1).filter_map(|after| {
        let after = after.trim_start().strip_prefix('(')?.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let inside = after.get(1..)?;
        inside.get(..inside.find(quote)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_may_have_a_prefix() {
        for (name, expected) in [
            ("env", Some(2)),
            ("must_env", Some(1)),
            ("net_tfstate", Some(1)),
            ("my_ssm_list", Some(2)),
            ("tfstates", None),
            ("xssm", None),
        ] {
            assert_eq!(known(name).map(|(it, _)| it.len()), expected, "{name}");
        }
    }

    #[test]
    fn names_are_found_in_a_text() {
        let text = "local a = std.native('x'); std.native( \"y_z\" )(1) + std.native(b)";
        let found: Vec<_> = named_in(text, "std.native").collect();
        assert_eq!(found, ["x", "y_z"]);
    }

    #[test]
    fn values_are_given_or_open() {
        let given = Given {
            fill: [("A".to_owned(), "1".to_owned())].into(),
            account: String::new(),
        };
        for (function, arguments, expected) in [
            ("must_env", &["A"][..], "1"),
            ("must_env", &["B"], "{{ must_env `B` }}"),
            ("env", &["A", "2"], "1"),
            ("env", &["C", "2"], "2"),
            (
                "net_tfstate",
                &["aws_vpc.a.id"],
                "{{ net_tfstate `aws_vpc.a.id` }}",
            ),
            ("cfn_output", &["net", "Vpc"], "{{ cfn_output `net.Vpc` }}"),
            ("ssm", &["/{{ must_env `B` }}/a"], "{{ ssm `/B/a` }}"),
            ("json_escape", &["a\"b"], "a\\\"b"),
        ] {
            let mut asked = Asked::default();
            let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
            let (_, kind) = known(function).unwrap();
            let found = value(function, kind, &arguments, &given, &mut asked);
            assert_eq!(found, expected, "{function}");
        }
    }
}
