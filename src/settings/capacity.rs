//! Which nodes the pods of a capacity provider select.

use std::{collections::BTreeMap, fmt};

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

impl NodeSelection {
    /// Whether the pods tolerate a taint
    /// (<https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>).
    #[must_use]
    pub fn tolerates(&self, taint: &NodeTaint) -> bool {
        self.tolerations.iter().any(|it| it.covers(taint))
    }
}

/// A taint of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTaint {
    /// The key.
    pub key: String,
    /// The value; empty if it has none.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

impl fmt::Display for NodeTaint {
    /// Writes it as `kubectl taint` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, effect } = self;
        match value.as_str() {
            "" => write!(f, "{key}:{effect}"),
            value => write!(f, "{key}={value}:{effect}"),
        }
    }
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

impl NodeToleration {
    /// Returns the toleration of one taint. Without a value, it is one of the key with any value.
    #[must_use]
    pub fn of(taint: &NodeTaint) -> Self {
        let value = Some(taint.value.clone()).filter(|value| !value.is_empty());
        let operator = if value.is_some() { "Equal" } else { "Exists" };
        Self {
            key: Some(taint.key.clone()),
            operator: Some(operator.to_owned()),
            value,
            effect: Some(taint.effect.clone()),
        }
    }

    fn covers(&self, taint: &NodeTaint) -> bool {
        let Self {
            key,
            operator,
            value,
            effect,
        } = self;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let exists = operator.as_deref() == Some("Exists");
        let of_effect = given(effect).is_none_or(|effect| effect == taint.effect);
        let of_key = match given(key) {
            Some(key) => key == taint.key,
            None => exists,
        };
        let of_value = exists || value.as_deref().unwrap_or_default() == taint.value;
        of_effect && of_key && of_value
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taint(value: &str) -> NodeTaint {
        NodeTaint {
            key: "team".to_owned(),
            value: value.to_owned(),
            effect: "NoSchedule".to_owned(),
        }
    }

    #[test]
    fn a_toleration_covers_what_the_scheduler_lets_it() {
        for (toleration, expected) in [
            (json!({"key": "team", "operator": "Exists"}), true),
            (
                json!({"key": "team", "operator": "Exists", "effect": "NoExecute"}),
                false,
            ),
            (
                json!({"key": "team", "value": "web", "effect": "NoSchedule"}),
                true,
            ),
            (
                json!({"key": "team", "operator": "Equal", "value": "other"}),
                false,
            ),
            (json!({"key": "team"}), false),
            (json!({"key": "other", "operator": "Exists"}), false),
            (json!({"operator": "Exists"}), true),
            (json!({"value": "web"}), false),
        ] {
            let selection = json!({"tolerations": [toleration]});
            let selection: NodeSelection = serde_json::from_value(selection).expect("it is one");
            assert_eq!(
                selection.tolerates(&taint("web")),
                expected,
                "{selection:?}"
            );
        }
    }

    #[test]
    fn the_toleration_of_a_taint_covers_it() {
        for value in ["", "web"] {
            let taint = taint(value);
            let tolerations = vec![NodeToleration::of(&taint)];
            let selection = NodeSelection {
                tolerations,
                ..NodeSelection::default()
            };
            assert!(selection.tolerates(&taint), "{taint}");
        }
        assert_eq!(taint("").to_string(), "team:NoSchedule");
        assert_eq!(taint("web").to_string(), "team=web:NoSchedule");
    }
}
