//! The statuses that the operator reports, with the members of the `describe` operations of ECS.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The spec can be translated; otherwise the condition lists all errors, and the running tasks keep running.
pub const ACCEPTED: &str = "Accepted";
/// The tasks of the newest generation are running, and no others.
pub const READY: &str = "Ready";
/// What builds the image of an App Runner service has made one, and can be read.
pub const BUILT: &str = "Built";
/// A deployment is under way.
pub const PROGRESSING: &str = "Progressing";
/// The autoscaler of a service has the metrics that it needs; absent where there is no autoscaler.
pub const SCALING_ACTIVE: &str = "ScalingActive";
/// Others change the objects of a service again and again, and the operator changes them back; absent otherwise.
pub const CONTENDED: &str = "Contended";
/// All tasks of an EcsTask have ended with exit code 0; unknown before they have ended.
pub const SUCCEEDED: &str = "Succeeded";

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
            #[serde(rename_all = "camelCase", default)]
            pub struct $name {
                $(
                    $(#[$field_doc])*
                    #[serde(skip_serializing_if = "is_absent", deserialize_with = "lenient")]
                    pub $field: $type,
                )*
            }
        )*
    };
}

pub(super) use statuses;

/// Whether a member has its default value and is omitted.
pub(super) fn is_absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads a member; one that another version of the operator wrote in another shape counts as absent, and does not
/// affect the other members.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

statuses! {
    /// The status of the task definition.
    TaskDefinitionStatus {
        /// Whether it is accepted.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// The newest revision.
        revision: Option<i64>,
        /// The differences from ECS, regardless of which service or task runs it.
        warnings: Vec<WarningStatus>,
    }

    /// The status of the cluster.
    ClusterStatus {
        /// Whether it is accepted.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// The differences from ECS.
        warnings: Vec<WarningStatus>,
    }

    /// The status of the capacity provider, as DescribeCapacityProviders returns it.
    CapacityProviderStatus {
        /// Accepted and Ready.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// ACTIVE, INACTIVE while its spec is rejected, PROVISIONING while its nodes cannot be made, or DEPROVISIONING
        /// while it waits to be deleted.
        status: Option<String>,
        /// The NodePool that Karpenter makes its nodes by.
        node_pool: Option<String>,
        /// The Deployment of the placeholders that keep room on its nodes, in the namespace of the operator.
        spare_room: Option<String>,
        /// The differences from ECS.
        warnings: Vec<WarningStatus>,
    }

    /// The status of the service, as DescribeServices returns it.
    ServiceStatus {
        /// Accepted, Progressing and Ready.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// The labels of the service's pods, for autoscalers.
        selector: Option<String>,
        /// The task definition that is running: its family and revision, as in `web:3`.
        task_definition: Option<String>,
        /// The desired number of tasks.
        desired_count: Option<i64>,
        /// The number of running tasks.
        running_count: Option<i64>,
        /// The number of starting tasks.
        pending_count: Option<i64>,
        /// The deployments, newest first.
        deployments: Vec<DeploymentStatus>,
        /// The service revision of the last deployment that completed, to which a rollback returns.
        completed_revision: Option<String>,
        /// A service revision that failed and was rolled back; it is not tried again while the spec requests it.
        rolled_back_revision: Option<String>,
        /// The tasks that ended by themselves or could not start in the last hour, newest first.
        stopped_tasks: Vec<StoppedTask>,
        /// The differences from ECS.
        warnings: Vec<WarningStatus>,
        /// The versions that rendered the running objects, which a service keeps until its next deployment.
        rendered_by: RenderedByStatus,
        /// The digests that the tags of running images had when their deployment began.
        resolved_images: Vec<ResolvedImageStatus>,
        /// What a deployment of the same spec would change today.
        renewal: RenewalStatus,
        /// What scales the service, and has scaled it.
        auto_scaling: AutoScalingStatus,
    }

    /// The state of service auto scaling.
    AutoScalingStatus {
        /// The range that is in force instead of that of the spec, because of a scheduled action.
        range: CapacityRange,
        /// The range of the spec that it was set for; another one in the spec is in force at once.
        registered: CapacityRange,
        /// Whether the number of tasks has yet to be moved into the range.
        adjusting: bool,
        /// The scheduled actions, in the order of the spec.
        scheduled_actions: Vec<ScheduledActionStatus>,
        /// `operator` if it runs the policies. An autoscaler that there was stays until the operator has measured them.
        scaler: Option<String>,
        /// The alarms of the policies that the operator runs.
        alarms: Vec<AlarmStatus>,
        /// Why the number of tasks stays although a policy wants to change it: AlreadyAtMaxCapacity,
        /// AlreadyAtMinCapacity, AlreadyAtDesiredCapacity, InCooldown, DeploymentInProgress or Suspended.
        not_scaled_reason: Option<String>,
        /// The scaling activities of the policies that the operator runs, newest first, at most 10.
        activities: Vec<ScalingActivityStatus>,
    }

    /// An alarm of a scaling policy, as DescribeAlarms returns it.
    AlarmStatus {
        /// Its name: that of its policy, with `/AlarmHigh` or `/AlarmLow` for target tracking.
        alarm_name: String,
        /// The metric.
        metric_name: String,
        /// The threshold.
        threshold: Option<f64>,
        /// OK, ALARM or INSUFFICIENT_DATA.
        state_value: String,
        /// The value of the metric when it got into this state.
        value: Option<f64>,
        /// When it got into this state.
        state_updated_timestamp: Option<Time>,
        /// The known values of the last minutes until then, at most 15, the newest last.
        recent_values: Vec<f64>,
    }

    /// A scaling activity, as DescribeScalingActivities returns it.
    ScalingActivityStatus {
        /// What it does.
        description: String,
        /// Why.
        cause: String,
        /// The policy.
        policy_name: String,
        /// The number of tasks that it was calculated from.
        base: Option<i64>,
        /// The desired number of tasks before.
        from: Option<i64>,
        /// The desired number of tasks after it.
        to: Option<i64>,
        /// When it began.
        start_time: Option<Time>,
        /// When it ended.
        end_time: Option<Time>,
        /// When its cooldown is over.
        cooldown_until: Option<Time>,
        /// Pending, InProgress, Successful, Overridden or Failed.
        status_code: String,
    }

    /// The least and the most tasks that scaling may choose.
    CapacityRange {
        /// The least tasks.
        min_capacity: Option<i64>,
        /// The most tasks.
        max_capacity: Option<i64>,
    }

    /// A scheduled action.
    ScheduledActionStatus {
        /// Its name.
        name: String,
        /// Its schedule, time zone, start and end.
        schedule: String,
        /// When the operator first saw it with this schedule.
        since: Option<Time>,
        /// When it was last due, whether it ran, failed or was suspended.
        last_firing: Option<Time>,
        /// When it is due next; absent if never again.
        next_firing: Option<Time>,
    }

    /// The versions that rendered the objects of the service.
    RenderedByStatus {
        /// The version of the operator.
        operator: Option<String>,
        /// The version of Kubernetes.
        kubernetes: Option<String>,
    }

    /// The digest of an image.
    ResolvedImageStatus {
        /// The image in the task definition.
        image: String,
        /// The digest, such as `sha256:` and 64 hexadecimal digits.
        image_digest: String,
    }

    /// What a deployment of the same spec would change today.
    RenewalStatus {
        /// `none` or `available`.
        state: Option<String>,
        /// The objects and fields that would differ, at most 32.
        differences: Vec<String>,
    }

    /// A deployment of the service.
    DeploymentStatus {
        /// Its name: `ecs-svc/` and a number.
        id: String,
        /// PRIMARY, ACTIVE or INACTIVE.
        status: String,
        /// The service revision: the inputs of its tasks, which a ControllerRevision stores.
        service_revision: Option<String>,
        /// The task definition: its family and revision, as in `web:3`.
        task_definition: Option<String>,
        /// The desired number of its tasks.
        desired_count: Option<i64>,
        /// The number of its starting tasks.
        pending_count: Option<i64>,
        /// The number of its running tasks.
        running_count: Option<i64>,
        /// The number of its tasks that have been healthy for long enough.
        healthy_count: Option<i64>,
        /// The number of its failed tasks; since the last healthy task, if the circuit breaker resets the count.
        failed_tasks: Option<i64>,
        /// The reason of its last failed task, and what to do about it.
        last_failure: Option<String>,
        /// The counted failures of tasks that still exist, by the names of their pods.
        failures: BTreeMap<String, TaskFailures>,
        /// The deployment whose tasks this one restores, if it is a rollback.
        returns_to: Option<String>,
        /// IN_PROGRESS, COMPLETED or FAILED.
        rollout_state: Option<String>,
        /// The reason for this state.
        rollout_state_reason: Option<String>,
        /// When it was created.
        created_at: Option<Time>,
        /// When it last changed its state.
        updated_at: Option<Time>,
    }

    /// A task that ended by itself or could not start; kept for an hour, and at most the 20 newest.
    StoppedTask {
        /// The name of its pod.
        name: String,
        /// The task definition: its family and revision, as in `web:3`.
        task_definition: Option<String>,
        /// The ECS stop code.
        stop_code: String,
        /// The reason why it stopped.
        stopped_reason: String,
        /// The number of the container exit in its pod, if the pod continues with the container restarted.
        ends: Option<i64>,
        /// When the operator saw it.
        stopped_at: Option<Time>,
        /// The containers of the task.
        containers: Vec<ContainerStatus>,
    }

    /// The failures of one task.
    TaskFailures {
        /// The total number of failures.
        count: i64,
        /// How many of them are exits of containers.
        ends: i64,
        /// When it was last counted that a container cannot be started.
        not_started_at: Option<Time>,
    }

    /// A translation that behaves differently from ECS.
    WarningStatus {
        /// The stable name of the finding.
        reason: String,
        /// The field.
        path: String,
        /// The difference.
        message: String,
    }

    /// The status of the tasks, as DescribeTasks returns it.
    TaskStatus {
        /// Accepted and Succeeded.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// The task definition: its family and revision, as in `web:3`.
        task_definition: Option<String>,
        /// The annotations that are settings, as they were when the tasks began. Later changes of them have no effect.
        settings: Option<BTreeMap<String, String>>,
        /// The capacity providers that the tasks may be placed on, as they were when the tasks began.
        capacity_providers: Vec<TaskProviderStatus>,
        /// The last known status, such as RUNNING or STOPPED; with several tasks, that of the least advanced.
        last_status: Option<String>,
        /// RUNNING or STOPPED.
        desired_status: Option<String>,
        /// The ECS stop code of the first task that stopped.
        stop_code: Option<String>,
        /// The reason why the first task stopped.
        stopped_reason: Option<String>,
        /// The exit code of the first task that failed, or 0 if all ended tasks have exited with 0.
        exit_code: Option<i32>,
        /// When the first task was RUNNING.
        started_at: Option<Time>,
        /// When the last task was STOPPED.
        stopped_at: Option<Time>,
        /// The tasks, one for each of `count`.
        tasks: Vec<OneTaskStatus>,
        /// The differences from ECS.
        warnings: Vec<WarningStatus>,
    }

    /// A capacity provider of the tasks.
    TaskProviderStatus {
        /// Its name.
        name: String,
        /// The taints of its nodes that the tasks tolerate, such as `team=web:NoSchedule`.
        tolerated_taints: Vec<String>,
    }

    /// One of the tasks.
    OneTaskStatus {
        /// The name of its pod.
        name: String,
        /// PROVISIONING, PENDING, RUNNING, STOPPING or STOPPED.
        last_status: String,
        /// The ECS stop code.
        stop_code: Option<String>,
        /// The reason why it stopped.
        stopped_reason: Option<String>,
        /// The reason why it is not running: no node can take it, its image cannot be pulled, a quota is exhausted.
        status_reason: Option<String>,
        /// The exit code of the essential container that ended first.
        exit_code: Option<i32>,
        /// When its pod was created.
        created_at: Option<Time>,
        /// When it became RUNNING.
        started_at: Option<Time>,
        /// When it became STOPPED.
        stopped_at: Option<Time>,
        /// Its containers.
        containers: Vec<ContainerStatus>,
    }

    /// A container of the task.
    ContainerStatus {
        /// The name of the container.
        name: String,
        /// PENDING, RUNNING or STOPPED.
        last_status: Option<String>,
        /// Its exit code, once it has exited.
        exit_code: Option<i32>,
        /// The reason why it exited or does not start.
        reason: Option<String>,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_of_another_shape_costs_no_other_one() {
        let status: ServiceStatus = serde_json::from_value(json!({
            "runningCount": "three",
            "completedRevision": "1a2b3c4d5e",
            "deployments": [{"id": "ecs-svc/1", "failedTasks": [], "rolloutState": "COMPLETED"}],
            "somethingNew": {},
        }))
        .expect("any shape can be read");
        assert_eq!(status.running_count, None);
        assert_eq!(status.completed_revision.as_deref(), Some("1a2b3c4d5e"));
        let deployment = &status.deployments[0];
        assert_eq!(deployment.rollout_state.as_deref(), Some("COMPLETED"));
        assert_eq!(deployment.failed_tasks, None);
    }
}
