//! The state of a service or task in the cluster, reduced to what is shown.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{core::v1::Pod, events::v1::Event},
    jiff::Timestamp,
};
use kube::ResourceExt as _;

use super::{target::Target, terminal::harmless};
use crate::{
    crd::EcsTaskDefinition,
    decide::pod_state::{Doing, PodState},
};

/// A service or task with its pods and events.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// The object itself; `None` when it is gone.
    pub(super) target: Option<Target>,
    /// The task definitions of the namespace, by name, if the user may read them.
    pub(super) task_definitions: BTreeMap<String, EcsTaskDefinition>,
    /// Its tasks, by the name of their pod.
    pub(super) tasks: BTreeMap<String, Task>,
    /// Its events, by the name of their object.
    pub(super) events: BTreeMap<String, Told>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// The revision of its task definition.
    pub(super) revision: String,
    /// PROVISIONING, PENDING, RUNNING, STOPPING or STOPPED.
    pub(super) status: &'static str,
    /// Whether it is ready and not terminating.
    pub(super) ready: bool,
    /// How often its containers were restarted.
    pub(super) restarts: i32,
    /// Its node.
    pub(super) node: String,
    /// When its pod was created.
    pub(super) created: Option<Timestamp>,
    /// What keeps it from running.
    pub(super) reason: String,
}

impl Task {
    /// Returns the task of a pod.
    pub(super) fn of(pod: &Pod) -> Self {
        let state = PodState::of(pod);
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        let revision = pod.labels().get("ecs-operator.dev/revision").cloned();
        Self {
            revision: revision.unwrap_or_default(),
            status: status(&state),
            // A terminating pod gets no new clients.
            ready: state.ready && !state.deleting,
            restarts: state.containers.iter().map(|it| it.restarts).sum(),
            node: node.unwrap_or_default(),
            created: state.created_at,
            reason: reason(&state),
        }
    }
}

/// Returns the last status, in the words of ECS.
fn status(pod: &PodState) -> &'static str {
    let runs = |state: &Doing| matches!(state, Doing::Running { .. });
    let mut main = pod.containers.iter().filter(|it| !it.init).peekable();
    match () {
        () if pod.is_finished() => "STOPPED",
        () if pod.deleting => "STOPPING",
        () if !pod.scheduled => "PROVISIONING",
        () if main.peek().is_some() && main.all(|it| runs(&it.state)) => "RUNNING",
        () => "PENDING",
    }
}

/// Returns what keeps a task from running, in one line.
fn reason(pod: &PodState) -> String {
    if let Some(why) = &pod.unschedulable {
        return first_line(why);
    }
    if let Some((reason, message)) = &pod.ended {
        return first_line(&format!("{reason}: {message}"));
    }
    let said = pod.containers.iter().find_map(|container| {
        let last = container.last_end.as_ref();
        match &container.state {
            Doing::Waiting(reason, _) if reason.ends_with("ing") || reason.is_empty() => None,
            Doing::Waiting(reason, message) if reason == "CrashLoopBackOff" => {
                let end = last.map(|end| format!("exit code {}", end.exit_code));
                Some(end.unwrap_or_else(|| format!("{reason}: {message}")))
            }
            Doing::Waiting(reason, message) => Some(format!("{reason}: {message}")),
            Doing::Ended(end) if end.exit_code != 0 => {
                Some(format!("{}, exit code {}", end.reason, end.exit_code))
            }
            Doing::Unknown | Doing::Running { .. } | Doing::Ended(_) => None,
        }
        .map(|said| format!("{}: {said}", container.name))
    });
    first_line(&said.unwrap_or_default())
}

/// Returns the first line of a text, safe for a terminal.
pub(super) fn first_line(text: &str) -> String {
    harmless(text.lines().next().unwrap_or_default())
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// When it was last seen.
    pub(super) time: Option<Timestamp>,
    /// Its message.
    pub(super) note: String,
    /// Whether it is a warning.
    pub(super) warns: bool,
}

impl Told {
    /// Returns an event about the object of this kind and name; `None` if it is about something else.
    pub(super) fn of(event: &Event, kind: &str, name: &str) -> Option<Self> {
        let about = event.regarding.as_ref()?;
        let is_it = about.kind.as_deref() == Some(kind) && about.name.as_deref() == Some(name);
        let again = event.series.as_ref().map(|it| it.last_observed_time.0);
        is_it.then(|| Self {
            time: again.or_else(|| event.event_time.as_ref().map(|time| time.0)),
            // Anyone who may write events in the namespace may have written it.
            note: harmless(event.note.as_deref().unwrap_or_default()),
            warns: event.type_.as_deref() == Some("Warning"),
        })
    }
}
