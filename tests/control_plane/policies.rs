//! Scaling policies that the operator runs itself. What pods use is written by the test, where metrics-server would
//! report it; the API server, its authorization and everything else is real.

use ecs_operator_testbed::{ControlPlane, Options, until};
use k8s_openapi::{
    api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use crate::{
    bed,
    support::{
        Bed, LIMIT, Operator,
        addons::serve_addons,
        condition, cpu_policy, install,
        scaling::{has_tasks, step_policy},
        task_definition,
    },
    view::{run, text},
};

/// What is served in place of metrics-server.
const POD_METRICS: (&str, &str, &str, &str) = ("metrics.k8s.io", "v1beta1", "PodMetrics", "pods");

/// A policy that removes or adds tasks by an alarm on the CPU of the service.
fn step(name: &str, threshold: i64, comparison: &str, by: i64) -> Value {
    step_policy(
        (name, by, 600),
        ["AWS/ECS", "CPUUtilization", "ServiceName", "web"],
        (comparison, threshold),
    )
}

fn service(policies: &[Value]) -> Value {
    json!({
        "taskDefinition": "web",
        "autoScaling": {
            "scalableTarget": {"MinCapacity": 2, "MaxCapacity": 6},
            "scalingPolicies": policies,
        },
    })
}

/// Reports that each task of the service uses this many thousandths of a CPU, of the 31 that it reserves.
async fn use_cpu(bed: &Bed, millicores: i64) {
    let kind = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
    let resource = ApiResource::from_gvk_with_plural(&kind, "pods");
    let api: Api<DynamicObject> =
        Api::namespaced_with(bed.client.clone(), bed.namespace.name(), &resource);
    for pod in bed.tasks("web").await {
        let name = pod.name_any();
        let usage = json!({"cpu": format!("{millicores}m"), "memory": "8Mi"});
        let metrics = json!({
            "apiVersion": "metrics.k8s.io/v1beta1",
            "kind": "PodMetrics",
            "metadata": {"name": name, "labels": pod.labels()},
            "containers": [{"name": "app", "usage": usage}],
        });
        let params = PatchParams::apply("test").force();
        api.patch(&name, &params, &Patch::Apply(metrics))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_operator_runs_steps_and_hands_the_count_to_an_autoscaler_and_back() {
    let bed = bed("policies").await;
    serve_addons(&bed.client, &[POD_METRICS]).await.unwrap();
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web:1"))
        .await;
    let steps = [
        step("out", 70, "GreaterThanThreshold", 2),
        step("in", 20, "LessThanThreshold", -1),
    ];
    bed.must_apply("EcsService", "web", service(&steps)).await;
    has_tasks(&bed, "web", 2).await;
    use_cpu(&bed, 30).await;
    let object = has_tasks(&bed, "web", 4).await;
    let scaling = &object["status"]["autoScaling"];
    assert_eq!(scaling["scaler"], "operator");
    let activity = &scaling["activities"][0];
    assert_eq!(activity["description"], "Setting desired count to 4.");
    assert_eq!(
        activity["cause"],
        "monitor alarm out in state ALARM triggered policy out"
    );
    assert_eq!(activity["statusCode"], "Successful");
    assert_eq!(
        bed.event("web", "DesiredCountSet").await,
        "(service web) Setting desired count to 4. monitor alarm out in state ALARM triggered policy out."
    );
    assert_eq!(condition(&object, "ScalingActive")["status"], "True");
    let autoscalers = bed.api::<HorizontalPodAutoscaler>();
    assert_eq!(autoscalers.get_opt("web").await.unwrap(), None);

    // The new tasks are as busy, but the cooldown lasts.
    use_cpu(&bed, 30).await;
    bed.until("EcsService", "web", "a cooldown", |object| {
        object["status"]["autoScaling"]["notScaledReason"] == "InCooldown"
    })
    .await;

    // An autoscaler takes over, and the count stays.
    bed.must_apply("EcsService", "web", service(&[cpu_policy()]))
        .await;
    bed.eventually::<HorizontalPodAutoscaler>("web", "an autoscaler", |_| true)
        .await;
    let object = bed
        .until("EcsService", "web", "another scaler", |object| {
            object["status"]["autoScaling"]["scaler"].is_null()
        })
        .await;
    assert_eq!(object["spec"]["desiredCount"], 4);
    let said = explained(&bed).await;
    let sets = "\nHorizontalPodAutoscaler web sets the count: ";
    assert!(said.contains(sets), "{said}");

    // The owner asks for the operator, with target tracking alone.
    let mut asked = service(&[cpu_policy()]);
    asked["autoScaling"]["scaler"] = json!("operator");
    bed.must_apply("EcsService", "web", asked).await;
    bed.gone::<HorizontalPodAutoscaler>("web").await;
    let object = bed
        .until("EcsService", "web", "its alarms", |object| {
            let alarms = &object["status"]["autoScaling"]["alarms"];
            alarms[0]["alarmName"] == "cpu/AlarmHigh"
        })
        .await;
    assert_eq!(object["spec"]["desiredCount"], 4);
    let deployments = bed.api::<Deployment>();
    let deployment = deployments.get("web").await.unwrap();
    assert_eq!(deployment.spec.unwrap().replicas, Some(4));
    let said = explained(&bed).await;
    for expected in [
        "web: 4 tasks desired, 4 running.\nThe operator sets the count: autoScaling.scaler says so.\n",
        "\nPolicy cpu: keeps CPUUtilization at 60 (target tracking).\n",
        "    At 120: stays at 4 tasks, in a cooldown until ",
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

/// Returns what the program says of the scaling of the service.
async fn explained(bed: &Bed) -> String {
    let output = run(bed, &["scaling", "explain", "web"]).await;
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    said
}

#[tokio::test]
async fn nothing_is_scaled_while_nothing_is_measured() {
    let bed = bed("policies-blind").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web:1"))
        .await;
    let steps = [
        step("out", 0, "GreaterThanOrEqualToThreshold", 2),
        step("in", 90, "LessThanThreshold", -1),
    ];
    let mut spec = service(&steps);
    spec["desiredCount"] = json!(4);
    bed.must_apply("EcsService", "web", spec).await;
    has_tasks(&bed, "web", 4).await;
    // Trouble is reported after three minutes without a point.
    let limit = LIMIT * 3;
    let api = bed.resources("EcsService");
    let object = until("missing metrics", limit, async || {
        let object = json!(api.get("web").await?);
        let found = condition(&object, "ScalingActive");
        Ok((found["status"] == "False").then_some(object))
    })
    .await
    .unwrap();
    let found = condition(&object, "ScalingActive");
    assert_eq!(found["reason"], "MetricsUnavailable");
    assert_eq!(object["spec"]["desiredCount"], 4);
    assert!(
        bed.event("web", "MetricsUnavailable")
            .await
            .contains("is not scaled by its policies")
    );
}

/// Removes what this version records of policies from the definition of services, as an older version has it.
async fn make_older(client: &kube::Client) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = "ecsservices.ecs-operator.dev";
    let mut definition = json!(definitions.get(name).await.unwrap());
    let scaling = definition
        .pointer_mut(
            "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/autoScaling/properties",
        )
        .unwrap();
    for member in ["scaler", "alarms", "notScaledReason", "activities"] {
        scaling.as_object_mut().unwrap().remove(member).unwrap();
    }
    let definition = serde_json::from_value(definition).unwrap();
    definitions
        .replace(name, &PostParams::default(), &definition)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_autoscaler_stays_where_the_definitions_keep_no_decision() {
    let plane = ControlPlane::start_with(&Options::default()).await.unwrap();
    install(&plane).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "older").await;
    make_older(&bed.client).await;
    serve_addons(&bed.client, &[POD_METRICS]).await.unwrap();
    let operator = Operator::start(&plane, "operator", &[]).await.unwrap();
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web:1"))
        .await;
    let mut spec = service(&[cpu_policy()]);
    bed.must_apply("EcsService", "web", spec).await;
    has_tasks(&bed, "web", 2).await;
    bed.eventually::<HorizontalPodAutoscaler>("web", "an autoscaler", |_| true)
        .await;
    use_cpu(&bed, 30).await;
    spec = service(&[cpu_policy(), step("out", 70, "GreaterThanThreshold", 2)]);
    bed.must_apply("EcsService", "web", spec).await;
    // Two minutes, in which all metrics are known.
    let measured = async || {
        let name = "ecs_operator_usage_requests_total";
        operator.metric(name, "success").await
    };
    until("two measured minutes", LIMIT * 2, async || {
        Ok((measured().await >= 9).then_some(()))
    })
    .await
    .unwrap();
    let autoscalers = bed.api::<HorizontalPodAutoscaler>();
    let autoscaler = autoscalers.get_opt("web").await.unwrap();
    assert!(autoscaler.is_some_and(|it| it.metadata.deletion_timestamp.is_none()));
    let object = json!(bed.resources("EcsService").get("web").await.unwrap());
    assert_eq!(object["spec"]["desiredCount"], 2);
}
