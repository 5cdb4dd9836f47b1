//! Which nodes the pods of a capacity provider select.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which nodes the pods of a capacity provider select.
///
/// It is stored with a service revision, as a part of [`Settings`](super::Settings).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelection {
    /// Labels that a node must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that a node may have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<NodeToleration>,
}

/// A taint that a node may have, as in a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeToleration {
    /// The key; absent for all taints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `Equal` or `Exists`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The value that `Equal` compares with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The effect; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}
