//! What the operator reports, in the members of the `describe` operations of ECS.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The spec can be translated; otherwise the condition tells all that is wrong, and what ran goes on running.
pub const ACCEPTED: &str = "Accepted";
/// The tasks of the newest generation run and no others.
pub const READY: &str = "Ready";
/// A deployment is under way.
pub const PROGRESSING: &str = "Progressing";
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

/// Whether a member has nothing to say, and is left out.
fn is_absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads a member; one that another version of the operator wrote in another shape has nothing to say, and no other
/// member is lost for it.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

statuses! {
    /// What became of the task definition.
    TaskDefinitionStatus {
        /// Whether it is accepted.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// The newest revision.
        revision: Option<i64>,
        /// What differs from ECS, whoever runs it.
        warnings: Vec<WarningStatus>,
    }

    /// What became of the cluster.
    ClusterStatus {
        /// Whether it is accepted.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// What differs from ECS.
        warnings: Vec<WarningStatus>,
    }

    /// What runs, as DescribeServices reports it.
    ServiceStatus {
        /// Accepted, Progressing and Ready.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// The labels of the service's pods, for autoscalers.
        selector: Option<String>,
        /// The task definition that runs: its family and revision, as in `web:3`.
        task_definition: Option<String>,
        /// How many tasks are wanted.
        desired_count: Option<i64>,
        /// How many tasks run.
        running_count: Option<i64>,
        /// How many tasks start.
        pending_count: Option<i64>,
        /// The deployments, the newest first.
        deployments: Vec<DeploymentStatus>,
        /// The service revision of the last deployment that completed, to which a rollback returns.
        completed_revision: Option<String>,
        /// A service revision that failed and was rolled back; it is not tried again as long as the spec asks for it.
        rolled_back_revision: Option<String>,
        /// The tasks that ended by themselves or could not start in the last hour, the newest first.
        stopped_tasks: Vec<StoppedTask>,
        /// What differs from ECS.
        warnings: Vec<WarningStatus>,
        /// What rendered the objects that run, which a service keeps until its next deployment.
        rendered_by: RenderedByStatus,
        /// What a deployment of the same spec would change today.
        renewal: RenewalStatus,
    }

    /// The versions of what rendered the objects of the service.
    RenderedByStatus {
        /// The version of the operator.
        operator: Option<String>,
        /// The version of Kubernetes.
        kubernetes: Option<String>,
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
        /// The service revision: what its tasks are made of, which a ControllerRevision keeps.
        service_revision: Option<String>,
        /// The task definition: its family and revision, as in `web:3`.
        task_definition: Option<String>,
        /// How many of its tasks are wanted.
        desired_count: Option<i64>,
        /// How many of its tasks start.
        pending_count: Option<i64>,
        /// How many of its tasks run.
        running_count: Option<i64>,
        /// How many of its tasks have been healthy for long enough.
        healthy_count: Option<i64>,
        /// How many of its tasks failed; where the circuit breaker starts over after a healthy task, since then.
        failed_tasks: Option<i64>,
        /// Why a task of it failed last, and what to do.
        last_failure: Option<String>,
        /// The failures that were counted of tasks that are still there, by the names of their pods.
        failures: BTreeMap<String, TaskFailures>,
        /// The deployment whose tasks this one brings back, if it is a rollback.
        returns_to: Option<String>,
        /// IN_PROGRESS, COMPLETED or FAILED.
        rollout_state: Option<String>,
        /// Why.
        rollout_state_reason: Option<String>,
        /// When it began.
        created_at: Option<Time>,
        /// When it last changed its state.
        updated_at: Option<Time>,
    }

    /// A task that ended by itself or could not start; kept for an hour, and of more than 20 the newest ones.
    StoppedTask {
        /// The name of its pod.
        name: String,
        /// The task definition: its family and revision, as in `web:3`.
        task_definition: Option<String>,
        /// Why it stopped, in a word of ECS.
        stop_code: String,
        /// Why it stopped.
        stopped_reason: String,
        /// Which end of a container of its pod it was, if the pod goes on with the container started again.
        ends: Option<i64>,
        /// When the operator saw it.
        stopped_at: Option<Time>,
        /// Its containers.
        containers: Vec<ContainerStatus>,
    }

    /// The failures of one task.
    TaskFailures {
        /// How many in all.
        count: i64,
        /// How many of them are ends of containers.
        ends: i64,
        /// When it was last counted that a container cannot be started.
        not_started_at: Option<Time>,
    }

    /// Something that is translated with a difference.
    WarningStatus {
        /// The stable name of the finding.
        reason: String,
        /// The field.
        path: String,
        /// What differs.
        message: String,
    }

    /// What became of the tasks, as DescribeTasks reports it.
    TaskStatus {
        /// Accepted and Succeeded.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// The task definition: its family and revision, as in `web:3`.
        task_definition: Option<String>,
        /// The last known status, such as RUNNING or STOPPED; with several tasks that of the least advanced.
        last_status: Option<String>,
        /// RUNNING or STOPPED.
        desired_status: Option<String>,
        /// Why the first task that stopped did so, in a word of ECS.
        stop_code: Option<String>,
        /// Why the first task that stopped did so.
        stopped_reason: Option<String>,
        /// The exit code of the first task that failed, or 0 if all tasks that ended did so with 0.
        exit_code: Option<i32>,
        /// When the first task was RUNNING.
        started_at: Option<Time>,
        /// When the last task was STOPPED.
        stopped_at: Option<Time>,
        /// The tasks, one for each of `count`.
        tasks: Vec<OneTaskStatus>,
        /// What differs from ECS.
        warnings: Vec<WarningStatus>,
    }

    /// One of the tasks.
    OneTaskStatus {
        /// The name of its pod.
        name: String,
        /// PROVISIONING, PENDING, RUNNING, STOPPING or STOPPED.
        last_status: String,
        /// Why it stopped, in a word of ECS.
        stop_code: Option<String>,
        /// Why it stopped.
        stopped_reason: Option<String>,
        /// What keeps it from running: no node can take it, its image cannot be pulled, a quota is used up.
        status_reason: Option<String>,
        /// The exit code of the essential container that ended first.
        exit_code: Option<i32>,
        /// When its pod was made.
        created_at: Option<Time>,
        /// When it was RUNNING.
        started_at: Option<Time>,
        /// When it was STOPPED.
        stopped_at: Option<Time>,
        /// Its containers.
        containers: Vec<ContainerStatus>,
    }

    /// A container of the task.
    ContainerStatus {
        /// Its name.
        name: String,
        /// PENDING, RUNNING or STOPPED.
        last_status: Option<String>,
        /// Its exit code, once it has ended.
        exit_code: Option<i32>,
        /// Why it ended or does not start.
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
