//! The decisions of deployments in a small model of the world, explored completely: every order of what the owner, the
//! operator, the Deployment controller and the kubelets may do next. In between, the operator is killed before it
//! applies its decision, the spec is rejected, the status is lost, a task ends by itself, or the owner has a deployment
//! stopped.
//!
//! In every reachable state,
//! - nothing but a failure, or a new task in its place, ends a task that serves;
//! - no more tasks exist than `maximumPercent` allows;
//! - a deployment begins only because the owner asked for something different, or as a rollback, and never one that
//!   failed;
//! - where nothing more can happen, the newest deployment is COMPLETED or FAILED, and something serves if anything that
//!   was asked for works.

mod world;

use std::collections::{HashSet, VecDeque};

use super::*;
use world::{BAD, MOST_ENDS, Rules, Task, Wishes, World};

/// Checks what must hold after every action of the operator.
fn check(before: &World, after: &World, rules: &Rules) {
    let (serving, tasks) = (before.serving(), before.tasks.len());
    assert!(tasks <= rules.most(), "too many tasks: {before:#?}");
    // With fewer tasks requested than serve, the Deployment controller would end serving ones.
    assert!(
        after.replicas >= serving.min(before.replicas) || after.replicas >= rules.desired,
        "serving tasks end for nothing: {before:#?} {after:#?}"
    );
    let id = |world: &World| world.deployments.primary().map(|it| it.id.clone());
    let again = before.deployments.rolled_back.as_deref();
    assert!(
        id(before) == id(after) || !again.is_some_and(|failed| after.deployments.is_of(failed)),
        "what is known to fail begins again: {before:#?} {after:#?}"
    );
    let begun = after.deployments.list.len();
    assert!(
        begun <= 2 * rules.wishes.len(),
        "too many deployments: {after:#?}"
    );
}

/// Checks what must hold where nothing more can happen.
fn check_end(world: &World, rules: &Rules) {
    let state = world
        .deployments
        .primary()
        .and_then(|it| it.rollout_state.clone());
    let wish = rules.wishes[world.uttered - 1];
    assert!(
        matches!(state.as_deref(), Some(COMPLETED | FAILED)),
        "it never ends: {world:#?}"
    );
    if !BAD.contains(&wish) && world.stop.is_none() {
        assert_eq!(world.template.as_deref(), Some(wish), "{world:#?}");
        assert_eq!(world.serving(), rules.desired, "{world:#?}");
    }
    let worked = |deployments: &Deployments| deployments.completed.is_some();
    if worked(&world.deployments) {
        assert_eq!(
            world.serving(),
            rules.desired,
            "what worked serves: {world:#?}"
        );
    }
}

/// Explores every reachable world. Returns how many there are.
fn explore(rules: &Rules, mishaps: u8) -> usize {
    let mut seen = HashSet::new();
    let mut open = VecDeque::from([World::new(mishaps)]);
    while let Some(world) = open.pop_front() {
        if !seen.insert(world.key()) {
            continue;
        }
        let operated = world.operate(rules, false);
        check(&world, &operated, rules);
        let mut next = world.control(rules);
        next.extend(world.run());
        let cut_short = |(_, task): &(String, Task)| *task == Task::Crashing(MOST_ENDS);
        let quiet = next.is_empty()
            && operated.key() == world.key()
            && !(world.deployments.is(IN_PROGRESS) && world.tasks.values().any(cut_short));
        if quiet && !world.refused {
            check_end(&world, rules);
        }
        next.extend(world.disturb(rules));
        next.push(operated);
        open.extend(next);
    }
    seen.len()
}

/// Explores what can happen to a service with these wishes of its owner.
fn explore_all(wishes: &[Wishes], counts: &[(usize, u32, u32)], mishaps: u8) {
    for wishes in wishes {
        for (desired, minimum, maximum) in counts {
            for rollback in [true, false] {
                let rules = Rules {
                    wishes,
                    desired: *desired,
                    minimum: *minimum,
                    maximum: *maximum,
                    rollback,
                };
                let worlds = explore(&rules, mishaps);
                assert!(worlds > 20, "{wishes:?} {desired} {worlds}");
            }
        }
    }
}

#[test]
fn every_way_that_a_service_can_go_keeps_what_serves() {
    let wishes: &[Wishes] = &[&["a", "b"], &["b", "a"], &["a", "c"]];
    explore_all(wishes, &[(2, 100, 200), (1, 0, 100)], 1);
}

#[test]
#[ignore = "it takes minutes: cargo xtask test explore"]
fn every_longer_way_that_a_service_can_go_keeps_what_serves() {
    let wishes: &[Wishes] = &[
        &["a", "b"],
        &["b", "a"],
        &["a", "c"],
        &["b", "d"],
        &["a", "b", "c"],
    ];
    explore_all(wishes, &[(2, 100, 200), (2, 50, 100), (1, 0, 100)], 2);
}
