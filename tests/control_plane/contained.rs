//! What one request, one object, one add-on or one replica may do to all the rest: nothing. Each test has a control plane
//! of its own.

use std::net::TcpListener;

use anyhow::Context as _;
use ecs_operator_testbed::{ControlPlane, until};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    proxy::{Fault, Proxy, is_write},
    support::{LIMIT, Operator, apply, install, ready, task_definition},
};

async fn plane() -> (ControlPlane, Client) {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let client = plane.client().await.unwrap();
    (plane, client)
}

async fn define(client: &Client, namespace: &str, image: &str) {
    let definition = task_definition(image);
    apply(client, namespace, "EcsTaskDefinition", "web", definition)
        .await
        .unwrap();
}

async fn serve(client: &Client, namespace: &str, name: &str) {
    let service = json!({"taskDefinition": "web", "desiredCount": 1});
    apply(client, namespace, "EcsService", name, service)
        .await
        .unwrap();
}

async fn image(client: &Client, namespace: &str, name: &str) -> Option<String> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let deployment = deployments.get_opt(name).await.unwrap()?;
    let pod = deployment.spec?.template.spec?;
    pod.containers.first()?.image.clone()
}

async fn image_is(client: &Client, namespace: &str, name: &str, wanted: &str) {
    let what = format!("the Deployment {name} to have the image {wanted}");
    until(&what, LIMIT, async || {
        let image = image(client, namespace, name).await;
        Ok((image.as_deref() == Some(wanted)).then_some(()))
    })
    .await
    .unwrap();
}

/// Applies objects as the user who may do everything.
async fn give(plane: &ControlPlane, namespace: &str, objects: &[Value]) {
    let texts: Vec<String> = objects.iter().map(Value::to_string).collect();
    plane
        .apply(namespace, &texts.join("\n---\n"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_request_that_is_never_answered_is_given_up() {
    let (plane, client) = plane().await;
    let namespace = plane.namespace("hang").await.unwrap();
    let proxy = Proxy::start(&plane).await.unwrap();
    let operator = Operator::spawn_by(&proxy.kubeconfig, &plane, "operator", &[]).unwrap();
    let operator = operator.ready().await.unwrap();
    operator.leads().await;
    define(&client, namespace.name(), "testbed/web").await;
    proxy.fail(Fault {
        method: "PATCH",
        url: "/deployments/",
        is_served: false,
    });
    serve(&client, namespace.name(), "web").await;
    until("the request that hangs", LIMIT, async || {
        let seen = proxy.seen();
        let hangs =
            |request: &String| request.contains("PATCH") && request.contains("/deployments/web");
        Ok(seen.iter().any(hangs).then_some(()))
    })
    .await
    .unwrap();
    proxy.heal();
    ready(&client, namespace.name(), "web").await;
    let without_answer = operator
        .metric(
            "ecs_operator_api_requests_total",
            "method=\"PATCH\",code=\"0\"",
        )
        .await;
    assert!(without_answer > 0, "it was given up");
    let (live, said) = operator.get("/livez").await.unwrap();
    assert_eq!(live, 200, "{said}");
}

/// A list that is deeper than what serde_json reads.
fn deep() -> Value {
    (0..140).fold(json!([]), |inner, _| json!([inner]))
}

#[tokio::test]
async fn an_object_that_cannot_be_read_hides_no_other_and_nothing_is_printed() {
    let (plane, client) = plane().await;
    let theirs = plane.namespace("theirs").await.unwrap();
    let ours = plane.namespace("ours").await.unwrap();
    let mut definition = task_definition("testbed/web");
    definition["containerDefinitions"][0]["environment"] =
        json!([{"name": "PASSWORD", "value": "hunter2"}]);
    apply(&client, ours.name(), "EcsTaskDefinition", "web", definition)
        .await
        .unwrap();
    serve(&client, ours.name(), "web").await;
    // An operator has seen it once, so that its revision is in the list of the next one.
    let first = Operator::start(&plane, "first", &[]).await.unwrap();
    ready(&client, ours.name(), "web").await;
    drop(first);
    let revision = json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "deep", "labels": {"ecs-operator.dev/task-definition": "deep"}},
        "revision": 1,
        "data": {"deep": deep()},
    });
    let revisions: Api<kube::core::DynamicObject> = Api::namespaced_with(
        client.clone(),
        theirs.name(),
        &kube::core::ApiResource::erase::<k8s_openapi::api::apps::v1::ControllerRevision>(&()),
    );
    // The answer cannot be read either; that it is there is seen below.
    let _ = revisions
        .patch("deep", &PatchParams::apply("test"), &Patch::Apply(revision))
        .await;
    let there = revisions.get_metadata("deep").await.unwrap();
    assert_eq!(there.metadata.name.as_deref(), Some("deep"));

    let second = Operator::start(&plane, "second", &[]).await.unwrap();
    second.leads().await;
    serve(&client, ours.name(), "other").await;
    ready(&client, ours.name(), "other").await;
    let said = std::fs::read_to_string(plane.folder().join("second.log")).unwrap();
    assert!(said.contains("an object cannot be read"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn no_member_of_a_spec_may_be_nested_without_end() {
    let (plane, client) = plane().await;
    let namespace = plane.namespace("deep").await.unwrap();
    let action = |start: Value| {
        json!({
            "taskDefinition": "web",
            "desiredCount": 1,
            "autoScaling": {"scheduledActions": [{"ScheduledActionName": "x", "StartTime": start}]},
        })
    };
    let refused = apply(
        &client,
        namespace.name(),
        "EcsService",
        "web",
        action(deep()),
    )
    .await;
    let Err(kube::Error::Api(status)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(status.code, 422, "{status}");
    for start in [json!("2026-01-15T10:30:00Z"), json!(1_768_473_000)] {
        apply(
            &client,
            namespace.name(),
            "EcsService",
            "web",
            action(start),
        )
        .await
        .unwrap();
    }
}

/// The definition of a kind of add-on.
fn definition(group: &str, versions: &[&str], kind: &str, conversion: Value) -> Value {
    let plural = format!("{}s", kind.to_lowercase());
    let version = |(index, name): (usize, &&str)| {
        json!({
            "name": name,
            "served": true,
            "storage": index == 0,
            "schema": {"openAPIV3Schema": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": true,
            }},
        })
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "plural": plural,
                "singular": kind.to_lowercase(),
                "kind": kind,
                "listKind": format!("{kind}List"),
            },
            "versions": versions.iter().enumerate().map(version).collect::<Vec<_>>(),
            "conversion": conversion,
        },
    })
}

/// Of KEDA there is one kind, whose objects cannot be converted to the version that the operator reads.
#[tokio::test]
async fn a_broken_add_on_keeps_neither_the_operator_nor_other_add_ons_waiting() {
    let (plane, client) = plane().await;
    let namespace = plane.namespace("broken").await.unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody = json!({
        "strategy": "Webhook",
        "webhook": {
            "conversionReviewVersions": ["v1"],
            "clientConfig": {"url": format!("https://127.0.0.1:{port}/")},
        },
    });
    let keda = definition("keda.sh", &["v2", "v1alpha1"], "ScaledObject", nobody);
    give(&plane, namespace.name(), &[keda]).await;
    let object = json!({
        "apiVersion": "keda.sh/v2",
        "kind": "ScaledObject",
        "metadata": {"name": "x", "labels": {"app.kubernetes.io/managed-by": "ecs-operator"}},
    });
    until("the kind to be served", LIMIT, async || {
        let text = object.to_string();
        Ok(plane.apply(namespace.name(), &text).await.ok())
    })
    .await
    .unwrap();

    let operator = Operator::start(&plane, "operator", &[]).await.unwrap();
    operator.leads().await;
    define(&client, namespace.name(), "testbed/web").await;
    serve(&client, namespace.name(), "web").await;
    ready(&client, namespace.name(), "web").await;

    let none = json!({"strategy": "None"});
    let secrets = definition("external-secrets.io", &["v1"], "ExternalSecret", none);
    give(&plane, namespace.name(), &[secrets]).await;
    until("the other add-on to be noticed", LIMIT, async || {
        let said = std::fs::read_to_string(plane.folder().join("operator.log"))?;
        let noticed = |line: &str| line.contains("add-ons") && line.contains("ExternalSecrets");
        Ok(said.lines().any(noticed).then_some(()))
    })
    .await
    .with_context(|| operator.last_words())
    .unwrap();
    define(&client, namespace.name(), "testbed/web:2").await;
    image_is(&client, namespace.name(), "web", "testbed/web:2").await;
}

/// Its reconciles wait for an answer when it is stopped, and the answers come before it goes on: nothing but the time itself
/// tells it then that it may not write.
#[tokio::test]
async fn a_leader_that_was_stopped_for_long_writes_nothing_afterwards() {
    let (plane, client) = plane().await;
    let namespace = plane.namespace("frozen").await.unwrap();
    let proxy = Proxy::start(&plane).await.unwrap();
    let first = Operator::spawn_by(&proxy.kubeconfig, &plane, "first", &[]).unwrap();
    let first = first.ready().await.unwrap();
    first.leads().await;
    define(&client, namespace.name(), "testbed/web").await;
    let names: Vec<String> = (0..12).map(|index| format!("web-{index}")).collect();
    proxy.fail(Fault {
        method: "PATCH",
        url: "/services/",
        is_served: true,
    });
    proxy.seen();
    for name in &names {
        serve(&client, namespace.name(), name).await;
    }
    let mut waiting = 0;
    until("its reconciles to wait", LIMIT, async || {
        let seen = proxy.seen();
        waiting += seen
            .iter()
            .filter(|request| request.contains("/services/"))
            .count();
        Ok((waiting >= names.len()).then_some(()))
    })
    .await
    .unwrap();
    first.signal("STOP").unwrap();
    proxy.heal();
    let second = Operator::start(&plane, "second", &[]).await.unwrap();
    second.leads().await;
    for name in &names {
        ready(&client, namespace.name(), name).await;
    }
    proxy.seen();
    first.signal("CONT").unwrap();
    until("it to end", LIMIT, async || {
        Ok(first.get("/livez").await.is_none().then_some(()))
    })
    .await
    .unwrap();
    let writes: Vec<String> = proxy.seen().into_iter().filter(|r| is_write(r)).collect();
    assert_eq!(writes, [""; 0], "it does not lead any more");
}

/// The watches of the next leader lag where they tell what is wanted, and not where they tell what there is.
#[tokio::test]
async fn a_new_leader_decides_nothing_before_it_knows_what_the_last_one_wrote() {
    let (plane, client) = plane().await;
    let namespace = plane.namespace("lagging").await.unwrap();
    let first = Operator::start(&plane, "first", &[]).await.unwrap();
    first.leads().await;
    define(&client, namespace.name(), "testbed/web").await;
    serve(&client, namespace.name(), "web").await;
    ready(&client, namespace.name(), "web").await;
    let proxy = Proxy::start(&plane).await.unwrap();
    let second = Operator::spawn_by(&proxy.kubeconfig, &plane, "second", &[]).unwrap();
    let second = second.ready().await.unwrap();
    proxy.stall(&["ecs-operator.dev", "controllerrevisions"]);
    define(&client, namespace.name(), "testbed/web:2").await;
    image_is(&client, namespace.name(), "web", "testbed/web:2").await;
    ready(&client, namespace.name(), "web").await;
    // The standby has what it is told of the Deployment.
    let version = |client: Client| {
        let deployments: Api<Deployment> = Api::namespaced(client, namespace.name());
        async move { deployments.get("web").await.unwrap().metadata.generation }
    };
    let before = version(client.clone()).await;
    proxy.seen();
    assert_eq!(first.terminate(), Some(0));
    second.leads().await;
    until("its first reconciles", LIMIT, async || {
        let reconciled = second
            .metric("ecs_operator_reconciles_total", "EcsService")
            .await;
        let waiting = second.metric("ecs_operator_queue_depth", "").await;
        Ok((reconciled > 0 && waiting == 0).then_some(()))
    })
    .await
    .unwrap();
    let changes = |request: &String| is_write(request) && request.contains("/deployments/");
    let writes: Vec<String> = proxy.seen().into_iter().filter(changes).collect();
    assert_eq!(writes, [""; 0], "all is as it should be");
    assert_eq!(version(client.clone()).await, before);
}

#[tokio::test]
async fn the_api_server_answers_the_operator_before_others() {
    let (plane, client) = plane().await;
    let schemas: Api<k8s_openapi::api::flowcontrol::v1::FlowSchema> = Api::all(client.clone());
    let operator = plane
        .client_for_service_account("ecs-operator", "ecs-operator")
        .await
        .unwrap();
    let lease = "/apis/coordination.k8s.io/v1/namespaces/ecs-operator/leases/ecs-operator";
    for (path, schema) in [
        (lease, "ecs-operator-leader"),
        ("/api/v1/pods?limit=1", "ecs-operator"),
        ("/apis", "ecs-operator"),
    ] {
        let uid = schemas.get(schema).await.unwrap().metadata.uid.unwrap();
        until("the schema to be in force", LIMIT, async || {
            let request = http::Request::get(path).body(kube::client::Body::empty())?;
            let answer = operator.send(request).await?;
            let matched = answer.headers().get("X-Kubernetes-PF-FlowSchema-UID");
            Ok(matched
                .is_some_and(|matched| *matched == *uid)
                .then_some(()))
        })
        .await
        .with_context(|| format!("{path} by {schema}"))
        .unwrap();
    }
}

#[tokio::test]
async fn the_level_of_the_log_is_not_set_from_elsewhere() {
    let (plane, _) = plane().await;
    // The address by which this machine reaches others, which is not the loopback one.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    if socket.connect("192.0.2.1:9").is_err() {
        eprintln!("skipped: this machine has no address but the loopback one");
        return;
    }
    let own = socket.local_addr().unwrap().ip();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let listen = format!("--listen=0.0.0.0:{port}");
    let mut operator = Operator::spawn(&plane, "operator", &[&listen])
        .await
        .unwrap();
    operator.address = format!("{own}:{port}");
    let operator = operator.ready().await.unwrap();
    assert_eq!(operator.put("/log-level", "off").await, Some(403));
    assert!(
        operator
            .get("/metrics")
            .await
            .is_some_and(|(code, _)| code == 200)
    );
}
