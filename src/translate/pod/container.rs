//! Image, command and arguments of each container.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use serde_json::json;

use super::{Draft, Plan};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::ImagePullPolicy,
    translate::{Context, LABEL_LENGTH, Manifests, escape_dollars, kname},
    validate::{self, TaskVariable},
};

/// The annotation with the Docker labels of all containers.
const DOCKER_LABELS: &str = "ecs-operator.dev/docker-labels";

/// Returns the path of a container of the task definition.
pub(super) fn path(index: usize) -> FieldPath {
    FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(index)
}

/// Creates the pod with its containers in order, each with the fields that no other file of this folder sets.
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
    for source in &cx.task_definition.containers {
        report(source, notes);
    }
    Draft {
        labels: BTreeMap::new(),
        annotations: docker_labels(cx),
        spec,
        plan,
        objects: Manifests::default(),
    }
}

fn container(cx: &Context<'_>, source: &validate::Container) -> Container {
    let validate::Process {
        entry_point,
        command,
        working_directory,
        interactive,
        pseudo_terminal,
        task_variables: _,
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

/// Whether an image reference identifies its content by digest.
fn is_digest(image: &str) -> bool {
    image.contains("@sha256:")
}

/// Returns the pull policy. A digest always identifies the same content, so the default, IfNotPresent, is correct for
/// it.
fn pull_policy(policy: ImagePullPolicy, image: &str) -> Option<String> {
    match policy {
        _ if is_digest(image) => None,
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
    if let Some(why) = validate::unpullable(&source.image) {
        let (value, why) = (source.image.clone(), why.to_owned());
        let message = Message::InvalidImageReference { value, why };
        notes.report(path.field("image"), message);
    }
    if source.asks_for_consistency && !is_digest(&source.image) {
        notes.report(path.field("versionConsistency"), Message::TagCanMove);
    }
    for variable in &source.process.task_variables {
        let TaskVariable { name, field, index } = variable;
        let path = path.field(*field).index(*index);
        let path = match *field {
            "environment" => path.field("value"),
            _ => path,
        };
        let name = (*name).to_owned();
        notes.report(path, Message::TaskMetadataEndpointAbsent { name });
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        settings::ImagePullPolicy,
        translate::testing::{Scenario, yaml},
    };

    /// Returns a service of one container with these members.
    fn web(members: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", "containerDefinitions": [{{"name": "web", "image": "nginx:1.29", "memory": 64{members}}}]}}"#
        ))
    }

    #[test]
    fn the_process_is_that_of_the_definition() {
        let outcome = web(
            r#", "entryPoint": ["sh", "-c"], "command": ["echo $(hostname) $HOME", "$HOME"],
            "workingDirectory": "/srv", "interactive": true, "pseudoTerminal": true"#,
        )
        .run();
        let container = outcome.container("web");
        for (field, expected) in [
            ("command", "[sh, -c]"),
            ("args", "['echo $$(hostname) $$HOME', $HOME]"),
            ("workingDir", "/srv"),
            ("stdin", "true"),
            ("tty", "true"),
        ] {
            assert_eq!(container[field], yaml(expected), "{field}");
        }
        let plain = web(r#", "interactive": false, "pseudoTerminal": false"#).run();
        for field in [
            "command",
            "args",
            "workingDir",
            "stdin",
            "tty",
            "ports",
            "env",
            "securityContext",
        ] {
            assert!(plain.container("web")[field].is_null(), "{field}");
        }
        let spec = plain.pod_spec();
        for field in ["automountServiceAccountToken", "enableServiceLinks"] {
            assert_eq!(spec[field], yaml("false"));
        }
    }

    #[test]
    fn images_are_pulled_as_ecs_pulls_them() {
        let digest = format!("nginx@sha256:{}", "0".repeat(64));
        let tag_and_digest = format!("nginx:1.29@sha256:{}", "0".repeat(64));
        let (always, if_not_present) = (
            ImagePullPolicy::AlwaysForTags,
            ImagePullPolicy::IfNotPresent,
        );
        for (image, setting, policy) in [
            ("nginx:1.29", always, "Always"),
            ("nginx", always, "Always"),
            ("<IMAGE_NAME>", always, "Always"),
            (digest.as_str(), always, "null"),
            (tag_and_digest.as_str(), always, "null"),
            ("nginx:1.29", if_not_present, "IfNotPresent"),
            (digest.as_str(), if_not_present, "null"),
        ] {
            let outcome = Scenario::service(format!(
                r#"{{"family": "web", "containerDefinitions": [{{"name": "web", "image": "{image}", "memory": 64}}]}}"#
            ))
            .settings(|settings| settings.image_pull_policy = setting)
            .run();
            let container = outcome.container("web");
            assert_eq!(container["image"], image);
            assert_eq!(container["imagePullPolicy"], yaml(policy), "{image}");
        }
    }

    #[test]
    fn an_image_has_no_blanks_around_it() {
        let text = r#"{"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx ", "memory": 64}]}"#;
        assert_eq!(
            Scenario::service(text).rejections(),
            [
                r#"containerDefinitions[0].image: InvalidValue: "nginx ": must be an image reference without blanks around it"#
            ]
        );
    }

    #[test]
    fn variables_of_ecs_are_noticed_where_they_are_read() {
        for (members, expected) in [
            (
                r#", "command": ["sh", "-c", "curl $ECS_CONTAINER_METADATA_URI_V4/task"]"#,
                &["command[2]: ECS_CONTAINER_METADATA_URI_V4"][..],
            ),
            (
                r#", "entryPoint": ["/wait", "$AWS_EXECUTION_ENV"], "command": ["$AWS_EXECUTION_ENV"]"#,
                &["entryPoint[1]: AWS_EXECUTION_ENV"],
            ),
            (
                r#", "environment": [{"name": "A", "value": "1"}, {"name": "URL", "value": "${ECS_AGENT_URI}/x and $ECS_CONTAINER_METADATA_URI"}]"#,
                &[
                    "environment[1].value: ECS_CONTAINER_METADATA_URI",
                    "environment[1].value: ECS_AGENT_URI",
                ],
            ),
            (
                r#", "environment": [{"name": "AWS_EXECUTION_ENV", "value": "k8s"}], "command": ["$AWS_EXECUTION_ENV"]"#,
                &[],
            ),
            (r#", "command": ["$MY_AWS_EXECUTION_ENV"]"#, &[]),
        ] {
            let expected: Vec<String> = expected
                .iter()
                .filter_map(|line| line.split_once(": "))
                .map(|(path, name)| {
                    format!(
                        "containerDefinitions[0].{path}: TaskMetadataEndpointAbsent: {name} does not exist in Kubernetes; change the code that reads this variable; the hostname is usually the name of the pod"
                    )
                })
                .collect();
            let found: Vec<String> = web(members)
                .run()
                .messages()
                .into_iter()
                .filter(|line| line.contains("TaskMetadataEndpointAbsent"))
                .collect();
            assert_eq!(found, expected, "{members}");
        }
    }

    #[test]
    fn docker_labels_are_an_annotation() {
        let outcome = Scenario::service(
            r#"{"family": "web", "containerDefinitions": [
            {"name": "Web_1", "image": "i", "memory": 64, "dockerLabels": {"com.example/team": "shop", "a": "1"}},
            {"name": "b", "image": "i", "memory": 64}]}"#,
        )
        .run();
        let annotations = &outcome.pod()["metadata"]["annotations"];
        assert_eq!(
            annotations["ecs-operator.dev/docker-labels"],
            r#"{"Web_1":{"a":"1","com.example/team":"shop"}}"#
        );
    }

    #[test]
    fn names_that_kubernetes_does_not_take_are_changed() {
        let outcome = Scenario::service(
            r#"{"family": "web", "containerDefinitions": [{"name": "My_Service", "image": "i", "memory": 64},
            {"name": "my_service", "image": "i", "memory": 64}]}"#,
        )
        .run();
        assert_eq!(outcome.container("my-service-4281f079")["image"], "i");
        let notes = outcome.messages();
        assert!(notes.contains(
            &"containerDefinitions[0].name: NameSanitized: the name My_Service became my-service-4281f079, which Kubernetes allows"
                .to_owned()
        ));
        let changed = |line: &&String| line.contains("NameSanitized");
        assert_eq!(notes.iter().filter(changed).count(), 2);
    }

    #[test]
    fn what_concerns_all_containers_is_checked() {
        let definition = |containers: &str, members: &str| {
            format!(r#"{{"family": "web", "containerDefinitions": [{containers}]{members}}}"#)
        };
        let helper = r#"{"name": "helper", "image": "i", "memory": 64, "essential": false}"#;
        let main = r#"{"name": "main", "image": "i", "memory": 64}"#;
        for (text, rejections) in [
            (definition(&format!("{main}, {helper}"), ""), &[][..]),
            (
                definition(helper, ""),
                &[
                    "containerDefinitions: NoEssentialContainer: at least one container must be essential; remove essential: false from the main container",
                ],
            ),
            (
                definition(&format!("{main}, {helper}, {main}"), ""),
                &[
                    "containerDefinitions[2].name: InvalidValue: main: another container has this name",
                ],
            ),
            (
                definition("", ""),
                &["containerDefinitions: RequiredField: containerDefinitions is required"],
            ),
            (
                definition(
                    main,
                    r#", "tags": [{"key": "team", "value": "a"}, {"key": "Team"}, {"key": "team"}, {"key": "AWS:x"}, {"value": "b"}]"#,
                ),
                &[
                    "tags[2].key: DuplicateTag: tag key team is used twice; keep one of them",
                    "tags[3].key: InvalidValue: AWS:x: keys that begin with aws: are reserved",
                    "tags[4].key: RequiredField: key is required",
                ],
            ),
        ] {
            if rejections.is_empty() {
                Scenario::service(text).run();
            } else {
                assert_eq!(Scenario::service(&text).rejections(), rejections, "{text}");
            }
        }
    }
}
