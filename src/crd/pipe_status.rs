//! The status of a pipe.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    TriggeredTaskStatus, WarningStatus,
    status::{is_absent, lenient, statuses},
};

statuses! {
    /// The status of the pipe.
    PipeStatus {
        /// Accepted and Ready.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// RUNNING, STOPPED, CREATE_FAILED while the spec is rejected, or START_FAILED while the queue cannot be read.
        current_state: Option<String>,
        /// RUNNING or STOPPED, as the spec asks for.
        desired_state: Option<String>,
        /// Why it does not run although it should.
        state_reason: Option<String>,
        /// How many messages were received, with those that were received again. An operator that is killed loses the
        /// counts of some seconds.
        received: i64,
        /// How many EcsTasks were started.
        started: i64,
        /// How many messages were deleted because no filter matches.
        filtered: i64,
        /// How often a message was left in the queue because no task can be made of it, its EcsTask was refused, or its tasks
        /// have failed while they were waited for.
        refused: i64,
        /// When a message was last received.
        last_message_time: Option<Time>,
        /// The newest EcsTasks of the pipe that exist, newest first, at most 10.
        tasks: Vec<TriggeredTaskStatus>,
        /// The last messages that were left in the queue, newest first, at most 10.
        failures: Vec<PipeFailureStatus>,
        /// The differences from AWS.
        warnings: Vec<WarningStatus>,
    }

    /// A message that was left in the queue. Nothing of what it says is told.
    PipeFailureStatus {
        /// When.
        time: Option<Time>,
        /// The ID of the message.
        message_id: String,
        /// PipeParameterMissing, TargetInvocationFailed, or the reason why the EcsTask would be rejected.
        reason: String,
        /// Why.
        message: String,
    }
}
