//! The status of a rule.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    TriggeredTaskStatus, WarningStatus,
    status::{is_absent, lenient, statuses},
};

statuses! {
    /// The status of the rule.
    RuleStatus {
        /// Accepted and Ready.
        conditions: Vec<Condition>,
        /// The generation that the status describes.
        observed_generation: Option<i64>,
        /// ENABLED or DISABLED, as the operator last saw it; absent while the spec is rejected.
        state: Option<String>,
        /// A digest of the event pattern and the targets that `since` is about.
        pattern: Option<String>,
        /// Since when events count: what happened until then starts nothing. It is the time at which the rule was created,
        /// or at which the operator saw that it was enabled or that its pattern or targets changed.
        since: Option<Time>,
        /// How many events have matched since the rule exists. An operator that is killed loses the counts of some seconds.
        matched: i64,
        /// How many EcsTasks were started.
        started: i64,
        /// How many starts were given up.
        failed: i64,
        /// When the last event happened that has matched.
        last_match_time: Option<Time>,
        /// The starts of the last hour that are done, newest first, at most 100: none of them is done again, also if its
        /// EcsTask is deleted.
        invocations: Vec<RuleInvocationStatus>,
        /// The newest EcsTasks of the rule that exist, newest first, at most 10.
        tasks: Vec<TriggeredTaskStatus>,
        /// The last start that failed.
        last_failure: RuleFailureStatus,
        /// The differences from AWS.
        warnings: Vec<WarningStatus>,
    }

    /// A start of a target for an event.
    RuleInvocationStatus {
        /// The name of the EcsTask.
        task: String,
        /// When the event happened.
        time: Option<Time>,
    }

    /// A start that failed.
    RuleFailureStatus {
        /// When.
        time: Option<Time>,
        /// The ID of the event.
        event: Option<String>,
        /// The ID of the target.
        target: Option<String>,
        /// Whether it is tried again.
        retrying: bool,
        /// TargetInvocationFailed, or the reason why the EcsTask would be rejected.
        reason: Option<String>,
        /// Why.
        message: Option<String>,
    }
}
