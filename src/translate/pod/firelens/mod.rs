//! FireLens: a sidecar that reads the log files of its pod.

mod fluent_bit;
mod fluentd;

use std::{collections::BTreeMap, fmt::Write as _};

use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapVolumeSource, Container as PodContainer, EmptyDirVolumeSource, EnvVar,
    EnvVarSource, HostPathVolumeSource, ObjectFieldSelector, Volume, VolumeMount,
};

use super::Draft;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::{Context, Object, names::hex_digest},
    validate::{
        Container, FIRELENS_OWN_OPTIONS, Firelens, FirelensFile, LogRouter, SecretReference,
        SecretVariable,
    },
};

/// The directory in the router with the log files of the pod.
const LOG_DIRECTORY: &str = "/var/log/ecs-containers";
const LOG_VOLUME: &str = "ecs-firelens-logs";
/// The directory in which the router stores its read positions, so that it continues there after a restart.
const STATE_DIRECTORY: &str = "/var/lib/ecs-firelens";
const STATE_VOLUME: &str = "ecs-firelens-state";
const CONFIG_VOLUME: &str = "ecs-firelens-config";
/// The file from S3.
const EXTERNAL_KEY: &str = "external.conf";
/// The variables with which the router finds the pod's log files, and their fields.
const POD_VARIABLES: [(&str, &str); 3] = [
    ("POD_NAMESPACE", "metadata.namespace"),
    ("POD_NAME", "metadata.name"),
    ("POD_UID", "metadata.uid"),
];

/// The directory in the router with its configuration, and the name of the configuration. They are where the ECS agent
/// puts them, and the file from S3 is there too.
fn config_place(program: LogRouter) -> (&'static str, &'static str) {
    match program {
        LogRouter::FluentBit => ("/fluent-bit/etc", "fluent-bit.conf"),
        LogRouter::Fluentd => ("/fluentd/etc", "fluent.conf"),
    }
}

/// A secret option of an output, which is passed as a variable of the router.
pub(super) struct SecretOption<'a> {
    /// The index of the container that has the output.
    pub(super) container: usize,
    /// The name of the option.
    pub(super) option: &'a str,
    /// The name of the variable.
    pub(super) variable: String,
    /// Where the value is.
    pub(super) reference: &'a SecretReference,
}

/// Returns the secret options of all outputs. A variable has the option's name. If the router already has a variable of
/// that name, the container's index is appended, as in the ECS agent.
///
/// The image of Fluentd starts with a shell, which hides variables whose names are not those of the shell, so that the
/// name of the variable has `_` for other characters.
pub(super) fn secret_options<'a>(cx: &Context<'a>) -> Vec<SecretOption<'a>> {
    let containers = &cx.task_definition.containers;
    let router = |container: &'a Container| Some((container, container.firelens.as_ref()?.program));
    let Some((router, program)) = containers.iter().find_map(router) else {
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
            let mut variable = match program {
                LogRouter::FluentBit => name.clone(),
                LogRouter::Fluentd => shell_name(name),
            };
            while taken
                .get(&variable)
                .is_some_and(|other| *other != Some(reference))
            {
                // Writing to a String cannot fail.
                let _ = write!(variable, "_{}", container.index);
            }
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

/// Returns the name of a variable for a shell.
fn shell_name(name: &str) -> String {
    let first = name.starts_with(|c: char| c.is_ascii_digit());
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    if first { format!("_{name}") } else { name }
}

/// Returns the containers whose logs the router gets.
fn log_sources<'a>(cx: &Context<'a>) -> impl Iterator<Item = &'a Container> {
    let containers = cx.task_definition.containers.iter();
    containers.filter(|container| container.logging.firelens)
}

/// Returns the options of a container's output. `reference` writes the use of a variable with a secret.
fn output_options<'a>(
    source: &'a Container,
    secrets: &[SecretOption<'a>],
    reference: impl Fn(&str) -> String,
) -> BTreeMap<&'a str, String> {
    let options = source.logging.options.iter();
    let mut options: BTreeMap<&str, String> = options
        .filter(|(key, _)| !FIRELENS_OWN_OPTIONS.contains(&key.as_str()))
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    let secrets = secrets.iter().filter(|it| it.container == source.index);
    options.extend(secrets.map(|secret| (secret.option, reference(&secret.variable))));
    options
}

/// Returns a name on one line. Names do not come from `logConfiguration`, whose options validation restricts to one
/// line.
fn one_line(name: &str) -> String {
    name.replace(char::is_control, "")
}

/// Changes the router so that it reads log files, and sets its address in the other containers.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    for container in &cx.task_definition.containers {
        if let Some(firelens) = &container.firelens {
            report(container, firelens.program, notes);
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

/// Reports how the router differs from one in ECS, and a user that may read no log file: container runtimes give them
/// to root, with the mode 0640 or 0600.
fn report(router: &Container, program: LogRouter, notes: &mut Diagnostics) {
    let path = FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(router.index);
    let fields = match program {
        LogRouter::FluentBit => "container_id, container_name or source",
        LogRouter::Fluentd => "container_id or container_name",
    };
    let fields = fields.to_owned();
    notes.report(
        path.field("firelensConfiguration"),
        Message::FirelensTailsContainerLogs { fields },
    );
    if let Some(user) = router.security.user
        && user.uid != 0
        && user.gid != Some(0)
    {
        let user = user.uid.to_string();
        notes.report(path.field("user"), Message::FirelensRouterUser { user });
    }
}

/// Adds the ConfigMap of the router, and returns its name and whether it has a file of the team.
fn add_configuration(cx: &Context<'_>, firelens: &Firelens, draft: &mut Draft) -> (String, bool) {
    let (directory, key) = config_place(firelens.program);
    let included = firelens.config_file.as_ref().map(|file| match file {
        FirelensFile::Image(path) => path.clone(),
        FirelensFile::S3(_) => format!("{directory}/{EXTERNAL_KEY}"),
    });
    let text = match firelens.program {
        LogRouter::FluentBit => fluent_bit::configuration(cx, firelens, included.as_deref()),
        LogRouter::Fluentd => fluentd::configuration(cx, firelens, included.as_deref()),
    };
    let mut files = BTreeMap::from([(key.to_owned(), text)]);
    if let Some(FirelensFile::S3(text)) = &firelens.config_file {
        files.insert(EXTERNAL_KEY.to_owned(), text.clone());
    }
    // After a restart, a router of another revision reads its own configuration.
    let texts: Vec<&str> = files.values().rev().map(String::as_str).collect();
    let digest = hex_digest(texts.concat(), 8);
    let name = format!("{}-firelens-{digest}", cx.object_name());
    let external = files.contains_key(EXTERNAL_KEY);
    draft.objects.push(Object::ConfigMap(ConfigMap {
        metadata: cx.metadata(&name),
        data: Some(files),
        ..ConfigMap::default()
    }));
    (name, external)
}

fn add_router(cx: &Context<'_>, router: &Container, firelens: &Firelens, draft: &mut Draft) {
    let (name, external) = add_configuration(cx, firelens, draft);
    let (directory, key) = config_place(firelens.program);
    let log_volume = draft.free_volume_name(cx, LOG_VOLUME, "2");
    let state_volume = draft.free_volume_name(cx, STATE_VOLUME, "2");
    let config_volume = draft.free_volume_name(cx, CONFIG_VOLUME, "2");
    draft.spec.volumes.get_or_insert_default().extend([
        Volume {
            name: log_volume.clone(),
            host_path: Some(HostPathVolumeSource {
                path: "/var/log/pods".to_owned(),
                type_: None,
            }),
            ..Volume::default()
        },
        Volume {
            name: state_volume.clone(),
            empty_dir: Some(EmptyDirVolumeSource::default()),
            ..Volume::default()
        },
        Volume {
            name: config_volume.clone(),
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
    if firelens.program == LogRouter::Fluentd && router.security.user.is_none() {
        // The image of Fluentd has a user of its own, and log files belong to root.
        let context = container.security_context.get_or_insert_default();
        context.run_as_user = Some(0);
    }
    for (name, field) in POD_VARIABLES {
        set_variable(container, field_variable(name, field));
    }
    container.volume_mounts.get_or_insert_default().extend([
        VolumeMount {
            name: log_volume,
            mount_path: LOG_DIRECTORY.to_owned(),
            sub_path_expr: Some("$(POD_NAMESPACE)_$(POD_NAME)_$(POD_UID)".to_owned()),
            read_only: Some(true),
            ..VolumeMount::default()
        },
        VolumeMount {
            name: state_volume,
            mount_path: STATE_DIRECTORY.to_owned(),
            ..VolumeMount::default()
        },
        mount_file(&config_volume, directory, key),
    ]);
    if external {
        let mount = mount_file(&config_volume, directory, EXTERNAL_KEY);
        container.volume_mounts.get_or_insert_default().push(mount);
    }
}

/// Mounts one file of a volume, beside what the image has in that directory.
fn mount_file(volume: &str, directory: &str, key: &str) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: format!("{directory}/{key}"),
        sub_path: Some(key.to_owned()),
        ..VolumeMount::default()
    }
}

/// Sets a variable, even if the definition sets it: the ECS agent overwrites these too.
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

#[cfg(test)]
mod tests {
    use super::fluent_bit::memory_buffer_mb;
    use crate::{
        settings::Mode,
        translate::{
            LABEL_LENGTH, kname,
            testing::{Outcome, Scenario, yaml},
        },
    };

    const ROUTER: &str =
        r#""name": "log_router", "image": "amazon/aws-for-fluent-bit:3", "memoryReservation": 50"#;

    fn logging(router: &str, containers: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", "containerDefinitions": [{router}, {containers}]}}"#
        ))
        .settings(|s| s.aws_region = Some("us-east-1".to_owned()))
    }

    fn plain_router() -> String {
        format!(r#"{{{ROUTER}, "firelensConfiguration": {{"type": "fluentbit"}}}}"#)
    }

    fn source(name: &str, log: &str) -> String {
        format!(
            r#"{{"name": "{name}", "image": "x", "memory": 64, "logConfiguration": {{"logDriver": "awsfirelens", {log}}}}}"#
        )
    }

    fn generated(outcome: &Outcome) -> &str {
        outcome.objects_of("ConfigMap")[0]["data"]["fluent-bit.conf"]
            .as_str()
            .expect("a configuration")
    }

    #[test]
    fn the_configuration_is_that_of_the_agent() {
        let app = source(
            "app",
            r#""options": {"Name": "cloudwatch", "region": "us-east-1", "log_group_name": "g", "log_stream_prefix": "s-", "exclude-pattern": "^debug"}"#,
        );
        let outcome = logging(&plain_router(), &app).run();
        assert_eq!(
            generated(&outcome),
            // The revision of the example is 7; a definition without one is the first.
            "\
[INPUT]
    Name forward
    Listen 127.0.0.1
    Port 24224
[INPUT]
    Name tcp
    Tag firelens-healthcheck
    Listen 127.0.0.1
    Port 8877
[INPUT]
    Name tail
    Tag app-firelens-${POD_NAME}
    Path /var/log/ecs-containers/app/*.log
    multiline.parser cri
    Read_from_Head true
    Refresh_Interval 1
    DB /var/lib/ecs-firelens/app.db
    Mem_Buf_Limit 25MB
[FILTER]
    Name record_modifier
    Match *
    Record ecs_cluster default
    Record ecs_task_arn ${POD_NAMESPACE}/${POD_NAME}
    Record ecs_task_definition web:1
[FILTER]
    Name grep
    Match app-firelens*
    Exclude log ^debug
[OUTPUT]
    Name null
    Match firelens-healthcheck
[OUTPUT]
    Name cloudwatch
    Match app-firelens*
    log_group_name g
    log_stream_prefix s-
    region us-east-1
"
        );
        let warning = "containerDefinitions[0].firelensConfiguration: FirelensTailsContainerLogs";
        assert!(outcome.warnings().contains(&warning.to_owned()));
        assert!(
            outcome.pod()["metadata"]["annotations"]["ecs-operator.dev/log-configuration"]
                .is_null()
        );
    }

    #[test]
    fn the_router_reads_the_logs_of_its_own_pod() {
        let app = source("app", r#""options": {"Name": "stdout"}"#);
        let outcome = logging(&plain_router(), &app).run();
        let router = outcome.container(&kname("log_router", LABEL_LENGTH));
        assert_eq!(
            router["env"],
            yaml(
                "
- {name: AWS_REGION, value: us-east-1}
- {name: AWS_DEFAULT_REGION, value: us-east-1}
- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
"
            )
        );
        assert_eq!(
            router["volumeMounts"],
            yaml(
                "
- {name: ecs-firelens-logs, mountPath: /var/log/ecs-containers, subPathExpr: $(POD_NAMESPACE)_$(POD_NAME)_$(POD_UID), readOnly: true}
- {name: ecs-firelens-state, mountPath: /var/lib/ecs-firelens}
- {name: ecs-firelens-config, mountPath: /fluent-bit/etc/fluent-bit.conf, subPath: fluent-bit.conf}
"
            )
        );
        assert_eq!(
            outcome.pod_spec()["volumes"],
            yaml(
                "
- {name: ecs-firelens-logs, hostPath: {path: /var/log/pods}}
- {name: ecs-firelens-state, emptyDir: {}}
- {name: ecs-firelens-config, configMap: {name: web-firelens-5d7c5098}}
"
            )
        );
        assert_eq!(
            outcome.container("app")["env"],
            yaml(
                "[{name: AWS_REGION, value: us-east-1}, {name: AWS_DEFAULT_REGION, value: us-east-1}, {name: FLUENT_HOST, value: 127.0.0.1}, {name: FLUENT_PORT, value: '24224'}]"
            )
        );
    }

    #[test]
    fn options_of_the_router_and_of_several_containers_are_followed() {
        let router = r#"{"name": "router", "image": "x", "memory": 101, "firelensConfiguration": {"type": "fluentbit", "options": {
            "enable-ecs-log-metadata": "false", "config-file-type": "file", "config-file-value": "/extra.conf"}}}"#;
        let containers = [
            source(
                "app",
                r#""options": {"Name": "stdout", "log-driver-buffer-limit": "2097152"}"#,
            ),
            source(
                "My_App",
                r#""options": {"include-pattern": "a b", "exclude-pattern": "c"}"#,
            ),
        ]
        .join(",");
        let outcome = logging(router, &containers).run();
        let text = generated(&outcome);
        assert!(!text.contains("record_modifier"));
        assert!(!text.contains("log-driver-buffer-limit"));
        assert_eq!(text.matches("Mem_Buf_Limit 25MB\n").count(), 2);
        let path = format!(
            "    Path /var/log/ecs-containers/{}/*.log\n",
            kname("My_App", LABEL_LENGTH)
        );
        assert!(text.contains(&path), "{text}");
        let end = "\
[FILTER]
    Name grep
    Match My_App-firelens*
    Regex log a b
[FILTER]
    Name grep
    Match My_App-firelens*
    Exclude log c
@INCLUDE /extra.conf
[OUTPUT]
    Name null
    Match firelens-healthcheck
[OUTPUT]
    Name stdout
    Match app-firelens*
";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn all_inputs_together_get_half_of_the_memory() {
        for (memory, inputs, expected) in [
            (Some(50), 1, 25),
            (Some(512), 1, 256),
            (Some(512), 2, 128),
            (Some(6), 4, 1),
            (Some(1), 1, 25),
            (None, 1, 25),
            (None, 3, 25),
            (Some(512), 0, 25),
        ] {
            assert_eq!(memory_buffer_mb(memory, inputs), expected);
        }
    }

    #[test]
    fn secret_options_are_variables_of_the_router() {
        let router = format!(
            r#"{{{ROUTER}, "firelensConfiguration": {{"type": "fluentbit"}},
                "secrets": [{{"name": "apikey", "valueFrom": "/router"}}]}}"#
        );
        let containers = [
            source("a", r#""options": {"Name": "datadog"}, "secretOptions": [{"name": "apikey", "valueFrom": "/a"}, {"name": "host", "valueFrom": "/host"}]"#),
            source("b", r#""options": {"Name": "datadog"}, "secretOptions": [{"name": "apikey", "valueFrom": "/b"}, {"name": "host", "valueFrom": "/host"}]"#),
            source("c", r#""secretOptions": [{"name": "Name", "valueFrom": "/output"}]"#),
        ]
        .join(",");
        let outcome = logging(&router, &containers).run();
        let text = generated(&outcome);
        for expected in [
            "    Match a-firelens*\n    apikey ${apikey_1}\n    host ${host}\n",
            "    Match b-firelens*\n    apikey ${apikey_2}\n    host ${host}\n",
            "    Name ${Name}\n    Match c-firelens*\n",
        ] {
            assert!(text.contains(expected), "{expected}\nnot in {text}");
        }
        let names: Vec<_> = outcome.container(&kname("log_router", LABEL_LENGTH))["env"]
            .as_array()
            .expect("variables")
            .iter()
            .map(|variable| variable["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(
            names,
            [
                "AWS_REGION",
                "AWS_DEFAULT_REGION",
                "apikey",
                "apikey_1",
                "host",
                "apikey_2",
                "Name",
                "POD_NAMESPACE",
                "POD_NAME",
                "POD_UID"
            ]
        );
        let data = &outcome.objects_of("ExternalSecret")[0]["spec"]["data"];
        let keys: Vec<_> = data
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| {
                format!("{} {}", entry["secretKey"], entry["remoteRef"]["key"]).replace('"', "")
            })
            .collect();
        assert_eq!(
            keys,
            [
                "log_router.apikey /router",
                "log_router.apikey_1 /a",
                "log_router.host /host",
                "log_router.apikey_2 /b",
                "log_router.Name /output",
            ]
        );
    }

    #[test]
    fn an_option_is_one_line_of_the_configuration() {
        let bad = source(
            "app",
            r#""options": {"Name": "stdout\n[OUTPUT]", "[OUTPUT]": "x", "@INCLUDE": "/etc/passwd", "@INCLUDE {x}": "y", "exclude-pattern": "a\nName x", "a b": "c", "empty": " "},
               "secretOptions": [{"name": "; x", "valueFrom": "/x"}]"#,
        );
        let rejections = logging(&plain_router(), &bad).rejections();
        let log = "containerDefinitions[1].logConfiguration";
        let names = "an option has letters, digits, '.', '_' and '-'";
        let expected = [
            format!(
                "{log}.options.Name: InvalidValue: stdout\\n[OUTPUT]: one line of text is needed"
            ),
            format!("{log}.options.empty: InvalidValue:  : one line of text is needed"),
            format!(
                "{log}.options.exclude-pattern: InvalidValue: a\\nName x: one line of text is needed"
            ),
            format!(r#"{log}.options["@INCLUDE"]: InvalidValue: @INCLUDE: {names}"#),
            format!(r#"{log}.options["@INCLUDE {{x}}"]: InvalidValue: @INCLUDE {{x}}: {names}"#),
            format!(r#"{log}.options["[OUTPUT]"]: InvalidValue: [OUTPUT]: {names}"#),
            format!(r#"{log}.options["a b"]: InvalidValue: a b: {names}"#),
            format!("{log}.secretOptions[0].name: InvalidValue: ; x: {names}"),
        ];
        for line in &expected {
            assert!(rejections.contains(line), "{line}\nnot in {rejections:#?}");
        }
        assert_eq!(rejections.len(), expected.len(), "{rejections:#?}");
    }

    #[test]
    fn routers_that_do_not_work_here_are_rejected() {
        let first = "containerDefinitions[0].firelensConfiguration";
        let app = source("app", r#""options": {"Name": "stdout"}"#);
        let router = |configuration: &str| {
            format!(r#"{{{ROUTER}, "firelensConfiguration": {configuration}}}"#)
        };
        for (router, expected) in [
            (router("{}"), format!("{first}.type: RequiredField")),
            (
                router(r#"{"type": "fluentbit", "options": {"config-file-type": "s3", "config-file-value": "arn:aws:s3:::b/x"}}"#),
                format!("{first}.options.config-file-value: FirelensS3Config"),
            ),
            (
                router(r#"{"type": "fluentbit", "options": {"config-file-type": "file"}}"#),
                format!("{first}.options.config-file-value: RequiredField"),
            ),
            (
                router(r#"{"type": "fluentbit", "options": {"config-file-type": "file", "config-file-value": "/x\n[OUTPUT]"}}"#),
                format!("{first}.options.config-file-value: InvalidValue"),
            ),
            (
                router(r#"{"type": "fluentbit", "options": {"enable-ecs-log-metadata": "yes"}}"#),
                format!("{first}.options.enable-ecs-log-metadata: InvalidValue"),
            ),
            (
                router(r#"{"type": "fluentbit", "options": {"colour": "red"}}"#),
                format!("{first}.options.colour: InvalidValue: colour: not an option of FireLens"),
            ),
            (
                format!(r"{}, {}", plain_router(), plain_router().replace("log_router", "second")),
                "containerDefinitions[1].firelensConfiguration: InvalidValue: second: a task has one log router, and log_router is it".to_owned(),
            ),
            (
                source("other", r#""options": {}"#),
                "containerDefinitions[0].logConfiguration.logDriver: InvalidValue: awsfirelens: one container of the task needs firelensConfiguration".to_owned(),
            ),
            (
                format!(r#"{{{ROUTER}, "firelensConfiguration": {{"type": "fluentbit"}}, "logConfiguration": {{"logDriver": "awsfirelens"}}}}"#),
                "containerDefinitions[0].logConfiguration.logDriver: InvalidValue: awsfirelens: the log router cannot send its own logs to itself".to_owned(),
            ),
            (
                format!(r"{}, {}", plain_router(), source("nameless", r#""options": {"region": "us-east-1"}"#)),
                "containerDefinitions[1].logConfiguration.options.Name: RequiredField: Name is required".to_owned(),
            ),
        ] {
            let rejections = logging(&router, &app).rejections();
            assert!(
                rejections.iter().any(|line| line.starts_with(&expected)),
                "{expected}\nnot in {rejections:#?}"
            );
        }
    }

    #[test]
    fn only_convert_has_local_files() {
        const ARN: &str = "arn:aws:s3:::config/router.conf";
        let router = format!(
            r#"{{{ROUTER}, "firelensConfiguration": {{"type": "fluentbit", "options": {{"config-file-type": "s3", "config-file-value": "{ARN}"}}}}}}"#
        );
        let given = |mode| {
            logging(&router, &source("app", r#""options": {"Name": "stdout"}"#)).settings(
                move |s| {
                    s.mode = mode;
                    s.firelens_files
                        .insert(ARN.to_owned(), "[FILTER]\n".to_owned());
                },
            )
        };
        given(Mode::Convert).run();
        let refused = given(Mode::Controller).rejections();
        assert!(
            matches!(&refused[..], [one] if one.contains("FirelensS3Config")),
            "{refused:?}"
        );
    }
}
