//! Pipes, which start tasks for the messages of queues that an emulator of SQS has.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    time::Duration,
};

use ecs_operator_testbed::{ControlPlane, Options, until};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Client, ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    aws::{Aws, call},
    support::{Bed, Operator, at_rest, condition, install, job_definition, policies},
};

/// How long it may take until all messages of a queue are done, with those that come again after a while.
const LIMIT: Duration = Duration::from_mins(4);

/// What no log, event or status may have.
const SECRET: &str = "hunter2";

/// A control plane, an emulator of SQS, and the flags of an operator that reads it.
pub struct Cloud {
    // The emulator ends before its folder is removed.
    aws: Aws,
    flags: Vec<String>,
    plane: ControlPlane,
}

impl Cloud {
    pub async fn start() -> Self {
        let plane = ControlPlane::start_with(&Options::default()).await.unwrap();
        install(&plane).await.unwrap();
        let aws = Aws::start(&plane).await;
        let flags = vec![
            "--tenancy=multiple".to_owned(),
            "--sqs".to_owned(),
            format!("--sqs-endpoint={}", aws.url),
            format!("--sqs-ca-file={}", aws.authorities),
        ];
        Self { aws, flags, plane }
    }

    pub async fn operator(&self, name: &str) -> Operator {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let operator = Operator::start_in(&self.aws.environment, &self.plane, name, &flags);
        operator.await.unwrap()
    }

    /// A namespace with a task definition, whose pipes may read the queues that begin with its name.
    pub async fn bed(&self, prefix: &str, image: &str) -> Bed {
        let bed = Bed::new(&self.plane.kubeconfig(), prefix).await;
        bed.must_apply("EcsTaskDefinition", "job", job_definition(image))
            .await;
        // The queues that begin with its name.
        let queues = format!("arn:aws:sqs:eu-west-1:*:{}-*", bed.namespace.name());
        bed.allow(json!({"queues": [queues]})).await;
        bed
    }

    pub async fn queue(&self, bed: &Bed, suffix: &str, attributes: Value) -> Queue {
        let name = format!("{}-{suffix}", bed.namespace.name());
        let queue = Queue::create(self.aws.client(), &name, attributes);
        queue.await
    }
}

/// The cloud that tests share, and its operator.
pub async fn shared() -> &'static (Operator, Cloud) {
    static SHARED: OnceCell<(Operator, Cloud)> = OnceCell::const_new();
    let start = async || {
        let cloud = Cloud::start().await;
        (cloud.operator("operator").await, cloud)
    };
    SHARED.get_or_init(start).await
}

/// A queue.
pub struct Queue {
    client: Client,
    url: String,
    pub arn: String,
}

impl Queue {
    async fn create(client: Client, name: &str, attributes: Value) -> Self {
        let mut queue = Self {
            client,
            url: String::new(),
            arn: format!("arn:aws:sqs:eu-west-1:123456789012:{name}"),
        };
        let body = json!({"QueueName": name, "Attributes": attributes});
        let created = queue.call("CreateQueue", body).await;
        created["QueueUrl"]
            .as_str()
            .unwrap()
            .clone_into(&mut queue.url);
        queue
    }

    async fn call(&self, operation: &str, mut body: Value) -> Value {
        if !self.url.is_empty() {
            body["QueueUrl"] = json!(self.url);
        }
        let target = format!("AmazonSQS.{operation}");
        call(&self.client, ("sqs", &target), &body).await.unwrap()
    }

    pub async fn send(&self, body: &Value) {
        let body = json!({"MessageBody": body.to_string()});
        self.call("SendMessage", body).await;
    }

    async fn send_to(&self, group: &str, body: &Value) {
        let body = json!({"MessageBody": body.to_string(), "MessageGroupId": group});
        self.call("SendMessage", body).await;
    }

    /// Waits for some messages and deletes them. Returns the JSON of each, and the texts of its attributes.
    pub async fn receive(&self, count: usize) -> Vec<(Value, Value)> {
        let received = until("messages", LIMIT, async || {
            let body = json!({"MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10});
            let answer = self.call("ReceiveMessage", body).await;
            let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
            Ok((messages.len() >= count).then_some(messages))
        });
        let received = received.await.unwrap();
        let mut messages = Vec::new();
        for message in received {
            let receipt = json!({"ReceiptHandle": message["ReceiptHandle"]});
            self.call("DeleteMessage", receipt).await;
            let attributes = message["MessageAttributes"].as_object();
            let attributes: serde_json::Map<String, Value> = attributes
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value["StringValue"].clone()))
                .collect();
            let body = serde_json::from_str(message["Body"].as_str().unwrap());
            messages.push((body.unwrap(), Value::Object(attributes)));
        }
        messages
    }

    /// How many messages it has, with those that someone has received and not deleted.
    pub async fn len(&self) -> usize {
        let names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ];
        let answer = self.call("GetQueueAttributes", json!({"AttributeNames": names}));
        let attributes = answer.await["Attributes"].clone();
        let count = |name: &&str| -> usize { attributes[name].as_str().unwrap().parse().unwrap() };
        names.iter().map(count).sum()
    }

    pub async fn has(&self, count: usize) {
        until("the queue to have some messages", LIMIT, async || {
            Ok((self.len().await == count).then_some(()))
        })
        .await
        .unwrap();
    }
}

/// A pipe whose tasks get the number of an order.
pub fn pipe(queue: &Queue) -> Value {
    json!({
        "Source": queue.arn,
        "SourceParameters": {"FilterCriteria": {"Filters": [
            {"Pattern": r#"{"body":{"kind":["order"]}}"#},
        ]}},
        "Target": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
        "TargetParameters": {"EcsTaskParameters": {
            "TaskDefinitionArn": "job",
            "Overrides": {"ContainerOverrides": [{
                "Name": "app",
                "Environment": [{"name": "ORDER", "value": "$.body.order"}],
            }]},
        }},
    })
}

pub fn order(number: usize) -> Value {
    json!({"kind": "order", "order": format!("{SECRET}-{number}")})
}

pub async fn tasks(bed: &Bed, pipe: &str) -> Vec<DynamicObject> {
    let of_it = ListParams::default().labels(&format!("ecs-operator.dev/pipe={pipe}"));
    bed.resources("EcsTask").list(&of_it).await.unwrap().items
}

/// The orders of the EcsTasks of a pipe, and how many EcsTasks each has.
pub async fn orders(bed: &Bed, pipe: &str) -> BTreeMap<String, usize> {
    let mut orders = BTreeMap::new();
    for task in tasks(bed, pipe).await {
        let overrides = &task.data["spec"]["overrides"]["containerOverrides"][0];
        let order = &overrides["environment"][0]["value"];
        *orders
            .entry(order.as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    orders
}

pub fn each_once(count: usize) -> BTreeMap<String, usize> {
    let orders = (0..count).map(|number| (format!("{SECRET}-{number}"), 1));
    orders.collect()
}

pub async fn until_orders(bed: &Bed, pipe: &str, count: usize) {
    until("tasks of some messages", LIMIT, async || {
        let orders = orders(bed, pipe).await;
        Ok((orders.len() >= count).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn each_message_starts_one_task_and_what_cannot_stays_for_the_queue_of_failures() {
    let (operator, cloud) = shared().await;
    let bed = cloud.bed("pipe", "testbed/exit:0").await;
    let failures = cloud.queue(&bed, "failures", json!({})).await;
    let redrive = json!({"deadLetterTargetArn": failures.arn, "maxReceiveCount": 2});
    let attributes = json!({"VisibilityTimeout": "5", "RedrivePolicy": redrive.to_string()});
    let queue = cloud.queue(&bed, "orders", attributes).await;
    for number in 0..40 {
        queue.send(&order(number)).await;
        if number % 8 == 0 {
            queue.send(&json!({"kind": "other", "order": SECRET})).await;
        }
        if number % 10 == 0 {
            queue.send(&json!({"kind": "order", "other": SECRET})).await;
        }
    }
    let mut spec = pipe(&queue);
    spec["RoleArn"] = json!("arn:aws:iam::123456789012:role/pipe");
    bed.must_apply("EcsPipe", "orders", spec).await;
    queue.has(0).await;
    failures.has(4).await;
    assert_eq!(orders(&bed, "orders").await, each_once(40));

    let object = bed
        .until("EcsPipe", "orders", "its counts", |object| {
            let status = &object["status"];
            status["started"] == 40 && status["filtered"] == 5
        })
        .await;
    let status = &object["status"];
    assert_eq!(status["currentState"], "RUNNING", "{status}");
    assert!(status["refused"].as_i64() >= Some(4), "{status}");
    assert_eq!(status["failures"][0]["reason"], "PipeParameterMissing");
    assert_eq!(condition(&object, "Ready")["reason"], "ReceivesMessages");
    assert_eq!(status["tasks"].as_array().unwrap().len(), 10);
    let note = bed.event("orders", "PipeParameterMissing").await;
    assert!(note.contains("$.body.order"), "{note}");
    let task = &tasks(&bed, "orders").await[0];
    assert_eq!(task.data["spec"]["startedBy"], "pipes/orders");
    assert_eq!(task.data["spec"]["ttlSecondsAfterFinished"], 3600);

    // Nothing of a message is told but by its EcsTask.
    let events = bed.api::<Event>().list(&ListParams::default()).await;
    let events = serde_json::to_string(&events.unwrap().items).unwrap();
    for text in [object.to_string(), events, operator.last_words()] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

/// How many messages a pipe gets whose operator is killed: 60, or what `PIPE_MESSAGES` says.
fn messages() -> usize {
    let given = env::var("PIPE_MESSAGES").ok();
    given.map_or(60, |given| given.parse().unwrap())
}

#[tokio::test]
async fn an_operator_that_is_killed_loses_no_message_and_starts_none_twice() {
    let cloud = Cloud::start().await;
    let bed = cloud.bed("pipe-killed", "testbed/exit:0").await;
    let attributes = json!({"VisibilityTimeout": "5"});
    let queue = cloud.queue(&bed, "orders", attributes).await;
    let messages = messages();
    for number in 0..messages {
        queue.send(&order(number)).await;
    }
    let mut spec = pipe(&queue);
    spec["maxInFlight"] = json!(4);
    bed.must_apply("EcsPipe", "orders", spec).await;
    for share in [5, 24, 42, 68] {
        let count = messages * share / 100;
        let operator = cloud.operator("operator").await;
        until_orders(&bed, "orders", count).await;
        operator.signal("KILL").unwrap();
    }
    let _operator = cloud.operator("operator").await;
    queue.has(0).await;
    assert_eq!(orders(&bed, "orders").await, each_once(messages));
}

#[tokio::test]
async fn a_group_of_a_fifo_queue_waits_for_its_message_that_cannot_start_a_task() {
    let (_, cloud) = shared().await;
    let bed = cloud.bed("pipe-fifo", "testbed/exit:0").await;
    let fifo = |more: Value| {
        let mut attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
        attributes
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        attributes
    };
    let failures = cloud.queue(&bed, "failures.fifo", fifo(json!({}))).await;
    let attributes = fifo(json!({"VisibilityTimeout": "5"}));
    let queue = cloud.queue(&bed, "orders.fifo", attributes).await;
    for number in [0, 1] {
        queue.send_to("a", &order(number)).await;
    }
    queue.send_to("a", &json!({"kind": "order"})).await;
    for number in [4, 5] {
        queue.send_to("a", &order(number)).await;
    }
    for number in [2, 3] {
        queue.send_to("b", &order(number)).await;
    }
    bed.must_apply("EcsPipe", "orders", pipe(&queue)).await;
    until_orders(&bed, "orders", 4).await;
    bed.until("EcsPipe", "orders", "it to come again", |object| {
        object["status"]["refused"].as_i64() >= Some(2)
    })
    .await;
    assert_eq!(orders(&bed, "orders").await, each_once(4));
    // A message that becomes visible while the emulator counts is in neither of its numbers.
    queue.has(3).await;

    let redrive = json!({"deadLetterTargetArn": failures.arn, "maxReceiveCount": 2});
    let attributes = json!({"Attributes": {"RedrivePolicy": redrive.to_string()}});
    queue.call("SetQueueAttributes", attributes).await;
    queue.has(0).await;
    assert_eq!(failures.len().await, 1);
    assert_eq!(orders(&bed, "orders").await, each_once(6));
}

#[tokio::test]
async fn no_more_tasks_run_than_may() {
    let (_, cloud) = shared().await;
    let bed = cloud.bed("pipe-limit", "testbed/web").await;
    let queue = cloud.queue(&bed, "orders", json!({})).await;
    for number in 0..8 {
        queue.send(&order(number)).await;
    }
    let mut spec = pipe(&queue);
    spec["maxRunningTasks"] = json!(3);
    bed.must_apply("EcsPipe", "orders", spec).await;
    let names = async || -> BTreeSet<String> {
        let tasks = tasks(&bed, "orders").await;
        tasks.iter().map(DynamicObject::name_any).collect()
    };
    until_orders(&bed, "orders", 3).await;
    let first = at_rest("the tasks", async || (names().await, queue.len().await)).await;
    assert_eq!((first.0.len(), first.1), (3, 5));
    let stopped = first.0.first().unwrap();
    let params = DeleteParams::default();
    let deleted = bed.resources("EcsTask").delete(stopped, &params).await;
    deleted.unwrap();
    queue.has(4).await;
    let others = at_rest("the tasks", async || (names().await, queue.len().await)).await;
    assert_eq!((others.0.len(), others.1), (3, 4));
    assert!(!others.0.contains(stopped));
}

#[tokio::test]
async fn a_namespace_reads_only_the_queues_that_a_policy_allows() {
    let (_, cloud) = shared().await;
    let owner = cloud.bed("pipe-owner", "testbed/exit:0").await;
    let other = cloud.bed("pipe-other", "testbed/exit:0").await;
    let queue = cloud.queue(&owner, "orders", json!({})).await;
    queue.send(&order(0)).await;
    other.must_apply("EcsPipe", "orders", pipe(&queue)).await;
    let object = other
        .until("EcsPipe", "orders", "it to be refused", |object| {
            object["status"]["currentState"] == "CREATE_FAILED"
        })
        .await;
    let accepted = condition(&object, "Accepted");
    assert_eq!(accepted["status"], "False");
    assert_eq!(accepted["reason"], "NotAllowedByPolicy");
    let why = object["status"]["stateReason"].as_str().unwrap();
    let line = format!(r#"spec.allow.queues: ["{}"]"#, queue.arn);
    assert!(
        why.starts_with("Source: the queue arn") && why.contains(&line),
        "{why}"
    );

    // The namespace that may gets the message that was there before.
    owner.must_apply("EcsPipe", "orders", pipe(&queue)).await;
    queue.has(0).await;
    assert_eq!(orders(&owner, "orders").await, each_once(1));
    assert_eq!(orders(&other, "orders").await, each_once(0));

    // Without its policy it reads no more.
    let name = owner.namespace.name();
    let deleted = policies(&owner.client)
        .delete(name, &DeleteParams::default())
        .await;
    deleted.unwrap();
    owner
        .condition("EcsPipe", "orders", "Accepted", "False")
        .await;
    queue.send(&order(1)).await;
    let seen = at_rest("the queue", async || {
        (queue.len().await, orders(&owner, "orders").await)
    });
    assert_eq!(seen.await, (1, each_once(1)));
}

#[tokio::test]
async fn a_pipe_that_is_stopped_receives_nothing() {
    let (_, cloud) = shared().await;
    let bed = cloud.bed("pipe-stopped", "testbed/exit:0").await;
    let queue = cloud.queue(&bed, "orders", json!({})).await;
    let mut spec = pipe(&queue);
    bed.must_apply("EcsPipe", "orders", spec.clone()).await;
    queue.send(&order(0)).await;
    until_orders(&bed, "orders", 1).await;
    spec["DesiredState"] = json!("STOPPED");
    bed.must_apply("EcsPipe", "orders", spec.clone()).await;
    let object = bed
        .until("EcsPipe", "orders", "it to stop", |object| {
            object["status"]["currentState"] == "STOPPED"
        })
        .await;
    assert_eq!(condition(&object, "Ready")["reason"], "PipeStopped");
    queue.send(&order(1)).await;
    let seen = at_rest("the queue", async || {
        (queue.len().await, orders(&bed, "orders").await)
    });
    assert_eq!(seen.await, (1, each_once(1)));
    spec["DesiredState"] = json!("RUNNING");
    bed.must_apply("EcsPipe", "orders", spec).await;
    queue.has(0).await;
    assert_eq!(orders(&bed, "orders").await, each_once(2));
}

#[tokio::test]
async fn a_pipe_says_why_its_queue_cannot_be_read() {
    let (_, cloud) = shared().await;
    let bed = cloud.bed("pipe-missing", "testbed/exit:0").await;
    let queue = cloud.queue(&bed, "orders", json!({})).await;
    let mut spec = pipe(&queue);
    spec["Source"] = json!(format!("{}-gone", queue.arn));
    bed.must_apply("EcsPipe", "orders", spec).await;
    let object = bed
        .until("EcsPipe", "orders", "it to fail", |object| {
            object["status"]["currentState"] == "START_FAILED"
        })
        .await;
    assert_eq!(condition(&object, "Ready")["reason"], "QueueUnavailable");
    let why = object["status"]["stateReason"].as_str().unwrap();
    assert!(why.starts_with("there is no queue arn:aws:sqs"), "{why}");

    // An operator that reads no queues says so.
    let other = crate::bed("pipe-disabled").await;
    other.must_apply("EcsPipe", "orders", pipe(&queue)).await;
    let object = other
        .until("EcsPipe", "orders", "it to fail", |object| {
            object["status"]["currentState"] == "START_FAILED"
        })
        .await;
    let ready = condition(&object, "Ready");
    assert_eq!(ready["reason"], "QueuesNotRead");
    let why = ready["message"].as_str().unwrap();
    assert!(
        why.contains("settings.sqs") && why.contains("--sqs"),
        "{why}"
    );
    assert_eq!(condition(&object, "Accepted")["status"], "True");
}
