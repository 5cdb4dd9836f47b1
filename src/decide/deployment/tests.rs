//! The life of deployments, step by step.

use super::{
    rebuilt::{Remnant, Remnants},
    *,
};
use crate::{
    decide::pod_state::{ContainerSeen, Doing, End},
    validate::{self, CircuitBreaker, EarlySuccess, FailureThreshold},
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
        early_success: None,
    }
}

const fn wanted<'a>(revision: &'a str, rules: &'a validate::Deployment) -> Wanted<'a> {
    Wanted {
        service: "uid",
        newest: Some(Newest {
            revision,
            task_definition: revision,
            same: &[],
        }),
        desired: 2,
        rules,
        healthy_after: 10,
        not_created: None,
        grace: 0,
        stop: None,
        roll_back: None,
        renew: None,
    }
}

fn all_of(revision: &str) -> Option<Target> {
    Some(Target {
        revision: revision.to_owned(),
        most: None,
    })
}

const DONE: Progress = Progress {
    steady: true,
    old: 0,
};
const UNDER_WAY: Progress = Progress {
    steady: false,
    old: 1,
};

/// Returns a pod whose container has ended this many times; a pod without an end is ready.
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

/// Takes one step of a reconcile.
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

/// Returns a service whose deployment of `a` has completed.
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
    assert_eq!(second.target(), all_of("b"));
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
    assert_eq!(third.target(), all_of("a"));
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
    // A spec that asks for what runs gets it without another deployment; after that, b is worth another try.
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
    // A different revision is tried immediately.
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
    assert_eq!(failed.target(), all_of("a"));
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
        assert_eq!(
            failed.target(),
            Some(Target {
                revision: "a".to_owned(),
                most: Some(0)
            })
        );
        let next = step(&failed, &wanted("b", &rules), &[], UNDER_WAY, 3);
        assert_eq!(next.target(), all_of("b"));
    }
}

#[test]
fn a_rollback_that_fails_goes_on_with_what_it_has() {
    let rules = rules(true);
    let b = wanted("b", &rules);
    let begun = step(&completed(&rules), &b, &[], UNDER_WAY, 10);
    let back = step(&begun, &b, &[pod("2", "b", 3)], UNDER_WAY, 11);
    assert_eq!(back.target(), all_of("a"));
    let failed = step(&back, &b, &[pod("3", "a", 3)], UNDER_WAY, 12);
    assert_eq!(told(&failed)[0], (PRIMARY, "a", FAILED, 3));
    assert_eq!(failed.target(), all_of("a"));
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
        // It has been ready since second 0, which is long enough by now.
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
    assert_eq!(stopped.target(), all_of("a"));
    let back = Wanted {
        roll_back: Some(&id),
        ..b
    };
    let rolled = step(&begun, &back, &[], UNDER_WAY, 11);
    assert_eq!(told(&rolled)[0], (PRIMARY, "a", IN_PROGRESS, 0));
    assert_eq!(rolled.rolled_back.as_deref(), Some("b"));
    let done = step(&rolled, &back, &[], DONE, 12);
    assert_eq!(told(&done)[0], (PRIMARY, "a", COMPLETED, 0));
    // The request was about that deployment, not about later ones.
    let next = Wanted {
        newest: wanted("c", &rules).newest,
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

#[test]
fn what_is_made_of_the_same_begins_nothing_however_it_would_be_rendered() {
    let rules = rules(true);
    let first = completed(&rules);
    let same = ["a".to_owned()];
    let rendered_otherwise = Wanted {
        newest: Some(Newest {
            revision: "a2",
            task_definition: "web:1",
            same: &same,
        }),
        ..wanted("a", &rules)
    };
    let pods = [pod("1", "a", 0)];
    let after = step(&first, &rendered_otherwise, &pods, DONE, 10);
    assert_eq!(told(&after), told(&first));
    // Until a renewal is requested, once.
    let id = first.list[0].id.clone();
    let renewed = Wanted {
        renew: Some(&id),
        ..rendered_otherwise
    };
    let renewing = step(&after, &renewed, &pods, UNDER_WAY, 20);
    assert_eq!(told(&renewing)[0], (PRIMARY, "a2", IN_PROGRESS, 0));
    let same = ["a".to_owned(), "a2".to_owned()];
    let renewed = Wanted {
        newest: renewed.newest.map(|newest| Newest {
            same: &same,
            ..newest
        }),
        ..renewed
    };
    let done = step(&renewing, &renewed, &[pod("2", "a2", 0)], DONE, 30);
    assert_eq!(told(&done), [(PRIMARY, "a2", COMPLETED, 0)]);
    // A renewal that fails is rolled back and not retried, although the spec asks for what failed.
    let failing = [pod("1", "a", 0), pod("2", "a2", 3)];
    let back = step(&renewing, &renewed, &failing, UNDER_WAY, 30);
    assert_eq!(told(&back)[0], (PRIMARY, "a", IN_PROGRESS, 0));
    let back = step(&back, &renewed, &pods, DONE, 40);
    assert_eq!(told(&back)[0], (PRIMARY, "a", COMPLETED, 0));
    assert_eq!(back.rolled_back.as_deref(), Some("a2"));
}

#[test]
fn while_a_spec_is_refused_the_breaker_goes_on() {
    let rules = rules(true);
    let b = wanted("b", &rules);
    let begun = step(&completed(&rules), &b, &[], UNDER_WAY, 10);
    let refused = Wanted { newest: None, ..b };
    let back = step(&begun, &refused, &[pod("2", "b", 3)], UNDER_WAY, 11);
    assert_eq!(told(&back)[0], (PRIMARY, "a", IN_PROGRESS, 0));
    assert_eq!(back.rolled_back.as_deref(), Some("b"));
    let accepted = step(&back, &b, &[], UNDER_WAY, 12);
    assert_eq!(told(&accepted)[0], (PRIMARY, "a", IN_PROGRESS, 0));
}

#[test]
fn healthy_tasks_outlive_a_failure_where_nothing_ever_completed() {
    let rules = rules(false);
    let (a, b) = (wanted("a", &rules), wanted("b", &rules));
    let serving = [pod("1", "a", 0), pod("2", "a", 0)];
    let begun = step(&Deployments::default(), &a, &serving, UNDER_WAY, 1);
    // These tasks are of an older deployment.
    let pods = [serving[0].clone(), serving[1].clone(), pod("3", "b", 0)];
    let next = step(&begun, &b, &pods, UNDER_WAY, 2);
    let pods = [serving[0].clone(), serving[1].clone(), pod("3", "b", 3)];
    let failed = step(&next, &b, &pods, UNDER_WAY, 3);
    assert_eq!(told(&failed)[0], (PRIMARY, "b", FAILED, 3));
    assert_eq!(failed.target(), all_of("a"));
    assert_eq!(failed.list[1].desired_count, Some(2));
    // These are the tasks of the failed deployment, and no more of them, even if their health changes briefly.
    let more = Wanted { desired: 4, ..a };
    let pods = [serving[0].clone(), serving[1].clone(), pod("3", "a", 4)];
    let failed = step(&begun, &more, &pods, UNDER_WAY, 2);
    assert_eq!(told(&failed)[0], (PRIMARY, "a", FAILED, 4));
    for pods in [&pods[..], &[], &serving] {
        let later = step(&failed, &more, pods, UNDER_WAY, 9);
        let most = Some(2);
        let revision = "a".to_owned();
        assert_eq!(later.target(), Some(Target { revision, most }));
        assert_eq!(later.list[0].desired_count, Some(2));
    }
}

#[test]
fn an_older_deployment_that_serves_comes_before_one_that_was_stopped() {
    let rules = rules(false);
    let (a, b) = (wanted("a", &rules), wanted("b", &rules));
    let pods = [pod("1", "a", 0), pod("2", "b", 0)];
    let begun = step(&Deployments::default(), &a, &pods[..1], UNDER_WAY, 1);
    let next = step(&begun, &b, &pods, UNDER_WAY, 2);
    let stop = Some(next.list[0].id.as_str());
    let stopped = step(&next, &Wanted { stop, ..b }, &pods, UNDER_WAY, 3);
    assert_eq!(told(&stopped)[0], (PRIMARY, "b", FAILED, 0));
    assert_eq!(stopped.target(), all_of("a"));
}

#[test]
fn revisions_of_the_same_pods_share_them() {
    assert_eq!(pods_of("1a2b3c4d5e"), "1a2b3c4d5e");
    assert_eq!(pods_of("1a2b3c4d5e-6f70"), "1a2b3c4d5e");
    let rules = rules(true);
    let pods = [pod("1", "a", 0), pod("2", "a", 0)];
    let first = step(
        &Deployments::default(),
        &wanted("a", &rules),
        &pods,
        DONE,
        1,
    );
    let second = step(&first, &wanted("a-1", &rules), &pods, DONE, 2);
    assert_eq!(told(&second), [(PRIMARY, "a-1", COMPLETED, 0)]);
    assert_eq!(second.list[0].running_count, Some(2));
}

#[test]
fn no_id_comes_twice() {
    let rules = rules(true);
    let a = wanted("a", &rules);
    let first = step(&Deployments::default(), &a, &[], UNDER_WAY, 1);
    let lost = step(&Deployments::default(), &a, &[], UNDER_WAY, 2);
    assert_ne!(first.list[0].id, lost.list[0].id);
}

#[test]
fn a_lost_status_is_rebuilt_of_what_is_left() {
    let rules = rules(true);
    let b = wanted("b", &rules);
    let remnant = |revision| Remnant {
        revision,
        task_definition: revision,
    };
    let old = pod("1", "a", 0);
    let rebuilt =
        |steady, failed: Option<&'static str>, running: &'static str, others: &[&'static str]| {
            let remnants = Remnants {
                running: remnant(running),
                steady,
                others: others.iter().map(|it| remnant(it)).collect(),
                failed: failed.map(remnant),
            };
            Deployments::rebuilt("uid", &remnants, std::slice::from_ref(&old), at(5))
        };
    let steady = rebuilt(true, None, "a", &[]);
    assert_eq!(told(&steady), [(PRIMARY, "a", COMPLETED, 0)]);
    assert_eq!(steady.completed.as_deref(), Some("a"));
    let middle = rebuilt(false, None, "b", &["a"]);
    assert_eq!(told(&middle)[0], (PRIMARY, "b", IN_PROGRESS, 0));
    assert_eq!(middle.completed.as_deref(), Some("a"), "it serves");
    // A first deployment that failed stays as it was, and one beside another that serves gives way to it.
    let failed = rebuilt(true, Some("a"), "a", &[]);
    assert_eq!(told(&failed)[0], (PRIMARY, "a", FAILED, 0));
    let target = |deployments: &Deployments| deployments.target().expect("there is one");
    assert_eq!(target(&failed).most, Some(1), "the task that serves");
    let beside = rebuilt(false, Some("b"), "b", &["a"]);
    assert_eq!(told(&beside)[0], (PRIMARY, "b", FAILED, 0));
    assert_eq!(
        (target(&beside).revision.as_str(), target(&beside).most),
        ("a", None)
    );
    // What failed is not retried.
    let back = rebuilt(true, Some("b"), "a", &["b"]);
    let after = step(&back, &b, std::slice::from_ref(&old), DONE, 6);
    assert_eq!(
        told(&after),
        [(PRIMARY, "a", COMPLETED, 0), (INACTIVE, "b", FAILED, 0)]
    );
}
