//! The dependency graph of containers, and its properties.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Condition, Edge};

/// The dependency graph of a task definition; it has no cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// The edges, ordered by dependent, then target, one per pair.
    pub edges: Vec<Edge>,
    /// For each container, all containers that it waits for, directly or indirectly.
    waits_for: Vec<BTreeSet<usize>>,
    /// For each container, the strongest condition on it.
    conditions: Vec<Option<Condition>>,
}

impl Graph {
    /// Creates the graph of a number of containers.
    pub(super) fn new(edges: Vec<Edge>, containers: usize) -> Self {
        let mut graph = Self {
            edges,
            waits_for: Vec::new(),
            conditions: vec![None; containers],
        };
        for edge in &graph.edges {
            if let Some(condition) = graph.conditions.get_mut(edge.target) {
                *condition = (*condition).max(Some(edge.condition));
            }
        }
        graph.waits_for = (0..containers)
            .map(|index| graph.walk(index).into_keys().collect())
            .collect();
        graph
    }

    /// Returns the strongest condition on the container at `target`; `None` if no container waits for it.
    #[must_use]
    pub fn condition_on(&self, target: usize) -> Option<Condition> {
        self.conditions.get(target).copied().flatten()
    }

    /// Whether the container at `dependent` waits for the one at `target`, directly or indirectly.
    #[must_use]
    pub fn depends(&self, dependent: usize, target: usize) -> bool {
        let waits_for = self.waits_for.get(dependent);
        waits_for.is_some_and(|targets| targets.contains(&target))
    }

    /// Whether the container at `dependent` waits for one of these, directly or indirectly.
    #[must_use]
    pub fn waits_for_any(&self, dependent: usize, targets: &BTreeSet<usize>) -> bool {
        let waits_for = self.waits_for.get(dependent);
        waits_for.is_some_and(|waits_for| !waits_for.is_disjoint(targets))
    }

    /// Whether containers can run at the same time. Containers whose end others wait for run one after another before
    /// the main containers, beside the sidecars that do not wait for them.
    #[must_use]
    pub fn overlap(&self, a: usize, b: usize) -> bool {
        let ends = |index| {
            self.condition_on(index)
                .is_some_and(Condition::waits_for_end)
        };
        let beside =
            |other, ending| self.condition_on(other).is_some() && !self.depends(other, ending);
        match (a == b, ends(a), ends(b)) {
            (true, ..) | (false, false, false) => true,
            (false, true, true) => false,
            (false, true, false) => beside(b, a),
            (false, false, true) => beside(a, b),
        }
    }

    /// Returns every container that the one at `start` waits for, with the container that waits for it on a shortest
    /// path.
    fn walk(&self, start: usize) -> BTreeMap<usize, usize> {
        let mut came_from = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            // The edges are sorted by their dependents.
            let first = self.edges.partition_point(|edge| edge.dependent < at);
            let edges = self.edges.iter().skip(first);
            for edge in edges.take_while(|edge| edge.dependent == at) {
                came_from.entry(edge.target).or_insert_with(|| {
                    queue.push_back(edge.target);
                    at
                });
            }
        }
        came_from
    }

    /// Returns a shortest cycle through `start`, without the second `start` at its end.
    pub(super) fn cycle_through(&self, start: usize) -> Option<Vec<usize>> {
        let came_from = self.walk(start);
        let mut cycle = vec![start];
        let mut at = *came_from.get(&start)?;
        while at != start {
            cycle.push(at);
            at = *came_from.get(&at)?;
        }
        if let Some(rest) = cycle.get_mut(1..) {
            rest.reverse();
        }
        Some(cycle)
    }
}
