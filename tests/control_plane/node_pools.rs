//! The nodes of capacity providers in use: taints, room for more tasks, and a right that is missing.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Node, Pod},
    rbac::v1::ClusterRole,
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use ecs_operator_testbed::{ControlPlane, until};

use crate::{
    capacity::{
        RIGHTS, create, gone, node_pool_definition, node_pools, provide, providers, stands,
    },
    support::{Bed, LIMIT, Operator, install, task_definition},
};

/// Starts a control plane with the definitions of Karpenter, and labels a node as that of a provider.
async fn plane(provider: &str) -> (ControlPlane, Bed) {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    plane.apply("default", RIGHTS).await.unwrap();
    let folder = plane.folder().join("karpenter");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("nodepools.json"), node_pool_definition()).unwrap();
    plane.install_crds(folder).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), provider).await;
    let nodes: Api<Node> = Api::all(bed.client.clone());
    let first = nodes.list(&ListParams::default()).await.unwrap();
    let first = first.iter().next().unwrap().name_any();
    let label = json!({"metadata": {"labels": {"ecs-operator.dev/capacity-provider": provider}}});
    let params = PatchParams::default();
    nodes
        .patch(&first, &params, &Patch::Merge(label))
        .await
        .unwrap();
    (plane, bed)
}

fn karpenter(more: Value) -> Value {
    let class = json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"});
    let mut nodes = json!({"nodeClassRef": class});
    let more = more.as_object().unwrap().clone();
    nodes.as_object_mut().unwrap().extend(more);
    json!({"karpenter": nodes})
}

async fn serve(bed: &Bed, provider: &str, count: i64) {
    let strategy = json!([{"capacityProvider": provider, "weight": 1}]);
    let web = json!({"taskDefinition": "web", "desiredCount": count, "capacityProviderStrategy": strategy});
    bed.must_apply("EcsService", "web", web).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
}

async fn taints(bed: &Bed, pool: &str) -> Value {
    let pool = node_pools(&bed.client).get(pool).await.unwrap();
    pool.data["spec"]["template"]["spec"]["taints"].clone()
}

#[tokio::test]
async fn a_node_pool_gets_taints_after_a_renewal() {
    let (plane, bed) = plane("tainted").await;
    let _operator = Operator::start(&plane, "tainted", &[]).await.unwrap();
    provide(&bed, "tainted", karpenter(json!({}))).await;
    stands(&bed, "tainted", "Ready", "CapacityProviderActive").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    serve(&bed, "tainted", 2).await;

    let taint = json!({"key": "example.com/team", "value": "web", "effect": "NoSchedule"});
    let with_taint = karpenter(json!({"taints": [taint]}));
    provide(&bed, "tainted", with_taint).await;
    let object = stands(&bed, "tainted", "Ready", "TaintsAwaitRenewal").await;
    assert_eq!(object["status"]["status"], "ACTIVE");
    let said = object["status"]["conditions"].to_string();
    let service = format!("EcsService {}/web", bed.namespace.name());
    assert!(said.contains(&service), "{said}");
    assert_eq!(taints(&bed, "tainted").await, Value::Null);
    // More tasks of the deployment that runs find nodes.
    serve(&bed, "tainted", 3).await;
    assert_eq!(taints(&bed, "tainted").await, Value::Null);

    let services = bed.resources("EcsService");
    let web = json!(services.get("web").await.unwrap());
    let id = web["status"]["deployments"][0]["id"].clone();
    let renew = json!({"metadata": {"annotations": {"ecs-operator.dev/renew-deployment": id}}});
    let params = PatchParams::default();
    services
        .patch("web", &params, &Patch::Merge(renew))
        .await
        .unwrap();
    stands(&bed, "tainted", "Ready", "CapacityProviderActive").await;
    assert_eq!(taints(&bed, "tainted").await, json!([taint]));
    let tolerates = |pod: &Pod| {
        let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.clone());
        let mut tolerations = tolerations.into_iter().flatten();
        tolerations.any(|it| it.key.as_deref() == Some("example.com/team"))
    };
    until("tasks that tolerate it", LIMIT, async || {
        let tasks = bed.tasks("web").await;
        Ok((tasks.len() == 3 && tasks.iter().all(tolerates)).then_some(()))
    })
    .await
    .unwrap();
}

/// What the chart adds with `capacityProviders.spareRoom`.
const PRIORITY_CLASS: &str = "
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: ecs-operator-spare-room}
value: -10
preemptionPolicy: Never
";

#[tokio::test]
async fn placeholders_keep_room_with_their_priority_class_alone() {
    let (plane, bed) = plane("roomy").await;
    let _operator = Operator::start(&plane, "roomy", &[]).await.unwrap();
    let scaling = json!({"status": "ENABLED", "targetCapacity": 50});
    let spec = json!({
        "autoScalingGroupProvider": {"autoScalingGroupArn": "roomy", "managedScaling": scaling},
        "kubernetes": karpenter(json!({"spareRoom": "placeholders"})),
    });
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    serve(&bed, "roomy", 2).await;
    create(&bed, "roomy", spec).await;
    stands(&bed, "roomy", "Ready", "SpareRoomNotKept").await;
    let home: Api<Deployment> = Api::namespaced(bed.client.clone(), "ecs-operator");
    let pods: Api<Pod> = Api::namespaced(bed.client.clone(), "ecs-operator");
    let placeholders = ListParams::default().labels("ecs-operator.dev/spare-room=roomy");
    assert!(pods.list(&placeholders).await.unwrap().items.is_empty());

    plane.apply("default", PRIORITY_CLASS).await.unwrap();
    // The controller of Deployments would wait longer and longer.
    home.delete("roomy-spare", &DeleteParams::background())
        .await
        .unwrap();
    let priority = until("a placeholder", LIMIT, async || {
        let pods = pods.list(&placeholders).await?;
        let pod = pods.items.into_iter().next();
        Ok(pod.and_then(|pod| pod.spec?.priority))
    })
    .await
    .unwrap();
    assert_eq!(priority, -10);
    let object = stands(&bed, "roomy", "Ready", "CapacityProviderActive").await;
    assert_eq!(object["status"]["spareRoom"], "roomy-spare");

    let params = DeleteParams::default();
    bed.resources("EcsService")
        .delete("web", &params)
        .await
        .unwrap();
    providers(&bed).delete("roomy", &params).await.unwrap();
    gone(&providers(&bed), "roomy").await;
    until("the end of the room", LIMIT, async || {
        Ok(home.get_opt("roomy-spare").await?.is_none().then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn without_the_right_to_list_providers_nothing_that_names_one_begins() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "unlisted").await;
    let roles: Api<ClusterRole> = Api::all(bed.client.clone());
    let mut role = roles.get("ecs-operator").await.unwrap();
    let rules = role.rules.clone();
    let is_of_providers = |resources: &Option<Vec<String>>| {
        let mut resources = resources.iter().flatten();
        resources.any(|it| it == "ecscapacityproviders")
    };
    role.rules
        .as_mut()
        .unwrap()
        .retain(|rule| !is_of_providers(&rule.resources));
    role.metadata.managed_fields = None;
    let params = PostParams::default();
    let mut role = roles.replace("ecs-operator", &params, &role).await.unwrap();
    let _operator = Operator::start(&plane, "unlisted", &[]).await.unwrap();
    provide(&bed, "blue", json!({"nodeGroup": "blue"})).await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    let strategy = json!([{"capacityProvider": "blue", "weight": 1}]);
    let blue =
        json!({"taskDefinition": "web", "desiredCount": 1, "capacityProviderStrategy": strategy});
    bed.must_apply("EcsService", "blue", blue).await;
    let other = json!({"taskDefinition": "web", "desiredCount": 1});
    bed.must_apply("EcsService", "other", other).await;
    bed.condition("EcsService", "other", "Accepted", "True")
        .await;
    let refused = bed
        .condition("EcsService", "blue", "Accepted", "False")
        .await;
    assert!(
        refused.to_string().contains("CapacityProvidersUnknown"),
        "{refused}"
    );
    assert!(bed.tasks("blue").await.is_empty());

    role.rules = rules;
    roles.replace("ecs-operator", &params, &role).await.unwrap();
    bed.condition("EcsService", "blue", "Accepted", "True")
        .await;
    let deployment = bed.api::<Deployment>().get("blue").await.unwrap();
    let selector = json!(
        deployment
            .spec
            .unwrap()
            .template
            .spec
            .unwrap()
            .node_selector
    );
    assert_eq!(selector, json!({"eks.amazonaws.com/nodegroup": "blue"}));
}
