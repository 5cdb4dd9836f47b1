//! Converts container health checks to probes with Docker's timing.

use k8s_openapi::api::core::v1::{ExecAction, Probe};

use super::{Draft, Role};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::Mode,
    translate::{Context, Workload, escape_dollars},
    validate::{self, HealthCheck},
};

/// The probes of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probes {
    /// None: ECS only reports the check.
    ReportOnly,
    /// Until it is healthy for the first time.
    Startup,
    /// Until it is healthy for the first time, and afterward.
    StartupAndLiveness,
    /// From its start on. A startup probe would delay the containers after it.
    LivenessAndReadiness,
}

/// Adds the probes.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let grace = grace_period(cx);
    for container in &cx.task_definition.containers {
        let Some(check) = &container.health_check else {
            continue;
        };
        let probes = probes(
            container.essential,
            draft.plan.role(container.index),
            cx.is_task(),
        );
        let timing = Timing::new(check, grace);
        let Some(kubernetes) = draft.container_mut(container.index) else {
            continue;
        };
        let path = super::container::path(container.index).field("healthCheck");
        if check.bare && probes != Probes::ReportOnly {
            let program = check.command.first().cloned().unwrap_or_default();
            let message = Message::HealthCheckWithoutCmd { program };
            notes.report(path.field("command"), message);
        }
        match probes {
            Probes::ReportOnly => notes.report(path, Message::HealthCheckReportOnly),
            Probes::Startup => kubernetes.startup_probe = Some(timing.startup(check)),
            Probes::StartupAndLiveness => {
                kubernetes.startup_probe = Some(timing.startup(check));
                kubernetes.liveness_probe = Some(probe(check, check.retries));
            }
            Probes::LivenessAndReadiness => {
                kubernetes.liveness_probe = Some(Probe {
                    initial_delay_seconds: Some(small(timing.liveness_delay)),
                    ..probe(check, check.retries)
                });
                kubernetes.readiness_probe = Some(probe(check, check.retries));
            }
        }
    }
    note_service(cx, notes);
}

/// Returns the probes that reproduce the effect of the check in ECS.
const fn probes(essential: bool, role: Role, task: bool) -> Probes {
    match (role, essential, task) {
        (Role::Main | Role::Sidecar { gating: true }, true, false) => Probes::StartupAndLiveness,
        (Role::Sidecar { gating: true }, _, _) => Probes::Startup,
        (Role::Sidecar { gating: false }, true, false) => Probes::LivenessAndReadiness,
        (Role::Init | Role::Main | Role::Sidecar { gating: false }, _, _) => Probes::ReportOnly,
    }
}

/// The numbers after which probes fail, as the kubelet counts them. All times are in seconds.
///
/// Docker runs the first check one interval after the start, the kubelet immediately. Docker does not count failures
/// that start within the start period, ECS does not count failures within the grace period, and neither limits the time
/// of the first success beyond that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timing {
    startup_failures: i64,
    liveness_delay: i64,
}

impl Timing {
    /// Returns the numbers for a check of a service with this `healthCheckGracePeriodSeconds`.
    fn new(check: &HealthCheck, grace: i64) -> Self {
        let HealthCheck {
            command: _,
            bare: _,
            interval,
            timeout: _,
            retries,
            start_period,
        } = check;
        let interval = (*interval).max(1);
        let first_counted = ceil_div(*start_period, interval).max(1);
        let in_grace = ceil_div(grace, interval);
        Self {
            startup_failures: (first_counted + retries).max(in_grace + 1),
            liveness_delay: (first_counted * interval)
                .max(in_grace * interval - (retries - 1) * interval),
        }
    }

    fn startup(self, check: &HealthCheck) -> Probe {
        probe(check, self.startup_failures)
    }
}

fn probe(check: &HealthCheck, failures: i64) -> Probe {
    let command = check.command.iter();
    Probe {
        exec: Some(ExecAction {
            command: Some(
                command
                    .map(|word| escape_dollars(word).into_owned())
                    .collect(),
            ),
        }),
        failure_threshold: Some(small(failures)),
        period_seconds: Some(small(check.interval)),
        timeout_seconds: Some(small(check.timeout)),
        ..Probe::default()
    }
}

/// Reports effects of health in ECS that no probe has.
fn note_service(cx: &Context<'_>, notes: &mut Diagnostics) {
    let Workload::Service(service) = cx.workload else {
        return;
    };
    let root = FieldPath::root(Subject::Service);
    // The operator replaces such a task.
    if cx.settings.mode == Mode::Convert && !service.load_balancers.is_empty() {
        let message = Message::ElbUnhealthyNotReplaced;
        notes.report(root.field("loadBalancers"), message);
    }
    let checked = |container: &validate::Container| container.health_check.is_some();
    if grace_period(cx) > 0
        && !cx.is_load_balanced()
        && !cx.task_definition.containers.iter().any(checked)
    {
        let path = root.field("healthCheckGracePeriodSeconds");
        notes.report(path, Message::GracePeriodUnused);
    }
}

fn grace_period(cx: &Context<'_>) -> i64 {
    match cx.workload {
        Workload::Service(service) => service
            .health_check_grace_period_seconds
            .unwrap_or(0)
            .clamp(0, i64::from(i32::MAX)),
        Workload::Task(_) => 0,
    }
}

/// Returns `a / b` rounded up, for `a >= 0` and `b > 0`.
const fn ceil_div(a: i64, b: i64) -> i64 {
    (a + b - 1) / b
}

/// Converts to the integer type of Kubernetes; larger numbers become the maximum.
fn small(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{
        diagnostic::Reason,
        translate::testing::{Scenario, yaml},
    };

    #[test]
    fn probes_fail_when_docker_would_be_unhealthy() {
        for (interval, retries, start_period, grace, unhealthy_at, startup, liveness) in [
            (30, 3, 0, 0, 90, 4, 3),
            (5, 3, 10, 0, 20, 5, 3),
            (10, 5, 60, 0, 100, 11, 5),
            (10, 2, 25, 0, 40, 5, 2),
            (30, 1, 300, 0, 300, 11, 1),
            (30, 3, 0, 120, 120, 5, 3),
            (5, 3, 10, 600, 600, 121, 3),
            (300, 10, 300, 0, 3000, 11, 10),
        ] {
            let check = HealthCheck {
                command: vec!["true".to_owned()],
                bare: false,
                interval,
                timeout: 5,
                retries,
                start_period,
            };
            let timing = Timing::new(&check, grace);
            assert_eq!(timing.startup_failures, startup);
            // The kubelet runs the first probe at 0, so the last of these failures occurs at this time.
            assert_eq!((timing.startup_failures - 1) * interval, unhealthy_at);
            assert_eq!(
                probe(&check, check.retries).failure_threshold,
                Some(small(liveness))
            );
            assert_eq!(
                timing.liveness_delay + (retries - 1) * interval,
                unhealthy_at
            );
        }
    }

    /// Returns a definition in which `app` waits for `side` with this condition; `side` has a check.
    fn with_side(condition: &str, essential: bool) -> String {
        format!(
            r#"{{"family": "f", "networkMode": "awsvpc", "containerDefinitions": [
            {{"name": "app", "image": "busybox", "memory": 64,
              "dependsOn": [{{"containerName": "side", "condition": "{condition}"}}]}},
            {{"name": "side", "image": "busybox", "memory": 64, "essential": {essential},
              "healthCheck": {{"command": ["CMD", "true"]}}}}]}}"#
        )
    }

    fn alone(check: &str) -> String {
        format!(
            r#"{{"family": "f", "networkMode": "awsvpc", "containerDefinitions": [
            {{"name": "side", "image": "busybox", "memory": 64, "healthCheck": {check}}}]}}"#
        )
    }

    fn kinds(container: &Value) -> Vec<&str> {
        ["startupProbe", "livenessProbe", "readinessProbe"]
            .into_iter()
            .filter(|kind| !container[*kind].is_null())
            .collect()
    }

    #[test]
    fn each_container_gets_the_probes_that_do_what_ecs_does() {
        const BOTH: &[&str] = &["startupProbe", "livenessProbe"];
        let beside = |essential: bool| {
            with_side("START", essential).replace(
                r#""dependsOn": [{"containerName": "side", "condition": "START"}]"#,
                r#""dependsOn": []"#,
            )
        };
        for (definition, in_service, in_task) in [
            (beside(true), BOTH, &[][..]),
            (with_side("HEALTHY", true), BOTH, &["startupProbe"]),
            (
                with_side("START", true),
                &["livenessProbe", "readinessProbe"],
                &[],
            ),
            (
                with_side("HEALTHY", false),
                &["startupProbe"],
                &["startupProbe"],
            ),
            (with_side("START", false), &[], &[]),
            (beside(false), &[], &[]),
            (with_side("SUCCESS", false), &[], &[]),
        ] {
            let service = Scenario::service(definition.as_str()).run();
            let task = Scenario::task(definition.as_str()).run();
            for (outcome, expected) in [(service, in_service), (task, in_task)] {
                assert_eq!(kinds(outcome.container("side")), expected, "{definition}");
                let report_only = outcome.notes_of(&[Reason::HealthCheckReportOnly]);
                assert_eq!(report_only.is_empty(), !expected.is_empty(), "{definition}");
                for line in report_only {
                    assert_eq!(
                        line,
                        "containerDefinitions[1].healthCheck: HealthCheckReportOnly"
                    );
                }
            }
        }
    }

    #[test]
    fn the_grace_period_of_the_service_counts_for_the_first_success() {
        let check = r#"{"command": ["CMD-SHELL", "curl -f http://localhost/ || exit 1"], "interval": 30, "timeout": 5, "retries": 3, "startPeriod": 60}"#;
        let outcome = Scenario::service(alone(check))
            .request(r#"{"healthCheckGracePeriodSeconds": 90}"#)
            .run();
        let container = outcome.container("side");
        let expected = yaml(
            "
startupProbe:
  exec:
    command: [/bin/sh, -c, curl -f http://localhost/ || exit 1]
  failureThreshold: 5
  periodSeconds: 30
  timeoutSeconds: 5
livenessProbe:
  exec:
    command: [/bin/sh, -c, curl -f http://localhost/ || exit 1]
  failureThreshold: 3
  periodSeconds: 30
  timeoutSeconds: 5
",
        );
        assert_eq!(container["startupProbe"], expected["startupProbe"]);
        assert_eq!(container["livenessProbe"], expected["livenessProbe"]);
        assert!(!outcome.has("GracePeriodUnused"));
    }

    #[test]
    fn a_sidecar_that_gates_nothing_is_watched_from_its_first_counted_check() {
        let outcome = Scenario::service(with_side("START", true)).run();
        let side = outcome.container("side");
        let probe = "{exec: {command: ['true']}, failureThreshold: 3, periodSeconds: 30, timeoutSeconds: 5}";
        assert_eq!(side["readinessProbe"], yaml(probe));
        let mut liveness = yaml(probe);
        liveness["initialDelaySeconds"] = 30.into();
        liveness["terminationGracePeriodSeconds"] = 30.into();
        assert_eq!(side["livenessProbe"], liveness);
    }

    #[test]
    fn commands_are_run_as_docker_runs_them() {
        let windows = r#""runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}, "family": "f""#;
        for (command, linux, on_windows) in [
            (
                r#"["CMD-SHELL", "a || b"]"#,
                "[/bin/sh, -c, a || b]",
                "[cmd, /S, /C, a || b]",
            ),
            (
                r#"["CMD-SHELL", "a", "b"]"#,
                "[/bin/sh, -c, a, b]",
                "[cmd, /S, /C, a, b]",
            ),
            (r#"["CMD", "curl", "-f"]"#, "[curl, -f]", "[curl, -f]"),
            (r#"["curl", "-f"]"#, "[curl, -f]", "[curl, -f]"),
            (
                r#"["CMD-SHELL", "test $(id -u) = $UID"]"#,
                "[/bin/sh, -c, test $$(id -u) = $$UID]",
                "[cmd, /S, /C, test $$(id -u) = $$UID]",
            ),
            (
                r#"["CMD-SHELL", "test $UID"]"#,
                "[/bin/sh, -c, test $UID]",
                "[cmd, /S, /C, test $UID]",
            ),
        ] {
            let definition = alone(&format!(r#"{{"command": {command}}}"#));
            for (definition, expected) in [
                (definition.clone(), linux),
                (definition.replace(r#""family": "f""#, windows), on_windows),
            ] {
                let outcome = Scenario::service(definition).run();
                let probe = &outcome.container("side")["livenessProbe"];
                assert_eq!(probe["exec"]["command"], yaml(expected), "{command}");
            }
        }
        let none = Scenario::service(alone(r#"{"command": ["NONE"]}"#)).run();
        assert_eq!(kinds(none.container("side")), [""; 0]);
        assert!(!none.has("HealthCheckReportOnly"));
        for (command, value) in [
            ("[]", "an empty list"),
            (r#"["CMD"]"#, "CMD"),
            (r#"["CMD-SHELL"]"#, "CMD-SHELL"),
        ] {
            let rejections =
                Scenario::service(alone(&format!(r#"{{"command": {command}}}"#))).rejections();
            let expected = format!(
                "containerDefinitions[0].healthCheck.command: InvalidValue: {value}: must be a command after CMD or CMD-SHELL, or NONE alone"
            );
            assert_eq!(rejections, [expected]);
        }
    }

    #[test]
    fn health_that_nothing_checks_or_acts_on_is_noted() {
        let plain = r#"{"family": "f", "networkMode": "awsvpc", "containerDefinitions": [{"name": "a", "image": "busybox", "memory": 64}]}"#;
        let reasons = &[Reason::GracePeriodUnused, Reason::ElbUnhealthyNotReplaced];
        let unused = ["healthCheckGracePeriodSeconds: GracePeriodUnused"];
        let note = |seconds: u32| {
            Scenario::service(plain)
                .request(format!(r#"{{"healthCheckGracePeriodSeconds": {seconds}}}"#))
                .run()
                .notes_of(reasons)
        };
        assert_eq!(note(60), unused);
        assert_eq!(note(0), [""; 0]);
    }

    #[test]
    fn what_a_load_balancer_finds_unhealthy_is_not_replaced() {
        let definition = r#"{"family": "f", "networkMode": "awsvpc", "containerDefinitions": [
            {"name": "a", "image": "busybox", "memory": 64, "portMappings": [{"containerPort": 80}]}]}"#;
        let scenario = Scenario::service(definition)
            .request(
                r#"{"healthCheckGracePeriodSeconds": 60, "loadBalancers": [{"containerName": "a", "containerPort": 80,
                "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/6d0ecf831eec9f09"}]}"#,
            );
        let reasons = &[Reason::GracePeriodUnused, Reason::ElbUnhealthyNotReplaced];
        assert_eq!(scenario.run().notes_of(reasons), [""; 0]);
        assert_eq!(
            scenario.convert().run().notes_of(reasons),
            ["loadBalancers: ElbUnhealthyNotReplaced"]
        );
    }
}
