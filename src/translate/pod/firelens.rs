//! FireLens with Fluent Bit: a sidecar that reads the log files of its own pod.

use std::{collections::BTreeMap, fmt::Write as _};

use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapVolumeSource, Container as PodContainer, EnvVar, EnvVarSource,
    HostPathVolumeSource, ObjectFieldSelector, Volume, VolumeMount,
};

use super::Draft;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::{Context, LABEL_LENGTH, Object, kname},
    validate::{
        Container, FIRELENS_DRIVER_BUFFER, FIRELENS_EXCLUDE, FIRELENS_INCLUDE, FIRELENS_OUTPUT,
        Firelens, SecretReference, SecretVariable,
    },
};

/// Where the router sees the log files of the pod.
const LOG_DIRECTORY: &str = "/var/log/ecs-containers";
const LOG_VOLUME: &str = "ecs-firelens-logs";
const CONFIG_VOLUME: &str = "ecs-firelens-config";
const CONFIG_KEY: &str = "fluent-bit.conf";
const CONFIG_PATH: &str = "/fluent-bit/etc/fluent-bit.conf";
/// The variables by which the router finds the pod's log files, and their fields.
const POD_VARIABLES: [(&str, &str); 3] = [
    ("POD_NAMESPACE", "metadata.namespace"),
    ("POD_NAME", "metadata.name"),
    ("POD_UID", "metadata.uid"),
];

/// A secret option of an output, as a variable of the router.
pub(super) struct SecretOption<'a> {
    /// The index of the container whose output it is.
    pub(super) container: usize,
    /// The name of the option.
    pub(super) option: &'a str,
    /// The name of the variable.
    pub(super) variable: String,
    /// Where the value is.
    pub(super) reference: &'a SecretReference,
}

/// The secret options of all outputs. A variable has the option's name, unless the router has another variable of that
/// name: then the container's index tells them apart, as in the ECS agent.
pub(super) fn secret_options<'a>(cx: &Context<'a>) -> Vec<SecretOption<'a>> {
    let containers = &cx.task_definition.containers;
    let Some(router) = containers.iter().find(|c| c.firelens.is_some()) else {
        return Vec::new();
    };
    let mut taken: BTreeMap<String, Option<&SecretReference>> = POD_VARIABLES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .chain(
            router
                .environment
                .variables
                .iter()
                .map(|(name, _)| name.clone()),
        )
        .chain(router.secrets.iter().map(|secret| secret.name.clone()))
        .map(|name| (name, None))
        .collect();
    let mut options = Vec::new();
    for container in containers {
        for SecretVariable { name, reference } in &container.logging.secret_options {
            let free = match taken.get(name) {
                Some(other) => *other == Some(reference),
                None => true,
            };
            let variable = if free {
                name.clone()
            } else {
                format!("{name}_{}", container.index)
            };
            taken.insert(variable.clone(), Some(reference));
            options.push(SecretOption {
                container: container.index,
                option: name,
                variable,
                reference,
            });
        }
    }
    options
}

/// Turns the router into one that reads log files, and tells the other containers where it listens.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    for container in &cx.task_definition.containers {
        if let Some(firelens) = &container.firelens {
            let path = FieldPath::root(Subject::TaskDefinition)
                .field("containerDefinitions")
                .index(container.index)
                .field("firelensConfiguration");
            notes.report(path, Message::FirelensTailsContainerLogs);
            add_router(cx, container, firelens, draft);
        }
        if container.logging.firelens
            && let Some(container) = draft.container_mut(container.index)
        {
            for (name, value) in [("FLUENT_HOST", "127.0.0.1"), ("FLUENT_PORT", "24224")] {
                set_variable(container, literal(name, value));
            }
        }
    }
}

fn add_router(cx: &Context<'_>, router: &Container, firelens: &Firelens, draft: &mut Draft) {
    let name = format!("{}-firelens", cx.name());
    draft.objects.push(Object::ConfigMap(ConfigMap {
        metadata: cx.metadata(&name),
        data: Some(BTreeMap::from([(
            CONFIG_KEY.to_owned(),
            configuration(cx, firelens),
        )])),
        ..ConfigMap::default()
    }));
    draft.spec.volumes.get_or_insert_default().extend([
        Volume {
            name: LOG_VOLUME.to_owned(),
            host_path: Some(HostPathVolumeSource {
                path: "/var/log/pods".to_owned(),
                type_: None,
            }),
            ..Volume::default()
        },
        Volume {
            name: CONFIG_VOLUME.to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name,
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
    ]);
    let Some(container) = draft.container_mut(router.index) else {
        return;
    };
    for (name, field) in POD_VARIABLES {
        set_variable(container, field_variable(name, field));
    }
    container.volume_mounts.get_or_insert_default().extend([
        VolumeMount {
            name: LOG_VOLUME.to_owned(),
            mount_path: LOG_DIRECTORY.to_owned(),
            sub_path_expr: Some("$(POD_NAMESPACE)_$(POD_NAME)_$(POD_UID)".to_owned()),
            read_only: Some(true),
            ..VolumeMount::default()
        },
        VolumeMount {
            name: CONFIG_VOLUME.to_owned(),
            mount_path: CONFIG_PATH.to_owned(),
            sub_path: Some(CONFIG_KEY.to_owned()),
            ..VolumeMount::default()
        },
    ]);
}

/// Sets a variable, whatever the definition says it is: the ECS agent overwrites these too.
fn set_variable(container: &mut PodContainer, variable: EnvVar) {
    let variables = container.env.get_or_insert_default();
    variables.retain(|other| other.name != variable.name);
    variables.push(variable);
}

fn literal(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    }
}

fn field_variable(name: &str, field: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: None,
                field_path: field.to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    }
}

/// One section of Fluent Bit's classic configuration: a name, and keys with values in order.
struct Section<'a> {
    name: &'static str,
    entries: Vec<(&'a str, String)>,
}

/// The router's configuration: what the ECS agent generates
/// (`agent/taskresource/firelens/firelensconfig_unix.go` in <https://github.com/aws/amazon-ecs-agent>), with an input
/// for each log file in place of Docker's socket.
fn configuration(cx: &Context<'_>, firelens: &Firelens) -> String {
    let Firelens {
        log_metadata,
        config_file,
        memory_buffer_mb,
    } = firelens;
    let sources: Vec<_> = cx
        .task_definition
        .containers
        .iter()
        .filter(|container| container.logging.firelens)
        .collect();
    let options = secret_options(cx);
    let mut before = listeners();
    before.extend(sources.iter().map(|source| tail(source, *memory_buffer_mb)));
    if *log_metadata {
        before.push(metadata(cx));
    }
    before.extend(sources.iter().flat_map(|source| patterns(source)));
    let mut after = vec![section(
        "OUTPUT",
        [("Name", "null"), ("Match", "firelens-healthcheck")],
    )];
    after.extend(sources.iter().filter_map(|source| output(source, &options)));
    let mut text = String::new();
    write_sections(&mut text, &before);
    if let Some(file) = config_file {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "@INCLUDE {file}");
    }
    write_sections(&mut text, &after);
    text
}

fn write_sections(text: &mut String, sections: &[Section<'_>]) {
    for Section { name, entries } in sections {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "[{name}]");
        for (key, value) in entries {
            let _ = writeln!(text, "    {key} {value}");
        }
    }
}

fn section<'a, const N: usize>(name: &'static str, entries: [(&'a str, &str); N]) -> Section<'a> {
    let entries = entries.map(|(key, value)| (key, value.to_owned()));
    Section {
        name,
        entries: entries.into(),
    }
}

/// Where applications send logs themselves, and what the router's health check asks.
fn listeners() -> Vec<Section<'static>> {
    let listen = ("Listen", "127.0.0.1");
    vec![
        section("INPUT", [("Name", "forward"), listen, ("Port", "24224")]),
        section(
            "INPUT",
            [
                ("Name", "tcp"),
                ("Tag", "firelens-healthcheck"),
                listen,
                ("Port", "8877"),
            ],
        ),
    ]
}

fn tail(source: &Container, memory_buffer_mb: i64) -> Section<'static> {
    let directory = kname(&source.name, LABEL_LENGTH);
    section(
        "INPUT",
        [
            ("Name", "tail"),
            ("Tag", &format!("{}-firelens-${{POD_NAME}}", source.name)),
            ("Path", &format!("{LOG_DIRECTORY}/{directory}/*.log")),
            ("multiline.parser", "cri"),
            ("Read_from_Head", "true"),
            ("Mem_Buf_Limit", &format!("{memory_buffer_mb}MB")),
        ],
    )
}

fn metadata(cx: &Context<'_>) -> Section<'static> {
    let definition = cx.task_definition;
    section(
        "FILTER",
        [
            ("Name", "record_modifier"),
            ("Match", "*"),
            ("Record", &format!("ecs_cluster {}", one_line(cx.cluster()))),
            ("Record", "ecs_task_arn ${POD_NAMESPACE}/${POD_NAME}"),
            (
                "Record",
                &format!(
                    "ecs_task_definition {}:{}",
                    one_line(&definition.family),
                    definition.revision
                ),
            ),
        ],
    )
}

/// Names come from outside of `logConfiguration`, whose options validation keeps to one line.
fn one_line(name: &str) -> String {
    name.replace(char::is_control, "")
}

/// What the output of a container matches; configuration files of users rely on it.
fn matching(source: &Container) -> String {
    format!("{}-firelens*", source.name)
}

fn patterns(source: &Container) -> Vec<Section<'static>> {
    let keys = [(FIRELENS_INCLUDE, "Regex"), (FIRELENS_EXCLUDE, "Exclude")];
    keys.iter()
        .filter_map(|(option, key)| {
            let pattern = source.logging.options.get(*option)?;
            Some(section(
                "FILTER",
                [
                    ("Name", "grep"),
                    ("Match", &matching(source)),
                    (*key, &format!("log {pattern}")),
                ],
            ))
        })
        .collect()
}

/// The output of a container; none if the options name none, since a configuration file may have it.
fn output<'a>(source: &'a Container, secrets: &[SecretOption<'a>]) -> Option<Section<'a>> {
    let own = [FIRELENS_INCLUDE, FIRELENS_EXCLUDE, FIRELENS_DRIVER_BUFFER];
    let mut options: BTreeMap<&str, String> = source
        .logging
        .options
        .iter()
        .filter(|(key, _)| !own.contains(&key.as_str()))
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    options.extend(
        secrets
            .iter()
            .filter(|secret| secret.container == source.index)
            .map(|secret| (secret.option, format!("${{{}}}", secret.variable))),
    );
    let plugin = options.remove(FIRELENS_OUTPUT)?;
    let mut entries = vec![(FIRELENS_OUTPUT, plugin), ("Match", matching(source))];
    entries.extend(options);
    Some(Section {
        name: "OUTPUT",
        entries,
    })
}
