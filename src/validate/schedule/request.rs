//! What a schedule asks of the operator, which follows it to the letter.

use jiff::SignedDuration;

use super::Timing;
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Reason, Subject},
    ecs,
    validate::{Arn, arn::has_placeholder},
};

/// What a schedule asks of the operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Firings {
    /// When it is due.
    pub timing: Timing,
    /// How long after it is due its tasks may start; none if they start at once.
    pub window: SignedDuration,
    /// Whether it starts tasks.
    pub is_enabled: bool,
    /// How long after it was due a start is still tried.
    pub max_age: SignedDuration,
    /// How often a start that fails is tried again.
    pub max_retries: i64,
    /// The ARN of the queue that gets a message for each start that is given up.
    pub dead_letters: Option<String>,
    /// Whether it is deleted when it will start nothing more.
    pub is_deleted_at_end: bool,
    /// What AWS does not have.
    pub extensions: crd::ScheduleExtensions,
}

impl Firings {
    /// How long after it was due a start can still be tried: it may begin late in its window.
    #[must_use]
    pub fn longest_wait(&self) -> SignedDuration {
        self.window.saturating_add(self.max_age)
    }
}

/// Validates what a schedule asks of the operator. The tasks that it starts are validated when they start, with the task
/// definition of that time.
///
/// # Errors
///
/// Returns everything that is wrong with it.
pub fn validate_firings(
    raw: &ecs::Schedule,
    extensions: crd::ScheduleExtensions,
) -> Result<Firings, Diagnostics> {
    let mut sink = Diagnostics::new();
    let timing = check(raw, &mut sink);
    super::run_task_of(raw, None, &mut sink);
    let Some(timing) = timing.filter(|_| !sink.has_errors()) else {
        return Err(sink);
    };
    let window = raw.flexible_time_window.as_ref();
    let window = window.and_then(|window| window.maximum_window_in_minutes);
    let target = raw.target.as_ref();
    let retry = target.and_then(|it| it.retry_policy.as_ref());
    let dead_letters = target.and_then(|it| it.dead_letter_config.as_ref());
    let max_age = retry
        .and_then(|retry| retry.maximum_event_age_in_seconds)
        .unwrap_or(ecs::RetryPolicy::DEFAULT_MAXIMUM_EVENT_AGE_IN_SECONDS);
    let max_retries = retry
        .and_then(|retry| retry.maximum_retry_attempts)
        .unwrap_or(ecs::RetryPolicy::DEFAULT_MAXIMUM_RETRY_ATTEMPTS);
    Ok(Firings {
        timing,
        window: SignedDuration::from_mins(window.unwrap_or(0)),
        is_enabled: raw.state.as_deref() != Some("DISABLED"),
        max_age: SignedDuration::from_secs(max_age),
        max_retries,
        dead_letters: dead_letters.and_then(|it| it.arn.clone()),
        is_deleted_at_end: raw.action_after_completion.as_deref() == Some("DELETE"),
        extensions,
    })
}

/// Removes findings that are so only of a CronJob.
pub fn of_operator(findings: &mut Diagnostics) {
    for reason in [Reason::RetryAttemptsUnused, Reason::ScheduleGroupNoted] {
        findings.forget(reason);
    }
}

/// Checks what is wrong with a schedule whoever follows it. Returns when it is due, if that can be said.
pub(super) fn check(raw: &ecs::Schedule, sink: &mut Diagnostics) -> Option<Timing> {
    check_target(raw, sink);
    check_window(raw.flexible_time_window.as_ref(), sink);
    Timing::of(raw, sink)
}

/// Checks that the target is a cluster of ECS.
fn check_target(raw: &ecs::Schedule, sink: &mut Diagnostics) {
    let arn = raw.target.as_ref().and_then(|target| target.arn.as_deref());
    let Some(text) = arn.filter(|text| !has_placeholder(text)) else {
        return;
    };
    if !is_cluster(text) {
        let path = FieldPath::root(Subject::Schedule).field("Target");
        sink.report(path.field("Arn"), Message::TargetNotEcs);
    }
}

/// Whether this is the ARN of a cluster of ECS.
pub(in crate::validate) fn is_cluster(text: &str) -> bool {
    Arn::parse(text).is_some_and(|arn| arn.service == "ecs" && arn.resource.starts_with("cluster/"))
}

fn check_window(window: Option<&ecs::FlexibleTimeWindow>, sink: &mut Diagnostics) {
    let Some(window) = window else {
        return;
    };
    let path = FieldPath::root(Subject::Schedule).field("FlexibleTimeWindow");
    let minutes = path.field("MaximumWindowInMinutes");
    let is_flexible = window.mode.as_deref() == Some("FLEXIBLE");
    match window.maximum_window_in_minutes {
        None if is_flexible => {
            let name = "MaximumWindowInMinutes".to_owned();
            sink.report(minutes, Message::RequiredField { name });
        }
        Some(given) if !is_flexible => {
            let message = Message::InvalidValue {
                value: given.to_string(),
                allowed: "is only for the mode FLEXIBLE".to_owned(),
            };
            sink.report(minutes, message);
        }
        _ => {}
    }
}
