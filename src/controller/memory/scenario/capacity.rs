//! Capacity providers beside what runs.

use serde_json::{Value, json};

use super::{Act, Scenario, act, define, delete, put, serve, updated};
use crate::controller::memory::{request::Place, store::Store};

fn provide(store: &mut Store, name: &str, kubernetes: &Value) {
    let spec = json!({"kubernetes": kubernetes});
    put(store, "EcsCapacityProvider", name, spec);
}

fn serve_on(store: &mut Store, provider: &str) {
    let strategy = json!([{"capacityProvider": provider, "weight": 1}]);
    serve(store, 2, json!({"capacityProviderStrategy": strategy}));
}

fn served() -> Act {
    act("a service on nodes with a label", |store| {
        define(store, "test/web:1");
        serve_on(store, "blue");
    })
}

/// Providers that come, change and go beside a running service.
pub(in crate::controller::memory) fn providers_of_a_service() -> Scenario {
    Scenario::new([
        served(),
        act("a node group", |store| {
            provide(store, "blue", &json!({"nodeGroup": "blue-1"}));
        }),
        act("another node group", |store| {
            provide(store, "blue", &json!({"nodeGroup": "blue-2"}));
        }),
        act("a provider that is refused", |store| {
            provide(
                store,
                "blue",
                &json!({"nodeGroup": "blue-2", "nodeSelector": {"a": "b"}}),
            );
        }),
        act("more tasks meanwhile", |store| {
            let strategy = json!([{"capacityProvider": "blue", "weight": 1}]);
            serve(store, 3, json!({"capacityProviderStrategy": strategy}));
        }),
        act("a provider that is not", |store| {
            provide(store, "blue", &json!({"nodeGroup": "blue-3"}));
        }),
        act("an update", |store| define(store, "test/web:2")),
        act("a deletion while it is in use", |store| {
            delete(store, "EcsCapacityProvider", "blue");
        }),
        act("the end of its use", |store| serve_on(store, "green")),
    ])
}

/// A NodePool that comes, changes and goes with its provider.
pub(in crate::controller::memory) fn a_node_pool() -> Scenario {
    let karpenter = |weight: i64| {
        let class = json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "web"});
        json!({"karpenter": {"nodeClassRef": class, "weight": weight}})
    };
    Scenario::new([
        act("a provider", move |store| {
            provide(store, "blue", &karpenter(1));
        }),
        served(),
        act("another weight", move |store| {
            provide(store, "blue", &karpenter(2));
        }),
        act("a deletion while it is in use", |store| {
            delete(store, "EcsCapacityProvider", "blue");
        }),
        act("the end of its use", |store| {
            delete(store, "EcsService", "web");
        }),
    ])
}

fn karpenter(more: &Value) -> Value {
    let class = json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "web"});
    let mut nodes = json!({"nodeClassRef": class});
    if let (Value::Object(nodes), Value::Object(more)) = (&mut nodes, more) {
        nodes.extend(more.clone());
    }
    json!({"karpenter": nodes})
}

fn tainted(value: &str) -> Value {
    karpenter(&json!({"taints": [taint(value)]}))
}

fn taint(value: &str) -> Value {
    json!({"key": "example.com/team", "value": value, "effect": "NoSchedule"})
}

/// A taint that comes to one that everything tolerates.
pub(in crate::controller::memory) fn a_second_taint() -> Scenario {
    Scenario::new([
        act("a provider", |store| {
            provide(store, "blue", &tainted("web"));
        }),
        served(),
        act("one more taint", |store| {
            let both = json!({"taints": [taint("web"), taint("gpu")]});
            provide(store, "blue", &karpenter(&both));
        }),
        updated("an update", "test/web:2"),
    ])
}

/// Taints that come to nodes that are in use, and change.
pub(in crate::controller::memory) fn taints_of_nodes_in_use() -> Scenario {
    Scenario::new([
        act("a provider", |store| {
            provide(store, "blue", &karpenter(&json!({})));
        }),
        served(),
        act("taints", |store| {
            provide(store, "blue", &tainted("web"));
        }),
        act("more tasks meanwhile", |store| {
            let strategy = json!([{"capacityProvider": "blue", "weight": 1}]);
            serve(store, 3, json!({"capacityProviderStrategy": strategy}));
        }),
        updated("an update", "test/web:2"),
        act("other taints", |store| {
            provide(store, "blue", &tainted("shop"));
        }),
        act("the end of its use", |store| {
            delete(store, "EcsService", "web");
        }),
    ])
}

/// A task that has its strategy from the cluster, and a provider that is deleted while the cluster has another one.
pub(in crate::controller::memory) fn a_task_of_the_default_strategy() -> Scenario {
    let cluster = |store: &mut Store, provider: &str| {
        let strategy = json!([{"capacityProvider": provider, "weight": 1}]);
        put(
            store,
            "EcsCluster",
            "shop",
            json!({"defaultCapacityProviderStrategy": strategy}),
        );
    };
    Scenario::new([
        act("a provider and a cluster", move |store| {
            provide(store, "blue", &tainted("web"));
            cluster(store, "blue");
        }),
        act("a task", |store| {
            define(store, "test/web:1");
            put(store, "EcsTask", "job", json!({"taskDefinition": "web"}));
        }),
        act("other defaults", move |store| {
            cluster(store, "green");
        }),
        act("a deletion while it is in use", |store| {
            delete(store, "EcsCapacityProvider", "blue");
        }),
        act("the end of the task", |store| {
            delete(store, "EcsTask", "job");
        }),
    ])
}

/// Room for tasks on the nodes of a provider that is in use.
pub(in crate::controller::memory) fn room_on_nodes() -> Scenario {
    let provide = |store: &mut Store, more: &Value| {
        let scaling = json!({"status": "ENABLED", "targetCapacity": 50});
        let group = json!({"autoScalingGroupArn": "blue", "managedScaling": scaling});
        let spec = json!({"autoScalingGroupProvider": group, "kubernetes": karpenter(more)});
        put(store, "EcsCapacityProvider", "blue", spec);
    };
    let room = json!({"spareRoom": "placeholders"});
    let (begin, again) = (room.clone(), room);
    Scenario::new([
        served(),
        act("room", move |store| {
            provide(store, &begin);
        }),
        act("more tasks, later", |store| {
            let place = Place::new("apps", "deployments", "blue-spare");
            store.change(&place, |deployment| {
                let annotations = &mut deployment["metadata"]["annotations"];
                annotations["ecs-operator.dev/sized-at"] = json!("2026-01-01T00:00:00Z");
            });
            let strategy = json!([{"capacityProvider": "blue", "weight": 1}]);
            serve(store, 20, json!({"capacityProviderStrategy": strategy}));
        }),
        act("no room", move |store| {
            provide(store, &json!({}));
        }),
        act("room again", move |store| {
            provide(store, &again);
        }),
        act("a deletion while it is in use", |store| {
            delete(store, "EcsCapacityProvider", "blue");
        }),
        act("the end of its use", |store| {
            delete(store, "EcsService", "web");
        }),
    ])
}
