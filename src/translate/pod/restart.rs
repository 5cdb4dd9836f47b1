//! `essential` and `restartPolicy`: what happens when a container exits.

use k8s_openapi::api::core::v1::{
    Container, ContainerRestartRule, ContainerRestartRuleOnExitCodes,
};

use super::{Draft, Plan, Role, stopped};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::{ESSENTIAL_CONTAINERS, EssentialExit, Mode},
    translate::{Context, LABEL_LENGTH, kname},
    validate,
};

/// The first version in which containers can have restart rules by default.
const RESTART_RULES_MINOR: u32 = 35;
/// The first version that can restart all containers of a pod by default.
const RESTART_ALL_MINOR: u32 = 36;

/// Seconds that a container must have run before ECS restarts it, unless `restartAttemptPeriod` is set.
const DEFAULT_ATTEMPT_PERIOD: i64 = 300;

/// Sets restart policies, and reports differences from ECS when containers exit.
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
            stopped::report(cx, container, &draft.plan, notes);
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
    mark_essential(cx, draft);
}

/// Adds the annotation with the containers whose exit ends the task, for the operator, if other containers run beside
/// them.
fn mark_essential(cx: &Context<'_>, draft: &mut Draft) {
    let running = cx
        .task_definition
        .containers
        .iter()
        .filter(|container| draft.plan.role(container.index).is_long_running());
    let replaced = cx.is_task() || cx.settings.essential_exit == EssentialExit::Replace;
    if cx.settings.mode == Mode::Controller && replaced && running.clone().count() > 1 {
        let names: Vec<String> = running
            .filter(|container| exit_counts(container))
            .map(|container| kname(&container.name, LABEL_LENGTH))
            .collect();
        draft
            .annotations
            .insert(ESSENTIAL_CONTAINERS.to_owned(), names.join(","));
    }
}

/// Sets an enabled `restartPolicy`.
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
    let rules = takes_rules(cx, role);
    let seconds = attempt_period.unwrap_or(DEFAULT_ATTEMPT_PERIOD);
    if rules && cx.is_task() {
        let path = match attempt_period {
            Some(_) => path.field("restartAttemptPeriod"),
            None => path.field("enabled"),
        };
        notes.report(path, keeps_task_running(container, restart, seconds));
    } else if seconds != DEFAULT_ATTEMPT_PERIOD && !(role == Role::Main && cx.is_task()) {
        let message = Message::RestartAttemptPeriodIgnored;
        notes.report(path.field("restartAttemptPeriod"), message);
    }
    let name = || container.name.clone();
    if rules && !ignored_exit_codes.is_empty() {
        // Kubernetes accepts each code only once.
        let mut codes: Vec<i32> = Vec::with_capacity(ignored_exit_codes.len());
        for code in ignored_exit_codes {
            codes.extend(
                i32::try_from(*code)
                    .ok()
                    .filter(|code| !codes.contains(code)),
            );
        }
        kubernetes.restart_policy = Some("Never".to_owned());
        kubernetes.restart_policy_rules = Some(vec![rule("Restart", codes)]);
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

/// Returns the warning about a container whose restarts keep a stand-alone task running. ECS restarts after the exit
/// code 0 as well, but never a container that ran for less than `seconds`
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerRestartPolicy.html>).
fn keeps_task_running(
    container: &validate::Container,
    restart: &validate::Restart,
    seconds: i64,
) -> Message {
    let ignored = &restart.ignored_exit_codes;
    let codes = match ignored.as_slice() {
        [] => "every exit code".to_owned(),
        ignored => format!("every exit code but {}", listed(ignored, " and ")),
    };
    let advice = if ignored.contains(&0) {
        "remove restartPolicy if a failure must end the task"
    } else {
        "add 0 to ignoredExitCodes, so that the task ends when its work is done, or remove restartPolicy"
    };
    Message::RestartKeepsTaskRunning {
        name: container.name.clone(),
        codes,
        n: seconds.to_string(),
        advice: advice.to_owned(),
    }
}

/// Whether a container of this role can have restart rules of its own.
pub(super) fn takes_rules(cx: &Context<'_>, role: Role) -> bool {
    role == Role::Main && cx.settings.kubernetes_minor >= RESTART_RULES_MINOR
}

pub(super) fn listed<T: ToString>(codes: &[T], conjunction: &str) -> String {
    let codes: Vec<String> = codes.iter().map(T::to_string).collect();
    match codes.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{}{conjunction}{last}", others.join(", ")),
        None => String::new(),
    }
}

/// Returns the rule that runs `action` after every exit code except these.
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

/// Adds a rule to every essential container without a restart policy that restarts all other containers with it.
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
            // No code is excluded, so the rule applies to each.
            kubernetes.restart_policy_rules = Some(vec![rule("RestartAllContainers", Vec::new())]);
        }
    }
}

/// Reports the behavior of a service's pods when a container exits.
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
            note_non_essential(cx, container, STOPS_TRAFFIC, notes);
        }
    }
    let beside = |container: &validate::Container| {
        containers
            .iter()
            .filter(|other| plan.role(other.index).is_long_running())
            .any(|other| other.index != container.index)
    };
    let ends_task = |container: &&validate::Container| {
        exit_counts(container) && plan.role(container.index).is_long_running()
    };
    let Some(first) = containers.iter().find(ends_task) else {
        return;
    };
    let convert = cx.settings.mode == Mode::Convert;
    if !beside(first) {
        if first.restart.is_none() && (convert || containers.len() == 1) {
            notes.report(path(first), Message::EssentialExitRestartsInPlace);
        }
    } else if convert && cx.settings.essential_exit == EssentialExit::Replace {
        note_missing_operator(cx, containers.iter().filter(ends_task), plan, notes);
    }
}

/// Reports what happens without the operator when one of these containers exits, which ends the task in ECS.
fn note_missing_operator<'c>(
    cx: &Context<'_>,
    ending: impl Iterator<Item = &'c validate::Container>,
    plan: &Plan,
    notes: &mut Diagnostics,
) {
    let (restarted, others): (Vec<_>, Vec<_>) = ending.partition(|it| {
        let role = plan.role(it.index);
        stopped::codes_without_restart(cx, it, role).is_empty()
    });
    let stopped: Vec<_> = others
        .into_iter()
        .filter(|it| stopped::may_stay_stopped(cx, it, plan))
        .collect();
    for (containers, consequence, advice) in [
        (restarted, "only this container is restarted", RESTART_ALL),
        (
            stopped,
            "it stays stopped if ignoredExitCodes has its exit code, and the other containers keep running",
            "remove ignoredExitCodes, so that it is restarted",
        ),
    ] {
        if let Some(first) = containers.first() {
            let message = Message::EssentialExitNeedsController {
                name: any_of(containers.iter().copied()),
                consequence: consequence.to_owned(),
                advice: advice.to_owned(),
            };
            notes.report(path(first), message);
        }
    }
}

/// Reports the behavior of the pod of a stand-alone task when a container exits.
///
/// The pod ends by itself with its only main container; a sidecar that exits is restarted.
fn note_task_exits(cx: &Context<'_>, plan: &Plan, notes: &mut Diagnostics) {
    let containers = &cx.task_definition.containers;
    for container in containers {
        if matches!(plan.role(container.index), Role::Sidecar { .. }) {
            note_non_essential(cx, container, UNTIL_THE_END, notes);
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
        let message = Message::EssentialExitNeedsController {
            name: any_of(containers.iter().filter(goes_on)),
            consequence: "the other containers keep running".to_owned(),
            advice: "make the other containers non-essential".to_owned(),
        };
        notes.report(path(first), message);
    }
}

/// What to do in a service without the operator.
const RESTART_ALL: &str =
    "--essential-exit restart-all-containers restarts them together from Kubernetes 1.36 on";

/// Returns the names of containers, any of which does something.
fn any_of<'c>(containers: impl Iterator<Item = &'c validate::Container>) -> String {
    let names: Vec<&str> = containers.map(|it| it.name.as_str()).collect();
    match names.as_slice() {
        [name] => (*name).to_owned(),
        names => format!("any of {}", names.join(", ")),
    }
}

/// Whether the exit of the container stops the task in ECS: it is essential and is not restarted after every code.
fn exit_counts(container: &validate::Container) -> bool {
    let always_restarted = container
        .restart
        .as_ref()
        .is_some_and(|restart| restart.ignored_exit_codes.is_empty());
    container.essential && !always_restarted
}

/// The effect of restarting a container that ends by itself, for a service: while a container waits for its restart,
/// its pod is not ready (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>).
const STOPS_TRAFFIC: &str = "if it ends by itself, its pods are hardly ever ready, so they get no traffic and rollouts stop";
/// The same for a task.
const UNTIL_THE_END: &str = "if it ends by itself, it begins again until the task ends";

/// Returns what to do about a container that ends while others run. A data container has nothing to do but to exist.
fn advice_for_non_essential(cx: &Context<'_>, container: &validate::Container) -> String {
    let takes_volumes = |other: &&validate::Container| {
        let mut sources = other.image_volumes.iter();
        sources.any(|source| source.container == container.name)
    };
    let all = &cx.task_definition.containers;
    let takers: Vec<&str> = all
        .iter()
        .filter(takes_volumes)
        .map(|other| other.name.as_str())
        .collect();
    if takers.is_empty() {
        return "nothing to do if it runs as long as the task; otherwise let another container wait for it with \
                dependsOn and SUCCESS, which makes it an init container, or run it as a task of its own"
            .to_owned();
    }
    format!(
        "let it copy its files into a volume that {takers} mounts, and let {takers} wait for it with dependsOn and \
         SUCCESS, which makes it an init container",
        takers = takers.join(" and ")
    )
}

fn note_non_essential(
    cx: &Context<'_>,
    container: &validate::Container,
    consequence: &str,
    notes: &mut Diagnostics,
) {
    if !container.essential && container.restart.is_none() {
        notes.report(
            path(container).field("essential"),
            Message::NonEssentialContainerRestarts {
                name: container.name.clone(),
                consequence: consequence.to_owned(),
                advice: advice_for_non_essential(cx, container),
            },
        );
    }
}

fn path(container: &validate::Container) -> FieldPath {
    FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(container.index)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{
        diagnostic::Reason,
        settings::{EssentialExit, Settings},
        translate::testing::{Scenario, yaml},
    };

    /// The reasons about containers that exit.
    const REASONS: &[Reason] = &[
        Reason::ContainerRestartPolicyNeeds135,
        Reason::EssentialExitNeedsController,
        Reason::EssentialExitRestartsInPlace,
        Reason::IgnoredExitCodesUnsupported,
        Reason::InitContainerRetriedInPlace,
        Reason::NonEssentialContainerRestarts,
        Reason::RestartAllContainersKillsWithoutGrace,
        Reason::RestartAttemptPeriodIgnored,
        Reason::RestartKeepsTaskRunning,
        Reason::RestartPolicyOnCompletionTarget,
        Reason::StoppedContainerKeepsPodUnready,
    ];

    /// Returns a definition with containers of these members, each with an image and memory.
    fn definition(containers: &[&str]) -> String {
        let containers: Vec<String> = containers
            .iter()
            .map(|members| format!(r#"{{"image": "busybox", "memory": 64, {members}}}"#))
            .collect();
        format!(
            r#"{{"family": "f", "networkMode": "awsvpc", "containerDefinitions": [{}]}}"#,
            containers.join(", ")
        )
    }

    const APP: &str = r#""name": "app""#;
    const RESTARTED: &str =
        r#""name": "app", "restartPolicy": {"enabled": true, "restartAttemptPeriod": 300}"#;
    const IGNORING: &str =
        r#""name": "app", "restartPolicy": {"enabled": true, "ignoredExitCodes": [0, 143, 0]}"#;
    const AGENT: &str = r#""name": "agent", "essential": false"#;
    const PROXY: &str = r#""name": "proxy""#;
    const WAITING: &str =
        r#""name": "app", "dependsOn": [{"containerName": "agent", "condition": "START"}]"#;

    fn policy(container: &Value) -> (&Value, &Value) {
        (
            &container["restartPolicy"],
            &container["restartPolicyRules"],
        )
    }

    fn rules(text: &str) -> Value {
        yaml(text)
    }

    #[test]
    fn exits_are_explained_where_they_differ_from_ecs() {
        let task = Scenario::task;
        let service = Scenario::service;
        let app = "containerDefinitions[0]";
        for (scenario, expected) in [
            (
                service(definition(&[APP])),
                vec![format!("{app}: EssentialExitRestartsInPlace")],
            ),
            (
                service(definition(&[APP])).convert(),
                vec![format!("{app}: EssentialExitRestartsInPlace")],
            ),
            (service(definition(&[APP, PROXY])), vec![]),
            (
                service(definition(&[APP, PROXY])).convert(),
                vec![format!("{app}: EssentialExitNeedsController")],
            ),
            (
                service(definition(&[AGENT, APP])).convert(),
                vec![
                    "containerDefinitions[0].essential: NonEssentialContainerRestarts".to_owned(),
                    "containerDefinitions[1]: EssentialExitNeedsController".to_owned(),
                ],
            ),
            (
                service(definition(&[APP, PROXY]))
                    .convert()
                    .settings(|s| s.essential_exit = EssentialExit::RestartInPlace),
                vec![],
            ),
            (task(definition(&[APP])).convert(), vec![]),
            (task(definition(&[APP, PROXY])), vec![]),
            (
                task(definition(&[APP, PROXY])).convert(),
                vec![format!("{app}: EssentialExitNeedsController")],
            ),
            // The pod ends with its only main container, and the kubelet stops the sidecars.
            (
                task(definition(&[WAITING, AGENT])).convert(),
                vec!["containerDefinitions[1].essential: NonEssentialContainerRestarts".to_owned()],
            ),
            (
                task(definition(&[APP, AGENT])).convert(),
                vec!["containerDefinitions[1].essential: NonEssentialContainerRestarts".to_owned()],
            ),
            (task(definition(&[APP, AGENT])), vec![]),
            (
                service(definition(&[RESTARTED, PROXY])).convert(),
                vec!["containerDefinitions[1]: EssentialExitNeedsController".to_owned()],
            ),
            (service(definition(&[RESTARTED])).convert(), vec![]),
        ] {
            assert_eq!(scenario.run().notes_of(REASONS), expected);
        }
    }

    #[test]
    fn a_container_that_runs_once_before_the_others_is_retried() {
        let app =
            r#""name": "app", "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}]"#;
        let init = r#""name": "init", "essential": false, "restartPolicy": {"enabled": true, "ignoredExitCodes": [1]}"#;
        let outcome = Scenario::service(definition(&[app, init])).convert().run();
        assert_eq!(
            outcome.notes_of(REASONS),
            [
                "containerDefinitions[0]: EssentialExitRestartsInPlace",
                "containerDefinitions[1]: InitContainerRetriedInPlace",
                "containerDefinitions[1].restartPolicy.enabled: RestartPolicyOnCompletionTarget",
            ]
        );
        assert_eq!(
            policy(outcome.container("init")),
            (&Value::Null, &Value::Null)
        );
    }

    #[test]
    fn a_restart_policy_becomes_that_of_the_container() {
        let restart = "[{action: Restart, exitCodes: {operator: NotIn, values: [0, 143]}}]";
        let runs_on = |member: &str| {
            vec![format!(
                "containerDefinitions[0].restartPolicy.{member}: RestartKeepsTaskRunning"
            )]
        };
        let (service, task) = (Scenario::service, Scenario::task);
        for (scenario, container_policy, container_rules, notes) in [
            (service(definition(&[RESTARTED])), "null", "null", vec![]),
            (
                task(definition(&[RESTARTED])),
                "Always",
                "null",
                runs_on("restartAttemptPeriod"),
            ),
            (service(definition(&[IGNORING])), "Never", restart, vec![]),
            (
                task(definition(&[IGNORING])),
                "Never",
                restart,
                runs_on("enabled"),
            ),
        ] {
            let at_35 = scenario.settings(|s| s.kubernetes_minor = 35).run();
            let container = at_35.container("app");
            assert_eq!(
                policy(container),
                (&yaml(container_policy), &rules(container_rules))
            );
            assert_eq!(at_35.notes_of(REASONS), notes);
        }
    }

    #[test]
    fn a_task_that_restarts_may_never_end() {
        let message = |policy: &str| {
            let app = format!(r#""name": "app", "restartPolicy": {policy}"#);
            let outcome = Scenario::task(definition(&[&app])).run();
            let mut messages = outcome.messages();
            messages.retain(|message| message.contains("RestartKeepsTaskRunning"));
            messages
        };
        let path = "containerDefinitions[0].restartPolicy";
        let reason = "RestartKeepsTaskRunning: app is restarted after";
        assert_eq!(
            message(r#"{"enabled": true}"#),
            [format!(
                "{path}.enabled: {reason} every exit code however short it ran, so the task may never end; in ECS, app stays stopped if it ran for less than 300 s, and the task ends; add 0 to ignoredExitCodes, so that the task ends when its work is done, or remove restartPolicy"
            )]
        );
        assert_eq!(
            message(
                r#"{"enabled": true, "restartAttemptPeriod": 60, "ignoredExitCodes": [0, 1, 2]}"#
            ),
            [format!(
                "{path}.restartAttemptPeriod: {reason} every exit code but 0, 1 and 2 however short it ran, so the task may never end; in ECS, app stays stopped if it ran for less than 60 s, and the task ends; remove restartPolicy if a failure must end the task"
            )]
        );
    }

    #[test]
    fn a_helper_that_stays_stopped_makes_its_pod_unready() {
        let helper = |codes: &str| {
            format!(
                r#""name": "helper", "essential": false, "restartPolicy": {{"enabled": true, "ignoredExitCodes": {codes}}}"#
            )
        };
        let reason = [Reason::StoppedContainerKeepsPodUnready];
        let run = |scenario: Scenario| scenario.run().notes_of(&reason);
        let path = "containerDefinitions[1].restartPolicy.ignoredExitCodes";
        let service = |codes: &str| Scenario::service(definition(&[APP, &helper(codes)]));
        assert_eq!(
            run(service("[0]")),
            [format!("{path}: StoppedContainerKeepsPodUnready")]
        );
        assert_eq!(run(service("[]")), [""; 0]);
        let task = Scenario::task(definition(&[APP, &helper("[0]")]));
        assert_eq!(run(task), [""; 0]);
        let old = service("[0]").settings(|s| s.kubernetes_minor = 34);
        assert_eq!(run(old), [""; 0]);
    }

    #[test]
    fn an_essential_container_that_stays_stopped_makes_its_pod_unready_without_the_operator() {
        let stopped = "containerDefinitions[0].restartPolicy.ignoredExitCodes: StoppedContainerKeepsPodUnready";
        let exits =
            |index: usize| format!("containerDefinitions[{index}]: EssentialExitNeedsController");
        let service = |containers: &[&str]| Scenario::service(definition(containers));
        let in_place = |s: &mut Settings| s.essential_exit = EssentialExit::RestartInPlace;
        for (scenario, expected) in [
            (
                service(&[IGNORING, PROXY]).convert(),
                vec![exits(0), stopped.to_owned(), exits(1)],
            ),
            // The operator replaces the pod.
            (service(&[IGNORING, PROXY]), vec![]),
            (
                service(&[IGNORING, PROXY]).settings(in_place),
                vec![stopped.to_owned()],
            ),
            // The pod ends with its only main container.
            (service(&[IGNORING]).convert(), vec![]),
        ] {
            let mut found = scenario.run().notes_of(REASONS);
            found.sort();
            let mut expected = expected;
            expected.sort();
            assert_eq!(found, expected);
        }
        let outcome = service(&[IGNORING, PROXY]).convert().run();
        let consequences: Vec<bool> = outcome
            .messages()
            .iter()
            .filter(|line| line.contains("EssentialExitNeedsController"))
            .map(|line| line.contains("only this container is restarted"))
            .collect();
        assert_eq!(consequences, [false, true]);
    }

    #[test]
    fn before_1_35_a_restart_policy_is_that_of_the_pod() {
        let path = "containerDefinitions[0].restartPolicy";
        for (scenario, note) in [
            (Scenario::service(definition(&[RESTARTED])), None),
            (
                Scenario::task(definition(&[RESTARTED])),
                Some(format!("{path}.enabled: ContainerRestartPolicyNeeds135")),
            ),
            (
                Scenario::service(definition(&[IGNORING])),
                Some(format!(
                    "{path}.ignoredExitCodes: IgnoredExitCodesUnsupported"
                )),
            ),
            (
                Scenario::task(definition(&[IGNORING])),
                Some(format!("{path}.enabled: ContainerRestartPolicyNeeds135")),
            ),
        ] {
            let outcome = scenario.settings(|s| s.kubernetes_minor = 34).run();
            assert_eq!(
                policy(outcome.container("app")),
                (&Value::Null, &Value::Null)
            );
            assert_eq!(
                outcome.notes_of(REASONS),
                note.into_iter().collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn a_sidecar_is_restarted_after_every_exit_code() {
        let agent = r#""name": "agent", "essential": false,
            "restartPolicy": {"enabled": true, "ignoredExitCodes": [0], "restartAttemptPeriod": 60}"#;
        let outcome = Scenario::service(definition(&[WAITING, agent])).run();
        assert_eq!(
            policy(outcome.container("agent")),
            (&yaml("Always"), &Value::Null)
        );
        assert_eq!(
            outcome.notes_of(REASONS),
            [
                "containerDefinitions[1].restartPolicy.ignoredExitCodes: IgnoredExitCodesUnsupported",
                "containerDefinitions[1].restartPolicy.restartAttemptPeriod: RestartAttemptPeriodIgnored",
            ]
        );
    }

    #[test]
    fn a_disabled_restart_policy_changes_nothing() {
        let app = r#""name": "app", "restartPolicy": {"enabled": false, "ignoredExitCodes": [0], "restartAttemptPeriod": 60}"#;
        let outcome = Scenario::task(definition(&[app])).run();
        assert_eq!(
            policy(outcome.container("app")),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(outcome.notes_of(REASONS), [""; 0]);
    }

    #[test]
    fn essential_containers_can_take_all_others_with_them() {
        let scenario = Scenario::service(definition(&[WAITING, AGENT, PROXY]))
            .settings(|s| s.essential_exit = EssentialExit::RestartAllContainers);
        let outcome = scenario.run();
        let all =
            rules("[{action: RestartAllContainers, exitCodes: {operator: NotIn, values: []}}]");
        for name in ["app", "proxy"] {
            assert_eq!(
                policy(outcome.container(name)),
                (&yaml("Always"), &all),
                "{name}"
            );
        }
        assert_eq!(
            policy(outcome.container("agent")),
            (&yaml("Always"), &Value::Null)
        );
        let notes = outcome.notes_of(&[Reason::RestartAllContainersKillsWithoutGrace]);
        assert_eq!(
            notes,
            ["containerDefinitions[0]: RestartAllContainersKillsWithoutGrace"]
        );
        assert_eq!(
            scenario.settings(|s| s.kubernetes_minor = 35).rejections(),
            [
                "containerDefinitions: InvalidValue: essentialExit restartAllContainers: needs Kubernetes 1.36"
            ]
        );
    }
}
