//! How many instances there are.

use super::{is_name, not_a_name, place::of_scaling};
use crate::{
    crd,
    diagnostic::{Diagnostics, Message},
    ecs,
    input::AppRunnerInput,
    settings::{Settings, WantedMetric},
};

/// The part of their CPU that tasks use when others are added, in percent, where nobody knows how many requests they have.
const CPU: f64 = 70.0;

/// The metric with the requests that all instances of a service have at once. An administrator says where it is read.
const NAMESPACE: &str = "AWS/AppRunner";
const CONCURRENCY: &str = "Concurrency";
const AVERAGE: &str = "Average";
const SERVICE_NAME: &str = "ServiceName";

/// A fixed number of tasks, or a range in which a policy sets it.
pub(super) struct Scaled {
    pub(super) count: Option<i64>,
    pub(super) auto_scaling: Option<crd::AutoScaling>,
}

/// Returns how a service is scaled, and says how that differs from what App Runner does.
pub(super) fn scaled(
    input: &AppRunnerInput,
    settings: &Settings,
    sink: &mut Diagnostics,
) -> Scaled {
    use ecs::AutoScalingConfiguration as Raw;
    let given = input.scaling();
    check_name(input, sink);
    let least = given.and_then(|it| it.min_size);
    let least = least.unwrap_or(Raw::DEFAULT_MIN_SIZE);
    let most = given.and_then(|it| it.max_size);
    let most = most.unwrap_or(Raw::DEFAULT_MAX_SIZE);
    let requests = given.and_then(|it| it.max_concurrency);
    let requests = requests.unwrap_or(Raw::DEFAULT_MAX_CONCURRENCY);
    let n = requests.to_string();
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
    let name = input.request.service_name.as_deref().unwrap_or_default();
    let policy = if is_measured(name, settings) {
        by_concurrency(name, requests)
    } else {
        sink.report(path, Message::ConcurrencyScalingNeedsMetric { n });
        by_cpu()
    };
    Scaled {
        count: None,
        auto_scaling: Some(policy.between(least, most)),
    }
}

/// Whether it is known how many requests a service has. CloudWatch has that of services in AWS alone.
fn is_measured(service: &str, settings: &Settings) -> bool {
    let metric = WantedMetric {
        namespace: NAMESPACE,
        name: CONCURRENCY,
        statistic: AVERAGE,
        dimensions: &[(SERVICE_NAME.to_owned(), service.to_owned())],
    };
    let sources = &settings.metric_sources;
    sources.queries.read(metric) || sources.external.read(metric)
}

fn check_name(input: &AppRunnerInput, sink: &mut Diagnostics) {
    let name = input.scaling();
    let name = name.and_then(|it| it.auto_scaling_configuration_name.as_deref());
    if let Some(name) = name.filter(|name| !is_name(name)) {
        let path = of_scaling(input, "AutoScalingConfigurationName");
        sink.report(path, not_a_name(name));
    }
}

/// A target tracking policy.
struct Policy {
    name: &'static str,
    tracking: ecs::TargetTrackingScalingPolicyConfiguration,
}

fn by_cpu() -> Policy {
    Policy {
        name: "cpu",
        tracking: ecs::TargetTrackingScalingPolicyConfiguration {
            target_value: Some(CPU),
            predefined_metric_specification: Some(ecs::PredefinedMetricSpecification {
                predefined_metric_type: Some("ECSServiceAverageCPUUtilization".to_owned()),
                resource_label: None,
            }),
            ..ecs::TargetTrackingScalingPolicyConfiguration::default()
        },
    }
}

/// Returns the policy that has as many instances that each has so many requests at once.
fn by_concurrency(service: &str, requests: i64) -> Policy {
    let of_service = |namespace: &str, name: &str| ecs::TargetTrackingMetricStat {
        metric: Some(ecs::TargetTrackingMetric {
            namespace: Some(namespace.to_owned()),
            metric_name: Some(name.to_owned()),
            dimensions: vec![ecs::TargetTrackingMetricDimension {
                name: Some(SERVICE_NAME.to_owned()),
                value: Some(service.to_owned()),
            }],
        }),
        stat: Some(AVERAGE.to_owned()),
        unit: None,
    };
    let metric = |id: &str, stat| ecs::TargetTrackingMetricDataQuery {
        id: Some(id.to_owned()),
        metric_stat: Some(stat),
        return_data: Some(false),
        ..ecs::TargetTrackingMetricDataQuery::default()
    };
    let metrics = vec![
        metric("requests", of_service(NAMESPACE, CONCURRENCY)),
        metric(
            "instances",
            of_service("ECS/ContainerInsights", "RunningTaskCount"),
        ),
        ecs::TargetTrackingMetricDataQuery {
            id: Some("each".to_owned()),
            expression: Some("requests / instances".to_owned()),
            ..ecs::TargetTrackingMetricDataQuery::default()
        },
    ];
    Policy {
        name: "concurrency",
        tracking: ecs::TargetTrackingScalingPolicyConfiguration {
            // It is 1 to 200.
            target_value: i32::try_from(requests).ok().map(f64::from),
            customized_metric_specification: Some(ecs::CustomizedMetricSpecification {
                metrics,
                ..ecs::CustomizedMetricSpecification::default()
            }),
            ..ecs::TargetTrackingScalingPolicyConfiguration::default()
        },
    }
}

impl Policy {
    fn between(self, least: i64, most: i64) -> crd::AutoScaling {
        crd::AutoScaling {
            scalable_target: Some(ecs::ScalableTarget {
                min_capacity: Some(least),
                max_capacity: Some(most),
                ..ecs::ScalableTarget::default()
            }),
            scaling_policies: vec![ecs::ScalingPolicy {
                policy_name: Some(self.name.to_owned()),
                policy_type: Some("TargetTrackingScaling".to_owned()),
                target_tracking_scaling_policy_configuration: Some(self.tracking),
                ..ecs::ScalingPolicy::default()
            }],
            ..crd::AutoScaling::default()
        }
    }
}
