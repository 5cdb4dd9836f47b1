//! Whether the golden cases exercise everything: each reason, each field.

use std::{collections::BTreeSet, fs};

use ecs_operator::{
    diagnostic::{FieldPath, Reason, Subject},
    fields::{Api, Node, Shape},
    source::{Catalog, Document, Fill, Kind},
};

use crate::cases::{DIAGNOSTICS, cases, inputs};

#[test]
fn every_reason_is_in_a_case() {
    let mut seen = BTreeSet::new();
    for case in cases() {
        let diagnostics = fs::read_to_string(case.join(DIAGNOSTICS)).unwrap_or_default();
        let words = diagnostics.split(|c: char| !c.is_ascii_alphanumeric());
        seen.extend(words.map(str::to_owned));
    }
    let missing: Vec<&str> = Reason::ALL
        .iter()
        .map(|reason| reason.name())
        .filter(|name| !seen.contains(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "{} reasons are in no case:\n{}",
        missing.len(),
        missing.join("\n")
    );
}

#[test]
fn every_field_is_in_a_case() {
    let mut seen = BTreeSet::new();
    for case in cases() {
        let paths = inputs(&case).into_iter().map(|name| case.join(name));
        let catalog = Catalog::read(&paths.collect::<Vec<_>>(), Fill::default(), &mut |_| {});
        for unit in catalog.into_units().filter_map(Result::ok) {
            for document in &unit.documents {
                note_fields(document, &mut seen);
            }
        }
    }
    let missing: Vec<String> = Api::ALL
        .iter()
        .flat_map(|api| api.fields().map(move |field| (*api, field.path)))
        .filter(|field| !seen.contains(field))
        .map(|(api, path)| format!("{} {path}", api.name()))
        .collect();
    assert!(
        missing.is_empty(),
        "{} fields are in no case:\n{}",
        missing.len(),
        missing.join("\n")
    );
}

/// Adds the fields that the document has.
fn note_fields(document: &Document, seen: &mut BTreeSet<(Api, &'static str)>) {
    let root = FieldPath::root(Subject::TaskDefinition);
    let api = match document.kind() {
        Kind::TaskDefinition => Api::TaskDefinition,
        Kind::Service => Api::Service,
        Kind::Task => Api::Task,
        Kind::ScalableTarget => Api::ScalableTarget,
        Kind::ScalingPolicy => Api::ScalingPolicy,
        Kind::ScheduledAction => Api::ScheduledAction,
    };
    note(document, api, api.tree(), &root, seen);
    if api == Api::Service {
        let extension = Api::Kubernetes;
        note(
            document,
            extension,
            extension.tree(),
            &root.field("kubernetes"),
            seen,
        );
        let scaling = root.field("autoScaling");
        let target = scaling.field("scalableTarget");
        note(
            document,
            Api::ScalableTarget,
            Api::ScalableTarget.tree(),
            &target,
            seen,
        );
        for (api, list) in [
            (Api::ScalingPolicy, "scalingPolicies"),
            (Api::ScheduledAction, "scheduledActions"),
        ] {
            note_elements(document, api, api.tree(), &scaling.field(list), seen);
        }
    }
}

fn note(
    document: &Document,
    api: Api,
    node: &'static Node,
    path: &FieldPath,
    seen: &mut BTreeSet<(Api, &'static str)>,
) {
    match &node.shape {
        Shape::Object(members) => {
            for (name, member) in members {
                note(document, api, member, &path.field(*name), seen);
            }
        }
        Shape::List(element) => note_elements(document, api, element, path, seen),
        Shape::Leaf(field) if stands(document, path) => {
            seen.insert((api, field.path));
        }
        Shape::Leaf(_) => {}
    }
}

fn note_elements(
    document: &Document,
    api: Api,
    element: &'static Node,
    path: &FieldPath,
    seen: &mut BTreeSet<(Api, &'static str)>,
) {
    let mut index = 0;
    while stands(document, &path.index(index)) {
        note(document, api, element, &path.index(index), seen);
        index += 1;
    }
}

/// Whether the document has the field itself.
fn stands(document: &Document, path: &FieldPath) -> bool {
    document.locate(path).is_some_and(|location| location.exact)
}
