//! The tasks of a service on several capacity providers.

use serde_json::json;

use super::{Scenario, act, define, serve, updated};
use crate::controller::memory::{pods::UNREADY, store::Store};

fn split(store: &mut Store, count: i64, weights: [i64; 2]) {
    let [blue, green] = weights;
    let strategy = json!([
        {"capacityProvider": "blue", "weight": blue},
        {"capacityProvider": "green", "weight": green},
    ]);
    let keeps_all = json!({"minimumHealthyPercent": 100, "maximumPercent": 150});
    let more = json!({"capacityProviderStrategy": strategy, "deploymentConfiguration": keeps_all});
    serve(store, count, more);
}

/// Other weights, other counts and deployments.
pub(in crate::controller::memory) fn a_split_service() -> Scenario {
    Scenario::new([
        act("two providers", |store| {
            define(store, "test/web:1");
            split(store, 4, [1, 1]);
        }),
        act("another weight", |store| split(store, 4, [1, 7])),
        act("only one of them", |store| split(store, 4, [0, 1])),
        act("both, and other weights", |store| split(store, 4, [1, 3])),
        act("more tasks", |store| split(store, 6, [1, 5])),
        updated("an update", "test/web:2"),
        act("the weights of before", |store| split(store, 6, [1, 1])),
        act("fewer tasks", |store| split(store, 4, [1, 1])),
        updated("an update that gets nowhere", UNREADY),
        updated("one that does", "test/web:3"),
    ])
}
