//! The status of a schedule.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    WarningStatus,
    status::{is_absent, lenient, statuses},
};

statuses! {
    /// The status of the schedule.
    ScheduleStatus {
        /// Accepted and Ready.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// ENABLED or DISABLED, as the operator last saw it.
        state: Option<String>,
        /// Its expression, time zone, start and end.
        timing: Option<String>,
        /// Since when this timing counts. A rate without StartDate counts from then.
        since: Option<Time>,
        /// When it was last enabled again, or accepted after a rejection. What was due before is not made up for.
        enabled_at: Option<Time>,
        /// When it was last due, whether its tasks were started, skipped or given up.
        last_firing: Option<Time>,
        /// When it is due next; absent if never again.
        next_firing: Option<Time>,
        /// The start that has failed and is tried again.
        retrying: Option<RetryStatus>,
        /// The EcsTasks that it has started and that exist, newest first, at most 10.
        tasks: Vec<StartedTaskStatus>,
        /// The starts that were given up or skipped, newest first, at most 10.
        failures: Vec<FailedFiringStatus>,
        /// The differences from AWS.
        warnings: Vec<WarningStatus>,
    }

    /// A start that is tried again.
    RetryStatus {
        /// When the schedule was due.
        due: Option<Time>,
        /// How often it was tried.
        attempts: i64,
        /// Why it failed the last time.
        message: String,
    }

    /// An EcsTask that the schedule has started.
    StartedTaskStatus {
        /// Its name.
        name: String,
        /// When the schedule was due; absent if a person started it.
        due: Option<Time>,
        /// Running, Succeeded, Failed, or NotAccepted while its spec is rejected.
        result: String,
        /// The exit code of the first task that failed, or 0.
        exit_code: Option<i32>,
        /// The reason of its condition Succeeded or Accepted.
        reason: Option<String>,
        /// When its last task stopped.
        stopped_at: Option<Time>,
    }

    /// A start that was given up or skipped.
    FailedFiringStatus {
        /// When the schedule was due.
        due: Option<Time>,
        /// TargetInvocationFailed, or FiringSkipped.
        reason: String,
        /// Why.
        message: String,
    }
}
