//! What belongs to ECS or to the operator, in whatever form it is given.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{LABEL_LENGTH, is_owned_key, kname};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    settings::{is_label_value, is_subdomain},
};

/// A member that cannot be set, why, and what to do instead.
type Refusal = (&'static str, &'static str, &'static str);

/// The members of `metadata` that a patch may have.
const METADATA: &[&str] = &["annotations", "labels"];

/// The members of a PodSpec that a patch may not have.
const SPEC: &[Refusal] = &[
    (
        "activeDeadlineSeconds",
        "the operator would start ended pods again",
        "let the program in the container end itself",
    ),
    (
        "ephemeralContainers",
        "only running pods can have them",
        "use kubectl debug",
    ),
    (
        "restartPolicy",
        "it follows from whether a service or a task runs the pods",
        "set essential or restartPolicy in containerDefinitions",
    ),
    (
        "schedulingGates",
        "nothing would remove them, so that the pods would stay Pending",
        "use nodeSelector or affinity",
    ),
];

/// The members of a container that a patch may not have.
const CONTAINER: &[Refusal] = &[
    (
        "image",
        "it is in containerDefinitions",
        "set image in containerDefinitions",
    ),
    (
        "restartPolicy",
        "it follows from dependsOn and restartPolicy in containerDefinitions",
        "set these",
    ),
    (
        "restartPolicyRules",
        "they follow from restartPolicy in containerDefinitions",
        "set restartPolicy.ignoredExitCodes in containerDefinitions",
    ),
];

/// What the operator needs, so that a patch may change it but not remove it.
const KEPT: &[&str] = &[
    "containers",
    "initContainers",
    "metadata",
    "readinessGates",
    "spec",
    "volumes",
];

/// The names of a task definition.
pub(super) struct Refusals {
    /// The containers, by their names in Kubernetes.
    containers: BTreeSet<String>,
    /// The volumes, by their names in Kubernetes.
    volumes: BTreeSet<String>,
}

impl Refusals {
    pub(super) fn new(definition: &ecs::TaskDefinition) -> Self {
        let name = |name: &Option<String>| kname(name.as_deref().unwrap_or_default(), LABEL_LENGTH);
        let containers = definition.container_definitions.iter();
        let volumes = definition.volumes.iter();
        Self {
            containers: containers.map(|container| name(&container.name)).collect(),
            volumes: volumes.map(|volume| name(&volume.name)).collect(),
        }
    }

    /// Reports labels or annotations that belong to the operator or that Kubernetes does not accept.
    pub(super) fn keys(
        &self,
        map: &BTreeMap<String, String>,
        is_labels: bool,
        path: &FieldPath,
        sink: &mut Diagnostics,
    ) {
        for (key, value) in map {
            key_and_value(
                key,
                is_labels.then_some(value),
                &path.field(key.clone()),
                sink,
            );
        }
    }

    /// Reports a container that the task definition does not have.
    pub(super) fn container(&self, name: &str, path: &FieldPath, sink: &mut Diagnostics) {
        if !self.containers.contains(&kname(name, LABEL_LENGTH)) {
            let name = name.to_owned();
            sink.report(path.clone(), Message::PodContainerUnknown { name });
        }
    }

    /// Reports the name of a volume that the task definition has, or that no volume can have.
    pub(super) fn volume_name(&self, name: &str, path: &FieldPath, sink: &mut Diagnostics) {
        if self.volumes.contains(name) {
            let message = Message::PodMemberTaken {
                name: format!("volume {name}"),
                by: "volumes of the task definition".to_owned(),
                instead: "choose another name, or change the volume there".to_owned(),
            };
            sink.report(path.clone(), message);
        } else if kname(name, LABEL_LENGTH) != name {
            let (value, allowed) = (name.to_owned(), NAME.to_owned());
            sink.report(path.clone(), Message::InvalidValue { value, allowed });
        }
    }

    /// Reports what a patch of a pod template may not have.
    pub(super) fn patch(&self, patch: &Value, path: &FieldPath, sink: &mut Diagnostics) {
        let Value::Object(members) = patch else {
            return;
        };
        removals(members, path, sink);
        if let Some(Value::Object(metadata)) = members.get("metadata") {
            self.metadata(metadata, &path.field("metadata"), sink);
        }
        if let Some(Value::Object(spec)) = members.get("spec") {
            self.spec(spec, &path.field("spec"), sink);
        }
    }

    fn metadata(&self, metadata: &Map<String, Value>, path: &FieldPath, sink: &mut Diagnostics) {
        for (name, member) in metadata {
            let path = path.field(name.clone());
            if !METADATA.contains(&name.as_str()) {
                if !name.starts_with('$') {
                    let why = "the operator names the pods and owns them";
                    let instead = "set labels or annotations";
                    sink.report(path, not_allowed(&format!("metadata.{name}"), why, instead));
                }
                continue;
            }
            let Value::Object(keys) = member else {
                if member.is_null() {
                    sink.report(path, removed(&format!("metadata.{name}")));
                }
                continue;
            };
            for (key, value) in keys {
                let value = value.as_str().filter(|_| name == "labels");
                key_and_value(key, value, &path.field(key.clone()), sink);
            }
        }
    }

    fn spec(&self, spec: &Map<String, Value>, path: &FieldPath, sink: &mut Diagnostics) {
        removals(spec, path, sink);
        refuse(spec, SPEC, path, sink);
        for list in ["containers", "initContainers"] {
            let path = path.field(list);
            for (index, container, name) in named(spec.get(list), &path, sink) {
                let path = path.index(index);
                self.container(name, &path.field("name"), sink);
                refuse(container, CONTAINER, &path, sink);
            }
        }
        let path = path.field("volumes");
        for (index, _, name) in named(spec.get("volumes"), &path, sink) {
            self.volume_name(name, &path.index(index).field("name"), sink);
        }
    }
}

/// Returns the elements of a list with their names, and reports those that have none.
fn named<'v>(
    list: Option<&'v Value>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<(usize, &'v Map<String, Value>, &'v str)> {
    let elements = list.and_then(Value::as_array).into_iter().flatten();
    let mut named = Vec::new();
    for (index, element) in elements.enumerate() {
        let Value::Object(members) = element else {
            continue;
        };
        match members.get("name").and_then(Value::as_str) {
            Some(name) if !name.is_empty() => named.push((index, members, name)),
            _ => {
                let message = Message::RequiredField {
                    name: "name".to_owned(),
                };
                sink.report(path.index(index).field("name"), message);
            }
        }
    }
    named
}

fn refuse(
    members: &Map<String, Value>,
    refusals: &[Refusal],
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    for (name, why, instead) in refusals {
        if members.contains_key(*name) {
            sink.report(path.field(*name), not_allowed(name, why, instead));
        }
    }
}

/// Reports what a patch removes as a whole although the operator needs it.
fn removals(members: &Map<String, Value>, path: &FieldPath, sink: &mut Diagnostics) {
    for name in KEPT {
        if members.get(*name).is_some_and(Value::is_null) {
            sink.report(path.field(*name), removed(name));
        }
    }
}

fn removed(name: &str) -> Message {
    not_allowed(
        name,
        "null would remove what the operator needs",
        "leave it out, or name the members to change",
    )
}

fn not_allowed(name: &str, why: &str, instead: &str) -> Message {
    Message::PodMemberNotAllowed {
        name: name.to_owned(),
        why: why.to_owned(),
        instead: instead.to_owned(),
    }
}

fn key_and_value(key: &str, label: Option<&str>, path: &FieldPath, sink: &mut Diagnostics) {
    if is_owned_key(key) {
        let why = "the operator finds pods by its own labels and annotations";
        sink.report(path.clone(), not_allowed(key, why, "choose another key"));
    } else if !is_key(key) {
        let value = key.to_owned();
        let allowed = "must be a key of Kubernetes: up to 63 letters, digits, -, _ and ., after a domain and / if there is one".to_owned();
        sink.report(path.clone(), Message::InvalidValue { value, allowed });
    }
    if let Some(value) = label.filter(|value| !value.is_empty() && !is_label_value(value)) {
        let value = value.to_owned();
        let allowed =
            "must be up to 63 letters, digits, -, _ and ., with a letter or digit at both ends"
                .to_owned();
        sink.report(path.clone(), Message::InvalidValue { value, allowed });
    }
}

/// What Kubernetes requires of the name of a volume.
const NAME: &str =
    "must be up to 63 lowercase letters, digits and -, with a letter or digit at both ends";

/// Whether a text is a key of a label or annotation
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>).
fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        None => is_label_value(key),
        Some((domain, name)) => is_subdomain(domain) && is_label_value(name),
    }
}
