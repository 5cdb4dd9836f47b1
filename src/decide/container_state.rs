//! The state of a container as the status of its pod shows it.

use k8s_openapi::{
    api::core::v1::{Container, ContainerState, ContainerStatus, PodSpec, PodStatus},
    jiff::Timestamp,
};

/// A container of a pod.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of the container, and all combinations occur"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerSeen {
    /// Its name.
    pub name: String,
    /// Whether it is an init container.
    pub init: bool,
    /// Whether it is a sidecar: an init container that the main containers run beside.
    pub sidecar: bool,
    /// Whether the kubelet ends it when a probe fails.
    pub checked: bool,
    /// How often it was started again.
    pub restarts: i32,
    /// Whether it is ready.
    pub ready: bool,
    /// Its state.
    pub state: Doing,
    /// When this operator first saw it in this state, by its own clock.
    pub seen: Option<Timestamp>,
    /// When this operator first saw it run, wait or be over after this many restarts, by its own clock: what its node says
    /// about when that began is not later, unless the clock of the node is ahead. When its pod was created, if it was so when
    /// this process began, at a time that has not come yet.
    pub changed_seen: Option<Timestamp>,
    /// How it ended before its last restart.
    pub last_end: Option<End>,
}

/// The state of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Doing {
    /// Nothing is known yet.
    #[default]
    Unknown,
    /// It waits, for this reason and with this message.
    Waiting(String, String),
    /// It runs.
    Running {
        /// Since when.
        since: Option<Timestamp>,
        /// Whether it has passed its startup probe.
        started: bool,
    },
    /// It has ended.
    Ended(End),
}

/// The end of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Its exit code.
    pub exit_code: i32,
    /// The reason, such as Completed, Error or OOMKilled.
    pub reason: String,
    /// When it ended.
    pub at: Option<Timestamp>,
}

/// Returns the containers of a pod, init containers first.
pub(super) fn containers(status: &PodStatus, spec: Option<&PodSpec>) -> Vec<ContainerSeen> {
    let init = status.init_container_statuses.iter().flatten();
    let main = status.container_statuses.iter().flatten();
    let init_specs = spec.and_then(|spec| spec.init_containers.as_deref());
    let init_specs = init_specs.unwrap_or_default();
    let main_specs = spec.map_or(&[][..], |spec| &spec.containers);
    let init = init.map(|status| container(status, true, init_specs));
    init.chain(main.map(|status| container(status, false, main_specs)))
        .collect()
}

fn container(status: &ContainerStatus, init: bool, specs: &[Container]) -> ContainerSeen {
    let spec = specs.iter().find(|spec| spec.name == status.name);
    let always = |spec: &Container| spec.restart_policy.as_deref() == Some("Always");
    let checked = |spec: &Container| spec.startup_probe.is_some() || spec.liveness_probe.is_some();
    ContainerSeen {
        name: status.name.clone(),
        init,
        sidecar: init && spec.is_some_and(always),
        checked: spec.is_some_and(checked),
        restarts: status.restart_count,
        ready: status.ready,
        seen: None,
        changed_seen: None,
        state: status.state.as_ref().map_or(Doing::Unknown, |state| {
            doing(state, status.started == Some(true))
        }),
        last_end: status
            .last_state
            .as_ref()
            .and_then(|state| match doing(state, false) {
                Doing::Ended(end) => Some(end),
                Doing::Unknown | Doing::Waiting(..) | Doing::Running { .. } => None,
            }),
    }
}

fn doing(state: &ContainerState, started: bool) -> Doing {
    if let Some(ended) = &state.terminated {
        return Doing::Ended(End {
            exit_code: ended.exit_code,
            reason: ended.reason.clone().unwrap_or_default(),
            at: ended.finished_at.as_ref().map(|time| time.0),
        });
    }
    if let Some(running) = &state.running {
        return Doing::Running {
            since: running.started_at.as_ref().map(|time| time.0),
            started,
        };
    }
    match &state.waiting {
        Some(waiting) => Doing::Waiting(
            waiting.reason.clone().unwrap_or_default(),
            waiting.message.clone().unwrap_or_default(),
        ),
        None => Doing::Unknown,
    }
}
