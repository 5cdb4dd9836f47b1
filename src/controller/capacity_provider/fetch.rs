//! What capacity providers say, for what is about to begin.

use std::{collections::BTreeSet, sync::Arc};

use kube::{ResourceExt as _, runtime::reflector::ObjectRef};

use super::CAPACITY_PROVIDERS;
use crate::{
    controller::{
        cluster::complete,
        context::Context,
        refusal::{Refusal, refused},
    },
    crd::{EcsCapacityProvider, Spec, TaskProviderStatus, WarningStatus},
    diagnostic::StateReason,
    ecs,
    settings::Settings,
    source::read_capacity_provider,
    translate::{LABEL_LENGTH, ProvidedNodes, kname, translate_capacity_provider},
    validate::validate_capacity_provider,
};

/// What a capacity provider that is not rejected says.
pub(super) struct Accepted {
    pub(super) nodes: ProvidedNodes,
    /// The differences from ECS.
    pub(super) warnings: Vec<WarningStatus>,
}

/// Returns what a capacity provider says, or everything that is wrong with it.
pub(super) fn read(provider: &EcsCapacityProvider) -> Result<Accepted, Refusal> {
    let name = provider.name_any();
    let (request, mut findings) = read_capacity_provider(&name, provider.spec.text());
    if findings.has_errors() {
        return Err(refused(findings));
    }
    let validated = validate_capacity_provider(&request).map_err(refused)?;
    let expected = kname(&validated.name, LABEL_LENGTH);
    if expected != name {
        return Err(Refusal::name_differs("name", &validated.name, &expected));
    }
    let (nodes, notes) = translate_capacity_provider(&validated);
    findings.append(notes);
    Ok(Accepted {
        nodes,
        warnings: Refusal::warnings(findings),
    })
}

/// Returns the name of a capacity provider, as strategies have it.
pub(super) fn name_of(provider: &EcsCapacityProvider) -> String {
    let own = provider.name_any();
    let (request, _) = read_capacity_provider(&own, provider.spec.text());
    request.name.unwrap_or(own)
}

/// Returns the capacity providers that tasks with a strategy may be placed on, for their status.
pub(crate) fn of_task(
    cx: &Context,
    strategy: &[ecs::CapacityProviderStrategyItem],
) -> Vec<TaskProviderStatus> {
    let of_strategy = named(strategy).into_iter().map(|name| {
        let accepted = find(cx, name).and_then(|provider| read(&provider).ok());
        let taints = accepted.map_or_else(Vec::new, |it| it.nodes.taints);
        TaskProviderStatus {
            name: name.to_owned(),
            tolerated_taints: taints.iter().map(ToString::to_string).collect(),
        }
    });
    of_strategy.collect()
}

/// Returns the providers of a strategy that an object may describe.
fn named(strategy: &[ecs::CapacityProviderStrategyItem]) -> BTreeSet<&str> {
    let names = strategy
        .iter()
        .filter_map(|entry| entry.capacity_provider.as_deref());
    names
        .filter(|name| !matches!(*name, "FARGATE" | "FARGATE_SPOT"))
        .collect()
}

fn find(cx: &Context, name: &str) -> Option<Arc<EcsCapacityProvider>> {
    let object = ObjectRef::new(&kname(name, LABEL_LENGTH));
    let found = cx.capacity_providers.store.get(&object)?;
    (name_of(&found) == name).then_some(found)
}

/// Whether a strategy can name this capacity provider without anyone labeling nodes.
pub(crate) fn is_provided(cx: &Context, name: &str) -> bool {
    if matches!(name, "FARGATE" | "FARGATE_SPOT") {
        return true;
    }
    let accepted = find(cx, name).and_then(|provider| read(&provider).ok());
    accepted.is_some_and(|it| it.nodes.is_labeled || it.nodes.selection.is_some())
}

/// Does the same as [`add_to`] for a service, which may have the strategy of its cluster.
///
/// # Errors
///
/// The same.
pub(crate) fn add_of_service(
    settings: &mut Settings,
    cx: &Context,
    request: &ecs::Service,
    cluster: Option<&Spec>,
) -> Result<bool, Refusal> {
    let mut completed = request.clone();
    complete(&mut completed, cluster);
    add_to(settings, cx, &completed.capacity_provider_strategy)
}

/// Adds what the capacity providers of a strategy say to the settings of what is about to begin. Returns `false` if it is not known
/// yet which there are.
///
/// # Errors
///
/// When one of them is rejected, so that it is unknown which nodes are meant.
pub(crate) fn add_to(
    settings: &mut Settings,
    cx: &Context,
    strategy: &[ecs::CapacityProviderStrategyItem],
) -> Result<bool, Refusal> {
    let names = named(strategy);
    if names.is_empty() {
        return Ok(true);
    }
    if cx.catch_up.is_pending(&CAPACITY_PROVIDERS) {
        return Ok(false);
    }
    for name in names {
        let Some(provider) = find(cx, name) else {
            continue;
        };
        let accepted = read(&provider).map_err(|refusal| {
            let message = format!(
                "EcsCapacityProvider {}, which the strategy names, is rejected: {}",
                provider.name_any(),
                refusal.message
            );
            Refusal::new(StateReason::CapacityProviderNotAccepted, &message)
        })?;
        if let Some(selection) = accepted.nodes.selection {
            let known = &mut settings.capacity_providers;
            known.insert(name.to_owned(), selection);
        }
        if accepted.nodes.is_labeled {
            settings.labeled_providers.insert(name.to_owned());
        }
    }
    Ok(true)
}
