//! The state of a service's workloads.

use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::{Api, Resource as _, ResourceExt as _, api::ListParams};
use serde_json::Value;

use super::Plan;
use crate::{
    controller::{caches::child::WorkloadState, context::Context},
    crd::EcsService,
    decide::deployment::Progress,
    rendering::Part,
    settings::SERVICE_REVISION,
    translate::SERVICE,
    validate::clamp,
};

/// The state of a service's workloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Observed {
    /// The number of wanted tasks.
    pub(super) desired: i64,
    /// The number of running tasks.
    pub(super) running: i64,
    /// The number of tasks of the newest template.
    updated: i64,
    /// The number of other tasks.
    old: i64,
    /// Whether all tasks of the newest template run, and no others.
    pub(super) steady: bool,
    /// On how many nodes each DaemonSet should run.
    nodes: Vec<(String, u32)>,
    /// The wanted Deployments.
    parts: Vec<(String, Part)>,
    /// Why a wanted workload cannot create pods.
    pub(super) not_created: Option<String>,
    /// The wanted DaemonSet with missing pods: how many it should have, and how many it has.
    pub(super) missing: Option<(String, (i64, i64))>,
}

impl Observed {
    /// Observes the workloads; those in `plan` are wanted. `desired` is `None` for one task on each node.
    pub(super) fn of(
        cx: &Context,
        service: &EcsService,
        plan: Option<&Plan>,
        desired: Option<i64>,
    ) -> Self {
        let uid = service.meta().uid.as_deref().unwrap_or_default();
        let mut observed = Self {
            desired: desired.unwrap_or(0),
            steady: true,
            ..Self::default()
        };
        let mut found = false;
        for (key, known) in cx.children.of_owner(uid) {
            let Some(workload) = &known.workload else {
                continue;
            };
            observed.running += workload.ready;
            if plan.is_some_and(|plan| is_wanted(plan, key.kind.kind, &key.name)) {
                found = true;
                observed.updated += workload.updated;
                observed.old += workload.total - workload.updated;
                observed.steady &= workload.is_steady();
                if key.kind.kind == "Deployment" {
                    observed.parts.push((key.name.to_string(), part(workload)));
                }
                let failure = known.not_created.as_deref().map(str::to_owned);
                observed.not_created = observed.not_created.or(failure);
                if key.kind.kind == "DaemonSet" && workload.total < workload.desired {
                    let counts = (workload.desired, workload.total);
                    observed.missing = Some((key.name.to_string(), counts));
                }
                if desired.is_none() {
                    observed.desired += workload.desired;
                    let nodes = u32::try_from(workload.desired).unwrap_or(0);
                    observed.nodes.push((key.name.to_string(), nodes));
                }
            } else {
                observed.old += workload.total;
                observed.steady &= **workload == WorkloadState::default();
            }
        }
        observed.steady &= found;
        if observed.missing.is_some() {
            let why = plan.and_then(|plan| cx.uncreated.why(service, &plan.revision));
            observed.not_created = observed.not_created.or(why);
        }
        observed
    }

    /// Returns on how many nodes the DaemonSet of this name should run, if known.
    pub(super) fn nodes(&self, name: &str) -> Option<u32> {
        let mut nodes = self.nodes.iter();
        nodes.find(|(of, _)| of == name).map(|(_, nodes)| *nodes)
    }

    /// Forgets the state of the Deployments, as if none existed.
    pub(super) fn forget_parts(&mut self) {
        self.parts.clear();
    }

    /// Returns the state of the Deployment of this name, if it is wanted and exists.
    pub(super) fn part(&self, name: &str) -> Option<Part> {
        let mut parts = self.parts.iter();
        parts.find(|(of, _)| of == name).map(|(_, part)| *part)
    }

    /// Returns how far the deployment of the observed plan has progressed.
    pub(super) const fn progress(&self) -> Progress {
        Progress {
            steady: self.steady,
            old: self.old,
        }
    }
}

fn part(workload: &WorkloadState) -> Part {
    Part {
        tasks: clamp(workload.desired),
        available: clamp(workload.available),
    }
}

/// Returns the ReplicaSets of these pods of a service.
pub(super) async fn replica_sets(
    cx: &Context,
    service: &EcsService,
    pods: &str,
    params: ListParams,
) -> kube::Result<Vec<ReplicaSet>> {
    let namespace = service.namespace().unwrap_or_default();
    let api: Api<ReplicaSet> = Api::namespaced(cx.client.clone(), &namespace);
    let of_pods = format!("{SERVICE}={},{SERVICE_REVISION}={pods}", service.name_any());
    Ok(api.list(&params.labels(&of_pods)).await?.items)
}

fn is_wanted(plan: &Plan, kind: &str, name: &str) -> bool {
    let text = |object: &Value, path: &str, is: &str| {
        object.pointer(path).and_then(Value::as_str) == Some(is)
    };
    let mut objects = plan.objects.iter();
    objects.any(|object| text(object, "/kind", kind) && text(object, "/metadata/name", name))
}
