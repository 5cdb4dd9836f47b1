//! What the API server refuses in a container, although each of its members is known and has the right type.

use k8s_openapi::api::core::v1::{Container, LifecycleHandler, Probe};

use crate::translate::quantity::amount;

/// Returns the members of a container that contradict themselves, each with its value and what is allowed.
pub(super) fn contradictions(container: &Container) -> Vec<(&'static str, String, &'static str)> {
    const ONE_HANDLER: &str = "must have one of exec, grpc, httpGet and tcpSocket; in a patch, null removes the one that healthCheck gave";
    const ONE_ACTION: &str = "must have one of exec, httpGet, sleep and tcpSocket";
    let mut found = Vec::new();
    for (name, probe) in [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ] {
        if probe.as_ref().is_some_and(|probe| handlers(probe) != 1) {
            found.push((name, name.to_owned(), ONE_HANDLER));
        }
    }
    let lifecycle = container.lifecycle.as_ref();
    for (name, handler) in [
        ("postStart", lifecycle.and_then(|it| it.post_start.as_ref())),
        ("preStop", lifecycle.and_then(|it| it.pre_stop.as_ref())),
    ] {
        if handler.is_some_and(|handler| actions(handler) != 1) {
            found.push(("lifecycle", name.to_owned(), ONE_ACTION));
        }
    }
    for variable in container.env.iter().flatten() {
        if variable.value.is_some() && variable.value_from.is_some() {
            let allowed = "must have value or valueFrom, not both; in a patch, null removes the one that environment or secrets gave";
            found.push(("env", variable.name.clone(), allowed));
        }
    }
    let resources = container.resources.iter();
    let sizes = resources.flat_map(|it| it.limits.iter().chain(&it.requests));
    for (resource, quantity) in sizes.flatten() {
        if amount(quantity).is_none() {
            let value = format!("{} of {resource}", quantity.0);
            found.push((
                "resources",
                value,
                "must be a quantity, such as 500m or 1Gi",
            ));
        }
    }
    found
}

fn handlers(probe: &Probe) -> usize {
    count([
        probe.exec.is_some(),
        probe.grpc.is_some(),
        probe.http_get.is_some(),
        probe.tcp_socket.is_some(),
    ])
}

fn actions(handler: &LifecycleHandler) -> usize {
    count([
        handler.exec.is_some(),
        handler.http_get.is_some(),
        handler.sleep.is_some(),
        handler.tcp_socket.is_some(),
    ])
}

fn count(given: [bool; 4]) -> usize {
    given.into_iter().filter(|is_given| *is_given).count()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn members_that_exclude_each_other_are_found() {
        let (exec, get) = (json!({"command": ["x"]}), json!({"port": 80}));
        for (container, expected) in [
            (
                json!({"livenessProbe": {"exec": exec}, "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}),
                vec![],
            ),
            (
                json!({"livenessProbe": {"exec": exec, "httpGet": get}}),
                vec!["livenessProbe"],
            ),
            (json!({"readinessProbe": {}}), vec!["readinessProbe"]),
            (json!({"lifecycle": {"postStart": {}}}), vec!["lifecycle"]),
            (
                json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2", "valueFrom": {}}]}),
                vec!["env"],
            ),
            (
                json!({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "abc"}}}),
                vec!["resources"],
            ),
        ] {
            let mut whole: Value = container;
            whole["name"] = json!("web");
            let container: Container = serde_json::from_value(whole.clone()).expect("it is one");
            let found = contradictions(&container).into_iter();
            assert_eq!(
                found.map(|(name, ..)| name).collect::<Vec<_>>(),
                expected,
                "{whole}"
            );
        }
    }
}
