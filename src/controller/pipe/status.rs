//! The status of a pipe.

use k8s_openapi::jiff::Timestamp;

use super::tally::News;
use crate::{
    controller::{
        refusal::Refusal,
        status::{Aspect, conditions},
    },
    crd::{ACCEPTED, PipeStatus, READY, WarningStatus},
    diagnostic::StateReason,
};

/// The reason when a queue cannot be read.
pub(super) const UNAVAILABLE: StateReason = StateReason::QueueUnavailable;

/// The state of a pipe.
pub(super) enum State {
    /// Its spec is wrong.
    Rejected(Refusal),
    /// Its namespace may not read the queue.
    NotAllowed(Refusal),
    /// The operator reads no queues.
    Disabled,
    /// Its spec asks for that.
    Stopped,
    /// The queue cannot be read, for this reason.
    Unavailable(String),
    /// It receives messages.
    Running,
}

/// Where a status is written.
pub(super) struct Place<'a> {
    pub(super) before: &'a PipeStatus,
    pub(super) generation: Option<i64>,
    pub(super) now: Timestamp,
}

/// Returns the status of a pipe, with the tasks that it had before. The warnings are those of before if there are none.
pub(super) fn reported(
    place: &Place<'_>,
    state: &State,
    warnings: Option<Vec<WarningStatus>>,
    news: &News,
) -> PipeStatus {
    let (current, ready) = aspect(state);
    let accepted = match state {
        State::Rejected(refusal) | State::NotAllowed(refusal) => Aspect {
            type_: ACCEPTED,
            holds: Some(false),
            reason: refusal.reason,
            message: refusal.message.clone(),
        },
        State::Disabled | State::Stopped | State::Unavailable(_) | State::Running => Aspect {
            type_: ACCEPTED,
            holds: Some(true),
            reason: StateReason::Translated.into(),
            message: "The spec is accepted.".to_owned(),
        },
    };
    let state_reason = match state {
        State::Rejected(refusal) | State::NotAllowed(refusal) => Some(refusal.message.clone()),
        State::Disabled | State::Unavailable(_) => Some(ready.message.clone()),
        State::Stopped | State::Running => None,
    };
    let desired = match state {
        State::Rejected(_) => None,
        State::Stopped => Some("STOPPED".to_owned()),
        State::NotAllowed(_) | State::Disabled | State::Unavailable(_) | State::Running => {
            Some("RUNNING".to_owned())
        }
    };
    let status = news.added_to(place.before);
    let aspects = vec![accepted, ready];
    let (generation, now) = (place.generation, place.now);
    PipeStatus {
        conditions: conditions(aspects, &place.before.conditions, generation, now),
        observed_generation: generation,
        current_state: Some(current.to_owned()),
        desired_state: desired,
        state_reason,
        warnings: warnings.unwrap_or_else(|| place.before.warnings.clone()),
        ..status
    }
}

/// Returns the `CurrentState` of a pipe, and whether it does what it asks for.
fn aspect(state: &State) -> (&'static str, Aspect) {
    let ready = |holds, reason: StateReason, message: &str| Aspect {
        type_: READY,
        holds: Some(holds),
        reason: reason.into(),
        message: message.to_owned(),
    };
    match state {
        State::Rejected(_) => (
            "CREATE_FAILED",
            ready(
                false,
                StateReason::NotAccepted,
                "The spec is rejected, so it receives nothing.",
            ),
        ),
        State::NotAllowed(_) => (
            "CREATE_FAILED",
            ready(
                false,
                StateReason::NotAccepted,
                "Its namespace may not read the queue, so it receives nothing.",
            ),
        ),
        State::Disabled => (
            "START_FAILED",
            ready(
                false,
                StateReason::QueuesNotRead,
                "The operator reads no queues: its administrator has to set settings.sqs of the chart, or --sqs.",
            ),
        ),
        State::Stopped => (
            "STOPPED",
            ready(
                true,
                StateReason::PipeStopped,
                "Its DesiredState is STOPPED, so it receives nothing.",
            ),
        ),
        State::Unavailable(why) => ("START_FAILED", ready(false, UNAVAILABLE, why)),
        State::Running => (
            "RUNNING",
            ready(
                true,
                StateReason::ReceivesMessages,
                "It receives messages and starts tasks.",
            ),
        ),
    }
}

/// Whether a status has nothing new but counts, failures and tasks, which can wait to be written.
pub(super) fn says_the_same(before: &PipeStatus, after: &PipeStatus) -> bool {
    before.conditions == after.conditions
        && before.observed_generation == after.observed_generation
        && before.current_state == after.current_state
        && before.desired_state == after.desired_state
        && before.state_reason == after.state_reason
        && before.warnings == after.warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_can_wait_and_states_cannot() {
        let place = |before| Place {
            before,
            generation: Some(1),
            now: Timestamp::UNIX_EPOCH,
        };
        let (none, news) = (
            PipeStatus::default(),
            News {
                received: 1,
                ..News::default()
            },
        );
        let running = reported(&place(&none), &State::Running, None, &news);
        assert!(!says_the_same(&none, &running));
        let more = reported(&place(&running), &State::Running, None, &news);
        assert_eq!(more.received, 2);
        assert!(says_the_same(&running, &more));
        for state in [
            State::Stopped,
            State::Disabled,
            State::Unavailable("why".to_owned()),
        ] {
            let other = reported(&place(&running), &state, None, &news);
            assert!(!says_the_same(&running, &other));
            assert_eq!(other.conditions[0].status, "True");
        }
    }

    #[test]
    fn a_pipe_that_cannot_run_says_why() {
        let before = PipeStatus::default();
        let place = Place {
            before: &before,
            generation: Some(1),
            now: Timestamp::UNIX_EPOCH,
        };
        let refusal = Refusal::new(StateReason::NotAllowedByPolicy, "no");
        for (state, current, reason, why) in [
            (
                State::NotAllowed(refusal),
                "CREATE_FAILED",
                "NotAccepted",
                Some("no"),
            ),
            (
                State::Unavailable("gone".to_owned()),
                "START_FAILED",
                "QueueUnavailable",
                Some("gone"),
            ),
            (State::Stopped, "STOPPED", "PipeStopped", None),
            (State::Running, "RUNNING", "ReceivesMessages", None),
        ] {
            let status = reported(&place, &state, None, &News::default());
            assert_eq!(status.current_state.as_deref(), Some(current));
            assert_eq!(status.conditions[1].reason, reason);
            assert_eq!(status.state_reason.as_deref(), why);
        }
    }
}
