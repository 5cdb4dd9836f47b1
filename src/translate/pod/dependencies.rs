//! `dependsOn` and its kin: which container stands where in the pod.

use std::collections::BTreeSet;

use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::Context,
    validate::{Condition, Container, Edge, Graph},
};

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

    /// Whether what follows the container at `index` waits for more than its start.
    fn gates(&self, index: usize) -> bool {
        matches!(
            self.role(index),
            Role::Init | Role::Sidecar { gating: true }
        )
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

impl Role {
    /// Whether the container runs as long as the pod does.
    pub(crate) const fn is_long_running(self) -> bool {
        matches!(self, Self::Sidecar { .. } | Self::Main)
    }
}

/// Classifies and orders the containers, and says where the order is not that of ECS.
pub(super) fn plan(cx: &Context<'_>, notes: &mut Diagnostics) -> Plan {
    let containers = &cx.task_definition.containers;
    let graph = &cx.task_definition.graph;
    let mut roles: Vec<Role> = (0..containers.len())
        .map(|index| match graph.condition_on(index) {
            None => Role::Main,
            Some(Condition::Start) => Role::Sidecar { gating: false },
            Some(Condition::Healthy) => Role::Sidecar { gating: true },
            Some(Condition::Complete | Condition::Success) => Role::Init,
        })
        .collect();
    let freed = if cx.is_task() {
        freed_for_the_end(containers, graph, &roles)
    } else {
        BTreeSet::new()
    };
    for index in &freed {
        if let Some(role) = roles.get_mut(*index) {
            *role = Role::Main;
        }
    }
    let is_main = |index: &usize| roles.get(*index) == Some(&Role::Main);
    let is_init = |index: usize| roles.get(index) == Some(&Role::Init);
    let all = 0..containers.len();
    let (main, init): (Vec<usize>, Vec<usize>) = all.partition(|index| is_main(index));
    let plan = Plan {
        init: ordered(init, graph, |index| (is_init(index), index)),
        main: ordered(main, graph, |index| (false, index)),
        roles,
    };
    report_lost_edges(containers, graph, &freed, notes);
    report_linearized(containers, graph, &plan, notes);
    report_completion(containers, graph, notes);
    plan
}

/// The containers of a stand-alone task that have to be main although others wait for them.
///
/// A pod ends when its main containers have ended, and a task ends with an essential container. So where no essential
/// container would be main, those that only non-essential ones wait for become main, and with them all that wait.
fn freed_for_the_end(containers: &[Container], graph: &Graph, roles: &[Role]) -> BTreeSet<usize> {
    let ends = |container: &&Container| {
        container.essential && roles.get(container.index) == Some(&Role::Main)
    };
    if containers.iter().any(|container| ends(&container)) {
        return BTreeSet::new();
    }
    let dependents = |target: usize| {
        containers
            .iter()
            .filter(move |other| graph.depends(other.index, target))
    };
    let taken = containers.iter().filter(|container| {
        container.essential && dependents(container.index).all(|other| !other.essential)
    });
    taken
        .flat_map(|container| std::iter::once(container).chain(dependents(container.index)))
        .map(|container| container.index)
        .collect()
}

/// `indexes` so that a target stands before what waits for it; of those that are free, the one of the least rank.
fn ordered<R: Ord>(mut left: Vec<usize>, graph: &Graph, rank: impl Fn(usize) -> R) -> Vec<usize> {
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |index: usize| left.iter().any(|other| graph.depends(index, *other));
        // In an acyclic graph one is always free; were there a cycle, its least container would come next.
        let next = left
            .iter()
            .copied()
            .min_by_key(|index| (waits(*index), rank(*index)));
        let Some(next) = next else { break };
        left.retain(|index| *index != next);
        order.push(next);
    }
    order
}

/// Says which conditions nothing enforces, because both containers are main.
fn report_lost_edges(
    containers: &[Container],
    graph: &Graph,
    freed: &BTreeSet<usize>,
    notes: &mut Diagnostics,
) {
    for edge in graph
        .edges
        .iter()
        .filter(|edge| freed.contains(&edge.target))
    {
        let a = name_of(containers, edge.dependent);
        let b = name_of(containers, edge.target);
        let message = match edge.condition {
            Condition::Start => Message::StartOrderBestEffort { a, b },
            Condition::Healthy => Message::HealthyDependencyNotEnforced { a, b },
            Condition::Complete | Condition::Success => {
                Message::CompletionDependencyNotEnforced { a, b }
            }
        };
        notes.report(edge.path(), message);
    }
}

/// Says, for the first such pair, that one container waits for another only because init containers have one order.
fn report_linearized(
    containers: &[Container],
    graph: &Graph,
    plan: &Plan,
    notes: &mut Diagnostics,
) {
    for (position, first) in plan.init.iter().enumerate() {
        if !plan.gates(*first) {
            continue;
        }
        let following = plan.init.iter().skip(position + 1).chain(&plan.main);
        for then in following {
            if !graph.depends(*then, *first) {
                let b = name_of(containers, *then);
                let a = name_of(containers, *first);
                let done = match plan.role(*first) {
                    Role::Init => "has ended",
                    Role::Sidecar { .. } | Role::Main => "is healthy",
                };
                let at = FieldPath::root(Subject::TaskDefinition).field("containerDefinitions");
                let done = done.to_owned();
                notes.report(at, Message::DependencyGraphLinearized { b, a, done });
                return;
            }
        }
    }
}

/// Says that `COMPLETE` needs exit code 0 here, where no other container asks for `SUCCESS` anyway.
fn report_completion(containers: &[Container], graph: &Graph, notes: &mut Diagnostics) {
    let complete = |edge: &&Edge| {
        edge.condition == Condition::Complete
            && graph.condition_on(edge.target) == Some(Condition::Complete)
    };
    for edge in graph.edges.iter().filter(complete) {
        let name = name_of(containers, edge.target);
        let at = edge.path().field("condition");
        notes.report(at, Message::CompleteTreatedAsSuccess { name });
    }
}

/// The name of the container at `index` as ECS has it.
fn name_of(containers: &[Container], index: usize) -> String {
    containers
        .get(index)
        .map_or_else(String::new, |container| container.name.clone())
}
