//! Tasks that run to completion.

use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    core::v1::{Event, Pod, ResourceQuota},
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    bed,
    support::{Bed, condition, job_definition, task_definition, uid},
};

async fn run(bed: &Bed, image: &str, mut spec: Value) {
    bed.must_apply("EcsTaskDefinition", "job", job_definition(image))
        .await;
    spec["taskDefinition"] = json!("job");
    bed.must_apply("EcsTask", "job", spec).await;
}

async fn status(bed: &Bed, status: &str) -> Value {
    let object = bed
        .until("EcsTask", "job", status, |object| {
            object["status"]["lastStatus"] == status
        })
        .await;
    object["status"].clone()
}

#[tokio::test]
async fn a_task_runs_once_and_tells_how_it_ended() {
    let bed = bed("task").await;
    run(&bed, "testbed/exit:3", json!({"count": 2})).await;
    let status = status(&bed, "STOPPED").await;
    assert_eq!(status["stopCode"], "EssentialContainerExited");
    assert_eq!(
        status["stoppedReason"],
        "Essential container in task exited"
    );
    assert_eq!(status["taskDefinition"], "job:1");
    assert_eq!(status["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(status["tasks"][1]["containers"][0]["exitCode"], 3);
    assert_eq!(status["exitCode"], 3);
    let note = bed.event("job", "EssentialContainerExited").await;
    let expected = "is STOPPED: Essential container in task exited (app: exit code 3)";
    assert!(note.ends_with(expected), "{note}");
    assert_eq!(
        event_type(&bed, "job", "EssentialContainerExited").await,
        "Warning"
    );
    let succeeded = condition(&json!({"status": status}), "Succeeded");
    assert_eq!(succeeded["status"], "False", "{succeeded}");
    assert_eq!(succeeded["reason"], "EssentialContainerExited");
    // It is not run again when its pods go.
    bed.api::<Pod>()
        .delete("job-0", &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<Pod>("job-0").await;
    let label = json!({"metadata": {"labels": {"touched": "yes"}}});
    bed.resources("EcsTask")
        .patch("job", &PatchParams::default(), &Patch::Merge(label))
        .await
        .unwrap();
    bed.must_apply("EcsTask", "other", json!({"taskDefinition": "job"}))
        .await;
    bed.until("EcsTask", "other", "another task to have run", |o| {
        o["status"]["lastStatus"] == "STOPPED"
    })
    .await;
    assert!(bed.api::<Pod>().get_opt("job-0").await.unwrap().is_none());
}

#[tokio::test]
async fn a_task_whose_pod_vanishes_is_stopped() {
    let bed = bed("vanish").await;
    run(&bed, "testbed/web", json!({})).await;
    let running = status(&bed, "RUNNING").await;
    assert!(running["startedAt"].is_string(), "{running}");
    bed.api::<Pod>()
        .delete("job-0", &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    let stopped = status(&bed, "STOPPED").await;
    let code = stopped["stopCode"].as_str().unwrap();
    assert!(
        ["TerminationNotice", "UserInitiated"].contains(&code),
        "{stopped}"
    );
    assert!(bed.api::<Pod>().get_opt("job-0").await.unwrap().is_none());
}

#[tokio::test]
async fn a_task_whose_pod_lost_its_labels_goes_on() {
    let bed = bed("unlabelled").await;
    run(&bed, "testbed/web", json!({})).await;
    status(&bed, "RUNNING").await;
    let unlabelled = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}});
    bed.api::<Pod>()
        .patch("job-0", &PatchParams::default(), &Patch::Merge(unlabelled))
        .await
        .unwrap();
    // The watch tells of this one after it has told of the other.
    bed.must_apply("EcsTask", "other", json!({"taskDefinition": "job"}))
        .await;
    bed.until("EcsTask", "other", "another task to run", |o| {
        o["status"]["lastStatus"] == "RUNNING"
    })
    .await;
    let running = status(&bed, "RUNNING").await;
    assert_eq!(running["stopCode"], json!(null), "{running}");
    bed.api::<Pod>()
        .delete("job-0", &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    status(&bed, "STOPPED").await;
}

#[tokio::test]
async fn deleting_a_task_stops_it() {
    let bed = bed("delete").await;
    run(&bed, "testbed/web", json!({})).await;
    status(&bed, "RUNNING").await;
    bed.resources("EcsTask")
        .delete("job", &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<Pod>("job-0").await;
}

#[tokio::test]
async fn a_finished_task_is_removed_after_its_time() {
    let bed = bed("ttl").await;
    run(
        &bed,
        "testbed/exit:0",
        json!({"ttlSecondsAfterFinished": 1}),
    )
    .await;
    let api = bed.resources("EcsTask");
    ecs_operator_testbed::until(
        "the task to be removed",
        crate::support::LIMIT,
        async || Ok(api.get_opt("job").await?.is_none().then_some(())),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_task_that_cannot_be_translated_does_not_start() {
    let bed = bed("refused").await;
    bed.must_apply("EcsTask", "job", json!({"taskDefinition": "nobody"}))
        .await;
    let accepted = bed.condition("EcsTask", "job", "Accepted", "False").await;
    assert_eq!(accepted["reason"], "TaskDefinitionNotFound");
    // Like RunTask, which fails then; but here the definition may be applied a moment later.
    bed.must_apply(
        "EcsTaskDefinition",
        "nobody",
        task_definition("testbed/exit:0"),
    )
    .await;
    status(&bed, "STOPPED").await;
}

#[tokio::test]
async fn a_task_is_not_changed_once_it_was_asked_for() {
    let bed = bed("unchanged").await;
    run(&bed, "testbed/exit", json!({"count": 2})).await;
    let spec = |rest: Value| {
        let mut spec = json!({"taskDefinition": "job", "count": 2});
        for (name, value) in rest.as_object().unwrap() {
            spec[name] = value.clone();
        }
        spec
    };
    for change in [
        json!({"count": 3}),
        json!({"startedBy": "me"}),
        json!({"overrides": {"containerOverrides": [{"name": "app", "command": ["x"]}]}}),
    ] {
        let error = bed.apply("EcsTask", "job", spec(change)).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("requested tasks cannot be changed"), "{text}");
    }
    bed.must_apply(
        "EcsTask",
        "job",
        spec(json!({"ttlSecondsAfterFinished": 7200})),
    )
    .await;
    let error = bed
        .apply(
            "EcsTask",
            "grouped",
            json!({"taskDefinition": "job", "group": "service:web"}),
        )
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("must not start with service:"), "{error}");
}

async fn event_type(bed: &Bed, name: &str, reason: &str) -> String {
    let events = bed.api::<Event>().list(&Default::default()).await.unwrap();
    let mut of_it = events.into_iter().filter(|event| {
        event.involved_object.name.as_deref() == Some(name)
            && event.reason.as_deref() == Some(reason)
    });
    of_it.next().and_then(|event| event.type_).unwrap()
}

/// Has the operator look at a task again: a change of the status alone does not.
async fn touch(bed: &Bed, name: &str, value: &str) {
    let label = json!({"metadata": {"labels": {"touched": value}}});
    bed.resources("EcsTask")
        .patch(name, &PatchParams::default(), &Patch::Merge(label))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_task_that_ended_well_has_succeeded() {
    let bed = bed("good").await;
    run(&bed, "testbed/exit:0", json!({})).await;
    let status = status(&bed, "STOPPED").await;
    assert_eq!(status["exitCode"], 0);
    let succeeded = condition(&json!({"status": status}), "Succeeded");
    assert_eq!(succeeded["status"], "True", "{succeeded}");
    bed.event("job", "EssentialContainerExited").await;
    assert_eq!(
        event_type(&bed, "job", "EssentialContainerExited").await,
        "Normal"
    );
    let pod = bed.api::<Pod>().get("job-0").await.unwrap();
    assert_eq!(pod.status.unwrap().phase.as_deref(), Some("Succeeded"));
    assert_eq!(pod.spec.unwrap().active_deadline_seconds, None);
}

#[tokio::test]
async fn a_pod_whose_last_main_container_ended_is_left_to_end_by_itself() {
    let bed = bed("sidecar").await;
    run(&bed, "testbed/hold", json!({})).await;
    status(&bed, "PENDING").await;
    let pod = bed
        .eventually::<Pod>("job-0", "a node", |pod| {
            pod.spec
                .as_ref()
                .is_some_and(|spec| spec.node_name.is_some())
        })
        .await;
    let ended = json!({"status": {"phase": "Running", "containerStatuses": [{
        "name": "app", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-01-15T10:29:58Z"}},
    }]}});
    bed.api::<Pod>()
        .patch_status("job-0", &PatchParams::default(), &Patch::Merge(ended))
        .await
        .unwrap();
    let stopping = status(&bed, "STOPPING").await;
    assert_eq!(stopping["exitCode"], 0);
    // What would be done to the pod was done before the status was written.
    let after = bed.api::<Pod>().get("job-0").await.unwrap();
    assert_eq!(uid(&after), uid(&pod));
    assert_eq!(after.spec.unwrap().active_deadline_seconds, None);
}

#[tokio::test]
async fn a_task_that_no_node_can_take_says_so() {
    let bed = bed("unplaced").await;
    let nowhere = json!([{"type": "memberOf", "expression": "attribute:disk == ssd"}]);
    run(
        &bed,
        "testbed/web",
        json!({"placementConstraints": nowhere}),
    )
    .await;
    let object = bed
        .until("EcsTask", "job", "what keeps it", |object| {
            object["status"]["tasks"][0]["statusReason"].is_string()
        })
        .await;
    let status = &object["status"];
    assert_eq!(status["lastStatus"], "PENDING");
    assert_eq!(status["stoppedReason"], json!(null));
    let reason = status["tasks"][0]["statusReason"].as_str().unwrap();
    assert!(
        reason.starts_with("unable to place a task because no container instance met all of its requirements. The closest matching container instance is missing an attribute"),
        "{reason}"
    );
    let succeeded = condition(&object, "Succeeded");
    assert_eq!(succeeded["status"], "Unknown");
    assert_eq!(succeeded["reason"], "UnableToPlaceTask");
    let note = bed.event("job", "UnableToPlaceTask").await;
    assert_eq!(note, succeeded["message"]);
}

/// Lets so many pods be in a namespace.
async fn allow(bed: &Bed, pods: &str) {
    let quota: ResourceQuota = serde_json::from_value(json!({
        "metadata": {"name": "few"}, "spec": {"hard": {"pods": pods}},
    }))
    .unwrap();
    let quotas = bed.api::<ResourceQuota>();
    quotas.create(&PostParams::default(), &quota).await.unwrap();
    bed.eventually::<ResourceQuota>("few", "the quota to be counted", |quota| {
        quota
            .status
            .as_ref()
            .is_some_and(|status| status.used.is_some())
    })
    .await;
}

async fn allow_more(bed: &Bed, pods: &str) {
    let more = Patch::Merge(json!({"spec": {"hard": {"pods": pods}}}));
    let quotas = bed.api::<ResourceQuota>();
    quotas
        .patch("few", &PatchParams::default(), &more)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_told_and_the_task_tried_again() {
    let bed = bed("quota").await;
    allow(&bed, "1").await;
    run(&bed, "testbed/web", json!({"count": 2})).await;
    let object = bed
        .until("EcsTask", "job", "what keeps one of them", |object| {
            object["status"]["tasks"][1]["statusReason"].is_string()
                && object["status"]["tasks"][0]["lastStatus"] == "RUNNING"
        })
        .await;
    let reason = object["status"]["tasks"][1]["statusReason"]
        .as_str()
        .unwrap();
    assert!(
        reason.contains("Pod job-1"),
        "it is told of itself: {reason}"
    );
    assert!(reason.contains("exceeded quota: few"), "{reason}");
    assert_eq!(condition(&object, "Succeeded")["reason"], "QuotaExceeded");
    bed.event("job", "QuotaExceeded").await;
    allow_more(&bed, "2").await;
    let running = status(&bed, "RUNNING").await;
    assert_eq!(running["tasks"][1]["statusReason"], json!(null));
}

#[tokio::test]
async fn an_accepted_task_outlives_a_cluster_that_is_refused_for_a_while() {
    let bed = bed("outlives").await;
    allow(&bed, "0").await;
    run(&bed, "testbed/web", json!({})).await;
    let is = |reason: &'static str| {
        move |object: &Value| condition(object, "Succeeded")["reason"] == reason
    };
    bed.until("EcsTask", "job", "the quota", is("QuotaExceeded"))
        .await;
    let wrong = json!({"defaultCapacityProviderStrategy": [
        {"capacityProvider": "FARGATE", "weight": 1},
        {"capacityProvider": "spot", "weight": 1},
    ]});
    bed.must_apply("EcsCluster", "shop", wrong).await;
    bed.until("EcsTask", "job", "the cluster", is("ClusterNotAccepted"))
        .await;
    bed.resources("EcsCluster")
        .delete("shop", &DeleteParams::default())
        .await
        .unwrap();
    allow_more(&bed, "1").await;
    status(&bed, "RUNNING").await;
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_told_at_once() {
    let bed = bed("image").await;
    run(&bed, "testbed/hold", json!({})).await;
    bed.eventually::<Pod>("job-0", "a node", |pod| {
        pod.spec
            .as_ref()
            .is_some_and(|spec| spec.node_name.is_some())
    })
    .await;
    let waiting = json!({"status": {"containerStatuses": [{
        "name": "app", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ErrImagePull", "message": "testbed/hold: not found"}},
    }]}});
    bed.api::<Pod>()
        .patch_status("job-0", &PatchParams::default(), &Patch::Merge(waiting))
        .await
        .unwrap();
    let note = bed.event("job", "CannotPullContainerError").await;
    let told = "(task job-0) CannotPullContainerError: testbed/hold: not found";
    assert_eq!(note, told);
    let pending = status(&bed, "PENDING").await;
    assert_eq!(
        pending["tasks"][0]["statusReason"],
        "CannotPullContainerError: testbed/hold: not found"
    );
}

/// Has the API server refuse changes of the EcsTasks of a namespace, as those that do not make `expression` true, of
/// which `change` is one. Returns what they are called.
async fn refuse(bed: &Bed, resource: &str, expression: &str, change: Value) -> String {
    let name = bed.namespace.name();
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "resourceRules": [{
                    "apiGroups": ["ecs-operator.dev"], "apiVersions": ["v1alpha1"],
                    "operations": ["UPDATE"], "resources": [resource],
                }],
            },
            "validations": [{"expression": expression, "message": "not on record"}],
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
    bed.must_apply("EcsTask", "probe", json!({"taskDefinition": "nobody"}))
        .await;
    let api = bed.resources("EcsTask");
    ecs_operator_testbed::until("the policy to hold", crate::support::LIMIT, async || {
        let params = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        let change = Patch::Merge(&change);
        let tried = match resource {
            "ecstasks" => api.patch("probe", &params, &change).await,
            _ => api.patch_status("probe", &params, &change).await,
        };
        Ok(tried.is_err().then_some(()))
    })
    .await
    .unwrap();
    name.to_owned()
}

async fn refuse_no_more(bed: &Bed, policy: &str) {
    let params = DeleteParams::default();
    Api::<ValidatingAdmissionPolicyBinding>::all(bed.client.clone())
        .delete(policy, &params)
        .await
        .unwrap();
    Api::<ValidatingAdmissionPolicy>::all(bed.client.clone())
        .delete(policy, &params)
        .await
        .unwrap();
}

/// Whether a pod is kept from the scheduler.
fn is_held_back(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref().unwrap();
    spec.node_name.is_none() && spec.scheduling_gates.is_some()
}

#[tokio::test]
async fn a_pod_does_not_run_before_that_is_on_record() {
    let bed = bed("record").await;
    let begun = json!({"status": {"lastStatus": "PENDING"}});
    let only_new = "object.status.lastStatus == 'PROVISIONING'";
    let policy = refuse(&bed, "ecstasks/status", only_new, begun).await;
    run(&bed, "testbed/exit:0", json!({})).await;
    bed.until(
        "EcsTask",
        "job",
        "the operator to be about to run it",
        |object| object["metadata"]["annotations"]["ecs-operator.dev/begun"] == "job-0",
    )
    .await;
    let first = bed.api::<Pod>().get("job-0").await.unwrap();
    assert!(is_held_back(&first), "{first:?}");
    refuse_no_more(&bed, &policy).await;
    let stopped = status(&bed, "STOPPED").await;
    assert_eq!(stopped["exitCode"], 0);
    let pod = bed.api::<Pod>().get("job-0").await.unwrap();
    assert_eq!(uid(&pod), uid(&first), "one pod has run, once");
}

#[tokio::test]
async fn a_pod_that_was_gone_before_it_could_run_is_made_again() {
    let bed = bed("gone").await;
    let begun = json!({"metadata": {"annotations": {"ecs-operator.dev/begun": "probe-0"}}});
    let without = "!has(object.metadata.annotations) || !('ecs-operator.dev/begun' in object.metadata.annotations)";
    let policy = refuse(&bed, "ecstasks", without, begun).await;
    run(&bed, "testbed/exit:0", json!({})).await;
    let first = bed.eventually::<Pod>("job-0", "the pod", |_| true).await;
    assert!(is_held_back(&first), "{first:?}");
    bed.api::<Pod>()
        .delete("job-0", &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    bed.eventually::<Pod>("job-0", "another pod", |pod| uid(pod) != uid(&first))
        .await;
    refuse_no_more(&bed, &policy).await;
    let stopped = status(&bed, "STOPPED").await;
    assert_eq!(stopped["exitCode"], 0, "{stopped}");
}

/// Takes the status of a task away, as a backup does that leaves it out.
async fn lose_status(bed: &Bed, name: &str) {
    let none = json!({"status": null});
    bed.resources("EcsTask")
        .patch_status(name, &PatchParams::default(), &Patch::Merge(none))
        .await
        .unwrap();
    touch(bed, name, "lost").await;
}

#[tokio::test]
async fn a_status_that_is_lost_is_told_by_the_pods() {
    let bed = bed("lost").await;
    run(&bed, "testbed/exit:3", json!({"count": 2})).await;
    status(&bed, "STOPPED").await;
    let first = bed.api::<Pod>().get("job-0").await.unwrap();
    bed.api::<Pod>()
        .delete("job-1", &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<Pod>("job-1").await;
    lose_status(&bed, "job").await;
    let told = status(&bed, "STOPPED").await;
    assert_eq!(told["tasks"][0]["exitCode"], 3);
    assert_eq!(told["tasks"][1]["exitCode"], json!(null));
    let reason = told["tasks"][1]["stoppedReason"].as_str().unwrap();
    assert!(reason.contains("It is not run again."), "{reason}");
    let same = bed.api::<Pod>().get("job-0").await.unwrap();
    assert_eq!(uid(&same), uid(&first));
    assert!(bed.api::<Pod>().get_opt("job-1").await.unwrap().is_none());
}

#[tokio::test]
async fn a_status_that_is_set_back_runs_nothing_again() {
    let bed = bed("edited").await;
    run(&bed, "testbed/exit:0", json!({})).await;
    status(&bed, "STOPPED").await;
    bed.api::<Pod>()
        .delete("job-0", &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<Pod>("job-0").await;
    let back = json!({"status": {
        "tasks": [{"name": "job-0", "lastStatus": "PROVISIONING"}],
        "lastStatus": "PROVISIONING",
        "stoppedAt": null,
    }});
    bed.resources("EcsTask")
        .patch_status("job", &PatchParams::default(), &Patch::Merge(back))
        .await
        .unwrap();
    touch(&bed, "job", "edited").await;
    let stopped = status(&bed, "STOPPED").await;
    let reason = stopped["stoppedReason"].as_str().unwrap();
    assert!(reason.contains("It is not run again."), "{reason}");
    assert!(bed.api::<Pod>().get_opt("job-0").await.unwrap().is_none());
}

#[tokio::test]
async fn a_task_that_is_restored_without_its_status_is_not_run_again() {
    let bed = bed("restored").await;
    run(&bed, "testbed/exit:0", json!({})).await;
    status(&bed, "STOPPED").await;
    let api = bed.resources("EcsTask");
    let mut backup = api.get("job").await.unwrap();
    api.delete("job", &DeleteParams::default()).await.unwrap();
    bed.gone::<Pod>("job-0").await;
    backup.metadata.uid = None;
    backup.metadata.resource_version = None;
    backup.metadata.managed_fields = None;
    backup.data["status"] = Value::Null;
    backup.data.as_object_mut().unwrap().remove("status");
    let mut copy = backup.clone();
    api.create(&PostParams::default(), &backup).await.unwrap();
    let stopped = status(&bed, "STOPPED").await;
    let reason = stopped["stoppedReason"].as_str().unwrap();
    assert!(reason.contains("It is not run again."), "{reason}");
    assert!(bed.api::<Pod>().get_opt("job-0").await.unwrap().is_none());
    // Under another name it is another task.
    copy.metadata.name = Some("copy".to_owned());
    api.create(&PostParams::default(), &copy).await.unwrap();
    bed.until("EcsTask", "copy", "the copy to run", |object| {
        object["status"]["exitCode"] == 0
    })
    .await;
}

#[tokio::test]
async fn a_task_that_left_its_pods_behind_takes_them_back() {
    let bed = bed("orphan").await;
    run(&bed, "testbed/web", json!({})).await;
    status(&bed, "RUNNING").await;
    let first = bed.api::<Pod>().get("job-0").await.unwrap();
    let api = bed.resources("EcsTask");
    api.delete("job", &DeleteParams::orphan()).await.unwrap();
    ecs_operator_testbed::until("the task to be gone", crate::support::LIMIT, async || {
        Ok(api.get_opt("job").await?.is_none().then_some(()))
    })
    .await
    .unwrap();
    bed.must_apply("EcsTask", "job", json!({"taskDefinition": "job"}))
        .await;
    status(&bed, "RUNNING").await;
    let owner = api.get("job").await.unwrap();
    let pod = bed
        .eventually::<Pod>("job-0", "the pod to belong to the task", |pod| {
            let owners = pod.metadata.owner_references.as_deref();
            owners
                .unwrap_or_default()
                .iter()
                .any(|it| it.uid == uid(&owner))
        })
        .await;
    assert_eq!(uid(&pod), uid(&first), "it is the same pod");
}

#[tokio::test]
async fn a_task_waits_for_the_pods_of_the_one_before_it() {
    let bed = bed("before").await;
    run(&bed, "testbed/web", json!({})).await;
    status(&bed, "RUNNING").await;
    let first = bed.api::<Pod>().get("job-0").await.unwrap();
    let held = json!({"metadata": {"finalizers": ["example.com/slow"]}});
    let pods = bed.api::<Pod>();
    pods.patch("job-0", &PatchParams::default(), &Patch::Merge(held))
        .await
        .unwrap();
    let api = bed.resources("EcsTask");
    api.delete("job", &DeleteParams::default()).await.unwrap();
    ecs_operator_testbed::until("the task to be gone", crate::support::LIMIT, async || {
        Ok(api.get_opt("job").await?.is_none().then_some(()))
    })
    .await
    .unwrap();
    bed.must_apply("EcsTask", "job", json!({"taskDefinition": "job"}))
        .await;
    bed.until("EcsTask", "job", "what it waits for", |object| {
        condition(object, "Succeeded")["reason"] == "PodNameTaken"
    })
    .await;
    let free = json!({"metadata": {"finalizers": null}});
    pods.patch("job-0", &PatchParams::default(), &Patch::Merge(free))
        .await
        .unwrap();
    status(&bed, "RUNNING").await;
    let second = pods.get("job-0").await.unwrap();
    assert_ne!(uid(&second), uid(&first));
}

#[tokio::test]
async fn a_task_with_a_name_that_no_label_has_room_for_runs() {
    let bed = bed("long").await;
    run(&bed, "testbed/exit:0", json!({})).await;
    let name = "t".repeat(60);
    bed.must_apply("EcsTask", &name, json!({"taskDefinition": "job"}))
        .await;
    bed.until("EcsTask", &name, "it to end", |object| {
        object["status"]["lastStatus"] == "STOPPED"
    })
    .await;
}
