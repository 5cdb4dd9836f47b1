//! Converts a task definition to the pods of a service or task with a list of features, each of which adds its own
//! part.

mod container;
mod dependencies;
mod devices;
pub(crate) mod ebs_volume;
mod ecr;
mod environment;
mod file_system;
mod firelens;
mod gmsa;
mod gpu;
mod health_check;
mod lifecycle;
mod linux_parameters;
mod logging;
mod network;
pub(crate) mod overlay;
pub(super) mod placement;
mod platform;
mod ports;
mod privileges;
mod resources;
mod restart;
mod role;
mod secret_store;
mod secrets;
mod security;
mod smb;
mod start_timeout;
mod stopped;
mod system_controls;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::core::v1::{Container, PodSpec, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Context, LABEL_LENGTH, Manifests, kname};
use crate::diagnostic::Diagnostics;

pub(crate) use dependencies::{Plan, Role};

/// A pod that is being built, and the objects that it needs.
pub(crate) struct Draft {
    /// Labels of the pod in addition to those of all pods of its owner.
    pub(crate) labels: BTreeMap<String, String>,
    /// Annotations of the pod.
    pub(crate) annotations: BTreeMap<String, String>,
    /// The pod's specification.
    pub(crate) spec: PodSpec,
    /// The role and order of the containers.
    pub(crate) plan: Plan,
    /// Objects that the pod refers to.
    pub(crate) objects: Manifests,
}

impl Draft {
    /// Returns the Kubernetes container of the ECS container at `index` of the task definition.
    pub(crate) fn container_mut(&mut self, index: usize) -> Option<&mut Container> {
        if let Some(position) = self.plan.init.iter().position(|i| *i == index) {
            return self.spec.init_containers.as_mut()?.get_mut(position);
        }
        let position = self.plan.main.iter().position(|i| *i == index)?;
        self.spec.containers.get_mut(position)
    }

    /// Returns a name for a generated volume that no volume of the definition or of the pod has: `wanted`, followed by
    /// `-` and `suffix` as often as necessary.
    fn free_volume_name(&self, cx: &Context<'_>, wanted: &str, suffix: &str) -> String {
        let taken: BTreeSet<String> = cx
            .task_definition
            .volumes
            .iter()
            .map(|volume| kname(&volume.name, LABEL_LENGTH))
            .chain(self.spec.volumes.iter().flatten().map(|v| v.name.clone()))
            .chain(
                cx.overlays()
                    .flat_map(|overlay| overlay.volume_names().map(str::to_owned)),
            )
            .collect();
        let mut name = kname(wanted, LABEL_LENGTH);
        while taken.contains(&name) {
            name = kname(&format!("{name}-{suffix}"), LABEL_LENGTH);
        }
        name
    }
}

/// Creates the pod template of a service or task and the objects that its pods refer to.
pub(crate) fn pod_template(
    cx: &Context<'_>,
    notes: &mut Diagnostics,
) -> (PodTemplateSpec, Manifests) {
    let plan = dependencies::plan(cx, notes);
    let mut draft = container::draft(cx, plan, notes);
    restart::apply(cx, &mut draft, notes);
    environment::apply(cx, &mut draft, notes);
    secrets::apply(cx, &mut draft, notes);
    resources::apply(cx, &mut draft, notes);
    gpu::apply(cx, &mut draft, notes);
    health_check::apply(cx, &mut draft, notes);
    lifecycle::apply(cx, &mut draft, notes);
    start_timeout::apply(cx, &mut draft);
    ports::apply(cx, &mut draft, notes);
    network::apply(cx, &mut draft, notes);
    platform::apply(cx, &mut draft, notes);
    security::apply(cx, &mut draft, notes);
    system_controls::apply(cx, &mut draft, notes);
    linux_parameters::apply(cx, &mut draft, notes);
    devices::apply(cx, &mut draft, notes);
    volumes::apply(cx, &mut draft, notes);
    ebs_volume::apply(cx, &mut draft, notes);
    logging::apply(cx, &mut draft, notes);
    role::apply(cx, &mut draft, notes);
    gmsa::apply(cx, &mut draft, notes);
    placement::apply(cx, &mut draft, notes);
    if cx.overlays().next().is_none() {
        // What is added to the pods may change this.
        privileges::report(cx, &draft.spec, notes);
    }
    let metadata = ObjectMeta {
        labels: Some(cx.pod_labels().into_iter().chain(draft.labels).collect()),
        annotations: (!draft.annotations.is_empty()).then_some(draft.annotations),
        ..ObjectMeta::default()
    };
    let template = PodTemplateSpec {
        metadata: Some(metadata),
        spec: Some(draft.spec),
    };
    (template, draft.objects)
}
