//! The counts in rendered objects: how many tasks, and how many of them are replaced at a time. Everything else in an
//! object stays as it was when the deployment began.

use serde_json::{Map, Value, json};

use super::split::{Part, spread};
use crate::{translate::service::rollout::Rollout, validate};

/// The kinds that depend only on counts and scaling, and are therefore rendered from the current spec.
const OF_COUNTS: &[&str] = &[
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "ScaledObject",
];

/// The members of a Deployment's or DaemonSet's `spec` that are counts.
const COUNTS: &[&str] = &["paused", "replicas", "strategy", "updateStrategy"];

/// Returns on how many nodes the DaemonSet of a name should run, if known.
pub type Nodes<'a> = dyn Fn(&str) -> Option<u32> + 'a;

/// Returns the state of the Deployment of a name, if it exists.
pub type Parts<'a> = dyn Fn(&str) -> Option<Part> + 'a;

/// The input for how many tasks of a workload are replaced at a time.
#[derive(Clone, Copy)]
pub struct Numbers<'a> {
    /// How the tasks are replaced.
    pub rules: &'a validate::Deployment,
    /// On how many nodes DaemonSets should run.
    pub nodes: &'a Nodes<'a>,
    /// The state of Deployments, by their names, if they exist.
    pub parts: &'a Parts<'a>,
    /// How many tasks are wanted; `None` for one on each node.
    pub desired: Option<i64>,
    /// Whether a deployment is in progress.
    pub in_progress: bool,
    /// Whether pods of another template exist, healthy or not.
    pub has_old: bool,
    /// Whether healthy pods of another template run. If there are none, nothing has to be preserved.
    pub replaces: bool,
}

/// What a deployment waits for before it can be over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// Its percentages let no task be replaced.
    pub is_blocked: bool,
    /// Tasks have to move between capacity providers.
    pub moves: bool,
}

pub(super) fn kind(object: &Value) -> &str {
    text(object, "/kind")
}

pub(super) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

fn text<'v>(object: &'v Value, path: &str) -> &'v str {
    object
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Whether an object is kept as it was rendered when its deployment began.
pub(super) fn is_kept(object: &Value) -> bool {
    !follows_counts(kind(object))
}

/// Whether objects of a kind depend only on counts and scaling.
#[must_use]
pub fn follows_counts(kind: &str) -> bool {
    OF_COUNTS.contains(&kind)
}

fn is_workload(object: &Value) -> bool {
    matches!(kind(object), "Deployment" | "DaemonSet")
}

/// Removes from a workload what is not part of its deployment: counts, and the tags of the service.
pub(super) fn strip_counts(object: &mut Value) {
    if !is_workload(object) {
        return;
    }
    if let Some(Value::Object(spec)) = object.get_mut("spec") {
        spec.retain(|name, _| !COUNTS.contains(&name.as_str()));
    }
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.remove("annotations");
    }
}

/// Returns how many seconds a pod has to be ready until it counts as healthy.
#[must_use]
pub fn healthy_after(objects: &[Value]) -> i64 {
    let seconds = objects.iter().filter(|object| is_workload(object));
    let seconds = seconds.filter_map(|object| object.pointer("/spec/minReadySeconds")?.as_i64());
    seconds.max().unwrap_or(0)
}

/// Returns the objects of `kept` with the counts of `fresh`, which was rendered from the same inputs, and those of
/// `fresh` that depend only on counts.
#[must_use]
pub fn with_counts_of(kept: Vec<Value>, fresh: &[Value]) -> Vec<Value> {
    let only = |objects: &[Value]| objects.iter().filter(|object| is_workload(object)).count() == 1;
    let alone = only(&kept) && only(fresh);
    let counted = |object: &Value| {
        fresh.iter().find(|other| {
            is_workload(other)
                && kind(other) == kind(object)
                && (alone || name(other) == name(object))
        })
    };
    let mut objects: Vec<Value> = kept
        .into_iter()
        .filter(is_kept)
        .map(|mut object| {
            if is_workload(&object)
                && let Some(counts) = counted(&object).cloned()
            {
                take_counts(&mut object, &counts);
            }
            object
        })
        .collect();
    objects.extend(fresh.iter().filter(|object| !is_kept(object)).cloned());
    objects
}

/// Returns the objects with this number of tasks in their only Deployment, for when nothing more is known about the
/// counts. If there are several Deployments, they stay as they are.
#[must_use]
pub fn with_tasks(mut objects: Vec<Value>, tasks: i64) -> Vec<Value> {
    let mut deployments: Vec<&mut Value> = objects
        .iter_mut()
        .filter(|object| kind(object) == "Deployment")
        .collect();
    if let [deployment] = deployments.as_mut_slice()
        && let Some(Value::Object(spec)) = deployment.get_mut("spec")
    {
        spec.insert("replicas".to_owned(), json!(tasks));
    }
    objects
}

fn take_counts(object: &mut Value, counts: &Value) {
    strip_counts(object);
    let member = |path: &str| counts.pointer(path).cloned();
    for name in COUNTS {
        if let (Some(count), Some(Value::Object(spec))) =
            (member(&format!("/spec/{name}")), object.get_mut("spec"))
        {
            spec.insert((*name).to_owned(), count);
        }
    }
    if let (Some(tags), Some(Value::Object(metadata))) =
        (member("/metadata/annotations"), object.get_mut("metadata"))
    {
        metadata.insert("annotations".to_owned(), tags);
    }
}

/// Returns the objects with at most this number of tasks in all Deployments together. DaemonSets stay as they are,
/// because they always have one task on each node.
#[must_use]
pub fn with_at_most(mut objects: Vec<Value>, most: i64) -> Vec<Value> {
    let mut left = most.max(0);
    for object in &mut objects {
        if kind(object) == "Deployment"
            && let Some(Value::Object(spec)) = object.get_mut("spec")
        {
            let wanted = spec.get("replicas").and_then(Value::as_i64).unwrap_or(0);
            let tasks = wanted.min(left);
            left -= tasks;
            spec.insert("replicas".to_owned(), json!(tasks));
        }
    }
    objects
}

/// Writes the numbers of a rollout, and holds back what ECS could not replace: with the healthy minimum at the desired
/// count, and no room above it, old tasks stay.
pub fn with_numbers(objects: &mut [Value], numbers: Numbers<'_>) -> Hold {
    let is_split = objects.iter().filter(|it| kind(it) == "Deployment").count() > 1;
    if is_split {
        let mut specs: Vec<_> = objects
            .iter_mut()
            .filter(|object| kind(object) == "Deployment")
            .filter_map(|object| {
                let part = (numbers.parts)(name(object));
                Some((part, object.get_mut("spec")?.as_object_mut()?))
            })
            .collect();
        return spread(&mut specs, numbers);
    }
    let mut holds = false;
    for object in objects {
        let nodes = (numbers.nodes)(name(object));
        let kind = kind(object).to_owned();
        let Some(Value::Object(spec)) = object.get_mut("spec") else {
            continue;
        };
        holds |= match kind.as_str() {
            "Deployment" => pause(spec, numbers),
            "DaemonSet" => bound(spec, nodes, numbers),
            _ => false,
        };
    }
    Hold {
        is_blocked: holds,
        moves: false,
    }
}

/// Keeps autoscalers from removing tasks, as target tracking does not in ECS while a deployment is in progress
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html>).
pub fn hold_scale_in(objects: &mut [Value]) {
    for object in objects {
        let rules = match kind(object) {
            "HorizontalPodAutoscaler" => "/spec/behavior/scaleDown",
            "ScaledObject" => "/spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleDown",
            _ => continue,
        };
        if let Some(Value::Object(rules)) = object.pointer_mut(rules) {
            rules.insert("selectPolicy".to_owned(), json!("Disabled"));
        }
    }
}

fn pause(spec: &mut Map<String, Value>, numbers: Numbers<'_>) -> bool {
    let tasks = spec.get("replicas").and_then(Value::as_u64).unwrap_or(0);
    let tasks = u32::try_from(tasks).unwrap_or(u32::MAX);
    let stuck = Rollout::new(tasks, numbers.rules).is_stuck();
    if stuck && numbers.replaces {
        spec.insert("paused".to_owned(), json!(true));
        return true;
    }
    false
}

/// Sets the maximum of unavailable tasks as a number, because a DaemonSet rounds a percentage up where ECS rounds it
/// down. Returns whether the rollout is held back.
fn bound(spec: &mut Map<String, Value>, nodes: Option<u32>, numbers: Numbers<'_>) -> bool {
    let minimum = numbers.rules.minimum_healthy_percent;
    let Some(nodes) = nodes.filter(|nodes| *nodes > 0 && minimum > 0) else {
        return false;
    };
    let missing = Rollout::new(nodes, numbers.rules).max_unavailable();
    if missing == 0 && numbers.replaces {
        // A pod that ends by itself is replaced by a new one, as in ECS.
        spec.insert("updateStrategy".to_owned(), json!({"type": "OnDelete"}));
        return true;
    }
    if let Some(Value::Object(rolling)) = spec
        .get_mut("updateStrategy")
        .and_then(|strategy| strategy.get_mut("rollingUpdate"))
    {
        let missing = i32::try_from(missing.max(1)).unwrap_or(i32::MAX);
        rolling.insert("maxUnavailable".to_owned(), json!(missing));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(image: &str, replicas: i64) -> Value {
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "annotations": {"tags": image}},
            "spec": {
                "replicas": replicas,
                "minReadySeconds": 40,
                "strategy": {"rollingUpdate": {"maxSurge": replicas}},
                "template": {"image": image},
            },
        })
    }

    fn autoscaler(most: i64) -> Value {
        json!({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": {"maxReplicas": most}})
    }

    fn rules(minimum: u32, maximum: u32) -> validate::Deployment {
        validate::Deployment {
            minimum_healthy_percent: minimum,
            maximum_percent: maximum,
            circuit_breaker: None,
            alarms: None,
            early_success: None,
        }
    }

    #[test]
    fn what_is_kept_gets_the_counts_of_today_and_nothing_else() {
        let kept = vec![deployment("old", 2), autoscaler(3)];
        let fresh = [deployment("new", 5), autoscaler(9)];
        let objects = with_counts_of(kept, &fresh);
        assert_eq!(objects[0]["spec"]["template"]["image"], "old");
        assert_eq!(objects[0]["spec"]["replicas"], 5);
        assert_eq!(
            objects[0]["spec"]["strategy"]["rollingUpdate"]["maxSurge"],
            5
        );
        assert_eq!(objects[0]["metadata"]["annotations"]["tags"], "new");
        assert_eq!(objects[1..], [autoscaler(9)]);
        assert_eq!(healthy_after(&objects), 40);
    }

    #[test]
    fn what_stands_still_is_paused_only_while_there_is_something_to_keep() {
        let nodes = |_: &str| None;
        for (minimum, replaces, held) in [(100, true, true), (100, false, false), (50, true, false)]
        {
            let rules = rules(minimum, 100);
            let numbers = Numbers {
                rules: &rules,
                nodes: &nodes,
                parts: &|_| None,
                desired: Some(4),
                in_progress: true,
                has_old: replaces,
                replaces,
            };
            let mut objects = [deployment("a", 4)];
            assert_eq!(
                with_numbers(&mut objects, numbers).is_blocked,
                held,
                "{minimum} {replaces}"
            );
            assert_eq!(objects[0]["spec"].get("paused").is_some(), held);
        }
    }

    #[test]
    fn a_daemon_set_gets_numbers_for_its_nodes() {
        let daemon_set = || {
            json!({"kind": "DaemonSet", "metadata": {"name": "agent"}, "spec": {
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%"}},
            }})
        };
        let nodes = |name: &str| (name == "agent").then_some(5);
        let (half, all) = (rules(50, 100), rules(100, 100));
        let numbers = |rules| Numbers {
            rules,
            nodes: &nodes,
            parts: &|_| None,
            desired: None,
            in_progress: true,
            has_old: true,
            replaces: true,
        };
        let mut objects = [daemon_set()];
        assert!(!with_numbers(&mut objects, numbers(&half)).is_blocked);
        let strategy = &objects[0]["spec"]["updateStrategy"];
        assert_eq!(strategy["rollingUpdate"]["maxUnavailable"], 2);
        let mut objects = [daemon_set()];
        assert!(with_numbers(&mut objects, numbers(&all)).is_blocked);
        assert_eq!(
            objects[0]["spec"]["updateStrategy"],
            json!({"type": "OnDelete"})
        );
    }

    #[test]
    fn autoscalers_are_kept_from_removing_tasks() {
        let behavior =
            json!({"scaleUp": {"selectPolicy": "Max"}, "scaleDown": {"selectPolicy": "Max"}});
        let mut objects = [
            json!({"kind": "HorizontalPodAutoscaler", "spec": {"behavior": behavior}}),
            json!({"kind": "ScaledObject", "spec": {"advanced": {
                "horizontalPodAutoscalerConfig": {"behavior": behavior},
            }}}),
            deployment("a", 4),
        ];
        hold_scale_in(&mut objects);
        let advanced = &objects[1]["spec"]["advanced"]["horizontalPodAutoscalerConfig"];
        for found in [&objects[0]["spec"]["behavior"], &advanced["behavior"]] {
            assert_eq!(found["scaleDown"]["selectPolicy"], "Disabled");
            assert_eq!(found["scaleUp"]["selectPolicy"], "Max");
        }
        assert_eq!(objects[2], deployment("a", 4));
    }

    #[test]
    fn the_tasks_of_several_deployments_are_bounded_together() {
        let objects = with_at_most(vec![deployment("a", 4), deployment("b", 4)], 5);
        assert_eq!(objects[0]["spec"]["replicas"], 4);
        assert_eq!(objects[1]["spec"]["replicas"], 1);
    }
}
