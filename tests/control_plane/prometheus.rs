//! Scaling policies on metrics that a real Prometheus has scraped.

use std::{
    fs,
    net::TcpListener as StdListener,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{Router, routing::get};
use ecs_operator_testbed::{ControlPlane, Options, Process, find, until};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Bed, LIMIT, Operator, condition, install, task_definition};

/// A Prometheus that scrapes a queue of a length that the test sets.
struct Queue {
    length: Arc<AtomicI64>,
    prometheus: Option<Process>,
    url: String,
}

impl Queue {
    async fn start() -> Self {
        let length = Arc::new(AtomicI64::new(0));
        let shown = length.clone();
        let metrics = get(async move || {
            let length = shown.load(Ordering::SeqCst);
            format!("# TYPE backlog gauge\nbacklog{{queue=\"orders\"}} {length}\n")
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let app = Router::new().route("/metrics", metrics);
        tokio::spawn(async { axum::serve(listener, app).await });
        let free = StdListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let config = json!({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "queue", "static_configs": [{"targets": [target]}]}],
        });
        fs::write(folder.join("prometheus.yml"), config.to_string()).unwrap();
        let program = tokio::task::spawn_blocking(|| find("prometheus"));
        let program = program.await.unwrap().unwrap();
        let line = [
            program.into_os_string(),
            format!("--config.file={}/prometheus.yml", folder.display()).into(),
            format!("--storage.tsdb.path={}/data", folder.display()).into(),
            format!("--web.listen-address={address}").into(),
        ];
        Self {
            length,
            prometheus: Some(Process::start("prometheus", &folder, &line).unwrap()),
            url: format!("http://{address}"),
        }
    }
}

fn service() -> Value {
    json!({
        "taskDefinition": "worker",
        "autoScaling": {
            "scalableTarget": {"MinCapacity": 2, "MaxCapacity": 6},
            "scalingPolicies": [{
                "PolicyName": "out",
                "PolicyType": "StepScaling",
                "StepScalingPolicyConfiguration": {
                    "AdjustmentType": "ChangeInCapacity",
                    "Cooldown": 600,
                    "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 2}],
                },
                "Alarm": {
                    "Namespace": "Shop", "MetricName": "Backlog", "Statistic": "Average",
                    "Dimensions": [{"Name": "Queue", "Value": "orders"}],
                    "Period": 60, "EvaluationPeriods": 1, "Threshold": 100,
                    "ComparisonOperator": "GreaterThanThreshold",
                },
            }],
        },
    })
}

#[tokio::test]
async fn a_service_scales_by_a_metric_of_prometheus() {
    let queue = Queue::start().await;
    let plane = ControlPlane::start_with(&Options::default()).await.unwrap();
    install(&plane).await.unwrap();
    let url = format!("--prometheus-url={}", queue.url);
    let query = "--metric-query=Shop/Backlog=backlog{queue=\"$(dimension.Queue)\"}";
    let _operator = Operator::start(&plane, "operator", &[&url, query])
        .await
        .unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "prometheus").await;
    bed.must_apply(
        "EcsTaskDefinition",
        "worker",
        task_definition("testbed/web:1"),
    )
    .await;
    bed.must_apply("EcsService", "worker", service()).await;
    bed.until("EcsService", "worker", "an alarm", |object| {
        let alarm = &object["status"]["autoScaling"]["alarms"][0];
        alarm["stateValue"] == "OK" && alarm["metricName"] == "Backlog"
    })
    .await;
    queue.length.store(500, Ordering::SeqCst);
    let object = bed
        .until("EcsService", "worker", "more tasks", |object| {
            object["spec"]["desiredCount"] == 4 && object["status"]["runningCount"] == 4
        })
        .await;
    let alarm = &object["status"]["autoScaling"]["alarms"][0];
    assert_eq!(
        (&alarm["stateValue"], &alarm["value"]),
        (&json!("ALARM"), &json!(500.0))
    );

    // Without Prometheus, the count stays, and the service says why.
    drop(queue.prometheus);
    let api = bed.resources("EcsService");
    let object = until("missing metrics", LIMIT * 3, async || {
        let object = json!(api.get("worker").await?);
        let found = condition(&object, "ScalingActive");
        Ok((found["status"] == "False").then_some(object))
    })
    .await
    .unwrap();
    let message = condition(&object, "ScalingActive")["message"].clone();
    let why = "Prometheus does not report a metric";
    assert!(message.as_str().unwrap().contains(why), "{message}");
    assert_eq!(object["spec"]["desiredCount"], 4);
}
