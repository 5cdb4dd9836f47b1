//! The state of a task as its pod shows it.

use std::mem::discriminant;

use k8s_openapi::{
    api::core::v1::{Pod, PodCondition, PodSpec, PodStatus},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
    jiff::{SignedDuration, Timestamp},
};

pub use super::container_state::{ContainerSeen, Doing, End};
use super::{
    container_state::containers, offer::Offer, scaling::usage::Reserved,
    start_timeout::StartTimeout,
};
use crate::settings::{CAPACITY_PROVIDER, ESSENTIAL_CONTAINERS, SERVICE_REVISION, START_TIMEOUTS};

/// The scheduling gate of an EcsTask's pod, which is removed once the task is recorded as begun.
pub const RECORDED: &str = "ecs-operator.dev/recorded";

/// The tolerance of times: the kubelet reports whole seconds, and the end of a container before it restarts it.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(2);

/// A pod, reduced to the state of its task.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of the pod, and all combinations occur"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodState {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The UID of its owner.
    pub owner: Option<String>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether the operator holds it back from the scheduler until the task is recorded as begun.
    pub gated: bool,
    /// Whether it has a node.
    pub scheduled: bool,
    /// When it got its node.
    pub scheduled_at: Option<Timestamp>,
    /// Why it has no node, in the words of the scheduler.
    pub unschedulable: Option<String>,
    /// Whether something else holds it back from the scheduler, such as a batch queue.
    pub held_back: bool,
    /// When it was first seen to have no node, by the clock of this process.
    pub unschedulable_seen: Option<Timestamp>,
    /// Whether it is ready.
    pub ready: bool,
    /// Since when it has been ready or not ready, by the clock of its node.
    pub ready_since: Option<Timestamp>,
    /// Since when it has not been ready although all of its containers are, by the clock of its node.
    pub unready_since: Option<Timestamp>,
    /// Whether something else has to report it as ready too, such as a load balancer.
    pub behind_load_balancer: bool,
    /// Whether its images are pulled with credentials from Secrets.
    pub has_pull_secrets: bool,
    /// Whether a load balancer reports that it failed its checks.
    pub fails_target_checks: bool,
    /// Since when the load balancer reports that, by the clock of this process.
    pub fails_target_checks_seen: Option<Timestamp>,
    /// Its node.
    pub node: Option<String>,
    /// The service revision that it belongs to.
    pub revision: Option<String>,
    /// Whether it was stopped by a deadline.
    pub has_deadline: bool,
    /// Pending, Running, Succeeded or Failed.
    pub phase: Phase,
    /// When this process saw it end for good; absent if it had ended before.
    pub finished_seen: Option<Timestamp>,
    /// The reason and message with which the kubelet or the cluster ended it.
    pub ended: Option<(String, String)>,
    /// Why the cluster disrupts it (<https://kubernetes.io/docs/concepts/workloads/pods/disruptions/>).
    pub disruption: Option<String>,
    /// Its containers, init containers first.
    pub containers: Vec<ContainerSeen>,
    /// The names of the containers whose end ends the task; empty if all of them do.
    pub essential: Vec<String>,
    /// How long others wait for some of its containers.
    pub start_timeouts: Vec<StartTimeout>,
    /// Its Service Connect offers.
    pub offers: Vec<Offer>,
    /// What it reserves.
    pub reserved: Reserved,
    /// The capacity provider whose label it selects, which is its name in Kubernetes.
    pub provider: Option<Box<str>>,
}

/// The phase of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Not all containers were started.
    #[default]
    Pending,
    /// All containers were started, and not all have ended for good.
    Running,
    /// All containers succeeded.
    Succeeded,
    /// A container failed, or the pod was ended.
    Failed,
}

impl PodState {
    /// Reduces a pod to the state of its task.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let metadata = &pod.metadata;
        let status = pod.status.clone().unwrap_or_default();
        let spec = pod.spec.as_ref();
        let condition = |type_: &str| {
            let mut conditions = status.conditions.iter().flatten();
            conditions.rfind(|condition| condition.type_ == type_)
        };
        let scheduling = condition("PodScheduled");
        let scheduled_at = scheduling
            .filter(|c| c.status == "True")
            .and_then(|c| c.last_transition_time.as_ref());
        let unschedulable = scheduling.filter(|c| is_unschedulable(c, spec));
        let disruption = condition("DisruptionTarget").filter(|c| c.status == "True");
        let labels = metadata.labels.iter().flatten();
        let annotation = |name: &str| metadata.annotations.as_ref()?.get(name);
        let names = |text: &String| text.split(',').map(str::to_owned).collect();
        let timeouts = |text: &String| text.split(',').filter_map(StartTimeout::read).collect();
        let ready = condition("Ready");
        Self {
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            created_at: metadata.creation_timestamp.as_ref().map(|time| time.0),
            owner: controller(metadata),
            deleting: metadata.deletion_timestamp.is_some(),
            gated: spec.is_some_and(|spec| gates(spec).any(|gate| gate == RECORDED)),
            scheduled: spec.is_some_and(|spec| spec.node_name.is_some()),
            scheduled_at: scheduled_at.map(|time| time.0),
            held_back: unschedulable.is_some_and(is_held_back),
            unschedulable: unschedulable.and_then(|condition| condition.message.clone()),
            unschedulable_seen: None,
            ready: ready.is_some_and(|condition| condition.status == "True"),
            ready_since: ready.and_then(changed_at),
            unready_since: condition("ContainersReady")
                .filter(|_| ready.is_some_and(|ready| ready.status == "False"))
                .filter(|condition| condition.status == "True")
                .and_then(|condition| later(condition, ready)),
            behind_load_balancer: spec.is_some_and(|spec| spec.readiness_gates.is_some()),
            has_pull_secrets: spec.is_some_and(|spec| spec.image_pull_secrets.is_some()),
            fails_target_checks: status.conditions.iter().flatten().any(fails_checks),
            fails_target_checks_seen: None,
            node: spec.and_then(|spec| spec.node_name.clone()),
            revision: label(metadata, SERVICE_REVISION),
            has_deadline: spec.is_some_and(|spec| spec.active_deadline_seconds.is_some()),
            phase: phase(&status),
            finished_seen: None,
            ended: status.reason.clone().map(|reason| {
                let message = status.message.clone().unwrap_or_default();
                (reason, message)
            }),
            disruption: disruption.map(|c| c.message.clone().unwrap_or_default()),
            containers: containers(&status, spec),
            essential: annotation(ESSENTIAL_CONTAINERS).map_or_else(Vec::new, names),
            start_timeouts: annotation(START_TIMEOUTS).map_or_else(Vec::new, timeouts),
            offers: labels
                .filter_map(|(label, value)| Offer::of(label, value))
                .collect(),
            reserved: spec.map(Reserved::of).unwrap_or_default(),
            provider: spec.and_then(provider),
        }
    }

    /// Returns this state with the times at which its containers were first seen in their states, and the pod was first
    /// seen to have ended, without a node or failing the checks of a load balancer: those of `before` if it showed the same,
    /// or `now`.
    /// These times are needed because the clock of a node may be wrong.
    #[must_use]
    pub fn seen(mut self, before: Option<&Self>, now: Timestamp) -> Self {
        let before = before.filter(|before| before.uid == self.uid);
        let created_at = self.created_at;
        for container in &mut self.containers {
            let mut known = before.into_iter().flat_map(|before| &before.containers);
            let known = known.find(|known| known.name == container.name);
            let is_as_before = |known: &&ContainerSeen| {
                let states = [&known.state, &container.state].map(discriminant);
                states[0] == states[1] && known.restarts == container.restarts
            };
            let unchanged = known.filter(is_as_before);
            // It began before this process saw it, and its node is no help.
            let is_ahead = before.is_none() && began(&container.state).is_some_and(|at| at > now);
            let first = if is_ahead { created_at } else { Some(now) };
            container.changed_seen = unchanged.and_then(|known| known.changed_seen).or(first);
            let same = known.filter(|known| running(&known.state) == running(&container.state));
            container.seen = same.and_then(|known| known.seen).or(Some(now));
        }
        if self.is_finished()
            && let Some(before) = before
        {
            let ends_now = (!before.is_finished()).then_some(now);
            self.finished_seen = before.finished_seen.or(ends_now);
        }
        if self.fails_target_checks {
            let known = before.and_then(|known| known.fails_target_checks_seen);
            self.fails_target_checks_seen = known.or(Some(now));
        }
        if self.unschedulable.is_some() {
            let known = before.and_then(|known| known.unschedulable_seen);
            self.unschedulable_seen = known.or(Some(now));
        }
        self
    }

    /// Whether a running container was restarted and has not been ready since. If it has been, there is another reason
    /// that it is not ready: a restarted kubelet reports no container as ready before it has checked it. All times are
    /// from the clock of the node.
    #[must_use]
    pub fn waits_for_restart(&self, container: &ContainerSeen) -> bool {
        let Doing::Running { since, .. } = container.state else {
            return false;
        };
        let lost = self.ready_since.filter(|_| !self.ready);
        let was_ready = |since: Timestamp| {
            self.ready || lost.is_some_and(|lost| lost.duration_since(since) > SAME_MOMENT)
        };
        container.restarts > 0 && !container.ready && !since.is_some_and(was_ready)
    }

    /// Whether all of its containers have ended for good.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// Whether all main containers have ended, so that the kubelet stops the sidecars and the pod ends by itself.
    #[must_use]
    pub fn ends_by_itself(&self) -> bool {
        let mut main = self.containers.iter().filter(|it| !it.init).peekable();
        main.peek().is_some() && main.all(|it| matches!(it.state, Doing::Ended(_)))
    }

    /// Whether the end of this container ends the task.
    #[must_use]
    pub fn is_essential(&self, container: &str) -> bool {
        self.essential.is_empty() || self.essential.iter().any(|name| name == container)
    }
}

fn provider(spec: &PodSpec) -> Option<Box<str>> {
    let selected = spec.node_selector.as_ref()?.get(CAPACITY_PROVIDER)?;
    Some(selected.as_str().into())
}

fn label(metadata: &ObjectMeta, name: &str) -> Option<String> {
    metadata.labels.as_ref()?.get(name).cloned()
}

/// Whether the condition PodScheduled says why there is no node. The condition for our own gate outlives the gate
/// briefly.
fn is_unschedulable(scheduling: &PodCondition, spec: Option<&PodSpec>) -> bool {
    let gated = spec.is_some_and(|spec| gates(spec).any(|gate| gate != RECORDED));
    scheduling.status == "False" && (gated || !is_held_back(scheduling))
}

fn is_held_back(scheduling: &PodCondition) -> bool {
    scheduling.reason.as_deref() == Some("SchedulingGated")
}

/// Whether a load balancer's controller says that a target failed its checks, not that it is still being checked
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html>).
fn fails_checks(condition: &PodCondition) -> bool {
    const FAILED: [&str; 3] = [
        "Target.FailedHealthChecks",
        "Target.ResponseCodeMismatch",
        "Target.Timeout",
    ];
    let reason = condition.reason.as_deref().unwrap_or_default();
    condition.type_.starts_with("target-health.")
        && condition.status == "False"
        && FAILED.contains(&reason)
}

/// Returns when the later of two conditions changed.
fn later(one: &PodCondition, other: Option<&PodCondition>) -> Option<Timestamp> {
    let time = |condition: &PodCondition| Some(condition.last_transition_time.as_ref()?.0);
    time(one).max(other.and_then(time))
}

/// Returns whether a container runs, and since when.
const fn running(doing: &Doing) -> (bool, Option<Timestamp>) {
    match doing {
        Doing::Running { since, .. } => (true, *since),
        Doing::Unknown | Doing::Waiting(..) | Doing::Ended(_) => (false, None),
    }
}

/// Returns when a condition changed.
fn changed_at(condition: &PodCondition) -> Option<Timestamp> {
    condition.last_transition_time.as_ref().map(|time| time.0)
}

/// Returns since when a container is in its state, by the clock of its node.
const fn began(doing: &Doing) -> Option<Timestamp> {
    match doing {
        Doing::Running { since, .. } => *since,
        Doing::Ended(end) => end.at,
        Doing::Unknown | Doing::Waiting(..) => None,
    }
}

/// Returns the UID of the object that manages this one.
fn controller(metadata: &ObjectMeta) -> Option<String> {
    let mut owners = metadata.owner_references.iter().flatten();
    let controller = owners.find(|owner| owner.controller == Some(true));
    controller.map(|owner| owner.uid.clone())
}

fn gates(spec: &PodSpec) -> impl Iterator<Item = &str> {
    let gates = spec.scheduling_gates.iter().flatten();
    gates.map(|gate| gate.name.as_str())
}

fn phase(status: &PodStatus) -> Phase {
    match status.phase.as_deref() {
        Some("Running") => Phase::Running,
        Some("Succeeded") => Phase::Succeeded,
        Some("Failed") => Phase::Failed,
        _ => Phase::Pending,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_gate_that_was_removed_keeps_nothing() {
        let pod = |gates: &[&str]| {
            let gates: Vec<_> = gates.iter().map(|name| json!({"name": name})).collect();
            let pod = json!({
                "spec": {"containers": [], "schedulingGates": gates},
                "status": {"conditions": [{
                    "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                }]},
            });
            PodState::of(&serde_json::from_value(pod).expect("it is a pod"))
        };
        assert_eq!(pod(&[]).unschedulable, None);
        let ours = pod(&[RECORDED]);
        assert_eq!((ours.gated, ours.unschedulable), (true, None));
        let theirs = pod(&["kueue.x-k8s.io/admission"]);
        assert!(!theirs.gated && theirs.held_back && theirs.unschedulable.is_some());
    }

    #[test]
    fn a_target_that_is_being_registered_fails_no_checks() {
        let fails = |type_: &str, status: &str, reason: &str| {
            fails_checks(&PodCondition {
                type_: type_.to_owned(),
                status: status.to_owned(),
                reason: Some(reason.to_owned()),
                ..PodCondition::default()
            })
        };
        let gate = "target-health.elbv2.k8s.aws/k8s-shop-web-0123456789";
        assert!(fails(gate, "False", "Target.FailedHealthChecks"));
        assert!(!fails(gate, "True", "Target.FailedHealthChecks"));
        for reason in [
            "Elb.RegistrationInProgress",
            "Elb.InitialHealthChecking",
            "",
        ] {
            assert!(!fails(gate, "False", reason), "{reason}");
        }
        assert!(!fails("example.com/ready", "False", "Target.Timeout"));
    }
}
