//! Log drivers and FireLens.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Draft, firelens};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::Context,
    validate::{Container, LogDriver, Logging},
};

/// The annotation that contains log configurations, for a log agent on the node.
const ANNOTATION: &str = "ecs-operator.dev/log-configuration";

/// Adds this feature's part to the pod.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    annotate(cx, draft);
    let mut said = BTreeSet::new();
    for container in &cx.task_definition.containers {
        report(cx, container, &mut said, notes);
    }
    firelens::apply(cx, draft, notes);
}

/// Stores options that nothing in the pod uses in the annotation.
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
                driver @ (LogDriver::Awslogs | LogDriver::Other(_)) => Some((
                    container.name.as_str(),
                    json!({ "logDriver": driver.name(), "options": options }),
                )),
            }
        })
        .collect();
    if !recorded.is_empty() {
        let text = json!(recorded).to_string();
        draft.annotations.insert(ANNOTATION.to_owned(), text);
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
                let group = log_groups(cx);
                notes.report(driver_path, Message::AwslogsNeedsNodeAgent { group });
            }
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
        notes.report(path, Message::LogDriverNotEnforced { value });
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
        outcome.pod()["metadata"]["annotations"][ANNOTATION].as_str()
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
                vec![format!(
                    "{log}.logDriver: AwslogsNeedsNodeAgent: these logs reach CloudWatch (/ecs/web) only through a log agent on the nodes; install Fluent Bit or the CloudWatch add-on; until then the logs are only in kubectl logs"
                )],
            ),
            (
                r#"{"logDriver": "awslogs", "options": {"awslogs-region": "us-east-1", "awslogs-group": "g"}, "secretOptions": [{"name": "x", "valueFrom": "x"}]}"#,
                Some(
                    r#"{"c0":{"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-region":"us-east-1"}}}"#,
                ),
                vec![
                    format!(
                        "{log}.logDriver: AwslogsNeedsNodeAgent: these logs reach CloudWatch (g) only through a log agent on the nodes; install Fluent Bit or the CloudWatch add-on; until then the logs are only in kubectl logs"
                    ),
                    format!(
                        "{log}.secretOptions: LogDriverNotEnforced: log driver awslogs is only recorded: the logs stay on the node, where kubectl logs reads them; install a log agent that ships them"
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
                "containerDefinitions[0].logConfiguration.logDriver: AwslogsNeedsNodeAgent: these logs reach CloudWatch (/ecs/web, /ecs/sidecar) only through a log agent on the nodes; install Fluent Bit or the CloudWatch add-on; until then the logs are only in kubectl logs",
                "containerDefinitions[3].logConfiguration.logDriver: LogDriverNotEnforced: log driver syslog is only recorded: the logs stay on the node, where kubectl logs reads them; install a log agent that ships them",
            ]
        );
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
