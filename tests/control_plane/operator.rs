//! The operator itself: rights, leadership, restarts, idleness. Each test has a control plane of its own.

use std::time::Duration;

use ecs_operator_testbed::{ControlPlane, until};
use futures::future::join_all;
use k8s_openapi::api::{
    apps::v1::{ControllerRevision, Deployment},
    coordination::v1::Lease,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    app_runner,
    proxy::Proxy,
    support::{Bed, LIMIT, Operator, apply, at_rest, cpu_policy, install, ready, task_definition},
};

/// A control plane with the definitions and rights of the operator.
async fn plane() -> (ControlPlane, Client) {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let client = plane.client().await.unwrap();
    (plane, client)
}

async fn run_web(client: &Client, namespace: &str, count: i64) {
    apply(
        client,
        namespace,
        "EcsTaskDefinition",
        "web",
        task_definition("testbed/web"),
    )
    .await
    .unwrap();
    let service = json!({"taskDefinition": "web", "desiredCount": count});
    apply(client, namespace, "EcsService", "web", service)
        .await
        .unwrap();
    ready(client, namespace, "web").await;
}

async fn holder(client: &Client) -> Option<String> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), "ecs-operator");
    leases
        .get_opt("ecs-operator")
        .await
        .unwrap()?
        .spec?
        .holder_identity
}

#[tokio::test]
async fn a_second_replica_takes_over() {
    let (plane, client) = plane().await;
    let namespace = plane.namespace("failover").await.unwrap();
    let first = Operator::start(&plane, "first", &[]).await.unwrap();
    first.leads().await;
    let second = Operator::start(&plane, "second", &[]).await.unwrap();
    run_web(&client, namespace.name(), 1).await;
    assert_eq!(holder(&client).await.as_deref(), Some("first"));
    assert_eq!(second.metric("ecs_operator_leader", "").await, 0);
    assert_eq!(
        second.metric("ecs_operator_reconciles_total", "").await,
        0,
        "only one reconciles"
    );

    assert_eq!(first.terminate(), Some(0), "it ends in order");
    second.leads().await;
    assert_eq!(holder(&client).await.as_deref(), Some("second"));
    run_web(&client, namespace.name(), 2).await;

    // One that is killed gives nothing back; its lease has to run out.
    let third = Operator::start(&plane, "third", &[]).await.unwrap();
    drop(second);
    third.leads().await;
    run_web(&client, namespace.name(), 3).await;
}

#[tokio::test]
async fn a_new_operator_finds_everything_in_order_and_writes_nothing() {
    let (plane, client) = plane().await;
    let namespace = plane.namespace("restart").await.unwrap();
    let first = Operator::start(&plane, "first", &[]).await.unwrap();
    let definition = task_definition("testbed/web");
    apply(
        &client,
        namespace.name(),
        "EcsTaskDefinition",
        "web",
        definition,
    )
    .await
    .unwrap();
    for (name, service) in services() {
        apply(&client, namespace.name(), "EcsService", name, service)
            .await
            .unwrap();
        ready(&client, namespace.name(), name).await;
    }
    let app_runner = app_runner::hello("testbed/web");
    apply(
        &client,
        namespace.name(),
        "AppRunnerService",
        "hello",
        app_runner,
    )
    .await
    .unwrap();
    let bed = Bed {
        client: client.clone(),
        namespace,
    };
    app_runner::until_status(&bed, "hello", "RUNNING").await;
    assert_eq!(
        first
            .metric("ecs_operator_api_requests_total", "code=\"403\"")
            .await,
        0,
        "{}",
        first.last_words()
    );
    let writes = async || {
        first
            .metric("ecs_operator_api_requests_total", "PATCH")
            .await
    };
    at_rest("the first operator", writes).await;
    assert_eq!(first.terminate(), Some(0));

    let second = Operator::start(&plane, "second", &[]).await.unwrap();
    second.leads().await;
    let count = services().len() as u64 + 1;
    until("everything to be reconciled", LIMIT, async || {
        let reconciled = second
            .metric("ecs_operator_reconciles_total", "EcsService")
            .await;
        let of_app_runner = second
            .metric("ecs_operator_reconciles_total", "AppRunnerService")
            .await;
        let waiting = second.metric("ecs_operator_queue_depth", "").await;
        Ok((reconciled >= count && of_app_runner > 0 && waiting == 0).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(
        second
            .metric("ecs_operator_api_requests_total", "PATCH")
            .await,
        0
    );
    assert_eq!(
        second
            .metric("ecs_operator_api_requests_total", "POST")
            .await,
        0
    );
    assert_eq!(
        second
            .metric("ecs_operator_api_requests_total", "DELETE")
            .await,
        0
    );
}

#[tokio::test]
async fn a_new_operator_deletes_no_revision_that_a_service_is_pinned_to() {
    let (plane, _) = plane().await;
    let bed = Bed::new(&plane.kubeconfig(), "pins").await;
    let first = Operator::start(&plane, "first", &[]).await.unwrap();
    let families = ["a", "b", "c", "d", "e"];
    join_all(families.map(|family| pinned(&bed, family))).await;
    assert_eq!(first.terminate(), Some(0));

    let second = Operator::start(&plane, "second", &[]).await.unwrap();
    second.leads().await;
    until("everything to be reconciled", LIMIT, async || {
        let reconciled = second
            .metric("ecs_operator_reconciles_total", "EcsTaskDefinition")
            .await;
        let waiting = second.metric("ecs_operator_queue_depth", "").await;
        Ok((reconciled >= families.len() as u64 && waiting == 0).then_some(()))
    })
    .await
    .unwrap();
    for family in families {
        let revisions = bed.api::<ControllerRevision>();
        let pinned = revisions.get_opt(&format!("{family}.1")).await.unwrap();
        assert!(pinned.is_some(), "{family}.1 is gone");
        assert_eq!(
            revisions.get_opt(&format!("{family}.2")).await.unwrap(),
            None,
            "{family} has more revisions than are kept"
        );
    }
}

/// A service that is pinned to the first of more revisions than are kept.
async fn pinned(bed: &Bed, family: &str) {
    for number in 1..=13 {
        let definition = task_definition(&format!("testbed/web:{number}"));
        bed.must_apply("EcsTaskDefinition", family, definition)
            .await;
        bed.until("EcsTaskDefinition", family, "its revision", |object| {
            object["status"]["revision"] == number
                && object["status"]["observedGeneration"] == object["metadata"]["generation"]
        })
        .await;
        let service = json!({"taskDefinition": format!("{family}:1"), "desiredCount": 1});
        bed.must_apply("EcsService", family, service).await;
    }
    bed.condition("EcsService", family, "Ready", "True").await;
    bed.gone::<ControllerRevision>(&format!("{family}.2")).await;
}

/// Services that are made of every kind of object that needs no add-on.
fn services() -> Vec<(&'static str, serde_json::Value)> {
    let scaling = json!({
        "scalableTarget": {"MinCapacity": 2, "MaxCapacity": 4},
        "scalingPolicies": [cpu_policy()],
    });
    vec![
        ("plain", json!({"taskDefinition": "web", "desiredCount": 2})),
        (
            "agent",
            json!({"taskDefinition": "web", "schedulingStrategy": "DAEMON"}),
        ),
        (
            "scaled",
            json!({"taskDefinition": "web", "desiredCount": 2, "autoScaling": scaling}),
        ),
        (
            "exposed",
            json!({
                "taskDefinition": "web",
                "desiredCount": 1,
                "kubernetes": {"expose": {"type": "alb", "containerName": "app", "containerPort": 80}},
            }),
        ),
        (
            "spread",
            json!({
                "taskDefinition": "web",
                "desiredCount": 3,
                "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
                "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 150},
            }),
        ),
    ]
}

/// What is asked for although nothing happens: the lease is renewed, watches that ended begin anew, and it is looked for
/// add-ons.
fn is_routine(request: &str) -> bool {
    // From time to time, it looks which kinds there are.
    let kinds = ["GET /apis", "GET /apis/ecs-operator.dev/v1alpha1"];
    request.contains("/leases/") || request.contains("watch=true") || kinds.contains(&request)
}

#[tokio::test]
async fn an_idle_operator_asks_nothing_of_the_api_server() {
    let (plane, client) = plane().await;
    let namespace = plane.namespace("idle").await.unwrap();
    let proxy = Proxy::start(&plane).await.unwrap();
    let operator = Operator::spawn_by(&proxy.kubeconfig, &plane, "operator", &[]).unwrap();
    let operator = operator.ready().await.unwrap();
    run_web(&client, namespace.name(), 2).await;
    let others_until = async |text: &str, times: usize| {
        let mut others = proxy.until_seen(text, times).await;
        others.retain(|request| !is_routine(request));
        others
    };
    until("the operator to be done", LIMIT, async || {
        let others = others_until("/leases/", 2).await;
        Ok(others.is_empty().then_some(()))
    })
    .await
    .unwrap();

    // A change that means nothing is looked at.
    let reconciles = async || {
        let waiting = operator.metric("ecs_operator_queue_depth", "").await;
        let kind = "kind=\"EcsService\"";
        let done = operator.metric("ecs_operator_reconciles_total", kind).await;
        (done, waiting)
    };
    let (before, _) = reconciles().await;
    let label = json!({"metadata": {"labels": {"touched": "yes"}}});
    let bed = Bed {
        client: client.clone(),
        namespace,
    };
    bed.resources("EcsService")
        .patch("web", &PatchParams::default(), &Patch::Merge(label))
        .await
        .unwrap();
    until("a reconcile", LIMIT, async || {
        let (done, waiting) = reconciles().await;
        Ok((done > before && waiting == 0).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(others_until("/leases/", 2).await, [""; 0]);
    // Whatever is done from time to time is done less seldom than this.
    let (before, _) = reconciles().await;
    assert_eq!(others_until("GET /apis", 3).await, [""; 0]);
    assert_eq!(reconciles().await.0, before);
}

#[tokio::test]
async fn some_namespaces_can_be_watched_alone() {
    let (plane, client) = plane().await;
    let watched = plane.namespace("watched").await.unwrap();
    let also = plane.namespace("also").await.unwrap();
    let other = plane.namespace("other").await.unwrap();
    let namespaces = format!("--namespaces={},{}", watched.name(), also.name());
    let operator = Operator::start(&plane, "operator", &[&namespaces])
        .await
        .unwrap();
    let service = json!({"taskDefinition": "web", "desiredCount": 1});
    apply(&client, other.name(), "EcsService", "web", service)
        .await
        .unwrap();
    run_web(&client, watched.name(), 1).await;
    run_web(&client, also.name(), 1).await;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), other.name());
    assert!(deployments.get_opt("web").await.unwrap().is_none());
    assert_eq!(
        operator
            .metric("ecs_operator_resources", "state=\"Ready\"")
            .await,
        2
    );
}

#[tokio::test]
async fn the_level_of_the_log_changes_while_it_runs() {
    let (plane, _) = plane().await;
    let operator = Operator::start(&plane, "operator", &[]).await.unwrap();
    operator.leads().await;
    assert_eq!(operator.put("/log-level", "loud=very").await, Some(400));
    assert_eq!(operator.put("/log-level", "debug").await, Some(200));
    until("lines of that level", Duration::from_secs(60), async || {
        Ok(operator.last_words().contains("DEBUG").then_some(()))
    })
    .await
    .unwrap();
}
