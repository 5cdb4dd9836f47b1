//! Rules, which start tasks for what the tasks and services of their namespace do.

use std::{collections::BTreeMap, time::Duration};

use ecs_operator_testbed::{ControlPlane, until};
use k8s_openapi::{api::core::v1::Event, jiff::Timestamp};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams},
};
use serde_json::{Value, json};

use crate::{
    bed,
    support::{
        Bed, LIMIT, Operator, at_rest, condition, install, job_definition, task_definition, uid,
    },
};

/// How long it may take until tasks have ended that were started one after the other.
const LONG: Duration = Duration::from_mins(4);

/// A rule that runs `job` with what `template` makes of the values at `paths` in a variable.
fn rule(pattern: &Value, paths: &Value, template: &str) -> Value {
    let overrides = json!({"containerOverrides": [{
        "name": "app", "environment": [{"name": "WHAT", "value": template}],
    }]});
    json!({
        "EventPattern": pattern.to_string(),
        "Targets": [{
            "Id": "job",
            "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "EcsParameters": {"TaskDefinitionArn": "job"},
            "InputTransformer": {"InputPathsMap": paths, "InputTemplate": overrides.to_string()},
        }],
    })
}

/// A rule that says which task has got into a state.
pub fn for_tasks(detail: Value) -> Value {
    let pattern = json!({
        "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": detail,
    });
    let paths = json!({"task": "$.detail.taskArn", "state": "$.detail.lastStatus"});
    rule(&pattern, &paths, "<task> <state>")
}

/// Applies a rule, and waits until what happens from now on counts for it.
pub async fn follow(bed: &Bed, name: &str, spec: Value) {
    bed.must_apply("EcsRule", name, spec).await;
    bed.condition("EcsRule", name, "Ready", "True").await;
    let object = bed
        .until("EcsRule", name, "it to follow events", |object| {
            object["status"]["since"].is_string()
        })
        .await;
    let since: Timestamp = object["status"]["since"].as_str().unwrap().parse().unwrap();
    until("the second to be over", LIMIT, async || {
        Ok((Timestamp::now().as_second() > since.as_second()).then_some(()))
    })
    .await
    .unwrap();
}

async fn tasks(bed: &Bed, rule: &str) -> Vec<DynamicObject> {
    let of_it = ListParams::default().labels(&format!("ecs-operator.dev/rule={rule}"));
    bed.resources("EcsTask").list(&of_it).await.unwrap().items
}

/// What the EcsTasks of a rule were started for, and how many EcsTasks there are for it.
async fn reasons(bed: &Bed, rule: &str) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for task in tasks(bed, rule).await {
        let overrides = &task.data["spec"]["overrides"]["containerOverrides"][0];
        let what = overrides["environment"][0]["value"].as_str().unwrap();
        let what = what.rsplit('/').next().unwrap().to_owned();
        *reasons.entry(what).or_default() += 1;
    }
    reasons
}

async fn until_reasons(bed: &Bed, rule: &str, what: &str) {
    until(what, LONG, async || {
        Ok(reasons(bed, rule).await.contains_key(what).then_some(()))
    })
    .await
    .unwrap_or_else(|error| panic!("{error}"));
}

fn once(what: &[&str]) -> BTreeMap<String, usize> {
    what.iter().map(|what| ((*what).to_owned(), 1)).collect()
}

async fn define(bed: &Bed) {
    for (name, image) in [("first", "testbed/exit:0"), ("broken", "testbed/exit:3")] {
        bed.must_apply("EcsTaskDefinition", name, job_definition(image))
            .await;
    }
    bed.must_apply("EcsTaskDefinition", "job", job_definition("testbed/web"))
        .await;
}

/// Runs a task to its end.
pub async fn run(bed: &Bed, name: &str, family: &str) {
    bed.must_apply("EcsTask", name, json!({"taskDefinition": family}))
        .await;
    bed.until("EcsTask", name, "it to end", |object| {
        object["status"]["lastStatus"] == "STOPPED"
    })
    .await;
}

#[tokio::test]
async fn a_task_that_succeeds_starts_the_next_one_and_one_that_fails_does_not() {
    let bed = bed("rule").await;
    define(&bed).await;
    let detail = json!({
        "lastStatus": ["STOPPED"], "group": ["family:first", "family:broken"],
        "containers": {"exitCode": [0]},
    });
    let mut spec = for_tasks(detail);
    spec["RoleArn"] = json!("arn:aws:iam::123456789012:role/rule");
    follow(&bed, "next", spec).await;
    run(&bed, "bad", "broken").await;
    run(&bed, "good", "first").await;
    until_reasons(&bed, "next", "good-0 STOPPED").await;
    let object = bed
        .until("EcsRule", "next", "its counts", |object| {
            object["status"]["started"] == 1 && object["status"]["tasks"][0]["result"] == "Running"
        })
        .await;
    let status = &object["status"];
    assert_eq!(status["matched"], 1, "{status}");
    assert_eq!(status["state"], "ENABLED");
    assert_eq!(condition(&object, "Ready")["reason"], "MatchesEvents");
    assert_eq!(reasons(&bed, "next").await, once(&["good-0 STOPPED"]));
    let task = &tasks(&bed, "next").await[0];
    assert_eq!(task.data["spec"]["startedBy"], "events-rule/next");
    assert_eq!(task.annotations()["ecs-operator.dev/rule-depth"], "1");
    let good = bed.resources("EcsTask").get("good").await.unwrap();
    assert_eq!(status["lastMatchTime"], good.data["status"]["stoppedAt"]);

    // An EcsTask that somebody deletes is not started again.
    let params = DeleteParams::default();
    let api = bed.resources("EcsTask");
    api.delete(&task.name_any(), &params).await.unwrap();
    bed.gone_resource("EcsTask", &task.name_any()).await;
    run(&bed, "better", "first").await;
    until_reasons(&bed, "next", "better-0 STOPPED").await;
    assert_eq!(reasons(&bed, "next").await, once(&["better-0 STOPPED"]));
    // What it has started goes on without it.
    let rules = bed.resources("EcsRule");
    rules
        .delete("next", &DeleteParams::foreground())
        .await
        .unwrap();
    bed.gone_resource("EcsRule", "next").await;
    let left = tasks(&bed, "next").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].metadata.deletion_timestamp, None);
}

#[tokio::test]
async fn an_operator_that_is_killed_misses_no_event_and_starts_nothing_twice() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "rule-killed").await;
    let start = async || Operator::start(&plane, "operator", &[]).await.unwrap();
    let operator = start().await;
    define(&bed).await;
    follow(
        &bed,
        "next",
        for_tasks(json!({"lastStatus": ["STOPPED"], "group": ["family:first"]})),
    )
    .await;
    let run = async |name: &str| {
        bed.must_apply("EcsTask", name, json!({"taskDefinition": "first"}))
            .await;
        let pod = format!("{name}-0");
        bed.eventually(&pod, "its pod", |pod: &k8s_openapi::api::core::v1::Pod| {
            let spec = pod.spec.as_ref().unwrap();
            spec.scheduling_gates.is_none()
        })
        .await;
    };
    // It ends when the task has begun, and the task ends while there is none.
    run("one").await;
    operator.signal("KILL").unwrap();
    bed.eventually(
        "one-0",
        "its end",
        |pod: &k8s_openapi::api::core::v1::Pod| {
            let status = pod.status.clone().unwrap_or_default();
            status.phase.as_deref() == Some("Succeeded")
        },
    )
    .await;
    // It ends when the next task is there.
    let operator = start().await;
    until_reasons(&bed, "next", "one-0 STOPPED").await;
    operator.signal("KILL").unwrap();
    let operator = start().await;
    run("two").await;
    until_reasons(&bed, "next", "two-0 STOPPED").await;
    operator.signal("KILL").unwrap();
    let _operator = start().await;
    run("three").await;
    until_reasons(&bed, "next", "three-0 STOPPED").await;
    let all = once(&["one-0 STOPPED", "two-0 STOPPED", "three-0 STOPPED"]);
    assert_eq!(reasons(&bed, "next").await, all);
    let object = bed
        .until("EcsRule", "next", "its lists", |object| {
            let invocations = object["status"]["invocations"].as_array();
            invocations.is_some_and(|list| !list.is_empty())
        })
        .await;
    assert_eq!(object["status"].get("lastFailure"), None);
}

#[tokio::test]
async fn what_happened_before_a_rule_starts_nothing_and_neither_does_a_restart() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "rule-before").await;
    let other = Bed::new(&plane.kubeconfig(), "rule-other").await;
    let operator = Operator::start(&plane, "operator", &[]).await.unwrap();
    define(&bed).await;
    define(&other).await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    for name in ["web", "api"] {
        let spec = json!({"taskDefinition": "web", "desiredCount": 2});
        bed.must_apply("EcsService", name, spec).await;
        bed.condition("EcsService", name, "Ready", "True").await;
    }
    run(&bed, "earlier", "first").await;
    bed.must_apply("EcsTask", "long", json!({"taskDefinition": "job"}))
        .await;
    bed.until("EcsTask", "long", "it to run", |object| {
        object["status"]["lastStatus"] == "RUNNING"
    })
    .await;
    let pods = uids(&bed).await;
    until("the second to be over", LIMIT, async || {
        let long = bed.resources("EcsTask").get("long").await?;
        let began = long.data["status"]["startedAt"].as_str().unwrap();
        let began: Timestamp = began.parse().unwrap();
        Ok((Timestamp::now().as_second() > began.as_second()).then_some(()))
    })
    .await
    .unwrap();

    // It matches everything that ECS ever says.
    let paths = json!({"task": "$.resources[0]", "state": "$.detail.lastStatus"});
    let spec = rule(&json!({"source": ["aws.ecs"]}), &paths, "<task> <state>");
    follow(&bed, "all", spec.clone()).await;
    follow(&other, "all", spec.clone()).await;
    run(&bed, "marker", "first").await;
    let marker = ["marker-0 PENDING", "marker-0 RUNNING", "marker-0 STOPPED"];
    for what in marker {
        until_reasons(&bed, "all", what).await;
    }
    assert_eq!(reasons(&bed, "all").await, once(&marker));

    // Another operator starts nothing for what runs, and nothing again.
    operator.terminate();
    let operator = Operator::start(&plane, "operator", &[]).await.unwrap();
    run(&bed, "second", "first").await;
    let second = ["second-0 PENDING", "second-0 RUNNING", "second-0 STOPPED"];
    for what in second {
        until_reasons(&bed, "all", what).await;
    }
    let both: Vec<&str> = marker.iter().chain(&second).copied().collect();
    assert_eq!(reasons(&bed, "all").await, once(&both));
    assert_eq!(uids(&bed).await, pods);

    // What happens while it is disabled is not made up for.
    let mut disabled = spec.clone();
    disabled["State"] = json!("DISABLED");
    bed.must_apply("EcsRule", "all", disabled).await;
    bed.until("EcsRule", "all", "it to be disabled", |object| {
        condition(object, "Ready")["reason"] == "RuleDisabled"
    })
    .await;
    run(&bed, "missed", "first").await;
    follow(&bed, "all", spec).await;
    bed.until("EcsRule", "all", "it to be enabled", |object| {
        condition(object, "Ready")["reason"] == "MatchesEvents"
    })
    .await;
    run(&bed, "third", "first").await;
    until_reasons(&bed, "all", "third-0 STOPPED").await;
    let found = reasons(&bed, "all").await;
    assert!(
        !found.keys().any(|what| what.starts_with("missed")),
        "{found:?}"
    );
    // Nothing of another namespace is told.
    assert_eq!(reasons(&other, "all").await, once(&[]));
    drop(operator);
}

/// The pods of services.
async fn uids(bed: &Bed) -> Vec<String> {
    let mut uids = Vec::new();
    for service in ["web", "api"] {
        uids.extend(bed.tasks(service).await.iter().map(uid));
    }
    uids.sort();
    uids
}

#[tokio::test]
async fn rules_that_start_tasks_for_each_other_come_to_an_end() {
    let bed = bed("rule-circle").await;
    define(&bed).await;
    bed.must_apply("EcsTaskDefinition", "job", job_definition("testbed/exit:0"))
        .await;
    for name in ["one", "two"] {
        follow(&bed, name, for_tasks(json!({"lastStatus": ["STOPPED"]}))).await;
    }
    run(&bed, "begin", "first").await;
    for name in ["one", "two"] {
        let object = bed
            .until("EcsRule", name, "it to give up", |object| {
                object["status"]["failed"].as_i64() >= Some(1)
            })
            .await;
        let failure = &object["status"]["lastFailure"];
        let message = failure["message"].as_str().unwrap();
        assert!(message.contains("circle"), "{failure}");
        assert_eq!(failure.get("retrying"), None, "{failure}");
    }
    // Each has started one for the first, and then for each one of the other.
    let count = async || {
        (
            tasks(&bed, "one").await.len(),
            tasks(&bed, "two").await.len(),
        )
    };
    assert_eq!(at_rest("the EcsTasks", count).await, (5, 5));
    let note = bed.event("one", "TargetInvocationFailed").await;
    assert!(note.contains("circle"), "{note}");
}

#[tokio::test]
async fn what_a_service_and_its_tasks_do_starts_tasks() {
    let bed = bed("rule-service").await;
    define(&bed).await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    let pattern = json!({
        "source": ["aws.ecs"],
        "$or": [
            {"detail": {"group": ["service:web"]}},
            {"detail-type": ["ECS Service Action", "ECS Deployment State Change"]},
        ],
    });
    let paths = json!({"name": "$.detail.eventName", "state": "$.detail.lastStatus"});
    follow(&bed, "watch", rule(&pattern, &paths, "<name><state>")).await;
    let service = |count| json!({"taskDefinition": "web", "desiredCount": count});
    bed.must_apply("EcsService", "web", service(1)).await;
    for what in [
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "PENDING",
        "RUNNING",
        "SERVICE_DEPLOYMENT_COMPLETED",
        "SERVICE_STEADY_STATE",
    ] {
        until_reasons(&bed, "watch", what).await;
    }
    bed.must_apply("EcsService", "web", service(0)).await;
    until_reasons(&bed, "watch", "STOPPED").await;
    let found = reasons(&bed, "watch").await;
    for what in [
        "SERVICE_DEPLOYMENT_COMPLETED",
        "PENDING",
        "RUNNING",
        "STOPPED",
    ] {
        assert_eq!(found[what], 1, "{found:?}");
    }
}

#[tokio::test]
async fn what_cannot_start_is_tried_again_and_what_never_can_is_given_up() {
    let bed = bed("rule-again").await;
    define(&bed).await;
    let stopped = json!({"lastStatus": ["STOPPED"], "group": ["family:first"]});
    let mut spec = for_tasks(stopped.clone());
    spec["Targets"][0]["EcsParameters"]["TaskDefinitionArn"] = json!("later");
    follow(&bed, "later", spec).await;
    let mut spec = for_tasks(stopped);
    spec["Targets"][0]["EcsParameters"]["TaskDefinitionArn"] = json!("$.detail.hunter2");
    follow(&bed, "never", spec).await;
    run(&bed, "begin", "first").await;
    let object = bed
        .until("EcsRule", "never", "it to give up", |object| {
            object["status"]["failed"] == 1
        })
        .await;
    let failure = &object["status"]["lastFailure"];
    assert_eq!(failure["reason"], "TargetInvocationFailed", "{failure}");
    assert_eq!(failure["target"], "job");
    bed.event("never", "TargetInvocationFailed").await;
    bed.until("EcsRule", "later", "it to fail", |object| {
        object["status"]["lastFailure"]["retrying"] == true
    })
    .await;
    bed.event("later", "TargetInvocationFailed").await;
    assert!(tasks(&bed, "later").await.is_empty());
    bed.must_apply("EcsTaskDefinition", "later", job_definition("testbed/web"))
        .await;
    until_reasons(&bed, "later", "begin-0 STOPPED").await;
    bed.until("EcsRule", "later", "nothing to be tried again", |object| {
        let status = &object["status"];
        status["started"] == 1 && status["lastFailure"].get("retrying").is_none()
    })
    .await;
    assert!(tasks(&bed, "never").await.is_empty());
    let events = bed.api::<Event>().list(&ListParams::default()).await;
    assert!(!events.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_rule_with_a_schedule_or_without_tasks_is_rejected() {
    let bed = bed("rule-wrong").await;
    let mut spec = for_tasks(json!({"lastStatus": ["STOPPED"]}));
    spec["ScheduleExpression"] = json!("rate(1 minute)");
    bed.must_apply("EcsRule", "wrong", spec).await;
    let accepted = bed.condition("EcsRule", "wrong", "Accepted", "False").await;
    assert_eq!(accepted["reason"], "RuleScheduleUnsupported", "{accepted}");
    let message = accepted["message"].as_str().unwrap();
    assert!(message.contains("EcsSchedule"), "{message}");
    bed.condition("EcsRule", "wrong", "Ready", "False").await;
}
