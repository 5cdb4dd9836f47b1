//! The probes that check an instance as App Runner does.

use serde_json::{Value, json};

use super::root;
use crate::{
    crd,
    diagnostic::{Diagnostics, Message},
    ecs,
};

/// How long an instance may take to start, in seconds. App Runner gives it 5 minutes
/// (<https://docs.aws.amazon.com/apprunner/latest/dg/develop.html>).
const START: i64 = 300;

/// Returns the probes of the container `name`.
pub(super) fn probes(
    request: &ecs::AppRunnerService,
    name: &str,
    port: i64,
    sink: &mut Diagnostics,
) -> crd::Kubernetes {
    use ecs::HealthCheckConfiguration as Raw;
    let given = request.health_check_configuration.clone();
    let ecs::HealthCheckConfiguration {
        protocol: _,
        path: _,
        interval,
        timeout,
        healthy_threshold,
        unhealthy_threshold,
    } = given.unwrap_or_default();
    let interval = interval.unwrap_or(Raw::DEFAULT_INTERVAL).max(1);
    let timeout = timeout.unwrap_or(Raw::DEFAULT_TIMEOUT);
    let (action, check) = check(request, port, sink);
    let probe = |failures: i64| {
        json!({
            action: check,
            "periodSeconds": interval,
            "timeoutSeconds": timeout,
            "failureThreshold": failures,
        })
    };
    let failures = unhealthy_threshold.unwrap_or(Raw::DEFAULT_UNHEALTHY_THRESHOLD);
    let successes = healthy_threshold.unwrap_or(Raw::DEFAULT_HEALTHY_THRESHOLD);
    let mut readiness = probe(failures);
    if let Value::Object(members) = &mut readiness {
        members.insert("successThreshold".to_owned(), json!(successes));
    }
    crd::Kubernetes {
        pod: Some(crd::Pod {
            containers: vec![crd::PodContainer {
                name: Some(name.to_owned()),
                startup_probe: Some(probe(attempts(interval).max(failures))),
                readiness_probe: Some(readiness),
                liveness_probe: Some(probe(failures)),
                ..crd::PodContainer::default()
            }],
            ..crd::Pod::default()
        }),
        ..crd::Kubernetes::default()
    }
}

/// Returns how many checks an instance has to start, rounded up.
const fn attempts(interval: i64) -> i64 {
    (START + interval - 1) / interval
}

/// The path that a check asks for; `None` for one that only connects.
pub(super) fn checked_path(request: &ecs::AppRunnerService) -> Option<&str> {
    let given = request.health_check_configuration.as_ref();
    let protocol = given.and_then(|it| it.protocol.as_deref());
    (protocol == Some("HTTP")).then(|| {
        let path = given.and_then(|it| it.path.as_deref());
        path.unwrap_or(ecs::HealthCheckConfiguration::DEFAULT_PATH)
    })
}

/// What a probe does, by its name in Kubernetes.
fn check(
    request: &ecs::AppRunnerService,
    port: i64,
    sink: &mut Diagnostics,
) -> (&'static str, Value) {
    let given = request.health_check_configuration.as_ref();
    let at = root().field("HealthCheckConfiguration").field("Path");
    let Some(path) = checked_path(request) else {
        if given.is_some_and(|it| it.path.is_some()) {
            sink.report(at, Message::HealthCheckPathUnused);
        }
        return ("tcpSocket", json!({"port": port}));
    };
    if !path.starts_with('/') {
        let message = Message::InvalidValue {
            value: path.to_owned(),
            allowed: "must begin with /".to_owned(),
        };
        sink.report(at, message);
    }
    ("httpGet", json!({"path": path, "port": port}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_five_minutes_to_start() {
        for (interval, expected) in [(1, 300), (5, 60), (7, 43), (20, 15)] {
            assert_eq!(attempts(interval), expected, "{interval}");
        }
    }
}
