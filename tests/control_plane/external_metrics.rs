//! Scaling policies on external metrics of the cluster. A custom resource is served in place of an adapter, so that the API
//! server selects by labels, and knows the rights that the chart gives.

use ecs_operator_testbed::{ControlPlane, Options};
use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use crate::support::{
    Bed, OPERATOR, Operator,
    addons::serve_addons,
    condition,
    helm::rendered,
    install,
    scaling::{has_alarms, has_tasks, is_unknown, step_policy},
    task_definition,
};

const VALUES: (&str, &str, &str, &str) = (
    "external.metrics.k8s.io",
    "v1beta1",
    "ExternalMetricValue",
    "orders-backlog",
);

/// What the metric of the policies stands for.
const METRIC: &str = r#"orders-backlog{queue="<<dimension.Queue>>",team="<<namespace>>"}"#;

fn values(bed: &Bed) -> Api<DynamicObject> {
    let (group, version, kind, plural) = VALUES;
    let kind = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    Api::namespaced_with(bed.client.clone(), bed.namespace.name(), &resource)
}

/// Reports a value of a queue, one of several.
async fn report(bed: &Bed, name: &str, queue: &str, value: &str) {
    let labels = json!({"queue": queue, "team": bed.namespace.name()});
    let object = json!({
        "apiVersion": "external.metrics.k8s.io/v1beta1", "kind": "ExternalMetricValue",
        "metadata": {"name": name, "labels": labels},
        "metricName": "orders-backlog",
        "value": value,
    });
    let params = PatchParams::apply("test").force();
    let values = values(bed);
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
    let settings = json!({"Shop/Backlog": METRIC});
    let rights = rendered(
        "templates/rbac.yaml",
        &format!("settings.externalMetrics={settings}"),
    );
    plane.apply(OPERATOR, &rights.unwrap()).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "external").await;
    serve_addons(&bed.client, &[VALUES]).await.unwrap();
    let metric = format!("--external-metric=Shop/Backlog={METRIC}");
    let flags = ["--tenancy=multiple", &metric];
    let operator = Operator::start(&plane, "operator", &flags).await.unwrap();

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
    let queries = operator.metric(
        "ecs_operator_metric_queries_total",
        r#"source="external",result="success""#,
    );
    assert!(queries.await > 0);

    // Nothing is reported any more.
    let all = ListParams::default();
    values(&bed)
        .delete_collection(&DeleteParams::default(), &all)
        .await
        .unwrap();
    let (object, why) = is_unknown(&bed, "web").await;
    let expected = "external.metrics.k8s.io does not report a metric: it has no value";
    assert!(why.contains(expected), "{why}");
    assert_eq!(object["spec"]["desiredCount"], 3);
}
