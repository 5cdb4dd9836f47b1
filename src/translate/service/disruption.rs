//! The PodDisruptionBudget.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::{autoscaling, rollout::Rollout};
use crate::{
    diagnostic::{Diagnostics, Message},
    translate::{Context, Manifests, Object},
    validate::{Deployment, Scheduling, Service, clamp},
};

/// Adds the budget of a service that can have two or more tasks.
///
/// ECS also keeps the healthy minimum while instances drain, but can start the replacement first. An eviction cannot,
/// so at least one task may always be evicted.
pub(super) fn apply(
    cx: &Context<'_>,
    service: &Service,
    objects: &mut Manifests,
    notes: &mut Diagnostics,
) {
    let Scheduling::Replica { desired_count } = service.scheduling else {
        return;
    };
    let (least, most) = match autoscaling::scaling_of(service) {
        Some(scaling) => (clamp(scaling.min_capacity), clamp(scaling.max_capacity)),
        None => (clamp(desired_count), clamp(desired_count)),
    };
    if least <= 1 && most >= 1 && service.deployment.minimum_healthy_percent > 0 {
        let path = cx.root().field("desiredCount");
        notes.report(path, Message::DrainMayDropBelowMinimum);
    }
    if most < 2 {
        return;
    }
    let (min_available, max_unavailable) = budget(least, &service.deployment);
    objects.push(Object::PodDisruptionBudget(PodDisruptionBudget {
        metadata: cx.metadata(cx.name()),
        spec: Some(PodDisruptionBudgetSpec {
            min_available,
            max_unavailable,
            selector: Some(LabelSelector {
                match_labels: Some(cx.selector()),
                ..LabelSelector::default()
            }),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
        }),
        status: None,
    }));
}

/// Returns `minAvailable` or `maxUnavailable`. A percentage follows the count, and is rounded up, as ECS rounds its
/// minimum
/// (<https://kubernetes.io/docs/tasks/run-application/configure-pdb/#rounding-logic-when-specifying-percentages>). If
/// it would allow no eviction at the minimum count, one task may be evicted, because otherwise draining a node would
/// never finish.
fn budget(least: u32, deployment: &Deployment) -> (Option<IntOrString>, Option<IntOrString>) {
    if Rollout::new(least, deployment).max_unavailable() == 0 {
        return (None, Some(IntOrString::Int(1)));
    }
    let percent = format!("{}%", deployment.minimum_healthy_percent);
    (Some(IntOrString::String(percent)), None)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::translate::testing::{Outcome, Scenario};

    const WEB: &str = r#"{"family": "web", "cpu": "256", "memory": "512", "containerDefinitions": [{"name": "web", "image": "nginx"}]}"#;

    #[test]
    fn a_budget_lets_at_least_one_of_several_tasks_go() {
        let (one, half) = (json!({"maxUnavailable": 1}), json!({"minAvailable": "50%"}));
        for (desired, minimum, budget, outage) in [
            (0, 100, None, false),
            (1, 0, None, false),
            (1, 50, None, true),
            (1, 100, None, true),
            (2, 100, Some(&one), false),
            (4, 100, Some(&one), false),
            (4, 50, Some(&half), false),
            (3, 50, Some(&half), false),
            (3, 90, Some(&one), false),
            (5, 0, Some(&json!({"minAvailable": "0%"})), false),
        ] {
            let outcome = Scenario::service(WEB)
                .request(format!(
                    r#"{{"desiredCount": {desired}, "deploymentConfiguration": {{"minimumHealthyPercent": {minimum}}}}}"#
                ))
                .run();
            assert_eq!(found(&outcome).as_ref(), budget, "{desired} {minimum}");
            assert_eq!(outcome.has("DrainMayDropBelowMinimum"), outage);
        }
    }

    #[test]
    fn a_budget_is_that_of_the_counts_which_an_autoscaler_may_choose() {
        for (min, max, minimum, budget, outage) in [
            (1, 20, 100, Some(json!({"maxUnavailable": 1})), true),
            (1, 20, 50, Some(json!({"maxUnavailable": 1})), true),
            (3, 40, 50, Some(json!({"minAvailable": "50%"})), false),
            (1, 1, 100, None, true),
        ] {
            let scaling = json!({
                "scalableTarget": {"MinCapacity": min, "MaxCapacity": max},
                "scalingPolicies": [{
                    "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling",
                    "TargetTrackingScalingPolicyConfiguration": {
                        "TargetValue": 50.0,
                        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                    },
                }],
            });
            let request = json!({"desiredCount": min, "deploymentConfiguration": {"minimumHealthyPercent": minimum}});
            let outcome = Scenario::service(WEB)
                .request(request.to_string())
                .extensions(json!({"autoScaling": scaling}).to_string())
                .run();
            assert_eq!(found(&outcome), budget, "{min} {max} {minimum}");
            assert_eq!(outcome.has("DrainMayDropBelowMinimum"), outage);
        }
    }

    /// Returns the field of the budget that limits evictions.
    fn found(outcome: &Outcome) -> Option<Value> {
        let budgets = outcome.objects_of("PodDisruptionBudget");
        let mut spec = budgets.first()?["spec"].clone();
        let members = spec.as_object_mut()?;
        members.retain(|name, _| name.starts_with('m'));
        Some(spec)
    }
}
