//! The deployments of a service: when one begins, is done, fails, and is rolled back
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>).
//!
//! What was reported last is the only memory, so an operator that is killed goes on from there.

mod counts;

use std::{collections::BTreeMap, hash::BuildHasher as _, sync::Arc};

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use super::{circuit_breaker::threshold, failed_tasks, pod_state::PodState};
use crate::{
    crd::{DeploymentStatus, ServiceStatus},
    validate::{self, clamp},
};

/// The rollout state of a deployment that goes on.
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
    /// All that are known, the newest first.
    pub list: Vec<DeploymentStatus>,
    /// The service revision of the last one that completed.
    pub completed: Option<String>,
    /// The service revision that failed and was rolled back.
    pub rolled_back: Option<String>,
}

/// What the spec asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The identity of the service.
    pub service: &'a str,
    /// The service revision that the spec means now.
    pub revision: &'a str,
    /// The task definition of that revision, as in `web:3`.
    pub task_definition: &'a str,
    /// How many tasks.
    pub desired: i64,
    /// How the tasks are replaced.
    pub rules: &'a validate::Deployment,
    /// Seconds for which a task has to be ready until it counts as healthy.
    pub healthy_after: i64,
    /// The id of a deployment that somebody wants stopped.
    pub stop: Option<&'a str>,
    /// The id of a deployment that somebody wants rolled back.
    pub roll_back: Option<&'a str>,
}

/// What is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// What the spec asks for.
    Newest,
    /// An older service revision.
    Revision(String),
    /// No tasks: the first deployment has failed.
    Nothing,
}

/// How far what was applied has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether the wanted tasks run, healthy, and no others.
    pub steady: bool,
    /// How many tasks there are that are not of the newest template.
    pub old: i64,
}

/// The next state of the deployments, and when to look again should nothing change.
#[must_use]
pub fn advance(
    before: &Deployments,
    wanted: &Wanted<'_>,
    pods: &[Arc<PodState>],
    now: Timestamp,
) -> (Deployments, Option<Timestamp>) {
    let mut deployments = before.clone();
    let primary = deployments.revision();
    if primary == Some(wanted.revision) {
        // Whoever asks for what runs does not ask for what failed any more.
        deployments.rolled_back = None;
    } else if primary.is_none() || deployments.rolled_back.as_deref() != Some(wanted.revision) {
        deployments.rolled_back = None;
        let reason = |id: &str| format!("ECS deployment {id} in progress.");
        let (revision, task_definition) = (wanted.revision, Some(wanted.task_definition));
        deployments.begin(wanted, revision, task_definition, pods, reason, now);
    }
    let again = deployments.watch(wanted, pods, now);
    (deployments, again)
}

impl Deployments {
    /// The deployments that a status tells.
    #[must_use]
    pub fn of(status: &ServiceStatus) -> Self {
        Self {
            list: status.deployments.clone(),
            completed: status.completed_revision.clone(),
            rolled_back: status.rolled_back_revision.clone(),
        }
    }

    /// The newest deployment.
    #[must_use]
    pub fn primary(&self) -> Option<&DeploymentStatus> {
        self.list.first()
    }

    fn revision(&self) -> Option<&str> {
        self.primary()?.service_revision.as_deref()
    }

    /// Whether the newest deployment is one of this service revision.
    #[must_use]
    pub fn is_of(&self, revision: &str) -> bool {
        self.revision() == Some(revision)
    }

    /// Whether other deployments are known than there, or one has another state.
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

    /// What is to run, where the spec asks for the service revision `wanted`.
    #[must_use]
    pub fn target(&self, wanted: &str) -> Target {
        let of = |revision: &str| {
            if revision == wanted {
                Target::Newest
            } else {
                Target::Revision(revision.to_owned())
            }
        };
        match (self.revision(), self.completed.as_deref()) {
            (None, _) => Target::Newest,
            // What completed once goes on, however it fares: there is nothing better.
            (Some(_), Some(completed)) if self.is(FAILED) => of(completed),
            (Some(_), None) if self.is(FAILED) => Target::Nothing,
            (Some(revision), _) => of(revision),
        }
    }

    fn begin(
        &mut self,
        wanted: &Wanted<'_>,
        revision: &str,
        task_definition: Option<&str>,
        pods: &[Arc<PodState>],
        reason: impl Fn(&str) -> String,
        now: Timestamp,
    ) {
        let before = self.primary().map(|deployment| deployment.id.as_str());
        let id = id(wanted.service, revision, before);
        let pods = of_revision(pods, revision);
        self.list.insert(
            0,
            DeploymentStatus {
                rollout_state_reason: Some(reason(&id)),
                id,
                status: PRIMARY.to_owned(),
                service_revision: Some(revision.to_owned()),
                task_definition: task_definition.map(str::to_owned),
                healthy_count: Some(healthy(&pods, wanted, now)),
                failed_tasks: Some(0),
                // What its tasks have been through before is not its failure.
                failures: failed_tasks::baseline(&pods, now),
                rollout_state: Some(IN_PROGRESS.to_owned()),
                created_at: Some(Time(now)),
                updated_at: Some(Time(now)),
                ..DeploymentStatus::default()
            },
        );
    }

    /// Watches the tasks of the newest deployment for as long as it goes on.
    fn watch(
        &mut self,
        wanted: &Wanted<'_>,
        pods: &[Arc<PodState>],
        now: Timestamp,
    ) -> Option<Timestamp> {
        if !self.is(IN_PROGRESS) {
            return None;
        }
        let can_return = self
            .completed
            .as_deref()
            .is_some_and(|completed| Some(completed) != self.revision());
        let primary = self.list.first_mut()?;
        let own = of_revision(pods, primary.service_revision.as_deref()?);
        let breaker = wanted.rules.circuit_breaker;
        let known = primary.failures.clone();
        let count = match breaker {
            Some(_) => failed_tasks::count(&own, &known, now),
            // Nothing depends on it, and there may be thousands that fail: what can be seen now is told.
            None => failed_tasks::seen(&own, now),
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
        primary.failures = count.by_pod;
        primary.healthy_count = Some(healthy);
        let is_it = |id: Option<&str>| id == Some(primary.id.as_str());
        let tripped = breaker.filter(|breaker| {
            let limit = threshold(clamp(wanted.desired), breaker.threshold);
            failed >= i64::from(limit)
        });
        if is_it(wanted.roll_back) && can_return {
            self.fail("Deployment stopped by user.", true, wanted, pods, now);
        } else if is_it(wanted.stop) {
            self.fail("Deployment stopped by user.", false, wanted, pods, now);
        } else if let Some(breaker) = tripped {
            let reason = if count.failed_checks {
                "ECS deployment circuit breaker: tasks failed health checks."
            } else {
                "ECS deployment circuit breaker: tasks failed to start."
            };
            self.fail(reason, breaker.rollback && can_return, wanted, pods, now);
        } else {
            return count.again.filter(|_| breaker.is_some());
        }
        None
    }

    /// Gives the newest deployment up, and begins one of what completed last if that is asked for.
    fn fail(
        &mut self,
        reason: &str,
        roll_back: bool,
        wanted: &Wanted<'_>,
        pods: &[Arc<PodState>],
        now: Timestamp,
    ) {
        let failed = self.revision().map(str::to_owned);
        self.end(FAILED, reason, now);
        let Some(completed) = self.completed.clone().filter(|_| roll_back) else {
            return;
        };
        self.rolled_back = failed.filter(|failed| failed == wanted.revision);
        let mut known = self.list.iter();
        let good = known.find(|known| known.service_revision.as_deref() == Some(&completed));
        let (to, task_definition) = match good {
            Some(good) => (good.id.clone(), good.task_definition.clone()),
            None => (completed.clone(), None),
        };
        let by = match reason.split_once(": ") {
            Some((by, _)) => format!("{by}: rolling back to deploymentId {to}."),
            None => format!("Rolling back to deploymentId {to}."),
        };
        let task_definition = task_definition.as_deref();
        self.begin(
            wanted,
            &completed,
            task_definition,
            pods,
            |_| by.clone(),
            now,
        );
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

    /// Ends the newest deployment if what it asks for runs.
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

/// The pods of a service revision.
fn of_revision(pods: &[Arc<PodState>], revision: &str) -> Vec<Arc<PodState>> {
    let own = pods
        .iter()
        .filter(|pod| pod.revision.as_deref() == Some(revision));
    own.cloned().collect()
}

/// How many tasks have been ready for long enough.
fn healthy(pods: &[Arc<PodState>], wanted: &Wanted<'_>, now: Timestamp) -> i64 {
    let enough = SignedDuration::from_secs(wanted.healthy_after);
    let is_healthy = |pod: &&Arc<PodState>| {
        let since = pod.ready_since.map(|since| now.duration_since(since));
        pod.ready && !pod.deleting && since.is_none_or(|since| since >= enough)
    };
    i64::try_from(pods.iter().filter(is_healthy).count()).unwrap_or(i64::MAX)
}

/// An identifier in the form of ECS, the same whenever the same deployment is begun.
fn id(service: &str, revision: &str, before: Option<&str>) -> String {
    let digest = foldhash::quality::FixedState::with_seed(0).hash_one((service, revision, before));
    format!("ecs-svc/{:019}", digest >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decide::pod_state::{ContainerSeen, Doing, End},
        validate::{CircuitBreaker, DeploymentStrategy, EarlySuccess, FailureThreshold},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    fn rules(rollback: bool) -> validate::Deployment {
        validate::Deployment {
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            circuit_breaker: Some(CircuitBreaker {
                rollback,
                reset_on_healthy_task: true,
                threshold: FailureThreshold::BoundedPercent(50),
            }),
            alarms: None,
            strategy: DeploymentStrategy::Rolling,
            early_success: None,
            pauses: Vec::new(),
        }
    }

    const fn wanted<'a>(revision: &'a str, rules: &'a validate::Deployment) -> Wanted<'a> {
        Wanted {
            service: "uid",
            revision,
            task_definition: revision,
            desired: 2,
            rules,
            healthy_after: 10,
            stop: None,
            roll_back: None,
        }
    }

    const DONE: Progress = Progress {
        steady: true,
        old: 0,
    };
    const UNDER_WAY: Progress = Progress {
        steady: false,
        old: 1,
    };

    /// A pod whose container has ended so often; one that has not is ready.
    fn pod(name: &str, revision: &str, ends: i32) -> Arc<PodState> {
        Arc::new(PodState {
            name: name.to_owned(),
            revision: Some(revision.to_owned()),
            ready: ends == 0,
            ready_since: Some(at(0)),
            containers: vec![ContainerSeen {
                name: "web".to_owned(),
                restarts: (ends - 1).max(0),
                state: if ends > 0 {
                    Doing::Ended(End::default())
                } else {
                    Doing::Unknown
                },
                ..ContainerSeen::default()
            }],
            ..PodState::default()
        })
    }

    /// One reconcile.
    fn step(
        before: &Deployments,
        wanted: &Wanted<'_>,
        pods: &[Arc<PodState>],
        progress: Progress,
        second: i64,
    ) -> Deployments {
        let (mut after, _) = advance(before, wanted, pods, at(second));
        after.settle(wanted, progress, at(second));
        after.recount(wanted, pods);
        after
    }

    /// A service whose deployment of `a` has completed.
    fn completed(rules: &validate::Deployment) -> Deployments {
        let none = Deployments::default();
        step(&none, &wanted("a", rules), &[], DONE, 1)
    }

    fn told(deployments: &Deployments) -> Vec<(&str, &str, &str, i64)> {
        let list = deployments.list.iter();
        list.map(|it| {
            (
                it.status.as_str(),
                it.service_revision.as_deref().unwrap_or("-"),
                it.rollout_state.as_deref().unwrap_or("-"),
                it.failed_tasks.unwrap_or(-1),
            )
        })
        .collect()
    }

    #[test]
    fn a_deployment_begins_with_another_revision_and_ends_when_it_is_steady() {
        let rules = rules(false);
        let first = completed(&rules);
        assert_eq!(told(&first), [(PRIMARY, "a", COMPLETED, 0)]);
        assert_eq!(first, step(&first, &wanted("a", &rules), &[], UNDER_WAY, 9));
        let b = wanted("b", &rules);
        let second = step(&first, &b, &[pod("1", "a", 0)], UNDER_WAY, 10);
        assert_eq!(
            told(&second),
            [(PRIMARY, "b", IN_PROGRESS, 0), (ACTIVE, "a", COMPLETED, 0)]
        );
        assert_eq!(second.target("b"), Target::Newest);
        assert_eq!(second.list[1].running_count, Some(1));
        let third = step(&second, &b, &[pod("2", "b", 0)], DONE, 20);
        assert_eq!(told(&third), [(PRIMARY, "b", COMPLETED, 0)]);
        assert_eq!(third.completed.as_deref(), Some("b"));
        assert_ne!(third.list[0].id, first.list[0].id);
    }

    #[test]
    fn a_deployment_that_fails_is_rolled_back_and_not_tried_again() {
        let rules = rules(true);
        let first = completed(&rules);
        let b = wanted("b", &rules);
        let old = pod("1", "a", 0);
        let trying = [old.clone(), pod("2", "b", 2)];
        let second = step(&first, &b, &[], UNDER_WAY, 10);
        let second = step(&second, &b, &trying, UNDER_WAY, 11);
        assert_eq!(second.list[0].failed_tasks, Some(2));
        let failing = [old.clone(), pod("2", "b", 3)];
        let third = step(&second, &b, &failing, UNDER_WAY, 12);
        assert_eq!(
            told(&third),
            [(PRIMARY, "a", IN_PROGRESS, 0), (ACTIVE, "b", FAILED, 3)]
        );
        assert_eq!(third.target("b"), Target::Revision("a".to_owned()));
        assert_eq!(
            third.list[0].rollout_state_reason,
            Some(format!(
                "ECS deployment circuit breaker: rolling back to deploymentId {}.",
                first.list[0].id
            ))
        );
        let back = step(&third, &b, std::slice::from_ref(&old), DONE, 30);
        assert_eq!(
            told(&back),
            [(PRIMARY, "a", COMPLETED, 0), (INACTIVE, "b", FAILED, 3)]
        );
        let later = step(&back, &b, std::slice::from_ref(&old), DONE, 40);
        assert_eq!(told(&later), told(&back), "the spec asks for b still");
        // Whoever asks for what runs gets it without another deployment; then b is worth another try.
        let agreed = step(
            &later,
            &wanted("a", &rules),
            std::slice::from_ref(&old),
            DONE,
            50,
        );
        assert_eq!(told(&agreed), [(PRIMARY, "a", COMPLETED, 0)]);
        let again = step(&agreed, &b, &[old], UNDER_WAY, 60);
        assert_eq!(told(&again)[0], (PRIMARY, "b", IN_PROGRESS, 0));
        // Another one is tried at once.
        let c = step(&later, &wanted("c", &rules), &[], UNDER_WAY, 50);
        assert_eq!(told(&c)[0], (PRIMARY, "c", IN_PROGRESS, 0));
    }

    #[test]
    fn without_rollback_the_old_tasks_stay_and_the_deployment_is_failed() {
        let rules = rules(false);
        let first = completed(&rules);
        let b = wanted("b", &rules);
        let pods = [pod("1", "a", 0), pod("2", "b", 3)];
        let second = step(&first, &b, &[], UNDER_WAY, 10);
        let failed = step(&second, &b, &pods, UNDER_WAY, 12);
        assert_eq!(failed.target("b"), Target::Revision("a".to_owned()));
        assert_eq!(
            told(&failed),
            [(PRIMARY, "b", FAILED, 3), (ACTIVE, "a", COMPLETED, 0)]
        );
        assert_eq!(failed.list[0].desired_count, Some(0));
        assert_eq!(failed.list[1].desired_count, Some(2));
        let more = Wanted { desired: 5, ..b };
        let scaled = step(&failed, &more, &[pod("1", "a", 0)], DONE, 20);
        assert_eq!(told(&scaled), told(&failed));
        assert_eq!(scaled.list[1].desired_count, Some(5));
    }

    #[test]
    fn a_first_deployment_that_fails_leaves_nothing() {
        for rollback in [false, true] {
            let rules = rules(rollback);
            let a = wanted("a", &rules);
            let begun = step(&Deployments::default(), &a, &[], UNDER_WAY, 1);
            let failed = step(&begun, &a, &[pod("1", "a", 3)], UNDER_WAY, 2);
            assert_eq!(told(&failed), [(PRIMARY, "a", FAILED, 3)]);
            assert_eq!(failed.target("a"), Target::Nothing);
            let next = step(&failed, &wanted("b", &rules), &[], UNDER_WAY, 3);
            assert_eq!(next.target("b"), Target::Newest);
        }
    }

    #[test]
    fn a_rollback_that_fails_goes_on_with_what_it_has() {
        let rules = rules(true);
        let b = wanted("b", &rules);
        let begun = step(&completed(&rules), &b, &[], UNDER_WAY, 10);
        let back = step(&begun, &b, &[pod("2", "b", 3)], UNDER_WAY, 11);
        assert_eq!(back.target("b"), Target::Revision("a".to_owned()));
        let failed = step(&back, &b, &[pod("3", "a", 3)], UNDER_WAY, 12);
        assert_eq!(told(&failed)[0], (PRIMARY, "a", FAILED, 3));
        assert_eq!(failed.target("b"), Target::Revision("a".to_owned()));
        let same = step(&failed, &b, &[pod("3", "a", 9)], DONE, 13);
        assert_eq!(told(&same), told(&failed), "nobody counts any more");
    }

    #[test]
    fn what_happened_before_a_deployment_does_not_count_in_it() {
        let rules = rules(true);
        let b = wanted("b", &rules);
        let worn = pod("1", "a", 7);
        let begun = step(
            &completed(&rules),
            &b,
            std::slice::from_ref(&worn),
            UNDER_WAY,
            10,
        );
        let back = step(&begun, &b, &[worn.clone(), pod("2", "b", 3)], UNDER_WAY, 11);
        let after = step(&back, &b, &[worn], UNDER_WAY, 12);
        assert_eq!(told(&after)[0], (PRIMARY, "a", IN_PROGRESS, 0));
    }

    #[test]
    fn a_task_that_gets_healthy_sets_the_count_to_zero_unless_told_otherwise() {
        for (reset, expected) in [(true, IN_PROGRESS), (false, FAILED)] {
            let mut rules = rules(false);
            if let Some(breaker) = &mut rules.circuit_breaker {
                breaker.reset_on_healthy_task = reset;
            }
            let a = wanted("a", &rules);
            let fails = |ends| pod("1", "a", ends);
            let mut state = step(&Deployments::default(), &a, &[], UNDER_WAY, 1);
            state = step(&state, &a, &[fails(2)], UNDER_WAY, 11);
            // Ready since second 0, which is long enough by now.
            state = step(&state, &a, &[fails(2), pod("2", "a", 0)], UNDER_WAY, 12);
            state = step(&state, &a, &[fails(3), pod("2", "a", 0)], UNDER_WAY, 13);
            assert_eq!(told(&state)[0].2, expected, "{reset}");
        }
    }

    #[test]
    fn somebody_can_stop_a_deployment_or_roll_it_back() {
        let rules = validate::Deployment {
            circuit_breaker: None,
            ..rules(false)
        };
        let first = completed(&rules);
        let b = wanted("b", &rules);
        let begun = step(&first, &b, &[], UNDER_WAY, 10);
        let id = begun.list[0].id.clone();
        let stop = Wanted {
            stop: Some(&id),
            ..b
        };
        let stopped = step(&begun, &stop, &[], UNDER_WAY, 11);
        assert_eq!(told(&stopped)[0], (PRIMARY, "b", FAILED, 0));
        assert_eq!(stopped.target("b"), Target::Revision("a".to_owned()));
        let back = Wanted {
            roll_back: Some(&id),
            ..b
        };
        let rolled = step(&begun, &back, &[], UNDER_WAY, 11);
        assert_eq!(told(&rolled)[0], (PRIMARY, "a", IN_PROGRESS, 0));
        assert_eq!(rolled.rolled_back.as_deref(), Some("b"));
        let done = step(&rolled, &back, &[], DONE, 12);
        assert_eq!(told(&done)[0], (PRIMARY, "a", COMPLETED, 0));
        // It was about that deployment, not about those that come.
        let next = Wanted {
            revision: "c",
            ..back
        };
        let next = step(&done, &next, &[], UNDER_WAY, 13);
        assert_eq!(told(&next)[0], (PRIMARY, "c", IN_PROGRESS, 0));
    }

    #[test]
    fn a_change_back_in_the_middle_is_a_deployment_too() {
        let rules = rules(true);
        let begun = step(&completed(&rules), &wanted("b", &rules), &[], UNDER_WAY, 10);
        let a = wanted("a", &rules);
        let pods = [pod("1", "a", 0), pod("2", "b", 0)];
        let back = step(&begun, &a, &pods, UNDER_WAY, 11);
        assert_eq!(told(&back)[0], (PRIMARY, "a", IN_PROGRESS, 0));
        assert_eq!(told(&back)[1], (ACTIVE, "b", IN_PROGRESS, 0));
        let done = step(&back, &a, &[pod("1", "a", 0)], DONE, 12);
        assert_eq!(told(&done), [(PRIMARY, "a", COMPLETED, 0)]);
    }

    #[test]
    fn an_early_success_needs_enough_healthy_tasks() {
        for (healthy, waits, old, expected) in [
            (1, false, 1, IN_PROGRESS),
            (2, false, 1, COMPLETED),
            (2, true, 1, IN_PROGRESS),
            (2, true, 0, COMPLETED),
        ] {
            let rules = validate::Deployment {
                early_success: Some(EarlySuccess {
                    healthy_percent: 50,
                    waits_for_cleanup: waits,
                }),
                ..rules(false)
            };
            let a = Wanted {
                desired: 3,
                ..wanted("a", &rules)
            };
            let pods: Vec<_> = (0..healthy)
                .map(|number| pod(&number.to_string(), "a", 0))
                .collect();
            let progress = Progress { steady: false, old };
            let state = step(&Deployments::default(), &a, &pods, progress, 11);
            assert_eq!(told(&state)[0].2, expected, "{healthy} {waits} {old}");
        }
    }
}
