//! The final state, without what differs between two equal runs: identities, versions, times, generated names.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::store::Store;

/// A line for each value, by object.
pub(super) type State = BTreeMap<String, BTreeSet<String>>;

/// Returns the normalized state.
pub(super) fn state(store: &Store) -> State {
    let mut objects: Vec<&Value> = store.objects().values().map(|it| &**it).collect();
    // Custom resources come first, because they show which deployments there are.
    objects.sort_by_key(|object| !is_ours(object));
    let uid = |object: &Value| object["metadata"]["uid"].as_str().map(str::to_owned);
    let titles = objects.iter();
    let titles = titles.filter_map(|object| Some((uid(object)?, title(object))));
    let mut names = Names {
        titles: titles.collect(),
        deployments: Vec::new(),
    };
    let mut known: Vec<(String, BTreeSet<String>)> = objects
        .into_iter()
        .map(|object| (title(object), names.lines_of(object)))
        .collect();
    known.sort();
    let mut count = BTreeMap::new();
    let mut state = State::new();
    for (title, lines) in known {
        let number = count.entry(title.clone()).or_insert(0_usize);
        *number += 1;
        state.insert(format!("{title} #{number}"), lines);
    }
    let made = store.made().iter();
    let made = made.map(|(what, count)| format!("{count} for {what}"));
    state.insert("pods that there have been".to_owned(), made.collect());
    state
}

/// Returns the reported events, without what differs between two runs.
pub(super) fn told(events: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let words = events.iter().map(|event| {
        let about = &event["regarding"];
        let words = ["kind", "name"].map(|member| text(&about[member]));
        let said = ["reason", "note"].map(|member| text(&event[member]));
        let words = format!("{}: {}", words.join(" "), said.join(": "));
        DEPLOYMENT.replace_all(&words, "ecs-svc/#").into_owned()
    });
    let mut words: Vec<String> = words.collect();
    words.sort();
    words
}

/// Returns what is in only one of two states. For an object that is in only one, just its name.
pub(super) fn difference(expected: &State, found: &State) -> Vec<String> {
    let objects: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let of = |object: &String| match (expected.get(object), found.get(object)) {
        (Some(_), None) => vec![format!("- {object}")],
        (None, Some(_)) => vec![format!("+ {object}")],
        (Some(expected), Some(found)) => {
            let missing = expected.difference(found).map(|line| ('-', line));
            let lines = missing.chain(found.difference(expected).map(|line| ('+', line)));
            let lines = lines.map(|(sign, line)| format!("{sign} {object} {line}"));
            lines.collect()
        }
        (None, None) => Vec::new(),
    };
    objects.into_iter().flat_map(of).collect()
}

fn is_ours(object: &Value) -> bool {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    version.starts_with("ecs-operator.dev/")
}

fn title(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(&object["metadata"]["name"]);
    let name = DRAWN.replace(&name, "-*");
    format!("{} {name}", text(&object["kind"]))
}

fn expression(text: &str) -> Regex {
    Regex::new(text).expect("it is one")
}

static DRAWN: LazyLock<Regex> = LazyLock::new(|| expression(r"-\d+v\d+\b"));
static TIME: LazyLock<Regex> =
    LazyLock::new(|| expression(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"));
static UID: LazyLock<Regex> = LazyLock::new(|| expression(r"\buid-\d+\b"));
static DEPLOYMENT: LazyLock<Regex> = LazyLock::new(|| expression(r"\becs-svc/\d+"));

/// The members of metadata that differ between runs.
const OF_RUNS: &[&str] = &[
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
];

/// The replacements for generated names.
struct Names {
    titles: BTreeMap<String, String>,
    deployments: Vec<String>,
}

impl Names {
    fn lines_of(&mut self, object: &Value) -> BTreeSet<String> {
        let generation = object["metadata"]["generation"].clone();
        let mut object = object.clone();
        if let Value::Object(metadata) = &mut object["metadata"] {
            metadata.retain(|name, _| !OF_RUNS.contains(&name.as_str()));
        }
        let mut lines = BTreeSet::new();
        self.flatten("", &object, &generation, &mut lines);
        lines
    }

    fn flatten(
        &mut self,
        path: &str,
        value: &Value,
        generation: &Value,
        lines: &mut BTreeSet<String>,
    ) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (name, value) in sorted(members) {
                    let path = format!("{path}.{name}");
                    // An end that happens while nothing watches is not reported, and what an operator has measured before
                    // it ended is gone.
                    if matches!(name.as_str(), "stoppedTasks" | "recentValues") {
                        continue;
                    }
                    if name == "observedGeneration" && value == generation {
                        lines.insert(format!("{path}: that of the spec"));
                    } else {
                        self.flatten(&path, value, generation, lines);
                    }
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.flatten(&format!("{path}[{index}]"), item, generation, lines);
                }
            }
            Value::String(text) => {
                let text = self.scrubbed(text);
                lines.insert(format!("{path}: {text}"));
            }
            value => {
                lines.insert(format!("{path}: {value}"));
            }
        }
    }

    /// Returns a text without what differs between runs.
    fn scrubbed(&mut self, text: &str) -> String {
        if !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return text.to_owned();
        }
        let text = DRAWN.replace_all(text, "-*");
        let text = TIME.replace_all(&text, "TIME");
        let text = UID.replace_all(&text, |uid: &Captures<'_>| {
            let title = self.titles.get(&uid[0]);
            title.map_or_else(
                || "uid of what is gone".to_owned(),
                |of| format!("uid of {of}"),
            )
        });
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
}

fn sorted(members: &Map<String, Value>) -> BTreeMap<&String, &Value> {
    members.iter().collect()
}
