//! What serves is spared: by a deployment that fails, by a webhook that refuses, by another service that wants its name.

use ecs_operator_testbed::until;
use k8s_openapi::api::{
    admissionregistration::v1::ValidatingWebhookConfiguration,
    apps::v1::{ControllerRevision, Deployment},
    core::v1::{Pod, Service},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    bed,
    deployments::{HOLD, appear, cannot_pull, told, write_status},
    support::{Bed, LIMIT, condition, task_definition, uid},
};

async fn revise(bed: &Bed, image: &str) {
    bed.must_apply("EcsTaskDefinition", "web", task_definition(image))
        .await;
}

/// Has a pod count as ready.
async fn get_ready(bed: &Bed, pod: &Pod) {
    let status = json!({"status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        "containerStatuses": [{
            "name": "app", "image": HOLD, "imageID": "", "ready": true, "started": true, "restartCount": 0,
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        }],
    }});
    write_status(bed, pod, status).await;
}

/// A service of four tasks, of which three serve, so that its deployment has never completed.
async fn three_of_four(bed: &Bed) -> Vec<String> {
    revise(bed, HOLD).await;
    bed.must_apply("EcsService", "web", json!({
        "taskDefinition": "web",
        "desiredCount": 4,
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
    }))
    .await;
    let pods = appear(bed, HOLD, 4).await;
    for pod in &pods[..3] {
        get_ready(bed, pod).await;
    }
    bed.until("EcsService", "web", "three tasks that serve", |object| {
        object["status"]["runningCount"] == 3
    })
    .await;
    pods[..3].iter().map(uid).collect()
}

async fn still_there(bed: &Bed, uids: &[String]) {
    let pods = bed.tasks("web").await;
    for uid_of_it in uids {
        let there = pods.iter().any(|pod| uid(pod) == *uid_of_it);
        assert!(there, "a task that served was ended");
    }
}

#[tokio::test]
async fn a_deployment_that_fails_spares_what_serves_although_nothing_ever_completed() {
    let bed = bed("spared").await;
    let serving = three_of_four(&bed).await;
    let second = format!("{HOLD}:2");
    revise(&bed, &second).await;
    for pod in appear(&bed, &second, 4).await.iter().take(3) {
        cannot_pull(&bed, pod).await;
    }
    bed.until("EcsService", "web", "the failure", |object| {
        let told = told(object);
        told.first()
            .is_some_and(|first| first == "PRIMARY web:2 FAILED")
    })
    .await;
    // The last of them waits until there are as many as should serve.
    until("the tasks that failed to end", LIMIT, async || {
        let pods = bed.tasks("web").await;
        let failed = pods
            .iter()
            .filter(|pod| json!(pod)["spec"]["containers"][0]["image"] == second);
        Ok((failed.count() <= 1).then_some(()))
    })
    .await
    .unwrap();
    still_there(&bed, &serving).await;
}

#[tokio::test]
async fn a_first_deployment_that_is_stopped_spares_what_serves() {
    let bed = bed("stopped").await;
    let serving = three_of_four(&bed).await;
    let object = bed.resources("EcsService").get("web").await.unwrap();
    let id = json!(object)["status"]["deployments"][0]["id"].clone();
    let change = json!({"metadata": {"annotations": {"ecs-operator.dev/stop-deployment": id}}});
    let services = bed.resources("EcsService");
    let params = PatchParams::default();
    services
        .patch("web", &params, &Patch::Merge(change))
        .await
        .unwrap();
    bed.until("EcsService", "web", "the failure", |object| {
        told(object) == ["PRIMARY web:1 FAILED"]
    })
    .await;
    until(
        "the task that does not serve to be gone",
        LIMIT,
        async || Ok((bed.tasks("web").await.len() == 3).then_some(())),
    )
    .await
    .unwrap();
    still_there(&bed, &serving).await;
}

fn connected(alias: &str) -> Value {
    json!({
        "taskDefinition": "web",
        "desiredCount": 1,
        "serviceConnectConfiguration": {"enabled": true, "services": [{
            "portName": "http", "discoveryName": alias,
            "clientAliases": [{"port": 80, "dnsName": alias}],
        }]},
    })
}

#[tokio::test]
async fn what_belongs_to_one_service_is_not_taken_over_by_another_one() {
    let bed = bed("owners").await;
    let mut definition = task_definition("testbed/web");
    definition["containerDefinitions"][0]["portMappings"][0]["name"] = json!("http");
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    bed.must_apply("EcsService", "first", connected("backend"))
        .await;
    bed.condition("EcsService", "first", "Ready", "True").await;
    let before: Service = bed.api().get("first").await.unwrap();
    bed.must_apply("EcsService", "second", connected("first"))
        .await;
    let object = bed
        .until("EcsService", "second", "the refusal", |object| {
            condition(object, "Ready")["reason"] == "ObjectNotOwned"
        })
        .await;
    let message = condition(&object, "Ready")["message"].clone();
    let message = message.as_str().unwrap();
    assert!(message.contains("belongs to EcsService first"), "{message}");
    // Looking at either of them again changes nothing.
    for name in ["first", "second", "first"] {
        let change = json!({"metadata": {"labels": {"looked": name}}});
        let services = bed.resources("EcsService");
        let params = PatchParams::default();
        services
            .patch(name, &params, &Patch::Merge(change))
            .await
            .unwrap();
        bed.condition("EcsService", "first", "Ready", "True").await;
    }
    let now: Service = bed.api().get("first").await.unwrap();
    assert_eq!(now.spec, before.spec);
    assert_eq!(now.owner_references(), before.owner_references());
    // The second one gets it when the first is gone.
    let services = bed.resources("EcsService");
    services
        .delete("first", &DeleteParams::default())
        .await
        .unwrap();
    bed.condition("EcsService", "second", "Ready", "True").await;
    bed.eventually::<Service>("first", "the Service of the second", |service| {
        uid(service) != uid(&before) && service.owner_references()[0].name == "second"
    })
    .await;
}

#[tokio::test]
async fn a_webhook_for_other_objects_holds_no_deployment_up() {
    let bed = bed("webhook").await;
    revise(&bed, "testbed/web").await;
    let spec = json!({"taskDefinition": "web", "desiredCount": 1});
    bed.must_apply("EcsService", "web", spec).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let namespace = bed.namespace.name();
    let webhook: ValidatingWebhookConfiguration = serde_json::from_value(json!({
        "metadata": {"name": namespace},
        "webhooks": [{
            "name": "down.example.com",
            "clientConfig": {"url": "https://127.0.0.1:1/"},
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["services"],
                "operations": ["CREATE", "UPDATE"],
            }],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 1,
        }],
    }))
    .unwrap();
    let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(bed.client.clone());
    webhooks
        .create(&PostParams::default(), &webhook)
        .await
        .unwrap();
    bed.api::<Service>()
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    let definition = json!({"containerDefinitions": [{
        "name": "app", "image": "testbed/web:2", "cpu": 32, "memory": 64,
        "portMappings": [{"containerPort": 80}],
    }], "networkMode": "awsvpc"});
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    let rolled_out = bed
        .eventually::<Deployment>("web", "the new image", |deployment| {
            json!(deployment)["spec"]["template"]["spec"]["containers"][0]["image"]
                == "testbed/web:2"
        })
        .await;
    assert_eq!(rolled_out.name_any(), "web");
    webhooks
        .delete(namespace, &DeleteParams::default())
        .await
        .unwrap();
    bed.condition("EcsService", "web", "Ready", "True").await;
}

#[tokio::test]
async fn a_task_definition_and_its_service_together_make_one_deployment() {
    let bed = bed("together").await;
    revise(&bed, "testbed/web").await;
    let spec = |force: &str| {
        json!({
            "taskDefinition": "web",
            "desiredCount": 1,
            "kubernetes": {"forceNewDeployment": force},
        })
    };
    bed.must_apply("EcsService", "web", spec("1")).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    for (round, definition_first) in [(2, true), (3, false)] {
        let image = format!("testbed/web:{round}");
        if definition_first {
            revise(&bed, &image).await;
        }
        bed.must_apply("EcsService", "web", spec(&round.to_string()))
            .await;
        if !definition_first {
            revise(&bed, &image).await;
        }
        bed.until("EcsService", "web", "the deployment", |object| {
            told(object) == [format!("PRIMARY web:{round} COMPLETED")]
                && condition(object, "Ready")["status"] == "True"
        })
        .await;
    }
    let of_service = ListParams::default().labels("ecs-operator.dev/service=web");
    let revisions = bed
        .api::<ControllerRevision>()
        .list(&of_service)
        .await
        .unwrap();
    assert_eq!(revisions.items.len(), 3, "one for each round");
}
