//! Services: their deployments, and what they leave behind.

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

/// Requests something of the current deployment by an annotation.
fn request(store: &mut Store, annotation: &str) {
    store.change(&place("EcsService", "web"), |service| {
        let id = service["status"]["deployments"][0]["id"].clone();
        service["metadata"]["annotations"][annotation] = id;
    });
}

/// A requested rollback.
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

/// A deleted revision that a rollback needs.
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

/// A service that becomes a DAEMON, and changes back.
pub(in crate::controller::memory) fn a_change_of_strategy() -> Scenario {
    let acts = [
        act("DAEMON", |store| serve(store, 0, daemon())),
        scaled("REPLICA", 2),
    ];
    Scenario::new(acts).after([started()])
}

/// A service that fails to become a DAEMON, and changes back.
pub(in crate::controller::memory) fn a_change_of_strategy_that_fails() -> Scenario {
    let acts = [
        scaled("more tasks than nodes", 5),
        act("DAEMON", |store| {
            define(store, UNREADY);
            serve(store, 0, daemon());
        }),
        act("a rollback", |store| request(store, ROLL_BACK_DEPLOYMENT)),
    ];
    Scenario::new(acts).after([started()])
}

/// Registers a task definition in which everything that its tasks need differs between revisions.
fn define_needy(store: &mut Store, image: &str, which: &str) {
    let role = |kind: &str| format!("arn:aws:iam::123456789012:role/{kind}-{which}");
    let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";
    let logs = json!({"Name": "cloudwatch", "region": "eu-west-1", "log_group_name": which, "log_stream_prefix": "s"});
    let router = json!({
        "name": "router",
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/router",
        "memory": 64,
        "firelensConfiguration": {"type": "fluentbit"},
    });
    let mut definition = definition(image);
    definition["taskRoleArn"] = json!(role("task"));
    definition["executionRoleArn"] = json!(role("execution"));
    let app = &mut definition["containerDefinitions"][0];
    app["secrets"] = json!([{"name": which, "valueFrom": secret}]);
    app["logConfiguration"] = json!({"logDriver": "awsfirelens", "options": logs});
    let containers = definition["containerDefinitions"].as_array_mut();
    containers.expect("it is a list").push(router);
    put(store, "EcsTaskDefinition", "web", definition);
}

/// Another role, secret and router: while an update is stuck, when it is replaced, and with another strategy.
pub(in crate::controller::memory) fn a_change_of_all_that_tasks_need() -> Scenario {
    let revisions = [
        ("test/web:1", "ONE"),
        (UNREADY, "TWO"),
        ("test/web:3", "THREE"),
        ("test/web:4", "FOUR"),
        ("test/web:5", "FIVE"),
    ];
    let revisions = revisions
        .into_iter()
        .map(|(image, which)| act("a revision", move |store| define_needy(store, image, which)));
    let deploy = |what, revision: &'static str, more: Value| {
        act(what, move |store| {
            let mut more = more.clone();
            more["taskDefinition"] = json!(revision);
            serve(store, 2, more);
        })
    };
    let service = deploy("a service", "web:1", json!({}));
    Scenario {
        before: revisions.chain([service]).collect(),
        acts: vec![
            deploy("an update that gets nowhere", "web:2", json!({})),
            deploy("the next one", "web:3", json!({})),
            deploy("DAEMON", "web:4", daemon()),
            deploy("REPLICA", "web:5", json!({})),
            act("its deletion", |store| delete(store, "EcsService", "web")),
        ],
    }
}

/// A load balancer that is added and removed.
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

/// A spec that cannot be carried out while something runs.
pub(in crate::controller::memory) fn a_refused_spec() -> Scenario {
    let acts = [
        act("a spec that is refused", |store| {
            serve(store, 3, json!({"schedulingStrategy": "SOMEHOW"}));
        }),
        scaled("one that is not", 3),
    ];
    Scenario::new(acts).after([started()])
}

/// A service that is deleted and created again under its name.
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
