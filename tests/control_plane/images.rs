//! Tags that are resolved to digests when a deployment begins: by a real registry, and by an emulator of ECR.

use ecs_operator_testbed::{ControlPlane, ImageRegistry};
use http::{Method, Request};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Client, Config,
    api::{Patch, PatchParams},
    client::Body,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    aws::Aws,
    deployments::HOLD,
    support::{Bed, Operator, install, task_definition},
};

/// The annotation that gives a deployment up.
const ROLL_BACK: &str = "ecs-operator.dev/roll-back-deployment";
/// The type of an image for several platforms.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An image without anything in it, of this version.
fn manifest(version: &str) -> String {
    let image = json!({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": [],
        "annotations": {"org.opencontainers.image.version": version},
    });
    image.to_string()
}

fn digest(manifest: &str) -> String {
    let digest = Sha256::digest(manifest);
    let hexadecimal = digest.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256:{}", hexadecimal.collect::<String>())
}

/// Pushes a version under a tag of a repository; returns its digest.
pub async fn push(
    registry: &ImageRegistry,
    (repository, tag): (&str, &str),
    version: &str,
) -> String {
    let url = format!("http://{}", registry.name);
    let client = Client::try_from(Config::new(url.parse().unwrap())).unwrap();
    let manifest = manifest(version);
    let request = Request::builder()
        .method(Method::PUT)
        .uri(format!("/v2/{repository}/manifests/{tag}"))
        .header("content-type", INDEX)
        .body(Body::from(manifest.clone().into_bytes()));
    let response = client.send(request.unwrap()).await.unwrap();
    assert!(response.status().is_success(), "{:?}", response.status());
    digest(&manifest)
}

/// Returns the image of a service's tasks.
fn image(deployment: &Deployment) -> Option<&str> {
    let pod = deployment.spec.as_ref()?.template.spec.as_ref()?;
    pod.containers.first()?.image.as_deref()
}

/// Waits until a service runs this image; returns its Deployment.
pub async fn runs((bed, name): (&Bed, &str), expected: &str) -> Deployment {
    bed.eventually(name, expected, |it: &Deployment| {
        image(it) == Some(expected)
    })
    .await
}

/// Waits until the newest deployment of the service has this state; returns the service.
async fn is(bed: &Bed, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    bed.until("EcsService", "web", what, |object| is_it(&object["status"]))
        .await
}

fn is_complete(count: i64) -> impl Fn(&Value) -> bool {
    move |status| {
        status["deployments"][0]["rolloutState"] == "COMPLETED" && status["runningCount"] == count
    }
}

fn service(count: i64, nonce: &str) -> Value {
    json!({
        "taskDefinition": "web", "desiredCount": count,
        "kubernetes": {"forceNewDeployment": nonce},
    })
}

#[tokio::test]
async fn all_tasks_of_a_deployment_run_what_its_tag_named_when_it_began() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let registry = ImageRegistry::start(&plane.folder().join("images"))
        .await
        .unwrap();
    let tagged = format!("{}/shop/web:1", registry.name);
    let first = push(&registry, ("shop/web", "1"), "first").await;
    let flag = format!("--digest-registry=http://{}", registry.name);
    let operator = Operator::start(&plane, "operator", &[&flag]).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "images").await;

    bed.must_apply("EcsTaskDefinition", "web", task_definition(&tagged))
        .await;
    bed.must_apply("EcsService", "web", service(1, "a")).await;
    let object = is(&bed, "the first deployment", is_complete(1)).await;
    let known = json!([{"image": tagged, "imageDigest": first}]);
    assert_eq!(object["status"]["resolvedImages"], known);
    let before = runs((&bed, "web"), &format!("{tagged}@{first}")).await;

    // A push changes nothing that runs: not a task that is added, not another operator.
    let second = push(&registry, ("shop/web", "1"), "second").await;
    bed.must_apply("EcsService", "web", service(3, "a")).await;
    is(&bed, "more tasks", is_complete(3)).await;
    let scaled = runs((&bed, "web"), &format!("{tagged}@{first}")).await;
    drop(operator);
    let operator = Operator::start(&plane, "operator", &[&flag]).await.unwrap();
    operator.leads().await;
    bed.must_apply("EcsService", "web", service(2, "a")).await;
    is(&bed, "fewer tasks", is_complete(2)).await;
    let deployment = runs((&bed, "web"), &format!("{tagged}@{first}")).await;
    let template = |it: &Deployment| json!(it.spec.as_ref().unwrap().template);
    assert_eq!(template(&before), template(&scaled));
    assert_eq!(template(&before), template(&deployment));

    // The next deployment has what the tag names then, and a rollback what ran before.
    bed.must_apply("EcsService", "web", service(2, "b")).await;
    runs((&bed, "web"), &format!("{tagged}@{second}")).await;
    let object = is(&bed, "the second deployment", is_complete(2)).await;
    let known = json!([{"image": tagged, "imageDigest": second}]);
    assert_eq!(object["status"]["resolvedImages"], known);
    let third = push(&registry, ("shop/web", "1"), "third").await;
    let mut stuck = task_definition(&tagged);
    let hold = json!({"name": "hold", "image": HOLD, "memory": 64});
    stuck["containerDefinitions"]
        .as_array_mut()
        .unwrap()
        .push(hold);
    bed.must_apply("EcsTaskDefinition", "web", stuck).await;
    runs((&bed, "web"), &format!("{tagged}@{third}")).await;
    let object = is(&bed, "a deployment that does not end", |status| {
        status["deployments"][0]["taskDefinition"] == "web:2"
    })
    .await;
    push(&registry, ("shop/web", "1"), "fourth").await;
    let id = &object["status"]["deployments"][0]["id"];
    let roll_back = json!({"metadata": {"annotations": {ROLL_BACK: id}}});
    let services = bed.resources("EcsService");
    let patch = Patch::Merge(&roll_back);
    services
        .patch("web", &PatchParams::default(), &patch)
        .await
        .unwrap();
    is(&bed, "the rollback", is_complete(2)).await;
    runs((&bed, "web"), &format!("{tagged}@{second}")).await;
}

#[tokio::test]
async fn a_service_that_runs_keeps_its_tag_when_registries_are_listed() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let registry = ImageRegistry::start(&plane.folder().join("images"))
        .await
        .unwrap();
    let tagged = format!("{}/shop/web:1", registry.name);
    let pushed = push(&registry, ("shop/web", "1"), "first").await;
    let operator = Operator::start(&plane, "operator", &[]).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "images").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition(&tagged))
        .await;
    bed.must_apply("EcsService", "web", service(1, "a")).await;
    is(&bed, "the deployment", is_complete(1)).await;
    let before = runs((&bed, "web"), &tagged).await;

    drop(operator);
    let flag = format!("--digest-registry=http://{}", registry.name);
    let operator = Operator::start(&plane, "operator", &[&flag]).await.unwrap();
    operator.leads().await;
    bed.must_apply("EcsService", "web", service(2, "a")).await;
    let object = is(&bed, "more tasks", is_complete(2)).await;
    let deployments = object["status"]["deployments"].as_array().unwrap();
    assert_eq!(deployments.len(), 1, "{deployments:?}");
    assert_eq!(object["status"]["renewal"]["state"], "none");
    let template = |it: &Deployment| json!(it.spec.as_ref().unwrap().template);
    assert_eq!(
        template(&before),
        template(&runs((&bed, "web"), &tagged).await)
    );

    bed.must_apply("EcsService", "web", service(2, "b")).await;
    runs((&bed, "web"), &format!("{tagged}@{pushed}")).await;
}

#[tokio::test]
async fn a_tag_that_cannot_be_resolved_is_deployed_as_it_is() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let registry = ImageRegistry::start(&plane.folder().join("images"))
        .await
        .unwrap();
    let flag = format!("--digest-registry=http://{}", registry.name);
    let _operator = Operator::start(&plane, "operator", &[&flag]).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "images").await;
    let tagged = format!("{}/shop/web:none", registry.name);
    bed.must_apply("EcsTaskDefinition", "web", task_definition(&tagged))
        .await;
    bed.must_apply("EcsService", "web", service(1, "a")).await;
    let object = is(&bed, "the deployment", is_complete(1)).await;
    assert_eq!(object["status"]["resolvedImages"], Value::Null);
    runs((&bed, "web"), &tagged).await;
    let note = bed.event("web", "ImageTagNotResolved").await;
    let expected = format!(
        "The tag of {tagged} is not resolved to a digest, because the registry has no such image"
    );
    assert!(note.starts_with(&expected), "{note}");

    // When the tag is there, the deployment goes on as it began.
    push(&registry, ("shop/web", "none"), "late").await;
    bed.must_apply("EcsService", "web", service(2, "a")).await;
    is(&bed, "more tasks", is_complete(2)).await;
    runs((&bed, "web"), &tagged).await;
}

#[tokio::test]
async fn ecr_is_asked_with_the_role_of_the_operator() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let aws = Aws::start(&plane).await;
    let ask = async |operation: &str, body: Value| aws.ecr(operation, body).await;
    ask("CreateRepository", json!({"repositoryName": "shop/web"})).await;
    let image = |version: &str| {
        json!({
            "repositoryName": "shop/web", "imageTag": "1", "imageManifest": manifest(version),
            "imageManifestMediaType": INDEX, "imageDigest": digest(&manifest(version)),
        })
    };
    let pushed = ask("PutImage", image("first")).await;
    let found = pushed["image"]["imageId"]["imageDigest"].as_str().unwrap();

    let (endpoint, authorities) = (
        format!("--digest-ecr-endpoint={}", aws.url),
        format!("--digest-ca-file={}", aws.authorities),
    );
    let flags = [
        "--digest-registry=*.dkr.ecr.eu-west-1.amazonaws.com",
        &endpoint,
        &authorities,
    ];
    let operator = Operator::start_in(&aws.environment, &plane, "operator", &flags);
    let _operator = operator.await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "images").await;
    let tagged = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web:1";
    bed.must_apply("EcsTaskDefinition", "web", task_definition(tagged))
        .await;
    bed.must_apply("EcsService", "web", service(1, "a")).await;
    runs((&bed, "web"), &format!("{tagged}@{found}")).await;
    is(&bed, "the deployment", is_complete(1)).await;

    // What the cluster has stored says which image that is, also when its tag has moved and it is gone.
    let listed = async || {
        let listed = ask("DescribeImages", json!({"repositoryName": "shop/web"})).await;
        assert!(listed["imageDetails"].is_array(), "{listed}");
        let file = plane.folder().join("describe-images.json");
        std::fs::write(&file, listed.to_string()).unwrap();
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_ecs-operator"))
            .args(["images", "--all-namespaces", "--images"])
            .arg(&file)
            .arg("--kubeconfig")
            .arg(plane.kubeconfig())
            .env_remove("KUBECONFIG")
            .output();
        let output = output.await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (status, said) = listed().await;
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("and 1 stay"), "{said}");
    ask("PutImage", image("second")).await;
    let gone = json!({"repositoryName": "shop/web", "imageIds": [{"imageDigest": found}]});
    ask("BatchDeleteImage", gone).await;
    let (status, said) = listed().await;
    assert_eq!(status, Some(1), "{said}");
    let expected = format!("1@{}  is gone", &found[..19]);
    assert!(
        said.contains("running") && said.contains(&expected),
        "{said}"
    );
}
