//! The objects of an in-memory cluster, under the rules by which the API server changes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use http::StatusCode;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    patch,
    request::{Place, Request, Verb},
};
use crate::controller::status::whole_seconds;

/// All objects. Two of these share the objects that are equal.
pub(super) type Objects = BTreeMap<Arc<Place>, Arc<Value>>;

/// The objects of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Store {
    objects: Objects,
    version: u64,
    now: Timestamp,
    /// How many pods have ever been created, by owner and images.
    made: BTreeMap<String, usize>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            objects: Objects::new(),
            // No object has the version that an apply uses to request a new object.
            version: 1,
            now: whole_seconds(Timestamp::now() - SignedDuration::from_mins(2)),
            made: BTreeMap::new(),
        }
    }
}

/// Why a request is rejected.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: StatusCode,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Refused {
    fn not_found(place: &Place) -> Self {
        Self {
            code: StatusCode::NOT_FOUND,
            reason: "NotFound",
            message: format!("{place} not found"),
        }
    }

    pub(super) fn conflict(place: &Place, why: &str) -> Self {
        Self {
            code: StatusCode::CONFLICT,
            reason: "Conflict",
            message: format!("operation cannot be fulfilled on {place}: {why}"),
        }
    }
}

impl Store {
    pub(super) const fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Returns the version. Each change has its own number.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    pub(super) const fn made(&self) -> &BTreeMap<String, usize> {
        &self.made
    }

    pub(super) fn get(&self, place: &Place) -> Option<&Value> {
        self.objects.get(place).map(|object| &**object)
    }

    /// Returns the objects of a kind.
    pub(super) fn of_kind(&self, group: &str, plural: &str) -> Vec<(Arc<Place>, Arc<Value>)> {
        let all = self.objects.iter();
        all.filter(|(place, _)| place.is_of(group, plural))
            .map(|(place, object)| (place.clone(), object.clone()))
            .collect()
    }

    /// Carries out a request.
    pub(super) fn carry_out(&mut self, request: &Request) -> Result<Value, Refused> {
        let Request {
            place,
            subresource,
            verb,
            body,
        } = request;
        match verb {
            Verb::Get => {
                let live = self.get(place).ok_or_else(|| Refused::not_found(place))?;
                Ok(live.clone())
            }
            Verb::List(selector) => Ok(self.list(place, selector)),
            Verb::Create if subresource == "eviction" => {
                let preconditions = body.pointer("/deleteOptions/preconditions");
                self.delete(place, preconditions)
            }
            Verb::Create => {
                let name = body.pointer("/metadata/name").and_then(Value::as_str);
                let place = Place {
                    name: name.unwrap_or_default().to_owned(),
                    ..place.clone()
                };
                if self.get(&place).is_some() {
                    return Err(Refused {
                        reason: "AlreadyExists",
                        ..Refused::conflict(&place, "it already exists")
                    });
                }
                Ok(self.insert(place, body.clone()))
            }
            Verb::Apply => self.apply(place, body),
            Verb::Merge | Verb::Strategic => self.patch(request),
            Verb::Delete => self.delete(place, body.get("preconditions")),
        }
    }

    fn list(&self, of: &Place, selector: &[String]) -> Value {
        let here = |place: &Place| {
            place.is_of(&of.group, &of.plural)
                && (of.namespace.is_empty() || of.namespace == place.namespace)
        };
        let chosen = |object: &Value| {
            let labels = object.pointer("/metadata/labels").unwrap_or(&Value::Null);
            selector.iter().all(|term| match term.split_once('=') {
                Some((name, value)) => labels.get(name).is_some_and(|label| label == value),
                None => labels.get(term).is_some(),
            })
        };
        let all = self.objects.iter();
        let items = all.filter(|(place, object)| here(place) && chosen(object));
        json!({
            "kind": "List",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": self.version.to_string()},
            "items": items.map(|(_, object)| Value::clone(object)).collect::<Vec<_>>(),
        })
    }

    /// Creates an object.
    pub(super) fn insert(&mut self, place: Place, mut object: Value) -> Value {
        self.version += 1;
        let metadata = &mut object["metadata"];
        metadata["name"] = json!(place.name);
        if !place.namespace.is_empty() {
            metadata["namespace"] = json!(place.namespace);
        }
        metadata["uid"] = json!(format!("uid-{}", self.version));
        metadata["resourceVersion"] = json!(self.version.to_string());
        metadata["creationTimestamp"] = json!(self.now());
        metadata["generation"] = json!(1);
        if place.is_of("", "pods") {
            let made = self.made.entry(made_of(&object)).or_insert(0);
            *made += 1;
        }
        self.objects
            .insert(Arc::new(place), Arc::new(object.clone()));
        object
    }

    /// Returns the time at which everything happens: a while ago, so that tests need not wait for delays of seconds.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Changes an existing object. If nothing changes, there is no new version.
    pub(super) fn change(&mut self, place: &Place, change: impl FnOnce(&mut Value)) -> Value {
        let live = self.objects.get_mut(place).expect("it is there");
        let mut object = Value::clone(live);
        change(&mut object);
        if object == **live {
            return object;
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if asked_for(&object) != asked_for(live) {
            let generation = live["metadata"]["generation"].as_i64().unwrap_or(0);
            object["metadata"]["generation"] = json!(generation + 1);
        }
        *live = Arc::new(object.clone());
        object
    }

    fn apply(&mut self, place: &Place, body: &Value) -> Result<Value, Refused> {
        let metadata = body.get("metadata");
        let Some(live) = self.get(place) else {
            if metadata.is_some_and(|it| it.get("uid").is_some()) {
                return Err(Refused::conflict(place, "uid mismatch: it does not exist"));
            }
            let mut object = json!({});
            patch::apply(&mut object, body);
            return Ok(self.insert(place.clone(), object));
        };
        check(place, live, metadata)?;
        Ok(self.change(place, |live| patch::apply(live, body)))
    }

    fn patch(&mut self, request: &Request) -> Result<Value, Refused> {
        let (place, body) = (&request.place, &request.body);
        let live = self.get(place).ok_or_else(|| Refused::not_found(place))?;
        check(place, live, body.get("metadata"))?;
        if request.subresource == "scale" {
            let count = body["spec"]["replicas"].clone();
            let scaled = self.change(place, |live| live["spec"]["desiredCount"] = count);
            return Ok(json!({"metadata": scaled["metadata"]}));
        }
        let mut body = body.clone();
        if let Value::Object(members) = &mut body {
            let of_status = request.subresource == "status";
            members.retain(|name, _| match name.as_str() {
                "status" => of_status,
                _ => !of_status,
            });
            if let Some(Value::Object(metadata)) = members.get_mut("metadata") {
                metadata.remove("resourceVersion");
            }
        }
        let how = match request.verb {
            Verb::Strategic => patch::strategic,
            _ => patch::merge,
        };
        let changed = self.change(place, |live| how(live, &body));
        let metadata = &changed["metadata"];
        if metadata.get("deletionTimestamp").is_some() && metadata["finalizers"] == json!([]) {
            // Nothing holds it anymore.
            self.remove(place);
            self.collect_garbage();
        }
        Ok(changed)
    }

    /// Deletes an object, and immediately the objects that it alone owned.
    pub(super) fn delete(
        &mut self,
        place: &Place,
        preconditions: Option<&Value>,
    ) -> Result<Value, Refused> {
        let live = self.get(place).ok_or_else(|| Refused::not_found(place))?;
        check(place, live, preconditions)?;
        self.end(place);
        self.collect_garbage();
        Ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}))
    }

    /// Ends an object. A running pod is marked as terminating, and is removed when its kubelet has ended it; one with
    /// finalizers is removed when these are gone.
    fn end(&mut self, place: &Place) {
        let runs = self.get(place).is_some_and(|pod| {
            let phase = pod.pointer("/status/phase").and_then(Value::as_str);
            place.is_of("", "pods")
                && pod.pointer("/spec/nodeName").is_some()
                && !matches!(phase, Some("Succeeded" | "Failed"))
        });
        let is_held = self.get(place).is_some_and(|object| {
            let finalizers = object.pointer("/metadata/finalizers");
            finalizers
                .and_then(Value::as_array)
                .is_some_and(|all| !all.is_empty())
        });
        if !runs && !is_held {
            self.remove(place);
            return;
        }
        let now = self.now();
        self.change(place, |pod| {
            let metadata = pod["metadata"].as_object_mut().expect("it has metadata");
            metadata
                .entry("deletionTimestamp")
                .or_insert_with(|| json!(now));
        });
    }

    /// Removes the statuses of all custom resources, as restoring a backup does.
    pub(super) fn lose_statuses(&mut self) {
        let ours = self.objects.keys();
        let ours = ours.filter(|place| place.group == "ecs-operator.dev");
        for place in ours.cloned().collect::<Vec<_>>() {
            self.change(&place, |object| {
                object.as_object_mut().expect("it is one").remove("status");
            });
        }
    }

    /// Removes the running pods of EcsTasks, as when their nodes fail. Returns whether there were any.
    pub(super) fn lose_tasks(&mut self) -> bool {
        let mut pods = self.of_kind("", "pods");
        pods.retain(|(_, pod)| {
            let owner = &pod["metadata"]["ownerReferences"][0];
            owner["kind"] == "EcsTask" && pod.pointer("/spec/schedulingGates").is_none()
        });
        for (place, _) in &pods {
            self.remove(place);
        }
        !pods.is_empty()
    }

    /// Removes an object.
    pub(super) fn remove(&mut self, place: &Place) {
        self.version += 1;
        self.objects.remove(place);
    }

    /// Deletes objects whose owners are all gone; others lose the owner that is gone.
    pub(super) fn collect_garbage(&mut self) {
        loop {
            let uid = |object: &Value| object["metadata"]["uid"].clone().to_string();
            let there: BTreeSet<String> = self.objects.values().map(|it| uid(it)).collect();
            let left = |object: &Value| {
                let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
                let is_there = |owner: &&Value| there.contains(&owner["uid"].to_string());
                let left: Vec<Value> = owners.iter().filter(is_there).cloned().collect();
                (left.len() < owners.len()).then_some(left)
            };
            let ends = |object: &Value| object["metadata"].get("deletionTimestamp").is_some();
            let mut all = self.objects.iter();
            let orphan = all.find_map(|(place, object)| {
                let left = left(object).filter(|left| !left.is_empty() || !ends(object));
                Some((place.clone(), left?))
            });
            match orphan {
                None => return,
                Some((place, left)) if left.is_empty() => self.end(&place),
                Some((place, left)) => {
                    self.change(&place, |it| it["metadata"]["ownerReferences"] = json!(left));
                }
            }
        }
    }
}

/// Checks that an object has the UID and version that a request is about.
fn check(place: &Place, live: &Value, asked: Option<&Value>) -> Result<(), Refused> {
    for member in ["uid", "resourceVersion"] {
        let asked = asked.and_then(|it| it.get(member));
        let asked = asked.filter(|it| !it.is_null());
        if asked.is_some_and(|asked| *asked != live["metadata"][member]) {
            return Err(Refused::conflict(place, &format!("its {member} differs")));
        }
    }
    Ok(())
}

/// Returns everything in an object except its status.
fn asked_for(object: &Value) -> Value {
    let mut members = object.as_object().cloned().unwrap_or_default();
    members.retain(|name, _| !matches!(name.as_str(), "metadata" | "status"));
    Value::Object(members)
}

/// Returns the owner and the images of a pod.
fn made_of(pod: &Value) -> String {
    let owner = &pod["metadata"]["ownerReferences"][0];
    let containers = pod["spec"]["containers"].as_array();
    let images = containers
        .into_iter()
        .flatten()
        .map(|container| container["image"].as_str().unwrap_or_default());
    let images = images.collect::<Vec<_>>().join(", ");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {} of {images}",
        text(&owner["kind"]),
        text(&owner["name"])
    )
}
