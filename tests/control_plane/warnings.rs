//! What differs from ECS is in the status of each kind.

use serde_json::{Value, json};

use crate::{
    bed,
    support::{Bed, task_definition},
};

async fn warned(bed: &Bed, kind: &str, name: &str, expected: &[&str]) {
    let what = format!("warnings of {kind} {name}: {expected:?}");
    bed.until(kind, name, &what, |object| {
        let warnings = object["status"]["warnings"].as_array();
        let reasons: Vec<&str> = warnings
            .into_iter()
            .flatten()
            .filter_map(|warning| warning["reason"].as_str())
            .collect();
        expected.iter().all(|reason| reasons.contains(reason))
    })
    .await;
}

fn with_ulimits() -> Value {
    let mut definition = task_definition("testbed/web");
    definition["containerDefinitions"][0]["ulimits"] =
        json!([{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}]);
    definition
}

#[tokio::test]
async fn what_differs_is_in_the_status_of_what_runs_it() {
    let bed = bed("warnings").await;
    let ulimits = "UlimitsNeedNriPlugin";
    bed.must_apply("EcsTaskDefinition", "web", with_ulimits())
        .await;
    bed.must_apply("EcsTask", "job", json!({"taskDefinition": "web"}))
        .await;
    warned(&bed, "EcsTask", "job", &[ulimits]).await;
    let service = json!({
        "taskDefinition": "web",
        "desiredCount": 1,
        "autoScaling": {
            "scalableTarget": {"MinCapacity": 1, "MaxCapacity": 3},
            "scheduledActions": [{
                "ScheduledActionName": "night",
                "Schedule": "cron(0 22 31 4 ? *)",
                "ScalableTargetAction": {"MinCapacity": 1},
            }],
        },
    });
    bed.must_apply("EcsService", "web", service).await;
    warned(&bed, "EcsService", "web", &[ulimits, "ScheduleNeverFires"]).await;
    bed.must_apply("EcsCluster", "shop", json!({"capacityProviders": ["spot"]}))
        .await;
    warned(&bed, "EcsCluster", "shop", &["CapacityProvidersAreNodes"]).await;
}
