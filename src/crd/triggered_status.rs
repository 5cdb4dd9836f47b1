//! What the statuses of rules and pipes say of the tasks that they have started.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::{is_absent, lenient, statuses};

statuses! {
    /// An EcsTask that an event or a message has started.
    TriggeredTaskStatus {
        /// Its name.
        name: String,
        /// Running, Succeeded, Failed, or NotAccepted while its spec is rejected.
        result: String,
        /// The exit code of the first task that failed, or 0.
        exit_code: Option<i32>,
        /// The reason of its condition Succeeded or Accepted.
        reason: Option<String>,
        /// When its last task stopped.
        stopped_at: Option<Time>,
    }
}
