//! Pods with what ECS does not describe.

use ecs_operator_testbed::until;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    ResourceExt as _,
    api::{ListParams, PostParams},
};
use serde_json::json;

use crate::{bed, container::container, support::LIMIT, task::run};

#[tokio::test]
async fn a_service_gets_traffic_when_its_probe_says_so_and_tolerates_a_taint() {
    let bed = bed("pod").await;
    let mut web = container("web", &["serve"]);
    web["portMappings"] = json!([{"containerPort": 8080}]);
    bed.must_apply(
        "EcsTaskDefinition",
        "web",
        json!({"containerDefinitions": [web]}),
    )
    .await;
    let service = |path: &str| {
        let toleration =
            json!({"key": "example.com/dedicated", "operator": "Exists", "effect": "NoSchedule"});
        let probe = json!({"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1});
        json!({
            "taskDefinition": "web",
            "desiredCount": 1,
            "kubernetes": {"pod": {
                "tolerations": [toleration],
                "containers": [{"name": "web", "readinessProbe": probe}],
            }},
        })
    };
    bed.must_apply("EcsService", "web", service("/")).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let pods = bed.api::<Pod>().list(&ListParams::default()).await.unwrap();
    let spec = pods.items[0].spec.as_ref().unwrap();
    let mut tolerations = spec.tolerations.iter().flatten();
    assert!(tolerations.any(|it| it.key.as_deref() == Some("example.com/dedicated")));
    let first = pods.items[0].name_any();

    // Another probe is another deployment, although the task definition is the same.
    bed.must_apply("EcsService", "web", service("/other")).await;
    bed.until("EcsService", "web", "the new deployment", |object| {
        let status = &object["status"];
        status["deployments"][0]["rolloutState"] == "COMPLETED" && status["runningCount"] == 1
    })
    .await;
    let replaced = async || {
        let pods = bed.api::<Pod>().list(&ListParams::default()).await.unwrap();
        let is_gone = |pod: &Pod| pod.metadata.deletion_timestamp.is_some();
        let is_replaced = |pod: &Pod| pod.name_any() != first || is_gone(pod);
        Ok(pods.iter().all(is_replaced).then_some(()))
    };
    until("the first pod is replaced", LIMIT, replaced)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_task_reads_a_file_of_a_config_map() {
    let bed = bed("config").await;
    let config = ConfigMap {
        data: Some([("note".to_owned(), "hello".to_owned())].into()),
        metadata: kube::api::ObjectMeta {
            name: Some("notes".to_owned()),
            ..kube::api::ObjectMeta::default()
        },
        ..ConfigMap::default()
    };
    bed.api::<ConfigMap>()
        .create(&PostParams::default(), &config)
        .await
        .unwrap();
    let definition = json!({
        "containerDefinitions": [container("app", &["read", "/notes/note", "hello"])],
        "kubernetes": {"pod": {
            "volumes": [{"name": "notes", "configMap": {"name": "notes"}}],
            "containers": [
                {"name": "app", "volumeMounts": [{"name": "notes", "mountPath": "/notes"}]},
            ],
        }},
    });
    let task = run(&bed, "read", definition).await;
    assert_eq!(task["containers"][0]["exitCode"], 0, "{task}");
}
