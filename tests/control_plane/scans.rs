//! Deployments that are held back because of what scans of ECR have found: with an emulator of ECR, and with one that fails
//! as it is told.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use ecs_operator_testbed::ControlPlane;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    aws::Aws,
    support::{Bed, Operator, condition, install, task_definition, uid},
};

const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const LISTED: &str = "--digest-registry=*.dkr.ecr.eu-west-1.amazonaws.com";

/// Waits until the newest deployment of a service is complete, with so many tasks; returns the status.
async fn completes(bed: &Bed, name: &str, count: i64, revision: &str) -> Value {
    let what = format!("{count} tasks of {revision}");
    let object = bed.until("EcsService", name, &what, |object| {
        let status = &object["status"];
        status["deployments"][0]["rolloutState"] == "COMPLETED"
            && status["deployments"][0]["taskDefinition"] == revision
            && status["runningCount"] == count
    });
    object.await["status"].clone()
}

/// Waits until a deployment is held back for this reason; returns the message.
async fn held(bed: &Bed, name: &str, reason: &str) -> String {
    let object = bed.until("EcsService", name, reason, |object| {
        condition(object, "Accepted")["reason"] == reason
    });
    let accepted = condition(&object.await, "Accepted");
    assert_eq!(accepted["status"], "False");
    accepted["message"].as_str().unwrap().to_owned()
}

async fn apply(bed: &Bed, name: &str, image: &str, count: i64) {
    let definition = task_definition(image);
    bed.must_apply("EcsTaskDefinition", name, definition).await;
    let spec = json!({"taskDefinition": name, "desiredCount": count});
    bed.must_apply("EcsService", name, spec).await;
}

fn image_of(deployment: &Deployment) -> Option<&str> {
    let pod = deployment.spec.as_ref()?.template.spec.as_ref()?;
    pod.containers.first()?.image.as_deref()
}

#[tokio::test]
async fn findings_hold_a_new_deployment_back_and_nothing_else() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let aws = Aws::start(&plane).await;
    let ask = async |operation: &str, body: Value| aws.ecr(operation, body).await;
    ask("CreateRepository", json!({"repositoryName": "shop/web"})).await;
    let mut digests = Vec::new();
    for tag in ["1", "2", "3"] {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        // The emulator makes its digest of those of the layers.
        let layer = format!("sha256:{}", tag.repeat(64));
        let manifest = json!({
            "schemaVersion": 2, "mediaType": kind, "config": {"size": 2}, "layers": [{"digest": layer}],
        });
        let image = json!({
            "repositoryName": "shop/web", "imageTag": tag, "imageManifest": manifest.to_string(),
            "imageManifestMediaType": kind,
        });
        let pushed = ask("PutImage", image).await;
        digests.push(pushed["image"]["imageId"]["imageDigest"].clone());
    }
    let tagged = |tag: &str| format!("{HOST}/shop/web:{tag}");
    let (endpoint, authorities) = (
        format!("--digest-ecr-endpoint={}", aws.url),
        format!("--digest-ca-file={}", aws.authorities),
    );
    let mut flags = vec![LISTED, &endpoint, &authorities];
    let operator = Operator::start_in(&aws.environment, &plane, "operator", &flags);
    let operator = operator.await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "scans").await;
    apply(&bed, "web", &tagged("1"), 1).await;
    completes(&bed, "web", 1, "web:1").await;

    // The setting comes, and the image that runs has a finding: the scans of the emulator all find one.
    for digest in &digests[..2] {
        let scan = json!({"repositoryName": "shop/web", "imageId": {"imageDigest": digest}});
        ask("StartImageScan", scan).await;
    }
    drop(operator);
    flags.push("--image-scan-block=HIGH");
    let operator = Operator::start_in(&aws.environment, &plane, "operator", &flags);
    let operator = operator.await.unwrap();
    operator.leads().await;
    apply(&bed, "web", &tagged("1"), 2).await;
    let status = completes(&bed, "web", 2, "web:1").await;
    assert_eq!(status["deployments"].as_array().unwrap().len(), 1);
    let first: Deployment = bed.eventually("web", "two tasks", |_| true).await;
    let digest = digests[0].as_str().unwrap();
    assert_eq!(
        image_of(&first),
        Some(&*format!("{}@{digest}", tagged("1")))
    );

    // A new image with a finding does not come.
    apply(&bed, "web", &tagged("2"), 2).await;
    let message = held(&bed, "web", "ImageScanBlocked").await;
    let expected = format!(
        "the deployment of web:2 is held back: {} has 1 HIGH finding: CVE-9999-9999 (HIGH)",
        tagged("2")
    );
    assert_eq!(message, expected);
    assert_eq!(bed.event("web", "ImageScanBlocked").await, expected);

    // What runs is scaled, and made again.
    apply(&bed, "web", &tagged("2"), 3).await;
    completes(&bed, "web", 3, "web:1").await;
    let api = bed.api::<Deployment>();
    api.delete("web", &DeleteParams::default()).await.unwrap();
    let again: Deployment = bed
        .eventually("web", "another one", |it| uid(it) != uid(&first))
        .await;
    assert_eq!(image_of(&again), image_of(&first));
    completes(&bed, "web", 3, "web:1").await;
    held(&bed, "web", "ImageScanBlocked").await;

    // One that was not scanned does, and that is said.
    apply(&bed, "web", &tagged("3"), 1).await;
    completes(&bed, "web", 1, "web:3").await;
    let note = bed.event("web", "ImageScanMissing").await;
    assert!(note.contains("because it has not been scanned"), "{note}");

    // What ran before comes back whatever was found in it.
    apply(&bed, "web", &tagged("1"), 1).await;
    completes(&bed, "web", 1, "web:4").await;

    // What is ignored holds nothing back.
    apply(&bed, "web", &tagged("2"), 1).await;
    held(&bed, "web", "ImageScanBlocked").await;
    drop(operator);
    flags.push("--image-scan-ignore=CVE-9999-9999");
    let operator = Operator::start_in(&aws.environment, &plane, "operator", &flags);
    let _operator = operator.await.unwrap();
    completes(&bed, "web", 1, "web:5").await;
    bed.condition("EcsService", "web", "Accepted", "True").await;
}

/// An ECR whose repositories say how it answers.
struct Ecr {
    url: String,
    /// How often it was asked for findings.
    asked: Arc<AtomicUsize>,
    /// Whether the scan of `late` is done, and nobody may ask about `found`.
    is_done: Arc<AtomicUsize>,
}

impl Ecr {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, is_done) = (Arc::default(), Arc::default());
        let (asks, done): (Arc<AtomicUsize>, Arc<AtomicUsize>) =
            (Arc::clone(&asked), Arc::clone(&is_done));
        let answer = async move |headers: HeaderMap, body: Bytes| {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let repository = body["repositoryName"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if headers["x-amz-target"]
                .to_str()
                .unwrap()
                .ends_with(".DescribeImages")
            {
                if repository == "found" && done.load(Ordering::SeqCst) > 0 {
                    return denied();
                }
                let digest = format!("sha256:{}", "0a".repeat(32));
                return json!({"imageDetails": [{"imageDigest": digest}]})
                    .to_string()
                    .into_response();
            }
            asks.fetch_add(1, Ordering::SeqCst);
            findings(&repository, done.load(Ordering::SeqCst) > 0).await
        };
        let app = Router::new().fallback(answer);
        tokio::spawn(async { axum::serve(listener, app).await });
        Self {
            url,
            asked,
            is_done,
        }
    }
}

/// The variables of an operator whose requests that ECR takes.
fn credentials() -> [String; 3] {
    let variables = [
        "AWS_ACCESS_KEY_ID=AKID",
        "AWS_SECRET_ACCESS_KEY=secret",
        "AWS_EC2_METADATA_DISABLED=true",
    ];
    variables.map(str::to_owned)
}

fn denied() -> Response {
    let body = json!({"__type": "AccessDeniedException", "message": "secret"});
    (StatusCode::BAD_REQUEST, body.to_string()).into_response()
}

async fn findings(repository: &str, is_done: bool) -> Response {
    let status = |status: &str| {
        json!({"imageScanStatus": {"status": status}})
            .to_string()
            .into_response()
    };
    match repository {
        "late" if !is_done => status("IN_PROGRESS"),
        "denied" => denied(),
        "found" if is_done => denied(),
        "found" => json!({
            "imageScanStatus": {"status": "COMPLETE"},
            "imageScanFindings": {"findings": [{"name": "CVE-1", "severity": "HIGH"}]},
        })
        .to_string()
        .into_response(),
        "slow" => std::future::pending().await,
        _ => status("COMPLETE"),
    }
}

#[tokio::test]
async fn a_gate_that_is_switched_on_asks_nothing_of_what_runs_and_an_ecr_that_fails_is_told() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let ecr = Ecr::start().await;
    let environment = credentials();
    let endpoint = format!("--digest-ecr-endpoint={}", ecr.url);
    let mut flags = vec![LISTED, &endpoint];
    let operator = Operator::start_in(&environment, &plane, "operator", &flags)
        .await
        .unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "gate").await;
    let of = |repository: &str, tag: &str| format!("{HOST}/{repository}:{tag}");
    let names: Vec<String> = (0..8).map(|number| format!("web-{number}")).collect();
    for name in &names {
        apply(&bed, name, &of("denied", name), 1).await;
    }
    for name in &names {
        completes(&bed, name, 1, &format!("{name}:1")).await;
    }
    drop(operator);
    flags.extend(["--image-scan-block=LOW", "--image-scan-on-missing=block"]);
    let operator = Operator::start_in(&environment, &plane, "operator", &flags)
        .await
        .unwrap();
    operator.leads().await;
    for name in &names {
        apply(&bed, name, &of("denied", name), 2).await;
    }
    for name in &names {
        let status = completes(&bed, name, 2, &format!("{name}:1")).await;
        assert_eq!(status["deployments"].as_array().unwrap().len(), 1, "{name}");
    }
    assert_eq!(ecr.asked.load(Ordering::SeqCst), 0);

    // An error is what the settings say, and holds back only what depends on it.
    apply(&bed, "denied", &of("denied", "new"), 1).await;
    let message = held(&bed, "denied", "ImageScanBlocked").await;
    let why = "has no findings that could be judged, because the registry refuses the request (AccessDeniedException)";
    assert!(
        message.contains(why) && !message.contains("secret"),
        "{message}"
    );
    apply(&bed, "late", &of("late", "1"), 1).await;
    let message = held(&bed, "late", "ImageScanPending").await;
    assert!(
        message.contains("waits up to 10 minutes for the scan of"),
        "{message}"
    );
    apply(&bed, "clean", &of("clean", "1"), 1).await;
    completes(&bed, "clean", 1, "clean:1").await;
    apply(&bed, "nginx", "nginx:1", 1).await;
    completes(&bed, "nginx", 1, "nginx:1").await;

    // Nobody has to ask again when a scan is done.
    ecr.is_done.store(1, Ordering::SeqCst);
    completes(&bed, "late", 1, "late:1").await;

    // An ECR that does not answer stops no other registry.
    apply(&bed, "slow", &of("slow", "1"), 1).await;
    held(&bed, "slow", "ImageScanBlocked").await;
    apply(&bed, "nginx", "nginx:2", 1).await;
    completes(&bed, "nginx", 1, "nginx:2").await;
}

#[tokio::test]
async fn what_was_found_holds_back_while_ecr_cannot_be_asked() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let ecr = Ecr::start().await;
    let environment = credentials();
    let endpoint = format!("--digest-ecr-endpoint={}", ecr.url);
    let flags = [LISTED, &endpoint, "--image-scan-block=HIGH"];
    let operator = Operator::start_in(&environment, &plane, "operator", &flags);
    let _operator = operator.await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "lasting").await;
    let found = format!("{HOST}/found:1");
    apply(&bed, "web", &found, 1).await;
    let message = held(&bed, "web", "ImageScanBlocked").await;
    assert!(message.contains("has 1 HIGH finding: CVE-1"), "{message}");

    // It is asked again at once when the spec changes, and nothing but the operator knows what was found.
    ecr.is_done.store(1, Ordering::SeqCst);
    let asked = ecr.asked.load(Ordering::SeqCst);
    let mut definition = task_definition(&found);
    definition["containerDefinitions"][0]["environment"] = json!([{"name": "A", "value": "b"}]);
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    let object = bed.until("EcsService", "web", "web:2 is held back", |object| {
        let accepted = condition(object, "Accepted");
        let message = accepted["message"].as_str().unwrap_or_default();
        message.contains("web:2") || accepted["status"] == "True"
    });
    let accepted = condition(&object.await, "Accepted");
    assert_eq!(accepted["reason"], "ImageScanBlocked", "{accepted}");
    assert!(ecr.asked.load(Ordering::SeqCst) > asked);

    // What nothing is known of begins.
    apply(&bed, "other", &format!("{HOST}/denied:1"), 1).await;
    completes(&bed, "other", 1, "other:1").await;
}
