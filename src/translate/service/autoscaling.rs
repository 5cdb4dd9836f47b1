//! Converts target tracking to one HorizontalPodAutoscaler, or to one KEDA ScaledObject if CloudWatch metrics are
//! needed.
//!
//! All policies of a service become one object: two autoscalers of one workload would conflict. Both Application Auto
//! Scaling and an autoscaler use the largest of several results.

use std::collections::BTreeSet;

use super::{scaled_object, steps};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::{Mode, WorkloadTarget},
    translate::{Context, Manifests, Object},
    validate::{AlarmNote, AutoScaling, Metric, Series, Service, StepPolicy, TargetTracking},
};
use k8s_openapi::{
    api::autoscaling::v2::{
        CrossVersionObjectReference, HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler,
        HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
        ResourceMetricSource,
    },
    apimachinery::pkg::api::resource::Quantity,
};

/// Seconds of high load before AWS adds tasks: target tracking creates an alarm with three data points of one minute.
/// The autoscaler uses the lowest count that it calculated in this time
/// (<https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#stabilization-window>).
const SCALE_OUT_SECONDS: i32 = 180;
/// Seconds of low load before AWS removes tasks: 15 data points of one minute.
const SCALE_IN_SECONDS: i64 = 900;
/// The maximum stabilization window of an autoscaler in seconds.
pub(super) const MAX_WINDOW_SECONDS: i64 = 3600;

/// Adds the autoscaler.
pub(super) fn apply(
    cx: &Context<'_>,
    service: &Service,
    objects: &mut Manifests,
    notes: &mut Diagnostics,
) {
    let Some(scaling) = &service.auto_scaling else {
        return;
    };
    report_ignored(cx, scaling, notes);
    report_alarms(scaling, notes);
    if cx.settings.mode == Mode::Controller {
        report_unmeasured(cx, scaling, notes);
    }
    if !scaling.has_autoscaler() {
        return;
    }
    let object = if scaled_object::is_needed(scaling) {
        scaled_object::scaled_object(cx, scaling, notes)
    } else {
        horizontal_pod_autoscaler(cx, scaling, notes)
    };
    objects.push(object);
    report(cx, scaling, notes);
}

/// Reports settings that have no effect.
fn report_ignored(cx: &Context<'_>, scaling: &AutoScaling, notes: &mut Diagnostics) {
    let root = FieldPath::root(Subject::AutoScaling);
    let mut report = |list: &'static str, indexes: &[usize], message: &Message| {
        for index in indexes {
            notes.report(root.field(list).index(*index), message.clone());
        }
    };
    let policies = "scalingPolicies";
    report(
        policies,
        &scaling.forecast_only,
        &Message::ForecastOnlyIgnored,
    );
    let actions = scaling.scheduled_actions.iter();
    for action in actions.filter(|action| action.never_fires()) {
        let at = root.field("scheduledActions").index(action.index);
        notes.report(at.field("Schedule"), Message::ScheduleNeverFires);
    }
    if scaling.asks_operator && cx.settings.mode == Mode::Convert {
        notes.report(root.field("scaler"), Message::ScalerNeedsController);
    }
}

/// Reports policies that the operator cannot run as they are.
fn report_unmeasured(cx: &Context<'_>, scaling: &AutoScaling, notes: &mut Diagnostics) {
    let mut listed = BTreeSet::new();
    for policy in &scaling.step_policies {
        // An alarm that triggers several policies is one alarm.
        if policy.trigger.listed.is_some_and(|it| !listed.insert(it)) {
            continue;
        }
        let alarm = &policy.alarm;
        let (metric_at, period_at) = places(policy);
        if let Some(name) = alarm.series.unmeasured(cx.settings) {
            let message = Message::OperatorCannotMeasure {
                name: name.to_owned(),
                effect: match policy.trigger.listed {
                    Some(_) => "the alarm triggers nothing".to_owned(),
                    None => "this policy does not scale the service".to_owned(),
                },
            };
            notes.report(metric_at, message);
        } else if scaling.by_operator && alarm.period < 60 {
            let n = alarm.period.to_string();
            notes.report(period_at, Message::AlarmPeriodRounded { n });
        }
    }
    let has_steps = !scaling.step_policies.is_empty();
    let effect = if scaling.has_math() {
        "the policy adds no task, and target tracking of the service removes none"
    } else if has_steps {
        "KEDA runs target tracking, and the step scaling policies of the service do nothing"
    } else if scaling.asks_operator {
        "KEDA runs all target tracking of the service"
    } else {
        return;
    };
    let tracked = scaling.policies.iter();
    let unmeasured = tracked.filter_map(|policy| {
        let series = Series::tracked(&policy.metric);
        let name = series.unmeasured(cx.settings)?.to_owned();
        Some((policy_path(policy), name))
    });
    // One of them is why all are left to KEDA.
    let shown = if scaling.has_math() { usize::MAX } else { 1 };
    for (at, name) in unmeasured.take(shown) {
        let effect = effect.to_owned();
        notes.report(at, Message::OperatorCannotMeasure { name, effect });
    }
}

/// Returns where the name and the period of the metric of an alarm are.
fn places(policy: &StepPolicy) -> (FieldPath, FieldPath) {
    let root = FieldPath::root(Subject::AutoScaling);
    let at = match policy.trigger.listed {
        Some(alarm) => root.field("alarms").index(alarm),
        None => {
            let policy = root.field("scalingPolicies").index(policy.index);
            policy.field("Alarm")
        }
    };
    if matches!(policy.alarm.series, Series::Math(_)) {
        return (at.field("Metrics"), at.field("Metrics"));
    }
    if policy.trigger.in_query {
        let at = at.field("Metrics").index(0).field("MetricStat");
        return (at.field("Metric").field("MetricName"), at.field("Period"));
    }
    (at.field("MetricName"), at.field("Period"))
}

/// Reports what the alarms beside the policies do not do.
fn report_alarms(scaling: &AutoScaling, notes: &mut Diagnostics) {
    let root = FieldPath::root(Subject::AutoScaling).field("alarms");
    for note in &scaling.alarm_notes {
        let (at, message) = match note.clone() {
            AlarmNote::OtherAction {
                alarm,
                list,
                index,
                action,
            } => {
                let at = root.index(alarm).field(list).index(index);
                (at, Message::AlarmActionIgnored { action })
            }
            AlarmNote::Disabled { alarm } => {
                let at = root.index(alarm).field("ActionsEnabled");
                (at, Message::AlarmActionsDisabled)
            }
            AlarmNote::WithoutPolicy { alarm, name, why } => {
                let at = root.index(alarm).field("AlarmActions");
                (at, Message::AlarmWithoutPolicy { name, why })
            }
            AlarmNote::OfTargetTracking { alarm, index, name } => {
                let at = root.index(alarm).field("AlarmActions").index(index);
                (at, Message::TargetTrackingAlarmIgnored { name })
            }
        };
        notes.report(at, message);
    }
}

/// Whether an autoscaler writes the count of the Deployment, so that nothing else may
/// (<https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling>).
/// The operator writes that count itself, following the count of the EcsService that an autoscaler sets.
pub(super) fn owns_count(cx: &Context<'_>, service: &Service) -> bool {
    cx.settings.mode == Mode::Convert
        && cx.settings.workload_target == WorkloadTarget::Deployment
        && scaling_of(service).is_some()
}

/// Returns the scaling of the service if something changes its number of tasks.
pub(super) fn scaling_of(service: &Service) -> Option<&AutoScaling> {
    let scaling = service.auto_scaling.as_ref();
    scaling.filter(|scaling| scaling.is_scaled())
}

/// Returns the initial count of the autoscaler.
pub(super) fn least(scaling: &AutoScaling, to_zero: bool) -> i64 {
    scaling.min_capacity.max(i64::from(!to_zero))
}

pub(super) fn policy_path(policy: &TargetTracking) -> FieldPath {
    FieldPath::root(Subject::AutoScaling)
        .field("scalingPolicies")
        .index(policy.index)
        .field("TargetTrackingScalingPolicyConfiguration")
}

/// Reports differences from target tracking on AWS.
fn report(cx: &Context<'_>, scaling: &AutoScaling, notes: &mut Diagnostics) {
    let target = FieldPath::root(Subject::AutoScaling).field("scalableTarget");
    for policy in &scaling.policies {
        if let Some(steps) = &policy.replaced_steps {
            steps::report(cx, scaling, (policy, steps), notes);
            continue;
        }
        let path = policy_path(policy);
        let is_percentage = matches!(policy.metric, Metric::Cpu | Metric::Memory);
        if is_percentage && policy.target_value.fract() != 0.0 {
            notes.report(
                path.field("TargetValue"),
                Message::TargetValueRounded {
                    value: policy.target_value.to_string(),
                    n: percent(policy).to_string(),
                },
            );
        }
        if policy.scale_out_cooldown.is_some() {
            notes.report(
                path.field("ScaleOutCooldown"),
                Message::ScaleOutCooldownApproximated,
            );
        }
        if let Some(seconds) = policy
            .scale_in_cooldown
            .filter(|seconds| *seconds > MAX_WINDOW_SECONDS)
        {
            let value = seconds.to_string();
            notes.report(
                path.field("ScaleInCooldown"),
                Message::CooldownTooLong { value },
            );
        }
        if policy.disable_scale_in
            && !scaling
                .policies
                .iter()
                .all(|policy| policy.disable_scale_in)
        {
            notes.report(path.field("DisableScaleIn"), Message::DisableScaleInMixed);
        }
    }
    if cx.settings.kubernetes_minor < 35 {
        notes.report(target, Message::HpaToleranceDefault);
    }
}

/// Returns the target in whole percent; an autoscaler does not accept fractions, or values below 1.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the value is clamped to what fits before it is cast"
)]
pub(super) fn percent(policy: &TargetTracking) -> i32 {
    policy.target_value.floor().clamp(1.0, f64::from(i32::MAX)) as i32
}

pub(super) fn to_i32(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Returns the scaled object: the EcsService, or its Deployment if the operator is not running.
pub(super) fn scale_target(cx: &Context<'_>) -> CrossVersionObjectReference {
    let (api_version, kind) = match cx.settings.workload_target {
        WorkloadTarget::EcsService => ("ecs-operator.dev/v1alpha1", "EcsService"),
        WorkloadTarget::Deployment => ("apps/v1", "Deployment"),
    };
    CrossVersionObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: kind.to_owned(),
        name: cx.name(),
    }
}

fn horizontal_pod_autoscaler(
    cx: &Context<'_>,
    scaling: &AutoScaling,
    notes: &mut Diagnostics,
) -> Object {
    if scaling.min_capacity == 0 {
        let path = FieldPath::root(Subject::AutoScaling)
            .field("scalableTarget")
            .field("MinCapacity");
        notes.report(
            path,
            Message::MinCapacityZero {
                cause: "CPU and memory cannot be measured without a task".to_owned(),
                advice: "use only policies on CloudWatch metrics, with KEDA, if the service must scale to 0"
                    .to_owned(),
            },
        );
    }
    let metrics = scaling.policies.iter().filter_map(|policy| {
        let name = match policy.metric {
            Metric::Cpu => "cpu",
            Metric::Memory => "memory",
            Metric::CloudWatch(_) | Metric::Math(_) => return None,
        };
        Some(MetricSpec {
            type_: "Resource".to_owned(),
            resource: Some(ResourceMetricSource {
                name: name.to_owned(),
                target: MetricTarget {
                    type_: "Utilization".to_owned(),
                    average_utilization: Some(percent(policy)),
                    ..MetricTarget::default()
                },
            }),
            ..MetricSpec::default()
        })
    });
    Object::HorizontalPodAutoscaler(HorizontalPodAutoscaler {
        metadata: cx.metadata(cx.name()),
        spec: HorizontalPodAutoscalerSpec {
            min_replicas: Some(to_i32(least(scaling, false))),
            max_replicas: to_i32(scaling.max_capacity),
            scale_target_ref: scale_target(cx),
            metrics: Some(metrics.collect()),
            behavior: Some(behavior(cx, scaling)),
        },
        status: None,
    })
}

/// Returns the seconds of low load before tasks are removed: those of AWS, or the cooldown if that is longer.
pub(super) fn scale_in_seconds(scaling: &AutoScaling) -> i32 {
    let cooldowns = scaling.policies.iter();
    let cooldown = cooldowns
        .filter_map(|policy| policy.scale_in_cooldown)
        .max();
    let seconds = cooldown.unwrap_or(SCALE_IN_SECONDS);
    to_i32(seconds.clamp(SCALE_IN_SECONDS, MAX_WINDOW_SECONDS))
}

/// Returns the stabilization windows of the autoscaler for additions and for removals, in seconds.
#[must_use]
pub fn autoscaler_windows(scaling: &AutoScaling) -> (i64, i64) {
    (SCALE_OUT_SECONDS.into(), scale_in_seconds(scaling).into())
}

/// Whether the autoscaler keeps at least one task, whatever the minimum is.
#[must_use]
pub fn keeps_a_task(scaling: &AutoScaling) -> bool {
    !scaled_object::scales_to_zero(scaling)
}

/// Returns which policy of a direction counts: none if it is off, or else the fastest one.
pub(super) fn select_policy(is_off: bool) -> String {
    if is_off { "Disabled" } else { "Max" }.to_owned()
}

/// Returns how fast tasks are added and removed. AWS scales to the calculated size after three minutes above the
/// target, and removes tasks after 15 minutes below 90 % of it. The tolerances express this from Kubernetes 1.35 on; a
/// KEDA that runs there supports them.
pub(super) fn behavior(cx: &Context<'_>, scaling: &AutoScaling) -> HorizontalPodAutoscalerBehavior {
    if let Some(paced) = steps::of(cx, scaling) {
        return paced;
    }
    let with_tolerance = cx.settings.kubernetes_minor >= 35;
    let tolerance = |value: &str| with_tolerance.then(|| Quantity(value.to_owned()));
    HorizontalPodAutoscalerBehavior {
        scale_up: Some(HPAScalingRules {
            stabilization_window_seconds: Some(SCALE_OUT_SECONDS),
            select_policy: Some(select_policy(scaling.scale_out_suspended)),
            tolerance: tolerance("0"),
            policies: Some(vec![HPAScalingPolicy {
                type_: "Pods".to_owned(),
                value: to_i32(scaling.max_capacity),
                period_seconds: 15,
            }]),
        }),
        scale_down: Some(HPAScalingRules {
            stabilization_window_seconds: Some(scale_in_seconds(scaling)),
            select_policy: Some(select_policy(scaling.never_scales_in())),
            tolerance: tolerance("100m"),
            policies: Some(vec![HPAScalingPolicy {
                type_: "Percent".to_owned(),
                value: 100,
                period_seconds: 60,
            }]),
        }),
    }
}
