//! Measures what schedules and pipes cost that start tasks: `cargo xtask bench operator --starters`

use std::time::Duration;

use anyhow::{Context as _, Result};
use ecs_operator_testbed::until;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::{
    aws::{Aws, call},
    bed::{Bed, LIMIT},
    plain::{self, CONCURRENCY},
    process, shop,
    support::{self, Operator},
};

/// How many schedules there are, all of which are due each minute.
const SCHEDULES: usize = 200;
/// How many pipes there are, whose queues are empty.
const PIPES: usize = 50;
/// How many messages one of the queues gets.
const MESSAGES: usize = 1000;
/// The duration of a measurement.
const MINUTE: Duration = Duration::from_mins(1);

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/shop";

pub async fn run() -> Result<()> {
    let mut bed = Bed::without_operator().await?;
    let aws = Aws::start(&bed.plane).await;
    let flags = [
        format!("--namespaces={}", bed.namespace.name()),
        "--sqs".to_owned(),
        format!("--sqs-endpoint={}", aws.url),
        format!("--sqs-ca-file={}", aws.authorities),
    ];
    let flags = flags.each_ref().map(String::as_str);
    let operator = Operator::start_in(&aws.environment, &bed.plane, "operator", &flags);
    bed.operator = Some(operator.await?);
    bed.operator().leads().await;
    bed.quiet().await?;
    crate::start::memory(&bed, "before");

    let queues: Vec<Value> = stream::iter(0..PIPES)
        .map(async |number| queue(&aws, number).await)
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    for (number, queue) in queues.iter().enumerate() {
        apply(&bed, "EcsPipe", &format!("pipe-{number}"), pipe(queue)).await?;
    }
    until_ready(&bed, "EcsPipe", PIPES).await?;
    minute(&bed, &format!("{PIPES} pipes of empty queues")).await?;

    let start = std::time::Instant::now();
    stream::iter(0..MESSAGES)
        .map(Ok)
        .try_for_each_concurrent(CONCURRENCY, async |number| {
            send(&aws, &queues[0], number).await
        })
        .await?;
    println!(
        "  {MESSAGES} messages sent to one queue in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    until("a task for each message", LIMIT, async || {
        Ok((tasks(&bed, "ecs-operator.dev/pipe=pipe-0").await? >= MESSAGES).then_some(()))
    })
    .await?;
    println!(
        "  their EcsTasks exist {:.1} s after the first was sent",
        start.elapsed().as_secs_f64()
    );
    bed.quiet().await?;
    crate::start::memory(&bed, "with their EcsTasks");

    for number in 0..SCHEDULES {
        apply(
            &bed,
            "EcsSchedule",
            &format!("schedule-{number}"),
            schedule(),
        )
        .await?;
    }
    until_ready(&bed, "EcsSchedule", SCHEDULES).await?;
    let before = tasks(&bed, "ecs-operator.dev/schedule").await?;
    minute(
        &bed,
        &format!("{SCHEDULES} schedules that are due each minute, and the pipes"),
    )
    .await?;
    let started = tasks(&bed, "ecs-operator.dev/schedule").await? - before;
    println!("    they started {started} EcsTasks");
    crate::start::memory(&bed, "with all of them");
    Ok(())
}

/// Measures the operator for a minute.
async fn minute(bed: &Bed, what: &str) -> Result<()> {
    let id = bed.operator().process().context("the operator has ended")?;
    let requests = bed.requests().await?;
    let processor = process::processor_seconds(id).context("Linux tells no times")?;
    // Nothing has to happen except time passing.
    tokio::time::sleep(MINUTE).await;
    let processor = process::processor_seconds(id).context("Linux tells no times")? - processor;
    let requests = bed.requests().await?.since(&requests);
    println!(
        "  {what}, for a minute: {processor:.2} s of a processor; requests to the API server: {requests}"
    );
    Ok(())
}

async fn apply(bed: &Bed, kind: &str, name: &str, spec: Value) -> Result<()> {
    support::apply(&bed.user, bed.namespace.name(), kind, name, spec).await?;
    Ok(())
}

async fn until_ready(bed: &Bed, kind: &str, count: usize) -> Result<()> {
    let version = "ecs-operator.dev/v1alpha1";
    let api = plain::api(&bed.user, bed.namespace.name(), version, kind);
    let what = format!("each {kind} to be ready");
    until(&what, LIMIT, async || {
        let all = api.list(&ListParams::default()).await?;
        let ready = all.iter().filter(|object| {
            let conditions = object.data["status"]["conditions"].as_array();
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|it| it["type"] == "Ready" && it["status"] == "True")
        });
        Ok((ready.count() >= count).then_some(()))
    })
    .await
}

/// Returns how many EcsTasks have a label.
async fn tasks(bed: &Bed, label: &str) -> Result<usize> {
    let version = "ecs-operator.dev/v1alpha1";
    let api = plain::api(&bed.user, bed.namespace.name(), version, "EcsTask");
    let listed = api
        .list_metadata(&ListParams::default().labels(label))
        .await?;
    Ok(listed.items.len())
}

fn schedule() -> Value {
    json!({
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": CLUSTER, "EcsParameters": {"TaskDefinitionArn": shop::FAMILY}},
    })
}

/// A pipe of a queue, as `CreateQueue` has answered.
fn pipe(queue: &Value) -> Value {
    let name = queue["QueueUrl"].as_str().unwrap().rsplit('/').next();
    json!({
        "Source": format!("arn:aws:sqs:eu-west-1:123456789012:{}", name.unwrap()),
        "Target": CLUSTER,
        "TargetParameters": {"EcsTaskParameters": {"TaskDefinitionArn": shop::FAMILY}},
    })
}

async fn queue(aws: &Aws, number: usize) -> Result<Value> {
    let target = ("sqs", "AmazonSQS.CreateQueue");
    let body = json!({"QueueName": format!("queue-{number}")});
    Ok(call(&aws.client(), target, &body).await?)
}

async fn send(aws: &Aws, queue: &Value, number: usize) -> Result<()> {
    let target = ("sqs", "AmazonSQS.SendMessage");
    let body = json!({"QueueUrl": queue["QueueUrl"], "MessageBody": number.to_string()});
    call(&aws.client(), target, &body).await?;
    Ok(())
}
