//! Values that the reader leaves out are reported once, without consequential errors.

use std::collections::BTreeMap;

use ecs_operator::{
    convert::{Converter, Denied, Target, for_resources},
    diagnostic::{Diagnostic, Severity},
    settings::Settings,
    source::{Catalog, Fill, SourceText},
};
use serde_json::{Value, json};

use crate::cases;

/// The name and text of a file.
type File = (String, String);

/// Returns rejections in addition to those of the reader; if `left_out`, only in units from which something was left
/// out.
fn rejected(files: &[File], settings: &Settings, left_out: bool) -> Vec<Diagnostic> {
    let sources = files
        .iter()
        .map(|(name, text)| SourceText::new(name.as_str(), text));
    let catalog = Catalog::of_texts(sources, Fill::default(), &mut |_| {});
    let mut converter = Converter::new(settings, Target::Manifests, Denied::Nothing);
    let mut found = Vec::new();
    for unit in catalog.into_units() {
        let unit = unit.expect("texts do not change");
        if unit.left_out.is_empty() && left_out {
            continue;
        }
        let conversion = converter.convert(&unit).expect("objects can be printed");
        let new = |finding: &Diagnostic| {
            finding.severity() == Severity::Error
                && !unit.diagnostics.iter().any(|known| known == finding)
        };
        found.extend(conversion.diagnostics.into_iter().filter(new));
    }
    found
}

/// Collects the pointers of every member and element.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .map(|(index, value)| (index.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    for (key, value) in inner {
        let at = format!("{at}/{key}");
        all.push(at.clone());
        pointers(value, &at, all);
    }
}

/// Whether a value says nothing, so that a wrong one in its place leaves nothing out: Terraform prints each argument
/// that is not given, and a wrong value would give it.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Returns the document with a value of the wrong type, or with a misspelled name.
fn damaged(document: &Value, pointer: &str, misspelt: bool) -> Option<Value> {
    let (parent, key) = pointer.rsplit_once('/')?;
    if is_empty(document.pointer(pointer)?) {
        return None;
    }
    let mut document = document.clone();
    if misspelt {
        let members = document.pointer_mut(parent)?.as_object_mut()?;
        let value = members.remove(key)?;
        members.insert(format!("{key}{}", key.chars().last()?), value);
    } else {
        let value = document.pointer_mut(pointer)?;
        *value = match value {
            Value::Object(_) => json!("wrong"),
            _ => json!({"wrong": {"type": true}}),
        };
    }
    Some(document)
}

/// Damages each member of the case's files in turn, each time with the next settings, and collects the additional
/// rejections.
fn try_case(files: &[File], settings: &[Settings], wrong: &mut BTreeMap<String, String>) -> usize {
    let mut tried = 0;
    let before = settings.iter().map(|it| rejected(files, it, false));
    let before: Vec<_> = settings.iter().zip(before).collect();
    let mut turns = before.iter().cycle();
    for (number, (name, text)) in files.iter().enumerate() {
        let Ok(document) = serde_json::from_str::<Value>(text) else {
            continue;
        };
        let mut all = Vec::new();
        pointers(&document, "", &mut all);
        for (pointer, misspelt) in all
            .iter()
            .flat_map(|pointer| [(pointer, false), (pointer, true)])
        {
            let Some(document) = damaged(&document, pointer, misspelt) else {
                continue;
            };
            let mut files = files.to_vec();
            files[number].1 = document.to_string();
            tried += 1;
            let (settings, before) = turns.next().expect("there are settings");
            for finding in rejected(&files, settings, true) {
                if !before.iter().any(|known| known.message == finding.message) {
                    let said = format!("{}: {}", finding.reason(), finding.message);
                    let place = format!("{name}{pointer}, said of {}", finding.path);
                    wrong.entry(said).or_insert(place);
                }
            }
        }
    }
    tried
}

#[test]
fn nothing_is_said_because_of_what_was_left_out() {
    let settings = Settings {
        aws_region: Some("eu-west-1".to_owned()),
        aws_account_id: Some("123456789012".to_owned()),
        ..Settings::default()
    };
    let settings = [
        Settings::default(),
        settings.clone(),
        for_resources(settings),
    ];
    let mut wrong = BTreeMap::new();
    let mut tried = 0;
    for case in cases::cases() {
        let files: Vec<File> = cases::texts(&case);
        let mut found = BTreeMap::new();
        tried += try_case(&files, &settings, &mut found);
        for (said, place) in found {
            wrong.insert(format!("{} of {}", said, case.display()), place);
        }
    }
    assert!(tried > 10_000, "only {tried} members were tried");
    let report: String = wrong
        .iter()
        .map(|(said, place)| format!("{said}: {place}\n"))
        .collect();
    assert!(wrong.is_empty(), "{report}");
}
