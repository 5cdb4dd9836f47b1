//! Services: their deployments, and what they leave.

use serde_json::{Value, json};

use super::{
    Scenario, act, define, definition, delete, place, put, scaled, serve, started, updated,
};
use crate::{
    controller::memory::{
        pods::{MISSING, UNREADY},
        store::Store,
    },
    settings::{ROLL_BACK_DEPLOYMENT, STOP_DEPLOYMENT},
    translate::SERVICE,
};

/// The life of a service.
pub(in crate::controller::memory) fn a_service() -> Scenario {
    Scenario::new([
        started(),
        updated("an update", "test/web:2"),
        act("an update with more tasks", |store| {
            define(store, "test/web:3");
            serve(store, 3, json!({}));
        }),
        scaled("more tasks", 5),
        scaled("fewer tasks", 1),
        scaled("no task", 0),
        act("its deletion", |store| delete(store, "EcsService", "web")),
    ])
}

/// Asks something of the deployment that goes on, by an annotation.
fn request(store: &mut Store, annotation: &str) {
    store.change(&place("EcsService", "web"), |service| {
        let id = service["status"]["deployments"][0]["id"].clone();
        service["metadata"]["annotations"][annotation] = id;
    });
}

/// A rollback that is asked for.
pub(in crate::controller::memory) fn a_rollback() -> Scenario {
    let acts = [
        updated("an update that gets nowhere", UNREADY),
        act("a rollback", |store| request(store, ROLL_BACK_DEPLOYMENT)),
        updated("the next update", "test/web:3"),
    ];
    Scenario::new(acts).after([started()])
}

/// A rollback by the circuit breaker.
pub(in crate::controller::memory) fn a_circuit_breaker() -> Scenario {
    let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}});
    let before = act("a service with a circuit breaker", move |store| {
        define(store, "test/web:1");
        serve(store, 4, json!({"deploymentConfiguration": breaker}));
    });
    let acts = [
        updated("an update that fails", MISSING),
        updated("one that does not", "test/web:3"),
    ];
    Scenario::new(acts).after([before])
}

/// A revision that somebody deletes, and that is needed for a rollback.
pub(in crate::controller::memory) fn a_lost_revision() -> Scenario {
    let acts = [
        act("the loss of its revision", |store| {
            for (place, revision) in store.of_kind("apps", "controllerrevisions") {
                if revision["metadata"]["labels"].get(SERVICE).is_some() {
                    store.delete(&place, None).expect("it is there");
                }
            }
        }),
        updated("an update that gets nowhere", UNREADY),
        act("a rollback", |store| request(store, ROLL_BACK_DEPLOYMENT)),
    ];
    Scenario::new(acts).after([started()])
}

/// A deployment that is stopped.
pub(in crate::controller::memory) fn a_stopped_deployment() -> Scenario {
    let acts = [
        act("the stop", |store| request(store, STOP_DEPLOYMENT)),
        updated("the next update", "test/web:3"),
    ];
    let update = updated("an update that gets nowhere", UNREADY);
    Scenario::new(acts).after([started(), update])
}

fn daemon() -> Value {
    json!({"schedulingStrategy": "DAEMON", "desiredCount": null})
}

/// A task on each node.
pub(in crate::controller::memory) fn a_daemon() -> Scenario {
    Scenario::new([
        act("a first deployment", |store| {
            define(store, "test/web:1");
            serve(store, 0, daemon());
        }),
        updated("an update", "test/web:2"),
        act("its deletion", |store| delete(store, "EcsService", "web")),
    ])
}

/// A service that comes to be a task on each node, and back.
pub(in crate::controller::memory) fn a_change_of_strategy() -> Scenario {
    let acts = [
        act("DAEMON", |store| serve(store, 0, daemon())),
        scaled("REPLICA", 2),
    ];
    Scenario::new(acts).after([started()])
}

/// A load balancer that comes and goes.
pub(in crate::controller::memory) fn a_load_balancer() -> Scenario {
    let expose = json!({"expose": {"type": "alb", "containerName": "app", "containerPort": 80}});
    let acts = [
        act("a load balancer", move |store| {
            serve(store, 2, json!({"kubernetes": expose}));
        }),
        scaled("none", 2),
    ];
    Scenario::new(acts).after([started()])
}

/// A spec that cannot be carried out, while something runs.
pub(in crate::controller::memory) fn a_refused_spec() -> Scenario {
    let acts = [
        act("a spec that is refused", |store| {
            serve(store, 3, json!({"schedulingStrategy": "SOMEHOW"}));
        }),
        scaled("one that is not", 3),
    ];
    Scenario::new(acts).after([started()])
}

/// A service that is deleted and made again under its name.
pub(in crate::controller::memory) fn a_service_made_again() -> Scenario {
    let acts = [
        act("another one of its name", |store| {
            delete(store, "EcsService", "web");
            serve(store, 2, json!({}));
        }),
        act("another definition of that name", |store| {
            delete(store, "EcsTaskDefinition", "web");
            define(store, "test/web:1");
        }),
        act("the end of both", |store| {
            delete(store, "EcsService", "web");
            delete(store, "EcsTaskDefinition", "web");
        }),
        act("both anew", |store| {
            define(store, "test/web:2");
            serve(store, 1, json!({}));
        }),
    ];
    Scenario::new(acts).after([started()])
}

/// A file system that two services share.
pub(in crate::controller::memory) fn a_shared_volume() -> Scenario {
    let run = |what: &'static str, name: &'static str| {
        act(what, move |store| {
            let mut with_volume = definition("test/web:1");
            with_volume["volumes"] = json!([{
                "name": "data",
                "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0", "transitEncryption": "ENABLED"},
            }]);
            with_volume["containerDefinitions"][0]["mountPoints"] =
                json!([{"sourceVolume": "data", "containerPath": "/data"}]);
            put(store, "EcsTaskDefinition", "web", with_volume);
            let spec = json!({"taskDefinition": "web", "desiredCount": 1});
            put(store, "EcsService", name, spec);
        })
    };
    let end = |what: &'static str, name: &'static str| {
        act(what, move |store| delete(store, "EcsService", name))
    };
    Scenario::new([
        run("the first service", "one"),
        run("the second service", "two"),
        end("the end of the first one", "one"),
        run("the first one again", "one"),
        end("the end of the second one", "two"),
        end("the end of both", "one"),
    ])
}
