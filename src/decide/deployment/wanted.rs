//! The input of the decisions about deployments, and their result.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use crate::{
    decide::{failed_tasks, pod_state::PodState},
    validate,
};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The UID of the service.
    pub service: &'a str,
    /// What the spec asks for; `None` while it is rejected and the last accepted spec stays in effect.
    pub newest: Option<Newest<'a>>,
    /// The desired count.
    pub desired: i64,
    /// How the tasks are replaced.
    pub rules: &'a validate::Deployment,
    /// How many seconds a task has to be ready until it counts as healthy.
    pub healthy_after: i64,
    /// Why the API server creates no pod of what was applied last.
    pub not_created: Option<&'a str>,
    /// How many seconds a load balancer may report a new task as unhealthy.
    pub grace: i64,
    /// The ID of a deployment that a user wants stopped.
    pub stop: Option<&'a str>,
    /// The ID of a deployment that a user wants rolled back.
    pub roll_back: Option<&'a str>,
    /// The ID of a deployment that a user wants renewed, rendered as of today.
    pub renew: Option<&'a str>,
}

/// What the spec asks for.
#[derive(Clone, Copy, Debug)]
pub struct Newest<'a> {
    /// The service revision that a deployment would have if it began now.
    pub revision: &'a str,
    /// The task definition of that revision, as in `web:3`.
    pub task_definition: &'a str,
    /// The service revisions that are known to have the inputs of the spec, however they were rendered.
    pub same: &'a [String],
}

impl<'a> Wanted<'a> {
    /// Returns the input for counting the failed tasks of a deployment.
    pub(super) fn look<'p>(
        &self,
        pods: &'p [Arc<PodState>],
        now: Timestamp,
    ) -> failed_tasks::Look<'p>
    where
        'a: 'p,
    {
        failed_tasks::Look {
            pods,
            not_created: self.not_created,
            grace: self.grace,
            now,
        }
    }
}

impl Newest<'_> {
    /// Whether a service revision has the inputs of the spec.
    pub(super) fn is(&self, revision: &str) -> bool {
        revision == self.revision || self.same.iter().any(|same| same == revision)
    }
}

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The service revision.
    pub revision: String,
    /// The most tasks of it; `None` for the desired count.
    pub most: Option<i64>,
}

/// How far the applied objects have progressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether the wanted tasks run and are healthy, and no others run.
    pub steady: bool,
    /// How many tasks are not of the newest template.
    pub old: i64,
}

/// Returns the label of the pods of a service revision. Revisions with the same pods have names with the same
/// beginning, such as `1a2b3c4d5e` and `1a2b3c4d5e-6f70`.
#[must_use]
pub fn pods_of(revision: &str) -> &str {
    revision.split_once('-').map_or(revision, |(pods, _)| pods)
}
