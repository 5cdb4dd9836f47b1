//! Schedules, which start tasks when they are due.

use ecs_operator_testbed::{ControlPlane, until};
use k8s_openapi::{
    api::{
        admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
        core::v1::Pod,
    },
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    bed,
    proxy::{Fault, Proxy},
    shared,
    support::{Bed, LIMIT, Operator, condition, install, job_definition, task_definition, uid},
};

/// A schedule that is due when it is created, and then each minute.
pub fn each_minute(family: &str) -> Value {
    json!({
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "EcsParameters": {"TaskDefinitionArn": family},
        },
    })
}

async fn define(bed: &Bed, image: &str) {
    bed.must_apply("EcsTaskDefinition", "job", job_definition(image))
        .await;
}

/// The EcsTasks of a schedule, the oldest first.
async fn tasks(bed: &Bed, schedule: &str) -> Vec<DynamicObject> {
    let of_it = ListParams::default().labels(&format!("ecs-operator.dev/schedule={schedule}"));
    let mut tasks = bed.resources("EcsTask").list(&of_it).await.unwrap().items;
    tasks.sort_by_key(ResourceExt::name_any);
    tasks
}

async fn until_tasks(
    bed: &Bed,
    what: &str,
    fits: impl Fn(&[DynamicObject]) -> bool,
) -> Vec<DynamicObject> {
    until(what, LIMIT, async || {
        let tasks = tasks(bed, "job").await;
        Ok(fits(&tasks).then_some(tasks))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn tasks_start_at_each_time_and_the_schedule_lists_how_they_ended() {
    let bed = bed("schedule").await;
    define(&bed, "testbed/exit:3").await;
    let mut schedule = each_minute("job");
    schedule["failedTasksHistoryLimit"] = json!(1);
    let input = json!({"containerOverrides": [{
        "name": "app", "command": ["--due", "<aws.scheduler.scheduled-time>"],
    }]});
    schedule["Target"]["Input"] = json!(input.to_string());
    bed.must_apply("EcsSchedule", "job", schedule).await;
    let object = bed
        .until("EcsSchedule", "job", "a task to have failed", |object| {
            object["status"]["tasks"][0]["result"] == "Failed"
        })
        .await;
    let first = object["status"]["tasks"][0].clone();
    assert_eq!(first["exitCode"], 3, "{first}");
    assert_eq!(first["reason"], "EssentialContainerExited");
    assert_eq!(
        object["status"]["lastFiring"],
        object["metadata"]["creationTimestamp"]
    );
    assert_eq!(condition(&object, "Ready")["reason"], "Scheduled");
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let (last, next) = (
        time(&object["status"]["lastFiring"]),
        time(&object["status"]["nextFiring"]),
    );
    assert_eq!(next.duration_since(last), SignedDuration::from_mins(1));
    let name = first["name"].as_str().unwrap();
    let task = bed.resources("EcsTask").get(name).await.unwrap();
    assert_eq!(task.data["spec"]["startedBy"], "chronos-schedule/job");
    let overrides = &task.data["spec"]["overrides"]["containerOverrides"][0];
    assert_eq!(overrides["command"], json!(["--due", last.to_string()]));
    let note = bed.event("job", "TasksStarted").await;
    assert!(note.contains(name), "{note}");

    let object = bed
        .until(
            "EcsSchedule",
            "job",
            "the next tasks to have failed",
            |object| {
                let tasks = &object["status"]["tasks"];
                tasks[0]["result"] == "Failed" && tasks[0]["due"] == json!(next.to_string())
            },
        )
        .await;
    // Only one that failed is kept.
    assert_ne!(object["status"]["tasks"][0]["name"], first["name"]);
    until_tasks(&bed, "the older tasks to go", |tasks| {
        tasks.iter().all(|task| task.name_any() != name)
    })
    .await;
}

#[tokio::test]
async fn tasks_that_still_run_are_stopped_or_keep_others_from_starting() {
    let bed = bed("policy").await;
    define(&bed, "testbed/web").await;
    for policy in ["Forbid", "Replace", "Allow"] {
        let mut schedule = each_minute("job");
        schedule["concurrencyPolicy"] = json!(policy);
        bed.must_apply("EcsSchedule", &policy.to_lowercase(), schedule)
            .await;
    }
    let first = bed
        .until("EcsSchedule", "replace", "tasks to run", |object| {
            object["status"]["tasks"][0]["result"] == "Running"
        })
        .await;
    let skipped = bed
        .until("EcsSchedule", "forbid", "a time to be skipped", |object| {
            object["status"]["failures"][0]["reason"] == "FiringSkipped"
        })
        .await;
    assert_eq!(tasks(&bed, "forbid").await.len(), 1);
    assert_eq!(
        skipped["status"]["lastFiring"],
        skipped["status"]["failures"][0]["due"]
    );
    let replaced = bed
        .until("EcsSchedule", "replace", "other tasks to run", |object| {
            let tasks = &object["status"]["tasks"];
            tasks[0]["name"] != first["status"]["tasks"][0]["name"] && tasks[1].is_null()
        })
        .await;
    assert_eq!(replaced["status"]["failures"], Value::Null);
    bed.until("EcsSchedule", "allow", "both to run", |object| {
        let tasks = &object["status"]["tasks"];
        tasks[0]["result"] == "Running" && tasks[1]["result"] == "Running"
    })
    .await;
    // What a schedule has started goes on without it.
    let params = DeleteParams::foreground();
    bed.resources("EcsSchedule")
        .delete("allow", &params)
        .await
        .unwrap();
    bed.gone_resource("EcsSchedule", "allow").await;
    let left = tasks(&bed, "allow").await;
    assert_eq!(left.len(), 2);
    for task in left {
        assert_eq!(task.metadata.deletion_timestamp, None);
        let pod = format!("{}-0", task.name_any());
        let pod = bed.api::<Pod>().get(&pod).await.unwrap();
        assert_eq!(pod.metadata.deletion_timestamp, None);
    }
}

/// Has the API server refuse something in the namespace, and waits until it does. Returns the name of the policy.
async fn refuse(
    bed: &Bed,
    operation: &str,
    resource: &str,
    is_refused: impl AsyncFn() -> bool,
) -> String {
    let name = bed.namespace.name().to_owned();
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "resourceRules": [{
                    "apiGroups": ["ecs-operator.dev"], "apiVersions": ["v1alpha1"],
                    "operations": [operation], "resources": [resource],
                }],
            },
            "validations": [{"expression": "false", "message": "no tasks today"}],
        },
    }))
    .unwrap();
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }))
    .unwrap();
    let params = PostParams::default();
    let (policies, bindings) = (Api::all(bed.client.clone()), Api::all(bed.client.clone()));
    policies.create(&params, &policy).await.unwrap();
    bindings.create(&params, &binding).await.unwrap();
    // It is in force some moments later.
    until("the policy to hold", LIMIT, async || {
        Ok(is_refused().await.then_some(()))
    })
    .await
    .unwrap();
    name
}

async fn refuse_no_more(bed: &Bed, policy: &str) {
    let bindings = Api::<ValidatingAdmissionPolicyBinding>::all(bed.client.clone());
    bindings
        .delete(policy, &DeleteParams::default())
        .await
        .unwrap();
}

/// Has the API server refuse EcsTasks in the namespace.
pub async fn refuse_tasks(bed: &Bed) -> String {
    let tasks = bed.resources("EcsTask");
    refuse(bed, "CREATE", "ecstasks", async || {
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let task: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "ecs-operator.dev/v1alpha1", "kind": "EcsTask",
            "metadata": {"name": "probe"}, "spec": {"taskDefinition": "nobody"},
        }))
        .unwrap();
        tasks.create(&params, &task).await.is_err()
    })
    .await
}

#[tokio::test]
async fn nothing_is_deleted_before_its_start_is_on_record() {
    let bed = bed("unrecorded").await;
    define(&bed, "testbed/exit:0").await;
    let mut probe = each_minute("job");
    probe["State"] = json!("DISABLED");
    bed.must_apply("EcsSchedule", "probe", probe).await;
    bed.condition("EcsSchedule", "probe", "Ready", "True").await;
    let schedules = bed.resources("EcsSchedule");
    let policy = refuse(&bed, "UPDATE", "ecsschedules/status", async || {
        let params = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        let change = Patch::Merge(json!({"status": {"state": "ENABLED"}}));
        schedules
            .patch_status("probe", &params, &change)
            .await
            .is_err()
    })
    .await;
    let mut schedule = each_minute("job");
    schedule["ScheduleExpression"] = json!("rate(1 day)");
    schedule["successfulTasksHistoryLimit"] = json!(0);
    bed.must_apply("EcsSchedule", "job", schedule).await;
    let started = until_tasks(&bed, "the tasks to end", |tasks| {
        tasks
            .iter()
            .any(|task| task.data["status"]["lastStatus"] == "STOPPED")
    })
    .await;
    let (operator, _) = shared().await;
    let failed = async || {
        let labels = "kind=\"EcsSchedule\"";
        operator
            .metric("ecs_operator_reconcile_errors_total", labels)
            .await
    };
    let before = failed().await;
    until("the record to be tried again", LIMIT, async || {
        Ok((failed().await >= before + 3).then_some(()))
    })
    .await
    .unwrap();
    let there = tasks(&bed, "job").await;
    assert_eq!(there.len(), 1);
    assert_eq!(uid(&there[0]), uid(&started[0]));
    refuse_no_more(&bed, &policy).await;
    bed.until("EcsSchedule", "job", "the start to be recorded", |object| {
        !object["status"]["lastFiring"].is_null()
    })
    .await;
    until_tasks(&bed, "the EcsTask to go", <[_]>::is_empty).await;
}

#[tokio::test]
async fn a_start_that_is_refused_is_tried_until_it_is_too_old() {
    let bed = bed("refused").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    bed.must_apply("EcsTask", "by-hand", json!({"taskDefinition": "web"}))
        .await;
    let label = json!({"metadata": {"labels": {"ecs-operator.dev/schedule": "instead"}}});
    bed.resources("EcsTask")
        .patch("by-hand", &PatchParams::default(), &Patch::Merge(label))
        .await
        .unwrap();
    let policy = refuse_tasks(&bed).await;
    define(&bed, "testbed/exit:0").await;
    let mut daily = each_minute("job");
    daily["ScheduleExpression"] = json!("rate(1 day)");
    let mut instead = daily.clone();
    instead["concurrencyPolicy"] = json!("Replace");
    bed.must_apply("EcsSchedule", "instead", instead).await;
    bed.condition("EcsSchedule", "instead", "Ready", "False")
        .await;
    let mut once = daily.clone();
    once["Target"]["RetryPolicy"] = json!({"MaximumRetryAttempts": 0});
    bed.must_apply("EcsSchedule", "job", daily).await;
    bed.must_apply("EcsSchedule", "once", once).await;
    let ready = bed.condition("EcsSchedule", "job", "Ready", "False").await;
    assert_eq!(ready["reason"], "TargetInvocationFailed");
    let message = ready["message"].as_str().unwrap();
    assert!(message.contains("no tasks today"), "{message}");
    let given_up = bed
        .until(
            "EcsSchedule",
            "once",
            "the start to be given up",
            |object| object["status"]["failures"][0]["reason"] == "TargetInvocationFailed",
        )
        .await;
    assert_eq!(condition(&given_up, "Ready")["status"], "True");
    // What a schedule replaces is not stopped before something takes its place.
    let running = bed.resources("EcsTask").get("by-hand").await.unwrap();
    assert_eq!(running.metadata.deletion_timestamp, None);
    refuse_no_more(&bed, &policy).await;
    bed.gone_resource("EcsTask", "by-hand").await;
    let object = bed
        .until("EcsSchedule", "job", "the tasks to have run", |object| {
            object["status"]["tasks"][0]["result"] == "Succeeded"
        })
        .await;
    assert_eq!(
        object["status"]["tasks"][0]["due"],
        object["metadata"]["creationTimestamp"]
    );
    assert_eq!(object["status"]["retrying"], Value::Null);
    assert!(tasks(&bed, "once").await.is_empty());
}

#[tokio::test]
async fn tasks_that_cannot_begin_are_given_up() {
    let bed = bed("not-accepted").await;
    let mut schedule = each_minute("missing");
    schedule["ScheduleExpression"] = json!("rate(1 day)");
    schedule["Target"]["RetryPolicy"] = json!({"MaximumEventAgeInSeconds": 60});
    bed.must_apply("EcsSchedule", "job", schedule).await;
    bed.until("EcsSchedule", "job", "the tasks to be rejected", |object| {
        object["status"]["tasks"][0]["result"] == "NotAccepted"
    })
    .await;
    let object = bed
        .until("EcsSchedule", "job", "the tasks to be given up", |object| {
            object["status"]["failures"][0]["reason"] == "TargetInvocationFailed"
        })
        .await;
    let message = object["status"]["failures"][0]["message"].as_str().unwrap();
    assert!(message.contains("missing"), "{message}");
    until_tasks(&bed, "the EcsTask to go", <[_]>::is_empty).await;
}

#[tokio::test]
async fn a_schedule_that_is_over_is_deleted_if_it_asks_for_that_and_one_that_is_wrong_starts_nothing()
 {
    let bed = bed("over").await;
    define(&bed, "testbed/exit:0").await;
    let soon = Timestamp::now()
        .checked_add(SignedDuration::from_secs(65))
        .unwrap();
    let mut schedule = each_minute("job");
    schedule["ScheduleExpression"] = json!(format!("at({})", soon.strftime("%Y-%m-%dT%H:%M:00")));
    schedule["ActionAfterCompletion"] = json!("DELETE");
    bed.must_apply("EcsSchedule", "job", schedule.clone()).await;
    let mut past = schedule.clone();
    past["ScheduleExpression"] = json!("at(2026-01-01T00:00:00)");
    bed.must_apply("EcsSchedule", "past", past).await;
    let mut wrong = each_minute("job");
    wrong["ScheduleExpression"] = json!("cron(0 4 * * *)");
    wrong["Target"]["Input"] = json!("not JSON");
    bed.must_apply("EcsSchedule", "wrong", wrong).await;
    let wrong = bed
        .condition("EcsSchedule", "wrong", "Accepted", "False")
        .await;
    let message = wrong["message"].as_str().unwrap();
    assert!(message.contains("Target.Input: "), "{message}");
    let past = bed.condition("EcsSchedule", "past", "Ready", "True").await;
    assert_eq!(past["reason"], "ScheduleOver");
    let tasks_of_it = until_tasks(&bed, "its tasks", |tasks| tasks.len() == 1).await;
    bed.gone_resource("EcsSchedule", "job").await;
    let name = tasks_of_it[0].name_any();
    let task = bed
        .until("EcsTask", &name, "the tasks to end", |task| {
            task["status"]["lastStatus"] == "STOPPED"
        })
        .await;
    assert_eq!(task["status"]["exitCode"], 0);
    // One whose time was over when it was created has started nothing, and is not deleted.
    assert!(tasks(&bed, "past").await.is_empty() && tasks(&bed, "wrong").await.is_empty());
    bed.resources("EcsSchedule").get("past").await.unwrap();
}

#[tokio::test]
async fn an_operator_that_ends_between_a_start_and_its_record_starts_nothing_twice() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "twice").await;
    let proxy = Proxy::start(&plane).await.unwrap();
    let operator = Operator::spawn_by(&proxy.kubeconfig, &plane, "first", &[]).unwrap();
    let operator = operator.ready().await.unwrap();
    operator.leads().await;
    define(&bed, "testbed/web").await;
    proxy.fail(Fault {
        method: "PATCH",
        url: "/ecsschedules/",
        is_served: false,
    });
    let mut schedule = each_minute("job");
    schedule["ScheduleExpression"] = json!("rate(1 hour)");
    bed.must_apply("EcsSchedule", "job", schedule).await;
    let before = until_tasks(&bed, "the tasks to start", |tasks| !tasks.is_empty()).await;
    operator.signal("KILL").unwrap();
    let second = Operator::start(&plane, "second", &[]).await.unwrap();
    second.leads().await;
    let object = bed
        .until("EcsSchedule", "job", "the start to be recorded", |object| {
            !object["status"]["lastFiring"].is_null()
        })
        .await;
    assert_eq!(object["status"]["failures"], Value::Null);
    let after = tasks(&bed, "job").await;
    assert_eq!(after.len(), 1);
    assert_eq!(uid(&after[0]), uid(&before[0]));
}
