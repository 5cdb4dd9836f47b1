//! The manifests of an apply: our own as they are written, and ECS documents as `convert --as resources` makes them.

use std::path::PathBuf;

use serde_json::Value;

use crate::{
    cli::Error,
    controller::is_policy,
    convert::{Denied, Drafter, Target},
    crd::API_VERSION,
    diagnostic::Severity,
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
        if !text.text().contains("apiVersion") || !found.read(&text)? {
            documents.push(text);
        }
    }
    found.convert(documents, settings)?;
    Ok(found)
}

impl Manifests {
    /// Adds the objects of Kubernetes in a file. Returns whether it has any.
    fn read(&mut self, text: &SourceText) -> Result<bool, Error> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text.text())
            .map_err(|error| Error::Preview(format!("cannot read {}: {error}", text.name())))?;
        if documents.iter().all(|it| it.get("apiVersion").is_none()) {
            return Ok(false);
        }
        for document in documents {
            self.add(document, text.name());
        }
        Ok(true)
    }

    fn add(&mut self, mut object: Value, file: &str) {
        let text = |object: &Value, path: &str| {
            let text = object.pointer(path).and_then(Value::as_str);
            text.unwrap_or("?").to_owned()
        };
        let (version, kind) = (text(&object, "/apiVersion"), text(&object, "/kind"));
        if let Some(Value::Array(items)) = object.get_mut("items").filter(|_| kind == "List") {
            for item in std::mem::take(items) {
                self.add(item, file);
            }
        } else if version == API_VERSION {
            if is_policy(&object) {
                let name = text(&object, "/metadata/name");
                self.skipped.push(format!(
                    "{file}: EcsPolicy {name} counts, and is not compared itself; use kubectl diff"
                ));
            }
            self.resources.push(object);
        } else if !object.is_null() {
            let name = text(&object, "/metadata/name");
            self.skipped.push(format!(
                "{file}: {kind} {name} is not compared; use kubectl diff"
            ));
        }
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
            self.has_errors |= problem.message.reason().severity() == Severity::Error;
            let name = problem.source.name();
            self.skipped.push(format!("{name}: {}", problem.message));
        }
        let drafter = Drafter::new(&settings, Target::Resources, Denied::Nothing);
        for unit in catalog.into_units() {
            let unit = match unit {
                Ok(unit) => unit,
                Err(problem) => return Err(Error::Preview(problem.message.to_string())),
            };
            let draft = drafter.draft(&unit)?;
            for finding in draft.diagnostics() {
                if finding.severity() == Severity::Error {
                    self.has_errors = true;
                    let file = unit.file();
                    let (path, message) = (&finding.path, &finding.message);
                    self.skipped.push(format!("{file}: {path}: {message}"));
                }
            }
            for object in draft.objects() {
                let object = serde_json::to_value(object).map_err(crate::print::Error::from)?;
                if !self.resources.contains(&object) {
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
            ["a.yaml: ConfigMap a is not compared; use kubectl diff"]
        );
        assert!(!found.has_errors);
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
    fn what_cannot_be_converted_is_an_error() {
        let found = read(r#"{"family": "web", "containerDefinitions": [{"name": "web"}]}"#);
        assert!(found.has_errors && found.resources.is_empty(), "{found:?}");
    }
}
