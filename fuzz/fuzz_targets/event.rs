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
        rule_arn: "arn:aws:events:eu-west-1:123456789012:rule/fuzz",
        rule_name: "fuzz",
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
    let constant = InputSpec {
        input: Some(pattern),
        ..InputSpec::default()
    };
    if let Ok(input) = Input::parse(&constant) {
        let value = serde_json::from_str(pattern).expect("a constant is JSON");
        assert_eq!(input.json(&event, &context), Ok(value));
    }
});
