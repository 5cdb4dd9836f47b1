//! What capacity providers say, for what is about to begin.

use std::{collections::BTreeSet, sync::Arc};

use kube::{ResourceExt as _, runtime::reflector::ObjectRef};
use serde::Deserialize;

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

/// Judges whether the nodes of a strategy can run a task definition that is about to begin.
///
/// # Errors
///
/// When a provider that gets tasks has only nodes of another platform.
pub(crate) fn check_platform(
    cx: &Context,
    strategy: &[ecs::CapacityProviderStrategyItem],
    task_definition: &Spec,
) -> Result<(), Refusal> {
    let asked: Platform = task_definition.parse().unwrap_or_default();
    let Some(asked) = asked.runtime_platform else {
        return Ok(());
    };
    let is_positive = |number: Option<i64>| number.is_some_and(|number| number > 0);
    for entry in strategy {
        let gets_tasks =
            strategy.len() == 1 || is_positive(entry.weight) || is_positive(entry.base);
        let name = entry.capacity_provider.as_deref().filter(|_| gets_tasks);
        let accepted = name.and_then(|name| Some((name, read(&*find(cx, name)?).ok()?)));
        let Some((name, accepted)) = accepted else {
            continue;
        };
        if let Some((has, wants)) = accepted.nodes.contradiction(&asked) {
            let message = format!(
                "the nodes of capacity provider {name} are {has}, and runtimePlatform of the task definition asks for {wants}"
            );
            return Err(Refusal::new(StateReason::PlatformNotProvided, &message));
        }
    }
    Ok(())
}

/// The member of a task definition that says which nodes can run it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Platform {
    runtime_platform: Option<ecs::RuntimePlatform>,
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
/// When one of them is rejected, or they may not be listed, so that it is unknown which nodes are meant.
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
    if cx.catch_up.is_forbidden(&CAPACITY_PROVIDERS) {
        // Without its object, a name would mean other nodes.
        let names = names.into_iter().collect::<Vec<_>>().join(" and ");
        let message = format!(
            "EcsCapacityProviders cannot be listed, so that it is unknown which nodes {names} means: give the right to list and watch them"
        );
        let refusal = Refusal::new(StateReason::CapacityProvidersUnknown, &message);
        return Err(refusal);
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

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use kube::{Client, client::Body, runtime::watcher::Event};
    use serde_json::{Value, json};
    use tower::{BoxError, service_fn};

    use super::*;
    use crate::{
        controller::{
            caches::{catch_up::Refused, policies::Policies},
            events::Events,
            service::Renewals,
        },
        policy::Tenancy,
        server::Metrics,
    };

    fn context() -> Context {
        let silent = |_: Request<Body>| async {
            let nothing = Response::builder().status(503).body(Body::empty());
            Ok::<_, BoxError>(nothing.expect("it is valid"))
        };
        let client = Client::new(service_fn(silent), "default");
        let events = Events::new(client.clone(), String::new());
        let (renewals, metrics) = (Renewals::new(None), Metrics::default());
        let policies = Policies::new(Tenancy::Single);
        let settings = Settings::default();
        Context::new(
            client,
            settings,
            policies,
            Vec::new(),
            events,
            renewals,
            metrics,
        )
    }

    fn strategy(entries: &[(&str, i64)]) -> Vec<ecs::CapacityProviderStrategyItem> {
        let entry = |(name, weight): &(&str, i64)| ecs::CapacityProviderStrategyItem {
            capacity_provider: Some((*name).to_owned()),
            weight: Some(*weight),
            ..ecs::CapacityProviderStrategyItem::default()
        };
        entries.iter().map(entry).collect()
    }

    fn provide(cx: &Context, name: &str, kubernetes: &Value) {
        let provider = json!({"metadata": {"name": name}, "spec": {"kubernetes": kubernetes}});
        let provider = serde_json::from_value(provider).expect("it is one");
        cx.capacity_providers.cache.apply(&Event::Apply(provider));
    }

    #[tokio::test]
    async fn a_list_that_is_refused_is_not_an_empty_one() {
        let cx = context();
        let blue = strategy(&[("blue", 1)]);
        let asked = |strategy: &[_]| {
            let mut settings = Settings::default();
            let known = add_to(&mut settings, &cx, strategy);
            known.map_err(|refusal| refusal.reason.name())
        };
        assert_eq!(asked(&blue), Ok(true), "the cluster has no such kind");
        let mut filling = cx.catch_up.register(Some(&CAPACITY_PROVIDERS));
        assert_eq!(asked(&blue), Ok(false), "the list is under way");
        filling.refused(Refused::Forbidden);
        assert_eq!(asked(&blue), Err("CapacityProvidersUnknown"));
        assert_eq!(asked(&strategy(&[("FARGATE", 1)])), Ok(true));
        assert_eq!(asked(&[]), Ok(true));
        filling.refused(Refused::Absent);
        assert_eq!(asked(&blue), Ok(true), "the kind is gone");
        let term = filling.term();
        filling.filled(term);
        filling.refused(Refused::Forbidden);
        assert_eq!(asked(&blue), Ok(true), "the list of this term is known");
        cx.catch_up.begin_term();
        filling.refused(Refused::Forbidden);
        assert_eq!(asked(&blue), Err("CapacityProvidersUnknown"));
    }

    #[tokio::test]
    async fn a_platform_that_no_node_of_a_provider_has_is_refused() {
        let cx = context();
        provide(
            &cx,
            "arm",
            &json!({"nodeSelector": {"kubernetes.io/arch": "arm64"}}),
        );
        provide(
            &cx,
            "windows",
            &json!({"nodeSelector": {"kubernetes.io/os": "windows"}}),
        );
        provide(&cx, "any", &json!({"nodeGroup": "any"}));
        let class = json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "web"});
        let karpenter = json!({"nodeClassRef": class, "architectures": ["amd64"]});
        provide(&cx, "amd", &json!({"karpenter": karpenter}));
        let (arm, amd) = (
            json!({"cpuArchitecture": "ARM64"}),
            json!({"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}),
        );
        let core = json!({"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"});
        for (entries, platform, refused) in [
            (&[("arm", 1)][..], &arm, false),
            (&[("arm", 0)], &amd, true),
            (&[("any", 1), ("arm", 1)], &amd, true),
            (&[("any", 1), ("arm", 0)], &amd, false),
            (&[("amd", 1)], &amd, false),
            (&[("amd", 1)], &arm, true),
            (&[("amd", 1)], &core, false),
            (&[("windows", 1)], &core, false),
            (&[("windows", 1)], &amd, true),
            (&[("windows", 1)], &arm, false),
            (&[("amd", 1)], &json!({}), false),
            (&[("nobody", 1), ("FARGATE", 1)], &arm, false),
        ] {
            let definition = Spec::from(json!({"runtimePlatform": platform}));
            let judged = check_platform(&cx, &strategy(entries), &definition);
            let reason = judged.as_ref().err().map(|refusal| refusal.reason.name());
            let expected = refused.then_some("PlatformNotProvided");
            assert_eq!(reason, expected, "{entries:?} {platform}");
        }
        let amd = check_platform(&cx, &strategy(&[("amd", 1)]), &Spec::from(json!({})));
        assert!(
            amd.is_ok(),
            "a task definition that names none runs anywhere"
        );
    }
}
