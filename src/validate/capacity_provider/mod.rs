//! Capacity providers: where nodes come from
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCapacityProvider.html>).

mod instances;

use std::collections::{BTreeMap, BTreeSet};

use self::instances::requirements;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    settings::is_label_value,
};

pub use instances::{InstanceAttribute, InstanceRequirement};

/// After how many seconds ECS ends instances of an Auto Scaling group that are not needed: 15 measurements, one a minute
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html>).
const GROUP_SCALES_IN_AFTER: u32 = 15 * 60;
/// After how many seconds nodes are consolidated if nothing is said about it. ECS does not document its default.
const SCALES_IN_AFTER: u32 = 5 * 60;

/// The target capacity that leaves nothing spare.
pub const FULL: u32 = 100;

/// A capacity provider.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityProviderRequest {
    /// Its name, as strategies have it.
    pub name: String,
    /// Where its nodes come from.
    pub source: NodeSource,
    /// The taints that its pods tolerate.
    pub tolerations: Vec<ecs::NodeToleration>,
    /// The members that are about making or removing nodes.
    pub managed: Vec<FieldPath>,
    /// The member that says that ECS does not scale the group, if one says so.
    pub unscaled: Option<FieldPath>,
    /// How much of the nodes is in use, in percent; the rest is spare.
    pub target_capacity: u32,
}

/// Where nodes come from.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeSource {
    /// Someone sets the label of the provider.
    Label,
    /// Karpenter makes them.
    Karpenter(Box<NodePool>),
    /// They are those of a managed node group of EKS.
    NodeGroup(String),
    /// They have these labels.
    Labels(BTreeMap<String, String>),
}

/// The nodes that Karpenter makes.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each says something of its own"
)]
pub struct NodePool {
    /// The API group of the class of the nodes.
    pub class_group: String,
    /// The kind of the class.
    pub class_kind: String,
    /// The name of the class.
    pub class_name: String,
    /// How they are bought: `spot`, `on-demand`, `reserved`.
    pub capacity_types: Vec<String>,
    /// What an instance must have.
    pub requirements: Vec<InstanceRequirement>,
    /// Whether nodes with tasks stay.
    pub only_empty: bool,
    /// After how many seconds nodes that are not needed end; `None` if they stay.
    pub consolidate_after: Option<u32>,
    /// Whether nodes end because of their age.
    pub expires: bool,
    /// How many seconds draining may take.
    pub termination_grace_period: Option<u32>,
    /// Which NodePool comes first.
    pub weight: Option<u32>,
    /// Quantities by resource.
    pub limits: BTreeMap<String, String>,
    /// The architectures of the nodes, as Kubernetes names them; any if there are none.
    pub architectures: Vec<String>,
    /// Whether the requirements name instance types or makers of processors, which have an architecture.
    pub names_instances: bool,
    /// The taints of the nodes.
    pub taints: Vec<ecs::NodeTaint>,
    /// Whether placeholders keep room for the part of the nodes that is spare.
    pub keeps_room: bool,
}

/// Validates a capacity provider.
///
/// # Errors
///
/// Everything for which ECS would reject it, and what no node can have.
pub fn validate_capacity_provider(
    request: &ecs::CapacityProvider,
) -> Result<CapacityProviderRequest, Diagnostics> {
    let mut sink = Diagnostics::new();
    let root = FieldPath::root(Subject::CapacityProvider);
    let name = validate_name(request, &root, &mut sink);
    let (group, managed) = (
        request.auto_scaling_group_provider.as_ref(),
        request.managed_instances_provider.as_ref(),
    );
    if group.is_some() && managed.is_some() {
        sink.report(root.clone(), Message::CapacityProviderTypes);
    }
    let at_group = root.field("autoScalingGroupProvider");
    if let Some(group) = group {
        check_group(group, &at_group, &mut sink);
    }
    let source = validate_source(request, &root, &mut sink);
    let tolerations = request.kubernetes.as_ref().map(|it| it.tolerations.clone());
    if sink.has_errors() {
        return Err(sink);
    }
    let scaling = group.and_then(|group| group.managed_scaling.as_ref());
    let at_scaling = at_group.field("managedScaling");
    let is_off = scaling.is_some_and(|scaling| scaling.status.as_deref() == Some("DISABLED"));
    let mut about_nodes = Vec::new();
    if scaling.is_some() && !is_off {
        about_nodes.push(at_scaling.clone());
    }
    if group.is_some_and(protects) {
        about_nodes.push(at_group.field("managedTerminationProtection"));
    }
    if managed.is_some() {
        about_nodes.push(root.field("managedInstancesProvider"));
    }
    Ok(CapacityProviderRequest {
        name,
        source,
        tolerations: tolerations.unwrap_or_default(),
        managed: about_nodes,
        unscaled: is_off.then(|| at_scaling.field("status")),
        target_capacity: scaling
            .and_then(|scaling| u32::try_from(scaling.target_capacity?).ok())
            .unwrap_or(FULL),
    })
}

fn validate_name(
    request: &ecs::CapacityProvider,
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> String {
    let name = request.name.clone().unwrap_or_default();
    if name.is_empty() {
        let message = Message::RequiredField {
            name: "name".to_owned(),
        };
        sink.report(root.field("name"), message);
    }
    let lower = name.to_ascii_lowercase();
    if ["aws", "ecs", "fargate"]
        .iter()
        .any(|taken| lower.starts_with(taken))
    {
        let message = Message::CapacityProviderNameReserved { name: name.clone() };
        sink.report(root.field("name"), message);
    }
    name
}

fn protects(group: &ecs::AutoScalingGroupProvider) -> bool {
    group.managed_termination_protection.as_deref() == Some("ENABLED")
}

fn check_group(group: &ecs::AutoScalingGroupProvider, at: &FieldPath, sink: &mut Diagnostics) {
    let scaling = group.managed_scaling.as_ref();
    let status = scaling.and_then(|scaling| scaling.status.as_deref());
    if protects(group) && status != Some("ENABLED") {
        let path = at.field("managedTerminationProtection");
        sink.report(path, Message::TerminationProtectionNeedsScaling);
    }
}

fn validate_source(
    request: &ecs::CapacityProvider,
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> NodeSource {
    let Some(nodes) = &request.kubernetes else {
        return NodeSource::Label;
    };
    let at = root.field("kubernetes");
    let given = [
        ("karpenter", nodes.karpenter.is_some()),
        ("nodeGroup", nodes.node_group.is_some()),
        ("nodeSelector", !nodes.node_selector.is_empty()),
    ];
    let given: Vec<&str> = given
        .iter()
        .filter(|(_, is)| *is)
        .map(|(it, _)| *it)
        .collect();
    if let [_, second, ..] = given[..] {
        let members = given.join(" and ");
        let message = Message::SeveralNodeSources { members };
        sink.report(at.field(second), message);
    }
    if let Some(karpenter) = &nodes.karpenter {
        return NodeSource::Karpenter(Box::new(node_pool(request, karpenter, root, sink)));
    }
    if let Some(group) = &nodes.node_group {
        check_label(group, &at.field("nodeGroup"), sink);
        return NodeSource::NodeGroup(group.clone());
    }
    if nodes.node_selector.is_empty() {
        return NodeSource::Label;
    }
    for (key, value) in &nodes.node_selector {
        let path = at.field("nodeSelector").field(key.clone());
        check_label_key(key, &path, sink);
        if !value.is_empty() {
            check_label(value, &path, sink);
        }
    }
    NodeSource::Labels(nodes.node_selector.clone())
}

/// Whether a text can be the key of a label: a name, mostly after a host and a slash.
fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => crate::settings::is_subdomain(prefix) && is_label_value(name),
        None => is_label_value(key),
    }
}

fn check_label_key(key: &str, path: &FieldPath, sink: &mut Diagnostics) {
    if !is_label_key(key) {
        let message = Message::InvalidValue {
            value: format!("{key:?}"),
            allowed: "must be the key of a label".to_owned(),
        };
        sink.report(path.clone(), message);
    }
}

fn check_label(value: &str, path: &FieldPath, sink: &mut Diagnostics) {
    if !is_label_value(value) {
        let message = Message::InvalidValue {
            value: format!("{value:?}"),
            allowed: "must be the value of a label".to_owned(),
        };
        sink.report(path.clone(), message);
    }
}

fn node_pool(
    request: &ecs::CapacityProvider,
    karpenter: &ecs::KarpenterNodes,
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> NodePool {
    let class = karpenter.node_class_ref.clone().unwrap_or_default();
    let managed = request.managed_instances_provider.as_ref();
    let launched = managed.and_then(|managed| managed.instance_launch_template.as_ref());
    let group = request.auto_scaling_group_provider.as_ref();
    let at = root
        .field("managedInstancesProvider")
        .field("instanceLaunchTemplate")
        .field("instanceRequirements");
    let asked = launched.and_then(|launched| launched.instance_requirements.as_ref());
    let seconds = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
    let at_taints = root.field("kubernetes").field("karpenter").field("taints");
    check_taints(&karpenter.taints, &at_taints, sink);
    let names_instances = asked.is_some_and(|asked| {
        !asked.allowed_instance_types.is_empty() || !asked.cpu_manufacturers.is_empty()
    });
    NodePool {
        class_group: class.group.unwrap_or_default(),
        class_kind: class.kind.unwrap_or_default(),
        class_name: class.name.unwrap_or_default(),
        capacity_types: capacity_types(karpenter, launched),
        requirements: asked.map_or_else(Vec::new, |asked| requirements(asked, &at, sink)),
        only_empty: group.is_some_and(protects),
        consolidate_after: consolidate_after(request),
        expires: group.is_none(),
        termination_grace_period: seconds(karpenter.termination_grace_period_seconds),
        weight: seconds(karpenter.weight),
        limits: karpenter.limits.clone(),
        architectures: sorted(&karpenter.architectures),
        names_instances,
        taints: karpenter.taints.clone(),
        // The reader knows only one word for it.
        keeps_room: karpenter.spare_room.is_some(),
    }
}

/// Checks what the reader does not: that keys and values are those of labels.
fn check_taints(taints: &[ecs::NodeTaint], at: &FieldPath, sink: &mut Diagnostics) {
    for (index, taint) in taints.iter().enumerate() {
        let path = at.index(index);
        if let Some(key) = &taint.key {
            check_label_key(key, &path.field("key"), sink);
        }
        if let Some(value) = taint.value.as_deref().filter(|value| !value.is_empty()) {
            check_label(value, &path.field("value"), sink);
        }
    }
}

/// Returns words in their order, each once.
fn sorted(words: &[String]) -> Vec<String> {
    let words: BTreeSet<&String> = words.iter().collect();
    words.into_iter().cloned().collect()
}

/// Returns how nodes are bought. Karpenter takes the cheapest of these that there is.
fn capacity_types(
    karpenter: &ecs::KarpenterNodes,
    launched: Option<&ecs::InstanceLaunchTemplate>,
) -> Vec<String> {
    if !karpenter.capacity_types.is_empty() {
        return sorted(&karpenter.capacity_types);
    }
    let option = launched.and_then(|launched| launched.capacity_option_type.as_deref());
    let reservations = launched.and_then(|launched| launched.capacity_reservations.as_ref());
    let preference = reservations.and_then(|it| it.reservation_preference.as_deref());
    let types: &[&str] = match (option, preference) {
        (Some("SPOT"), _) => &["spot"],
        (Some("RESERVED"), Some("RESERVATIONS_FIRST")) => &["on-demand", "reserved"],
        (Some("RESERVED"), Some("RESERVATIONS_EXCLUDED")) => &["on-demand"],
        (Some("RESERVED"), _) => &["reserved"],
        _ => &["on-demand"],
    };
    types.iter().map(|it| (*it).to_owned()).collect()
}

/// Returns after how many seconds nodes that are not needed end; `None` if they stay.
fn consolidate_after(request: &ecs::CapacityProvider) -> Option<u32> {
    if let Some(group) = &request.auto_scaling_group_provider {
        let scaling = group.managed_scaling.as_ref();
        let is_off = scaling.is_some_and(|it| it.status.as_deref() == Some("DISABLED"));
        return (!is_off).then_some(GROUP_SCALES_IN_AFTER);
    }
    let managed = request.managed_instances_provider.as_ref();
    let optimization = managed.and_then(|it| it.infrastructure_optimization.as_ref());
    match optimization.and_then(|it| it.scale_in_after) {
        None => Some(SCALES_IN_AFTER),
        // The range of the field has -1 for never.
        Some(seconds) => u32::try_from(seconds).ok(),
    }
}
