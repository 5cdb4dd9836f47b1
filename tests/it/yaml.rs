//! Parses printed YAML, and finds values that other YAML parsers would read differently.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value;

/// Returns the documents of a stream, without empty ones.
pub fn documents(text: &str) -> Result<Vec<Value>, String> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect())
}

/// Returns the plain scalars that YAML 1.1 reads as another type than YAML 1.2. `kubectl` reads YAML 1.1.
pub fn ambiguous(text: &str) -> Vec<String> {
    let events = Parser::new_from_str(text).filter_map(Result::ok);
    events
        .filter_map(|(event, span)| match event {
            Event::Scalar(value, ScalarStyle::Plain, ..) if differs(&value) => {
                Some(format!("line {}: {value} wants quotes", span.start.line()))
            }
            _ => None,
        })
        .collect()
}

fn differs(scalar: &str) -> bool {
    let lower = scalar.to_ascii_lowercase();
    if matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off") {
        return true;
    }
    let digits = lower.trim_start_matches(['+', '-']);
    let Some(first) = digits.chars().next().filter(char::is_ascii_digit) else {
        return false;
    };
    let binary = digits.strip_prefix("0b");
    let octal = digits
        .strip_prefix('0')
        .is_some_and(|rest| !rest.is_empty());
    let all = |allowed: &str, text: &str| text.chars().all(|c| allowed.contains(c));
    binary.is_some_and(|rest| !rest.is_empty() && all("01_", rest))
        || (first == '0' && octal && all("01234567_", digits))
        || (digits.contains('_') && all("0123456789_.", digits))
        || (digits.contains(':') && all("0123456789_:.", digits))
}

#[test]
fn what_yaml_1_1_reads_differently_is_found() {
    for scalar in ["yes", "No", "on", "0b1", "017", "1_000", "12:30:45"] {
        assert_eq!(ambiguous(&format!("a: {scalar}\n")).len(), 1, "{scalar}");
        assert_eq!(
            ambiguous(&format!("a: \"{scalar}\"\n")).len(),
            0,
            "{scalar}"
        );
    }
    for scalar in ["yesterday", "0", "0.5", "10", "1.2.3", "a:b", "10m", "true"] {
        assert_eq!(ambiguous(&format!("a: {scalar}\n")).len(), 0, "{scalar}");
    }
}
