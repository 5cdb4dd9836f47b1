//! What nobody should write and somebody will: a clear condition, an operator that goes on, others that notice nothing.

use ecs_operator_testbed::until;
use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{Namespace, Pod},
};
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};

use crate::{
    bed, shared,
    support::{Bed, LIMIT, condition, task_definition, uid},
};

fn service(count: i64) -> Value {
    json!({"taskDefinition": "web", "desiredCount": count})
}

/// A service that has nothing to do with what is wrong becomes steady, and the operator is the one that it was.
async fn others_go_on(bed: &Bed) {
    bed.must_apply("EcsTaskDefinition", "other", task_definition("testbed/web"))
        .await;
    let service = json!({"taskDefinition": "other", "desiredCount": 1});
    bed.must_apply("EcsService", "other", service).await;
    bed.condition("EcsService", "other", "Ready", "True").await;
    let (operator, _) = shared().await;
    let said = operator.last_words();
    assert!(!said.contains("panicked"), "{said}");
}

/// Waits for a verdict on the newest generation, whatever it is.
async fn verdict(bed: &Bed, kind: &str, name: &str) -> Value {
    let object = bed
        .until(kind, name, "a verdict", |object| {
            let found = condition(object, "Accepted");
            found["observedGeneration"] == object["metadata"]["generation"]
        })
        .await;
    let accepted = condition(&object, "Accepted");
    if accepted["status"] == "False" {
        assert_ne!(accepted["message"], "", "{name}");
        assert_ne!(accepted["reason"], "Internal", "{accepted}");
    }
    accepted
}

#[tokio::test]
async fn what_cannot_be_translated_is_refused_with_a_reason() {
    let bed = bed("poison").await;
    let container = |rest: Value| {
        let mut container = json!({"name": "a", "image": "x", "memory": 64});
        for (name, value) in rest.as_object().unwrap() {
            container[name] = value.clone();
        }
        container
    };
    let after_itself = json!([{"containerName": "a", "condition": "START"}]);
    let poison = [
        ("empty", json!([])),
        ("image", json!([container(json!({"image": ""}))])),
        ("escape", json!([container(json!({"name": "\u{1b}[31m"}))])),
        (
            "cycle",
            json!([container(json!({"dependsOn": after_itself}))]),
        ),
        ("negative", json!([container(json!({"memory": -1}))])),
        (
            "port",
            json!([container(
                json!({"portMappings": [{"containerPort": 70000}]})
            )]),
        ),
        (
            "range",
            json!([container(
                json!({"portMappings": [{"containerPortRange": "9-1"}]})
            )]),
        ),
        (
            "reference",
            json!([container(
                json!({"secrets": [{"name": "A", "valueFrom": "arn:::::"}]})
            )]),
        ),
        ("user", json!([container(json!({"user": "::"}))])),
        (
            "mount",
            json!([container(
                json!({"mountPoints": [{"sourceVolume": "no", "containerPath": "../.."}]})
            )]),
        ),
        (
            "check",
            json!([container(
                json!({"healthCheck": {"command": [], "interval": 0}})
            )]),
        ),
    ];
    let mut refused = 0;
    for (name, containers) in poison {
        let definition = json!({"containerDefinitions": containers});
        // The API server may refuse it itself, which is as good.
        match bed.apply("EcsTaskDefinition", name, definition).await {
            Ok(_) => {
                let accepted = verdict(&bed, "EcsTaskDefinition", name).await;
                assert_eq!(accepted["status"], "False", "{name}");
                refused += 1;
            }
            Err(kube::Error::Api(status)) => assert_eq!(status.code, 422, "{name}: {status}"),
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert!(refused > 0);
    others_go_on(&bed).await;
}

#[tokio::test]
async fn strange_texts_end_in_objects_or_a_reason() {
    let bed = bed("texts").await;
    let texts = [
        "\u{0}",
        "\u{202e}\u{feff}",
        "$(A)$(B)$$",
        "{{ .Values }} ${x} <y>",
        "\"'\\`\n\r\t: - # & * ! | > % @",
        "日本語🎉",
        " ",
    ];
    for (index, text) in texts.iter().enumerate() {
        let name = format!("text-{index}");
        let definition = json!({
            "containerDefinitions": [{
                "name": "app",
                "image": "testbed/web",
                "memory": 64,
                "command": [text, text],
                "environment": [{"name": "TEXT", "value": text}, {"name": text, "value": "x"}],
                "dockerLabels": {(*text): text},
                "workingDirectory": text,
            }],
            "tags": [{"key": text, "value": text}],
        });
        if bed
            .apply("EcsTaskDefinition", &name, definition)
            .await
            .is_err()
        {
            continue;
        }
        verdict(&bed, "EcsTaskDefinition", &name).await;
        let service = json!({"taskDefinition": name, "desiredCount": 1});
        bed.must_apply("EcsService", &name, service).await;
        verdict(&bed, "EcsService", &name).await;
    }
    others_go_on(&bed).await;
}

#[tokio::test]
async fn a_spec_as_large_as_the_api_server_takes_is_run_or_refused() {
    let bed = bed("large").await;
    for (name, size) in [("half", 500_000), ("most", 1_300_000)] {
        let mut definition = task_definition("testbed/web");
        definition["containerDefinitions"][0]["environment"] =
            json!([{"name": "BLOB", "value": "x".repeat(size)}]);
        let applied = bed.apply("EcsTaskDefinition", name, definition).await;
        if let Err(error) = applied {
            let text = error.to_string();
            assert!(
                text.contains("too large") || text.contains("larger than"),
                "{text}"
            );
            continue;
        }
        verdict(&bed, "EcsTaskDefinition", name).await;
        let service = json!({"taskDefinition": name, "desiredCount": 1});
        bed.must_apply("EcsService", name, service).await;
        bed.until("EcsService", name, "it to run, or a reason", |object| {
            condition(object, "Ready")["status"] == "True"
                || condition(object, "Accepted")["status"] == "False"
        })
        .await;
    }
    others_go_on(&bed).await;
}

fn legion(depends_on: Value) -> Value {
    let container = |index| {
        json!({
            "name": format!("c{index}"), "image": "x", "cpu": 1, "memory": 8, "dependsOn": depends_on,
        })
    };
    let containers: Vec<Value> = (0..500).map(container).collect();
    json!({"containerDefinitions": containers})
}

#[tokio::test]
async fn five_hundred_containers_are_run() {
    let bed = bed("legion").await;
    bed.must_apply("EcsTaskDefinition", "web", legion(json!([])))
        .await;
    bed.must_apply("EcsService", "web", service(1)).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    others_go_on(&bed).await;
}

/// All errors do not fit into a condition.
#[tokio::test]
async fn five_hundred_errors_are_told_to_the_service_too() {
    let bed = bed("errors").await;
    let nobody = json!([{"containerName": "nobody", "condition": "START"}]);
    bed.must_apply("EcsTaskDefinition", "web", legion(nobody))
        .await;
    bed.must_apply("EcsService", "web", service(1)).await;
    bed.until("EcsService", "web", "its reason", |object| {
        condition(object, "Accepted")["reason"] == "TaskDefinitionNotAccepted"
    })
    .await;
    others_go_on(&bed).await;
}

#[tokio::test]
async fn names_as_long_as_they_may_be_are_run_or_refused() {
    let bed = bed("names").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    for name in [
        "a".repeat(63),
        "b".repeat(64),
        "c".repeat(253),
        "1".repeat(40),
        "a.b".into(),
    ] {
        bed.must_apply("EcsService", &name, service(1)).await;
        let accepted = verdict(&bed, "EcsService", &name).await;
        if accepted["status"] == "True" {
            bed.condition("EcsService", &name, "Ready", "True").await;
        }
        let definition = task_definition("testbed/web");
        bed.must_apply("EcsTaskDefinition", &name, definition).await;
        verdict(&bed, "EcsTaskDefinition", &name).await;
        let task = json!({"taskDefinition": "web"});
        bed.must_apply("EcsTask", &name, task).await;
        verdict(&bed, "EcsTask", &name).await;
    }
    others_go_on(&bed).await;
}

#[tokio::test]
async fn a_task_definition_that_is_deleted_leaves_what_runs() {
    let bed = bed("undefined").await;
    // The revisions go in any order, the newest one before others.
    for number in 1..=5 {
        let definition = task_definition(&format!("testbed/web:{number}"));
        bed.must_apply("EcsTaskDefinition", "web", definition).await;
        bed.until("EcsTaskDefinition", "web", "the revision", |object| {
            object["status"]["revision"] == number
        })
        .await;
    }
    bed.must_apply("EcsService", "web", service(2)).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let before: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    bed.resources("EcsTaskDefinition")
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    for number in 1..=5 {
        bed.gone::<ControllerRevision>(&format!("web.{number}"))
            .await;
    }
    let accepted = bed
        .condition("EcsService", "web", "Accepted", "False")
        .await;
    assert_eq!(accepted["reason"], "TaskDefinitionNotFound");
    // What is made now is made of what ran.
    bed.must_apply("EcsService", "web", service(3)).await;
    bed.until("EcsService", "web", "a third task", |object| {
        object["status"]["runningCount"] == 3
    })
    .await;
    let tasks = bed.tasks("web").await;
    let after: Vec<String> = tasks.iter().map(uid).collect();
    assert!(before.iter().all(|uid| after.contains(uid)), "{before:?}");
    for task in tasks {
        let image = json!(task)["spec"]["containers"][0]["image"].clone();
        assert_eq!(image, "testbed/web:5");
    }
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    bed.condition("EcsService", "web", "Ready", "True").await;
}

#[tokio::test]
async fn two_services_that_want_a_port_of_the_host_share_no_node() {
    let bed = bed("ports").await;
    let mut definition = task_definition("testbed/web");
    definition["networkMode"] = json!("host");
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    // More than there are nodes, by two services that do not know each other.
    for name in ["one", "two"] {
        bed.must_apply("EcsService", name, service(20)).await;
    }
    for name in ["one", "two"] {
        verdict(&bed, "EcsService", name).await;
    }
    until("a pod that finds no node", LIMIT, async || {
        let pods = bed.api::<Pod>().list(&ListParams::default()).await?;
        let waits = |pod: Pod| {
            let conditions = pod.status?.conditions?;
            let of = |condition: &&_| {
                let condition: &k8s_openapi::api::core::v1::PodCondition = condition;
                condition.reason.as_deref() == Some("Unschedulable")
            };
            conditions.iter().find(of)?.message.clone()
        };
        Ok(pods.into_iter().find_map(waits))
    })
    .await
    .unwrap();
    others_go_on(&bed).await;
}

#[tokio::test]
async fn a_namespace_that_is_deleted_takes_everything_with_it() {
    let doomed = bed("doomed").await;
    doomed
        .must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    doomed.must_apply("EcsService", "web", service(2)).await;
    doomed
        .must_apply("EcsTask", "job", json!({"taskDefinition": "web"}))
        .await;
    doomed.condition("EcsService", "web", "Ready", "True").await;
    let namespaces: Api<Namespace> = Api::all(doomed.client.clone());
    let name = doomed.namespace.name();
    namespaces
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
    until("the namespace to be gone", LIMIT, async || {
        Ok(namespaces.get_opt(name).await?.is_none().then_some(()))
    })
    .await
    .unwrap();
    others_go_on(&bed("alive").await).await;
}
