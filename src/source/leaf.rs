//! The scalar values of a request: normalizes irregular spellings, and checks types and limits.

use std::borrow::Cow;

use super::{
    placeholder::{Placeholder, Style, filled, filled_unless, placeholder_at, placeholders},
    sink::Trail,
    tree::{Node, Value},
    walk::Walk,
};
use crate::{
    diagnostic::{Message, shell_word},
    fields::{Field, Kind, Limits},
};

impl Walk<'_> {
    /// Returns the value of a field in its type, or nothing if it is empty or invalid.
    pub(super) fn leaf<'a>(
        &mut self,
        node: Node<'a>,
        field: &Field,
        trail: Trail<'_>,
    ) -> Option<Node<'a>> {
        let span = node.span;
        let value = match field.kind {
            Kind::String | Kind::Timestamp => self.string(node, field, trail),
            Kind::Integer | Kind::Number | Kind::Boolean => self.scalar(node, field, trail),
            Kind::StringMap => self.string_map(node, field, trail),
            Kind::Document => Some(node.value),
            Kind::Kubernetes => Some(self.of_kubernetes(node.value, field.path)),
        }?;
        Some(Node { value, span })
    }

    fn string<'a>(&mut self, node: Node<'a>, field: &Field, trail: Trail<'_>) -> Option<Value<'a>> {
        let text = match node.value {
            Value::String(text) => self.fill_in(text, field.path, ""),
            Value::Number(text) | Value::Bool(text) => text,
            _ => {
                self.expected(&node, "a string", trail);
                return None;
            }
        };
        if text.is_empty() {
            return keeps_empty(field.path).then_some(Value::String(text));
        }
        if placeholders(&text).next().is_none() {
            return match wrong_text(&text, &field.limits) {
                Some(allowed) => {
                    let value = text.into_owned();
                    self.sink
                        .reject(trail, Message::InvalidValue { value, allowed });
                    None
                }
                None => Some(Value::String(text)),
            };
        }
        if !field.limits.values.is_empty() {
            let allowed = one_of(field.limits.values);
            self.not_filled(placeholders(&text).next(), allowed, trail);
            return None;
        }
        if let Some(allowed) = number_in_words(field.path) {
            self.not_filled(placeholders(&text).next(), allowed.to_owned(), trail);
            return None;
        }
        for placeholder in placeholders(&text) {
            if !is_run_time(placeholder, field.path) {
                self.sink.keep_placeholder(placeholder);
            }
        }
        Some(Value::String(text))
    }

    /// Reads numbers and booleans, also in quotes.
    fn scalar<'a>(&mut self, node: Node<'a>, field: &Field, trail: Trail<'_>) -> Option<Value<'a>> {
        let text = match node.value {
            Value::String(text) => filled(text, self.fill),
            Value::Number(text) | Value::Bool(text) => text,
            _ => {
                self.expected(&node, kind_name(field.kind), trail);
                return None;
            }
        };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return None;
        }
        let value = match field.kind {
            Kind::Boolean => boolean(trimmed),
            Kind::Number => number(trimmed, &text),
            _ => integer(trimmed, &text),
        };
        if let Some(value) = value {
            if let Some(allowed) = out_of_range(&value, &field.limits)
                && field.limits.checked_by.is_none()
            {
                let value = trimmed.to_owned();
                self.sink
                    .reject(trail, Message::InvalidValue { value, allowed });
                return None;
            }
            return Some(value.into_value(text));
        }
        let first = placeholders(trimmed).next();
        if first.is_some() {
            self.not_filled(first, kind_name(field.kind).to_owned(), trail);
        } else {
            let allowed = format!("must be {}", kind_name(field.kind));
            let value = trimmed.to_owned();
            self.sink
                .reject(trail, Message::InvalidValue { value, allowed });
        }
        None
    }

    fn string_map<'a>(
        &mut self,
        node: Node<'a>,
        field: &Field,
        trail: Trail<'_>,
    ) -> Option<Value<'a>> {
        let Value::Object(members) = node.value else {
            self.expected(&node, "an object", trail);
            return None;
        };
        let mut kept = Vec::with_capacity(members.len());
        for mut member in members {
            let trail = Trail::Key(&trail, &member.key);
            if self.is_absent(&member.value) || self.is_intrinsic(&member.value, None, trail) {
                continue;
            }
            let text = match member.value.take_value() {
                Value::String(text) => self.fill_in(text, field.path, &member.key),
                Value::Number(text) | Value::Bool(text) => text,
                other => {
                    member.value.value = other;
                    self.expected(&member.value, "a string", trail);
                    continue;
                }
            };
            for placeholder in placeholders(&text) {
                // Docker's and Fluent Bit's own templates are expanded on the node.
                let inside = placeholder.text.trim_start_matches('{').trim_start();
                let template = placeholder.style == Style::Dollar || inside.starts_with('.');
                if !template {
                    self.sink.keep_placeholder(placeholder);
                }
            }
            member.value.value = Value::String(text);
            kept.push(member);
        }
        (!kept.is_empty()).then_some(Value::Object(kept))
    }

    /// Fills the placeholders of a text, and records those that a program could have expanded itself. `key` is that of a
    /// map.
    pub(super) fn fill_in<'a>(
        &mut self,
        text: Cow<'a, str>,
        path: &str,
        key: &str,
    ) -> Cow<'a, str> {
        let by_docker = key == "tag" && path.ends_with("logConfiguration.options");
        let for_program = is_for_program(path);
        filled_unless(text, self.fill, |found| {
            let keep = by_docker && is_docker_tag(found) || is_variable(found, path);
            if !keep {
                self.sink.fill_placeholder(found, for_program);
            }
            keep
        })
    }

    fn not_filled(
        &mut self,
        placeholder: Option<Placeholder<'_>>,
        allowed: String,
        trail: Trail<'_>,
    ) {
        if let Some(placeholder) = placeholder {
            self.sink.reject(
                trail,
                Message::PlaceholderNotFilled {
                    placeholder: placeholder.text.to_owned(),
                    allowed,
                    option: shell_word(&format!("{}=VALUE", placeholder.key())).into_owned(),
                },
            );
        }
    }

    /// Reports a value of the wrong type.
    pub(super) fn expected(&mut self, node: &Node<'_>, what: &str, trail: Trail<'_>) {
        if let Some(text) = node.text()
            && let Some(placeholder) = placeholder_at(text)
        {
            if !matches!(what, "a list" | "an object") {
                return self.not_filled(Some(placeholder), what.to_owned(), trail);
            }
            // `--set` has only strings.
            let value = placeholder.text.to_owned();
            let allowed = format!("must be {what}, so render the template first");
            return self
                .sink
                .reject(trail, Message::InvalidValue { value, allowed });
        }
        let value = match &node.value {
            Value::String(text) | Value::Number(text) | Value::Bool(text) => text.to_string(),
            _ => node.describe().to_owned(),
        };
        let allowed = format!("must be {what}");
        self.sink
            .reject(trail, Message::InvalidValue { value, allowed });
    }
}

/// Returns what a string has to be if it is read as numbers, which is not free text.
fn number_in_words(path: &str) -> Option<&'static str> {
    match path {
        "cpu" | "overrides.cpu" => Some("a number of CPU units or vCPUs"),
        "memory" | "overrides.memory" => Some("a number of MiB or GB"),
        "containerDefinitions[].user" => Some("a numeric uid[:gid]"),
        "containerDefinitions[].resourceRequirements[].value" => Some("a number"),
        _ => None,
    }
}

/// A parsed scalar.
pub(super) enum Scalar {
    Boolean(bool),
    /// A whole number, and whether its text can be kept.
    Integer(i64, bool),
    /// A number, and whether its text can be kept.
    Number(f64, bool),
}

impl Scalar {
    pub(super) fn into_value(self, text: Cow<'_, str>) -> Value<'_> {
        match self {
            Self::Boolean(true) => Value::Bool("true".into()),
            Self::Boolean(false) => Value::Bool("false".into()),
            Self::Integer(_, true) | Self::Number(_, true) => Value::Number(text),
            Self::Integer(number, false) => Value::Number(number.to_string().into()),
            Self::Number(number, false) => Value::Number(number.to_string().into()),
        }
    }
}

fn boolean(text: &str) -> Option<Scalar> {
    if text.eq_ignore_ascii_case("true") {
        Some(Scalar::Boolean(true))
    } else if text.eq_ignore_ascii_case("false") {
        Some(Scalar::Boolean(false))
    } else {
        None
    }
}

/// Parses a whole number: `5`, `"5"`, `5.0`, `1e3`, YAML's `0x1F` and `0o17`.
pub(super) fn integer(trimmed: &str, text: &str) -> Option<Scalar> {
    if let Ok(number) = trimmed.parse::<i64>() {
        let plain = text.len() == trimmed.len() && !trimmed.starts_with('+');
        return Some(Scalar::Integer(number, plain));
    }
    let radix = |prefix, radix| {
        let digits = trimmed.strip_prefix(prefix)?;
        i64::from_str_radix(digits, radix).ok()
    };
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(Scalar::Integer(number, false));
    }
    // Beyond 2^53, a float does not represent all integers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = finite(trimmed)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the number is whole and within the exact range"
    )]
    (number.fract() == 0.0 && number.abs() <= EXACT)
        .then_some(Scalar::Integer(number as i64, false))
}

pub(super) fn number(trimmed: &str, text: &str) -> Option<Scalar> {
    if let Some(number) = finite(trimmed) {
        return Some(Scalar::Number(number, text.len() == trimmed.len()));
    }
    match integer(trimmed, text)? {
        #[expect(clippy::cast_precision_loss, reason = "as any JSON reader would")]
        Scalar::Integer(number, _) => Some(Scalar::Number(number as f64, false)),
        other => Some(other),
    }
}

/// Parses a decimal number; Rust would also parse `inf` and `nan`, which are not numbers here.
fn finite(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(number)
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "a string",
        Kind::Timestamp => "a date and time",
        Kind::Integer => "a whole number",
        Kind::Number => "a number",
        Kind::Boolean => "true or false",
        Kind::StringMap => "an object",
        Kind::Document | Kind::Kubernetes => "a JSON value",
    }
}

fn one_of(values: &[&str]) -> String {
    format!("one of {}", values.join(", "))
}

/// Returns what a text must be, if it is not.
fn wrong_text(text: &str, limits: &Limits) -> Option<String> {
    if !limits.values.is_empty() {
        return (!limits.values.contains(&text))
            .then(|| format!("must be {}", one_of(limits.values)));
    }
    if !limits.characters.allow(text) {
        return Some(format!("must have {} only", limits.characters.describe()));
    }
    let max = limits.max_length?;
    (text.chars().count() > max).then(|| format!("must have at most {max} characters"))
}

/// Returns what a number must be, if it is not.
fn out_of_range(value: &Scalar, limits: &Limits) -> Option<String> {
    #[expect(clippy::cast_precision_loss, reason = "limits are small numbers")]
    let number = match value {
        Scalar::Boolean(_) => return None,
        Scalar::Integer(number, _) => *number as f64,
        Scalar::Number(number, _) => *number,
    };
    let below = limits.min.is_some_and(|min| number < min);
    let above = limits.max.is_some_and(|max| number > max);
    if !below && !above {
        return None;
    }
    Some(match (limits.min, limits.max) {
        (Some(min), Some(max)) => format!("must be {min} to {max}"),
        (Some(min), None) => format!("must be at least {min}"),
        (_, max) => format!("must be at most {}", max.unwrap_or_default()),
    })
}

/// Whether an empty text has a meaning in this field: an empty variable differs from an unset one, and an argument
/// counts.
fn keeps_empty(path: &str) -> bool {
    path.ends_with("[]")
        || path.ends_with("environment[].value")
        || path.ends_with("tags[].value")
        || path.ends_with("properties[].value")
}

/// What Docker expands itself in the tag of a log (<https://docs.docker.com/engine/logging/log_tags/>).
const DOCKER_TAGS: &[&str] = &[
    ".ID",
    ".FullID",
    ".Name",
    ".ImageID",
    ".ImageFullID",
    ".ImageName",
    ".DaemonName",
];

/// Whether Docker expands a placeholder in the tag of a log; a Go template may have spaces within its braces.
fn is_docker_tag(placeholder: Placeholder<'_>) -> bool {
    let inside = placeholder.text.trim_matches(['{', '}']).trim();
    placeholder.style == Style::Braces && DOCKER_TAGS.contains(&inside)
}

/// Whether a program in the container, or an agent beside it, reads this text and may expand templates in it.
fn is_for_program(path: &str) -> bool {
    let texts = [
        "environment[].value",
        "command[]",
        "entryPoint[]",
        "dockerLabels",
    ];
    texts.iter().any(|text| path.ends_with(text))
}

/// Whether this is a variable of a template, which an event fills.
fn is_variable(placeholder: Placeholder<'_>, path: &str) -> bool {
    placeholder.style == Style::Angle && path.ends_with(".InputTemplate")
}

/// Whether the container expands this placeholder itself at run time, or the text is read once more.
fn is_run_time(placeholder: Placeholder<'_>, path: &str) -> bool {
    // The overrides in the input of a schedule or a rule are read for themselves.
    matches!(path, "Target.Input" | "Targets[].Input")
        || is_variable(placeholder, path)
        || placeholder.style == Style::Dollar
            && (path.ends_with("command[]") || path.ends_with("entryPoint[]"))
}
