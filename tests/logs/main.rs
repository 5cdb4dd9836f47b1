//! Logs of the driver `awslogs`: a real Fluent Bit with the configuration and the permissions of the chart reads log files
//! as the kubelet makes them, and CloudWatch (of moto) has the events.
//!
//! `cargo xtask test logs` runs it. Pods come from a real API server, and no container runs.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::pedantic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod rig;

use std::{collections::BTreeSet, process::Command, time::Duration};

use anyhow::{Context as _, Result};
use ecs_operator_testbed::{Namespace, until};
use k8s_openapi::api::{apps::v1::DaemonSet, core::v1::Pod};
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use rig::{AGENT, Node, Router, World, root, run};

/// Longer than the agent takes to see a new file.
const SEEN: Duration = Duration::from_millis(2500);

fn lines(what: &str, n: usize) -> Vec<String> {
    (1..=n).map(|i| format!("{what} {i}")).collect()
}

/// Creates a pod whose container `app` logs to a group that the agent creates.
async fn pod(world: &World, namespace: &Namespace, name: &str, options: &Value) -> Result<()> {
    let mut all = json!({
        "awslogs-group": "/test/app",
        "awslogs-region": "eu-west-1",
        "awslogs-stream-prefix": "test",
        "awslogs-create-group": "true",
    });
    for (name, value) in options.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    let annotation = json!({"app": {"logDriver": "awslogs", "options": all}}).to_string();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "annotations": {"ecs-operator.dev/log-configuration": annotation},
        },
        "spec": {"containers": [{"name": "app", "image": "example"}]},
    });
    world.plane.apply(namespace.name(), &pod.to_string()).await
}

async fn delete(world: &World, namespace: &Namespace, name: &str) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(world.plane.client().await?, namespace.name());
    let now = DeleteParams::default().grace_period(0);
    pods.delete(name, &now).await.map(drop).context("delete")
}

/// Translates a golden case and applies it, and returns the names of its pods.
async fn convert(world: &World, namespace: &Namespace, case: &str) -> Result<Vec<String>> {
    let manifests = run(Command::new(env!("CARGO_BIN_EXE_ecs-operator"))
        .args([
            "convert",
            "--logs=fluent-bit",
            "--namespace",
            namespace.name(),
        ])
        .args(["task-definition.json", "service.json"])
        .current_dir(root().join("tests/cases").join(case)))?;
    world.plane.apply(namespace.name(), &manifests).await?;
    let pods: Api<Pod> = Api::namespaced(world.plane.client().await?, namespace.name());
    until("the pods", Duration::from_secs(60), async || {
        let names: Vec<_> = pods
            .list(&ListParams::default())
            .await?
            .into_iter()
            .filter_map(|pod| pod.metadata.name)
            .collect();
        Ok((!names.is_empty()).then_some(names))
    })
    .await
}

#[tokio::test]
async fn each_container_has_its_group_and_stream() -> Result<()> {
    let mut node = Node::new("streams").await?;
    let world = node.world;
    let namespace = world.plane.namespace("streams").await?;
    let pods = convert(world, &namespace, "logs-awslogs-by-fluent-bit").await?;
    world.create_group("eu-central-1", "/ecs/audit")?;
    let orders = node.container(namespace.name(), &pods[0], "orders-api-430eff5c")?;
    let audit = node.container(namespace.name(), &pods[0], "audit")?;
    let texts = [
        "GET /",
        "",
        "{\"level\": \"info\", \"text\": \"grüße 🦀\"}",
        "  at Main.java",
    ];
    let texts = texts.map(str::to_owned);
    let time = orders.write(&texts)?;
    orders.write_split("one line in ", "two parts")?;
    audit.write(&lines("audit", 3))?;
    node.start().await?;
    let stream = format!("eu-west-1 /ecs/orders orders/Orders_API/{}", pods[0]);
    let expected: Vec<String> = ["GET /", "{\"level\": \"info\", \"text\": \"grüße 🦀\"}"]
        .into_iter()
        .chain(["  at Main.java", "one line in two parts"])
        .map(str::to_owned)
        .collect();
    let events = world.wait_for(&stream, &expected).await?;
    // CloudWatch takes no empty event.
    let texts: Vec<_> = events.iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(texts, expected);
    assert_eq!(events[0].0, time.as_millisecond());
    let stream = format!("eu-central-1 /ecs/audit {}", audit.id);
    let events = world.wait_for(&stream, &lines("audit", 3)).await?;
    assert_eq!(events.len(), 3);
    for path in ["/api/v1/uptime", "/api/v1/health"] {
        node.get(path)?;
    }
    let metrics = node.get("/api/v2/metrics/prometheus")?;
    assert!(
        metrics.contains("fluentbit_output_retries_failed_total"),
        "{metrics}"
    );
    Ok(())
}

#[tokio::test]
async fn only_what_containers_ask_for_is_sent() -> Result<()> {
    let mut node = Node::new("asked").await?;
    let world = node.world;
    let namespace = world.plane.namespace("asked").await?;
    pod(world, &namespace, "here", &json!({})).await?;
    pod(
        world,
        &namespace,
        "elsewhere",
        &json!({"awslogs-region": "us-east-1"}),
    )
    .await?;
    let plain = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "plain"},
        "spec": {"containers": [{"name": "app", "image": "example"}]},
    });
    world
        .plane
        .apply(namespace.name(), &plain.to_string())
        .await?;
    node.start().await?;
    for (pod, container) in [
        ("plain", "app"),
        ("elsewhere", "app"),
        ("here", "other"),
        ("gone", "app"),
    ] {
        node.container(namespace.name(), pod, container)?
            .write(&lines("secret", 3))?;
    }
    sleep(SEEN).await;
    node.container(namespace.name(), "here", "app")?
        .write(&lines("here", 1))?;
    world
        .wait_for("eu-west-1 /test/app test/app/here", &lines("here", 1))
        .await?;
    let all = world.events()?;
    let secret = all
        .values()
        .flatten()
        .filter(|(_, text)| text.contains("secret"));
    assert_eq!(secret.count(), 0, "{all:?}");
    let said = node.said();
    let elsewhere = format!(
        "{}/elsewhere/app logs to us-east-1, which logs.regions lacks",
        namespace.name()
    );
    assert!(said.contains(&elsewhere), "{said}");
    assert!(
        said.contains("the API server does not say whose log"),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn the_last_lines_of_a_task_arrive() -> Result<()> {
    let mut node = Node::new("last").await?;
    let world = node.world;
    let namespace = world.plane.namespace("last").await?;
    for name in ["short", "long", "rotated"] {
        pod(world, &namespace, name, &json!({})).await?;
    }
    node.start().await?;
    let long = node.container(namespace.name(), "long", "app")?;
    let rotated = node.container(namespace.name(), "rotated", "app")?;
    long.write(&lines("first", 1))?;
    // A task that ends at once, and whose pod stays for some seconds.
    let short = node.container(namespace.name(), "short", "app")?;
    short.write(&lines("short", 100))?;
    // The kubelet looks every 10 s whether a file is to be rotated, so the agent has seen it.
    sleep(SEEN).await;
    let mut written = Vec::new();
    for part in 0..3 {
        let part = lines(&format!("part {part}, line"), 2000);
        rotated.write(&part)?;
        written.extend(part);
        rotated.rotate()?;
        sleep(SEEN).await;
    }
    rotated.write(&lines("after", 1))?;
    delete(world, &namespace, "short").await?;
    short.remove()?;
    // A pod whose last lines and whose end come together.
    long.write(&lines("last", 5000))?;
    delete(world, &namespace, "long").await?;
    long.remove()?;
    for (pod, expected) in [
        ("short", lines("short", 100)),
        ("long", lines("last", 5000)),
        ("rotated", written),
        ("rotated", lines("after", 1)),
    ] {
        let stream = format!("eu-west-1 /test/app test/app/{pod}");
        world
            .wait_for(&stream, &expected)
            .await
            .with_context(|| node.said())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_restart_neither_loses_nor_repeats_lines() -> Result<()> {
    let mut node = Node::new("restart").await?;
    let world = node.world;
    let namespace = world.plane.namespace("restart").await?;
    pod(world, &namespace, "restart", &json!({})).await?;
    let container = node.container(namespace.name(), "restart", "app")?;
    node.start().await?;
    container.write(&lines("before", 1000))?;
    sleep(SEEN).await;
    container.write(&lines("at the end", 1000))?;
    node.terminate()?;
    container.write(&lines("meanwhile", 1000))?;
    node.start().await?;
    let stream = "eu-west-1 /test/app test/app/restart";
    let events = world.wait_for(stream, &lines("meanwhile", 1000)).await?;
    let texts: BTreeSet<&String> = events.iter().map(|(_, text)| text).collect();
    assert_eq!((events.len(), texts.len()), (3000, 3000));
    container.write(&lines("at the crash", 1000))?;
    sleep(Duration::from_millis(300)).await;
    node.kill()?;
    node.start().await?;
    world.wait_for(stream, &lines("at the crash", 1000)).await?;
    Ok(())
}

#[tokio::test]
async fn lines_wait_for_their_group_and_delay_no_others() -> Result<()> {
    let mut node = Node::new("group").await?;
    let world = node.world;
    let namespace = world.plane.namespace("group").await?;
    let missing = json!({"awslogs-group": "/test/missing", "awslogs-create-group": "false"});
    pod(world, &namespace, "missing", &missing).await?;
    pod(world, &namespace, "present", &json!({})).await?;
    node.start().await?;
    node.container(namespace.name(), "missing", "app")?
        .write(&lines("waiting", 10))?;
    sleep(SEEN).await;
    node.container(namespace.name(), "present", "app")?
        .write(&lines("present", 10))?;
    world
        .wait_for(
            "eu-west-1 /test/app test/app/present",
            &lines("present", 10),
        )
        .await?;
    assert!(
        node.said().contains("/test/missing not found"),
        "{}",
        node.said()
    );
    world.create_group("eu-west-1", "/test/missing")?;
    world
        .wait_for(
            "eu-west-1 /test/missing test/app/missing",
            &lines("waiting", 10),
        )
        .await?;
    Ok(())
}

#[tokio::test]
async fn the_router_of_a_task_that_ends_at_once_sends_its_lines() -> Result<()> {
    let world = World::shared().await?;
    world.create_group("eu-west-1", "/ecs/report")?;
    let manifests = run(Command::new(env!("CARGO_BIN_EXE_ecs-operator"))
        .args(["convert", "task-definition.json", "run-task.json"])
        .current_dir(root().join("tests/cases/logs-firelens-of-a-nightly-task")))?;
    let router = Router::start(&manifests).await?;
    sleep(SEEN).await;
    let world = router.run("report", &lines("report", 100)).await?;
    // Nobody sends anything any more.
    let all = world.events()?;
    let stream = "eu-west-1 /ecs/report nightly-report-firelens-report-0";
    let events = all
        .get(stream)
        .with_context(|| format!("there are {:?}", all.keys()))?;
    for line in lines("report", 100) {
        let found = events
            .iter()
            .any(|(_, text)| text.contains(&format!("\"{line}\"")));
        assert!(found, "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn every_node_gets_an_agent() -> Result<()> {
    let world = World::shared().await?;
    let agents: Api<DaemonSet> = Api::namespaced(world.plane.client().await?, AGENT);
    until("the agents", Duration::from_secs(60), async || {
        let status = agents
            .get("ecs-operator-logs")
            .await?
            .status
            .unwrap_or_default();
        let all = status.desired_number_scheduled;
        Ok((all == 3 && status.number_ready == all).then_some(()))
    })
    .await
}
