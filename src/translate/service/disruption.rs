//! The PodDisruptionBudget.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::{number, rollout::Rollout};
use crate::{
    diagnostic::{Diagnostics, Message},
    translate::{Context, Manifests, Object},
    validate::{Scheduling, Service, clamp},
};

/// Adds the budget of a service of two or more tasks.
///
/// ECS keeps the healthy minimum also while instances drain, but may start the replacement first; an eviction cannot,
/// so at least one task may always go.
pub(super) fn apply(
    cx: &Context<'_>,
    service: &Service,
    objects: &mut Manifests,
    notes: &mut Diagnostics,
) {
    let Scheduling::Replica { desired_count } = service.scheduling else {
        return;
    };
    let desired = clamp(desired_count);
    if desired < 2 {
        return;
    }
    if service.deployment.minimum_healthy_percent == 100 {
        notes.report(
            cx.root()
                .field("deploymentConfiguration")
                .field("minimumHealthyPercent"),
            Message::DrainMayDropBelowMinimum,
        );
    }
    let rollout = Rollout::new(desired, &service.deployment);
    objects.push(Object::PodDisruptionBudget(PodDisruptionBudget {
        metadata: cx.metadata(cx.name()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(number(rollout.max_unavailable().max(1)))),
            selector: Some(LabelSelector {
                match_labels: Some(cx.selector()),
                ..LabelSelector::default()
            }),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }));
}

#[cfg(test)]
mod tests {
    use crate::translate::testing::Scenario;

    #[test]
    fn a_budget_lets_at_least_one_of_several_tasks_go() {
        let definition = r#"{"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx", "memory": 64}]}"#;
        for (desired, minimum, budget) in [
            (0, 100, None),
            (1, 0, None),
            (2, 100, Some(1)),
            (4, 100, Some(1)),
            (4, 50, Some(2)),
            (3, 50, Some(1)),
            (5, 0, Some(5)),
        ] {
            let outcome = Scenario::service(definition)
                .request(format!(
                    r#"{{"desiredCount": {desired}, "deploymentConfiguration": {{"minimumHealthyPercent": {minimum}}}}}"#
                ))
                .run();
            let found = outcome
                .objects_of("PodDisruptionBudget")
                .first()
                .map(|object| object["spec"]["maxUnavailable"].clone());
            assert_eq!(
                found,
                budget.map(serde_json::Value::from),
                "{desired} {minimum}"
            );
            assert_eq!(
                outcome.has("DrainMayDropBelowMinimum"),
                budget.is_some() && minimum == 100
            );
        }
    }
}
