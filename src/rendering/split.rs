//! The tasks of a service on several capacity providers: how many each Deployment gets, and how many it replaces at a time.
//!
//! As in ECS, another strategy moves no task: the tasks that are added and removed later bring the split closer to it, and
//! a deployment reaches it. A deployment replaces the tasks where they are, and then moves them: a Deployment whose count
//! falls while it is between two templates would end tasks of either, healthy or not.

use serde_json::{Map, Value, json};

use super::counts::{Hold, Numbers};
use crate::{translate::service::rollout::Rollout, validate};

/// The state of one Deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How many tasks it should have, so far.
    pub tasks: u32,
    /// How many of its tasks are healthy.
    pub available: u32,
}

/// Writes the numbers of Deployments that share the tasks of a service, whose counts were rendered from the strategy
/// alone.
pub(super) fn spread(
    specs: &mut [(Option<Part>, &mut Map<String, Value>)],
    numbers: Numbers<'_>,
) -> Hold {
    let clamped = |tasks: u64| u32::try_from(tasks).unwrap_or(u32::MAX);
    let tasks = |spec: &Map<String, Value>| spec.get("replicas").and_then(Value::as_u64);
    let specs_now = specs.iter();
    let wanted: Vec<u32> = specs_now
        .map(|(_, spec)| tasks(spec).map_or(0, clamped))
        .collect();
    let parts: Vec<Part> = specs
        .iter()
        .map(|(part, _)| part.unwrap_or_default())
        .collect();
    let desired = numbers
        .desired
        .map_or_else(|| sum(&wanted), validate::clamp);
    let rollout = Rollout::new(desired, numbers.rules);
    let is_blocked = numbers.replaces && rollout.is_stuck();
    let moves = numbers.in_progress && !rollout.is_stuck();
    let counts = if moves && !numbers.has_old {
        moved(&parts, &wanted, rollout)
    } else {
        kept(&parts, &wanted, desired)
    };
    let rooms = rollout.room().divided(&counts);
    for (((_, spec), tasks), room) in specs.iter_mut().zip(&counts).zip(rooms) {
        spec.insert("replicas".to_owned(), json!(tasks));
        let (surge, unavailable) = room.numbers();
        let rolling = spec
            .get_mut("strategy")
            .and_then(|it| it.get_mut("rollingUpdate"));
        if let Some(Value::Object(rolling)) = rolling {
            rolling.insert("maxSurge".to_owned(), json!(surge));
            rolling.insert("maxUnavailable".to_owned(), json!(unavailable));
        }
        if is_blocked {
            spec.insert("paused".to_owned(), json!(true));
        }
    }
    Hold {
        is_blocked,
        moves: moves && counts != wanted,
    }
}

fn sum(counts: &[u32]) -> u32 {
    counts.iter().copied().fold(0, u32::saturating_add)
}

/// Returns counts that are `desired` together: tasks stay where they are, and those that are added or removed bring the
/// split closer to the wanted one. No healthy task is removed while there are others.
fn kept(parts: &[Part], wanted: &[u32], desired: u32) -> Vec<u32> {
    let mut counts: Vec<u32> = parts.iter().map(|part| part.tasks).collect();
    let now = sum(&counts);
    if now <= desired {
        let lacks: Vec<u32> = counts
            .iter()
            .zip(wanted)
            .map(|(now, wanted)| wanted.saturating_sub(*now))
            .collect();
        for (count, more) in counts
            .iter_mut()
            .zip(from_the_largest(&lacks, desired - now))
        {
            *count += more;
        }
        // More than the strategy was asked to divide.
        let rest = desired - sum(&counts);
        if let Some(first) = counts.first_mut() {
            *first += rest;
        }
        return counts;
    }
    let ill: Vec<u32> = parts
        .iter()
        .map(|part| part.tasks.saturating_sub(part.available))
        .collect();
    let ill = from_the_largest(&ill, now - desired);
    for (count, less) in counts.iter_mut().zip(ill) {
        *count -= less;
    }
    let excess: Vec<u32> = counts
        .iter()
        .zip(wanted)
        .map(|(now, wanted)| now.saturating_sub(*wanted))
        .collect();
    let less = from_the_largest(&excess, sum(&counts) - desired);
    for (count, less) in counts.iter_mut().zip(less) {
        *count -= less;
    }
    let rest = from_the_largest(&counts, sum(&counts) - desired);
    counts
        .iter()
        .zip(rest)
        .map(|(count, less)| count - less)
        .collect()
}

/// Takes `count` from `amounts`, one at a time from the largest, the earlier one of several. Returns what is taken from
/// each.
fn from_the_largest(amounts: &[u32], count: u32) -> Vec<u32> {
    let above = |level: u32| -> u64 {
        let above = amounts.iter().map(|amount| amount.saturating_sub(level));
        above.map(u64::from).sum()
    };
    let count = u64::from(count);
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

/// Returns the counts while a deployment whose tasks are all new moves them between providers: none ends before the
/// healthy minimum can do without it, and none is added beyond the maximum.
fn moved(parts: &[Part], wanted: &[u32], rollout: Rollout) -> Vec<u32> {
    let pairs = || parts.iter().zip(wanted.iter().copied());
    let is_over = |(part, wanted): &(&Part, u32)| part.tasks > *wanted;
    let lacks = |(part, wanted): (&Part, u32)| wanted.saturating_sub(part.available);
    let may_miss = rollout.room().unavailable;
    let needed = |lacking: u32| lacking.saturating_sub(may_miss);
    // Whatever their own health, tasks are needed until those that replace them are healthy. Healthy ones are needed in
    // place of any that is not.
    let elsewhere = pairs()
        .filter(|pair| !is_over(pair))
        .map(lacks)
        .fold(0, u32::saturating_add);
    let anywhere = pairs().map(lacks).fold(0, u32::saturating_add);
    let excess: Vec<u32> = pairs()
        .map(|(part, wanted)| part.tasks.saturating_sub(wanted))
        .collect();
    let healthy: Vec<u32> = pairs()
        .map(|(part, wanted)| part.available.min(part.tasks).saturating_sub(wanted))
        .collect();
    let stay = needed(elsewhere)
        .min(sum(&excess))
        .max(needed(anywhere).min(sum(&healthy)));
    let of_healthy = from_the_largest(&healthy, stay);
    let others: Vec<u32> = excess
        .iter()
        .zip(&of_healthy)
        .map(|(all, stays)| all - stays)
        .collect();
    let of_others = from_the_largest(&others, stay - sum(&of_healthy).min(stay));
    let stays = of_healthy
        .iter()
        .zip(of_others)
        .map(|(one, other)| one + other);
    let mut counts: Vec<u32> = pairs()
        .zip(stays)
        .map(|((part, wanted), stays)| part.tasks.min(wanted.saturating_add(stays)))
        .collect();
    let mut room = rollout.upper.saturating_sub(sum(&counts));
    for (count, wanted) in counts.iter_mut().zip(wanted) {
        let more = wanted.saturating_sub(*count).min(room);
        *count += more;
        room -= more;
    }
    let ill: Vec<u32> = counts
        .iter()
        .zip(parts)
        .map(|(count, part)| count.saturating_sub(part.available))
        .collect();
    let beyond = sum(&counts).saturating_sub(rollout.upper);
    let less = from_the_largest(&ill, beyond);
    counts
        .iter()
        .zip(less)
        .map(|(count, less)| count - less)
        .collect()
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
        let kept = |live: &[u32], wanted: &[u32]| kept(&healthy(live), wanted, sum(wanted));
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
                    assert_eq!(kept(&healthy(&live), &wanted, to), wanted, "{from} to {to}");
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

    fn part(tasks: u32, available: u32) -> Part {
        Part { tasks, available }
    }

    #[test]
    fn an_outage_moves_no_task() {
        let both = rules(100, 200);
        let moved = |parts: &[Part]| moved(parts, &[2, 2], Rollout::new(4, &both));
        // The other provider has no capacity.
        assert_eq!(moved(&[part(4, 4), part(2, 0)]), [4, 2]);
        assert_eq!(moved(&[part(4, 0), part(2, 0)]), [4, 2]);
        assert_eq!(moved(&[part(4, 4), part(2, 1)]), [3, 2]);
        assert_eq!(moved(&[part(3, 3), part(2, 2)]), [2, 2]);
    }

    #[test]
    fn tasks_leave_a_provider_that_is_gone() {
        let mut moving = Moving::new(&[4, 0], &[2, 2], (100, 125));
        let mut steps = 0;
        while moving.counts() != [2, 2] {
            moving.parts[0].available = 0;
            moving.step();
            moving.parts[1].available = moving.parts[1].tasks;
            steps += 1;
            assert!(steps < 10, "{:?}", moving.parts);
        }
    }

    #[test]
    fn a_smaller_count_is_kept_within_the_maximum() {
        // 8 tasks become 4, and those of the second provider have not started.
        let rules = rules(100, 125);
        let counts = moved(&[part(4, 4), part(4, 0)], &[2, 2], Rollout::new(4, &rules));
        assert_eq!(counts, [4, 1]);
    }

    #[test]
    fn healthy_tasks_end_last() {
        // A move that is given up in the middle.
        assert_eq!(kept(&[part(4, 4), part(2, 0)], &[2, 2], 4), [4, 0]);
        // A first deployment that failed keeps as many tasks as were healthy.
        assert_eq!(kept(&[part(2, 0), part(2, 2)], &[2, 0], 2), [0, 2]);
        assert_eq!(kept(&[part(3, 3), part(3, 3)], &[1, 1], 2), [1, 1]);
    }

    #[test]
    fn a_count_that_the_strategy_was_not_asked_to_divide_is_kept() {
        assert_eq!(kept(&healthy(&[5, 5]), &[1, 1], 10), [5, 5]);
        assert_eq!(kept(&healthy(&[0, 5]), &[1, 1], 10), [5, 5]);
        assert_eq!(kept(&healthy(&[5, 5]), &[9, 9], 4), [2, 2]);
    }

    fn written(
        parts: [Option<Part>; 2],
        percent: (u32, u32),
        numbers: fn(&mut Numbers<'_>),
    ) -> (Hold, [Value; 2]) {
        let spec = || json!({"replicas": 2, "strategy": {"rollingUpdate": {"maxSurge": 9, "maxUnavailable": 9}}});
        let mut values = [spec(), spec()];
        let rules = rules(percent.0, percent.1);
        let mut with = Numbers {
            rules: &rules,
            desired: Some(4),
            nodes: &|_| None,
            parts: &|_| None,
            in_progress: true,
            replaces: true,
            has_old: true,
        };
        numbers(&mut with);
        let mut specs: Vec<_> = parts
            .into_iter()
            .zip(&mut values)
            .map(|(part, value)| (part, value.as_object_mut().expect("it is an object")))
            .collect();
        let hold = spread(&mut specs, with);
        (hold, values)
    }

    #[test]
    fn tasks_are_replaced_where_they_are_and_moved_afterward() {
        let parts = [Some(part(4, 4)), Some(part(0, 0))];
        let counts = |values: [Value; 2]| values.map(|it| it["replicas"].as_u64());
        let (hold, values) = written(parts, (100, 150), |_| {});
        assert_eq!(counts(values), [Some(4), Some(0)]);
        assert!(hold.moves, "the deployment is not over");
        let (hold, values) = written(parts, (100, 150), |it| it.has_old = false);
        assert_eq!(counts(values), [Some(4), Some(2)]);
        assert!(hold.moves);
        let (hold, values) = written(parts, (100, 150), |it| it.in_progress = false);
        assert_eq!(counts(values), [Some(4), Some(0)]);
        assert!(!hold.moves);
        // Where no task may be added or missing, none can move.
        let (hold, values) = written(parts, (100, 100), |it| {
            (it.has_old, it.replaces) = (false, false);
        });
        assert_eq!(counts(values), [Some(4), Some(0)]);
        assert!(!hold.moves && !hold.is_blocked);
    }

    #[test]
    fn a_blocked_deployment_is_paused_everywhere() {
        for parts in [[Some(part(2, 2)); 2], [None; 2]] {
            let (hold, values) = written(parts, (100, 100), |_| {});
            assert!(hold.is_blocked);
            assert_eq!(values.map(|it| it["paused"].clone()), [true, true]);
        }
        let (hold, values) = written([Some(part(2, 2)); 2], (100, 150), |_| {});
        let rolling = json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
        assert_eq!(hold, Hold::default());
        for value in values {
            assert_eq!(value, json!({"replicas": 2, "strategy": rolling}));
        }
    }
}
