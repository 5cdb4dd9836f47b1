//! Container health checks as probes that keep Docker's timing.

use k8s_openapi::api::core::v1::{ExecAction, Probe};

use super::{Draft, Role};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::{Context, Workload, escape_dollars},
    validate::{self, HealthCheck},
};

/// The probes that a container gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probes {
    /// None: ECS only reports the check.
    ReportOnly,
    /// Until it is healthy once.
    Startup,
    /// Until it is healthy once, and from then on.
    StartupAndLiveness,
    /// From its start on. A startup probe would hold back what follows.
    LivenessAndReadiness,
}

/// Writes the probes.
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
        match probes {
            Probes::ReportOnly => {
                let path = FieldPath::root(Subject::TaskDefinition)
                    .field("containerDefinitions")
                    .index(container.index);
                notes.report(path.field("healthCheck"), Message::HealthCheckReportOnly);
            }
            Probes::Startup => kubernetes.startup_probe = Some(timing.startup(check)),
            Probes::StartupAndLiveness => {
                kubernetes.startup_probe = Some(timing.startup(check));
                kubernetes.liveness_probe = Some(probe(check, check.retries));
            }
            Probes::LivenessAndReadiness => {
                kubernetes.liveness_probe = Some(Probe {
                    initial_delay_seconds: small(timing.liveness_delay),
                    ..probe(check, check.retries)
                });
                kubernetes.readiness_probe = Some(probe(check, check.retries));
            }
        }
    }
    note_service(cx, notes);
}

/// Which probes reproduce what ECS does with the check.
const fn probes(essential: bool, role: Role, task: bool) -> Probes {
    match (role, essential, task) {
        (Role::Main | Role::Sidecar { gating: true }, true, false) => Probes::StartupAndLiveness,
        (Role::Sidecar { gating: true }, _, _) => Probes::Startup,
        (Role::Sidecar { gating: false }, true, false) => Probes::LivenessAndReadiness,
        (Role::Init | Role::Main | Role::Sidecar { gating: false }, _, _) => Probes::ReportOnly,
    }
}

/// When probes fail for good, in the kubelet's numbers. All times are in seconds.
///
/// Docker checks first one interval after the start, the kubelet at once. Docker does not count failures that start
/// before the start period has passed, ECS none within the grace period, and neither limits the time that a first
/// success may take beyond that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timing {
    startup_failures: i64,
    liveness_delay: i64,
}

impl Timing {
    /// The numbers for a check of a service with this `healthCheckGracePeriodSeconds`.
    fn new(check: &HealthCheck, grace: i64) -> Self {
        let HealthCheck {
            command: _,
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
        failure_threshold: small(failures),
        period_seconds: small(check.interval),
        timeout_seconds: small(check.timeout),
        ..Probe::default()
    }
}

/// Says what ECS does with health that no probe does.
fn note_service(cx: &Context<'_>, notes: &mut Diagnostics) {
    let Workload::Service(service) = cx.workload else {
        return;
    };
    let root = FieldPath::root(Subject::Service);
    if !service.load_balancers.is_empty() {
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

/// `a / b` rounded up, for `a >= 0` and `b > 0`.
const fn ceil_div(a: i64, b: i64) -> i64 {
    (a + b - 1) / b
}

/// As Kubernetes has it; the largest number stands for more.
fn small(number: i64) -> Option<i32> {
    Some(i32::try_from(number).unwrap_or(i32::MAX))
}
