//! The errors of a reconcile.

use std::time::Duration;

use crate::{controller::caches::children::Key, diagnostic::StateReason};

/// An error between the operator and the API server.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A request failed.
    #[error("cannot {verb} {kind} {name}: {}", brief(source))]
    Api {
        /// The attempted action.
        verb: &'static str,
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// An object of this name exists, and someone else created it.
    #[error(
        "{kind} {name} exists and {}: rename or delete it, or rename this one",
        belongs(owner.as_deref())
    )]
    NotOwned {
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The kind and name of its owner, if known.
        owner: Option<String>,
    },
    /// An object belongs to a deleted one of the same kind and name, and is about to be deleted with it.
    #[error(
        "{kind} {name} belongs to a deleted object of the same name, and is about to be deleted"
    )]
    OfPredecessor {
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
    },
    /// An object that several owners may share has different content for its first owner.
    #[error(
        "{kind} {name} is shared with {owner}, which uses it with other ports or another namespace, or still has tasks of an older deployment: make the ports the same, renew {owner}, or give one of the two another discoveryName"
    )]
    SharedOtherwise {
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The owner of the object.
        owner: String,
    },
    /// Another replica created an object of this name first.
    #[error("another replica has created the {what} {name} in the meantime")]
    Superseded {
        /// The type of the object, for messages.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The pods of a task cannot be planned now, although they could be when the task was accepted.
    #[error("the pods of the task wait for: {0}")]
    NotYet(String),
    /// What a builder has made cannot be asked now, and a request that has changed needs it.
    #[error("{0}")]
    ImageUnknown(String),
    /// Objects were left for the next try.
    #[error(
        "the API server responds too slowly: the remaining objects are written at the next attempt"
    )]
    TakesTooLong,
    /// An object was deleted in the meantime.
    #[error("it was deleted in the meantime")]
    Gone,
    /// The API server does not report, for now, which kinds an add-on has.
    #[error("the API server does not report which kinds of some add-ons exist")]
    AddonsUnknown,
    /// The claim of a volume is gone; the volume was released and is created again.
    #[error("PersistentVolume {name} was released, and will be recreated")]
    Released {
        /// Its name.
        name: String,
    },
    /// Several errors.
    #[error("{}", lines(.0))]
    Several(Vec<Self>),
    /// An object cannot be serialized as JSON, which is a bug in this program.
    #[error("cannot write an object as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A reconcile panicked, which is a bug in this program.
    #[error("the operator panicked while it reconciled this object: {0}")]
    Panicked(String),
    /// A translation returned a kind that the operator does not know, which is a bug in this program.
    #[error("unknown kind {0}")]
    UnknownKind(String),
}

impl Error {
    /// Returns the error of a request about a child.
    pub(super) fn api(verb: &'static str, key: &Key) -> impl FnOnce(kube::Error) -> Self {
        let (kind, name) = (key.kind.to_string(), key.name.to_string());
        move |source| Self::Api {
            verb,
            kind,
            name,
            source: Box::new(source),
        }
    }

    /// Returns the error of a request about a custom resource.
    pub(super) fn resource<K: kube::Resource<DynamicType = ()>>(
        verb: &'static str,
        object: &K,
    ) -> impl FnOnce(kube::Error) -> Self {
        let kind = K::kind(&()).into_owned();
        let name = object.meta().name.clone().unwrap_or_default();
        move |source| Self::Api {
            verb,
            kind,
            name,
            source: Box::new(source),
        }
    }

    /// Combines errors into one; `None` if there are none.
    #[must_use]
    pub(super) fn all(mut errors: Vec<Self>) -> Option<Self> {
        // Errors that require action come first, because the first one gives the reason.
        errors.sort_by_key(Self::is_transient);
        match errors.len() {
            0 | 1 => errors.pop(),
            _ => Some(Self::Several(errors)),
        }
    }

    /// Returns [`Self::Gone`] unless the object of a response is known: one that may have been deleted before the response
    /// arrived is looked for in the next try.
    pub(super) fn unless_known(is_known: bool) -> Result<(), Self> {
        is_known.then_some(()).ok_or(Self::Gone)
    }

    /// Returns the status that the API server answered with, if it answered.
    #[must_use]
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Api { source, .. } => code(source),
            _ => None,
        }
    }

    /// Whether an object belongs to someone else.
    #[must_use]
    pub(super) const fn is_of_another(&self) -> bool {
        matches!(
            self,
            Self::NotOwned { .. } | Self::OfPredecessor { .. } | Self::SharedOtherwise { .. }
        )
    }

    /// Whether the API server is too busy to handle a request, or does not respond at all.
    #[must_use]
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self, Self::Api { .. }) && self.code().is_none_or(|code| code == 429)
    }

    /// Returns how long the API server asks to wait.
    #[must_use]
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let source = match self {
            Self::Api { source, .. } => source,
            Self::Several(errors) => return errors.iter().filter_map(Self::retry_after).max(),
            _ => return None,
        };
        let kube::Error::Api(status) = &**source else {
            return None;
        };
        let seconds = status.details.as_ref()?.retry_after_seconds;
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// Whether it comes from a namespace that is being deleted, in which nothing can be created.
    #[must_use]
    pub(super) fn is_of_terminating_namespace(&self) -> bool {
        let source = match self {
            Self::Api { source, .. } => source,
            Self::Several(errors) => {
                return errors.iter().all(Self::is_of_terminating_namespace);
            }
            _ => return false,
        };
        let kube::Error::Api(status) = &**source else {
            return false;
        };
        let causes = status.details.iter().flat_map(|details| &details.causes);
        let mut reasons = causes.map(|cause| cause.reason.as_str());
        reasons.any(|reason| reason == "NamespaceTerminating")
    }

    /// Whether a retry may soon succeed: the API server was busy, or someone else was faster.
    #[must_use]
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Api { .. } => self
                .code()
                .is_none_or(|code| matches!(code, 408 | 409 | 429 | 500..)),
            Self::NotYet(_)
            | Self::ImageUnknown(_)
            | Self::TakesTooLong
            | Self::Gone
            | Self::AddonsUnknown
            | Self::OfPredecessor { .. }
            | Self::Released { .. }
            | Self::Superseded { .. } => true,
            Self::Several(errors) => errors.iter().all(Self::is_transient),
            Self::NotOwned { .. }
            | Self::SharedOtherwise { .. }
            | Self::Json(_)
            | Self::Panicked(_)
            | Self::UnknownKind(_) => false,
        }
    }

    /// Returns the reason for conditions and metrics.
    #[must_use]
    pub(super) fn reason(&self) -> StateReason {
        match self {
            Self::Api { .. } => match self.code() {
                Some(403) => StateReason::Forbidden,
                Some(404) => StateReason::NotFound,
                Some(409) => StateReason::Conflict,
                Some(429) => StateReason::TooManyRequests,
                Some(400 | 422) => StateReason::Invalid,
                Some(500..) => StateReason::ServerError,
                Some(_) => StateReason::RequestFailed,
                None => StateReason::Unreachable,
            },
            Self::NotOwned { .. } | Self::OfPredecessor { .. } | Self::SharedOtherwise { .. } => {
                StateReason::ObjectNotOwned
            }
            Self::TakesTooLong | Self::AddonsUnknown => StateReason::ServerError,
            Self::NotYet(_) => StateReason::NotAccepted,
            Self::ImageUnknown(_) => StateReason::RequestFailed,
            Self::Gone => StateReason::NotFound,
            Self::Released { .. } => StateReason::VolumeReleased,
            Self::Superseded { .. } => StateReason::Conflict,
            Self::Several(errors) => errors
                .first()
                .map_or(StateReason::InternalError, Self::reason),
            Self::Json(_) | Self::Panicked(_) | Self::UnknownKind(_) => StateReason::InternalError,
        }
    }
}

fn lines(errors: &[Error]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn belongs(owner: Option<&str>) -> String {
    match owner {
        Some(owner) => format!("belongs to {owner}"),
        None => "was not created for this object".to_owned(),
    }
}

/// Returns the part of an error that a person needs: for a rejection its message, which contains everything else.
#[must_use]
pub(super) fn brief(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        // Its text contains values from the response.
        kube::Error::SerdeError(error) => {
            let (line, column) = (error.line(), error.column());
            format!("the response cannot be read: line {line}, column {column}")
        }
        other => other.to_string(),
    }
}

/// Returns the status code of a response.
#[must_use]
pub(super) fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// Returns what an error says, and its causes.
pub(super) fn said(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(cause: &str) -> Error {
        let status = json!({
            "status": "Failure", "code": 403, "reason": "Forbidden", "message": "no",
            "details": {"causes": [{"reason": cause, "message": "no", "field": "metadata.namespace"}]},
        });
        let status = serde_json::from_value(status).expect("it is a status");
        Error::Api {
            verb: "apply",
            kind: "Deployment".to_owned(),
            name: "web".to_owned(),
            source: Box::new(kube::Error::Api(Box::new(status))),
        }
    }

    #[test]
    fn a_namespace_that_is_being_deleted_is_no_trouble() {
        let terminating = || refused("NamespaceTerminating");
        assert!(terminating().is_of_terminating_namespace());
        assert!(!refused("Other").is_of_terminating_namespace());
        assert!(Error::Several(vec![terminating(), terminating()]).is_of_terminating_namespace());
        assert!(
            !Error::Several(vec![terminating(), refused("Other")]).is_of_terminating_namespace()
        );
        assert!(!Error::Gone.is_of_terminating_namespace());
    }
}
