//! Rules for the events of a bus, which come by a queue that an emulator of SQS has.

use std::{collections::BTreeMap, time::Duration};

use ecs_operator_testbed::{ControlPlane, Options, until};
use kube::{
    Client, ResourceExt as _,
    api::{DynamicObject, ListParams},
};
use serde_json::{Value, json};

use crate::{
    aws::{Aws, call},
    rules::follow,
    support::{Bed, Operator, condition, install, job_definition},
};

/// How long it may take until all events are done, with those that come again after a while.
const LIMIT: Duration = Duration::from_mins(4);

/// The ARN and the visibility timeout of the queue of events.
const QUEUE: (&str, &str) = ("arn:aws:sqs:eu-west-1:123456789012:events", "5");

/// A control plane, an emulator of SQS with a queue of events, and the flags of an operator that reads it.
struct Cloud {
    // The emulator ends before its folder is removed.
    aws: Aws,
    client: Client,
    urls: BTreeMap<&'static str, String>,
    flags: Vec<String>,
    plane: ControlPlane,
}

impl Cloud {
    async fn start() -> Self {
        let plane = ControlPlane::start_with(&Options::default()).await.unwrap();
        install(&plane).await.unwrap();
        let aws = Aws::start(&plane).await;
        let client = aws.client();
        let mut urls = BTreeMap::new();
        let failures = json!({"QueueName": "failures"});
        let redrive = json!({
            "deadLetterTargetArn": "arn:aws:sqs:eu-west-1:123456789012:failures",
            "maxReceiveCount": 3,
        });
        let attributes =
            json!({"VisibilityTimeout": QUEUE.1, "RedrivePolicy": redrive.to_string()});
        let events = json!({"QueueName": "events", "Attributes": attributes});
        for (name, body) in [("failures", failures), ("events", events)] {
            let created = call(&client, ("sqs", "AmazonSQS.CreateQueue"), &body).await;
            let url = created.unwrap()["QueueUrl"].as_str().unwrap().to_owned();
            urls.insert(name, url);
        }
        let flags = vec![
            "--tenancy=multiple".to_owned(),
            "--sqs".to_owned(),
            format!("--sqs-endpoint={}", aws.url),
            format!("--sqs-ca-file={}", aws.authorities),
            format!("--event-queue={}", QUEUE.0),
        ];
        Self {
            aws,
            client,
            urls,
            flags,
            plane,
        }
    }

    async fn operator(&self, name: &str) -> Operator {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let operator = Operator::start_in(&self.aws.environment, &self.plane, name, &flags);
        operator.await.unwrap()
    }

    async fn bed(&self, prefix: &str) -> Bed {
        let bed = Bed::new(&self.plane.kubeconfig(), prefix).await;
        bed.must_apply("EcsTaskDefinition", "job", job_definition("testbed/exit:0"))
            .await;
        bed
    }

    async fn send(&self, body: &str) {
        let body = json!({"QueueUrl": self.urls["events"], "MessageBody": body});
        call(&self.client, ("sqs", "AmazonSQS.SendMessage"), &body)
            .await
            .unwrap();
    }

    async fn has(&self, queue: &str, count: usize) {
        let names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ];
        let body = json!({"QueueUrl": self.urls[queue], "AttributeNames": names});
        until("the queue to have some messages", LIMIT, async || {
            let answer = call(&self.client, ("sqs", "AmazonSQS.GetQueueAttributes"), &body);
            let attributes = answer.await.unwrap()["Attributes"].clone();
            let count_of =
                |name: &&str| -> usize { attributes[name].as_str().unwrap().parse().unwrap() };
            Ok((names.iter().map(count_of).sum::<usize>() == count).then_some(()))
        })
        .await
        .unwrap();
    }
}

fn event(number: usize, source: &str) -> String {
    let event = json!({
        "version": "0", "id": format!("event-{number}"), "source": source,
        "detail-type": "Order placed", "account": "123456789012", "region": "eu-west-1",
        // Whoever puts it on a bus chooses it.
        "time": "2020-01-01T00:00:00Z", "resources": [], "detail": {"order": number},
    });
    event.to_string()
}

/// A rule for orders, whose tasks get the number of theirs.
fn rule(source: &str) -> Value {
    let overrides = r#"{"containerOverrides": [{"name": "app", "environment": [{"name": "ORDER", "value": "<order>"}]}]}"#;
    let target = |id: &str| {
        json!({
            "Id": id,
            "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "EcsParameters": {"TaskDefinitionArn": "job"},
            "InputTransformer": {
                "InputPathsMap": {"order": "$.detail.order"}, "InputTemplate": overrides,
            },
        })
    };
    json!({
        "EventBusName": "orders",
        "EventPattern": json!({"source": [source]}).to_string(),
        "Targets": [target("one"), target("two")],
    })
}

async fn tasks(bed: &Bed) -> Vec<DynamicObject> {
    let all = ListParams::default();
    bed.resources("EcsTask").list(&all).await.unwrap().items
}

/// The orders of the EcsTasks of a namespace, and how many EcsTasks each has.
async fn orders(bed: &Bed) -> BTreeMap<String, usize> {
    let mut orders = BTreeMap::new();
    for task in tasks(bed).await {
        let overrides = &task.data["spec"]["overrides"]["containerOverrides"][0];
        let order = overrides["environment"][0]["value"].as_str().unwrap();
        *orders.entry(order.to_owned()).or_default() += 1;
    }
    orders
}

async fn until_orders(bed: &Bed, count: usize) {
    until("tasks of some events", LIMIT, async || {
        Ok((orders(bed).await.len() >= count).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn each_rule_starts_its_tasks_once_also_if_the_operator_is_killed() {
    let cloud = Cloud::start().await;
    let (bed, other) = (cloud.bed("bus").await, cloud.bed("bus-other").await);
    let operator = cloud.operator("operator").await;
    for bed in [&bed, &other] {
        bed.allow(json!({"eventSources": ["shop.*"]})).await;
        follow(bed, "orders", rule("shop.orders")).await;
    }
    // Nobody is in the way of what is no event, or of one that nobody wants.
    cloud.send("{\"hunter2\": 1}").await;
    cloud.send(&event(99, "shop.returns")).await;
    for number in 0..20 {
        cloud.send(&event(number, "shop.orders")).await;
    }
    until_orders(&bed, 2).await;
    operator.signal("KILL").unwrap();
    let operator = cloud.operator("operator").await;
    until_orders(&bed, 12).await;
    operator.signal("KILL").unwrap();
    let operator = cloud.operator("operator").await;
    cloud.has("events", 0).await;
    cloud.has("failures", 1).await;
    // Two targets of each rule have started a task for each event.
    let expected: BTreeMap<String, usize> = (0..20).map(|it| (it.to_string(), 2)).collect();
    assert_eq!(orders(&bed).await, expected);
    assert_eq!(orders(&other).await, expected);
    let task = &tasks(&bed).await[0];
    assert_eq!(task.labels()["ecs-operator.dev/rule"], "orders");
    let object = bed.resources("EcsRule").get("orders").await.unwrap();
    let object = json!(object);
    assert_eq!(object["status"].get("warnings"), None, "{object}");
    assert_eq!(condition(&object, "Ready")["reason"], "MatchesEvents");
    assert!(!operator.last_words().contains("hunter2"));
}

#[tokio::test]
async fn a_namespace_gets_only_events_of_sources_that_a_policy_allows() {
    let cloud = Cloud::start().await;
    let bed = cloud.bed("bus-policy").await;
    let _operator = cloud.operator("operator").await;
    bed.allow(json!({"eventSources": ["shop.orders"]})).await;
    follow(&bed, "orders", rule("shop.orders")).await;
    follow(&bed, "returns", rule("shop.returns")).await;
    cloud.send(&event(1, "shop.returns")).await;
    cloud.send(&event(2, "shop.orders")).await;
    until_orders(&bed, 1).await;
    let note = bed.event("returns", "NotAllowedByPolicy").await;
    assert!(note.contains("eventSources"), "{note}");
    cloud.has("events", 0).await;
    assert_eq!(orders(&bed).await, BTreeMap::from([("2".to_owned(), 2)]));
}
