//! What others do to the objects that the operator made, and the rights that it takes to put them right.

use std::collections::BTreeSet;

use ecs_operator_testbed::{ControlPlane, Options, until};
use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{
    rights::{self, Audit, Right},
    support::{
        LIMIT, Operator,
        addons::{ACK_EKS, ADDONS, AUTO_MODE, Kind, SNAPSHOTS, install_addons},
        apply, install, program, root,
        sources::{REGION, resources},
        uid,
    },
};

/// The kinds that Kubernetes has itself.
const BUILT_IN: &[Kind] = &[
    ("", "v1", "ConfigMap", "configmaps"),
    ("", "v1", "PersistentVolume", "persistentvolumes"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("", "v1", "Service", "services"),
    ("", "v1", "ServiceAccount", "serviceaccounts"),
    ("apps", "v1", "DaemonSet", "daemonsets"),
    ("apps", "v1", "Deployment", "deployments"),
    (
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
    ),
    ("networking.k8s.io", "v1", "Ingress", "ingresses"),
    (
        "networking.k8s.io",
        "v1",
        "NetworkPolicy",
        "networkpolicies",
    ),
    (
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
    ),
    ("storage.k8s.io", "v1", "StorageClass", "storageclasses"),
];

/// These are kept from deletion for as long as somebody uses them, by Kubernetes itself.
const PROTECTED: &[&str] = &["PersistentVolume", "PersistentVolumeClaim"];

/// These are in no namespace and so have no owner: who says that another one manages them takes them over.
const CLUSTER_WIDE: &[&str] = &["PersistentVolume", "StorageClass", "VolumeSnapshotContent"];

/// A kind of an add-on that the operator leaves to others. Older versions wanted it to be there.
const NOT_MADE: &[&str] = &["TriggerAuthentication"];

/// A cluster with its add-ons, its settings, and what is applied there.
struct Ground {
    name: &'static str,
    addons: Vec<Kind>,
    settings: &'static [&'static str],
    /// Folders of inputs.
    sources: &'static [&'static str],
    /// Services of task definitions without one.
    alone: &'static [&'static str],
    /// The kinds that are looked at.
    kinds: Vec<Kind>,
}

/// What together is made of every kind. No cluster has all of them.
fn grounds() -> [Ground; 2] {
    let mut made: Vec<Kind> = BUILT_IN.iter().chain(ADDONS).copied().collect();
    made.retain(|(_, _, kind, _)| !NOT_MADE.contains(kind));
    let others: Vec<Kind> = [AUTO_MODE, ACK_EKS].into_iter().chain(SNAPSHOTS).collect();
    [
        Ground {
            name: "drift",
            addons: ADDONS.to_vec(),
            settings: &[
                "--platform=eks",
                "--iam=irsa",
                "--aws-account-id=111122223333",
                "--ecr-pull-secrets",
                REGION,
            ],
            sources: &[
                "examples/shop",
                "tests/cases/ebs-scratch-disk-of-a-service",
                "tests/cases/lb-exposed-by-alb-with-https",
                "tests/cases/pod-without-a-network",
                "tests/cases/scaling-queue-depth-to-zero",
            ],
            alone: &["hash"],
            kinds: made,
        },
        Ground {
            name: "drift-auto-mode",
            addons: others.clone(),
            settings: &[
                "--platform=eks",
                "--iam=pod-identity",
                "--eks-cluster-name=prod",
                "--aws-account-id=111122223333",
                REGION,
            ],
            sources: &[
                "tests/cases/ebs-from-a-snapshot",
                "tests/cases/lb-on-eks-auto-mode",
                "tests/cases/roles-pod-identity-with-ack",
            ],
            alone: &["api"],
            kinds: others,
        },
    ]
}

#[tokio::test]
async fn every_kind_of_object_is_put_right_with_every_right_that_there_is() {
    let used = join_all(grounds().map(put_right)).await;
    rights::check(&used.into_iter().flatten().collect());
}

/// Has everything on a ground edited, deleted and not wanted any more. Returns the rights that the operator used.
async fn put_right(ground: Ground) -> BTreeSet<Right> {
    let audit = Audit::new(ground.name);
    let options = Options {
        apiserver_args: audit.apiserver_args(),
        ..Options::default()
    };
    let plane = ControlPlane::start_with(&options).await.unwrap();
    install(&plane).await.unwrap();
    let client = plane.client().await.unwrap();
    install_addons(&plane, &ground.addons).await;
    let operator = Operator::start(&plane, "operator", ground.settings)
        .await
        .unwrap();
    let namespace = plane.namespace(ground.name).await.unwrap();
    for source in ground.sources {
        let resources = resources(program(), root(), source);
        plane.apply(namespace.name(), &resources).await.unwrap();
    }
    for name in ground.alone {
        // The count of these is left to an autoscaler.
        let range = json!({"scalableTarget": {"MinCapacity": 1, "MaxCapacity": 2}});
        let alone = json!({"taskDefinition": name, "autoScaling": range});
        apply(&client, namespace.name(), "EcsService", name, alone)
            .await
            .unwrap();
    }
    // Its status is the only thing that is made of it.
    apply(&client, namespace.name(), "EcsCluster", "shop", json!({}))
        .await
        .unwrap();
    for kind in &ground.kinds {
        let (_, _, kind_name, _) = kind;
        let resource = resource(kind);
        let name = first(&client, namespace.name(), &resource).await;
        let api = api(&client, namespace.name(), &resource);
        is_put_back_when_edited(&api, &name, "app.kubernetes.io/name").await;
        if !CLUSTER_WIDE.contains(kind_name) {
            is_put_back_when_edited(&api, &name, "app.kubernetes.io/managed-by").await;
        }
        if !PROTECTED.contains(kind_name) {
            is_put_back_when_deleted(&api, &name).await;
        }
        if !CLUSTER_WIDE.contains(kind_name) {
            is_removed_when_nobody_wants_it(&api, &name).await;
        }
    }
    let refused = operator
        .metric("ecs_operator_api_requests_total", "code=\"403\"")
        .await;
    assert_eq!(refused, 0, "{}", operator.last_words());
    audit.used()
}

fn resource((group, version, kind, plural): &Kind) -> ApiResource {
    let api_version = if group.is_empty() {
        (*version).to_owned()
    } else {
        format!("{group}/{version}")
    };
    ApiResource {
        group: (*group).to_owned(),
        version: (*version).to_owned(),
        api_version,
        kind: (*kind).to_owned(),
        plural: (*plural).to_owned(),
    }
}

fn api(client: &Client, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
    if CLUSTER_WIDE.contains(&resource.kind.as_str()) {
        Api::all_with(client.clone(), resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, resource)
    }
}

/// The name of the first object of this kind that the operator has made of a service, once there is one.
async fn first(client: &Client, namespace: &str, resource: &ApiResource) -> String {
    let api = api(client, namespace, resource);
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=ecs-operator");
    let of_service = |object: &DynamicObject| {
        let owners = object.owner_references();
        owners.is_empty() || owners.iter().any(|owner| is_service(&owner))
    };
    until(&format!("a {}", resource.kind), LIMIT, async || {
        let objects = api.list(&ours).await?;
        let found = objects.into_iter().find(&of_service);
        Ok(found.map(|object| object.name_any()))
    })
    .await
    .unwrap()
}

fn is_service(owner: &&OwnerReference) -> bool {
    owner.kind == "EcsService"
}

async fn is_put_back_when_edited(api: &Api<DynamicObject>, name: &str, label: &str) {
    let what = format!("{label} of {} to be put back", api.resource_url());
    let value = |object: &DynamicObject| object.labels().get(label).cloned();
    let before = value(&api.get(name).await.unwrap());
    assert!(before.is_some(), "{what}");
    let edit = json!({"metadata": {"labels": {label: "edited"}}});
    api.patch(name, &PatchParams::default(), &Patch::Merge(edit))
        .await
        .unwrap();
    until(&what, LIMIT, async || {
        Ok((value(&api.get(name).await?) == before).then_some(()))
    })
    .await
    .unwrap();
}

async fn is_put_back_when_deleted(api: &Api<DynamicObject>, name: &str) {
    let what = format!("{} {name} to be made again", api.resource_url());
    let before = uid(&api.get(name).await.unwrap());
    api.delete(name, &DeleteParams::default()).await.unwrap();
    until(&what, LIMIT, async || {
        let object = api.get_opt(name).await?;
        Ok(object.filter(|object| uid(object) != before).map(|_| ()))
    })
    .await
    .unwrap();
}

/// A copy of an object, with its owner, that no spec asks for.
async fn is_removed_when_nobody_wants_it(api: &Api<DynamicObject>, name: &str) {
    let mut stray = api.get(name).await.unwrap();
    let owner = stray.owner_references().iter().find(is_service).unwrap();
    let owner = owner.clone();
    stray.metadata = kube::api::ObjectMeta {
        name: Some("stray".to_owned()),
        labels: stray.metadata.labels,
        owner_references: Some(vec![owner]),
        ..Default::default()
    };
    stray.data.as_object_mut().unwrap().remove("status");
    if let Some(spec) = stray.data["spec"].as_object_mut() {
        spec.retain(|member, _| !member.starts_with("clusterIP"));
    }
    api.create(&PostParams::default(), &stray).await.unwrap();
    let what = format!("{} stray to be removed", api.resource_url());
    until(&what, LIMIT, async || {
        Ok(api.get_opt("stray").await?.is_none().then_some(()))
    })
    .await
    .unwrap();
}
