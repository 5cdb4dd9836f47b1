//! Capacity providers beside what runs.

use serde_json::{Value, json};

use super::{Act, Scenario, act, define, delete, put, serve};
use crate::controller::memory::store::Store;

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
