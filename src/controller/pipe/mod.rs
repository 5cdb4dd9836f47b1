//! The reconcile of a pipe: it runs the poller of its queue, and reports what became of the messages.
//!
//! The name of an EcsTask comes from the ID of the message that it is for, and a message is deleted only when its EcsTask
//! exists. So a message starts tasks once, wherever the operator ends: SQS gives it again, and the EcsTask is found.

mod fetch;
mod held;
mod message;
mod poller;
mod pollers;
mod recent;
mod settle;
mod status;
mod tally;
mod task;

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Client, Resource, ResourceExt as _,
    runtime::{controller::Action, reflector::ObjectRef},
};

pub(super) use self::pollers::Pollers;
use self::{
    fetch::{Accepted, own_tasks, read},
    poller::Work,
    pollers::Key,
    status::{Place, State, reported, says_the_same},
};
use super::{
    caches::child_kind::{ChildKind, addon},
    context::Context,
    error::Error,
    kind::{OfKind, Reconciled},
    permitted::{NotPermitted, queue_permitted},
    refusal::Refusal,
    started_task::newest,
    status::whole_seconds,
};
use crate::{
    crd::{EcsPipe, EcsTask, PipeStatus},
    diagnostic::Subject,
    settings::PIPE,
};

/// The kind of pipes. It is like that of an add-on: a cluster with older definitions does not have it.
pub(super) static PIPES: ChildKind = addon("ecs-operator.dev", "v1alpha1", "EcsPipe", "ecspipes");

/// How often to check that a poller still runs.
const CHECKED: Duration = Duration::from_mins(1);
/// How soon to look again when it is not known what a namespace may use.
const UNKNOWN: Duration = Duration::from_secs(5);

impl Reconciled for EcsPipe {
    type Status = PipeStatus;
    const KIND: &'static str = "EcsPipe";

    fn all(cx: &Context) -> &OfKind<Self> {
        &cx.pipes
    }

    fn api<T: Resource<DynamicType = (), Scope = Self::Scope>>(
        client: Client,
        namespace: &str,
    ) -> Api<T> {
        Api::namespaced(client, namespace)
    }

    fn reported(&self) -> &PipeStatus {
        &self.status
    }

    async fn reconcile(self: Arc<Self>, cx: Arc<Context>) -> Result<Action, Error> {
        reconcile(self, cx).await
    }

    fn gone(&self, cx: &Context) {
        // What it has started goes on.
        cx.pollers.forget(&Key::of(self));
    }
}

/// Tells the pipe that has started a task, if any has, that the task has changed.
pub(super) fn ask_pipe_of(cx: &Context, task: &EcsTask) {
    if let Some(name) = task.labels().get(PIPE) {
        let namespace = task.namespace().unwrap_or_default();
        cx.pollers.task_changed(&Key::new(&namespace, name));
        cx.ask::<EcsPipe>(ObjectRef::new(name).within(&namespace));
    }
}

async fn reconcile(pipe: Arc<EcsPipe>, cx: Arc<Context>) -> Result<Action, Error> {
    let key = Key::of(&pipe);
    if pipe.meta().deletion_timestamp.is_some() {
        cx.pollers.stop(&key);
        return Ok(Action::await_change());
    }
    let before = cx.pipes.latest(&pipe);
    let (accepted, state) = match read(&pipe) {
        Ok(accepted) => match follow(&cx, &pipe, &accepted) {
            Some(state) => (Some(accepted), state),
            None => return Ok(Action::requeue(UNKNOWN)),
        },
        Err(refusal) => (None, State::Rejected(refusal)),
    };
    if !matches!(state, State::Running | State::Unavailable(_)) {
        cx.pollers.stop(&key);
    }
    report(&cx, &pipe, &before, accepted, state).await
}

/// Starts the poller of a pipe that is accepted, if it should run. Returns the state of the pipe; `None` if it is not known
/// yet what the namespace may use.
fn follow(cx: &Arc<Context>, pipe: &Arc<EcsPipe>, accepted: &Accepted) -> Option<State> {
    if !accepted.pipe.is_running {
        return Some(State::Stopped);
    }
    let namespace = pipe.namespace().unwrap_or_default();
    match queue_permitted(
        cx,
        &namespace,
        (Subject::Pipe, &pipe.spec),
        &accepted.pipe.queue.arn,
    ) {
        Ok(()) => {}
        Err(NotPermitted::Refused(refusal)) => return Some(State::NotAllowed(refusal)),
        Err(NotPermitted::NotYet) => return None,
    }
    let Some(sqs) = &cx.sqs else {
        return Some(State::Disabled);
    };
    let work = Work {
        sqs: sqs.clone(),
        pipe: pipe.clone(),
        accepted: accepted.clone(),
    };
    let problem = cx.pollers.run(cx, work);
    Some(problem.map_or(State::Running, State::Unavailable))
}

/// Writes the status: at once if its conditions change, otherwise at most once in a few seconds.
async fn report(
    cx: &Context,
    pipe: &EcsPipe,
    before: &PipeStatus,
    accepted: Option<Accepted>,
    state: State,
) -> Result<Action, Error> {
    let key = Key::of(pipe);
    let now = whole_seconds(Timestamp::now());
    let place = Place {
        before,
        generation: pipe.meta().generation,
        now,
    };
    let news = cx.pollers.news(&key);
    let warnings = accepted.map(|accepted| accepted.warnings);
    let status = reported(&place, &state, warnings, &news);
    if says_the_same(before, &status)
        && let Some(rest) = cx.pollers.rest(&key)
    {
        return Ok(Action::requeue(rest));
    }
    let status = PipeStatus {
        tasks: newest(cx, &own_tasks(cx, pipe)),
        ..status
    };
    if cx.report(pipe, before, status).await? {
        cx.pollers.wrote(&key, &news);
        tell(cx, pipe, before, &state);
    }
    for (reason, note) in cx.pollers.untold(&key) {
        cx.events.warning(pipe, reason, note);
    }
    Ok(Action::requeue(CHECKED))
}

/// Reports an event when a pipe is refused that was not before, or its queue cannot be read.
fn tell(cx: &Context, pipe: &EcsPipe, before: &PipeStatus, state: &State) {
    let refusal = match state {
        State::Rejected(refusal) | State::NotAllowed(refusal) => refusal,
        State::Unavailable(why) => &Refusal::new(status::UNAVAILABLE, why),
        State::Running | State::Stopped | State::Disabled => return,
    };
    if before.state_reason.as_ref() != Some(&refusal.message) {
        let note = refusal.message.clone();
        cx.events.warning(pipe, refusal.reason, note);
    }
}
