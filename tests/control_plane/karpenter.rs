//! Capacity providers with a real Karpenter, whose nodes are simulated: `cargo xtask test karpenter`.

use std::{collections::BTreeMap, net::TcpListener};

use ecs_operator_testbed::{ControlPlane, Process, find, until};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    capacity::{RIGHTS, api, gone, node_pool_definition, node_pools, provide, providers, stands},
    support::{
        Bed, LIMIT, Operator,
        addons::{Kind, definition},
        install, task_definition,
    },
};

/// The kinds of Karpenter that the operator does not use.
const KINDS: [Kind; 3] = [
    ("karpenter.sh", "v1", "NodeClaim", "nodeclaims"),
    ("karpenter.sh", "v1alpha1", "NodeOverlay", "nodeoverlays"),
    (
        "karpenter.kwok.sh",
        "v1alpha1",
        "KWOKNodeClass",
        "kwoknodeclasses",
    ),
];

/// Installs Karpenter with a class of nodes.
async fn karpenter(plane: &ControlPlane, bed: &Bed) -> Process {
    let folder = plane.folder().join("karpenter");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("nodepools.json"), node_pool_definition()).unwrap();
    for kind in &KINDS {
        let mut definition = definition(kind);
        definition["spec"]["versions"][0]["subresources"] = json!({"status": {}});
        let file = folder.join(format!("{}.json", kind.3));
        std::fs::write(file, definition.to_string()).unwrap();
    }
    plane.install_crds(folder).await.unwrap();
    let classes = api(
        &bed.client,
        "karpenter.kwok.sh",
        "v1alpha1",
        "KWOKNodeClass",
        "kwoknodeclasses",
    );
    let class = json!({
        "apiVersion": "karpenter.kwok.sh/v1alpha1",
        "kind": "KWOKNodeClass",
        "metadata": {"name": "default"},
        "spec": {"nodeRegistrationDelay": "0s"},
    });
    let params = PatchParams::apply("test").force();
    classes
        .patch("default", &params, &Patch::Apply(&class))
        .await
        .unwrap();
    let mut ready = class;
    ready["status"] = json!({"conditions": [{
        "type": "Ready", "status": "True", "reason": "Ready", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    classes
        .patch_status("default", &params, &Patch::Apply(&ready))
        .await
        .unwrap();
    let program = tokio::task::spawn_blocking(|| find("karpenter"));
    let program = program.await.unwrap().unwrap();
    let free = || {
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    };
    let line = [
        "env".into(),
        format!("KUBECONFIG={}", plane.kubeconfig().display()).into(),
        "SYSTEM_NAMESPACE=kube-system".into(),
        program.into_os_string(),
        "--disable-leader-election".into(),
        format!("--metrics-port={}", free()).into(),
        format!("--health-probe-port={}", free()).into(),
    ];
    Process::start("karpenter", plane.folder(), &line).unwrap()
}

/// Returns how many tasks run on the nodes of each capacity type, and of each provider.
async fn split(bed: &Bed) -> BTreeMap<[String; 2], usize> {
    let nodes: Api<Node> = Api::all(bed.client.clone());
    let nodes = nodes.list(&ListParams::default()).await.unwrap();
    let labels = |name: &str| {
        let node = nodes.iter().find(|node| node.name_any() == name).unwrap();
        let label = |label: &str| node.labels().get(label).cloned().unwrap_or_default();
        [
            "karpenter.sh/capacity-type",
            "ecs-operator.dev/capacity-provider",
        ]
        .map(label)
    };
    let mut split = BTreeMap::new();
    let tasks: Vec<Pod> = bed.tasks("web").await;
    for name in tasks
        .iter()
        .filter_map(|pod| pod.spec.as_ref()?.node_name.as_deref())
    {
        *split.entry(labels(name)).or_default() += 1;
    }
    split
}

async fn web(bed: &Bed, count: i64) -> Vec<usize> {
    let strategy = json!([
        {"capacityProvider": "reliable", "base": 1, "weight": 1},
        {"capacityProvider": "spot", "weight": 3},
    ]);
    let web = json!({"taskDefinition": "web", "desiredCount": count, "capacityProviderStrategy": strategy});
    bed.must_apply("EcsService", "web", web).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let split = split(bed).await;
    let of = |type_: &str, name: &str| {
        let key = [type_.to_owned(), name.to_owned()];
        split.get(&key).copied().unwrap_or(0)
    };
    let counts = vec![of("on-demand", "reliable"), of("spot", "spot")];
    assert_eq!(
        counts.iter().sum::<usize>(),
        split.values().sum::<usize>(),
        "{split:?}"
    );
    counts
}

#[tokio::test]
#[ignore = "it builds Karpenter"]
async fn karpenter_makes_the_nodes_of_providers() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    plane.apply("default", RIGHTS).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "karpenter").await;
    let _karpenter = karpenter(&plane, &bed).await;
    let _operator = Operator::start(&plane, "karpenter", &[]).await.unwrap();
    let class = json!({"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "default"});
    for (name, type_) in [("reliable", "on-demand"), ("spot", "spot")] {
        let nodes: Value = json!({"karpenter": {"nodeClassRef": class, "capacityTypes": [type_]}});
        provide(&bed, name, nodes).await;
        stands(&bed, name, "Ready", "CapacityProviderActive").await;
    }
    let mut definition = task_definition("testbed/web");
    // Nodes have room for some of the tasks.
    definition["cpu"] = json!("2048");
    definition["memory"] = json!("4096");
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    assert_eq!(web(&bed, 0).await, [0, 0]);
    assert_eq!(web(&bed, 20).await, [6, 14]);
    assert_eq!(web(&bed, 3).await, [2, 1]);

    let params = DeleteParams::default();
    bed.resources("EcsService")
        .delete("web", &params)
        .await
        .unwrap();
    for name in ["reliable", "spot"] {
        providers(&bed).delete(name, &params).await.unwrap();
        gone(&node_pools(&bed.client), name).await;
        gone(&providers(&bed), name).await;
    }
    let nodes: Api<Node> = Api::all(bed.client.clone());
    let of_providers = ListParams::default().labels("ecs-operator.dev/capacity-provider");
    until("the end of their nodes", LIMIT, async || {
        let nodes = nodes.list(&of_providers).await?;
        Ok(nodes.items.is_empty().then_some(()))
    })
    .await
    .unwrap();
}
