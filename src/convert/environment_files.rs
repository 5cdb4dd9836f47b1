//! Environment files in custom resources. The operator reads no files, so their variables are written into
//! `environment`.

use std::collections::BTreeSet;

use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Reason, Subject},
    ecs::{ContainerDefinition, EnvironmentFile, KeyValuePair, Task, TaskDefinition},
    settings::Settings,
    validate::file_variables,
};

/// Replaces the environment files of a task definition.
pub(super) fn inline_definition(
    definition: &mut TaskDefinition,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) {
    // What is reported here says the same.
    diagnostics.forget(Reason::EnvironmentFileSnapshot);
    let root = FieldPath::root(Subject::TaskDefinition).field("containerDefinitions");
    for (index, container) in definition.container_definitions.iter_mut().enumerate() {
        let mut taken = own_names(container);
        let files = std::mem::take(&mut container.environment_files);
        let path = root.index(index).field("environmentFiles");
        inline(
            files,
            &mut container.environment,
            &mut taken,
            settings,
            &path,
            diagnostics,
        );
    }
}

/// Replaces the environment files of the overrides of a task, which replace those of `definition`. The definition must
/// still have its own files.
pub(super) fn inline_overrides(
    task: &mut Task,
    definition: &TaskDefinition,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) {
    let root = FieldPath::root(Subject::Task)
        .field("overrides")
        .field("containerOverrides");
    let overrides = task.overrides.iter_mut();
    let overrides = overrides.flat_map(|overrides| &mut overrides.container_overrides);
    for (index, change) in overrides.enumerate() {
        if change.environment_files.is_empty() {
            continue;
        }
        let mut containers = definition.container_definitions.iter();
        let Some(container) = containers.find(|container| container.name == change.name) else {
            continue;
        };
        let mut taken = own_names(container);
        taken.extend(names(&change.environment));
        let path = root.index(index).field("environmentFiles");
        let files = std::mem::take(&mut change.environment_files);
        let first = path.index(0).field("value");
        let arn = files.first().and_then(|file| file.value.clone());
        let mut replaced = taken.clone();
        inline(
            files,
            &mut change.environment,
            &mut taken,
            settings,
            &path,
            diagnostics,
        );
        let old = container.environment_files.iter();
        for name in old.flat_map(|file| variables(file, settings)) {
            replaced.insert(name.0);
        }
        let stay: Vec<&str> = replaced.difference(&taken).map(String::as_str).collect();
        if !stay.is_empty() {
            let message = Message::InvalidValue {
                value: arn.unwrap_or_default(),
                allowed: format!(
                    "must also set {}, because an EcsTask cannot unset a variable of its task definition",
                    stay.join(", ")
                ),
            };
            diagnostics.report(first, message);
        }
    }
}

/// Appends the variables of `files` to `environment`, except for those that are `taken`: `environment` and secrets have
/// precedence over files, and a file over those after it
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/use-environment-file.html>).
fn inline(
    files: Vec<EnvironmentFile>,
    environment: &mut Vec<KeyValuePair>,
    taken: &mut BTreeSet<String>,
    settings: &Settings,
    path: &FieldPath,
    diagnostics: &mut Diagnostics,
) {
    for (index, file) in files.into_iter().enumerate() {
        for (name, value) in variables(&file, settings) {
            if taken.insert(name.clone()) {
                environment.push(KeyValuePair {
                    name: Some(name),
                    value: Some(value),
                });
            }
        }
        let arn = file.value.unwrap_or_default();
        diagnostics.report(
            path.index(index).field("value"),
            Message::EnvironmentFileInlined { arn },
        );
    }
}

/// Returns the names that no file can set.
fn own_names(container: &ContainerDefinition) -> BTreeSet<String> {
    let secrets = container.secrets.iter();
    let secrets = secrets.filter_map(|secret| secret.name.clone());
    names(&container.environment).chain(secrets).collect()
}

fn names(environment: &[KeyValuePair]) -> impl Iterator<Item = String> {
    environment.iter().filter_map(|entry| entry.name.clone())
}

fn variables(
    file: &EnvironmentFile,
    settings: &Settings,
) -> impl Iterator<Item = (String, String)> + use<> {
    let arn = file.value.as_deref().unwrap_or_default();
    let text = settings.environment_files.get(arn);
    text.map(|text| file_variables(text)).into_iter().flatten()
}
