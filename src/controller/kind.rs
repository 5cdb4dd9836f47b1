//! What the kinds of custom resources have in common.

use std::{fmt::Debug, future::Future, sync::Arc};

use futures::channel::mpsc::UnboundedReceiver;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{DeleteParams, Preconditions},
    runtime::{
        controller::Action,
        reflector::{ObjectRef, Store},
    },
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    caches::{
        reported::{Reported, resource_version},
        watch::Cache,
    },
    context::Context,
    error::{Error, code},
    queue::Line,
    status,
};

/// A kind of custom resource that is reconciled: each goes the same way from a change to its status.
pub(super) trait Reconciled:
    Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static
{
    /// Its status.
    type Status: Clone + Default + PartialEq + Serialize + Send + Sync + 'static;
    /// Its kind, in metrics and logs.
    const KIND: &'static str;

    /// Returns the shared state of all objects of this kind.
    fn all(cx: &Context) -> &OfKind<Self>;

    /// Returns the API of the objects of a namespace, or of all objects if they have none.
    fn api<T: Resource<DynamicType = (), Scope = Self::Scope>>(
        client: Client,
        namespace: &str,
    ) -> Api<T>;

    /// Returns the last reported status, as far as the cache knows.
    fn reported(&self) -> &Self::Status;

    /// Takes one step toward the wanted state. It is called again when something relevant changes, and after an error.
    ///
    /// # Errors
    ///
    /// When a request fails.
    fn reconcile(
        self: Arc<Self>,
        cx: Arc<Context>,
    ) -> impl Future<Output = Result<Action, Error>> + Send;

    /// Triggers the reconciles that a change to its spec or metadata affects, or the removal of its status.
    fn changed(&self, cx: &Context) {
        cx.ask(ObjectRef::from_obj(self));
    }

    /// Triggers the reconciles that have waited for the first complete list of a term: none.
    fn listed(_: &Context) {}

    /// Forgets the deleted object, and triggers the reconciles that this affects.
    fn gone(&self, cx: &Context);

    /// Reduces the field managers to those that a reconcile looks at: none. They take more memory than the rest.
    fn keep_managers(managers: &mut Vec<ManagedFieldsEntry>) {
        managers.clear();
    }
}

/// Whether anything except the status of an object has changed.
pub(super) fn differs<K: Reconciled>(before: &K, after: &K) -> bool {
    let nothing = K::Status::default();
    if *before.reported() != nothing && *after.reported() == nothing {
        return true;
    }
    let (before, after) = (before.meta(), after.meta());
    before.uid != after.uid
        || before.generation != after.generation
        || before.annotations != after.annotations
        || before.labels != after.labels
        || before.managed_fields != after.managed_fields
        || before.deletion_timestamp != after.deletion_timestamp
}

/// The shared state of all objects of a kind.
pub(super) struct OfKind<K: Reconciled> {
    /// The objects as the API server last reported them.
    pub store: Store<K>,
    /// Where watches write the objects.
    pub cache: Cache<K>,
    reported: Reported<K::Status>,
    line: Line<K>,
}

impl<K: Reconciled> OfKind<K> {
    /// Returns an empty state.
    #[must_use]
    pub(super) fn new() -> Self {
        let (cache, store) = Cache::new();
        Self {
            store,
            cache,
            reported: Reported::default(),
            line: Line::new(),
        }
    }

    /// Returns the newest status of an object, which its cache may not have yet.
    ///
    /// Whoever looks at an object that is reconciled elsewhere may hold a version from before a report that the cache has
    /// now, and nothing calls it again because of a status. What was reported is forgotten only when the cache has it, so
    /// that one of the two has it in this order.
    #[must_use]
    pub(super) fn latest(&self, object: &K) -> K::Status {
        if let Some(reported) = self.reported.newer_than(object) {
            return reported;
        }
        let cached = self.store.get(&ObjectRef::from_obj(object));
        let newer = cached.filter(|cached| {
            cached.meta().uid == object.meta().uid
                && resource_version(&**cached) > resource_version(object)
        });
        newer
            .as_deref()
            .map_or_else(|| object.reported().clone(), |it| it.reported().clone())
    }

    /// Returns the version of an object that its newest status, and any decision based on it, belongs to.
    #[must_use]
    pub(super) fn version(&self, object: &K) -> Option<String> {
        self.reported.version(object)
    }

    /// Records an object that was written, so that the next write and every decision is based on it.
    pub(super) fn record(&self, written: &K) {
        self.reported.record(written, written.reported().clone());
        // The watch may have returned it before the response came.
        if let Some(cached) = self.store.get(&ObjectRef::from_obj(written)) {
            self.reported.returned(&*cached);
        }
    }

    /// Returns the objects of a namespace.
    pub(super) fn within(&self, namespace: &str) -> impl Iterator<Item = Arc<K>> + use<K> {
        let mut objects = self.store.state();
        objects.retain(|object| object.meta().namespace.as_deref() == Some(namespace));
        objects.into_iter()
    }

    /// Returns the queue of objects to reconcile, for the one controller of the kind.
    pub(super) fn queue(&self) -> Option<UnboundedReceiver<ObjectRef<K>>> {
        self.line.take()
    }

    /// Removes an object from the queue when its reconcile begins.
    pub(super) fn begin(&self, object: &K) {
        self.line.begin(object);
        self.reported.begin(object);
    }

    /// Records that a reconcile has ended.
    pub(super) fn end(&self, object: &K) {
        let cached = self.store.get(&ObjectRef::from_obj(object));
        self.reported.end(object, cached.as_deref());
    }

    /// Records that a watch has returned an object, which its cache has now.
    pub(super) fn returned(&self, object: &K) {
        self.reported.returned(object);
    }

    /// Returns how many objects wait.
    #[must_use]
    pub(super) fn waiting(&self) -> usize {
        self.line.len(&self.store)
    }

    /// Forgets the reported status of an object that is gone.
    pub(super) fn forget(&self, object: &K) {
        self.reported.forget(object);
    }
}

impl Context {
    /// Triggers the reconcile of an object, if this replica leads.
    pub(super) fn ask<K: Reconciled>(&self, object: ObjectRef<K>) {
        if self.is_leading() {
            K::all(self).line.push(object);
        }
    }

    /// Triggers the reconcile of all objects of a kind.
    pub(super) fn ask_all<K: Reconciled>(&self) {
        for object in K::all(self).store.state() {
            self.ask(ObjectRef::from_obj(&*object));
        }
    }

    /// Writes the status of an object if it differs from `before`, on which the decision was based. Returns whether
    /// that took a write.
    ///
    /// # Errors
    ///
    /// When the request fails, or the object has changed in the meantime.
    pub(super) async fn report<K: Reconciled>(
        &self,
        object: &K,
        before: &K::Status,
        status: K::Status,
    ) -> Result<bool, Error> {
        let version = K::all(self).version(object);
        self.report_at(version, object, before, status).await
    }

    /// Like [`Self::report`], for an object whose status is known to be `before` in this version.
    ///
    /// # Errors
    ///
    /// When the request fails, or the object has changed in the meantime.
    pub(super) async fn report_at<K: Reconciled>(
        &self,
        version: Option<String>,
        object: &K,
        before: &K::Status,
        status: K::Status,
    ) -> Result<bool, Error> {
        let api: Api<K> = K::api(self.client.clone(), &object.namespace().unwrap_or_default());
        let written = status::report(&api, object, version, before, &status).await?;
        let Some(written) = written else {
            return Ok(false);
        };
        // What the API server has stored: an older schema drops members that it does not know.
        K::all(self).record(&written);
        Ok(true)
    }

    /// Deletes an object, unless it is gone already.
    ///
    /// # Errors
    ///
    /// When the request fails, or another object has its name.
    pub(super) async fn delete<K: Reconciled>(&self, object: &K) -> Result<(), Error> {
        if object.meta().deletion_timestamp.is_some() {
            return Ok(());
        }
        let namespace = object.namespace().unwrap_or_default();
        let api: Api<K> = K::api(self.client.clone(), &namespace);
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: object.uid(),
                resource_version: None,
            }),
            ..DeleteParams::background()
        };
        match api.delete(&object.name_any(), &params).await {
            Err(error) if code(&error) != Some(404) => {
                Err(Error::resource("delete", object)(error))
            }
            _ => Ok(()),
        }
    }

    /// Whether the API server still has an object that is not being deleted.
    ///
    /// # Errors
    ///
    /// When the request fails.
    pub(super) async fn is_there<K: Reconciled>(&self, object: &K) -> Result<bool, Error> {
        let namespace = object.namespace().unwrap_or_default();
        let api: Api<K> = K::api(self.client.clone(), &namespace);
        let live = api.get_metadata_opt(&object.name_any()).await;
        let live = live.map_err(Error::resource("get", object))?;
        Ok(live.is_some_and(|live| {
            live.uid() == object.uid() && live.metadata.deletion_timestamp.is_none()
        }))
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;
    use crate::crd::EcsService;

    fn service(version: &str, uid: &str) -> EcsService {
        let metadata = json!({
            "name": "web", "namespace": "shop", "uid": uid, "resourceVersion": version,
        });
        let status = json!({"runningCount": version.parse::<i64>().unwrap()});
        serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap()
    }

    #[test]
    fn a_version_from_before_a_report_has_its_status_before_and_after_the_watch_returns_it() {
        let services = OfKind::<EcsService>::new();
        let count =
            |version: &str, uid: &str| services.latest(&service(version, uid)).running_count;
        let old = service("5", "1");
        services.cache.apply(&Event::Apply(old.clone()));
        assert_eq!(count("5", "1"), Some(5));
        services.begin(&old);
        services.record(&service("7", "1"));
        assert_eq!(count("5", "1"), Some(7), "it was reported");
        services.cache.apply(&Event::Apply(service("7", "1")));
        services.returned(&service("7", "1"));
        services.end(&old);
        assert_eq!(count("5", "1"), Some(7), "the cache has it");
        assert_eq!(count("8", "1"), Some(8), "it is newer");
        assert_eq!(count("5", "2"), Some(5), "it is another object");
    }

    #[test]
    fn a_response_that_comes_after_the_watch_is_not_kept() {
        let services = OfKind::<EcsService>::new();
        services.cache.apply(&Event::Apply(service("7", "1")));
        services.record(&service("7", "1"));
        let version = services.version(&service("5", "1"));
        assert_eq!(version.as_deref(), Some("5"));
    }
}
