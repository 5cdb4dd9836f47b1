//! Compares the rows of the table with what becomes of documents when each of their fields is changed.

use std::collections::BTreeSet;

use ecs_operator::{
    diagnostic::Severity,
    fields::{Api, Field, Outcome},
};
use serde_json::Value;

use crate::effects::{leaves, others, take_out};

/// What is said about a document: path, severity and text.
pub type Findings = BTreeSet<(String, Severity, String)>;

/// Whether something of this severity is said about a field, or about what it is a member of.
fn tell(findings: &Findings, field: &Field, severity: Severity) -> bool {
    findings.iter().any(|(path, found, _)| {
        *found == severity && !path.is_empty() && field.path.starts_with(path.as_str())
    })
}

/// What is said to somebody who does not ask for notes.
fn said(findings: &Findings) -> Vec<&String> {
    let findings = findings.iter();
    let findings = findings.filter(|(_, severity, _)| *severity != Severity::Note);
    findings.map(|(.., text)| text).collect()
}

/// Returns the rows that do not say what is so. `run` returns what becomes of a document beside those that come with it, and
/// what is said about it.
pub fn wrong_rows<D, M: PartialEq>(
    api: Api,
    documents: &[(Value, D)],
    run: impl Fn(&Value, &D) -> (M, Findings),
) -> Vec<String> {
    let mut matters = BTreeSet::new();
    let mut told = BTreeSet::new();
    for (document, beside) in documents {
        let (made, before) = run(document, beside);
        for (field, at) in leaves(api.tree(), document, "") {
            for severity in [Severity::Error, Severity::Warning, Severity::Note] {
                if tell(&before, field, severity) {
                    told.insert((field.path, severity));
                }
            }
            if matters.contains(field.path) {
                continue;
            }
            let mut changed = vec![document.clone()];
            take_out(&mut changed[0], &at);
            let value = document.pointer(&at).expect("it was found");
            for other in others(field, value) {
                let mut with = document.clone();
                *with.pointer_mut(&at).expect("it was found") = other;
                changed.push(with);
            }
            let does_matter = changed.iter().any(|changed| {
                let (other, after) = run(changed, beside);
                other != made || said(&after) != said(&before)
            });
            if does_matter {
                matters.insert(field.path);
            }
        }
    }
    let wrong = api.fields().filter(|field| {
        let is_told = |severity| told.contains(&(field.path, severity));
        !match field.outcome {
            Outcome::Translated => matters.contains(field.path),
            Outcome::Warned => is_told(Severity::Warning),
            Outcome::Noted => is_told(Severity::Note) || !matters.contains(field.path),
            Outcome::Rejected => is_told(Severity::Error),
            Outcome::NotYet => false,
        }
    });
    wrong
        .map(|field| format!("{} is not {}", field.path, field.outcome.name()))
        .collect()
}
