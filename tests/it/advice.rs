//! Following the advice of an error does not lead to another error.

use std::collections::BTreeSet;

use ecs_operator::{
    convert::{Converter, Denied, Target},
    diagnostic::{Diagnostic, Reason, Segment, Severity},
    settings::Settings,
    source::{Catalog, Fill, SourceText, Unit},
};
use serde_json::Value;

use crate::cases;

/// Values that a rule rejects in every context, so that no advice may suggest them.
const REFUSED: &[&str] = &[
    "AWS_LAMBDA",
    "BLUE_GREEN",
    "CANARY",
    "CODE_DEPLOY",
    "CONFIDENTIAL_SANDBOX",
    "EXTERNAL",
    "ForecastAndScale",
    "LINEAR",
    "MANAGED_INSTANCES",
    "PAUSE",
    "StepScaling",
    "scheduled action",
];

#[test]
fn no_advice_names_what_is_refused() {
    let mut wrong = Vec::new();
    for reason in Reason::ALL {
        if reason.severity() == Severity::Error {
            let help = reason.help_template();
            let named = REFUSED.iter().filter(|value| help.contains(**value));
            wrong.extend(named.map(|value| format!("{reason} advises {value}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The name and text of a file.
type File = (String, String);

/// Returns the errors of files, with the units that they are about.
fn converted(files: &[File]) -> Vec<(Unit, Vec<Diagnostic>)> {
    let settings = Settings::default();
    let sources = files
        .iter()
        .map(|(name, text)| SourceText::new(name.as_str(), text));
    let catalog = Catalog::of_texts(sources, Fill::default(), &mut |_| {});
    let mut converter = Converter::new(&settings, Target::Manifests, Denied::Nothing);
    catalog
        .into_units()
        .map(|unit| {
            let unit = unit.expect("texts do not change");
            let conversion = converter.convert(&unit).expect("objects can be printed");
            let mut errors = conversion.diagnostics;
            errors.retain(|finding| finding.severity() == Severity::Error);
            (unit, errors)
        })
        .collect()
}

/// Whether the help first advises removing the member that the finding is about.
fn advises_to_remove(finding: &Diagnostic, member: &str) -> bool {
    let help = finding.message.help();
    let first = help.split([',', ':', ';']).next().unwrap_or_default();
    first == "remove it" || first == format!("remove {member}")
}

/// Returns the file without the member that a finding is about; `None` if the file contains more than the document.
fn without(unit: &Unit, finding: &Diagnostic, files: &[File]) -> Option<Vec<File>> {
    let (document, path) = unit.document_of(&finding.path)?;
    let [outer @ .., Segment::Member(member)] = path.segments() else {
        return None;
    };
    if !advises_to_remove(finding, member) {
        return None;
    }
    let name = document.source().name();
    let number = files.iter().position(|(file, _)| file == name)?;
    let mut root: Value = serde_json::from_str(&files[number].1).ok()?;
    let pointer: String = outer
        .iter()
        .map(|segment| match segment {
            Segment::Member(name) => format!("/{name}"),
            Segment::Element(index) => format!("/{index}"),
        })
        .collect();
    let members = root.pointer_mut(&pointer)?.as_object_mut()?;
    members.remove(&**member)?;
    let mut files = files.to_vec();
    files[number].1 = root.to_string();
    Some(files)
}

/// Returns errors without their positions, which other changes move.
fn said(converted: &[(Unit, Vec<Diagnostic>)]) -> BTreeSet<(Reason, String)> {
    let all = converted.iter().flat_map(|(_, errors)| errors);
    all.map(|finding| (finding.reason(), finding.path.to_string()))
        .collect()
}

#[test]
fn what_is_to_be_removed_can_be_removed() {
    let mut wrong = Vec::new();
    let mut tried = BTreeSet::new();
    for case in cases::cases() {
        let files: Vec<File> = cases::texts(&case);
        let before = converted(&files);
        let known = said(&before);
        for (unit, errors) in &before {
            for finding in errors {
                let Some(changed) = without(unit, finding, &files) else {
                    continue;
                };
                tried.insert(finding.reason());
                let after = said(&converted(&changed));
                for (reason, path) in after.difference(&known) {
                    let place = case.display();
                    let removed = &finding.path;
                    wrong.push(format!("{place}: without {removed}: {reason} at {path}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried.len() > 10, "only {tried:?} were tried");
}
