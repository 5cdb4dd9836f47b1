//! `essential` and `restartPolicy`: what happens when a container exits.

use k8s_openapi::api::core::v1::{
    Container, ContainerRestartRule, ContainerRestartRuleOnExitCodes,
};

use super::{Draft, Plan, Role};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::{EssentialExit, Mode},
    translate::Context,
    validate,
};

/// The first version whose containers may have restart rules by default.
const RESTART_RULES_MINOR: u32 = 35;
/// The first version that can restart all containers of a pod by default.
const RESTART_ALL_MINOR: u32 = 36;

/// Writes restart policies and says what differs from ECS when containers exit.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    for container in &cx.task_definition.containers {
        let role = draft.plan.role(container.index);
        let Some(kubernetes) = draft.container_mut(container.index) else {
            continue;
        };
        if matches!(role, Role::Sidecar { .. }) {
            kubernetes.restart_policy = Some("Always".to_owned());
        }
        if let Some(restart) = &container.restart {
            restart_policy(cx, container, restart, role, kubernetes, notes);
        }
    }
    if cx.is_task() {
        note_task_exits(cx, &draft.plan, notes);
    } else {
        note_service_exits(cx, &draft.plan, notes);
        if restarts_all(cx) {
            restart_all(cx, draft, notes);
        }
    }
}

/// Writes an enabled `restartPolicy`.
fn restart_policy(
    cx: &Context<'_>,
    container: &validate::Container,
    restart: &validate::Restart,
    role: Role,
    kubernetes: &mut Container,
    notes: &mut Diagnostics,
) {
    let validate::Restart {
        ignored_exit_codes,
        attempt_period,
    } = restart;
    let path = path(container).field("restartPolicy");
    if role == Role::Init {
        let message = Message::RestartPolicyOnCompletionTarget;
        notes.report(path.field("enabled"), message);
        return;
    }
    if attempt_period.is_some() {
        let message = Message::RestartAttemptPeriodIgnored;
        notes.report(path.field("restartAttemptPeriod"), message);
    }
    let rules = role == Role::Main && cx.settings.kubernetes_minor >= RESTART_RULES_MINOR;
    let name = || container.name.clone();
    if rules && !ignored_exit_codes.is_empty() {
        let codes = ignored_exit_codes
            .iter()
            .filter_map(|code| i32::try_from(*code).ok());
        kubernetes.restart_policy = Some("Never".to_owned());
        kubernetes.restart_policy_rules = Some(vec![rule("Restart", codes.collect())]);
    } else if rules && cx.is_task() {
        kubernetes.restart_policy = Some("Always".to_owned());
    } else if role == Role::Main && !rules && cx.is_task() {
        let message = Message::ContainerRestartPolicyNeeds135 { name: name() };
        notes.report(path.field("enabled"), message);
    } else if !ignored_exit_codes.is_empty() {
        let message = Message::IgnoredExitCodesUnsupported { name: name() };
        notes.report(path.field("ignoredExitCodes"), message);
    }
}

/// The rule that does `action` after every exit code but these.
fn rule(action: &str, codes: Vec<i32>) -> ContainerRestartRule {
    ContainerRestartRule {
        action: action.to_owned(),
        exit_codes: Some(ContainerRestartRuleOnExitCodes {
            operator: "NotIn".to_owned(),
            values: Some(codes),
        }),
    }
}

/// Whether the kubelet restarts all containers when an essential one exits.
fn restarts_all(cx: &Context<'_>) -> bool {
    cx.settings.essential_exit == EssentialExit::RestartAllContainers
        && cx.settings.kubernetes_minor >= RESTART_ALL_MINOR
        && cx.task_definition.containers.len() > 1
}

/// Lets every essential container without a restart policy of its own take the others with it.
fn restart_all(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let mut essential = cx
        .task_definition
        .containers
        .iter()
        .filter(|container| container.essential && container.restart.is_none())
        .peekable();
    if let Some(first) = essential.peek() {
        let message = Message::RestartAllContainersKillsWithoutGrace;
        notes.report(path(first), message);
    }
    for container in essential {
        if let Some(kubernetes) = draft.container_mut(container.index) {
            kubernetes.restart_policy = Some("Always".to_owned());
            // No code is excepted, so the rule holds for each.
            kubernetes.restart_policy_rules = Some(vec![rule("RestartAllContainers", Vec::new())]);
        }
    }
}

/// Says what a service's pods do when a container exits.
fn note_service_exits(cx: &Context<'_>, plan: &Plan, notes: &mut Diagnostics) {
    let containers = &cx.task_definition.containers;
    for container in containers {
        let role = plan.role(container.index);
        let condition = cx.task_definition.graph.condition_on(container.index);
        if condition == Some(validate::Condition::Success) {
            let name = container.name.clone();
            notes.report(
                path(container),
                Message::InitContainerRetriedInPlace { name },
            );
        }
        if role.is_long_running() {
            note_non_essential(container, notes);
        }
    }
    let beside = |container: &validate::Container| {
        containers
            .iter()
            .filter(|other| plan.role(other.index).is_long_running())
            .any(|other| other.index != container.index)
    };
    let Some(first) = containers
        .iter()
        .find(|container| exit_counts(container) && plan.role(container.index).is_long_running())
    else {
        return;
    };
    let convert = cx.settings.mode == Mode::Convert;
    if !beside(first) {
        if first.restart.is_none() && (convert || containers.len() == 1) {
            notes.report(path(first), Message::EssentialExitRestartsInPlace);
        }
    } else if convert && cx.settings.essential_exit == EssentialExit::Replace {
        let name = first.name.clone();
        notes.report(path(first), Message::EssentialExitNeedsController { name });
    }
}

/// Says what the pod of a stand-alone task does when a container exits.
///
/// The pod ends by itself with its only main container; a sidecar that exits is restarted.
fn note_task_exits(cx: &Context<'_>, plan: &Plan, notes: &mut Diagnostics) {
    let containers = &cx.task_definition.containers;
    for container in containers {
        if matches!(plan.role(container.index), Role::Sidecar { .. }) {
            note_non_essential(container, notes);
        }
    }
    let goes_on = |container: &&validate::Container| match plan.role(container.index) {
        Role::Init => false,
        Role::Sidecar { .. } => exit_counts(container),
        Role::Main => exit_counts(container) && plan.main.len() > 1,
    };
    if cx.settings.mode == Mode::Convert
        && let Some(first) = containers.iter().find(goes_on)
    {
        let name = first.name.clone();
        notes.report(path(first), Message::EssentialExitNeedsController { name });
    }
}

/// Whether the exit of the container stops the task in ECS: it is essential and not restarted after every code.
fn exit_counts(container: &validate::Container) -> bool {
    let always_restarted = container
        .restart
        .as_ref()
        .is_some_and(|restart| restart.ignored_exit_codes.is_empty());
    container.essential && !always_restarted
}

fn note_non_essential(container: &validate::Container, notes: &mut Diagnostics) {
    if !container.essential && container.restart.is_none() {
        let name = container.name.clone();
        notes.report(
            path(container).field("essential"),
            Message::NonEssentialContainerRestarts { name },
        );
    }
}

fn path(container: &validate::Container) -> FieldPath {
    FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(container.index)
}
