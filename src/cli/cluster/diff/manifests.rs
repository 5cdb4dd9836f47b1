//! The manifests of an apply: our own as they are written, and ECS documents as `convert --as resources` makes them.

use std::path::PathBuf;

use serde_json::Value;

use super::super::documents::documents;
use crate::{
    cli::Error,
    controller::{is_app_runner_service, is_known, is_namespace, is_of_cluster, is_starter},
    convert::{Denied, Drafter, Target},
    crd::API_VERSION,
    diagnostic::{Reason, Severity},
    settings::{Mode, Settings, WorkloadTarget},
    source::{Catalog, Fill, SourceText, texts},
};

/// The manifests, and what was wrong with their files.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    pub(super) resources: Vec<Value>,
    /// What is left out, and why.
    pub(super) skipped: Vec<String>,
    /// Whether that is an error.
    pub(super) has_errors: bool,
}

/// Reads files, folders and `-`.
///
/// # Errors
///
/// When something cannot be read.
pub(super) fn manifests(paths: &[PathBuf], settings: &Settings) -> Result<Manifests, Error> {
    let mut unread = Vec::new();
    let texts = texts(paths, &mut |problem| {
        unread.push(format!("{}: {}", problem.source.name(), problem.message));
    });
    if !unread.is_empty() {
        return Err(Error::Preview(unread.join("; ")));
    }
    of_texts(texts, settings)
}

fn of_texts(texts: Vec<SourceText>, settings: &Settings) -> Result<Manifests, Error> {
    let mut found = Manifests::default();
    let mut documents = Vec::new();
    for text in texts {
        // Most ECS documents do not even contain the word.
        if !text.text().contains("apiVersion") || !found.read(&text) {
            documents.push(text);
        }
    }
    found.convert(documents, settings)?;
    Ok(found)
}

impl Manifests {
    /// Adds the objects of Kubernetes in a file. Returns whether it has any.
    fn read(&mut self, text: &SourceText) -> bool {
        let documents = match documents(text) {
            Ok(documents) => documents,
            Err(error) => {
                self.error(error);
                return true;
            }
        };
        if documents.iter().all(|it| it.get("apiVersion").is_none()) {
            return false;
        }
        for document in documents {
            self.add(document, text.name());
        }
        true
    }

    fn add(&mut self, mut object: Value, file: &str) {
        let text = |object: &Value, path: &str| {
            let text = object.pointer(path).and_then(Value::as_str);
            text.unwrap_or("?").to_owned()
        };
        let (version, kind) = (text(&object, "/apiVersion"), text(&object, "/kind"));
        let is_list = kind.ends_with("List");
        if let Some(Value::Array(items)) = object.get_mut("items").filter(|_| is_list) {
            for item in std::mem::take(items) {
                self.add(item, file);
            }
        } else if object.get("apiVersion").is_none() && !object.is_null() {
            self.error(format!(
                "{file} has ECS documents and objects of Kubernetes: put them into separate files"
            ));
        } else if version == API_VERSION && !is_known(&object) {
            let name = text(&object, "/metadata/name");
            self.error(format!(
                "{file}: {kind} {name} is not of a kind of this operator, or has no metadata.name"
            ));
        } else if is_starter(&object) {
            self.note_starter(&object, file);
        } else if is_app_runner_service(&object) {
            let name = text(&object, "/metadata/name");
            self.note(&format!(
                "{file}: AppRunnerService {name} is not compared; use kubectl diff, or compare what convert --as resources makes of it"
            ));
        } else if version == API_VERSION || is_namespace(&object) {
            if is_of_cluster(&object) || is_namespace(&object) {
                let name = text(&object, "/metadata/name");
                self.note(&format!(
                    "{file}: {kind} {name} is taken into account, but its own change is not shown; use kubectl diff"
                ));
            }
            self.resources.push(object);
        } else if !object.is_null() {
            let name = text(&object, "/metadata/name");
            self.note(&format!(
                "{file}: {kind} {name} is not compared; use kubectl diff"
            ));
        }
    }

    fn note_starter(&mut self, starter: &Value, file: &str) {
        let text = |path| starter.pointer(path).and_then(Value::as_str).unwrap_or("?");
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        let until = match kind {
            "EcsPipe" => "before a message comes",
            "EcsRule" => "before an event matches",
            _ => "before it is due",
        };
        self.note(&format!(
            "{file}: {kind} {name} starts nothing {until}, and is not compared; use kubectl diff"
        ));
    }

    fn note(&mut self, text: &str) {
        self.skipped.push(format!("note: {text}"));
    }

    fn error(&mut self, text: String) {
        self.has_errors = true;
        self.skipped.push(format!("error: {text}"));
    }

    /// Adds ECS documents as resources.
    fn convert(&mut self, texts: Vec<SourceText>, settings: &Settings) -> Result<(), Error> {
        let settings = Settings {
            mode: Mode::Controller,
            workload_target: WorkloadTarget::EcsService,
            ..settings.clone()
        };
        let mut problems = Vec::new();
        let catalog = Catalog::of_texts(texts, Fill::default(), &mut |problem| {
            problems.push(problem);
        });
        for problem in problems {
            let text = format!("{}: {}", problem.source.name(), problem.message);
            match problem.message.reason().severity() {
                Severity::Error => self.error(text),
                _ => self.note(&text),
            }
        }
        let drafter = Drafter::new(&settings, Target::Resources, Denied::Nothing);
        for unit in catalog.into_units() {
            let unit = match unit {
                Ok(unit) => unit,
                Err(problem) => return Err(Error::Preview(problem.message.to_string())),
            };
            let draft = drafter.draft(&unit)?;
            for finding in draft.diagnostics() {
                let (path, message) = (&finding.path, &finding.message);
                let text = format!("{}: {path}: {message}", unit.file());
                if finding.severity() == Severity::Error {
                    self.error(text);
                } else if message.reason() == Reason::PlaceholdersKept {
                    self.note(&text);
                }
            }
            for object in draft.objects() {
                let object = serde_json::to_value(object).map_err(crate::print::Error::from)?;
                if is_starter(&object) {
                    self.note_starter(&object, unit.file());
                } else if !self.resources.contains(&object) {
                    self.resources.push(object);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Manifests {
        of_texts(vec![SourceText::new("a.yaml", text)], &Settings::default())
            .expect("it can be read")
    }

    #[test]
    fn our_own_manifests_are_taken_as_they_are() {
        let found = read(
            "apiVersion: ecs-operator.dev/v1alpha1\nkind: EcsService\nmetadata: {name: web}\nspec: {taskDefinition: \"web:3\"}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        );
        assert_eq!(found.resources.len(), 1);
        assert_eq!(
            found.resources.first().and_then(|it| it.pointer("/spec")),
            Some(&json!({"taskDefinition": "web:3"}))
        );
        assert_eq!(
            found.skipped,
            ["note: a.yaml: ConfigMap a is not compared; use kubectl diff"]
        );
        assert!(!found.has_errors);
    }

    #[test]
    fn an_app_runner_service_is_not_compared_and_that_is_said() {
        let found = read(
            "apiVersion: ecs-operator.dev/v1alpha1\nkind: AppRunnerService\nmetadata: {name: hello}\nspec: {}\n",
        );
        let note = "note: a.yaml: AppRunnerService hello is not compared; use kubectl diff, or compare what convert --as resources makes of it";
        assert_eq!(found.skipped, [note]);
        assert!(found.resources.is_empty() && !found.has_errors);
    }

    #[test]
    fn ecs_documents_are_converted_first() {
        let found = read(
            r#"{"family": "web", "containerDefinitions": [{"name": "web", "image": "web:1", "memory": 64}]}"#,
        );
        let kinds: Vec<_> = found
            .resources
            .iter()
            .map(|it| it["kind"].clone())
            .collect();
        assert_eq!(kinds, ["EcsTaskDefinition"], "{:?}", found.skipped);
    }

    #[test]
    fn a_schedule_starts_nothing_now() {
        let own = "apiVersion: ecs-operator.dev/v1alpha1\nkind: EcsSchedule\nmetadata: {name: nightly}\nspec: {}\n";
        let of_aws = r#"[{"Name": "nightly", "ScheduleExpression": "rate(7 minutes)", "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": "arn:aws:ecs:eu-west-1:111122223333:cluster/c", "EcsParameters": {"TaskDefinitionArn": "web"}}},
            {"family": "web", "containerDefinitions": [{"name": "web", "image": "web:1", "memory": 64}]}]"#;
        for (text, resources) in [(own, 0), (of_aws, 1)] {
            let found = read(text);
            assert_eq!(found.resources.len(), resources, "{found:?}");
            let note = "note: a.yaml: EcsSchedule nightly starts nothing before it is due, and is not compared; use kubectl diff";
            assert_eq!(found.skipped, [note]);
            assert!(!found.has_errors);
        }
    }

    #[test]
    fn what_cannot_be_converted_is_an_error() {
        let found = read(r#"{"family": "web", "containerDefinitions": [{"name": "web"}]}"#);
        assert!(found.has_errors && found.resources.is_empty(), "{found:?}");
    }
}
