//! Tests of inputs.

use serde_json::json;

use super::*;

const CONTEXT: Context<'_> = Context {
    own_arn: "arn:aws:events:eu-west-1:123456789012:rule/nightly",
    own_name: "nightly",
    source_arn: "arn:aws:sqs:eu-west-1:123456789012:orders",
    target_arn: "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
    ingestion_time: "2026-03-01T04:05:06Z",
};

fn event() -> Value {
    json!({
        "id": "7",
        "detail-type": "Order",
        "detail": {
            "state": "RUNNING",
            "say": "a \"quote\"\nand \\",
            "count": 3,
            "ratio": 1.5,
            "ready": true,
            "nothing": null,
            "items": [{"name": "first"}, "second"],
            "empty": "",
        },
    })
}

const PATHS: &[(&str, &str)] = &[
    ("state", "$.detail.state"),
    ("say", "$.detail.say"),
    ("count", "$.detail.count"),
    ("ratio", "$.detail.ratio"),
    ("ready", "$.detail.ready"),
    ("nothing", "$.detail.nothing"),
    ("items", "$.detail.items"),
    ("name", "$.detail.items[0].name"),
    ("missing", "$.detail.absent"),
    ("empty", "$.detail.empty"),
    ("type", "$.detail-type"),
];

fn transformed(template: &str) -> Result<Input, InputError> {
    Input::parse(&InputSpec {
        input_paths_map: PATHS.to_vec(),
        input_template: Some(template),
        ..InputSpec::default()
    })
}

#[test]
fn templates_are_filled() {
    for (template, expected) in [
        // Outside of quotes, a variable is a JSON value.
        (r#"{"a": <state>}"#, r#"{"a": "RUNNING"}"#),
        (r#"{"a": <say>}"#, r#"{"a": "a \"quote\"\nand \\"}"#),
        (r#"{"a":<count>,"b":<ratio>}"#, r#"{"a":3,"b":1.5}"#),
        (r#"{"a":[<ready>,<nothing>]}"#, r#"{"a":[true,null]}"#),
        (r#"{"a":<items>}"#, r#"{"a":[{"name":"first"},"second"]}"#),
        (r#"{"a":<empty>}"#, r#"{"a":""}"#),
        ("<state>", "\"RUNNING\""),
        ("<state> of <count>", "\"RUNNING\" of 3"),
        // Inside of quotes, it is the bare text, without escaping.
        (r#""it is <state>""#, r#""it is RUNNING""#),
        (r#"{"a":"<name>/<type>"}"#, r#"{"a":"first/Order"}"#),
        (r#"{"a":"<say>"}"#, "{\"a\":\"a \"quote\"\nand \\\"}"),
        (
            r#"{"a":"<count> <ready> <nothing>"}"#,
            r#"{"a":"3 true null"}"#,
        ),
        (
            r#"{"a":"<items>"}"#,
            r#"{"a":"[{"name":"first"},"second"]"}"#,
        ),
        // A quote that is escaped neither begins nor ends a string.
        (r#"{"a":"\"<state>\""}"#, r#"{"a":"\"RUNNING\""}"#),
        (r#"{"a":"\\","b":<state>}"#, r#"{"a":"\\","b":"RUNNING"}"#),
        (
            "\"one <count>\"\n\"two <state>\"",
            "\"one 3\"\n\"two RUNNING\"",
        ),
        // A path that finds nothing.
        (r#"{"a":"<missing>"}"#, r#"{"a":""}"#),
        (r#"{"a":<missing>}"#, r#"{"a":}"#),
        (r#""<missing> and <state>""#, r#"" and RUNNING""#),
        // What is predefined.
        (
            r#"{"a":<aws.events.rule-arn>}"#,
            r#"{"a":"arn:aws:events:eu-west-1:123456789012:rule/nightly"}"#,
        ),
        (r#""<aws.events.rule-name>!""#, r#""nightly!""#),
        (
            r#"{"a":"<aws.events.event.ingestion-time>"}"#,
            r#"{"a":"2026-03-01T04:05:06Z"}"#,
        ),
        (
            r#"{"a": <aws.events.event>}"#,
            r#"{"a": {"id":"7","detail-type":"Order"}}"#,
        ),
        // Other brackets are text.
        (
            r#""1 < 2 <= <count> <> <é> <a b>""#,
            r#""1 < 2 <= 3 <> <é> <a b>""#,
        ),
        ("<<state>>", "<\"RUNNING\">"),
        (r#""\<state>""#, r#""\RUNNING""#),
        ("plain", "plain"),
    ] {
        let input = transformed(template).unwrap();
        assert_eq!(
            input.text(&event(), &CONTEXT).as_deref(),
            Ok(expected),
            "{template}"
        );
    }
    let whole = transformed(r#"{"a":<aws.events.event.json>}"#).unwrap();
    assert_eq!(whole.json(&event(), &CONTEXT), Ok(json!({"a": event()})));
}

#[test]
fn a_target_gets_the_event_a_part_or_a_constant() {
    let input = |spec| Input::parse(&spec).unwrap().json(&event(), &CONTEXT);
    assert_eq!(input(InputSpec::default()), Ok(event()));
    let path = |path| InputSpec {
        input_path: Some(path),
        ..InputSpec::default()
    };
    assert_eq!(input(path("$")), Ok(event()));
    assert_eq!(input(path("$.detail.items[1]")), Ok(json!("second")));
    assert_eq!(input(path("$.detail.nothing")), Ok(json!(null)));
    assert_eq!(
        input(path("$.detail.absent")),
        Err(RenderError::Missing("$.detail.absent".to_owned()))
    );
    for (text, expected) in [
        (r#"{"a": "<state>"}"#, json!({"a": "<state>"})),
        ("\"text\"", json!("text")),
        (" 1 ", json!(1)),
    ] {
        let spec = InputSpec {
            input: Some(text),
            ..InputSpec::default()
        };
        let input = Input::parse(&spec).unwrap();
        assert_eq!(input.text(&event(), &CONTEXT).as_deref(), Ok(text));
        assert_eq!(input.json(&event(), &CONTEXT), Ok(expected));
    }
}

#[test]
fn results_that_are_not_json_say_what_is_missing() {
    for (template, message) in [
        (
            r#"{"a":<missing>,"b":<missing>}"#,
            "the text is not JSON: expected value at line 1 column 6; $.detail.absent finds nothing in the event",
        ),
        (
            "plain",
            "the text is not JSON: expected value at line 1 column 1",
        ),
    ] {
        let input = transformed(template).unwrap();
        let error = input.json(&event(), &CONTEXT).unwrap_err();
        assert_eq!(error.to_string(), message, "{template}");
    }
}

#[test]
fn mistakes_are_refused_with_what_to_write() {
    let map = "InputTransformer.InputPathsMap";
    let template = "InputTransformer.InputTemplate";
    for (text, expected) in [
        (
            r#"{"a":<other>}"#,
            "<other> is not defined; add other to InputPathsMap, with a path as $.detail.other",
        ),
        (
            r#""<aws.events.other>""#,
            "<aws.events.other> is not defined; add aws.events.other to InputPathsMap, with a path as \
             $.detail.aws.events.other",
        ),
        (
            r#"{"a":"<aws.events.event>"}"#,
            "<aws.events.event> stands elsewhere than as the value of a JSON field; write it without quotes, as \
             {\"event\": <aws.events.event>}",
        ),
        (
            "<aws.events.event.json>",
            "<aws.events.event.json> stands elsewhere than as the value of a JSON field; write it without quotes, as \
             {\"event\": <aws.events.event.json>}",
        ),
        (
            r#"{"a":<count><aws.events.event>}"#,
            "<aws.events.event> stands elsewhere than as the value of a JSON field; write it without quotes, as \
             {\"event\": <aws.events.event>}",
        ),
        (
            r#"{"<state>" : 1}"#,
            "a string with a variable is the key of an object; use variables in values",
        ),
        (
            "{<state>: 1}",
            "a variable is the key of an object; use variables in values",
        ),
        ("", "it is empty; write what the target gets"),
    ] {
        let error = transformed(text).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{template}: {expected}"),
            "{text}"
        );
    }
    for (name, path, expected) in [
        (
            "a b",
            "$.a",
            "a b: this is not a name of a variable; use 1 to 256 letters, digits, - and _",
        ),
        (
            "AWSx",
            "$.a",
            "AWSx: names that begin with AWS are reserved; choose another name",
        ),
        (
            "x",
            "a",
            "x: \"a\" does not begin with $; write a path as $.detail.state",
        ),
        (
            "y",
            "$.a",
            "y: the name stands here twice; remove one of them",
        ),
    ] {
        let error = Input::parse(&InputSpec {
            input_paths_map: vec![("y", "$.b"), (name, path)],
            input_template: Some("<y>"),
            ..InputSpec::default()
        })
        .unwrap_err();
        assert_eq!(error.to_string(), format!("{map}.{expected}"), "{name}");
    }
}

#[test]
fn members_exclude_each_other() {
    let all = InputSpec {
        input: Some("1"),
        input_path: Some("$"),
        input_paths_map: vec![("a", "$")],
        input_template: Some("<a>"),
    };
    for (spec, expected) in [
        (
            InputSpec {
                input_paths_map: Vec::new(),
                input_template: None,
                ..all.clone()
            },
            "InputPath: it stands beside Input; use one of them",
        ),
        (
            InputSpec {
                input_path: None,
                input_template: None,
                ..all.clone()
            },
            "InputTransformer: it stands beside Input; use one of them",
        ),
        (
            InputSpec {
                input: None,
                ..all.clone()
            },
            "InputTransformer: it stands beside InputPath; use one of them",
        ),
        (
            InputSpec {
                input: None,
                input_path: None,
                input_template: None,
                ..all.clone()
            },
            "InputTransformer.InputTemplate: it is empty; write what the target gets",
        ),
        (
            InputSpec {
                input: Some("{"),
                ..InputSpec::default()
            },
            "Input: it is not JSON: EOF while parsing an object at line 1 column 1; write a JSON text, a string with \
             its quotes",
        ),
        (
            InputSpec {
                input_path: Some("detail"),
                ..InputSpec::default()
            },
            "InputPath: \"detail\" does not begin with $; write a path as $.detail",
        ),
    ] {
        let error = Input::parse(&spec).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn limits_count_characters_entries_and_the_result() {
    let text = |length: usize| format!("\"{}\"", "ä".repeat(length - 2));
    for (length, is_allowed) in [(8192, true), (8193, false)] {
        let text = text(length);
        assert_eq!(
            transformed(&text).is_ok(),
            is_allowed,
            "template of {length}"
        );
        let constant = Input::parse(&InputSpec {
            input: Some(&text),
            ..InputSpec::default()
        });
        assert_eq!(constant.is_ok(), is_allowed, "constant of {length}");
    }
    let names: Vec<String> = (0..101).map(|it| format!("v{it}")).collect();
    for (count, is_allowed) in [(100, true), (101, false)] {
        let input = Input::parse(&InputSpec {
            input_paths_map: names
                .iter()
                .take(count)
                .map(|it| (it.as_str(), "$"))
                .collect(),
            input_template: Some("<v0>"),
            ..InputSpec::default()
        });
        assert_eq!(input.is_ok(), is_allowed, "{count} paths");
    }
    // A value of a kilobyte that is written a thousand times.
    let event = json!({"detail": {"state": "x".repeat(1000)}});
    let repeated = transformed(&"<state>".repeat(1000)).unwrap();
    assert_eq!(repeated.text(&event, &CONTEXT), Err(RenderError::TooLong));
    let few = transformed(&"<state>".repeat(200)).unwrap();
    assert_eq!(
        few.text(&event, &CONTEXT).map(|it| it.len()),
        Ok(200 * 1002)
    );
}

#[test]
fn what_is_escaped_stays_inside_of_its_quotes() {
    let spec = |template| InputSpec {
        input_paths_map: PATHS.to_vec(),
        input_template: Some(template),
        ..InputSpec::default()
    };
    for (template, expected) in [
        (r#"{"a":"<say>"}"#, json!({"a": "a \"quote\"\nand \\"})),
        (
            r#"{"a":"<say> of <count>"}"#,
            json!({"a": "a \"quote\"\nand \\ of 3"}),
        ),
        (
            r#"{"a":"<items>"}"#,
            json!({"a": r#"[{"name":"first"},"second"]"#}),
        ),
        (r#"{"a":"<missing>"}"#, json!({"a": ""})),
        (
            r#"{"a":<items>}"#,
            json!({"a": [{"name": "first"}, "second"]}),
        ),
        (r#"{"a":"\\<state>"}"#, json!({"a": "\\RUNNING"})),
    ] {
        let input = Input::parse_escaped(&spec(template)).unwrap();
        assert_eq!(input.json(&event(), &CONTEXT), Ok(expected), "{template}");
    }
    // Here the value would end the string: `\` before `\"` is an escaped backslash.
    let error = Input::parse_escaped(&spec(r#"{"a":"\<say>"}"#)).unwrap_err();
    assert!(
        error.problem.contains("a backslash stands before"),
        "{error}"
    );
}

#[test]
fn templates_of_pipes_have_paths_in_brackets() {
    let input = |template| Input::of_pipe(template);
    for (template, expected) in [
        (r#"{"a":<$.detail.items[0].name>}"#, json!({"a": "first"})),
        (
            r#"{"a":"<$.detail.say>"}"#,
            json!({"a": "a \"quote\"\nand \\"}),
        ),
        (r#"{"a":"<aws.pipes.pipe-name>"}"#, json!({"a": "nightly"})),
        (
            r#"{"a":<aws.pipes.source-arn>}"#,
            json!({"a": "arn:aws:sqs:eu-west-1:123456789012:orders"}),
        ),
        (r#"{"a":<aws.pipes.event>}"#, json!({"a": event()})),
        (r#"{"a":"1 < 2"}"#, json!({"a": "1 < 2"})),
    ] {
        let input = input(template).unwrap();
        assert_eq!(input.json(&event(), &CONTEXT), Ok(expected), "{template}");
    }
    assert!(input(r#"{"a":"1 < 2"}"#).unwrap().is_constant());
    assert!(!input("<$.body>").unwrap().is_constant());
    for (template, expected) in [
        (
            "<state>",
            "InputTemplate: <state> is not defined; write a path, as <$.body.state>",
        ),
        (
            "<$.a[*]>",
            "InputTemplate: \"$.a[*]\" is not read from \"[*]\" on: only .name and [0] are; write a path as \
             $.body.state",
        ),
    ] {
        assert_eq!(input(template).unwrap_err().to_string(), expected);
    }
}
