//! Capacity provider strategies: how tasks are split over providers, and which nodes their pods select.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    NodeSelectorRequirement, NodeSelectorTerm, PodTemplateSpec, PreferredSchedulingTerm, Toleration,
};

use crate::{
    diagnostic::{Diagnostics, Message},
    settings::{NodeSelection, NodeToleration, SpotFallback},
    translate::{Context, LABEL_LENGTH, kname, labels},
    validate::{Capacity, CapacityProvider, LaunchType},
};

/// Karpenter's label of nodes; `spot` for those that can be interrupted.
const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";
/// The largest weight of a preference of nodes.
const LARGEST_PREFERENCE: i32 = 100;
/// The largest weight that AWS accepts. It limits the work of [`split`] for any input.
const MAX_WEIGHT: u32 = 1000;
/// The label of pods that a Fargate profile selects
/// (<https://docs.aws.amazon.com/eks/latest/userguide/fargate-profile.html>).
const COMPUTE: &str = "ecs-operator.dev/compute";
/// Its value.
const FARGATE_PROFILE: &str = "fargate";

/// Returns how many of `tasks` each provider gets.
///
/// The base is filled first; each further task goes to the provider with the fewest tasks relative to its weight, or
/// the earlier one if there are several. AWS publishes only the ratio, not the order
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-capacity-providers.html>).
pub(crate) fn split(tasks: u32, providers: &[CapacityProvider]) -> Vec<u32> {
    let mut counts = vec![0; providers.len()];
    let mut left = tasks;
    for (count, provider) in counts.iter_mut().zip(providers) {
        *count = provider.base.min(left);
        left -= *count;
    }
    let weights: Vec<u32> = providers.iter().map(|p| p.weight.min(MAX_WEIGHT)).collect();
    let mut weighed = vec![0_u32; weights.len()];
    let total: u64 = weights.iter().copied().map(u64::from).sum();
    if total == 0 {
        return counts;
    }
    // After `total` tasks, each provider has exactly its weight, and the round starts again.
    let rounds = u64::from(left) / total;
    for (count, weight) in weighed.iter_mut().zip(&weights) {
        *count = u32::try_from(rounds * u64::from(*weight)).unwrap_or(u32::MAX);
    }
    for _ in 0..u64::from(left) % total {
        let next = weights
            .iter()
            .zip(&mut weighed)
            .filter(|(weight, _)| **weight > 0)
            .min_by(|(a, have_a), (b, have_b)| {
                let share_a = u64::from(**have_a) * u64::from(**b);
                let share_b = u64::from(**have_b) * u64::from(**a);
                share_a.cmp(&share_b)
            });
        if let Some((_, count)) = next {
            *count += 1;
        }
    }
    for (count, more) in counts.iter_mut().zip(weighed) {
        *count += more;
    }
    counts
}

/// Returns the providers that can get tasks, with their share of `tasks`.
pub(crate) fn shares(tasks: u32, capacity: &Capacity) -> Vec<(&CapacityProvider, u32)> {
    capacity
        .strategy
        .iter()
        .zip(split(tasks, &capacity.strategy))
        .filter(|(provider, _)| provider.takes_tasks())
        .collect()
}

/// Reports what the launch type and the providers of a service or task mean here.
pub(crate) fn report(cx: &Context<'_>, notes: &mut Diagnostics) {
    let Capacity {
        launch_type,
        strategy,
    } = cx.capacity();
    if *launch_type == Some(LaunchType::External) {
        notes.report(
            cx.root().field("launchType"),
            Message::ExternalLaunchTypeIsAnyNode,
        );
    }
    if cx.task_definition.eks_fargate {
        let message = Message::FargateProfileNeeded {
            ns: cx.settings.namespace.clone(),
            label: format!("{COMPUTE}={FARGATE_PROFILE}"),
        };
        notes.report(cx.root().field("launchType"), message);
    }
    let path = cx.root().field("capacityProviderStrategy");
    let is_fargate =
        |provider: &CapacityProvider| provider.name == "FARGATE" && provider.takes_tasks();
    if !cx.task_definition.eks_fargate {
        if *launch_type == Some(LaunchType::Fargate) {
            notes.report(cx.root().field("launchType"), Message::FargateRunsOnNodes);
        } else if let Some(index) = strategy.iter().position(is_fargate) {
            notes.report(
                path.index(index).field("capacityProvider"),
                Message::FargateRunsOnNodes,
            );
        }
    }
    for (index, provider) in strategy.iter().enumerate() {
        if provider.name == "FARGATE_SPOT" && provider.takes_tasks() {
            let message = match cx.settings.fargate_spot_fallback {
                SpotFallback::None => Message::FargateSpotIsKarpenterSpot,
                SpotFallback::OnDemand => Message::FargateSpotIsPreferred,
            };
            notes.report(path.index(index).field("capacityProvider"), message);
        }
    }
}

/// Returns the pods of a template on each provider that may get tasks, or without a provider.
pub(crate) fn placed(cx: &Context<'_>, template: &PodTemplateSpec) -> Vec<PodTemplateSpec> {
    let strategy = cx.capacity().strategy.iter();
    let providers: Vec<_> = strategy.filter(|provider| provider.takes_tasks()).collect();
    let on = |provider: Option<&CapacityProvider>| {
        let mut template = template.clone();
        place(cx, provider, &mut template);
        template
    };
    match providers.as_slice() {
        [] => vec![on(None)],
        providers => providers
            .iter()
            .map(|provider| on(Some(provider)))
            .collect(),
    }
}

/// Restricts the pods of `template` to the nodes of `provider`, or of the launch type if there is none.
pub(crate) fn place(
    cx: &Context<'_>,
    provider: Option<&CapacityProvider>,
    template: &mut PodTemplateSpec,
) {
    let falls_back = cx.settings.fargate_spot_fallback == SpotFallback::OnDemand;
    if falls_back && provider.is_some_and(|provider| provider.name == "FARGATE_SPOT") {
        prefer_spot(template);
    } else if let Some(selection) = provider.and_then(|provider| selection(cx, &provider.name)) {
        select(selection, template);
    }
    if cx.task_definition.eks_fargate && provider.is_none_or(|p| p.name == "FARGATE") {
        let metadata = template.metadata.get_or_insert_default();
        metadata
            .labels
            .get_or_insert_default()
            .insert(COMPUTE.to_owned(), FARGATE_PROFILE.to_owned());
    }
}

/// Returns what the pods of a provider select; `None` if any node will do.
fn selection(cx: &Context<'_>, provider: &str) -> Option<NodeSelection> {
    let label = |key: &str, value: String| NodeSelection {
        node_selector: BTreeMap::from([(key.to_owned(), value)]),
        tolerations: Vec::new(),
    };
    match provider {
        "FARGATE_SPOT" => Some(label(CAPACITY_TYPE, "spot".to_owned())),
        "FARGATE" => None,
        name => {
            let said = cx.settings.capacity_providers.get(name).cloned();
            let usual = || label(labels::CAPACITY_PROVIDER, kname(name, LABEL_LENGTH));
            Some(said.unwrap_or_else(usual))
        }
    }
}

/// Lets the pods of `template` run on other nodes while there is no Spot capacity. Karpenter treats what is preferred as
/// required until it cannot have it (<https://karpenter.sh/docs/concepts/scheduling/#preferences>).
fn prefer_spot(template: &mut PodTemplateSpec) {
    let spec = template.spec.get_or_insert_default();
    let affinity = spec.affinity.get_or_insert_default();
    let of_nodes = affinity.node_affinity.get_or_insert_default();
    let preferred = &mut of_nodes.preferred_during_scheduling_ignored_during_execution;
    let spot = NodeSelectorRequirement {
        key: CAPACITY_TYPE.to_owned(),
        operator: "In".to_owned(),
        values: Some(vec!["spot".to_owned()]),
    };
    preferred
        .get_or_insert_default()
        .push(PreferredSchedulingTerm {
            weight: LARGEST_PREFERENCE,
            preference: NodeSelectorTerm {
                match_expressions: Some(vec![spot]),
                match_fields: None,
            },
        });
}

/// Adds what the pods of `template` select to what they select already.
fn select(selection: NodeSelection, template: &mut PodTemplateSpec) {
    let NodeSelection {
        node_selector,
        tolerations,
    } = selection;
    let spec = template.spec.get_or_insert_default();
    if !node_selector.is_empty() {
        let selector = spec.node_selector.get_or_insert_default();
        selector.extend(node_selector);
    }
    if !tolerations.is_empty() {
        let of_pod = spec.tolerations.get_or_insert_default();
        of_pod.extend(tolerations.into_iter().map(toleration));
    }
}

fn toleration(of_node: NodeToleration) -> Toleration {
    let NodeToleration {
        key,
        operator,
        value,
        effect,
    } = of_node;
    Toleration {
        key,
        operator,
        value,
        effect,
        toleration_seconds: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A strategy as base and weight of each provider, with counts of tasks and the resulting share of each provider.
    type Table<'a> = (&'a [(u32, u32)], &'a [(u32, &'a [u32])]);

    #[test]
    fn tasks_split_by_base_and_weight() {
        let tables: [Table<'_>; 6] = [
            (&[(0, 1), (0, 1)], &[(5, &[3, 2])]),
            (
                &[(0, 1), (0, 4)],
                &[(1, &[1, 0]), (2, &[1, 1]), (5, &[1, 4]), (10, &[2, 8])],
            ),
            (
                &[(2, 1), (0, 3)],
                &[
                    (1, &[1, 0]),
                    (2, &[2, 0]),
                    (3, &[3, 0]),
                    (6, &[3, 3]),
                    (10, &[4, 6]),
                ],
            ),
            (&[(1, 0), (0, 1)], &[(4, &[1, 3])]),
            (&[(0, 1)], &[(7, &[7])]),
            (
                &[(0, 1), (0, 1000)],
                &[(4_000_000_000, &[3_996_004, 3_996_003_996])],
            ),
        ];
        for (strategy, rows) in tables {
            let providers: Vec<_> = strategy
                .iter()
                .enumerate()
                .map(|(index, (base, weight))| CapacityProvider {
                    name: index.to_string(),
                    base: *base,
                    weight: *weight,
                })
                .collect();
            for (tasks, expected) in rows {
                assert_eq!(split(*tasks, &providers), *expected, "{strategy:?} {tasks}");
            }
        }
    }
}
