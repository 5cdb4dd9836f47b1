//! Scaling policies on metrics that an emulator of CloudWatch has. The operator is who its service account is for AWS, as
//! with IRSA, and assumes the role that reads metrics.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ecs_operator_testbed::{ControlPlane, Options};
use kube::Client;
use serde_json::{Value, json};
use tokio::time::interval;

use crate::{
    aws::{Aws, call},
    support::{
        Bed, Operator, condition, install,
        scaling::{has_alarms, has_tasks, is_unknown, step_policy},
        task_definition,
    },
};

/// The length of a queue, which is published each few seconds.
struct Backlog(Arc<Mutex<f64>>);

impl Backlog {
    fn publish(aws: &Client, length: f64) -> Self {
        let (now, aws) = (Arc::new(Mutex::new(length)), aws.clone());
        let seen = now.clone();
        tokio::spawn(async move {
            let mut ticks = interval(Duration::from_secs(5));
            loop {
                ticks.tick().await;
                let length = *seen.lock().unwrap();
                // The emulator ends before the test does.
                if put(&aws, length).await.is_err() {
                    return;
                }
            }
        });
        Self(now)
    }

    fn is(&self, length: f64) {
        *self.0.lock().unwrap() = length;
    }
}

/// Publishes the length of the queue in this minute.
async fn put(aws: &Client, length: f64) -> kube::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let data = json!({
        "Namespace": "Shop",
        "MetricData": [{
            "MetricName": "Backlog",
            "Dimensions": [{"Name": "Queue", "Value": "orders"}],
            "Timestamp": now.as_secs(),
            "Value": length,
        }],
    });
    let target = ("monitoring", "GraniteServiceVersion20100801.PutMetricData");
    call(aws, target, &data).await?;
    Ok(())
}

fn step(name: &str, threshold: i64, comparison: &str, by: i64) -> Value {
    step_policy(
        (name, by, 0),
        ["Shop", "Backlog", "Queue", "orders"],
        (comparison, threshold),
    )
}

async fn run_web(bed: &Bed) {
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web:1"))
        .await;
    let service = json!({
        "taskDefinition": "web",
        "autoScaling": {
            "scalableTarget": {"MinCapacity": 1, "MaxCapacity": 3},
            "scalingPolicies": [
                step("out", 600, "GreaterThanThreshold", 2),
                step("in", 200, "LessThanThreshold", -2),
            ],
        },
    });
    bed.must_apply("EcsService", "web", service).await;
}

/// A control plane with an emulator of CloudWatch, and an operator that reads it.
struct Cloud {
    // The emulator and the operator end before their folders are removed.
    aws: Aws,
    operator: Operator,
    backlog: Backlog,
    plane: ControlPlane,
}

impl Cloud {
    async fn start() -> Self {
        let plane = ControlPlane::start_with(&Options::default()).await.unwrap();
        install(&plane).await.unwrap();
        let aws = Aws::start(&plane).await;
        let backlog = Backlog::publish(&aws.client(), 300.0);
        let (endpoint, authorities) = (
            format!("--cloud-watch-endpoint={}", aws.url),
            format!("--cloud-watch-ca-file={}", aws.authorities),
        );
        let flags = [
            "--tenancy=multiple",
            "--aws-region=eu-west-1",
            "--cloud-watch-metric=Shop/*",
            "--cloud-watch-role-arn=arn:aws:iam::123456789012:role/reader",
            &endpoint,
            &authorities,
        ];
        let operator = Operator::start_in(&aws.environment, &plane, "operator", &flags);
        let operator = operator.await.unwrap();
        Self {
            aws,
            operator,
            backlog,
            plane,
        }
    }

    /// A service whose alarms both have a value, which is between their thresholds.
    async fn web(&self) -> Bed {
        let bed = Bed::new(&self.plane.kubeconfig(), "cloudwatch").await;
        bed.allow(json!({"metricNamespaces": ["Shop"]})).await;
        run_web(&bed).await;
        let object = has_alarms(&bed, "web", 2).await;
        assert_eq!(object["spec"]["desiredCount"], 1);
        bed
    }
}

#[tokio::test]
async fn alarms_know_metrics_of_cloudwatch_that_their_namespaces_may_read() {
    let cloud = Cloud::start().await;
    let other = Bed::new(&cloud.plane.kubeconfig(), "cloudwatch-other").await;
    run_web(&other).await;
    cloud.web().await;

    // Without a policy, the metric of others stays unknown, and the service says which line of a policy it lacks.
    let (object, why) = is_unknown(&other, "web").await;
    assert_eq!(object["spec"]["desiredCount"], 1);
    assert!(
        why.contains(r#"spec.allow.metricNamespaces: ["Shop"]"#),
        "{why}"
    );
    let success = r#"source="cloudwatch",result="success""#;
    let queries = cloud
        .operator
        .metric("ecs_operator_metric_queries_total", success);
    assert!(queries.await > 0);
}

#[tokio::test]
#[ignore = "it waits for minutes: `cargo xtask test metrics` runs it"]
async fn a_service_follows_metrics_of_cloudwatch_and_stays_when_it_is_gone() {
    let cloud = Cloud::start().await;
    let bed = cloud.web().await;
    cloud.backlog.is(1000.0);
    has_tasks(&bed, "web", 3).await;
    cloud.backlog.is(10.0);
    let object = has_tasks(&bed, "web", 1).await;
    let activity = &object["status"]["autoScaling"]["activities"][0];
    assert_eq!(
        activity["cause"],
        "monitor alarm in in state ALARM triggered policy in"
    );
    assert_eq!(condition(&object, "ScalingActive")["status"], "True");

    // Without CloudWatch, the count stays.
    cloud.backlog.is(1000.0);
    drop(cloud.aws);
    let (object, why) = is_unknown(&bed, "web").await;
    let expected = "CloudWatch does not report a metric: it cannot be reached";
    assert!(why.contains(expected), "{why}");
    assert_eq!(object["spec"]["desiredCount"], 1);
}
