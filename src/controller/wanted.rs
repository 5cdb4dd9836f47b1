//! Objects that should exist.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use super::{
    caches::{
        child_kind::ChildKind,
        children::Key,
        known::Known,
        owned_fields::{digest_of_selector, digest_of_wanted},
    },
    error::Error,
};
use crate::{
    decide::offer::Offer,
    settings::DELETE_ON_TERMINATION,
    translate::{Object, SERVICE, TASK},
};

/// An object that should exist.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Its name.
    pub key: Key,
    /// Whether other services and tasks may want the same object.
    pub shared: bool,
    /// Whether it stays when nothing wants it anymore, so that it has no owner.
    pub stays: bool,
    pub(super) body: Value,
}

impl Wanted {
    /// Returns the wanted object for a translated one.
    ///
    /// # Errors
    ///
    /// When the operator does not know its kind.
    pub(super) fn of(object: &Object) -> Result<Self, Error> {
        Self::new(&serde_json::to_value(object)?)
    }

    /// Returns the wanted object for a rendered one.
    ///
    /// # Errors
    ///
    /// When the operator does not know its kind.
    pub(super) fn new(body: &Value) -> Result<Self, Error> {
        let text = |path: &str| body.pointer(path).and_then(Value::as_str);
        let (api_version, kind) = (text("/apiVersion"), text("/kind"));
        let kind = kind.unwrap_or_default();
        let kind = ChildKind::of(api_version.unwrap_or_default(), kind)
            .ok_or_else(|| Error::UnknownKind(kind.to_owned()))?;
        let namespace = text("/metadata/namespace").filter(|_| kind.namespaced);
        let labels = body.pointer("/metadata/labels");
        let has = |label: &str| labels.is_some_and(|labels| labels.get(label).is_some());
        Ok(Self {
            key: Key {
                kind,
                namespace: namespace.unwrap_or_default().into(),
                name: text("/metadata/name").unwrap_or_default().into(),
            },
            // An object with neither label may be wanted by several owners.
            shared: !has(SERVICE) && !has(TASK),
            stays: body
                .pointer("/metadata/annotations")
                .is_some_and(|annotations| annotations.get(DELETE_ON_TERMINATION).is_some()),
            body: body.clone(),
        })
    }

    /// For an object that others may want too, returns its key and a digest of its content.
    pub(super) fn shared(&self) -> Option<(Key, u64)> {
        let digest = || match self.selector() {
            // The selector stands for the ports; the rest may differ between versions.
            Some(selector) => selector,
            None => digest_of_wanted(&self.body),
        };
        self.shared.then(|| (self.key.clone(), digest()))
    }

    /// Returns the Service Connect offers that this Service selects.
    pub(super) fn offers(&self) -> Vec<Offer> {
        let selector = self.body.pointer("/spec/selector");
        let labels = selector.and_then(Value::as_object).into_iter().flatten();
        labels
            .filter_map(|(label, value)| Offer::of(label, value.as_str()?))
            .collect()
    }

    /// Returns the names of the Services that this Ingress or TargetGroupBinding leads clients to.
    pub(super) fn leads_to(&self) -> Vec<&str> {
        let rules = elements(self.body.pointer("/spec/rules"));
        let paths = rules.flat_map(|rule| elements(rule.pointer("/http/paths")));
        let backends = paths.filter_map(|path| path.pointer("/backend/service/name"));
        let bound = self.body.pointer("/spec/serviceRef/name");
        backends.chain(bound).filter_map(Value::as_str).collect()
    }

    /// Returns a digest of this Service's selector.
    pub(super) fn selector(&self) -> Option<u64> {
        digest_of_selector(&self.body)
    }

    /// Returns this Service with a selector for all tasks of one service, whatever they offer.
    #[must_use]
    pub(super) fn of_service(mut self, name: &str) -> Self {
        if let Some(spec) = self.body.get_mut("spec") {
            spec["selector"] = json!({SERVICE: name});
        }
        self
    }

    /// Returns the object as it is applied for `owner`, which is added to the owners of a shared one.
    pub(super) fn body(&self, owner: &OwnerReference, known: Option<&Known>) -> Value {
        let mut body = self.body.clone();
        if !self.key.kind.namespaced || self.stays {
            // A cluster-scoped object cannot belong to a namespaced one, and an object that stays has no owner.
            return body;
        }
        let mut owners = match known {
            Some(known) if self.shared => known.owners.to_vec(),
            _ => Vec::new(),
        };
        // None of several owners is the controller.
        for owner in &mut owners {
            owner.controller = None;
        }
        if !owners.iter().any(|other| other.uid == owner.uid) {
            owners.push(OwnerReference {
                controller: (!self.shared).then_some(true),
                ..owner.clone()
            });
        }
        if let Some(metadata) = body.get_mut("metadata") {
            metadata["ownerReferences"] = json!(owners);
        }
        body
    }
}

fn elements(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_has_no_owner() {
        let owner = OwnerReference {
            uid: "1".to_owned(),
            ..OwnerReference::default()
        };
        let body = |annotations: Value| {
            let metadata = json!({
                "name": "job-0-data", "namespace": "shop", "labels": {TASK: "job"}, "annotations": annotations,
            });
            let claim =
                json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata});
            let wanted = Wanted::new(&claim).expect("it is known");
            wanted.body(&owner, None)["metadata"]["ownerReferences"].clone()
        };
        assert_eq!(body(json!({}))[0]["uid"], "1");
        assert_eq!(body(json!({DELETE_ON_TERMINATION: "false"})), Value::Null);
    }

    #[test]
    fn an_object_leads_to_the_services_that_it_names() {
        let leads_to = |api_version: &str, kind: &str, spec: Value| {
            let body = json!({
                "apiVersion": api_version, "kind": kind,
                "metadata": {"name": "web", "namespace": "shop"}, "spec": spec,
            });
            let wanted = Wanted::new(&body).expect("it is known");
            let names = wanted.leads_to().into_iter();
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        let path = |name: &str| json!({"backend": {"service": {"name": name}}});
        let rules = json!({"rules": [{"http": {"paths": [path("web"), path("api")]}}, {}]});
        assert_eq!(
            leads_to("networking.k8s.io/v1", "Ingress", rules),
            ["web", "api"]
        );
        let binding = json!({"serviceRef": {"name": "web", "port": 80}});
        let group = "elbv2.k8s.aws/v1beta1";
        assert_eq!(leads_to(group, "TargetGroupBinding", binding), ["web"]);
        assert!(leads_to("v1", "Service", json!({"ports": []})).is_empty());
    }
}
