//! The members of the custom resources that the AWS requests do not have. Each is an extension of this operator.

mod app_runner_status;
mod columns;
mod definition;
mod explain;
mod extensions;
mod kubernetes;
mod pipe_status;
mod pod_schema;
mod policy;
mod resource;
mod rule_status;
mod rules;
mod schedule_status;
mod schema;
mod status;
mod status_schema;
mod triggered_status;

pub use app_runner_status::*;
pub use definition::definitions;
pub use explain::explain_member;
pub use kubernetes::*;
pub use pipe_status::*;
pub(crate) use pod_schema::{of_spec, pod_template};
pub use resource::*;
pub use rule_status::*;
pub use schedule_status::*;
pub use status::*;
pub use triggered_status::*;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ecs;

/// The group and version of the custom resources.
pub const API_VERSION: &str = "ecs-operator.dev/v1alpha1";

/// Returns the spec of a custom resource: the request of AWS, and the members that it does not have.
///
/// # Errors
///
/// When one of them cannot be written as JSON.
pub fn extended(
    request: &impl Serialize,
    extensions: &impl Serialize,
) -> Result<Value, serde_json::Error> {
    let mut spec = serde_json::to_value(request)?;
    if let (Value::Object(spec), Value::Object(more)) =
        (&mut spec, serde_json::to_value(extensions)?)
    {
        spec.extend(more);
    }
    Ok(spec)
}

/// The members of an AppRunnerService's `spec` that `CreateService` of App Runner does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AppRunnerExtensions {
    /// How the service is scaled, instead of a reference to it.
    #[serde(
        rename = "AutoScalingConfiguration",
        skip_serializing_if = "Option::is_none"
    )]
    pub auto_scaling_configuration: Option<ecs::AutoScalingConfiguration>,
    /// Whether no instance runs, as after `PauseService`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// What builds the image of a service from source code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built_by: Option<BuiltBy>,
    /// The domains that requests come to, as `AssociateCustomDomain` takes them.
    #[serde(rename = "CustomDomains", skip_serializing_if = "Vec::is_empty")]
    pub custom_domains: Vec<CustomDomain>,
    /// The settings that exist only in Kubernetes: only `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
}

/// A domain that requests to a service come to
/// (<https://docs.aws.amazon.com/apprunner/latest/api/API_AssociateCustomDomain.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CustomDomain {
    /// The domain, or `*.` and a domain.
    pub domain_name: String,
    /// Whether `www.` before it is one too. Default: true.
    #[serde(rename = "EnableWWWSubdomain", skip_serializing_if = "Option::is_none")]
    pub enable_www_subdomain: Option<bool>,
}

/// The object of a builder, in the namespace of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltBy {
    /// Its kind.
    pub kind: BuilderKind,
    /// Its name.
    pub name: String,
}

/// The kinds of objects that say which image they have built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BuilderKind {
    /// `Image` of kpack (<https://github.com/buildpacks-community/kpack/blob/main/docs/image.md>).
    Image,
    /// `Build` of Shipwright (<https://shipwright.io/docs/build/build/>).
    Build,
}

impl BuilderKind {
    /// The kind, as its objects have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "Image",
            Self::Build => "Build",
        }
    }
}

/// The members of an EcsTaskDefinition's `spec` that `RegisterTaskDefinition` does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskDefinitionExtensions {
    /// The settings that exist only in Kubernetes: only `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
}

/// The members of an EcsService's `spec` that `CreateService` does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceExtensions {
    /// The Application Auto Scaling requests of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_scaling: Option<AutoScaling>,
    /// The settings that exist only in Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
}

/// The members of an EcsTask's `spec` that `RunTask` does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskExtensions {
    /// Seconds until a finished task is deleted; it stays if this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<i64>,
    /// The settings that exist only in Kubernetes: only `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
}

/// The members of an EcsSchedule's `spec` that `CreateSchedule` does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScheduleExtensions {
    /// What happens if tasks of an earlier time still run; `Allow` if this is absent, as in AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_policy: Option<ConcurrencyPolicy>,
    /// What happens to times that were missed; `Latest` if this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
    /// How many EcsTasks are kept that succeeded; 3 if this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successful_tasks_history_limit: Option<i64>,
    /// How many EcsTasks are kept that failed; 3 if this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_tasks_history_limit: Option<i64>,
    /// The settings that exist only in Kubernetes: only `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
}

impl ScheduleExtensions {
    /// How many EcsTasks are kept of each result if the spec does not say it.
    pub const DEFAULT_HISTORY_LIMIT: i64 = 3;
    /// How many EcsTasks of a result can be kept at most.
    pub const MOST_HISTORY: i64 = 100;

    /// How many EcsTasks are kept that succeeded, and that failed.
    #[must_use]
    pub fn kept(&self) -> [i64; 2] {
        [
            self.successful_tasks_history_limit,
            self.failed_tasks_history_limit,
        ]
        .map(|limit| limit.unwrap_or(Self::DEFAULT_HISTORY_LIMIT))
    }
}

/// The members of an EcsPipe's `spec` that `CreatePipe` does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PipeExtensions {
    /// How many messages are in work at once; 10 if this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<i64>,
    /// How many EcsTasks of the pipe may run before no more messages are received; without limit if this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_running_tasks: Option<i64>,
    /// Whether a message is deleted only when its tasks have succeeded; when its EcsTask exists if this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_for_task: Option<bool>,
    /// The settings that exist only in Kubernetes: only `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
}

impl PipeExtensions {
    /// Whether a message is deleted only when its tasks have succeeded.
    #[must_use]
    pub fn waits_for_task(&self) -> bool {
        self.wait_for_task == Some(true)
    }

    /// How many messages can be in work at once: as many as SQS gives at a time.
    pub const MOST_IN_FLIGHT: i64 = 10;
    /// The highest limit of EcsTasks that run.
    pub const MOST_RUNNING_TASKS: i64 = 100_000;
}

/// The members of an EcsRule's `spec` that `PutRule` and `PutTargets` do not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleExtensions {
    /// The settings that exist only in Kubernetes: only `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
}

/// What happens when a schedule is due and tasks that it started before still run, as `concurrencyPolicy` of a CronJob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConcurrencyPolicy {
    /// The new tasks start beside them.
    #[default]
    Allow,
    /// No new tasks start.
    Forbid,
    /// The new tasks start, and then the others are stopped.
    Replace,
}

impl ConcurrencyPolicy {
    /// The word of the spec.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Forbid => "Forbid",
            Self::Replace => "Replace",
        }
    }
}

/// What happens to times that were missed because no operator ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CatchUp {
    /// The tasks of the newest one start late.
    #[default]
    Latest,
    /// None start.
    None,
}

/// The Application Auto Scaling requests of one service, each in that API's own spelling.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoScaling {
    /// `RegisterScalableTarget`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalable_target: Option<ecs::ScalableTarget>,
    /// `PutScalingPolicy`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scaling_policies: Vec<ecs::ScalingPolicy>,
    /// `PutMetricAlarm` of CloudWatch, for the alarms that trigger step scaling policies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<ecs::MetricAlarm>,
    /// `PutScheduledAction`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scheduled_actions: Vec<ecs::ScheduledAction>,
    /// Who runs the policies, if not the autoscaler that they can be translated to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaler: Option<Scaler>,
}

/// Who runs the policies of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scaler {
    /// The operator, as ECS does: with cooldowns, and each policy by itself.
    Operator,
}
