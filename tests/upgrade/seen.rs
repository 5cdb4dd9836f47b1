//! What there is to see of a fleet, and what differs between two looks at it.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::Pod,
};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams},
    discovery::{Discovery, Scope, verbs},
};
use serde_json::{Value, json};

use crate::support::{Bed, condition};

/// The label of everything that the operator makes.
const OURS: &str = "app.kubernetes.io/managed-by=ecs-operator";

/// Kinds that are made of what the operator makes, or that are looked at by themselves.
const NOT_OBJECTS: &[&str] = &[
    "ControllerRevision",
    "EndpointSlice",
    "Endpoints",
    "Event",
    "Pod",
    "ReplicaSet",
];

/// What has to stay as it is, by what it is of.
pub type Seen = BTreeMap<String, Value>;

/// Looks at everything in a namespace.
pub async fn look(bed: &Bed) -> Seen {
    let mut seen = Seen::new();
    pods(bed, &mut seen).await;
    templates(bed, &mut seen).await;
    objects(bed, &mut seen).await;
    services(bed, &mut seen).await;
    tasks(bed, &mut seen).await;
    seen
}

/// Each pod that was not told to end.
async fn pods(bed: &Bed, seen: &mut Seen) {
    let ours = ListParams::default().labels(OURS);
    for pod in bed.api::<Pod>().list(&ours).await.unwrap() {
        if pod.metadata.deletion_timestamp.is_none() {
            seen.insert(format!("pod {}", pod.name_any()), json!(pod.uid()));
        }
    }
}

/// What the workloads make their pods of.
async fn templates(bed: &Bed, seen: &mut Seen) {
    let ours = ListParams::default().labels(OURS);
    for deployment in bed.api::<Deployment>().list(&ours).await.unwrap() {
        let name = format!("template of Deployment {}", deployment.name_any());
        seen.insert(name, json!(deployment.spec.unwrap().template));
    }
    for daemon_set in bed.api::<DaemonSet>().list(&ours).await.unwrap() {
        let name = format!("template of DaemonSet {}", daemon_set.name_any());
        seen.insert(name, json!(daemon_set.spec.unwrap().template));
    }
}

/// Kinds of which all that is wanted counts: where clients are led, and how far is scaled. How fast is the business of the
/// operator of today, as all numbers of a rollout are.
const LEADING: &[&str] = &[
    "HorizontalPodAutoscaler",
    "Ingress",
    "ScaledObject",
    "Service",
    "TargetGroupBinding",
];

/// The group, kind and class of each object, and which one it is.
async fn objects(bed: &Bed, seen: &mut Seen) {
    let discovery = Discovery::new(bed.client.clone()).run().await.unwrap();
    for group in discovery.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            let is_object = capabilities.scope == Scope::Namespaced
                && capabilities.supports_operation(verbs::LIST)
                && !NOT_OBJECTS.contains(&&*resource.kind);
            if is_object {
                objects_of(bed, &resource, seen).await;
            }
        }
    }
}

async fn objects_of(bed: &Bed, resource: &ApiResource, seen: &mut Seen) {
    let api: Api<DynamicObject> =
        Api::namespaced_with(bed.client.clone(), bed.namespace.name(), resource);
    // A kind may be on its way out.
    let Ok(objects) = api.list(&ListParams::default().labels(OURS)).await else {
        return;
    };
    for object in objects {
        let (group, kind) = (&resource.group, &resource.kind);
        let spec = &object.data["spec"];
        let leads = LEADING.contains(&kind.as_str()).then(|| without_pace(spec));
        let is = json!({
            "uid": object.uid(),
            "spec": leads,
            "ingressClassName": spec["ingressClassName"],
            "loadBalancerClass": spec["loadBalancerClass"],
            "storageClassName": spec["storageClassName"],
        });
        seen.insert(format!("object {group}/{kind} {}", object.name_any()), is);
    }
}

/// What is wanted, without how fast an autoscaler follows its metrics.
fn without_pace(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(members) = spec.as_object_mut() {
        members.retain(|name, _| !["advanced", "behavior", "cooldownPeriod"].contains(&&**name));
    }
    spec
}

/// The deployments of each service, and what becomes of its spec.
async fn services(bed: &Bed, seen: &mut Seen) {
    let services = bed.resources("EcsService");
    for service in services.list(&ListParams::default()).await.unwrap() {
        let status = &service.data["status"];
        let deployments = status["deployments"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let deployments: Vec<Value> = deployments
            .iter()
            .map(|deployment| {
                json!({
                    "id": deployment["id"],
                    "status": deployment["status"],
                    "rolloutState": deployment["rolloutState"],
                    "taskDefinition": deployment["taskDefinition"],
                })
            })
            .collect();
        let reason = |type_: &str| condition(&json!(service), type_)["reason"].clone();
        let is = json!({
            "deployments": deployments,
            "accepted": reason("Accepted"),
            "ready": reason("Ready"),
        });
        seen.insert(format!("EcsService {}", service.name_any()), is);
    }
}

/// What each stand-alone task does.
async fn tasks(bed: &Bed, seen: &mut Seen) {
    let tasks = bed.resources("EcsTask");
    for task in tasks.list(&ListParams::default()).await.unwrap() {
        let status = &task.data["status"];
        let is = json!({
            "lastStatus": status["lastStatus"],
            "taskDefinition": status["taskDefinition"],
            "startedAt": status["startedAt"],
        });
        seen.insert(format!("EcsTask {}", task.name_any()), is);
    }
}

/// What differs, a line each.
pub fn differences(before: &Seen, after: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    for (name, was) in before {
        match after.get(name) {
            Some(is) => differing(name, was, is, &mut found),
            None => found.push(format!("{name} is gone")),
        }
    }
    let new = after.keys().filter(|name| !before.contains_key(*name));
    found.extend(new.map(|name| format!("{name} is new")));
    found
}

fn differing(path: &str, was: &Value, is: &Value, found: &mut Vec<String>) {
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            let names: std::collections::BTreeSet<_> = was.keys().chain(is.keys()).collect();
            for name in names {
                let of = |object: &serde_json::Map<String, Value>| {
                    object.get(name).cloned().unwrap_or_default()
                };
                differing(&format!("{path}/{name}"), &of(was), &of(is), found);
            }
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            for (index, (was, is)) in was.iter().zip(is).enumerate() {
                differing(&format!("{path}/{index}"), was, is, found);
            }
        }
        _ if was != is => found.push(format!("{path}: {was} became {is}")),
        _ => {}
    }
}
