//! What several policies of a service together do
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html>).

use std::cmp::Reverse;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{
    Range,
    alarm::State,
    minute::Minute,
    target::{self, Wish},
};
use crate::validate::{Adjustment, StepScaling};

/// A service that is scaled.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// The range in force.
    pub range: Range,
    /// How many tasks run.
    pub running: i64,
    /// How many tasks should run.
    pub desired: i64,
    /// Whether a deployment is in progress, during which no task is removed.
    pub deploying: bool,
    /// Whether policies may not add tasks.
    pub out_suspended: bool,
    /// Whether policies may not remove tasks.
    pub in_suspended: bool,
}

/// What a policy sees and wants.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// Its name.
    pub name: &'a str,
    /// The name of the alarm of step scaling; `None` for target tracking, which has two.
    pub trigger: Option<&'a str>,
    /// What it does.
    pub kind: Kind<'a>,
    /// Seconds after it has added tasks.
    pub out_cooldown: i64,
    /// Seconds after it has removed tasks.
    pub in_cooldown: i64,
}

/// What a policy does.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// Step scaling.
    Step {
        /// The policy.
        policy: &'a StepScaling,
        /// The state of its alarm.
        state: State,
        /// Whether the alarm goes off above its threshold.
        upward: bool,
        /// How far the metric is from the threshold; `None` if it is not known.
        distance: Option<f64>,
    },
    /// Target tracking.
    Target {
        /// The value to keep.
        target: f64,
        /// Its points, the newest last.
        points: &'a [Minute<target::Point>],
        /// The states of its alarms.
        states: target::States,
        /// Whether it never removes tasks.
        disable_scale_in: bool,
    },
}

/// What happened before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The last addition of tasks, as long as its cooldown lasts.
    pub out: Option<Activity>,
    /// The last removal of tasks, as long as its cooldown lasts.
    pub into: Option<Activity>,
}

/// A change of the number of tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The policy.
    pub policy: String,
    /// The alarm that triggered it, if it is one of step scaling.
    pub trigger: Option<String>,
    /// How many tasks it was calculated from.
    pub base: i64,
    /// How many tasks it led to.
    pub result: i64,
    /// When its cooldown is over.
    pub until: Timestamp,
}

/// Why the number of tasks stays although a policy wants to change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotScaled {
    /// There are as many tasks as the range allows.
    AlreadyAtMaxCapacity,
    /// There are as few tasks as the range allows.
    AlreadyAtMinCapacity,
    /// As many tasks as wanted are desired already.
    AlreadyAtDesiredCapacity,
    /// A cooldown lasts.
    InCooldown,
    /// A deployment is in progress.
    DeploymentInProgress,
    /// Scaling in this direction is suspended.
    Suspended,
}

/// What the policies lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// No policy wants another number of tasks.
    Stay,
    /// A policy does, and the number stays.
    Not(NotScaled),
    /// Another number of tasks.
    Scale(Activity),
}

/// A number of tasks that a policy wants.
struct Wanted<'a> {
    policy: &'a Policy<'a>,
    tasks: i64,
}

/// Returns what the policies of a service lead to at a moment, and what to remember.
///
/// Whoever wants more tasks prevails over whoever wants fewer, and of several that want the same, the one that wants the
/// most tasks.
#[must_use]
pub fn decide(
    service: &Service,
    policies: &[Policy<'_>],
    memory: &Memory,
    now: Timestamp,
) -> (Decision, Memory) {
    let lasting = |activity: &Option<Activity>| activity.clone().filter(|it| now < it.until);
    let memory = Memory {
        out: lasting(&memory.out),
        into: lasting(&memory.into),
    };
    // Tasks that are about to stop do not count, and neither do those that have not started yet.
    let tasks = service.running.min(service.desired);
    // If somebody has ended tasks since, there are fewer to begin with.
    let base = memory.out.as_ref().map(|out| out.base.min(tasks));
    let more = policies.iter().filter_map(|policy| {
        let wanted = policy.wants_more((tasks, base), service.desired)?;
        Some(Wanted {
            policy,
            tasks: wanted,
        })
    });
    if let Some(most) = more.min_by_key(|wanted| Reverse(wanted.tasks)) {
        return add(service, &most, base.unwrap_or(tasks), memory, now);
    }
    if let Some(most) = fewer(service, policies, tasks) {
        return remove(service, &most, tasks, memory, now);
    }
    (Decision::Stay, memory)
}

/// Adds tasks, if nothing prevents it.
fn add(
    service: &Service,
    wanted: &Wanted<'_>,
    base: i64,
    memory: Memory,
    now: Timestamp,
) -> (Decision, Memory) {
    let Service { range, desired, .. } = *service;
    let result = if desired < range.min {
        // First of all, the range counts.
        range.min
    } else {
        range.nearest(wanted.tasks)
    };
    let not = if service.out_suspended {
        Some(NotScaled::Suspended)
    } else if desired >= range.max {
        Some(NotScaled::AlreadyAtMaxCapacity)
    } else if result <= desired && memory.out.is_some() {
        Some(NotScaled::InCooldown)
    } else if result <= desired {
        Some(NotScaled::AlreadyAtDesiredCapacity)
    } else {
        None
    };
    if let Some(not) = not {
        return (Decision::Not(not), memory);
    }
    let activity = wanted.activity((base, result), wanted.policy.out_cooldown, now);
    let memory = Memory {
        out: Some(activity.clone()),
        // More tasks end the wait for fewer.
        into: None,
    };
    (Decision::Scale(activity), memory)
}

/// Removes tasks, if nothing prevents it.
fn remove(
    service: &Service,
    wanted: &Wanted<'_>,
    base: i64,
    memory: Memory,
    now: Timestamp,
) -> (Decision, Memory) {
    let Service { range, desired, .. } = *service;
    let result = if desired > range.max {
        range.max
    } else {
        range.nearest(wanted.tasks)
    };
    let not = if service.in_suspended {
        Some(NotScaled::Suspended)
    } else if service.deploying {
        Some(NotScaled::DeploymentInProgress)
    } else if desired <= range.min {
        Some(NotScaled::AlreadyAtMinCapacity)
    } else if memory.into.is_some() || memory.out.is_some() {
        Some(NotScaled::InCooldown)
    } else {
        None
    };
    if let Some(not) = not {
        return (Decision::Not(not), memory);
    }
    if result >= desired {
        return (Decision::Stay, memory);
    }
    let activity = wanted.activity((base, result), wanted.policy.in_cooldown, now);
    let memory = Memory {
        into: Some(activity.clone()),
        ..memory
    };
    (Decision::Scale(activity), memory)
}

/// Returns the most tasks of those that want fewer. Target tracking does if each policy does that may remove tasks; a
/// step does by itself.
fn fewer<'a>(service: &Service, policies: &'a [Policy<'a>], tasks: i64) -> Option<Wanted<'a>> {
    let mut wanted = Vec::new();
    let mut targets = Vec::new();
    let mut all_want = true;
    for policy in policies {
        match policy.kind {
            Kind::Step { policy: steps, .. } => {
                let from = steps.compared_with(tasks, service.desired);
                let fewer = policy.steps_to(tasks).filter(|to| *to < from);
                wanted.extend(fewer.map(|tasks| Wanted { policy, tasks }));
            }
            Kind::Target {
                disable_scale_in: true,
                ..
            } => {}
            Kind::Target { .. } => match policy.wish(tasks, None) {
                Wish::In(tasks) => targets.push(Wanted { policy, tasks }),
                Wish::Out(_) | Wish::Stay | Wish::Unknown => all_want = false,
            },
        }
    }
    if all_want {
        wanted.append(&mut targets);
    }
    wanted
        .into_iter()
        .min_by_key(|wanted| Reverse(wanted.tasks))
}

impl Policy<'_> {
    /// Returns how many tasks a policy wants if it wants more than there are now, or than there were before the last
    /// addition whose cooldown lasts.
    fn wants_more(&self, (tasks, base): (i64, Option<i64>), desired: i64) -> Option<i64> {
        match self.kind {
            Kind::Step { policy, .. } => {
                let tasks = base.unwrap_or(tasks);
                let from = policy.compared_with(tasks, desired);
                self.steps_to(tasks).filter(|to| *to > from)
            }
            Kind::Target { .. } => match self.wish(tasks, base) {
                Wish::Out(to) => Some(to),
                Wish::In(_) | Wish::Stay | Wish::Unknown => None,
            },
        }
    }

    /// Returns what target tracking wants of this many tasks.
    fn wish(&self, tasks: i64, base: Option<i64>) -> Wish {
        match self.kind {
            Kind::Target {
                target,
                points,
                states,
                ..
            } => target::wish(target, points, states, tasks, base),
            Kind::Step { .. } => Wish::Unknown,
        }
    }

    /// Returns how many tasks the step in force leads to.
    fn steps_to(&self, tasks: i64) -> Option<i64> {
        match self.kind {
            Kind::Step {
                policy,
                state: State::Alarm,
                upward,
                distance,
            } => policy.tasks(tasks, distance?, upward),
            _ => None,
        }
    }
}

impl StepScaling {
    /// Returns the number of tasks with which a result is compared: more or fewer than run, but an exact number is more
    /// or fewer than desired.
    fn compared_with(&self, tasks: i64, desired: i64) -> i64 {
        match self.adjustment {
            Adjustment::Exact => desired,
            Adjustment::Change | Adjustment::Percent(_) => tasks,
        }
    }
}

impl Wanted<'_> {
    fn activity(&self, (base, result): (i64, i64), cooldown: i64, now: Timestamp) -> Activity {
        let until = now.checked_add(SignedDuration::from_secs(cooldown));
        Activity {
            policy: self.policy.name.to_owned(),
            trigger: self.policy.trigger.map(str::to_owned),
            base,
            result,
            until: until.unwrap_or(Timestamp::MAX),
        }
    }
}

#[cfg(test)]
mod tests;
