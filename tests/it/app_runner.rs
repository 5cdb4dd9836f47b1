//! Changes each field of the App Runner documents in the golden cases, and compares what happens with what the table
//! says; and compares what they become with and without the operator.

use std::collections::BTreeSet;

use ecs_operator::{
    convert::{Target, for_resources},
    diagnostic::Severity,
    fields::{Api, Field, Outcome},
    settings::Settings,
    source::{Catalog, Content, Fill},
};
use serde_json::{Value, json};

use crate::{
    cases::{cases, inputs},
    effects::{leaves, others, take_out},
    library,
};

/// A service, and the auto scaling configuration that it names.
#[derive(Clone)]
struct Documents {
    service: Value,
    scaling: Option<Value>,
}

impl Documents {
    fn of(&self, api: Api) -> Option<&Value> {
        match api {
            Api::AppRunnerService => Some(&self.service),
            _ => self.scaling.as_ref(),
        }
    }

    fn of_mut(&mut self, api: Api) -> Option<&mut Value> {
        match api {
            Api::AppRunnerService => Some(&mut self.service),
            _ => self.scaling.as_mut(),
        }
    }

    fn texts(&self) -> Vec<String> {
        let all = [Some(&self.service), self.scaling.as_ref()];
        all.into_iter().flatten().map(Value::to_string).collect()
    }
}

/// What becomes of a service, and what is said about it: path, severity, reason and message.
#[derive(PartialEq)]
struct Effects {
    objects: Vec<Value>,
    findings: BTreeSet<(String, Severity, String)>,
}

impl Effects {
    /// Whether something of this severity is said about a field, or about what it is a member of.
    fn tell(&self, field: &Field, severity: Severity) -> bool {
        self.findings.iter().any(|(path, found, _)| {
            *found == severity && !path.is_empty() && field.path.starts_with(path.as_str())
        })
    }

    /// What matters to somebody who does not ask for notes.
    fn matters(&self) -> (&[Value], Vec<&String>) {
        let findings = self.findings.iter();
        let findings = findings.filter(|(_, severity, _)| *severity != Severity::Note);
        (&self.objects, findings.map(|(_, _, text)| text).collect())
    }
}

fn effects(documents: &Documents) -> Effects {
    let result = library::convert(documents.texts(), &Settings::default());
    let findings = result.conversions.iter().flat_map(|it| &it.diagnostics);
    let findings = findings.map(|it| {
        let text = format!("{} {} {}", it.path, it.reason(), it.message);
        (it.path.to_string(), it.severity(), text)
    });
    Effects {
        findings: findings.collect(),
        objects: result.objects(),
    }
}

/// Returns the App Runner services of the golden cases.
fn services() -> Vec<Documents> {
    let mut services = Vec::new();
    for case in cases() {
        let paths = inputs(&case).into_iter().map(|name| case.join(name));
        let paths: Vec<_> = paths.collect();
        let catalog = Catalog::read(&paths, None, Fill::default(), &mut |_| {});
        for unit in catalog.into_units().filter_map(Result::ok) {
            if let Content::AppRunner(input) = unit.content {
                let mut service = json!(input.request);
                let scaling = input.auto_scaling.map(|it| json!(it));
                if let Some(scaling) = &scaling {
                    // CloudFormation names it by a function, and an answer by a revision that a request does not have.
                    let name = scaling["AutoScalingConfigurationName"].as_str();
                    service["AutoScalingConfigurationArn"] = json!(format!(
                        "arn:aws:apprunner:eu-west-1:111122223333:autoscalingconfiguration/{}",
                        name.expect("it has a name")
                    ));
                }
                services.push(Documents { service, scaling });
            }
        }
    }
    services
}

#[test]
fn every_row_of_app_runner_says_what_is_so() {
    let apis = [Api::AppRunnerService, Api::AutoScalingConfiguration];
    let mut matters = BTreeSet::new();
    let mut told = BTreeSet::new();
    for documents in services() {
        let before = effects(&documents);
        for api in apis {
            let Some(document) = documents.of(api) else {
                continue;
            };
            for (field, at) in leaves(api.tree(), document, "") {
                for severity in [Severity::Error, Severity::Warning, Severity::Note] {
                    if before.tell(field, severity) {
                        told.insert((api, field.path, severity));
                    }
                }
                let mut changed = vec![documents.clone()];
                take_out(changed[0].of_mut(api).expect("it is there"), &at);
                let value = document.pointer(&at).expect("it was found");
                for other in others(field, value) {
                    let mut with = documents.clone();
                    let document = with.of_mut(api).expect("it is there");
                    *document.pointer_mut(&at).expect("it was found") = other;
                    changed.push(with);
                }
                for documents in changed {
                    if effects(&documents).matters() != before.matters() {
                        matters.insert((api, field.path));
                    }
                }
            }
        }
    }
    let fields = apis
        .into_iter()
        .flat_map(|api| api.fields().map(move |it| (api, it)));
    let wrong: Vec<String> = fields
        .filter(|(api, field)| {
            let is_told = |severity| told.contains(&(*api, field.path, severity));
            let does_matter = matters.contains(&(*api, field.path));
            !match field.outcome {
                Outcome::Translated => does_matter,
                Outcome::Warned => is_told(Severity::Warning),
                Outcome::Noted => is_told(Severity::Note) || !does_matter,
                Outcome::Rejected => is_told(Severity::Error),
                Outcome::NotYet => false,
            }
        })
        .map(|(api, field)| {
            format!(
                "{} {} is not {}",
                api.name(),
                field.path,
                field.outcome.name()
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the operator would make of the resources is what is written without it: reading the resources again gives the
/// same objects.
#[test]
fn resources_become_the_same_objects_as_the_service_itself() {
    let mut compared = 0;
    for documents in services() {
        // Without a region, a secret by name is converted with a placeholder, which the operator does not take.
        let settings = Settings {
            aws_region: Some("eu-west-1".to_owned()),
            ..Settings::default()
        };
        let manifests = library::convert(documents.texts(), &settings);
        let operator = for_resources(settings.clone());
        let resources = library::convert_to(documents.texts(), &operator, Target::Resources);
        assert_eq!(manifests.has_errors(), resources.has_errors());
        if manifests.has_errors() {
            continue;
        }
        let kinds: Vec<Value> = resources
            .objects()
            .iter()
            .map(|it| it["kind"].clone())
            .collect();
        assert_eq!(kinds, ["EcsTaskDefinition", "EcsService"]);
        let again = library::convert([resources.yaml()], &settings);
        assert!(!again.has_errors(), "{:?}", again.reasons());
        assert_eq!(again.objects(), manifests.objects());
        compared += 1;
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn an_app_runner_service_changes_nothing_beside_it() {
    let definition = json!({"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx", "memory": 64}]});
    let service = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 2});
    let alone = json!({"family": "alone", "containerDefinitions": [{"name": "a", "image": "nginx", "memory": 64}]});
    let texts = [&definition, &service, &alone].map(Value::to_string);
    let without = library::convert(texts.clone(), &Settings::default()).objects();
    let image = json!({"ImageIdentifier": "public.ecr.aws/nginx/nginx:1.29", "ImageRepositoryType": "ECR_PUBLIC"});
    for (size, expected) in [("1 vCPU", 5), ("7 vCPU", 0)] {
        let hello = json!({
            "ServiceName": "hello", "SourceConfiguration": {"ImageRepository": image},
            "InstanceConfiguration": {"Cpu": size},
        });
        let unused = json!({"AutoScalingConfigurationName": "unused"});
        let more = [hello.to_string(), unused.to_string()];
        let all = more.into_iter().chain(texts.clone());
        let mut with = library::convert(all, &Settings::default()).objects();
        let before = with.len();
        with.retain(|object| object["metadata"]["labels"]["ecs-operator.dev/service"] != "hello");
        assert_eq!(before - with.len(), expected);
        assert_eq!(with, without);
    }
}

/// The number of instances at least says which configuration was taken.
#[test]
fn a_service_gets_the_configuration_that_its_arn_names() {
    let configuration = |revision: Option<u64>, least: u64| {
        let inner = json!({
            "AutoScalingConfigurationName": "busy", "AutoScalingConfigurationRevision": revision,
            "MinSize": least, "MaxSize": 20,
        });
        json!({"AutoScalingConfiguration": inner}).to_string()
    };
    let old = || configuration(Some(1), 11);
    let new = || configuration(Some(2), 12);
    let fresh = || configuration(None, 13);
    for (name, configurations, expected) in [
        ("busy/1", vec![old(), new()], Some(11)),
        ("busy/2/ea1b2c3d", vec![old(), new()], Some(12)),
        ("busy", vec![new(), old()], Some(12)),
        ("busy", vec![old(), fresh(), new()], Some(13)),
        ("busy/3", vec![old(), fresh()], Some(13)),
        ("busy/1", vec![fresh(), old()], Some(11)),
        ("busy/3", vec![old(), new()], None),
        ("other/1", vec![old()], None),
        ("busy/1", vec![], None),
        ("DefaultConfiguration/1/00000001", vec![], Some(1)),
    ] {
        let service = json!({
            "ServiceName": "hello",
            "SourceConfiguration": {"ImageRepository": {
                "ImageIdentifier": "public.ecr.aws/nginx/nginx:1.29", "ImageRepositoryType": "ECR_PUBLIC",
            }},
            "AutoScalingConfigurationArn":
                format!("arn:aws:apprunner:eu-west-1:111122223333:autoscalingconfiguration/{name}"),
        });
        let texts = configurations.into_iter().chain([service.to_string()]);
        let result = library::convert(texts, &Settings::default());
        let objects = result.objects();
        let scaler = objects
            .iter()
            .find(|it| it["kind"] == "HorizontalPodAutoscaler");
        let least = scaler.and_then(|it| it["spec"]["minReplicas"].as_i64());
        assert_eq!(least, expected, "{name}: {:?}", result.reasons());
        assert_eq!(result.has_errors(), expected.is_none(), "{name}");
    }
    let twice = library::convert([old(), configuration(Some(1), 5)], &Settings::default());
    assert!(
        twice
            .reasons()
            .iter()
            .any(|it| it.starts_with("DuplicateDocument")),
        "{twice:?}"
    );
    let same = library::convert([old(), old()], &Settings::default());
    assert!(!same.has_errors(), "{same:?}");
}
