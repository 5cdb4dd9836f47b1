//! What is in a namespace: everything that reconciles look at, read once.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use k8s_openapi::api::{apps::v1::ControllerRevision, core::v1::Pod};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, ListParams},
    core::{ApiResource, GroupVersionKind},
    runtime::watcher::Event,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Operator,
    manifests::is_capacity_provider,
    policies::{Known, fill, permitted, policies},
};
use crate::{
    controller::{
        caches::{
            catch_up::Refused, child::Child, child_kind::ChildKind, children::Key, watch::OURS,
        },
        capacity_provider::CAPACITY_PROVIDERS,
        context::Context,
        error::code,
        events::Events,
        kind::Reconciled,
        process::discovery::{Cluster, kubernetes_minor},
        service::Renewals,
    },
    crd::{API_VERSION, EcsCapacityProvider, EcsCluster, EcsService, EcsTask, EcsTaskDefinition},
    server::Metrics,
    settings::{EcrPullSecrets, Mode, Settings, WorkloadTarget},
};

/// The custom resources of a namespace, by kind and name.
pub(super) type Resources = BTreeMap<(String, String), Value>;

/// The kinds of custom resources and their plural names.
pub(super) const KINDS: &[(&str, &str)] = &[
    ("EcsCluster", "ecsclusters"),
    ("EcsTaskDefinition", "ecstaskdefinitions"),
    ("EcsService", "ecsservices"),
    ("EcsTask", "ecstasks"),
];

/// The content of a namespace.
pub struct Snapshot {
    client: Client,
    pub(super) namespace: String,
    /// The version and the add-ons of the cluster.
    discovered: Settings,
    pub(super) resources: Resources,
    revisions: Vec<ControllerRevision>,
    pods: Vec<Pod>,
    /// The objects that the operator has created.
    pub(super) objects: BTreeMap<Key, Value>,
    /// The kinds that may not be read.
    pub(super) unreadable: Vec<&'static ChildKind>,
    /// The capacity providers of the cluster; `None` if the user may not read them.
    providers: Option<Vec<EcsCapacityProvider>>,
    /// What the policies say.
    pub(super) known: Known,
}

impl Snapshot {
    /// Reads a namespace.
    ///
    /// # Errors
    ///
    /// When a request fails, except for kinds of objects that the user may not read.
    pub async fn read(client: &Client, namespace: &str) -> Result<Self, kube::Error> {
        let cluster = Cluster::first(client).await?;
        let all = ListParams::default();
        let ours = ListParams::default().labels(OURS);
        let mut snapshot = Self {
            client: client.clone(),
            namespace: namespace.to_owned(),
            discovered: Settings {
                mode: Mode::Controller,
                in_cluster: true,
                workload_target: WorkloadTarget::EcsService,
                kubernetes_minor: kubernetes_minor(client).await?,
                addons: cluster.addons(),
                ecr_pull_secrets: cluster.ecr_pull_secrets(EcrPullSecrets::On),
                ..Settings::default()
            },
            resources: Resources::new(),
            revisions: of::<ControllerRevision>(client, namespace, &all).await?,
            pods: of::<Pod>(client, namespace, &ours).await?,
            objects: BTreeMap::new(),
            unreadable: Vec::new(),
            providers: capacity_providers(client).await?,
            known: Known::read(client, namespace).await?,
        };
        for (kind, plural) in KINDS {
            let (group, version) = API_VERSION.split_once('/').unwrap_or_default();
            let kind_of = GroupVersionKind::gvk(group, version, kind);
            let api = ApiResource::from_gvk_with_plural(&kind_of, plural);
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &api);
            for object in api.list(&all).await? {
                let place = ((*kind).to_owned(), object.name_any());
                let object = plain(&object, API_VERSION, kind);
                snapshot.resources.insert(place, object);
            }
        }
        for kind in cluster.kinds() {
            match children(client, namespace, kind, &ours).await {
                Ok(objects) => snapshot.objects.extend(objects),
                Err(error) if code(&error) == Some(403) => snapshot.unreadable.push(kind),
                // It was removed meanwhile.
                Err(error) if code(&error) == Some(404) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(snapshot)
    }

    /// Returns a snapshot of these objects, each with the plural name of its kind.
    #[cfg(test)]
    pub(in crate::controller) fn of_objects<'o>(
        client: &Client,
        namespace: &str,
        objects: impl Iterator<Item = (&'o str, &'o Value)>,
    ) -> Self {
        let mut snapshot = Self {
            client: client.clone(),
            namespace: namespace.to_owned(),
            discovered: Settings {
                mode: Mode::Controller,
                in_cluster: true,
                workload_target: WorkloadTarget::EcsService,
                ecr_pull_secrets: EcrPullSecrets::On,
                ..Settings::default()
            },
            resources: Resources::new(),
            revisions: Vec::new(),
            pods: Vec::new(),
            objects: BTreeMap::new(),
            unreadable: Vec::new(),
            providers: Some(Vec::new()),
            known: Known::without_policies(),
        };
        let text = |object: &Value, path: &str| {
            let text = object.pointer(path).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        for (plural, object) in objects {
            let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
            let version = text(object, "/apiVersion");
            if KINDS.iter().any(|(_, of)| *of == plural) {
                snapshot.resources.insert((kind, name), object.clone());
            } else if plural == "controllerrevisions" {
                snapshot
                    .revisions
                    .extend(read::<ControllerRevision>(object));
            } else if plural == "pods" {
                snapshot.pods.extend(read::<Pod>(object));
            } else if let Some(kind) = ChildKind::of(&version, &kind) {
                let key = Key {
                    kind,
                    namespace: text(object, "/metadata/namespace").into(),
                    name: name.into(),
                };
                snapshot.objects.insert(key, object.clone());
            }
        }
        snapshot
    }

    /// Returns the settings of the newest rendering that is stored here, with the name of its ControllerRevision and the
    /// version of the operator.
    #[must_use]
    pub fn stored_settings(&self) -> Option<(Settings, String, String)> {
        let opened = self.revisions.iter().filter_map(|revision| {
            let kept = crate::rendering::Kept::read(&revision.data.as_ref()?.0)?.rendering?;
            let (_, by) = kept.open()?;
            let made = revision.creation_timestamp().map(|time| time.0);
            Some((made, by.settings, revision.name_any(), by.operator))
        });
        let newest = opened.max_by(|one, other| (&one.0, &one.2).cmp(&(&other.0, &other.2)));
        newest.map(|(_, settings, name, operator)| (settings, name, operator))
    }

    /// Returns the services that the running operator would render differently now.
    #[must_use]
    pub fn renewable(&self) -> Vec<String> {
        let state =
            |object: &Value| object.pointer("/status/renewal/state") == Some(&"available".into());
        let renewable = self.resources.iter().filter(|(_, object)| state(object));
        renewable.map(|((_, name), _)| name.clone()).collect()
    }

    /// Returns the state of an operator that has seen everything here, with these resources instead of its own and these
    /// policies in addition.
    pub(super) fn context(
        &self,
        operator: &Operator,
        resources: &Resources,
        applied: &[Value],
    ) -> Context {
        let settings = Settings {
            mode: self.discovered.mode,
            in_cluster: self.discovered.in_cluster,
            workload_target: self.discovered.workload_target,
            kubernetes_minor: self.discovered.kubernetes_minor,
            addons: self.discovered.addons.clone(),
            ecr_pull_secrets: {
                let has_generator = self.discovered.ecr_pull_secrets == EcrPullSecrets::On;
                operator.settings.ecr_pull_secrets.in_cluster(has_generator)
            },
            // Those of the service whose settings these are.
            capacity_providers: BTreeMap::new(),
            ..operator.settings.clone()
        };
        let client = self.client.clone();
        let events = Events::new(client.clone(), String::new());
        let namespaces = vec![self.namespace.clone()];
        let place = (&*self.namespace, operator.tenancy);
        let policies = policies(&self.known, place, applied);
        let (renewals, metrics) = (
            Renewals::new(operator.renews.then_some(u16::MAX)),
            Metrics::default(),
        );
        let cx = Context::new(
            client, settings, policies, namespaces, events, renewals, metrics,
        );
        fill(&cx);
        cx.addons_known.store(true, Ordering::SeqCst);
        if self.providers.is_none() {
            let filling = cx.catch_up.register(Some(&CAPACITY_PROVIDERS));
            filling.refused(Refused::Forbidden);
        }
        for provider in self.providers.iter().flatten() {
            let event = Event::Apply(provider.clone());
            cx.capacity_providers.cache.apply(&event);
        }
        for object in applied.iter().filter(|it| is_capacity_provider(it)) {
            see::<EcsCapacityProvider>(&cx, object);
        }
        for ((kind, _), object) in resources {
            match kind.as_str() {
                "EcsCluster" => see::<EcsCluster>(&cx, object),
                "EcsTaskDefinition" => see::<EcsTaskDefinition>(&cx, object),
                "EcsService" => see::<EcsService>(&cx, object),
                _ => see::<EcsTask>(&cx, object),
            }
        }
        for revision in &self.revisions {
            cx.revisions.observe(revision);
            cx.service_revisions.observe(revision);
        }
        for pod in &self.pods {
            cx.pods.observe(pod);
        }
        for (key, object) in &self.objects {
            cx.children.observe(key.kind, &Child::of(object));
        }
        cx
    }
}

/// Returns the capacity providers. A cluster may lack the kind, and a user the right.
async fn capacity_providers(
    client: &Client,
) -> Result<Option<Vec<EcsCapacityProvider>>, kube::Error> {
    let api: Api<EcsCapacityProvider> = Api::all(client.clone());
    let listed = api.list(&ListParams::default()).await;
    permitted(listed.map(|list| list.items))
}

/// Adds a custom resource to its cache.
pub(super) fn see<K: Reconciled>(cx: &Context, object: &Value) {
    let Some(mut object) = read::<K>(object) else {
        return;
    };
    K::keep_managers(object.managed_fields_mut());
    K::all(cx).cache.apply(&Event::Apply(object));
}

/// Reads a custom resource; only its metadata can be unreadable, which the API server prevents.
pub(super) fn read<K: DeserializeOwned>(object: &Value) -> Option<K> {
    K::deserialize(object).ok()
}

async fn of<K>(client: &Client, namespace: &str, params: &ListParams) -> Result<Vec<K>, kube::Error>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    Ok(api.list(params).await?.items)
}

/// Returns the operator's objects of a kind.
async fn children(
    client: &Client,
    namespace: &str,
    kind: &'static ChildKind,
    params: &ListParams,
) -> Result<Vec<(Key, Value)>, kube::Error> {
    let kind_of = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
    let resource = ApiResource::from_gvk_with_plural(&kind_of, kind.plural);
    let api: Api<DynamicObject> = if kind.namespaced {
        Api::namespaced_with(client.clone(), namespace, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    };
    let listed = api.list(params).await?;
    let of_kind = |object: &DynamicObject| {
        let key = Key {
            kind,
            namespace: object.namespace().unwrap_or_default().into(),
            name: object.name_any().into(),
        };
        (key, plain(object, &kind.api_version(), kind.kind))
    };
    Ok(listed.iter().map(of_kind).collect())
}

/// Returns an object as JSON, with its kind, which items of a list lack.
fn plain(object: &DynamicObject, api_version: &str, kind: &str) -> Value {
    // It came as JSON.
    let mut object = serde_json::to_value(object).unwrap_or_default();
    if let Value::Object(members) = &mut object {
        members.insert("apiVersion".to_owned(), api_version.into());
        members.insert("kind".to_owned(), kind.into());
    }
    object
}
