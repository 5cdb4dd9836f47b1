//! Pull secrets for private registries of ECR. Nobody reads the objects of External Secrets here: it is about who makes them,
//! when, and for how long they stay.

use ecs_operator_testbed::{ControlPlane, until};
use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::Pod, networking::v1::NetworkPolicy},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams},
};
use serde_json::{Value, json};

use crate::support::{
    Bed, LIMIT, Operator,
    addons::{ADDONS, Kind, install_addons},
    install, job_definition, task_definition, uid,
};

const REGISTRY: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
const GENERATORS: &str = "generators.external-secrets.io";
const FLAG: &str = "--ecr-pull-secrets";
/// How External Secrets acts as the roles.
const IAM: &str = "--iam=irsa";

fn role(name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{name}")
}

/// A task definition with an execution role and an image in a private registry.
fn pulling(mut definition: Value, role_name: &str, image: &str) -> Value {
    definition["executionRoleArn"] = json!(role(role_name));
    definition["containerDefinitions"][0]["image"] = json!(image);
    definition
}

fn is_generator(kind: &&Kind) -> bool {
    kind.0 == GENERATORS
}

async fn plane(addons: &[Kind]) -> ControlPlane {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    install_addons(&plane, addons).await;
    plane
}

fn api(bed: &Bed, (group, version, kind): (&str, &str, &str)) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(bed.client.clone(), bed.namespace.name(), &resource)
}

/// The generators, and the roles that they act as.
fn generators(bed: &Bed) -> Api<DynamicObject> {
    api(bed, (GENERATORS, "v1alpha1", "ECRAuthorizationToken"))
}

async fn names(api: &Api<DynamicObject>) -> Vec<String> {
    let list = api.list(&ListParams::default()).await.unwrap();
    list.iter().map(ResourceExt::name_any).collect()
}

/// The pull secrets in the pods of the service.
fn pull_secrets(deployment: &Deployment) -> Vec<String> {
    let pod = deployment.spec.as_ref().unwrap().template.spec.as_ref();
    let references = pod.unwrap().image_pull_secrets.iter().flatten();
    references.map(|it| it.name.clone()).collect()
}

fn runs(image: &str) -> impl Fn(&Deployment) -> bool {
    move |deployment| {
        let pod = deployment.spec.as_ref().unwrap().template.spec.as_ref();
        pod.unwrap().containers[0].image.as_deref() == Some(image)
    }
}

fn uids(pods: &[Pod]) -> Vec<String> {
    let mut uids: Vec<_> = pods.iter().map(uid).collect();
    uids.sort();
    uids
}

fn is_complete(object: &Value) -> bool {
    let deployments = &object["status"]["deployments"];
    deployments[0]["rolloutState"] == "COMPLETED" && deployments[1].is_null()
}

fn is_running(object: &Value) -> bool {
    object["status"]["lastStatus"] == "RUNNING"
}

/// The operator has the rights that the chart gives it.
async fn nothing_was_forbidden(operator: &Operator) {
    let refused = operator
        .metric("ecs_operator_api_requests_total", "code=\"403\"")
        .await;
    assert_eq!(refused, 0, "{}", operator.last_words());
}

#[tokio::test]
async fn pull_secrets_come_with_the_next_deployment_and_stay_while_its_tasks_do() {
    let plane = plane(ADDONS).await;
    let bed = Bed::new(&plane.kubeconfig(), "pulls").await;
    let before = Operator::start(&plane, "before", &[IAM]).await.unwrap();
    let define = async |role: &str, tag: &str| {
        let image = format!("{REGISTRY}/web:{tag}");
        let definition = pulling(task_definition("web"), role, &image);
        bed.must_apply("EcsTaskDefinition", "web", definition).await;
        image
    };
    let image = define("one", "1").await;
    let service = json!({"taskDefinition": "web", "desiredCount": 2});
    bed.must_apply("EcsService", "web", service).await;
    bed.until("EcsService", "web", "its tasks", is_complete)
        .await;
    let deployment: Deployment = bed.eventually("web", "the service", runs(&image)).await;
    assert!(pull_secrets(&deployment).is_empty());
    let tasks = uids(&bed.tasks("web").await);

    // The setting replaces no task.
    drop(before);
    let operator = Operator::start(&plane, "operator", &[IAM, FLAG])
        .await
        .unwrap();
    bed.until("EcsService", "web", "a renewal", |object| {
        object["status"]["renewal"]["state"] == "available"
    })
    .await;
    let deployment: Deployment = bed.eventually("web", "the service", runs(&image)).await;
    assert!(pull_secrets(&deployment).is_empty());
    assert_eq!(uids(&bed.tasks("web").await), tasks);
    assert_eq!(names(&generators(&bed)).await, [""; 0]);

    // The next deployment has them.
    let image = define("one", "2").await;
    let deployment: Deployment = bed.eventually("web", "an update", runs(&image)).await;
    let [first] = &pull_secrets(&deployment)[..] else {
        panic!("{deployment:?}");
    };
    let secrets = api(&bed, ("external-secrets.io", "v1", "ExternalSecret"));
    let secret = secrets.get(first).await.unwrap();
    let generator = &secret.data["spec"]["dataFrom"][0]["sourceRef"]["generatorRef"]["name"];
    let generator = generator.as_str().unwrap().to_owned();
    let made = generators(&bed).get(&generator).await.unwrap();
    assert_eq!(made.data["spec"]["region"], "eu-west-1");
    bed.until("EcsService", "web", "the end of the update", is_complete)
        .await;

    // An update with another role gets nowhere: what the tasks before it pull with is there.
    let definition = pulling(task_definition("web"), "two", "testbed/hold");
    let mut definition = definition;
    let sidecar = json!({"name": "side", "image": format!("{REGISTRY}/side:1"), "memory": 32});
    let containers = definition["containerDefinitions"].as_array_mut().unwrap();
    containers.push(sidecar);
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    let stuck: Deployment = bed
        .eventually("web", "the update that gets nowhere", runs("testbed/hold"))
        .await;
    assert_ne!(pull_secrets(&stuck), [first.as_str()]);
    let both = names(&generators(&bed)).await;
    assert!(both.len() == 2 && both.contains(&generator), "{both:?}");
    assert!(names(&secrets).await.contains(first));

    // They go with the last task that needs them.
    define("two", "3").await;
    bed.until("EcsService", "web", "the last update", is_complete)
        .await;
    until("the first generator to be gone", LIMIT, async || {
        let left = names(&generators(&bed)).await;
        Ok((left.len() == 1 && !left.contains(&generator)).then_some(()))
    })
    .await
    .unwrap();
    assert!(!names(&secrets).await.contains(first));
    nothing_was_forbidden(&operator).await;
}

#[tokio::test]
async fn without_the_generator_services_are_deployed_and_told_what_is_missing() {
    let without: Vec<Kind> = ADDONS
        .iter()
        .filter(|it| !is_generator(it))
        .copied()
        .collect();
    let plane = plane(&without).await;
    let bed = Bed::new(&plane.kubeconfig(), "no-generator").await;
    let operator = Operator::start(&plane, "operator", &[IAM, FLAG])
        .await
        .unwrap();
    let image = format!("{REGISTRY}/web:1");
    let definition = pulling(task_definition("web"), "one", &image);
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    let service = json!({"taskDefinition": "web", "desiredCount": 1});
    bed.must_apply("EcsService", "web", service).await;
    let lacks = |object: &Value| {
        let warnings = object["status"]["warnings"].as_array();
        let mut warnings = warnings.into_iter().flatten();
        warnings.any(|it| it["reason"] == "EcrPullSecretsUnavailable")
    };
    let object = bed
        .until("EcsService", "web", "its tasks", is_complete)
        .await;
    assert!(lacks(&object), "{object:#}");
    bed.condition("EcsService", "web", "Accepted", "True").await;
    let tasks = uids(&bed.tasks("web").await);

    // What was missing comes, and no task is replaced for it.
    let generator: Vec<Kind> = ADDONS.iter().filter(is_generator).copied().collect();
    install_addons(&plane, &generator).await;
    bed.until("EcsService", "web", "the end of the warning", |object| {
        let renewal = &object["status"]["renewal"]["state"];
        !lacks(object) && renewal == "available"
    })
    .await;
    assert_eq!(uids(&bed.tasks("web").await), tasks);

    // It goes again when the tasks have pull secrets, and they are scaled all the same.
    let image = format!("{REGISTRY}/web:2");
    let definition = pulling(task_definition("web"), "one", &image);
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    let update: Deployment = bed.eventually("web", "an update", runs(&image)).await;
    assert_eq!(pull_secrets(&update).len(), 1);
    bed.until("EcsService", "web", "the end of the update", is_complete)
        .await;
    let definitions: Api<CustomResourceDefinition> = Api::all(bed.client.clone());
    let name = format!("ecrauthorizationtokens.{GENERATORS}");
    let params = DeleteParams::default();
    definitions.delete(&name, &params).await.unwrap();
    bed.until("EcsService", "web", "the warning again", lacks)
        .await;
    let service = json!({"taskDefinition": "web", "desiredCount": 3});
    bed.must_apply("EcsService", "web", service).await;
    let three = |it: &Deployment| it.spec.as_ref().unwrap().replicas == Some(3);
    let scaled: Deployment = bed.eventually("web", "more tasks", three).await;
    assert_eq!(pull_secrets(&scaled), pull_secrets(&update));
    nothing_was_forbidden(&operator).await;
}

/// Nobody has judged the execution role of a task that began without the setting: the setting must not use it.
#[tokio::test]
async fn a_task_that_has_begun_gets_no_token_of_a_role_that_nobody_allowed() {
    let plane = plane(ADDONS).await;
    let bed = Bed::new(&plane.kubeconfig(), "begun").await;
    let shared = "--tenancy=multiple";
    let before = Operator::start(&plane, "before", &[IAM, shared])
        .await
        .unwrap();
    // One of them has a pull secret of its own, so its pods cannot tell that it began without the setting.
    let own = json!({"pod": {"patch": {"spec": {"imagePullSecrets": [{"name": "own"}]}}}});
    let kubernetes = [("job", json!({})), ("own", own)];
    for (name, kubernetes) in &kubernetes {
        let mut definition = job_definition("job");
        // The policy of its network is written after everything that its pods refer to.
        definition["networkMode"] = json!("none");
        definition["kubernetes"] = kubernetes.clone();
        let definition = pulling(definition, "others", &format!("{REGISTRY}/job:1"));
        bed.must_apply("EcsTaskDefinition", name, definition).await;
    }
    let run = async |name: &str, definition: &str| {
        let task = json!({"taskDefinition": definition});
        bed.must_apply("EcsTask", name, task).await;
    };
    for (name, _) in &kubernetes {
        run(name, name).await;
        bed.until("EcsTask", name, "the task to run", is_running)
            .await;
    }

    drop(before);
    let operator = Operator::start(&plane, "operator", &[IAM, shared, FLAG])
        .await
        .unwrap();
    operator.leads().await;
    restored(&bed, &["job", "own"]).await;
    assert_eq!(names(&generators(&bed)).await, [""; 0]);

    // One that begins now is judged, and may not.
    run("later", "job").await;
    let accepted = bed.condition("EcsTask", "later", "Accepted", "False").await;
    assert_eq!(accepted["reason"], "NotAllowedByPolicy", "{accepted}");
    let message = accepted["message"].as_str().unwrap();
    assert!(message.contains(&role("others")), "{message}");
    assert_eq!(names(&generators(&bed)).await, [""; 0]);

    // When the role is allowed, it pulls for that one, and nothing is made that no pod refers to.
    bed.allow(json!({"executionRoles": [role("others")]})).await;
    bed.until("EcsTask", "later", "the later task to run", is_running)
        .await;
    restored(&bed, &["job"]).await;
    let secrets = api(&bed, ("external-secrets.io", "v1", "ExternalSecret"));
    let secrets = names(&secrets).await;
    let is_of = |task: &str| secrets.iter().any(|name| name.starts_with(task));
    assert!(is_of("later-") && !is_of("job-"), "{secrets:?}");
}

/// Has the policies of the networks of tasks deleted, and waits until the operator has written everything of them again.
async fn restored(bed: &Bed, tasks: &[&str]) {
    let policies: Api<NetworkPolicy> = bed.api();
    for task in tasks {
        let of_task = ListParams::default().labels(&format!("ecs-operator.dev/task={task}"));
        let found = policies.list(&of_task).await.unwrap().items;
        let [policy] = &found[..] else {
            panic!("{found:?}");
        };
        let (name, before) = (policy.name_any(), uid(policy));
        policies
            .delete(&name, &DeleteParams::default())
            .await
            .unwrap();
        bed.eventually(&name, "its policy again", |it: &NetworkPolicy| {
            uid(it) != before
        })
        .await;
    }
}
