//! Services: what is made of them, and how it stays so.

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::{ConfigMap, PodTemplateSpec, Service},
    policy::v1::PodDisruptionBudget,
};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::{
    bed,
    support::{Bed, condition, task_definition, uid},
};

fn service(count: i64) -> serde_json::Value {
    json!({"taskDefinition": "web", "desiredCount": count})
}

async fn running(bed: &Bed, count: i64) {
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    bed.must_apply("EcsService", "web", service(count)).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
}

#[tokio::test]
async fn a_service_becomes_steady() {
    let bed = bed("steady").await;
    bed.must_apply("EcsService", "web", service(3)).await;
    let accepted = bed
        .condition("EcsService", "web", "Accepted", "False")
        .await;
    assert_eq!(accepted["reason"], "TaskDefinitionNotFound");
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;

    let ready = bed.condition("EcsService", "web", "Ready", "True").await;
    assert_eq!(
        ready["message"],
        "(service web) has reached a steady state."
    );
    let object = bed.until("EcsService", "web", "its counts", |_| true).await;
    let status = &object["status"];
    assert_eq!(
        json!([
            status["desiredCount"],
            status["runningCount"],
            status["pendingCount"]
        ]),
        json!([3, 3, 0])
    );
    assert_eq!(status["taskDefinition"], "web:1");
    assert_eq!(status["deployments"][0]["rolloutState"], "COMPLETED");
    let service: Service = bed.api().get("web").await.unwrap();
    assert_eq!(
        service.metadata.owner_references.unwrap()[0].kind,
        "EcsService"
    );
    let note = bed.event("web", "SteadyState").await;
    assert_eq!(note, "(service web) has reached a steady state.");
}

#[tokio::test]
async fn a_new_revision_is_rolled_out_to_those_that_follow() {
    let bed = bed("revision").await;
    running(&bed, 2).await;
    bed.must_apply(
        "EcsService",
        "pinned",
        json!({"taskDefinition": "web:1", "desiredCount": 1}),
    )
    .await;
    bed.condition("EcsService", "pinned", "Ready", "True").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web:2"))
        .await;
    bed.until("EcsService", "web", "the new revision", |object| {
        object["status"]["taskDefinition"] == "web:2"
            && condition(object, "Ready")["status"] == "True"
    })
    .await;
    let deployment: Deployment = bed.api().get("web").await.unwrap();
    let template = deployment.spec.unwrap().template.spec.unwrap();
    assert_eq!(
        template.containers[0].image.as_deref(),
        Some("testbed/web:2")
    );
    let pinned: Deployment = bed.api().get("pinned").await.unwrap();
    let template = pinned.spec.unwrap().template.spec.unwrap();
    assert_eq!(template.containers[0].image.as_deref(), Some("testbed/web"));
}

#[tokio::test]
async fn what_is_edited_or_deleted_is_repaired() {
    let bed = bed("drift").await;
    running(&bed, 2).await;
    let patch = json!({"spec": {"replicas": 5, "template": {"spec": {"containers": [{"name": "app", "image": "evil"}]}}}});
    let deployments = bed.api::<Deployment>();
    let params = PatchParams {
        field_manager: Some("someone".to_owned()),
        ..PatchParams::default()
    };
    deployments
        .patch("web", &params, &Patch::Strategic(patch))
        .await
        .unwrap();
    bed.eventually::<Deployment>("web", "the Deployment to be put back", |deployment| {
        let spec = deployment.spec.as_ref().unwrap();
        let container = &spec.template.spec.as_ref().unwrap().containers[0];
        spec.replicas == Some(2) && container.image.as_deref() == Some("testbed/web")
    })
    .await;

    let before: Service = bed.api().get("web").await.unwrap();
    bed.api::<Service>()
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    bed.eventually::<Service>("web", "the Service to be made again", |service| {
        uid(service) != uid(&before)
    })
    .await;
    let before: PodDisruptionBudget = bed.api().get("web").await.unwrap();
    bed.api::<PodDisruptionBudget>()
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    bed.eventually::<PodDisruptionBudget>("web", "the budget to be made again", |it| {
        uid(it) != uid(&before)
    })
    .await;

    // A field that is not ours is left alone.
    let patch = json!({"metadata": {"annotations": {"someone/else": "yes"}}});
    deployments
        .patch("web", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    bed.must_apply("EcsService", "web", service(3)).await;
    let scaled = bed
        .eventually::<Deployment>("web", "the scaling", |d| {
            d.spec.as_ref().unwrap().replicas == Some(3)
        })
        .await;
    assert_eq!(scaled.metadata.annotations.unwrap()["someone/else"], "yes");
}

#[tokio::test]
async fn a_stranger_is_not_taken_over() {
    let bed = bed("stranger").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    // Whoever copies an object copies its labels.
    let copied = json!({
        "app.kubernetes.io/managed-by": "ecs-operator",
        "app.kubernetes.io/instance": "the-original",
    });
    for (name, labels) in [("plain", json!({})), ("copied", copied)] {
        let theirs = serde_json::from_value(json!({
            "metadata": {"name": name, "labels": labels},
            "spec": {"ports": [{"port": 1234}], "selector": {"their": "pods"}},
        }))
        .unwrap();
        let theirs = bed
            .api::<Service>()
            .create(&PostParams::default(), &theirs)
            .await
            .unwrap();
        bed.must_apply("EcsService", name, service(1)).await;
        let object = bed
            .until("EcsService", name, "the refusal", |object| {
                condition(object, "Ready")["reason"] == "ObjectNotOwned"
            })
            .await;
        let message = condition(&object, "Ready")["message"]
            .as_str()
            .unwrap()
            .to_owned();
        let expected = format!("Service {name} exists");
        assert!(message.contains(&expected), "{message}");
        let now: Service = bed.api().get(name).await.unwrap();
        assert_eq!(
            now.metadata.resource_version,
            theirs.metadata.resource_version
        );
        // Once it is gone, the service goes on by itself.
        bed.api::<Service>()
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
        bed.condition("EcsService", name, "Ready", "True").await;
    }
}

fn template(deployment: &Deployment) -> &PodTemplateSpec {
    &deployment.spec.as_ref().unwrap().template
}

#[tokio::test]
async fn a_rejected_change_leaves_what_runs() {
    let bed = bed("rejected").await;
    running(&bed, 2).await;
    let before: Deployment = bed.api().get("web").await.unwrap();
    let wrong = json!({
        "taskDefinition": "web",
        "desiredCount": 4,
        "loadBalancers": [{"loadBalancerName": "classic", "containerName": "app", "containerPort": 80}],
    });
    bed.must_apply("EcsService", "web", wrong).await;
    let accepted = bed
        .condition("EcsService", "web", "Accepted", "False")
        .await;
    let message = accepted["message"].as_str().unwrap();
    assert!(
        message.contains("loadBalancers[0].loadBalancerName"),
        "{message}"
    );
    let note = bed.event("web", accepted["reason"].as_str().unwrap()).await;
    assert!(note.contains("loadBalancerName"), "{note}");
    // How many tasks there are is no matter of the rest.
    let after = bed
        .eventually::<Deployment>("web", "four tasks", |deployment| {
            deployment.spec.as_ref().unwrap().replicas == Some(4)
        })
        .await;
    assert_eq!(template(&after), template(&before));
    // What ran is cared for.
    bed.api::<Deployment>()
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    let again = bed
        .eventually::<Deployment>("web", "the Deployment again", |deployment| {
            uid(deployment) != uid(&before)
        })
        .await;
    assert_eq!(template(&again), template(&before));
    bed.must_apply("EcsService", "web", service(4)).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
}

/// A DAEMON service has no count.
#[tokio::test]
async fn a_rejected_spec_without_a_count_leaves_the_count() {
    let bed = bed("uncounted").await;
    // The deployment begins with two.
    running(&bed, 2).await;
    bed.must_apply("EcsService", "web", service(4)).await;
    bed.eventually::<Deployment>("web", "four tasks", |deployment| {
        deployment.status.as_ref().unwrap().ready_replicas == Some(4)
    })
    .await;
    bed.until("EcsService", "web", "four tasks", |object| {
        object["status"]["desiredCount"] == 4
    })
    .await;
    let wrong = json!({
        "taskDefinition": "web",
        "schedulingStrategy": "DAEMON",
        "loadBalancers": [{"loadBalancerName": "classic", "containerName": "app", "containerPort": 80}],
    });
    bed.must_apply("EcsService", "web", wrong).await;
    bed.condition("EcsService", "web", "Accepted", "False")
        .await;
    let after: Deployment = bed.api().get("web").await.unwrap();
    assert_eq!(after.spec.unwrap().replicas, Some(4));
}

#[tokio::test]
async fn what_is_not_wanted_any_more_is_deleted_and_nothing_else() {
    let bed = bed("prune").await;
    running(&bed, 2).await;
    let other = json!({"metadata": {"name": "other"}, "data": {}});
    let other: ConfigMap = serde_json::from_value(other).unwrap();
    bed.api::<ConfigMap>()
        .create(&PostParams::default(), &other)
        .await
        .unwrap();
    // One task needs no budget.
    bed.must_apply("EcsService", "web", service(1)).await;
    bed.gone::<PodDisruptionBudget>("web").await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    bed.api::<ConfigMap>().get("other").await.unwrap();
    bed.resources("EcsService")
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<Deployment>("web").await;
    bed.gone::<Service>("web").await;
    bed.api::<ConfigMap>().get("other").await.unwrap();
    // One of the same name is another one.
    bed.must_apply("EcsService", "web", service(1)).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
}

#[tokio::test]
async fn a_service_that_becomes_a_daemon_keeps_its_tasks_until_the_new_ones_run() {
    let bed = bed("daemon").await;
    running(&bed, 2).await;
    // The new tasks do not become ready.
    bed.must_apply(
        "EcsTaskDefinition",
        "slow",
        task_definition("testbed/unready"),
    )
    .await;
    let daemon = |family: &str| json!({"taskDefinition": family, "schedulingStrategy": "DAEMON"});
    // The strategy of a service cannot be changed in ECS; here it can.
    bed.must_apply("EcsService", "web", daemon("slow")).await;
    bed.eventually::<DaemonSet>("web", "the DaemonSet", |set| {
        set.status
            .as_ref()
            .is_some_and(|status| status.current_number_scheduled == 3)
    })
    .await;
    let old: Deployment = bed.api().get("web").await.unwrap();
    assert_eq!(old.metadata.deletion_timestamp, None);
    bed.must_apply("EcsService", "web", daemon("web")).await;
    bed.gone::<Deployment>("web").await;
    bed.condition("EcsService", "web", "Ready", "True").await;
}

#[tokio::test]
async fn a_service_is_scaled_through_its_subresource() {
    let bed = bed("scale").await;
    running(&bed, 1).await;
    let services = bed.resources("EcsService");
    let patch = json!({"spec": {"replicas": 3}});
    services
        .patch_scale("web", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    bed.until("EcsService", "web", "three tasks", |object| {
        object["status"]["runningCount"] == 3
    })
    .await;
    let scale = services.get_scale("web").await.unwrap();
    assert_eq!(
        scale.status.unwrap().selector.as_deref(),
        Some("ecs-operator.dev/service=web")
    );
}

#[tokio::test]
async fn a_status_that_is_taken_away_is_told_again() {
    let bed = bed("untold").await;
    running(&bed, 2).await;
    let before: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    let none = Patch::Merge(json!({"status": null}));
    for kind in ["EcsService", "EcsTaskDefinition"] {
        let params = PatchParams::default();
        let resources = bed.resources(kind);
        resources.patch_status("web", &params, &none).await.unwrap();
    }
    bed.condition("EcsTaskDefinition", "web", "Accepted", "True")
        .await;
    let object = bed
        .until("EcsService", "web", "a status again", |object| {
            condition(object, "Ready")["status"] == "True"
        })
        .await;
    assert_eq!(object["status"]["runningCount"], 2);
    assert_eq!(object["status"]["taskDefinition"], "web:1");
    let after: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    assert_eq!(after, before);
}

#[tokio::test]
async fn conditions_of_others_stay() {
    let bed = bed("others").await;
    running(&bed, 1).await;
    let services = bed.resources("EcsService");
    let object = json!(services.get("web").await.unwrap());
    let mut conditions = object["status"]["conditions"].clone();
    let theirs = json!({
        "type": "example.com/Checked",
        "status": "True",
        "reason": "Checked",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    conditions.as_array_mut().unwrap().push(theirs.clone());
    let change = Patch::Merge(json!({"status": {"conditions": conditions}}));
    let params = PatchParams::default();
    services
        .patch_status("web", &params, &change)
        .await
        .unwrap();
    bed.must_apply("EcsService", "web", service(2)).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let object = json!(services.get("web").await.unwrap());
    assert_eq!(condition(&object, "example.com/Checked"), theirs);
}

fn scaling(members: Value) -> Value {
    let mut scaling = json!({"scalableTarget": {"MinCapacity": 1, "MaxCapacity": 2}});
    for (name, value) in members.as_object().unwrap() {
        scaling[name] = value.clone();
    }
    json!({"autoScaling": scaling})
}

fn action(target: Value) -> Value {
    json!({"ScheduledActionName": "night", "Schedule": "rate(1 day)", "ScalableTargetAction": target})
}

#[tokio::test]
async fn the_api_server_refuses_services_that_contradict_themselves() {
    let bed = bed("contradiction").await;
    for (members, expected) in [
        (
            json!({"schedulingStrategy": "DAEMON", "launchType": "FARGATE"}),
            "DaemonOnFargate: DAEMON services cannot run on Fargate",
        ),
        (
            json!({"schedulingStrategy": "DAEMON", "placementStrategy": [{"type": "random"}]}),
            "DaemonPlacementStrategy: DAEMON services take no placementStrategy",
        ),
        (
            json!({"schedulingStrategy": "DAEMON", "volumeConfigurations": [{"name": "data"}]}),
            "DaemonVolumeConfigurations: DAEMON services take no volumeConfigurations",
        ),
        (
            json!({
                "desiredCount": 1,
                "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 99},
            }),
            "DeploymentPercentOrder: minimumHealthyPercent is greater than maximumPercent",
        ),
        (
            scaling(json!({"scalableTarget": {"MinCapacity": 3, "MaxCapacity": 2}})),
            "CapacityOrder: minimum is greater than maximum",
        ),
        (
            scaling(
                json!({"scheduledActions": [action(json!({"MinCapacity": 3, "MaxCapacity": 2}))]}),
            ),
            "CapacityOrder: minimum is greater than maximum",
        ),
        (
            scaling(json!({"scheduledActions": [action(json!({}))]})),
            "ScalableTargetActionEmpty: a scheduled action needs MinCapacity or MaxCapacity",
        ),
    ] {
        let mut spec = members;
        spec["taskDefinition"] = json!("web");
        let error = bed.apply("EcsService", "web", spec).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
