//! A model of a pod on its node.

use serde_json::{Value, json};

use super::{request::Place, store::Store};

/// An image whose containers run and never become ready.
pub(super) const UNREADY: &str = "test/unready";
/// An image that does not exist.
pub(super) const MISSING: &str = "test/missing";

/// Takes the next step of a pod that is not terminating.
pub(super) fn step(store: &mut Store, place: &Place, pod: &Value, nodes: &[&str]) {
    let now = store.now();
    let phase = pod["status"]["phase"].as_str().unwrap_or("Pending");
    let is_gated = pod.pointer("/spec/schedulingGates").is_some();
    let is_placed = pod.pointer("/spec/nodeName").is_some();
    let has_deadline = pod.pointer("/spec/activeDeadlineSeconds").is_some();
    match phase {
        "Pending" if is_gated => {
            store.change(place, |pod| {
                pod["status"]["phase"] = json!("Pending");
                let gated =
                    json!({"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"});
                pod["status"]["conditions"] = json!([gated]);
            });
        }
        "Pending" if !is_placed => {
            store.change(place, |pod| {
                pod["spec"]["nodeName"] = json!(nodes[0]);
                pod["status"]["phase"] = json!("Pending");
                let scheduled = condition("PodScheduled", true, &json!(now));
                pod["status"]["conditions"] = json!([scheduled]);
            });
        }
        "Pending" => {
            let status = begun(pod, &json!(now));
            if status["phase"] == "Running" || pod["status"].get("containerStatuses").is_none() {
                store.change(place, |pod| pod["status"] = status);
            }
        }
        "Running" if has_deadline => {
            let codes = vec![143; containers(pod).len()];
            end(store, place, &codes, "DeadlineExceeded");
        }
        _ => {}
    }
}

fn condition(type_: &str, holds: bool, now: &Value) -> Value {
    let status = if holds { "True" } else { "False" };
    json!({"type": type_, "status": status, "lastTransitionTime": now})
}

fn containers(pod: &Value) -> Vec<&Value> {
    let containers = pod["spec"]["containers"].as_array();
    containers.into_iter().flatten().collect()
}

fn has_image(container: &Value, image: &str) -> bool {
    container["image"]
        .as_str()
        .is_some_and(|it| it.starts_with(image))
}

/// Returns the status of a pod whose containers were started, as far as possible.
fn begun(pod: &Value, now: &Value) -> Value {
    let all = containers(pod);
    let is_there = !all.iter().any(|it| has_image(it, MISSING));
    let is_ready = is_there && !all.iter().any(|it| has_image(it, UNREADY));
    let state = |container: &Value| match container {
        container if has_image(container, MISSING) => {
            json!({"waiting": {"reason": "ErrImagePull", "message": "no such image"}})
        }
        _ => json!({"running": {"startedAt": now}}),
    };
    let statuses = all.iter().map(|container| {
        json!({
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "restartCount": 0,
            "ready": is_ready,
            "started": !has_image(container, MISSING),
            "state": state(container),
        })
    });
    json!({
        "phase": if is_there { "Running" } else { "Pending" },
        "containerStatuses": statuses.collect::<Vec<_>>(),
        "conditions": [
            condition("PodScheduled", true, now),
            condition("ContainersReady", is_ready, now),
            condition("Ready", is_ready, now),
        ],
    })
}

/// Whether a pod is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|it| it["type"] == "Ready" && it["status"] == "True")
}

/// Ends the containers of a pod with these exit codes.
pub(super) fn end(store: &mut Store, place: &Place, codes: &[i32], reason: &str) {
    let now = store.now();
    let failed = codes.iter().any(|code| *code != 0);
    store.change(place, |pod| {
        let status = &mut pod["status"];
        status["phase"] = json!(if failed { "Failed" } else { "Succeeded" });
        if !reason.is_empty() {
            status["reason"] = json!(reason);
        }
        exit(status, codes, &json!(now));
        status["conditions"] = json!([condition("Ready", false, &json!(now))]);
    });
}

/// Ends the first containers of a pod with these exit codes; the others keep running.
pub(super) fn exit(status: &mut Value, codes: &[i32], now: &Value) {
    let statuses = status["containerStatuses"].as_array_mut();
    for (container, code) in statuses.into_iter().flatten().zip(codes) {
        container["ready"] = json!(false);
        container["started"] = json!(false);
        let ended = json!({"exitCode": code, "startedAt": now, "finishedAt": now});
        if container["state"].get("terminated").is_none() {
            container["state"] = json!({"terminated": ended});
        }
    }
}
