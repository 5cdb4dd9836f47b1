//! Combines the affinity that ECS placement gives with that of `kubernetes.pod`.

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorTerm, PodAffinity, PodAntiAffinity,
};

/// Returns the affinity that requires and prefers what both do.
pub(super) fn combined(ecs: Option<Affinity>, more: &Affinity) -> Affinity {
    let ecs = ecs.unwrap_or_default();
    let more = more.clone();
    Affinity {
        node_affinity: both(ecs.node_affinity, more.node_affinity, of_nodes),
        pod_affinity: both(ecs.pod_affinity, more.pod_affinity, |a, b| PodAffinity {
            preferred_during_scheduling_ignored_during_execution: list(
                a.preferred_during_scheduling_ignored_during_execution,
                b.preferred_during_scheduling_ignored_during_execution,
            ),
            required_during_scheduling_ignored_during_execution: list(
                a.required_during_scheduling_ignored_during_execution,
                b.required_during_scheduling_ignored_during_execution,
            ),
        }),
        pod_anti_affinity: both(ecs.pod_anti_affinity, more.pod_anti_affinity, |a, b| {
            PodAntiAffinity {
                preferred_during_scheduling_ignored_during_execution: list(
                    a.preferred_during_scheduling_ignored_during_execution,
                    b.preferred_during_scheduling_ignored_during_execution,
                ),
                required_during_scheduling_ignored_during_execution: list(
                    a.required_during_scheduling_ignored_during_execution,
                    b.required_during_scheduling_ignored_during_execution,
                ),
            }
        }),
    }
}

fn both<T>(a: Option<T>, b: Option<T>, combine: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(combine(a, b)),
        (a, b) => a.or(b),
    }
}

/// Returns one list after the other.
pub(super) fn list<T>(a: Option<Vec<T>>, b: Option<Vec<T>>) -> Option<Vec<T>> {
    both(a, b, |mut a, b| {
        a.extend(b);
        a
    })
}

fn of_nodes(a: NodeAffinity, b: NodeAffinity) -> NodeAffinity {
    NodeAffinity {
        preferred_during_scheduling_ignored_during_execution: list(
            a.preferred_during_scheduling_ignored_during_execution,
            b.preferred_during_scheduling_ignored_during_execution,
        ),
        required_during_scheduling_ignored_during_execution: both(
            a.required_during_scheduling_ignored_during_execution,
            b.required_during_scheduling_ignored_during_execution,
            |a, b| NodeSelector {
                node_selector_terms: product(&a.node_selector_terms, &b.node_selector_terms),
            },
        ),
    }
}

/// A node matches a selector if it matches one of its terms, so one that matches two selectors matches a pair of terms.
fn product(a: &[NodeSelectorTerm], b: &[NodeSelectorTerm]) -> Vec<NodeSelectorTerm> {
    a.iter()
        .flat_map(|a| b.iter().map(|b| term(a.clone(), b.clone())))
        .collect()
}

/// Returns a term for nodes that match both. A term without requirements matches no node
/// (<https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#NodeAffinity>).
fn term(a: NodeSelectorTerm, b: NodeSelectorTerm) -> NodeSelectorTerm {
    let is_empty = |term: &NodeSelectorTerm| {
        term.match_expressions.as_ref().is_none_or(Vec::is_empty)
            && term.match_fields.as_ref().is_none_or(Vec::is_empty)
    };
    if is_empty(&a) || is_empty(&b) {
        return NodeSelectorTerm::default();
    }
    NodeSelectorTerm {
        match_expressions: list(a.match_expressions, b.match_expressions),
        match_fields: list(a.match_fields, b.match_fields),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(value: Value) -> Affinity {
        serde_json::from_value(value).expect("it is an affinity")
    }

    fn required(terms: &[&[&str]]) -> Value {
        let expression = |key: &&str| json!({"key": key, "operator": "Exists"});
        let terms: Vec<Value> = terms
            .iter()
            .map(|keys| match keys {
                [] => json!({}),
                keys => {
                    json!({"matchExpressions": keys.iter().map(expression).collect::<Vec<_>>()})
                }
            })
            .collect();
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}})
    }

    #[test]
    fn a_node_meets_the_requirements_of_both() {
        for (ecs, more, expected) in [
            (
                required(&[&["a"], &["b"]]),
                required(&[&["c"], &["d", "e"]]),
                required(&[&["a", "c"], &["a", "d", "e"], &["b", "c"], &["b", "d", "e"]]),
            ),
            (json!({}), required(&[&["c"]]), required(&[&["c"]])),
            (required(&[&["a"]]), json!({}), required(&[&["a"]])),
            (required(&[&["a"]]), required(&[&[]]), required(&[&[]])),
        ] {
            assert_eq!(combined(Some(of(ecs)), &of(more)), of(expected));
        }
        let alone = of(required(&[&["c"]]));
        assert_eq!(combined(None, &alone), alone);
    }

    #[test]
    fn preferences_and_rules_for_pods_are_appended() {
        let rule = |key: &str| json!({"topologyKey": key});
        let weighed = |key: &str| json!({"weight": 1, "podAffinityTerm": {"topologyKey": key}});
        let nodes = |key: &str| json!({"weight": 1, "preference": {"matchFields": [{"key": key, "operator": "Exists"}]}});
        let whole = |keys: &[&str]| {
            let all =
                |of: &dyn Fn(&str) -> Value| keys.iter().map(|key| of(key)).collect::<Vec<_>>();
            let of_pods = json!({
                "requiredDuringSchedulingIgnoredDuringExecution": all(&rule),
                "preferredDuringSchedulingIgnoredDuringExecution": all(&weighed),
            });
            of(json!({
                "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": all(&nodes)},
                "podAffinity": of_pods,
                "podAntiAffinity": of_pods,
            }))
        };
        assert_eq!(
            combined(Some(whole(&["a"])), &whole(&["b"])),
            whole(&["a", "b"])
        );
    }
}
