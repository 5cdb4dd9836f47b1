//! The Deployment of the pods that keep room on the nodes of a capacity provider.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::{
    CAPACITY_PROVIDER, CustomObject, LABEL_LENGTH, kname,
    quantity::{mebibytes, millicores},
};
use crate::settings::{NodeSelection, SPARE_ROOM};

/// The PriorityClass of the pods. The Helm chart creates it where administrators want such pods: nobody else has a negative
/// priority, so that any pod takes their place.
const PRIORITY_CLASS: &str = "ecs-operator-spare-room";
/// A program that does nothing. Each node has an image of it for its own pods, though not always this one.
const PAUSE: &str = "registry.k8s.io/pause:3.10";
/// The user of the program, which is in no image.
const NOBODY: i64 = 65_535;

/// Returns the Deployment of placeholders for a provider, each of which reserves this much CPU, in thousandths, and memory,
/// in MiB. Its name is that of the provider and `spare`.
#[must_use]
pub fn spare_room(
    provider: &str,
    namespace: &str,
    count: u32,
    (cpu, memory): (i64, i64),
    selection: Option<&NodeSelection>,
) -> CustomObject {
    let own = BTreeMap::from([(SPARE_ROOM, provider)]);
    let pod = pod(provider, (cpu, memory), selection);
    CustomObject {
        api_version: "apps/v1",
        kind: "Deployment",
        metadata: ObjectMeta {
            name: Some(kname(&format!("{provider}-spare"), LABEL_LENGTH)),
            namespace: Some(namespace.to_owned()),
            labels: Some(
                own.iter()
                    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                    .collect(),
            ),
            ..ObjectMeta::default()
        },
        spec: json!({
            "replicas": count,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": own},
            // Of another size, they shall not take more than their own room.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "25%"}},
            "template": {"metadata": {"labels": own}, "spec": pod},
        }),
    }
}

fn pod(provider: &str, (cpu, memory): (i64, i64), selection: Option<&NodeSelection>) -> Value {
    let mut requests = BTreeMap::new();
    if cpu > 0 {
        requests.insert("cpu", millicores(cpu));
    }
    if memory > 0 {
        requests.insert("memory", mebibytes(memory));
    }
    let selector = selection.map(|selection| selection.node_selector.clone());
    let selector =
        selector.unwrap_or_else(|| [(CAPACITY_PROVIDER.to_owned(), provider.to_owned())].into());
    let tolerations: Vec<Value> = selection
        .into_iter()
        .flat_map(|selection| &selection.tolerations)
        .map(|toleration| json!(toleration))
        .collect();
    let pod = json!({
        "priorityClassName": PRIORITY_CLASS,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "nodeSelector": selector,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": "pause",
            "image": PAUSE,
            "resources": {"requests": requests},
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            },
        }],
    });
    match pod {
        Value::Object(mut members) if !tolerations.is_empty() => {
            members.insert("tolerations".to_owned(), json!(tolerations));
            Value::Object(members)
        }
        pod => pod,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{NodeTaint, NodeToleration};

    #[test]
    fn placeholders_go_where_tasks_go() {
        let plain = spare_room("blue", "ecs", 3, (250, 0), None);
        assert_eq!(plain.metadata.name.as_deref(), Some("blue-spare"));
        let pod = &plain.spec["template"]["spec"];
        assert_eq!(
            pod["nodeSelector"],
            json!({"ecs-operator.dev/capacity-provider": "blue"})
        );
        assert_eq!(
            pod["containers"][0]["resources"]["requests"],
            json!({"cpu": "250m"})
        );
        assert!(pod.get("tolerations").is_none());
        let taint = NodeTaint {
            key: "team".to_owned(),
            value: "web".to_owned(),
            effect: "NoSchedule".to_owned(),
        };
        let selection = NodeSelection {
            node_selector: [("a".to_owned(), "b".to_owned())].into(),
            tolerations: vec![NodeToleration::of(&taint)],
        };
        let tainted = spare_room("blue", "ecs", 3, (250, 1024), Some(&selection));
        let pod = &tainted.spec["template"]["spec"];
        assert_eq!(pod["nodeSelector"], json!({"a": "b"}));
        assert_eq!(
            pod["tolerations"],
            json!([{"key": "team", "operator": "Equal", "value": "web", "effect": "NoSchedule"}])
        );
    }
}
