//! What an overlay would take away of the pod that ECS describes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec, VolumeMount};
use serde_json::Value;

use super::{
    contradictions::contradictions,
    patched,
    place::{self, Thing},
    typed,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message},
    settings::ANNOTATION_PREFIX,
    translate::{Context, quantity::amount},
    validate::{PodOverlay, first_missing},
};

/// Reports what cannot be added to the pods of a service or task. `base` is what ECS and the operator give them.
pub(crate) fn conflicts(cx: &Context<'_>, base: &PodTemplateSpec, sink: &mut Diagnostics) {
    let mut template = base.clone();
    for overlay in cx.overlays() {
        let before = template.clone();
        typed::apply(&mut template, overlay);
        let mut found = Diagnostics::new();
        let place = |thing: Thing<'_>| place::typed(overlay, thing);
        Comparison::new(base, &before, &template, &place).report(&mut found);
        let is_sound = !found.has_errors();
        sink.append(found);
        if !is_sound {
            return;
        }
        let Some(value) = patched(&template, overlay) else {
            continue;
        };
        let Some(result) = read(&value, overlay, sink) else {
            return;
        };
        let place = |thing: Thing<'_>| place::patched(overlay, thing);
        Comparison::new(base, &template, &result, &place).report(sink);
        template = result;
    }
}

/// Returns the result of a patch, unless it is no pod template.
fn read(value: &Value, overlay: &PodOverlay, sink: &mut Diagnostics) -> Option<PodTemplateSpec> {
    let path = overlay.path.field("patch");
    if let Some(name) = first_missing(value, crd::pod_template()) {
        sink.report(path, Message::RequiredField { name });
        return None;
    }
    match serde_json::from_value(value.clone()) {
        Ok(result) => Some(result),
        Err(error) => {
            let (value, allowed) = ("patch".to_owned(), error.to_string());
            sink.report(path, Message::InvalidValue { value, allowed });
            None
        }
    }
}

/// A pod template before and after something was added to it.
struct Comparison<'c> {
    /// What ECS and the operator give.
    base: &'c PodTemplateSpec,
    before: &'c PodSpec,
    after: &'c PodTemplateSpec,
    spec: &'c PodSpec,
    /// Returns the path of what was added.
    place: &'c dyn Fn(Thing<'_>) -> FieldPath,
}

/// A pod without anything, in place of one that a template lacks.
static EMPTY: std::sync::LazyLock<PodSpec> = std::sync::LazyLock::new(PodSpec::default);

fn spec(template: &PodTemplateSpec) -> &PodSpec {
    template.spec.as_ref().unwrap_or(&EMPTY)
}

impl<'c> Comparison<'c> {
    fn new(
        base: &'c PodTemplateSpec,
        before: &'c PodTemplateSpec,
        after: &'c PodTemplateSpec,
        place: &'c dyn Fn(Thing<'_>) -> FieldPath,
    ) -> Self {
        Self {
            base,
            before: spec(before),
            after,
            spec: spec(after),
            place,
        }
    }

    fn report(&self, sink: &mut Diagnostics) {
        self.metadata(sink);
        self.members(sink);
        self.volumes(sink);
        for base in containers(spec(self.base)) {
            // A container that is missing was removed with its list, which is reported.
            let find = |spec: &'c PodSpec| containers(spec).find(|it| it.name == base.name);
            if let (Some(before), Some(after)) = (find(self.before), find(self.spec)) {
                self.container(base, before, after, sink);
            }
        }
    }

    fn taken(&self, thing: Thing<'_>, texts: [&str; 3], sink: &mut Diagnostics) {
        let [name, by, instead] = texts.map(str::to_owned);
        let message = Message::PodMemberTaken { name, by, instead };
        sink.report((self.place)(thing), message);
    }

    fn metadata(&self, sink: &mut Diagnostics) {
        let (Some(base), after) = (&self.base.metadata, &self.after.metadata) else {
            return;
        };
        let after = after.clone().unwrap_or_default();
        for (name, base, after) in [
            ("labels", &base.labels, &after.labels),
            ("annotations", &base.annotations, &after.annotations),
        ] {
            for (key, _) in changed(base.as_ref(), after.as_ref()) {
                let by = if key.starts_with(ANNOTATION_PREFIX) {
                    "the operator"
                } else {
                    "what the task definition and its service or task say"
                };
                let thing = Thing::Metadata(name, key);
                self.taken(thing, [key, by, "choose another key"], sink);
            }
        }
    }

    /// Compares members of the PodSpec that stay as they are.
    fn members(&self, sink: &mut Diagnostics) {
        let base = spec(self.base);
        let selected = changed(
            base.node_selector.as_ref(),
            self.spec.node_selector.as_ref(),
        );
        for (key, value) in selected {
            let by = format!("launchType or capacityProviderStrategy as {value}");
            let instead = "change these, or leave the label out";
            let name = format!("nodeSelector {key}");
            let thing = Thing::NodeSelector(key);
            self.taken(thing, [&name, &by, instead], sink);
        }
        for (name, base, after, by, instead) in [
            (
                "runtimeClassName",
                &base.runtime_class_name,
                &self.spec.runtime_class_name,
                "the sandbox that the task definition asks for",
                "leave it out, or choose the class in the settings of the operator",
            ),
            (
                "serviceAccountName",
                &base.service_account_name,
                &self.spec.service_account_name,
                "taskRoleArn",
                "leave it out, or leave taskRoleArn out to use a service account of your own",
            ),
        ] {
            if base.is_some() && base != after {
                self.taken(Thing::Spec(name), [name, by, instead], sink);
            }
        }
        let gates = base.readiness_gates.iter().flatten();
        let after = self.spec.readiness_gates.as_deref().unwrap_or_default();
        if gates.into_iter().any(|gate| !after.contains(gate)) {
            let thing = Thing::Spec("readinessGates");
            let instead = "leave the gates of the load balancer as they are";
            self.taken(thing, ["readinessGates", "loadBalancers", instead], sink);
        }
    }

    fn volumes(&self, sink: &mut Diagnostics) {
        let after = self.spec.volumes.as_deref().unwrap_or_default();
        for base in spec(self.base).volumes.iter().flatten() {
            if !after.contains(base) {
                let name = format!("volume {}", base.name);
                let by = "the task definition or the operator";
                let instead = "choose another name, or leave the volume out";
                self.taken(Thing::Volume(&base.name), [&name, by, instead], sink);
            }
        }
        let before = self.before.volumes.as_deref().unwrap_or_default();
        for volume in after.iter().filter(|volume| !before.contains(volume)) {
            // Everything but the name is a source.
            let members = serde_json::to_value(volume).unwrap_or_default();
            let members = members.as_object().map_or(0, serde_json::Map::len);
            if members != 2 {
                let value = format!("volume {}", volume.name);
                let allowed = "must have one source".to_owned();
                let path = (self.place)(Thing::Volume(&volume.name));
                sink.report(path, Message::InvalidValue { value, allowed });
            }
        }
    }

    fn container(
        &self,
        base: &Container,
        before: &Container,
        after: &Container,
        sink: &mut Diagnostics,
    ) {
        let name = base.name.as_str();
        self.mounts(base, before, after, sink);
        let pre_stop = |container: &Container| container.lifecycle.as_ref()?.pre_stop.clone();
        if pre_stop(base).is_some_and(|base| pre_stop(after).as_ref() != Some(&base)) {
            let of = format!("preStop of {name}");
            let by = "the wait until load balancers have deregistered the task";
            let instead = format!(
                "wait in your own preStop, and set the annotation {ANNOTATION_PREFIX}deregistration-delay-seconds to \"0\" so that there is no other one"
            );
            self.taken(Thing::PreStop(name), [&of, by, &instead], sink);
        }
        let ends = |spec: &PodSpec| {
            let mut init = spec.init_containers.iter().flatten();
            init.any(|it| it.name == name && it.restart_policy.is_none())
        };
        if ends(spec(self.base)) {
            self.probes(name, after, sink);
        }
        self.sizes(before, after, sink);
        if before != after {
            for (member, value, allowed) in contradictions(after) {
                let path = (self.place)(Thing::Container(name, member));
                let allowed = allowed.to_owned();
                sink.report(path, Message::InvalidValue { value, allowed });
            }
        }
    }

    fn mounts(
        &self,
        base: &Container,
        before: &Container,
        after: &Container,
        sink: &mut Diagnostics,
    ) {
        let name = base.name.as_str();
        let mounts = after.volume_mounts.as_deref().unwrap_or_default();
        for mount in base.volume_mounts.iter().flatten() {
            let at = mount.mount_path.as_str();
            let same = mounts.iter().filter(|it| trimmed(it) == trimmed(mount));
            if same.count() != 1 || !mounts.contains(mount) {
                let of = format!("{at} in {name}");
                let by = "mountPoints or the operator";
                let instead = "choose another path, or leave the mount out";
                self.taken(Thing::Mount(name, at), [&of, by, instead], sink);
            }
        }
        let before = before.volume_mounts.as_deref().unwrap_or_default();
        let volumes = || {
            self.spec
                .volumes
                .iter()
                .flatten()
                .map(|it| it.name.as_str())
        };
        for mount in mounts.iter().filter(|mount| !before.contains(mount)) {
            if volumes().all(|volume| volume != mount.name) {
                let names: Vec<&str> = volumes().collect();
                let allowed = match names.as_slice() {
                    [] => "the pod has no volume; add it to volumes".to_owned(),
                    names => format!("must be a volume of the pod: {}", names.join(", ")),
                };
                let value = mount.name.clone();
                let path = (self.place)(Thing::Mount(name, &mount.mount_path));
                sink.report(path, Message::InvalidValue { value, allowed });
            }
        }
    }

    /// Reports probes and hooks of a container that ends before the others start: the API server does not accept them.
    fn probes(&self, name: &str, after: &Container, sink: &mut Diagnostics) {
        for (member, is_there) in [
            ("livenessProbe", after.liveness_probe.is_some()),
            ("readinessProbe", after.readiness_probe.is_some()),
            ("startupProbe", after.startup_probe.is_some()),
            ("lifecycle", after.lifecycle.is_some()),
        ] {
            if is_there {
                let message = Message::PodMemberNotAllowed {
                    name: format!("{member} of {name}"),
                    why: "others wait until this container has ended".to_owned(),
                    instead: "leave it out, or wait with condition START or HEALTHY in dependsOn"
                        .to_owned(),
                };
                sink.report((self.place)(Thing::Container(name, member)), message);
            }
        }
    }

    /// Reports requests above limits, which the API server does not accept.
    fn sizes(&self, before: &Container, after: &Container, sink: &mut Diagnostics) {
        if before.resources == after.resources {
            return;
        }
        let Some(resources) = &after.resources else {
            return;
        };
        let limits = resources.limits.iter().flatten();
        for (resource, limit) in limits {
            let request = resources.requests.as_ref().and_then(|it| it.get(resource));
            let Some(request) = request else { continue };
            if amount(request)
                .zip(amount(limit))
                .is_some_and(|(a, b)| a > b)
            {
                let value = format!("limit {} of {resource}", limit.0);
                let allowed = format!("must be at least the request, which is {}", request.0);
                let path = (self.place)(Thing::Container(&after.name, "resources"));
                sink.report(path, Message::InvalidValue { value, allowed });
            }
        }
    }
}

/// Returns the keys and values that another map does not have.
fn changed<'m>(
    base: Option<&'m BTreeMap<String, String>>,
    after: Option<&'m BTreeMap<String, String>>,
) -> impl Iterator<Item = (&'m str, &'m str)> {
    let base = base.into_iter().flatten();
    base.filter(move |(key, value)| after.and_then(|after| after.get(*key)) != Some(*value))
        .map(|(key, value)| (key.as_str(), value.as_str()))
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers
        .iter()
        .flatten()
        .chain(&spec.containers)
}

fn trimmed(mount: &VolumeMount) -> &str {
    mount.mount_path.trim_end_matches('/')
}
