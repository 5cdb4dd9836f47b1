//! What starts tasks, and services of App Runner, with pods that run.

use ecs_operator_testbed::until;
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{
    bed,
    container::{IMAGE, container},
    support::{Bed, LIMIT},
    task::run,
};

/// The names of the EcsTasks that a rule has started.
async fn started(bed: &Bed, rule: &str) -> Vec<String> {
    let of_it = ListParams::default().labels(&format!("ecs-operator.dev/rule={rule}"));
    let tasks = bed.resources("EcsTask").list(&of_it).await.unwrap();
    tasks.iter().map(ResourceExt::name_any).collect()
}

#[tokio::test]
async fn the_end_of_a_task_starts_the_next_one_with_its_exit_code() {
    let bed = bed("rule").await;
    let next = json!({"containerDefinitions": [container("app", &["exit", "0"])]});
    bed.must_apply("EcsTaskDefinition", "next", next).await;
    let pattern = json!({
        "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
        "detail": {"lastStatus": ["STOPPED"], "group": ["family:first"], "containers": {"exitCode": [{"numeric": [">", 0]}]}},
    });
    let template = r#"{"containerOverrides": [{"name": "app", "command": ["exit", "<code>"]}]}"#;
    let rule = json!({
        "EventPattern": pattern.to_string(),
        "Targets": [{
            "Id": "next",
            "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "EcsParameters": {"TaskDefinitionArn": "next"},
            "InputTransformer": {
                "InputPathsMap": {"code": "$.detail.containers[0].exitCode"},
                "InputTemplate": template,
            },
        }],
    });
    bed.must_apply("EcsRule", "on-failure", rule).await;
    let object = bed
        .until("EcsRule", "on-failure", "it to follow events", |object| {
            object["status"]["since"].is_string()
        })
        .await;
    let since: Timestamp = object["status"]["since"].as_str().unwrap().parse().unwrap();
    until("the second to be over", LIMIT, async || {
        Ok((Timestamp::now().as_second() > since.as_second()).then_some(()))
    })
    .await
    .unwrap();
    for (family, code) in [("other", "1"), ("first", "7")] {
        let definition = json!({"containerDefinitions": [container("app", &["exit", code])]});
        let task = run(&bed, family, definition).await;
        assert_eq!(task["containers"][0]["exitCode"].to_string(), code);
    }
    bed.until("EcsRule", "on-failure", "its task to end", |object| {
        object["status"]["tasks"][0]["exitCode"] == 7
    })
    .await;
    assert_eq!(started(&bed, "on-failure").await.len(), 1);
}

#[tokio::test]
async fn a_service_of_app_runner_runs_and_pauses() {
    let bed = bed("app-runner").await;
    let service = |paused: bool| {
        json!({
            "SourceConfiguration": {"ImageRepository": {
                "ImageIdentifier": IMAGE, "ImageRepositoryType": "ECR_PUBLIC",
                "ImageConfiguration": {"Port": "8080", "StartCommand": "serve"},
            }},
            "InstanceConfiguration": {"Cpu": "256", "Memory": "512"},
            "HealthCheckConfiguration": {
                "Protocol": "HTTP", "Path": "/", "Interval": 1, "HealthyThreshold": 1,
            },
            "AutoScalingConfiguration": {"MinSize": 1, "MaxSize": 2},
            "paused": paused,
        })
    };
    let until_status = async |status: &str| {
        bed.until("AppRunnerService", "hello", status, |object| {
            object["status"]["status"] == status
                && object["status"]["requested"]["generation"] == object["metadata"]["generation"]
        })
        .await
    };
    let pods = async || bed.api::<Pod>().list(&ListParams::default()).await.unwrap();

    bed.must_apply("AppRunnerService", "hello", service(true))
        .await;
    until_status("PAUSED").await;
    assert!(pods().await.items.is_empty());
    // No load balancer has to take notice that a task goes.
    let at_once = json!({"metadata": {"annotations": {
        "ecs-operator.dev/deregistration-delay-seconds": "0",
    }}});
    bed.resources("AppRunnerService")
        .patch("hello", &PatchParams::default(), &Patch::Merge(at_once))
        .await
        .unwrap();
    bed.must_apply("AppRunnerService", "hello", service(false))
        .await;
    until_status("RUNNING").await;
    let ready = pods().await.iter().any(|pod| {
        let status = pod.status.iter();
        let mut conditions = status.flat_map(|status| status.conditions.iter().flatten());
        conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
    });
    assert!(ready, "it answers the health check");

    bed.must_apply("AppRunnerService", "hello", service(true))
        .await;
    let object = until_status("PAUSED").await;
    assert_eq!(object["status"]["operations"][0]["type"], "PAUSE_SERVICE");
    until("its instances to be gone", LIMIT, async || {
        Ok(pods().await.items.is_empty().then_some(()))
    })
    .await
    .unwrap();
}
