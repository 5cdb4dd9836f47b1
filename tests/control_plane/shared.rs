//! Objects that several services share.

use std::collections::BTreeSet;

use futures::{future::join_all, join};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use ecs_operator_testbed::until;

use crate::{
    bed,
    support::{Bed, LIMIT, task_definition, uid},
};

fn with_efs(image: &str) -> serde_json::Value {
    let mut definition = task_definition(image);
    definition["volumes"] = json!([{
        "name": "data",
        "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0", "transitEncryption": "ENABLED"},
    }]);
    definition["containerDefinitions"][0]["mountPoints"] =
        json!([{"sourceVolume": "data", "containerPath": "/data"}]);
    definition
}

#[tokio::test]
async fn services_share_a_file_system_until_none_needs_it() {
    let bed = bed("efs").await;
    bed.must_apply("EcsTaskDefinition", "web", with_efs("testbed/web"))
        .await;
    for name in ["one", "two"] {
        bed.must_apply(
            "EcsService",
            name,
            json!({"taskDefinition": "web", "desiredCount": 1}),
        )
        .await;
        bed.condition("EcsService", name, "Ready", "True").await;
    }
    let claims = bed
        .api::<PersistentVolumeClaim>()
        .list(&Default::default())
        .await
        .unwrap();
    assert_eq!(claims.items.len(), 1);
    let claim = claims.items[0].metadata.name.clone().unwrap();
    let owners = claims.items[0].metadata.owner_references.clone().unwrap();
    assert_eq!(owners.len(), 2);
    assert!(owners.iter().all(|owner| owner.controller != Some(true)));
    let volumes: Api<PersistentVolume> = Api::all(bed.client.clone());
    let volume = claims.items[0].spec.clone().unwrap().volume_name.unwrap();
    let spec = volumes.get(&volume).await.unwrap().spec.unwrap();
    assert_eq!(
        spec.persistent_volume_reclaim_policy.as_deref(),
        Some("Retain")
    );

    // One of the two needs it no more.
    bed.must_apply("EcsTaskDefinition", "plain", task_definition("testbed/web"))
        .await;
    bed.must_apply(
        "EcsService",
        "one",
        json!({"taskDefinition": "plain", "desiredCount": 1}),
    )
    .await;
    bed.eventually::<PersistentVolumeClaim>(&claim, "one owner", |claim| {
        claim
            .metadata
            .owner_references
            .as_ref()
            .is_some_and(|owners| owners.len() == 1)
    })
    .await;
    bed.condition("EcsService", "one", "Ready", "True").await;
    bed.resources("EcsService")
        .delete("two", &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<PersistentVolumeClaim>(&claim).await;
    until("the volume to be gone", LIMIT, async || {
        Ok(volumes.get_opt(&volume).await?.is_none().then_some(()))
    })
    .await
    .unwrap();

    // Whoever comes back finds the file system again.
    bed.must_apply(
        "EcsService",
        "two",
        json!({"taskDefinition": "web", "desiredCount": 1}),
    )
    .await;
    bed.condition("EcsService", "two", "Ready", "True").await;
    bed.eventually::<PersistentVolumeClaim>(&claim, "the claim to be bound", |claim| {
        claim
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            == Some("Bound")
    })
    .await;
}

/// The users of a claim: two services and a task.
const USERS: [(&str, &str); 3] = [
    ("EcsService", "one"),
    ("EcsService", "two"),
    ("EcsTask", "job"),
];

/// Starts the users, and returns the claim once it is bound and belongs to all.
async fn used_by_all(bed: &Bed) -> PersistentVolumeClaim {
    bed.must_apply("EcsTaskDefinition", "web", with_efs("testbed/web"))
        .await;
    for (kind, name) in USERS {
        start(bed, kind, name).await;
    }
    let name = claim_name(bed).await;
    bed.eventually(&name, "a bound claim of all", |claim| {
        is_bound(claim) && owners(claim) == names(&USERS)
    })
    .await
}

async fn start(bed: &Bed, kind: &str, name: &str) {
    let mut spec = json!({"taskDefinition": "web"});
    if kind == "EcsService" {
        spec["desiredCount"] = json!(1);
    }
    bed.must_apply(kind, name, spec).await;
}

async fn end(bed: &Bed, kind: &str, name: &str) {
    let params = DeleteParams::background();
    bed.resources(kind).delete(name, &params).await.unwrap();
}

/// The name of the only claim.
async fn claim_name(bed: &Bed) -> String {
    let claims = bed.api::<PersistentVolumeClaim>();
    until("one claim", LIMIT, async || {
        let claims = claims.list(&Default::default()).await?.items;
        assert!(claims.len() <= 1, "{claims:?}");
        Ok(claims.first().map(ResourceExt::name_any))
    })
    .await
    .unwrap()
}

fn names(users: &[(&str, &str)]) -> BTreeSet<String> {
    users.iter().map(|(_, name)| (*name).to_owned()).collect()
}

fn owners(claim: &PersistentVolumeClaim) -> BTreeSet<String> {
    let owners = claim.owner_references().iter();
    owners.map(|owner| owner.name.clone()).collect()
}

fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    let phase = claim.status.as_ref().and_then(|it| it.phase.as_deref());
    phase == Some("Bound") && claim.metadata.deletion_timestamp.is_none()
}

async fn volume_of(bed: &Bed, claim: &PersistentVolumeClaim) -> Option<PersistentVolume> {
    let name = claim.spec.as_ref().unwrap().volume_name.as_ref().unwrap();
    let volumes: Api<PersistentVolume> = Api::all(bed.client.clone());
    volumes.get_opt(name).await.unwrap()
}

async fn volume_gone(bed: &Bed, claim: &PersistentVolumeClaim) {
    until("the volume to be gone", LIMIT, async || {
        Ok(volume_of(bed, claim).await.is_none().then_some(()))
    })
    .await
    .unwrap();
}

/// Ends the users in this order. The claim stays the same until the last one ends.
async fn ended_in_order(order: [usize; 3]) {
    let bed = bed("order").await;
    let claim = used_by_all(&bed).await;
    let volume = volume_of(&bed, &claim).await.unwrap();
    let mut left = order.map(|index| USERS[index]).to_vec();
    while left.len() > 1 {
        let (kind, name) = left.remove(0);
        end(&bed, kind, name).await;
        let what = format!("a claim of {left:?} in the order {order:?}");
        let now = bed
            .eventually(&claim.name_any(), &what, |claim| {
                owners(claim) == names(&left)
            })
            .await;
        assert_eq!(uid(&now), uid(&claim), "{order:?}");
        assert!(is_bound(&now), "{order:?}: {now:?}");
        let now = volume_of(&bed, &claim).await.map(|volume| uid(&volume));
        assert_eq!(now, Some(uid(&volume)), "{order:?}");
    }
    let (kind, name) = left.remove(0);
    end(&bed, kind, name).await;
    bed.gone::<PersistentVolumeClaim>(&claim.name_any()).await;
    volume_gone(&bed, &claim).await;
}

#[tokio::test]
async fn a_claim_goes_with_its_last_user_in_every_order() {
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    join_all(orders.map(ended_in_order)).await;
}

/// A task that joins gets the claim, or another one of the same name once that is gone, however it coincides with the
/// end of the last user.
#[tokio::test]
async fn a_task_joins_a_claim_while_its_last_user_goes() {
    let together = async |bed: &Bed| {
        let (_, ()) = join!(end(bed, "EcsService", "one"), start(bed, "EcsTask", "job"));
    };
    let end_first = async |bed: &Bed| {
        end(bed, "EcsService", "one").await;
        start(bed, "EcsTask", "job").await;
    };
    // The operator releases the claim here, not the garbage collector.
    let given_up = async |bed: &Bed| {
        bed.must_apply("EcsTaskDefinition", "plain", task_definition("testbed/web"))
            .await;
        let plain = json!({"taskDefinition": "plain", "desiredCount": 1});
        bed.must_apply("EcsService", "one", plain).await;
        bed.until("EcsService", "one", "its old tasks to end", |service| {
            service["status"]["deployments"].as_array().map(Vec::len) == Some(1)
        })
        .await;
        start(bed, "EcsTask", "job").await;
    };
    let case = async |which: usize| {
        let bed = bed("join").await;
        bed.must_apply("EcsTaskDefinition", "web", with_efs("testbed/web"))
            .await;
        start(&bed, "EcsService", "one").await;
        bed.condition("EcsService", "one", "Ready", "True").await;
        match which {
            0 => together(&bed).await,
            1 => end_first(&bed).await,
            _ => given_up(&bed).await,
        }
        let running = bed.until("EcsTask", "job", "the task to run", |task| {
            task["status"]["lastStatus"] == "RUNNING"
        });
        running.await;
        let of_task = BTreeSet::from(["job".to_owned()]);
        let name = claim_name(&bed).await;
        let claim: PersistentVolumeClaim = bed
            .eventually(&name, "a bound claim of the task", |claim| {
                is_bound(claim) && owners(claim) == of_task
            })
            .await;
        end(&bed, "EcsTask", "job").await;
        bed.gone::<PersistentVolumeClaim>(&name).await;
        volume_gone(&bed, &claim).await;
    };
    join_all((0..3).map(case)).await;
}

/// A claim that is being deleted stays while a task of its last user ends. A task that joins then waits, and gets the
/// next claim.
#[tokio::test]
async fn a_task_that_joins_a_claim_too_late_gets_the_next_one() {
    let bed = bed("late").await;
    bed.must_apply("EcsTaskDefinition", "web", with_efs("testbed/web"))
        .await;
    start(&bed, "EcsService", "one").await;
    bed.condition("EcsService", "one", "Ready", "True").await;
    let claim: PersistentVolumeClaim = bed
        .eventually(&claim_name(&bed).await, "a bound claim", is_bound)
        .await;
    let task = bed.tasks("one").await.remove(0).name_any();
    let pods = bed.api::<Pod>();
    let held = |held: &[&str]| Patch::Merge(json!({"metadata": {"finalizers": held}}));
    let params = PatchParams::default();
    pods.patch(&task, &params, &held(&["test.example/held"]))
        .await
        .unwrap();
    end(&bed, "EcsService", "one").await;
    bed.eventually::<PersistentVolumeClaim>(&claim.name_any(), "the claim to end", |claim| {
        claim.metadata.deletion_timestamp.is_some()
    })
    .await;
    start(&bed, "EcsTask", "job").await;
    bed.until("EcsTask", "job", "the task to wait", |task| {
        let reason = task["status"]["tasks"][0]["statusReason"].as_str();
        reason.is_some_and(|reason| reason.contains("is being deleted"))
    })
    .await;
    pods.patch(&task, &params, &held(&[])).await.unwrap();
    bed.until("EcsTask", "job", "the task to run", |task| {
        task["status"]["lastStatus"] == "RUNNING"
    })
    .await;
    let next = bed
        .eventually(&claim.name_any(), "the next claim", is_bound)
        .await;
    assert_ne!(uid(&next), uid(&claim));
    assert_eq!(owners(&next), BTreeSet::from(["job".to_owned()]));
}

#[tokio::test]
async fn namespaces_share_a_file_system_and_no_claim() {
    let beds = join!(bed("here"), bed("there"));
    let (here, there) = &beds;
    let claims = join!(used_by_all(here), used_by_all(there));
    let volumes = join!(volume_of(here, &claims.0), volume_of(there, &claims.1));
    let (volumes, there_before) = ([volumes.0.unwrap(), volumes.1.unwrap()], uid(&claims.1));
    let handle = |volume: &PersistentVolume| {
        let spec = volume.spec.clone().unwrap();
        (
            spec.csi.unwrap().volume_handle,
            spec.claim_ref.unwrap().uid.unwrap(),
        )
    };
    assert_eq!(handle(&volumes[0]).0, handle(&volumes[1]).0);
    assert_eq!(handle(&volumes[0]).1, uid(&claims.0));
    assert_eq!(handle(&volumes[1]).1, uid(&claims.1));
    for (kind, name) in USERS {
        end(here, kind, name).await;
    }
    here.gone::<PersistentVolumeClaim>(&claims.0.name_any())
        .await;
    volume_gone(here, &claims.0).await;
    let claim: PersistentVolumeClaim = there
        .eventually(&claims.1.name_any(), "the claim", |_| true)
        .await;
    assert!(is_bound(&claim), "{claim:?}");
    assert_eq!(uid(&claim), there_before);
    let volume = volume_of(there, &claim).await.map(|volume| uid(&volume));
    assert_eq!(volume, Some(uid(&volumes[1])));
}

/// Kubernetes keeps a claim that somebody deletes while a task mounts it, and the next task waits for its end.
#[tokio::test]
async fn a_claim_that_somebody_deletes_comes_back() {
    let bed = bed("deleted").await;
    let claim = used_by_all(&bed).await;
    let claims = bed.api::<PersistentVolumeClaim>();
    claims
        .delete(&claim.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    end(&bed, "EcsTask", "job").await;
    for service in ["one", "two"] {
        let task = bed.tasks(service).await.remove(0).name_any();
        let pods = bed.api::<Pod>();
        pods.delete(&task, &DeleteParams::default()).await.unwrap();
    }
    bed.eventually(&claim.name_any(), "the next claim", |next| {
        is_bound(next) && uid(next) != uid(&claim) && owners(next) == names(&USERS[..2])
    })
    .await;
    for service in ["one", "two"] {
        bed.condition("EcsService", service, "Ready", "True").await;
        let running = async || {
            let tasks = bed.tasks(service).await;
            let runs = |pod: &Pod| {
                pod.status
                    .as_ref()?
                    .phase
                    .as_deref()
                    .map(|it| it == "Running")
            };
            Ok(tasks
                .iter()
                .all(|pod| runs(pod) == Some(true))
                .then_some(()))
        };
        until("the next task to run", LIMIT, running).await.unwrap();
    }
}
