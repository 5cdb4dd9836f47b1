//! Log drivers and FireLens.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Draft, firelens};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::Context,
    validate::{Container, LogDriver, Logging},
};

/// The annotation that records log configurations for a node's log agent.
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

/// Records what nobody in the pod acts on.
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

/// Says what differs, each thing once a document.
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

/// The log groups of all containers, in the order in which they are named.
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
