//! Converts minimum and maximum healthy percent to numbers of tasks.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::number;
use crate::validate::Deployment;

/// How many tasks of a workload may be unavailable or added during a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rollout {
    desired: u32,
    /// The minimum number of healthy tasks; at most `desired`.
    pub(crate) lower: u32,
    /// The maximum number of tasks; at least `desired`.
    pub(crate) upper: u32,
}

impl Rollout {
    /// Calculates the numbers. In tasks, ECS rounds the healthy minimum up and the maximum down
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>).
    ///
    /// Kubernetes would round percentages of the Deployment in the opposite direction: 3 tasks at 125 % would get one
    /// extra task instead of none. So the result is in numbers, for this desired count.
    pub(crate) fn new(desired: u32, deployment: &Deployment) -> Self {
        let Deployment {
            minimum_healthy_percent,
            maximum_percent,
            // Only the running operator uses it; validation rejects other strategies without it.
            circuit_breaker: _,
            alarms: _,
            early_success: _,
        } = deployment;
        let tasks = |percent: u32| u64::from(desired) * u64::from(percent);
        let number = |tasks: u64| u32::try_from(tasks).unwrap_or(u32::MAX);
        let minimum = tasks(*minimum_healthy_percent).div_ceil(100);
        let maximum = tasks(*maximum_percent) / 100;
        Self {
            desired,
            lower: number(minimum).min(desired),
            upper: number(maximum).max(desired),
        }
    }

    /// Returns the number of tasks that may be unavailable.
    pub(crate) const fn max_unavailable(self) -> u32 {
        self.desired.saturating_sub(self.lower)
    }

    /// Returns the number of tasks that may exist beyond the desired count.
    pub(super) const fn max_surge(self) -> u32 {
        self.upper.saturating_sub(self.desired)
    }

    /// Returns both.
    pub(crate) const fn room(self) -> Room {
        Room {
            surge: self.max_surge(),
            unavailable: self.max_unavailable(),
        }
    }

    /// Returns the same for a count that something else sets, of which this is the known minimum. Kubernetes rounds the
    /// number of unavailable tasks down, as ECS does, and that of added tasks up
    /// (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-surge>).
    pub(super) fn percentages(self, deployment: &Deployment) -> (IntOrString, IntOrString) {
        let text = |percent: u32| IntOrString::String(format!("{percent}%"));
        let unavailable = text(100_u32.saturating_sub(deployment.minimum_healthy_percent));
        let surge = deployment.maximum_percent.saturating_sub(100);
        let keeps_all = match self.desired {
            0 => deployment.minimum_healthy_percent >= 100,
            _ => self.max_unavailable() == 0,
        };
        if surge == 0 && keeps_all {
            return (IntOrString::Int(1), unavailable);
        }
        (text(surge), unavailable)
    }

    /// Whether no task can be stopped or started, so that ECS accepts the service but never updates it.
    pub(crate) const fn is_stuck(self) -> bool {
        self.desired > 0 && self.max_unavailable() == 0 && self.max_surge() == 0
    }
}

/// How many tasks may be added and missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// Tasks beyond the desired count.
    pub(crate) surge: u32,
    /// Tasks below the desired count.
    pub(crate) unavailable: u32,
}

impl Room {
    /// Whether no task can be replaced.
    pub(crate) const fn is_none(self) -> bool {
        self.surge == 0 && self.unavailable == 0
    }

    /// Returns `maxSurge` and `maxUnavailable`. Kubernetes rejects 0 and 0; if no task can be replaced, or none exists,
    /// the numbers have no effect.
    pub(crate) fn numbers(self) -> (IntOrString, IntOrString) {
        let int = |count| IntOrString::Int(number(count));
        let surge = if self.is_none() { 1 } else { self.surge };
        (int(surge), int(self.unavailable))
    }

    /// Divides it among the parts of a workload, which have these numbers of tasks. Together, they may add and miss as
    /// many tasks as it says. If there is enough for each part to replace a task, each can.
    pub(crate) fn divided(self, parts: &[u32]) -> Vec<Self> {
        let surge = in_proportion(self.surge, parts);
        let unavailable = in_proportion(self.unavailable, parts);
        let rooms = surge.into_iter().zip(unavailable);
        let mut rooms: Vec<Self> = rooms
            .map(|(surge, unavailable)| Self { surge, unavailable })
            .collect();
        let all = |room: &Self| u64::from(room.surge) + u64::from(room.unavailable);
        let is_poor = |(tasks, room): (&u32, &Self)| *tasks > 0 && room.is_none();
        while let Some(poor) = parts.iter().zip(&rooms).position(is_poor)
            && let Some(rich) = rooms.iter_mut().max_by_key(|room| all(room))
            && all(rich) > 1
        {
            let mut given = Self::default();
            if rich.surge > 0 {
                rich.surge -= 1;
                given.surge = 1;
            } else {
                rich.unavailable -= 1;
                given.unavailable = 1;
            }
            if let Some(room) = rooms.get_mut(poor) {
                *room = given;
            }
        }
        rooms
    }
}

/// Divides a number of tasks in proportion to the sizes of parts. What cannot be divided goes to the parts that would
/// lose most by rounding down, the earlier ones first.
fn in_proportion(tasks: u32, parts: &[u32]) -> Vec<u32> {
    let all: u64 = parts.iter().copied().map(u64::from).sum();
    if all == 0 {
        return vec![0; parts.len()];
    }
    let exact = |part: u32| u64::from(tasks) * u64::from(part);
    // No more than `tasks`, so it fits.
    let down = |part: &u32| u32::try_from(exact(*part) / all).unwrap_or(u32::MAX);
    let mut shares: Vec<u32> = parts.iter().map(down).collect();
    let left = tasks - shares.iter().sum::<u32>();
    let mut by_loss: Vec<(&mut u32, u64)> = shares
        .iter_mut()
        .zip(parts)
        .map(|(share, part)| (share, exact(*part) % all))
        .collect();
    by_loss.sort_by_key(|(_, loss)| std::cmp::Reverse(*loss));
    for (share, _) in by_loss.into_iter().take(left as usize) {
        *share += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(minimum_healthy_percent: u32, maximum_percent: u32) -> Deployment {
        Deployment {
            minimum_healthy_percent,
            maximum_percent,
            circuit_breaker: None,
            alarms: None,
            early_success: None,
        }
    }

    #[test]
    fn the_minimum_is_rounded_up_and_the_maximum_down() {
        // desired, minimum %, maximum %, lower, upper, maxUnavailable, maxSurge, stuck
        for (d, min, max, lower, upper, unavailable, surge, stuck) in [
            (4, 100, 200, 4, 8, 0, 4, false),
            (4, 50, 100, 2, 4, 2, 0, false),
            (4, 50, 200, 2, 8, 2, 4, false),
            (1, 100, 200, 1, 2, 0, 1, false),
            (1, 0, 100, 0, 1, 1, 0, false),
            (1, 50, 100, 1, 1, 0, 0, true),
            (2, 75, 100, 2, 2, 0, 0, true),
            (3, 100, 125, 3, 3, 0, 0, true),
            (3, 50, 150, 2, 4, 1, 1, false),
            (5, 50, 150, 3, 7, 2, 2, false),
            (7, 66, 133, 5, 9, 2, 2, false),
            (10, 90, 110, 9, 11, 1, 1, false),
            (4, 100, 100, 4, 4, 0, 0, true),
            (0, 100, 200, 0, 0, 0, 0, false),
        ] {
            let rollout = Rollout::new(d, &deployment(min, max));
            assert_eq!(
                (rollout.lower, rollout.upper),
                (lower, upper),
                "{d} {min}/{max}"
            );
            assert_eq!(rollout.max_unavailable(), unavailable, "{d} {min}/{max}");
            assert_eq!(rollout.max_surge(), surge, "{d} {min}/{max}");
            assert_eq!(rollout.is_stuck(), stuck, "{d} {min}/{max}");
        }
    }

    #[test]
    fn parts_add_and_miss_together_what_the_whole_may() {
        // surge, unavailable, parts, the surge of each, and how many of each may be unavailable
        let cases: [(u32, u32, &[u32], &[u32], &[u32]); 9] = [
            (5, 5, &[4, 6], &[2, 3], &[2, 3]),
            // Rounding down for each part would leave the second one without any.
            (2, 0, &[3, 1], &[1, 1], &[0, 0]),
            (0, 2, &[3, 1], &[0, 0], &[1, 1]),
            (1, 1, &[3, 1], &[0, 1], &[1, 0]),
            (1, 0, &[2, 2], &[1, 0], &[0, 0]),
            (4, 0, &[0, 4], &[0, 4], &[0, 0]),
            (3, 0, &[1, 1, 1], &[1, 1, 1], &[0, 0, 0]),
            (0, 0, &[2, 2], &[0, 0], &[0, 0]),
            (1, 1, &[0, 0], &[0, 0], &[0, 0]),
        ];
        for (surge, unavailable, parts, surges, misses) in cases {
            let rooms = Room { surge, unavailable }.divided(parts);
            let found: (Vec<u32>, Vec<u32>) =
                rooms.iter().map(|it| (it.surge, it.unavailable)).unzip();
            assert_eq!(
                found,
                (surges.to_vec(), misses.to_vec()),
                "{surge} {unavailable} {parts:?}"
            );
        }
    }

    #[test]
    fn no_number_of_parts_changes_the_whole() {
        let sizes = [0_u32, 1, 2, 3, 5, 8, 100];
        for a in sizes {
            for b in sizes {
                for c in sizes {
                    for (surge, unavailable) in [(0, 1), (1, 0), (2, 2), (7, 3), (111, 111)] {
                        let parts = [a, b, c];
                        let room = Room { surge, unavailable };
                        let rooms = room.divided(&parts);
                        let sum = |of: fn(&Room) -> u32| rooms.iter().map(of).sum::<u32>();
                        let whole = if parts == [0; 3] {
                            Room::default()
                        } else {
                            room
                        };
                        assert_eq!(sum(|it| it.surge), whole.surge, "{parts:?} {room:?}");
                        assert_eq!(
                            sum(|it| it.unavailable),
                            whole.unavailable,
                            "{parts:?} {room:?}"
                        );
                        let with_tasks = parts.iter().zip(&rooms).filter(|(part, _)| **part > 0);
                        let (parts, without) = with_tasks.fold((0, 0), |(all, none), (_, room)| {
                            (all + 1, none + u32::from(room.is_none()))
                        });
                        assert!(without == 0 || surge + unavailable < parts, "{room:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_autoscaled_rollout_has_percentages() {
        let int = IntOrString::Int;
        let text = |text: &str| IntOrString::String(text.to_owned());
        for (least, min, max, surge, unavailable) in [
            (3, 50, 200, text("100%"), text("50%")),
            (3, 100, 200, text("100%"), text("0%")),
            (3, 100, 150, text("50%"), text("0%")),
            (4, 50, 100, text("0%"), text("50%")),
            (1, 50, 100, int(1), text("50%")),
            (4, 100, 100, int(1), text("0%")),
            (0, 0, 100, text("0%"), text("100%")),
            (0, 100, 100, int(1), text("0%")),
            (0, 100, 200, text("100%"), text("0%")),
        ] {
            let deployment = deployment(min, max);
            let found = Rollout::new(least, &deployment).percentages(&deployment);
            assert_eq!(found, (surge, unavailable), "{least} {min}/{max}");
        }
    }

    #[test]
    fn a_daemon_may_miss_what_its_minimum_leaves() {
        for (nodes, min, unavailable) in [
            (5, 0, 5),
            (5, 50, 2),
            (5, 80, 1),
            (5, 90, 0),
            (5, 100, 0),
            (1, 50, 0),
        ] {
            let rollout = Rollout::new(nodes, &deployment(min, 100));
            assert_eq!(rollout.max_unavailable(), unavailable, "{nodes} {min}");
            assert_eq!(rollout.is_stuck(), unavailable == 0, "{nodes} {min}");
        }
    }
}
