//! What a user is told when something is wrong: the reason and what to do, in a condition, in an event and by
//! `ecs-operator status`, and after the pods are gone.
//!
//! The troubles of a table run side by side, each in a namespace of its own.

use std::{collections::BTreeMap, process::Stdio};

use ecs_operator_testbed::until;
use futures::future::join_all;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Event, LimitRange, Namespace, Pod, ResourceQuota},
};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    bed, cluster,
    container::{container, server},
    support::{Bed, LIMIT, condition},
};

/// What the namespace of a trouble has.
#[derive(Clone, Copy)]
enum Place {
    /// Nothing that is in the way.
    Plain,
    /// A quota that has room for no pod.
    Quota,
    /// A range of sizes that a container is out of.
    Limits,
    /// Pod Security that refuses what does not run as somebody else than root.
    Restricted,
    /// A Deployment of the same name, of somebody else.
    Taken,
}

/// Something that is wrong, and what is told of it.
struct Trouble {
    place: Place,
    /// The task definition; `None` for none.
    definition: Option<Value>,
    service: Value,
    /// The condition that tells.
    condition: &'static str,
    /// The reason of the event that tells.
    event: &'static str,
    /// What is told: why, and what to do.
    says: &'static [&'static str],
}

fn app(command: &[&str]) -> Value {
    json!({"containerDefinitions": [container("app", command)]})
}

fn with(mut object: Value, member: &str, value: Value) -> Value {
    object[member] = value;
    object
}

/// A container of this, which has one more member.
fn app_with(member: &str, value: Value) -> Value {
    json!({"containerDefinitions": [with(container("app", &["wait"]), member, value)]})
}

/// A container that never gets healthy.
fn unhealthy(command: &[&str]) -> Value {
    let check = json!({
        "command": ["CMD", "/app", "get", "http://localhost:8080/"],
        "interval": 5,
        "timeout": 2,
        "retries": 1,
    });
    json!({"containerDefinitions": [with(container("app", command), "healthCheck", check)]})
}

/// What does not end because it is told to.
const STUBBORN: &[&str] = &["exit", "1", "600"];

fn service(desired: i64) -> Value {
    json!({"taskDefinition": "web", "desiredCount": desired})
}

/// What pods of a service show.
fn of_pods() -> Vec<Trouble> {
    let trouble = |definition, event, says| Trouble {
        place: Place::Plain,
        definition: Some(definition),
        service: service(1),
        condition: "Ready",
        event,
        says,
    };
    let missing = json!([{"name": "PASSWORD", "valueFrom": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-Xk2p9Q"}]);
    vec![
        trouble(
            app_with("cpu", json!(131_072)),
            "UnableToPlaceTask",
            &[
                "insufficient CPU units available. 0/2 nodes are available",
                "add nodes or larger ones",
            ],
        ),
        trouble(
            app_with("image", json!("example:nope")),
            "CannotPullContainerError",
            &[
                "CannotPullContainerError: container app:",
                "example:nope",
                "correct its image",
            ],
        ),
        trouble(
            unhealthy(STUBBORN),
            "HealthCheckFailed",
            &[
                "container app failed its health check",
                "see its healthCheck, and its log with ecs-operator logs --previous",
            ],
        ),
        trouble(
            app(&["exit", "3"]),
            "ContainerExited",
            &[
                "essential container app exited with code 3",
                "see its log with ecs-operator logs --previous",
            ],
        ),
        trouble(
            app(&["eat"]),
            "OutOfMemoryError",
            &[
                "OutOfMemoryError: container app was killed due to its memory usage",
                "raise its memory",
            ],
        ),
        trouble(
            app_with("secrets", missing),
            "CannotCreateContainerError",
            &[
                "container app cannot be started: secret",
                "not found: create the missing object",
            ],
        ),
    ]
}

/// What the API server says to pods of a service.
fn of_creation() -> Vec<Trouble> {
    let trouble = |place, service, says| Trouble {
        place,
        definition: Some(app(&["wait"])),
        service,
        condition: "Ready",
        event: "TaskNotCreated",
        says,
    };
    let daemon = json!({"taskDefinition": "web", "schedulingStrategy": "DAEMON"});
    vec![
        trouble(
            Place::Quota,
            service(2),
            &["exceeded quota: full", "raise the ResourceQuota"],
        ),
        trouble(
            Place::Limits,
            service(1),
            &["memory usage per Container", "fit the LimitRange"],
        ),
        Trouble {
            condition: "Accepted",
            event: "PodSecurityViolated",
            ..trouble(
                Place::Restricted,
                service(1),
                &[
                    "violates PodSecurity \"restricted:latest\"",
                    "the label pod-security.kubernetes.io/enforce of the namespace",
                ],
            )
        },
        trouble(
            Place::Quota,
            daemon,
            &["exceeded quota: full", "raise the ResourceQuota"],
        ),
    ]
}

/// What is wrong with what somebody wrote.
fn of_specs() -> Vec<Trouble> {
    let trouble = |definition, service, event, says| Trouble {
        place: Place::Plain,
        definition,
        service,
        condition: "Accepted",
        event,
        says,
    };
    let target_group = json!([{
        "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef",
        "containerName": "app",
        "containerPort": 8080,
    }]);
    let exposed = json!({"expose": {"type": "alb", "containerName": "app", "containerPort": 9090}});
    let policy = json!({
        "PolicyName": "cpu",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 50,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    });
    let scaling = json!({
        "scalableTarget": {"MinCapacity": 1, "MaxCapacity": 2},
        "scalingPolicies": [policy],
    });
    let served = json!({"containerDefinitions": [server("app", "0")]});
    let mut without_cpu = container("app", &["wait"]);
    without_cpu.as_object_mut().unwrap().remove("cpu");
    vec![
        trouble(
            None,
            service(1),
            "TaskDefinitionNotFound",
            &["there is no EcsTaskDefinition web", "apply it"],
        ),
        trouble(
            Some(served.clone()),
            with(service(1), "loadBalancers", target_group),
            "TargetGroupBindingUnavailable",
            &[
                "TargetGroupBinding is not installed",
                "install the AWS Load Balancer Controller",
            ],
        ),
        trouble(
            Some(served),
            with(service(1), "kubernetes", exposed),
            "LoadBalancerPortNotMapped",
            &[
                "container app has no portMapping for 9090",
                "add containerPort 9090 to its portMappings",
            ],
        ),
        trouble(
            Some(json!({"containerDefinitions": [without_cpu]})),
            with(service(1), "autoScaling", scaling),
            "UtilizationNeedsRequests",
            &[
                "needs a task size or a request",
                "give every container cpu, or the task",
            ],
        ),
        Trouble {
            place: Place::Taken,
            condition: "Ready",
            ..trouble(
                Some(app(&["wait"])),
                service(1),
                "ObjectNotOwned",
                &["Deployment web exists", "rename or delete it"],
            )
        },
    ]
}

#[tokio::test]
async fn what_keeps_pods_from_running_is_told() {
    join_all(of_pods().into_iter().map(is_told)).await;
}

#[tokio::test]
async fn what_keeps_pods_from_being_created_is_told() {
    join_all(of_creation().into_iter().map(is_told)).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_spec_is_told() {
    join_all(of_specs().into_iter().map(is_told)).await;
}

async fn is_told(trouble: Trouble) {
    let bed = bed("trouble").await;
    prepare(&bed, trouble.place).await;
    if let Some(definition) = trouble.definition {
        bed.must_apply("EcsTaskDefinition", "web", definition).await;
    }
    bed.must_apply("EcsService", "web", trouble.service).await;
    let told = Told {
        kind: "EcsService",
        name: "web",
        condition: trouble.condition,
        event: trouble.event,
        says: trouble.says,
    };
    told.everywhere(&bed).await;
}

/// A name that is too long for anything in Kubernetes, and one that is so for a label too.
#[tokio::test]
async fn a_name_that_is_too_long_is_told_with_the_limit() {
    let bed = bed("long").await;
    bed.must_apply("EcsTaskDefinition", "web", app(&["wait"]))
        .await;
    for length in [63, 104] {
        let name = "l".repeat(length);
        bed.must_apply("EcsService", &name, service(1)).await;
        let says =
            format!("has {length} characters, but at most 52 are allowed: choose a shorter one");
        let told = Told {
            kind: "EcsService",
            name: &name,
            condition: "Accepted",
            event: "NameDiffers",
            says: &[&says],
        };
        told.everywhere(&bed).await;
    }
}

#[tokio::test]
async fn percentages_that_leave_no_room_and_nodes_that_do_not_fit_are_told_in_a_rollout() {
    let held = async {
        let bed = bed("held").await;
        let mut spec = service(1);
        spec["deploymentConfiguration"] =
            json!({"minimumHealthyPercent": 100, "maximumPercent": 100});
        roll_out(&bed, spec, app(&["wait", "longer"])).await;
        let told = Told {
            event: "DeploymentConfigurationBlocksRollout",
            says: &["Update the minimumHealthyPercent or maximumPercent value and try again"],
            ..Told::of_service("web")
        };
        told.everywhere(&bed).await;
    };
    let unplaced = async {
        let bed = bed("nowhere").await;
        let nowhere = json!([{"type": "memberOf", "expression": "attribute:disk == ssd"}]);
        let second = with(app(&["wait"]), "placementConstraints", nowhere);
        roll_out(&bed, service(1), second).await;
        let told = Told {
            event: "UnableToPlaceTask",
            says: &[
                "is missing an attribute required by your task",
                "correct placementConstraints",
            ],
            ..Told::of_service("web")
        };
        told.everywhere(&bed).await;
        let running = &bed.until("EcsService", "web", "its counts", |_| true).await["status"];
        assert_eq!(running["runningCount"], 1, "what ran goes on: {running}");
    };
    tokio::join!(held, unplaced);
}

/// Runs a service, and then another revision of its task definition.
async fn roll_out(bed: &Bed, spec: Value, second: Value) {
    bed.must_apply("EcsTaskDefinition", "web", app(&["wait"]))
        .await;
    bed.must_apply("EcsService", "web", spec).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    bed.must_apply("EcsTaskDefinition", "web", second).await;
}

/// A deployment that failed, and what is kept of it: the words of the last failure, a stop code and its reason.
const FAILURES: &[(&str, &str, &str, &str)] = &[
    (
        "pull",
        "CannotPullContainerError: container app:",
        "TaskFailedToStart",
        "CannotPullContainerError: ",
    ),
    (
        "crash",
        "essential container app exited with code 3: see its log",
        "EssentialContainerExited",
        "Essential container in task exited",
    ),
    (
        "check",
        "container app failed its health check: see its healthCheck",
        "ServiceSchedulerInitiated",
        "Task failed container health checks",
    ),
    (
        "memory",
        "OutOfMemoryError: container app was killed due to its memory usage: raise its memory",
        "EssentialContainerExited",
        "OutOfMemoryError: Container killed due to memory usage: app",
    ),
];

#[tokio::test]
async fn why_a_deployment_failed_is_told_when_its_pods_are_gone() {
    join_all(FAILURES.iter().map(|failure| is_kept(*failure))).await;
}

async fn is_kept((name, last, code, reason): (&str, &str, &str, &str)) {
    let bed = bed(name).await;
    let definition = match name {
        "pull" => app_with("image", json!("example:nope")),
        // None of them counts as healthy for a moment, and so is spared when the deployment fails.
        "crash" => unhealthy(&["exit", "3"]),
        "check" => unhealthy(STUBBORN),
        _ => unhealthy(&["eat"]),
    };
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    let mut spec = service(3);
    spec["deploymentConfiguration"] =
        json!({"deploymentCircuitBreaker": {"enable": true, "rollback": false}});
    bed.must_apply("EcsService", "web", spec).await;
    bed.until("EcsService", "web", "the failure", |object| {
        condition(object, "Ready")["reason"] == "DeploymentFailed"
    })
    .await;
    until("the pods to be gone", LIMIT, async || {
        let pods = bed.api::<Pod>().list(&ListParams::default()).await?;
        Ok(pods.items.is_empty().then_some(()))
    })
    .await
    .unwrap();
    let object = bed
        .until("EcsService", "web", "the stopped tasks", |object| {
            let stopped = object["status"]["stoppedTasks"].as_array();
            let mut stopped = stopped.into_iter().flatten();
            stopped.any(|task| {
                let said = task["stoppedReason"].as_str().unwrap_or_default();
                task["stopCode"] == code && said.starts_with(reason)
            })
        })
        .await;
    let status = &object["status"];
    let kept = status["deployments"][0]["lastFailure"].as_str().unwrap();
    assert!(kept.contains(last), "{kept}");
    let stopped = status["stoppedTasks"].as_array().unwrap();
    let mut ends = BTreeMap::new();
    for task in stopped {
        assert_eq!(task["taskDefinition"], "web:1", "{task}");
        assert!(task["stoppedAt"].is_string(), "{task}");
        let key = (task["name"].to_string(), task["ends"].to_string());
        assert!(ends.insert(key, ()).is_none(), "twice: {status:#}");
    }
    if name == "crash" {
        assert_eq!(stopped[0]["containers"][0]["exitCode"], 3, "{status:#}");
    }
    let told = Told {
        event: "DeploymentFailed",
        says: &[last],
        ..Told::of_service("web")
    };
    told.everywhere(&bed).await;
    let page = page(&bed, "EcsService", "web").await;
    let (_, below) = page.split_once("STOPPED TASK ").unwrap();
    assert!(below.contains(code) && below.contains(reason), "{page}");
}

/// The tasks of EcsTasks: what the namespace has, the task definition, the condition's reason, and what is told.
fn of_tasks() -> Vec<(Place, Value, &'static str, &'static [&'static str])> {
    vec![
        (
            Place::Plain,
            app_with("cpu", json!(131_072)),
            "UnableToPlaceTask",
            &[
                "insufficient CPU units available",
                "add nodes or larger ones",
            ],
        ),
        (
            Place::Plain,
            app_with("image", json!("example:nope")),
            "CannotPullContainerError",
            &["CannotPullContainerError: ", "example:nope"],
        ),
        (
            Place::Quota,
            app(&["wait"]),
            "QuotaExceeded",
            &["exceeded quota: full"],
        ),
        (
            Place::Limits,
            app(&["wait"]),
            "TaskFailedToStart",
            &["memory usage per Container"],
        ),
        (
            Place::Restricted,
            app(&["wait"]),
            "PodSecurityViolated",
            &[
                "violates PodSecurity \"restricted:latest\"",
                "the label pod-security.kubernetes.io/enforce of the namespace",
            ],
        ),
    ]
}

#[tokio::test]
async fn what_keeps_a_task_from_running_is_told() {
    let run = async |(place, definition, event, says)| {
        let bed = bed("task").await;
        prepare(&bed, place).await;
        bed.must_apply("EcsTaskDefinition", "visit", definition)
            .await;
        let spec = json!({"taskDefinition": "visit"});
        bed.must_apply("EcsTask", "visit", spec).await;
        let told = Told {
            kind: "EcsTask",
            name: "visit",
            // What Pod Security forbids does not begin.
            condition: match place {
                Place::Restricted => "Accepted",
                _ => "Succeeded",
            },
            event,
            says,
        };
        told.everywhere(&bed).await;
    };
    join_all(of_tasks().into_iter().map(run)).await;
}

/// What is told of an object.
struct Told<'a> {
    kind: &'static str,
    name: &'a str,
    condition: &'static str,
    event: &'static str,
    says: &'a [&'a str],
}

impl<'a> Told<'a> {
    fn of_service(name: &'a str) -> Self {
        Self {
            kind: "EcsService",
            name,
            condition: "Ready",
            event: "",
            says: &[],
        }
    }

    /// Waits until it is told in the condition, in an event and by the program.
    async fn everywhere(&self, bed: &Bed) {
        let Self {
            kind, name, says, ..
        } = *self;
        let fits = |text: &str| says.iter().all(|words| text.contains(words));
        // What is not ready says the same of its progress.
        let conditions = match self.condition {
            "Ready" => &["Ready", "Progressing"][..],
            other => &[other],
        };
        let what = format!("{conditions:?} to say {says:?}");
        bed.until(kind, name, &what, |object| {
            let message = |type_| condition(object, type_)["message"].clone();
            let mut messages = conditions.iter().map(|type_| message(type_));
            messages.all(|message| fits(message.as_str().unwrap_or_default()))
        })
        .await;
        self.by_an_event(bed, fits).await;
        let last = std::cell::RefCell::default();
        let result = until(&format!("a page with {says:?}"), LIMIT, async || {
            let page = page(bed, kind, name).await;
            let found = fits(&page).then_some(());
            *last.borrow_mut() = page;
            Ok(found)
        })
        .await;
        result.unwrap_or_else(|error| panic!("{error}:\n{}", last.borrow()));
    }

    async fn by_an_event(&self, bed: &Bed, fits: impl Fn(&str) -> bool) {
        let api = bed.api::<Event>();
        let seen = std::cell::RefCell::new(Vec::new());
        let what = format!("an event {} with {:?}", self.event, self.says);
        let result = until(&what, LIMIT, async || {
            let events = api.list(&ListParams::default()).await?;
            let about = events.into_iter().filter(|event| {
                event.involved_object.kind.as_deref() == Some(self.kind)
                    && event.involved_object.name.as_deref() == Some(self.name)
            });
            let told: Vec<(String, String)> = about
                .map(|event| {
                    let reason = event.reason.unwrap_or_default();
                    (reason, event.message.unwrap_or_default())
                })
                .collect();
            let is_it = |(reason, note): &(String, String)| reason == self.event && fits(note);
            let found = told.iter().any(is_it).then_some(());
            *seen.borrow_mut() = told;
            Ok(found)
        })
        .await;
        result.unwrap_or_else(|error| panic!("{error}: {:#?}", seen.borrow()));
    }
}

/// What `ecs-operator status` prints.
async fn page(bed: &Bed, kind: &str, name: &str) -> String {
    let kind = if kind == "EcsTask" { "task" } else { "service" };
    let output = Command::new(env!("CARGO_BIN_EXE_ecs-operator"))
        .args(["status", &format!("{kind}/{name}")])
        .args(["--namespace", bed.namespace.name(), "--kubeconfig"])
        .arg(cluster().await)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

async fn prepare(bed: &Bed, place: Place) {
    let create = PostParams::default();
    let name = bed.namespace.name();
    match place {
        Place::Plain => {}
        Place::Quota => {
            let quota = json!({"metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}});
            let quota: ResourceQuota = serde_json::from_value(quota).unwrap();
            bed.api().create(&create, &quota).await.unwrap();
            bed.eventually::<ResourceQuota>("full", "the quota to count", |quota| {
                let status = quota.status.as_ref();
                status.is_some_and(|status| status.used.is_some())
            })
            .await;
        }
        Place::Limits => {
            let limits = json!({
                "metadata": {"name": "small"},
                "spec": {"limits": [{"type": "Container", "max": {"memory": "1Mi"}}]},
            });
            let limits: LimitRange = serde_json::from_value(limits).unwrap();
            bed.api().create(&create, &limits).await.unwrap();
        }
        Place::Restricted => {
            let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
            let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
            let namespaces: Api<Namespace> = Api::all(bed.client.clone());
            let params = PatchParams::default();
            namespaces.patch(name, &params, &patch).await.unwrap();
        }
        Place::Taken => {
            let theirs = json!({
                "metadata": {"name": "web"},
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": {"app": "theirs"}},
                    "template": {
                        "metadata": {"labels": {"app": "theirs"}},
                        "spec": {"containers": [{"name": "app", "image": "example:1"}]},
                    },
                },
            });
            let theirs: Deployment = serde_json::from_value(theirs).unwrap();
            bed.api().create(&create, &theirs).await.unwrap();
        }
    }
}
