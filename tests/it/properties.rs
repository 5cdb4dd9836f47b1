//! Properties of every input. `PROPTEST_CASES=10000 PROPTEST_RNG_SEED=1 cargo test properties` tests more of them.

use std::env;

use ecs_operator::{
    convert::Target,
    crd,
    diagnostic::{Diagnostic, Reason, Severity, Subject},
    ecs,
    fields::{Api, Kind, Node, Shape},
    input::{ServiceInput, TaskDefinitionInput, TaskInput},
    settings::Settings,
    translate::{translate_service, translate_task},
    validate::{validate_service, validate_task},
};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::RngSeed};
use serde_json::{Value, json};

use crate::{
    generate::{Requests, requests, settings},
    library::{convert, convert_to},
    schema, yaml,
};

/// Uses the same inputs every time, so that only a change of the code changes the result; fuzzing finds new inputs.
fn config(cases: u32) -> ProptestConfig {
    let defaults = ProptestConfig::default();
    ProptestConfig {
        cases: if env::var_os("PROPTEST_CASES").is_some() {
            defaults.cases
        } else {
            cases
        },
        rng_seed: if env::var_os("PROPTEST_RNG_SEED").is_some() {
            defaults.rng_seed
        } else {
            RngSeed::Fixed(7)
        },
        failure_persistence: None,
        ..defaults
    }
}

fn texts(requests: &Requests) -> Vec<String> {
    requests
        .documents()
        .iter()
        .map(ToString::to_string)
        .collect()
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn every_input_gives_objects_or_an_error(requests in requests(), settings in settings()) {
        let result = convert(texts(&requests), &settings);
        for conversion in &result.conversions {
            // An alarm that triggers no policy stands alone.
            let of_alarms = |finding: &Diagnostic| finding.path.to_string().starts_with("alarms[");
            if conversion.objects.is_empty() && conversion.diagnostics.iter().all(of_alarms) {
                continue;
            }
            // A scaling document that is rejected leaves its service; one of another cluster has none.
            let mut errors = conversion.diagnostics.iter().filter(|finding| finding.severity() == Severity::Error);
            let rejected = errors.any(|finding| {
                finding.path.subject() != Subject::AutoScaling || finding.reason() == Reason::OrphanScaling
            });
            prop_assert_eq!(conversion.objects.is_empty(), rejected, "{:?}", result.reasons());
        }
        prop_assert!(result.has_errors() || !result.conversions.is_empty());
    }

    #[test]
    fn every_object_fits_its_schema_and_the_rules(requests in requests(), settings in settings()) {
        let result = convert(texts(&requests), &settings);
        let problems = schema::problems(&result.objects());
        prop_assert!(problems.is_empty(), "{:#?}\n{}", problems, result.yaml());
    }

    #[test]
    fn what_is_printed_is_read_back_as_it_was(requests in requests(), settings in settings()) {
        let result = convert(texts(&requests), &settings);
        let text = result.yaml();
        let read = yaml::documents(&text).expect("what is printed is YAML");
        prop_assert_eq!(read, result.objects());
        prop_assert_eq!(yaml::ambiguous(&text), Vec::<String>::new());
    }

    #[test]
    fn the_same_input_gives_the_same_bytes(requests in requests(), settings in settings()) {
        let first = convert(texts(&requests), &settings);
        let second = convert(texts(&requests), &settings);
        prop_assert_eq!(first.yaml(), second.yaml());
        prop_assert_eq!(first, second);
    }

    #[test]
    fn json_and_yaml_say_the_same(requests in requests()) {
        let settings = Settings::default();
        let json = convert(texts(&requests), &settings);
        let yaml = requests.documents().into_iter().map(|document| serde_saphyr::to_string(document).expect("it is plain data"));
        let yaml = convert(yaml, &settings);
        prop_assert_eq!(json.places(), yaml.places());
        prop_assert_eq!(json.yaml(), yaml.yaml());
    }

    #[test]
    fn one_file_or_many_say_the_same(requests in requests()) {
        let settings = Settings::default();
        let many = convert(texts(&requests), &settings);
        let one = convert([texts(&requests).join("\n")], &settings);
        let list = convert([json!(requests.documents()).to_string()], &settings);
        prop_assert_eq!(many.yaml(), one.yaml());
        prop_assert_eq!(many.yaml(), list.yaml());
    }

    #[test]
    fn numbers_and_booleans_may_be_strings(requests in requests()) {
        let settings = Settings::default();
        let mut quoted = requests.clone();
        quote(&mut quoted.task_definition, Api::TaskDefinition.tree());
        if let Some(service) = &mut quoted.service {
            quote(service, Api::Service.tree());
        }
        if let Some(task) = &mut quoted.task {
            quote(task, Api::Task.tree());
        }
        let plain = convert(texts(&requests), &settings);
        let quoted = convert(texts(&quoted), &settings);
        prop_assert_eq!(plain.yaml(), quoted.yaml(), "{:?} {:?}", plain.reasons(), quoted.reasons());
    }

    #[test]
    fn what_is_null_or_empty_is_absent(requests in requests()) {
        let settings = Settings::default();
        let mut padded = requests.clone();
        pad(&mut padded.task_definition, Api::TaskDefinition.tree());
        if let Some(service) = &mut padded.service {
            pad(service, Api::Service.tree());
        }
        let plain = convert(texts(&requests), &settings);
        let padded = convert(texts(&padded), &settings);
        prop_assert_eq!(plain.yaml(), padded.yaml(), "{:?} {:?}", plain.reasons(), padded.reasons());
    }

    #[test]
    fn resources_give_the_same_manifests(requests in requests()) {
        let settings = Settings::default();
        let direct = convert(texts(&requests), &settings);
        if direct.has_errors() {
            return Ok(());
        }
        let resources = convert_to(texts(&requests), &settings, Target::Resources);
        prop_assert!(!resources.has_errors(), "{:?}", resources.reasons());
        let problems = schema::problems(&resources.objects());
        prop_assert!(problems.is_empty(), "{:#?}\n{}", problems, resources.yaml());
        let again = convert([resources.yaml()], &settings);
        prop_assert_eq!(direct.yaml(), again.yaml(), "{}\n{:?}", resources.yaml(), again.reasons());
    }

    #[test]
    fn torn_texts_are_errors_and_nothing_worse(requests in requests(), cut in any::<prop::sample::Index>(), put in "[\\PC]{0,3}") {
        let settings = Settings::default();
        let mut text = requests.task_definition.to_string();
        let place = (0..=text.len()).rev().find(|place| *place <= cut.index(text.len()) && text.is_char_boundary(*place));
        text.insert_str(place.unwrap_or(0), &put);
        convert([text.clone()], &settings);
        text.truncate(place.unwrap_or(0));
        convert([text], &settings);
    }

    /// The types can contain more than any reader accepts.
    #[test]
    fn shapes_made_by_hand_do_not_panic(requests in requests(), numbers in prop::collection::vec(any::<i64>(), 1..8), settings in settings()) {
        let mut numbers = numbers.into_iter().cycle();
        let mut wild = |document: &Value| {
            let mut document = document.clone();
            go_wild(&mut document, &mut numbers);
            document
        };
        let Ok(task_definition) = serde_json::from_value::<ecs::TaskDefinition>(wild(&requests.task_definition)) else {
            return Ok(());
        };
        let service: ecs::Service = requests.service.as_ref().and_then(|service| serde_json::from_value(wild(service)).ok()).unwrap_or_default();
        let task: ecs::Task = requests.task.as_ref().and_then(|task| serde_json::from_value(wild(task)).ok()).unwrap_or_default();
        let task_definition = TaskDefinitionInput { request: task_definition, extensions: Default::default(), revision: None };
        let input = ServiceInput {
 connect_hosts: Default::default(),
            request: service,
            extensions: crd::ServiceExtensions::default(),
            task_definition: task_definition.clone(),
        };
        if let Ok(service) = validate_service(&input, &settings) {
            let _objects = translate_service(&service, &settings);
        }
        let input = TaskInput {
            name: "task".to_owned(),
            uid: None,
            request: task,
            extensions: crd::TaskExtensions::default(),
            task_definition,
        };
        if let Ok(task) = validate_task(&input, &settings) {
            let _objects = translate_task(&task, &settings);
        }
    }
}

/// The generator would prove nothing if everything that it generates were rejected, or nothing.
#[test]
fn the_generator_makes_good_and_bad_inputs() {
    let mut runner = proptest::test_runner::TestRunner::new(config(1));
    let (mut good, mut kinds) = (0, std::collections::BTreeSet::new());
    let mut why = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..300 {
        let requests = requests()
            .new_tree(&mut runner)
            .expect("nothing is filtered")
            .current();
        let result = convert(texts(&requests), &Settings::default());
        if result.has_errors() {
            for conversion in &result.conversions {
                for finding in &conversion.diagnostics {
                    if finding.severity() == ecs_operator::diagnostic::Severity::Error {
                        *why.entry(format!(
                            "{} {}",
                            finding
                                .path
                                .to_string()
                                .replace(|c: char| c.is_ascii_digit(), ""),
                            finding.message
                        ))
                        .or_default() += 1;
                    }
                }
            }
        } else {
            good += 1;
        }
        kinds.extend(
            result
                .objects()
                .iter()
                .map(|object| object["kind"].to_string()),
        );
    }
    assert!(
        (75..=280).contains(&good),
        "{good} of 300 are accepted; {why:#?}"
    );
    assert!(kinds.len() >= 8, "{kinds:?}");
}

/// Writes numbers and booleans as strings.
fn quote(value: &mut Value, node: &Node) {
    match (&node.shape, value) {
        (Shape::Object(members), Value::Object(object)) => {
            for (name, value) in object {
                if let Some(member) = members.get(name.as_str()) {
                    quote(value, member);
                }
            }
        }
        (Shape::List(element), Value::Array(elements)) => {
            elements.iter_mut().for_each(|value| quote(value, element));
        }
        (Shape::Leaf(field), value @ (Value::Number(_) | Value::Bool(_))) => {
            if matches!(field.kind, Kind::Integer | Kind::Number | Kind::Boolean) {
                *value = Value::String(value.to_string());
            }
        }
        _ => {}
    }
}

/// Adds every missing member: alternately null, an empty text and an empty list.
fn pad(value: &mut Value, node: &Node) {
    match (&node.shape, value) {
        (Shape::Object(members), Value::Object(object)) => {
            for (number, (name, member)) in members.iter().enumerate() {
                match object.get_mut(*name) {
                    Some(value) => pad(value, member),
                    None => {
                        let empty = match &member.shape {
                            Shape::List(_) if number % 2 == 0 && !member.required => json!([]),
                            Shape::Leaf(field) if field.kind == Kind::String && number % 2 == 0 => {
                                json!("")
                            }
                            _ => Value::Null,
                        };
                        object.insert((*name).to_owned(), empty);
                    }
                }
            }
        }
        (Shape::List(element), Value::Array(elements)) => {
            elements.iter_mut().for_each(|value| pad(value, element));
        }
        _ => {}
    }
}

/// Replaces some numbers with arbitrary ones.
fn go_wild(value: &mut Value, numbers: &mut impl Iterator<Item = i64>) {
    match value {
        Value::Object(object) => object
            .values_mut()
            .for_each(|value| go_wild(value, numbers)),
        Value::Array(elements) => elements
            .iter_mut()
            .for_each(|value| go_wild(value, numbers)),
        Value::Number(number) if number.is_i64() => {
            if let Some(wild) = numbers.next().filter(|wild| wild % 3 == 0) {
                *value = json!(wild);
            }
        }
        _ => {}
    }
}
