//! Statuses that were reported and may not have come back through the watch yet.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use kube::{Resource, ResourceExt as _};

use crate::controller::context::lock;

/// Reported statuses, until the watch returns them: a reconcile in between would report them again. They are kept until
/// the end of a reconcile, which goes on with the object that it began with.
pub(crate) struct Reported<S> {
    by_uid: Mutex<HashMap<String, (u64, S)>>,
    /// The UIDs of the objects that are being reconciled.
    busy: Mutex<HashSet<String>>,
}

impl<S> Default for Reported<S> {
    fn default() -> Self {
        Self {
            by_uid: Mutex::default(),
            busy: Mutex::default(),
        }
    }
}

impl<S: Clone> Reported<S> {
    /// Returns the status that was reported of a later version of an object, if the watch has not returned that yet.
    pub(crate) fn newer_than<K: Resource>(&self, object: &K) -> Option<S> {
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        let by_uid = lock(&self.by_uid);
        let (version, reported) = by_uid.get(uid)?;
        (resource_version(object) < *version).then(|| reported.clone())
    }

    /// Returns the version of an object that its newest status, and any decision based on it, belongs to.
    pub(crate) fn version<K: Resource>(&self, object: &K) -> Option<String> {
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        let by_uid = lock(&self.by_uid);
        let written = by_uid.get(uid).map(|(version, _)| *version);
        match written.filter(|written| resource_version(object) < *written) {
            Some(written) => Some(written.to_string()),
            None => object.meta().resource_version.clone(),
        }
    }

    /// Records the response to a write.
    pub(crate) fn record<K: Resource>(&self, written: &K, status: S) {
        if let Some(uid) = written.uid() {
            lock(&self.by_uid).insert(uid, (resource_version(written), status));
        }
    }

    /// Records that a reconcile begins.
    pub(crate) fn begin<K: Resource>(&self, object: &K) {
        if let Some(uid) = object.uid() {
            lock(&self.busy).insert(uid);
        }
    }

    /// Records that a reconcile ends, after which the cache has `cached`.
    pub(crate) fn end<K: Resource>(&self, object: &K, cached: Option<&K>) {
        if let Some(uid) = &object.meta().uid {
            lock(&self.busy).remove(uid);
        }
        if let Some(cached) = cached {
            self.returned(cached);
        }
    }

    /// Forgets what was reported of an object that the watch has returned since, unless it is being reconciled.
    pub(crate) fn returned<K: Resource>(&self, object: &K) {
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        if lock(&self.busy).contains(uid) {
            return;
        }
        let mut by_uid = lock(&self.by_uid);
        let reported = by_uid.get(uid).map(|(version, _)| *version);
        if reported.is_some_and(|version| version <= resource_version(object)) {
            by_uid.remove(uid);
        }
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget<K: Resource>(&self, object: &K) {
        if let Some(uid) = &object.meta().uid {
            lock(&self.by_uid).remove(uid);
        }
    }
}

/// Returns the number of a version, which grows with each write.
pub(crate) fn resource_version<K: Resource>(object: &K) -> u64 {
    let version = object.meta().resource_version.as_deref();
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crd::{EcsService, ServiceStatus};

    fn service(version: &str) -> EcsService {
        serde_json::from_value(
            json!({"metadata": {"name": "web", "uid": "1", "resourceVersion": version}}),
        )
        .expect("it is a service")
    }

    #[test]
    fn what_was_reported_counts_until_the_cache_has_it() {
        let reported = Reported::default();
        let status = |count| ServiceStatus {
            running_count: Some(count),
            ..ServiceStatus::default()
        };
        reported.record(&service("7"), status(7));
        assert_eq!(reported.newer_than(&service("5")), Some(status(7)));
        assert_eq!(reported.newer_than(&service("7")), None);
        assert_eq!(reported.newer_than(&service("8")), None);
    }

    #[test]
    fn what_was_reported_is_forgotten_when_the_watch_returns_it_and_no_reconcile_needs_it() {
        let status = ServiceStatus::default();
        let kept = |reported: &Reported<ServiceStatus>| !lock(&reported.by_uid).is_empty();
        let reported = Reported::default();
        reported.begin(&service("5"));
        reported.record(&service("7"), status.clone());
        reported.returned(&service("7"));
        assert!(kept(&reported), "the reconcile goes on with the old object");
        assert_eq!(reported.version(&service("5")).as_deref(), Some("7"));
        reported.end(&service("5"), Some(&service("6")));
        assert!(kept(&reported), "the watch has not returned it");
        reported.returned(&service("7"));
        assert!(!kept(&reported));
        reported.begin(&service("7"));
        reported.record(&service("8"), status);
        reported.end(&service("7"), Some(&service("9")));
        assert!(!kept(&reported));
    }
}
