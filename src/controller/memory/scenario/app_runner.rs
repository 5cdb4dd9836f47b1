//! App Runner services, which run as services of ECS.

use serde_json::{Value, json};

use super::{Scenario, act, delete, place, put, serve};
use crate::controller::memory::store::Store;

/// Applies an App Runner service that runs this image.
fn serves(store: &mut Store, image: &str, more: Value) {
    let mut spec = json!({
        "SourceConfiguration": {"ImageRepository": {
            "ImageIdentifier": image,
            "ImageRepositoryType": "ECR_PUBLIC",
        }},
        "AutoScalingConfiguration": {"MinSize": 2, "MaxSize": 4},
    });
    if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
        spec.extend(more);
    }
    put(store, "AppRunnerService", "hello", spec);
}

/// A service that is updated, paused, resumed, rejected, and deleted.
pub(in crate::controller::memory) fn an_app_runner_service() -> Scenario {
    Scenario::new([
        act("a service", |store| serves(store, "test/web:1", json!({}))),
        act("another image", |store| {
            serves(store, "test/web:2", json!({}));
        }),
        act("a pause", |store| {
            serves(store, "test/web:2", json!({"paused": true}));
        }),
        act("another image meanwhile", |store| {
            serves(store, "test/web:3", json!({"paused": true}));
        }),
        act("the end of the pause", |store| {
            serves(store, "test/web:3", json!({}));
        }),
        act("a mistake", |store| {
            serves(
                store,
                "test/web:4",
                json!({"InstanceConfiguration": {"Cpu": "7"}}),
            );
        }),
        act("its correction", |store| {
            serves(store, "test/web:3", json!({}));
        }),
        act("a start", |store| {
            store.change(&place("AppRunnerService", "hello"), |service| {
                service["metadata"]["annotations"] =
                    json!({"ecs-operator.dev/start-deployment": "1"});
            });
        }),
        act("its deletion", |store| {
            delete(store, "AppRunnerService", "hello");
        }),
    ])
}

/// A service whose EcsService somebody edits.
pub(in crate::controller::memory) fn an_app_runner_service_that_others_edit() -> Scenario {
    Scenario::new([act("a service with an edit", |store| {
        store.change(&place("EcsService", "hello"), |service| {
            service["spec"]["propagateTags"] = json!("SERVICE");
            service["metadata"]["annotations"] = json!({"ecs-operator.dev/iam": "none"});
            service["metadata"]["labels"]["app.kubernetes.io/name"] = json!("other");
        });
    })])
    .after([act("a service", |store| {
        serves(store, "test/web:1", json!({}));
    })])
}

/// A service whose name an EcsService has, until that is deleted.
pub(in crate::controller::memory) fn an_app_runner_service_whose_name_is_taken() -> Scenario {
    Scenario::new([
        act("a service of that name", |store| {
            serves(store, "test/web:1", json!({}));
        }),
        act("the end of the other one", |store| {
            delete(store, "EcsService", "hello");
        }),
    ])
    .after([act("an EcsService", |store| {
        super::define(store, "test/web:1");
        serve(store, 1, json!({}));
        put(
            store,
            "EcsService",
            "hello",
            json!({"taskDefinition": "web", "desiredCount": 1}),
        );
    })])
}
