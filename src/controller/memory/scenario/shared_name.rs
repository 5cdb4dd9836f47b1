//! A Service Connect name that two services offer.

use serde_json::json;

use super::{Act, Scenario, act, definition, delete, put};
use crate::controller::memory::request::Place;

/// Lets a service offer the name `backend` at a port.
fn offers(what: &'static str, service: &'static str, port: u16) -> Act {
    offers_as(what, service, "backend", port)
}

fn offers_as(what: &'static str, service: &'static str, name: &'static str, port: u16) -> Act {
    act(what, move |store| {
        let mut with_name = definition("test/web:1");
        with_name["containerDefinitions"][0]["portMappings"][0]["name"] = json!("http");
        put(store, "EcsTaskDefinition", "web", with_name);
        let spec = json!({
            "taskDefinition": "web",
            "desiredCount": 2,
            "serviceConnectConfiguration": {"enabled": true, "services": [{
                "portName": "http",
                "discoveryName": name,
                "clientAliases": [{"port": port, "dnsName": name}],
            }]},
        });
        put(store, "EcsService", service, spec);
    })
}

/// One service joins the other, and then they separate.
pub(in crate::controller::memory) fn a_name_that_two_share() -> Scenario {
    Scenario::new([
        offers("the first service", "one", 80),
        offers("one of the same ports", "two", 80),
        offers("the first one changes its ports", "one", 81),
        offers("the other one changes them otherwise", "two", 82),
        act("the end of the first one", |store| {
            delete(store, "EcsService", "one");
        }),
    ])
}

/// A service that shares a name offers a different one instead, which another service has.
pub(in crate::controller::memory) fn a_name_that_is_taken() -> Scenario {
    let acts = [
        offers_as("the name of somebody else", "one", "taken", 80),
        offers("other ports", "two", 82),
    ];
    let before = [
        act("a Service of somebody else", |store| {
            let service = json!({"metadata": {}, "spec": {"ports": [{"port": 80}]}});
            store.insert(Place::new("", "services", "taken"), service);
        }),
        offers("the first service", "one", 80),
        offers("one of the same ports", "two", 80),
    ];
    Scenario::new(acts).after(before)
}
