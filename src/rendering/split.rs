//! The tasks of a service on several capacity providers: how many each Deployment gets, and how many it replaces at a time.
//!
//! As in ECS, another strategy moves no task: the tasks that are added and removed later bring the split closer to it, and
//! a deployment, which replaces all tasks, reaches it.

use serde_json::{Map, Value, json};

use super::counts::Numbers;
use crate::translate::service::rollout::{Rollout, Room};

/// The state of one Deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How many tasks it should have, so far.
    pub tasks: u32,
    /// How many of its tasks are healthy.
    pub available: u32,
    /// Whether it may have tasks of an older revision.
    pub has_old: bool,
}

/// Writes the numbers of Deployments that share the tasks of a service, whose counts were rendered from the strategy
/// alone. Returns whether the whole deployment is held back.
pub(super) fn spread(
    specs: &mut [(Option<Part>, &mut Map<String, Value>)],
    numbers: Numbers<'_>,
) -> bool {
    let tasks = |spec: &Map<String, Value>| spec.get("replicas").and_then(Value::as_u64);
    let clamped = |tasks: u64| u32::try_from(tasks).unwrap_or(u32::MAX);
    let wanted: Vec<u32> = specs
        .iter()
        .map(|(_, spec)| tasks(spec).map_or(0, clamped))
        .collect();
    let parts: Vec<Part> = specs
        .iter()
        .map(|(part, _)| part.unwrap_or_default())
        .collect();
    let desired = wanted
        .iter()
        .fold(0_u32, |sum, tasks| sum.saturating_add(*tasks));
    let rollout = Rollout::new(desired, numbers.rules);
    let is_held = numbers.replaces && rollout.is_stuck();
    let counts = if numbers.in_progress && !is_held {
        moved(&parts, &wanted, rollout)
    } else {
        kept(&parts, &wanted)
    };
    let rooms = rooms(&parts, &counts, rollout, numbers.replaces);
    for (((part, spec), tasks), room) in specs.iter_mut().zip(&counts).zip(rooms) {
        spec.insert("replicas".to_owned(), json!(tasks));
        let (surge, unavailable) = room.numbers();
        let rolling = spec
            .get_mut("strategy")
            .and_then(|it| it.get_mut("rollingUpdate"));
        if let Some(Value::Object(rolling)) = rolling {
            rolling.insert("maxSurge".to_owned(), json!(surge));
            rolling.insert("maxUnavailable".to_owned(), json!(unavailable));
        }
        let waits = room.is_none() && *tasks > 0 && part.is_some();
        if numbers.replaces && waits {
            spec.insert("paused".to_owned(), json!(true));
        }
    }
    is_held
}

/// Returns the counts while no deployment is in progress: tasks stay where they are, and those that are added or removed
/// bring the split closer to the wanted one.
fn kept(parts: &[Part], wanted: &[u32]) -> Vec<u32> {
    let sum = |counts: &mut dyn Iterator<Item = u32>| counts.map(u64::from).sum::<u64>();
    let now = sum(&mut parts.iter().map(|part| part.tasks));
    let desired = sum(&mut wanted.iter().copied());
    let pairs = || {
        parts
            .iter()
            .map(|part| part.tasks)
            .zip(wanted.iter().copied())
    };
    if now <= desired {
        let lacks: Vec<u32> = pairs()
            .map(|(now, wanted)| wanted.saturating_sub(now))
            .collect();
        let added = from_the_largest(&lacks, desired - now);
        return pairs()
            .zip(added)
            .map(|((now, _), more)| now + more)
            .collect();
    }
    let excess: Vec<u32> = pairs()
        .map(|(now, wanted)| now.saturating_sub(wanted))
        .collect();
    let removed = from_the_largest(&excess, now - desired);
    pairs()
        .zip(removed)
        .map(|((now, _), less)| now - less)
        .collect()
}

/// Takes `count` from `amounts`, one at a time from the largest, the earlier one of several. Returns what is taken from
/// each.
fn from_the_largest(amounts: &[u32], count: u64) -> Vec<u32> {
    let above = |level: u32| -> u64 {
        let above = amounts.iter().map(|amount| amount.saturating_sub(level));
        above.map(u64::from).sum()
    };
    // The lowest level down to which all can be taken.
    let (mut level, mut high) = (0, amounts.iter().copied().max().unwrap_or(0));
    while level < high {
        let middle = level + (high - level) / 2;
        if above(middle) <= count {
            high = middle;
        } else {
            level = middle + 1;
        }
    }
    let mut left = count - above(level).min(count);
    amounts
        .iter()
        .map(|amount| {
            let taken = amount.saturating_sub(level);
            if left > 0 && *amount >= level && level > 0 {
                left -= 1;
                return taken + 1;
            }
            taken
        })
        .collect()
}

/// Returns the counts during a deployment, which moves tasks between providers: none is removed that the healthy minimum
/// needs, and none is added beyond the maximum.
fn moved(parts: &[Part], wanted: &[u32], rollout: Rollout) -> Vec<u32> {
    let pairs = || parts.iter().zip(wanted.iter().copied());
    let healthy = |(part, wanted): (&Part, u32)| u64::from(part.available.min(wanted));
    let mut missing = u64::from(rollout.lower).saturating_sub(pairs().map(healthy).sum());
    let mut counts: Vec<u32> = pairs()
        .map(|(part, wanted)| {
            // A task that is not healthy is of no use to the minimum.
            let useful = part.tasks.min(part.available).saturating_sub(wanted);
            let stay = u32::try_from(missing).unwrap_or(u32::MAX).min(useful);
            missing -= u64::from(stay);
            wanted.saturating_add(stay).min(part.tasks)
        })
        .collect();
    let all: u64 = counts.iter().copied().map(u64::from).sum();
    let mut room = u64::from(rollout.upper).saturating_sub(all);
    for (count, wanted) in counts.iter_mut().zip(wanted) {
        let more = wanted.saturating_sub(*count);
        let more = more.min(u32::try_from(room).unwrap_or(u32::MAX));
        *count += more;
        room -= u64::from(more);
    }
    counts
}

/// Returns how many tasks each part may add and miss. While tasks are replaced, only parts with old ones need to. If
/// there is not enough for all of them, the later ones wait until the earlier ones are done.
fn rooms(parts: &[Part], counts: &[u32], rollout: Rollout, replaces: bool) -> Vec<Room> {
    let all = counts
        .iter()
        .fold(0_u32, |sum, tasks| sum.saturating_add(*tasks));
    let has_old = parts.iter().any(|part| part.has_old);
    let is_open = |part: &Part| !replaces || !has_old || part.has_old;
    let pairs = || parts.iter().zip(counts.iter().copied());
    // What is about to start is missing too, unless nothing is replaced.
    let starting = |(part, tasks): (&Part, u32)| {
        let there = if is_open(part) {
            part.tasks
        } else {
            part.available
        };
        tasks.saturating_sub(there)
    };
    let missing = if replaces {
        pairs().map(starting).fold(0, u32::saturating_add)
    } else {
        0
    };
    let room = Room {
        surge: rollout.upper.saturating_sub(all),
        unavailable: all.saturating_sub(rollout.lower).saturating_sub(missing),
    };
    let open: Vec<u32> = pairs()
        .map(|(part, tasks)| if is_open(part) { tasks } else { 0 })
        .collect();
    room.divided(&open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        translate::service::capacity::split,
        validate::{CapacityProvider, Deployment},
    };

    fn rules(minimum_healthy_percent: u32, maximum_percent: u32) -> Deployment {
        Deployment {
            minimum_healthy_percent,
            maximum_percent,
            circuit_breaker: None,
            alarms: None,
            early_success: None,
        }
    }

    fn healthy(tasks: &[u32]) -> Vec<Part> {
        let part = |tasks: &u32| Part {
            tasks: *tasks,
            available: *tasks,
            has_old: false,
        };
        tasks.iter().map(part).collect()
    }

    fn strategy(providers: &[(u32, u32)]) -> Vec<CapacityProvider> {
        let provider = |(base, weight): &(u32, u32)| CapacityProvider {
            name: "any".to_owned(),
            base: *base,
            weight: *weight,
        };
        providers.iter().map(provider).collect()
    }

    #[test]
    fn another_strategy_moves_no_task() {
        let kept = |live: &[u32], wanted: &[u32]| kept(&healthy(live), wanted);
        assert_eq!(kept(&[4, 0], &[2, 2]), [4, 0]);
        // New tasks go where some are missing, and those that end are from where there are too many.
        assert_eq!(kept(&[4, 0], &[3, 3]), [4, 2]);
        assert_eq!(kept(&[4, 2], &[5, 0]), [4, 1]);
        assert_eq!(kept(&[4, 0], &[1, 1]), [2, 0]);
        assert_eq!(kept(&[4, 0], &[0, 0]), [0, 0]);
        assert_eq!(kept(&[5, 5, 0], &[2, 2, 8]), [5, 5, 2]);
        assert_eq!(kept(&[5, 5, 0], &[1, 2, 4]), [3, 4, 0]);
        let most = u32::MAX / 4;
        assert_eq!(kept(&[0, 0, 0], &[most, most, 7]), [most, most, 7]);
    }

    #[test]
    fn with_the_strategy_unchanged_the_split_is_that_of_the_strategy() {
        for providers in [
            strategy(&[(1, 1), (0, 3)]),
            strategy(&[(0, 2), (0, 3), (0, 5)]),
            strategy(&[(2, 0), (0, 1)]),
            strategy(&[(0, 1), (0, 4)]),
        ] {
            for from in 0..40 {
                for to in 0..40 {
                    let live = split(from, &providers);
                    let wanted = split(to, &providers);
                    assert_eq!(kept(&healthy(&live), &wanted), wanted, "{from} to {to}");
                }
            }
        }
    }

    /// A service whose tasks move during a deployment.
    struct Moving {
        parts: Vec<Part>,
        wanted: Vec<u32>,
        rollout: Rollout,
    }

    impl Moving {
        fn new(live: &[u32], wanted: &[u32], percent: (u32, u32)) -> Self {
            Self {
                parts: healthy(live),
                wanted: wanted.to_vec(),
                rollout: Rollout::new(wanted.iter().sum(), &rules(percent.0, percent.1)),
            }
        }

        /// Applies the counts, as a Deployment does: tasks end at once, and start later.
        fn step(&mut self) {
            let counts = self.counts();
            for (part, tasks) in self.parts.iter_mut().zip(counts) {
                part.tasks = tasks;
                part.available = part.available.min(tasks);
            }
        }

        fn counts(&self) -> Vec<u32> {
            moved(&self.parts, &self.wanted, self.rollout)
        }

        fn start_one(&mut self) -> bool {
            let mut parts = self.parts.iter_mut();
            let Some(part) = parts.find(|part| part.available < part.tasks) else {
                return false;
            };
            part.available += 1;
            true
        }
    }

    #[test]
    fn a_deployment_moves_tasks_within_its_percentages() {
        for percent in [
            (100, 200),
            (100, 150),
            (100, 125),
            (50, 100),
            (50, 200),
            (75, 110),
        ] {
            for (live, wanted) in [
                ([8, 0, 0], [2, 3, 3]),
                ([0, 8, 0], [8, 0, 0]),
                ([4, 4, 0], [0, 0, 8]),
                ([3, 3, 2], [1, 1, 6]),
                ([20, 0, 0], [0, 2, 2]),
                ([2, 0, 0], [2, 10, 8]),
            ] {
                let mut moving = Moving::new(&live, &wanted, percent);
                let Rollout { lower, upper, .. } = moving.rollout;
                let before: u32 = live.iter().sum();
                let mut steps = 0;
                loop {
                    moving.step();
                    let counts: Vec<u32> = moving.parts.iter().map(|it| it.tasks).collect();
                    let available: u32 = moving.parts.iter().map(|it| it.available).sum();
                    let all: u32 = counts.iter().sum();
                    let what = format!("{live:?} {wanted:?} {percent:?} {counts:?} {available}");
                    assert!(available >= lower.min(before), "{what}");
                    assert!(all <= upper.max(before), "{what}");
                    if counts == wanted && available == all {
                        break;
                    }
                    let starts = moving.start_one();
                    assert!(starts || moving.counts() != counts, "no progress: {what}");
                    steps += 1;
                    assert!(steps < 100, "{what}");
                }
            }
        }
    }

    #[test]
    fn tasks_that_are_not_healthy_are_not_kept() {
        let mut moving = Moving::new(&[4, 0], &[2, 2], (100, 125));
        moving.parts[0].available = 0;
        assert_eq!(moving.counts(), [2, 2]);
    }

    #[test]
    fn parts_take_turns_where_there_is_not_enough_for_all() {
        let rollout = Rollout::new(4, &rules(100, 125));
        let part = |has_old: bool| Part {
            tasks: 2,
            available: 2,
            has_old,
        };
        let surges = |parts: &[Part]| -> Vec<u32> {
            let rooms = rooms(parts, &[2, 2], rollout, true);
            rooms.iter().map(|room| room.surge).collect()
        };
        assert_eq!(surges(&[part(true), part(true)]), [1, 0]);
        assert_eq!(surges(&[part(false), part(true)]), [0, 1]);
        // The new template has not been written yet.
        assert_eq!(surges(&[part(false), part(false)]), [1, 0]);
    }

    #[test]
    fn what_starts_elsewhere_is_missing() {
        let rollout = Rollout::new(4, &rules(50, 100));
        let old = Part {
            tasks: 2,
            available: 2,
            has_old: true,
        };
        let starting = |tasks: u32, available: u32| Part {
            tasks,
            available,
            has_old: false,
        };
        let missing = |parts: &[Part]| {
            let rooms = rooms(parts, &[2, 2], rollout, true);
            rooms.iter().map(|room| room.unavailable).sum::<u32>()
        };
        assert_eq!(missing(&[old, starting(2, 2)]), 2);
        assert_eq!(missing(&[old, starting(2, 1)]), 1);
        assert_eq!(missing(&[old, starting(2, 0)]), 0);
        // It is about to be raised.
        let before = Part {
            has_old: false,
            ..old
        };
        assert_eq!(missing(&[before, starting(0, 0)]), 0);
    }

    #[test]
    fn a_part_that_waits_for_its_turn_is_paused() {
        let spec = || json!({"replicas": 2, "strategy": {"rollingUpdate": {"maxSurge": 9, "maxUnavailable": 9}}});
        let (mut one, mut other) = (spec(), spec());
        let rules = rules(100, 125);
        let numbers = Numbers {
            rules: &rules,
            nodes: &|_| None,
            parts: &|_| None,
            in_progress: true,
            replaces: true,
        };
        let part = Part {
            tasks: 2,
            available: 2,
            has_old: true,
        };
        let specs = [&mut one, &mut other].map(|spec| (Some(part), spec.as_object_mut()));
        let mut specs = specs.map(|(part, spec)| (part, spec.expect("it is an object")));
        assert!(
            !spread(&mut specs, numbers),
            "nothing blocks the deployment"
        );
        let rolling =
            |surge: u32| json!({"rollingUpdate": {"maxSurge": surge, "maxUnavailable": 0}});
        assert_eq!(one, json!({"replicas": 2, "strategy": rolling(1)}));
        assert_eq!(
            other,
            json!({"replicas": 2, "strategy": rolling(1), "paused": true})
        );
    }
}
