//! What goes wrong.

use std::time::Duration;

use ecs_operator_testbed::{Asked, Refusal, Watching};
use http::StatusCode;

/// What goes wrong, at one request or all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The operator is killed before the request is carried out.
    KillBefore,
    /// The operator is killed when the request was carried out, before it hears of that.
    KillAfter,
    /// The connection ends before the request is carried out.
    DropBefore,
    /// The connection ends when the request was carried out.
    DropAfter,
    /// The request is carried out long after it was sent.
    Delay,
    /// The answer is 409.
    Conflict,
    /// The answer is 429, with the wish to wait a second.
    Throttle,
    /// The answer is 500.
    Error,
    /// The answer is 503.
    Unavailable,
    /// The operator stands still, another one does the work, and then the request arrives and the first one goes on.
    Freeze,
    /// Another operator gets the lease while the first one still takes itself for the leader.
    TwoLeaders,
    /// Events of watches come late, and those of each kind by another time.
    Stale,
    /// Each watch ends after an event.
    Ends,
    /// Each watch is told after an event that it is too old.
    Gone,
}

/// All of them, those at one request first.
pub const ALL: &[Mode] = &[
    Mode::KillBefore,
    Mode::KillAfter,
    Mode::DropBefore,
    Mode::DropAfter,
    Mode::Delay,
    Mode::Conflict,
    Mode::Throttle,
    Mode::Error,
    Mode::Unavailable,
    Mode::Freeze,
    Mode::TwoLeaders,
    Mode::Stale,
    Mode::Ends,
    Mode::Gone,
];

impl Mode {
    /// As it is named on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::KillBefore => "kill-before",
            Self::KillAfter => "kill-after",
            Self::DropBefore => "drop-before",
            Self::DropAfter => "drop-after",
            Self::Delay => "delay",
            Self::Conflict => "409",
            Self::Throttle => "429",
            Self::Error => "500",
            Self::Unavailable => "503",
            Self::Freeze => "freeze",
            Self::TwoLeaders => "two-leaders",
            Self::Stale => "stale",
            Self::Ends => "watch-ends",
            Self::Gone => "watch-gone",
        }
    }

    /// Whether it happens at one request, and not all the time.
    pub fn has_points(self) -> bool {
        !matches!(self, Self::Stale | Self::Ends | Self::Gone)
    }

    /// The answer that comes in place of the API server's own.
    pub fn refusal(self) -> Option<Refusal> {
        let (code, reason, retry_after) = match self {
            Self::Conflict => (StatusCode::CONFLICT, "Conflict", None),
            Self::Throttle => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", Some(1)),
            Self::Error => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError", None),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", None),
            _ => return None,
        };
        Some(Refusal {
            code,
            reason,
            retry_after,
        })
    }

    /// What becomes of the events of a watch.
    pub fn watching(self, asked: &Asked) -> Watching {
        match self {
            Self::Stale => {
                // Which kind is behind which differs, but not from run to run.
                let kind = asked.path.rsplit('/').next().unwrap_or_default();
                let sum: u32 = kind.bytes().map(u32::from).sum();
                Watching::Late(Duration::from_millis(u64::from(sum % 4) * 700))
            }
            Self::Ends => Watching::Ends { after: 1 },
            Self::Gone => Watching::Gone { after: 1 },
            _ => Watching::Faithful,
        }
    }
}
