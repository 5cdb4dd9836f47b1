//! The Deployment or DaemonSet of a service, or one for each of its capacity providers.

use k8s_openapi::{
    api::{
        apps::v1::{
            DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, Deployment, DeploymentSpec,
            DeploymentStrategy, RollingUpdateDaemonSet, RollingUpdateDeployment,
        },
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};

use super::{capacity, number, rollout::Rollout};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    translate::{
        Context, LABEL_LENGTH, Manifests, Object, WORKLOAD_LENGTH, Workload, kname,
        labels::{self, Labels, tags_annotation},
    },
    validate::{CapacityProvider, Container, Scheduling, Service, clamp},
};

/// How many old ReplicaSets are kept to go back to.
const REVISION_HISTORY_LIMIT: i32 = 10;

/// Adds the workload.
pub(super) fn apply(
    cx: &Context<'_>,
    service: &Service,
    mut template: PodTemplateSpec,
    objects: &mut Manifests,
    notes: &mut Diagnostics,
) {
    capacity::report(cx, notes);
    if let Some((key, value)) = tags_annotation(&service.propagated_tags) {
        let metadata = template.metadata.get_or_insert_default();
        metadata
            .annotations
            .get_or_insert_default()
            .insert(key, value);
    }
    match service.scheduling {
        Scheduling::Replica { desired_count } => {
            let desired = clamp(desired_count);
            for part in parts(cx, desired, &template) {
                objects.push(deployment(cx, service, part));
            }
            report_rollout(cx, service, desired, notes);
        }
        Scheduling::Daemon => {
            for part in parts(cx, 0, &template) {
                objects.push(daemon_set(cx, service, part));
            }
            report_daemon(cx, service, notes);
        }
    }
}

/// The workload, or its part on one capacity provider.
struct Part {
    metadata: ObjectMeta,
    selector: LabelSelector,
    template: PodTemplateSpec,
    tasks: u32,
}

fn parts(cx: &Context<'_>, desired: u32, template: &PodTemplateSpec) -> Vec<Part> {
    match capacity::shares(desired, cx.capacity()).as_slice() {
        [] => vec![whole(cx, None, desired, template.clone())],
        [(only, _)] => vec![whole(cx, Some(only), desired, template.clone())],
        several => several
            .iter()
            .map(|(provider, tasks)| share(cx, provider, *tasks, template.clone()))
            .collect(),
    }
}

fn whole(
    cx: &Context<'_>,
    provider: Option<&CapacityProvider>,
    tasks: u32,
    mut template: PodTemplateSpec,
) -> Part {
    capacity::place(cx, provider, &mut template);
    let mut metadata = cx.metadata(cx.name());
    metadata.annotations = own_tags(cx);
    Part {
        metadata,
        selector: LabelSelector {
            match_labels: Some(cx.selector()),
            ..LabelSelector::default()
        },
        template,
        tasks,
    }
}

fn share(
    cx: &Context<'_>,
    provider: &CapacityProvider,
    tasks: u32,
    template: PodTemplateSpec,
) -> Part {
    let mut part = whole(cx, Some(provider), tasks, template);
    let value = kname(&provider.name, LABEL_LENGTH);
    let name = format!("{}-{value}", cx.name());
    part.metadata.name = Some(kname(&name, WORKLOAD_LENGTH));
    for labels in [
        &mut part.metadata.labels,
        &mut part.selector.match_labels,
        &mut part.template.metadata.get_or_insert_default().labels,
    ] {
        let key = labels::CAPACITY_PROVIDER.to_owned();
        labels.get_or_insert_default().insert(key, value.clone());
    }
    part
}

/// The service's own tags; AWS keeps them with the service, which this object stands for.
fn own_tags(cx: &Context<'_>) -> Option<Labels> {
    match cx.workload {
        Workload::Service(service) => tags_annotation(&service.tags).map(|tag| [tag].into()),
        Workload::Task(_) => None,
    }
}

fn deployment(cx: &Context<'_>, service: &Service, part: Part) -> Object {
    let rollout = Rollout::new(part.tasks, &service.deployment);
    // Kubernetes refuses 0 and 0. Where no task can move, or there is none, the numbers decide nothing.
    let (surge, unavailable) = match (rollout.max_surge(), rollout.max_unavailable()) {
        (0, 0) => (1, 0),
        numbers => numbers,
    };
    Object::Deployment(Deployment {
        metadata: part.metadata,
        spec: Some(DeploymentSpec {
            replicas: Some(number(part.tasks)),
            min_ready_seconds: min_ready_seconds(cx, service),
            revision_history_limit: Some(REVISION_HISTORY_LIMIT),
            selector: part.selector,
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(number(surge))),
                    max_unavailable: Some(IntOrString::Int(number(unavailable))),
                }),
            }),
            template: part.template,
            ..DeploymentSpec::default()
        }),
        status: None,
    })
}

fn daemon_set(cx: &Context<'_>, service: &Service, part: Part) -> Object {
    // The number of nodes is not known here, so a percentage stands for it. 0 would be refused.
    let unavailable = match 100_u32.saturating_sub(service.deployment.minimum_healthy_percent) {
        0 => IntOrString::Int(1),
        percent => IntOrString::String(format!("{percent}%")),
    };
    Object::DaemonSet(DaemonSet {
        metadata: part.metadata,
        spec: Some(DaemonSetSpec {
            min_ready_seconds: min_ready_seconds(cx, service),
            revision_history_limit: Some(REVISION_HISTORY_LIMIT),
            selector: part.selector,
            update_strategy: Some(DaemonSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDaemonSet {
                    max_surge: Some(IntOrString::Int(0)),
                    max_unavailable: Some(unavailable),
                }),
            }),
            template: part.template,
        }),
        status: None,
    })
}

/// ECS counts a task that nothing checks as healthy only some time after it runs
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>).
fn min_ready_seconds(cx: &Context<'_>, service: &Service) -> Option<i32> {
    let checks = |container: &Container| container.essential && container.health_check.is_some();
    let checked = cx.is_load_balanced() || service.task_definition.containers.iter().any(checks);
    let seconds = cx.settings.steady_seconds;
    (!checked && seconds > 0).then(|| number(seconds))
}

fn report_rollout(cx: &Context<'_>, service: &Service, desired: u32, notes: &mut Diagnostics) {
    let path = cx.root().field("deploymentConfiguration");
    let shares = capacity::shares(desired, cx.capacity());
    let stuck = |tasks: &u32| Rollout::new(*tasks, &service.deployment).is_stuck();
    let tasks = if shares.len() > 1 {
        notes.report(
            cx.root().field("capacityProviderStrategy"),
            Message::SplitRolloutRounding,
        );
        shares.into_iter().map(|(_, tasks)| tasks).find(stuck)
    } else {
        Some(desired).filter(stuck)
    };
    if let Some(tasks) = tasks {
        notes.report(path.clone(), cannot_progress(service, tasks.to_string()));
    }
    if desired > 0 {
        notes.report(
            path.field("maximumPercent"),
            Message::TerminatingPodsNotCounted,
        );
    }
    report_alarms(service, &path, notes);
}

fn report_daemon(cx: &Context<'_>, service: &Service, notes: &mut Diagnostics) {
    let path = cx.root().field("deploymentConfiguration");
    if service.desired_count_ignored {
        notes.report(
            cx.root().field("desiredCount"),
            Message::DesiredCountIgnoredForDaemon,
        );
    }
    if service.deployment.maximum_percent != 100 {
        notes.report(
            path.field("maximumPercent"),
            Message::DaemonMaximumPercentIgnored,
        );
    }
    match service.deployment.minimum_healthy_percent {
        0 => {}
        100 => notes.report(
            path.field("minimumHealthyPercent"),
            cannot_progress(service, "any number of".to_owned()),
        ),
        _ => notes.report(
            path.field("minimumHealthyPercent"),
            Message::DaemonPercentRoundsUp,
        ),
    }
    report_alarms(service, &path, notes);
}

fn cannot_progress(service: &Service, tasks: String) -> Message {
    let maximum = match service.scheduling {
        Scheduling::Replica { .. } => service.deployment.maximum_percent,
        Scheduling::Daemon => 100,
    };
    Message::DeploymentCannotProgress {
        min: service.deployment.minimum_healthy_percent.to_string(),
        max: maximum.to_string(),
        d: tasks,
    }
}

fn report_alarms(service: &Service, path: &FieldPath, notes: &mut Diagnostics) {
    if service.deployment.alarms.is_some() {
        notes.report(
            path.field("alarms"),
            Message::DeploymentAlarmsNeedCloudWatch,
        );
    }
}
