//! Log drivers and FireLens.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Draft, firelens};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    names::LOG_CONFIGURATION,
    settings::LogAgent,
    translate::{Context, LABEL_LENGTH, kname},
    validate::{Container, LogDriver, Logging, OperatingSystem},
};

/// The options of `awslogs` that the Fluent Bit of the chart follows
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html>).
const FOLLOWED: &[&str] = &[
    "awslogs-create-group",
    "awslogs-group",
    "awslogs-region",
    "awslogs-stream-prefix",
];
/// The options that join lines to events, which Fluent Bit does only with patterns of its own configuration.
const JOINING: &[&str] = &["awslogs-datetime-format", "awslogs-multiline-pattern"];
/// The options that decide whether a container waits for its logs to be sent.
const DELIVERY_MODE: &[&str] = &["mode", "max-buffer-size"];

/// Adds this feature's part to the pod.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    annotate(cx, draft);
    let mut said = BTreeSet::new();
    for container in &cx.task_definition.containers {
        report(cx, container, &mut said, notes);
    }
    firelens::apply(cx, draft, notes);
}

/// Stores options that nothing in the pod uses in the annotation, by the names that the containers have in the pod. A
/// name that is different in ECS is stored too, because it is a part of the names of log streams.
fn annotate(cx: &Context<'_>, draft: &mut Draft) {
    let recorded: BTreeMap<_, _> = cx
        .task_definition
        .containers
        .iter()
        .filter_map(|container| {
            let Logging {
                firelens: _,
                driver,
                options,
                secret_options: _,
                unread_secret_options: _,
            } = &container.logging;
            match driver.as_ref()? {
                LogDriver::JsonFile | LogDriver::Awsfirelens => None,
                driver @ (LogDriver::Awslogs | LogDriver::Other(_)) => {
                    let name = kname(&container.name, LABEL_LENGTH);
                    let driver = driver.name();
                    let recorded = if name == container.name {
                        json!({ "logDriver": driver, "options": options })
                    } else {
                        json!({ "logDriver": driver, "options": options, "containerName": container.name })
                    };
                    Some((name, recorded))
                }
            }
        })
        .collect();
    if !recorded.is_empty() {
        let text = json!(recorded).to_string();
        draft.annotations.insert(LOG_CONFIGURATION.to_owned(), text);
    }
}

/// Reports the differences, each once per document.
fn report<'a>(
    cx: &Context<'a>,
    container: &'a Container,
    said: &mut BTreeSet<&'a str>,
    notes: &mut Diagnostics,
) {
    let path = FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(container.index)
        .field("logConfiguration");
    let logging = &container.logging;
    let Some(driver) = &logging.driver else {
        return;
    };
    let value = driver.name().to_owned();
    let driver_path = path.field("logDriver");
    match driver {
        LogDriver::Awsfirelens => {}
        LogDriver::JsonFile => {
            let rotation = ["max-size", "max-file"];
            if let Some(option) = rotation.iter().find(|o| logging.options.contains_key(**o)) {
                let path = path.field("options").field(*option);
                notes.report(path, Message::LogRotationIsKubeletSetting);
            }
        }
        LogDriver::Awslogs => {
            if said.insert(driver.name()) {
                notes.report(driver_path, delivery(cx));
            }
            report_options(cx, logging, &path.field("options"), notes);
        }
        LogDriver::Other(name) => {
            if said.insert(name) {
                notes.report(driver_path, Message::LogDriverNotEnforced { value });
            }
            return;
        }
    }
    if logging.unread_secret_options {
        let value = driver.name().to_owned();
        let path = path.field("secretOptions");
        notes.report(path, Message::SecretOptionsUnused { value });
    }
}

/// Whether the Fluent Bit of the chart reads the logs of the pods. It runs on Linux nodes, and EKS Fargate has no
/// DaemonSets (<https://docs.aws.amazon.com/eks/latest/userguide/fargate.html>).
fn has_fluent_bit(cx: &Context<'_>) -> bool {
    let definition = cx.task_definition;
    let windows = matches!(definition.platform.os, Some(OperatingSystem::Windows(_)));
    cx.settings.logs == LogAgent::FluentBit && !windows && !definition.eks_fargate
}

/// Returns how the logs reach CloudWatch.
fn delivery(cx: &Context<'_>) -> Message {
    let group = log_groups(cx);
    if has_fluent_bit(cx) {
        return Message::AwslogsByFluentBit { group };
    }
    if cx.task_definition.eks_fargate {
        return Message::AwslogsOnEksFargate { group };
    }
    let advice = match cx.settings.logs {
        LogAgent::None => {
            "set logs.agent: fluent-bit in the values of the Helm chart (convert: --logs fluent-bit)"
        }
        LogAgent::FluentBit => "install an agent on the Windows nodes",
    };
    Message::AwslogsNeedsNodeAgent {
        group,
        advice: advice.to_owned(),
    }
}

/// Reports the options of `awslogs` that have no effect.
fn report_options(cx: &Context<'_>, logging: &Logging, path: &FieldPath, notes: &mut Diagnostics) {
    let fluent_bit = has_fluent_bit(cx);
    for option in logging.options.keys() {
        let name = option.clone();
        let message = match option.as_str() {
            option if DELIVERY_MODE.contains(&option) => Message::LogModeUnused { name },
            option if FOLLOWED.contains(&option) || !fluent_bit => continue,
            option if JOINING.contains(&option) => Message::AwslogsLinesNotJoined { name },
            _ => Message::AwslogsOptionIgnored { name },
        };
        notes.report(path.field(option.clone()), message);
    }
}

/// Returns the log groups of all containers, in the order of the definition.
fn log_groups(cx: &Context<'_>) -> String {
    let mut groups: Vec<&str> = Vec::new();
    for container in &cx.task_definition.containers {
        let logging = &container.logging;
        if logging.driver == Some(LogDriver::Awslogs)
            && let Some(group) = logging.options.get("awslogs-group")
            && !groups.contains(&group.as_str())
        {
            groups.push(group);
        }
    }
    groups.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::testing::{Outcome, Scenario};

    fn with_logs(logs: &[&str]) -> Scenario {
        let containers: Vec<_> = logs
            .iter()
            .enumerate()
            .map(|(index, log)| {
                format!(r#"{{"name": "c{index}", "image": "x", "memory": 64, "logConfiguration": {log}}}"#)
            })
            .collect();
        Scenario::service(format!(
            r#"{{"family": "web", "containerDefinitions": [{}]}}"#,
            containers.join(",")
        ))
    }

    fn about_logs(outcome: &Outcome) -> Vec<String> {
        let mut messages = outcome.messages();
        messages.retain(|message| message.contains("logConfiguration"));
        messages
    }

    fn annotation(outcome: &Outcome) -> Option<&str> {
        outcome.pod()["metadata"]["annotations"][LOG_CONFIGURATION].as_str()
    }

    #[test]
    fn each_driver_has_its_result() {
        let log = "containerDefinitions[0].logConfiguration";
        for (configuration, recorded, notes) in [
            (r#"{"logDriver": "json-file"}"#, None, vec![]),
            (
                r#"{"logDriver": "json-file", "options": {"max-file": "3", "max-size": "10m"}}"#,
                None,
                vec![format!(
                    "{log}.options.max-size: LogRotationIsKubeletSetting: the kubelet rotates logs, by its settings containerLogMaxSize and containerLogMaxFiles"
                )],
            ),
            (
                r#"{"logDriver": "awslogs", "options": {"mode": "non-blocking", "awslogs-region": "us-east-1", "awslogs-group": "/ecs/web"}}"#,
                Some(
                    r#"{"c0":{"logDriver":"awslogs","options":{"awslogs-group":"/ecs/web","awslogs-region":"us-east-1","mode":"non-blocking"}}}"#,
                ),
                vec![
                    format!(
                        "{log}.logDriver: AwslogsNeedsNodeAgent: these logs reach CloudWatch (/ecs/web) only through a log agent on the nodes; set logs.agent: fluent-bit in the values of the Helm chart (convert: --logs fluent-bit); until then the logs are only in kubectl logs"
                    ),
                    format!(
                        "{log}.options.mode: LogModeUnused: mode has no effect: the output goes to files on the node, so a container never waits for its logs to be sent"
                    ),
                ],
            ),
            (
                r#"{"logDriver": "awslogs", "options": {"awslogs-region": "us-east-1", "awslogs-group": "g"}, "secretOptions": [{"name": "x", "valueFrom": "x"}]}"#,
                Some(
                    r#"{"c0":{"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-region":"us-east-1"}}}"#,
                ),
                vec![
                    format!(
                        "{log}.logDriver: AwslogsNeedsNodeAgent: these logs reach CloudWatch (g) only through a log agent on the nodes; set logs.agent: fluent-bit in the values of the Helm chart (convert: --logs fluent-bit); until then the logs are only in kubectl logs"
                    ),
                    format!(
                        "{log}.secretOptions: SecretOptionsUnused: secretOptions of log driver awslogs are not read; write what they hold into logConfiguration.options, or use awsfirelens, whose router gets them"
                    ),
                ],
            ),
            (
                r#"{"logDriver": "splunk", "options": {"splunk-url": "u"}}"#,
                Some(r#"{"c0":{"logDriver":"splunk","options":{"splunk-url":"u"}}}"#),
                vec![format!(
                    "{log}.logDriver: LogDriverNotEnforced: log driver splunk is only recorded: the logs stay on the node, where kubectl logs reads them; install a log agent that ships them"
                )],
            ),
            (
                r#"{"logDriver": "fluentd"}"#,
                Some(r#"{"c0":{"logDriver":"fluentd","options":{}}}"#),
                vec![format!(
                    "{log}.logDriver: LogDriverNotEnforced: log driver fluentd is only recorded: the logs stay on the node, where kubectl logs reads them; install a log agent that ships them"
                )],
            ),
        ] {
            let outcome = with_logs(&[configuration]).run();
            assert_eq!(annotation(&outcome), recorded, "{configuration}");
            assert_eq!(about_logs(&outcome), notes, "{configuration}");
        }
        for driver in ["gelf", "syslog", "journald"] {
            let outcome = with_logs(&[&format!(r#"{{"logDriver": "{driver}"}}"#)]).run();
            assert!(annotation(&outcome).is_some_and(|text| text.contains(driver)));
            assert!(outcome.has("LogDriverNotEnforced"), "{driver}");
        }
    }

    #[test]
    fn what_holds_for_all_containers_is_said_once() {
        let awslogs = |group: &str| {
            format!(
                r#"{{"logDriver": "awslogs", "options": {{"awslogs-region": "us-east-1", "awslogs-group": "{group}"}}}}"#
            )
        };
        let syslog = r#"{"logDriver": "syslog"}"#;
        let outcome = with_logs(&[
            &awslogs("/ecs/web"),
            &awslogs("/ecs/sidecar"),
            &awslogs("/ecs/web"),
            syslog,
            syslog,
        ])
        .run();
        assert_eq!(
            about_logs(&outcome),
            [
                "containerDefinitions[0].logConfiguration.logDriver: AwslogsNeedsNodeAgent: these logs reach CloudWatch (/ecs/web, /ecs/sidecar) only through a log agent on the nodes; set logs.agent: fluent-bit in the values of the Helm chart (convert: --logs fluent-bit); until then the logs are only in kubectl logs",
                "containerDefinitions[3].logConfiguration.logDriver: LogDriverNotEnforced: log driver syslog is only recorded: the logs stay on the node, where kubectl logs reads them; install a log agent that ships them",
            ]
        );
    }

    fn delivered(scenario: Scenario) -> Vec<String> {
        about_logs(&scenario.settings(|s| s.logs = LogAgent::FluentBit).run())
    }

    #[test]
    fn fluent_bit_follows_the_options_of_ecs() {
        let log = "containerDefinitions[0].logConfiguration";
        let sent = format!(
            "{log}.logDriver: AwslogsByFluentBit: Fluent Bit sends these logs to CloudWatch (g), in streams whose names end with the name of the pod; list their region in logs.regions of the Helm chart, and allow the role of the agent logs:CreateLogStream and logs:PutLogEvents"
        );
        for (options, expected) in [
            (
                r#""awslogs-create-group": "true", "awslogs-stream-prefix": "p""#,
                None,
            ),
            (
                r#""awslogs-datetime-format": "%Y""#,
                Some(
                    "awslogs-datetime-format: AwslogsLinesNotJoined: awslogs-datetime-format has no effect: each line becomes an event of its own; write each event as one line, such as JSON, or send the logs through FireLens with a multiline parser",
                ),
            ),
            (
                r#""awslogs-format": "json/emf""#,
                Some(
                    "awslogs-format: AwslogsOptionIgnored: the agent that sends these logs to CloudWatch ignores the option awslogs-format; remove it, or send the logs through FireLens",
                ),
            ),
            (
                r#""mode": "blocking""#,
                Some(
                    "mode: LogModeUnused: mode has no effect: the output goes to files on the node, so a container never waits for its logs to be sent",
                ),
            ),
        ] {
            let configuration = format!(
                r#"{{"logDriver": "awslogs", "options": {{"awslogs-region": "us-east-1", "awslogs-group": "g", {options}}}}}"#
            );
            let expected: Vec<_> = std::iter::once(sent.clone())
                .chain(expected.map(|text| format!("{log}.options.{text}")))
                .collect();
            assert_eq!(delivered(with_logs(&[&configuration])), expected);
        }
    }

    #[test]
    fn fluent_bit_runs_on_linux_nodes() {
        let definition = |members: &str| {
            format!(
                r#"{{"family": "web", {members}, "containerDefinitions": [{{"name": "web", "image": "x", "memory": 64, "logConfiguration":
                    {{"logDriver": "awslogs", "options": {{"awslogs-region": "us-east-1", "awslogs-group": "g", "awslogs-stream-prefix": "p", "awslogs-datetime-format": "%Y"}}}}}}]}}"#
            )
        };
        let windows = definition(
            r#""runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}"#,
        );
        assert_eq!(
            delivered(Scenario::service(windows)),
            [
                "containerDefinitions[0].logConfiguration.logDriver: AwslogsNeedsNodeAgent: these logs reach CloudWatch (g) only through a log agent on the nodes; install an agent on the Windows nodes; until then the logs are only in kubectl logs"
            ]
        );
        let fargate = definition(
            r#""requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512", "executionRoleArn": "arn:aws:iam::123456789012:role/e""#,
        );
        let fargate = Scenario::service(fargate)
            .settings(|settings| settings.compute = crate::settings::Compute::EksFargate);
        assert_eq!(
            delivered(fargate),
            [
                "containerDefinitions[0].logConfiguration.logDriver: AwslogsOnEksFargate: on EKS Fargate these logs reach CloudWatch (g) only through the log router of EKS; configure it with the ConfigMap aws-logging in the namespace aws-observability; until then the logs are only in kubectl logs"
            ]
        );
    }

    #[test]
    fn the_annotation_has_the_names_of_the_pod() {
        let outcome = Scenario::service(
            r#"{"family": "web", "containerDefinitions": [{"name": "Log_Router", "image": "x", "memory": 64, "logConfiguration": {"logDriver": "gelf"}}]}"#,
        )
        .run();
        let name = kname("Log_Router", LABEL_LENGTH);
        assert_eq!(
            annotation(&outcome),
            Some(
                format!(
                    r#"{{"{name}":{{"logDriver":"gelf","options":{{}},"containerName":"Log_Router"}}}}"#
                )
                .as_str()
            )
        );
        assert_eq!(
            outcome.pod()["spec"]["containers"][0]["name"],
            name.as_str()
        );
    }

    #[test]
    fn the_router_stays_for_the_last_lines() {
        let outcome = Scenario::task(
            r#"{"family": "job", "containerDefinitions": [
                {"name": "router", "image": "x", "memory": 64, "firelensConfiguration": {"type": "fluentbit"}},
                {"name": "job", "image": "x", "memory": 64, "logConfiguration": {"logDriver": "awsfirelens", "options": {"Name": "null"}}}]}"#,
        )
        .run();
        let spec = &outcome.pod()["spec"];
        let delay = "/lifecycle/preStop/sleep/seconds";
        assert_eq!(spec["initContainers"][0].pointer(delay), Some(&json!(2)));
        assert_eq!(spec["containers"][0].pointer(delay), None);
        // The delay does not shorten the time that the job and the router have after SIGTERM.
        assert_eq!(spec["terminationGracePeriodSeconds"], 30 + 2 + 30);
    }

    #[test]
    fn what_ecs_refuses_is_rejected() {
        let log = "containerDefinitions[0].logConfiguration";
        assert_eq!(
            with_logs(&[r#"{"logDriver": "awslogs"}"#, "{}"]).rejections(),
            [
                format!("{log}.options: AwslogsOptionMissing: awslogs needs option awslogs-group; add it to logConfiguration.options"),
                format!("{log}.options: AwslogsOptionMissing: awslogs needs option awslogs-region; add it to logConfiguration.options"),
                "containerDefinitions[1].logConfiguration.logDriver: RequiredField: logDriver is required".to_owned(),
            ]
        );
        let fargate = |log: &str| {
            Scenario::service(format!(
                r#"{{"family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
                    "containerDefinitions": [{{"name": "web", "image": "x", "logConfiguration": {log}}}]}}"#
            ))
        };
        assert_eq!(
            fargate(r#"{"logDriver": "syslog"}"#).rejections(),
            [format!(
                "{log}.logDriver: FargateLogDriver: Fargate supports awslogs, splunk and awsfirelens, not syslog; use one of these three, or EC2 capacity"
            )]
        );
        assert_eq!(
            fargate(r#"{"logDriver": "awslogs", "options": {"awslogs-region": "us-east-1", "awslogs-group": "g"}}"#).rejections(),
            [format!("{log}.options: AwslogsOptionMissing: awslogs needs option awslogs-stream-prefix; add it to logConfiguration.options")]
        );
    }
}
