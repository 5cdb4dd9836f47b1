//! What is done with an operator while something goes wrong.

mod service;
mod shared;
mod task;

use std::sync::Arc;

use futures::future::LocalBoxFuture;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::support::{Bed, condition, task_definition};

/// Something that is done with an operator. The same is asked for in each run, whatever happens to the operator.
pub struct Scenario {
    pub name: &'static str,
    /// What was there before: nothing goes wrong at a request of it.
    pub prepare: Part,
    /// What is done, until it has come about.
    pub act: Part,
}

type Part = fn(Arc<Bed>) -> LocalBoxFuture<'static, ()>;

/// All of them.
pub const ALL: &[&Scenario] = &[
    &service::FIRST,
    &service::UPDATE,
    &service::ROLLBACK,
    &service::FAILED_FIRST,
    &service::SCALE_IN,
    &service::DAEMON,
    &service::TO_DAEMON,
    &task::TASK,
    &shared::ONE_FIRST,
    &shared::TWO_FIRST,
    &task::HISTORY,
    &service::UNEXPOSED,
    &service::AGAIN,
];

/// Nothing was there.
fn nothing(_: Arc<Bed>) -> LocalBoxFuture<'static, ()> {
    Box::pin(async {})
}

/// Registers the newest revision of a task definition, and waits until it has its number.
async fn register(bed: &Bed, name: &str, definition: Value, number: u32) {
    bed.must_apply("EcsTaskDefinition", name, definition).await;
    let what = format!("revision {number} of {name}");
    bed.until("EcsTaskDefinition", name, &what, |object| {
        object["status"]["revision"] == number
            && object["status"]["observedGeneration"] == object["metadata"]["generation"]
    })
    .await;
}

/// Registers a task definition of one container.
async fn revise(bed: &Bed, image: &str, number: u32) {
    register(bed, "web", task_definition(image), number).await;
}

/// Whether what is asked for runs, and nothing else.
fn is_steady(object: &Value) -> bool {
    let ready = condition(object, "Ready");
    ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"]
}

/// Waits until a service runs a revision and nothing else.
async fn steady(bed: &Bed, name: &str, revision: &str) {
    let what = format!("{name} to be steady with {revision}");
    bed.until("EcsService", name, &what, |object| {
        is_steady(object)
            && told(object) == [format!("PRIMARY {revision} COMPLETED")]
            && object["status"]["runningCount"] == object["status"]["desiredCount"]
    })
    .await;
}

/// The deployments as far as they can be foreseen.
fn told(object: &Value) -> Vec<String> {
    let list = object["status"]["deployments"].as_array();
    let text = |deployment: &Value, member: &str| {
        deployment[member].as_str().unwrap_or_default().to_owned()
    };
    let words = |deployment: &Value| {
        ["status", "taskDefinition", "rolloutState"]
            .map(|member| text(deployment, member))
            .join(" ")
    };
    list.into_iter().flatten().map(words).collect()
}

fn service(count: i64) -> Value {
    json!({"taskDefinition": "web", "desiredCount": count})
}

/// Deletes a service, and waits until nothing of it is there.
async fn delete(bed: &Bed, name: &str) {
    let services = bed.resources("EcsService");
    services
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<k8s_openapi::api::apps::v1::Deployment>(name)
        .await;
    let of_service = ListParams::default().labels(&format!("ecs-operator.dev/service={name}"));
    let pods = bed.api::<k8s_openapi::api::core::v1::Pod>();
    ecs_operator_testbed::until("the tasks to end", crate::support::LIMIT, async || {
        Ok(pods.list(&of_service).await?.items.is_empty().then_some(()))
    })
    .await
    .unwrap();
}
