//! The events as AWS documents them, and what is not in them.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use serde_json::{Value, json};

use super::*;
use crate::{
    crd::{DeploymentStatus, OneTaskStatus, READY, ServiceStatus, StoppedTask},
    decide::pod_state::PodState,
    ecs,
};

const PLACE: Place<'static> = Place {
    partition: "aws",
    region: "eu-west-1",
    account: "123456789012",
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("it is in range")
}

fn time(second: i64) -> Option<Time> {
    Some(Time(at(second)))
}

fn task() -> TaskSeen<'static> {
    TaskSeen {
        uid: "e1",
        cluster: Some("arn:aws:ecs:eu-west-1:123456789012:cluster/shop"),
        task_definition: Some("job:3"),
        group: "family:job".to_owned(),
        started_by: Some("me"),
        launch_type: Some("FARGATE"),
        overrides: None,
    }
}

fn stopped() -> OneTaskStatus {
    serde_json::from_value(json!({
        "name": "job-0", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited", "exitCode": 0,
        "createdAt": "1970-01-01T00:00:10Z", "startedAt": "1970-01-01T00:00:20Z",
        "stoppedAt": "1970-01-01T00:00:30Z",
        "containers": [{"name": "job", "lastStatus": "STOPPED", "exitCode": 0, "reason": "Completed"}],
    }))
    .expect("it is a status")
}

fn named(events: &[Event]) -> Vec<String> {
    let text = |event: &Event, path: &str| {
        let value = event.value.pointer(path).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let events = events.iter();
    events
        .map(|event| {
            let name = text(event, "/detail/lastStatus") + &text(event, "/detail/eventName");
            format!("{name}@{}", event.time.as_second())
        })
        .collect()
}

#[test]
fn a_task_that_has_stopped_looks_as_it_does_in_aws() {
    let events = of_task(PLACE, &task(), &stopped(), at(0));
    assert_eq!(named(&events), ["PENDING@10", "RUNNING@20", "STOPPED@30"]);
    let arn = "arn:aws:ecs:eu-west-1:123456789012:task/shop/job-0";
    let container = &events[2].value["detail"]["containers"][0]["containerArn"];
    let expected = json!({
        "version": "0",
        "id": events[2].id,
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": "123456789012",
        "time": "1970-01-01T00:00:30Z",
        "region": "eu-west-1",
        "resources": [arn],
        "detail": {
            "attachments": [],
            "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "containers": [{
                "containerArn": container, "exitCode": 0, "lastStatus": "STOPPED", "name": "job",
                "reason": "Completed", "taskArn": arn,
            }],
            "createdAt": "1970-01-01T00:00:10Z",
            "desiredStatus": "STOPPED",
            "group": "family:job",
            "lastStatus": "STOPPED",
            "launchType": "FARGATE",
            "overrides": {"containerOverrides": [{"name": "job"}]},
            "startedAt": "1970-01-01T00:00:20Z",
            "startedBy": "me",
            "stopCode": "EssentialContainerExited",
            "stoppedAt": "1970-01-01T00:00:30Z",
            "stoppedReason": "Essential container in task exited",
            "taskArn": arn,
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/job:3",
            "updatedAt": "1970-01-01T00:00:30Z",
            "version": 3,
        },
    });
    assert_eq!(events[2].value, expected);
    // While it ran, nobody knew how it would end.
    let running = &events[1].value["detail"];
    assert_eq!(running["desiredStatus"], "RUNNING");
    assert_eq!(running["containers"][0]["lastStatus"], "RUNNING");
    for member in ["stopCode", "stoppedAt", "stoppedReason"] {
        assert_eq!(running.get(member), None, "{member}");
    }
    assert_eq!(running["containers"][0].get("exitCode"), None);
    assert_eq!(events[0].value["detail"].get("startedAt"), None);
}

#[test]
fn the_same_has_the_same_id_and_only_what_is_newer_is_told() {
    let all = of_task(PLACE, &task(), &stopped(), at(0));
    assert_eq!(all, of_task(PLACE, &task(), &stopped(), at(0)));
    let ids =
        |events: &[Event]| -> Vec<String> { events.iter().map(|event| event.id.clone()).collect() };
    let running = OneTaskStatus {
        stopped_at: None,
        ..stopped()
    };
    let earlier = of_task(PLACE, &task(), &running, at(0));
    assert_eq!(ids(&earlier), ids(&all)[..2]);
    let other = TaskSeen {
        uid: "e2",
        ..task()
    };
    let others = ids(&of_task(PLACE, &other, &stopped(), at(0)));
    assert!(others.iter().all(|id| !ids(&all).contains(id)));
    let newer = of_task(PLACE, &task(), &stopped(), at(20));
    assert_eq!(named(&newer), ["STOPPED@30"]);
    assert_eq!(of_task(PLACE, &task(), &stopped(), at(30)), []);
}

#[test]
fn what_programs_are_told_is_not_in_an_event() {
    let overrides: ecs::TaskOverride = serde_json::from_value(json!({
        "containerOverrides": [{
            "name": "job", "cpu": 256, "command": ["--token", "hunter2"],
            "environment": [{"name": "PASSWORD", "value": "hunter2"}],
        }],
    }))
    .expect("they are overrides");
    let seen = TaskSeen {
        overrides: Some(&overrides),
        ..task()
    };
    for event in of_task(PLACE, &seen, &stopped(), at(0)) {
        let text = event.value.to_string();
        assert!(
            !text.contains("hunter2") && !text.contains("PASSWORD"),
            "{text}"
        );
        let given = &event.value["detail"]["overrides"]["containerOverrides"];
        assert_eq!(given, &json!([{"name": "job", "cpu": 256}]));
    }
}

fn pod(status: Value, deleting: bool) -> PodState {
    let mut pod = json!({
        "metadata": {
            "name": "web-1", "uid": "p1", "creationTimestamp": "1970-01-01T00:00:10Z",
        },
        "spec": {"nodeName": "n", "containers": [{"name": "web"}]},
        "status": status,
    });
    if deleting {
        pod["metadata"]["deletionTimestamp"] = json!("1970-01-01T00:01:00Z");
    }
    PodState::of(&serde_json::from_value(pod).expect("it is a pod"))
}

fn web(state: Value, restarts: i32) -> Value {
    json!({"phase": "Running", "containerStatuses": [
        {"name": "web", "image": "", "imageID": "", "ready": true, "restartCount": restarts, "state": state},
    ]})
}

#[test]
fn a_task_of_a_service_runs_and_is_stopped_by_its_service() {
    let running = |since: &str, restarts| web(json!({"running": {"startedAt": since}}), restarts);
    let seen = pod(running("1970-01-01T00:00:20Z", 0), false);
    let events = of_service_pod(PLACE, &task(), &seen, None, at(0));
    assert_eq!(named(&events), ["PENDING@10", "RUNNING@20"]);
    assert!(is_recent(&seen, at(19)) && !is_recent(&seen, at(20)));
    // Where the kubelet starts a container again, ECS starts another task.
    let again = pod(running("1970-01-01T00:00:40Z", 1), false);
    let later = of_service_pod(PLACE, &task(), &again, None, at(30));
    assert_eq!(named(&later), ["RUNNING@40"]);
    assert_ne!(later[0].id, events[1].id);

    let gone = pod(running("1970-01-01T00:00:20Z", 0), true);
    assert_eq!(of_service_pod(PLACE, &task(), &gone, None, at(20)), []);
    let events = of_service_pod(PLACE, &task(), &gone, Some(at(70)), at(20));
    assert_eq!(named(&events), ["STOPPED@70"]);
    let detail = &events[0].value["detail"];
    assert_eq!(detail["stopCode"], "ServiceSchedulerInitiated");
    let ended = json!({"terminated": {"exitCode": 0, "finishedAt": "1970-01-01T00:01:05Z"}});
    let mut status = web(ended, 0);
    status["phase"] = json!("Succeeded");
    let events = of_service_pod(PLACE, &task(), &pod(status, true), None, at(60));
    assert_eq!(named(&events), ["STOPPED@65"]);
    let detail = &events[0].value["detail"];
    assert_eq!(detail["stopCode"], "ServiceSchedulerInitiated");
    assert_eq!(detail["containers"][0]["exitCode"], 0);
}

#[test]
fn a_node_whose_clock_is_ahead_does_not_make_what_runs_already_new() {
    let running = || {
        let state = json!({"running": {"startedAt": "1970-01-01T01:00:00Z"}});
        pod(web(state, 0), false)
    };
    let of = |pod: &PodState| named(&of_service_pod(PLACE, &task(), pod, None, at(0)));
    let waiting = pod(web(json!({"waiting": {}}), 0), false).seen(None, at(15));
    let first = running().seen(Some(&waiting), at(20));
    assert_eq!(of(&first), ["PENDING@10", "RUNNING@20"]);
    let later = running().seen(Some(&first), at(500));
    assert_eq!(of(&later), ["PENDING@10", "RUNNING@20"]);
    let ended = || {
        let state = json!({"terminated": {"exitCode": 0, "finishedAt": "1970-01-01T01:01:00Z"}});
        let mut status = web(state, 0);
        status["phase"] = json!("Succeeded");
        pod(status, false)
    };
    let first = ended().seen(Some(&later), at(600));
    assert_eq!(of(&first), ["PENDING@10", "STOPPED@600"]);
    assert_eq!(of(&ended().seen(Some(&first), at(700))), of(&first));
    // Another operator does not know when it began, but that it is not new.
    let restarted = running().seen(None, at(800));
    assert_eq!(of(&restarted), ["PENDING@10", "RUNNING@10"]);
    assert_eq!(
        of(&running().seen(Some(&restarted), at(900))),
        of(&restarted)
    );
    // What a node with the right clock says is not changed by when somebody looks.
    let state = json!({"running": {"startedAt": "1970-01-01T00:00:20Z"}});
    let right = pod(web(state, 0), false).seen(None, at(900));
    assert_eq!(of(&right), ["PENDING@10", "RUNNING@20"]);
}

#[test]
fn a_pod_that_fails_without_the_end_of_a_container_stops_when_that_is_seen() {
    let of = |pod: &PodState| named(&of_service_pod(PLACE, &task(), pod, None, at(0)));
    let running = json!({"running": {"startedAt": "1970-01-01T00:00:20Z"}});
    let running = pod(web(running, 0), false).seen(None, at(21));
    let evicted = || pod(json!({"phase": "Failed", "reason": "Evicted"}), false);
    let seen = evicted().seen(Some(&running), at(80));
    assert_eq!(of(&seen), ["PENDING@10", "STOPPED@80"]);
    assert!(is_recent(&seen, at(79)) && !is_recent(&seen, at(80)));
    assert_eq!(of(&evicted().seen(Some(&seen), at(90))), of(&seen));
    // Nobody knows when one ended that had ended when the operator started.
    let old = evicted().seen(None, at(5000));
    assert_eq!(of(&old), ["PENDING@10"]);
    assert_eq!(of(&evicted().seen(Some(&old), at(5001))), ["PENDING@10"]);
}

#[test]
fn the_end_of_an_init_container_is_not_that_of_its_task() {
    let container = |name: &str, state: Value| {
        json!({
            "name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": state,
        })
    };
    let over = |at: &str| json!({"terminated": {"exitCode": 0, "finishedAt": at}});
    let (early, late) = ("1970-01-01T00:00:15Z", "1970-01-01T00:00:30Z");
    let runs = json!({"running": {"startedAt": "1970-01-01T00:00:20Z"}});
    for (main, end) in [
        (vec![container("web", runs.clone())], 70),
        (
            vec![container("web", over(late)), container("log", runs)],
            70,
        ),
        (vec![container("web", over(late))], 30),
        (vec![], 70),
    ] {
        let status = json!({
            "phase": "Running", "containerStatuses": main,
            "initContainerStatuses": [container("first", over(early))],
        });
        let gone = of_service_pod(PLACE, &task(), &pod(status, true), Some(at(70)), at(20));
        let stop = named(&gone).pop();
        assert_eq!(stop, Some(format!("STOPPED@{end}")), "{main:?}");
    }
}

#[test]
fn a_task_that_its_service_lists_as_stopped_is_the_one_of_its_pod() {
    let stopped = |ends: Option<i64>| StoppedTask {
        name: "web-1".to_owned(),
        stop_code: "EssentialContainerExited".to_owned(),
        stopped_reason: "Essential container in task exited".to_owned(),
        ends,
        stopped_at: time(65),
        ..StoppedTask::default()
    };
    let of = |ends| of_stopped(PLACE, &task(), &stopped(ends), at(0)).expect("it is new");
    assert_ne!(of(Some(1)).id, of(Some(2)).id);
    assert_eq!(of_stopped(PLACE, &task(), &stopped(None), at(65)), None);
    let gone = pod(web(json!({"running": {}}), 0), true);
    let events = of_service_pod(PLACE, &task(), &gone, Some(at(70)), at(60));
    assert_eq!(events[0].id, of(None).id);
}

fn service(status: &ServiceStatus) -> ServiceSeen<'_> {
    ServiceSeen {
        uid: "s1",
        name: "web",
        cluster: Some("shop"),
        status,
    }
}

fn ready(status: &str, reason: &str, message: &str) -> ServiceStatus {
    ServiceStatus {
        conditions: vec![Condition {
            type_: READY.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: Time(at(50)),
            observed_generation: None,
        }],
        ..ServiceStatus::default()
    }
}

#[test]
fn what_a_service_does_is_an_event() {
    for (status, reason, message, expected) in [
        (
            "True",
            "SteadyState",
            "",
            Some(("INFO", "SERVICE_STEADY_STATE", Value::Null)),
        ),
        (
            "False",
            "UnableToPlaceTask",
            "0/3 nodes are available: 3 Insufficient cpu.",
            Some((
                "ERROR",
                "SERVICE_TASK_PLACEMENT_FAILURE",
                json!("RESOURCE:CPU"),
            )),
        ),
        (
            "False",
            "UnableToPlaceTask",
            "no node has the label",
            Some((
                "ERROR",
                "SERVICE_TASK_PLACEMENT_FAILURE",
                json!("no node has the label"),
            )),
        ),
        (
            "False",
            "CannotPullContainerError",
            "no such image",
            Some((
                "WARN",
                "SERVICE_TASK_START_IMPAIRED",
                json!("no such image"),
            )),
        ),
        ("False", "InProgress", "", None),
        ("False", "DeploymentFailed", "", None),
        ("Unknown", "SteadyState", "", None),
    ] {
        let status = ready(status, reason, message);
        let events = of_service(PLACE, service(&status), at(0));
        let Some((type_, name, why)) = expected else {
            assert_eq!(events, [], "{reason}");
            continue;
        };
        let value = &events[0].value;
        assert_eq!(value["detail-type"], "ECS Service Action");
        assert_eq!(
            value["resources"],
            json!(["arn:aws:ecs:eu-west-1:123456789012:service/shop/web"])
        );
        let mut detail = json!({
            "eventType": type_, "eventName": name, "createdAt": "1970-01-01T00:00:50Z",
            "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
        });
        if !why.is_null() {
            detail["reason"] = why;
        }
        assert_eq!(value["detail"], detail);
        assert_eq!(of_service(PLACE, service(&status), at(50)), []);
    }
}

#[test]
fn what_becomes_of_a_deployment_is_an_event() {
    for (state, reason, expected) in [
        (None, None, &["SERVICE_DEPLOYMENT_IN_PROGRESS@40"][..]),
        (
            Some("IN_PROGRESS"),
            None,
            &["SERVICE_DEPLOYMENT_IN_PROGRESS@40"],
        ),
        (
            Some("COMPLETED"),
            None,
            &[
                "SERVICE_DEPLOYMENT_IN_PROGRESS@40",
                "SERVICE_DEPLOYMENT_COMPLETED@45",
            ],
        ),
        (
            Some("FAILED"),
            Some("ECS deployment circuit breaker: tasks failed to start."),
            &[
                "SERVICE_DEPLOYMENT_IN_PROGRESS@40",
                "SERVICE_DEPLOYMENT_FAILED@45",
            ],
        ),
    ] {
        let status = ServiceStatus {
            deployments: vec![DeploymentStatus {
                id: "ecs-svc/7".to_owned(),
                rollout_state: state.map(str::to_owned),
                rollout_state_reason: reason.map(str::to_owned),
                created_at: time(40),
                updated_at: time(45),
                ..DeploymentStatus::default()
            }],
            ..ServiceStatus::default()
        };
        let events = of_service(PLACE, service(&status), at(0));
        assert_eq!(named(&events), expected);
        let last = &events[events.len() - 1].value;
        assert_eq!(last["detail-type"], "ECS Deployment State Change");
        assert_eq!(last["detail"]["deploymentId"], "ecs-svc/7");
        if let Some(reason) = reason {
            assert_eq!(last["detail"]["reason"], reason);
            assert_eq!(last["detail"]["eventType"], "ERROR");
        }
    }
}

#[test]
fn what_is_not_known_is_empty() {
    let nowhere = Place {
        partition: "aws",
        region: "",
        account: "",
    };
    let seen = TaskSeen {
        cluster: None,
        ..task()
    };
    let event = &of_task(nowhere, &seen, &stopped(), at(20))[0].value;
    assert_eq!(
        event["resources"],
        json!(["arn:aws:ecs:::task/default/job-0"])
    );
    assert_eq!(event["region"], "");
}
