//! Events: the lines are a pattern, an event, a template and a path. Any pattern is read, or the error says where; what
//! is read gives the same answer twice. A constant of JSON stays what it is.
#![no_main]

use ecs_operator::event::{Context, Input, InputSpec, Pattern};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(4, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (pattern, event, template, path) = (next(), next(), next(), next());
    let event: serde_json::Value = serde_json::from_str(event).unwrap_or_default();
    match Pattern::parse(pattern) {
        Ok(pattern) => assert_eq!(pattern.matches(&event), pattern.clone().matches(&event)),
        Err(error) => assert!(error.path.starts_with('$') && !error.instead.is_empty()),
    }
    let context = Context {
        own_arn: "arn:aws:events:eu-west-1:123456789012:rule/fuzz",
        own_name: "fuzz",
        source_arn: "arn:aws:sqs:eu-west-1:123456789012:fuzz",
        target_arn: "arn:aws:ecs:eu-west-1:123456789012:cluster/fuzz",
        ingestion_time: "2026-03-01T04:05:06Z",
    };
    let transformer = InputSpec {
        input_paths_map: vec![("a", path), ("b", "$.a[0]")],
        input_template: Some(template),
        ..InputSpec::default()
    };
    if let Ok(input) = Input::parse(&transformer) {
        match input.text(&event, &context) {
            Ok(text) => {
                assert!(text.len() <= 256 * 1024, "{} bytes", text.len());
                let value = serde_json::from_str(&text).ok();
                assert_eq!(input.json(&event, &context).ok(), value);
            }
            Err(error) => assert_eq!(input.json(&event, &context), Err(error)),
        }
    }
    // What is escaped has the members of the template and no others.
    let escaped = r#"{"a": "<a>", "b": "x <b> y", "c": <a>}"#;
    let escaped = InputSpec {
        input_template: Some(escaped),
        ..transformer
    };
    if let Ok(value) = Input::parse_escaped(&escaped).map(|input| input.json(&event, &context))
        && let Ok(value) = value
    {
        let members: Vec<&str> = value
            .as_object()
            .into_iter()
            .flatten()
            .map(|it| it.0.as_str())
            .collect();
        assert_eq!(members, ["a", "b", "c"]);
    }
    let constant = InputSpec {
        input: Some(pattern),
        ..InputSpec::default()
    };
    if let Ok(input) = Input::parse(&constant) {
        let value = serde_json::from_str(pattern).expect("a constant is JSON");
        assert_eq!(input.json(&event, &context), Ok(value));
    }
});
