//! States that can be compared: without what differs between two runs of the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::LazyLock,
};

use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// What is in a namespace, as a line for each value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    lines: BTreeSet<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    object: String,
    text: String,
}

/// What is in one state and not in the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    missing: BTreeSet<Line>,
    added: BTreeSet<Line>,
}

/// What objects are in a namespace and what was seen of it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub namespace: String,
    pub objects: Vec<Value>,
    pub events: Vec<Value>,
    /// How many tasks of each image there have ever been.
    pub tasks: BTreeMap<String, usize>,
}

impl State {
    /// What of all that was seen should be the same in each run.
    pub fn of(seen: &Seen) -> Self {
        let mut objects: Vec<&Value> = seen.objects.iter().collect();
        // Custom resources tell first which deployments there are.
        objects.sort_by_key(|object| (!is_ours(object), title(object)));
        let mut names = Names::new(seen);
        let mut known: Vec<(String, Value)> = objects
            .into_iter()
            .map(|object| (names.scrubbed(&title(object)), names.object(object)))
            .collect();
        known.sort_by_cached_key(|(title, object)| (title.clone(), object.to_string()));
        let mut lines = BTreeSet::new();
        let mut count = BTreeMap::new();
        for (title, object) in known {
            let number = count.entry(title.clone()).or_insert(0_usize);
            *number += 1;
            let object_name = if *number == 1 {
                title
            } else {
                format!("{title} #{number}")
            };
            flatten(&object_name, "", &object, &mut lines);
        }
        for event in &seen.events {
            lines.insert(Line {
                object: EVENTS.to_owned(),
                text: names.event(event),
            });
        }
        for (image, count) in &seen.tasks {
            lines.insert(Line {
                object: TASKS.to_owned(),
                text: format!("{image}: {count}"),
            });
        }
        Self { lines }
    }

    /// What is only in this state, or only in the other one. Of an object that is in one of them only, only the name.
    pub fn difference(&self, other: &Self) -> Difference {
        Difference {
            missing: self.alone(other),
            added: other.alone(self),
        }
    }

    fn alone(&self, other: &Self) -> BTreeSet<Line> {
        let lines = self.lines.difference(&other.lines);
        lines
            .map(|line| {
                let known = [EVENTS, TASKS].contains(&line.object.as_str());
                if known || other.lines.iter().any(|it| it.object == line.object) {
                    return line.clone();
                }
                Line {
                    object: line.object.clone(),
                    text: "all of it".to_owned(),
                }
            })
            .collect()
    }
}

/// The name of what is not an object, but was told.
const EVENTS: &str = "events";
/// The name of the count of tasks.
const TASKS: &str = "tasks that there have been";

/// How bad a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// There is none.
    Equal,
    /// Something was told that otherwise is not, or not told.
    Events,
    /// More or fewer tasks have run, but what is there in the end is the same.
    Tasks,
    /// The ends are not the same.
    Objects,
}

impl Difference {
    pub fn verdict(&self) -> Verdict {
        let lines = self.missing.iter().chain(&self.added);
        lines
            .map(|line| match line.object.as_str() {
                EVENTS => Verdict::Events,
                TASKS => Verdict::Tasks,
                _ => Verdict::Objects,
            })
            .max()
            .unwrap_or(Verdict::Equal)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = |sign, lines| std::iter::repeat(sign).zip(lines);
        let mut lines: Vec<(char, &Line)> = signed('-', &self.missing)
            .chain(signed('+', &self.added))
            .collect();
        lines.sort_by_key(|(sign, line)| (line.object.as_str(), *sign == '+', line.text.as_str()));
        let mut object = "";
        for (sign, line) in lines {
            if line.object != object {
                object = &line.object;
                writeln!(f, "    {object}")?;
            }
            writeln!(f, "      {sign} {}", line.text)?;
        }
        Ok(())
    }
}

fn is_ours(object: &Value) -> bool {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    version.starts_with("ecs-operator.dev/")
}

fn title(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}

/// A line for each value that has no members.
fn flatten(object: &str, path: &str, value: &Value, lines: &mut BTreeSet<Line>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                flatten(object, &format!("{path}.{name}"), value, lines);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                let place = condition(item).map_or_else(|| index.to_string(), str::to_owned);
                flatten(object, &format!("{path}[{place}]"), item, lines);
            }
        }
        _ => {
            let path = path.trim_start_matches('.');
            lines.insert(Line {
                object: object.to_owned(),
                text: format!("{path}: {value}"),
            });
        }
    }
}

#[allow(clippy::expect_used, reason = "the expressions are constants")]
fn expression(text: &str) -> Regex {
    Regex::new(text).expect("a regular expression")
}

/// What Kubernetes draws for names (k8s.io/apimachinery/pkg/util/rand).
const LETTERS: &str = "[bcdfghjklmnpqrstvwxz2456789]";

static SUFFIX: LazyLock<Regex> =
    LazyLock::new(|| expression(&format!(r"\b([a-z0-9.-]+)-{LETTERS}{{5}}\b")));
static TIME: LazyLock<Regex> =
    LazyLock::new(|| expression(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"));
static UID: LazyLock<Regex> = LazyLock::new(|| {
    expression(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
});
static DEPLOYMENT: LazyLock<Regex> = LazyLock::new(|| expression(r"\becs-svc/\d+"));

/// A text whose names are without what is drawn for each pod of a set and for volumes.
pub fn without_suffix(name: &str) -> String {
    SUFFIX.replace_all(name, "$1-*").into_owned()
}

/// The members of metadata that the API server and the clients of a run decide.
const METADATA: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
    "generation",
    "managedFields",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The members of specs that somebody else draws.
const DRAWN_MEMBERS: &[(&str, &[&str])] = &[
    (
        "Service",
        &["clusterIP", "clusterIPs", "healthCheckNodePort"],
    ),
    ("Pod", &["nodeName"]),
];

/// The members of a kept rendering in which the namespace cannot be seen.
const OF_RENDERINGS: &[&str] = &["compressed", "digest"];

/// The labels that pods take from the nodes that happen to have them.
const OF_NODES: &[&str] = &[
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// What the names that are drawn stand for.
struct Names<'s> {
    seen: &'s Seen,
    uids: BTreeMap<String, String>,
    deployments: Vec<String>,
}

impl<'s> Names<'s> {
    fn new(seen: &'s Seen) -> Self {
        let uid = |object: &Value| object["metadata"]["uid"].as_str().map(str::to_owned);
        let uids = seen.objects.iter();
        let uids = uids.filter_map(|object| Some((uid(object)?, title(object))));
        Self {
            seen,
            uids: uids.collect(),
            deployments: Vec::new(),
        }
    }

    /// A text without what differs from run to run.
    fn scrubbed(&mut self, text: &str) -> String {
        let text = text.replace(&self.seen.namespace, "NAMESPACE");
        let text = TIME.replace_all(&text, "TIME");
        let text = UID.replace_all(&text, |uid: &Captures<'_>| {
            self.uids.get(&uid[0]).map_or_else(
                || "uid of what is gone".to_owned(),
                |of| format!("uid of {of}"),
            )
        });
        let text = without_suffix(&text);
        let deployments = &mut self.deployments;
        let text = DEPLOYMENT.replace_all(&text, |id: &Captures<'_>| {
            let known = deployments.iter().position(|known| *known == id[0]);
            let number = known.unwrap_or_else(|| {
                deployments.push(id[0].to_owned());
                deployments.len() - 1
            });
            format!("ecs-svc/#{}", number + 1)
        });
        text.into_owned()
    }

    /// An event: about what, why, and with which words. How often and by whom is chance.
    fn event(&mut self, event: &Value) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let about = &event["regarding"];
        let (kind, name) = (text(&about["kind"]), text(&about["name"]));
        let words = format!(
            "{kind} {name} {} {}: {}",
            text(&event["type"]),
            text(&event["reason"]),
            text(&event["note"])
        );
        // Deployments that no status has any more cannot be told apart.
        let words = DEPLOYMENT.replace_all(&words, |id: &Captures<'_>| {
            if self.deployments.contains(&id[0].to_owned()) {
                id[0].to_owned()
            } else {
                "an old deployment".to_owned()
            }
        });
        self.scrubbed(&words)
    }

    fn object(&mut self, object: &Value) -> Value {
        let mut object = object.clone();
        let generation = object["metadata"]["generation"].as_i64();
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let is_ours = is_ours(&object);
        let Some(members) = object.as_object_mut() else {
            return object;
        };
        members.remove("kind");
        members.remove("apiVersion");
        if let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut) {
            METADATA
                .iter()
                .for_each(|name| drop(metadata.remove(*name)));
            metadata.remove("name");
        }
        if kind == "Pod" {
            let labels = members.get_mut("metadata");
            let labels = labels.and_then(|metadata| metadata.get_mut("labels"));
            if let Some(labels) = labels.and_then(Value::as_object_mut) {
                OF_NODES.iter().for_each(|name| drop(labels.remove(*name)));
            }
            let status = members.remove("status").unwrap_or_default();
            members.insert("status".to_owned(), pod_status(&status));
        } else if !is_ours {
            // It is of those who own these kinds, and tells of times and of what comes and goes.
            members.remove("status");
        }
        let data = members
            .get_mut("data")
            .and_then(|data| data.get_mut("rendering"));
        if let Some(rendering) = data.and_then(Value::as_object_mut) {
            // The namespace is in it, and it is what was applied, which is compared itself.
            OF_RENDERINGS
                .iter()
                .for_each(|name| drop(rendering.remove(*name)));
        }
        let spec = members.get_mut("spec").and_then(Value::as_object_mut);
        if let Some(spec) = spec {
            for (_, names) in DRAWN_MEMBERS.iter().filter(|(of, _)| *of == kind) {
                names.iter().for_each(|name| drop(spec.remove(*name)));
            }
        }
        self.value(&object, generation)
    }

    fn value(&mut self, value: &Value, generation: Option<i64>) -> Value {
        match value {
            Value::String(text) => Value::String(self.scrubbed(text)),
            Value::Array(items) => {
                let items = items.iter().map(|item| self.value(item, generation));
                let mut items: Vec<Value> = items.collect();
                if items.iter().all(is_in_no_order) {
                    items.sort_by_cached_key(Value::to_string);
                }
                Value::Array(items)
            }
            Value::Object(members) => {
                let mut normal = Map::new();
                for (name, value) in members {
                    let value = match name.as_str() {
                        "observedGeneration" if value.as_i64() == generation => "current".into(),
                        "observedGeneration" => "of an older spec".into(),
                        // How often a task has failed by then is chance, and so is which of the ends was seen.
                        "nodePort" | "recentValues" | "stoppedTasks" => continue,
                        // While a write waits more of them fail.
                        "failedTasks" => value.as_i64().is_some_and(|count| count > 0).into(),
                        _ => self.value(value, generation),
                    };
                    normal.insert(self.scrubbed(name), value);
                }
                Value::Object(normal)
            }
            other => other.clone(),
        }
    }
}

/// Owners are a set.
fn is_in_no_order(item: &Value) -> bool {
    item.get("blockOwnerDeletion").is_some() || item.get("controller").is_some()
}

/// The type of a condition, by which it is known wherever it stands.
fn condition(item: &Value) -> Option<&str> {
    item.get("lastTransitionTime")?;
    item.get("type")?.as_str()
}

/// Whether a pod runs is what counts; the rest are times and addresses.
fn pod_status(status: &Value) -> Value {
    let conditions = status["conditions"].as_array();
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready");
    serde_json::json!({
        "phase": status["phase"],
        "ready": ready.map(|condition| condition["status"].clone()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UID_OF_WEB: &str = "0b6d6f0e-0d0c-4b9c-9c39-1d2f3a4b5c6d";

    fn seen() -> Seen {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "web", "namespace": "faults-1", "uid": "1d2f3a4b-0d0c-4b9c-9c39-0b6d6f0e0000",
                "resourceVersion": "7", "generation": 3,
                "ownerReferences": [{"kind": "EcsService", "name": "web", "uid": UID_OF_WEB, "controller": true}],
            },
            "spec": {"replicas": 2}, "status": {"observedGeneration": 3},
        });
        let service = json!({
            "apiVersion": "ecs-operator.dev/v1alpha1", "kind": "EcsService",
            "metadata": {"name": "web", "uid": UID_OF_WEB, "generation": 2},
            "status": {
                "deployments": [{"id": "ecs-svc/2277347326971351727", "createdAt": "2026-11-26T17:00:50Z"}],
                "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 2, "lastTransitionTime": "2026-11-26T17:00:50Z"}],
            },
        });
        let pod = |suffix: &str| {
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("web-6d5f8c7b9d-{suffix}"), "uid": UID_OF_WEB.replace('0', suffix)},
                "spec": {"nodeName": suffix}, "status": {"phase": "Running", "podIP": suffix},
            })
        };
        Seen {
            namespace: "faults-1".to_owned(),
            objects: vec![deployment, service, pod("x2x4z"), pod("bbbbb")],
            events: vec![json!({
                "reason": "DeploymentStarted", "type": "Normal", "regarding": {"kind": "EcsService", "name": "web"},
                "note": "(service web) has started deployment ecs-svc/2277347326971351727 in faults-1.",
            })],
            tasks: BTreeMap::from([("testbed/web".to_owned(), 2)]),
        }
    }

    /// The difference that a change makes.
    fn changed(change: impl FnOnce(&mut Seen)) -> Difference {
        let mut other = seen();
        change(&mut other);
        State::of(&seen()).difference(&State::of(&other))
    }

    #[test]
    fn another_run_of_the_same_is_equal() {
        let difference = changed(|seen| {
            let text = json!(seen.objects).to_string();
            let text = text
                .replace("faults-1", "faults-2")
                .replace(UID_OF_WEB, &UID_OF_WEB.replace('6', "7"))
                .replace("2277347326971351727", "1")
                .replace("17:00:50", "18:01:51.123456")
                .replace("x2x4z", "ccccc")
                .replace("\"resourceVersion\":\"7\"", "\"resourceVersion\":\"8\"");
            seen.objects = serde_json::from_str(&text).unwrap();
            seen.objects.reverse();
            seen.namespace = "faults-2".to_owned();
            let text = json!(seen.events).to_string();
            let text = text
                .replace("faults-1", "faults-2")
                .replace("2277347326971351727", "1");
            seen.events = serde_json::from_str(&text).unwrap();
            seen.events.push(seen.events[0].clone());
        });
        assert_eq!(difference.verdict(), Verdict::Equal, "{difference}");
    }

    #[test]
    fn every_difference_is_seen() {
        type Edit = fn(&mut Seen);
        let edits: &[(&str, Edit)] = &[
            ("- spec.replicas: 2", |seen| {
                seen.objects[0]["spec"]["replicas"] = json!(3);
            }),
            (
                "- metadata.ownerReferences[0].uid: \"uid of EcsService web\"",
                |seen| {
                    let uid = UID_OF_WEB.replace('0', "1");
                    seen.objects[0]["metadata"]["ownerReferences"][0]["uid"] = json!(uid);
                },
            ),
            (
                "- status.conditions[Ready].observedGeneration: \"current\"",
                |seen| {
                    seen.objects[1]["metadata"]["generation"] = json!(3);
                },
            ),
            ("+ status.deployments[1].id: \"ecs-svc/#2\"", |seen| {
                let deployments = seen.objects[1]["status"]["deployments"].as_array_mut();
                deployments.unwrap().push(json!({"id": "ecs-svc/5"}));
            }),
            ("Pod web-6d5f8c7b9d-* #2\n      - all of it", |seen| {
                drop(seen.objects.pop())
            }),
            ("+ status.phase: \"Pending\"", |seen| {
                seen.objects[2]["status"]["phase"] = json!("Pending");
            }),
        ];
        for (expected, edit) in edits {
            let difference = changed(edit);
            assert_eq!(difference.verdict(), Verdict::Objects, "{expected}");
            assert!(difference.to_string().contains(expected), "{difference}");
        }
    }

    #[test]
    fn what_is_told_and_what_has_run_differ_in_their_own_ways() {
        let silent = changed(|seen| seen.events.clear());
        assert_eq!(silent.verdict(), Verdict::Events);
        let replaced = changed(|seen| {
            seen.events.clear();
            seen.tasks.insert("testbed/web".to_owned(), 4);
        });
        assert_eq!(replaced.verdict(), Verdict::Tasks);
        assert_eq!(
            replaced.to_string(),
            "    events\n      - EcsService web Normal DeploymentStarted: (service web) has started deployment ecs-svc/#1 in NAMESPACE.\n    tasks that there have been\n      - testbed/web: 2\n      + testbed/web: 4\n"
        );
    }
}
