//! Who waits for whom: `dependsOn`, `links` and log routers as one graph.

use super::Scope;
use crate::diagnostic::Diagnostics;

/// What a container waits for, weakest first: the strongest of several conditions on one target counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// The target runs or has stopped.
    Start,
    /// The target is healthy.
    Healthy,
    /// The target has stopped.
    Complete,
    /// The target has stopped with exit code 0.
    Success,
}

/// One edge: `dependent` waits for `target`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The index of the container that waits.
    pub dependent: usize,
    /// The index of the container that is waited for.
    pub target: usize,
    /// The strongest condition between the two.
    pub condition: Condition,
    /// The entry of `dependsOn` that asks for it; `None` for links and log routers.
    pub entry: Option<usize>,
}

/// The dependency graph of a task definition; it has no cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// The edges, ordered by dependent, then target, one per pair.
    pub edges: Vec<Edge>,
}

/// Builds the graph and rejects cycles, unknown targets and conditions that can't be met.
pub(crate) fn validate_graph(_scope: &Scope<'_>, _sink: &mut Diagnostics) -> Graph {
    Graph::default()
}
