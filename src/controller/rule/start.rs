//! What becomes of an event that matches.

use std::time::Duration;

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};
use kube::{ResourceExt as _, runtime::reflector::ObjectRef};

use super::{
    fetch::Accepted,
    happened::Happened,
    journal::Journal,
    task::{HORIZON, ecs_task, request, task_name},
};
use crate::{
    controller::{
        context::Context,
        dead_letters::{GivenUp, Limit},
        error::Error,
        started_task::{Created, Start, create_unless_rejected, why_not_created},
    },
    crd::{EcsRule, EcsTask, RuleFailureStatus, RuleStatus},
    decide::start::is_for,
    diagnostic::{StateReason, StatusReason},
    settings::RULE,
    validate::RuleTarget,
};

/// How many rules can lead to a task one after the other. More are most likely a circle.
pub(super) const DEEPEST: i64 = 5;

/// A rule at work.
pub(super) struct Work<'w> {
    pub(super) cx: &'w Context,
    pub(super) rule: &'w EcsRule,
    pub(super) accepted: &'w Accepted,
    pub(super) before: &'w RuleStatus,
    pub(super) journal: &'w Journal,
    pub(super) now: Timestamp,
}

/// When to try again what could not be started.
pub(super) enum Later {
    /// After this wait.
    After(Duration),
    /// Never: all is started or given up.
    Never,
}

/// What has come of a start.
enum Fate {
    Started,
    Known,
    /// It may succeed later.
    Failed(StatusReason, String),
    /// It never will.
    Impossible(StatusReason, String),
}

impl Work<'_> {
    /// Starts what an event asks for, unless that is done. Returns when to try again what could not be started.
    pub(super) async fn handle(&self, happened: &Happened) -> Later {
        let ahead = happened.event.time.duration_since(self.now);
        if ahead.is_positive() {
            // A clock is ahead. Sooner than it says, the event would be seen for longer than what it starts is kept.
            return Later::After(ahead.unsigned_abs());
        }
        let name = self.rule.name_any();
        if happened.by.as_ref() == Some(&name)
            || !is_for(&self.accepted.rule, &happened.event.value)
        {
            // A rule that started tasks for its own tasks would never end.
            return Later::Never;
        }
        let targets = &self.accepted.rule.targets;
        let names: Vec<String> = targets
            .iter()
            .map(|target| task_name(&name, &target.id, &happened.event.id))
            .collect();
        if !names.iter().any(|name| self.is_known(name, happened)) {
            if self.now.duration_since(happened.event.time) > HORIZON {
                // It has never been tried, and is too old by now.
                if happened.is_last {
                    self.miss(&names, happened);
                }
                return Later::Never;
            }
            self.journal.matched(happened.event.time);
        }
        let mut wait = None;
        for (target, name) in targets.iter().zip(&names) {
            if self.journal.is_done(name) {
                continue;
            }
            let later = match self.journal.wait(name) {
                Some(later) => Some(later),
                None => self.try_target(target, name, happened).await,
            };
            wait = [wait, later].into_iter().flatten().min();
        }
        wait.map_or(Later::Never, Later::After)
    }

    /// Records that an event has come too late, which nobody sees again.
    fn miss(&self, names: &[String], happened: &Happened) {
        let why = "the event was sent more than an hour ago";
        let reason = StatusReason::State(StateReason::TargetInvocationFailed);
        self.journal.matched(happened.event.time);
        for (target, name) in self.accepted.rule.targets.iter().zip(names) {
            let given_up = GivenUp {
                code: reason.name(),
                message: why,
                retries: 0,
                exhausted: Some(Limit::Age),
            };
            self.send((target, name), happened, &given_up);
            let failure = self.failure(target, happened, (reason, why));
            self.journal.given_up(name, happened.event.time, failure);
        }
        self.journal.tell(reason, why.to_owned());
    }

    /// Whether a start was tried before, also by another operator.
    fn is_known(&self, name: &str, happened: &Happened) -> bool {
        if self.journal.is_done(name) || self.journal.is_tried(name) {
            return true;
        }
        let namespace = self.rule.namespace().unwrap_or_default();
        let task = ObjectRef::<EcsTask>::new(name).within(&namespace);
        let is_there = self
            .cx
            .tasks
            .store
            .get(&task)
            .is_some_and(|task| task.labels().get(RULE) == Some(&self.rule.name_any()));
        let mut listed = self.before.invocations.iter();
        let is_done = is_there || listed.any(|it| it.task == name);
        if is_done {
            self.journal.known(name, happened.event.time);
        }
        is_done
    }

    /// Starts a target for an event. Returns when to try again.
    async fn try_target(
        &self,
        target: &RuleTarget,
        name: &str,
        happened: &Happened,
    ) -> Option<Duration> {
        let time = happened.event.time;
        let fate = self.start(target, name, happened).await;
        let (reason, message, is_final) = match fate {
            Fate::Started => {
                self.settle(target, happened);
                self.journal.started(name, time);
                return None;
            }
            Fate::Known => {
                self.settle(target, happened);
                self.journal.known(name, time);
                return None;
            }
            Fate::Failed(reason, message) => (reason, message, false),
            Fate::Impossible(reason, message) => (reason, message, true),
        };
        let tries = self.journal.tries(name) + 1;
        let age = self.now.duration_since(time);
        let limit = if age > longest(target) {
            Some(Limit::Age)
        } else {
            let is_last = !is_final && tries > target.retry.maximum_attempts;
            is_last.then_some(Limit::Attempts)
        };
        let failure = self.failure(target, happened, (reason, &message));
        let note = format!("target {}: {message}", target.id);
        if is_final || limit.is_some() {
            let given_up = GivenUp {
                code: reason.name(),
                message: &message,
                retries: tries - 1,
                exhausted: limit,
            };
            self.send((target, name), happened, &given_up);
            self.journal.given_up(name, time, failure);
            self.journal
                .tell(StateReason::TargetInvocationFailed.into(), note);
            return None;
        }
        // What is not known yet is known soon.
        let is_early = StateReason::NotAccepted.is(reason.name());
        let failure = RuleFailureStatus {
            retrying: true,
            ..failure
        };
        if self.journal.failed(name, failure) == 1 + i64::from(is_early) {
            self.journal
                .tell(StateReason::TargetInvocationFailed.into(), note);
        }
        self.journal.wait(name)
    }

    fn failure(
        &self,
        target: &RuleTarget,
        happened: &Happened,
        (reason, message): (StatusReason, &str),
    ) -> RuleFailureStatus {
        RuleFailureStatus {
            time: Some(Time(self.now)),
            event: Some(happened.event.id.clone()),
            target: Some(target.id.clone()),
            retrying: false,
            reason: Some(reason.name().to_owned()),
            message: Some(message.to_owned()),
        }
    }

    /// Records that the start that has failed last is done.
    fn settle(&self, target: &RuleTarget, happened: &Happened) {
        let last = self.journal.failure();
        let last = last.unwrap_or_else(|| self.before.last_failure.clone());
        let is_it = last.event.as_ref() == Some(&happened.event.id)
            && last.target.as_ref() == Some(&target.id);
        if is_it && last.retrying {
            self.journal.settled(RuleFailureStatus {
                retrying: false,
                ..last
            });
        }
    }

    async fn start(&self, target: &RuleTarget, name: &str, happened: &Happened) -> Fate {
        let failed = StatusReason::State(StateReason::TargetInvocationFailed);
        if self.now.duration_since(happened.event.time) > longest(target) {
            let why = "the event is older than MaximumEventAgeInSeconds";
            return Fate::Impossible(failed, why.to_owned());
        }
        let depth = happened.depth + 1;
        if depth > DEEPEST {
            let why = format!(
                "{DEEPEST} rules have led to this task one after the other, so it is most likely a circle"
            );
            return Fate::Impossible(failed, why);
        }
        let settings = self.cx.settings(&self.rule.namespace().unwrap_or_default());
        let event = &happened.event.value;
        let request = match request(self.accepted, target, event, &settings, self.now) {
            Ok(request) => request,
            Err(refused) => return Fate::Impossible(failed, refused.without_values("event")),
        };
        let task = match ecs_task(self.rule, self.accepted, name, request, depth) {
            Ok(task) => task,
            Err(error) => return Fate::Impossible(failed, error.to_string()),
        };
        let is_constant = target.task.dynamic.is_empty()
            && target.input.as_ref().is_none_or(|it| it.is_constant());
        match create_unless_rejected(self.cx, &task, RULE).await {
            Ok(Start::Created(Created::Now)) => Fate::Started,
            Ok(Start::Created(Created::Before)) => Fate::Known,
            Ok(Start::Rejected(refusal)) if is_constant => {
                Fate::Failed(refusal.reason, refusal.message)
            }
            Ok(Start::Rejected(refusal)) => {
                let why = format!("its EcsTask would be rejected: {}", refusal.reason.name());
                Fate::Failed(refusal.reason, why)
            }
            Err(error @ Error::NotOwned { .. }) => Fate::Impossible(failed, error.to_string()),
            Err(error) => Fate::Failed(failed, why_not_created(&error, is_constant)),
        }
    }
}

/// Returns how old an event may be for a target.
fn longest(target: &RuleTarget) -> SignedDuration {
    SignedDuration::from_secs(target.retry.maximum_age).min(HORIZON)
}
