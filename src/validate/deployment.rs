//! How a service replaces its tasks
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>).

use super::clamp;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// The strategy that replaces some tasks at a time.
const ROLLING: &str = "ROLLING";

/// `deploymentConfiguration` with ECS's defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The percentage of the desired count that stays healthy (REPLICA: 100, DAEMON: 0).
    pub minimum_healthy_percent: u32,
    /// The percentage of the desired count that may exist (REPLICA: 200, DAEMON: 100).
    pub maximum_percent: u32,
    /// The circuit breaker, if enabled.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// The CloudWatch alarms that stop a deployment, if enabled.
    pub alarms: Option<DeploymentAlarms>,
    /// When a rolling deployment counts as done before its last task, if enabled.
    pub early_success: Option<EarlySuccess>,
}

/// `deploymentCircuitBreaker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// Whether the service goes back to the last deployment that completed.
    pub rollback: bool,
    /// Whether a task that becomes healthy resets the count of failures to zero.
    pub reset_on_healthy_task: bool,
    /// The number of failures that stops a deployment.
    pub threshold: FailureThreshold,
}

/// `thresholdConfiguration`: how many failed tasks stop a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureThreshold {
    /// A number of tasks.
    Count(u32),
    /// A percentage of the desired count, at least 3 and at most 200.
    BoundedPercent(u32),
    /// A percentage of the desired count.
    UnboundedPercent(u32),
}

/// `alarms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentAlarms {
    /// Names of CloudWatch alarms.
    pub names: Vec<String>,
    /// Whether the service goes back to the last deployment that completed.
    pub rollback: bool,
}

/// `earlySuccessCriteria`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlySuccess {
    /// The percentage of the desired count that has to be ready, rounded up in tasks.
    pub healthy_percent: u32,
    /// Whether the old tasks must also be gone (`BLOCKING`).
    pub waits_for_cleanup: bool,
}

/// Validates `deploymentConfiguration`.
pub(crate) fn validate_deployment(
    raw: Option<&ecs::DeploymentConfiguration>,
    daemon: bool,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Deployment {
    let default = ecs::DeploymentConfiguration::default();
    let raw = raw.unwrap_or(&default);
    let (minimum, maximum) = percents(raw, daemon, path, sink);
    let strategy = raw.strategy.as_deref();
    let strategy = strategy.unwrap_or(ecs::DeploymentConfiguration::DEFAULT_STRATEGY);
    check_strategy(raw, strategy, path, sink);
    for (index, hook) in raw.lifecycle_hooks.iter().enumerate() {
        check_hook(hook, &path.field("lifecycleHooks").index(index), sink);
    }
    Deployment {
        minimum_healthy_percent: minimum,
        maximum_percent: maximum,
        circuit_breaker: raw
            .deployment_circuit_breaker
            .as_ref()
            .filter(|breaker| breaker.enable == Some(true))
            .map(circuit_breaker),
        alarms: raw
            .alarms
            .as_ref()
            .filter(|alarms| alarms.enable == Some(true))
            .map(|alarms| DeploymentAlarms {
                names: alarms.alarm_names.clone(),
                rollback: alarms.rollback.unwrap_or(false),
            }),
        early_success: early_success(raw, strategy, minimum, path, sink),
    }
}

fn percents(
    raw: &ecs::DeploymentConfiguration,
    daemon: bool,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> (u32, u32) {
    let (default_minimum, default_maximum) = if daemon { (0, 100) } else { (100, 200) };
    let minimum = raw.minimum_healthy_percent.unwrap_or(default_minimum);
    let maximum = raw.maximum_percent.unwrap_or(default_maximum);
    let in_range = ecs::DeploymentConfiguration::MINIMUM_HEALTHY_PERCENT_RANGE.contains(&minimum);
    if !in_range {
        sink.report(
            path.field("minimumHealthyPercent"),
            Message::MinimumHealthyPercentRange,
        );
    }
    if maximum < ecs::DeploymentConfiguration::MIN_MAXIMUM_PERCENT {
        sink.report(
            path.field("maximumPercent"),
            Message::MaximumPercentTooSmall,
        );
    }
    if in_range && minimum > maximum {
        sink.report(
            path.field("minimumHealthyPercent"),
            Message::DeploymentPercentOrder {
                min: minimum.to_string(),
                max: maximum.to_string(),
            },
        );
    }
    (clamp(minimum).min(100), clamp(maximum).max(100))
}

fn circuit_breaker(raw: &ecs::DeploymentCircuitBreaker) -> CircuitBreaker {
    let threshold = raw.threshold_configuration.clone().unwrap_or_default();
    let value = clamp(
        threshold
            .value
            .unwrap_or(ecs::ThresholdConfiguration::DEFAULT_VALUE),
    )
    .max(1);
    CircuitBreaker {
        rollback: raw.rollback.unwrap_or(false),
        reset_on_healthy_task: raw
            .reset_on_healthy_task
            .unwrap_or(ecs::DeploymentCircuitBreaker::DEFAULT_RESET_ON_HEALTHY_TASK),
        threshold: match threshold.r#type.as_deref() {
            Some("COUNT") => FailureThreshold::Count(value),
            Some("UNBOUNDED_PERCENT") => FailureThreshold::UnboundedPercent(value),
            _ => FailureThreshold::BoundedPercent(value),
        },
    }
}

/// Checks `strategy`, of which only ROLLING is supported yet, and the configurations of the others.
fn check_strategy(
    raw: &ecs::DeploymentConfiguration,
    strategy: &str,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    if strategy != ROLLING {
        let value = strategy.to_owned();
        sink.report(
            path.field("strategy"),
            Message::StrategyUnsupported { value },
        );
    }
    for (member, given, owner) in [
        (
            "linearConfiguration",
            raw.linear_configuration.is_some(),
            "LINEAR",
        ),
        (
            "canaryConfiguration",
            raw.canary_configuration.is_some(),
            "CANARY",
        ),
    ] {
        if given && strategy != owner {
            sink.report(path.field(member), mismatch(member, strategy));
        }
    }
    if strategy == "BLUE_GREEN" && raw.bake_time_in_minutes.is_none() {
        sink.report(path.field("bakeTimeInMinutes"), Message::BakeTimeRequired);
    }
}

fn mismatch(member: &str, strategy: &str) -> Message {
    Message::StrategyConfigurationMismatch {
        member: member.to_owned(),
        value: strategy.to_owned(),
    }
}

fn early_success(
    raw: &ecs::DeploymentConfiguration,
    strategy: &str,
    minimum: u32,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<EarlySuccess> {
    let criteria = raw.early_success_criteria.as_ref()?;
    let path = path.field("earlySuccessCriteria");
    if criteria.enable != Some(true) {
        return None;
    }
    if strategy != ROLLING {
        sink.report(path, mismatch("earlySuccessCriteria", strategy));
        return None;
    }
    let healthy = criteria.healthy_percent.map_or(100, clamp);
    if healthy < minimum {
        sink.report(
            path.field("healthyPercent"),
            Message::InvalidValue {
                value: healthy.to_string(),
                allowed: format!("must be at least minimumHealthyPercent, {minimum}"),
            },
        );
    }
    Some(EarlySuccess {
        healthy_percent: healthy.min(100),
        waits_for_cleanup: criteria.source_service_revision_cleanup.as_deref() != Some("DEFERRED"),
    })
}

/// Checks a lifecycle hook. None is supported yet.
fn check_hook(hook: &ecs::DeploymentLifecycleHook, path: &FieldPath, sink: &mut Diagnostics) {
    if hook.target_type.as_deref() != Some("PAUSE") {
        let member = if hook.hook_target_arn.is_some() {
            "hookTargetArn"
        } else {
            "targetType"
        };
        return sink.report(path.field(member), Message::LambdaHookUnsupported);
    }
    let at = path.field("lifecycleStages");
    if hook.lifecycle_stages.is_empty() {
        sink.report(
            at.clone(),
            Message::InvalidValue {
                value: "lifecycleStages".to_owned(),
                allowed: "must have at least one stage".to_owned(),
            },
        );
    }
    for (index, stage) in hook.lifecycle_stages.iter().enumerate() {
        if matches!(
            stage.as_str(),
            "TEST_TRAFFIC_SHIFT" | "PRODUCTION_TRAFFIC_SHIFT"
        ) {
            sink.report(
                at.index(index),
                Message::PauseStageNotAllowed {
                    stage: stage.clone(),
                },
            );
        }
    }
    sink.report(path.field("targetType"), Message::PauseUnsupported);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnostic::{Reason, Subject};

    fn validate(raw: serde_json::Value, daemon: bool) -> (Deployment, Vec<(String, Reason)>) {
        let raw: ecs::DeploymentConfiguration =
            serde_json::from_value(raw).expect("the shape takes it");
        let mut sink = Diagnostics::new();
        let path = FieldPath::root(Subject::Service);
        let deployment = validate_deployment(Some(&raw), daemon, &path, &mut sink);
        let found = sink
            .iter()
            .map(|finding| (finding.path.to_string(), finding.reason()))
            .collect();
        (deployment, found)
    }

    #[test]
    fn defaults_depend_on_the_scheduling_strategy() {
        for (daemon, expected) in [(false, (100, 200)), (true, (0, 100))] {
            let (deployment, found) = validate(json!({}), daemon);
            assert_eq!(
                (
                    deployment.minimum_healthy_percent,
                    deployment.maximum_percent
                ),
                expected
            );
            assert_eq!(found, []);
        }
    }

    #[test]
    fn everything_that_ecs_refuses_is_refused() {
        for (raw, path, reason) in [
            (
                json!({"minimumHealthyPercent": 101}),
                "minimumHealthyPercent",
                Reason::MinimumHealthyPercentRange,
            ),
            (
                json!({"minimumHealthyPercent": -1}),
                "minimumHealthyPercent",
                Reason::MinimumHealthyPercentRange,
            ),
            (
                json!({"maximumPercent": 99, "minimumHealthyPercent": 50}),
                "maximumPercent",
                Reason::MaximumPercentTooSmall,
            ),
            (
                json!({"strategy": "BLUE_GREEN"}),
                "bakeTimeInMinutes",
                Reason::BakeTimeRequired,
            ),
            (
                json!({"linearConfiguration": {"stepPercent": 20}}),
                "linearConfiguration",
                Reason::StrategyConfigurationMismatch,
            ),
            (
                json!({"strategy": "LINEAR", "canaryConfiguration": {}}),
                "canaryConfiguration",
                Reason::StrategyConfigurationMismatch,
            ),
            (
                json!({"strategy": "CANARY", "earlySuccessCriteria": {"enable": true}}),
                "earlySuccessCriteria",
                Reason::StrategyConfigurationMismatch,
            ),
            (
                json!({"minimumHealthyPercent": 60, "earlySuccessCriteria": {"enable": true, "healthyPercent": 50}}),
                "earlySuccessCriteria.healthyPercent",
                Reason::InvalidValue,
            ),
            (
                json!({"lifecycleHooks": [{"hookTargetArn": "arn:aws:lambda:eu-west-1:123456789012:function:check", "lifecycleStages": ["POST_SCALE_UP"]}]}),
                "lifecycleHooks[0].hookTargetArn",
                Reason::LambdaHookUnsupported,
            ),
            (
                json!({"lifecycleHooks": [{"targetType": "AWS_LAMBDA"}]}),
                "lifecycleHooks[0].targetType",
                Reason::LambdaHookUnsupported,
            ),
            (
                json!({"lifecycleHooks": [{"targetType": "PAUSE"}]}),
                "lifecycleHooks[0].lifecycleStages",
                Reason::InvalidValue,
            ),
            (
                json!({"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP", "TEST_TRAFFIC_SHIFT"]}]}),
                "lifecycleHooks[0].lifecycleStages[1]",
                Reason::PauseStageNotAllowed,
            ),
        ] {
            let mut found = validate(raw.clone(), false).1;
            // Features that are not supported yet have their own finding.
            found.retain(|(_, other)| {
                let missing = [Reason::StrategyUnsupported, Reason::PauseUnsupported];
                !missing.contains(other)
            });
            assert_eq!(found, [(path.to_owned(), reason)], "{raw}");
        }
        let (_, found) = validate(
            json!({"minimumHealthyPercent": 100, "maximumPercent": 50}),
            false,
        );
        assert_eq!(
            found.iter().map(|(_, reason)| *reason).collect::<Vec<_>>(),
            [
                Reason::MaximumPercentTooSmall,
                Reason::DeploymentPercentOrder
            ]
        );
    }

    #[test]
    fn only_rolling_deployments_are_there_yet() {
        for strategy in ["LINEAR", "CANARY", "BLUE_GREEN"] {
            let raw = json!({"strategy": strategy, "bakeTimeInMinutes": 5});
            assert_eq!(
                validate(raw, false).1,
                [("strategy".to_owned(), Reason::StrategyUnsupported)]
            );
        }
        let rolling = json!({"strategy": "ROLLING"});
        assert_eq!(validate(rolling, false).1, []);
    }

    #[test]
    fn a_pause_is_not_there_yet() {
        let hook = json!({"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]});
        assert_eq!(
            validate(json!({"lifecycleHooks": [hook]}), false).1,
            [(
                "lifecycleHooks[0].targetType".to_owned(),
                Reason::PauseUnsupported
            )]
        );
    }

    #[test]
    fn an_enabled_circuit_breaker_has_ecs_defaults() {
        let raw = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}});
        assert_eq!(
            validate(raw, false).0.circuit_breaker,
            Some(CircuitBreaker {
                rollback: true,
                reset_on_healthy_task: true,
                threshold: FailureThreshold::BoundedPercent(50),
            })
        );
        let raw = json!({"deploymentCircuitBreaker": {"enable": false, "rollback": true}});
        assert_eq!(validate(raw, false).0.circuit_breaker, None);
    }
}
