//! The Deployment or DaemonSet of a service.

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, DaemonSetSpec, Deployment, DeploymentSpec},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use crate::{
    diagnostic::Diagnostics,
    translate::{Context, Manifests, Object},
    validate::{Scheduling, Service},
};

/// Adds the workload.
pub(super) fn apply(
    cx: &Context<'_>,
    service: &Service,
    template: PodTemplateSpec,
    objects: &mut Manifests,
    _notes: &mut Diagnostics,
) {
    let selector = LabelSelector {
        match_labels: Some(cx.selector()),
        ..LabelSelector::default()
    };
    objects.push(match service.scheduling {
        Scheduling::Replica { desired_count } => Object::Deployment(Deployment {
            metadata: cx.metadata(cx.name()),
            spec: Some(DeploymentSpec {
                replicas: i32::try_from(desired_count).ok(),
                revision_history_limit: Some(10),
                selector,
                template,
                ..DeploymentSpec::default()
            }),
            status: None,
        }),
        Scheduling::Daemon => Object::DaemonSet(DaemonSet {
            metadata: cx.metadata(cx.name()),
            spec: Some(DaemonSetSpec {
                revision_history_limit: Some(10),
                selector,
                template,
                ..DaemonSetSpec::default()
            }),
            status: None,
        }),
    });
}
