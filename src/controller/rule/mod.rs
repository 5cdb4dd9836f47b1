//! The reconcile of a rule: it looks at what has happened in its namespace, and starts tasks for what matches.
//!
//! There is no log of events. What has happened is in the statuses of tasks and services, with its time, and the name of an
//! EcsTask comes from its rule, its target and the ID of its event. So whoever looks again sees the same events, and finds
//! the EcsTasks that are there. Only events after the rule became what it is count, and none that is older than an hour.

mod bus;
mod dead_letters;
mod fetch;
mod happened;
mod journal;
mod start;
mod status;
mod task;

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Client, Resource, ResourceExt as _,
    runtime::{controller::Action, reflector::ObjectRef},
};

pub(super) use self::{bus::follow_bus, journal::Journals};
use self::{
    fetch::{Accepted, own_tasks, read},
    happened::happened,
    journal::Journal,
    start::{Later, Work},
    status::{accepted, counts_the_same, rejected, says_the_same},
    task::SEEN,
};
use super::{
    caches::child_kind::{ChildKind, addon},
    context::Context,
    dead_letters::remove_warnings,
    error::Error,
    kind::{OfKind, Reconciled},
    started_task::newest,
    status::whole_seconds,
};
use crate::{
    crd::{EcsRule, RuleStatus},
    ecs,
};

/// The kind of rules. It is like that of an add-on: a cluster with older definitions does not have it.
pub(super) static RULES: ChildKind = addon("ecs-operator.dev", "v1alpha1", "EcsRule", "ecsrules");

/// How often to look, in case that a change is missed.
const CHECKED: Duration = Duration::from_mins(1);

impl Reconciled for EcsRule {
    type Status = RuleStatus;
    const KIND: &'static str = "EcsRule";

    fn all(cx: &Context) -> &OfKind<Self> {
        &cx.rules
    }

    fn api<T: Resource<DynamicType = (), Scope = Self::Scope>>(
        client: Client,
        namespace: &str,
    ) -> Api<T> {
        Api::namespaced(client, namespace)
    }

    fn reported(&self) -> &RuleStatus {
        &self.status
    }

    async fn reconcile(self: Arc<Self>, cx: Arc<Context>) -> Result<Action, Error> {
        reconcile(&self, &cx).await
    }

    fn changed(&self, cx: &Context) {
        cx.pods.departed.want(&self.namespace().unwrap_or_default());
        cx.ask(ObjectRef::from_obj(self));
    }

    fn gone(&self, cx: &Context) {
        // What it has started goes on.
        cx.journals.forget(self);
        let namespace = self.namespace().unwrap_or_default();
        let name = self.name_any();
        if cx.rules.within(&namespace).all(|it| it.name_any() == name) {
            cx.pods.departed.unwant(&namespace);
        }
    }
}

/// Triggers the reconcile of the rules of a namespace, because something has happened there.
pub(super) fn ask_rules_in(cx: &Context, namespace: &str) {
    if cx.rules.store.is_empty() {
        return;
    }
    for rule in cx.rules.within(namespace) {
        cx.ask(ObjectRef::from_obj(&*rule));
    }
}

async fn reconcile(rule: &EcsRule, cx: &Context) -> Result<Action, Error> {
    if rule.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let before = cx.rules.latest(rule);
    let journal = cx.journals.of(rule);
    if before.observed_generation == rule.metadata.generation
        && let Some(pause) = journal.pause()
    {
        // Many things happen at once, and each of them asks.
        return Ok(Action::requeue(pause));
    }
    let now = whole_seconds(Timestamp::now());
    let found = match read(rule, cx.event_queue.is_some()) {
        Ok(mut found) => {
            let targets = found.rule.targets.iter();
            let queues = targets.filter_map(|target| target.dead_letters.as_deref());
            let givers = queues.map(|queue| dead_letters::giver(rule, queue));
            let warnings = (&before.warnings[..], &mut found.warnings);
            remove_warnings(cx, &rule.namespace().unwrap_or_default(), givers, warnings);
            found
        }
        Err(refusal) => {
            let status = rejected(rule, &before, &refusal, now);
            if cx.report(rule, &before, status).await? {
                cx.events.warning(rule, refusal.reason, refusal.message);
            }
            return Ok(Action::await_change());
        }
    };
    let status = accepted(rule, &before, &found, &journal.news(), now);
    if !counts_the_same(&before, &status) {
        // Which events count is on record before any of them starts something.
        let wait = report(cx, rule, (&before, status), &journal).await?;
        return Ok(Action::requeue(wait));
    }
    let wait = if found.rule.is_disabled {
        None
    } else {
        Some(follow(cx, rule, &found, (&before, &journal), now).await)
    };
    let status = accepted(rule, &before, &found, &journal.news(), now);
    let rest = report(cx, rule, (&before, status), &journal).await?;
    Ok(Action::requeue(wait.map_or(rest, |wait| wait.min(rest))))
}

/// Starts tasks for the events that count and match. Returns when to look again.
async fn follow(
    cx: &Context,
    rule: &EcsRule,
    found: &Accepted,
    (before, journal): (&RuleStatus, &Journal),
    now: Timestamp,
) -> Duration {
    journal.looks();
    journal.tidy(now);
    cx.pods.departed.tidy(now);
    let (Some(since), Ok(oldest)) = (&before.since, now.checked_sub(SEEN)) else {
        return CHECKED;
    };
    let bus = found.rule.bus.rsplit('/').next();
    if bus != Some(ecs::Rule::DEFAULT_EVENT_BUS_NAME) {
        // ECS sends its events to the default bus only.
        return CHECKED;
    }
    let work = Work {
        cx,
        rule,
        accepted: found,
        before,
        journal,
        now,
    };
    let mut wait = CHECKED;
    let namespace = rule.namespace().unwrap_or_default();
    for happened in happened(cx, &namespace, since.0.max(oldest)) {
        if let Later::After(later) = work.handle(&happened).await {
            wait = wait.min(later);
        }
    }
    wait
}

/// Writes the status: at once if it says something new, otherwise at most once in a few seconds. Returns when to go on.
async fn report(
    cx: &Context,
    rule: &EcsRule,
    (before, status): (&RuleStatus, RuleStatus),
    journal: &Journal,
) -> Result<Duration, Error> {
    if says_the_same(before, &status)
        && let Some(rest) = journal.rest()
    {
        return Ok(rest);
    }
    let has_begun = !counts_the_same(before, &status);
    let news = journal.news();
    let status = RuleStatus {
        tasks: newest(cx, &own_tasks(cx, rule)),
        ..status
    };
    if cx.report(rule, before, status).await? {
        journal.wrote(&news);
    }
    for (reason, note) in journal.untold() {
        cx.events.warning(rule, reason, note);
    }
    Ok(if has_begun { Duration::ZERO } else { CHECKED })
}
