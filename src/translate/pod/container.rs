//! Image, command and arguments of each container, and what concerns the pod as a whole.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodOS, PodSpec};
use serde_json::json;

use super::{Draft, Plan};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::ImagePullPolicy,
    translate::{Context, LABEL_LENGTH, Manifests, escape_dollars, kname},
    validate::{self, Architecture, OperatingSystem, Platform},
};

/// Variables that ECS sets and Kubernetes does not; a container that reads one waits for something that never comes.
const METADATA_VARIABLES: [&str; 4] = [
    "ECS_CONTAINER_METADATA_URI",
    "ECS_AGENT_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EXECUTION_ENV",
];
const DOCKER_LABELS: &str = "ecs-operator.dev/docker-labels";

/// The path of a container of the task definition.
pub(super) fn path(index: usize) -> FieldPath {
    FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(index)
}

/// The pod with its containers in their places, each with what concerns no other file.
pub(super) fn draft(cx: &Context<'_>, plan: Plan, notes: &mut Diagnostics) -> Draft {
    let containers = |indexes: &[usize]| -> Vec<Container> {
        indexes
            .iter()
            .filter_map(|index| cx.task_definition.containers.get(*index))
            .map(|source| container(cx, source))
            .collect()
    };
    let init = containers(&plan.init);
    let spec = PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        init_containers: (!init.is_empty()).then_some(init),
        containers: containers(&plan.main),
        restart_policy: cx.is_task().then(|| "Never".to_owned()),
        ..PodSpec::default()
    };
    let mut draft = Draft {
        annotations: docker_labels(cx),
        spec,
        plan,
        objects: Manifests::default(),
    };
    platform(cx, &mut draft);
    sandbox(cx, &mut draft, notes);
    for source in &cx.task_definition.containers {
        report(source, notes);
    }
    draft
}

fn container(cx: &Context<'_>, source: &validate::Container) -> Container {
    let validate::Process {
        entry_point,
        command,
        working_directory,
        interactive,
        pseudo_terminal,
    } = &source.process;
    let escaped = |words: &[String]| -> Option<Vec<String>> {
        (!words.is_empty()).then(|| {
            words
                .iter()
                .map(|word| escape_dollars(word).into_owned())
                .collect()
        })
    };
    Container {
        name: kname(&source.name, LABEL_LENGTH),
        image: Some(source.image.clone()),
        image_pull_policy: pull_policy(cx.settings.image_pull_policy, &source.image),
        command: escaped(entry_point),
        args: escaped(command),
        working_dir: working_directory.clone(),
        stdin: interactive.then_some(true),
        tty: pseudo_terminal.then_some(true),
        ..Container::default()
    }
}

/// A digest names one content for ever, so that the default, IfNotPresent, is right for it.
fn pull_policy(policy: ImagePullPolicy, image: &str) -> Option<String> {
    match policy {
        ImagePullPolicy::AlwaysForTags if image.contains("@sha256:") => None,
        ImagePullPolicy::AlwaysForTags => Some("Always".to_owned()),
        ImagePullPolicy::IfNotPresent => Some("IfNotPresent".to_owned()),
    }
}

fn docker_labels(cx: &Context<'_>) -> BTreeMap<String, String> {
    let labels: BTreeMap<&str, _> = cx
        .task_definition
        .containers
        .iter()
        .filter(|container| !container.docker_labels.is_empty())
        .map(|container| (container.name.as_str(), &container.docker_labels))
        .collect();
    if labels.is_empty() {
        BTreeMap::new()
    } else {
        [(DOCKER_LABELS.to_owned(), json!(labels).to_string())].into()
    }
}

/// The nodes that can run the images.
fn platform(cx: &Context<'_>, draft: &mut Draft) {
    let Platform { os, architecture } = cx.task_definition.platform;
    let mut selector = BTreeMap::new();
    if let Some(architecture) = architecture {
        let value = match architecture {
            Architecture::Amd64 => "amd64",
            Architecture::Arm64 => "arm64",
        };
        selector.insert("kubernetes.io/arch".to_owned(), value.to_owned());
    }
    match os {
        Some(OperatingSystem::Linux) => {
            selector.insert("kubernetes.io/os".to_owned(), "linux".to_owned());
        }
        Some(OperatingSystem::Windows(build)) => {
            selector.insert("kubernetes.io/os".to_owned(), "windows".to_owned());
            selector.insert(
                "node.kubernetes.io/windows-build".to_owned(),
                build.label().to_owned(),
            );
            draft.spec.os = Some(PodOS {
                name: "windows".to_owned(),
            });
        }
        None => {}
    }
    if !selector.is_empty() {
        draft
            .spec
            .node_selector
            .get_or_insert_default()
            .extend(selector);
    }
}

fn sandbox(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    if !cx.task_definition.isolated_sandbox {
        return;
    }
    draft
        .spec
        .runtime_class_name
        .clone_from(&cx.settings.isolated_sandbox_runtime_class);
    let path = FieldPath::root(Subject::TaskDefinition)
        .field("trustedExecutionConfiguration")
        .field("isolationMode");
    let name = cx
        .settings
        .isolated_sandbox_runtime_class
        .clone()
        .unwrap_or_default();
    notes.report(path, Message::SandboxRuntimeClass { name });
}

fn report(source: &validate::Container, notes: &mut Diagnostics) {
    let path = path(source.index);
    let name = kname(&source.name, LABEL_LENGTH);
    if name != source.name {
        let original = source.name.clone();
        notes.report(
            path.field("name"),
            Message::NameSanitized { original, name },
        );
    }
    let values: Vec<String> = source
        .environment
        .variables
        .iter()
        .map(|(_, value)| value.clone())
        .collect();
    for (field, texts) in [
        ("command", &source.process.command),
        ("entryPoint", &source.process.entry_point),
        ("environment", &values),
    ] {
        let mentioned = |name: &&&str| texts.iter().any(|text: &String| text.contains(**name));
        if let Some(name) = METADATA_VARIABLES.iter().find(mentioned) {
            let name = (*name).to_owned();
            notes.report(
                path.field(field),
                Message::TaskMetadataEndpointAbsent { name },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::translate::testing::{Scenario, yaml};

    fn definition(container: &str, rest: &str) -> String {
        format!(
            r#"{{"family": "web", {rest} "containerDefinitions": [{{"name": "web", "image": "nginx:1.29", "memory": 64, {container}}}]}}"#
        )
    }

    #[test]
    fn the_process_is_that_of_the_definition() {
        let outcome = Scenario::service(definition(
            r#""entryPoint": ["sh", "-c"], "command": ["echo $(hostname) $HOME"], "workingDirectory": "/srv", "interactive": true, "pseudoTerminal": true"#,
            "",
        ))
        .run();
        let container = outcome.container("web");
        assert_eq!(container["command"], yaml("[sh, -c]"));
        assert_eq!(container["args"], yaml("['echo $$(hostname) $$HOME']"));
        assert_eq!(container["workingDir"], "/srv");
        assert_eq!(
            (&container["stdin"], &container["tty"]),
            (&true.into(), &true.into())
        );
    }

    #[test]
    fn images_are_pulled_as_ecs_pulls_them() {
        let digest = format!("nginx@sha256:{}", "0".repeat(64));
        for (image, side_loaded, policy) in [
            ("nginx:1.29", false, yaml("Always")),
            (digest.as_str(), false, yaml("null")),
            ("nginx:1.29", true, yaml("IfNotPresent")),
        ] {
            let text = definition(r#""cpu": 1"#, "").replace("nginx:1.29", image);
            let outcome = Scenario::service(text)
                .settings(|settings| {
                    if side_loaded {
                        settings.image_pull_policy = crate::settings::ImagePullPolicy::IfNotPresent;
                    }
                })
                .run();
            assert_eq!(
                outcome.container("web")["imagePullPolicy"],
                policy,
                "{image}"
            );
        }
    }

    #[test]
    fn platforms_select_nodes() {
        for (platform, selector, os) in [
            (
                r#""runtimePlatform": {"cpuArchitecture": "ARM64"},"#,
                "{kubernetes.io/arch: arm64}",
                "null",
            ),
            (
                r#""runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "X86_64"},"#,
                "{kubernetes.io/arch: amd64, kubernetes.io/os: linux}",
                "null",
            ),
            (
                r#""runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"},"#,
                "{kubernetes.io/os: windows, node.kubernetes.io/windows-build: 10.0.20348}",
                "{name: windows}",
            ),
            ("", "null", "null"),
        ] {
            let outcome = Scenario::service(definition(r#""cpu": 1"#, platform)).run();
            assert_eq!(
                outcome.pod_spec()["nodeSelector"],
                yaml(selector),
                "{platform}"
            );
            assert_eq!(outcome.pod_spec()["os"], yaml(os), "{platform}");
        }
    }

    #[test]
    fn metadata_variables_are_noticed() {
        for container in [
            r#""command": ["curl $ECS_CONTAINER_METADATA_URI_V4/task"]"#,
            r#""environment": [{"name": "U", "value": "${AWS_EXECUTION_ENV}"}]"#,
        ] {
            assert!(
                Scenario::service(definition(container, ""))
                    .run()
                    .has("TaskMetadataEndpointAbsent")
            );
        }
    }

    #[test]
    fn what_concerns_the_task_is_checked() {
        for (text, reason) in [
            (
                definition(r#""essential": false"#, ""),
                "NoEssentialContainer",
            ),
            (
                definition(r#""cpu": 1"#, r#""tags": [{"key": "a"}, {"key": "a"}],"#),
                "DuplicateTag",
            ),
            (
                definition(
                    r#""cpu": 1"#,
                    r#""runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2016_FULL"},"#,
                ),
                "WindowsVersionUnsupported",
            ),
            (
                definition(
                    r#""user": "1""#,
                    r#""runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_FULL"},"#,
                ),
                "WindowsUnsupportedParameter",
            ),
            (
                definition(
                    r#""cpu": 1"#,
                    r#""trustedExecutionConfiguration": {"isolationMode": "ISOLATED_SANDBOX"},"#,
                ),
                "SandboxNeedsRuntimeClass",
            ),
            (
                definition(
                    r#""cpu": 1"#,
                    r#""trustedExecutionConfiguration": {"isolationMode": "CONFIDENTIAL_SANDBOX"},"#,
                ),
                "ConfidentialSandboxUnsupported",
            ),
        ] {
            let rejections = Scenario::service(text).rejections();
            assert!(
                rejections.iter().any(|line| line.contains(reason)),
                "{reason}: {rejections:?}"
            );
        }
    }
}
