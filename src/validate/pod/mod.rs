//! `spec.kubernetes.pod`: what the pods have beyond the fields of ECS.
//!
//! What depends on the pod that ECS describes, such as a name that is taken, is decided when that pod is known:
//! [`crate::translate::pod_conflicts`].

mod refused;
mod strict;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    Affinity, ConfigMapVolumeSource, DownwardAPIVolumeSource, EmptyDirVolumeSource, Lifecycle,
    PodDNSConfig, PodSecurityContext, Probe, ProjectedVolumeSource, ResourceRequirements,
    SecretVolumeSource, SecurityContext, Toleration, TopologySpreadConstraint, Volume, VolumeMount,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Service, Task};

pub(crate) use self::strict::first_missing;
use self::{
    refused::Refusals,
    strict::{Form, check},
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    settings::Settings,
    translate::{LABEL_LENGTH, Workload, is_owned_key, kname, pod_conflicts},
};

/// What the pods of a task definition, a service or a task have beyond the fields of ECS.
#[derive(Clone, Debug, PartialEq)]
pub struct PodOverlay {
    /// The path of `kubernetes.pod`.
    pub path: FieldPath,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Taints of nodes that may still run the pods.
    pub tolerations: Vec<Toleration>,
    /// Labels that nodes must have.
    pub node_selector: BTreeMap<String, String>,
    /// Rules for nodes and for the pods beside them.
    pub affinity: Option<Affinity>,
    /// Rules for the spread over zones or nodes.
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// The name of the PriorityClass.
    pub priority_class_name: Option<String>,
    /// The name of the RuntimeClass.
    pub runtime_class_name: Option<String>,
    /// Settings of the resolver.
    pub dns_config: Option<PodDNSConfig>,
    /// Security settings of the pod, as an object that is merged.
    pub security_context: Option<Value>,
    /// Additional volumes.
    pub volumes: Vec<Volume>,
    /// Settings of containers.
    pub containers: Vec<ContainerOverlay>,
    /// A strategic merge patch of the pod template.
    pub patch: Option<Value>,
}

/// What a container has beyond its fields of ECS.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerOverlay {
    /// The position in `kubernetes.pod.containers`.
    pub index: usize,
    /// The name in Kubernetes.
    pub name: String,
    /// Additional mounts.
    pub volume_mounts: Vec<VolumeMount>,
    /// The check that decides about traffic.
    pub readiness_probe: Option<Probe>,
    /// The check that restarts the container.
    pub liveness_probe: Option<Probe>,
    /// The check that holds back the others.
    pub startup_probe: Option<Probe>,
    /// Hooks and the stop signal.
    pub lifecycle: Option<Lifecycle>,
    /// Security settings, as an object that is merged.
    pub security_context: Option<Value>,
    /// Limits and requests.
    pub resources: Option<ResourceRequirements>,
}

impl PodOverlay {
    /// Returns the names of all volumes that it adds.
    pub fn volume_names(&self) -> impl Iterator<Item = &str> {
        let typed = self.volumes.iter().map(|volume| volume.name.as_str());
        let patched = self.patch.as_ref();
        let patched = patched.and_then(|patch| patch.pointer("/spec/volumes")?.as_array());
        let patched = patched.into_iter().flatten();
        typed.chain(patched.filter_map(|volume| volume.get("name")?.as_str()))
    }
}

/// Reports what `kubernetes.pod` would take away of the pods of a service that is valid otherwise.
pub(crate) fn check_pods_of_service(
    service: &Service,
    settings: &Settings,
    sink: &mut Diagnostics,
) {
    pod_conflicts(Workload::Service(service), settings, sink);
}

/// Reports what `kubernetes.pod` would take away of the pods of a task that is valid otherwise.
pub(crate) fn check_pods_of_task(task: &Task, settings: &Settings, sink: &mut Diagnostics) {
    pod_conflicts(Workload::Task(task), settings, sink);
}

/// Validates `kubernetes.pod` for a task definition with these containers and volumes.
pub(crate) fn validate_pod(
    raw: Option<&crd::Kubernetes>,
    definition: &ecs::TaskDefinition,
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<PodOverlay> {
    let raw = raw?.pod.as_ref()?;
    let path = root.field("kubernetes").field("pod");
    let refusals = Refusals::new(definition);
    refusals.keys(&raw.labels, true, &path.field("labels"), sink);
    refusals.keys(&raw.annotations, false, &path.field("annotations"), sink);
    if let Some(patch) = &raw.patch {
        let at = path.field("patch");
        check(patch, crd::pod_template(), Form::Patch, &at, sink);
        refusals.patch(patch, &at, sink);
    }
    let mut part = Part { path: &path, sink };
    Some(PodOverlay {
        tolerations: part.read("", "tolerations", raw.tolerations.as_ref()),
        affinity: part.read("", "affinity", raw.affinity.as_ref()),
        topology_spread_constraints: part.read(
            "",
            "topologySpreadConstraints",
            raw.topology_spread_constraints.as_ref(),
        ),
        dns_config: part.read("", "dnsConfig", raw.dns_config.as_ref()),
        security_context: part
            .read::<Option<PodSecurityContext>>(
                "",
                "securityContext",
                raw.security_context.as_ref(),
            )
            .and(raw.security_context.as_ref())
            .map(without_nulls),
        volumes: volumes(&raw.volumes, &refusals, &path.field("volumes"), sink),
        containers: containers(&raw.containers, &refusals, &path.field("containers"), sink),
        labels: raw.labels.clone(),
        annotations: raw.annotations.clone(),
        node_selector: raw.node_selector.clone(),
        priority_class_name: raw.priority_class_name.clone(),
        runtime_class_name: raw.runtime_class_name.clone(),
        patch: raw.patch.clone(),
        path,
    })
}

/// Reads the members of an object that Kubernetes defines.
struct Part<'p> {
    path: &'p FieldPath,
    sink: &'p mut Diagnostics,
}

impl Part<'_> {
    /// Returns a member, or nothing if it is absent or wrong. `of` is where the PodSpec has it.
    fn read<T: DeserializeOwned + Default>(
        &mut self,
        of: &str,
        name: &'static str,
        value: Option<&Value>,
    ) -> T {
        let Some(value) = value else {
            return T::default();
        };
        let path = self.path.field(name);
        let schema = crd::of_spec(&format!("{of}{name}")).unwrap_or(&Value::Null);
        let mut found = Diagnostics::new();
        check(value, schema, Form::Whole, &path, &mut found);
        let is_sound = !found.has_errors();
        self.sink.append(found);
        match serde_json::from_value(value.clone()) {
            Ok(value) => value,
            Err(error) => {
                if is_sound {
                    let (value, allowed) = (name.to_owned(), error.to_string());
                    self.sink
                        .report(path, Message::InvalidValue { value, allowed });
                }
                T::default()
            }
        }
    }
}

fn volumes(
    raw: &[crd::PodVolume],
    refusals: &Refusals,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<Volume> {
    let mut names = BTreeSet::new();
    let mut volumes = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        let path = path.index(index);
        let name = raw.name.clone().unwrap_or_default();
        refusals.volume_name(&name, &path.field("name"), sink);
        if !names.insert(name.clone()) {
            let allowed = "another volume has this name".to_owned();
            let message = Message::InvalidValue {
                value: name.clone(),
                allowed,
            };
            sink.report(path.field("name"), message);
        }
        let before = sink.iter().count();
        let of = "volumes[].";
        let mut part = Part { path: &path, sink };
        let config_map: Option<ConfigMapVolumeSource> =
            part.read(of, "configMap", raw.config_map.as_ref());
        let secret: Option<SecretVolumeSource> = part.read(of, "secret", raw.secret.as_ref());
        let projected: Option<ProjectedVolumeSource> =
            part.read(of, "projected", raw.projected.as_ref());
        let downward_api: Option<DownwardAPIVolumeSource> =
            part.read(of, "downwardAPI", raw.downward_api.as_ref());
        let empty_dir: Option<EmptyDirVolumeSource> =
            part.read(of, "emptyDir", raw.empty_dir.as_ref());
        let sources = [
            raw.config_map.is_some(),
            raw.secret.is_some(),
            raw.projected.is_some(),
            raw.downward_api.is_some(),
            raw.empty_dir.is_some(),
        ];
        if sources.into_iter().filter(|is_given| *is_given).count() != 1
            && sink.iter().count() == before
        {
            let allowed = "must have one of configMap, secret, projected, downwardAPI and emptyDir; any other source can be given by patch".to_owned();
            let value = format!("volume {name}");
            sink.report(path, Message::InvalidValue { value, allowed });
        }
        volumes.push(Volume {
            name,
            config_map,
            secret,
            projected,
            downward_api,
            empty_dir,
            ..Volume::default()
        });
    }
    volumes
}

fn containers(
    raw: &[crd::PodContainer],
    refusals: &Refusals,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<ContainerOverlay> {
    let mut names = BTreeSet::new();
    let mut containers = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        let path = path.index(index);
        let given = raw.name.clone().unwrap_or_default();
        refusals.container(&given, &path.field("name"), sink);
        let name = kname(&given, LABEL_LENGTH);
        if !names.insert(name.clone()) {
            let allowed = "another element is about this container".to_owned();
            let message = Message::InvalidValue {
                value: given,
                allowed,
            };
            sink.report(path.field("name"), message);
        }
        let of = "containers[].";
        let mut part = Part { path: &path, sink };
        containers.push(ContainerOverlay {
            index,
            name,
            volume_mounts: part.read(of, "volumeMounts", raw.volume_mounts.as_ref()),
            readiness_probe: part.read(of, "readinessProbe", raw.readiness_probe.as_ref()),
            liveness_probe: part.read(of, "livenessProbe", raw.liveness_probe.as_ref()),
            startup_probe: part.read(of, "startupProbe", raw.startup_probe.as_ref()),
            lifecycle: part.read(of, "lifecycle", raw.lifecycle.as_ref()),
            security_context: part
                .read::<Option<SecurityContext>>(
                    of,
                    "securityContext",
                    raw.security_context.as_ref(),
                )
                .and(raw.security_context.as_ref())
                .map(without_nulls),
            resources: part.read(of, "resources", raw.resources.as_ref()),
        });
    }
    containers
}

/// Returns an object without its members that are `null`: in a typed member, they are absent, and only a patch removes.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let given = members.iter().filter(|(_, member)| !member.is_null());
            let given = given.map(|(name, member)| (name.clone(), without_nulls(member)));
            Value::Object(given.collect())
        }
        other => other.clone(),
    }
}
