//! The tables in the README of the chart.

use std::{fmt::Write as _, path::PathBuf};

use serde_json::Value;

use super::{CHART, read};
use crate::{Result, run::root};

pub(super) fn path() -> PathBuf {
    root().join(CHART).join("README.md")
}

/// Returns the README of the chart with its tables up to date.
pub(super) fn text() -> Result<String> {
    let text = read(&path())?;
    let values: Value = serde_saphyr::from_str(&read(&root().join(CHART).join("values.yaml"))?)?;
    let schema = schema()?;
    let mut rows = Vec::new();
    leaves("", &values, &mut rows);
    let mut table = String::from("| Value | Default | What it is |\n|---|---|---|\n");
    for (path, default) in rows {
        let pointer = format!("/properties/{}", path.replace('.', "/properties/"));
        let about = description(&schema, &pointer)?;
        writeln!(table, "| `{path}` | `{default}` | {about} |")?;
    }
    let text = between(&text, "values", &table)?;
    let mut table = String::from("| Setting | Values | What it is |\n|---|---|---|\n");
    for name in settings(&schema) {
        let pointer = format!("/properties/settings/properties/{name}");
        let about = description(&schema, &pointer)?;
        let kind = schema.pointer(&pointer).map(allowed).unwrap_or_default();
        writeln!(table, "| `settings.{name}` | {kind} | {about} |")?;
    }
    between(&text, "settings", &table)
}

/// Collects the paths of all values that are not objects, and of empty objects, with their defaults.
fn leaves(path: &str, value: &Value, into: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(&format!("{path}{dot}{name}"), value, into);
            }
        }
        _ => into.push((path.to_owned(), value.clone())),
    }
}

/// Returns the schema of the values.
pub(super) fn schema() -> Result<Value> {
    let path = root().join(CHART).join("values.schema.json");
    Ok(serde_json::from_str(&read(&path)?)?)
}

/// Returns the names of the settings.
pub(super) fn settings(schema: &Value) -> Vec<&str> {
    schema
        .pointer("/properties/settings/properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|members| members.keys().map(String::as_str))
        .collect()
}

/// Returns the schema's description of a value, or of the object that contains it if that may have any member.
fn description<'a>(schema: &'a Value, pointer: &str) -> Result<&'a str> {
    let mut pointer = pointer;
    while !pointer.is_empty() {
        if let Some(known) = schema.pointer(pointer) {
            return known["description"].as_str().ok_or_else(|| {
                format!("values.schema.json has no description of {pointer}").into()
            });
        }
        pointer = pointer
            .rsplit_once("/properties/")
            .map_or("", |(object, _)| object);
    }
    Err("values.schema.json lacks a value of values.yaml".into())
}

/// Returns the allowed values of a setting.
fn allowed(setting: &Value) -> String {
    if let Some(values) = setting["enum"].as_array() {
        let values: Vec<String> = values
            .iter()
            .filter_map(Value::as_str)
            .map(|value| format!("`{value}`"))
            .collect();
        return values.join(", ");
    }
    match (&setting["minimum"], &setting["maximum"]) {
        (Value::Number(low), Value::Number(high)) => format!("{low} to {high}"),
        _ => setting["type"].as_str().unwrap_or_default().to_owned(),
    }
}

fn between(text: &str, name: &str, content: &str) -> Result<String> {
    let (begin, end) = (
        format!("<!-- {name}: begin -->\n"),
        format!("<!-- {name}: end -->"),
    );
    let missing = || format!("README.md of the chart lacks {begin}");
    let (head, rest) = text.split_once(&begin).ok_or_else(missing)?;
    let (_, tail) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{head}{begin}{content}{end}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_readme_are_those_of_the_values() {
        let is = read(&path()).unwrap();
        assert_eq!(is, text().unwrap(), "run `cargo xtask chart`");
    }

    #[test]
    fn every_value_has_its_path_and_default() {
        let mut rows = Vec::new();
        let values = serde_json::json!({"a": {"b": 1, "c": {}}, "d": []});
        leaves("", &values, &mut rows);
        let rows: Vec<String> = rows
            .iter()
            .map(|(path, value)| format!("{path}={value}"))
            .collect();
        assert_eq!(rows, ["a.b=1", "a.c={}", "d=[]"]);
    }

    #[test]
    fn what_the_schema_does_not_describe_is_an_error() {
        let schema = serde_json::json!({"properties": {"a": {}}});
        assert!(description(&schema, "/properties/a").is_err());
        assert!(description(&schema, "/properties/b").is_err());
    }
}
