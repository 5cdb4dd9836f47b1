//! What an autoscaler does in place of step scaling policies.

use k8s_openapi::{
    api::autoscaling::v2::{HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerBehavior},
    apimachinery::pkg::api::resource::Quantity,
};

use super::autoscaling::{MAX_WINDOW_SECONDS, percent, select_policy, to_i32};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::Context,
    validate::{AutoScaling, Metric, Pace, ReplacedSteps, TargetTracking},
};

/// The longest period of a policy of an autoscaler in seconds
/// (<https://kubernetes.io/docs/reference/kubernetes-api/autoscaling/horizontal-pod-autoscaler-v2/>).
const LONGEST_PERIOD: i64 = 1800;

/// Returns the behavior if all targets of the autoscaler stand for step scaling policies.
///
/// It adds as much as the largest step in each cooldown, after the metric was above the threshold for as long as the alarm
/// needs, and in the same way it removes. The tolerance keeps it from removing above the lower threshold. Rules count for
/// all metrics of an autoscaler: with several, the fastest pace counts, and the lowest threshold.
pub(super) fn of(
    cx: &Context<'_>,
    scaling: &AutoScaling,
) -> Option<HorizontalPodAutoscalerBehavior> {
    let ratio = ratio(scaling)?;
    let all = scaling.policies.iter();
    let all: Vec<&ReplacedSteps> = all.filter_map(|it| it.replaced_steps.as_ref()).collect();
    let with_tolerance = cx.settings.kubernetes_minor >= 35;
    let tolerance = |value: String| with_tolerance.then_some(Quantity(value));
    let additions: Vec<&Pace> = all.iter().map(|steps| &steps.additions).collect();
    let removing = all.iter().filter_map(|steps| steps.removals.as_ref());
    let removing: Vec<&Pace> = removing.map(|(_, pace)| pace).collect();
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
                tolerance: tolerance(format!("{:.0}m", (1.0 - ratio) * 1000.0)),
                ..rules(&removing)
            }
        }),
    })
}

/// Returns below which part of their targets all metrics have to be before tasks are removed; `None` if a target does not
/// stand for step scaling policies.
fn ratio(scaling: &AutoScaling) -> Option<f64> {
    let mut ratio = None;
    for policy in &scaling.policies {
        let own = policy.replaced_steps.as_ref()?.ratio(policy.target_value);
        ratio = Some(ratio.map_or(own, |ratio: f64| ratio.min(own)));
    }
    ratio
}

/// Returns the limits of the fastest of these.
fn rules(paces: &[&Pace]) -> HPAScalingRules {
    let mut policies: Vec<HPAScalingPolicy> = Vec::new();
    for pace in paces {
        for (type_, value) in [("Pods", pace.tasks), ("Percent", pace.percent)] {
            let Some(value) = value else { continue };
            let policy = HPAScalingPolicy {
                type_: type_.to_owned(),
                value: to_i32(value.max(1)),
                period_seconds: to_i32(pace.cooldown.clamp(1, LONGEST_PERIOD)),
            };
            if !policies.contains(&policy) {
                policies.push(policy);
            }
        }
    }
    let window = paces.iter().map(|pace| pace.breaching).min();
    let window = window.unwrap_or_default().clamp(0, MAX_WINDOW_SECONDS);
    HPAScalingRules {
        stabilization_window_seconds: Some(to_i32(window)),
        policies: Some(policies),
        ..HPAScalingRules::default()
    }
}

/// Reports what an autoscaler does in place of step scaling policies.
pub(super) fn report(
    cx: &Context<'_>,
    scaling: &AutoScaling,
    (policy, steps): (&TargetTracking, &ReplacedSteps),
    notes: &mut Diagnostics,
) {
    let metric = match policy.metric {
        Metric::Memory => "memory",
        _ => "CPU",
    };
    let n = percent(policy).to_string();
    let removal = removal(cx, scaling, steps);
    let message = Message::StepScalingByAutoscaler {
        metric: metric.to_owned(),
        n,
        removal,
    };
    let policies = FieldPath::root(Subject::AutoScaling).field("scalingPolicies");
    for index in &steps.policies {
        notes.report(policies.index(*index).field("PolicyType"), message.clone());
    }
}

/// Returns in words when tasks are removed. An autoscaler takes the largest count of its metrics.
fn removal(cx: &Context<'_>, scaling: &AutoScaling, steps: &ReplacedSteps) -> String {
    if scaling.never_scales_in() {
        return "removes none".to_owned();
    }
    let has_tolerance = cx.settings.kubernetes_minor >= 35;
    let ratio = ratio(scaling).filter(|_| has_tolerance).unwrap_or(0.9);
    match (&steps.removals, scaling.policies.len()) {
        (Some((low, _)), 1) if has_tolerance => {
            format!("removes tasks below {low} %")
        }
        (_, 1) => "removes tasks below 90 % of that".to_owned(),
        _ => format!(
            "removes tasks only while all metrics are below {:.0} % of their targets",
            ratio * 100.0
        ),
    }
}
