//! Why deployments are given up, and what happens to their tasks.

use std::sync::Arc;

use super::{Deployments, of_revision, pods_of};
use crate::decide::pod_state::PodState;

/// Why a deployment is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A user asked for it.
    Stopped,
    /// The circuit breaker counted too many failed tasks.
    TasksNotStarted,
    /// The same, and the last failed task failed its health checks.
    UnhealthyTasks,
}

impl Failure {
    /// Returns the failure in the words of ECS.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Stopped => "Deployment stopped by user.",
            Self::TasksNotStarted => "ECS deployment circuit breaker: tasks failed to start.",
            Self::UnhealthyTasks => "ECS deployment circuit breaker: tasks failed health checks.",
        }
    }

    /// Returns the reason of the deployment that brings back the tasks of `to`.
    pub(super) fn returning(self, to: &str) -> String {
        match self {
            Self::Stopped => format!("Rolling back to deploymentId {to}."),
            Self::TasksNotStarted | Self::UnhealthyTasks => {
                format!("ECS deployment circuit breaker: rolling back to deploymentId {to}.")
            }
        }
    }
}

impl Deployments {
    /// Ends the tasks of a first deployment that failed, except those that serve.
    pub(super) fn give_up(&mut self, pods: &[Arc<PodState>]) {
        if let Some(primary) = self.list.first_mut() {
            primary.desired_count = Some(0);
        }
        self.spare(pods);
    }

    /// Keeps healthy tasks although their deployment, or a later one, has failed and none ever completed: those of the
    /// newest older deployment that has any, which is scaled to the desired count before others end, or else those of
    /// the failed one.
    pub(super) fn spare(&mut self, pods: &[Arc<PodState>]) {
        let ready = |revision: &str| {
            let own = of_revision(pods, revision);
            let ready = own.iter().filter(|pod| pod.ready && !pod.deleting).count();
            i64::try_from(ready).unwrap_or(i64::MAX)
        };
        let failed = self.revision().unwrap_or_default();
        let own = ready(failed);
        let serving = self.list.iter().skip(1).find_map(|deployment| {
            let revision = deployment.service_revision.as_deref()?;
            (pods_of(revision) != pods_of(failed) && ready(revision) > 0).then_some(revision)
        });
        if let Some(serving) = serving {
            self.completed = Some(serving.to_owned());
        } else if let Some(primary) = self.list.first_mut() {
            primary.desired_count = primary.desired_count.max(Some(own));
        }
    }
}
