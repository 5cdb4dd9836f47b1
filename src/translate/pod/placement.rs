//! Converts placement constraints and strategies to affinity and topology spread constraints.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::core::v1::{
        Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
        PodAffinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement},
};

use super::Draft;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::Addon,
    translate::{Context, LABEL_LENGTH, Workload, kname, labels},
    validate::{
        GroupRule, NodeAttribute, Placement, PlacementConstraint, PlacementStrategy, Requirement,
        Scheduling, Term, Test,
    },
};

const ZONE: &str = "topology.kubernetes.io/zone";
const HOSTNAME: &str = "kubernetes.io/hostname";
const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
const INSTANCE_FAMILY: &str = "karpenter.k8s.aws/instance-family";
/// The same label of nodes of EKS Auto Mode
/// (<https://docs.aws.amazon.com/eks/latest/userguide/create-node-pool.html>).
const AUTO_MODE_INSTANCE_FAMILY: &str = "eks.amazonaws.com/instance-family";
pub(crate) const OPERATING_SYSTEM: &str = "kubernetes.io/os";
const WINDOWS_BUILD: &str = "node.kubernetes.io/windows-build";
pub(crate) const ARCHITECTURE: &str = "kubernetes.io/arch";

/// Adds affinity and spread constraints.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    report_labels(cx, notes);
    draft.spec.affinity = affinity(cx, notes);
    let spread = spread(cx, notes);
    draft.spec.topology_spread_constraints = (!spread.is_empty()).then_some(spread);
}

/// Reports the labels of nodes that placement needs and nothing sets: those of attributes and of capacity providers.
/// Without them, pods stay pending, and a spread has no effect
/// (<https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>).
fn report_labels(cx: &Context<'_>, notes: &mut Diagnostics) {
    let Placement {
        constraints,
        strategies,
    } = cx.placement();
    let mut labels = BTreeSet::new();
    for constraint in cx.task_definition.constraints.iter().chain(constraints) {
        if let PlacementConstraint::MemberOf {
            path: _,
            terms,
            groups: _,
            agent_connected: _,
        } = constraint
        {
            labels.extend(
                terms
                    .iter()
                    .flatten()
                    .filter_map(|requirement| wanted_label(cx, requirement)),
            );
        }
    }
    for strategy in strategies {
        if let PlacementStrategy::Spread(attribute @ NodeAttribute::Custom(_)) = strategy {
            labels.insert(format!("{}=VALUE", label_key(cx, attribute)));
        }
    }
    let providers = cx.capacity().strategy.iter();
    let is_labeled = |name: &String| {
        let settings = cx.settings;
        settings.capacity_providers.contains_key(name) || settings.labeled_providers.contains(name)
    };
    let providers = providers.filter(|provider| provider.takes_tasks() && !provider.is_fargate());
    for provider in providers.filter(|provider| !is_labeled(&provider.name)) {
        let name = kname(&provider.name, LABEL_LENGTH);
        labels.insert(format!("{}={name}", labels::CAPACITY_PROVIDER));
    }
    if labels.is_empty() {
        return;
    }
    let labels: Vec<String> = labels.into_iter().collect();
    let example = labels.iter().find(|label| !label.contains('('));
    let example = example.map_or("LABEL=VALUE", String::as_str).to_owned();
    let labels = labels.join(", ");
    notes.report(cx.root(), Message::NodeLabelsNeeded { labels, example });
}

/// Returns the label that a node must have to satisfy a requirement; `None` if it may also lack the label.
fn wanted_label(cx: &Context<'_>, requirement: &Requirement) -> Option<String> {
    let Requirement { attribute, test } = requirement;
    let NodeAttribute::Custom(_) = attribute else {
        return None;
    };
    let value = match test {
        Test::In(values) => match values.as_slice() {
            [only] => only.clone(),
            values => format!("({})", values.join("|")),
        },
        Test::Exists => "VALUE".to_owned(),
        Test::Above(bound) => format!("({} or more)", bound.saturating_add(1)),
        Test::Below(bound) => format!("({} or less)", bound.saturating_sub(1)),
        Test::NotIn(_) | Test::Absent => return None,
    };
    Some(format!("{}={value}", label_key(cx, attribute)))
}

fn affinity(cx: &Context<'_>, notes: &mut Diagnostics) -> Option<Affinity> {
    let mut terms: Vec<Term> = vec![Term::new()];
    let mut near = Vec::new();
    let mut apart = Vec::new();
    let Placement {
        constraints,
        strategies: _,
    } = cx.placement();
    for constraint in cx.task_definition.constraints.iter().chain(constraints) {
        match constraint {
            PlacementConstraint::DistinctInstance => apart.push(pod_term(&[cx.group()])),
            PlacementConstraint::MemberOf {
                path,
                terms: alternatives,
                groups,
                agent_connected,
            } => {
                if *agent_connected {
                    notes.report(path.clone(), Message::AgentAlwaysConnected);
                }
                if alternatives.iter().flatten().any(needs_family_label) {
                    let label = family_label(cx).to_owned();
                    notes.report(
                        path.clone(),
                        Message::InstanceFamilyNeedsKarpenterLabel { label },
                    );
                }
                if !alternatives.is_empty() {
                    terms = product(&terms, alternatives);
                }
                for GroupRule { groups, together } in groups {
                    let list = if *together { &mut near } else { &mut apart };
                    list.push(pod_term(groups));
                }
            }
        }
    }
    terms.retain(|term| !term.is_empty());
    let affinity = Affinity {
        node_affinity: (!terms.is_empty()).then(|| node_affinity(cx, &terms)),
        pod_affinity: (!near.is_empty()).then(|| PodAffinity {
            required_during_scheduling_ignored_during_execution: Some(near),
            ..PodAffinity::default()
        }),
        pod_anti_affinity: (!apart.is_empty()).then(|| PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(apart),
            ..PodAntiAffinity::default()
        }),
    };
    (affinity != Affinity::default()).then_some(affinity)
}

fn needs_family_label(requirement: &Requirement) -> bool {
    requirement.attribute == NodeAttribute::InstanceFamily
}

/// Combines the alternatives of two constraints, which must both hold.
fn product(left: &[Term], right: &[Term]) -> Vec<Term> {
    left.iter()
        .flat_map(|l| right.iter().map(|r| [l.as_slice(), r.as_slice()].concat()))
        .collect()
}

fn node_affinity(cx: &Context<'_>, terms: &[Term]) -> NodeAffinity {
    let node_selector_terms = terms
        .iter()
        .map(|term| NodeSelectorTerm {
            match_expressions: Some(term.iter().map(|r| node_requirement(cx, r)).collect()),
            match_fields: None,
        })
        .collect();
    NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(NodeSelector {
            node_selector_terms,
        }),
        ..NodeAffinity::default()
    }
}

fn node_requirement(cx: &Context<'_>, requirement: &Requirement) -> NodeSelectorRequirement {
    let Requirement { attribute, test } = requirement;
    let (operator, values) = match test {
        Test::In(values) => ("In", Some(values.clone())),
        Test::NotIn(values) => ("NotIn", Some(values.clone())),
        Test::Exists => ("Exists", None),
        Test::Absent => ("DoesNotExist", None),
        Test::Above(bound) => ("Gt", Some(vec![bound.to_string()])),
        Test::Below(bound) => ("Lt", Some(vec![bound.to_string()])),
    };
    NodeSelectorRequirement {
        key: label_key(cx, attribute),
        operator: operator.to_owned(),
        values,
    }
}

fn family_label(cx: &Context<'_>) -> &'static str {
    if cx.settings.has(Addon::EksAutoMode) {
        AUTO_MODE_INSTANCE_FAMILY
    } else {
        INSTANCE_FAMILY
    }
}

/// Returns the node label for an attribute.
fn label_key(cx: &Context<'_>, attribute: &NodeAttribute) -> String {
    match attribute {
        NodeAttribute::Zone => ZONE.to_owned(),
        NodeAttribute::InstanceType => INSTANCE_TYPE.to_owned(),
        NodeAttribute::InstanceFamily => family_label(cx).to_owned(),
        NodeAttribute::OperatingSystem => OPERATING_SYSTEM.to_owned(),
        NodeAttribute::WindowsBuild => WINDOWS_BUILD.to_owned(),
        NodeAttribute::Architecture => ARCHITECTURE.to_owned(),
        NodeAttribute::Custom(name) => format!("attribute.ecs-operator.dev/{name}"),
    }
}

/// Returns a term for pods of any of these task groups on the same node.
fn pod_term(groups: &[String]) -> PodAffinityTerm {
    let names: Vec<String> = groups
        .iter()
        .map(|group| kname(group, LABEL_LENGTH))
        .collect();
    let selector = match names.as_slice() {
        [only] => LabelSelector {
            match_labels: Some([(labels::GROUP.to_owned(), only.clone())].into()),
            ..LabelSelector::default()
        },
        _ => LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: labels::GROUP.to_owned(),
                operator: "In".to_owned(),
                values: Some(names),
            }]),
            ..LabelSelector::default()
        },
    };
    PodAffinityTerm {
        label_selector: Some(selector),
        topology_key: HOSTNAME.to_owned(),
        ..PodAffinityTerm::default()
    }
}

fn spread(cx: &Context<'_>, notes: &mut Diagnostics) -> Vec<TopologySpreadConstraint> {
    let mut keys = match cx.workload {
        Workload::Service(service) if service.scheduling == Scheduling::Daemon => {
            return Vec::new();
        }
        Workload::Service(_) if cx.placement().strategies.is_empty() => {
            vec![ZONE.to_owned(), HOSTNAME.to_owned()]
        }
        Workload::Task(_) if cx.task_definition.fargate => vec![ZONE.to_owned()],
        Workload::Service(_) | Workload::Task(_) => strategy_keys(cx, notes),
    };
    if let Workload::Service(service) = cx.workload
        && service.availability_zone_rebalancing
    {
        let path = FieldPath::root(Subject::Service).field("availabilityZoneRebalancing");
        notes.report(path, Message::AzRebalancingAtScheduleTimeOnly);
        if !keys.iter().any(|key| key == ZONE) {
            keys.insert(0, ZONE.to_owned());
        }
    }
    keys.into_iter().map(|key| spread_over(cx, key)).collect()
}

fn strategy_keys(cx: &Context<'_>, notes: &mut Diagnostics) -> Vec<String> {
    let subject = if cx.is_task() {
        Subject::Task
    } else {
        Subject::Service
    };
    let root = FieldPath::root(subject).field("placementStrategy");
    let mut keys: Vec<String> = Vec::new();
    for (index, strategy) in cx.placement().strategies.iter().enumerate() {
        let key = match strategy {
            PlacementStrategy::SpreadInstances => HOSTNAME.to_owned(),
            PlacementStrategy::Spread(attribute) => label_key(cx, attribute),
            PlacementStrategy::Binpack => {
                notes.report(root.index(index), Message::BinpackNeedsSchedulerProfile);
                continue;
            }
            PlacementStrategy::Random => {
                notes.report(root.index(index), Message::RandomPlacementIsDefault);
                continue;
            }
        };
        // The API server rejects two constraints on the same key; the second would add nothing.
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if keys.len() > 1 {
        notes.report(root, Message::PlacementStrategyOrder);
    }
    keys
}

fn spread_over(cx: &Context<'_>, topology_key: String) -> TopologySpreadConstraint {
    let match_labels = if cx.is_task() {
        [(labels::GROUP.to_owned(), kname(&cx.group(), LABEL_LENGTH))].into()
    } else {
        cx.selector()
    };
    TopologySpreadConstraint {
        label_selector: Some(LabelSelector {
            match_labels: Some(match_labels),
            ..LabelSelector::default()
        }),
        // Only Deployments give their pods this label; it keeps old and new pods from counting together.
        match_label_keys: (!cx.is_task()).then(|| vec!["pod-template-hash".to_owned()]),
        max_skew: 1,
        topology_key,
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        ..TopologySpreadConstraint::default()
    }
}

#[cfg(test)]
mod tests {
    use crate::translate::testing::{Scenario, yaml};

    fn definition(expression: &str) -> String {
        format!(
            r#"{{"family": "web", "containerDefinitions": [{{"name": "web", "image": "nginx", "memory": 64}}],
                "placementConstraints": [{{"type": "memberOf", "expression": "{expression}"}}]}}"#
        )
    }

    #[test]
    fn an_expression_becomes_node_affinity() {
        let outcome = Scenario::service(definition(
            "attribute:ecs.instance-type == g4dn.xlarge && \
             !(attribute:ecs.availability-zone in [us-east-1d, us-east-1e]) or attribute:gpu exists",
        ))
        .run();
        let expected = yaml(
            "nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
    - matchExpressions:
      - key: node.kubernetes.io/instance-type
        operator: In
        values: [g4dn.xlarge]
      - key: topology.kubernetes.io/zone
        operator: NotIn
        values: [us-east-1d, us-east-1e]
    - matchExpressions:
      - key: attribute.ecs-operator.dev/gpu
        operator: Exists
",
        );
        assert_eq!(outcome.pod_spec()["affinity"], expected);
    }

    #[test]
    fn constraints_of_definition_and_service_hold_together() {
        let outcome = Scenario::service(definition("attribute:a exists or attribute:b exists"))
            .request(
                r#"{"placementConstraints": [{"type": "distinctInstance"},
                    {"type": "memberOf", "expression": "attribute:c exists or attribute:d exists"}]}"#,
            )
            .run();
        let affinity = &outcome.pod_spec()["affinity"];
        let terms = &affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
        let keys: Vec<Vec<&str>> = terms
            .as_array()
            .unwrap()
            .iter()
            .map(|term| {
                let expressions = term["matchExpressions"].as_array().unwrap();
                expressions
                    .iter()
                    .map(|e| e["key"].as_str().unwrap().rsplit('/').next().unwrap())
                    .collect()
            })
            .collect();
        assert_eq!(keys, [["a", "c"], ["a", "d"], ["b", "c"], ["b", "d"]]);
        let apart =
            &affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
        assert_eq!(
            apart["labelSelector"]["matchLabels"]["ecs-operator.dev/group"],
            "service-web-8d8bbb52"
        );
    }

    #[test]
    fn strategies_become_spread_constraints() {
        let plain = r#"{"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx", "memory": 64}]}"#;
        for (request, keys, reasons) in [
            (
                "{}",
                vec!["topology.kubernetes.io/zone", "kubernetes.io/hostname"],
                vec![],
            ),
            (
                r#"{"placementStrategy": [{"type": "spread", "field": "host"}], "availabilityZoneRebalancing": "ENABLED"}"#,
                vec!["topology.kubernetes.io/zone", "kubernetes.io/hostname"],
                vec!["AzRebalancingAtScheduleTimeOnly"],
            ),
            (
                r#"{"placementStrategy": [{"type": "spread", "field": "attribute:rack"}, {"type": "spread", "field": "instanceId"}]}"#,
                vec!["attribute.ecs-operator.dev/rack", "kubernetes.io/hostname"],
                vec!["PlacementStrategyOrder"],
            ),
            (
                r#"{"placementStrategy": [{"type": "binpack", "field": "memory"}, {"type": "random"}]}"#,
                vec![],
                vec!["BinpackNeedsSchedulerProfile", "RandomPlacementIsDefault"],
            ),
            (r#"{"schedulingStrategy": "DAEMON"}"#, vec![], vec![]),
        ] {
            let outcome = Scenario::service(plain).request(request).run();
            let spread = outcome.pod_spec()["topologySpreadConstraints"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let found: Vec<_> = spread
                .iter()
                .map(|c| c["topologyKey"].as_str().unwrap())
                .collect();
            assert_eq!(found, keys, "{request}");
            assert!(
                spread
                    .iter()
                    .all(|c| c["matchLabelKeys"] == yaml("[pod-template-hash]"))
            );
            for reason in reasons {
                assert!(outcome.has(reason), "{request}: {:?}", outcome.notes());
            }
        }
        let task = Scenario::task(plain)
            .request(r#"{"placementStrategy": [{"type": "spread", "field": "host"}], "group": "nightly"}"#)
            .run();
        let spread = &task.pod_spec()["topologySpreadConstraints"][0];
        assert_eq!(
            spread["labelSelector"]["matchLabels"],
            yaml("{ecs-operator.dev/group: nightly}")
        );
        assert!(spread["matchLabelKeys"].is_null());
        assert!(Scenario::task(plain).run().pod_spec()["topologySpreadConstraints"].is_null());
    }
}
