//! Containers of a service that stay stopped, because their restart policy ignores an exit code.

use super::{
    Plan, Role,
    container::path,
    restart::{listed, takes_rules},
};
use crate::{
    diagnostic::{Diagnostics, Message},
    settings::{EssentialExit, Mode},
    translate::Context,
    validate,
};

/// Returns the exit codes after which Kubernetes does not restart a container.
pub(super) fn codes_without_restart<'c>(
    cx: &Context<'_>,
    container: &'c validate::Container,
    role: Role,
) -> &'c [i64] {
    match &container.restart {
        Some(restart) if takes_rules(cx, role) => &restart.ignored_exit_codes,
        _ => &[],
    }
}

/// Whether a container may stay stopped in a pod of a service that goes on. A pod whose only main container has ended has
/// ended itself, and its owner replaces it.
pub(super) fn may_stay_stopped(
    cx: &Context<'_>,
    container: &validate::Container,
    plan: &Plan,
) -> bool {
    let role = plan.role(container.index);
    let goes_on = !container.essential || plan.main.len() > 1;
    !cx.is_task() && goes_on && !codes_without_restart(cx, container, role).is_empty()
}

/// Reports a container of a service that may stay stopped while its pod goes on, unless the operator replaces the pod.
pub(super) fn report(
    cx: &Context<'_>,
    container: &validate::Container,
    plan: &Plan,
    notes: &mut Diagnostics,
) {
    let replaced = container.essential
        && cx.settings.mode == Mode::Controller
        && cx.settings.essential_exit == EssentialExit::Replace;
    if replaced || !may_stay_stopped(cx, container, plan) {
        return;
    }
    let name = container.name.clone();
    let codes = codes_without_restart(cx, container, plan.role(container.index));
    let advice = if container.essential {
        format!(
            "remove ignoredExitCodes, so that {name} is restarted, or run the operator with --essential-exit replace, \
             which replaces the pod"
        )
    } else {
        format!(
            "let {name} wait instead of ending, or let another container wait for it with dependsOn and SUCCESS, which \
             makes it an init container"
        )
    };
    let message = Message::StoppedContainerKeepsPodUnready {
        name,
        codes: listed(codes, " or "),
        advice,
    };
    let path = path(container.index).field("restartPolicy");
    notes.report(path.field("ignoredExitCodes"), message);
}
