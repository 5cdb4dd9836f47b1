//! Scaling policies on external metrics of the cluster. A custom resource is served in place of an adapter, so that the API
//! server selects by labels, and knows the rights that the chart gives.

use ecs_operator_testbed::{ControlPlane, Options};
use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use crate::{
    app_runner::{hello, until_status},
    support::{
        Bed, OPERATOR, Operator,
        addons::serve_addons,
        condition,
        helm::rendered,
        install,
        scaling::{has_alarms, has_tasks, is_unknown, step_policy},
        task_definition,
    },
};

const VALUES: (&str, &str, &str, &str) = (
    "external.metrics.k8s.io",
    "v1beta1",
    "ExternalMetricValue",
    "orders-backlog",
);

/// The requests that a service has at once.
const REQUESTS: (&str, &str, &str, &str) = (
    "external.metrics.k8s.io",
    "v1beta1",
    "ExternalMetricOfRequests",
    "requests-in-progress",
);

/// What the metric of App Runner stands for.
const CONCURRENCY: &str = r#"requests-in-progress{queue="<<service>>",team="<<namespace>>"}"#;

/// What the metric of the policies stands for.
const METRIC: &str = r#"orders-backlog{queue="<<dimension.Queue>>",team="<<namespace>>"}"#;

fn values(bed: &Bed, of: (&str, &str, &str, &str)) -> Api<DynamicObject> {
    let (group, version, kind, plural) = of;
    let kind = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    Api::namespaced_with(bed.client.clone(), bed.namespace.name(), &resource)
}

/// Reports a value of a queue, one of several.
async fn report(bed: &Bed, name: &str, queue: &str, value: &str) {
    report_of(bed, VALUES, (name, queue), value).await;
}

async fn report_of(
    bed: &Bed,
    of: (&str, &str, &str, &str),
    (name, queue): (&str, &str),
    value: &str,
) {
    let labels = json!({"queue": queue, "team": bed.namespace.name()});
    let object = json!({
        "apiVersion": "external.metrics.k8s.io/v1beta1", "kind": of.2,
        "metadata": {"name": name, "labels": labels},
        "metricName": of.3,
        "value": value,
    });
    let params = PatchParams::apply("test").force();
    let values = values(bed, of);
    values
        .patch(name, &params, &Patch::Apply(object))
        .await
        .unwrap();
}

fn step(name: &str, threshold: i64, comparison: &str, by: i64) -> Value {
    step_policy(
        (name, by, 0),
        ["Shop", "Backlog", "Queue", "orders"],
        (comparison, threshold),
    )
}

#[tokio::test]
async fn a_service_follows_external_metrics_and_stays_when_there_are_none() {
    let plane = ControlPlane::start_with(&Options::default()).await.unwrap();
    install(&plane).await.unwrap();
    let settings = json!({"Shop/Backlog": METRIC, "AWS/AppRunner/Concurrency": CONCURRENCY});
    let rights = rendered(
        "templates/rbac.yaml",
        &format!("settings.externalMetrics={settings}"),
    );
    plane.apply(OPERATOR, &rights.unwrap()).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "external").await;
    serve_addons(&bed.client, &[VALUES, REQUESTS])
        .await
        .unwrap();
    let metric = format!("--external-metric=Shop/Backlog={METRIC}");
    let concurrency = format!("--external-metric=AWS/AppRunner/Concurrency={CONCURRENCY}");
    let flags = ["--tenancy=multiple", &metric, &concurrency];
    let operator = Operator::start(&plane, "operator", &flags).await.unwrap();

    let mut hello = hello("testbed/web:1");
    hello["AutoScalingConfiguration"] = json!({"MinSize": 1, "MaxSize": 9, "MaxConcurrency": 10});
    bed.must_apply("AppRunnerService", "hello", hello).await;
    report_of(&bed, REQUESTS, ("hello", "hello"), "25").await;

    report(&bed, "first", "orders", "200").await;
    report(&bed, "second", "orders", "100500m").await;
    report(&bed, "other", "returns", "5k").await;
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

    // The sum of what is reported of its queue is between the thresholds.
    let object = has_alarms(&bed, "web", 2).await;
    assert_eq!(object["spec"]["desiredCount"], 1);
    report(&bed, "second", "orders", "401").await;
    let object = has_tasks(&bed, "web", 3).await;
    assert_eq!(condition(&object, "ScalingActive")["status"], "True");
    // An App Runner service has as many instances as its requests need.
    let object = has_tasks(&bed, "hello", 3).await;
    let activities = object["status"]["autoScaling"]["activities"].to_string();
    assert!(activities.contains("concurrency"), "{activities}");
    let object = until_status(&bed, "hello", "RUNNING").await;
    let warnings = object["status"]["warnings"].to_string();
    assert!(
        !warnings.contains("ConcurrencyScalingNeedsMetric"),
        "{warnings}"
    );

    let queries = operator.metric(
        "ecs_operator_metric_queries_total",
        r#"source="external",result="success""#,
    );
    assert!(queries.await > 0);

    // Nothing is reported any more.
    let all = ListParams::default();
    values(&bed, VALUES)
        .delete_collection(&DeleteParams::default(), &all)
        .await
        .unwrap();
    let (object, why) = is_unknown(&bed, "web").await;
    let expected = "external.metrics.k8s.io does not report a metric: it has no value";
    assert!(why.contains(expected), "{why}");
    assert_eq!(object["spec"]["desiredCount"], 3);
}
