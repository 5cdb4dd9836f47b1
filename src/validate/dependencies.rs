//! The dependencies between containers: `dependsOn`, `links` and log routers as one graph.

use std::collections::BTreeMap;

use super::{Graph, Scope, health_check::has_health_check};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    settings::EssentialExit,
};

/// The condition that a container waits for, weakest first: of several conditions on one target, the strongest applies.
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

impl Condition {
    /// Parses the condition in the spelling of ECS.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "START" => Some(Self::Start),
            "HEALTHY" => Some(Self::Healthy),
            "COMPLETE" => Some(Self::Complete),
            "SUCCESS" => Some(Self::Success),
            _ => None,
        }
    }

    /// Returns the condition in the spelling of ECS.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Healthy => "HEALTHY",
            Self::Complete => "COMPLETE",
            Self::Success => "SUCCESS",
        }
    }

    /// Whether the target has to end.
    #[must_use]
    pub const fn waits_for_end(self) -> bool {
        matches!(self, Self::Complete | Self::Success)
    }
}

/// The field of the definition that requires an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This entry of `dependsOn`.
    DependsOn(usize),
    /// This entry of `links`.
    Link(usize),
    /// The `awsfirelens` log driver: the log router starts first.
    LogDriver,
}

/// One edge: `dependent` waits for `target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The index of the container that waits.
    pub dependent: usize,
    /// The index of the container that is waited for.
    pub target: usize,
    /// The strongest condition between the two.
    pub condition: Condition,
    /// The field that requires that condition.
    pub origin: Origin,
}

impl Edge {
    /// Returns the path of the field that requires the edge.
    #[must_use]
    pub fn path(&self) -> FieldPath {
        let container = container_path(self.dependent);
        match self.origin {
            Origin::DependsOn(entry) => container.field("dependsOn").index(entry),
            Origin::Link(entry) => container.field("links").index(entry),
            Origin::LogDriver => container.field("logConfiguration").field("logDriver"),
        }
    }

    fn condition_path(&self) -> FieldPath {
        match self.origin {
            Origin::DependsOn(_) => self.path().field("condition"),
            Origin::Link(_) | Origin::LogDriver => self.path(),
        }
    }
}

/// Builds the graph and rejects cycles, unknown targets, conditions that cannot be met and time limits out of range.
pub(crate) fn validate_graph(scope: &Scope<'_>, sink: &mut Diagnostics) -> Graph {
    let containers = &scope.request.container_definitions;
    let mut edges = Vec::new();
    for index in 0..containers.len() {
        edges.extend(edges_of(index, containers, sink));
    }
    check_conditions(&edges, containers, sink);
    let graph = Graph::new(strongest(edges), containers.len());
    report_cycles(&graph, containers, sink);
    if scope.fargate {
        for (index, raw) in containers.iter().enumerate() {
            check_fargate_timeouts(raw, &container_path(index), sink);
        }
    }
    let settings = scope.settings;
    if settings.essential_exit == EssentialExit::RestartAllContainers
        && settings.kubernetes_minor < 36
        && containers.len() > 1
    {
        let message = Message::InvalidValue {
            value: "essentialExit restartAllContainers".to_owned(),
            allowed: "needs Kubernetes 1.36".to_owned(),
        };
        sink.report(
            FieldPath::root(Subject::TaskDefinition).field("containerDefinitions"),
            message,
        );
    }
    graph
}

/// Returns the edges that the container at `index` requires, in the order of the definition.
fn edges_of(
    index: usize,
    containers: &[ecs::ContainerDefinition],
    sink: &mut Diagnostics,
) -> Vec<Edge> {
    let Some(raw) = containers.get(index) else {
        return Vec::new();
    };
    let path = container_path(index);
    let mut edges = Vec::new();
    let mut add = |name: &str, condition, origin, at: FieldPath| match position(containers, name) {
        Some(target) => edges.push(Edge {
            dependent: index,
            target,
            condition,
            origin,
        }),
        None => sink.report(
            at,
            Message::UnknownContainer {
                value: name.to_owned(),
            },
        ),
    };
    for (entry, dependency) in raw.depends_on.iter().enumerate() {
        let name = dependency.container_name.as_deref().unwrap_or_default();
        let condition = dependency.condition.as_deref().and_then(Condition::parse);
        let at = path.field("dependsOn").index(entry).field("containerName");
        let condition = condition.unwrap_or(Condition::Start);
        add(name, condition, Origin::DependsOn(entry), at);
    }
    for (entry, link) in raw.links.iter().enumerate() {
        let name = link.split_once(':').map_or(link.as_str(), |(name, _)| name);
        let at = path.field("links").index(entry);
        add(name, Condition::Start, Origin::Link(entry), at);
    }
    if let Some(target) = router_of(index, containers) {
        edges.push(Edge {
            dependent: index,
            target,
            condition: Condition::Start,
            origin: Origin::LogDriver,
        });
    }
    edges
}

/// Returns the log router that the container at `index` waits for.
///
/// As in the ECS agent, containers do not wait for a router that itself depends on other containers: that could be a
/// cycle.
fn router_of(index: usize, containers: &[ecs::ContainerDefinition]) -> Option<usize> {
    let log = containers.get(index)?.log_configuration.as_ref()?;
    if log.log_driver.as_deref() != Some("awsfirelens") {
        return None;
    }
    let router = containers
        .iter()
        .position(|container| container.firelens_configuration.is_some())?;
    let waits = !containers.get(router)?.depends_on.is_empty();
    (router != index && !waits).then_some(router)
}

/// Keeps the strongest of several conditions between two containers.
fn strongest(edges: Vec<Edge>) -> Vec<Edge> {
    let mut pairs: BTreeMap<(usize, usize), Edge> = BTreeMap::new();
    for edge in edges {
        let kept = pairs.entry((edge.dependent, edge.target)).or_insert(edge);
        if edge.condition > kept.condition {
            *kept = edge;
        }
    }
    pairs.into_values().collect()
}

fn check_conditions(
    edges: &[Edge],
    containers: &[ecs::ContainerDefinition],
    sink: &mut Diagnostics,
) {
    for edge in edges {
        let Some(target) = containers.get(edge.target) else {
            continue;
        };
        let name = target.name.clone().unwrap_or_default();
        if edge.condition.waits_for_end() && target.essential.unwrap_or(true) {
            let condition = edge.condition.name().to_owned();
            sink.report(
                edge.condition_path(),
                Message::CompletionOnEssentialContainer { condition, name },
            );
        } else if edge.condition == Condition::Healthy {
            if !has_health_check(target) {
                let name = name.clone();
                sink.report(
                    edge.condition_path(),
                    Message::HealthyWithoutHealthCheck { name },
                );
            }
            let strongest = edges
                .iter()
                .filter(|other| other.target == edge.target)
                .map(|other| other.condition)
                .max();
            if let Some(condition) = strongest.filter(|condition| condition.waits_for_end()) {
                let condition = condition.name().to_owned();
                sink.report(
                    edge.condition_path(),
                    Message::ConflictingDependencyConditions { name, condition },
                );
            }
        }
    }
}

/// Reports the cycles, each starting with its smallest index; a container is reported in only one of them.
fn report_cycles(graph: &Graph, containers: &[ecs::ContainerDefinition], sink: &mut Diagnostics) {
    let mut reported = vec![false; containers.len()];
    for start in 0..containers.len() {
        if reported.get(start).copied().unwrap_or(true) {
            continue;
        }
        let Some(cycle) = graph.cycle_through(start) else {
            continue;
        };
        let seen = cycle
            .iter()
            .any(|index| reported.get(*index).copied().unwrap_or(true));
        for index in &cycle {
            if let Some(flag) = reported.get_mut(*index) {
                *flag = true;
            }
        }
        if seen {
            continue;
        }
        let next = cycle.get(1).copied().unwrap_or(start);
        let at = graph
            .edges
            .iter()
            .find(|edge| edge.dependent == start && edge.target == next)
            .map_or_else(|| container_path(start), Edge::path);
        let names: Vec<&str> = cycle
            .iter()
            .chain([&start])
            .filter_map(|index| containers.get(*index)?.name.as_deref())
            .collect();
        let cycle = names.join(" -> ");
        sink.report(at, Message::DependencyCycle { cycle });
    }
}

/// Checks the limits of Fargate, which are lower than those of the reader. Both times are in seconds.
fn check_fargate_timeouts(
    raw: &ecs::ContainerDefinition,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let members = [
        ("startTimeout", raw.start_timeout),
        ("stopTimeout", raw.stop_timeout),
    ];
    for (name, value) in members {
        if let Some(value) = value.filter(|value| !(2..=120).contains(value)) {
            let value = value.to_string();
            let allowed = "must be 2 to 120 seconds on Fargate".to_owned();
            sink.report(path.field(name), Message::InvalidValue { value, allowed });
        }
    }
}

fn position(containers: &[ecs::ContainerDefinition], name: &str) -> Option<usize> {
    containers
        .iter()
        .position(|container| container.name.as_deref() == Some(name))
}

fn container_path(index: usize) -> FieldPath {
    FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(index)
}
