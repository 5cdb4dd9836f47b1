//! The configuration of Fluent Bit as the log router of a task.

use std::fmt::Write as _;

use super::{
    LOG_DIRECTORY, STATE_DIRECTORY, SecretOption, log_sources, one_line, output_options,
    secret_options,
};
use crate::{
    translate::{Context, LABEL_LENGTH, kname},
    validate::{Container, FIRELENS_EXCLUDE, FIRELENS_INCLUDE, Firelens, LogRouter},
};

/// One section of Fluent Bit's classic configuration: a name, and keys with values in order.
struct Section<'a> {
    name: &'static str,
    entries: Vec<(&'a str, String)>,
}

/// Returns the router's configuration. It is what the ECS agent generates
/// (`agent/taskresource/firelens/firelensconfig_unix.go` in <https://github.com/aws/amazon-ecs-agent>), with an input
/// for each log file instead of Docker's socket.
pub(super) fn configuration(
    cx: &Context<'_>,
    firelens: &Firelens,
    included: Option<&str>,
) -> String {
    let Firelens {
        program: _,
        log_metadata,
        config_file: _,
        memory,
    } = firelens;
    let sources: Vec<_> = log_sources(cx).collect();
    let options = secret_options(cx);
    let mut before = listeners();
    let buffer = memory_buffer_mb(*memory, sources.len());
    before.extend(sources.iter().map(|source| tail(source, buffer)));
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
    if let Some(path) = included {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "@INCLUDE {path}");
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

/// Returns the inputs for applications that send logs themselves, and for the router's health check.
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

/// Returns the input of a container's log files. They do not exist yet when the router starts, and by default Fluent
/// Bit looks for new files once a minute (<https://docs.fluentbit.io/manual/pipeline/inputs/tail>).
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
            ("Refresh_Interval", "1"),
            ("DB", &format!("{STATE_DIRECTORY}/{directory}.db")),
            ("Mem_Buf_Limit", &format!("{memory_buffer_mb}MB")),
        ],
    )
}

/// Returns the maximum size of each log in memory, in the MB of Fluent Bit. All logs together get half of the router's
/// memory; if the size of the router is unknown, each gets 25 MB (`resolveMemBufLimit` in the ECS agent, which has one
/// input).
pub(super) fn memory_buffer_mb(memory: Option<i64>, inputs: usize) -> i64 {
    let half = memory.unwrap_or(0) / 2;
    match i64::try_from(inputs) {
        Ok(inputs) if half > 0 && inputs > 0 => (half / inputs).max(1),
        _ => 25,
    }
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

/// Returns the tag that the output of a container matches; users' configuration files rely on it.
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

/// Returns the output of a container; `None` if the options do not specify one, since a configuration file may contain
/// it.
fn output<'a>(source: &'a Container, secrets: &[SecretOption<'a>]) -> Option<Section<'a>> {
    let mut options = output_options(source, secrets, |variable| format!("${{{variable}}}"));
    let key = LogRouter::FluentBit.output_option();
    let plugin = options.remove(key)?;
    let mut entries = vec![(key, plugin), ("Match", matching(source))];
    entries.extend(options);
    Some(Section {
        name: "OUTPUT",
        entries,
    })
}
