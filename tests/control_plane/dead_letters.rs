//! Dead letters: what schedules and rules give up is sent to queues that an emulator of SQS has.

use serde_json::{Value, json};

use crate::{
    pipes::{Cloud, Queue, shared},
    rules::{follow, for_tasks, run},
    schedules::{each_minute, refuse_tasks},
    support::{Bed, condition, job_definition},
};

/// A schedule that gives up its start at the first failure.
fn impatient(queue: &str) -> Value {
    let mut schedule = each_minute("job");
    schedule["ScheduleExpression"] = json!("rate(1 day)");
    let target = &mut schedule["Target"];
    target["Input"] = json!(
        r#"{"containerOverrides": [{"name": "app", "command": ["<aws.scheduler.execution-id>"]}]}"#
    );
    target["RetryPolicy"] = json!({"MaximumRetryAttempts": 0});
    target["DeadLetterConfig"] = json!({"Arn": queue});
    schedule
}

fn warnings(object: &Value) -> Vec<&str> {
    let warnings = object["status"]["warnings"].as_array();
    let warnings = warnings.into_iter().flatten();
    warnings.filter_map(|it| it["reason"].as_str()).collect()
}

async fn bed(prefix: &str) -> (&'static Cloud, Bed, Queue) {
    let (_, cloud) = shared().await;
    let bed = cloud.bed(prefix, "testbed/exit:0").await;
    let queue = cloud.queue(&bed, "dead", json!({})).await;
    (cloud, bed, queue)
}

#[tokio::test]
async fn a_schedule_sends_what_it_gives_up_to_its_queue() {
    let (_, bed, queue) = bed("dead-schedule").await;
    refuse_tasks(&bed).await;
    bed.must_apply("EcsSchedule", "nightly", impatient(&queue.arn))
        .await;
    let messages = queue.receive(1).await;
    let object = bed
        .until("EcsSchedule", "nightly", "its failure", |object| {
            object["status"]["failures"][0]["reason"] == "TargetInvocationFailed"
        })
        .await;
    let due = object["status"]["failures"][0]["due"].as_str().unwrap();
    let execution = format!(
        "nightly-{}",
        due.replace(['-', ':', 'Z'], "").replace('T', "-")
    );
    let (body, attributes) = &messages[0];
    assert_eq!(body["taskDefinition"], "job", "{body}");
    let command = &body["overrides"]["containerOverrides"][0]["command"][0];
    assert_eq!(*command, execution);
    let message = attributes["ERROR_MESSAGE"].clone();
    assert!(
        message
            .as_str()
            .is_some_and(|it| it.contains("no tasks today")),
        "{message}"
    );
    let expected = json!({
        "ERROR_CODE": "TargetInvocationFailed",
        "ERROR_MESSAGE": message,
        "EXECUTION_ID": execution,
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": due,
        "SCHEDULE_ARN": "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/nightly",
        "TARGET_ARN": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
    });
    assert_eq!(*attributes, expected);
    assert_eq!(warnings(&object), [] as [&str; 0]);
    queue.has(0).await;
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_is_told_and_the_start_is_on_record() {
    let (_, bed, queue) = bed("dead-refused").await;
    refuse_tasks(&bed).await;
    let (missing, foreign) = (
        queue.arn.replace("-dead", "-missing"),
        "arn:aws:sqs:eu-west-1:123456789012:of-others",
    );
    for (name, arn, expected, warned) in [
        ("missing", missing.as_str(), "there is no queue", vec![]),
        (
            "foreign",
            foreign,
            "an EcsPolicy with",
            vec!["DeadLetterQueueUnused"],
        ),
    ] {
        bed.must_apply("EcsSchedule", name, impatient(arn)).await;
        let note = bed.event(name, "DeadLetterNotSent").await;
        assert!(note.contains(expected) && note.contains(arn), "{note}");
        let object = bed
            .until("EcsSchedule", name, "its failure", |object| {
                object["status"]["failures"][0]["reason"] == "TargetInvocationFailed"
            })
            .await;
        assert_eq!(condition(&object, "Ready")["status"], "True");
        assert_eq!(warnings(&object), warned, "{name}");
    }
}

#[tokio::test]
async fn a_target_sends_the_event_that_it_gives_up_to_its_queue() {
    let (_, bed, queue) = bed("dead-rule").await;
    bed.must_apply(
        "EcsTaskDefinition",
        "first",
        job_definition("testbed/exit:0"),
    )
    .await;
    let stopped = json!({"lastStatus": ["STOPPED"], "group": ["family:first"]});
    let mut spec = for_tasks(stopped);
    spec["Targets"][0]["EcsParameters"]["TaskDefinitionArn"] = json!("$.detail.nothing");
    spec["Targets"][0]["DeadLetterConfig"] = json!({"Arn": queue.arn});
    follow(&bed, "never", spec).await;
    run(&bed, "begin", "first").await;
    let messages = queue.receive(1).await;
    let (event, attributes) = &messages[0];
    assert_eq!(event["detail-type"], "ECS Task State Change", "{event}");
    assert_eq!(event["detail"]["lastStatus"], "STOPPED");
    let object = bed
        .until("EcsRule", "never", "it to give up", |object| {
            object["status"]["failed"] == 1
        })
        .await;
    let message = object["status"]["lastFailure"]["message"].clone();
    let expected = json!({
        "ERROR_CODE": "TargetInvocationFailed",
        "ERROR_MESSAGE": message,
        "RETRY_ATTEMPTS": "0",
        "RULE_ARN": "arn:aws:events:eu-west-1:123456789012:rule/never",
        "TARGET_ARN": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
    });
    assert_eq!(*attributes, expected);
    assert_eq!(warnings(&object), [] as [&str; 0]);
}
