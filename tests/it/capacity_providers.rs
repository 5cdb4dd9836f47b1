//! Changes each field of the capacity providers in the golden cases, and compares what happens with what the table says.

use std::collections::BTreeSet;

use ecs_operator::{
    diagnostic::Severity,
    fields::{Api, Outcome},
    source::{Catalog, Content, Fill, read_capacity_provider},
    translate::{ProvidedNodes, translate_capacity_provider},
    validate::validate_capacity_provider,
};
use serde_json::{Value, json};

use crate::{
    cases::{cases, inputs},
    effects::{leaves, others, take_out},
};

/// What becomes of a capacity provider, and the warnings and errors about it.
#[derive(PartialEq)]
struct Effects {
    nodes: Option<ProvidedNodes>,
    name: Option<String>,
    findings: BTreeSet<String>,
}

fn effects(spec: &Value) -> Effects {
    let (request, mut findings) = read_capacity_provider("web", &spec.to_string());
    let nodes = match validate_capacity_provider(&request) {
        Ok(provider) => {
            let (nodes, notes) = translate_capacity_provider(&provider);
            findings.append(notes);
            Some(nodes)
        }
        Err(errors) => {
            findings.append(errors);
            None
        }
    };
    let findings = findings.into_sorted();
    let findings = findings.iter().filter(|it| it.severity() != Severity::Note);
    Effects {
        nodes,
        name: request.name,
        findings: findings
            .map(|it| format!("{} {} {}", it.path, it.reason(), it.message))
            .collect(),
    }
}

/// Returns the capacity providers of the golden cases, each with what only an Auto Scaling group or Karpenter has.
fn specs() -> Vec<Value> {
    let mut specs = Vec::new();
    for case in cases() {
        let paths = inputs(&case).into_iter().map(|name| case.join(name));
        let paths: Vec<_> = paths.collect();
        let catalog = Catalog::read(&paths, None, Fill::default(), &mut |_| {});
        for unit in catalog.into_units().filter_map(Result::ok) {
            if let Content::CapacityProvider(request) = unit.content {
                specs.push(json!(request));
            }
        }
    }
    let class = json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "web"});
    let with_karpenter = specs.iter().filter(|spec| spec.get("kubernetes").is_none());
    let with_karpenter: Vec<Value> = with_karpenter
        .cloned()
        .map(|mut spec| {
            spec["kubernetes"] = json!({"karpenter": {"nodeClassRef": class}});
            spec
        })
        .collect();
    specs.extend(with_karpenter);
    specs
}

/// These say what Auto Scaling group it is, and that they are there is all that counts.
const ONLY_PRESENT: &[&str] = &["autoScalingGroupProvider.autoScalingGroupArn"];

#[test]
fn every_row_of_a_capacity_provider_says_what_is_so() {
    let (mut by_value, mut by_presence, mut warned) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for spec in specs() {
        let before = effects(&spec);
        for (field, at) in leaves(Api::CapacityProvider.tree(), &spec, "") {
            let mut without = spec.clone();
            take_out(&mut without, &at);
            let after = effects(&without);
            let is_told = before.findings.iter().any(|finding| {
                let path = finding.split(' ').next().unwrap_or_default();
                let plain = |text: &str| -> String {
                    text.chars()
                        .filter(|c| !c.is_ascii_digit() && !"[]".contains(*c))
                        .collect()
                };
                let own = plain(field.path);
                let around = own.rsplit_once('.').map_or("", |(around, _)| around);
                !path.is_empty() && [own.as_str(), around].contains(&plain(path).as_str())
            });
            if is_told {
                warned.insert(field.path);
            }
            if after != before {
                by_presence.insert(field.path);
            }
            let value = spec.pointer(&at).expect("it was found");
            for other in others(field, value) {
                let mut changed = spec.clone();
                *changed.pointer_mut(&at).expect("it was found") = other;
                if effects(&changed) != before {
                    by_value.insert(field.path);
                }
            }
        }
    }
    let mut wrong = Vec::new();
    for field in Api::CapacityProvider.fields() {
        let path = field.path;
        let has_effect = by_presence.contains(path)
            && (by_value.contains(path) || field.limits.values.len() == 1);
        let is_clear = field.default.is_some() && by_value.contains(path);
        let says = match field.outcome {
            Outcome::Translated => has_effect || is_clear,
            Outcome::Warned => warned.contains(path) || ONLY_PRESENT.contains(&path),
            Outcome::Noted => !has_effect,
            Outcome::Rejected | Outcome::NotYet => false,
        };
        if !says {
            wrong.push(format!("{path} is not {}", field.outcome.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
