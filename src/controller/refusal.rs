//! Why an object is not accepted, as reported in its condition.

use crate::{
    controller::error::Error,
    crd::WarningStatus,
    diagnostic::{Diagnostics, Severity, StateReason, StatusReason, Subject},
    translate::{LABEL_LENGTH, WORKLOAD_LENGTH, kname},
};

/// Why a spec cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The reason of the first error.
    pub reason: StatusReason,
    /// All errors, one per line.
    pub message: String,
}

impl Refusal {
    /// Returns a refusal with one reason.
    #[must_use]
    pub(super) fn new(reason: StateReason, message: &str) -> Self {
        Self {
            reason: reason.into(),
            message: message.to_owned(),
        }
    }

    /// Returns the refusal for a bug in this program.
    #[must_use]
    pub(super) fn internal(error: &Error) -> Self {
        Self::new(error.reason(), &error.to_string())
    }

    /// The object's name is not the one that its spec translates to in Kubernetes. If the spec has no name, that of the
    /// object is used, which is then too long or contains characters that names may not have.
    #[must_use]
    pub(super) fn name_differs(member: &str, own: &str, expected: &str) -> Self {
        let length = own.chars().count();
        let message = if length > WORKLOAD_LENGTH {
            format!(
                "the name {own:?} has {length} characters, but at most {WORKLOAD_LENGTH} are allowed: choose a shorter one, or name the object {expected:?} and write the long name as {member}"
            )
        } else if kname(own, LABEL_LENGTH) == own {
            format!(
                "{member} is {own:?}, so the object must be named {expected:?}: rename it, or leave {member} out"
            )
        } else {
            format!(
                "the name {own:?} contains characters other than a-z, 0-9 and -: choose another one, or name the object {expected:?} and write {own:?} as {member}"
            )
        };
        Self::new(StateReason::NameDiffers, &message)
    }

    /// Returns the warnings among diagnostics, as a status lists them.
    #[must_use]
    pub(super) fn warnings(findings: Diagnostics) -> Vec<WarningStatus> {
        let findings = findings.into_sorted();
        let warnings = findings
            .iter()
            .filter(|finding| finding.severity() == Severity::Warning);
        warnings
            .map(|finding| WarningStatus {
                reason: finding.reason().to_string(),
                path: finding.path.to_string(),
                message: finding.message.to_string(),
            })
            .collect()
    }
}

/// Returns the refusal that lists all errors among diagnostics.
#[must_use]
pub(super) fn refused(findings: Diagnostics) -> Refusal {
    let findings = findings.into_sorted();
    let errors: Vec<_> = findings
        .iter()
        .filter(|finding| finding.severity() == Severity::Error)
        .collect();
    let lines = errors.iter().map(|finding| {
        let place = match finding.path.subject() {
            Subject::TaskDefinition => format!("task definition: {}", finding.path),
            Subject::Service
            | Subject::Task
            | Subject::Cluster
            | Subject::CapacityProvider
            | Subject::Schedule
            | Subject::AppRunnerService
            | Subject::AutoScalingConfiguration
            | Subject::Rule
            | Subject::Pipe
            | Subject::AutoScaling
            | Subject::LifecyclePolicy => finding.path.to_string(),
        };
        let help = match finding.message.help() {
            help if help.is_empty() => help,
            help => format!(" ({help})"),
        };
        format!("{place}: {}{help}", finding.message)
    });
    Refusal {
        message: lines.collect::<Vec<_>>().join("\n"),
        reason: errors
            .first()
            .map_or(StatusReason::State(StateReason::InternalError), |finding| {
                finding.reason().into()
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_fit_is_told_from_one_that_differs() {
        let told = |own: &str| {
            Refusal::name_differs("serviceName", own, &kname(own, WORKLOAD_LENGTH)).message
        };
        let long = told(&"l".repeat(63));
        assert!(
            long.contains("has 63 characters, but at most 52 are allowed: choose a shorter one"),
            "{long}"
        );
        assert_eq!(
            told("web"),
            "serviceName is \"web\", so the object must be named \"web\": rename it, or leave serviceName out"
        );
        let foreign = told("Web");
        assert!(
            foreign.starts_with("the name \"Web\" contains characters other than a-z, 0-9 and -: "),
            "{foreign}"
        );
    }
}
