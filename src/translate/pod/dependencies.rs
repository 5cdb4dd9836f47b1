//! `dependsOn` and related fields: the role and order of each container in the pod.

use std::collections::BTreeSet;

use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::Mode,
    translate::Context,
    validate::{Condition, Container, Edge, Graph},
};

/// The order of the containers of a task definition in the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Indexes of `containerDefinitions` in the order of `initContainers`.
    pub(crate) init: Vec<usize>,
    /// Indexes of `containerDefinitions` in the order of `containers`.
    pub(crate) main: Vec<usize>,
    /// The role of each container, by its index in `containerDefinitions`.
    pub(crate) roles: Vec<Role>,
}

impl Plan {
    /// Returns the role of the container at `index` of the task definition.
    pub(crate) fn role(&self, index: usize) -> Role {
        self.roles.get(index).copied().unwrap_or(Role::Main)
    }

    /// Whether containers after the container at `index` wait for more than its start.
    fn gates(&self, index: usize) -> bool {
        matches!(
            self.role(index),
            Role::Init | Role::Sidecar { gating: true }
        )
    }
}

/// The role of a container in its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs to completion before the containers after it.
    Init,
    /// A native sidecar; `gating` if the containers after it wait for its startup probe.
    Sidecar {
        /// Whether another container waits until it is healthy.
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

/// Determines the roles and the order of the containers, and reports where the order differs from ECS.
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
    if cx.is_task() && cx.settings.mode == Mode::Convert {
        for index in beside_the_end(containers, graph, &roles) {
            if let Some(role) = roles.get_mut(index) {
                *role = Role::Sidecar { gating: false };
            }
        }
    }
    let is_main = |index: &usize| roles.get(*index) == Some(&Role::Main);
    // A sidecar that no container waits for goes first, so that it waits for none itself.
    let rank = |index: usize| match roles.get(index) {
        Some(Role::Init) => 2,
        Some(Role::Sidecar { gating: true }) => 1,
        _ => 0,
    };
    let all = 0..containers.len();
    let (main, init): (Vec<usize>, Vec<usize>) = all.partition(|index| is_main(index));
    let plan = Plan {
        init: ordered(init, graph, |index| (rank(index), index)),
        main: ordered(main, graph, |index| (0, index)),
        roles,
    };
    report_lost_edges(containers, graph, &freed, notes);
    report_linearized(containers, graph, &plan, notes);
    report_completion(containers, graph, notes);
    plan
}

/// Returns the containers of a stand-alone task that have to be main although others wait for them.
///
/// A pod ends when its main containers have ended, and a task ends with an essential container. If no essential
/// container would be main, those that only non-essential containers wait for become main, and with them all containers
/// that wait.
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

/// Returns the containers of a stand-alone task that end with its essential containers. A pod keeps running while a
/// main container runs, and stops its native sidecars when none does
/// (<https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>). With the operator, this is not needed.
///
/// Sidecars start before main containers, so a container that waits for a main container stays main.
fn beside_the_end(containers: &[Container], graph: &Graph, roles: &[Role]) -> Vec<usize> {
    let main: Vec<&Container> = containers
        .iter()
        .filter(|container| roles.get(container.index) == Some(&Role::Main))
        .collect();
    if !main.iter().any(|container| container.essential) {
        return Vec::new();
    }
    let waits = |container: &Container| {
        main.iter()
            .any(|other| graph.depends(container.index, other.index))
    };
    main.iter()
        .filter(|container| !container.essential && !waits(container))
        .map(|container| container.index)
        .collect()
}

/// Sorts `indexes` so that a target comes before the containers that wait for it; among those without pending
/// dependencies, the one with the lowest rank comes first.
fn ordered<R: Ord>(indexes: Vec<usize>, graph: &Graph, rank: impl Fn(usize) -> R) -> Vec<usize> {
    let mut order = Vec::with_capacity(indexes.len());
    let mut left: BTreeSet<usize> = indexes.into_iter().collect();
    let mut waiting = left.clone();
    let mut free: BTreeSet<(R, usize)> = BTreeSet::new();
    while !left.is_empty() {
        waiting.retain(|index| {
            let waits = graph.waits_for_any(*index, &left);
            if !waits {
                free.insert((rank(*index), *index));
            }
            waits
        });
        // In an acyclic graph, one is always without dependencies; in a cycle, its first container would come next.
        let next = free.pop_first().map(|(_, index)| index);
        let Some(next) = next.or_else(|| waiting.pop_first()) else {
            break;
        };
        left.remove(&next);
        order.push(next);
    }
    order
}

/// Reports conditions that are not enforced because both containers are main.
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

/// Reports, for the first such pair, that one container waits for another only because init containers run in sequence.
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

/// Reports that `COMPLETE` requires exit code 0 here, unless another container requires `SUCCESS` anyway.
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

/// Returns the ECS name of the container at `index`.
fn name_of(containers: &[Container], index: usize) -> String {
    containers
        .get(index)
        .map_or_else(String::new, |container| container.name.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{diagnostic::Reason, translate::testing::Scenario};

    /// The reasons of this feature and related ones; other features have their own tests.
    const REASONS: &[Reason] = &[
        Reason::CompleteTreatedAsSuccess,
        Reason::CompletionDependencyNotEnforced,
        Reason::DependencyGraphLinearized,
        Reason::EssentialExitNeedsController,
        Reason::EssentialExitRestartsInPlace,
        Reason::HealthyDependencyNotEnforced,
        Reason::InitContainerRetriedInPlace,
        Reason::NonEssentialContainerRestarts,
        Reason::StartOrderBestEffort,
    ];

    /// Builds a definition from `a! b`, with essential containers marked with `!`, and edges such as `a>b:SUCCESS`.
    ///
    /// Targets of `HEALTHY` have a health check unless the condition is written `HEALTHY?`; `LOG` sends the logs of the
    /// one container to the other.
    fn definition(containers: &str, edges: &str) -> String {
        let mut all: Vec<Value> = containers
            .split_whitespace()
            .map(|word| {
                json!({"name": word.trim_end_matches('!'), "image": "busybox", "memory": 64,
                    "essential": word.ends_with('!'), "dependsOn": []})
            })
            .collect();
        let mut with = |name: &str, change: &dyn Fn(&mut Value)| {
            let container = all.iter_mut().find(|container| container["name"] == name);
            change(container.expect("a container of the row"));
        };
        for edge in edges.split_whitespace() {
            let (pair, condition) = edge.split_once(':').expect("a condition");
            let (dependent, target) = pair.split_once('>').expect("two containers");
            if condition == "LOG" {
                with(dependent, &|container| {
                    container["logConfiguration"] = json!({"logDriver": "awsfirelens"});
                });
                with(target, &|container| {
                    container["firelensConfiguration"] = json!({"type": "fluentbit"});
                });
                continue;
            }
            if condition == "HEALTHY" {
                with(target, &|container| {
                    container["healthCheck"] = json!({"command": ["CMD", "true"]});
                });
            }
            with(dependent, &|container| {
                container["dependsOn"].as_array_mut().expect("a list").push(
                    json!({"containerName": target, "condition": condition.trim_end_matches('?')}),
                );
            });
        }
        json!({"family": "f", "networkMode": "awsvpc", "containerDefinitions": all}).to_string()
    }

    /// Returns `initContainers / containers`; `~` marks a native sidecar, `~h` one with a startup probe.
    fn shape(spec: &Value) -> String {
        let names = |list: &str, init: bool| {
            let containers = spec[list].as_array().cloned().unwrap_or_default();
            let words: Vec<String> = containers
                .iter()
                .map(|container| {
                    let name = container["name"].as_str().expect("a name");
                    let sidecar = container["restartPolicy"] == "Always";
                    let gating = !container["startupProbe"].is_null();
                    match (sidecar, gating) {
                        _ if !init => name.to_owned(),
                        (true, true) => format!("{name}~h"),
                        (true, false) => format!("{name}~"),
                        (false, _) => name.to_owned(),
                    }
                })
                .collect();
            if words.is_empty() {
                "–".to_owned()
            } else {
                words.join(" ")
            }
        };
        format!(
            "{} / {}",
            names("initContainers", true),
            names("containers", false)
        )
    }

    /// Pod, containers, edges, result, all warnings, and those of the given notes that are reported.
    type Row = (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static [&'static str],
        &'static [&'static str],
    );

    const LINEARIZED: &[&str] = &["containerDefinitions: DependencyGraphLinearized"];

    #[test]
    #[rustfmt::skip]
    fn containers_are_classified_and_ordered() {
        let rows: &[Row] = &[
            ("service", "a!", "", "– / a", &[], &["containerDefinitions[0]: EssentialExitRestartsInPlace"]),
            ("service", "a! b!", "", "– / a b", &[], &[]),
            ("service", "a! i", "a>i:SUCCESS", "i / a", &[], &["containerDefinitions[1]: InitContainerRetriedInPlace"]),
            ("service", "a! i", "a>i:COMPLETE", "i / a", &["containerDefinitions[0].dependsOn[0].condition: CompleteTreatedAsSuccess"], &[]),
            ("service", "a! s!", "a>s:START", "s~ / a", &[], &[]),
            ("service", "a! s!", "a>s:HEALTHY", "s~h / a", &[], &[]),
            ("service", "a! i s!", "a>i:SUCCESS a>s:HEALTHY", "s~h i / a", LINEARIZED, &[]),
            ("service", "a! i s!", "a>i:SUCCESS i>s:HEALTHY", "s~h i / a", &[], &[]),
            ("service", "a! b! i", "a>i:SUCCESS", "i / a b", LINEARIZED, &[]),
            ("service", "d! a b c!", "b>a:SUCCESS c>a:SUCCESS d>b:SUCCESS d>c:HEALTHY", "a c~h b / d", LINEARIZED, &[]),
            ("service", "x! y! z!", "x>y:START y>z:START", "z~ y~ / x", &[], &[]),
            ("service", "x! w", "w>x:START", "x~ / w", &["containerDefinitions[1].essential: NonEssentialContainerRestarts"], &[]),
            ("task", "x! w", "w>x:START", "– / x w", &["containerDefinitions[1].dependsOn[0]: StartOrderBestEffort"], &[]),
            ("task", "x! w", "w>x:HEALTHY", "– / x w", &["containerDefinitions[1].dependsOn[0]: HealthyDependencyNotEnforced"], &[]),
            ("task", "x! s", "x>s:START", "s~ / x", &["containerDefinitions[1].essential: NonEssentialContainerRestarts"], &[]),
            ("service", "a! b c!", "a>b:SUCCESS c>b:START", "b / a c", &[], &["containerDefinitions[1]: InitContainerRetriedInPlace"]),
            ("service", "app! log", "app>log:LOG", "log~ / app", &["containerDefinitions[1].essential: NonEssentialContainerRestarts"], &[]),
            // A chain of non-essential containers that depends on the only essential one.
            ("task", "y w x!", "w>x:START y>w:SUCCESS", "– / x w y", &[
                "containerDefinitions[0].dependsOn[0]: CompletionDependencyNotEnforced",
                "containerDefinitions[1].dependsOn[0]: StartOrderBestEffort",
            ], &[]),
            // An essential sidecar beside an essential main container stays a sidecar.
            ("task", "a! s!", "a>s:HEALTHY", "s~h / a", &[], &[]),
            // No container waits for a router that waits for another container.
            ("service", "app! log!", "app>log:LOG log>app:START", "app~ / log", &[], &[]),
        ];
        for (pod, containers, edges, result, warnings, notes) in rows {
            let definition = definition(containers, edges);
            let outcome = match *pod {
                "service" => Scenario::service(definition).run(),
                _ => Scenario::task(definition).run(),
            };
            assert_eq!(shape(outcome.pod_spec()), *result, "{pod} {containers} {edges}");
            let said = outcome.notes_of(REASONS);
            let warned: Vec<String> = outcome.warnings().into_iter().filter(|line| said.contains(line)).collect();
            assert_eq!(warned, *warnings, "{pod} {containers} {edges}");
            for note in *notes {
                assert!(said.contains(&(*note).to_owned()), "{containers} {edges}: {said:?}");
            }
        }
    }

    #[test]
    fn the_first_pair_that_only_the_order_couples_is_named() {
        for (containers, edges, text) in [
            (
                "a! i s!",
                "a>i:SUCCESS a>s:HEALTHY",
                "i starts only after s is healthy",
            ),
            ("a! b! i", "a>i:SUCCESS", "b starts only after i has ended"),
            (
                "d! a b c!",
                "b>a:SUCCESS c>a:SUCCESS d>b:SUCCESS d>c:HEALTHY",
                "b starts only after c is healthy",
            ),
        ] {
            let messages = Scenario::service(definition(containers, edges))
                .run()
                .messages();
            let text = format!(
                "containerDefinitions: DependencyGraphLinearized: {text}, although it does not depend on it; "
            );
            let is_it = |message: &String| message.starts_with(&text);
            assert!(messages.iter().any(is_it), "{messages:?}");
        }
    }

    #[test]
    fn conditions_that_cannot_be_met_are_rejected() {
        let entry = "containerDefinitions[0].dependsOn[0]";
        for (containers, edges, rejections) in [
            (
                "a! b!",
                "a>b:START b>a:START",
                vec![format!("{entry}: DependencyCycle: dependency cycle: a -> b -> a; remove one of the dependsOn or links entries that make it")],
            ),
            (
                "a!",
                "a>a:START",
                vec![format!("{entry}: DependencyCycle: dependency cycle: a -> a; remove one of the dependsOn or links entries that make it")],
            ),
            (
                "a! b! c! d!",
                "a>b:START c>b:START b>d:START d>c:START",
                vec![
                    "containerDefinitions[1].dependsOn[0]: DependencyCycle: dependency cycle: b -> d -> c -> b; remove one of the dependsOn or links entries that make it"
                        .to_owned(),
                ],
            ),
            (
                "a! b!",
                "a>b:SUCCESS",
                vec![format!(
                    "{entry}.condition: CompletionOnEssentialContainer: SUCCESS cannot be set on essential container b; set essential: false on b"
                )],
            ),
            (
                "a! b!",
                "a>b:HEALTHY?",
                vec![format!(
                    "{entry}.condition: HealthyWithoutHealthCheck: b has no healthCheck, so HEALTHY can never be met; give b a healthCheck, or use condition START"
                )],
            ),
            (
                "a! b c!",
                "a>b:SUCCESS c>b:HEALTHY",
                vec!["containerDefinitions[2].dependsOn[0].condition: ConflictingDependencyConditions: other containers wait for b with HEALTHY and with SUCCESS; use only one: a container either keeps running or ends".to_owned()],
            ),
        ] {
            for scenario in [Scenario::service, Scenario::task] {
                let rejected = scenario(definition(containers, edges)).rejections();
                assert_eq!(rejected, rejections, "{containers} {edges}");
            }
        }
    }

    #[test]
    fn an_unknown_target_is_rejected() {
        let definition = r#"{"family": "f", "networkMode": "bridge", "containerDefinitions": [
            {"name": "a", "image": "busybox", "memory": 64, "links": ["cache:redis"],
             "dependsOn": [{"containerName": "db", "condition": "START"}]}]}"#;
        let rejections = Scenario::service(definition).rejections();
        for expected in [
            "containerDefinitions[0].dependsOn[0].containerName: UnknownContainer: container db does not exist in the task definition; correct the name",
            "containerDefinitions[0].links[0]: UnknownContainer: container cache does not exist in the task definition; correct the name",
        ] {
            assert!(rejections.contains(&expected.to_owned()), "{rejections:?}");
        }
    }

    #[test]
    fn a_link_waits_for_the_start_of_its_target() {
        let definition = r#"{"family": "f", "networkMode": "bridge", "containerDefinitions": [
            {"name": "web", "image": "busybox", "memory": 64, "links": ["cache:redis"]},
            {"name": "cache", "image": "redis", "memory": 64}]}"#;
        let outcome = Scenario::service(definition).run();
        assert_eq!(shape(outcome.pod_spec()), "cache~ / web");
    }
}
