//! Capacity providers: the NodePool of Karpenter, and what pods select.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::{
    CAPACITY_PROVIDER, CustomObject, LABEL_LENGTH, kname,
    pod::placement::{ARCHITECTURE, OPERATING_SYSTEM},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    settings::{NodeSelection, NodeTaint, NodeToleration},
    validate::{
        CapacityProviderRequest, FULL, InstanceAttribute, InstanceRequirement, NodePool,
        NodeSource, Test,
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
    /// The NodePool, if Karpenter makes the nodes. It has no taints, which pods that run may not tolerate.
    pub node_pool: Option<CustomObject>,
    /// The taints of the NodePool, for when everything that uses the provider tolerates them.
    pub taints: Vec<NodeTaint>,
    /// How much of the nodes is in use, in percent, if placeholders keep the rest.
    pub spare_target: Option<u32>,
    /// What pods select in place of the label of the provider.
    pub selection: Option<NodeSelection>,
    /// Whether the nodes get the label of the provider without anyone setting it.
    pub is_labeled: bool,
    /// The values that its nodes may have for the labels of nodes that say which programs they run.
    platforms: BTreeMap<&'static str, BTreeSet<String>>,
}

impl ProvidedNodes {
    /// Returns what the nodes are, and what a task definition asks for instead, if no node of the provider can run it.
    #[must_use]
    pub fn contradiction(&self, asked: &ecs::RuntimePlatform) -> Option<(String, String)> {
        let architecture = match asked.cpu_architecture.as_deref() {
            Some("ARM64") => Some("arm64"),
            Some("X86_64") => Some("amd64"),
            _ => None,
        };
        let system = asked.operating_system_family.as_deref();
        let system = system.map(|family| match family {
            "LINUX" => "linux",
            _ => "windows",
        });
        let asked = [(ARCHITECTURE, architecture), (OPERATING_SYSTEM, system)];
        asked.into_iter().find_map(|(label, asked)| {
            let (known, asked) = (self.platforms.get(label)?, asked?);
            let all: Vec<&str> = known.iter().map(String::as_str).collect();
            (!known.contains(asked)).then(|| (all.join(" or "), asked.to_owned()))
        })
    }
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
        target_capacity,
    } = provider;
    let mut notes = Diagnostics::new();
    let label = kname(name, LABEL_LENGTH);
    let pool = match source {
        NodeSource::Karpenter(pool) => Some(&**pool),
        NodeSource::Label | NodeSource::NodeGroup(_) | NodeSource::Labels(_) => None,
    };
    let taints: Vec<NodeTaint> = pool.map_or_else(Vec::new, taints);
    if let Some(pool) = pool {
        report_architectures(pool, &mut notes);
    }
    let keeps_room = pool.is_some_and(|pool| pool.keeps_room);
    let spare_target =
        (keeps_room && unscaled.is_none() && *target_capacity < FULL).then_some(*target_capacity);
    report_room(keeps_room, spare_target, *target_capacity, &mut notes);
    let selection = selection(&label, source, tolerations, &taints);
    let platforms = platforms(pool, selection.as_ref());
    let pool = pool.map(|pool| node_pool(&label, pool));
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
        selection,
        taints,
        spare_target,
        platforms,
    };
    (nodes, notes)
}

/// Returns a NodePool whose nodes have these taints.
#[must_use]
pub fn with_taints(mut node_pool: CustomObject, taints: &[NodeTaint]) -> CustomObject {
    if !taints.is_empty()
        && let Some(of_nodes) = node_pool.spec.pointer_mut("/template/spec")
    {
        let taints: Vec<Value> = taints.iter().map(taint).collect();
        of_nodes["taints"] = json!(taints);
    }
    node_pool
}

fn taint(taint: &NodeTaint) -> Value {
    let NodeTaint { key, value, effect } = taint;
    match value.as_str() {
        "" => json!({"key": key, "effect": effect}),
        value => json!({"key": key, "value": value, "effect": effect}),
    }
}

fn taints(pool: &NodePool) -> Vec<NodeTaint> {
    let taints = pool.taints.iter().cloned().map(|taint| {
        let ecs::NodeTaint { key, value, effect } = taint;
        NodeTaint {
            key: key.unwrap_or_default(),
            value: value.unwrap_or_default(),
            effect: effect.unwrap_or_default(),
        }
    });
    taints.collect()
}

/// Reports room that is asked for and not kept.
fn report_room(keeps: bool, spare_target: Option<u32>, target: u32, notes: &mut Diagnostics) {
    let root = FieldPath::root(Subject::CapacityProvider);
    if spare_target.is_some() {
        return;
    }
    if target < FULL {
        let path = root.field("autoScalingGroupProvider");
        let path = path.field("managedScaling").field("targetCapacity");
        notes.report(path, Message::NoSpareNodes);
    }
    if keeps {
        let path = root.field("kubernetes").field("karpenter");
        notes.report(path.field("spareRoom"), Message::SpareRoomNeedsTarget);
    }
}

/// Reports that nothing keeps nodes of several architectures apart.
fn report_architectures(pool: &NodePool, notes: &mut Diagnostics) {
    if pool.architectures.is_empty() && !pool.names_instances {
        let root = FieldPath::root(Subject::CapacityProvider);
        let path = root.field("kubernetes").field("karpenter");
        notes.report(path, Message::ArchitectureOpen);
    }
}

/// Returns what is known about the platforms of the nodes, by the labels of nodes.
fn platforms(
    pool: Option<&NodePool>,
    selection: Option<&NodeSelection>,
) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut known = BTreeMap::new();
    let selected = selection.map(|selection| &selection.node_selector);
    for label in [ARCHITECTURE, OPERATING_SYSTEM] {
        if let Some(value) = selected.and_then(|selected| selected.get(label)) {
            known.insert(label, BTreeSet::from([value.clone()]));
        }
    }
    if let Some(pool) = pool.filter(|pool| !pool.architectures.is_empty()) {
        known.insert(ARCHITECTURE, pool.architectures.iter().cloned().collect());
    }
    known
}

/// Returns what pods select, unless that is only the label of the provider.
fn selection(
    label: &str,
    source: &NodeSource,
    tolerations: &[ecs::NodeToleration],
    taints: &[NodeTaint],
) -> Option<NodeSelection> {
    let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let node_selector = match source {
        NodeSource::NodeGroup(group) => one(NODE_GROUP, group),
        NodeSource::Labels(labels) => labels.clone(),
        NodeSource::Label | NodeSource::Karpenter(_)
            if tolerations.is_empty() && taints.is_empty() =>
        {
            return None;
        }
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
    let mut selection = NodeSelection {
        node_selector,
        tolerations: tolerations.collect(),
    };
    for taint in taints {
        if !selection.tolerates(taint) {
            selection.tolerations.push(NodeToleration::of(taint));
        }
    }
    Some(selection)
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
        architectures,
        names_instances: _,
        taints: _,
        keeps_room: _,
    } = pool;
    let prefix = match class_group.as_str() {
        AUTO_MODE => AUTO_MODE,
        _ => KARPENTER_AWS,
    };
    let one_of = |key: &str, values: &[String]| {
        (!values.is_empty()).then(|| json!({"key": key, "operator": "In", "values": values}))
    };
    let bought = one_of(CAPACITY_TYPE, capacity_types).into_iter();
    let bought = bought.chain(one_of(ARCHITECTURE, architectures));
    let others = requirements.iter().map(|it| requirement(it, prefix));
    let mut of_node = Members::from_iter([
        (
            "nodeClassRef",
            json!({"group": class_group, "kind": class_kind, "name": class_name}),
        ),
        ("requirements", bought.chain(others).collect()),
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
