//! Support for unit tests: validates and translates JSON of AWS requests, and compares the result with YAML.
//!
//! The settings are those of the running operator on Kubernetes 1.36 unless a test changes them. The reader is not
//! used, so the JSON must have the types of [`crate::ecs`].
#![allow(dead_code, reason = "each feature's tests use some of it")]

use serde_json::Value;

use super::{translate_service, translate_task};
use crate::{
    crd::ServiceExtensions,
    diagnostic::{Diagnostics, Reason, Severity},
    ecs,
    input::{ConnectHosts, ServiceInput, TaskDefinitionInput, TaskInput},
    settings::{Mode, Settings},
    validate::{self, TaskDefinitionReference},
};

/// A task definition with the service or task that runs it.
#[derive(Clone)]
pub(crate) struct Scenario {
    definition: String,
    request: Request,
    extensions: String,
    of_definition: String,
    connect_hosts: ConnectHosts,
    uid: Option<String>,
    settings: Settings,
}

#[derive(Clone)]
enum Request {
    Service(String),
    Task(String),
}

impl Scenario {
    /// Creates a service of one task of the `RegisterTaskDefinition` body `definition`. Its name is the family's.
    pub(crate) fn service(definition: impl Into<String>) -> Self {
        Self::new(definition.into(), Request::Service("{}".to_owned()))
    }

    /// Creates one stand-alone task of the `RegisterTaskDefinition` body `definition`. Its name is the family's.
    pub(crate) fn task(definition: impl Into<String>) -> Self {
        Self::new(definition.into(), Request::Task("{}".to_owned()))
    }

    fn new(definition: String, request: Request) -> Self {
        Self {
            definition,
            request,
            extensions: "{}".to_owned(),
            of_definition: "{}".to_owned(),
            connect_hosts: ConnectHosts::new(),
            uid: None,
            settings: Settings {
                mode: Mode::Controller,
                ..Settings::default()
            },
        }
    }

    /// Sets members of the `CreateService` or `RunTask` body.
    pub(crate) fn request(mut self, body: impl Into<String>) -> Self {
        match &mut self.request {
            Request::Service(text) | Request::Task(text) => *text = body.into(),
        }
        self
    }

    /// Sets the names of the Service Connect namespace, with their addresses.
    pub(crate) fn connect_hosts(mut self, hosts: &[(&str, &str)]) -> Self {
        let hosts = hosts.iter();
        self.connect_hosts = hosts
            .map(|(name, ip)| ((*name).to_owned(), (*ip).to_owned()))
            .collect();
        self
    }

    /// Sets the extensions of this operator to `RegisterTaskDefinition`.
    pub(crate) fn definition_extensions(mut self, body: impl Into<String>) -> Self {
        self.of_definition = body.into();
        self
    }

    /// Sets the extensions of this operator to `CreateService` or `RunTask`.
    pub(crate) fn extensions(mut self, body: impl Into<String>) -> Self {
        self.extensions = body.into();
        self
    }

    /// Sets the UID that distinguishes the stand-alone task from others with its name.
    pub(crate) fn uid(mut self, uid: &str) -> Self {
        self.uid = Some(uid.to_owned());
        self
    }

    /// Changes settings.
    pub(crate) fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Converts offline instead of running the operator.
    pub(crate) fn convert(self) -> Self {
        self.settings(|settings| settings.mode = Mode::Convert)
    }

    /// Returns the result; fails the test if the input is rejected.
    #[track_caller]
    pub(crate) fn run(&self) -> Outcome {
        match self.outcome() {
            Ok(outcome) => outcome,
            Err(findings) => panic!("rejected: {:#?}", lines(findings, true)),
        }
    }

    /// Returns the rejections as `path: Reason: message; help`; fails the test if there is none.
    #[track_caller]
    pub(crate) fn rejections(&self) -> Vec<String> {
        match self.outcome() {
            Ok(outcome) => panic!("accepted: {:#?}", outcome.objects),
            Err(findings) => lines(findings, true),
        }
    }

    /// Returns the result; `None` if the input is rejected.
    pub(crate) fn accepted(&self) -> Option<Outcome> {
        self.outcome().ok()
    }

    fn outcome(&self) -> Result<Outcome, Diagnostics> {
        let definition: ecs::TaskDefinition = parse(&self.definition);
        let name = definition.family.clone().unwrap_or_default();
        let task_definition = |reference: Option<&str>| TaskDefinitionInput {
            request: definition,
            extensions: parse(&self.of_definition),
            revision: reference
                .and_then(TaskDefinitionReference::parse)
                .and_then(|reference| reference.revision),
        };
        let (manifests, notes) = match &self.request {
            Request::Service(text) => {
                let mut request: ecs::Service = parse(text);
                let counted = request.desired_count.is_some();
                request.service_name.get_or_insert_with(|| name.clone());
                request.task_definition.get_or_insert(name);
                if request.scheduling_strategy.as_deref() != Some("DAEMON") {
                    request.desired_count.get_or_insert(1);
                }
                let extensions: ServiceExtensions = parse(&self.extensions);
                let input = ServiceInput {
                    connect_hosts: self.connect_hosts.clone(),
                    task_definition: task_definition(request.task_definition.as_deref()),
                    request,
                    extensions,
                };
                let service = validate::validate_service(&input, &self.settings)?;
                let (manifests, mut notes) = translate_service(&service, &self.settings);
                if !counted {
                    // The test is not about a single task.
                    notes.forget(Reason::DrainMayDropBelowMinimum);
                }
                (manifests, notes)
            }
            Request::Task(text) => {
                let mut request: ecs::Task = parse(text);
                request.task_definition.get_or_insert_with(|| name.clone());
                let input = TaskInput {
                    name,
                    uid: self.uid.clone(),
                    task_definition: task_definition(request.task_definition.as_deref()),
                    request,
                    extensions: parse(&self.extensions),
                };
                let task = validate::validate_task(&input, &self.settings)?;
                translate_task(&task, &self.settings)
            }
        };
        assert!(!notes.has_errors(), "translate rejects: {notes:#?}");
        let objects = manifests
            .into_objects()
            .iter()
            .map(|object| serde_json::to_value(object).expect("objects are plain data"))
            .collect();
        Ok(Outcome { objects, notes })
    }
}

/// The objects and notes of a translation.
pub(crate) struct Outcome {
    /// All objects in the order of application.
    pub(crate) objects: Vec<Value>,
    notes: Diagnostics,
}

impl Outcome {
    /// Returns the object of this kind and name.
    #[track_caller]
    pub(crate) fn object(&self, kind: &str, name: &str) -> &Value {
        self.objects
            .iter()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("no {kind} {name} in {:#?}", self.objects))
    }

    /// Returns the objects of this kind.
    pub(crate) fn objects_of(&self, kind: &str) -> Vec<&Value> {
        self.objects
            .iter()
            .filter(|object| object["kind"] == kind)
            .collect()
    }

    /// Returns the pod template of the workload, or the first pod: an object with `metadata` and `spec`.
    #[track_caller]
    pub(crate) fn pod(&self) -> &Value {
        self.objects
            .iter()
            .find_map(|object| match object["kind"].as_str() {
                Some("Deployment" | "DaemonSet") => Some(&object["spec"]["template"]),
                Some("Pod") => Some(object),
                _ => None,
            })
            .expect("a workload")
    }

    /// Returns the whole specification of the pod.
    #[track_caller]
    pub(crate) fn pod_spec(&self) -> &Value {
        &self.pod()["spec"]
    }

    /// Returns the pod's specification without the spread constraints, which the examples omit.
    #[track_caller]
    pub(crate) fn pod_spec_without_spread(&self) -> Value {
        let mut spec = self.pod_spec().clone();
        spec.as_object_mut()
            .expect("a specification")
            .remove("topologySpreadConstraints");
        spec
    }

    /// Returns the Kubernetes container with this name, in any list of the pod.
    #[track_caller]
    pub(crate) fn container(&self, name: &str) -> &Value {
        let spec = self.pod_spec();
        ["initContainers", "containers"]
            .into_iter()
            .filter_map(|list| spec[list].as_array())
            .flatten()
            .find(|container| container["name"] == name)
            .unwrap_or_else(|| panic!("no container {name} in {spec:#}"))
    }

    /// Returns the findings as `path: Reason`, sorted.
    pub(crate) fn notes(&self) -> Vec<String> {
        lines(self.notes.clone(), false)
    }

    /// Returns the warnings as `path: Reason`, sorted.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Diagnostics::new();
        for finding in self.notes.iter() {
            if finding.severity() == Severity::Warning {
                warnings.report(finding.path.clone(), finding.message.clone());
            }
        }
        lines(warnings, false)
    }

    /// Returns the findings with one of these reasons as `path: Reason`, sorted. Other features may add theirs.
    pub(crate) fn notes_of(&self, reasons: &[Reason]) -> Vec<String> {
        let mut notes = Diagnostics::new();
        for finding in self.notes.iter() {
            if reasons.contains(&finding.reason()) {
                notes.report(finding.path.clone(), finding.message.clone());
            }
        }
        lines(notes, false)
    }

    /// Returns the findings as `path: Reason: message; help`, sorted.
    pub(crate) fn messages(&self) -> Vec<String> {
        lines(self.notes.clone(), true)
    }

    /// Whether a finding has this reason.
    pub(crate) fn has(&self, reason: &str) -> bool {
        self.notes
            .iter()
            .any(|finding| finding.reason().name() == reason)
    }
}

/// Parses YAML to compare with.
#[track_caller]
pub(crate) fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML of the test")
}

/// Compares a whole object with an example, which has fewer labels and may omit the namespace.
#[track_caller]
pub(crate) fn assert_object(actual: &Value, example: &str) {
    let expected = yaml(example);
    let mut actual = actual.clone();
    let metadata = actual["metadata"].as_object_mut().expect("metadata");
    if expected["metadata"].get("namespace").is_none() {
        metadata.remove("namespace");
    }
    let wanted = expected["metadata"]["labels"].as_object();
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.retain(|label, _| wanted.is_some_and(|wanted| wanted.contains_key(label)));
        if labels.is_empty() {
            metadata.remove("labels");
        }
    }
    assert_eq!(actual, expected, "{actual:#}");
}

#[track_caller]
fn parse<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn lines(findings: Diagnostics, texts: bool) -> Vec<String> {
    findings
        .into_sorted()
        .into_iter()
        .map(|finding| {
            let line = format!("{}: {}", finding.path, finding.reason());
            let help = finding.message.help();
            match (texts, help.as_str()) {
                (false, _) => line,
                (true, "") => format!("{line}: {}", finding.message),
                (true, _) => format!("{line}: {}; {help}", finding.message),
            }
        })
        .collect()
}

mod tests {
    use super::*;

    #[test]
    fn runs_a_definition_as_a_service_and_as_a_task() {
        let definition = r#"{"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx", "memory": 64}]}"#;
        let service = Scenario::service(definition).run();
        assert_eq!(service.object("Deployment", "web")["spec"]["replicas"], 1);
        assert_eq!(service.container("web")["image"], "nginx");
        let task = Scenario::task(definition).request(r#"{"count": 2}"#).run();
        assert_eq!(task.objects_of("Pod").len(), 2);
        assert_eq!(task.pod_spec()["restartPolicy"], yaml("Never"));
    }
}
