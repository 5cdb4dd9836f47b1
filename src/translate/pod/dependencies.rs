//! `dependsOn`, `essential` and `restartPolicy`: which container stands where in the pod.

use super::Draft;
use crate::{diagnostic::Diagnostics, translate::Context};

/// Where the containers of a task definition stand in the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Indexes of `containerDefinitions` in the order of `initContainers`.
    pub(crate) init: Vec<usize>,
    /// Indexes of `containerDefinitions` in the order of `containers`.
    pub(crate) main: Vec<usize>,
    /// What each container is, by its index in `containerDefinitions`.
    pub(crate) roles: Vec<Role>,
}

impl Plan {
    /// What the container at `index` of the task definition is.
    pub(crate) fn role(&self, index: usize) -> Role {
        self.roles.get(index).copied().unwrap_or(Role::Main)
    }
}

/// What a container is in its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs to completion before what follows.
    Init,
    /// A native sidecar; `gating` if what follows waits for its startup probe.
    Sidecar {
        /// Whether something waits until it is healthy.
        gating: bool,
    },
    /// An ordinary container.
    Main,
}

/// Classifies and orders the containers.
pub(super) fn plan(cx: &Context<'_>, _notes: &mut Diagnostics) -> Plan {
    let count = cx.task_definition.containers.len();
    Plan {
        init: Vec::new(),
        main: (0..count).collect(),
        roles: vec![Role::Main; count],
    }
}

/// Writes restart policies and says what differs from ECS when containers exit.
pub(super) fn apply(_cx: &Context<'_>, _draft: &mut Draft, _notes: &mut Diagnostics) {}
