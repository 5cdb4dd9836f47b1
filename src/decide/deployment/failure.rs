//! Why deployments are given up.

/// Why a deployment is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Somebody asked for it.
    Stopped,
    /// The circuit breaker counted too many tasks that failed.
    TasksNotStarted,
    /// The circuit breaker did, and the last of them failed health checks.
    UnhealthyTasks,
}

impl Failure {
    /// It in the words of ECS.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Stopped => "Deployment stopped by user.",
            Self::TasksNotStarted => "ECS deployment circuit breaker: tasks failed to start.",
            Self::UnhealthyTasks => "ECS deployment circuit breaker: tasks failed health checks.",
        }
    }

    /// The reason of the deployment that brings the tasks of `to` back.
    pub(super) fn returning(self, to: &str) -> String {
        match self {
            Self::Stopped => format!("Rolling back to deploymentId {to}."),
            Self::TasksNotStarted | Self::UnhealthyTasks => {
                format!("ECS deployment circuit breaker: rolling back to deploymentId {to}.")
            }
        }
    }
}
