//! One operator after another, and one Kubernetes after another.

use ecs_operator_testbed::Options;

use crate::stage::{Stage, Version};

#[tokio::test]
async fn an_upgrade_of_the_operator_and_its_return_leave_the_tasks_alone() {
    let (previous, today) = (Version::previous(), Version::today());
    let mut stage = Stage::new(&previous, &Options::default()).await;
    stage.fleet_arises().await;
    // The older version scales in when CloudWatch has no point. An autoscaler is what the newest operator makes of its
    // policies, so the correction applies at once.
    stage.forget("object keda.sh/ScaledObject queue/spec/triggers/0/metadata/ignoreNullValues");

    // As the chart does by default. Nobody has written a policy.
    let judges = "--tenancy=multiple";
    stage.operate(&today, &[judges]).await;
    stage.compare("the upgrade").await;
    stage.operate(&previous, &[]).await;
    stage.compare("the return to the older version").await;
    stage.operate(&today, &[judges]).await;
    stage.compare("the second upgrade").await;
    stage.begun_deployment_ends().await;
    stage.verdict();
}

#[tokio::test]
async fn other_settings_leave_the_tasks_alone() {
    let today = Version::today();
    let mut stage = Stage::new(&today, &Options::default()).await;
    stage.fleet_arises().await;

    let pull = "--image-pull-policy=always-for-tags";
    stage.operate(&today, &[pull]).await;
    stage.compare("another --image-pull-policy").await;
    stage.operate(&today, &[pull, "--steady-seconds=5"]).await;
    stage.compare("another --steady-seconds").await;
    stage.begun_deployment_ends().await;
    stage.verdict();
}

#[tokio::test]
#[ignore = "needs another API server, which takes minutes to build: `cargo xtask test kubernetes` runs it"]
async fn an_upgrade_of_kubernetes_leaves_the_tasks_alone() {
    let today = Version::today();
    let options = Options {
        apiserver: "kube-apiserver-1.35",
        ..Options::default()
    };
    let mut stage = Stage::new(&today, &options).await;
    stage.fleet_arises().await;

    stage.replace_apiserver("kube-apiserver").await;
    stage.compare("the upgrade of Kubernetes").await;
    stage.operate(&today, &[]).await;
    stage.compare("the next start of the operator").await;
    stage.begun_deployment_ends().await;
    stage.verdict();
}
