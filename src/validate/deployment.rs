//! How a service replaces its tasks
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>).

use super::clamp;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// Minutes that a hook waits by default.
const HOOK_TIMEOUT_MINUTES: u32 = 1440;

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
    /// How traffic moves to the new tasks.
    pub strategy: DeploymentStrategy,
    /// When a rolling deployment counts as done before its last task, if enabled.
    pub early_success: Option<EarlySuccess>,
    /// The stages at which a deployment waits for a user.
    pub pauses: Vec<Pause>,
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

/// `strategy` with its settings. Shares of traffic are per mille, because ECS accepts tenths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentStrategy {
    /// Some tasks at a time.
    Rolling,
    /// All traffic at once.
    BlueGreen {
        /// Minutes for which the old tasks are kept.
        bake_minutes: u32,
    },
    /// Traffic in equal steps.
    Linear {
        /// The share of each step.
        step_per_mille: u32,
        /// Minutes after each step except the last.
        step_bake_minutes: u32,
        /// Minutes for which the old tasks are kept.
        bake_minutes: u32,
    },
    /// A small share of the traffic first, then all.
    Canary {
        /// The share of the first step.
        canary_per_mille: u32,
        /// Minutes after the first step.
        canary_bake_minutes: u32,
        /// Minutes for which the old tasks are kept.
        bake_minutes: u32,
    },
}

/// `earlySuccessCriteria`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlySuccess {
    /// The percentage of the desired count that has to be ready, rounded up in tasks.
    pub healthy_percent: u32,
    /// Whether the old tasks must also be gone (`BLOCKING`).
    pub waits_for_cleanup: bool,
}

/// A lifecycle hook of type `PAUSE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The stages at which it waits, in the spelling of ECS.
    pub stages: Vec<String>,
    /// Minutes until it continues by itself.
    pub timeout_minutes: u32,
    /// Whether it rolls back then, instead of continuing.
    pub rolls_back: bool,
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
    let name = raw.strategy.as_deref().unwrap_or("ROLLING");
    if name != "ROLLING" {
        sink.report(
            path.field("strategy"),
            Message::StrategyUnsupported {
                value: name.to_owned(),
            },
        );
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
        strategy: strategy(raw, name, path, sink),
        early_success: early_success(raw, name, minimum, path, sink),
        pauses: raw
            .lifecycle_hooks
            .iter()
            .enumerate()
            .filter_map(|(index, hook)| {
                pause(hook, &path.field("lifecycleHooks").index(index), sink)
            })
            .collect(),
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
    let in_range = (0..=100).contains(&minimum);
    if !in_range {
        sink.report(
            path.field("minimumHealthyPercent"),
            Message::MinimumHealthyPercentRange,
        );
    }
    if maximum < 100 {
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
    let value = clamp(threshold.value.unwrap_or(50)).max(1);
    CircuitBreaker {
        rollback: raw.rollback.unwrap_or(false),
        reset_on_healthy_task: raw.reset_on_healthy_task.unwrap_or(true),
        threshold: match threshold.r#type.as_deref() {
            Some("COUNT") => FailureThreshold::Count(value),
            Some("UNBOUNDED_PERCENT") => FailureThreshold::UnboundedPercent(value),
            _ => FailureThreshold::BoundedPercent(value),
        },
    }
}

fn strategy(
    raw: &ecs::DeploymentConfiguration,
    name: &str,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> DeploymentStrategy {
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
        if given && name != owner {
            sink.report(path.field(member), mismatch(member, name));
        }
    }
    if name == "BLUE_GREEN" && raw.bake_time_in_minutes.is_none() {
        sink.report(path.field("bakeTimeInMinutes"), Message::BakeTimeRequired);
    }
    let bake_minutes = clamp(raw.bake_time_in_minutes.unwrap_or(0));
    match name {
        "BLUE_GREEN" => DeploymentStrategy::BlueGreen { bake_minutes },
        "LINEAR" => {
            let linear = raw.linear_configuration.clone().unwrap_or_default();
            DeploymentStrategy::Linear {
                step_per_mille: per_mille(linear.step_percent.unwrap_or(10.0)),
                step_bake_minutes: clamp(linear.step_bake_time_in_minutes.unwrap_or(6)),
                bake_minutes,
            }
        }
        "CANARY" => {
            let canary = raw.canary_configuration.clone().unwrap_or_default();
            DeploymentStrategy::Canary {
                canary_per_mille: per_mille(canary.canary_percent.unwrap_or(5.0)),
                canary_bake_minutes: clamp(canary.canary_bake_time_in_minutes.unwrap_or(10)),
                bake_minutes,
            }
        }
        _ => DeploymentStrategy::Rolling,
    }
}

fn mismatch(member: &str, strategy: &str) -> Message {
    Message::StrategyConfigurationMismatch {
        member: member.to_owned(),
        value: strategy.to_owned(),
    }
}

/// Converts a percentage with one decimal to a whole number of thousandths, 1 to 1000.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 1..=1000 before"
)]
fn per_mille(percent: f64) -> u32 {
    if percent.is_nan() {
        return 1;
    }
    (percent * 10.0).round().clamp(1.0, 1000.0) as u32
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
    if strategy != "ROLLING" {
        sink.report(path, mismatch("earlySuccessCriteria", strategy));
        return None;
    }
    let healthy = criteria.healthy_percent.map_or(100, clamp);
    if healthy < minimum {
        sink.report(
            path.field("healthyPercent"),
            Message::InvalidValue {
                value: healthy.to_string(),
                allowed: format!("at least minimumHealthyPercent, {minimum}"),
            },
        );
    }
    Some(EarlySuccess {
        healthy_percent: healthy.min(100),
        waits_for_cleanup: criteria.source_service_revision_cleanup.as_deref() != Some("DEFERRED"),
    })
}

fn pause(
    hook: &ecs::DeploymentLifecycleHook,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Pause> {
    if hook.target_type.as_deref() != Some("PAUSE") {
        let member = if hook.hook_target_arn.is_some() {
            "hookTargetArn"
        } else {
            "targetType"
        };
        sink.report(path.field(member), Message::LambdaHookUnsupported);
        return None;
    }
    let at = path.field("lifecycleStages");
    if hook.lifecycle_stages.is_empty() {
        sink.report(
            at.clone(),
            Message::InvalidValue {
                value: "lifecycleStages".to_owned(),
                allowed: "at least one stage".to_owned(),
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
    let timeout = hook.timeout_configuration.clone().unwrap_or_default();
    Some(Pause {
        stages: hook.lifecycle_stages.clone(),
        timeout_minutes: timeout
            .timeout_in_minutes
            .map_or(HOOK_TIMEOUT_MINUTES, clamp),
        rolls_back: timeout.action.as_deref() != Some("CONTINUE"),
    })
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
            assert_eq!(deployment.strategy, DeploymentStrategy::Rolling);
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
    fn shares_of_traffic_are_thousandths() {
        for (raw, expected) in [
            (
                json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 33.3}}),
                DeploymentStrategy::Linear {
                    step_per_mille: 333,
                    step_bake_minutes: 6,
                    bake_minutes: 0,
                },
            ),
            (
                json!({"strategy": "LINEAR"}),
                DeploymentStrategy::Linear {
                    step_per_mille: 100,
                    step_bake_minutes: 6,
                    bake_minutes: 0,
                },
            ),
            (
                json!({"strategy": "CANARY", "bakeTimeInMinutes": 3}),
                DeploymentStrategy::Canary {
                    canary_per_mille: 50,
                    canary_bake_minutes: 10,
                    bake_minutes: 3,
                },
            ),
        ] {
            assert_eq!(validate(raw, false).0.strategy, expected);
        }
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
