//! Tasks that run once.

use serde_json::{Value, json};

use super::{Act, Scenario, act, delete, place, put};
use crate::controller::memory::{pods, request::Place, store::Store};

/// Runs tasks with two containers, one of them essential.
fn run_tasks(store: &mut Store, count: i64, more: Value) {
    let container = |name: &str, essential: bool| json!({"name": name, "image": "test/job", "cpu": 32, "memory": 64, "essential": essential});
    let definition = json!({
        "networkMode": "awsvpc",
        "containerDefinitions": [container("app", true), container("log", false)],
    });
    put(store, "EcsTaskDefinition", "job", definition);
    let mut spec = json!({"taskDefinition": "job", "count": count});
    if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
        spec.extend(more);
    }
    put(store, "EcsTask", "job", spec);
}

fn pod(name: &str) -> Place {
    Place::new("", "pods", name)
}

/// Tasks that run and end: one by itself, and one because of its essential container.
pub(in crate::controller::memory) fn a_task() -> Scenario {
    Scenario::new([
        act("two tasks", |store| run_tasks(store, 2, json!({}))),
        act("the end of one", |store| {
            pods::end(store, &pod("job-0"), &[0, 0], "");
        }),
        act("the end of the other one", |store| {
            let now = json!(store.now());
            store.change(&pod("job-1"), |pod| {
                pods::exit(&mut pod["status"], &[3], &now);
            });
        }),
        act("their deletion", |store| delete(store, "EcsTask", "job")),
    ])
}

/// Tasks of which a user stops one, and then all.
pub(in crate::controller::memory) fn a_task_that_is_stopped() -> Scenario {
    let acts = [
        act("the stop of one", |store| {
            let stopped = store.delete(&pod("job-0"), None);
            stopped.expect("it is there");
        }),
        act("their deletion", |store| delete(store, "EcsTask", "job")),
    ];
    let before = act("two tasks", |store| run_tasks(store, 2, json!({})));
    Scenario::new(acts).after([before])
}

/// Registers a task definition whose container mounts a volume, `data`.
fn define_with(store: &mut Store, volume: Value) {
    let container = json!({
        "name": "app", "image": "test/job", "cpu": 32, "memory": 64,
        "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
    });
    let definition = json!({
        "networkMode": "awsvpc",
        "containerDefinitions": [container],
        "volumes": [volume],
    });
    put(store, "EcsTaskDefinition", "job", definition);
}

/// Two tasks that share a file system. The first one has been finished for more than an hour, and its object stays.
pub(in crate::controller::memory) fn a_task_of_an_hour_ago() -> Scenario {
    let run = |name: &'static str| {
        move |store: &mut Store| {
            let file_system = json!({"fileSystemId": "fs-0123456789abcdef0"});
            define_with(
                store,
                json!({"name": "data", "efsVolumeConfiguration": file_system}),
            );
            put(store, "EcsTask", name, json!({"taskDefinition": "job"}));
        }
    };
    let later = |name: &'static str| {
        move |store: &mut Store| {
            store.change(&place("EcsTask", name), |task| {
                let long_ago = json!("2026-01-15T10:30:00Z");
                task["metadata"]["annotations"]["someone/looked"] = json!("yes");
                task["status"]["stoppedAt"] = long_ago.clone();
                for condition in task["status"]["conditions"]
                    .as_array_mut()
                    .expect("it has some")
                {
                    condition["lastTransitionTime"] = long_ago.clone();
                }
            });
        }
    };
    let end = |name: &'static str| {
        move |store: &mut Store| {
            pods::end(store, &pod(name), &[0], "");
        }
    };
    Scenario::new([
        act("a task", run("job")),
        act("its end", end("job-0")),
        act("another one with its file system", run("next")),
        act("an hour", later("job")),
        act("the end of the other one", end("next-0")),
        act("an hour after that", later("next")),
    ])
}

/// A task with a volume that outlives it, then another task of the same name.
pub(in crate::controller::memory) fn a_volume_that_stays() -> Scenario {
    let run = |store: &mut Store| {
        define_with(store, json!({"name": "data", "configuredAtLaunch": true}));
        let volume = json!({
            "roleArn": "arn:aws:iam::123456789012:role/ecsInfrastructureRole",
            "sizeInGiB": 10,
            "terminationPolicy": {"deleteOnTermination": false},
        });
        let spec = json!({
            "taskDefinition": "job",
            "ttlSecondsAfterFinished": 0,
            "volumeConfigurations": [{"name": "data", "managedEBSVolume": volume}],
        });
        put(store, "EcsTask", "job", spec);
    };
    let end = |what: &'static str| {
        act(what, |store| {
            pods::end(store, &pod("job-0"), &[0], "");
        })
    };
    Scenario::new([
        act("a task", run),
        end("its end"),
        act("another one of its name", run),
        end("the end of that"),
    ])
}

/// Deletes an EcsTask and ends its pod.
pub(in crate::controller::memory) fn deleted() -> Act {
    act("its deletion", |store| delete(store, "EcsTask", "job"))
}

/// A task that is deleted when it has ended.
pub(in crate::controller::memory) fn a_task_that_expires() -> Scenario {
    let acts = [act("its end", |store| {
        pods::end(store, &pod("job-0"), &[1, 0], "");
    })];
    let before = act("a task", |store| {
        run_tasks(store, 1, json!({"ttlSecondsAfterFinished": 0}));
    });
    Scenario::new(acts).after([before])
}
