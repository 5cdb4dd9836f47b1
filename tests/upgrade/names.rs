//! A name of Service Connect leads to tasks that serve while an older operator's Service becomes one that can be shared.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ecs_operator_testbed::Options;
use futures::StreamExt as _;
use k8s_openapi::api::{
    core::v1::Service,
    discovery::v1::{Endpoint, EndpointSlice},
};
use kube::{
    Api, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::json;

use crate::{
    stage::{Stage, Version},
    support::{Bed, task_definition},
};

/// How many tasks of a slice can be reached.
fn ready(slice: &EndpointSlice) -> usize {
    let endpoints = slice.endpoints.iter().flatten();
    let is_ready = |endpoint: &&Endpoint| {
        let conditions = endpoint.conditions.as_ref();
        conditions.is_some_and(|conditions| conditions.ready == Some(true))
    };
    endpoints.filter(is_ready).count()
}

/// The fewest tasks that clients of a name could reach at any time since this began.
fn fewest_reached(endpoints: Api<EndpointSlice>, name: &str) -> Arc<AtomicUsize> {
    let fewest = Arc::new(AtomicUsize::new(usize::MAX));
    let seen = fewest.clone();
    let config = watcher::Config::default().labels(&format!("kubernetes.io/service-name={name}"));
    tokio::spawn(async move {
        let slices = watcher(endpoints, config).default_backoff();
        let mut slices = std::pin::pin!(slices.applied_objects());
        let mut reached = BTreeMap::new();
        while let Some(slice) = slices.next().await {
            let Ok(slice) = slice else { continue };
            reached.insert(slice.name_any(), ready(&slice));
            seen.fetch_min(reached.values().sum(), Ordering::SeqCst);
        }
    });
    fewest
}

#[tokio::test]
async fn a_name_goes_on_leading_to_tasks_that_serve() {
    let (previous, today) = (Version::previous(), Version::today());
    let mut stage = Stage::new(&previous, &Options::default()).await;
    let bed = Bed::new(&stage.kubeconfig(), "names").await;
    let definition = |image: &str| {
        let mut definition = task_definition(image);
        definition["containerDefinitions"][0]["portMappings"][0]["name"] = json!("http");
        definition
    };
    let backend = json!({
        "taskDefinition": "web", "desiredCount": 2,
        "serviceConnectConfiguration": {"enabled": true, "services": [{
            "portName": "http", "discoveryName": "backend",
            "clientAliases": [{"port": 80, "dnsName": "backend"}],
        }]},
    });
    bed.must_apply("EcsTaskDefinition", "web", definition("testbed/web"))
        .await;
    bed.must_apply("EcsService", "one", backend.clone()).await;
    bed.condition("EcsService", "one", "Ready", "True").await;
    let reached = |slice: &EndpointSlice| ready(slice) == 2;
    let slices: Vec<EndpointSlice> = bed.api().list(&Default::default()).await.unwrap().items;
    let slice = slices
        .iter()
        .find(|it| it.name_any().starts_with("backend-"));
    let slice = slice.unwrap().name_any();
    bed.eventually(&slice, "two tasks that can be reached", reached)
        .await;
    let fewest = fewest_reached(bed.api(), "backend");

    stage.operate(&today, &[]).await;
    bed.must_apply("EcsTaskDefinition", "web", definition("testbed/web:2"))
        .await;
    bed.until("EcsService", "one", "the new revision to run", |object| {
        let first = &object["status"]["deployments"][0];
        first["taskDefinition"] == "web:2" && first["rolloutState"] == "COMPLETED"
    })
    .await;
    bed.eventually(&slice, "two tasks that can be reached", reached)
        .await;
    // Whoever offers the name too is reached too.
    bed.must_apply("EcsService", "two", backend).await;
    bed.condition("EcsService", "two", "Ready", "True").await;
    bed.eventually(
        &slice,
        "four tasks that can be reached",
        |slice: &EndpointSlice| ready(slice) == 4,
    )
    .await;
    let selects = |service: &Service| service.spec.clone().unwrap().selector.unwrap();
    bed.eventually("backend", "what both of them offer", |service: &Service| {
        selects(service).contains_key("discovery.ecs-operator.dev/backend")
    })
    .await;
    assert!(fewest.load(Ordering::SeqCst) >= 2, "{fewest:?}");
}
