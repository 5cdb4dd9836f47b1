//! Whether the golden cases exercise everything: each reason, each field.

use std::{collections::BTreeSet, fs};

use ecs_operator::{
    diagnostic::{FieldPath, Reason, Severity, Subject},
    ecr::LifecyclePolicy,
    fields::{Api, Node, Outcome, Shape},
    source::{Catalog, Document, Fill, Kind, read_cluster},
};

use crate::{
    cases::{DIAGNOSTICS, cases, inputs},
    fields::full,
};

#[test]
fn every_reason_is_in_a_case() {
    let mut seen: BTreeSet<String> = of_a_cluster()
        .into_iter()
        .map(|(_, reason)| reason.to_string())
        .collect();
    // No document of a conversion is one.
    let policy = LifecyclePolicy::read("{}").expect_err("it has no rules");
    seen.extend(policy.iter().map(|it| it.reason().to_string()));
    // Offline, placeholders stand for the account and the region.
    seen.insert("RoleNameNeedsAccountId".to_owned());
    seen.insert("RegionRequired".to_owned());
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
        let catalog = Catalog::read(
            &paths.collect::<Vec<_>>(),
            None,
            Fill::default(),
            &mut |_| {},
        );
        for unit in catalog.into_units().filter_map(Result::ok) {
            for document in &unit.documents {
                note_fields(document, &mut seen);
            }
        }
    }
    let missing: Vec<String> = Api::ALL
        .iter()
        // Only the operator reads it; the next test does so too.
        .filter(|api| **api != Api::Cluster)
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

#[test]
fn what_has_no_meaning_in_a_cluster_is_noted() {
    let said = of_a_cluster();
    let silent: Vec<&str> = Api::Cluster
        .fields()
        .filter(|field| field.outcome == Outcome::Noted)
        .filter(|field| {
            let is_it = |(path, reason): &(String, Reason)| {
                field.path.starts_with(path) && field.reasons.contains(reason)
            };
            !said.iter().any(is_it)
        })
        .map(|field| field.path)
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
    let errors = said
        .iter()
        .filter(|(_, reason)| reason.severity() == Severity::Error);
    assert_eq!(errors.count(), 0, "{said:?}");
}

/// Returns the fields and reasons that the operator reads from an EcsCluster with every field.
fn of_a_cluster() -> Vec<(String, Reason)> {
    let (_, findings) = read_cluster(&full(Api::Cluster.tree()).to_string());
    findings
        .iter()
        .map(|finding| (finding.path.to_string(), finding.reason()))
        .collect()
}

/// Adds the fields of the document.
fn note_fields(document: &Document, seen: &mut BTreeSet<(Api, &'static str)>) {
    let root = FieldPath::root(Subject::TaskDefinition);
    let api = match document.kind() {
        Kind::TaskDefinition => Api::TaskDefinition,
        Kind::Service => Api::Service,
        Kind::Task => Api::Task,
        Kind::Cluster => Api::Cluster,
        Kind::CapacityProvider => Api::CapacityProvider,
        Kind::ScalableTarget => Api::ScalableTarget,
        Kind::ScalingPolicy => Api::ScalingPolicy,
        Kind::ScheduledAction => Api::ScheduledAction,
        Kind::Alarm => Api::MetricAlarm,
        Kind::Schedule => Api::Schedule,
        Kind::AppRunnerService => Api::AppRunnerService,
        Kind::AutoScalingConfiguration => Api::AutoScalingConfiguration,
        Kind::Rule | Kind::RuleTargets => Api::Rule,
        Kind::Pipe => Api::Pipe,
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
            (Api::MetricAlarm, "alarms"),
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

/// Whether the document contains the field itself.
fn stands(document: &Document, path: &FieldPath) -> bool {
    document.locate(path).is_some_and(|location| location.exact)
}
