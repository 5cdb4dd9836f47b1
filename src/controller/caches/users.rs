//! Which services and tasks use which task definition.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Mutex,
};

use kube::{Resource, ResourceExt as _};

use crate::{
    controller::context::lock,
    translate::{WORKLOAD_LENGTH, kname},
    validate::TaskDefinitionReference,
};

/// Which services or tasks use which task definition, so that a new revision reaches those that follow it.
#[derive(Default)]
pub(crate) struct Users {
    maps: Mutex<UserMaps>,
}

#[derive(Default)]
struct UserMaps {
    /// The services by namespace and task definition.
    services: HashMap<(String, String), BTreeSet<String>>,
    /// The task definition by namespace and service.
    task_definition: HashMap<(String, String), String>,
}

impl Users {
    /// Records which task definition a user's reference names, if the reference can be parsed.
    pub(crate) fn record<K: Resource>(&self, user: &K, reference: Option<&str>) {
        let (namespace, name) = (user.namespace().unwrap_or_default(), user.name_any());
        match reference.and_then(TaskDefinitionReference::parse) {
            Some(parsed) => self.uses(&namespace, &name, &kname(parsed.family, WORKLOAD_LENGTH)),
            None => self.forget(&namespace, &name),
        }
    }

    /// Records that a service uses a task definition, and no other.
    fn uses(&self, namespace: &str, service: &str, task_definition: &str) {
        let mut maps = lock(&self.maps);
        let key = (namespace.to_owned(), service.to_owned());
        let before = maps.task_definition.insert(key, task_definition.to_owned());
        if before.as_deref() == Some(task_definition) {
            return;
        }
        if let Some(before) = before {
            maps.leave(namespace, service, before);
        }
        let key = (namespace.to_owned(), task_definition.to_owned());
        maps.services
            .entry(key)
            .or_default()
            .insert(service.to_owned());
    }

    /// Forgets a service that is gone.
    pub(crate) fn forget(&self, namespace: &str, service: &str) {
        let mut maps = lock(&self.maps);
        let key = (namespace.to_owned(), service.to_owned());
        if let Some(before) = maps.task_definition.remove(&key) {
            maps.leave(namespace, service, before);
        }
    }

    /// Returns the services that use a task definition.
    #[must_use]
    pub(crate) fn of(&self, namespace: &str, task_definition: &str) -> BTreeSet<String> {
        let key = (namespace.to_owned(), task_definition.to_owned());
        lock(&self.maps)
            .services
            .get(&key)
            .cloned()
            .unwrap_or_default()
    }
}

impl UserMaps {
    fn leave(&mut self, namespace: &str, service: &str, task_definition: String) {
        let key = (namespace.to_owned(), task_definition);
        if let Some(services) = self.services.get_mut(&key) {
            services.remove(service);
            if services.is_empty() {
                self.services.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_revision_reaches_those_that_follow_it() {
        let users = Users::default();
        users.uses("shop", "web", "web");
        users.uses("shop", "canary", "web");
        users.uses("other", "web", "web");
        assert_eq!(users.of("shop", "web").len(), 2);
        users.uses("shop", "canary", "canary");
        assert_eq!(users.of("shop", "web"), BTreeSet::from(["web".to_owned()]));
        users.forget("shop", "web");
        assert!(users.of("shop", "web").is_empty());
        assert_eq!(users.of("other", "web").len(), 1);
    }
}
