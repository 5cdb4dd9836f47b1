//! Capacity providers: the NodePool of Karpenter, and what pods select.

use std::{collections::BTreeMap, iter};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::{CAPACITY_PROVIDER, CustomObject, LABEL_LENGTH, kname};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    settings::{NodeSelection, NodeToleration},
    validate::{
        CapacityProviderRequest, InstanceAttribute, InstanceRequirement, NodePool, NodeSource, Test,
    },
};

/// Karpenter's label of nodes.
const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";
/// The label of the nodes of a managed node group of EKS.
const NODE_GROUP: &str = "eks.amazonaws.com/nodegroup";
/// The label of the instance type of a node.
const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
/// The API group of the node classes of EKS Auto Mode, which is also the prefix of its labels of nodes.
const AUTO_MODE: &str = "eks.amazonaws.com";
/// The prefix of the labels of nodes that Karpenter makes in AWS.
const KARPENTER_AWS: &str = "karpenter.k8s.aws";

/// The members of an object that some objects have.
type Members = BTreeMap<&'static str, Value>;

/// What a capacity provider becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvidedNodes {
    /// The NodePool, if Karpenter makes the nodes.
    pub node_pool: Option<CustomObject>,
    /// What pods select in place of the label of the provider.
    pub selection: Option<NodeSelection>,
    /// Whether the nodes get the label of the provider without anyone setting it.
    pub is_labeled: bool,
}

/// Translates a capacity provider.
#[must_use]
pub fn translate_capacity_provider(
    provider: &CapacityProviderRequest,
) -> (ProvidedNodes, Diagnostics) {
    let CapacityProviderRequest {
        name,
        source,
        tolerations,
        managed,
        unscaled,
    } = provider;
    let mut notes = Diagnostics::new();
    let label = kname(name, LABEL_LENGTH);
    let pool = match source {
        NodeSource::Karpenter(pool) => Some(node_pool(&label, pool)),
        NodeSource::Label | NodeSource::NodeGroup(_) | NodeSource::Labels(_) => None,
    };
    if pool.is_some() {
        if let Some(path) = unscaled {
            notes.report(path.clone(), Message::NodesAddedAnyway);
        }
    } else {
        for path in managed {
            notes.report(path.clone(), Message::NodesNotManaged);
        }
    }
    if *source == NodeSource::Label {
        let root = FieldPath::root(Subject::CapacityProvider);
        let message = Message::NodeSourceNeeded {
            name: label.clone(),
        };
        notes.report(root, message);
    }
    let nodes = ProvidedNodes {
        is_labeled: pool.is_some(),
        node_pool: pool,
        selection: selection(&label, source, tolerations),
    };
    (nodes, notes)
}

/// Returns what pods select, unless that is only the label of the provider.
fn selection(
    label: &str,
    source: &NodeSource,
    tolerations: &[ecs::NodeToleration],
) -> Option<NodeSelection> {
    let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let node_selector = match source {
        NodeSource::NodeGroup(group) => one(NODE_GROUP, group),
        NodeSource::Labels(labels) => labels.clone(),
        NodeSource::Label | NodeSource::Karpenter(_) if tolerations.is_empty() => return None,
        NodeSource::Label | NodeSource::Karpenter(_) => one(CAPACITY_PROVIDER, label),
    };
    let tolerations = tolerations.iter().map(|it| {
        let ecs::NodeToleration {
            key,
            operator,
            value,
            effect,
        } = it.clone();
        NodeToleration {
            key,
            operator,
            value,
            effect,
        }
    });
    Some(NodeSelection {
        node_selector,
        tolerations: tolerations.collect(),
    })
}

/// Returns the NodePool (<https://karpenter.sh/docs/concepts/nodepools/>).
fn node_pool(name: &str, pool: &NodePool) -> CustomObject {
    let NodePool {
        class_group,
        class_kind,
        class_name,
        capacity_types,
        requirements,
        only_empty,
        consolidate_after,
        expires,
        termination_grace_period,
        weight,
        limits,
    } = pool;
    let prefix = match class_group.as_str() {
        AUTO_MODE => AUTO_MODE,
        _ => KARPENTER_AWS,
    };
    let bought = json!({"key": CAPACITY_TYPE, "operator": "In", "values": capacity_types});
    let others = requirements.iter().map(|it| requirement(it, prefix));
    let mut of_node = Members::from_iter([
        (
            "nodeClassRef",
            json!({"group": class_group, "kind": class_kind, "name": class_name}),
        ),
        ("requirements", iter::once(bought).chain(others).collect()),
    ]);
    if !expires {
        // ECS ends no instance of an Auto Scaling group because of its age.
        of_node.insert("expireAfter", json!("Never"));
    }
    if let Some(seconds) = termination_grace_period {
        of_node.insert("terminationGracePeriod", json!(format!("{seconds}s")));
    }
    let template = json!({
        "metadata": {"labels": {CAPACITY_PROVIDER: name}},
        "spec": of_node,
    });
    let mut spec = Members::from_iter([
        ("template", template),
        ("disruption", disruption(*only_empty, *consolidate_after)),
    ]);
    if let Some(weight) = weight {
        spec.insert("weight", json!(weight));
    }
    if !limits.is_empty() {
        spec.insert("limits", json!(limits));
    }
    CustomObject {
        api_version: "karpenter.sh/v1",
        kind: "NodePool",
        metadata: metadata(name),
        spec: json!(spec),
    }
}

fn metadata(name: &str) -> ObjectMeta {
    let labels = [
        ("app.kubernetes.io/name", name),
        ("app.kubernetes.io/instance", name),
        ("app.kubernetes.io/managed-by", "ecs-operator"),
    ];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(labels.into()),
        ..ObjectMeta::default()
    }
}

/// Returns when nodes end that work.
fn disruption(only_empty: bool, consolidate_after: Option<u32>) -> Value {
    let policy = if only_empty {
        "WhenEmpty"
    } else {
        "WhenEmptyOrUnderutilized"
    };
    let after = consolidate_after.map_or_else(|| "Never".to_owned(), |it| format!("{it}s"));
    json!({
        "consolidationPolicy": policy,
        "consolidateAfter": after,
        // ECS replaces no instance because its capacity provider has changed.
        "budgets": [{"nodes": "10%"}, {"nodes": "0", "reasons": ["Drifted"]}],
    })
}

/// Returns a requirement as a NodePool has it. The labels of instance types begin with who makes the nodes.
fn requirement(requirement: &InstanceRequirement, prefix: &str) -> Value {
    let InstanceRequirement { attribute, test } = requirement;
    let key = match attribute {
        InstanceAttribute::Type => INSTANCE_TYPE.to_owned(),
        InstanceAttribute::Label(label) => format!("{prefix}/{label}"),
    };
    match test {
        Test::In(values) => json!({"key": key, "operator": "In", "values": values}),
        Test::NotIn(values) => json!({"key": key, "operator": "NotIn", "values": values}),
        Test::Exists => json!({"key": key, "operator": "Exists"}),
        Test::Absent => json!({"key": key, "operator": "DoesNotExist"}),
        Test::Above(bound) => {
            json!({"key": key, "operator": "Gt", "values": [bound.to_string()]})
        }
        Test::Below(bound) => {
            json!({"key": key, "operator": "Lt", "values": [bound.to_string()]})
        }
    }
}
