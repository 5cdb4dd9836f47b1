//! How many instances there are.

use super::{is_name, not_a_name, place::of_scaling};
use crate::{
    crd,
    diagnostic::{Diagnostics, Message},
    ecs,
    input::AppRunnerInput,
};

/// The part of their CPU that tasks use when others are added, in percent. No pod knows how many requests it has.
const CPU: f64 = 70.0;

/// A fixed number of tasks, or a range in which a policy sets it.
pub(super) struct Scaled {
    pub(super) count: Option<i64>,
    pub(super) auto_scaling: Option<crd::AutoScaling>,
}

/// Returns how a service is scaled, and says how that differs from what App Runner does.
pub(super) fn scaled(input: &AppRunnerInput, sink: &mut Diagnostics) -> Scaled {
    use ecs::AutoScalingConfiguration as Raw;
    let given = input.scaling();
    check_name(input, sink);
    let least = given.and_then(|it| it.min_size);
    let least = least.unwrap_or(Raw::DEFAULT_MIN_SIZE);
    let most = given.and_then(|it| it.max_size);
    let most = most.unwrap_or(Raw::DEFAULT_MAX_SIZE);
    let requests = given.and_then(|it| it.max_concurrency);
    let n = requests.unwrap_or(Raw::DEFAULT_MAX_CONCURRENCY).to_string();
    if most < least {
        let message = Message::InvalidValue {
            value: most.to_string(),
            allowed: format!("must be at least MinSize, which is {least}"),
        };
        sink.report(of_scaling(input, "MaxSize"), message);
    }
    let path = of_scaling(input, "MaxConcurrency");
    sink.report(path.clone(), Message::ConcurrencyNotCapped { n: n.clone() });
    if input.is_paused() {
        return Scaled {
            count: Some(0),
            auto_scaling: None,
        };
    }
    if most <= least {
        return Scaled {
            count: Some(least),
            auto_scaling: None,
        };
    }
    sink.report(path, Message::ConcurrencyScalingNeedsMetric { n });
    Scaled {
        count: None,
        auto_scaling: Some(auto_scaling(least, most)),
    }
}

fn check_name(input: &AppRunnerInput, sink: &mut Diagnostics) {
    let name = input.scaling();
    let name = name.and_then(|it| it.auto_scaling_configuration_name.as_deref());
    if let Some(name) = name.filter(|name| !is_name(name)) {
        let path = of_scaling(input, "AutoScalingConfigurationName");
        sink.report(path, not_a_name(name));
    }
}

fn auto_scaling(least: i64, most: i64) -> crd::AutoScaling {
    crd::AutoScaling {
        scalable_target: Some(ecs::ScalableTarget {
            min_capacity: Some(least),
            max_capacity: Some(most),
            ..ecs::ScalableTarget::default()
        }),
        scaling_policies: vec![ecs::ScalingPolicy {
            policy_name: Some("cpu".to_owned()),
            policy_type: Some("TargetTrackingScaling".to_owned()),
            target_tracking_scaling_policy_configuration: Some(
                ecs::TargetTrackingScalingPolicyConfiguration {
                    target_value: Some(CPU),
                    predefined_metric_specification: Some(ecs::PredefinedMetricSpecification {
                        predefined_metric_type: Some("ECSServiceAverageCPUUtilization".to_owned()),
                        resource_label: None,
                    }),
                    ..ecs::TargetTrackingScalingPolicyConfiguration::default()
                },
            ),
            ..ecs::ScalingPolicy::default()
        }],
        ..crd::AutoScaling::default()
    }
}
