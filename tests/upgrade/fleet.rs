//! Services and tasks in every state in which an operator may find them.

use std::path::Path;

use anyhow::Result;
use ecs_operator_testbed::{Cluster, until};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::support::{Bed, LIMIT, condition, sources::resources, task_definition};

/// The image of a container whose status a test writes.
const HOLD: &str = "testbed/hold";

/// The service whose second deployment has begun, and waits for its tasks.
pub const BEGUN: &str = "begun";

/// What has become of a service.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Its tasks run.
    Steady,
    /// Its second deployment has failed, and stays where it is.
    Failed,
    /// Its second deployment has failed, and was rolled back.
    RolledBack,
    /// Its second deployment was stopped by someone.
    Stopped,
    /// Its second deployment has begun.
    Begun,
    /// It stays with its first revision, while there is a second one.
    Pinned,
    /// What stands around its tasks was changed since they began.
    Changed,
}

/// A service with a task definition of its own.
struct Member {
    name: &'static str,
    /// What its task definition has beside the usual.
    definition: Value,
    /// What it has itself.
    service: Value,
    state: State,
}

/// A service whose tasks run.
fn steady(name: &'static str, definition: Value, service: Value) -> Member {
    Member {
        name,
        definition,
        service,
        state: State::Steady,
    }
}

fn member(name: &'static str, state: State, service: Value) -> Member {
    Member {
        state,
        ..steady(name, json!({}), service)
    }
}

/// A new scenario is an entry here.
fn members() -> Vec<Member> {
    let none = || json!({});
    let breaker = |rollback: bool| {
        let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": rollback}});
        json!({"desiredCount": 4, "deploymentConfiguration": breaker})
    };
    vec![
        steady("plain", none(), json!({"desiredCount": 2})),
        // Before Kubernetes 1.36 a Service must not be called so.
        steady("1st", none(), json!({"desiredCount": 1})),
        steady(
            "everywhere",
            none(),
            json!({"schedulingStrategy": "DAEMON"}),
        ),
        steady("split", none(), split()),
        steady(
            "scaled",
            none(),
            json!({"desiredCount": 2, "autoScaling": scaling(cpu())}),
        ),
        steady(
            "queue",
            none(),
            json!({"desiredCount": 2, "autoScaling": scaling(backlog())}),
        ),
        steady("shop-alb", none(), exposed("alb")),
        steady("shop-nlb", none(), exposed("nlb")),
        steady("targets", none(), targets()),
        steady("connected", named_port(), connected()),
        steady("shared-files", efs(), json!({"desiredCount": 2})),
        steady("tagged", none(), tagged()),
        steady("placed", none(), placed()),
        steady("checked", checked(), json!({"desiredCount": 2})),
        steady(
            "sized",
            json!({"cpu": "256", "memory": "512"}),
            json!({"desiredCount": 1}),
        ),
        steady("pair", pair(), json!({"desiredCount": 1})),
        member("pinned", State::Pinned, json!({"desiredCount": 1})),
        member("failed", State::Failed, breaker(false)),
        member("rolled-back", State::RolledBack, breaker(true)),
        member("stopped", State::Stopped, json!({"desiredCount": 2})),
        member(BEGUN, State::Begun, json!({"desiredCount": 2})),
        member("changed", State::Changed, targets()),
    ]
}

fn split() -> Value {
    let strategy = json!([
        {"capacityProvider": "one", "weight": 1, "base": 1},
        {"capacityProvider": "two", "weight": 1},
    ]);
    json!({"desiredCount": 4, "capacityProviderStrategy": strategy})
}

/// A target tracking policy on a metric.
fn scaling(metric: Value) -> Value {
    let mut tracking = json!({"TargetValue": 60.0});
    tracking
        .as_object_mut()
        .unwrap()
        .extend(metric.as_object().unwrap().clone());
    json!({
        "scalableTarget": {"MinCapacity": 2, "MaxCapacity": 4},
        "scalingPolicies": [{
            "PolicyName": "load",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": tracking,
        }],
    })
}

fn cpu() -> Value {
    let metric = json!({"PredefinedMetricType": "ECSServiceAverageCPUUtilization"});
    json!({"PredefinedMetricSpecification": metric})
}

fn backlog() -> Value {
    let metric = json!({
        "MetricName": "Backlog",
        "Namespace": "Shop",
        "Dimensions": [{"Name": "Queue", "Value": "orders"}],
        "Statistic": "Average",
    });
    json!({"CustomizedMetricSpecification": metric})
}

fn exposed(by: &str) -> Value {
    let expose = json!({"type": by, "containerName": "app", "containerPort": 80});
    json!({"desiredCount": 1, "kubernetes": {"expose": expose}})
}

fn targets() -> Value {
    let group =
        "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/more/73e2d6bc24d8a067";
    let balancer = json!({"targetGroupArn": group, "containerName": "app", "containerPort": 80});
    json!({"desiredCount": 2, "loadBalancers": [balancer]})
}

fn named_port() -> Value {
    let mut containers = task_definition("testbed/web")["containerDefinitions"].clone();
    containers[0]["portMappings"][0]["name"] = json!("http");
    json!({"containerDefinitions": containers})
}

fn connected() -> Value {
    let service = json!({
        "portName": "http", "discoveryName": "orders",
        "clientAliases": [{"port": 80, "dnsName": "orders"}],
    });
    let connect = json!({"enabled": true, "namespace": "internal", "services": [service]});
    json!({"desiredCount": 1, "serviceConnectConfiguration": connect})
}

fn efs() -> Value {
    let mut containers = task_definition("testbed/web")["containerDefinitions"].clone();
    containers[0]["mountPoints"] = json!([{"sourceVolume": "data", "containerPath": "/data"}]);
    let file_system =
        json!({"fileSystemId": "fs-0123456789abcdef0", "transitEncryption": "ENABLED"});
    let volumes = json!([{"name": "data", "efsVolumeConfiguration": file_system}]);
    json!({"containerDefinitions": containers, "volumes": volumes})
}

fn tagged() -> Value {
    let tags = json!([{"key": "team", "value": "shop"}, {"key": "cost-center", "value": "7"}]);
    json!({"desiredCount": 1, "tags": tags, "propagateTags": "SERVICE"})
}

fn placed() -> Value {
    json!({
        "desiredCount": 3,
        "placementConstraints": [{"type": "distinctInstance"}],
        "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
    })
}

fn checked() -> Value {
    let mut containers = task_definition("testbed/web")["containerDefinitions"].clone();
    containers[0]["healthCheck"] = json!({"command": ["CMD-SHELL", "true"], "interval": 5});
    json!({"containerDefinitions": containers})
}

fn pair() -> Value {
    let app = task_definition("testbed/web")["containerDefinitions"][0].clone();
    let helper = json!({
        "name": "helper", "image": "testbed/helper", "memory": 32, "essential": false,
        "restartPolicy": {"enabled": true, "ignoredExitCodes": [0]},
    });
    json!({"containerDefinitions": [app, helper]})
}

/// The spec of a task definition with an image in its first container.
fn definition(member: &Member, image: &str) -> Value {
    let mut spec = task_definition(image);
    let more = member.definition.as_object().unwrap().clone();
    spec.as_object_mut().unwrap().extend(more);
    spec["containerDefinitions"][0]["image"] = json!(image);
    spec
}

/// Makes everything, and waits until it is in its state. `program` reads the examples that are below `root`.
pub async fn arise(cluster: &Cluster, bed: &Bed, program: &Path, root: &Path) {
    let shop = resources(program, root, "examples/shop");
    cluster.apply(bed.namespace.name(), &shop).await.unwrap();
    let task = json!({"taskDefinition": "plain"});
    bed.must_apply("EcsTask", "job", task).await;
    let members = members();
    for member in &members {
        let first = definition(member, "testbed/web");
        bed.must_apply("EcsTaskDefinition", member.name, first)
            .await;
        let mut service = member.service.clone();
        let reference = match member.state {
            State::Pinned => format!("{}:1", member.name),
            _ => member.name.to_owned(),
        };
        service["taskDefinition"] = json!(reference);
        bed.must_apply("EcsService", member.name, service).await;
    }
    all_ready(bed).await;
    bed.until("EcsTask", "job", "the task to run", |task| {
        task["status"]["lastStatus"] == "RUNNING"
    })
    .await;
    for member in &members {
        second_deployment(bed, member).await;
    }
}

/// Waits until every service is steady.
async fn all_ready(bed: &Bed) {
    let waiting = std::cell::RefCell::new(Vec::new());
    let ready = until("the services to be ready", LIMIT * 4, async || {
        let services = bed.resources("EcsService");
        let services = services.list(&ListParams::default()).await?;
        let not_ready = services.items.iter().filter_map(|service| {
            let ready = condition(&json!(service), "Ready");
            (ready["status"] != "True").then(|| format!("{}: {ready}", service.name_any()))
        });
        *waiting.borrow_mut() = not_ready.collect();
        Ok(waiting.borrow().is_empty().then_some(()))
    });
    ready
        .await
        .unwrap_or_else(|error| panic!("{error}:\n{}", waiting.borrow().join("\n")));
}

/// Binds the tasks of a service to another target group, which needs no other tasks.
async fn other_target(bed: &Bed, member: &Member) {
    let group =
        "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/other/0123456789abcdef";
    let mut service = member.service.clone();
    service["taskDefinition"] = json!(member.name);
    service["loadBalancers"][0]["targetGroupArn"] = json!(group);
    bed.must_apply("EcsService", member.name, service).await;
    bed.until("EcsService", member.name, "the other target group", |it| {
        let is_seen = it["status"]["observedGeneration"] == it["metadata"]["generation"];
        is_seen && condition(it, "Ready")["status"] == "True"
    })
    .await;
}

/// Brings a service from its first deployment into its state.
async fn second_deployment(bed: &Bed, member: &Member) {
    let image = match member.state {
        State::Steady => return,
        State::Changed => return other_target(bed, member).await,
        State::Pinned => "testbed/web:2",
        _ => HOLD,
    };
    let second = definition(member, image);
    bed.must_apply("EcsTaskDefinition", member.name, second)
        .await;
    match member.state {
        State::Steady | State::Changed => {}
        State::Pinned => {
            bed.until(
                "EcsTaskDefinition",
                member.name,
                "a second revision",
                |it| it["status"]["revision"] == 2,
            )
            .await;
        }
        State::Failed => {
            fail(bed, member.name).await;
            told(
                bed,
                member.name,
                &["PRIMARY 2 FAILED", "ACTIVE 1 COMPLETED"],
            )
            .await;
        }
        State::RolledBack => {
            fail(bed, member.name).await;
            told(
                bed,
                member.name,
                &["PRIMARY 1 COMPLETED", "INACTIVE 2 FAILED"],
            )
            .await;
        }
        State::Stopped => {
            let begun = ["PRIMARY 2 IN_PROGRESS", "ACTIVE 1 COMPLETED"];
            let id = told(bed, member.name, &begun).await;
            let annotations = json!({"ecs-operator.dev/stop-deployment": id});
            let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
            let services = bed.resources("EcsService");
            let params = PatchParams::default();
            services.patch(member.name, &params, &patch).await.unwrap();
            told(
                bed,
                member.name,
                &["PRIMARY 2 FAILED", "ACTIVE 1 COMPLETED"],
            )
            .await;
        }
        State::Begun => {
            told(
                bed,
                member.name,
                &["PRIMARY 2 IN_PROGRESS", "ACTIVE 1 COMPLETED"],
            )
            .await;
        }
    }
}

/// Waits until a service tells these deployments and no new task is left of one that failed. Returns the id of the first.
async fn told(bed: &Bed, service: &str, expected: &[&str]) -> Value {
    let what = format!("the deployments of {service} to be {expected:?}");
    let object = bed.until("EcsService", service, &what, |object| {
        deployments(object, service) == expected
    });
    let id = object.await["status"]["deployments"][0]["id"].clone();
    if !expected[0].ends_with("IN_PROGRESS") {
        until("no task of what failed", LIMIT, async || {
            Ok(held(bed, service).await.is_empty().then_some(()))
        })
        .await
        .unwrap();
    }
    id
}

/// The deployments of a service: status, revision, rollout state.
fn deployments(object: &Value, service: &str) -> Vec<String> {
    let list = object["status"]["deployments"].as_array();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.into_iter()
        .flatten()
        .map(|it| {
            let revision = text(&it["taskDefinition"]).replace(&format!("{service}:"), "");
            format!(
                "{} {revision} {}",
                text(&it["status"]),
                text(&it["rolloutState"])
            )
        })
        .collect()
}

/// The tasks of a service whose status a test writes.
async fn held(bed: &Bed, service: &str) -> Vec<Pod> {
    let mut pods = bed.tasks(service).await;
    pods.retain(|pod| {
        let spec = pod.spec.as_ref().unwrap();
        spec.containers[0].image.as_deref() == Some(HOLD)
    });
    pods
}

/// Has three tasks of the new deployment of a service wait for their images in vain.
async fn fail(bed: &Bed, service: &str) {
    let pods = until("four tasks of the deployment", LIMIT, async || {
        let pods = held(bed, service).await;
        Ok((pods.len() == 4).then_some(pods))
    })
    .await
    .unwrap();
    for pod in pods.iter().take(3) {
        let waiting = json!({"waiting": {"reason": "ErrImagePull", "message": "no such image"}});
        let container = json!({
            "name": "app", "image": HOLD, "imageID": "", "ready": false, "restartCount": 0,
            "state": waiting,
        });
        write(
            bed,
            pod,
            json!({"phase": "Pending", "containerStatuses": [container]}),
        )
        .await;
    }
}

async fn write(bed: &Bed, pod: &Pod, status: Value) {
    let (params, patch) = (
        PatchParams::default(),
        Patch::Merge(json!({"status": status})),
    );
    let pods = bed.api::<Pod>();
    pods.patch_status(&pod.name_any(), &params, &patch)
        .await
        .unwrap();
}

/// Lets the tasks of the deployment that had begun start, and waits until it is done under its id.
pub async fn begun_deployment_ends(bed: &Bed, id: &Value) -> Result<()> {
    let services = bed.resources("EcsService");
    until("it to be done under its id", LIMIT, async || {
        for pod in held(bed, BEGUN).await {
            let container = json!({
                "name": "app", "image": HOLD, "imageID": "", "ready": true, "restartCount": 0,
                "started": true, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            });
            let conditions = ["Ready", "ContainersReady", "Initialized", "PodScheduled"].map(|type_| {
                json!({"type": type_, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"})
            });
            let status = json!({
                "phase": "Running", "conditions": conditions, "containerStatuses": [container],
            });
            write(bed, &pod, status).await;
        }
        let service = json!(services.get(BEGUN).await?);
        let first = &service["status"]["deployments"][0];
        let done = first["rolloutState"] == "COMPLETED" && first["id"] == *id;
        Ok(done.then_some(()))
    })
    .await
}
