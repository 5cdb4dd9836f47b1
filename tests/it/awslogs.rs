//! The script with which the agent of the chart gives each line its log group and stream.

use std::fs;

use mlua::{Lua, Table, Value};
use proptest::prelude::*;
use serde_json::{Map, json};

const SCRIPT: &str = include_str!("../../charts/ecs-operator/files/logs/awslogs.lua");

/// The script as Fluent Bit loads it.
fn agent() -> Lua {
    agent_with_outputs("eu-west-1,us-east-1")
}

fn agent_with_outputs(regions: &str) -> Lua {
    let lua = Lua::new();
    lua.load(format!("os.getenv = function() return '{regions}' end"))
        .exec()
        .unwrap();
    // What it would write to the log of the agent is kept in `said`.
    lua.load("said = {} io.stderr = { write = function(_, text) said[#said + 1] = text end }")
        .exec()
        .unwrap();
    lua.load(SCRIPT).exec().unwrap();
    lua
}

fn said(lua: &Lua) -> Vec<String> {
    lua.globals().get("said").unwrap()
}

/// Returns group, stream and output of a line of the container `app`; `None` if the line is not sent.
fn sent(lua: &Lua, annotation: &[u8]) -> Option<(String, String, String)> {
    sent_by(lua, annotation, "app")
}

fn sent_by(lua: &Lua, annotation: &[u8], container: &str) -> Option<(String, String, String)> {
    let annotations = lua.create_table().unwrap();
    let text = lua.create_string(annotation).unwrap();
    annotations
        .set("ecs-operator.dev/log-configuration", text)
        .unwrap();
    let pod = lua.create_table().unwrap();
    pod.set("annotations", annotations).unwrap();
    pod.set("namespace_name", "shop").unwrap();
    pod.set("pod_name", "web-1").unwrap();
    pod.set("container_name", container).unwrap();
    pod.set("docker_id", "0123abcd").unwrap();
    let record = lua.create_table().unwrap();
    record.set("kubernetes", pod).unwrap();
    record.set("log", "a line").unwrap();
    let awslogs: mlua::Function = lua.globals().get("awslogs").unwrap();
    let (code, time, record): (i32, i64, Table) = awslogs.call(("kube.app", 7, record)).unwrap();
    assert_eq!(time, 7);
    if code == -1 {
        return None;
    }
    assert_eq!(
        (code, record.get::<String>("log").unwrap().as_str()),
        (2, "a line")
    );
    let text = |name: &str| match record.get::<Value>(name).unwrap() {
        Value::String(text) => text.to_str().unwrap().to_owned(),
        other => panic!("{name} is {other:?}"),
    };
    Some((text("group"), text("stream"), text("output")))
}

fn some(group: &str, stream: &str, output: &str) -> Option<(String, String, String)> {
    Some((group.to_owned(), stream.to_owned(), output.to_owned()))
}

#[test]
fn options_name_group_stream_and_output() {
    let of = |name: &str, options: serde_json::Value| {
        let entry = json!({ "containerName": name, "logDriver": "awslogs", "options": options });
        sent(&agent(), json!({ "app": entry }).to_string().as_bytes())
    };
    assert_eq!(
        of(
            "app",
            json!({ "awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "ecs" })
        ),
        some("/ecs/web", "ecs/app/web-1", "eu-west-1.existing")
    );
    assert_eq!(
        of(
            "App_1",
            json!({ "awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p",
                "awslogs-create-group": "true" })
        ),
        some("g", "p/App_1/web-1", "us-east-1.create")
    );
    assert_eq!(
        of(
            "app",
            json!({ "awslogs-group": "g", "awslogs-region": "eu-west-1" })
        ),
        some("g", "0123abcd", "eu-west-1.existing")
    );
    for wrong in [
        json!({}),
        json!([]),
        json!(null),
        json!({ "awslogs-group": "g" }),
        json!({ "awslogs-group": { "a": 1 }, "awslogs-region": "eu-west-1" }),
        json!({ "awslogs-group": "g", "awslogs-region": "ap-south-1" }),
    ] {
        assert_eq!(of("app", wrong.clone()), None, "{wrong}");
    }
}

#[test]
fn what_is_wrong_is_reported_once_and_never_shown() {
    let lua = agent();
    let broken = br#"{"app": {"options": {"splunk-token": "hunter2""#;
    for _ in 0..3 {
        assert_eq!(sent(&lua, broken), None);
    }
    let log = said(&lua);
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(
        log[0].contains("shop/web-1") && !log[0].contains("hunter2"),
        "{log:?}"
    );
}

#[test]
fn annotations_of_other_drivers_and_odd_ones_send_nothing() {
    for text in [
        "",
        "null",
        "[]",
        "\"app\"",
        "{",
        "{}",
        r#"{"app"}"#,
        r#"{"app":}"#,
        r#"{"app": 1}"#,
        r#"{"app": {"logDriver": "splunk"}}"#,
        r#"{"app": {"logDriver": ["awslogs"]}}"#,
        r#"{"other": {"logDriver": "awslogs"}}"#,
        r#"{"app": {"logDriver": "awslogs", "options": "\q"}}"#,
        r#"{"app": {"logDriver": "awslogs", "options": "\u12"}}"#,
    ] {
        assert_eq!(sent(&agent(), text.as_bytes()), None, "{text}");
    }
    let deep = "[".repeat(200_000);
    assert_eq!(sent(&agent(), deep.as_bytes()), None);
}

#[test]
fn what_convert_writes_is_read() {
    let lua = agent_with_outputs("eu-west-1,eu-central-1,us-east-1,${region},<AWS_REGION>");
    let mut containers = 0;
    for text in manifests() {
        for annotation in annotations(&text) {
            let entries: Map<String, serde_json::Value> =
                serde_json::from_str(&annotation).unwrap();
            for (container, entry) in entries {
                let sent = sent_by(&lua, annotation.as_bytes(), &container);
                let group = entry["options"]["awslogs-group"].as_str();
                let expected = (entry["logDriver"] == "awslogs").then_some(group).flatten();
                assert_eq!(
                    sent.map(|(group, ..)| group).as_deref(),
                    expected,
                    "{annotation}"
                );
                containers += usize::from(expected.is_some());
            }
        }
    }
    assert!(containers > 10);
}

#[test]
fn large_annotations_are_forgotten() {
    let lua = agent();
    for n in 0..100 {
        let entry =
            json!({ "logDriver": "splunk", "options": { "a": "x".repeat(200_000), "n": n } });
        sent(&lua, json!({ "app": entry }).to_string().as_bytes());
    }
    lua.gc_collect().unwrap();
    let used = lua.used_memory();
    assert!(used < 12 << 20, "{used} bytes");
}

/// The objects of every golden case.
fn manifests() -> impl Iterator<Item = String> {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
    let folders = fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    folders.filter_map(|folder| fs::read_to_string(folder.join("manifests.yaml")).ok())
}

/// The annotations of its pods.
fn annotations(manifests: &str) -> impl Iterator<Item = String> {
    let lines = manifests.lines().map(str::trim_start);
    let values = lines.filter_map(|line| line.strip_prefix("ecs-operator.dev/log-configuration: "));
    // A double-quoted text of YAML that has only escapes of JSON.
    values.map(|value| serde_json::from_str(value).unwrap())
}

proptest! {
    #[test]
    fn any_text_of_an_option_arrives(group in any::<String>(), prefix in any::<String>()) {
        let options = json!({
            "awslogs-group": group, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": prefix,
        });
        let entry = json!({ "logDriver": "awslogs", "options": options });
        let annotation = json!({ "a": [1.5e3, true, null, {}, []], "app": entry });
        let stream = format!("{prefix}/app/web-1");
        let expected = some(&group, &stream, "eu-west-1.existing");
        prop_assert_eq!(&sent(&agent(), annotation.to_string().as_bytes()), &expected);
        let pretty = serde_json::to_string_pretty(&annotation).unwrap();
        prop_assert_eq!(&sent(&agent(), escaped(&pretty).as_bytes()), &expected);
    }

    #[test]
    fn no_annotation_stops_the_agent(annotation in proptest::collection::vec(any::<u8>(), 0..80)) {
        sent(&agent(), &annotation);
    }

    #[test]
    fn no_end_of_an_annotation_stops_the_agent(length in 0_usize..70) {
        let whole = r#"{"app": {"logDriver": "awslogs", "options": {"a": "\ud83d\ude00 \"b\""}}}"#;
        sent(&agent(), &whole.as_bytes()[..length.min(whole.len())]);
    }
}

/// The same JSON with every character outside ASCII as an escape, in pairs where UTF-16 has pairs.
fn escaped(json: &str) -> String {
    let escape = |unit: u16| format!("\\u{unit:04x}");
    json.chars()
        .map(|c| match c {
            '\0'..='\x7e' => c.to_string(),
            _ => c
                .encode_utf16(&mut [0; 2])
                .iter()
                .copied()
                .map(escape)
                .collect(),
        })
        .collect()
}
