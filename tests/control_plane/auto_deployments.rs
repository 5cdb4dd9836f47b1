//! What is pushed under the tag of an App Runner service is deployed.

use ecs_operator_testbed::{ControlPlane, ImageRegistry, until};
use k8s_openapi::api::{core::v1::Pod, events::v1::Event};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    app_runner::{fail, hello, operations, until_status},
    deployments::{appear, write_status},
    images::{push, runs},
    support::{Bed, LIMIT, Operator, at_rest, install},
};

/// A control plane with a registry that has an image in this repository, and an operator that looks it up.
struct Pushed {
    plane: ControlPlane,
    registry: ImageRegistry,
    flags: [String; 2],
    repository: &'static str,
    /// The name of the image, with its tag.
    tagged: String,
}

impl Pushed {
    async fn new(repository: &'static str) -> Self {
        let plane = ControlPlane::start().await.unwrap();
        install(&plane).await.unwrap();
        let registry = ImageRegistry::start(&plane.folder().join("images"))
            .await
            .unwrap();
        let flags = [
            format!("--digest-registry=http://{}", registry.name),
            "--auto-deployment-seconds=1".to_owned(),
        ];
        let tagged = format!("{}/{repository}:1", registry.name);
        Self {
            plane,
            registry,
            flags,
            repository,
            tagged,
        }
    }

    async fn operator(&self) -> Operator {
        let flags = self.flags.each_ref().map(String::as_str);
        let operator = Operator::start(&self.plane, "operator", &flags);
        operator.await.unwrap()
    }

    /// Pushes a version; returns the image with its digest.
    async fn push(&self, version: &str) -> String {
        let digest = push(&self.registry, (self.repository, "1"), version).await;
        format!("{}@{digest}", self.tagged)
    }
}

/// A service of this many instances that deploys what is pushed.
fn automatic(image: &str, count: u32) -> Value {
    let mut spec = hello(image);
    let source = &mut spec["SourceConfiguration"];
    source["AutoDeploymentsEnabled"] = json!(true);
    source["ImageRepository"]["ImageRepositoryType"] = json!("ECR");
    spec["AutoScalingConfiguration"] = json!({"MinSize": count, "MaxSize": count});
    spec
}

/// Waits until the newest operations are these.
pub async fn until_operations(bed: &Bed, name: &str, expected: &[&str]) -> Value {
    let what = expected.join(", ");
    bed.until("AppRunnerService", name, &what, |object| {
        let found = operations(object);
        found.len() >= expected.len() && found.iter().zip(expected).all(|(it, other)| it == other)
    })
    .await
}

pub async fn operations_at_rest(bed: &Bed, name: &str) -> Vec<String> {
    let services = bed.resources("AppRunnerService");
    at_rest("the operations", async || {
        operations(&json!(services.get(name).await.unwrap()))
    })
    .await
}

pub async fn edit(bed: &Bed, name: &str, patch: Value) {
    let services = bed.resources("AppRunnerService");
    let patch = Patch::Merge(patch);
    services
        .patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

const CREATED: &str = "CREATE_SERVICE SUCCEEDED";
const DEPLOYED: &str = "START_DEPLOYMENT SUCCEEDED";

#[tokio::test]
async fn a_push_is_deployed_also_one_while_no_operator_ran() {
    let pushed = Pushed::new("shop/web").await;
    pushed.push("first").await;
    let operator = pushed.operator().await;
    let bed = Bed::new(&pushed.plane.kubeconfig(), "pushes").await;
    bed.must_apply("AppRunnerService", "hello", automatic(&pushed.tagged, 2))
        .await;
    let object = until_operations(&bed, "hello", &[CREATED]).await;
    let warnings = object["status"]["warnings"].to_string();
    assert!(
        !warnings.contains("AutoDeploymentsNotWatched"),
        "{warnings}"
    );

    let second = pushed.push("second").await;
    runs((&bed, "hello"), &second).await;
    until_operations(&bed, "hello", &[DEPLOYED, CREATED]).await;
    let (_, digest) = second.split_once('@').unwrap();
    let expected = format!("because {} is {digest} now", pushed.tagged);
    until("the event", LIMIT, async || {
        let events = bed.api::<Event>().list(&Default::default()).await?;
        let mut notes = events.into_iter().filter_map(|event| event.note);
        Ok(notes.any(|note| note.contains(&expected)).then_some(()))
    })
    .await
    .unwrap();

    // A deployment by hand is another one, and does not have the digest begin one again.
    let start = json!({"metadata": {"annotations": {"ecs-operator.dev/start-deployment": "1"}}});
    edit(&bed, "hello", start).await;
    until_operations(&bed, "hello", &[DEPLOYED, DEPLOYED, CREATED]).await;
    let third = pushed.push("third").await;
    runs((&bed, "hello"), &third).await;
    let all = [DEPLOYED, DEPLOYED, DEPLOYED, CREATED];
    until_operations(&bed, "hello", &all).await;

    drop(operator);
    let fourth = pushed.push("fourth").await;
    let _operator = pushed.operator().await;
    runs((&bed, "hello"), &fourth).await;
    until_operations(&bed, "hello", &[&[DEPLOYED], &all[..]].concat()).await;
    assert_eq!(operations_at_rest(&bed, "hello").await.len(), 5);

    // While it is paused, nothing is deployed.
    edit(&bed, "hello", json!({"spec": {"paused": true}})).await;
    until_status(&bed, "hello", "PAUSED").await;
    let fifth = pushed.push("fifth").await;
    let paused = operations_at_rest(&bed, "hello").await;
    assert_eq!(paused[0], "PAUSE_SERVICE SUCCEEDED");
    edit(&bed, "hello", json!({"spec": {"paused": false}})).await;
    runs((&bed, "hello"), &fifth).await;
}

#[tokio::test]
async fn a_push_that_fails_is_rolled_back_and_not_tried_again() {
    // Nothing becomes of the containers of such images by itself.
    let pushed = Pushed::new("testbed/hold").await;
    let first = pushed.push("first").await;
    let _operator = pushed.operator().await;
    let bed = Bed::new(&pushed.plane.kubeconfig(), "pushes").await;
    bed.must_apply("AppRunnerService", "hello", automatic(&pushed.tagged, 3))
        .await;
    let run = async |image: &str| {
        for pod in appear(&bed, image, 3).await {
            write_status(&bed, &pod, running(&pod)).await;
        }
    };
    run(&first).await;
    until_operations(&bed, "hello", &[CREATED]).await;

    let second = pushed.push("second").await;
    fail(&bed, "hello", &second).await;
    let rolled_back = "START_DEPLOYMENT ROLLBACK_SUCCEEDED";
    until_operations(&bed, "hello", &[rolled_back, CREATED]).await;
    assert_eq!(
        operations_at_rest(&bed, "hello").await,
        [rolled_back, CREATED]
    );
    runs((&bed, "hello"), &first).await;

    let third = pushed.push("third").await;
    run(&third).await;
    until_operations(&bed, "hello", &[DEPLOYED, rolled_back, CREATED]).await;
}

/// The status of a pod whose container runs.
pub fn running(pod: &Pod) -> Value {
    let since = "2026-01-01T00:00:00Z";
    let container = &pod.spec.as_ref().unwrap().containers[0];
    let types = ["Ready", "ContainersReady"];
    let conditions =
        types.map(|it| json!({"type": it, "status": "True", "lastTransitionTime": since}));
    json!({"status": {
        "phase": "Running", "conditions": conditions,
        "containerStatuses": [{
            "name": container.name, "image": container.image, "imageID": "",
            "ready": true, "started": true, "restartCount": 0,
            "state": {"running": {"startedAt": since}},
        }],
    }})
}
