//! What the operator reports, in the members of the `describe` operations of ECS.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
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
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The status of an EcsTaskDefinition.
    TaskDefinitionStatus {
        /// Accepted.
        conditions: Vec<Condition>,
        /// The generation that this speaks of.
        observed_generation: Option<i64>,
        /// The newest revision.
        revision: Option<i64>,
    }

    /// The status of an EcsCluster.
    ClusterStatus {
        /// Accepted.
        conditions: Vec<Condition>,
        /// The generation that this speaks of.
        observed_generation: Option<i64>,
    }

    /// The status of an EcsService.
    ServiceStatus {
        /// Accepted, Progressing and Ready.
        conditions: Vec<Condition>,
        /// The generation that this speaks of.
        observed_generation: Option<i64>,
        /// The labels of the pods.
        selector: Option<String>,
        /// The task definition that runs, as in `web:3`.
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
        /// What the translation changes or cannot keep.
        warnings: Vec<WarningStatus>,
        /// What rendered the objects that run.
        rendered_by: RenderedByStatus,
        /// Whether they would be rendered otherwise today.
        renewal: RenewalStatus,
    }

    /// What rendered the objects of a service, which it keeps until its next deployment.
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
        /// The objects and fields that would differ, not more than 32.
        differences: Vec<String>,
    }

    /// A deployment of a service.
    DeploymentStatus {
        /// `ecs-svc/` and a number.
        id: String,
        /// PRIMARY, ACTIVE or INACTIVE.
        status: String,
        /// The service revision: what its tasks are made of, kept as a ControllerRevision.
        service_revision: Option<String>,
        /// The task definition, as in `web:3`.
        task_definition: Option<String>,
        /// How many of its tasks are wanted.
        desired_count: Option<i64>,
        /// How many of its tasks start.
        pending_count: Option<i64>,
        /// How many of its tasks run.
        running_count: Option<i64>,
        /// How many of its tasks have been healthy for long enough.
        healthy_count: Option<i64>,
        /// How many of its tasks failed.
        failed_tasks: Option<i64>,
        /// What the last failure of a task of it was, and what to do.
        last_failure: Option<String>,
        /// What was counted of tasks that are still there, by the names of their pods.
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

    /// A task of a service that stopped.
    StoppedTask {
        /// The name of its pod.
        name: String,
        /// The task definition, as in `web:3`.
        task_definition: Option<String>,
        /// Why it stopped, in a word of ECS.
        stop_code: String,
        /// Why it stopped.
        stopped_reason: String,
        /// Which end of a container of its pod it was, if the pod goes on with the container started again.
        ends: Option<i64>,
        /// When this was seen.
        stopped_at: Option<Time>,
        /// Its containers.
        containers: Vec<ContainerStatus>,
    }

    /// The failures of one task that were counted.
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

    /// The status of an EcsTask.
    TaskStatus {
        /// Accepted and Succeeded.
        conditions: Vec<Condition>,
        /// The generation that this speaks of.
        observed_generation: Option<i64>,
        /// The task definition, as in `web:3`.
        task_definition: Option<String>,
        /// The least advanced status of the tasks.
        last_status: Option<String>,
        /// RUNNING or STOPPED.
        desired_status: Option<String>,
        /// Why the first task that stopped did so, in a word of ECS.
        stop_code: Option<String>,
        /// Why the first task that stopped did so.
        stopped_reason: Option<String>,
        /// The exit code of the first task that failed, or 0 if none did.
        exit_code: Option<i32>,
        /// When the first task was RUNNING.
        started_at: Option<Time>,
        /// When the last task was STOPPED.
        stopped_at: Option<Time>,
        /// The tasks, one for each of `count`.
        tasks: Vec<OneTaskStatus>,
    }

    /// One task of an EcsTask.
    OneTaskStatus {
        /// The name of its pod.
        name: String,
        /// PROVISIONING, PENDING, RUNNING, STOPPING or STOPPED.
        last_status: String,
        /// Why it stopped, in a word of ECS.
        stop_code: Option<String>,
        /// Why it stopped.
        stopped_reason: Option<String>,
        /// What keeps it from running.
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

    /// A container of a task.
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
