//! Nobody who uses a service notices that its tasks are replaced.

use ecs_operator_testbed::until;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{EvictParams, ListParams},
};
use serde_json::{Value, json};

use crate::{
    bed,
    container::server,
    load::Load,
    support::{Bed, LIMIT, condition},
};

/// How many requests have to be answered without a failure.
const REQUESTS: u64 = 50_000;

async fn revise(bed: &Bed, version: &str) {
    let mut web = server("web", "0");
    web["environment"] = json!([{"name": "VERSION", "value": version}]);
    web["memory"] = json!(64);
    let definition = json!({"containerDefinitions": [web]});
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
}

fn service(count: u32) -> Value {
    json!({
        "taskDefinition": "web",
        "desiredCount": count,
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
    })
}

async fn running(bed: &Bed, revision: &str, count: u32) {
    bed.until("EcsService", "web", revision, |object| {
        let status = &object["status"];
        status["taskDefinition"] == revision
            && status["deployments"][0]["rolloutState"] == "COMPLETED"
            && status["runningCount"] == count
            && status["observedGeneration"] == object["metadata"]["generation"]
    })
    .await;
}

#[tokio::test]
async fn an_update_a_rollback_and_a_scale_in_fail_no_request() {
    let bed = bed("load").await;
    revise(&bed, "1").await;
    bed.must_apply("EcsService", "web", service(4)).await;
    running(&bed, "web:1", 4).await;
    let load = Load::start(&bed, "http://web:8080/").await;

    revise(&bed, "2").await;
    running(&bed, "web:2", 4).await;
    assert_no_failure(&load, "the update").await;

    // Tasks that never serve, until the circuit breaker has enough of them.
    let mut bad = server("web", "3600");
    bad["healthCheck"]["startPeriod"] = json!(0);
    bad["healthCheck"]["retries"] = json!(1);
    let definition = json!({"containerDefinitions": [bad]});
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    bed.until("EcsService", "web", "the rollback", |object| {
        condition(object, "Ready")["reason"] == "RolledBack"
    })
    .await;
    assert_no_failure(&load, "the rollback").await;

    bed.must_apply("EcsService", "web", service(2)).await;
    running(&bed, "web:2", 2).await;
    assert_no_failure(&load, "the scale-in").await;
    load.reach(REQUESTS).await;
    assert_no_failure(&load, "the end").await;
}

async fn assert_no_failure(load: &Load, when: &str) {
    let counts = load.counts().await;
    assert_eq!(counts.failed, 0, "at {when}: {counts:?}");
}

fn node_of(pod: &Pod) -> String {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    node.unwrap_or_default()
}

#[tokio::test]
async fn a_node_that_is_drained_fails_no_request() {
    let bed = bed("drain").await;
    let nodes: Api<Node> = Api::all(bed.client.clone());
    let count = nodes.list(&ListParams::default()).await.unwrap();
    if count.items.len() == 1 {
        let own = std::env::var_os("E2E_KUBECONFIG").is_none();
        assert!(!own, "the test bed has two nodes");
        eprintln!("skipped: there is one node only, and nowhere to go from it");
        return;
    }
    revise(&bed, "1").await;
    bed.must_apply("EcsService", "web", service(4)).await;
    running(&bed, "web:1", 4).await;
    let load = Load::start(&bed, "http://web:8080/").await;
    let node = node_of(&bed.tasks("web").await[0]);
    nodes.cordon(&node).await.unwrap();
    // As `kubectl drain` does it: again and again, for the budget lets one go at a time.
    let drained = until("the node to be drained", 3 * LIMIT, async || {
        let mut left = bed.tasks("web").await;
        left.retain(|pod| node_of(pod) == node);
        for pod in &left {
            let evicted = bed
                .api::<Pod>()
                .evict(&pod.name_any(), &EvictParams::default())
                .await;
            match evicted {
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 429) => {}
                evicted => drop(evicted?),
            }
        }
        Ok(left.is_empty().then_some(()))
    })
    .await;
    running(&bed, "web:1", 4).await;
    nodes.uncordon(&node).await.unwrap();
    drained.unwrap();
    load.reach(REQUESTS).await;
    assert_no_failure(&load, "the end").await;
}
