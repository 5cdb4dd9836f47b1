//! What is asked of deployments, and what comes of it.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use crate::{
    decide::{failed_tasks, pod_state::PodState},
    validate,
};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The identity of the service.
    pub service: &'a str,
    /// What the spec asks for; `None` while it is refused, and what was accepted before goes on.
    pub newest: Option<Newest<'a>>,
    /// How many tasks.
    pub desired: i64,
    /// How the tasks are replaced.
    pub rules: &'a validate::Deployment,
    /// Seconds for which a task has to be ready until it counts as healthy.
    pub healthy_after: i64,
    /// Why the API server makes no pod of what was applied last.
    pub not_created: Option<&'a str>,
    /// For how many seconds a load balancer may take a new task for unhealthy.
    pub grace: i64,
    /// The id of a deployment that somebody wants stopped.
    pub stop: Option<&'a str>,
    /// The id of a deployment that somebody wants rolled back.
    pub roll_back: Option<&'a str>,
    /// The id of a deployment whose tasks somebody wants as they would be rendered today.
    pub renew: Option<&'a str>,
}

/// What the spec asks for.
#[derive(Clone, Copy, Debug)]
pub struct Newest<'a> {
    /// The service revision that a deployment of it would be of, if one began now.
    pub revision: &'a str,
    /// The task definition of that revision, as in `web:3`.
    pub task_definition: &'a str,
    /// The service revisions that are known to be made of what the spec asks for, however they were rendered.
    pub same: &'a [String],
}

impl<'a> Wanted<'a> {
    /// The tasks of one of the deployments, to be looked at.
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
    /// Whether a service revision is made of what the spec asks for.
    pub(super) fn is(&self, revision: &str) -> bool {
        revision == self.revision || self.same.iter().any(|same| same == revision)
    }
}

/// What is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The service revision.
    pub revision: String,
    /// So many of its tasks at most; `None` for as many as are wanted.
    pub most: Option<i64>,
}

/// How far what was applied has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether the wanted tasks run, healthy, and no others.
    pub steady: bool,
    /// How many tasks there are that are not of the newest template.
    pub old: i64,
}

/// The label of the pods of a service revision. Revisions of the same pods have names that begin alike, as in
/// `1a2b3c4d5e` and `1a2b3c4d5e-6f70`.
#[must_use]
pub fn pods_of(revision: &str) -> &str {
    revision.split_once('-').map_or(revision, |(pods, _)| pods)
}
