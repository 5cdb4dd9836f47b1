//! Why a tag has no digest.

use http::StatusCode;

/// Why a tag is not resolved. What a registry says besides its status, or the name of its error, is not repeated: whoever reads the events of a
/// namespace may not be allowed to ask that registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::controller) enum DigestFailure {
    /// There are no credentials of AWS.
    #[error("the operator has no credentials for ECR")]
    Credentials,
    /// The registry cannot be reached.
    #[error("the registry cannot be reached")]
    Unreachable,
    /// It has not answered in time.
    #[error("the registry has not answered in time")]
    Late,
    /// It has no such image, or shows it to nobody.
    #[error("the registry has no such image")]
    NotFound,
    /// It does not let the operator ask.
    #[error("the registry refuses the request ({0})")]
    Refused(String),
    /// The answer is not what it should be.
    #[error("the answer of the registry cannot be read: {0}")]
    Answer(String),
}

impl DigestFailure {
    /// Returns what a status of HTTP other than success means.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            status => Self::Refused(format!("HTTP status {}", status.as_u16())),
        }
    }
}
