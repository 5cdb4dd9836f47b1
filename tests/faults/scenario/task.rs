//! Tasks that run once, and the history of task definitions.

use k8s_openapi::api::apps::v1::ControllerRevision;
use serde_json::json;

use super::{Scenario, nothing, register, revise, steady};
use crate::support::Bed;

pub const TASK: Scenario = Scenario {
    name: "task-of-two-containers",
    prepare: nothing,
    act: |bed| {
        Box::pin(async move {
            let container = |name: &str, code: u8| json!({"name": name, "image": format!("testbed/exit:{code}"), "cpu": 32, "memory": 64});
            let definition = json!({
                "networkMode": "awsvpc",
                "containerDefinitions": [container("app", 0), container("log", 3)],
            });
            register(&bed, "job", definition, 1).await;
            let task = json!({"taskDefinition": "job", "count": 2});
            bed.must_apply("EcsTask", "job", task).await;
            bed.until("EcsTask", "job", "the end", |object| {
                object["status"]["lastStatus"] == "STOPPED"
            })
            .await;
        })
    },
};

pub const HISTORY: Scenario = Scenario {
    name: "history-with-a-pin",
    prepare: |bed| {
        Box::pin(async move {
            revise(&bed, "testbed/1", 1).await;
            pin(&bed, 1).await;
            for number in 2..=10 {
                revise(&bed, &format!("testbed/{number}"), number).await;
            }
        })
    },
    act: |bed| {
        Box::pin(async move {
            for number in 11..=13 {
                revise(&bed, &format!("testbed/{number}"), number).await;
            }
            bed.gone::<ControllerRevision>("web.2").await;
            pin(&bed, 2).await;
        })
    },
};

/// Runs a service that is pinned to the first revision.
async fn pin(bed: &Bed, count: i64) {
    let pinned = json!({"taskDefinition": "web:1", "desiredCount": count});
    bed.must_apply("EcsService", "pinned", pinned).await;
    steady(bed, "pinned", "web:1").await;
}
