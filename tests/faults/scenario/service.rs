//! Services: their first deployment and others, those that fail, and what they leave.

use std::{collections::BTreeSet, future::Future, sync::Arc};

use ecs_operator_testbed::until;
use futures::future::LocalBoxFuture;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Service},
    networking::v1::Ingress,
};
use kube::{
    ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{Scenario, delete, nothing, revise, service, steady, told};
use crate::support::{Bed, LIMIT, condition};

pub const FIRST: Scenario = Scenario {
    name: "first-deployment",
    prepare: nothing,
    act: |bed| Box::pin(async move { start(&bed, service(2)).await }),
};

pub const UPDATE: Scenario = Scenario {
    name: "update",
    prepare: |bed| Box::pin(async move { start(&bed, service(2)).await }),
    act: |bed| {
        Box::pin(async move {
            revise(&bed, "testbed/web:2", 2).await;
            steady(&bed, "web", "web:2").await;
        })
    },
};

pub const ROLLBACK: Scenario = Scenario {
    name: "rollback",
    prepare: |bed| Box::pin(async move { start(&bed, breaker(4)).await }),
    act: roll_back,
};

pub const FAILED_FIRST: Scenario = Scenario {
    name: "failed-first-deployment",
    prepare: nothing,
    act: |bed| {
        Box::pin(async move {
            revise(&bed, HOLD, 1).await;
            bed.must_apply("EcsService", "web", breaker(3)).await;
            let failed = async {
                bed.until("EcsService", "web", "the failure", |object| {
                    told(object) == ["PRIMARY web:1 FAILED"]
                        && condition(object, "Ready")["reason"] == "DeploymentFailed"
                })
                .await;
                bed.eventually::<Deployment>("web", "no replicas", |deployment| {
                    let spec = deployment.spec.as_ref();
                    spec.and_then(|spec| spec.replicas) == Some(0)
                })
                .await;
            };
            while_tasks_fail(&bed, 3, failed).await;
        })
    },
};

pub const SCALE_IN: Scenario = Scenario {
    name: "scale-in",
    prepare: |bed| Box::pin(async move { start(&bed, service(4)).await }),
    act: |bed| {
        Box::pin(async move {
            revise(&bed, "testbed/unready", 2).await;
            bed.until("EcsService", "web", "the deployment", |object| {
                told(object) == ["PRIMARY web:2 IN_PROGRESS", "ACTIVE web:1 COMPLETED"]
            })
            .await;
            appear(&bed, "testbed/unready", 4).await;
            bed.must_apply("EcsService", "web", service(2)).await;
            bed.until("EcsService", "web", "fewer tasks", |object| {
                let deployments = &object["status"]["deployments"];
                deployments[0]["pendingCount"] == 2 && deployments[1]["runningCount"] == 2
            })
            .await;
            revise(&bed, "testbed/web:3", 3).await;
            steady(&bed, "web", "web:3").await;
        })
    },
};

pub const DAEMON: Scenario = Scenario {
    name: "daemon",
    prepare: nothing,
    act: |bed| {
        Box::pin(async move {
            start(&bed, daemon()).await;
            revise(&bed, "testbed/web:2", 2).await;
            steady(&bed, "web", "web:2").await;
        })
    },
};

pub const TO_DAEMON: Scenario = Scenario {
    name: "replica-to-daemon",
    prepare: |bed| Box::pin(async move { start(&bed, service(2)).await }),
    act: |bed| {
        Box::pin(async move {
            bed.must_apply("EcsService", "web", daemon()).await;
            bed.gone::<Deployment>("web").await;
            steady(&bed, "web", "web:1").await;
        })
    },
};

pub const UNEXPOSED: Scenario = Scenario {
    name: "load-balancer-removed",
    prepare: |bed| {
        Box::pin(async move {
            let mut exposed = service(2);
            exposed["kubernetes"] =
                json!({"expose": {"type": "alb", "containerName": "app", "containerPort": 80}});
            start(&bed, exposed).await;
            bed.eventually::<Ingress>("web", "an Ingress", |_| true)
                .await;
        })
    },
    act: |bed| {
        Box::pin(async move {
            bed.must_apply("EcsService", "web", service(2)).await;
            bed.gone::<Ingress>("web").await;
            steady(&bed, "web", "web:1").await;
        })
    },
};

pub const AGAIN: Scenario = Scenario {
    name: "deleted-and-made-again",
    prepare: |bed| Box::pin(async move { start(&bed, service(2)).await }),
    act: |bed| {
        Box::pin(async move {
            delete(&bed, "web").await;
            bed.gone::<Service>("web").await;
            bed.must_apply("EcsService", "web", service(2)).await;
            steady(&bed, "web", "web:1").await;
        })
    },
};

/// The image of a container whose status is written here.
const HOLD: &str = "testbed/hold";

fn breaker(count: i64) -> Value {
    json!({
        "taskDefinition": "web",
        "desiredCount": count,
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
    })
}

fn daemon() -> Value {
    json!({"taskDefinition": "web", "schedulingStrategy": "DAEMON"})
}

/// Runs a service, and waits until it is steady.
async fn start(bed: &Bed, spec: Value) {
    revise(bed, "testbed/web", 1).await;
    bed.must_apply("EcsService", "web", spec).await;
    steady(bed, "web", "web:1").await;
}

fn roll_back(bed: Arc<Bed>) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        revise(&bed, HOLD, 2).await;
        let rolled_back = bed.until("EcsService", "web", "the rollback", |object| {
            told(object) == ["PRIMARY web:1 COMPLETED", "INACTIVE web:2 FAILED"]
                && condition(object, "Ready")["reason"] == "RolledBack"
                && object["status"]["runningCount"] == 4
        });
        while_tasks_fail(&bed, 3, rolled_back).await;
    })
}

/// Has so many tasks wait for their images in vain, and others in the place of those that are gone, until that comes
/// about which follows.
async fn while_tasks_fail<T>(bed: &Bed, count: usize, follows: impl Future<Output = T>) -> T {
    let fails = async {
        let mut failed = BTreeSet::new();
        loop {
            // The API server may be busy; then it is asked again.
            let _again = fail(bed, count, &mut failed).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        result = follows => result,
        () = fails => unreachable!("it goes on and on"),
    }
}

/// The pods of an image that were not told to end.
async fn pods_of(bed: &Bed, image: &str) -> kube::Result<Vec<Pod>> {
    let pods = bed.api::<Pod>().list(&ListParams::default()).await?;
    let there = |pod: &Pod| {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let mut images = containers.filter_map(|container| container.image.as_deref());
        pod.metadata.deletion_timestamp.is_none() && images.any(|it| it == image)
    };
    Ok(pods.into_iter().filter(there).collect())
}

/// Waits until so many pods of an image are there.
async fn appear(bed: &Bed, image: &str, count: usize) {
    until(&format!("{count} pods of {image}"), LIMIT, async || {
        let pods = pods_of(bed, image).await?;
        Ok((pods.len() == count).then_some(()))
    })
    .await
    .unwrap();
}

async fn fail(bed: &Bed, count: usize, failed: &mut BTreeSet<String>) -> kube::Result<()> {
    let there = pods_of(bed, HOLD).await?;
    failed.retain(|name| there.iter().any(|pod| pod.name_any() == *name));
    for pod in there {
        if failed.len() == count {
            break;
        }
        let status = json!({"status": {"phase": "Pending", "containerStatuses": [{
            "name": "app", "image": HOLD, "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}},
        }]}});
        if !failed.contains(&pod.name_any()) {
            let (params, patch) = (PatchParams::default(), Patch::Merge(status));
            let pods = bed.api::<Pod>();
            pods.patch_status(&pod.name_any(), &params, &patch).await?;
            failed.insert(pod.name_any());
        }
    }
    Ok(())
}
