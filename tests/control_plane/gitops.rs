//! What happens when the same files are applied again and again, as GitOps tools and pipelines do.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use ecs_operator_testbed::{find, until};
use k8s_openapi::api::{
    apps::v1::{ControllerRevision, Deployment},
    core::v1::Pod,
    events::v1::Event,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PropagationPolicy},
};
use serde_json::{Value, json};

use crate::{
    bed, shared,
    support::{Bed, LIMIT, cpu_policy, task_definition, uid},
};

/// The ways in which tools apply a file.
const TOOLS: &[(&str, &[&str])] = &[
    ("kubectl", &["apply"]),
    (
        "argocd",
        &[
            "apply",
            "--server-side",
            "--field-manager=argocd-controller",
            "--force-conflicts",
        ],
    ),
    (
        "flux",
        &[
            "apply",
            "--server-side",
            "--field-manager=kustomize-controller",
            "--force-conflicts",
        ],
    ),
];

/// Applies an object with real `kubectl`.
async fn kubectl(bed: &Bed, arguments: &[&str], object: &Value) {
    let output = try_kubectl(bed, arguments, object).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

async fn try_kubectl(bed: &Bed, arguments: &[&str], object: &Value) -> Output {
    let (_, plane) = shared().await;
    run_kubectl(&plane.kubeconfig(), bed.namespace.name(), arguments, object)
}

fn run_kubectl(kubeconfig: &Path, namespace: &str, arguments: &[&str], object: &Value) -> Output {
    let mut run = Command::new(find("kubectl").unwrap())
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(format!("--namespace={namespace}"))
        .args(arguments)
        .arg("--filename=-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = run.stdin.take().unwrap();
    input.write_all(object.to_string().as_bytes()).unwrap();
    drop(input);
    run.wait_with_output().unwrap()
}

fn resource(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "ecs-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
    })
}

/// Scaling by CPU, between 2 and 10 tasks.
pub fn by_cpu() -> Value {
    json!({
        "scalableTarget": {"MinCapacity": 2, "MaxCapacity": 10},
        "scalingPolicies": [cpu_policy()],
    })
}

/// A service of which an autoscaler sets the count, with or without a count in the file.
fn service(count: Option<i64>) -> Value {
    let mut spec = json!({
        "taskDefinition": "web",
        "autoScaling": by_cpu(),
    });
    if let Some(count) = count {
        spec["desiredCount"] = json!(count);
    }
    resource("EcsService", "web", &spec)
}

/// Sets the count as the controller of HorizontalPodAutoscalers does, and waits until it is there.
async fn autoscale(bed: &Bed, count: i64) {
    set_scale(bed, count).await;
    has_count(bed, count).await;
}

/// Sets the count as the controller of HorizontalPodAutoscalers does.
pub async fn set_scale(bed: &Bed, count: i64) {
    let params = PatchParams {
        field_manager: Some("kube-controller-manager".to_owned()),
        ..PatchParams::default()
    };
    let scale = Patch::Merge(json!({"spec": {"replicas": count}}));
    let services = bed.resources("EcsService");
    services.patch_scale("web", &params, &scale).await.unwrap();
}

async fn has_count(bed: &Bed, count: i64) {
    let replicas = |deployment: &Deployment| deployment.spec.as_ref().and_then(|it| it.replicas);
    let what = format!("{count} tasks");
    bed.until("EcsService", "web", &what, |object| {
        object["spec"]["desiredCount"] == count && object["status"]["runningCount"] == count
    })
    .await;
    bed.eventually("web", &what, |it| {
        replicas(it).map(i64::from) == Some(count)
    })
    .await;
}

fn warns(object: &Value) -> bool {
    let warnings = object["status"]["warnings"].as_array();
    let mut reasons = warnings.into_iter().flatten().map(|it| &it["reason"]);
    reasons.any(|reason| reason == "DesiredCountUndoesScaling")
}

/// The generations of the Deployment and the UIDs of the tasks: what changes if anything happens to them.
async fn untouched(bed: &Bed) -> (Option<i64>, Vec<String>) {
    let deployment: Deployment = bed.api().get("web").await.unwrap();
    let mut tasks: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    tasks.sort();
    (deployment.metadata.generation, tasks)
}

#[tokio::test]
async fn a_count_that_an_autoscaler_has_chosen_stays_when_the_file_is_applied_again() {
    let bed = bed("gitops").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    kubectl(&bed, TOOLS[0].1, &service(None)).await;
    has_count(&bed, 2).await;
    autoscale(&bed, 4).await;
    let before = untouched(&bed).await;
    for _ in 0..7 {
        for (_, arguments) in TOOLS {
            kubectl(&bed, arguments, &service(None)).await;
        }
    }
    // Something that comes after all of that has been seen.
    autoscale(&bed, 5).await;
    let after = untouched(&bed).await;
    assert_eq!(after.0, before.0.map(|generation| generation + 1));
    assert!(before.1.iter().all(|task| after.1.contains(task)));
    bed.until("EcsService", "web", "no warning", |object| !warns(object))
        .await;
}

#[tokio::test]
async fn a_count_that_is_taken_out_of_the_file_stays() {
    for (tool, arguments) in TOOLS {
        let bed = bed(tool).await;
        bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
            .await;
        kubectl(&bed, arguments, &service(Some(6))).await;
        has_count(&bed, 6).await;
        bed.until("EcsService", "web", "a warning", warns).await;
        let before = untouched(&bed).await;
        kubectl(&bed, arguments, &service(None)).await;
        bed.until("EcsService", "web", "no warning", |object| !warns(object))
            .await;
        has_count(&bed, 6).await;
        assert_eq!(untouched(&bed).await, before, "{tool}");
    }
}

#[tokio::test]
async fn a_count_stays_when_a_service_is_deleted_without_its_tasks_and_applied_again() {
    let bed = bed("orphaned").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    kubectl(&bed, &["apply"], &service(None)).await;
    has_count(&bed, 2).await;
    autoscale(&bed, 4).await;
    let before = untouched(&bed).await;
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    let services = bed.resources("EcsService");
    services.delete("web", &orphan).await.unwrap();
    until("the service to be gone", LIMIT, async || {
        Ok(services.get_opt("web").await?.is_none().then_some(()))
    })
    .await
    .unwrap();
    kubectl(&bed, &["apply"], &service(None)).await;
    has_count(&bed, 4).await;
    assert_eq!(untouched(&bed).await.1, before.1);
}

#[tokio::test]
async fn a_finished_task_stays_and_does_not_run_again_when_its_file_is_applied_again() {
    let bed = bed("once").await;
    bed.must_apply(
        "EcsTaskDefinition",
        "job",
        task_definition("testbed/exit:0"),
    )
    .await;
    let job = resource("EcsTask", "job", &json!({"taskDefinition": "job"}));
    kubectl(&bed, &["apply"], &job).await;
    bed.condition("EcsTask", "job", "Succeeded", "True").await;
    let pod: Pod = bed.api().get("job-0").await.unwrap();
    // More than an hour ago, as far as the operator can see.
    let tasks = bed.resources("EcsTask");
    let mut task = tasks.get("job").await.unwrap();
    let long_ago = json!("2026-01-15T10:30:00Z");
    task.data["status"]["stoppedAt"] = long_ago.clone();
    for condition in task.data["status"]["conditions"].as_array_mut().unwrap() {
        condition["lastTransitionTime"] = long_ago.clone();
    }
    let status = Patch::Merge(json!({"status": task.data["status"]}));
    let params = PatchParams::default();
    tasks.patch_status("job", &params, &status).await.unwrap();
    let seen = Patch::Merge(json!({"metadata": {"annotations": {"someone/looked": "yes"}}}));
    tasks.patch("job", &params, &seen).await.unwrap();
    bed.gone::<Pod>("job-0").await;
    for (_, arguments) in TOOLS {
        kubectl(&bed, arguments, &job).await;
    }
    let spec = json!({"taskDefinition": "job"});
    bed.must_apply("EcsTask", "next", spec).await;
    bed.condition("EcsTask", "next", "Succeeded", "True").await;
    let pods: Api<Pod> = bed.api();
    let names: Vec<String> = pods
        .list(&Default::default())
        .await
        .unwrap()
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    assert_eq!(names, ["next-0"], "{} has run", pod.name_any());
    let task = tasks.get("job").await.unwrap();
    assert_eq!(task.data["status"]["exitCode"], 0);
}

#[tokio::test]
async fn an_autoscaler_without_metrics_is_told_on_the_service() {
    let bed = bed("metrics").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    // No metrics-server runs here.
    kubectl(&bed, &["apply"], &service(None)).await;
    let scaling = bed
        .condition("EcsService", "web", "ScalingActive", "False")
        .await;
    assert_eq!(scaling["reason"], "MetricsUnavailable");
    let message = scaling["message"].as_str().unwrap();
    assert!(
        message.contains("is not scaled by its policies: the HPA"),
        "{message}"
    );
    bed.condition("EcsService", "web", "Ready", "True").await;
    let plain = resource(
        "EcsService",
        "web",
        &json!({"taskDefinition": "web", "desiredCount": 2}),
    );
    kubectl(&bed, &["apply"], &plain).await;
    bed.until("EcsService", "web", "no autoscaler", |object| {
        let conditions = object["status"]["conditions"].as_array();
        let mut types = conditions.into_iter().flatten().map(|it| &it["type"]);
        types.all(|type_| type_ != "ScalingActive")
    })
    .await;
}

/// Changes the Deployment as the controller of an autoscaler that has it as its target does.
async fn scale_deployment(bed: &Bed, count: i64) {
    let params = PatchParams {
        field_manager: Some("kube-controller-manager".to_owned()),
        ..PatchParams::default()
    };
    let deployments: Api<Deployment> = bed.api();
    let scale = Patch::Merge(json!({"spec": {"replicas": count}}));
    deployments
        .patch_scale("web", &params, &scale)
        .await
        .unwrap();
    let replicas = |deployment: &Deployment| deployment.spec.as_ref().and_then(|it| it.replicas);
    bed.eventually("web", "its own count", |it| replicas(it) == Some(2))
        .await;
}

#[tokio::test]
async fn who_changes_what_the_service_decides_hears_of_it_once() {
    let bed = bed("contended").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    let spec = json!({"taskDefinition": "web", "desiredCount": 2});
    bed.must_apply("EcsService", "web", spec).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let deployments: Api<Deployment> = bed.api();
    let edit = PatchParams {
        field_manager: Some("kubectl-edit".to_owned()),
        ..PatchParams::default()
    };
    let change = Patch::Merge(json!({"spec": {"revisionHistoryLimit": 3}}));
    deployments.patch("web", &edit, &change).await.unwrap();
    let note = bed.event("web", "ChangedByOthers").await;
    assert!(
        note.contains("Deployment web was changed by kubectl-edit"),
        "{note}"
    );
    for _ in 0..3 {
        scale_deployment(&bed, 5).await;
    }
    let contended = bed
        .condition("EcsService", "web", "Contended", "True")
        .await;
    assert_eq!(contended["reason"], "ChangedByOthers");
    let message = contended["message"].as_str().unwrap();
    let advice = "delete the autoscaler that has Deployment web as its target";
    assert!(message.contains(advice), "{message}");
    let events: Api<Event> = bed.api();
    let events = events.list(&Default::default()).await.unwrap();
    let said = events
        .iter()
        .filter(|event| event.reason.as_deref() == Some("ChangedByOthers"));
    assert_eq!(said.count(), 2, "once for each of the two");
}

/// What kubectl says of an object that it may not apply.
async fn refusal(bed: &Bed, arguments: &[&str], object: &Value) -> String {
    let output = try_kubectl(bed, arguments, object).await;
    assert!(!output.status.success(), "{arguments:?}: {object}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_dry_run_says_what_an_apply_would_and_changes_nothing() {
    let bed = bed("dry").await;
    let dry = ["apply", "--dry-run=server"];
    let mut definition = task_definition("testbed/web");
    definition["containerDefinitions"][0]["memory"] = json!(1);
    for wrong in [
        resource(
            "EcsService",
            "web",
            &json!({"taskDefinition": "web", "desiredCount": -1}),
        ),
        resource(
            "EcsService",
            "web",
            &json!({"taskDefinition": "web", "desiredCont": 1}),
        ),
        resource("EcsTaskDefinition", "web", &definition),
        resource(
            "EcsTask",
            "job",
            &json!({"taskDefinition": "web", "count": 11}),
        ),
    ] {
        let said = refusal(&bed, &dry, &wrong).await;
        assert_eq!(said, refusal(&bed, &["apply"], &wrong).await);
        let side = ["apply", "--server-side"];
        let said = refusal(&bed, &[side[0], side[1], "--dry-run=server"], &wrong).await;
        assert_eq!(said, refusal(&bed, &side, &wrong).await);
    }
    let good = [
        resource("EcsTaskDefinition", "web", &task_definition("testbed/web")),
        service(None),
        resource("EcsTask", "job", &json!({"taskDefinition": "web"})),
    ];
    for object in &good {
        kubectl(&bed, &dry, object).await;
    }
    // The operator has seen nothing of that when it has seen what comes then.
    bed.must_apply("EcsTaskDefinition", "other", task_definition("testbed/web"))
        .await;
    let other = json!({"taskDefinition": "other", "desiredCount": 1});
    bed.must_apply("EcsService", "other", other).await;
    bed.condition("EcsService", "other", "Ready", "True").await;
    let all = Default::default();
    for kind in ["EcsTaskDefinition", "EcsService", "EcsTask"] {
        let names = bed.resources(kind).list(&all).await.unwrap();
        assert!(names.iter().all(|it| it.name_any() == "other"), "{kind}");
    }
    let revisions: Api<ControllerRevision> = bed.api();
    let revisions = revisions.list(&all).await.unwrap();
    assert!(
        revisions
            .iter()
            .all(|it| it.name_any().starts_with("other."))
    );
    let pods: Api<Pod> = bed.api();
    let pods = pods.list(&all).await.unwrap();
    assert!(pods.iter().all(|it| it.name_any().starts_with("other-")));
}

#[tokio::test]
async fn kubectl_diff_shows_what_was_changed_and_nothing_else() {
    let bed = bed("kubectl-diff").await;
    let definition = |image: &str| resource("EcsTaskDefinition", "web", &task_definition(image));
    let task = resource("EcsTask", "job", &json!({"taskDefinition": "web"}));
    let all = [definition("testbed/web:1"), service(None), task];
    for (_, arguments) in TOOLS {
        for object in &all {
            kubectl(&bed, arguments, object).await;
        }
        has_count(&bed, 2).await;
        bed.condition("EcsService", "web", "Ready", "True").await;
        bed.until("EcsTask", "job", "its pod", |it| {
            it["status"]["tasks"][0]["lastStatus"] == "RUNNING"
        })
        .await;
        let mut compare = vec!["diff"];
        let options = arguments.iter().filter(|it| it.starts_with("--"));
        compare.extend(options);
        for object in &all {
            let output = try_kubectl(&bed, &compare, object).await;
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(0), "{compare:?}: {said}");
        }
        let other = definition("testbed/web:2");
        let output = try_kubectl(&bed, &compare, &other).await;
        assert_eq!(output.status.code(), Some(1), "{compare:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let changed = said
            .lines()
            .filter(|line| line.starts_with(['+', '-']) && !line.contains("/tmp"))
            .filter(|line| !line.contains("generation: "))
            .map(str::trim_end);
        assert_eq!(
            changed.collect::<Vec<_>>(),
            ["-    image: testbed/web:1", "+    image: testbed/web:2"],
            "{compare:?}: {said}"
        );
    }
}
