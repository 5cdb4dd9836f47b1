//! An hour of a GitOps tool, as fast as the machine goes: syncs with the field manager of the tool, drift that it heals,
//! and what it prunes.

use k8s_openapi::api::{
    apps::v1::{ControllerRevision, Deployment},
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::Pod,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    bed,
    gitops::{by_cpu, set_scale},
    support::{Bed, task_definition, uid},
};

/// A tool, and how often it syncs in an hour: Argo CD every three minutes and Flux every minute.
const TOOLS: &[(&str, usize)] = &[("argocd-controller", 20), ("kustomize-controller", 60)];
/// How often someone edits what the tool applies, which it heals.
const HEALS: usize = 8;

fn manifest(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "ecs-operator.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "labels": {"team": "shop"}}, "spec": spec,
    })
}

/// What the repository has.
fn repository() -> Vec<Value> {
    vec![
        manifest("EcsTaskDefinition", "web", task_definition("testbed/web")),
        manifest(
            "EcsTaskDefinition",
            "job",
            task_definition("testbed/exit:0"),
        ),
        manifest(
            "EcsService",
            "web",
            json!({
                "taskDefinition": "web",
                "deploymentConfiguration": {"maximumPercent": 150},
                "autoScaling": by_cpu(),
            }),
        ),
        manifest(
            "EcsService",
            "api",
            json!({"taskDefinition": "web", "desiredCount": 1}),
        ),
        manifest("EcsTask", "once", json!({"taskDefinition": "job"})),
    ]
}

fn place(manifest: &Value) -> (&str, &str) {
    let (kind, name) = (&manifest["kind"], &manifest["metadata"]["name"]);
    (kind.as_str().unwrap(), name.as_str().unwrap())
}

/// One sync of everything with the field manager of a tool.
async fn sync(bed: &Bed, tool: &str, manifests: &[Value]) {
    let params = PatchParams::apply(tool).force();
    for manifest in manifests {
        let (kind, name) = place(manifest);
        let resources = bed.resources(kind);
        let applied = Patch::Apply(manifest);
        resources.patch(name, &params, &applied).await.unwrap();
    }
}

/// Who has written an object, in the order in which the API server lists them.
fn managers<K: Resource>(object: &K) -> Vec<String> {
    let entries = object.meta().managed_fields.iter().flatten();
    entries
        .map(|entry| {
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            let (who, how) = (part(&entry.manager), part(&entry.operation));
            format!("{who} {how} {}", part(&entry.subresource))
        })
        .collect()
}

fn versions<K: Resource>(objects: Vec<K>, versions: &mut Vec<(String, String, Vec<String>)>) {
    for object in objects {
        let version = object.resource_version().unwrap();
        versions.push((object.name_any(), version, managers(&object)));
    }
}

/// The names, versions and field managers of everything that the operator or a tool writes, except for what the controller
/// of autoscalers writes all the time.
async fn state(bed: &Bed) -> Vec<(String, String, Vec<String>)> {
    let all = ListParams::default();
    let mut found = Vec::new();
    for kind in ["EcsTaskDefinition", "EcsService", "EcsTask"] {
        let listed = bed.resources(kind).list(&all).await.unwrap();
        versions::<DynamicObject>(listed.items, &mut found);
    }
    let deployments: Api<Deployment> = bed.api();
    versions(deployments.list(&all).await.unwrap().items, &mut found);
    let revisions: Api<ControllerRevision> = bed.api();
    versions(revisions.list(&all).await.unwrap().items, &mut found);
    let scalers: Api<HorizontalPodAutoscaler> = bed.api();
    for scaler in scalers.list(&all).await.unwrap() {
        let generation = scaler.metadata.generation.unwrap_or_default();
        found.push((scaler.name_any(), generation.to_string(), managers(&scaler)));
    }
    found
}

async fn pods(bed: &Bed) -> Vec<(String, String)> {
    let pods: Api<Pod> = bed.api();
    let mut pods: Vec<_> = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .iter()
        .map(|pod| (pod.name_any(), uid(pod)))
        .collect();
    pods.sort();
    pods
}

/// Sets the count as the controller of autoscalers does, and waits until the operator has seen it, and everything before.
async fn scale(bed: &Bed, count: i64) {
    set_scale(bed, count).await;
    counts(bed, count).await;
}

async fn counts(bed: &Bed, count: i64) {
    let what = format!("{count} tasks");
    bed.until("EcsService", "web", &what, |object| {
        object["spec"]["desiredCount"] == count
            && object["status"]["runningCount"] == count
            && object["status"]["observedGeneration"] == object["metadata"]["generation"]
    })
    .await;
}

/// Everything has begun, and the autoscaler has said what it lacks.
async fn begun(bed: &Bed) {
    counts(bed, 2).await;
    for (kind, name, condition, status) in [
        ("EcsService", "web", "Ready", "True"),
        ("EcsService", "web", "ScalingActive", "False"),
        ("EcsService", "api", "Ready", "True"),
        ("EcsTask", "once", "Succeeded", "True"),
    ] {
        bed.condition(kind, name, condition, status).await;
    }
}

#[tokio::test]
async fn an_hour_of_syncs_changes_nothing() {
    for (tool, times) in TOOLS {
        let bed = bed("syncs").await;
        let manifests = repository();
        sync(&bed, tool, &manifests).await;
        begun(&bed).await;
        scale(&bed, 4).await;
        bed.condition("EcsService", "web", "Ready", "True").await;
        // One sync may still find something to take over.
        sync(&bed, tool, &manifests).await;
        scale(&bed, 5).await;
        bed.condition("EcsService", "web", "Ready", "True").await;

        let (before, running) = (state(&bed).await, pods(&bed).await);
        for _ in 0..*times {
            sync(&bed, tool, &manifests).await;
        }
        assert_eq!(state(&bed).await, before, "{tool}");
        assert_eq!(pods(&bed).await, running, "{tool}");
        // The operator has seen all of that when it has seen what comes then.
        scale(&bed, 6).await;
        let now = pods(&bed).await;
        assert!(running.iter().all(|pod| now.contains(pod)), "{tool}");
        assert_eq!(now.len(), running.len() + 1, "{tool}");
    }
}

#[tokio::test]
async fn drift_is_healed_without_a_fight_and_only_what_left_is_pruned() {
    for (tool, _) in TOOLS {
        let bed = bed("heals").await;
        let manifests = repository();
        sync(&bed, tool, &manifests).await;
        begun(&bed).await;
        scale(&bed, 4).await;
        let running = pods(&bed).await;
        let edit = PatchParams {
            field_manager: Some("kubectl-edit".to_owned()),
            ..PatchParams::default()
        };
        let services = bed.resources("EcsService");
        let mut settled = None;
        for round in 0..HEALS {
            let drift = json!({
                "metadata": {"labels": {"team": "other"}},
                "spec": {"deploymentConfiguration": {"maximumPercent": 120 + round}},
            });
            services
                .patch("web", &edit, &Patch::Merge(drift))
                .await
                .unwrap();
            sync(&bed, tool, &manifests).await;
            // The next change comes when the operator has seen this one.
            counts(&bed, 4).await;
            let service = services.get("web").await.unwrap();
            assert_eq!(
                service.data["spec"]["deploymentConfiguration"]["maximumPercent"],
                150
            );
            assert_eq!(
                service.data["status"]["deployments"]
                    .as_array()
                    .unwrap()
                    .len(),
                1
            );
            // Who edits and who heals are listed once each, however often they do it.
            let who = managers(&service);
            let before = settled.get_or_insert_with(|| who.clone());
            assert_eq!(who, *before, "{tool}");
        }
        assert_eq!(
            pods(&bed).await,
            running,
            "{tool}: no task was replaced or run again"
        );

        // The tool deletes what left the repository.
        let (gone, left): (Vec<_>, Vec<_>) = manifests
            .into_iter()
            .partition(|manifest| matches!(place(manifest).1, "api" | "once" | "job"));
        for manifest in &gone {
            let (kind, name) = place(manifest);
            let resources = bed.resources(kind);
            let params = DeleteParams::background();
            resources.delete(name, &params).await.unwrap();
        }
        sync(&bed, tool, &left).await;
        bed.gone::<Deployment>("api").await;
        bed.gone::<Pod>("once-0").await;
        bed.gone::<ControllerRevision>("job.1").await;
        ecs_operator_testbed::until("only the tasks of web", crate::support::LIMIT, async || {
            let now = pods(&bed).await;
            Ok(now
                .iter()
                .all(|(name, _)| name.starts_with("web-"))
                .then_some(()))
        })
        .await
        .unwrap();
        let now = pods(&bed).await;
        assert!(now.iter().all(|pod| running.contains(pod)), "{tool}");
        assert_eq!(now.len(), 4, "{tool}");
        let revisions: Api<ControllerRevision> = bed.api();
        revisions.get("web.1").await.unwrap();
        scale(&bed, 5).await;
    }
}
