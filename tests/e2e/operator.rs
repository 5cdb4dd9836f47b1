//! The operator as it is installed: fail-over, and an upgrade of the release by Helm. What another version and other
//! settings of the operator do to tasks is in `tests/upgrade`.

use ecs_operator_testbed::until;
use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use serde_json::json;

use crate::{
    bed, cluster,
    container::server,
    support::{Bed, LIMIT, helm::helm, uid},
};

const NAMESPACE: &str = "ecs-operator";

/// One test, since both parts want the operator to be as they left it.
#[tokio::test]
async fn a_replica_takes_over_and_other_pods_of_the_operator_leave_tasks_alone() {
    let bed = bed("operator").await;
    let definition = json!({"containerDefinitions": [server("web", "0")]});
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    scale(&bed, 1).await;
    let before = tasks(&bed).await;

    // Without notice: it has no time to give up its lease.
    let leader = leader(&bed).await;
    let operators: Api<Pod> = Api::namespaced(bed.client.clone(), NAMESPACE);
    let params = DeleteParams::default().grace_period(0);
    operators.delete(&leader, &params).await.unwrap();
    scale(&bed, 2).await;
    assert_ne!(self::leader(&bed).await, leader);

    let operator: Api<Deployment> = Api::namespaced(bed.client.clone(), NAMESPACE);
    let generation = async || {
        operator
            .get("ecs-operator")
            .await
            .unwrap()
            .metadata
            .generation
    };
    let old = generation().await;
    helm(cluster().await, &["settings.logLevel=debug"]).unwrap();
    assert_ne!(generation().await, old);
    scale(&bed, 3).await;
    let after = tasks(&bed).await;
    assert!(
        before.iter().all(|task| after.contains(task)),
        "{before:?} {after:?}"
    );
}

/// Sets the desired count, and waits until the operator has brought it about.
async fn scale(bed: &Bed, count: u32) {
    let service = json!({"taskDefinition": "web", "desiredCount": count});
    bed.must_apply("EcsService", "web", service).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
}

/// The uids of the pods.
async fn tasks(bed: &Bed) -> Vec<String> {
    let pods = bed.api::<Pod>().list(&ListParams::default()).await.unwrap();
    pods.iter().map(uid).collect()
}

/// The pod that holds the lease.
async fn leader(bed: &Bed) -> String {
    let leases: Api<Lease> = Api::namespaced(bed.client.clone(), NAMESPACE);
    until("a leader", LIMIT, async || {
        let lease = leases.get_opt("ecs-operator").await?;
        Ok(lease.and_then(|lease| lease.spec?.holder_identity))
    })
    .await
    .unwrap()
}
