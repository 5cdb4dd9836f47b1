//! How fast an autoscaler changes the number of tasks in place of step scaling policies.

use k8s_openapi::{
    api::autoscaling::v2::{HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerBehavior},
    apimachinery::pkg::api::resource::Quantity,
};

use super::autoscaling::{select_policy, to_i32};
use crate::{
    translate::Context,
    validate::{AutoScaling, Pace, ReplacedSteps},
};

/// The longest period of a policy of an autoscaler in seconds
/// (<https://kubernetes.io/docs/reference/kubernetes-api/autoscaling/horizontal-pod-autoscaler-v2/>).
const LONGEST_PERIOD: i64 = 1800;

/// The longest stabilization window of an autoscaler in seconds.
const LONGEST_WINDOW: i64 = 3600;

/// Returns the behavior if all targets of the autoscaler stand for step scaling policies.
///
/// It adds as much as the largest step in each cooldown, after the metric was above the threshold for as long as the alarm
/// needs, and in the same way it removes. The tolerance keeps it from removing above the lower threshold. Rules count for
/// all metrics of an autoscaler: with several, the fastest pace counts, and the lowest threshold.
pub(super) fn of(
    cx: &Context<'_>,
    scaling: &AutoScaling,
) -> Option<HorizontalPodAutoscalerBehavior> {
    let all = scaling.policies.iter();
    let all = all.map(|it| Some((it.target_value, it.replaced_steps.as_ref()?)));
    let all: Vec<(f64, &ReplacedSteps)> = all.collect::<Option<_>>()?;
    if all.is_empty() {
        return None;
    }
    let with_tolerance = cx.settings.kubernetes_minor >= 35;
    let tolerance = |value: String| with_tolerance.then_some(Quantity(value));
    let additions: Vec<&Pace> = all.iter().map(|(_, steps)| &steps.additions).collect();
    let removals = all.iter().filter_map(|(target, steps)| {
        let (low, pace) = steps.removals.as_ref()?;
        Some((1.0 - low / target, pace))
    });
    let (distances, removing): (Vec<f64>, Vec<&Pace>) = removals.unzip();
    let distance = distances.into_iter().fold(0.0, f64::max);
    Some(HorizontalPodAutoscalerBehavior {
        scale_up: Some(HPAScalingRules {
            select_policy: Some(select_policy(scaling.scale_out_suspended)),
            tolerance: tolerance("0".to_owned()),
            ..rules(&additions)
        }),
        scale_down: Some(if scaling.never_scales_in() {
            HPAScalingRules {
                select_policy: Some(select_policy(true)),
                ..HPAScalingRules::default()
            }
        } else {
            HPAScalingRules {
                select_policy: Some(select_policy(false)),
                tolerance: tolerance(format!("{:.0}m", distance * 1000.0)),
                ..rules(&removing)
            }
        }),
    })
}

/// Returns the limits of the fastest of these.
fn rules(paces: &[&Pace]) -> HPAScalingRules {
    let policies = paces.iter().flat_map(|pace| {
        let limits = [("Pods", pace.tasks), ("Percent", pace.percent)];
        limits.into_iter().filter_map(|(type_, value)| {
            Some(HPAScalingPolicy {
                type_: type_.to_owned(),
                value: to_i32(value?.max(1)),
                period_seconds: to_i32(pace.cooldown.clamp(1, LONGEST_PERIOD)),
            })
        })
    });
    let window = paces.iter().map(|pace| pace.breaching).min();
    let window = window.unwrap_or_default().clamp(0, LONGEST_WINDOW);
    HPAScalingRules {
        stabilization_window_seconds: Some(to_i32(window)),
        policies: Some(policies.collect()),
        ..HPAScalingRules::default()
    }
}
