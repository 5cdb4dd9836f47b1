//! A model of what Kubernetes itself does, one step at a time: its controllers of workloads and volumes, and the
//! kubelets of two nodes.

use std::{hash::BuildHasher as _, sync::Arc};

use foldhash::quality::FixedState;
use serde_json::{Value, json};

use super::{
    pods,
    request::{NAMESPACE, Place},
    store::Store,
};

/// The nodes.
const NODES: &[&str] = &["node-1", "node-2"];

/// Takes the next step. Returns whether there was one.
pub(super) fn step(store: &mut Store) -> bool {
    let before = store.version();
    for (place, pod) in store.of_kind("", "pods") {
        if is_ending(&pod) {
            store.remove(&place);
        } else {
            pods::step(store, &place, &pod, NODES);
        }
    }
    for (place, deployment) in store.of_kind("apps", "deployments") {
        Workload::of(store, &deployment).deploy(store, &place);
    }
    for (place, daemon_set) in store.of_kind("apps", "daemonsets") {
        Workload::of(store, &daemon_set).spread(store, &place);
    }
    bind(store);
    store.collect_garbage();
    store.version() != before
}

/// Takes all steps that are possible while the operator does nothing. Returns whether there were any.
///
/// Terminating tasks take as long as they need, because nothing could say why a task ended that is gone.
pub(super) fn go_on(store: &mut Store) -> bool {
    let ends =
        |pod: &Value| is_ending(pod) && pod["metadata"]["ownerReferences"][0]["kind"] == "EcsTask";
    let before = store.version();
    while !store.of_kind("", "pods").iter().any(|(_, pod)| ends(pod)) && step(store) {}
    store.version() != before
}

fn is_ending(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

type Pod = (Arc<Place>, Arc<Value>);

/// A Deployment or DaemonSet and its pods.
struct Workload {
    object: Value,
    /// The label that identifies the pods of its template.
    hash: String,
    new: Vec<Pod>,
    old: Vec<Pod>,
}

impl Workload {
    fn of(store: &Store, object: &Value) -> Self {
        let template = object["spec"]["template"].to_string();
        let hash = FixedState::with_seed(0).hash_one(template);
        let hash = format!("{:05x}", hash & 0xf_ffff);
        let own = store.of_kind("", "pods").into_iter().filter(|(_, pod)| {
            let owner = pod.pointer("/metadata/ownerReferences/0/uid");
            owner == object.pointer("/metadata/uid") && !is_ending(pod)
        });
        let is_new = |pod: &Pod| pod.1["metadata"]["labels"]["pod-template-hash"] == hash;
        let (new, old) = own.partition(is_new);
        Self {
            object: object.clone(),
            hash,
            new,
            old,
        }
    }

    fn ready(&self) -> usize {
        let all = self.new.iter().chain(&self.old);
        all.filter(|(_, pod)| pods::is_ready(pod)).count()
    }

    /// Acts as a Deployment: new pods are created at once, and old ones are deleted when all of those are ready.
    fn deploy(&self, store: &mut Store, place: &Place) {
        let (new, old) = (self.new.len(), self.old.len());
        self.report(
            store,
            place,
            json!({
                "replicas": new + old,
                "updatedReplicas": new,
                "readyReplicas": self.ready(),
                "availableReplicas": self.ready(),
            }),
        );
        let spec = &self.object["spec"];
        let wanted = spec["replicas"].as_u64().unwrap_or(1);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let is_paused = spec["paused"] == true && old > 0;
        for number in new..wanted {
            if !is_paused {
                self.make(store, number, None);
            }
        }
        for (place, _) in self.new.iter().skip(wanted) {
            end(store, place);
        }
        let serving = self.new.iter().filter(|(_, pod)| pods::is_ready(pod));
        if serving.count() >= wanted && new <= wanted && !is_paused {
            self.old.iter().for_each(|(place, _)| end(store, place));
        }
    }

    /// Acts as a DaemonSet: an old pod is deleted when all others are ready, and a new one is created on its node when
    /// it is gone.
    fn spread(&self, store: &mut Store, place: &Place) {
        let (new, old) = (self.new.len(), self.old.len());
        self.report(
            store,
            place,
            json!({
                "desiredNumberScheduled": NODES.len(),
                "currentNumberScheduled": new + old,
                "updatedNumberScheduled": new,
                "numberReady": self.ready(),
                "numberAvailable": self.ready(),
            }),
        );
        let rolls = self.object["spec"]["updateStrategy"]["type"] != "OnDelete";
        if let Some((place, _)) = self.old.first().filter(|_| rolls)
            && self.ready() == NODES.len()
        {
            end(store, place);
        }
        let all = self.new.iter().chain(&self.old);
        let taken: Vec<&Value> = all.map(|(_, pod)| &pod["spec"]["nodeName"]).collect();
        for (number, node) in NODES.iter().enumerate() {
            if !taken.contains(&&json!(node)) {
                self.make(store, number, Some(node));
            }
        }
    }

    fn report(&self, store: &mut Store, place: &Place, mut status: Value) {
        status["observedGeneration"] = self.object["metadata"]["generation"].clone();
        if self.object["status"] != status {
            store.change(place, |workload| workload["status"] = status);
        }
    }

    fn make(&self, store: &mut Store, number: usize, node: Option<&str>) {
        let (metadata, template) = (&self.object["metadata"], &self.object["spec"]["template"]);
        let name = metadata["name"].as_str().unwrap_or_default();
        // The name is never reused.
        let name = format!("{name}-{}-{number}v{}", self.hash, store.version());
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": template["metadata"],
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        });
        pod["metadata"]["labels"]["pod-template-hash"] = json!(self.hash);
        pod["metadata"]["ownerReferences"] = json!([{
            "apiVersion": self.object["apiVersion"],
            "kind": self.object["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": true,
        }]);
        if let Some(node) = node {
            pod["spec"]["nodeName"] = json!(node);
        }
        store.insert(Place::new("", "pods", &name), pod);
    }
}

fn end(store: &mut Store, pod: &Place) {
    // A pod without a node is gone immediately.
    let _ended = store.delete(pod, None);
}

/// Binds volumes to their claims, and releases those whose claims are gone.
fn bind(store: &mut Store) {
    for (place, volume) in store.of_kind("", "persistentvolumes") {
        let claim = volume.pointer("/spec/claimRef/name");
        let claim = claim.and_then(Value::as_str).unwrap_or_default();
        let claim = Place {
            namespace: NAMESPACE.to_owned(),
            ..Place::new("", "persistentvolumeclaims", claim)
        };
        let was_bound = volume["status"]["phase"] == "Bound";
        let phase = match store.get(&claim) {
            Some(_) => "Bound",
            None if was_bound => "Released",
            None => continue,
        };
        if volume["status"]["phase"] == phase {
            continue;
        }
        if phase == "Bound" {
            store.change(&claim, |claim| claim["status"] = json!({"phase": "Bound"}));
        }
        store.change(&place, |volume| volume["status"] = json!({"phase": phase}));
    }
}
