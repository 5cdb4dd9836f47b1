//! The cluster query language: an expression is read, or the error stands inside of it; what is read is translated or
//! rejected in reasonable size.
#![no_main]

use ecs_operator::{
    crd::TaskExtensions,
    ecs,
    input::{TaskDefinitionInput, TaskInput},
    settings::Settings,
    translate::translate_task,
    validate::{parse_expression, validate_task},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let settings = Settings::default();
    match parse_expression(text) {
        Ok(_) => {}
        Err(error) => assert!((1..=text.chars().count() + 1).contains(&error.column)),
    }
    let request = ecs::Task {
        placement_constraints: vec![ecs::PlacementConstraint {
            r#type: Some("memberOf".to_owned()),
            expression: Some(text.to_owned()),
        }],
        ..ecs::Task::default()
    };
    let task_definition = ecs::TaskDefinition {
        family: Some("web".to_owned()),
        container_definitions: vec![ecs::ContainerDefinition {
            name: Some("web".to_owned()),
            image: Some("nginx".to_owned()),
            memory: Some(64),
            ..ecs::ContainerDefinition::default()
        }],
        ..ecs::TaskDefinition::default()
    };
    let input = TaskInput {
        name: "web".to_owned(),
        uid: None,
        request,
        extensions: TaskExtensions::default(),
        task_definition: TaskDefinitionInput {
            request: task_definition,
            extensions: Default::default(),
            revision: None,
        },
    };
    if let Ok(task) = validate_task(&input, &settings) {
        let (manifests, _) = translate_task(&task, &settings);
        for object in manifests.into_objects() {
            let printed = serde_json::to_string(&object).expect("objects can be printed");
            assert!(printed.len() < 1 << 20, "{} bytes", printed.len());
        }
    }
});
