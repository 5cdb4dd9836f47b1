//! The deployments of a service: when one begins, completes, fails, and is rolled back
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>).
//!
//! The last reported status is the only memory, so an operator that is killed continues from there.

mod counts;
mod failure;
#[cfg(test)]
mod model;
pub mod rebuilt;
#[cfg(test)]
mod tests;
mod wanted;

use failure::Failure;
pub use wanted::{Newest, Progress, Target, Wanted, pods_of};

use std::{collections::BTreeMap, hash::BuildHasher as _, sync::Arc};

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use super::{circuit_breaker::threshold, failed_tasks, pod_state::PodState};
use crate::{
    crd::{DeploymentStatus, ServiceStatus},
    validate::clamp,
};

/// The rollout state of a deployment in progress.
pub const IN_PROGRESS: &str = "IN_PROGRESS";
/// The rollout state of a deployment that is done.
pub const COMPLETED: &str = "COMPLETED";
/// The rollout state of a deployment that was given up.
pub const FAILED: &str = "FAILED";

/// The status of the deployment that the service follows.
pub const PRIMARY: &str = "PRIMARY";
/// The status of an older deployment that still has tasks.
pub const ACTIVE: &str = "ACTIVE";
/// The status of an older deployment without tasks.
pub const INACTIVE: &str = "INACTIVE";

/// The deployments of a service, as its status keeps them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deployments {
    /// All known deployments, the newest first.
    pub list: Vec<DeploymentStatus>,
    /// The service revision of the last deployment that completed.
    pub completed: Option<String>,
    /// The service revision that failed and was rolled back.
    pub rolled_back: Option<String>,
}

/// A deployment that begins.
#[derive(Clone, Copy)]
struct Begins<'a> {
    revision: &'a str,
    task_definition: Option<&'a str>,
    /// The deployment whose tasks it brings back, and why.
    returns: Option<(&'a str, Failure)>,
}

/// Returns the next state of the deployments, and when to check again if nothing changes.
#[must_use]
pub fn advance(
    before: &Deployments,
    wanted: &Wanted<'_>,
    pods: &[Arc<PodState>],
    now: Timestamp,
) -> (Deployments, Option<Timestamp>) {
    let mut deployments = before.clone();
    if let Some(newest) = wanted.newest {
        deployments.follow(newest, wanted, pods, now);
    }
    let again = deployments.watch(wanted, pods, now);
    (deployments, again)
}

impl Deployments {
    /// Returns the deployments in a status.
    #[must_use]
    pub fn of(status: &ServiceStatus) -> Self {
        Self {
            list: status.deployments.clone(),
            completed: status.completed_revision.clone(),
            rolled_back: status.rolled_back_revision.clone(),
        }
    }

    /// Begins a deployment if the spec asks for something different, or if a renewal of the same was requested.
    fn follow(
        &mut self,
        newest: Newest<'_>,
        wanted: &Wanted<'_>,
        pods: &[Arc<PodState>],
        now: Timestamp,
    ) {
        let is_same = self.revision().is_some_and(|primary| newest.is(primary));
        if is_same && !self.has_given_up(newest) {
            // A spec that asks for what runs no longer asks for what failed.
            self.rolled_back = None;
        }
        if !self.would_begin(newest, wanted.renew) {
            return;
        }
        self.rolled_back = None;
        let begins = Begins {
            revision: newest.revision,
            task_definition: Some(newest.task_definition),
            returns: None,
        };
        self.begin(wanted, begins, pods, now);
    }

    /// Whether a deployment of `newest` would begin. `renew` is the ID of a deployment that shall be renewed.
    #[must_use]
    pub fn would_begin(&self, newest: Newest<'_>, renew: Option<&str>) -> bool {
        match self.primary() {
            Some(primary) if self.revision().is_some_and(|revision| newest.is(revision)) => {
                renew == Some(primary.id.as_str())
                    && primary.service_revision.as_deref() != Some(newest.revision)
            }
            Some(_) if self.revision().is_some() => !self.has_given_up(newest),
            _ => true,
        }
    }

    /// Whether a deployment of this failed and was rolled back.
    fn has_given_up(&self, newest: Newest<'_>) -> bool {
        self.rolled_back.as_deref().is_some_and(|it| newest.is(it))
    }

    /// Returns the newest deployment.
    #[must_use]
    pub fn primary(&self) -> Option<&DeploymentStatus> {
        self.list.first()
    }

    fn revision(&self) -> Option<&str> {
        self.primary()?.service_revision.as_deref()
    }

    /// Whether the newest deployment has this service revision.
    #[must_use]
    pub fn is_of(&self, revision: &str) -> bool {
        self.revision() == Some(revision)
    }

    /// Whether the list of deployments or any of their states has changed.
    #[must_use]
    pub fn differ(&self, before: &Self) -> bool {
        let decided = |deployments: &Self| -> Vec<(String, Option<String>)> {
            let list = deployments.list.iter();
            list.map(|it| (it.id.clone(), it.rollout_state.clone()))
                .collect()
        };
        decided(self) != decided(before)
    }

    /// Whether the newest deployment has this state.
    #[must_use]
    pub fn is(&self, state: &str) -> bool {
        self.primary().and_then(|it| it.rollout_state.as_deref()) == Some(state)
    }

    /// Whether a deployment or a rollback is in progress that replaces what completed before.
    #[must_use]
    pub fn replaces_tasks(&self) -> bool {
        self.is(IN_PROGRESS) && self.completed.is_some()
    }

    /// Whether the newest deployment may still be given up for one that completed before.
    #[must_use]
    pub fn may_return(&self) -> bool {
        let completed = self.completed.as_deref();
        self.is(IN_PROGRESS) && completed.is_some_and(|it| Some(it) != self.revision())
    }

    /// Returns what to run; `None` before the first deployment.
    ///
    /// A deployment that failed starts no more tasks. The last completed one continues, however it fares, because there
    /// is nothing better. If none ever completed, the tasks that were healthy when the deployment failed continue.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        let primary = self.primary()?;
        let revision = self.revision()?.to_owned();
        let target = match self.completed.clone() {
            _ if !self.is(FAILED) => Target {
                revision,
                most: None,
            },
            Some(revision) => Target {
                revision,
                most: None,
            },
            None => Target {
                revision,
                most: Some(primary.desired_count.unwrap_or(0)),
            },
        };
        Some(target)
    }

    fn begin(
        &mut self,
        wanted: &Wanted<'_>,
        begins: Begins<'_>,
        pods: &[Arc<PodState>],
        now: Timestamp,
    ) {
        let Begins {
            revision,
            task_definition,
            returns,
        } = begins;
        let before = self.primary().map(|deployment| deployment.id.as_str());
        let id = id(wanted.service, revision, before, now);
        let pods = of_revision(pods, revision);
        let reason = match returns {
            Some((to, failure)) => failure.returning(to),
            None => format!("ECS deployment {id} in progress."),
        };
        self.list.insert(
            0,
            DeploymentStatus {
                rollout_state_reason: Some(reason),
                returns_to: returns.map(|(to, _)| to.to_owned()),
                id,
                status: PRIMARY.to_owned(),
                service_revision: Some(revision.to_owned()),
                task_definition: task_definition.map(str::to_owned),
                healthy_count: Some(healthy(&pods, wanted, now)),
                failed_tasks: Some(0),
                // What its tasks went through before does not count as its failure.
                failures: failed_tasks::baseline(wanted.look(&pods, now)),
                rollout_state: Some(IN_PROGRESS.to_owned()),
                created_at: Some(Time(now)),
                updated_at: Some(Time(now)),
                ..DeploymentStatus::default()
            },
        );
    }

    /// Watches the tasks of the newest deployment while it is in progress.
    fn watch(
        &mut self,
        wanted: &Wanted<'_>,
        pods: &[Arc<PodState>],
        now: Timestamp,
    ) -> Option<Timestamp> {
        if !self.is(IN_PROGRESS) {
            return None;
        }
        let can_return = self.may_return();
        let primary = self.list.first_mut()?;
        let own = of_revision(pods, primary.service_revision.as_deref()?);
        let breaker = wanted.rules.circuit_breaker;
        let known = primary.failures.clone();
        let count = match breaker {
            Some(_) => failed_tasks::count(wanted.look(&own, now), &known),
            // No decision depends on the count, and thousands may fail, so report only the failures that are visible
            // now.
            None => failed_tasks::seen(wanted.look(&own, now)),
        };
        let healthy = healthy(&own, wanted, now);
        let recovers = healthy > primary.healthy_count.unwrap_or(0)
            && breaker.is_none_or(|breaker| breaker.reset_on_healthy_task);
        let failed = match primary.failed_tasks {
            _ if recovers => 0,
            Some(before) if breaker.is_some() => before + count.new,
            _ => count.new,
        };
        primary.failed_tasks = Some(failed);
        if count.last.is_some() {
            primary.last_failure.clone_from(&count.last);
        }
        primary.failures = count.by_pod;
        primary.healthy_count = Some(healthy);
        let is_it = |id: Option<&str>| id == Some(primary.id.as_str());
        let tripped = breaker.filter(|breaker| {
            let limit = threshold(clamp(wanted.desired), breaker.threshold);
            failed >= i64::from(limit)
        });
        if is_it(wanted.roll_back) && can_return {
            self.fail(Failure::Stopped, true, wanted, pods, now);
        } else if is_it(wanted.stop) {
            self.fail(Failure::Stopped, false, wanted, pods, now);
        } else if let Some(breaker) = tripped {
            let failure = if count.failed_checks {
                Failure::UnhealthyTasks
            } else {
                Failure::TasksNotStarted
            };
            self.fail(failure, breaker.rollback && can_return, wanted, pods, now);
        } else {
            return count.again.filter(|_| breaker.is_some());
        }
        None
    }

    /// Gives up the newest deployment, and begins one of the last completed revision if a rollback is requested.
    fn fail(
        &mut self,
        failure: Failure,
        roll_back: bool,
        wanted: &Wanted<'_>,
        pods: &[Arc<PodState>],
        now: Timestamp,
    ) {
        let failed = self.revision().map(str::to_owned);
        self.end(FAILED, failure.reason(), now);
        let Some(completed) = self.completed.clone().filter(|_| roll_back) else {
            if self.completed.is_none() {
                self.give_up(pods);
            }
            return;
        };
        let asked_for = |failed: &String| wanted.newest.is_none_or(|newest| newest.is(failed));
        self.rolled_back = failed.filter(asked_for);
        let mut known = self.list.iter();
        let good = known.find(|known| known.service_revision.as_deref() == Some(&completed));
        let (to, task_definition) = match good {
            Some(good) => (good.id.clone(), good.task_definition.clone()),
            None => (completed.clone(), None),
        };
        let begins = Begins {
            revision: &completed,
            task_definition: task_definition.as_deref(),
            returns: Some((&to, failure)),
        };
        self.begin(wanted, begins, pods, now);
    }

    fn end(&mut self, state: &str, reason: &str, now: Timestamp) {
        if let Some(primary) = self.list.first_mut() {
            primary.rollout_state = Some(state.to_owned());
            primary.rollout_state_reason = Some(reason.to_owned());
            primary.updated_at = Some(Time(now));
            primary.failures = BTreeMap::new();
            primary.healthy_count = None;
        }
    }

    /// Completes the newest deployment if what it asks for runs.
    pub fn settle(&mut self, wanted: &Wanted<'_>, progress: Progress, now: Timestamp) {
        if !self.is(IN_PROGRESS) {
            return;
        }
        let healthy = self.primary().and_then(|it| it.healthy_count).unwrap_or(0);
        let early = wanted.rules.early_success.is_some_and(|early| {
            let tasks = wanted.desired.max(0) * i64::from(early.healthy_percent);
            let enough = healthy * 100 >= tasks;
            enough && (progress.old == 0 || !early.waits_for_cleanup)
        });
        if progress.steady || early {
            let id = self.primary().map_or_else(String::new, |it| it.id.clone());
            self.end(COMPLETED, &format!("ECS deployment {id} completed."), now);
            self.completed = self.revision().map(str::to_owned);
        }
    }
}

/// Returns the pods of a service revision.
fn of_revision(pods: &[Arc<PodState>], revision: &str) -> Vec<Arc<PodState>> {
    let label = pods_of(revision);
    let own = pods
        .iter()
        .filter(|pod| pod.revision.as_deref() == Some(label));
    own.cloned().collect()
}

/// Returns how many tasks have been ready for long enough.
fn healthy(pods: &[Arc<PodState>], wanted: &Wanted<'_>, now: Timestamp) -> i64 {
    let enough = SignedDuration::from_secs(wanted.healthy_after);
    let is_healthy = |pod: &&Arc<PodState>| {
        let since = pod.ready_since.map(|since| now.duration_since(since));
        pod.ready && !pod.deleting && since.is_none_or(|since| since >= enough)
    };
    i64::try_from(pods.iter().filter(is_healthy).count()).unwrap_or(i64::MAX)
}

/// Returns an identifier in the format of ECS. It includes the time, so that none is used twice, even if a status was
/// lost.
fn id(service: &str, revision: &str, before: Option<&str>, now: Timestamp) -> String {
    let digest = foldhash::quality::FixedState::with_seed(0).hash_one((
        service,
        revision,
        before,
        now.as_nanosecond(),
    ));
    format!("ecs-svc/{:019}", digest >> 1)
}
