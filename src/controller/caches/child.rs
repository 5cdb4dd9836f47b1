//! An object that the operator created, as its caches hold it.

use std::{borrow::Cow, net::IpAddr};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, core::DynamicResourceScope};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

use super::{
    child_kind::ChildKind,
    lenient::metadata,
    owned_fields::{digest_of_live, digest_of_selector, digest_without_owners},
};
use crate::{
    names::{CONNECT_NAME, CONNECT_NAMESPACE},
    settings::SERVICE_REVISION,
    translate::{SERVICE, TASK},
    validate::is_dns_name,
};

/// A live object, reduced to its identity and state. Deserializing one cannot fail.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    meta: ObjectMeta,
    /// The digest of the fields that we own.
    pub digest: u64,
    /// The same digest without the owners, for objects that several services may share.
    pub shared: Option<u64>,
    /// For a Service that several services may share, a digest of its selector.
    pub selector: Option<u64>,
    /// The state of a PersistentVolume.
    pub volume: Option<Box<VolumeState>>,
    /// The state of a Deployment or DaemonSet.
    pub workload: Option<Box<WorkloadState>>,
    /// The service revision in the label of its pods.
    pub pods: Option<Box<str>>,
    /// Why a Deployment cannot create pods.
    pub not_created: Option<Box<str>>,
    /// Whether an autoscaler can do its work, once it has said so.
    pub scaler: Option<Box<ScalerState>>,
    /// The names of a Service that clients of Service Connect need in `/etc/hosts`.
    pub connect_name: Option<Box<ConnectName>>,
    /// The address of an Ingress, if it has one.
    pub address: Option<Box<str>>,
}

/// A name of a Service Connect namespace that DNS does not resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectName {
    /// The label of the namespace.
    pub namespace: Box<str>,
    /// The name that clients use.
    pub name: Box<str>,
    /// The address of its Service.
    pub address: Box<str>,
}

/// How far a Deployment or DaemonSet has progressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkloadState {
    /// The generation of the object.
    pub generation: i64,
    /// The generation that the counts below are of.
    pub observed_generation: i64,
    /// The number of wanted pods.
    pub desired: i64,
    /// The number of existing pods, including old ones.
    pub total: i64,
    /// The number of pods with the newest template.
    pub updated: i64,
    /// The number of ready pods.
    pub ready: i64,
    /// The number of pods that have been ready for long enough.
    pub available: i64,
}

/// Whether an autoscaler can do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ScalerState {
    /// It has the metrics that it needs.
    Active,
    /// It cannot scale.
    Inactive {
        /// The reason of its condition.
        reason: Box<str>,
        /// What that says. It may name another pod every few seconds.
        message: Box<str>,
    },
}

impl ScalerState {
    /// Whether it says the same as another one, perhaps in other words.
    #[must_use]
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Inactive { reason, .. }, Self::Inactive { reason: before, .. }) => {
                reason == before
            }
            (one, other) => one == other,
        }
    }
}

/// The claim that a PersistentVolume is reserved for, and whether it is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VolumeState {
    /// The namespace of the claim.
    pub namespace: Box<str>,
    /// The name of the claim.
    pub claim: Box<str>,
    /// Whether the volume is bound to the claim.
    pub claimed: Claimed,
}

/// Whether a volume is bound to its claim (<https://kubernetes.io/docs/concepts/storage/persistent-volumes/#phase>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// It is not bound yet.
    NotYet,
    /// It is bound.
    Yes,
    /// The claim is gone. No other claim can have it
    /// (<https://kubernetes.io/docs/concepts/storage/persistent-volumes/#retain>).
    NoLonger,
}

impl WorkloadState {
    /// Whether pods of an older template may exist.
    #[must_use]
    pub(crate) const fn has_old(&self) -> bool {
        self.observed_generation < self.generation || self.updated < self.total
    }

    /// Whether the wanted pods run, and no others.
    #[must_use]
    pub(crate) const fn is_steady(&self) -> bool {
        self.observed_generation >= self.generation
            && self.updated == self.desired
            && self.total == self.desired
            && self.available == self.desired
    }
}

impl Child {
    /// Reduces a live object to what the caches need.
    #[must_use]
    pub(crate) fn of(object: &Value) -> Self {
        let meta = object.get("metadata");
        let text = |name: &str| Some(meta?.get(name)?.as_str()?.to_owned());
        let deletion = meta.and_then(|meta| meta.get("deletionTimestamp"));
        let owners = meta.and_then(|meta| meta.get("ownerReferences"));
        let labels = meta.and_then(|meta| meta.get("labels"));
        let read = |value: Option<&Value>| value.cloned();
        Self {
            meta: ObjectMeta {
                name: text("name"),
                namespace: text("namespace"),
                uid: text("uid"),
                resource_version: text("resourceVersion"),
                deletion_timestamp: read(deletion).and_then(|v| serde_json::from_value(v).ok()),
                owner_references: read(owners).and_then(|v| serde_json::from_value(v).ok()),
                labels: read(labels).and_then(|v| serde_json::from_value(v).ok()),
                ..ObjectMeta::default()
            },
            digest: digest_of_live(object),
            shared: is_shared(labels).then(|| digest_without_owners(object)),
            selector: digest_of_selector(object).filter(|_| is_shared(labels)),
            volume: volume(object).map(Box::new),
            workload: workload(object).map(Box::new),
            pods: template_label(object).map(Into::into),
            not_created: replica_failure(object).map(Into::into),
            scaler: scaler(object).map(Box::new),
            connect_name: connect_name(object).map(Box::new),
            address: address(object).map(Into::into),
        }
    }

    /// Returns the owners of the object.
    pub(crate) fn owners(&self) -> &[OwnerReference] {
        self.meta.owner_references.as_deref().unwrap_or_default()
    }
}

/// Returns the first address of an Ingress, the one kind that has both rules and such a status.
fn address(object: &Value) -> Option<&str> {
    let spec = object.get("spec")?;
    spec.get("rules")?;
    let first = object.pointer("/status/loadBalancer/ingress/0")?;
    let mut members = ["hostname", "ip"].into_iter();
    let address = members.find_map(|member| first.get(member)?.as_str());
    address.filter(|address| !address.is_empty())
}

/// Returns the message of the condition ReplicaFailure of a ReplicaSet, or of a Deployment, which copies it from one of
/// its ReplicaSets (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment>).
pub(crate) fn replica_failure(object: &Value) -> Option<&str> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let text = |condition: &'_ Value, member: &str| -> Option<String> {
        Some(condition.get(member)?.as_str()?.to_owned())
    };
    let failure = conditions.iter().find(|condition| {
        text(condition, "type").as_deref() == Some("ReplicaFailure")
            && text(condition, "status").as_deref() == Some("True")
    });
    failure?.get("message")?.as_str()
}

/// The reason of an autoscaler whose target has no replicas.
const SCALING_DISABLED: &str = "ScalingDisabled";

/// Returns the state of a HorizontalPodAutoscaler
/// (<https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale-walkthrough/#appendix-horizontal-pod-autoscaler-status-conditions>)
/// or ScaledObject (<https://keda.sh/docs/latest/concepts/scaling-deployments/>), of which only these have these fields.
fn scaler(object: &Value) -> Option<ScalerState> {
    let spec = object.get("spec")?;
    let decisive: &[&str] = match () {
        () if spec.get("maxReplicas").is_some() => &["AbleToScale", "ScalingActive"],
        () if spec.get("maxReplicaCount").is_some() => &["Ready"],
        () => return None,
    };
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let text = |condition: &Value, member: &str| Some(condition.get(member)?.as_str()?.to_owned());
    let of_type = |type_: &str| {
        let mut conditions = conditions.iter();
        conditions.find(|condition| text(condition, "type").as_deref() == Some(type_))
    };
    let found = decisive.iter().filter_map(|type_| of_type(type_));
    let mut last = None;
    for condition in found {
        match text(condition, "status").as_deref() {
            Some("False") => {
                let reason = text(condition, "reason").unwrap_or_default();
                let message = text(condition, "message").unwrap_or_default();
                // A service without tasks is not to be scaled.
                return (reason != SCALING_DISABLED).then(|| ScalerState::Inactive {
                    reason: reason.into(),
                    message: message.into(),
                });
            }
            Some("True") => last = Some(ScalerState::Active),
            _ => last = None,
        }
    }
    last
}

/// Whether an object has neither the label of a service nor that of a task.
fn is_shared(labels: Option<&Value>) -> bool {
    let has = |label: &str| labels.is_some_and(|labels| labels.get(label).is_some());
    !has(SERVICE) && !has(TASK)
}

fn template_label(object: &Value) -> Option<&str> {
    let labels = object.pointer("/spec/template/metadata/labels")?;
    labels.get(SERVICE_REVISION)?.as_str()
}

fn connect_name(object: &Value) -> Option<ConnectName> {
    let metadata = object.get("metadata")?;
    let text = |members: &str, name: &str| metadata.get(members)?.get(name)?.as_str();
    let address = object.pointer("/spec/clusterIP")?.as_str()?;
    let name = text("annotations", CONNECT_NAME)?;
    // Others may have edited it, and a pod with a wrong name or address is rejected.
    let is_valid = address.parse::<IpAddr>().is_ok() && is_dns_name(name);
    is_valid.then_some(ConnectName {
        namespace: text("labels", CONNECT_NAMESPACE)?.into(),
        name: name.into(),
        address: address.into(),
    })
}

fn volume(object: &Value) -> Option<VolumeState> {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str);
    Some(VolumeState {
        namespace: text("/spec/claimRef/namespace")?.into(),
        claim: text("/spec/claimRef/name")?.into(),
        claimed: match text("/status/phase") {
            None | Some("Pending" | "Available") => Claimed::NotYet,
            Some("Released") => Claimed::NoLonger,
            Some(_) => Claimed::Yes,
        },
    })
}

/// Returns the state of a workload. Elements of a list have no kind, so the fields that only one kind has identify it.
fn workload(object: &Value) -> Option<WorkloadState> {
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let has = |path: &str| object.pointer(path).is_some();
    let (desired, total, updated, ready, available) = match () {
        () if !has("/spec/template") => return None,
        () if has("/spec/replicas") => (
            "/spec/replicas",
            "/status/replicas",
            "/status/updatedReplicas",
            "/status/readyReplicas",
            "/status/availableReplicas",
        ),
        () => (
            "/status/desiredNumberScheduled",
            "/status/currentNumberScheduled",
            "/status/updatedNumberScheduled",
            "/status/numberReady",
            "/status/numberAvailable",
        ),
    };
    Some(WorkloadState {
        generation: number("/metadata/generation"),
        observed_generation: number("/status/observedGeneration"),
        desired: number(desired),
        total: number(total),
        updated: number(updated),
        ready: number(ready),
        available: number(available),
    })
}

impl<'de> Deserialize<'de> for Child {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        // An object that is nested too deeply still exists, and does not hide the others in its list.
        Ok(match serde_json::from_str(text.get()) {
            Ok(object) => Self::of(&object),
            Err(_) => Self {
                meta: metadata(text.get()),
                ..Self::of(&Value::Null)
            },
        })
    }
}

impl Resource for Child {
    type DynamicType = &'static ChildKind;
    type Scope = DynamicResourceScope;

    fn kind(kind: &Self::DynamicType) -> Cow<'_, str> {
        kind.kind.into()
    }

    fn group(kind: &Self::DynamicType) -> Cow<'_, str> {
        kind.group.into()
    }

    fn version(kind: &Self::DynamicType) -> Cow<'_, str> {
        kind.version.into()
    }

    fn plural(kind: &Self::DynamicType) -> Cow<'_, str> {
        kind.plural.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deployment_is_steady_when_all_its_pods_are_new_and_available() {
        let status = json!({
            "observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
        });
        let deployment = |status: &Value| {
            let object = json!({
                "metadata": {"name": "web", "generation": 3},
                "spec": {"replicas": 2, "template": {}},
                "status": status,
            });
            *Child::of(&object).workload.expect("it is a workload")
        };
        assert!(deployment(&status).is_steady());
        for (member, value) in [
            ("observedGeneration", 2),
            ("replicas", 3),
            ("updatedReplicas", 1),
            ("availableReplicas", 1),
        ] {
            let mut status = status.clone();
            status[member] = json!(value);
            assert!(!deployment(&status).is_steady(), "{member}");
        }
    }

    #[test]
    fn only_an_ingress_has_an_address() {
        let balancer = |entry: Value| json!({"loadBalancer": {"ingress": entry}});
        for (spec, status, expected) in [
            (json!({"rules": []}), json!({}), None),
            (json!({"rules": []}), balancer(json!([])), None),
            (
                json!({"rules": []}),
                balancer(json!([{"hostname": "lb"}, {"hostname": "other"}])),
                Some("lb"),
            ),
            (
                json!({"rules": []}),
                balancer(json!([{"ip": "10.0.0.1"}])),
                Some("10.0.0.1"),
            ),
            (
                json!({"ports": []}),
                balancer(json!([{"ip": "10.0.0.1"}])),
                None,
            ),
        ] {
            let object = json!({"spec": spec, "status": status});
            assert_eq!(Child::of(&object).address.as_deref(), expected, "{object}");
        }
    }

    #[test]
    fn an_autoscaler_is_active_if_it_can_scale_and_has_its_metrics() {
        let scaler = |limit: &str, conditions: &[(&str, &str)]| {
            let condition = |(type_, status): &(&str, &str)| json!({"type": type_, "status": status, "reason": type_, "message": type_});
            let conditions: Vec<Value> = conditions.iter().map(condition).collect();
            let object = json!({"spec": {limit: 3}, "status": {"conditions": conditions}});
            Child::of(&object).scaler.map(|state| *state)
        };
        let inactive = |why: &str| {
            Some(ScalerState::Inactive {
                reason: why.into(),
                message: why.into(),
            })
        };
        let (able, active) = ("AbleToScale", "ScalingActive");
        for (conditions, expected) in [
            (
                vec![(able, "True"), (active, "True")],
                Some(ScalerState::Active),
            ),
            (vec![(able, "True"), (active, "False")], inactive(active)),
            (vec![(able, "False")], inactive(able)),
            (vec![(able, "True"), (active, "Unknown")], None),
            (vec![], None),
        ] {
            assert_eq!(
                scaler("maxReplicas", &conditions),
                expected,
                "{conditions:?}"
            );
        }
        let ready = [("Active", "False"), ("Ready", "True")];
        assert_eq!(scaler("maxReplicaCount", &ready), Some(ScalerState::Active));
        assert_eq!(scaler("replicas", &ready), None);
        let disabled = json!([{"type": active, "status": "False", "reason": "ScalingDisabled"}]);
        let object = json!({"spec": {"maxReplicas": 3}, "status": {"conditions": disabled}});
        assert!(Child::of(&object).scaler.is_none(), "there are no tasks");
    }

    #[test]
    fn anything_can_be_read() {
        for object in [
            json!(null),
            json!([]),
            json!({"metadata": {"name": 1, "ownerReferences": "x"}}),
        ] {
            let child = Child::of(&object);
            assert_eq!(child.meta().name, None);
            assert!(child.owners().is_empty());
        }
    }
}
