//! The workloads of a plan: which service revision they are, and what the operator holds back in them.

use k8s_openapi::{
    api::{apps::v1::DaemonSet, core::v1::PodTemplateSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};
use sha2::{Digest as _, Sha256};

use crate::{
    settings::SERVICE_REVISION,
    translate::{Object, service::rollout::Rollout},
    validate,
};

/// How many hexadecimal digits name a service revision.
const DIGITS: usize = 10;

/// The service revision that these objects are: the same for the same pods.
pub(super) fn revision(objects: &[Object]) -> Result<String, serde_json::Error> {
    let mut digest = Sha256::new();
    for object in objects {
        if let Some(template) = template(object) {
            digest.update(serde_json::to_vec(&(object.name(), template))?);
        }
    }
    let digest = digest.finalize();
    let bytes = digest.iter().take(DIGITS / 2);
    Ok(bytes.map(|byte| format!("{byte:02x}")).collect())
}

const fn template(object: &Object) -> Option<&PodTemplateSpec> {
    match object {
        Object::Deployment(deployment) => match &deployment.spec {
            Some(spec) => Some(&spec.template),
            None => None,
        },
        Object::DaemonSet(daemon_set) => match &daemon_set.spec {
            Some(spec) => Some(&spec.template),
            None => None,
        },
        _ => None,
    }
}

/// Marks the pods with their service revision.
pub(super) fn mark(objects: &mut [Object], revision: &str) {
    for object in objects {
        let template = match object {
            Object::Deployment(deployment) => deployment.spec.as_mut().map(|it| &mut it.template),
            Object::DaemonSet(daemon_set) => daemon_set.spec.as_mut().map(|it| &mut it.template),
            _ => None,
        };
        if let Some(template) = template {
            let metadata = template.metadata.get_or_insert_default();
            let labels = metadata.labels.get_or_insert_default();
            labels.insert(SERVICE_REVISION.to_owned(), revision.to_owned());
        }
    }
}

/// For how many seconds a pod has to be ready until it counts as healthy.
pub(super) fn healthy_after(objects: &[Object]) -> i64 {
    let seconds = objects.iter().filter_map(|object| match object {
        Object::Deployment(deployment) => deployment.spec.as_ref()?.min_ready_seconds,
        Object::DaemonSet(daemon_set) => daemon_set.spec.as_ref()?.min_ready_seconds,
        _ => None,
    });
    seconds.max().unwrap_or(0).into()
}

/// Makes every Deployment one of no pods.
pub(super) fn empty(objects: &mut [Object]) {
    for object in objects {
        if let Object::Deployment(deployment) = object
            && let Some(spec) = &mut deployment.spec
        {
            spec.replicas = Some(0);
        }
    }
}

/// Writes the numbers of a rollout of pods on `nodes` nodes, and holds back what could not be moved in ECS: with the
/// healthy minimum at the desired count, and no room above it, old tasks stay. `replaces` says whether healthy pods of
/// another template run; without them there is nothing to keep. Returns whether something is held back.
pub(super) fn hold_back(
    objects: &mut [Object],
    rules: &validate::Deployment,
    nodes: impl Fn(&Object) -> Option<u32>,
    replaces: bool,
) -> bool {
    let mut holds = false;
    for object in objects {
        let nodes = nodes(object);
        match object {
            Object::Deployment(deployment) => {
                let Some(spec) = &mut deployment.spec else {
                    continue;
                };
                let tasks = spec.replicas.and_then(|tasks| u32::try_from(tasks).ok());
                let stuck = Rollout::new(tasks.unwrap_or(0), rules).is_stuck();
                if stuck && replaces {
                    spec.paused = Some(true);
                    holds = true;
                }
            }
            Object::DaemonSet(daemon_set) => {
                holds |= hold_daemon_back(daemon_set, rules, nodes, replaces);
            }
            _ => {}
        }
    }
    holds
}

/// A DaemonSet rounds a percentage up where ECS rounds it down, in tasks that may be missing; so it gets the number.
fn hold_daemon_back(
    daemon_set: &mut DaemonSet,
    rules: &validate::Deployment,
    nodes: Option<u32>,
    replaces: bool,
) -> bool {
    let Some(nodes) = nodes.filter(|nodes| *nodes > 0 && rules.minimum_healthy_percent > 0) else {
        return false;
    };
    let Some(strategy) = daemon_set
        .spec
        .as_mut()
        .and_then(|spec| spec.update_strategy.as_mut())
    else {
        return false;
    };
    let missing = Rollout::new(nodes, rules).max_unavailable();
    if missing == 0 && replaces {
        // A pod that goes by itself is replaced by a new one, as in ECS.
        strategy.type_ = Some("OnDelete".to_owned());
        strategy.rolling_update = None;
        return true;
    }
    if let Some(rolling) = &mut strategy.rolling_update {
        let missing = i32::try_from(missing.max(1)).unwrap_or(i32::MAX);
        rolling.max_unavailable = Some(IntOrString::Int(missing));
    }
    false
}
