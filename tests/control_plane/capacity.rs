//! Capacity providers: how tasks are split over them, and that none of them replaces a task.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Node, Pod},
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use serde_json::{Value, json};

use ecs_operator_testbed::{ControlPlane, until};

use crate::{
    bed,
    deployments::told,
    support::{Bed, LIMIT, Operator, condition, install, root, task_definition, uid},
};

pub fn api(
    client: &Client,
    group: &str,
    version: &str,
    kind: &str,
    plural: &str,
) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    Api::all_with(client.clone(), &resource)
}

pub fn providers(bed: &Bed) -> Api<DynamicObject> {
    let (group, kind) = ("ecs-operator.dev", "EcsCapacityProvider");
    api(&bed.client, group, "v1alpha1", kind, "ecscapacityproviders")
}

pub async fn provide(bed: &Bed, name: &str, kubernetes: Value) {
    create(bed, name, json!({"kubernetes": kubernetes})).await;
}

pub async fn create(bed: &Bed, name: &str, spec: Value) {
    let object = json!({
        "apiVersion": "ecs-operator.dev/v1alpha1",
        "kind": "EcsCapacityProvider",
        "metadata": {"name": name},
        "spec": spec,
    });
    let params = PatchParams::apply("test").force();
    providers(bed)
        .patch(name, &params, &Patch::Apply(object))
        .await
        .unwrap();
}

/// Waits until a condition of a capacity provider has a reason, for its newest generation.
pub async fn stands(bed: &Bed, name: &str, type_: &str, reason: &str) -> Value {
    let what = format!("{type_} of {name} with {reason}");
    let api = providers(bed);
    until(&what, LIMIT, async || {
        let object = json!(api.get(name).await?);
        let found = condition(&object, type_);
        let is_new = found["observedGeneration"] == object["metadata"]["generation"];
        Ok((found["reason"] == reason && is_new).then_some(object))
    })
    .await
    .unwrap()
}

pub async fn gone(api: &Api<DynamicObject>, name: &str) {
    let what = format!("the end of {name}");
    until(&what, LIMIT, async || {
        Ok(api.get_opt(name).await?.is_none().then_some(()))
    })
    .await
    .unwrap();
}

/// Gives a node labels, which no other test asks for.
async fn node(bed: &Bed, name: &str, labels: Value) {
    let nodes: Api<Node> = Api::all(bed.client.clone());
    let change = json!({"metadata": {"labels": labels}});
    nodes
        .patch(name, &PatchParams::default(), &Patch::Merge(change))
        .await
        .unwrap();
}

/// Returns the names of two nodes that take tasks.
async fn two_nodes(bed: &Bed) -> [String; 2] {
    let nodes: Api<Node> = Api::all(bed.client.clone());
    let nodes = nodes.list(&Default::default()).await.unwrap();
    let mut names = nodes.iter().map(ResourceExt::name_any);
    [names.next().unwrap(), names.next().unwrap()]
}

async fn web(bed: &Bed, count: i64, strategy: &Value) {
    let web = json!({"taskDefinition": "web", "desiredCount": count, "capacityProviderStrategy": strategy});
    bed.must_apply("EcsService", "web", web).await;
}

/// Waits until the tasks of the service run, this many on each of the two nodes.
async fn split(bed: &Bed, nodes: &[String; 2], expected: [usize; 2]) {
    let what = format!("tasks on the two nodes: {expected:?}");
    until(&what, LIMIT, async || {
        let tasks = bed.tasks("web").await;
        let on = |node: &String| {
            let is_on = |pod: &&Pod| {
                let spec = pod.spec.as_ref().unwrap();
                spec.node_name.as_ref() == Some(node)
            };
            tasks.iter().filter(is_on).count()
        };
        let found = [on(&nodes[0]), on(&nodes[1])];
        let all = tasks.len() == expected.iter().sum::<usize>();
        Ok((found == expected && all).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn tasks_are_split_over_providers_and_no_provider_replaces_one() {
    let bed = bed("capacity").await;
    let nodes = two_nodes(&bed).await;
    // One provider has a node group of EKS, the other one a label of its own.
    node(
        &bed,
        &nodes[0],
        json!({"eks.amazonaws.com/nodegroup": "capacity-a"}),
    )
    .await;
    node(&bed, &nodes[1], json!({"example.com/capacity": "b"})).await;
    provide(&bed, "capacity-a", json!({"nodeGroup": "capacity-a"})).await;
    provide(
        &bed,
        "capacity-b",
        json!({"nodeSelector": {"example.com/capacity": "b"}}),
    )
    .await;
    for name in ["capacity-a", "capacity-b"] {
        let object = stands(&bed, name, "Ready", "CapacityProviderActive").await;
        assert_eq!(object["status"]["status"], "ACTIVE");
    }
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    let strategy = json!([
        {"capacityProvider": "capacity-a", "base": 1, "weight": 1},
        {"capacityProvider": "capacity-b", "weight": 3},
    ]);
    // The base, then one in four of the rest; the counts are those of the algorithm of ECS.
    for (count, expected) in [(0, [0, 0]), (20, [6, 14]), (3, [2, 1])] {
        web(&bed, count, &strategy).await;
        split(&bed, &nodes, expected).await;
    }
    bed.until("EcsService", "web", "the end of the deployment", |object| {
        told(object) == ["PRIMARY web:1 COMPLETED"]
    })
    .await;
    let before: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();

    // A provider that changes is for the next deployment.
    provide(
        &bed,
        "capacity-b",
        json!({"nodeSelector": {"example.com/capacity": "c"}}),
    )
    .await;
    bed.until("EcsService", "web", "what would differ", |object| {
        object["status"]["renewal"]["state"] == "available"
    })
    .await;
    web(&bed, 4, &strategy).await;
    split(&bed, &nodes, [2, 2]).await;
    let after: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    assert!(
        before.iter().all(|task| after.contains(task)),
        "{before:?} {after:?}"
    );

    // One that is deleted stays while it is used.
    let params = DeleteParams::default();
    providers(&bed).delete("capacity-a", &params).await.unwrap();
    let object = stands(&bed, "capacity-a", "Ready", "CapacityProviderInUse").await;
    assert_eq!(object["status"]["status"], "DEPROVISIONING");
    let said = condition(&object, "Ready")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        said.contains(&format!("EcsService {}/web", bed.namespace.name())),
        "{said}"
    );
    let still: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    assert!(after.iter().all(|task| still.contains(task)));
    bed.resources("EcsService")
        .delete("web", &params)
        .await
        .unwrap();
    bed.gone::<Deployment>("web").await;
    gone(&providers(&bed), "capacity-a").await;
    providers(&bed).delete("capacity-b", &params).await.unwrap();
    gone(&providers(&bed), "capacity-b").await;
}

#[tokio::test]
async fn a_provider_that_is_refused_or_lacks_karpenter_says_so() {
    let bed = bed("capacity-refused").await;
    let class = json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"});
    provide(
        &bed,
        "capacity-karpenter",
        json!({"karpenter": {"nodeClassRef": class}}),
    )
    .await;
    // The rights for it are not given by default, and the API server looks at them first.
    stands(&bed, "capacity-karpenter", "Ready", "Forbidden").await;
    let params = DeleteParams::default();
    providers(&bed)
        .delete("capacity-karpenter", &params)
        .await
        .unwrap();
    gone(&providers(&bed), "capacity-karpenter").await;
}

pub fn node_pools(client: &Client) -> Api<DynamicObject> {
    api(client, "karpenter.sh", "v1", "NodePool", "nodepools")
}

/// The definition of NodePool, with the schema of Karpenter.
pub fn node_pool_definition() -> String {
    let file = root().join("tests/schemas/karpenter.sh_nodepools.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut schema = file["schema"].clone();
    schema["properties"]["status"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "nodepools.karpenter.sh"},
        "spec": {
            "group": "karpenter.sh",
            "scope": "Cluster",
            "names": {"kind": "NodePool", "listKind": "NodePoolList", "plural": "nodepools", "singular": "nodepool"},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": schema},
                "subresources": {"status": {}},
            }],
        },
    })
    .to_string()
}

/// What the chart adds with `capacityProviders.karpenter`.
pub const RIGHTS: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: karpenter}
rules:
- {apiGroups: [karpenter.sh], resources: [nodepools], verbs: [get, create, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: karpenter}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: karpenter}
subjects: [{kind: ServiceAccount, name: ecs-operator, namespace: ecs-operator}]
"#;

#[tokio::test]
async fn a_node_pool_is_that_of_its_provider_and_of_nobody_else() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    plane.apply("default", RIGHTS).await.unwrap();
    let _operator = Operator::start(&plane, "capacity", &[]).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "capacity").await;
    let class = json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"});
    let karpenter = |weight: i64| json!({"karpenter": {"nodeClassRef": class, "weight": weight}});
    provide(&bed, "spot", karpenter(1)).await;
    stands(&bed, "spot", "Ready", "NotFound").await;

    // Karpenter is installed, and somebody has a NodePool of the name of another provider.
    let folder = plane.folder().join("karpenter");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("nodepools.json"), node_pool_definition()).unwrap();
    plane.install_crds(folder).await.unwrap();
    let taken = json!({
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "taken"},
        "spec": {
            "disruption": {"consolidateAfter": "0s"},
            "template": {"spec": {"nodeClassRef": class, "requirements": []}},
        },
    });
    let pools = node_pools(&bed.client);
    let params = PatchParams::apply("test");
    pools
        .patch("taken", &params, &Patch::Apply(taken))
        .await
        .unwrap();
    let others = pools.get("taken").await.unwrap();
    let object = stands(&bed, "spot", "Ready", "CapacityProviderActive").await;
    assert_eq!(object["status"]["nodePool"], "spot");
    let pool = pools.get("spot").await.unwrap();
    let label = "/spec/template/metadata/labels/ecs-operator.dev~1capacity-provider";
    assert_eq!(pool.data.pointer(label), Some(&json!("spot")));
    // With everything that a request can say of instances.
    let case = "tests/cases/capacity-provider-managed-instances/create-capacity-provider.json";
    let request = std::fs::read_to_string(root().join(case)).unwrap();
    let request = serde_json::from_str(&request).unwrap();
    create(&bed, "managed", request).await;
    stands(&bed, "managed", "Ready", "CapacityProviderActive").await;
    provide(&bed, "taken", karpenter(1)).await;
    stands(&bed, "taken", "Ready", "ObjectNotOwned").await;

    provide(&bed, "spot", karpenter(7)).await;
    until("the other weight", LIMIT, async || {
        let pool = pools.get("spot").await?;
        Ok((pool.data["spec"]["weight"] == 7).then_some(()))
    })
    .await
    .unwrap();
    // A deletion in the foreground deletes nothing while the provider is in use.
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    web(&bed, 1, &json!([{"capacityProvider": "spot", "weight": 1}])).await;
    bed.condition("EcsService", "web", "Accepted", "True").await;
    let foreground = DeleteParams::foreground();
    providers(&bed).delete("spot", &foreground).await.unwrap();
    stands(&bed, "spot", "Ready", "CapacityProviderInUse").await;
    until("the garbage collector", LIMIT, async || {
        let finalizers = providers(&bed).get("spot").await?.finalizers().to_vec();
        Ok((finalizers == ["ecs-operator.dev/in-use"]).then_some(()))
    })
    .await
    .unwrap();
    let pool = pools.get("spot").await.unwrap();
    assert_eq!(pool.metadata.deletion_timestamp, None);
    let services = bed.resources("EcsService");
    services
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    gone(&providers(&bed), "spot").await;
    let params = DeleteParams::default();
    providers(&bed).delete("taken", &params).await.unwrap();
    gone(&providers(&bed), "taken").await;
    gone(&pools, "spot").await;
    assert_eq!(pools.get("taken").await.unwrap(), others);
}
