//! The world around the decisions: an owner, a Deployment controller, kubelets, accidents.

use std::collections::BTreeMap;

use super::super::{
    rebuilt::{Remnant, Remnants},
    *,
};
use crate::{
    decide::pod_state::{ContainerSeen, Doing, End},
    validate::{self, CircuitBreaker, FailureThreshold},
};

/// The state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Task {
    Starting,
    Serving,
    /// It has ended this many times.
    Crashing(u8),
}

/// The revisions of the service whose tasks never become ready.
pub(super) const BAD: &[&str] = &["b", "d"];
/// How often a task may end before the model stops counting, unlike the world.
pub(super) const MOST_ENDS: u8 = 4;
/// The revisions that the owner asks for, one after the other.
pub(super) type Wishes = &'static [&'static str];

/// The state of everything.
#[derive(Clone, Debug)]
pub(super) struct World {
    /// How many wishes the owner has expressed.
    pub(super) uttered: usize,
    /// Whether the spec is currently rejected.
    pub(super) refused: bool,
    /// How often the world may still misbehave.
    pub(super) mishaps: u8,
    /// The ID of a deployment that the owner wants stopped. The request is never withdrawn.
    pub(super) stop: Option<String>,
    /// The status of the service.
    pub(super) deployments: Deployments,
    /// The revision of the Deployment's template.
    pub(super) template: Option<String>,
    pub(super) replicas: usize,
    pub(super) tasks: BTreeMap<u8, (String, Task)>,
    pub(super) named: u8,
}

#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) wishes: Wishes,
    pub(super) desired: usize,
    pub(super) minimum: u32,
    pub(super) maximum: u32,
    pub(super) rollback: bool,
}

impl Rules {
    pub(super) fn least(&self) -> usize {
        (self.desired * self.minimum as usize).div_ceil(100)
    }

    pub(super) fn most(&self) -> usize {
        (self.desired * self.maximum as usize / 100).max(self.desired)
    }

    fn deployment(&self) -> validate::Deployment {
        validate::Deployment {
            minimum_healthy_percent: self.minimum,
            maximum_percent: self.maximum,
            circuit_breaker: Some(CircuitBreaker {
                rollback: self.rollback,
                reset_on_healthy_task: true,
                threshold: FailureThreshold::Count(3),
            }),
            alarms: None,
            early_success: None,
        }
    }
}

/// The time at which the model begins.
const BEGINNING: Timestamp = Timestamp::UNIX_EPOCH;

impl World {
    pub(super) fn new(mishaps: u8) -> Self {
        Self {
            uttered: 1,
            refused: false,
            mishaps,
            stop: None,
            deployments: Deployments::default(),
            template: None,
            replicas: 0,
            tasks: BTreeMap::new(),
            named: 0,
        }
    }

    /// Returns what distinguishes this world from others.
    pub(super) fn key(&self) -> String {
        // The names of tasks do not matter, only their states.
        let mut tasks: Vec<_> = self.tasks.values().collect();
        tasks.sort();
        let told: Vec<_> = self
            .deployments
            .list
            .iter()
            .map(|it| {
                (
                    it.service_revision.clone(),
                    it.rollout_state.clone(),
                    it.status.clone(),
                    it.failed_tasks,
                    it.healthy_count,
                    it.desired_count,
                    it.failures.values().map(|it| it.ends).collect::<Vec<_>>(),
                )
            })
            .collect();
        format!(
            "{:?}",
            (
                self.uttered,
                self.refused,
                self.mishaps,
                (&self.stop, self.stopped()),
                told,
                (&self.deployments.completed, &self.deployments.rolled_back),
                (&self.template, self.replicas),
                tasks,
            )
        )
    }

    pub(super) fn serving(&self) -> usize {
        let tasks = self.tasks.values();
        tasks.filter(|(_, task)| *task == Task::Serving).count()
    }

    /// Returns which of the deployments the owner wants stopped.
    fn stopped(&self) -> Option<usize> {
        let mut list = self.deployments.list.iter();
        list.position(|deployment| Some(&deployment.id) == self.stop.as_ref())
    }

    /// Returns the time, which advances with every mishap. That is enough to distinguish what was before it from what
    /// comes after it.
    fn now(&self) -> Timestamp {
        BEGINNING + SignedDuration::from_secs(i64::from(u8::MAX - self.mishaps))
    }

    fn pods(&self) -> Vec<Arc<PodState>> {
        let pod = |(name, (revision, task)): (&u8, &(String, Task))| {
            let ends = match task {
                Task::Starting | Task::Serving => 0,
                Task::Crashing(ends) => i32::from(*ends),
            };
            Arc::new(PodState {
                name: name.to_string(),
                revision: Some(revision.clone()),
                ready: *task == Task::Serving,
                ready_since: Some(BEGINNING),
                containers: vec![ContainerSeen {
                    restarts: (ends - 1).max(0),
                    state: match ends {
                        0 => Doing::Unknown,
                        _ => Doing::Ended(End::default()),
                    },
                    ..ContainerSeen::default()
                }],
                ..PodState::default()
            })
        };
        self.tasks.iter().map(pod).collect()
    }

    fn steady(&self, rules: &Rules) -> bool {
        let all_new = self.tasks.values().all(|(revision, task)| {
            Some(revision) == self.template.as_ref() && *task == Task::Serving
        });
        all_new && self.tasks.len() == rules.desired && self.replicas == rules.desired
    }

    /// The operator observes, decides, records and, unless it is killed before, applies.
    pub(super) fn operate(&self, rules: &Rules, killed: bool) -> Self {
        let deployment = rules.deployment();
        let wish = rules.wishes[self.uttered - 1];
        let wanted = Wanted {
            service: "uid",
            newest: (!self.refused).then_some(Newest {
                revision: wish,
                task_definition: wish,
                same: &[],
            }),
            desired: i64::try_from(rules.desired).unwrap(),
            rules: &deployment,
            healthy_after: 0,
            not_created: None,
            grace: 0,
            stop: self.stop.as_deref(),
            roll_back: None,
            renew: None,
        };
        let (pods, now) = (self.pods(), self.now());
        let mut next = self.clone();
        let mut before = self.deployments.clone();
        if before.list.is_empty()
            && let Some(template) = &self.template
        {
            let remnant = |revision| Remnant {
                revision,
                task_definition: revision,
            };
            let others = rules.wishes.iter().filter(|it| *it != template);
            let remnants = Remnants {
                running: remnant(template),
                steady: self.steady(rules),
                others: others.rev().map(|it| remnant(it)).collect(),
                failed: None,
            };
            before = Deployments::rebuilt("uid", &remnants, &pods, now);
        }
        let (mut deployments, _) = advance(&before, &wanted, &pods, now);
        deployments.recount(&wanted, &pods);
        if let Some(target) = deployments.target().filter(|_| !killed) {
            let most = target
                .most
                .map_or(usize::MAX, |it| usize::try_from(it).unwrap());
            let replicas = rules.desired.min(most);
            let applied = next.template.as_ref() == Some(&target.revision);
            // The observed state of a workload is that of before the change.
            let steady = applied && next.replicas == replicas && self.steady(rules);
            next.replicas = replicas;
            next.template = Some(target.revision);
            let progress = Progress { steady, old: 0 };
            deployments.settle(&wanted, progress, now);
            deployments.recount(&wanted, &pods);
        }
        next.deployments = deployments;
        next
    }

    /// Returns what the Deployment controller may do next.
    pub(super) fn control(&self, rules: &Rules) -> Vec<Self> {
        let mut worlds = Vec::new();
        let Some(template) = self.template.clone() else {
            return worlds;
        };
        let (new, old): (Vec<_>, Vec<_>) = self
            .tasks
            .iter()
            .partition(|(_, (revision, _))| *revision == template);
        let most = if self.replicas == rules.desired {
            rules.most()
        } else {
            self.replicas
        };
        if new.len() < self.replicas && self.tasks.len() < most {
            let mut next = self.clone();
            next.tasks.insert(next.named, (template, Task::Starting));
            next.named += 1;
            worlds.push(next);
        }
        // Surplus new tasks, and old ones, are deleted if enough tasks serve without them; those that do not serve go
        // first.
        let least = rules.least().min(self.replicas);
        let too_many = new.len() > self.replicas;
        let candidates = if too_many { &new } else { &old };
        let idle = candidates
            .iter()
            .find(|(_, (_, task))| *task != Task::Serving);
        let victim = match idle {
            Some(idle) => Some(idle),
            None if self.serving() > least => candidates.first(),
            None => None,
        };
        if let Some((name, _)) = victim {
            let mut next = self.clone();
            next.tasks.remove(*name);
            worlds.push(next);
        }
        worlds
    }

    /// Returns what may happen to tasks next.
    pub(super) fn run(&self) -> Vec<Self> {
        let mut worlds = Vec::new();
        for (name, (revision, task)) in &self.tasks {
            let mut to = |task| {
                let mut next = self.clone();
                next.tasks.insert(*name, (revision.clone(), task));
                worlds.push(next);
            };
            let bad = BAD.contains(&revision.as_str());
            match task {
                Task::Starting if bad => to(Task::Crashing(1)),
                Task::Starting => to(Task::Serving),
                Task::Crashing(ends) if bad && *ends < MOST_ENDS => to(Task::Crashing(ends + 1)),
                Task::Crashing(_) if !bad => to(Task::Serving),
                Task::Serving if self.mishaps > 0 => {
                    let mut next = self.clone();
                    next.mishaps -= 1;
                    next.tasks
                        .insert(*name, (revision.clone(), Task::Crashing(1)));
                    worlds.push(next);
                }
                Task::Crashing(_) | Task::Serving => {}
            }
        }
        worlds
    }

    /// Returns what owners and accidents may do next.
    pub(super) fn disturb(&self, rules: &Rules) -> Vec<Self> {
        let mut worlds = Vec::new();
        if self.uttered < rules.wishes.len() {
            worlds.push(Self {
                uttered: self.uttered + 1,
                ..self.clone()
            });
        }
        if self.refused {
            worlds.push(Self {
                refused: false,
                ..self.clone()
            });
        }
        if self.mishaps > 0 {
            let mishap = Self {
                mishaps: self.mishaps - 1,
                ..self.clone()
            };
            worlds.push(mishap.operate(rules, true));
            if !self.refused && !self.deployments.list.is_empty() {
                worlds.push(Self {
                    refused: true,
                    ..mishap.clone()
                });
            }
            if let Some(primary) = self.deployments.primary().filter(|_| self.stop.is_none()) {
                worlds.push(Self {
                    stop: Some(primary.id.clone()),
                    ..mishap.clone()
                });
            }
            worlds.push(Self {
                deployments: Deployments::default(),
                ..mishap
            });
        }
        worlds
    }
}
