//! What is in a namespace, and what has been.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::{core::v1::Pod, events::v1::Event};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams},
    discovery::{Discovery, Scope, verbs},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::normal::{Seen, State};

/// Kinds that are not compared, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("Endpoints", "made by Kubernetes out of Services and pods"),
    (
        "EndpointSlice",
        "made by Kubernetes out of Services and pods",
    ),
    ("Event", "compared by their words"),
    ("Lease", "tells who leads, which differs"),
];

/// Objects that Kubernetes makes in each namespace.
const OF_KUBERNETES: &[(&str, &str)] = &[
    ("ConfigMap", "kube-root-ca.crt"),
    ("ServiceAccount", "default"),
];

/// The kinds of objects of a namespace.
pub async fn kinds(client: &Client) -> Result<Vec<ApiResource>> {
    let discovery = Discovery::new(client.clone()).run().await?;
    let resources = discovery
        .groups()
        .flat_map(|group| group.recommended_resources());
    let compared = resources.filter(|(kind, can)| {
        can.scope == Scope::Namespaced
            && can.supports_operation(verbs::LIST)
            && !LEFT_OUT.iter().any(|(left_out, _)| *left_out == kind.kind)
    });
    Ok(compared.map(|(kind, _)| kind).collect())
}

/// Looks at a namespace.
pub struct Observer {
    client: Client,
    namespace: String,
    kinds: Arc<Vec<ApiResource>>,
    /// The image of each pod that there has ever been, by its uid.
    tasks: Arc<Mutex<BTreeMap<String, String>>>,
    watches: JoinHandle<()>,
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.watches.abort();
    }
}

impl Observer {
    /// Begins to count pods.
    pub fn new(client: Client, namespace: &str, kinds: Arc<Vec<ApiResource>>) -> Self {
        let tasks = Arc::<Mutex<BTreeMap<String, String>>>::default();
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let seen = tasks.clone();
        let watches = tokio::spawn(async move {
            let pods = watcher(pods, watcher::Config::default()).default_backoff();
            let mut pods = std::pin::pin!(pods.applied_objects());
            while let Some(pod) = pods.next().await {
                let Ok(pod) = pod else { continue };
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.insert(pod.uid().unwrap_or_default(), images(&pod));
            }
        });
        Self {
            client,
            namespace: namespace.to_owned(),
            kinds,
            tasks,
            watches,
        }
    }

    /// What is there now.
    pub async fn state(&self) -> Result<State> {
        let lists = self.kinds.iter().map(|kind| self.objects(kind));
        let lists: Vec<Vec<Value>> = stream::iter(lists).buffered(4).try_collect().await?;
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let events = events.list(&ListParams::default()).await?;
        let ours = events.into_iter().filter(|event| {
            event.reporting_controller.as_deref() == Some("ecs-operator.dev/ecs-operator")
        });
        let mut objects = lists.concat();
        objects.extend(self.volumes().await?);
        Ok(State::of(&Seen {
            namespace: self.namespace.clone(),
            objects,
            events: ours.map(|event| json!(event)).collect(),
            tasks: self.tasks(),
        }))
    }

    /// How many tasks of each image there have been.
    fn tasks(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for image in tasks.values() {
            *counts.entry(image.clone()).or_insert(0) += 1;
        }
        counts
    }

    async fn objects(&self, kind: &ApiResource) -> Result<Vec<Value>> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, kind);
        let objects = match api.list(&ListParams::default()).await {
            Ok(list) => list.items,
            // What can be listed in principle may not be served here.
            Err(kube::Error::Api(status)) if [404, 405].contains(&status.code) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let ours = objects.into_iter().filter(|object| {
            let name = object.name_any();
            !OF_KUBERNETES.contains(&(kind.kind.as_str(), name.as_str()))
        });
        Ok(ours.map(|object| typed(kind, &object)).collect())
    }

    /// The volumes that are bound to claims of the namespace.
    async fn volumes(&self) -> Result<Vec<Value>> {
        let kind = ApiResource::erase::<k8s_openapi::api::core::v1::PersistentVolume>(&());
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind);
        let volumes = api.list(&ListParams::default()).await?;
        let is_here = |object: &DynamicObject| {
            object.data["spec"]["claimRef"]["namespace"] == self.namespace.as_str()
        };
        let here = volumes.into_iter().filter(is_here);
        Ok(here.map(|object| typed(&kind, &object)).collect())
    }
}

/// The names of a pod's images.
fn images(pod: &Pod) -> String {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let images: Vec<&str> = containers
        .filter_map(|container| container.image.as_deref())
        .collect();
    images.join(" ")
}

/// An object with its kind, which lists leave out.
fn typed(kind: &ApiResource, object: &DynamicObject) -> Value {
    let mut value = json!(object);
    value["apiVersion"] = json!(kind.api_version);
    value["kind"] = json!(kind.kind);
    value
}
