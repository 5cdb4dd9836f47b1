//! Adds the members of `kubernetes.pod` to a pod template, except its patch.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, Lifecycle, PodDNSConfig, PodSpec, PodTemplateSpec, ResourceRequirements,
    TopologySpreadConstraint,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{affinity, strategic};
use crate::validate::{ContainerOverlay, PodOverlay};

/// Adds all members to the template. Where both have a member, that of the overlay is taken; validation has rejected the
/// overlay if that may not be.
pub(super) fn apply(template: &mut PodTemplateSpec, overlay: &PodOverlay) {
    let metadata = template.metadata.get_or_insert_default();
    extend(&mut metadata.labels, &overlay.labels);
    extend(&mut metadata.annotations, &overlay.annotations);
    let spec = template.spec.get_or_insert_default();
    append(&mut spec.tolerations, &overlay.tolerations);
    for constraint in &overlay.topology_spread_constraints {
        let constraints = spec.topology_spread_constraints.get_or_insert_default();
        let key = |it: &TopologySpreadConstraint| {
            (it.topology_key.clone(), it.when_unsatisfiable.clone())
        };
        // The API server knows only one with this key.
        match constraints.iter_mut().find(|it| key(it) == key(constraint)) {
            Some(earlier) => earlier.clone_from(constraint),
            None => constraints.push(constraint.clone()),
        }
    }
    extend(&mut spec.node_selector, &overlay.node_selector);
    if let Some(more) = &overlay.affinity {
        spec.affinity = Some(affinity::combined(spec.affinity.take(), more));
    }
    replace(
        &mut spec.priority_class_name,
        overlay.priority_class_name.as_ref(),
    );
    replace(
        &mut spec.runtime_class_name,
        overlay.runtime_class_name.as_ref(),
    );
    if let Some(more) = &overlay.dns_config {
        add_dns(spec.dns_config.get_or_insert_default(), more);
    }
    merge(
        &mut spec.security_context,
        overlay.security_context.as_ref(),
    );
    for volume in &overlay.volumes {
        let volumes = spec.volumes.get_or_insert_default();
        // A service may replace a volume that its task definition adds.
        match volumes.iter_mut().find(|it| it.name == volume.name) {
            Some(earlier) => earlier.clone_from(volume),
            None => volumes.push(volume.clone()),
        }
    }
    for more in &overlay.containers {
        if let Some(container) = container_mut(spec, &more.name) {
            apply_to(container, more);
        }
    }
}

/// Returns a container, wherever it is in the pod.
fn container_mut<'s>(spec: &'s mut PodSpec, name: &str) -> Option<&'s mut Container> {
    let init = spec.init_containers.iter_mut().flatten();
    let mut all = init.chain(&mut spec.containers);
    all.find(|container| container.name == name)
}

fn apply_to(container: &mut Container, more: &ContainerOverlay) {
    for mount in &more.volume_mounts {
        let mounts = container.volume_mounts.get_or_insert_default();
        match mounts
            .iter_mut()
            .find(|it| it.mount_path == mount.mount_path)
        {
            Some(earlier) => earlier.clone_from(mount),
            None => mounts.push(mount.clone()),
        }
    }
    replace(
        &mut container.readiness_probe,
        more.readiness_probe.as_ref(),
    );
    replace(&mut container.liveness_probe, more.liveness_probe.as_ref());
    replace(&mut container.startup_probe, more.startup_probe.as_ref());
    if let Some(more) = &more.lifecycle {
        let Lifecycle {
            post_start,
            pre_stop,
            stop_signal,
        } = container.lifecycle.get_or_insert_default();
        replace(post_start, more.post_start.as_ref());
        replace(pre_stop, more.pre_stop.as_ref());
        replace(stop_signal, more.stop_signal.as_ref());
    }
    merge(
        &mut container.security_context,
        more.security_context.as_ref(),
    );
    if let Some(more) = &more.resources {
        let ResourceRequirements {
            claims,
            limits,
            requests,
        } = container.resources.get_or_insert_default();
        append(claims, more.claims.as_deref().unwrap_or_default());
        extend(limits, more.limits.as_ref().unwrap_or(&BTreeMap::new()));
        extend(requests, more.requests.as_ref().unwrap_or(&BTreeMap::new()));
    }
}

/// Adds name servers and search domains that are not there yet, and options, of which the later one counts.
fn add_dns(config: &mut PodDNSConfig, more: &PodDNSConfig) {
    append(
        &mut config.nameservers,
        more.nameservers.as_deref().unwrap_or_default(),
    );
    append(
        &mut config.searches,
        more.searches.as_deref().unwrap_or_default(),
    );
    for option in more.options.iter().flatten() {
        let options = config.options.get_or_insert_default();
        match options.iter_mut().find(|it| it.name == option.name) {
            Some(earlier) => earlier.clone_from(option),
            None => options.push(option.clone()),
        }
    }
}

fn replace<T: Clone>(target: &mut Option<T>, more: Option<&T>) {
    if let Some(more) = more {
        *target = Some(more.clone());
    }
}

fn extend<V: Clone>(target: &mut Option<BTreeMap<String, V>>, more: &BTreeMap<String, V>) {
    if !more.is_empty() {
        let more = more.iter().map(|(key, value)| (key.clone(), value.clone()));
        target.get_or_insert_default().extend(more);
    }
}

/// Appends the elements that are not there yet.
fn append<T: Clone + PartialEq>(target: &mut Option<Vec<T>>, more: &[T]) {
    for element in more {
        let list = target.get_or_insert_default();
        if !list.contains(element) {
            list.push(element.clone());
        }
    }
}

/// Merges an object into what is there, member by member.
fn merge<T: Serialize + DeserializeOwned>(target: &mut Option<T>, more: Option<&Value>) {
    let Some(more) = more else {
        return;
    };
    // Parts of a pod are plain data, and validation has read the object as one.
    let mut value = serde_json::to_value(&*target).unwrap_or_default();
    strategic::merge(&mut value, more);
    if let Ok(merged) = serde_json::from_value(value) {
        *target = Some(merged);
    }
}
