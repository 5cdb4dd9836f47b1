//! Everything that the request types can hold, also what no reader would let through, is translated or rejected.
#![no_main]

use ecs_operator::{
    crd::{ServiceExtensions, TaskExtensions},
    ecs,
    input::{ServiceInput, TaskDefinitionInput, TaskInput},
    settings::{Compute, Settings},
    translate::{translate_service, translate_task},
    validate::{validate_service, validate_task},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    let mut next = || values.next().and_then(Result::ok).unwrap_or_default();
    let Ok(task_definition) = serde_json::from_value::<ecs::TaskDefinition>(next()) else {
        return;
    };
    let service: ecs::Service = serde_json::from_value(next()).unwrap_or_default();
    let task: ecs::Task = serde_json::from_value(next()).unwrap_or_default();
    let extensions: ServiceExtensions = serde_json::from_value(next()).unwrap_or_default();
    let task_definition = TaskDefinitionInput {
        request: task_definition,
        extensions: serde_json::from_value(next()).unwrap_or_default(),
        revision: None,
    };
    let service = ServiceInput {
        connect_hosts: Default::default(),
        request: service,
        extensions,
        task_definition: task_definition.clone(),
    };
    let task = TaskInput {
        name: "task".to_owned(),
        uid: None,
        request: task,
        extensions: TaskExtensions::default(),
        task_definition,
    };
    for (compute, kubernetes_minor) in [(Compute::Nodes, 36), (Compute::EksFargate, 33)] {
        let settings = Settings {
            compute,
            kubernetes_minor,
            ..Settings::default()
        };
        if let Ok(service) = validate_service(&service, &settings) {
            let first = translate_service(&service, &settings);
            assert_eq!(first, translate_service(&service, &settings));
        }
        if let Ok(task) = validate_task(&task, &settings) {
            let first = translate_task(&task, &settings);
            assert_eq!(first, translate_task(&task, &settings));
        }
    }
});
